"""Figure scripts draw from a results tree alone, and nothing in them overlaps the page."""

import re
from pathlib import Path

import numpy as np
import pytest
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text

from tests.figures import (
    alignment_studies,
    circuit_studies,
    credit_studies,
    dissection_studies,
    initialisation_studies,
    perturbed_studies,
    recorded_studies,
    rule_studies,
    speed_studies,
    studies,
    task_studies,
    timing_studies,
    transfer_studies,
)
from tests.plotting import synthetic
from throughtime.cli.scripts import imported
from throughtime.plotting import style
from throughtime.results import labels

FOLDER = Path(__file__).parents[2] / "figures"
SOURCES = {
    "alignment": alignment_studies.alignment,
    "working_memory": synthetic.working_memory,
    "timing": synthetic.timing,
    "gradient_anatomy": studies.gradient_anatomy,
    "locality": studies.locality,
    "online_rules": studies.online_rules,
    "periodic_output": credit_studies.periodic_output,
    "evidence_accumulation": credit_studies.evidence_accumulation,
    "reward_learning": perturbed_studies.reward_learning,
    "innate_trajectory": perturbed_studies.innate_trajectory,
    "learned_circuits": circuit_studies.learned_circuits,
    "learned_dynamics": dissection_studies.learned_dynamics,
    "low_rank_timing": timing_studies.low_rank_timing,
    "recorded_data": recorded_studies.recorded_data,
    "rate_to_spikes": transfer_studies.rate_to_spikes,
    "rules_on_tasks": rule_studies.rules_on_tasks,
    "speed": speed_studies.speed,
    "initialisation": initialisation_studies.initialisation,
    "task_demands": task_studies.tasks,
    "task_signatures": task_studies.tasks,
}


def script(name: str):
    with imported(FOLDER / f"{name}.py") as module:
        return module


@pytest.fixture(scope="module", params=SOURCES)
def drawn(request):
    module = script(request.param)
    page = module.draw(SOURCES[request.param](3, 96, 16))
    FigureCanvasAgg(page).draw()
    return module, page


def test_every_script_is_tested():
    assert {path.stem for path in FOLDER.glob("[!_]*.py")} == set(SOURCES)


def test_declares_its_name_and_record(drawn):
    module, page = drawn
    assert Path(module.__file__).stem == module.NAME
    assert module.RECORDS.startswith(("results/", "evidence/"))
    assert isinstance(page, Figure)
    width, height = page.get_size_inches() * 25.4
    assert min(abs(width - style.PAGE_MM), abs(width - style.COLUMN_MM)) < 0.01
    assert height <= style.HEIGHT_MM + 0.01


def everything(part):
    yield from part.findobj(lambda artist: isinstance(artist, Text) and artist.get_visible())


def hidden_tick_labels(page):
    """Labels of ticks outside the limits, which matplotlib keeps but does not draw."""
    for ax in page.findobj(Axes):
        for axis in (ax.xaxis, ax.yaxis):
            low, high = sorted(axis.get_view_interval())
            for tick in (*axis.get_major_ticks(), *axis.get_minor_ticks()):
                if not low <= tick.get_loc() <= high:
                    yield from (tick.label1, tick.label2)


def test_no_text_leaves_the_page_and_all_is_legible(drawn):
    _, page = drawn
    renderer = page.canvas.get_renderer()
    box = page.bbox
    hidden = set(hidden_tick_labels(page))
    for text in everything(page):
        if not text.get_text().strip() or text in hidden:
            continue
        assert text.get_fontsize() >= 6, text
        extent = text.get_window_extent(renderer)
        assert extent.x0 >= box.x0 - 1, text
        assert extent.x1 <= box.x1 + 1, text
        assert extent.y0 >= box.y0 - 1, text
        assert extent.y1 <= box.y1 + 1, text


def test_panels_carry_letters_in_order(drawn):
    module, page = drawn
    if getattr(module, "GALLERY", False):  # one panel or row a task, under its name
        assert {"cue-set-go", "sine-generation"} <= {t.get_text() for t in everything(page)}
        return
    letters = sorted(t.get_text() for t in everything(page) if t.get_fontweight() == "bold")
    assert letters == list("abcdefghi")[: len(letters)]
    assert len(letters) >= 2


def test_no_axes_overlap(drawn):
    _, page = drawn
    boxes = [ax.get_window_extent() for ax in page.axes]
    for k, one in enumerate(boxes):
        for other in boxes[k + 1 :]:
            width = min(one.x1, other.x1) - max(one.x0, other.x0)
            height = min(one.y1, other.y1) - max(one.y0, other.y0)
            assert not (width > 1 and height > 1)


def test_no_axes_are_squeezed(drawn):
    _, page = drawn
    for ax in page.axes:
        if ax.get_label() == "<colorbar>":
            continue
        box = ax.get_window_extent()
        assert box.width / page.dpi * 25.4 > 15, ax.get_ylabel()
        assert box.height / page.dpi * 25.4 > 8, ax.get_ylabel()


def test_main_reads_a_file_and_writes_both_formats(tmp_path, monkeypatch, capsys):
    module = script("timing")
    tree = synthetic.timing(2, 64, 6)
    read = []
    monkeypatch.setattr(module, "load_tree", lambda path: read.append(path) or tree)
    module.main(["some.nc", str(tmp_path)])
    assert read == ["some.nc"]
    assert {path.name for path in tmp_path.iterdir()} == {"timing.pdf", "timing.png"}
    written = (tmp_path / "timing.pdf").read_bytes()
    assert b"/FontFile2" in written  # outlines of letters, embedded
    assert b"/Type3" not in written
    assert "timing.pdf" in capsys.readouterr().out


def test_speed_counts_what_missed_its_goal_and_knows_every_row_that_has_one():
    module, tree = script("speed"), speed_studies.speed(3, 96, 16)
    rows = tree["rows"].to_dataset()
    names = [name.replace("_", " ") for name in labels(rows["option"])]
    verdicts = labels(rows["verdict"])
    wanted = [name for name, verdict in zip(names, verdicts, strict=True) if verdict != "none"]
    known = [sum(re.match(pattern, name) is not None for _, pattern in module.GOALS) for name in wanted]
    assert set(known) == {1}
    ratio = module.of_goal(rows)
    within = {word: ratio[np.array(verdicts) == word] <= 1 for word in ("met", "not_met")}
    assert within["met"].all()
    assert not within["not_met"].any()
    words = [text.get_text() for text in everything(module.draw(tree))]
    assert f"{verdicts.count('met')} of {len(wanted)} met" in words


def test_timing_draws_a_circuit_that_never_responds():
    tree = synthetic.timing(2, 64, 6)
    tree["behaviour"]["produced_interval"] = tree["behaviour"]["produced_interval"] * np.nan
    page = script("timing").draw(tree)
    page.canvas.draw()
    assert any("too few responses" in text.get_text() for text in everything(page))


def test_alignment_correlates_rules_within_a_task_and_knows_the_mean_of_what_chance_gives():
    module, tree = script("alignment"), alignment_studies.alignment(4)
    data = module.runs(tree)
    certain = [rule for rule in module.RULES if rule not in alignment_studies.DRAWN]
    one = data.sel(rule=certain)
    np.testing.assert_allclose(one["mean_cosine"], one["cosine"], atol=1e-6)
    drawn = data["mean_cosine"].sel(rule=list(alignment_studies.DRAWN)).median(["seed", "checkpoint"])
    assert (drawn.dropna("task") > 0.9).all()
    rules = [rule for rule in module.RULES if rule != module.BPTT]
    data["score"].loc[{"rule": rules}] = data["cosine"].isel(checkpoint=0).median("seed").sel(rule=rules)
    found = module.correlations(data, "cosine")
    np.testing.assert_allclose(found.isel(checkpoint=0).dropna("task"), 1.0)
    assert np.isnan(found.isel(task=-1)).all()  # not measured


@pytest.mark.parametrize("absent", ["alignment", "hard"])
def test_alignment_draws_what_is_there(absent):
    tree = alignment_studies.alignment(3)
    del tree[absent]
    page = script("alignment").draw(tree)
    FigureCanvasAgg(page).draw()
    assert "not measured" in {text.get_text() for text in everything(page)} or absent == "hard"
