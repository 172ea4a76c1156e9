"""Cells in chunks, merged, are the run that one training of all seeds gives."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import jax
import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from tests.studies.examples import TRAINING, small
from throughtime import results
from throughtime.config import canonical
from throughtime.results import content_sha256
from throughtime.studies import Folder, RunPlan, Study, merge_run, run_cell
from throughtime.studies.plans import combinations

FORCE = {**TRAINING, "batch_size": 1}


def weights() -> dict[str, np.ndarray]:
    """Initial weights by seed, those of seed 1 beyond what a number can be."""
    circuit = tt.circuits.for_task(tt.tasks.make("cue-set-go", dt=50.0), num_units=5)
    params = [circuit.init(key=jax.random.key(seed)) for seed in range(2)]
    stacked = {name: np.stack([np.asarray(one[name]) for one in params]) for name in params[0]}
    stacked["readout"][1] = 1e30
    return stacked


def whole(study: Study, plan: RunPlan) -> xr.DataTree:
    """All seeds trained at once."""
    one = next(one for one in combinations(study) if one.labels == plan.labels)
    rule, settings = one.settings()
    return tt.train(one.task, one.circuit, rule, test_trials=study.test_trials, **settings).tree


def finished(study: Study, place: Folder) -> Folder:
    place.declare(study)
    for cell in study.cells():
        outcome = run_cell(place.path, cell.identity)
        assert outcome.status == "done", outcome.record
    return place


@pytest.fixture(scope="module")
def diverging(tmp_path_factory: pytest.TempPathFactory) -> tuple[Study, Folder]:
    """Two cells of a seed each, one of which diverges at once."""
    training = {**TRAINING, "params": weights(), "data_seeds": (5, 6)}
    study = small(training=training)
    place = finished(study, Folder(tmp_path_factory.mktemp("merge") / "study"))
    shutil.copytree(place.path / "cells", place.path / "kept")
    return study, place


def assert_same_run(tree: xr.DataTree, expected: xr.DataTree) -> None:
    assert content_sha256(tree) == content_sha256(expected)
    for name in ("config", "config_sha256", "run_id", "kind", "init_sha256", "data_sha256"):
        assert tree.attrs[name] == expected.attrs[name]
    assert set(tree.children) == set(expected.children)
    for name, child in expected.children.items():
        xr.testing.assert_identical(tree[name].to_dataset(), child.to_dataset())


def test_chunks_merged_are_the_whole_run_with_a_seed_that_diverged(diverging: Any) -> None:
    study, place = diverging
    plan = study.runs()[0]
    parts = [results.load_tree(place.part_path(cell)) for cell in plan.cells]
    assert [part.attrs["kind"] for part in parts] == ["part", "part"]
    assert parts[1]["training"].sizes["update"] == 1  # it ended at once
    before = place.summaries()
    assert [before[cell.identity]["status"] for cell in plan.cells] == [
        ("budget_exhausted",),
        ("diverged",),
    ]
    assert np.isnan(before[plan.cells[1].identity]["final_loss"]).all()
    one = place.open_run(plan)
    path = Path(merge_run(place.path, plan.identity, keep_parts=True))
    expected = whole(study, plan)
    tree = results.load_tree(path)
    assert_same_run(tree, expected)
    assert one is not None
    assert_same_run(one, expected)
    assert path == place.run_path(plan)
    assert path.name == f"go-small-rflo-default-{tree.attrs['run_id']}.nc"
    assert tree["training/status"].values.tolist() == [1, 2]
    assert tree["checkpoints"].sizes["checkpoint"] == 4
    assert json.loads(tree.attrs["held_out_loss"])["1"] is None
    note = json.loads((place.path / "runs" / f"{plan.name}.json").read_bytes())
    assert note["content_sha256"] == content_sha256(tree)


def test_once_merged_parts_go_and_everything_is_still_known(diverging: Any) -> None:
    study, place = diverging
    plan = study.runs()[0]
    before = place.summaries()
    path = place.merge(plan)
    assert not [cell for cell in plan.cells if place.part_path(cell).exists()]
    assert place.pending() == ()
    assert place.merge(plan) == path
    for name in (place.path / "cells").glob("*.json"):
        name.unlink()
    assert canonical(place.summaries()) == canonical(before)  # made again from the run
    (place.path / "runs" / f"{plan.name}.json").unlink()
    assert place.run_path(plan) is None
    assert place.merge(plan) == path
    assert not run_cell(place.path, plan.cells[0].identity).computed


def test_seeds_that_learn_side_by_side_merge_too(tmp_path: Path) -> None:
    study = small(rules=["force"], training=FORCE, test_trials=0)
    place = finished(study, Folder(tmp_path / "study"))
    plan = study.runs()[0]
    expected = whole(study, plan)
    place.part_path(plan.cells[1]).rename(tmp_path / "aside.nc")
    half = place.open_run(plan)
    assert half is not None
    assert half["training/seed"].values.tolist() == [0]
    (place.path / "cells" / f"{plan.cells[1].name}.json").rename(tmp_path / "aside.json")
    with pytest.raises(ValueError, match="is not done; run it before its run is merged"):
        place.merge(plan)
    (tmp_path / "aside.nc").rename(place.part_path(plan.cells[1]))
    assert_same_run(results.load_tree(place.merge(plan)), expected)
    with pytest.raises(ValueError, match="no run 000 is declared"):
        merge_run(place.path, "000")


def test_a_run_of_other_content_is_never_overwritten(diverging: Any, tmp_path: Path) -> None:
    study, place = diverging
    plan = study.runs()[0]
    path = place.merge(plan)
    other = Folder(tmp_path / "study")
    other.declare(study)
    tree = results.load_tree(path)
    changed = tree.copy(deep=True)
    changed["training/loss"][0, 0] = 7.0
    results.save(changed, other.path / "runs" / path.name)
    for part in (place.path / "kept").iterdir():
        shutil.copy(part, other.path / "cells")
    written = other.merge(plan)
    assert written.name == f"{path.stem}-{plan.identity[:12]}.nc"
    assert float(results.load_tree(other.path / "runs" / path.name)["training/loss"][0, 0]) == 7.0
    assert content_sha256(results.load_tree(written)) == content_sha256(tree)


def test_a_study_of_more_seeds_takes_over_those_that_are_merged(tmp_path: Path) -> None:
    few, more = (small(seeds=number, seeds_per_cell=1, test_trials=2) for number in (2, 3))
    place = finished(few, Folder(tmp_path / "study"))
    first = place.merge(few.runs()[0])
    place.declare(more)
    plan = more.runs()[0]
    assert [cell.seeds for cell in place.pending()] == [(2,)]
    begun = place.open_run(plan)
    assert begun is not None
    assert begun["training/seed"].values.tolist() == [0, 1]
    assert run_cell(place.path, plan.cells[2].identity).computed
    before = place.summaries()
    path = place.merge(plan)
    assert_same_run(results.load_tree(path), whole(more, plan))
    assert first.exists()
    assert path != first
    for name in (place.path / "cells").glob("*.json"):
        name.unlink()
    assert canonical(place.summaries()) == canonical(before)
    place.declare(few)  # and back again
    assert place.pending() == ()
    assert place.merge(few.runs()[0]) == first


def test_fewer_seeds_are_taken_out_of_a_run_of_more(tmp_path: Path) -> None:
    more, few = (small(seeds=number, seeds_per_cell=1, test_trials=2) for number in (2, 1))
    place = finished(more, Folder(tmp_path / "study"))
    place.merge(more.runs()[0])
    place.declare(few)
    assert place.pending() == ()
    assert_same_run(results.load_tree(place.merge(few.runs()[0])), whole(few, few.runs()[0]))


def test_a_record_of_more_seeds_is_made_of_the_run_that_has_them(tmp_path: Path) -> None:
    few, more = (small(seeds=number, seeds_per_cell=1, test_trials=2) for number in (2, 3))
    place = finished(few, Folder(tmp_path / "study"))
    first = results.load_tree(place.merge(few.runs()[0])).attrs["run_id"]
    place.declare(more)
    begun = tt.studies.combine(place.path)
    assert begun["outcomes"]["complete"].values.tolist() == [[[[0]]]]
    assert np.isfinite(begun["curves"]["loss"].values[0, 0, 0, 0, :2]).any(-1).all()
    assert json.loads(begun.attrs["runs"]) == []
    assert run_cell(place.path, more.runs()[0].cells[2].identity).computed
    path = place.merge(more.runs()[0])
    made = tt.studies.combine(place.path)
    (run,) = json.loads(made.attrs["runs"])
    assert run["run_id"] == results.load_tree(path).attrs["run_id"] != first
    assert made["outcomes"]["complete"].values.tolist() == [[[[1]]]]
    assert np.isfinite(made["curves"]["loss"].values[0, 0, 0, 0]).any(-1).all()


def test_an_earlier_declaration_that_cannot_be_read_any_more_is_in_nobodys_way(tmp_path: Path) -> None:
    few, more = (small(seeds=number, seeds_per_cell=1, test_trials=2) for number in (1, 2))
    place = finished(few, Folder(tmp_path / "study"))
    place.merge(few.runs()[0])
    place.declare(more)
    (before,) = (place.path / "history").glob("*.json")
    told = before.read_text()
    assert "throughtime.rules.rflo:RFLO" in told
    before.write_text(told.replace("throughtime.rules.rflo:RFLO", "throughtime.rules.rflo:Gone"))
    plan = more.runs()[0]
    assert [cell.seeds for cell in place.pending()] == [(1,)]
    assert run_cell(place.path, plan.cells[1].identity).computed
    assert_same_run(results.load_tree(place.merge(plan)), whole(more, plan))
