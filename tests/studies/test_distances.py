"""Circuits of a study beside each other: nothing apart that is the same, nothing computed twice."""

from __future__ import annotations

import importlib
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.studies import fakes
from tests.studies.examples import small
from throughtime import tasks
from throughtime.results import labels, validate
from throughtime.studies import Folder, Study, combine

MODULE = importlib.import_module("throughtime.studies.distances")
NAMES = ("cka", "shape_distance", "dsa")


@pytest.fixture(scope="module")
def study() -> Study:
    """Task b is not complete."""
    task = tasks.make("cue-set-go", dt=50.0)
    return small(
        tasks={"a": task, "b": tasks.make("cue-set-go", dt=50.0, hold=400.0)}, rules=["rflo", "bptt"],
        measures=["cka", "shape_distance", "dsa"], measure_trials=6, seeds=3, seeds_per_cell=None,
    )  # fmt: skip


@pytest.fixture(scope="module")
def ran(study: Study, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both rules found the same circuits; seed 2 diverged."""
    place = Folder(tmp_path_factory.mktemp("distances"))
    place.declare(study)
    for plan in study.runs():
        if plan.task == "a" or plan.rule == "rflo":
            (cell,) = plan.cells
            place.write_part(cell, fakes.part(cell, study))
            fakes.merge(place, study, plan, **fakes.weights(cell, study))
    return place.path


@pytest.fixture(scope="module")
def tree(ran: Path) -> xr.DataTree:
    return combine(ran, lazy=True)


def test_the_same_circuits_are_not_apart(tree):
    found = tree["distances"].to_dataset()
    assert labels(found["label"]) == ["rflo"] * 3 + ["bptt"] * 3
    assert found["replicate"].values.tolist() == [0, 1, 2, 0, 1, 2]
    for name in NAMES:
        matrix = found[name].values[0]
        np.testing.assert_array_equal(matrix, matrix.T)
        same = [matrix[0, 3], matrix[1, 4]]
        np.testing.assert_allclose(same, 0, atol=1e-5)
        assert (matrix[[0, 0, 3, 3], [1, 4, 1, 4]] > 0.05).all(), name
        assert np.isnan(matrix[[2, 5]]).all(), "diverged"
        assert np.isnan(found[name].values[1]).all(), "not complete"
    assert found["shape_distance"].attrs["units"] == "rad"
    assert validate(tree) == []
    assert json.loads(tree.attrs["not_combined"]) == {}


def test_nothing_is_computed_twice_and_again_where_a_run_changed(ran, tree, study, tmp_path, monkeypatch):
    calls: list[int] = []
    path = tmp_path / "study"
    shutil.copytree(ran, path)

    def counted(*given: Any) -> Any:
        calls.append(1)
        raise RuntimeError("computed")

    monkeypatch.setattr(MODULE, "_activities", counted)
    again = combine(path, lazy=True)
    xr.testing.assert_identical(again["distances"].to_dataset(), tree["distances"].to_dataset())
    assert not calls
    summary = next(path.glob("cells/train-a-small-bptt*.json"))
    before = summary.read_bytes()
    summary.write_text(json.dumps({**json.loads(before), "content_sha256": "0" * 64}))
    reasons = json.loads(combine(path, lazy=True).attrs["not_combined"])
    assert reasons == {"/distances": "RuntimeError: computed"}
    assert len(calls) == 1
    summary.write_bytes(before)
    (one,) = path.glob("distances/a-cka-*.nc")
    one.write_bytes(b"damaged")
    combine(path, lazy=True)
    assert len(calls) == 2


def test_only_as_many_seeds_as_there_is_room_for(ran, tree, tmp_path, monkeypatch):
    room = {"cka": (5, "1", "x"), "shape_distance": (2, "rad", "y"), "dsa": (1, "rad", "z")}
    monkeypatch.setattr(MODULE, "MEASURES", room)
    path = tmp_path / "study"
    shutil.copytree(ran, path)
    found = combine(path, lazy=True)["distances"].to_dataset()
    assert "dsa" not in found
    assert found["replicate"].values.tolist() == [0, 1, 0, 1]
    there = tree["distances"].to_dataset()["cka"].values[0][np.ix_([0, 1, 3, 4], [0, 1, 3, 4])]
    np.testing.assert_array_equal(found["cka"].values[0], there)
    assert np.isnan(found["shape_distance"].values[0][[1, 3]]).all()
    assert np.isfinite(found["shape_distance"].values[0][0, 2])
    monkeypatch.setattr(MODULE, "MEASURES", {"cka": (1, "1", "x")})
    reasons = json.loads(combine(path, lazy=True).attrs["not_combined"])
    assert "more than a matrix has room for" in reasons["/distances"]


def test_labels_tell_circuits_and_options_apart_where_they_differ(ran, monkeypatch):
    found = importlib.import_module("throughtime.studies.sources").sources(ran)
    found.frame.names.update(option=("slow", "fast"))
    assert MODULE._labels(found, [(0, 1, 1, 0), (0, 0, 0, 2)]) == ["bptt_fast", "rflo_slow"]


def test_a_study_that_measures_no_similarity_has_none(tmp_path):
    place = Folder(tmp_path / "study")
    place.declare(small())
    assert "distances" not in combine(place.path, lazy=True).children
    assert not (place.path / "distances").exists()
