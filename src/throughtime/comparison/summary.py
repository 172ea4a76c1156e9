"""Group ``/comparison``: every rule's learning side by side.

Over (rule, seed): ``status``; ``final_loss``, of the final weights on held-out trials, without the rule and
its noise (:mod:`throughtime.comparison.held_out`), by which rules are ranked; ``final_score`` (the last
measured, on held-out trials too); both NaN for a diverged seed, which counts as worst and is never dropped;
``final_training_loss``, the last of the training curve; ``criterion_update``, ``diverged_update``,
``num_updates``, ``trials_seen`` and ``forward_passes``. At matched updates: ``loss`` and ``score`` (rule,
seed, update); where trials are matched instead, ``update`` counts those of a rule with the common batch size.
The curve ``loss`` is what a rule itself reports: met while the weights move, or with its noise in it. At
matched loss: ``update_at_loss`` (rule, seed, condition), the update at which that curve first was as low as
``matched_loss`` (condition), −1 if never; by default a level is where the curve of one of the rules ended,
the median of its seeds. Over rule: ``learning_rate`` (or size of its own steps), ``tuning_rate`` and
``tuning_loss`` (rule, option), ``at_edge`` and ``num_diverged``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.comparison.gradients import rule_coordinate
from throughtime.comparison.tuning import Tuned, final
from throughtime.results.flags import flag_attributes
from throughtime.results.schema import attributes
from throughtime.training.record import DIVERGED, NEVER, STATUS_MEANINGS

COUNTS = ("criterion_update", "diverged_update", "num_updates", "trials_seen", "forward_passes")
LONG_NAMES = {
    "final_loss": "loss on held-out trials at the end",
    "final_training_loss": "last training loss",
    "final_score": "score at the end",
    "num_diverged": "seeds that diverged",
    "num_criterion": "seeds that met the criterion",
    "matched_loss": "loss to be reached",
    "update_at_loss": "update at which the loss is reached, -1 if never",
    "tuning_rate": "step size tried",
    "tuning_loss": "loss on held-out trials of tuning seeds at the end",
    "tuning_diverged": "tuning seeds that diverged",
    "at_edge": "whether the step size lies at an end of the grid",
}


def summary(
    runs: Mapping[str, xr.DataTree],
    tuned: Mapping[str, Tuned],
    *,
    held_out: Mapping[str, np.ndarray],
    scale: Mapping[str, int],
    levels: Sequence[float] | None = None,
) -> xr.Dataset:
    """The dataset of ``/comparison``.

    Args:
        runs: label -> tree of a run; all with the same seeds.
        tuned: label -> what tuning found.
        held_out: label -> (seed,) losses of the final weights, NaN where there is none.
        scale: label -> updates this rule made for one of the common count.
        levels: losses to compare the number of updates at.
    """
    each = {label: tree["training"].to_dataset() for label, tree in runs.items()}
    loss, score, update = (curves(each, scale, name) for name in ("loss", "score", "update"))
    status = np.stack([one["status"].values for one in each.values()])
    ends = {
        "final_loss": np.stack([held_out[label] for label in each]),
        "final_score": _final(each, "score"),
        "final_training_loss": _final(each, "loss"),
    }
    by_seed: dict[str, Any] = {
        **ends,
        **{name: np.stack([one[name].values for one in each.values()]) for name in COUNTS},
    }
    rows, columns = ("rule", "seed"), update[0]
    level = _levels(ends["final_training_loss"], levels)
    options = {
        "tuning_rate": np.stack([one.rates for one in tuned.values()]),
        "tuning_loss": np.stack([one.losses for one in tuned.values()]),
        "tuning_diverged": np.stack([one.num_diverged for one in tuned.values()]),
    }
    edges = np.array([one.at_edge for one in tuned.values()], np.int8)
    variables = {
        "loss": ((*rows, "update"), loss),
        "score": ((*rows, "update"), score),
        **{name: (rows, values) for name, values in by_seed.items()},
        "num_diverged": ("rule", (status == DIVERGED).sum(1)),
        "num_criterion": ("rule", (by_seed["criterion_update"] != NEVER).sum(1)),
        "matched_loss": ("condition", level),
        "update_at_loss": ((*rows, "condition"), updates_at(loss, columns, level)),
        "learning_rate": ("rule", np.array([one.rate for one in tuned.values()])),
        **{name: (("rule", "option"), values) for name, values in options.items()},
    }
    dataset = xr.Dataset(
        {
            name: (dims, values, attributes(name, **_long_name(name)))
            for name, (dims, values) in variables.items()
        }
    )
    dataset["status"] = (
        rows,
        status.astype(np.int8),
        attributes("status", **flag_attributes(STATUS_MEANINGS)),
    )
    dataset["at_edge"] = (
        "rule",
        edges,
        attributes("at_edge", **_long_name("at_edge"), **flag_attributes(["no", "yes"])),
    )
    named = list(each) if levels is None else [f"{value:g}" for value in level]
    first = next(iter(each.values()))
    return dataset.assign_coords(
        rule=rule_coordinate(each),
        seed=("seed", first["seed"].values, attributes("seed")),
        update=("update", columns, attributes("update")),
        option=(
            "option", np.arange(options["tuning_rate"].shape[1]), {"units": "1", "long_name": "step size"},
        ),
        condition=(
            "condition", np.arange(level.size),
            {"units": "1", "long_name": "level of the loss", **flag_attributes(named)},
        ),
    )  # fmt: skip


def curves(each: Mapping[str, xr.Dataset], scale: Mapping[str, int], name: str) -> np.ndarray:
    """A curve of every rule at common updates, (rule, seed, update), NaN where a rule had ended.

    For ``update`` the common updates themselves, (1, update).
    """
    at = {label: one["update"].values // scale[label] for label, one in each.items()}
    common = np.unique(np.concatenate(list(at.values())))
    if name == "update":
        return common[None]
    found = []
    for label, one in each.items():
        series = np.full((one.sizes["seed"], common.size), np.nan)
        series[:, np.searchsorted(common, at[label])] = one[name].transpose("seed", "update").values
        found.append(series)
    return np.stack(found)


def updates_at(loss: np.ndarray, update: np.ndarray, levels: np.ndarray) -> np.ndarray:
    """First update with a loss as low as each level, (rule, seed, level); −1 where there is none.

    Example:
        >>> updates_at(np.array([[[3.0, 2.0, 1.0]]]), np.array([10, 20, 30]), np.array([2.0, 0.5]))
        array([[[20, -1]]])
    """
    with np.errstate(invalid="ignore"):
        low = loss[..., None, :] <= levels[:, None]
    return np.where(low.any(-1), update[low.argmax(-1)], NEVER)


def _levels(final_loss: np.ndarray, levels: Sequence[float] | None) -> np.ndarray:
    """Median end of every rule's curve, diverged seeds worst; −∞, which nobody reaches, if half diverged."""
    if levels is not None:
        return np.asarray(levels, float)
    ranked = np.where(np.isfinite(final_loss), final_loss, np.inf)
    median = np.sort(ranked, axis=1)[:, ranked.shape[1] // 2]  # of an even number the worse: it was reached
    return np.where(np.isfinite(median), median, -np.inf)


def _final(each: Mapping[str, xr.Dataset], name: str) -> np.ndarray:
    return np.stack([final(one[name].values.astype(float), one["status"].values) for one in each.values()])


def _long_name(name: str) -> dict[str, object]:
    return {"long_name": LONG_NAMES[name]} if name in LONG_NAMES else {}
