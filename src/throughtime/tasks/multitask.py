"""Several tasks learned by turns: every trial is a trial of one of them."""

from __future__ import annotations

import dataclasses
import functools
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, TypeVar

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.registry import kebab
from throughtime.tasks.base import Plan, Task
from throughtime.tasks.criterion import Criterion
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.mixing import few, moved, own_trial, types_of, union
from throughtime.tasks.signature import Signature
from throughtime.tasks.tabulated import Tabulated

if TYPE_CHECKING:
    from jax import Array

    from throughtime.tasks.draw import Draw
    from throughtime.trial import Trial

RAREST = 100
"""Trials of the rarest task in one evaluation."""
Result = TypeVar("Result")


@dataclass(frozen=True, kw_only=True)
class Multitask(Task):
    """A mixture of tasks with the same inputs and outputs; each trial is one of them, drawn by weight.

    The trial is the one the task drawn would make of the same key, in the time of the longest task. Epochs,
    conditions and scores are those of all tasks, and the condition ``task`` is the index of the one drawn;
    what that task does not have is NaN (False for truth values). Noise is drawn once.

    Score: that of the task drawn. Criterion: 95 % correct in the worst task. Signature: accuracy by task.

    Attributes:
        tasks: with equal layouts, of any kind; by default the 20 tasks of Yang et al. (2019), weighted as
            published. They all get the ``dt`` and ``noise`` of the mixture, and those are the tasks' own if
            not given.
        weights: relative probabilities; equal if not given.
        harder: steps by which every task is moved along the values of its own ``hardest``, as far as they go.

    Sources: Yang, Joglekar, Song, Newsome and Wang (2019) Nature Neuroscience.

    Example:
        >>> from throughtime.tasks import DelayedAntiResponse, DelayedResponse
        >>> task = Multitask(tasks=(DelayedResponse(), DelayedAntiResponse(delay=0.0)), weights=(3, 1))
        >>> trials = jax.jit(jax.vmap(task.trial))(jax.random.split(jax.random.key(0), 400))
        >>> bool(abs(trials.conditions["task"].mean() - 0.25) < 0.1)
        True
    """

    dt: float = math.nan
    noise: float = math.nan
    tasks: tuple[Task, ...] = field(default_factory=tuple)
    weights: tuple[float, ...] = ()
    harder: int = 0

    any_length: ClassVar[tuple[str, ...]] = ("weights",)
    reference: ClassVar[str] = (
        "Yang et al. (2019) Nature Neuroscience. Departures: published batches hold one task and one length "
        "of trial; mixing within a batch is ours, as is the step along `hardest`."
    )

    def __post_init__(self) -> None:
        tasks, weights = self.tasks, self.weights
        if isinstance(tasks, list | tuple) and not tasks:
            from throughtime.tasks.yang_tasks import YangTasks

            published = YangTasks.all()
            tasks, weights = published.tasks, weights or published.weights
        elif not isinstance(tasks, list | tuple) or not all(isinstance(task, Task) for task in tasks):
            self.refuse("tasks", "expected a tuple of tasks")
        if not isinstance(weights, list | tuple):
            self.refuse("weights", f"expected one for each of {len(tasks)} tasks, as a tuple")
        for name in ("dt", "noise"):
            own = sorted({getattr(task, name) for task in tasks})
            given = getattr(self, name)
            if isinstance(given, float) and math.isnan(given):
                if len(own) > 1:
                    found = " and ".join(f"{value:g}" for value in own)
                    raise ValueError(f"Multitask: {name}: the tasks have {found}; say which with {name}=.")
                object.__setattr__(self, name, own[0])
        object.__setattr__(self, "weights", tuple(weights) or (1.0,) * len(tasks))
        object.__setattr__(self, "tasks", tuple(tasks))
        super().__post_init__()
        same = tuple(dataclasses.replace(task, dt=self.dt, noise=self.noise) for task in tasks)
        object.__setattr__(self, "tasks", same)

    def check(self) -> None:
        """Refuse layouts that differ and weights that are no weights."""
        super().check()
        first = self.tasks[0]
        for place, task in enumerate(self.tasks):
            for what in ("input_names", "output_names"):
                if getattr(task, what) != getattr(first, what):
                    raise ValueError(
                        f"Multitask: tasks[{place}]: {what} of {type(task).__name__} are "
                        f"{few(getattr(task, what))}, those of {type(first).__name__} "
                        f"{few(getattr(first, what))}; a mixture needs equal layouts."
                    )
            if "task" in task.condition_names:
                raise ValueError(
                    f"Multitask: tasks[{place}]: {type(task).__name__} has a condition 'task' already; mix "
                    "the tasks themselves."
                )
        if len(self.weights) != len(self.tasks):
            self.refuse("weights", f"expected one for each of {len(self.tasks)} tasks")
        if min(self.weights) <= 0:
            self.refuse("weights", "a task that is never drawn cannot be learned; use weights > 0")

    @functools.cached_property
    def members(self) -> tuple[Task, ...]:
        """The tasks, ``harder`` as asked for."""
        return tuple(moved(task, self.harder) for task in self.tasks)

    @functools.cached_property
    def _one(self) -> Task | None:
        """The longest task, if it can stand for all others."""
        longest = max(self.members, key=lambda task: task.num_steps)
        alike = isinstance(longest, Tabulated) and all(map(longest.matches, self.members))
        return longest if alike else None

    @property
    def input_names(self) -> tuple[str, ...]:
        """Those of every task."""
        return self.tasks[0].input_names

    @property
    def output_names(self) -> tuple[str, ...]:
        """Those of every task."""
        return self.tasks[0].output_names

    @property
    def epoch_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """Those of all tasks, each after the one it follows in its own task."""
        return union(task.epoch_names for task in self.members)

    @property
    def condition_names(self) -> tuple[str, ...]:  # type: ignore[override]
        """``task``, and those of all tasks."""
        return ("task", *union(task.condition_names for task in self.members))

    @property
    def condition_labels(self) -> dict[str, tuple[str, ...]]:
        """The tasks."""
        return {"task": tuple(getattr(task, "name", kebab(type(task).__name__)) for task in self.tasks)}

    @property
    def duration(self) -> float:
        """That of the longest task."""
        return max(task.duration for task in self.members)

    @property
    def silent_score(self) -> float:
        """Mean over tasks by weight."""
        return float(np.average([task.silent_score for task in self.members], weights=self.weights))

    @property
    def criterion(self) -> tuple[Criterion, ...]:
        """95 % correct in the worst task."""
        trials = math.ceil(RAREST * sum(self.weights) / min(self.weights))
        return (Criterion("correct", at_least=0.95, group=("task",), reduce="worst", trials=trials),)

    @property
    def signature(self) -> Signature:
        """Accuracy by task."""
        return Signature("accuracy", (("level", "task"), ("correct", "correct")), ("overall", "worst"))

    @property
    def hardest(self) -> Hardest:
        """All tasks easier, as they are, or harder."""
        return Hardest("harder", (-1, 0, 1), "1")

    def plan(self, draw: Draw) -> Plan:
        """A trial of the task drawn."""
        bounds = (np.cumsum(self.weights) / np.sum(self.weights))[:-1].astype(np.float32)
        index = jnp.sum(draw.uniform("task") >= bounds).astype(jnp.int32)
        if isinstance(self._one, Tabulated):
            plan = self._one.plan_among(self.members, index, draw)  # type: ignore[arg-type]
        else:
            plan = jax.lax.switch(
                index, [functools.partial(self._plan_of, task, draw) for task in self.members]
            )
        return plan._replace(conditions={"task": index, **plan.conditions})

    def _plan_of(self, task: Task, draw: Draw) -> Plan:
        """Plan of one task in the shapes and names of the mixture."""
        plan = task.plan(draw)
        padding = ((0, self.num_steps - task.num_steps), (0, 0))
        inputs, targets, mask = (jnp.pad(jnp.asarray(array, jnp.float32), padding) for array in plan[:3])
        absent = jnp.full((), jnp.nan, jnp.float32)
        epochs = {
            name: (jnp.asarray(onset, jnp.float32), jnp.asarray(offset, jnp.float32))
            for name in self.epoch_names
            for onset, offset in (plan.epochs.get(name, (absent, absent)),)
        }
        return Plan(inputs, targets, mask, epochs, self._common("conditions", plan.conditions))

    def ideal(self, trial: Trial) -> Array:
        """Outputs of a perfect subject of the task drawn."""

        def of(task: Task, own: Trial) -> Array:
            outputs = task.ideal(own)
            return jnp.pad(outputs, ((0, self.num_steps - task.num_steps), (0, 0)))

        return self._one.ideal(trial) if self._one else self._switch(of, trial)

    def score(self, outputs: Array, trial: Trial) -> dict[str, Array]:
        """Scores of the task drawn."""

        def of(task: Task, own: Trial) -> dict[str, Array]:
            return self._common("scores", task.score(outputs[: task.num_steps], own))

        return self._one.score(outputs, trial) if self._one else self._switch(of, trial)

    def _switch(self, function: Callable[[Task, Trial], Result], trial: Trial) -> Result:
        """``function`` of the task of a trial and the trial as that task made it."""

        branches = [
            functools.partial(lambda task: function(task, own_trial(task, trial)), task)
            for task in self.members
        ]
        chosen: Result = jax.lax.switch(trial.conditions["task"], branches)
        return chosen

    def _common(self, kind: str, values: dict[str, Array]) -> dict[str, Array]:
        """Conditions or scores of one task as those of the mixture: names, types, NaN where there is none."""
        types = [types_of(task)[kind] for task in self.members]
        found = {}
        for name in union(types):
            own = {one.get(name) for one in types}
            of = own - {None}
            truth = of == {np.dtype(bool)}
            dtype = of.pop() if len(own) == 1 or truth else np.dtype(np.float32)
            found[name] = jnp.asarray(values.get(name, False if truth else jnp.nan)).astype(dtype)
        return found
