"""Rules of delayed estimation: what is shown and asked for; reports of orientations, and a sine."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import jax.numpy as jnp
import numpy as np

from throughtime.tasks import durations
from throughtime.tasks.poisson_code import (
    GUESS,
    half_angle,
    resultant,
)
from throughtime.tasks.tuning import von_mises

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.base import Epochs
    from throughtime.tasks.delayed_estimation import DelayedEstimation
    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

NO_DIRECTION = 1e-3
"""Length of a report (cos 2θ, sin 2θ) below which it has no direction."""
SINE_TOLERANCE = 0.1
"""Mean absolute error of a correct sine, in units of the mean of the target."""


class Drawn(NamedTuple):
    """Inputs (input,) during epochs, targets (time, output) and conditions of one trial."""

    inputs: dict[str, Array]
    targets: Array
    conditions: dict[str, Array]


class Rule(ABC):
    """What is shown, asked for and scored.

    Attributes:
        locations: fewest and most locations with stimuli; (0, 0) without any.
        reach: the preferred positions span ±``reach``; 0 for orientations.
        silent: expected fraction correct of all-zero outputs.
    """

    locations: ClassVar[tuple[int, float]] = (1, 1)
    reach: ClassVar[float] = 0.0
    silent: ClassVar[float] = 0.0

    def inputs(self, task: DelayedEstimation) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(
            f"stimulus{which[1:]}_{unit:02d}" for which in suffixes(task) for unit in range(task.num_units)
        )

    @abstractmethod
    def outputs(self, task: DelayedEstimation) -> tuple[str, ...]:
        """Names of the outputs."""

    @abstractmethod
    def conditions(self, task: DelayedEstimation) -> tuple[str, ...]:
        """Names of the conditions but the delay."""

    @abstractmethod
    def draw(self, task: DelayedEstimation, draw: Draw, epochs: Epochs) -> Drawn:
        """One trial."""

    @abstractmethod
    def judge(
        self, task: DelayedEstimation, outputs: Array, decision: Array, trial: Trial
    ) -> dict[str, Array]:
        """``correct``, ``excess``, ``reference`` and what else is scored, from finite outputs."""


class Estimate(Rule):
    """Report every orientation."""

    locations = (1, np.inf)

    def outputs(self, task: DelayedEstimation) -> tuple[str, ...]:
        """Cosine and sine of each doubled angle."""
        return tuple(f"{part}{which}" for which in suffixes(task) for part in ("cos", "sin"))

    def conditions(self, task: DelayedEstimation) -> tuple[str, ...]:
        """Orientation and sufficient statistic of every location."""
        kinds = ("angle", "statistic_cos", "statistic_sin")
        return tuple(f"{kind}{which}" for which in suffixes(task) for kind in kinds)

    def draw(self, task: DelayedEstimation, draw: Draw, epochs: Epochs) -> Drawn:
        """Orientations and their spikes."""
        angle = orientations(task, draw)
        counts, shares = spikes(task, draw, epochs, "stimulus", orientation_tuning(task, angle))
        known = jnp.stack([angle, *resultant(counts).T], axis=1)
        conditions = dict(zip(Estimate.conditions(self, task), known.reshape(-1), strict=True))
        targets = jnp.stack([jnp.cos(2 * angle), jnp.sin(2 * angle)], axis=1).reshape(-1)
        return Drawn({"stimulus": shares}, held(task, epochs, targets), conditions)

    def judge(
        self, task: DelayedEstimation, outputs: Array, decision: Array, trial: Trial
    ) -> dict[str, Array]:
        """Angular errors of the report and of the Bayes read-out."""
        del outputs
        names = suffixes(task)
        found = [
            self._errors(task, trial, report, n)
            for n, report in zip(names, decision.reshape(-1, 2), strict=True)
        ]
        scores = {
            f"{kind}{which}": error
            for which, errors in zip(names, found, strict=True)
            for kind, error in zip(("angular_error", "optimal_error"), errors, strict=True)
        }
        return scores | _lost(task, *(jnp.stack(errors) for errors in zip(*found, strict=True)))

    def _errors(
        self, task: DelayedEstimation, trial: Trial, report: Array, which: str
    ) -> tuple[Array, Array]:
        angle, *statistic = (
            trial.conditions[f"{kind}{which}"] for kind in ("angle", "statistic_cos", "statistic_sin")
        )
        return _error(report, angle, NO_DIRECTION), _error(jnp.stack(statistic), angle, 0.0)


class Gated(Estimate):
    """Report the orientation at the location that a cue names in the response."""

    locations = (2, np.inf)

    def inputs(self, task: DelayedEstimation) -> tuple[str, ...]:
        """A cue for every location after the units."""
        return (*super().inputs(task), *(f"cue{which}" for which in suffixes(task)))

    def outputs(self, task: DelayedEstimation) -> tuple[str, ...]:
        """Cosine and sine of one doubled angle."""
        del task
        return ("cos", "sin")

    def conditions(self, task: DelayedEstimation) -> tuple[str, ...]:
        """The cue as well; locations count from 1."""
        return (*super().conditions(task), "cue")

    def draw(self, task: DelayedEstimation, draw: Draw, epochs: Epochs) -> Drawn:
        """Orientations, and a cue in the response."""
        shown = super().draw(task, draw, epochs)
        cued = jnp.arange(task.num_shown) == draw.index("cue", task.num_shown)
        units = jnp.pad(shown.inputs["stimulus"], (0, task.num_shown))
        cue = jnp.pad(cued.astype(jnp.float32), (task.num_shown * task.num_units, 0))
        reports = shown.targets.reshape(len(shown.targets), task.num_shown, 2)
        targets = jnp.where(cued[:, None], reports, 0.0).sum(1)
        conditions = {**shown.conditions, "cue": (jnp.argmax(cued) + 1).astype(jnp.int32)}
        return Drawn({"stimulus": units, "response": cue}, targets, conditions)

    def judge(
        self, task: DelayedEstimation, outputs: Array, decision: Array, trial: Trial
    ) -> dict[str, Array]:
        """Angular errors at the cued location."""
        del outputs
        errors = [self._errors(task, trial, decision, which) for which in suffixes(task)]
        error, best = (jnp.stack(each) for each in zip(*errors, strict=True))
        cued = trial.conditions["cue"] - 1
        error, best = error[cued], best[cued]
        return {"angular_error": error, "optimal_error": best} | _lost(task, error[None], best[None])


class Sine(Rule):
    """Produce a part of a sine in the response; nothing is shown."""

    locations = (0, 0)

    def inputs(self, task: DelayedEstimation) -> tuple[str, ...]:
        """A channel that is on during the delay."""
        del task
        return ("delay",)

    def outputs(self, task: DelayedEstimation) -> tuple[str, ...]:
        """The sine."""
        del task
        return ("sine",)

    def conditions(self, task: DelayedEstimation) -> tuple[str, ...]:
        """No other."""
        del task
        return ()

    def draw(self, task: DelayedEstimation, draw: Draw, epochs: Epochs) -> Drawn:
        """Bin averages of sin ωt with t since the go; ω is ``half_cycles``·π in a response."""
        del draw
        line, (go, end) = task.timeline, epochs["response"]
        rate = np.float32(np.pi * task.half_cycles) / (end - go)
        start, stop = (rate * jnp.maximum(edges - go, 0.0) for edges in (line.starts, line.ends))
        targets = (jnp.cos(start) - jnp.cos(stop)) / (rate * task.dt)
        return Drawn({"delay": jnp.ones(1, jnp.float32)}, targets[:, None], {})

    def judge(
        self, task: DelayedEstimation, outputs: Array, decision: Array, trial: Trial
    ) -> dict[str, Array]:
        """Mean absolute error and mean absolute target in the response."""
        del task, decision
        weight, target = trial.mask[:, 0], trial.targets[:, 0]
        error = jnp.where(weight > 0, jnp.abs(outputs[:, 0] - target) * weight, 0).sum() / weight.sum()
        reference = (jnp.abs(target) * weight).sum() / weight.sum()
        return {"correct": error <= SINE_TOLERANCE * reference, "excess": error, "reference": reference}


def suffixes(task: DelayedEstimation) -> tuple[str, ...]:
    """What names of locations end in; nothing if there is only one."""
    return tuple(f"_{place + 1}" for place in range(task.num_shown)) if task.num_shown > 1 else ("",)


def orientations(task: DelayedEstimation, draw: Draw) -> Array:
    """Orientations (location,) in [0, π)."""
    return np.float32(np.pi) * draw.uniform("angle", (task.num_shown,))


def orientation_tuning(task: DelayedEstimation, angle: Array) -> Array:
    """Tuning (location, unit), 1 at the preferred orientation."""
    return von_mises(2 * angle[:, None], task.num_units, task.concentration, 1.0)


def expected(task: DelayedEstimation, epochs: Epochs, epoch: str) -> Array:
    """Expected spikes of a unit at its peak."""
    onset, offset = epochs[epoch]
    return np.float32(task.gain / 1000) * (offset - onset)


def spikes(
    task: DelayedEstimation, draw: Draw, epochs: Epochs, epoch: str, tuning: Array
) -> tuple[Array, Array]:
    """Counts (location, unit) of an epoch, and inputs (location · unit,) during it."""
    peak = expected(task, epochs, epoch)
    largest = task.gain / 1000 * durations.bounds(getattr(task, epoch))[1]
    counts = draw.counts(f"spikes_{epoch}", peak * tuning, largest)
    return counts, (counts / peak).reshape(-1)


def held(task: DelayedEstimation, epochs: Epochs, targets: Array) -> Array:
    """``targets`` (output,) in the response and 0 before."""
    return task.timeline.box(epochs["response"][0])[:, None] * targets


def _error(report: Array, angle: Array, shortest: float) -> Array:
    """Angular error of a report (cos 2θ, sin 2θ), NaN if it has no direction."""
    directed = jnp.hypot(report[0], report[1]) > shortest
    doubled = jnp.arctan2(report[1], jnp.where(directed, report[0], 1.0))
    return jnp.where(directed, half_angle(doubled - 2 * angle), jnp.nan)


def _lost(task: DelayedEstimation, error: Array, best: Array) -> dict[str, Array]:
    """Scores from the errors (location,) of a subject and of the Bayes read-out; no direction is a guess."""
    correct = jnp.all(jnp.abs(error) < task.tolerance)
    mean, at_best = (jnp.nan_to_num(jnp.abs(each), nan=GUESS).mean() for each in (error, best))
    return {"correct": correct, "excess": mean - at_best, "reference": at_best}
