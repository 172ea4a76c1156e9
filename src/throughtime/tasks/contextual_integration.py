"""Contextual integration: by motion or by colour, as the context says?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax
import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan
from throughtime.tasks.discrimination import Discrimination
from throughtime.tasks.durations import Duration
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from throughtime.tasks.draw import Draw

CONTEXTS = ("motion", "colour")


@dataclass(frozen=True, kw_only=True)
class ContextualIntegration(Discrimination):
    """Two stimuli are shown at once, and the context says which of them decides the choice.

    Epochs: fixation, context (it alone is on; 0 by default), stimulus, delay (0 by default), response; times
    in ms. The context, the signs of both coherences and their magnitudes are drawn independently, with equal
    probability.

    Inputs: ``context_motion`` and ``context_colour`` (``context_level`` from the onset of context to the go,
    see ``context_lasts``); for each stimulus ``motion_left`` and ``motion_right``, (1 ∓ 5 c/100)/2 while
    that of signed coherence c (%) is shown, or ``motion`` (see ``encoding``); likewise for colour. Outputs:
    see :class:`Choice`; by default ``choice_left`` and ``choice_right``. Conditions: ``context`` (0 motion,
    1 colour), ``motion``, ``colour`` (signed coherences, %), ``congruent`` (both of one sign), ``catch``,
    ``correct_choice``.

    An observer who averages the relevant difference over a stimulus of T ms is right with probability
    Φ(d √T / (2 σ √100 ms)), d = 5 |c|/100: .92, 1, 1 by default, .97 on average.

    Score: as :class:`Discrimination`. Criterion: 90 % correct, the mean of five validations (:meth:`lint` and
    :meth:`kim`: 95 %). Signature: in each context, slopes of the choice on the relevant stimulus, steep, and
    on the irrelevant one, flat.

    Attributes:
        context, stimulus, delay: epochs, ms; a delay of None goes with a response of None, judged after
            ``grace`` while the stimulus is still shown.
        coherence: magnitudes, %, of both stimuli.
        context_level: of the input of the context that holds.
        context_lasts: whether the context stays on to the end of the trial, not only to the go.

    Sources: Mante, Sussillo, Shenoy and Newsome (2013) Nature 503:78. Song, Yang and Wang (2016) PLoS
    Computational Biology 12:e1004792 (the default). Valente, Pillow and Ostojic (2022)
    NeurIPS (:meth:`lint`). Kim, Li and Sejnowski (2019) PNAS 116:22811 (:meth:`kim`).

    Example:
        >>> task = ContextualIntegration()
        >>> task.input_names[:4]
        ('context_motion', 'context_colour', 'motion_left', 'motion_right')
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> relevant = trial.conditions[("motion", "colour")[int(trial.conditions["context"])]]
        >>> int(trial.conditions["correct_choice"]) == int(relevant > 0)
        True
    """

    context: Duration = 0.0
    stimulus: Duration = 800.0
    delay: Duration | None = 0.0
    noise: float = 0.05
    coherence: tuple[float, ...] = (1.0, 3.0, 10.0)
    gain: float = 5.0
    required: float = 0.9
    context_level: float = 1.0
    context_lasts: bool = False

    variants: ClassVar[tuple[str, ...]] = ("lint", "kim", "mante")
    duration_fields: ClassVar[tuple[str, ...]] = ("fixation", "context", "stimulus", "delay", "response")
    may_vanish: ClassVar[tuple[str, ...]] = ("fixation", "context", "delay")
    may_coincide: ClassVar[tuple[str, ...]] = ("delay", "response")
    any_length: ClassVar[tuple[str, ...]] = ("coherence",)
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    condition_names: ClassVar[tuple[str, ...]] = (
        "context", "motion", "colour", "congruent", "catch", "correct_choice",
    )  # fmt: skip
    reference: ClassVar[str] = (
        "Mante et al. (2013) Nature 503:78; the default is Song, Yang & Wang (2016) PLoS Computational "
        "Biology 12:e1004792 (their public code, which tests with a longer fixation); Valente et al. "
        "(2022) NeurIPS (lint); Kim, Li & Sejnowski (2019) PNAS 116:22811 (kim). Departures: σ of 0.05 is "
        "ours; noise is on the inputs of the context too; the decision is the mean output of the "
        "response; catch trials (Song et al.: 1 in 73) are off by default."
    )

    @classmethod
    def lint(cls, **fields: Any) -> Self:
        """Valente et al. (2022): the context comes 350 ms earlier; one input a stimulus, one output.

        Noise of SD 0.1 per step of 20 ms is σ = 0.032.
        """
        published: dict[str, Any] = {
            "context": 350.0, "delay": 100.0, "response": 20.0, "coherence": (10.0, 20.0, 40.0), "gain": 1.0,
            "noise": 0.032, "context_level": 0.1, "encoding": "single", "report": "signed",
            "mask_fixation": False, "required": 0.95,
        }  # fmt: skip
        return cls(**published | fields)

    @classmethod
    def kim(cls, **fields: Any) -> Self:
        """Kim et al. (2019): inputs ± 0.5 with unit noise per step of 5 ms (σ = 0.158), context throughout.

        Their noise is on the stimuli alone, and only while they are shown.
        """
        published: dict[str, Any] = {
            "dt": 5.0, "fixation": 0.0, "context": 250.0, "stimulus": 1000.0, "response": 1250.0,
            "coherence": (50.0,), "gain": 1.0, "noise": 0.158, "encoding": "single", "report": "signed",
            "mask_stimulus": True, "context_lasts": True, "required": 0.95,
        }  # fmt: skip
        return cls(**published | fields)

    @classmethod
    def mante(cls, **fields: Any) -> Self:
        """The form of Mante et al. (2013): dt 1, stimuli of 750 ms, the choice read at their end.

        Coherences up to 18.75 % of the unit of the noise, and noise of SD 1 per step of 1 ms (σ = 0.071), are
        as we understand their supplement; the magnitudes below the largest are ours.
        """
        published: dict[str, Any] = {
            "dt": 1.0, "fixation": 0.0, "stimulus": 750.0, "delay": None, "response": None, "grace": 749.0,
            "coherence": (4.6875, 9.375, 18.75), "gain": 1.0, "noise": 0.071, "encoding": "single",
            "report": "signed", "mask_fixation": False,
        }  # fmt: skip
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse coherences without a correct choice, contexts not shown, and delays that nothing follows."""
        if min(self.coherence) <= 0:
            self.refuse("coherence", "give magnitudes above 0; either sign is drawn")
        if self.context_level == 0:
            self.refuse("context_level", "the context would not be seen; use another level")
        if (self.delay is None) != (self.response is None):
            self.refuse("delay", "None goes with response=None, and only with it")
        super().check()

    @property
    def alternatives(self) -> tuple[str, ...]:
        """The two directions."""
        return ("left", "right")

    @property
    def go_is_shown(self) -> bool:
        """Not by a delay of unknown length, unless the context ends with it."""
        return self.delay is None or durations.num_levels(self.delay) == 1 or not self.context_lasts

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        fixation = ("fixation",) if self.fixation_input else ()
        contexts = tuple(f"context_{name}" for name in CONTEXTS)
        return (*fixation, *contexts, *(channel for name in CONTEXTS for channel in self.channel_names(name)))

    @property
    def condition_labels(self) -> dict[str, tuple[str, ...]]:
        """The contexts and the alternatives."""
        return {"context": CONTEXTS, **super().condition_labels}

    @property
    def signature(self) -> Signature:
        """Slopes of the choice on relevant and irrelevant stimulus."""
        return Signature(
            "contextual",
            (("first", "motion"), ("second", "colour"), ("context", "context"), ("choice", "choice")),
            ("relevant", "irrelevant", "ratio", "worst_ratio"),
        )

    @property
    def hardest(self) -> Hardest:
        """How weak the evidence is; at the last values, an ideal observer is right in 96 %."""
        every = (1.0, 3.0, 10.0)
        return Hardest("coherence", (every[2:], every[1:], every, every[:2]), unit="1")

    def plan(self, draw: Draw) -> Plan:
        """Context, stimuli and target of one trial."""
        epochs = self.successive(draw)
        context = draw.index("context", 2)
        sizes = jnp.asarray(self.coherence, jnp.float32)
        right = [draw.coin(f"{name}_side", 0.5) for name in CONTEXTS]
        motion, colour = (
            jnp.where(side, 1, -1) * sizes[draw.index(f"{name}_coherence", len(self.coherence))]
            for name, side in zip(CONTEXTS, right, strict=True)
        )
        correct_choice = jnp.where(context == 0, right[0], right[1]).astype(jnp.int32)
        targets, mask = self.answer(epochs, correct_choice)
        conditions = {
            "context": context,
            "motion": motion,
            "colour": colour,
            "congruent": (right[0] == right[1]).astype(jnp.int32),
            "correct_choice": correct_choice,
        }
        shown = self.timeline.box(*epochs["stimulus"])[:, None]
        evidence = jnp.concatenate([self.channels(each / 100) for each in (motion, colour)])
        off = epochs["trial"][1] if self.context_lasts or self.delay is None else epochs["response"][0]
        holds = self.timeline.box(epochs["context"][0], off)[:, None]
        inputs = [self.context_level * holds * jax.nn.one_hot(context, 2), shown * evidence]
        plan = Plan(
            self.with_fixation(jnp.concatenate(inputs, axis=1), epochs), targets, mask, epochs, conditions
        )
        return self.with_catch(draw, plan)
