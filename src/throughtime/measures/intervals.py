"""Measures of how activity goes along with the time that passes in an interval, the circuit's noise on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from throughtime import analysis
from throughtime.measures.base import BySeed

if TYPE_CHECKING:
    from throughtime.measures.material import Material


@dataclass(frozen=True)
class ScalingIndex(BySeed):
    """Whether trajectories over an interval are one shape stretched in time, by the duration of the interval.

    Attributes:
        duration: condition or score, ms, such as ``produced_interval``, which it is by default.
        epoch: where the interval begins; by default the epoch that ends the timing of the task.
        num_groups: groups of equal size by duration.
    """

    duration: str = "produced_interval"
    epoch: str = "set"
    num_groups: int = 5

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.scaling_index`."""
        rates, onset, duration, group, _ = intervals(material, seed, self)
        return analysis.scaling_index(rates, onset, duration, condition=group)


@dataclass(frozen=True)
class Kinematics(BySeed):
    """Relative speed and distance of trajectories over intervals of different duration.

    Attributes:
        duration, epoch, num_groups: as for :class:`ScalingIndex`.
    """

    duration: str = "produced_interval"
    epoch: str = "set"
    num_groups: int = 5

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.kinematics`."""
        rates, onset, duration, group, centre = intervals(material, seed, self)
        lag = np.arange(0.0, float(duration.max()), float(material.run.task.dt))
        course = analysis.align(
            rates, onset, lag, condition=group, num_conditions=centre.size, until=onset + duration
        )
        found = analysis.kinematics(course)
        words = {"units": "ms", "long_name": "duration"}
        return found.assign(group_duration=("condition", centre.values, words))


def intervals(
    material: Material, seed: int, wish: ScalingIndex | Kinematics
) -> tuple[xr.DataArray, xr.DataArray, xr.DataArray, xr.DataArray, xr.DataArray]:
    """Rates of one seed, and by trial where the interval begins, how long it is, and its group and mean."""
    duration = material.condition(wish.duration).sel(seed=seed)
    onset = material.epoch(wish.epoch)[1].sel(seed=seed)
    group, centre = analysis.levels(duration, num_bins=wish.num_groups)
    rates = material.trials["rates"].sel(seed=seed).astype(float)
    return rates, onset, duration, group.where(np.isfinite(duration), -1), centre
