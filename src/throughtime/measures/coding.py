"""Measures of what activity in held-out trials tells about the task, the circuit's noise on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from throughtime import analysis
from throughtime.measures.base import BySeed

if TYPE_CHECKING:
    from throughtime.measures.material import Material

FEWEST_CONDITIONS = 2


@dataclass(frozen=True)
class Decode(BySeed):
    """Accuracy of decoders of a condition, trained at one time of an epoch and tested at another.

    Attributes:
        by: the condition; by default the first with 2 to 12 levels.
        epoch: the longest but the whole trial by default; its shortest duration is the window.
        num_times: times, evenly over the window.
        num_shuffles: of the labels, for the null.
    """

    by: str | None = None
    epoch: str | None = None
    num_times: int = 12
    num_shuffles: int = 20

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.decode`."""
        (name,) = material.discrete((self.by,) if self.by else (), most=1)
        rates = material.aligned(seed, self.epoch, num_times=self.num_times)
        found = analysis.decode(
            rates, material.condition(name).sel(seed=seed), num_shuffles=self.num_shuffles
        )
        return found.assign_attrs(by=name)


@dataclass(frozen=True)
class TDR(BySeed):
    """Axes of task variables in the space of units, by targeted dimensionality reduction.

    Attributes:
        by: conditions, in the order in which their axes are made orthogonal; by default the first two with 2
            to 12 levels.
        epoch: the longest but the whole trial by default; its shortest duration is the window.
        num_times: times, evenly over the window.
    """

    by: tuple[str, ...] = ()
    epoch: str | None = None
    num_times: int = 20

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.tdr`."""
        names = material.discrete(self.by)
        rates = material.aligned(seed, self.epoch, num_times=self.num_times)
        return analysis.tdr(rates, {name: material.condition(name).sel(seed=seed) for name in names})


@dataclass(frozen=True)
class DPCA(BySeed):
    """Components of activity demixed by conditions and time.

    Attributes:
        by: conditions, all combinations of which occur; by default the first with 2 to 12 levels.
        epoch: the longest but the whole trial by default; its shortest duration is the window.
        num_times: times, evenly over the window.
    """

    by: tuple[str, ...] = ()
    epoch: str | None = None
    num_times: int = 20

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.dpca`."""
        names = material.discrete(self.by, most=1)
        rates = material.aligned(seed, self.epoch, num_times=self.num_times)
        return analysis.dpca(rates, {name: material.condition(name).sel(seed=seed) for name in names})


@dataclass(frozen=True)
class Sequentiality(BySeed):
    """Whether units are active one after the other in an epoch, on average over trials.

    Attributes:
        epoch: the longest but the whole trial by default; its shortest duration is the window.
        num_bins: see the analysis; at most one a bin of the task.
    """

    epoch: str | None = None
    num_bins: int = 20

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.sequentiality`; negative rates count from their lowest."""
        rates = material.aligned(seed, self.epoch).mean("trial").rename(lag="time")
        lowest = rates.min("time")
        count = min(self.num_bins, rates.sizes["time"])
        return analysis.sequentiality(rates - lowest.where(lowest < 0, 0.0), num_bins=count)


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
            rates, onset, lag, condition=group, num_conditions=self.num_groups, until=onset + duration
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


@dataclass(frozen=True)
class TaskVariance(BySeed):
    """Variance of units in each task of a mixture, their clusters, and contrasts between tasks.

    Attributes:
        by: condition that names the tasks.
    """

    by: str = "task"

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.task_variance`."""
        which = material.condition(self.by).sel(seed=seed)
        rates = material.rates_within().sel(seed=seed).astype(float)
        names = _names(which)
        each = {name: rates.isel(trial=np.flatnonzero(which.values == code)) for code, name in names.items()}
        each = {name: one.rename(trial="condition") for name, one in each.items() if one.sizes["trial"] > 1}
        if len(each) < FEWEST_CONDITIONS:
            raise ValueError(f"by: {self.by!r} has {len(each)} tasks; task variance compares several.")
        valid = {name: one.isel(unit=0, drop=True).notnull() for name, one in each.items()}
        return analysis.task_variance({name: one.fillna(0.0) for name, one in each.items()}, valid=valid)


def _names(which: xr.DataArray) -> dict[int, str]:
    codes = np.unique(which.values)
    meanings = str(which.attrs.get("flag_meanings", "")).split()
    table = dict(zip(np.atleast_1d(which.attrs.get("flag_values", [])).tolist(), meanings, strict=False))
    return {int(code): table.get(int(code), f"{int(code)}") for code in codes}
