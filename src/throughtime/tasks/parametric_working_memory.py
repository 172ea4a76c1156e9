"""Parametric working memory: which of two vibrations, seconds apart, was faster?"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.discrimination import Discrimination
from throughtime.tasks.durations import Duration, Uniform
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from throughtime.tasks.draw import Draw


TRIALS_OF_A_PAIR = 110
"""In one order, in an evaluation of the worst pair."""


@dataclass(frozen=True, kw_only=True)
class ParametricWorkingMemory(Discrimination):
    """Two frequencies are shown, separated by a delay: was the first or the second higher?

    Epochs: fixation, first_stimulus, delay, second_stimulus, response; times in ms. Pairs of frequencies and
    their order are equally likely. One trial in eleven is a catch trial.

    Inputs: ``stimulus_low`` and ``stimulus_high``: while f is shown, 0.4 + 0.8 (f − 10)/24 in the channel of
    high frequencies and the mirror image in that of low ones; or ``stimulus`` (see ``encoding``). Outputs:
    see :class:`Choice`; by default ``choice_second`` and ``choice_first`` (which is higher). Conditions:
    ``f1``, ``f2`` (Hz), ``difference`` (f2 − f1), ``pair`` (2 × index of the pair, + 1 if the first is
    higher), ``delay`` (ms), ``catch``, ``correct_choice``.

    Score: as :class:`Discrimination`. Criterion: 85 % correct in the worst pair, the mean of five
    validations; with a graded target, 95 % of all. Signature: accuracy against f2 − f1. A memory that is
    drawn towards the mean of the frequencies shows in accuracies that differ from pair to pair.

    Attributes:
        first_stimulus, delay, second_stimulus: epochs, ms.
        slowest, fastest: range of the frequencies, Hz.
        differences: between the frequencies of a pair, Hz.
        spacing: from the slower frequency of one pair to that of the next, Hz.
        graded: whether the target of a signed output is ``high`` · (f1 − f2)/(fastest − slowest).

    Sources: Romo, Brody, Hernández and Lemus (1999) Nature 399:470. Barak, Tsodyks and Romo (2010) Journal of
    Neuroscience 30:9424. Song, Yang and Wang (2016) PLoS Computational Biology 12:e1004792 (the default).
    Valente, Pillow and Ostojic (2022) NeurIPS (:meth:`lint`).

    Example:
        >>> import jax
        >>> task = ParametricWorkingMemory(catch=0.0)
        >>> task.pairs[0], len(task.pairs), task.duration
        ((10.0, 18.0), 5, 4900.0)
        >>> conditions = jax.jit(task.trial)(jax.random.key(0)).conditions
        >>> bool((conditions["f1"] > conditions["f2"]) == conditions["correct_choice"])
        True
    """

    first_stimulus: Duration = 500.0
    delay: Duration = field(default=Uniform(2500.0, 3500.0))
    second_stimulus: Duration = 500.0
    slowest: float = 10.0
    fastest: float = 34.0
    differences: tuple[float, ...] = (8.0,)
    spacing: float = 4.0
    graded: bool = False
    gain: float = 1.6
    baseline: float = 0.8
    catch: float = 1 / 11
    catch_duration: float = 2500.0

    variants: ClassVar[tuple[str, ...]] = ("lint",)
    duration_fields: ClassVar[tuple[str, ...]] = (
        "fixation", "first_stimulus", "delay", "second_stimulus", "response",
    )  # fmt: skip
    may_coincide: ClassVar[tuple[str, ...]] = ()
    any_length: ClassVar[tuple[str, ...]] = ("differences",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    condition_names: ClassVar[tuple[str, ...]] = (
        "f1", "f2", "difference", "pair", "delay", "catch", "correct_choice",
    )  # fmt: skip
    reference: ClassVar[str] = (
        "Romo et al. (1999) Nature 399:470; the default is Song, Yang & Wang (2016) PLoS Computational "
        "Biology 12:e1004792 (timings, pairs, catch trials and criterion as in their public code, which "
        "tests with a fixation of 500 ms and a delay of 3000 ms); Valente et al. (2022) NeurIPS (lint). "
        "Departures: the channels go from 0.4 to 1.2, theirs from 0.2 to 1; the duration of catch trials "
        "(2500 ms, theirs 2000) and σ are ours; the decision is the mean output of the response."
    )

    @classmethod
    def lint(cls, **fields: Any) -> Self:
        """Valente et al. (2022): brief stimuli, one input and one graded output, f of every whole Hz.

        The input is (f − 22)/24 and the target (f1 − f2)/24. Noise of SD 0.01 per step of 20 ms is
        σ = 0.0032.
        """
        published: dict[str, Any] = {
            "first_stimulus": 100.0, "delay": Uniform(500.0, 2000.0), "second_stimulus": 100.0,
            "response": 100.0, "differences": (8.0, 16.0, 24.0), "spacing": 1.0, "graded": True, "gain": 1.0,
            "encoding": "single", "report": "signed", "mask_fixation": False, "catch": 0.0, "noise": 0.0032,
            "required": 0.95,
        }  # fmt: skip
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse pairs that are none, and graded targets that no output could show."""
        if self.slowest >= self.fastest:
            self.refuse("fastest", f"must exceed slowest ({self.slowest:g} Hz)")
        span = self.fastest - self.slowest
        if min(self.differences) <= 0 or max(self.differences) > span:
            self.refuse("differences", f"two frequencies differ by more than 0 and at most {span:g} Hz")
        if self.spacing <= 0:
            self.refuse("spacing", "pairs would not end; use spacing > 0")
        if self.graded and self.report != "signed":
            self.refuse("graded", "channels tell which is higher, not by how much; use report='signed'")
        super().check()
        shortest = min(
            durations.bounds(stimulus)[0] for stimulus in (self.first_stimulus, self.second_stimulus)
        )
        if self.dt > shortest:
            self.refuse("dt", f"cannot resolve a stimulus of {shortest:g} ms; use dt <= {shortest:g}")

    @property
    def pairs(self) -> tuple[tuple[float, float], ...]:
        """Frequencies (slower, faster) of every pair, Hz."""
        return tuple(
            (slower, slower + difference)
            for difference in self.differences
            for step in range(
                math.floor((self.fastest - self.slowest - difference) / self.spacing + 1e-9) + 1
            )
            for slower in (self.slowest + step * self.spacing,)
        )

    @property
    def alternatives(self) -> tuple[str, ...]:
        """Which frequency is higher; + is the first."""
        return ("second", "first")

    def channel_names(self, stimulus: str) -> tuple[str, ...]:
        """Names of the channels of a stimulus."""
        return (stimulus,) if self.encoding == "single" else (f"{stimulus}_low", f"{stimulus}_high")

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        fixation = ("fixation",) if self.fixation_input else ()
        return (*fixation, *self.channel_names("stimulus"))

    @property
    def condition_labels(self) -> dict[str, tuple[str, ...]]:
        """Pairs as f1-f2, and the alternatives."""
        pairs = (
            f"{a:g}-{b:g}" for slower, faster in self.pairs for a, b in ((slower, faster), (faster, slower))
        )
        return {"pair": tuple(pairs), **super().condition_labels}

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """``required`` in the worst pair, or of all trials if the target is graded."""
        if self.graded:
            return super().criterion
        trials = math.ceil(2 * len(self.pairs) * TRIALS_OF_A_PAIR / (1 - self.catch))
        worst = Criterion(
            "correct", self.required, group=("pair",), reduce="worst", validations=5, trials=trials
        )
        return (worst,)

    @property
    def signature(self) -> Signature:
        """Accuracy against the difference of the frequencies."""
        return Signature("accuracy", (("level", "difference"), ("correct", "correct")), ("overall", "worst"))

    @property
    def hardest(self) -> Hardest:
        """How long the first frequency is held."""
        return Hardest("delay", (500.0, 1500.0, Uniform(2500.0, 3500.0), Uniform(2500.0, 7000.0)))

    def plan(self, draw: Draw) -> Plan:
        """Both frequencies and what is between them."""
        epochs = self.successive(draw)
        index = draw.index("pair", len(self.pairs))
        first_higher = draw.coin("order", 0.5).astype(jnp.int32)
        slower, faster = jnp.asarray(self.pairs, jnp.float32)[index]
        f1, f2 = jnp.where(first_higher, faster, slower), jnp.where(first_higher, slower, faster)
        middle, span = (self.slowest + self.fastest) / 2, self.fastest - self.slowest
        first, second = (
            self.timeline.box(*epochs[name])[:, None] * self.channels((frequency - middle) / span)
            for name, frequency in (("first_stimulus", f1), ("second_stimulus", f2))
        )
        targets, mask = self.answer(epochs, first_higher)
        if self.graded:
            choice = jnp.arange(targets.shape[1]) == targets.shape[1] - 1  # behind fixation, if there is one
            targets = targets * jnp.where(choice, jnp.abs(f2 - f1) / span, 1.0)
        conditions = {
            "f1": f1,
            "f2": f2,
            "difference": f2 - f1,
            "pair": 2 * index + first_higher,
            "delay": epochs["delay"][1] - epochs["delay"][0],
            "correct_choice": first_higher,
        }
        plan = Plan(self.with_fixation(first + second, epochs), targets, mask, epochs, conditions)
        return self.with_catch(draw, plan)
