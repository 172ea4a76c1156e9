"""The combined record holds what the files hold, tells what is missing, and reads nothing too early."""

from __future__ import annotations

import dataclasses
import json
import shutil
import sys
from pathlib import Path
from typing import Any

import dask.array
import h5py
import numpy as np
import pytest
import xarray as xr

from tests.studies import fakes
from tests.studies.examples import small
from tests.studies.members import Same
from throughtime import tasks
from throughtime.results import ResultsError, content_sha256, labels, load_tree, validate
from throughtime.studies import Folder, Study, Tuning, combine
from throughtime.studies import blocks as blocks_room
from throughtime.studies.record import AXES, FAILED, NOT_RUN, REFUSED, STATUSES
from throughtime.training.record import STATUS_MEANINGS

MODULE = sys.modules["throughtime.studies.combine"]
NAMES = {"task": ("a", "b"), "circuit": ("small",), "rule": ("rflo", "bptt", "same"), "option": ("default",)}


@pytest.fixture(scope="module")
def study() -> Study:
    """Two tasks, three rules, four seeds in two cells each; task b is left out for the rule ``same``."""
    task = tasks.make("cue-set-go", dt=50.0)
    return small(
        tasks={"a": task, "b": tasks.make("cue-set-go", dt=50.0, hold=400.0)},
        rules={"rflo": "rflo", "bptt": "bptt", "same": Same()},
        seeds=4, seeds_per_cell=2, measures=["pca"],
        evaluations={"later": {"hold": 500.0}, "none": {"hold": 50.0}},
        tuning=Tuning(grid=[0.001, 0.01], seeds=1), left_out=[{"task": "b", "rule": "same"}],
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """All of a, rflo; its run is merged and measured. Half of a, bptt. Of b, rflo one cell failed; of b, bptt
    the tuning did."""
    place = Folder(tmp_path_factory.mktemp("combine"))
    place.declare(study)
    plans = {plan.labels[::2]: plan for plan in study.runs()}
    for cell in plans["a", "rflo"].cells:
        place.write_part(cell, fakes.part(cell, study))
    fakes.merge(place, study, plans["a", "rflo"])
    done = plans["a", "rflo"].measure
    place.write_part(done, fakes.measured(done, {"pca": fakes.measure(done.seeds)}, ("later",)))
    half = plans["a", "bptt"].cells[1]
    place.write_part(half, fakes.part(half, study))
    first, second = plans["b", "rflo"].cells
    place.write_part(first, fakes.part(first, study))
    place.fail(second, RuntimeError("no gradient today"))
    place.fail(plans["b", "bptt"].tune, ValueError("no step"))
    return place.path


@pytest.fixture(scope="module")
def tree(ran: Path) -> xr.DataTree:
    return combine(ran)


def one(tree: xr.DataTree, path: str, task: str, rule: str) -> xr.DataArray:
    """A variable of one combination."""
    place = {"task": NAMES["task"].index(task), "rule": NAMES["rule"].index(rule), "circuit": 0, "option": 0}
    found: Any = tree[path].isel({axis: place[axis] for axis in AXES})
    return found


def test_the_first_statuses_are_those_of_training():
    assert STATUSES[: len(STATUS_MEANINGS)] == tuple(STATUS_MEANINGS)


def test_the_format_is_kept(tree):
    assert validate(tree) == []
    assert {axis: tuple(labels(tree["outcomes"][axis])) for axis in AXES} == NAMES
    assert tree["outcomes/seed"].values.tolist() == [0, 1, 2, 3]


def test_outcomes_are_those_of_the_cells(tree, study):
    trained = ["budget_exhausted", "criterion_reached", "diverged", "budget_exhausted"]
    expected = {
        ("a", "rflo"): trained,
        ("a", "bptt"): ["not_run", "not_run", *trained[2:]],
        ("a", "same"): ["not_run"] * 4,
        ("b", "rflo"): [*trained[:2], "failed", "failed"],
        ("b", "bptt"): ["failed"] * 4,
        ("b", "same"): ["not_run"] * 4,
    }
    for place, words in expected.items():
        assert labels(one(tree, "outcomes/status", *place)) == words, place
    assert one(tree, "outcomes/criterion_update", "a", "rflo").values.tolist() == [-1, 4, -1, -1]
    assert one(tree, "outcomes/diverged_update", "a", "bptt").values.tolist() == [-1, -1, 3, -1]
    assert one(tree, "outcomes/num_updates", "a", "bptt").values.tolist() == [0, 0, 3, 6]
    assert one(tree, "outcomes/trials_seen", "a", "rflo").values.tolist() == [12, 8, 6, 12]
    np.testing.assert_array_equal(one(tree, "outcomes/final_loss", "a", "rflo"), [0.5, 1.5, np.nan, 3.5])
    base = fakes.hash_of("a", "small", "rflo", "default") + 10
    np.testing.assert_allclose(
        one(tree, "outcomes/final_score", "a", "rflo"), base + np.array([0.06, 1.04, np.nan, 3.06])
    )
    np.testing.assert_array_equal(
        one(tree, "outcomes/wall_time", "b", "rflo"), [1500.0, 1500.0, np.nan, np.nan]
    )
    assert tree["outcomes/complete"].values.ravel().tolist() == [1, 0, 0, 0, 0, 0]


def test_curves_are_those_of_parts_and_of_merged_runs(tree, study):
    plans = {plan.labels[::2]: plan for plan in study.runs()}
    assert tree["curves/update"].values.tolist() == [2, 4, 6]
    for place, cells in {("a", "rflo"): (0, 1), ("a", "bptt"): (1,), ("b", "rflo"): (0,)}.items():
        for name, array in tree["curves"].data_vars.items():
            expected = np.full((4, 3), np.nan)
            for index in cells:
                cell = plans[place].cells[index]
                values = fakes.record_of(cell, study)[0].curves[name]
                expected[list(cell.seeds), : values.shape[1]] = values
            np.testing.assert_array_equal(one(tree, f"curves/{name}", *place), expected)
            assert array.attrs["units"] == "1"
    assert np.isnan(one(tree, "curves/loss", "a", "same")).all()


def test_what_is_missing_is_told(tree, study):
    told = {name: json.loads(tree.attrs[name]) for name in ("failures", "refused", "not_run", "runs")}
    failed = {(each["task"], each["rule"], each["kind"]): each for each in told["failures"]}
    assert failed["b", "rflo", "train"]["seeds"] == [2, 3]
    assert failed["b", "rflo", "train"]["reason"] == "RuntimeError: no gradient today"
    assert failed["b", "bptt", "tune"]["seeds"] == [0, 1, 2, 3]
    assert len(failed) == 2
    missing = {(each["task"], each["rule"]): (each["seeds"], each["reason"]) for each in told["not_run"]}
    assert missing == {
        ("a", "bptt"): ([0, 1], "not done yet"),
        ("a", "same"): ([0, 1, 2, 3], "not done yet"),
        ("b", "same"): ([0, 1, 2, 3], "left out of the study"),
    }
    assert [(run["task"], run["rule"]) for run in told["runs"]] == [("a", "rflo")]
    counts = [tree.attrs[f"num_seeds_{name}"] for name in STATUSES]
    assert counts == [2, 4, 2, 6, 0, 10]
    assert sum(counts) == tree["outcomes/status"].size
    assert tree.attrs["device_kind"] == "cpu"
    assert json.loads(tree.attrs["config"]) == json.loads(study.config)


def test_evaluations_lie_under_their_labels(tree):
    assert labels(tree["evaluations/condition"]) == ["later", "none"]
    np.testing.assert_array_equal(
        one(tree, "evaluations/score", "a", "rflo"), [[0, np.nan], [1, np.nan], [2, np.nan], [3, np.nan]]
    )
    np.testing.assert_array_equal(one(tree, "evaluations/loss", "a", "rflo")[:, 0], [0, -1, -2, -3])
    assert np.isnan(one(tree, "evaluations/score", "a", "bptt")).all()


def test_measures_and_what_was_not_measured(tree):
    found = tree["measures/pca"].to_dataset()
    assert found["share"].dims == (*AXES, "seed", "component")
    assert found["constant"].dims == (*AXES, "component")
    np.testing.assert_array_equal(one(tree, "measures/pca/share", "a", "rflo")[:, 1], np.arange(4) + 0.1)
    assert one(tree, "measures/pca/count", "a", "rflo").values.tolist() == [0.0, 1.0, 2.0, 3.0]
    assert np.isnan(one(tree, "measures/pca/count", "a", "bptt")).all()
    assert labels(one(tree, "measures/pca/status", "a", "rflo")) == ["fine", "lost"] * 2
    assert labels(one(tree, "measures/pca/status", "a", "bptt")) == ["not_measured"] * 4
    assert found.attrs == {"method": "pca", "version": 1, "params": "{}"}


def test_it_is_kept_until_something_changes(ran, tree, study, tmp_path):
    path = tmp_path / "study"
    shutil.copytree(ran, path)
    assert content_sha256(load_tree(path / "study.nc")) == content_sha256(tree)
    before = (path / "study.nc").stat().st_mtime_ns
    again = combine(path)
    assert (path / "study.nc").stat().st_mtime_ns == before
    assert again.attrs == tree.attrs
    assert content_sha256(combine(path / "study.nc")) == content_sha256(tree)
    place = Folder(path)
    cell = next(plan for plan in study.runs() if plan.labels[::2] == ("a", "bptt")).cells[0]
    place.write_part(cell, fakes.part(cell, study))
    more = combine(path)
    assert labels(one(more, "outcomes/status", "a", "bptt"))[:2] == ["budget_exhausted", "criterion_reached"]
    assert (path / "study.nc").stat().st_mtime_ns != before
    place.fail(cell, RuntimeError("once more"))
    failures = json.loads(combine(path, lazy=True).attrs["failures"])
    assert len(failures) == 2, "what is done has not failed"
    place.fail(study.runs()[2].cells[0], RuntimeError("no"))
    more = combine(path, lazy=True)
    assert labels(one(more, "outcomes/status", "a", "same")) == ["failed"] * 2 + ["not_run"] * 2


def test_a_folder_that_is_closed_is_combined_all_the_same(ran, tree, tmp_path, monkeypatch, caplog):
    path = tmp_path / "study"
    shutil.copytree(ran, path)
    (path / "study.nc").unlink()

    def closed(*args: Any, **options: Any) -> None:
        raise ResultsError("save: no")

    monkeypatch.setattr(MODULE.files, "save", closed)
    assert content_sha256(combine(path)) == content_sha256(tree)
    assert "not kept: save: no" in caplog.text


def test_nothing_is_read_before_it_is_computed(ran, tree, monkeypatch):
    opened: list[str] = []
    original = blocks_room.Blocks.put

    def put(self: Any, values: Any, piece: Any, *more: Any) -> None:
        opened.append(f"{piece.path.name}/{self.name}")
        original(self, values, piece, *more)

    monkeypatch.setattr(blocks_room.Blocks, "put", put)
    lazy = combine(ran, lazy=True)
    for path in ("curves", "measures/pca"):
        for name, array in lazy[path].data_vars.items():
            assert isinstance(array.data, dask.array.Array), name
            assert all(size == 1 for axis in array.data.chunks[:4] for size in axis), "one chunk a run"
    assert opened == []
    part = one(lazy, "curves/loss", "b", "rflo").compute(scheduler="synchronous")
    np.testing.assert_array_equal(part, one(tree, "curves/loss", "b", "rflo"))
    assert len(opened) == 1, "one run alone was read"
    for group in tree.groups:
        whole = lazy[group].to_dataset(inherit=False).compute(scheduler="synchronous")
        expected = tree[group].to_dataset(inherit=False)
        if group == "/":
            continue
        xr.testing.assert_identical(whole, expected)


def test_a_record_is_opened_lazily_too(ran, tree):
    lazy = combine(ran / "study.nc", lazy=True)
    assert isinstance(lazy["curves/loss"].data, dask.array.Array)
    np.testing.assert_array_equal(lazy["curves/loss"].compute(scheduler="synchronous"), tree["curves/loss"])
    lazy.close()


def test_what_does_not_fit_in_memory_is_not_tried(ran, tmp_path, monkeypatch):
    path = tmp_path / "study"
    shutil.copytree(ran, path)
    (path / "study.nc").unlink(missing_ok=True)
    monkeypatch.setattr(blocks_room, "MOST_BYTES", 100)
    with pytest.raises(
        blocks_room.TooLarge, match=r"training of all runs takes 0\.0 GB; open the study with lazy"
    ):
        combine(path)
    assert combine(path, lazy=True)["curves/loss"].shape == (2, 1, 3, 1, 4, 3)


def test_a_part_that_is_merged_meanwhile(ran, tree, monkeypatch):
    """The first look at the folder names a part that is gone when it is read."""
    tries: list[int] = []
    original = MODULE.sources

    def moving(folder: Path) -> Any:
        tries.append(1)
        found = original(folder)
        if len(tries) == 1:
            gone = blocks_room.Piece(folder / "cells" / "gone.nc", (0, 1))
            found.trained[next(iter(found.trained))] = (gone,)
        return found

    monkeypatch.setattr(MODULE, "sources", moving)
    found = combine(ran, lazy=True)
    assert len(tries) == 2
    np.testing.assert_array_equal(found["curves/loss"].compute(scheduler="synchronous"), tree["curves/loss"])


def changed(
    ran: Path, tmp_path: Path, study: Study, labels_: tuple[str, str], index: int, **changes: Any
) -> Path:
    """The study with one more part, of other updates."""
    path = tmp_path / "study"
    shutil.copytree(ran, path)
    cell = next(plan for plan in study.runs() if plan.labels[::2] == labels_).cells[index]
    Folder(path).write_part(cell, fakes.part(cell, study, **changes))
    return path


def test_curves_at_other_updates_are_not_combined(ran, study, tmp_path):
    path = changed(ran, tmp_path, study, ("a", "same"), 0, update=np.array([1, 4, 6]))
    tree = combine(path, lazy=True)
    assert "curves" not in tree.children
    reason = json.loads(tree.attrs["not_combined"])["/curves"]
    assert "a, small, same, default recorded its curves at updates 1, 4, 6, others at 2, 4, 6" in reason
    assert labels(one(tree, "outcomes/status", "a", "same"))[0] == "budget_exhausted", "the rest is there"


def test_measures_that_differ_in_axes_are_not_combined(ran, study, tmp_path):
    path = changed(ran, tmp_path, study, ("a", "bptt"), 0)
    cell = next(plan for plan in study.runs() if plan.labels[::2] == ("a", "bptt")).measure
    Folder(path).write_part(cell, fakes.measured(cell, {"pca": fakes.measure(cell.seeds, size=3, start=5)}))
    tree = combine(path, lazy=True)
    reasons = json.loads(tree.attrs["not_combined"])
    assert set(reasons) == {"/measures/pca/share", "/measures/pca/constant"}
    assert "a, small, bptt, default differs from a, small, rflo, default" in reasons["/measures/pca/share"]
    assert one(tree, "measures/pca/ratio", "a", "bptt").values.tolist() == [5.0, 6.0, 7.0, 8.0]
    assert validate(tree) == []


def test_measures_that_were_refused_are_named(ran, study, tmp_path):
    path = changed(ran, tmp_path, study, ("a", "bptt"), 0)
    cell = next(plan for plan in study.runs() if plan.labels[::2] == ("a", "bptt")).measure
    refusal = xr.Dataset(attrs={"method": "pca", "version": 1, "refusal": "too few units."})
    Folder(path).write_part(cell, fakes.measured(cell, {"pca": refusal}))
    tree = combine(path, lazy=True)
    (told,) = json.loads(tree["measures/pca"].attrs["refused"])
    assert (told["rule"], told["reason"]) == ("bptt", "too few units.")
    assert np.isnan(one(tree, "measures/pca/ratio", "a", "bptt")).all()


def test_step_sizes_that_were_tried(ran, study, tmp_path):
    path = tmp_path / "study"
    shutil.copytree(ran, path)
    plan = next(plan for plan in study.runs() if plan.labels[::2] == ("a", "rflo"))
    variables = {
        name: ("parameter", values, {"units": "1", "long_name": name})
        for name, values in (("step_size", [0.001, 0.01]), ("loss", [np.inf, 0.2]), ("num_diverged", [1, 0]))
    }
    data = xr.Dataset(
        variables, {"parameter": ("parameter", [0, 1], {"units": "1", "long_name": "index"})}, {"best": 1}
    )
    tuned = fakes.measured(plan.tune, {})
    tuned["tuning"] = xr.DataTree(data)
    Folder(path).write_part(plan.tune, tuned)
    tree = combine(path, lazy=True)
    assert one(tree, "tuning/rate", "a", "rflo").values.tolist() == [0.001, 0.01]
    assert one(tree, "tuning/loss", "a", "rflo").values.tolist() == [np.inf, 0.2]
    assert one(tree, "tuning/num_diverged", "a", "bptt").values.tolist() == [-1, -1]
    assert tree["outcomes/learning_rate"].values.ravel()[0] == 0.01


def test_results_of_an_earlier_declaration_are_no_part_of_it(ran, tree, study, tmp_path):
    path = tmp_path / "study"
    shutil.copytree(ran, path)
    more = small(
        tasks=study.tasks, rules=study.rules, seeds=4, seeds_per_cell=2, measures=["pca"],
        evaluations=study.evaluations, tuning=study.tuning, left_out=study.left_out,
        training={**dict(study.training), "num_updates": 8},
    )  # fmt: skip
    Folder(path).declare(more)
    found = combine(path, lazy=True)
    assert found.attrs["num_seeds_not_run"] == 24
    assert "curves" not in found.children
    Folder(path).declare(study)
    assert content_sha256(combine(path)) == content_sha256(tree)


def test_code_that_changed_since(ran, tree, tmp_path):
    path = tmp_path / "study"
    shutil.copytree(ran, path)
    content = json.loads((path / "study.json").read_bytes())
    content["code"]["train"] = "0" * 64
    (path / "study.json").write_text(json.dumps(content))
    for one_cell in (path / "cells").glob("*.json"):
        told = json.loads(one_cell.read_bytes())
        told["identity"] = told["identity"][::-1]
        one_cell.write_text(json.dumps(told))
    found = combine(path, lazy=True)
    np.testing.assert_array_equal(found["outcomes/final_loss"][0, 0, 1], tree["outcomes/final_loss"][0, 0, 1])
    (path / "history" / "old.json").write_text("{}")
    with pytest.raises(ResultsError, match="declared more than once, and the code has changed since"):
        combine(path, lazy=True)


def test_folders_that_hold_no_study(tmp_path):
    with pytest.raises(ResultsError, match=r"holds no study\.json; give the folder of a study"):
        combine(tmp_path)
    with pytest.raises(ResultsError, match="there is no"):
        combine(tmp_path / "study.nc")
    with h5py.File(tmp_path / "x.nc", "w") as file:
        file.attrs["schema_name"] = "other"
    with pytest.raises(ResultsError, match="is no results file"):
        combine(tmp_path / "x.nc")


@dataclasses.dataclass(frozen=True)
class Fussy(Same):
    """Refuses every circuit."""

    def gradient(self, *args: Any, **options: Any) -> Any:
        raise ValueError("Fussy: not this circuit; give another.")


def test_refused_combinations(tmp_path):
    study = small(rules={"rflo": "rflo", "fussy": Fussy()}, skip_refused=True)
    place = Folder(tmp_path / "study")
    place.declare(study)
    tree = combine(place.path, lazy=True)
    assert tree["outcomes/status"].values.ravel().tolist() == [NOT_RUN, NOT_RUN, REFUSED, REFUSED]
    (told,) = json.loads(tree.attrs["refused"])
    assert told["rule"] == "fussy"
    assert "not this circuit" in told["reason"]
    assert FAILED not in tree["outcomes/status"].values
    assert set(tree.children) == {"outcomes"}, "of a study that has not begun"
    assert validate(tree) == []
