"""A record of rules on tasks whose circuits were never trained."""

from __future__ import annotations

import numpy as np
import xarray as xr

from tests.figures.studies import _named, _plain

ARMS = [
    "symmetric-exact", "random-exact", "symmetric-none", "random-none", "symmetric-hop", "random-hop",
    "symmetric-modprop", "random-modprop", "symmetric-random", "random-random", "node-perturbation",
    "rotated-bptt", "readout-only",
]  # fmt: skip
HARD = [
    "match-4000", "estimation-1000", "go-no-go-2000", "evidence-2500", "cue-set-go-2800",
    "ready-set-go-short",
]  # fmt: skip
MIDDLE = ["match-3000", "estimation-500"]
ONE = {"units": "1", "long_name": "made up"}
DIVERGED, NOT_RUN = 2, 5


def learned_circuits(num_seeds: int = 3, *ignored: int) -> xr.DataTree:
    """The part of hard rungs whole, and of middle ones the first task alone; the rest was not run."""
    rng = np.random.default_rng(8)
    groups = _part(rng, "hard", HARD, num_seeds, num_run=len(HARD))
    groups |= _part(rng, "middle", MIDDLE, num_seeds, num_run=1)
    return xr.DataTree.from_dict(groups)


def _part(
    rng: np.random.Generator, name: str, tasks: list[str], num_seeds: int, *, num_run: int
) -> dict[str, xr.Dataset]:
    """Groups of one part: BPTT learns, others less and less, and one run diverges."""
    shape = (len(tasks), 1, len(ARMS), 1, num_seeds)
    there = np.arange(len(tasks))[:, None, None, None, None] < num_run
    easy = np.arange(len(tasks))[:, None, None, None, None]
    place = np.arange(len(ARMS))[:, None, None]
    learned = rng.random(shape) < 0.9 * np.exp(-place / 4 - easy / 4)
    status = np.where(there, np.where(learned, 0, 1), NOT_RUN)
    status[0, 0, 7, 0, 0] = DIVERGED
    there = there & (status != DIVERGED)
    axes = ("task", "circuit", "rule", "option", "seed")
    coordinates = {
        "task": _named("task", tasks),
        "circuit": _named("circuit", ["base"]),
        "rule": _named("rule", ARMS),
        "option": _named("option", ["default"]),
        "seed": _plain("seed", np.arange(num_seeds)),
    }

    def measured(**variables: tuple[tuple[str, ...], np.ndarray]) -> xr.Dataset:
        arrays = {}
        for variable, (more, values) in variables.items():
            known = there.reshape(*shape, *(1 for _ in more))
            arrays[variable] = ((*axes, *more), np.where(known, values, np.nan), ONE)
        return xr.Dataset(arrays, coordinates)

    change = 0.1 * np.exp(rng.standard_normal((*shape, 2)) - place[..., None] / 6)
    change[..., 0], change[:, :, -1] = 0.0, 0.0
    top = 10 * np.exp(rng.standard_normal((*shape, 2)) + place[..., None] / 2)
    top[0, 0, 5, 0, -1] = 1e20
    aligned = {
        f"{kind}_alignment_centred": ((), rng.uniform(0, 1, shape)) for kind in ("tangent", "representation")
    }
    groups = {
        "outcomes": xr.Dataset(
            {
                "status": (axes, status, ONE),
                "criterion_update": (axes, np.where(status == 0, 900, -1), ONE),
                "final_score": (axes, np.where(there, rng.uniform(0, 1, shape), np.nan), ONE),
            },
            coordinates,
        ),
        "measures/dimensionality": measured(
            participation_ratio=((), 2 * np.exp(0.4 * rng.standard_normal(shape)))
        ),
        "measures/sharpness": measured(eigenvalue=(("mode",), top)),
        "measures/weight_change": measured(relative_change=(("checkpoint",), change)),
        "measures/kernel_alignment": measured(**aligned),
    }
    if num_run == len(tasks):
        groups["distances"] = _distances(rng, tasks, num_seeds, there[:, 0, :, 0].reshape(len(tasks), -1))
    return {f"/{name}": xr.Dataset()} | {f"/{name}/{path}": data for path, data in groups.items()}


def _distances(rng: np.random.Generator, tasks: list[str], num_seeds: int, there: np.ndarray) -> xr.Dataset:
    """Angles of points of a space, at which arms lie farther and farther from BPTT; NaN without a run."""
    arm = np.repeat(np.arange(len(ARMS)), num_seeds)
    points = rng.standard_normal((len(tasks), len(arm), 6)) + 0.4 * arm[:, None]
    angle = np.arctan(np.linalg.norm(points[:, :, None] - points[:, None], axis=-1) / 6)
    angle = np.where(there[:, :, None] & there[:, None], angle, np.nan)
    label = _named("label", ARMS)[2]
    return xr.Dataset(
        {
            "shape_distance": (("task", "run", "other_run"), angle, {"units": "rad"}),
            "label": ("run", arm, label),
            "replicate": ("run", np.tile(np.arange(num_seeds), len(ARMS)), ONE),
        },
        {
            "task": _named("task", tasks),
            "run": _plain("run", np.arange(len(arm))),
            "other_run": _plain("other_run", np.arange(len(arm))),
        },
    )
