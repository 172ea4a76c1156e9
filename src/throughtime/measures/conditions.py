"""Conditions of a run's trials, and the trials that they tell apart."""

from __future__ import annotations

import abc
import itertools
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from throughtime.analysis._by_trial import combinations, per_trial, stacked
from throughtime.analysis._levels import levels

if TYPE_CHECKING:
    from throughtime.results import Run

MAX_LEVELS, NUM_GROUPS = 12, 5
GROUPING = range(2, MAX_LEVELS + 1)


class Conditions(abc.ABC):
    """What is asked about the conditions of trials, the same for all seeds.

    Attributes:
        run: whose task has the conditions.
    """

    run: Run

    @property
    @abc.abstractmethod
    def trials(self) -> xr.Dataset:
        """Trials (seed, trial, …) with their conditions and scores."""

    def condition(self, name: str) -> xr.DataArray:
        """A condition or score (seed, trial).

        Raises:
            ValueError: if there is none of this name.
        """
        for stored in (f"{name}_condition", name):
            if stored in self.trials and self.trials[stored].dims == ("seed", "trial"):
                return self.trials[stored]
        scores = (
            str(key) for key, values in self.trials.data_vars.items() if values.dims == ("seed", "trial")
        )
        known = dict.fromkeys((*self.condition_names, *(key.removesuffix("_condition") for key in scores)))
        raise ValueError(f"condition: the task has none called {name!r}; choose of {', '.join(known)}.")

    @property
    def condition_names(self) -> tuple[str, ...]:
        """Conditions of the task."""
        return tuple(self.run.task.condition_names)

    def grouped(self, name: str) -> xr.DataArray:
        """A condition (seed, trial) by which trials can be told apart.

        One with more than 12 levels, such as an interval drawn from a range, comes in 5 groups of equal size:
        each value is the mean of its group over the trials of all seeds. Names are never put together.
        """
        values = self.condition(name)
        if self._count(values) <= MAX_LEVELS or "flag_values" in values.attrs:
            return values
        code, centre = levels(values, num_bins=NUM_GROUPS, where=values.notnull())
        means = np.append(centre.values, np.nan)[code.values]
        return values.copy(data=means)

    def conditions(self, wanted: tuple[str, ...] = (), *, most: int = 2) -> tuple[str, ...]:
        """Conditions that group the trials: those asked for, or the first that vary, but catch trials.

        What the task shows trials by comes first, then conditions with 2 to 12 levels, then those that are
        put into groups (:meth:`grouped`).

        Raises:
            ValueError: where the task has none, or none of a name that is asked for.
        """
        asked = (wanted,) if isinstance(wanted, str) else tuple(wanted)
        if asked:
            return tuple(str(self.condition(name).name).removesuffix("_condition") for name in asked)
        shown = tuple(getattr(self.run.task, "shown_by", ()) or ())
        names = [
            name
            for name in dict.fromkeys((*shown, *self.condition_names))
            if name in self.condition_names and name != "catch" and self.num_levels(name) in GROUPING
        ]
        few = [name for name in names if self._count(self.condition(name)) <= MAX_LEVELS]
        found = [*few, *(name for name in names if name not in few)]
        if not found:
            raise ValueError(
                f"by: no condition of {type(self.run.task).__name__} tells the trials apart, of "
                f"{', '.join(self.condition_names)}; name a score, or analyse a task whose trials differ."
            )
        return tuple(found[:most])

    def num_levels(self, name: str) -> int:
        """Levels, or groups, of a condition."""
        return self._count(self.grouped(name))

    @staticmethod
    def _count(values: xr.DataArray) -> int:
        return int(np.unique(values.values[np.isfinite(values.values)]).size)

    def crossed(
        self, wanted: tuple[str, ...] = (), *, count: int = 2, most_levels: int = MAX_LEVELS
    ) -> tuple[str, ...]:
        """Conditions all combinations of which occur: those asked for, or the first ``count`` such.

        Args:
            wanted: names; taken as they are. count: how many otherwise. most_levels: of each.

        Raises:
            ValueError: where the task has none.
        """
        if wanted:
            return self.conditions(wanted)
        every = self.conditions(most=len(self.condition_names) + 1)
        few = [name for name in every if self.num_levels(name) <= most_levels]
        for chosen in itertools.combinations(few, count):
            if self.combined(chosen)[1].size == np.prod([self.num_levels(name) for name in chosen]):
                return chosen
        raise ValueError(
            f"by: no {count} conditions of {type(self.run.task).__name__} with at most {most_levels} levels "
            f"occur in all combinations; name {count} of {', '.join(self.condition_names)}, or analyse a "
            "task in which they are drawn independently."
        )

    def one_or_two(self, wanted: tuple[str, ...] = ()) -> tuple[str, ...]:
        """As :meth:`crossed`; the first condition where no two occur in all combinations."""
        try:
            return self.crossed(wanted)
        except ValueError:
            return self.conditions(wanted, most=1)

    def combined(self, names: tuple[str, ...]) -> tuple[xr.DataArray, xr.DataArray]:
        """Code (seed, trial) of each combination of conditions that occurs in any seed, −1 for none.

        Returns:
            the codes; and the coordinate ``condition``, one number a combination.
        """
        design = stacked({name: self.grouped(name) for name in names})
        codes, label = combinations(design, design.notnull().all("parameter"))
        return codes, label["condition"]

    def sorted_trials(self, names: tuple[str, ...], seed: int, *, fewest: int = 1) -> xr.DataArray:
        """Code (trial,) of the combination of conditions in each trial of one seed, −1 for none.

        Raises:
            ValueError: where a combination that some seed has comes fewer than ``fewest`` times.
        """
        codes, label = self.combined(names)
        code = per_trial(codes.sel(seed=seed, drop=True)).rename("condition")
        counts = np.bincount(code.values[code.values >= 0], minlength=label.size)
        rare = int((counts < fewest).sum())
        if rare:
            raise ValueError(
                f"num_trials: {rare} of {label.size} combinations of {', '.join(names)} have fewer than "
                f"{fewest} of {code.size} trials in seed {seed}; use more trials."
            )
        return code
