"""``throughtime analyse``: measures of a saved run, from the options to the file."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import throughtime as tt
from tests.cli.conftest import Call
from throughtime import results
from throughtime.cli.analyse import beside, measure_of
from throughtime.measures import make


@pytest.fixture
def run(trained: Path, tmp_path: Path) -> Path:
    """A copy of the run in a folder of its own."""
    path = tmp_path / "run.nc"
    path.write_bytes(trained.read_bytes())
    return path


def test_the_copy_goes_beside_the_run_and_what_is_one_number_is_printed(run: Path, call: Call) -> None:
    status, told, err = call(
        "analyse", run, "--measures", "dimensionality", "pca(num_components=3)", "--num-trials", 4
    )
    assert (status, err) == (0, "")
    out = run.with_name("run-analysis.nc")
    assert told.endswith(f"saved: {out}\n")
    found = tt.load(out)
    ratios = found.tree["analysis/dimensionality/participation_ratio"].values
    row = next(line.split() for line in told.splitlines() if line.startswith("participation_ratio "))
    np.testing.assert_allclose([float(word) for word in row[1:]], ratios, rtol=0.01)
    assert "seed 0  " in told
    assert "score (seed, trial, time, component)" in told
    assert found.tree["analysis/pca"].sizes["component"] == 3
    assert found.tree.attrs["kind"] == "analysis"
    assert found.tree.attrs["parent_run"] == tt.load(run).tree.attrs["run_id"]
    assert found.tree.attrs["command"] == (
        "throughtime analyse run.nc --measures dimensionality 'pca(num_components=3)' --num-trials 4"
    )
    assert results.validate(found.tree) == []
    status, told, _ = call("show", out)
    assert status == 0
    assert "analysis" in told


def test_a_copy_is_analysed_again_in_its_own_place(run: Path, call: Call) -> None:
    words = ("--num-trials", 4, "--measures")
    assert call("analyse", run, *words, "dimensionality")[0] == 0
    out = run.with_name("run-analysis.nc")
    status, told, _ = call("analyse", out, *words, "pca", "dimensionality(at_end=True)")
    assert status == 0
    assert told.endswith(f"saved: {out}\n")
    assert sorted(run.parent.iterdir()) == [out, run]
    tree = tt.load(out).tree["analysis"]
    assert set(tree.children) == {"dimensionality", "pca"}
    assert '"at_end":true' in tree["dimensionality"].attrs["params"]  # asked for again, it is the new one


def test_a_measure_that_is_refused_is_told_and_the_others_are_kept(run: Path, call: Call) -> None:
    status, told, _ = call("analyse", run, "--num-trials", 4, "--measures", "task_variance", "dimensionality")
    assert status == 1
    assert "task_variance: refused: condition: the task has none called 'task'; choose of interval" in told
    tree = tt.load(run.with_name("run-analysis.nc")).tree["analysis"]
    assert tree["task_variance"].attrs["refusal"].startswith("condition: ")
    assert not tree["task_variance"].data_vars
    assert "participation_ratio" in tree["dimensionality"]


def test_a_result_is_not_replaced_unasked(run: Path, call: Call, refused: Callable[..., str]) -> None:
    words = ("analyse", run, "--num-trials", 4, "--measures")
    assert call(*words, "dimensionality")[0] == 0
    assert "exists" in refused(*words, "pca")
    assert set(tt.load(run.with_name("run-analysis.nc")).tree["analysis"].children) == {"dimensionality"}
    assert call(*words, "pca", "--overwrite")[0] == 0
    assert set(tt.load(run.with_name("run-analysis.nc")).tree["analysis"].children) == {"pca"}
    assert call(*words, "pca", "--checkpoint", 0, "--out", run.with_name("new.zarr"))[0] == 0
    assert '"checkpoint":0' in tt.load(run.with_name("new.zarr")).tree["analysis/pca"].attrs["params"]


REFUSED = [
    (["pcs"], "unknown measure 'pcs'; did you mean 'pca'"),
    (["pca(components=3)"], "PCA has no field 'components'"),
    (["pca(num_components=many)"], "expected a whole number, found 'many'"),
    (["mine=pca"], "--measures: expected NAME or NAME(option=value), found 'mine=pca'"),
    (["pca", "pca(num_components=3)"], "'pca' is there twice"),
    (["pca", "--checkpoint", "99"], "checkpoint"),
    (["pca", "--out", "x.json"], "--out: expected a name ending in .nc"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_mistakes_are_told_in_one_message(
    words: list[str], message: str, run: Path, refused: Callable[..., str]
) -> None:
    assert message in refused("analyse", run, "--num-trials", 2, "--measures", *words)
    assert list(run.parent.iterdir()) == [run]


def test_what_is_no_run_is_refused(tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "none.nc" in refused("analyse", tmp_path / "none.nc", "--measures", "pca")


def test_options_are_written_behind_the_name() -> None:
    assert measure_of("gradient-norms") == make("gradient_norms")
    assert measure_of("tdr(by=(sample, test))") == make("tdr", by=("sample", "test"))
    assert measure_of("fixed_points(epoch=delay, num_starts=64)") == make(
        "fixed_points", epoch="delay", num_starts=64
    )
    assert beside(Path("x.zarr")) == Path("x-analysis.zarr")


def test_measures_are_listed(call: Call) -> None:
    status, told, _ = call("list", "measures")
    assert status == 0
    for name in tt.measures.names():
        assert f"\n{name}\n" in f"\n{told}"
    status, told, _ = call("list", "measures", "decode")
    assert status == 0
    assert "num-shuffles = 20" in told
