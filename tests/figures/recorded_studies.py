"""A record of the study of recorded data that never saw a neuron."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tests.figures.studies import _named, _plain

LEVELS = np.array([-0.512, -0.256, -0.128, -0.064, -0.032, 0.032, 0.064, 0.128, 0.256, 0.512])
PREDICTORS = ["circuit", "inputs", "untrained", "time", "another_recording"]
SCORES = (0.9, 0.3, 0.6, -0.4, 1.0)


def curves(dim: str, number: int, sigma: float) -> xr.Dataset:
    """Psychometric curves."""
    from scipy.special import ndtr

    one = {"units": "1", "long_name": "signed coherence"}
    values = {"mu": 0.01, "sigma": sigma, "guess": 0.0, "lapse": 0.02}
    found = {name: (dim, np.full(number, value), {"units": "1"}) for name, value in values.items()}
    found["stimulus"] = ((dim, "condition"), np.tile(LEVELS, (number, 1)), one)
    found["fraction"] = ((dim, "condition"), np.tile(ndtr(LEVELS / sigma), (number, 1)), {"units": "1"})
    found["num_trials"] = ((dim, "condition"), np.full((number, 10), 40), {"units": "1"})
    found["fit_status"] = (dim, np.zeros(number, int), {"units": "1"})
    axes = {dim: _plain(dim, np.arange(number)), "condition": _plain("condition", np.arange(10))}
    return xr.Dataset(found, axes)


def recorded_data(num_seeds: int = 3, *ignored: int) -> xr.DataTree:
    """Two recordings; some conditions have no average, one predictor is far below 0."""
    g = np.random.default_rng(9)
    time = 80.0 * (np.arange(14) + 0.5) - 80
    code = np.arange(20)
    conditions = {
        "condition": _plain("condition", code),
        "coherence": ("condition", LEVELS[code // 2], {"units": "1"}),
        "chosen": ("condition", np.array([-1, 1])[code % 2], {"units": "1"}),
        "time": _plain("time", time, "ms", "time from stimulus onset"),
        "parameter": _named("parameter", ["choice", "coherence"]),
    }
    rise = np.clip(time / 800, 0, 1)[:, None] * (LEVELS[code // 2] * 8)
    rise = rise.T.copy()
    rise[(code % 2 == 0) == (LEVELS[code // 2] > 0)] = np.nan
    score = np.stack([rise, 0.5 * rise], axis=-1)
    late = np.clip((time + 100) / 600, 0, 1)
    coding = xr.Dataset(
        {
            "participation_ratio": (
                ("draw", "time"),
                40 * np.exp(-3 * np.tile(late, (2, 1))),
                {"units": "1"},
            ),
            "score": (("draw", "condition", "time", "parameter"), np.stack([score] * 2), {"units": "1"}),
            "accuracy": (
                ("draw", "time_train", "time_test"),
                0.5 + 0.5 * np.stack([np.outer(late, late)] * 2),
                {"units": "1"},
            ),
            "null_maximum": ("draw", np.full(2, 0.62), {"units": "1"}),
            "example_rate": (("draw", "condition", "time"), np.stack([40 + 10 * rise] * 2), {"units": "Hz"}),
        },
        conditions
        | {
            "draw": _plain("draw", np.arange(2)),
            "time_train": _plain("time_train", time, "ms"),
            "time_test": _plain("time_test", time, "ms"),
        },
    )
    circuits = xr.Dataset(
        {
            "score": (
                ("seed", "condition", "time", "parameter"),
                np.stack([score] * num_seeds),
                {"units": "1"},
            )
        },
        conditions | {"seed": _plain("seed", np.arange(num_seeds))},
    )
    shape = (3, 2, num_seeds, 5)
    middle = np.broadcast_to(SCORES, shape) + 0.05 * g.standard_normal(shape)
    dims = ("epoch", "draw", "seed", "predictor")
    bounds = {"normalized_score": middle, "lower": middle - 0.2, "upper": middle + 0.05}
    comparison = xr.Dataset(
        {f"population_{name}": (dims, values, {"units": "1"}) for name, values in bounds.items()},
        {
            "epoch": _named("epoch", ["trial", "stimulus", "after"]),
            "draw": _plain("draw", np.arange(2)),
            "seed": _plain("seed", np.arange(num_seeds)),
            "predictor": _named("predictor", PREDICTORS),
        },
    )
    return xr.DataTree.from_dict(
        {
            "/behaviour": curves("draw", 2, 0.07), "/circuit_behaviour": curves("seed", num_seeds, 0.04),
            "/coding": coding, "/circuits": circuits, "/comparison": comparison,
        }
    )  # fmt: skip
