"""Gradients of the study of rules on tasks, and what became of the runs; how they are correlated."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import xarray as xr
from _arms import BPTT, FLOOR, GROUPS, NOT_RUN
from scipy import stats

from throughtime.plotting.training import DIVERGED
from throughtime.results import labels

PART = "hard"
MEASURED = ("cosine", "displacement_cosine", "norm_ratio", "bias", "relative_variance", "gradient_norm")
OUTCOMES = ("score", "loss", "learned", "met")
FEWEST = 5
"""Rules that a rank correlation is taken over."""
RULES = {
    rule: (group.color, arm.name, arm.mark)
    for group in GROUPS.values()
    for rule, arm in group.arms.items()
    if rule != FLOOR
}


class Mean(NamedTuple):
    """Mean over tasks and its 95 % interval."""

    value: float
    lower: float
    upper: float


def runs(tree: xr.DataTree) -> xr.Dataset:
    """Gradients and what became of the runs, NaN where either is missing.

    Returns:
        Dataset over the names of ``task`` and ``rule``, ``seed`` and ``checkpoint``: what was measured, with
        ``mean_cosine`` and ``own_norm``; ``score, loss, learned, met``, without checkpoints.
    """
    parts = []
    if "alignment" in tree.children:
        parts.append(_by_name(tree["alignment"].to_dataset())[list(MEASURED)])
    if PART in tree.children:
        outcomes = _by_name(tree[PART]["outcomes"].to_dataset().isel(circuit=0, option=0, drop=True))
        run, diverged = outcomes["status"] < NOT_RUN, outcomes["status"] == DIVERGED
        met = outcomes["criterion_update"].where(run)
        parts.append(
            xr.Dataset(
                {
                    "score": outcomes["final_score"].where(run).where(~diverged, 0.0),
                    "loss": outcomes["final_loss"].where(run).where(~diverged, np.inf),
                    "learned": (met >= 0).where(run),
                    "met": met,
                }
            )
        )
    tasks = list(dict.fromkeys(name for part in parts for name in part["task"].values.tolist()))
    data = xr.merge(parts, join="outer", compat="no_conflicts", combine_attrs="drop")
    data = data.reindex(task=tasks, rule=[*RULES, FLOOR])
    if "checkpoint" not in data.dims:
        data = data.assign_coords(checkpoint=[0])
    dims = ("task", "rule", "seed", "checkpoint")
    for names, along in ((MEASURED, dims), (OUTCOMES, dims[:-1])):
        blank = xr.DataArray(np.nan, {dim: data[dim] for dim in along}, along)
        data = data.assign({name: blank for name in names if name not in data})
    onto = data["cosine"] * data["norm_ratio"]
    size = data["bias"] ** 2 - 1 + 2 * onto  # squared norm of the mean, over that of the exact one
    data["mean_cosine"] = (onto / np.sqrt(size.where(size > 0))).clip(-1, 1)
    data["own_norm"] = data["norm_ratio"] * data["gradient_norm"]
    return data


def _by_name(data: xr.Dataset) -> xr.Dataset:
    return data.assign_coords({dim: (dim, labels(data[dim])) for dim in ("task", "rule")})


def correlations(data: xr.Dataset, name: str, outcome: str = "score") -> xr.DataArray:
    """Spearman's correlation (task, checkpoint) over rules, of medians over seeds; scores are means.

    BPTT is left out; NaN where fewer than :data:`FEWEST` rules are known, or all are the same.
    """
    rules = [rule for rule in RULES if rule != BPTT]
    one = data.sel(rule=rules)
    y = one["score"].mean("seed") if outcome == "score" else one[outcome].median("seed")
    return xr.apply_ufunc(
        _spearman, one[name].median("seed"), y, input_core_dims=[["rule"], ["rule"]], vectorize=True
    ).transpose("task", "checkpoint")


def _spearman(x: np.ndarray, y: np.ndarray) -> float:
    there = ~np.isnan(x) & ~np.isnan(y)
    if there.sum() < FEWEST or np.ptp(x[there]) == 0 or (y[there] == y[there][0]).all():
        return np.nan
    return float(stats.spearmanr(x[there], y[there]).statistic)


def mean_of(values: np.ndarray) -> Mean:
    """Mean of what is known and its t interval.

    Example:
        >>> [round(value, 2) for value in mean_of(np.array([0.0, 0.5, np.nan, 1.0]))]
        [0.5, -0.74, 1.74]
    """
    there = values[np.isfinite(values)]
    if there.size < 2:
        return Mean(*(float(there.mean()) if there.size else np.nan, np.nan, np.nan))
    half = stats.t.ppf(0.975, there.size - 1) * there.std(ddof=1) / np.sqrt(there.size)
    return Mean(float(there.mean()), float(there.mean() - half), float(there.mean() + half))
