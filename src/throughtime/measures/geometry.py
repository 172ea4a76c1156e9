"""Measures of the geometry of activity in held-out trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import xarray as xr

from throughtime import analysis
from throughtime.measures.base import BySeed

if TYPE_CHECKING:
    from throughtime.measures.material import Material


@dataclass(frozen=True)
class Dimensionality(BySeed):
    """Dimensions that noise-free rates fill over trials and times.

    Neighbouring times are not independent: the ratio corrected for the number of samples is meant for
    ``at_end``.

    Attributes:
        epoch: only its times; all by default.
        at_end: only the last sample of the epoch, one a trial.
    """

    epoch: str | None = None
    at_end: bool = False

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.dimensionality`."""
        if self.at_end:
            rates = material.at_end(self.epoch).sel(seed=seed)
        else:
            rates = material.rates_within(self.epoch).sel(seed=seed)
        return analysis.dimensionality(rates)

    def epoch_used(self, material: Material) -> str | None:
        """All of the trial by default, but at its end."""
        return super().epoch_used(material) if self.epoch or self.at_end else None


@dataclass(frozen=True)
class PCA(BySeed):
    """Principal components of noise-free rates over trials and times.

    Attributes:
        num_components: how many.
        epoch: only its times; all by default.
        soft_normalization: see the analysis.
    """

    num_components: int = 10
    epoch: str | None = None
    soft_normalization: float | None = None

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.pca`."""
        rates = material.rates_within(self.epoch).sel(seed=seed)
        count = min(self.num_components, rates.sizes["unit"])
        return analysis.pca(rates, num_components=count, soft_normalization=self.soft_normalization)

    def epoch_used(self, material: Material) -> str | None:
        """All of the trial by default."""
        return super().epoch_used(material) if self.epoch else None
