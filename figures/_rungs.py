"""Rungs of the study of rules on tasks: what became of runs, and how far circuits are from each other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import numpy as np
import xarray as xr
from _arms import BPTT, NOT_RUN, ladder

from throughtime.plotting.training import DIVERGED
from throughtime.results import labels


class Rung(NamedTuple):
    """A task at one difficulty: what became of its runs, and how far they are from each other.

    Attributes:
        task: its ladder; name: what it asks for.
        runs: over rule and seed, with ``learned``, ``diverged`` and the measures; NaN without a run.
        angle: (rule, seed, other_rule, other_seed) of the seeds that were compared; None where none were.
    """

    task: str
    name: str
    runs: xr.Dataset
    angle: xr.DataArray | None

    def learned(self) -> float:
        """Share of BPTT's circuits that reached the criterion."""
        return float(self.runs["learned"].sel(rule=BPTT).mean())


def rungs_of(part: xr.DataTree, wanted: Iterable[tuple[str, str]]) -> Iterator[Rung]:
    """The rungs of a part that were run, at least with some seeds.

    Args:
        wanted: measures and variables of them, which become those of the runs where they are there.
    """
    wanted = list(wanted)
    outcomes = part["outcomes"].to_dataset()
    rules = labels(outcomes["rule"])
    measured = {}
    if "measures" in part.children:
        measured = {name: node.to_dataset() for name, node in part["measures"].children.items()}
    for index, label in enumerate(labels(outcomes["task"])):
        at = {"task": index, "circuit": 0, "option": 0}
        run = outcomes["status"].isel(at) < NOT_RUN
        if not run.any():
            continue
        runs = xr.Dataset(
            {
                "learned": (outcomes["criterion_update"].isel(at) >= 0).where(run),
                "diverged": (outcomes["status"].isel(at) == DIVERGED).where(run),
            }
        )
        for group, variable in wanted:
            if group in measured:
                one = measured[group][variable].isel(at)
                ends = {dim: end for dim, end in (("mode", 0), ("checkpoint", -1)) if dim in one.dims}
                runs[variable] = one.isel(ends).where(run)
        runs = runs.drop_vars([name for name in runs.coords if name != "seed"]).assign_coords(rule=rules)
        rung = label.rpartition("-")[2]
        yield Rung(ladder(label), f"{rung} ms" if rung.isdigit() else rung, runs, _angles(part, index))


def _angles(part: xr.DataTree, task: int) -> xr.DataArray | None:
    if "distances" not in part.children:
        return None
    data = part["distances"].to_dataset()
    values = data["shape_distance"].isel(task=task).values
    if not np.isfinite(values).any():
        return None
    rule, seed = np.array(labels(data["label"])), data["replicate"].values
    coordinates = {
        name: list(dict.fromkeys(each.tolist())) for name, each in (("rule", rule), ("seed", seed))
    }
    shape = [len(each) for each in coordinates.values()]
    order = np.lexsort((seed, [coordinates["rule"].index(name) for name in rule]))
    others = {f"other_{name}": each for name, each in coordinates.items()}
    return xr.DataArray(values[np.ix_(order, order)].reshape(*shape, *shape), coordinates | others)


def pairs(rung: Rung, rule: str, other: str) -> tuple[np.ndarray, np.ndarray]:
    """Angles of pairs of circuits, and whether both learned: of one seed, or of two where the rule is one."""
    block = rung.angle.sel(rule=rule, other_rule=other)
    seeds = block["seed"].values
    one, two = (rung.runs["learned"].sel(rule=name, seed=seeds).values == 1 for name in (rule, other))
    whole = np.ones(block.shape, bool)
    chosen = (np.triu(whole, 1) if rule == other else np.diag(np.diag(whole))) & np.isfinite(block.values)
    return block.values[chosen], (one[:, None] & two)[chosen]
