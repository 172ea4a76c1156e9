"""What trained circuits of the committed record do is what the tasks are known for."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime.results import labels

RECORD = Path(__file__).resolve().parents[2] / "evidence" / "tasks.nc"


@pytest.fixture(scope="module")
def tree():
    """The committed record."""
    return tt.results.load_tree(RECORD)


def behaviour(tree: xr.DataTree, name: str) -> xr.Dataset:
    """Signature variables (seed, trial) of a task's own value, or of a probe."""
    data = tree[name].to_dataset()
    if "condition" in data.dims:
        trained = tree["trained"].to_dataset()
        data = data.sel(condition=int(trained["own"][labels(trained["task"]).index(name)]))
    return data


def fitted(tree: xr.DataTree, name: str, fit: str) -> xr.Dataset:
    """The signature's fit of every seed."""
    data = behaviour(tree, name)
    assert data.attrs["fit"] == fit
    arguments = {str(key): array for key, array in data.items() if array.dims == ("seed", "trial")}
    use = np.isfinite(xr.concat([a for k, a in arguments.items() if k != "produced"], "all")).all("all")
    return getattr(tt.analysis, fit)(**arguments, where=use)


@pytest.mark.parametrize(
    ("name", "largest"),
    [
        ("perceptual-decision", 4.0),  # percent: the ideal observer's is 2.2
        ("evidence-accumulation", 2.0),  # cues
        ("interval-discrimination", 0.15),  # ln T2/T1
    ],
)
def test_choices_are_a_sigmoid_with_a_threshold_inside_the_range(tree, name, largest):
    found = fitted(tree, name, "psychometric")
    assert (found["sigma"] > 0).all()
    assert (found["sigma"] < largest).all()
    assert (abs(found["mu"]) < 0.6 * largest).all()
    assert (found["lapse"] < 0.06).all()
