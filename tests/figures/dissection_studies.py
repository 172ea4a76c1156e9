"""A record of circuits taken apart that were never trained."""

from __future__ import annotations

from itertools import product

import numpy as np
import xarray as xr

from throughtime.results.flags import flag_attributes

ONE = {"units": "1", "long_name": "made up"}
KIND = {**ONE, **flag_attributes(["fixed", "slow", "absent"])}


def coordinates(data: xr.Dataset, **values: np.ndarray) -> xr.Dataset:
    """``data`` with a coordinate for each dim."""
    for dim, size in data.sizes.items():
        units = "ms" if dim in ("lag", "time_train", "time_test") else "1"
        found = values.get(str(dim), np.arange(size))
        data = data.assign_coords({dim: (dim, found, {"units": units, "long_name": str(dim)})})
    return data


def cube(num_seeds: int, rng: np.random.Generator) -> xr.Dataset:
    """Points of a cube and of its edges, faces and middle; the last circuit lacks one."""
    points = np.array(list(product((-1.0, 0.0, 1.0), repeat=3)))
    unstable = np.tile((points == 0).sum(1), (num_seeds, 1))
    kind = np.zeros(unstable.shape, int)
    kind[-1, 0], unstable[-1, 0] = -1, -1
    directions = np.full((27, 2, 3), np.nan)
    for k, point in enumerate(points):
        for row, axis in enumerate(np.flatnonzero(point == 0)[:2]):
            directions[k, row] = np.eye(3)[axis]
    shape = ("seed", "fixed_point")
    return coordinates(
        xr.Dataset(
            {
                "kind": (shape, kind, KIND),
                "n_unstable": (shape, unstable, ONE),
                "period2": (shape, 0 * kind, ONE),
                "n_starts": (shape, 10 + 0 * kind, ONE),
                "num_unclassified": ("seed", np.zeros(num_seeds, int), ONE),
                "point": ((*shape, "component"), np.tile(points, (num_seeds, 1, 1)), ONE),
                "point_direction": (
                    (*shape, "direction", "component"), np.tile(directions, (num_seeds, 1, 1, 1)), ONE,
                ),
                "trajectory": (
                    ("seed", "trial", "time", "component"),
                    rng.uniform(-1, 1, (num_seeds, 3, 20, 3)).cumsum(2) / 4, ONE,
                ),
                "explained_variance_ratio": (
                    ("seed", "component"), np.tile([0.3, 0.2, 0.1], (num_seeds, 1)), ONE,
                ),
            }
        )
    )  # fmt: skip


def learned_dynamics(num_seeds: int = 3, *ignored: int) -> xr.DataTree:
    """All four groups."""
    rng = np.random.default_rng(0)
    bits = cube(num_seeds, rng)
    evidence = np.array([-10.0, -3.0, -1.0, 1.0, 3.0, 10.0])
    fan = evidence[:, None] / 10 * np.linspace(0, 2, 40)
    selection = np.tile([[[20.0, 0.5]], [[0.8, 15.0]]], (num_seeds, 1, 1, 1))
    context = xr.Dataset(
        {
            "n_starts": (("seed", "input_condition", "fixed_point"), np.full((num_seeds, 2, 1), 9), ONE),
            "selection": (
                ("seed", "input_condition", "fixed_point", "option"),
                selection * rng.uniform(0.5, 2, (num_seeds, 1, 1, 1)), ONE,
            ),
            "input_strength": (("seed", "option"), np.full((num_seeds, 2), 6.0), ONE),
            "position": (
                ("seed", "signal", "condition", "time"),
                np.tile(np.stack([fan, 0.05 * fan]), (num_seeds, 1, 1, 1)), ONE,
            ),
            "evidence": (("seed", "condition"), np.tile(evidence, (num_seeds, 1)), ONE),
        }
    )  # fmt: skip
    produced = np.array([550.0, 700.0, 840.0, 990.0, 1170.0])
    lag = np.arange(0.0, 1200.0, 20.0)
    phase = np.where(lag[None] < produced[:, None], lag / produced[:, None], np.nan)
    course = np.stack([np.sin(2 * phase), np.cos(3 * phase) + produced[:, None] / 3000, phase], -1)
    timing = xr.Dataset(
        {
            "trajectory": (
                ("seed", "condition", "lag", "component"),
                np.tile(course, (num_seeds, 1, 1, 1)),
                ONE,
            ),
            "produced": (("seed", "condition"), np.tile(produced, (num_seeds, 1)), ONE | {"units": "ms"}),
            "relative_speed": (("seed", "condition"), np.tile(produced[2] / produced, (num_seeds, 1)), ONE),
            "population": ("seed", np.full(num_seeds, 0.9), ONE),
            "population_unwarped": ("seed", np.full(num_seeds, 0.6), ONE),
        }
    )
    angle = rng.uniform(0, 2 * np.pi, 40)
    ring = np.stack([np.cos(angle), np.sin(angle), 0 * angle], -1)
    memory = bits.isel(fixed_point=[0, 3, 13]).drop_vars(["trajectory", *bits.coords])
    memory["trajectory"] = (
        ("seed", "trial", "time", "component"),
        np.tile(ring[:, None], (num_seeds, 1, 1, 1)),
        ONE,
    )
    memory["angle"] = (("seed", "trial"), np.tile(angle, (num_seeds, 1)), ONE | {"units": "rad"})
    times = np.linspace(10.0, 1590.0, 8)
    accuracy = 0.9 - np.abs(times[:, None] - times) / 2000
    memory["accuracy"] = (("seed", "time_train", "time_test"), np.tile(accuracy, (num_seeds, 1, 1)), ONE)
    memory["chance"] = ("seed", np.full(num_seeds, 0.125), ONE)
    return xr.DataTree.from_dict(
        {
            "/flip-flop": bits,
            "/contextual-integration": coordinates(context),
            "/ready-set-go": coordinates(timing, lag=lag),
            "/delayed-response": coordinates(memory, time_train=times, time_test=times),
        }
    )
