"""The report in a browser: it loads without a complaint, asks no network, filters change what is drawn."""

from __future__ import annotations

import pytest

from tests.studies.browser import browser, chromium
from tests.studies.synthetic import synthetic_study
from throughtime.plotting import style
from throughtime.studies.report import render

HOSTILE = "<svg/onload=document.title=1>"
pytestmark = pytest.mark.skipif(
    chromium() is None, reason="no Chromium here; on Debian: apt-get install chromium"
)

# Canvases and tooltips lie in shadow trees.
READING = """
const inside = (node, name) => {
  const found = [];
  const walk = (one) => {
    if (one.shadowRoot) walk(one.shadowRoot);
    for (const child of one.children ?? []) {
      if (child.matches(name)) found.push(child);
      walk(child);
    }
  };
  walk(node);
  return found;
};
const inked = (id, color) => {
  const [red, green, blue] = [1, 3, 5].map((at) => parseInt(color.slice(at, at + 2), 16));
  let count = 0;
  for (const canvas of inside(document.getElementById(id), "canvas")) {
    const still = new OffscreenCanvas(canvas.width, canvas.height);
    const copy = still.getContext("2d", {willReadFrequently: true});
    copy.drawImage(canvas, 0, 0);
    const {data} = copy.getImageData(0, 0, canvas.width, canvas.height);
    for (let at = 0; at < data.length; at += 4) {
      const far = Math.abs(data[at] - red) + Math.abs(data[at + 1] - green) + Math.abs(data[at + 2] - blue);
      count += far < 12 && data[at + 3] > 200;
    }
  }
  return count;
};
const tick = (axis, place) => document.querySelector(`input[data-axis=${axis}][value="${place}"]`).click();
const shown = () => [...document.querySelectorAll("#outcomes tbody tr")].filter((row) => !row.hidden)
  .map((row) => [row.cells[0].textContent, row.cells[1].textContent.trim()]);
const settled = () => new Promise((next) => requestAnimationFrame(() => requestAnimationFrame(next)));
"""


@pytest.fixture(scope="module")
def window():
    with browser(chromium()) as opened:
        yield opened


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    tree = synthetic_study(tasks=("cue-set-go", HOSTILE), num_seeds=4, num_updates=200)
    path = tmp_path_factory.mktemp("report") / "report.html"
    path.write_text(render(tree), encoding="utf-8")
    return path


@pytest.fixture
def opened(window, path):
    """The page, freshly loaded."""
    window.open(path)
    window.run(READING)
    return window


def test_it_loads_without_a_complaint_and_asks_for_nothing_else(opened, path):
    assert int(opened.run("document.body.dataset.figures")) == opened.run(
        "document.querySelectorAll('.plot').length"
    )
    assert opened.complaints == []
    assert set(opened.requested) == {path.as_uri()}
    assert opened.run("document.title") == "synthetic: report of a study"  # the hostile label did not run
    assert opened.run("document.querySelectorAll('h3')[1].textContent") == HOSTILE


def test_a_rule_that_is_not_ticked_is_nowhere(opened):
    curves, dots = "figure-1", opened.run("document.querySelectorAll('#seeds .plot')[0].id")
    for figure in (curves, dots):
        assert opened.run(f"inked({figure!r}, {style.VERMILLION!r})") > 20
        assert opened.run(f"inked({figure!r}, {style.BLUE!r})") > 20
    height = opened.run(f"document.getElementById({dots!r}).offsetHeight")
    opened.run("tick('rule', 1); settled()")
    for figure in (curves, dots):
        assert opened.run(f"inked({figure!r}, {style.VERMILLION!r})") == 0
        assert opened.run(f"inked({figure!r}, {style.BLUE!r})") > 20
    assert opened.run(f"document.getElementById({dots!r}).offsetHeight") < height
    assert {rule for _, rule in opened.run("shown()")} == {"bptt", "uoro", "force"}
    opened.run("tick('rule', 1); settled()")
    assert opened.run(f"inked({curves!r}, {style.VERMILLION!r})") > 20


def test_a_task_that_is_not_ticked_is_nowhere(opened):
    assert opened.run("document.querySelectorAll('.group')[1].offsetHeight") > 100
    opened.run("tick('task', 1)")
    assert opened.run("document.querySelectorAll('.group')[1].offsetHeight") == 0
    assert {task for task, _ in opened.run("shown()")} == {"cue-set-go"}
    opened.run("tick('task', 0)")
    assert opened.run("shown()") == []
    assert not opened.run("document.querySelector('.empty').hidden")


def test_the_table_is_sorted_by_what_is_pressed(opened):
    press = "document.querySelectorAll('#outcomes th button')[4].click()"  # final score
    rows = "[...document.querySelectorAll('#outcomes tbody tr')]"
    read = f"{rows}.map((row) => parseFloat(row.cells[4].textContent))"
    opened.run(press)
    rising = opened.run(read)
    assert rising == sorted(rising)
    opened.run(press)
    assert opened.run(read) == rising[::-1]


def test_what_is_under_the_pointer_is_told(opened):
    opened.run("document.getElementById('figure-1').scrollIntoView({block: 'center'})")
    x, y, width, height = opened.run(
        "(({x, y, width, height}) => [x, y, width, height])"
        "(document.getElementById('figure-1').getBoundingClientRect())"
    )
    read = "inside(document.body, '.bk-Tooltip').map((one) => (one.shadowRoot ?? one).textContent).join(' ')"
    texts = []
    for share in range(15, 85, 5):
        opened.move(x + 0.6 * width, y + share / 100 * height)
        opened.run("settled()")
        texts.append(opened.run(read))
    told = " ".join(texts)
    assert "task: cue-set-go" in told
    assert "rule: bptt" in told
    assert "seed: " in told
    assert "score on held-out trials: 0." in told
    assert opened.complaints == []


def test_a_telephone_shows_it_without_sideways_scrolling(window, path):
    window.open(path, width=420)
    assert window.run("document.documentElement.scrollWidth") <= 420
    assert window.run("document.querySelector('#curves .plot').offsetWidth") <= 420
    assert window.complaints == []


def test_a_complaint_would_be_seen(window, tmp_path):
    broken = tmp_path / "broken.html"
    broken.write_text(
        "<meta http-equiv=Content-Security-Policy content=\"default-src 'none'; script-src 'unsafe-inline'\">"
        "<body><img src=https://127.0.0.1/x.png>"
        "<script>document.body.dataset.figures = 0; none.there()</script>"
    )
    window.open(broken)
    assert any("none is not defined" in text for text in window.complaints)
    assert any("Content Security Policy" in text for text in window.complaints)
