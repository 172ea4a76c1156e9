"""Exported studies hold what the record holds."""

from __future__ import annotations

import csv
import importlib
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

from tests.studies.synthetic import synthetic_study
from throughtime.cli import main
from throughtime.results import ResultsError, content_sha256, files, labels, load_tree
from throughtime.studies import export
from throughtime.studies.record import AXES


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return synthetic_study(num_seeds=3, num_updates=100, distances=False)


@pytest.fixture(autouse=True)
def unsynced(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is lost here if the machine stops."""
    monkeypatch.setattr(os, "fsync", lambda descriptor: None)


@pytest.fixture(scope="module")
def saved(tree: xr.DataTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return files.save(tree, tmp_path_factory.mktemp("record") / "study.nc")


@pytest.fixture(scope="module")
def short(tree: xr.DataTree, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A record of nothing but outcomes."""
    groups = {name: tree[name].to_dataset(inherit=False) for name in ("/", "/outcomes")}
    return files.save(xr.DataTree.from_dict(groups), tmp_path_factory.mktemp("short") / "study.nc")


@pytest.fixture(scope="module")
def folder(saved: Path) -> Path:
    export(saved, saved.parent / "csv", to="csv")
    return saved.parent / "csv"


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def value(text: str) -> float:
    return math.nan if text == "" else float(text)


def array_of(tree: xr.DataTree, path: str, row: dict[str, str]) -> Any:
    """The entry of a variable that a row is about."""
    group = tree[path.rpartition("/")[0]].to_dataset()
    found = group[path.rpartition("/")[2]]
    for axis in AXES:
        found = found.isel({axis: labels(found[axis]).index(row[axis])})
    return found.sel(seed=int(row["seed"])) if "seed" in found.dims else found


def test_a_row_a_seed(tree, folder):
    found = rows(folder / "outcomes.csv")
    assert len(found) == 2 * 1 * 4 * 1 * 3
    for row in found:
        assert row["status"] == labels(array_of(tree, "outcomes/status", row))[0]
        for column, path in {
            "final_score": "outcomes/final_score",
            "num_updates": "outcomes/num_updates",
            "wall_time [ms]": "outcomes/wall_time",
            "learning_rate": "outcomes/learning_rate",
            "dimensionality participation_ratio": "measures/dimensionality/participation_ratio",
        }.items():
            np.testing.assert_equal(value(row[column]), float(array_of(tree, path, row)))
        np.testing.assert_equal(
            value(row["score longer"]), float(array_of(tree, "evaluations/score", row).isel(condition=0))
        )
    assert {row["complete"] for row in found} == {"yes", "no"}


def test_a_row_an_update(tree, folder):
    found = rows(folder / "curves.csv")
    data = tree["curves"].to_dataset()
    there = ~np.isnan(np.stack([data[name].values for name in data.data_vars])).all(0)
    assert len(found) == there.sum()
    for row in found[:: len(found) // 40]:
        for name in data.data_vars:
            expected = array_of(tree, f"curves/{name}", row).sel(update=int(row["update"]))
            np.testing.assert_equal(value(row[str(name)]), float(expected))


def test_what_is_lost_and_why(folder):
    failed, refused = rows(folder / "lost.csv")
    assert (failed["what"], failed["seeds"], failed["rule"]) == ("failed", "2", "force")
    assert failed["reason"] == "RuntimeError: the feedback matrix is <singular> & empty"
    assert (refused["what"], refused["seeds"], refused["task"]) == ("refused", "0 1 2", "decision")


@pytest.mark.parametrize(("to", "suffix"), [("netcdf", ".nc"), ("zarr", ".zarr")])
def test_the_same_in_one_file(saved, tree, tmp_path, to, suffix):
    (path,) = export(saved, tmp_path / "new" / f"mine{suffix}", to=to)
    assert path == tmp_path / "new" / f"mine{suffix}"
    found = load_tree(path)
    assert content_sha256(found) == content_sha256(tree)
    assert found.attrs == tree.attrs
    assert export(path, path, to=to) == (path,), "the same again is no change"


def test_in_a_folder_a_file_gets_the_name_of_the_study(short, tmp_path):
    (named,) = export(short, tmp_path / "folder", to="netcdf")
    assert named == tmp_path / "folder" / "synthetic.nc"


def test_chunks_of_a_zarr_folder_hold_many_runs(tree, tmp_path, monkeypatch):
    groups = {name: tree[name].to_dataset(inherit=False) for name in tree.groups}
    groups["/curves"] = groups["/curves"].chunk({"rule": 1})
    lazy = xr.DataTree.from_dict(groups)
    room = importlib.import_module("throughtime.studies.export")
    monkeypatch.setattr(room, "combine", lambda *args, **options: lazy)
    (path,) = export("folder", tmp_path / "x.zarr", to="zarr")
    assert len(list((path / "curves" / "loss" / "c").rglob("*"))) == 6, "one file, below a folder a dim"
    as_it_is = files.save(lazy, tmp_path / "y.zarr")
    assert len([one for one in (as_it_is / "curves" / "loss" / "c").rglob("*") if one.is_file()]) == 4
    for one in (path, as_it_is):
        assert content_sha256(load_tree(one)) == content_sha256(tree)


def test_nothing_is_replaced_unasked(saved, short, folder, tmp_path):
    with pytest.raises(ResultsError, match=r"holds outcomes\.csv, curves\.csv, lost\.csv; .*--overwrite"):
        export(saved, folder, to="csv")
    before = (folder / "outcomes.csv").read_bytes()
    (folder / "outcomes.csv").write_text("mine")
    assert export(saved, folder, to="csv", overwrite=True)[0].read_bytes() == before
    assert sorted(path.name for path in folder.iterdir()) == ["curves.csv", "lost.csv", "outcomes.csv"]
    with pytest.raises(ResultsError, match="holds the same configuration with other numbers"):
        export(saved, short, to="netcdf")


def test_a_folder_that_cannot_be_made(short, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(ResultsError, match=r"file cannot be written \(.*choose another folder"):
        export(short, tmp_path / "file", to="csv")
    with pytest.raises(ResultsError, match="there is no folder"):
        export(short, tmp_path / "file" / "x.nc", to="netcdf")
    assert (tmp_path / "file").read_text() == "mine"


def test_without_curves_there_is_no_file_of_them(tmp_path, short):
    written = export(short, tmp_path / "out", to="csv")
    assert [one.name for one in written] == ["outcomes.csv", "lost.csv"]


def test_an_unknown_format(saved, tmp_path):
    with pytest.raises(ResultsError, match="unknown format 'xlsx'; use one of csv, netcdf, zarr"):
        export(saved, tmp_path, to="xlsx")


def test_the_command(short, tmp_path, capsys):
    words = ["export", str(short), "--to", "csv", "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert capsys.readouterr().out.splitlines()[0] == f"saved: {tmp_path / 'out' / 'outcomes.csv'}"
    assert len(rows(tmp_path / "out" / "outcomes.csv")) == 24
    assert main(words) == 2
    assert "--overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite", "--seed", "1"]) == 2
    assert "a study is written whole; leave out --seed" in capsys.readouterr().err
