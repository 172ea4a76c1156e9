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
