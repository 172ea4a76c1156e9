"""Records of the studies of reward and of innate trajectories that never saw a circuit."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tests.figures.studies import _named, _plain


def reward_learning(num_seeds: int = 4, num_trials: int = 96, *ignored: int) -> xr.DataTree:
    """Two variants; one seed of each never meets the criterion."""
    g = np.random.default_rng(7)
    num_trials = max(num_trials, 120)
    trials, blocks = 1 + np.arange(num_trials), 20 * (1 + np.arange(num_trials // 20))
    criteria = [
        f"error_below_{words}" for words in ("1_in_at_least_95", "1_in_more_than_95", "0.5_in_at_least_95")
    ]

    def variant(dim: str, number: int) -> xr.Dataset:
        met = g.integers(100, num_trials, (number, 3))
        met[0] = -1
        return xr.Dataset(
            {
                "error": ((dim, "trial"), g.uniform(0, 1.2, (number, len(blocks))), {"units": "1"}),
                "success": ((dim, "update"), g.integers(0, 2, (number, num_trials)), {"units": "1"}),
                "criterion_trial": ((dim, "condition"), met, {"units": "1"}),
                "answer": ((dim, "option", "time"), g.uniform(-1, 1, (number, 4, 10)), {"units": "1"}),
            },
            {
                dim: _plain(dim, np.arange(number)),
                "trial": _plain("trial", blocks, name="trials"),
                "update": _plain("update", trials, name="trials"),
                "condition": _named("condition", criteria),
                "option": _named("option", ["00", "01", "10", "11"]),
                "time": _plain("time", 100.0 * (1 + np.arange(10)), "ms", "time"),
            },
        )

    published = {"trials_to_criterion": 110.0, "lower_quartile": 105.0, "upper_quartile": 115.0}
    cubic = variant("seed", num_seeds).assign(
        {f"published_{name}": ((), value, {"units": "1"}) for name, value in published.items()}
    )
    return xr.DataTree.from_dict({"/cubic": cubic, "/node": variant("draw", 2)})


def innate_trajectory(*ignored: int) -> xr.DataTree:
    """Circuits of two sizes at three delays, and one in detail."""
    g = np.random.default_rng(8)
    time = 10.0 * (1 + np.arange(240))
    option = _named("option", ["unperturbed", "perturbed"])
    test = {"option": option, "trial": _plain("trial", np.arange(3))}
    demonstration = xr.Dataset(
        {
            "rate": (("block", "unit", "time"), g.uniform(-1, 1, (3, 3, 240)), {"units": "1"}),
            "answer": (("option", "trial", "time"), g.uniform(-0.5, 1.2, (2, 3, 240)), {"units": "1"}),
            "wanted": ("time", np.exp(-(((time - 2200) / 40) ** 2)), {"units": "1"}),
        },
        {
            **test,
            "block": _named("block", ["innate", "untrained", "trained"]),
            "unit": _plain("unit", np.arange(3)),
            "time": _plain("time", time, "ms", "time"),
        },
    )
    scores = {
        name: (("draw", "option", "trial"), g.uniform(0, 1, (6, 2, 3)), {"units": "1"})
        for name in ("r2", "correlation_untrained", "correlation_trained")
    }
    circuits = xr.Dataset(
        {
            **scores,
            "correlation": (("draw", "update", "option"), g.uniform(-0.2, 1, (6, 5, 2)), {"units": "1"}),
            "num_units": ("draw", [800, 800, 400, 400, 400, 400], {"units": "1"}),
            "delay": ("draw", [2000.0, 4000.0, 2000.0, 4000.0, 4000.0, 8000.0], {"units": "ms"}),
        },
        {**test, "draw": _plain("draw", np.arange(6)), "update": _plain("update", [0, 5, 10, 15, 20])},
    )
    return xr.DataTree.from_dict({"/demonstration": demonstration, "/circuits": circuits})
