"""A record of gradients beside the exact ones that were never computed, with what their rules learned."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tests.figures.rule_studies import CHOSEN, part
from tests.figures.studies import _named, _plain
from throughtime.results import labels

CHECKPOINTS = np.array([100, 400, 1400])
ONE = {"units": "1", "long_name": "made up"}
DRAWN = {"node-perturbation": (0.1, 300.0), "rotated-bptt": (0.6, 0.64)}
"""Rules with chance -> cosine of a draw and relative variance."""


def alignment(num_seeds: int = 4, *ignored: int) -> xr.DataTree:
    """The part of hard rungs, and gradients of all rules that train recurrent weights.

    The last task was not measured, nor the second with random transport; the last seed of the first rule
    diverged. What two rules give by chance has no bias, or is shorter than the gradient and has none besides.
    """
    hard = part(0, num_seeds)
    tasks = labels(hard["outcomes"]["task"])
    rules = [rule for rule in CHOSEN.arms() if rule != "readout-only"]
    rng = np.random.default_rng(5)
    shape = (len(tasks), len(rules), num_seeds, len(CHECKPOINTS))
    cosine = np.clip(rng.uniform(-0.1, 0.8, shape[1])[:, None, None] + rng.normal(0, 0.1, shape), -1, 1)
    ratio = np.exp(rng.normal(0, 1, shape[1])[:, None, None] + rng.normal(0, 0.2, shape))
    variance = np.zeros(shape)
    cosine[:, 0], ratio[:, 0] = 1.0, 1.0
    for rule, (one, spread) in DRAWN.items():
        place = rules.index(rule)
        cosine[:, place] = one + 0.02 * rng.standard_normal(cosine[:, place].shape)
        variance[:, place] = spread
    perturbed, rotated = (rules.index(rule) for rule in DRAWN)
    ratio[:, perturbed], ratio[:, rotated] = 1 / cosine[:, perturbed], 1.0
    bias = np.sqrt(np.maximum(1 + ratio**2 - variance - 2 * cosine * ratio, 0.0))
    values = {
        "cosine": cosine,
        "displacement_cosine": 0.2 * cosine + 0.05 * rng.standard_normal(shape),
        "norm_ratio": ratio,
        "bias": bias,
        "relative_variance": variance,
        "gradient_norm": np.exp(rng.normal(0, 2, shape)),
    }
    absent = np.zeros(shape, bool)
    absent[-1] = absent[1, rules.index("random-random")] = absent[0, 0, -1] = True
    for one in values.values():
        one[absent] = np.nan
    dims = ("task", "rule", "seed", "checkpoint")
    measured = xr.Dataset(
        {name: (dims, one, ONE) for name, one in values.items()},
        {
            "task": _named("task", tasks),
            "rule": _named("rule", rules),
            "seed": _plain("seed", np.arange(num_seeds)),
            "checkpoint": _plain("checkpoint", CHECKPOINTS),
        },
    )
    outcomes, curves = (hard[name].to_dataset() for name in ("outcomes", "curves"))
    last = {f"final_{name}": curves[name].isel(update=-1, drop=True) for name in ("score", "loss")}
    groups = {"/hard/outcomes": outcomes.assign(last), "/hard/curves": curves}
    return xr.DataTree.from_dict(groups | {"/alignment": measured})
