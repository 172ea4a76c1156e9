"""Measures of how far training took a circuit: representations and dynamics beside those before it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from throughtime import analysis
from throughtime.measures.base import BySeed

if TYPE_CHECKING:
    from throughtime.measures.material import Material


def pair(material: Material, seed: int, reference: int, num_times: int) -> tuple[xr.DataArray, xr.DataArray]:
    """Noise-free rates (trial, time, unit) of two checkpoints in the same trials, at evenly spaced times."""
    both = []
    for one in (material, material.at(reference)):
        rates = one.rates_within().sel(seed=seed).astype(float)
        times = np.unique(np.linspace(0, rates.sizes["time"] - 1, num_times).round().astype(int))
        both.append(rates.isel(time=times).transpose("trial", "time", "unit"))
    return both[0], both[1]


@dataclass(frozen=True)
class CKA(BySeed):
    """Alignment of the representation with that of another checkpoint, debiased.

    Attributes:
        reference: the other checkpoint; that before training by default.
        num_times: times of the trial that are samples.
    """

    reference: int = 0
    num_times: int = 16

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.cka`."""
        return analysis.cka(*pair(material, seed, self.reference, self.num_times))


@dataclass(frozen=True)
class ShapeDistance(BySeed):
    """Procrustes distance of the representation from that of another checkpoint.

    Attributes:
        reference, num_times: as for :class:`CKA`. alpha: see the analysis.
    """

    reference: int = 0
    num_times: int = 16
    alpha: float = 1.0

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.shape_distance`."""
        return analysis.shape_distance(
            *pair(material, seed, self.reference, self.num_times), alpha=self.alpha
        )


@dataclass(frozen=True)
class RSA(BySeed):
    """Whether conditions are alike where they were alike in another checkpoint.

    Means of noise-free rates at the end of an epoch, over the trials of each combination of conditions.

    Attributes:
        reference: the other checkpoint; that before training by default.
        by: conditions, with at least 4 combinations; by default the first two that occur in all combinations,
            or the first. With more than 12 levels they come in 5 groups.
        epoch: the longest but the whole trial by default.
        metric: see the analysis; ``euclidean`` where there are very few units.
        num_permutations: see the analysis.
    """

    reference: int = 0
    by: tuple[str, ...] = ()
    epoch: str | None = None
    metric: str = "correlation"
    num_permutations: int = 1000

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.rsa`."""
        names = material.one_or_two(self.by)
        code = material.sorted_trials(names, seed).values
        means = []
        for one in (material, material.at(self.reference)):
            rates = one.at_end(self.epoch).sel(seed=seed).astype(float).transpose("trial", "unit").values
            there = np.isfinite(rates).all(1)
            table = [rates[there & (code == number)].mean(0) for number in range(int(code.max()) + 1)]
            means.append(xr.DataArray(np.stack(table), dims=("condition", "unit")))
        found = analysis.rsa(*means, seed=0, metric=self.metric, num_permutations=self.num_permutations)
        return found.assign_attrs(by=" ".join(names))


@dataclass(frozen=True)
class DSA(BySeed):
    """Dissimilarity of the linear dynamics from that of another checkpoint.

    Attributes:
        reference: the other checkpoint; that before training by default.
        rank: principal components in which dynamics are fitted.
        n_restarts: see the analysis.
    """

    reference: int = 0
    rank: int = 5
    n_restarts: int = 20

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.dsa`."""
        x, y = pair(material, seed, self.reference, material.quiet.sizes["time"])
        return analysis.dsa(x, y, seed=0, rank=self.rank, n_restarts=self.n_restarts)
