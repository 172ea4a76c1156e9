"""Flip-flop: the sign of the last pulse on every channel is held until the next one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax
import jax.numpy as jnp

from throughtime.tasks.base import Plan
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature
from throughtime.tasks.slotted import Slotted

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

RIGHT_SHARE = 0.99
"""Least share of a correct trial in which all bits are right."""


@dataclass(frozen=True, kw_only=True)
class FlipFlop(Slotted):
    """Pulses come on several channels; each output tells the sign of the last pulse on its channel.

    In every slot each bit gets a pulse with ``pulse_probability``, positive or negative with equal
    probability, independently; in the first slot every bit does. A pulse that comes while the one before
    lasts replaces it. A circuit that holds what it was told has a stable state for every pattern of bits.

    Epoch: longest_hold, the longest time in the trial over which a bit had to be held: from a pulse to the
    end of the slot before the next one on its channel (of equally long ones the first to end).

    Inputs: ``pulse_0``, ``pulse_1``, …, ±1 during a pulse. Outputs: ``bit_0``, ``bit_1``, …, the targets
    ±1, or 0 and 1 (see ``levels``). Conditions: ``flips`` (how often targets changed, all bits together),
    ``hold_interval`` (duration of longest_hold, ms), ``held_bit`` (whose it was).

    A bit is right where its output is on the same side of the middle of the two levels as its target. Score:
    ``bit_accuracy``, fraction of samples and bits; ``mse``, mean squared error; ``correct`` if all bits are
    right on at least 99 % of the samples; ``held``, whether the bit held longest was right at the end of
    longest_hold. Samples without loss do not count, but for ``held``. Criterion: mean mse at most 1e-4.
    Signature: ``held`` against ``hold_interval``, accuracy against the time since the last pulse.

    Attributes:
        bits: number of channels.
        length: slots of a trial.
        pulse_probability: that a bit gets a pulse, in each slot.
        pulse_slots: how long a pulse lasts, slots.
        levels: ``"signed"``: targets ±1; ``"binary"``: 0 and 1.
        quiet: slots at the start without pulses, in which all bits are off (−1 or 0); 0: every bit gets a
            pulse in the first slot.
        blind: slots from the start and from every flip on in which that bit bears no loss.

    Sources: Sussillo and Barak (2013) Neural Computation 25:626. Golub and Sussillo (2018) Journal of Open
    Source Software 3:1003. Versteeg et al. (2025) Computation-through-Dynamics Benchmark (:meth:`ctdb`).

    Example:
        >>> task = FlipFlop(bits=2, length=20)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> trial.inputs.shape, task.output_names
        ((20, 2), ('bit_0', 'bit_1'))
        >>> told = trial.inputs != 0
        >>> bool((trial.targets[told] == trial.inputs[told]).all())
        True
    """

    bits: int = 3
    length: int = 64
    pulse_probability: float = 0.5
    pulse_slots: int = 1
    levels: str = "signed"
    quiet: int = 0
    blind: int = 0

    variants: ClassVar[tuple[str, ...]] = ("ctdb", "sparse")
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", "longest_hold")
    condition_names: ClassVar[tuple[str, ...]] = ("flips", "hold_interval", "held_bit")
    reference: ClassVar[str] = (
        "Sussillo & Barak (2013) Neural Computation 25:626; length and probability as in the public code of "
        "Golub & Sussillo (2018) J Open Source Softw 3:1003. Departures: a step is a slot of 20 ms; correct "
        "trials, criterion and the longest hold are ours."
    )

    @classmethod
    def ctdb(cls, **fields: Any) -> Self:
        """The benchmark's, as in its public code: 500 slots, rare pulses, noise, targets 0 and 1.

        A pulse of either sign has a probability of 0.01 and noise an SD of 0.15 per step of 20 ms. There the
        first five slots bear no loss, and the four after the slot of a flip, which does; here the four from
        the start and from the flip on.
        """
        published: dict[str, Any] = {
            "length": 500, "pulse_probability": 0.02, "noise": 0.15 / math.sqrt(10), "levels": "binary",
            "quiet": 3, "blind": 4,
        }  # fmt: skip
        return cls(**published | fields)

    @classmethod
    def sparse(cls, **fields: Any) -> Self:
        """100 slots with pulses of 10 slots and a mean of 6 flips, all bits together; settings are ours."""
        settings: dict[str, Any] = {"length": 100, "pulse_slots": 10, "pulse_probability": 4 / 99}
        return cls(**settings | fields)

    def check(self) -> None:
        """Refuse trials without bits or pulses, and bins that mix two slots."""
        super().check()
        for name in ("bits", "length", "pulse_slots"):
            if getattr(self, name) < 1:
                self.refuse(name, "there is nothing to hold; use at least 1")
        self.refuse_unless_probability("pulse_probability")
        self.refuse_unless_in("levels", ("signed", "binary"))
        if not 0 <= self.quiet < self.length:
            self.refuse("quiet", f"no slot is left for a pulse; use 0 to {self.length - 1}")
        if not 0 <= self.blind < self.length:
            self.refuse("blind", f"no slot is left for the loss; use 0 to {self.length - 1}")
        bins = self.slot / self.dt
        if not math.isclose(bins, round(bins), rel_tol=1e-9):
            self.refuse(
                "dt",
                f"a bin would mix two slots of {self.slot:g} ms; use a dt that divides a slot, such as "
                f"{self.slot:g} / {math.ceil(bins)}",
            )

    @property
    def num_slots(self) -> int:
        """All of the trial."""
        return self.length

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        return tuple(f"pulse_{index}" for index in range(self.bits))

    @property
    def output_names(self) -> tuple[str, ...]:
        """Names of the outputs."""
        return tuple(f"bit_{index}" for index in range(self.bits))

    @property
    def silent_score(self) -> float:
        """Signed, zero is no sign; of 0 and 1, about the probability that no bit is ever switched on."""
        if self.levels == "signed":
            return 0.0
        chances = self.bits * math.floor(RIGHT_SHARE * (self.length - max(self.quiet, self.blind)))
        first = 1.0 if self.quiet else 0.5**self.bits
        return float(first * (1 - self.pulse_probability / 2) ** chances)

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """A mean squared error of 1e-4."""
        return (Criterion("mse", at_most=1e-4),)

    @property
    def signature(self) -> Signature:
        """Accuracy against the time since the last pulse."""
        return Signature("accuracy", (("level", "hold_interval"), ("correct", "held")), ("overall", "worst"))

    @property
    def hardest(self) -> Hardest:
        """How rare the pulses are, and so how long bits are held."""
        return Hardest("pulse_probability", (0.5, 0.2, 0.1, 0.05), "1")

    @property
    def _middle(self) -> float:
        """Between the two levels."""
        return 0.0 if self.levels == "signed" else 0.5

    def plan(self, draw: Draw) -> Plan:
        """Pulses of one trial, and what they leave behind."""
        shape, slots = (self.length, self.bits), jnp.arange(self.length)[:, None]
        uniform, p = draw.uniform("pulses", shape), self.pulse_probability
        positive = (uniform < p / 2) | (
            uniform >= (1 + p) / 2
        )  # half of those with a pulse, and of the others
        pulsed = uniform < p
        pulsed = (pulsed | (slots == 0)) if self.quiet == 0 else (pulsed & (slots >= self.quiet))
        # Slot and sign of the last pulse in one number that grows: a running maximum finds both.
        last = jax.lax.cummax(jnp.where(pulsed, 2 * (slots + 1) + positive, 0))
        on = last % 2
        flipped = jnp.concatenate([jnp.zeros((1, self.bits), bool), on[1:] != on[:-1]])
        age = slots - jnp.maximum(last // 2 - 1, 0)  # slots since the last pulse, or since the start
        lasting = (last > 0) & (age < self.pulse_slots)

        held = jnp.argmax(age)  # over slots and bits
        end, bit = held // self.bits + 1, held % self.bits
        hold = (age.max() + 1) * self.slot
        trial_end = self.onset(self.length)
        weight = jnp.ones(shape)
        if self.blind:
            flip = jax.lax.cummax(jnp.where(flipped, slots, 0))
            weight = (slots - flip >= self.blind).astype(jnp.float32)
        targets = (2 * on - 1 if self.levels == "signed" else on).astype(jnp.float32)
        return Plan(
            self._held(jnp.where(lasting, 2 * on - 1, 0).astype(jnp.float32)),
            self._held(targets),
            self._held(weight),
            {"trial": (self.onset(0), trial_end), "longest_hold": (end * self.slot - hold, end * self.slot)},
            {"flips": flipped.sum(), "hold_interval": hold, "held_bit": bit},
        )

    def _held(self, values: Array) -> Array:
        """``values`` (slot, bit) in every bin of their slots; no bin is in two, see :meth:`check`."""
        return jnp.repeat(values, round(self.slot / self.dt), axis=0)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and an mse of NaN, when a valid output is not finite."""
        outputs = jnp.asarray(outputs)
        finite = jnp.all(jnp.isfinite(outputs) | ~trial.valid[:, None])
        right = (outputs - self._middle) * (trial.targets - self._middle) > 0
        weight = trial.mask
        wrong = jnp.any(~right & (weight > 0), axis=1)
        counted = jnp.any(weight > 0, axis=1)
        share = (counted & ~wrong).sum() / counted.sum()
        squares = jnp.where(weight > 0, weight * (outputs - trial.targets) ** 2, 0).sum() / weight.sum()
        end = trial.epochs["longest_hold"][1]
        asked = self.timeline.box(end - self.slot, end)[:, None] > 0.5
        asked = asked & (jnp.arange(self.bits) == trial.conditions["held_bit"])
        return {
            "correct": finite & (share >= RIGHT_SHARE),
            "bit_accuracy": jnp.where(weight > 0, weight * (right & finite), 0).sum() / weight.sum(),
            "mse": jnp.where(finite, squares, jnp.nan),
            "held": finite & jnp.all(right | ~asked),
        }
