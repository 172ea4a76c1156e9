"""Go/NoGo: respond if there was a stimulus, otherwise stay at rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp

from throughtime.tasks import durations
from throughtime.tasks.base import Plan, Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.durations import Duration
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.signature import Signature

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial


@dataclass(frozen=True, kw_only=True)
class GoNoGo(Task):
    """A stimulus asks for a response; without it, or with another one, there has to be none.

    Epochs: fixation, stimulus, delay, response; times in ms. By default there is no delay and NoGo trials
    show nothing.

    Inputs: ``go``, 1 during the stimulus of a Go trial; ``nogo`` likewise on NoGo trials, and ``fixation``,
    1 until the response, if the task has them. Output: ``response``, with target 1 in the response of Go
    trials and 0 otherwise. The whole trial counts for the loss. Conditions: ``go`` (1 or 0), ``delay`` (ms).

    Score: ``peak``, largest output in the response; ``responded`` if it exceeds ``threshold``; ``correct``
    if a Go trial was responded to, and on NoGo trials if |output| stays below ``quiet`` throughout the
    response. Criterion: 95 % correct. Signature: accuracy on Go and on NoGo trials.

    Published training took one trial a time, until more than 95 % of 100 trials were correct and the norm of
    the error over the 200 steps of a trial was below 7 on average, after 1500 trials at the earliest and
    6000 at the latest.

    Attributes:
        fixation, stimulus, delay, response: epochs, ms.
        go_probability: of a Go trial.
        threshold: what a response has to exceed.
        quiet: below which the output is at rest.
        nogo_input, fixation_input: whether the task has these inputs.

    Sources: Kim, Li and Sejnowski (2019) Proceedings of the National Academy of Sciences 116:22811.
    Molano-Mazón et al. (2022) NeuroGym (:meth:`neurogym`), after Zhang et al. (2019) eLife 8:e43191
    (:meth:`neurogym`).

    Example:
        >>> import jax
        >>> task = GoNoGo()
        >>> task.num_steps, task.input_names, task.silent_score
        (200, ('go',), 0.5)
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> bool(task.score(task.ideal(trial), trial)["responded"]) == bool(trial.conditions["go"])
        True
    """

    dt: float = 5.0
    fixation: Duration = 250.0
    stimulus: Duration = 125.0
    delay: Duration = 0.0
    response: Duration = 625.0
    go_probability: float = 0.5
    threshold: float = 0.7
    quiet: float = 0.3
    nogo_input: bool = False
    fixation_input: bool = False

    variants: ClassVar[tuple[str, ...]] = ("neurogym",)
    duration_fields: ClassVar[tuple[str, ...]] = ("fixation", "stimulus", "delay", "response")
    may_vanish: ClassVar[tuple[str, ...]] = ("fixation", "delay")
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    condition_names: ClassVar[tuple[str, ...]] = ("go", "delay")
    reference: ClassVar[str] = (
        "Kim, Li & Sejnowski (2019) PNAS 116:22811; timings and both thresholds as in their public code. "
        "Departures: input noise is ours; delays beyond the published 0 are ours."
    )

    @classmethod
    def neurogym(cls, **fields: Any) -> Self:
        """Timings and inputs of NeuroGym's GoNogo: two stimuli, a delay, the go is the end of fixation.

        Its second output, for fixation, is left out; noise, bin and score are ours.
        """
        published: dict[str, Any] = {
            "dt": 20.0, "fixation": 0.0, "stimulus": 500.0, "delay": 500.0, "response": 500.0,
            "nogo_input": True, "fixation_input": True,
        }  # fmt: skip
        return cls(**published | fields)

    def check(self) -> None:
        """Refuse thresholds that targets do not meet, epochs within a bin, and a go that nothing shows."""
        super().check()
        self.refuse_unless_probability("go_probability")
        if not 0 <= self.threshold < 1:
            self.refuse("threshold", "a target of 1 has to exceed it, and 0 must not; use 0 <= threshold < 1")
        if self.quiet <= 0:
            self.refuse("quiet", "a target of 0 has to stay below it; use a value > 0")
        for name in ("stimulus", "response"):
            shortest = durations.bounds(getattr(self, name))[0]
            if self.dt > shortest:
                self.refuse("dt", f"cannot resolve a {name} of {shortest:g} ms; use dt <= {shortest:g}")
        if durations.num_levels(self.delay) > 1 and not self.fixation_input:
            self.refuse("fixation_input", "the stimuli do not show when to respond; use fixation_input=True")

    @property
    def input_names(self) -> tuple[str, ...]:
        """Names of the inputs."""
        there = (("fixation", self.fixation_input), ("go", True), ("nogo", self.nogo_input))
        return tuple(name for name, is_there in there if is_there)

    @property
    def output_names(self) -> tuple[str, ...]:
        """The one output."""
        return ("response",)

    @property
    def silent_score(self) -> float:
        """Share of NoGo trials."""
        return 1 - self.go_probability

    @property
    def condition_labels(self) -> dict[str, tuple[str, ...]]:
        """Kinds of trials."""
        return {"go": ("nogo", "go")}

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % correct."""
        return (Criterion("correct", at_least=0.95),)

    @property
    def signature(self) -> Signature:
        """Accuracy on Go and on NoGo trials."""
        return Signature("accuracy", (("level", "go"), ("correct", "correct")), ("overall", "worst"))

    @property
    def hardest(self) -> Hardest:
        """How long the stimulus is held."""
        return Hardest("delay", (0.0, 500.0, 1000.0, 2000.0))

    def plan(self, draw: Draw) -> Plan:
        """Stimulus and target of one trial."""
        line, epochs = self.timeline, self.successive(draw)
        go = draw.coin("go", self.go_probability)
        shown, responding = line.box(*epochs["stimulus"]), line.box(epochs["response"][0])
        columns = [go * shown]
        if self.nogo_input:
            columns.append(~go * shown)
        if self.fixation_input:
            columns.insert(0, line.box(0.0, epochs["response"][0]))
        return Plan(
            jnp.stack(columns, axis=1),
            (go * responding)[:, None],
            line.box(*epochs["trial"])[:, None],
            epochs,
            {"go": go.astype(jnp.int32), "delay": epochs["delay"][1] - epochs["delay"][0]},
        )

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of one trial; not correct, and a peak of NaN, when a valid output is not finite."""
        output = jnp.asarray(outputs)[:, 0]
        finite = jnp.all(jnp.isfinite(output) | ~trial.valid)
        # A bin that lies mostly before the response carries what came before it.
        window = self.timeline.box(*trial.epochs["response"])
        inside = window >= window.max() / 2
        peak = jnp.where(inside, output, -jnp.inf).max()
        largest = jnp.where(inside, jnp.abs(output), 0).max()
        responded = finite & (peak > self.threshold)
        rested = finite & (largest < self.quiet)
        return {
            "correct": jnp.where(trial.conditions["go"] == 1, responded, rested),
            "responded": responded,
            "peak": jnp.where(finite, peak, jnp.nan),
        }
