"""Tasks of systems neuroscience: each turns a random key into one trial and scores the outputs.

A task is a frozen dataclass; durations are in ms. ``make("delayed-match-to-sample", delay=1000.0)`` is
``DelayedMatchToSample(delay=1000.0)``; ``make("cue-set-go", "beiran")`` is ``CueSetGo.beiran()``.
"""

from __future__ import annotations

import dataclasses
import inspect
from typing import Any

from throughtime import runtime  # noqa: F401  (settings JAX reads when its backend starts)
from throughtime.registry import kebab, unknown
from throughtime.tasks.abba import ABBA as ABBA
from throughtime.tasks.add_task import AddTask as AddTask
from throughtime.tasks.adding_problem import AddingProblem as AddingProblem
from throughtime.tasks.base import Plan as Plan
from throughtime.tasks.base import Task as Task
from throughtime.tasks.choice import Choice as Choice
from throughtime.tasks.contextual_integration import ContextualIntegration as ContextualIntegration
from throughtime.tasks.copy_memory import CopyMemory as CopyMemory
from throughtime.tasks.criterion import Criterion as Criterion
from throughtime.tasks.cue_set_go import CueSetGo as CueSetGo
from throughtime.tasks.delayed_anti_response import DelayedAntiResponse as DelayedAntiResponse
from throughtime.tasks.delayed_estimation import DelayedEstimation as DelayedEstimation
from throughtime.tasks.delayed_match_to_category import DelayedMatchToCategory as DelayedMatchToCategory
from throughtime.tasks.delayed_match_to_sample import DelayedMatchToSample as DelayedMatchToSample
from throughtime.tasks.delayed_paired_association import (
    DelayedPairedAssociation as DelayedPairedAssociation,
)
from throughtime.tasks.delayed_pulse import DelayedPulse as DelayedPulse
from throughtime.tasks.delayed_response import DelayedResponse as DelayedResponse
from throughtime.tasks.delayed_xor import DelayedXOR as DelayedXOR
from throughtime.tasks.discrimination import Discrimination as Discrimination
from throughtime.tasks.draw import Draw as Draw
from throughtime.tasks.dual_delayed_match import DualDelayedMatch as DualDelayedMatch
from throughtime.tasks.durations import Duration as Duration
from throughtime.tasks.durations import TruncatedExponential as TruncatedExponential
from throughtime.tasks.durations import Uniform as Uniform
from throughtime.tasks.evidence_accumulation import EvidenceAccumulation as EvidenceAccumulation
from throughtime.tasks.flip_flop import FlipFlop as FlipFlop
from throughtime.tasks.go_no_go import GoNoGo as GoNoGo
from throughtime.tasks.hardest import Hardest as Hardest
from throughtime.tasks.hardest import Measured as Measured
from throughtime.tasks.interval_comparison import IntervalComparison as IntervalComparison
from throughtime.tasks.interval_discrimination import IntervalDiscrimination as IntervalDiscrimination
from throughtime.tasks.interval_production import IntervalProduction as IntervalProduction
from throughtime.tasks.matching import Matching as Matching
from throughtime.tasks.matching import Tuned as Tuned
from throughtime.tasks.measure_wait_go import MeasureWaitGo as MeasureWaitGo
from throughtime.tasks.mimic_task import MimicTask as MimicTask
from throughtime.tasks.multisensory_decision import MultisensoryDecision as MultisensoryDecision
from throughtime.tasks.multitask import Multitask as Multitask
from throughtime.tasks.nback import NBack as NBack
from throughtime.tasks.one_two_three_go import OneTwoThreeGo as OneTwoThreeGo
from throughtime.tasks.parametric_working_memory import (
    ParametricWorkingMemory as ParametricWorkingMemory,
)
from throughtime.tasks.perceptual_decision import PerceptualDecision as PerceptualDecision
from throughtime.tasks.ready_set_go import ReadySetGo as ReadySetGo
from throughtime.tasks.recorded_trials import RecordedTrials as RecordedTrials
from throughtime.tasks.recordings import from_arrays as from_arrays
from throughtime.tasks.ring import Ring as Ring
from throughtime.tasks.sequence_memory import SequenceMemory as SequenceMemory
from throughtime.tasks.shaping import Shaping as Shaping
from throughtime.tasks.signature import Signature as Signature
from throughtime.tasks.sine_generation import SineGeneration as SineGeneration
from throughtime.tasks.slotted import Slotted as Slotted
from throughtime.tasks.synchronization_continuation import (
    SynchronizationContinuation as SynchronizationContinuation,
)
from throughtime.tasks.tabulated import Tabulated as Tabulated
from throughtime.tasks.temporal_pattern import TemporalPattern as TemporalPattern
from throughtime.tasks.timeline import Timeline as Timeline
from throughtime.tasks.timing import Timing as Timing
from throughtime.tasks.yang_tasks import YangTasks as YangTasks


def _has_defaults(task: type[Task]) -> bool:
    """Whether a task can be made by its name alone; one of recorded trials cannot."""
    missing = dataclasses.MISSING
    return all(f.default is not missing or f.default_factory is not missing for f in dataclasses.fields(task))


_TABLE: dict[str, type[Task]] = {
    kebab(name): member
    for name, member in sorted(globals().items())
    if isinstance(member, type)
    and issubclass(member, Task)
    and not inspect.isabstract(member)
    and _has_defaults(member)
}


def names() -> tuple[str, ...]:
    """Names of all tasks.

    Example:
        >>> "cue-set-go" in names()
        True
    """
    return tuple(sorted(_TABLE))


def get(name: str, /) -> type[Task]:
    """Class of a task.

    Raises:
        ValueError: for an unknown name, with near ones.
    """
    if name not in _TABLE:
        raise unknown("task", name, names(), "throughtime list tasks")
    return _TABLE[name]


def make(name: str, /, variant: str | None = None, **fields: Any) -> Task:
    """A task by name, with its default or published settings and any fields changed.

    Args:
        name: one of :func:`names`.
        variant: one of the class's named constructors.
        fields: fields of the class.

    Raises:
        ValueError: for an unknown name, variant or field, and for settings the task refuses.

    Example:
        >>> make("delayed-match-to-sample", "masse", delay=500.0).dt
        10.0
    """
    task = get(name)
    known = [field.name for field in dataclasses.fields(task)]
    if strange := [field for field in fields if field not in known]:
        raise ValueError(f"{task.__name__}: unknown field {strange[0]!r}; its fields are {', '.join(known)}.")
    if variant is None:
        return task(**fields)
    if variant not in task.variants:
        offered = ", ".join(task.variants) or "none"
        raise ValueError(f"{task.__name__}: unknown variant {variant!r}; its variants are {offered}.")
    made: Task = getattr(task, variant)(**fields)
    return made
