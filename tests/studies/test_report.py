"""The report: what it says is what the record holds, whatever the record holds, and nothing is fetched."""

from __future__ import annotations

import base64
import hashlib
import itertools
import json
import re
import subprocess
import sys
from pathlib import Path

import bokeh.models
import numpy as np
import pytest

import throughtime as tt
from tests.studies.pages import Parsed, columns, figures
from tests.studies.synthetic import empty_study, synthetic_study
from throughtime.results import ResultsError, labels
from throughtime.results.files import save
from throughtime.studies import record
from throughtime.studies.report import curves, matrices, render, spread, troubles, write
from throughtime.studies.report.contents import read

HOSTILE = "<img/src=x/onerror=alert(1)>&\"'$$x$$"


@pytest.fixture(scope="module")
def tree():
    return synthetic_study(num_seeds=5, num_updates=200, conditions=("longer", "noisy"))


@pytest.fixture(scope="module")
def page(tree):
    return render(tree)


@pytest.fixture(scope="module")
def parsed(page):
    return Parsed(page)


def outcome(tree, name, task, rule):
    group = tree["outcomes"]
    place = {"task": labels(group["task"]).index(task), "rule": labels(group["rule"]).index(rule)}
    return group[name].isel(**place, circuit=0, option=0).values


def test_the_same_record_gives_the_same_bytes(tree, page):
    bokeh.models.ColumnDataSource()  # moves Bokeh's own numbers on
    assert render(tree.copy(deep=True)) == page
    changed = tree.copy(deep=True)
    changed["outcomes"]["final_score"].values[0, 0, 0, 0, 0] += 0.01
    assert render(changed) != page


def test_nothing_is_fetched(page, parsed):
    for element in parsed.elements:
        for name in ("src", "srcset", "data", "poster", "action", "background"):
            assert name not in element.attributes, (element.name, element.attributes)
        assert element.attributes.get("href", "#").startswith("#")
        assert element.name not in ("link", "iframe", "object", "embed", "base")
    [css] = parsed.all("style")
    assert not re.search(r"url\(|@import", css.text)
    [policy] = parsed.all("meta", **{"http-equiv": "Content-Security-Policy"})
    assert policy.attributes["content"].startswith("default-src 'none'; script-src 'sha256-")
    assert "http" not in policy.attributes["content"]


def test_the_policy_lets_run_the_scripts_of_the_page_and_no_other(parsed):
    [policy] = parsed.all("meta", **{"http-equiv": "Content-Security-Policy"})
    allowed = re.findall(r"'sha256-([^']+)'", policy.attributes["content"])
    executed = [script for script in parsed.all("script") if "type" not in script.attributes]
    digests = [hashlib.sha256(script.text.encode()).digest() for script in executed]
    assert [base64.b64encode(digest).decode() for digest in digests] == allowed
    assert "unsafe-inline" not in re.search(r"script-src([^;]*)", policy.attributes["content"])[1]


def test_outcomes_are_those_of_the_record(tree, parsed):
    head, *rows = parsed.table("outcomes")
    assert head[:2] == ["task", "rule"]
    assert "circuit" not in head
    assert len(rows) == 2 * 4 - 1  # the last rule is refused for the last task
    at = {name: head.index(name) for name in head}
    for row in rows:
        task, rule = row[:2]
        status = outcome(tree, "status", task, rule)
        reached, lost = status == record.REACHED, (status == record.DIVERGED) | (status == record.FAILED)
        assert row[at["criterion met"]].split()[0] == f"{reached.sum()}/{len(status)}"
        score = np.sort(np.where(lost, -np.inf, outcome(tree, "final_score", task, rule)))
        assert float(row[at["final score"]].split()[0]) == pytest.approx(score[2], abs=6e-4)
        trials = np.sort(np.where(reached, 16 * outcome(tree, "criterion_update", task, rule), np.inf))
        found = row[at["trials to criterion"]].replace("\u2009", "").split(" ")[0]
        assert float(found) == trials[2] if np.isfinite(trials[2]) else found == ">"
        names = {record.DIVERGED: "diverged", record.FAILED: "failed"}
        told = [f"{(status == code).sum()} {name}" for code, name in names.items() if (status == code).any()]
        assert row[at["lost"]] == f"{lost.sum()} {', '.join(told)}".strip()


def test_differences_are_paired_with_the_reference_and_p_has_its_least_beside_it():
    study = synthetic_study(tasks=("a",), rules=("bptt", "rflo", "refused"), num_seeds=8, num_updates=200)
    head, reference, other = Parsed(render(study)).table("outcomes")
    score = study["outcomes"]["final_score"].values[0, 0, :, 0]
    difference = score[1] - score[0]
    at = head.index("score − bptt")
    assert reference[at] == reference[at + 1] == ""
    assert float(other[at].split()[0].replace("−", "-")) == pytest.approx(difference.mean(), abs=6e-3)
    flips = np.array(list(itertools.product((-1, 1), repeat=8))) @ np.abs(difference)
    p = np.mean(np.abs(flips) >= np.abs(difference.sum()) - 1e-12)
    value, sign, least = other[at + 1].split()
    assert sign == "≥"
    assert [float(value), float(least)] == pytest.approx([p, 2 / 2**8], abs=6e-4)
    few = synthetic_study(tasks=("a",), rules=("bptt", "rflo", "refused"), num_seeds=4, num_updates=200)
    assert Parsed(render(few)).table("outcomes")[2][at + 1] == "– too few seeds"


def test_curves_are_those_of_the_record(tree, parsed):
    figure = figures(parsed)[1]  # loss of the first task
    seeds, loss = columns(figure, "seeds"), tree["curves"]["loss"].values[0, 0, :, 0]
    assert len(seeds["seed"]) == 4 * 5 - 1  # one seed failed
    update = tree["curves"]["update"].values
    for index in range(len(seeds["seed"])):
        rule, seed = seeds["rule_at"][index], int(seeds["seed"][index])
        there = np.isfinite(loss[rule, seed])
        assert np.array_equal(seeds["xs"][index], update[there])
        assert np.array_equal(seeds["ys"][index], loss[rule, seed][there].astype(np.float32))
        assert seeds["task"][index] == "cue-set-go"
    crosses = columns(figure, "diverged")
    assert list(crosses["x"]) == [100]
    assert crosses["y"][0] == pytest.approx(loss[2, 1, 4])


def test_medians_hold_who_stopped_and_rank_who_diverged_worst():
    draw = np.random.default_rng(0)
    values = draw.normal(size=(7, 30))
    ends = draw.integers(3, 30, 7)
    values[np.arange(30) >= ends[:, None]] = np.nan
    values[:, ::4] = np.nan
    diverged = np.arange(7) < 2
    for rising in (True, False):
        found = curves.held_median(values, diverged, rising)
        for update in range(30):
            held = []
            for seed in range(7):
                past = [value for value in values[seed, : update + 1] if not np.isnan(value)]
                over = not np.isfinite(values[seed, update:]).any() and diverged[seed]
                if over:
                    held.append(-np.inf if rising else np.inf)
                elif past:
                    held.append(past[-1])
            expected = np.median(held) if held else np.nan
            assert found[update] == pytest.approx(expected if np.isfinite(expected) else np.nan, nan_ok=True)


def test_distributions_are_those_of_the_record(tree, parsed):
    [figure] = [one for one in figures(parsed) if "Score at the end" in json.dumps(one)][:1]
    dots, lost = columns(figure, "seeds"), columns(figure, "lost")
    score = tree["outcomes"]["final_score"].values[0, 0, :, 0]
    for rule in range(4):
        here = [value for value, at in zip(dots["x"], dots["rule_at"], strict=True) if at == rule]
        assert sorted(here) == sorted(score[rule][np.isfinite(score[rule])])
    assert sorted(zip(lost["rule_at"], lost["ended"], strict=True)) == [(2, "diverged"), (3, "failed")]
    assert max(lost["x"]) < np.nanmin(score)
    rows = [row for row, _ in dots["y"]]
    assert {"bptt  (n = 5)", "uoro  (n = 4 + 1 ×)", "force  (n = 4 + 1 ×)"} <= set(rows)
    named = [quantity.name for quantity in spread.quantities(read(tree))]
    assert named == [
        "final_score", "final_loss", "evaluations: longer", "evaluations: noisy",
        "dimensionality: participation_ratio",
    ]  # fmt: skip


def test_failures_are_told_with_their_reasons(tree, parsed):
    head, *rows = parsed.table("failures")
    assert head == ["what", "task", "rule", "seeds", "reason"]
    assert [
        "failed",
        "cue-set-go",
        "force",
        "4",
        "RuntimeError: the feedback matrix is <singular> & empty",
    ] in rows
    assert ["diverged", "cue-set-go", "uoro", "1", "loss or gradient not finite at update 105"] in rows
    assert [row[:4] for row in rows if row[0] == "refused"] == [["refused", "decision", "force", "0 to 4"]]
    counted = {name: number for name, number, _ in troubles.counted(read(tree))}
    status = tree["outcomes"]["status"].values
    assert counted == {
        name.replace("_", " "): int((status == code).sum())
        for code, name in enumerate(record.STATUSES)
        if (status == code).any()
    }


def test_a_trouble_without_a_record_of_its_reason_is_told_too(tree):
    bare = tree.copy()
    bare.attrs = {**tree.attrs, "failures": "[]", "refused": "not JSON"}
    found = {(one.kind, one.named["rule"]): one.reason for one in troubles.troubles(read(bare))}
    assert found["failed", "force"] == found["refused", "force"] == "no reason was recorded"


@pytest.mark.parametrize("status", [record.FAILED, record.REFUSED, record.NOT_RUN])
def test_a_study_of_which_nothing_was_trained(status):
    parsed = Parsed(render(empty_study(status)))
    assert figures(parsed) == []
    assert len(parsed.table("outcomes")) == (3 if status == record.FAILED else 0)
    _, *rows = parsed.table("failures")
    assert len(rows) == 2
    assert all("ValueError: it never began" in row[-1] for row in rows)


def test_one_of_everything():
    only = synthetic_study(
        tasks=("a",),
        rules=("bptt",),
        num_seeds=1,
        num_updates=40,
        conditions=(),
        measures=False,
        distances=False,
    )
    parsed = Parsed(render(only))
    assert parsed.all("input") == []
    assert len(figures(parsed)) == 4
    assert len(parsed.table("outcomes")) == 2
    assert "None: every seed" in next(one.text for one in parsed.all("section", id="failures"))


def test_the_declaration_and_where_it_was_run_are_told():
    declared = tt.Study(
        "delays",
        tasks={"go": tt.tasks.make("cue-set-go", dt=50.0)},
        circuits={"small": {"num_units": 12}},
        rules=["rflo", "bptt"],
        seeds=[0, 1, 2, 7],
        training={"num_updates": 1200, "batch_size": 8, "stop": "budget"},
        left_out=[{"task": "go", "rule": "rflo"}],
    )
    study = synthetic_study(tasks=("go",), rules=("rflo", "bptt"), num_seeds=4, num_updates=40)
    study.attrs |= {"config": declared.config, "device_kind": "cpu", "code_sha256": "0123456789abcdef"}
    parsed = Parsed(render(study))
    names = [element.text for element in parsed.all("dt")]
    facts = dict(zip(names, [element.text for element in parsed.all("dd")], strict=True))
    assert (
        facts["budget"]
        == "at most 1\u2009200 updates a seed, batches of 8 trials, stop at the end of the budget"
    )
    assert facts["machine"] == "cpu"
    assert "sources 0123456789ab" in facts["code"]
    assert facts["left out"] == "rule=rflo, task=go"
    assert "RFLO(" in facts["rules"]
    assert "CircuitPlan(" in facts["circuits"]
    assert "num_units=12" in facts["circuits"]
    told = [element.text for element in parsed.all("code") if element.within[-1] == "dd"]
    assert "0 to 2, 7" in told
    assert any(text.startswith("go: CueSetGo(") and "dt=50" in text for text in told)


def test_hostile_names_and_messages_stay_texts():
    study = synthetic_study(
        tasks=(HOSTILE, "b"), rules=("bptt", f"</script>{HOSTILE}"), num_seeds=3, num_updates=40
    )
    study.attrs["name"] = HOSTILE
    study.attrs["config"] = json.dumps(
        {"name": HOSTILE, "rules": [[HOSTILE, {"class": HOSTILE, "x": HOSTILE}]]}
    )
    study.attrs["failures"] = json.dumps(
        [{"task": HOSTILE, "rule": "?", "seeds": [0], "reason": f"{HOSTILE}\n<script>", "option": "default"}]
    )
    parsed = Parsed(render(study))
    assert parsed.all("img") == []
    assert len([script for script in parsed.all("script") if "type" not in script.attributes]) == 2
    assert parsed.all("h1")[0].text == HOSTILE
    assert any(HOSTILE in row[1] for row in parsed.table("failures"))
    [told] = parsed.all("details", kind="configuration")
    assert told.text.count(HOSTILE) == 3
    [first, *_] = figures(parsed)
    assert set(columns(first, "seeds")["task"]) == {HOSTILE}
    rows = [row for row, _ in columns(figures(parsed)[4], "seeds")["y"]]
    assert not any("$$" in row for row in rows), "Bokeh would look for mathematics"


def test_long_curves_are_thinned_and_the_page_says_so(monkeypatch):
    monkeypatch.setattr(curves, "ROOM", 2_000)
    study = synthetic_study(
        tasks=("a",), rules=("bptt", "rflo", "refused"), num_seeds=10, num_updates=9_000, every=10
    )
    thin = curves.thinning(read(study))
    assert (thin.points, thin.seeds) == (50, 10)
    parsed = Parsed(render(study))
    assert "At most 50 recorded points" in next(one.text for one in parsed.all("section", id="curves"))
    seeds, loss = columns(figures(parsed)[1], "seeds"), study["curves"]["loss"].values[0, 0, :, 0]
    lengths = {len(xs) for xs in seeds["xs"]}
    assert max(lengths) <= 51
    assert all(xs[-1] == 9_000 for xs in seeds["xs"])
    assert seeds["ys"][0][-1] == np.float32(loss[0, 0, -1])
    monkeypatch.setattr(curves, "ROOM", 400)
    fewer = curves.thinning(read(study))
    assert (fewer.points, fewer.seeds) == (curves.FEWEST, 5)
    assert "The first 5 seeds" in fewer.told().replace("the first", "The first")
    assert len(columns(figures(Parsed(render(study)))[1], "seeds")["seed"]) == 10


def test_a_large_study_stays_a_page():
    study = synthetic_study(
        tasks=[f"task-{k}" for k in range(6)], rules=[f"rule-{k}" for k in range(12)], num_seeds=10,
        num_updates=6_000, every=20,
    )  # fmt: skip
    assert len(render(study)) < 8e6


def test_matrices_keep_every_distance_in_blocks():
    study = synthetic_study(rules=("bptt", "rflo", "uoro"), num_seeds=3, num_updates=40)
    group = study["distances"].to_dataset()
    order = np.random.default_rng(0).permutation(group.sizes["run"])
    group = group.isel(run=order, other_run=order)
    group["distance"][:, 0] = group["distance"][:, :, 0] = np.nan
    study["distances"] = group
    first, second = matrices.matrices(read(study))
    assert (first.task, second.task) == (0, 1)
    blocks = [name for name, size in first.groups for _ in range(size)]
    assert [name.partition(",")[0] for name in first.names] == blocks
    assert sorted(first.groups) == [("bptt", 3), ("rflo", 3), ("uoro", 3)]
    names = [f"{labels(group['label'])[k]}, seed {int(group['replicate'][k])}" for k in range(9)]
    for row, one in enumerate(first.names):
        for column, other in enumerate(first.names):
            expected = group["distance"].values[0, names.index(one), names.index(other)]
            assert first.values[row, column] == pytest.approx(expected, nan_ok=True)
    drawn = matrices.panel(first)
    assert len(drawn.renderers) == 2  # distances, and those that are not defined
    assert len(drawn.renderers[1].data_source.data["x"]) == 2 * 9 - 1 - 1


def test_large_matrices_become_medians_between_labels(monkeypatch):
    monkeypatch.setattr(matrices, "MOST", 8)
    study = synthetic_study(rules=("bptt", "rflo", "uoro"), num_seeds=3, num_updates=40)
    first = next(matrices.matrices(read(study)))
    values = study["distances"]["distance"].values[0]
    assert first.medians
    assert first.values[0, 1] == pytest.approx(np.median(values[:3, 3:6]))
    assert first.values[0, 0] == pytest.approx(np.median(values[:3, :3][np.triu_indices(3, 1)]))


@pytest.mark.parametrize(("break_it", "message"), [
    (lambda tree: tree.attrs.update(kind="run"), "expected the combined record of a study.*found kind 'run'"),
    (lambda tree: tree.children["outcomes"].__delitem__("status"), "outcomes lack status; combine"),
])  # fmt: skip
def test_what_is_no_combined_record_is_refused(tree, break_it, message):
    broken = tree.copy(deep=True)
    break_it(broken)
    with pytest.raises(ResultsError, match=message):
        render(broken)


def test_a_page_is_written_whole_or_not_at_all(tree, page, tmp_path):
    with pytest.raises(ResultsError, match="a tree lies in no folder; say where"):
        write(tree)
    assert write(tree, tmp_path / "a.html").read_text(encoding="utf-8") == page
    assert [path.name for path in tmp_path.iterdir()] == ["a.html"]
    with pytest.raises(ResultsError, match=r"cannot be written .*make its folder, free space"):
        write(tree, tmp_path / "none" / "a.html")
    with pytest.raises(ResultsError, match=r"holds no study\.json; give the folder"):
        write(tmp_path)


def test_the_command_needs_no_jax(tree, page, tmp_path):
    save(tree, tmp_path / "study.nc")
    code = (
        "import sys; from throughtime.cli import main; status = main(sys.argv[1:]); "
        "print(status, *(name for name in ('jax', 'brian2', 'distributed') if name in sys.modules))"
    )
    words = [sys.executable, "-c", code, "report", str(tmp_path / "study.nc")]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout == f"saved: {tmp_path / 'report.html'}\n0\n"
    assert (tmp_path / "report.html").read_text(encoding="utf-8") == page


@pytest.mark.parametrize(("words", "message"), [
    (["report", "none"], "none holds no study.json"),
    (["report", "none", "--out", "x.pdf"], "--out: expected a name ending in .html, found 'x.pdf'"),
    (["report", "none.nc"], "there is no none.nc"),
])  # fmt: skip
def test_mistakes_are_told(words, message, capsys, tmp_path: Path, monkeypatch):
    from throughtime.cli import main

    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert message in capsys.readouterr().err
