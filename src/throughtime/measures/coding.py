"""Measures of what activity in held-out trials tells about the task, the circuit's noise on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from throughtime import analysis
from throughtime.analysis._by_trial import per_trial
from throughtime.analysis.arrays.geometry import NUM_FOLDS
from throughtime.measures.base import BySeed
from throughtime.results import labels

if TYPE_CHECKING:
    from throughtime.measures.material import Material

FEWEST_CONDITIONS = 2


@dataclass(frozen=True)
class Decode(BySeed):
    """Accuracy of decoders of a condition, trained at one time of an epoch and tested at another.

    Attributes:
        by: the condition; by default the first that varies, but catch trials. With more than 12 levels it
            comes in 5 groups.
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
        names = material.conditions((self.by,) if self.by else (), most=1)
        material.sorted_trials(names, seed)
        rates = material.aligned(seed, self.epoch, num_times=self.num_times)
        [label] = by_name(material, seed, names).values()
        found = analysis.decode(rates, label, num_shuffles=self.num_shuffles)
        return found.assign_attrs(by=names[0])


@dataclass(frozen=True)
class TDR(BySeed):
    """Axes of task variables in the space of units, by targeted dimensionality reduction.

    Attributes:
        by: conditions, in the order in which their axes are made orthogonal; by default the first two that
            occur in all combinations, or the first. They are regressed on as they are, and averages are over
            groups where one has more than 12 levels.
        epoch: the longest but the whole trial by default; its shortest duration is the window.
        num_times: times, evenly over the window.
    """

    by: tuple[str, ...] = ()
    epoch: str | None = None
    num_times: int = 20

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.tdr`."""
        names = material.one_or_two(self.by)
        code = material.sorted_trials(names, seed)
        rates = material.aligned(seed, self.epoch, num_times=self.num_times)
        variables = {name: material.condition(name).sel(seed=seed) for name in names}
        return analysis.tdr(rates, variables, condition=code).assign_attrs(by=" ".join(names))


@dataclass(frozen=True)
class DPCA(BySeed):
    """Components of activity demixed by conditions and time.

    Attributes:
        by: conditions, all combinations of which occur; by default the first that varies, but catch trials.
            With more than 12 levels it comes in 5 groups.
        epoch: the longest but the whole trial by default; its shortest duration is the window.
        num_times: times, evenly over the window.
    """

    by: tuple[str, ...] = ()
    epoch: str | None = None
    num_times: int = 20

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.dpca`."""
        names = material.conditions(self.by, most=1)
        material.sorted_trials(names, seed)
        rates = material.aligned(seed, self.epoch, num_times=self.num_times)
        found = analysis.dpca(rates, by_name(material, seed, names))
        return found.assign_attrs(by=" ".join(names))


def by_name(material: Material, seed: int, names: tuple[str, ...]) -> dict[str, xr.DataArray]:
    """Conditions (trial,) of one seed, in groups where they have many levels."""
    return {name: material.grouped(name).sel(seed=seed, drop=True) for name in names}


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
class Selectivity(BySeed):
    """Which units tell two conditions, one by one or mixed, by the rates at the end of an epoch.

    Of each combination of the conditions the same number of trials is drawn.

    Attributes:
        by: the two conditions; by default the first that occur in all combinations. With more than 12 levels
            they come in 5 groups.
        epoch: the longest but the whole trial by default.
        alpha: see the analysis.
    """

    by: tuple[str, ...] = ()
    epoch: str | None = None
    alpha: float = 0.01

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.selectivity`."""
        names = material.crossed(self.by)
        rates, factors, _ = balanced(material, seed, names, self.epoch, fewest=2)
        return analysis.selectivity(rates, factors, alpha=self.alpha).assign_attrs(by=" ".join(names))


@dataclass(frozen=True)
class Geometry(BySeed):
    """Shattering, cross-condition generalisation and parallelism of the rates at the end of an epoch.

    Of each combination of the conditions the same number of trials is drawn; the combinations are the
    conditions of the analysis.

    Attributes:
        by: conditions with two levels each; by default the first two that occur in all combinations.
        epoch: the longest but the whole trial by default.
        num_shuffles: for the nulls; 0 for none.
    """

    by: tuple[str, ...] = ()
    epoch: str | None = None
    num_shuffles: int = 10

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.geometry`."""
        names = material.crossed(self.by, most_levels=2)
        rates, variables, code = balanced(material, seed, names, self.epoch, fewest=NUM_FOLDS)
        found = analysis.geometry(rates, variables, condition=code, num_shuffles=self.num_shuffles)
        return found.assign_attrs(by=" ".join(names))


def balanced(
    material: Material, seed: int, names: tuple[str, ...], epoch: str | None, *, fewest: int
) -> tuple[xr.DataArray, dict[str, xr.DataArray], xr.DataArray]:
    """Rates (trial, unit) at the end of an epoch in as many trials of each combination of conditions.

    Returns:
        the rates; the conditions by name; and the number of the combination, (trial,) each.

    Raises:
        ValueError: where a combination has fewer than ``fewest`` trials.
    """
    code = material.sorted_trials(names, seed, fewest=fewest)
    rates = per_trial(material.at_end(epoch, noise=True).sel(seed=seed, drop=True)).astype(float)
    place = ("trial", np.arange(rates.sizes["trial"]))
    drawn = analysis.equal_trials(rates.assign_coords(trial=place), code, random_seed=0)["trial"].values
    chosen = {name: values.isel(trial=drawn) for name, values in by_name(material, seed, names).items()}
    return rates.isel(trial=drawn), chosen, code.isel(trial=drawn)


@dataclass(frozen=True)
class TaskVariance(BySeed):
    """Variance of units in each task of a mixture, clusters of units, and contrasts, without noise.

    Attributes:
        by: condition that names the tasks.
        without: epoch that takes no part, where the task has it.
        num_trials: trials of all tasks together, if the other measures have fewer.
    """

    by: str = "task"
    without: str = "fixation"
    num_trials: int = 320

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.task_variance`."""
        material.condition(self.by)
        material = material.with_trials(self.num_trials)
        material.sorted_trials((self.by,), seed, fewest=FEWEST_CONDITIONS)
        which = material.condition(self.by).sel(seed=seed)
        rates = material.rates_within()
        if self.without in labels(material.trials["epoch"]):
            rates = rates.where(~material.within(self.without))
        rates = rates.sel(seed=seed).astype(float)
        each = {
            name: rates.isel(trial=np.flatnonzero(which.values == code)).rename(trial="condition")
            for code, name in _names(which).items()
        }
        return analysis.task_variance(each)


def _names(which: xr.DataArray) -> dict[int, str]:
    codes = np.unique(which.values)
    meanings = str(which.attrs.get("flag_meanings", "")).split()
    table = dict(zip(np.atleast_1d(which.attrs.get("flag_values", [])).tolist(), meanings, strict=False))
    return {int(code): table.get(int(code), f"{int(code)}") for code in codes}
