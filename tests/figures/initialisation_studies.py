"""A record of circuits with different beginnings that never were: plausible numbers to draw figures from."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tests.figures.studies import _named, _plain

GAINS, TAUS = (0.8, 1.2, 1.5), (50, 100, 200)
ARMS = ["symmetric-exact", "symmetric-none", "random-none", "symmetric-modprop", "readout-only"]
TASKS = ["match-3000", "cue-set-go-1100"]
SOURCES = [
    "rule", "gain", "tau", "rule×gain", "rule×tau", "gain×tau", "rule×gain×tau", "seed", "residual",
    "circuit", "rule×circuit",
]  # fmt: skip
OUTCOMES = ["score", "log_loss", "participation_ratio", "weight_change"]
NOT_RUN = 5


def initialisation(num_seeds: int = 3, *ignored: int) -> xr.DataTree:
    """The groups that the figure reads: two combinations were not run, and one outcome has no shares."""
    g = np.random.default_rng(8)
    one, angle = {"units": "1"}, {"units": "rad"}
    circuits = [f"gain={gain}_tau={tau}" for gain in GAINS for tau in TAUS]
    seeds = _plain("seed", np.arange(num_seeds))
    of_rule = np.array([0.95, 0.7, 0.6, 0.8, 0.5])[:, None]
    of_circuit = np.array([0.02 * gain * tau / 50 for gain in GAINS for tau in TAUS])[:, None, None]
    score = of_rule + of_circuit + 0.08 * g.standard_normal((2, len(circuits), len(ARMS), num_seeds))
    status = np.ones(score.shape, np.int8)
    status[1, 4, 2] = status[1, :, 3, -1] = NOT_RUN
    score = np.where(status == NOT_RUN, np.nan, score.clip(0, 1))
    dims = ("task", "circuit", "rule", "option", "seed")
    outcomes = xr.Dataset(
        {
            "final_score": (dims, score[:, :, :, None], one),
            "status": (dims, status[:, :, :, None], one),
        },
        {
            "task": _named("task", TASKS), "circuit": _named("circuit", circuits),
            "rule": _named("rule", ARMS), "option": _named("option", ["default"]), "seed": seeds,
        },
    )  # fmt: skip
    share = g.dirichlet(np.array([5, 3, 2, 1, 1, 1, 0.5, 2, 3]), (2, 2, len(OUTCOMES)))
    share = np.concatenate(
        [share, share[..., [1, 2, 5]].sum(-1, keepdims=True), share[..., [3, 4, 6]].sum(-1, keepdims=True)],
        -1,
    )
    share[1, :, 2] = np.nan
    distance = np.full((2, 2, len(SOURCES)), np.nan)
    distance[..., [0, 1, 2, 7]] = [0.3, 0.5, 0.4, 0.8]
    each = distance[..., None] + 0.05 * g.standard_normal((*distance.shape, num_seeds))
    over, few = ("task", "condition", "metric", "predictor"), ("task", "condition", "predictor")
    components = xr.Dataset(
        {
            "share": (over, share, one),
            "share_lower": (over, share - 0.1, one),
            "share_upper": (over, share + 0.1, one),
            "num_seeds": (over[:3], np.where(np.isnan(share[..., 0]), 1, num_seeds), one),
            "num_diverged": (over[:2], np.array([[3, 1], [0, 0]]), one),
            "distance": (few, distance, angle),
            "distance_lower": (few, distance - 0.05, angle),
            "distance_upper": (few, distance + 0.05, angle),
            "distance_of_seed": ((*few, "seed"), each, angle),
        },
        {
            "task": _named("task", TASKS), "condition": _named("condition", ["all_arms", "recurrent_arms"]),
            "metric": _named("metric", OUTCOMES), "predictor": _named("predictor", SOURCES), "seed": seeds,
        },
    )  # fmt: skip
    return xr.DataTree.from_dict({"/initialisation/outcomes": outcomes, "/components": components})
