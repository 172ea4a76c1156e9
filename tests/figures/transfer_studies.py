"""A record of circuits turned into spiking ones that never fired: plausible numbers to draw a figure from."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tests.figures.studies import _named, _plain

ONE = {"units": "1", "long_name": "made up"}
NOT_PUBLISHED = {"success": np.nan, "accuracy": np.nan, "accuracy_sd": np.nan, "number": np.nan}
GO_PUBLISHED = {"success": 0.94, "accuracy": 0.988, "accuracy_sd": 0.047, "number": 100.0}
CONTEXT_PUBLISHED = {**NOT_PUBLISHED, "accuracy": 0.97, "accuracy_sd": 0.066}
CONTEXTUAL = ("program", "equations", "no_refractory_period", "single_exponential")


def transferred(
    g: np.random.Generator, num_circuits: int, published: dict[str, dict[str, float]]
) -> xr.Dataset:
    """Circuits that are best at some 1/λ; one fails, and one was never trained."""
    grid, kinds = np.arange(20.0, 80.0, 5.0), list(published)
    best = g.choice(grid[3:9], (len(kinds), num_circuits))
    accuracy = np.clip(1.2 - np.abs(grid - best[..., None]) / 60, 0, 1)
    accuracy[:, 0] *= 0.8
    trained = np.ones((len(kinds), num_circuits), int)
    trained[:, -1] = 0
    final = accuracy.max(-1)
    two = ("option", "draw")
    variables = {
        "accuracy": ((*two, "parameter"), accuracy, ONE),
        "best_inverse_lambda": (two, best, {**ONE, "units": "Hz"}),
        "final_accuracy": (two, final, ONE),
        "trained": (two, trained, ONE),
        "num_trained": ("option", trained.sum(1), ONE),
        "num_successes": ("option", ((final >= 0.95) & (trained == 1)).sum(1), ONE),
    }
    for name, value in {"success": 0.8, "success_lower": 0.4, "success_upper": 0.95}.items():
        variables[name] = ("option", np.full(len(kinds), value), ONE)
    for name in NOT_PUBLISHED:
        variables[f"published_{name}"] = ("option", [one[name] for one in published.values()], ONE)
    return xr.Dataset(
        variables,
        {
            "option": _named("option", kinds),
            "draw": _plain("draw", np.arange(num_circuits)),
            "parameter": _plain("parameter", grid, "Hz", "1/λ"),
        },
    )


def example(g: np.random.Generator, num_units: int) -> xr.Dataset:
    """A step of the output after a stimulus, in one trial of two."""
    time = np.arange(5.0, 1000.0, 10.0)
    num_inhibitory = num_units // 5
    go = np.stack([0 * time, np.clip((time - 375) / 50, 0, 1)])
    rates = np.clip(g.uniform(0, 0.9, num_units) + g.uniform(-0.3, 0.3, num_units) * go[..., None], 0, 1)
    spikes = g.random(rates.shape) < 0.3 * rates
    trial, step, unit = np.nonzero(spikes)
    course = np.stack([go, go**2 * np.sin(time / 150), 0 * go], axis=-1)
    timed = ("seed", "trial", "time")
    edges = np.array([[0.0, 0.0, 250.0, 375.0, 375.0], [1000.0, 250.0, 375.0, 375.0, 1000.0]])
    of_epoch = ("seed", "trial", "epoch")
    return xr.Dataset(
        {
            "rates": ((*timed, "unit"), rates[None], ONE),
            "spiking_rates": ((*timed, "unit"), rates[None], ONE),
            "outputs": ((*timed, "output"), go[None, ..., None], ONE),
            "spiking_outputs": (
                (*timed, "output"),
                go[None, ..., None] + 0.1 * g.random((1, 2, 100, 1)),
                ONE,
            ),
            "fixed_outputs": ((*timed, "output"), 0.9 * go[None, ..., None], ONE),
            "best_inverse_lambda": ("seed", [25.0], {**ONE, "units": "Hz"}),
            "fixed_inverse_lambda": ("seed", [50.0], {**ONE, "units": "Hz"}),
            "targets": ((*timed, "output"), np.round(go)[None, ..., None], ONE),
            "rate_trajectory": ((*timed, "component"), course[None], ONE),
            "spiking_trajectory": ((*timed, "component"), 0.8 * course[None] + 0.05, ONE),
            "epoch_onset": (of_epoch, np.tile(edges[0], (1, 2, 1)), {**ONE, "units": "ms"}),
            "epoch_offset": (of_epoch, np.tile(edges[1], (1, 2, 1)), {**ONE, "units": "ms"}),
            "spike_seed": ("spike", 0 * unit, ONE),
            "spike_trial": ("spike", trial, ONE),
            "spike_unit": ("spike", unit, ONE),
            "spike_time": ("spike", time[step], {**ONE, "units": "ms"}),
        },
        {
            "seed": _plain("seed", [0]),
            "trial": _named("trial", ["nogo", "go"]),
            "time": _plain("time", time, "ms"),
            "unit": _plain("unit", np.arange(num_units)),
            "output": _plain("output", [0]),
            "component": _plain("component", np.arange(3)),
            "epoch": _named("epoch", ["trial", "fixation", "stimulus", "delay", "response"]),
            "cell_type": (
                "unit",
                (np.arange(num_units) >= num_units - num_inhibitory).astype(int),
                {**ONE, "flag_values": [0, 1], "flag_meanings": "excitatory inhibitory"},
            ),
        },
    )


def rate_to_spikes(num_seeds: int = 4, *ignored: int) -> xr.DataTree:
    """The groups of ``evidence/rate_to_spikes.nc``; two variants without a published number."""
    g = np.random.default_rng(11)
    return xr.DataTree.from_dict(
        {
            "/go-no-go": transferred(
                g,
                num_seeds + 2,
                {"program": GO_PUBLISHED, "equations": NOT_PUBLISHED, "balanced": NOT_PUBLISHED},
            ),
            "/contextual-integration": transferred(
                g, num_seeds + 1, dict.fromkeys(CONTEXTUAL, CONTEXT_PUBLISHED)
            ),
            "/example": example(g, 60),
        }
    )
