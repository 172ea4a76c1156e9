"""The 20 tasks of Yang et al. (2019), which one circuit learns by turns."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np

from throughtime.tasks import durations, yang_trial
from throughtime.tasks.base import Plan
from throughtime.tasks.durations import Duration
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.multitask import Multitask
from throughtime.tasks.ring import NUM_RING, Ring, ring_names
from throughtime.tasks.signature import Signature
from throughtime.tasks.tabulated import Tabulated
from throughtime.tasks.tuning import bump
from throughtime.tasks.yang_rules import EPOCHS, NAMES, RULES, WEIGHTS, YangRule
from throughtime.tasks.yang_trial import MEAN

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw

NUM_INPUTS = 1 + 2 * NUM_RING + len(NAMES)


@dataclass(frozen=True, kw_only=True)
class YangTasks(Ring, Tabulated):
    """One of 20 tasks with the same inputs and outputs; a rule input says which.

    ===========================================  ========================================================
    ``name``                                     respond, when fixation goes off unless said otherwise
    ===========================================  ========================================================
    fdgo, reactgo, delaygo                       to the stimulus; reactgo at its onset; delaygo after a
                                                 delay
    fdanti, reactanti, delayanti                 likewise, opposite the stimulus
    dm1, dm2, multidm                            to the stronger of two bumps on ring 1; ring 2; both
                                                 rings together
    contextdm1, contextdm2                       likewise; both rings carry bumps, ring 1 / 2 counts
    delaydm1, delaydm2, multidelaydm,            likewise; the bumps are shown one after the other
    contextdelaydm1, contextdelaydm2
    dmsgo, dmsnogo                               to the second stimulus at its onset, if its direction
                                                 is that of the first / another; else hold fixation
    dmcgo, dmcnogo                               likewise with categories: the sides of the line 0–π
    ===========================================  ========================================================

    Epochs: fixation, stimulus, delay, second_stimulus, second_delay, response; those a task does not have are
    absent, stimuli that stay on end with the trial. Inputs: ``fixation``, ``ring1_00`` …, ``ring2_00`` …,
    ``rule_fdgo`` …. Outputs: see :class:`Ring`. Conditions: ``angle`` and ``second_angle`` of the stimuli,
    ``target_angle`` (NaN to hold fixation), ``delay`` (ms), ``coherence`` (c of the strengths that count),
    ``ring`` of the first stimulus (0 or 1; with two bumps, the one that counts). What does not apply is NaN.

    Two bumps have strengths m ± c, m uniform on [0.8, 1.2]: neither alone tells the answer. In multidm and
    multidelaydm each bump is shared out, its strength ± 10 to 40 % on one ring and ∓ on the other.

    Score: see :class:`Ring`; criterion 95 % correct. Signature: accuracy against angle, delay or coherence.

    Attributes:
        name: of the task.
        fixation, stimulus, delay, second_stimulus, second_delay: epochs, ms; None is what was published for
            the task, and stays None where it has no such epoch.
        coherence: values of c, equally likely; None likewise.

    Sources: Yang, Joglekar, Song, Newsome and Wang (2019) Nature Neuroscience, and their public code.

    Example:
        >>> import jax
        >>> task = YangTasks(name="dmsgo")
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> trial.inputs.shape, trial.targets.shape, task.input_names[-4]
        ((165, 85), (165, 33), 'rule_dmsgo')
    """

    name: str = "delaygo"
    fixation: Duration | None = None
    stimulus: Duration | None = None
    delay: Duration | None = None
    second_stimulus: Duration | None = None
    second_delay: Duration | None = None
    coherence: tuple[float, ...] | None = None
    settling: float = 100.0
    response_weight: float = 5.0
    fixation_weight: float = 2.0

    variants: ClassVar[tuple[str, ...]] = ("all",)
    duration_fields: ClassVar[tuple[str, ...]] = (*EPOCHS, "response")
    may_vanish: ClassVar[tuple[str, ...]] = ("delay", "second_delay")
    may_coincide: ClassVar[tuple[str, ...]] = EPOCHS
    row_fields: ClassVar[tuple[str, ...]] = ("name", *EPOCHS, "response", "coherence")
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *EPOCHS, "response")
    condition_names: ClassVar[tuple[str, ...]] = (
        "angle", "second_angle", "target_angle", "delay", "coherence", "ring",
    )  # fmt: skip
    reference: ClassVar[str] = (
        "Yang et al. (2019) Nature Neuroscience; timings, strengths and angles as in their public code. "
        "Departures: the decision is the mean output of the response epoch, not its last step; every trial "
        "of a batch has its own rings, timings and length; dmc responses last 500 ms, as all others."
    )

    @classmethod
    def all(cls, **fields: Any) -> Multitask:
        """The mixture of all 20 tasks, contextdm1 and contextdm2 five times as often as the others."""
        tasks = tuple(cls(name=name, **fields) for name in NAMES)
        return Multitask(tasks=tasks, weights=tuple(WEIGHTS.get(name, 1.0) for name in NAMES))

    def __post_init__(self) -> None:
        if self.name not in RULES:
            near = difflib.get_close_matches(str(self.name), NAMES, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the tasks are {', '.join(NAMES)}."
            raise ValueError(f"YangTasks: unknown task {self.name!r}; {hint}")
        for field in (*EPOCHS, "coherence"):
            if getattr(self, field) is None:
                object.__setattr__(self, field, getattr(self._rule, field))
        super().__post_init__()

    @property
    def _rule(self) -> YangRule:
        return RULES[self.name]

    def check(self) -> None:
        """Refuse epochs and coherences the task does not have, and stimuli shorter than a bin."""
        for field in (*EPOCHS, "coherence"):
            if getattr(self, field) is not None and getattr(self._rule, field) is None:
                self.refuse(field, f"{self.name} has none; leave it out (make another name anew)")
        super().check()
        if self.coherence is not None:
            coherence = durations.normal(self.coherence)
            object.__setattr__(self, "coherence", coherence)
            if (
                not isinstance(coherence, tuple)
                or not coherence
                or not all(durations.is_number(c) and 0 < c < MEAN[0] for c in coherence)
            ):
                self.refuse(
                    "coherence",
                    f"expected a tuple of numbers between 0 (no bump is stronger) and {MEAN[0]:g}",
                )
        for field in ("stimulus", "second_stimulus"):
            shown = getattr(self, field)
            if shown is not None and self.dt > (shortest := durations.bounds(shown)[0]):
                self.refuse("dt", f"cannot resolve a {field} of {shortest:g} ms; use dt <= {shortest:g}")

    @property
    def input_names(self) -> tuple[str, ...]:
        """Fixation, two rings, 20 rules."""
        return ("fixation", *ring_names("ring1"), *ring_names("ring2"), *(f"rule_{name}" for name in NAMES))

    @property
    def signature(self) -> Signature:
        """Accuracy against angle, delay or coherence."""
        variables = (("level", self._rule.graded), ("correct", "correct"))
        return Signature("accuracy", variables, ("overall", "worst"))

    @property
    def hardest(self) -> Hardest:
        """Longer delays or waits, or smaller differences."""
        unit = "1" if self._rule.hardest == "coherence" else "ms"
        return Hardest(self._rule.hardest, self._rule.harder, unit)

    def plan_among(self, tasks: Sequence[Self], index: Array, draw: Draw) -> Plan:
        """A trial of ``tasks[index]``: the numbers of its row, then one computation for all."""
        row = yang_trial.row(tasks, index)
        shown, seen = yang_trial.windows(tasks, index, draw, row), yang_trial.stimuli(tasks, index, draw, row)
        epochs, line = shown.epochs, self.timeline
        times = jnp.stack(
            [
                line.box(*epochs["trial"]),
                line.box(*shown.fixation),
                line.box(*shown.stimulus),
                line.box(*shown.second_stimulus),
            ],
            axis=1,
        )
        patterns = jnp.stack(
            [
                _rule_input(row.rule),
                np.eye(1, NUM_INPUTS, dtype=np.float32)[0],
                _ring_inputs(seen.angle, seen.strength),
                _ring_inputs(seen.second_angle, seen.second_strength),
            ]
        )
        # A product of matrices, because a sum of outer products is fused with the noise, which then takes ten
        # times as long.
        inputs = jnp.matmul(times, patterns, precision="highest")
        targets, mask = self.answer(epochs, seen.target_angle)
        conditions = {
            "angle": seen.angle,
            "second_angle": jnp.where(row.single > 0, jnp.nan, seen.second_angle),
            "target_angle": seen.target_angle,
            "delay": epochs["delay"][1] - epochs["delay"][0],
            "coherence": seen.coherence,
            "ring": seen.ring,
        }
        return Plan(inputs, targets, mask, epochs, conditions)


def _rule_input(rule: Array) -> Array:
    """Inputs (input,) that tell the rule."""
    return (np.arange(NUM_INPUTS) == 1 + 2 * NUM_RING + rule).astype(jnp.float32)


def _ring_inputs(angle: Array, strength: Array) -> Array:
    """Inputs (input,) of a bump on both rings, with its strength on each."""
    rings = (strength[:, None] * bump(angle, NUM_RING)).reshape(-1)
    return jnp.concatenate([np.zeros(1, np.float32), rings, np.zeros(len(NAMES), np.float32)])
