"""Step sizes beyond the edges of a grid, and the runs that they put in the place of others."""

from __future__ import annotations

import importlib
import json
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.experiments.test_rules_on_tasks import chosen, tree
from throughtime.cli.scripts import imported

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "rules_on_tasks.py"):
    plan = importlib.import_module("_rules_plan")
    further = importlib.import_module("_rules_further")

RULES = (plan.BPTT, "random-none", plan.FLOOR)


def tuned(tasks, rules, loss, **outcomes):
    """A part whose tuning found these losses (task, rule, parameter)."""
    made = tree(tasks, rules, ["default"], (0, 1), **outcomes)
    values = np.asarray(loss, float)[:, None, :, None]
    axes = ("task", "circuit", "rule", "option", "parameter")
    coordinates = {axis: made["outcomes"][axis] for axis in axes[:4]}
    made["tuning"] = xr.DataTree(xr.Dataset({"loss": (axes, values)}, coordinates))
    made["outcomes"]["complete"].values[:] = 1
    runs = [{"task": task, "rule": rule, "run_id": f"{task}{rule}"} for task in tasks for rule in rules]
    made.attrs["runs"] = json.dumps(runs)
    return made


@pytest.mark.parametrize(
    ("loss", "side"),
    [
        ([1.0, 2.0, 3.0, 4.0, 5.0], -1),
        ([5.0, 4.0, 3.0, 2.0, 1.0], 1),
        ([1.00, 1.01, 3.0, 4.0, 5.0], None),  # flat at the edge
        ([3.0, 2.0, 1.0, 2.0, 3.0], None),
        ([np.inf, np.inf, np.inf, np.inf, 1.0], 1),  # all others diverged
        ([np.nan] * 5, None),  # not run
    ],
)
def test_an_edge_is_where_the_loss_still_falls(loss, side):
    made = tuned(["match-4000"], RULES, [[[3, 2, 1, 2, 3], loss, loss]])
    assert further.edges(made) == ({("match-4000", "random-none"): side} if side else {})


def test_further_steps_lie_beyond_the_edge_for_these_pairs_alone():
    picked = chosen(match=("4000", "3000"), estimation=("1000",))
    rising, falling, inner = [1, 2, 3], [3, 2, 1], [3, 1, 3]
    made = tuned(
        ["match-4000", "estimation-1000"], RULES, [[rising, inner, inner], [falling, rising, rising]]
    )
    found = further.beyond("hard", picked, made, num_seeds=4)
    assert set(found) == {"hard-lower", "hard-higher"}
    lower, higher = found["hard-lower"], found["hard-higher"]
    pairs = {(cell.task, cell.rule) for cell in lower.cells()}
    assert pairs == {("match-4000", plan.BPTT), ("estimation-1000", "random-none")}
    assert {(cell.task, cell.rule) for cell in higher.cells()} == {("estimation-1000", plan.BPTT)}
    (grid,) = higher.tuning.grids([plan.BPTT]).values()
    np.testing.assert_allclose(grid, 1e-2 * np.sqrt(10.0) ** np.arange(1, 4), rtol=5e-3)
    grid = lower.tuning.grids([plan.BPTT, "random-none"])["random-none"]
    np.testing.assert_allclose(grid, 1e-3 * np.sqrt(10.0) ** np.arange(-3, 0), rtol=5e-3)


def test_better_runs_take_the_place_of_a_parts_own():
    made = tuned(["a", "b"], RULES, np.full((2, 3, 5), 1.0), final_loss=1.0)
    codes = {"flag_values": [0, 1, 2], "flag_meanings": " ".join(RULES)}
    distances = {
        "cka": (("task", "run", "other_run"), np.ones((2, 6, 6))),
        "label": ("run", [0, 0, 1, 1, 2, 2], codes),
    }
    made["distances"] = xr.DataTree(xr.Dataset(distances))
    better = np.array([[0.5, 2.0], [0.9, 0.1]])  # (task, rule) of b and a, whose order is another
    other = tuned(["b", "a"], RULES[1::-1], better[..., None], final_loss=0.25, criterion=7)
    found = further.settled(made, {"hard-lower": other})
    outcomes = found["outcomes"].to_dataset().squeeze(["circuit", "option"])
    np.testing.assert_array_equal(outcomes["beyond"], [[-1, -1, 0], [0, -1, 0]])
    taken = outcomes["beyond"].values == -1
    np.testing.assert_array_equal(outcomes["final_loss"].values[taken], 0.25)
    np.testing.assert_array_equal(outcomes["criterion_update"].values[taken], 7)
    np.testing.assert_array_equal(outcomes["final_loss"].values[~taken], 1.0)
    gone = np.isnan(found["distances"]["cka"].values)
    np.testing.assert_array_equal(gone[0].all(1), [True, True, True, True, False, False])
    np.testing.assert_array_equal(gone[1].all(1), [False, False, True, True, False, False])
    assert found["distances"]["cka"].values[1, 0, 5] == 1
    runs = {(one["task"], one["rule"]) for one in json.loads(found.attrs["runs"])}
    assert len(runs) == 6
    assert (made["outcomes"]["final_loss"].values == 1.0).all()  # the part itself stays as it was
    worse = tuned(["a", "b"], RULES, np.full((2, 3, 3), 2.0), final_loss=9.0)
    assert not further.settled(made, {"hard-higher": worse})["outcomes"]["beyond"].values.any()
