"""Ring tasks: a direction is reported by a population of output units, and fixation is held until the go."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from throughtime.tasks import durations
from throughtime.tasks.base import Epochs, Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.tuning import bump

if TYPE_CHECKING:
    from jax import Array

    from throughtime.trial import Trial

NUM_RING = 32
"""Units of a ring, with preferred angles 2πi/32."""
HIGH, LOW = 0.8, 0.05
"""Fixation output before and after the go; LOW is also the rest of the ring outputs."""
NO_CHOICE = 1e-3
"""Length of the population vector, in units of the summed outputs, below which there is no direction."""


@dataclass(frozen=True, kw_only=True)
class Ring(Task):
    """Base of ring tasks.

    Inputs and outputs begin with ``fixation``; directions are bumps 0.8·exp(−d²/2w²), w = π/8, over 32 units.
    Targets: fixation 0.8 until the go and 0.05 after; ring units 0.05, plus the bump of the target angle
    after the go. Where no response is asked for (``target_angle`` is NaN) fixation is held to the end. The
    decision is the mean output over the response epoch after ``grace``.

    Attributes:
        response: response epoch, ms.
        grace: ms after the go that count neither for the loss nor for the decision.
        settling: ms at the start of a trial that count for neither.
        response_weight: loss weight after the go, in units of that before.
        fixation_weight: loss weight of the fixation output, in units of that of a ring unit.
        tolerance: largest |angular error| of a correct trial, rad.

    Scores: ``correct``; ``choice_angle``, direction of the population vector of the decision in [0, 2π), NaN
    where it has no length; ``angular_error``, choice less target in [−π, π), NaN without a choice or where
    none is asked for; ``fixated``, mean fixation output above 0.5 until the go. A response is correct if it
    comes after fixation, lets it go (mean below 0.5) and has the right direction; where none is asked for,
    the mean fixation output has to be above 0.5 in the response as well.
    """

    response: durations.Duration = 500.0
    grace: float = 100.0
    settling: float = 0.0
    response_weight: float = 1.0
    fixation_weight: float = 1.0
    tolerance: float = 0.2 * math.pi

    def check(self) -> None:
        """Refuse epochs that leave nothing to judge before or after the go."""
        super().check()
        if self.settling < 0:
            self.refuse("settling", "a duration cannot be negative; use settling >= 0")
        responding = self.judged_after(self.grace, "a response", durations.bounds(self.response)[0])
        before = sum(
            durations.bounds(duration)[0]
            for name in self.duration_fields
            if name != "response" and (duration := getattr(self, name)) is not None
        )
        if self.settling >= before:
            self.refuse("settling", f"leaves no fixation in {before:g} ms before the go; use less")
        if self.dt > (judged := min(responding, before - self.settling)):
            self.refuse("dt", f"cannot resolve a decision of {judged:g} ms; use dt <= {judged:g}")
        for name in ("response_weight", "fixation_weight"):
            if getattr(self, name) <= 0:
                self.refuse(name, "a loss weight must be > 0")
        if not 0 < self.tolerance <= math.pi:
            self.refuse("tolerance", "an angular error lies between 0 and pi")

    @property
    def input_names(self) -> tuple[str, ...]:
        """Fixation and one ring."""
        return ("fixation", *ring_names("ring"))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Fixation and one ring."""
        return ("fixation", *ring_names("ring"))

    @property
    def silent_score(self) -> float:
        """Without output there is no fixation."""
        return 0.0

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % correct."""
        return (Criterion("correct", at_least=0.95),)

    def answer(self, epochs: Epochs, target_angle: Array) -> tuple[Array, Array]:
        """Targets and mask, each (time, output); ``target_angle`` NaN asks to hold fixation."""
        line, (go, end) = self.timeline, epochs["response"]
        asked = ~jnp.isnan(target_angle)
        responding = jnp.where(asked, line.box(go), 0.0)
        rest = np.array([HIGH, *[LOW] * NUM_RING], np.float32)
        shape = bump(jnp.where(asked, target_angle, 0.0), NUM_RING, height=HIGH)
        change = jnp.concatenate([np.array([LOW - HIGH], np.float32), shape])
        weight = line.box(self.settling, go) + self.response_weight * line.box(go + self.grace, end)
        channels = np.array([self.fixation_weight, *[1.0] * NUM_RING], np.float32)
        targets = rest + responding[:, None] * change
        return jnp.asarray(targets), weight[:, None] * channels

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct when an output on a valid sample is not finite."""
        line, outputs = self.timeline, jnp.asarray(outputs)
        go, end = trial.epochs["response"]
        target = trial.conditions["target_angle"]
        before = _mean(outputs[:, 0], line.box(self.settling, go))
        decision = _mean(outputs, line.box(go + self.grace, end)[:, None])
        ring = decision[1:]
        preferred = (2 * np.pi * np.arange(NUM_RING) / NUM_RING).astype(np.float32)
        x, y = jnp.sum(ring * np.cos(preferred)), jnp.sum(ring * np.sin(preferred))
        chosen = jnp.hypot(x, y) > NO_CHOICE * jnp.sum(jnp.abs(ring))
        angle = jnp.where(chosen, jnp.mod(jnp.arctan2(y, x), 2 * np.pi), jnp.nan)
        error = jnp.mod(angle - target + np.pi, 2 * np.pi) - np.pi
        fixated = before > 0.5
        right = (decision[0] < 0.5) & (jnp.abs(error) < self.tolerance)
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        return {
            "correct": finite & fixated & jnp.where(jnp.isnan(target), decision[0] > 0.5, right),
            "choice_angle": angle,
            "angular_error": error,
            "fixated": fixated,
        }


def ring_names(prefix: str) -> tuple[str, ...]:
    """Names of the units of a ring.

    Example:
        >>> ring_names("ring1")[7]
        'ring1_07'
    """
    return tuple(f"{prefix}_{index:02d}" for index in range(NUM_RING))


def _mean(outputs: Array, window: Array) -> Array:
    """Mean over time of outputs within a window; what lies outside does not count even if not finite."""
    return jnp.where(window > 0, outputs * window, 0).sum(0) / window.sum(0)
