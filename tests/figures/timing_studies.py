"""A record of produced intervals that no circuit produced."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tests.figures.studies import _named, _plain

CIRCUITS, CUES, BLOCKS = (
    ("full", "rank-2", "rank-3"),
    ("tonic", "transient"),
    ("below", "inside", "near", "above"),
)
ONE = {"units": "1", "long_name": "made up"}
MS = {"units": "ms", "long_name": "made up"}


def low_rank_timing(num_seeds: int = 3, *ignored: int) -> xr.DataTree:
    """Transient cues level off; with tonic ones circuits overshoot, and one of them answers no long cue."""
    g = np.random.default_rng(11)
    asked = np.arange(500.0, 2301.0, 75.0)
    shape = (len(CIRCUITS), len(CUES), num_seeds, len(asked))
    growth = np.array([2.5, 1.5, 1.3])[:, None, None] * g.uniform(0.9, 1.1, (3, num_seeds, 1))
    beyond = np.maximum(asked - 1550, 0)
    produced = np.empty(shape)
    produced[:, 0] = np.minimum(asked, 1550) + growth * beyond
    produced[:, 1] = np.minimum(asked, 1550) + 0.1 * growth * beyond
    share = np.ones(shape)
    share[0, 0, 0, asked > 1800] = 0.0
    produced[share == 0] = np.nan
    slope = np.ones((*shape[:3], len(BLOCKS)))
    slope[:, 0, :, 2:] = growth
    slope[:, 1, :, 2:] = 0.1 * growth
    slope[0, 0, 0, 3] = np.nan
    mean = np.nanmean(slope, axis=2)
    time = np.arange(-980.0, 4500.0, 40.0)
    shown = np.array([650.0, 800.0, 1175.0, 1550.0, 1925.0, 2300.0])
    ramp = -0.5 + np.clip(time / shown[:, None], 0, 1.2) * 0.95
    dims = ("circuit", "option")
    data = xr.Dataset(
        {
            "produced": ((*dims, "seed", "condition"), produced, MS),
            "share": ((*dims, "seed", "condition"), share, ONE),
            "slope": ((*dims, "seed", "block"), slope, ONE),
            "correct": ((*dims, "seed", "block"), g.uniform(0, 1, slope.shape), ONE),
            "mean_slope": ((*dims, "block"), mean, ONE),
            "mean_slope_lower": ((*dims, "block"), mean - 0.2, ONE),
            "mean_slope_upper": ((*dims, "block"), mean + 0.2, ONE),
            "answer": ((*dims, "trial", "time"), np.broadcast_to(ramp, (3, 2, *ramp.shape)), ONE),
        },
        {
            "circuit": _named("circuit", list(CIRCUITS)),
            "option": _named("option", list(CUES)),
            "block": _named("block", list(BLOCKS)),
            "seed": _plain("seed", np.arange(num_seeds)),
            "condition": _plain("condition", asked, "ms"),
            "trial": _plain("trial", shown, "ms"),
            "time": _plain("time", time, "ms"),
        },
    )
    return xr.DataTree.from_dict({"/criterion": data, "/budget": data})
