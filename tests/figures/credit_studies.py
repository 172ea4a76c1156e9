"""Records of reproductions that never saw a circuit: plausible numbers to draw figures from."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tests.figures.studies import _named, _plain


def periodic_output(num_seeds: int = 3, *ignored: int) -> xr.DataTree:
    """The groups of ``evidence/periodic_output.nc``: losses that fall, arms without every period."""
    g = np.random.default_rng(6)
    arms = ["bptt", "rflo", "readout-only", "local-symmetric", "random-exact", "rflo-dale"]
    whole, part = np.array([20, 40, 80, 160]), np.array([10])
    update = np.unique(np.round(np.logspace(0, 4, 40)).astype(int))
    one, time = {"units": "1"}, (np.arange(50) + 0.5) / 50

    def group(names: list[str], periods: np.ndarray) -> xr.Dataset:
        shape = (len(names), len(periods), num_seeds, len(update))
        slope = np.linspace(0.9, 0.2, len(names))[:, None, None, None]
        steep = (
            slope / (periods[:, None, None] / 20) ** 0.5 * np.exp(0.1 * g.standard_normal((*shape[:3], 1)))
        )
        loss = 0.33 * update**-steep
        cosine = np.where(np.char.startswith(names, "rflo")[:, None, None, None], 1 - loss / 0.33, np.nan)
        produced = np.sin(2 * np.pi * time) + 0.1 * g.standard_normal((*shape[:2], len(time)))
        target = np.broadcast_to(np.sin(2 * np.pi * time), produced.shape).copy()
        diverged = np.zeros(shape[:3])
        for place, name in enumerate(names):
            if name in ("local-symmetric", "random-exact"):
                for array in (loss, produced, target, diverged):
                    array[place, periods != 80] = np.nan
        diverged[-1, -1, 0] = 1
        dims = ("option", "condition", "seed", "update")
        return xr.Dataset(
            {
                "loss": (dims, loss, one),
                "alignment": (dims, cosine, one),
                "final_loss": (dims[:3], loss[..., -1], one),
                "diverged": (dims[:3], diverged, one),
                "produced": ((*dims[:2], "time"), produced, one),
                "target": ((*dims[:2], "time"), target, one),
            },
            {
                "option": _named("option", names),
                "condition": _plain("condition", periods),
                "seed": _plain("seed", np.arange(num_seeds)),
                "update": _plain("update", update),
                "time": _plain("time", time),
            },
        )

    notebook = group(["bptt", "rflo"], part).assign(published_loss=("option", [2.3e-4, 1.5e-4], one))
    slower = group(["bptt", "rflo"], whole[2:])
    groups = {"/trained": group(arms, whole), "/notebook": notebook, "/slower": slower}
    return xr.DataTree.from_dict(groups)


def evidence_accumulation(num_seeds: int = 3, *ignored: int) -> xr.DataTree:
    """The group of ``evidence/evidence_accumulation.nc``: some seeds never learn, and one diverges."""
    g = np.random.default_rng(7)
    arms = [
        "bptt", "eprop-symmetric", "eprop-random", "eprop-adaptive", "readout-only",
        "eprop-random-no-adaptation", "bptt-no-adaptation",
    ]  # fmt: skip
    update, time, difference = np.arange(20, 401, 20), 30.0 * np.arange(75), np.arange(-7, 8, 2)
    shape, one = (len(arms), num_seeds), {"units": "1"}
    speed = np.array([120.0, 150.0, 200.0, 190.0, 1e4, 1e5, 1e5])[:, None, None]
    score = 1 - 0.5 * np.exp(-update / speed) + 0.02 * g.standard_normal((*shape, len(update)))
    met = np.where(speed[..., 0] < 1e3, 1.2 * speed[..., 0] + 20 * np.arange(num_seeds), -1)
    diverged = np.full(shape, -1)
    diverged[4, 0] = 30
    median = np.where(met.min(1) < 0, np.inf, np.median(met, 1))
    rise = np.minimum(time / 1050, 1)
    memory = np.stack([0.6 * rise, 0.1 + 0.1 * rise])[None, None] + 0.02 * g.random((*shape, 2, len(time)))
    right = np.broadcast_to(1 / (1 + np.exp(-difference / speed * 200)), (*shape, len(difference)))
    answer = np.broadcast_to(0.5 + 0.4 * (time > 2100), (len(arms), len(time)))
    return xr.DataTree.from_dict(
        {
            "/trained": xr.Dataset(
                {
                    "score": (("option", "seed", "update"), score, one),
                    "criterion_update": (("option", "seed"), met, one),
                    "diverged_update": (("option", "seed"), diverged, one),
                    "chose_right": (("option", "seed", "condition"), right, one),
                    "memory": (("option", "seed", "state", "time"), memory, one),
                    "shown_inputs": (
                        ("option", "time", "input"), g.random((len(arms), len(time), 4)), one,
                    ),
                    "answer": (("option", "time"), answer, one),
                    "median_update": ("option", median, one),
                    "median_update_lower": ("option", 0.9 * median, one),
                    "median_update_upper": ("option", 1.2 * median, one),
                    "num_trials": ((), 192, one),
                },
                {
                    "option": _named("option", arms),
                    "seed": _plain("seed", np.arange(num_seeds)),
                    "update": _plain("update", update),
                    "condition": _plain("condition", difference),
                    "state": _named("state", ["adaptation", "current"]),
                    "input": _named("input", ["left", "right", "recall", "noise"]),
                    "time": _plain("time", time, "ms"),
                },
            )
        }
    )  # fmt: skip
