"""The table of rows: what is compared in which case, and its goal. A new row is one entry here."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any

from benchmarks import analysis_cases, cases, rule_cases, study_cases

SIZES = (64, 128, 256)
SEGMENTED_STEPS = (125, 500, 2000, 8000)
FLOOR_GOALS = {64: 2.0, 128: 1.4, 256: 1.2}


@dataclass(frozen=True)
class Case:
    """A function of :mod:`benchmarks.cases` with its options; equal cases are measured once, together.

    Attributes:
        build: the function; options: its keyword arguments.
        cores: cores the measuring process is pinned to.
    """

    build: Callable[..., cases.Builders]
    options: tuple[tuple[str, Any], ...] = ()
    cores: int = 1


@dataclass(frozen=True)
class Row:
    """One line: the time of ``top`` as a multiple of the time of ``bottom``, or another number.

    Attributes:
        name: what is measured, parts separated by blanks; ``--rows`` selects by it.
        case: where the contenders are.
        top, bottom: names of contenders; without a bottom the row is the seconds of ``top``, or the number
            that the case finds under this name.
        goal: wanted value, or None for a row that only informs.
        at_most: whether the value should be at most the goal, or else at least.
        quick: whether a quick run has it.
        quantity: what the value is: ``ratio``, ``seconds``, ``microseconds``, ``bytes`` or ``exponent``.
        within: distance from the goal on either side that is still met, for an order that is declared.
    """

    name: str
    case: Case
    top: str
    bottom: str | None
    goal: float | None = None
    at_most: bool = True
    quick: bool = True
    quantity: str = "ratio"
    within: float | None = None

    def met(self, value: float) -> bool | None:
        """Whether ``value`` meets the goal; None without a goal."""
        if self.goal is None:
            return None
        if self.within is not None:
            return abs(value - self.goal) <= self.within
        return value <= self.goal if self.at_most else value >= self.goal

    @property
    def wish(self) -> str:
        """The goal as text."""
        if self.goal is None:
            return ""
        if self.within is not None:
            return f"{self.goal:g}+-{self.within:g}"
        return f"{'<=' if self.at_most else '>='} {self.goal:g}"


def case(build: Callable[..., cases.Builders], cores: int = 1, **options: Any) -> Case:
    """A case from a function and its options."""
    return Case(build, tuple(options.items()), cores)


def _often(units: int, form: str, noisy: bool) -> bool:
    """Whether a quick run has this step: every size once, every other form at the middle size."""
    return (form == "current" and not noisy) or (units == 128 and not (form == "rate" and noisy))


def _steps() -> Iterator[Row]:
    for units, form, noisy in product(SIZES, ("current", "rate"), (False, True)):
        at = case(cases.step, form=form, num_units=units, noise=noisy)
        where = f"N={units} {form}{' noise' if noisy else ''}"
        goal, often = (None if noisy else FLOOR_GOALS[units]), _often(units, form, noisy)
        yield Row(f"BPTT gradient / floor {where}", at, "gradient", "floor", goal, quick=often)
        if noisy:
            yield Row(f"draw of noise / BPTT {where}", at, "draw", "gradient", quick=often)
        else:
            yield Row(f"whole update / floor {where}", at, "update", "floor", quick=often)
        yield Row(f"grad of scan / BPTT {where}", at, "scan", "gradient", 1.5, False, often)
        yield Row(f"eager torch / BPTT {where}", at, "torch", "gradient", 6.0, False, often)
    for units in SIZES:
        at = case(cases.step, form="rate", num_units=units, tau=20.0)
        name = f"torch.nn.RNN / BPTT N={units} vanilla"
        yield Row(name, at, "torch-layer", "gradient", 1.5, at_most=False, quick=units == 128)


def _gated() -> Iterator[Row]:
    for form, units in product(("lstm", "gru"), SIZES):
        at = case(cases.step, form=form, num_units=units)
        layer, often = form.upper(), units == 128
        yield Row(f"torch.nn.{layer} / BPTT N={units}", at, "torch-layer", "gradient", 1.0, False, often)
        yield Row(f"grad of scan / BPTT N={units} {layer}", at, "scan", "gradient", 1.5, False, often)
        yield Row(f"BPTT gradient / floor N={units} {layer}", at, "gradient", "floor", quick=often)


def _segments() -> Iterator[Row]:
    for steps in SEGMENTED_STEPS[1:]:
        at = case(cases.segments, num_steps=steps)
        yield Row(f"segments / whole trial T={steps} N=128", at, "sqrt", "whole", 1.5, quick=steps == 500)
    at = case(cases.memory, num_steps=SEGMENTED_STEPS)
    for option, words, goal in (("sqrt", "in segments", 0.6), ("whole", "of whole trials", None)):
        for source, which in (("peak", "peak memory"), ("planned", "memory XLA plans")):
            name = f"exponent in T of {which} {words} N=128"
            aim = goal if source == "peak" else None
            yield Row(name, at, f"{option} {source}", None, aim, quick=False, quantity="exponent")
        for steps in SEGMENTED_STEPS:
            name = f"bytes of a gradient {words} T={steps} N=128"
            yield Row(name, at, f"{option} T={steps}", None, None, quick=False, quantity="bytes")


def _rules() -> Iterator[Row]:
    local, wider = (
        ("rflo", "eprop", "snap"),
        ("readout-only", "mdgl", "modprop", "feedback-alignment", "tbptt"),
    )
    for units, names in product(SIZES, (local, wider)):
        at = case(rule_cases.adjoint, names=names, num_units=units)
        goal = 0.8 if names is local else None
        for name in names:
            often = units == 128 and names is local
            yield Row(f"{name} / BPTT N={units}", at, name, rule_cases.REFERENCE, goal, quick=often)
    limits = {"rflo": 3.4, "uoro": 6.0, "kf-rtrl": 11.0, "rtrl": 74.0}
    at = case(rule_cases.trace_steps, names=tuple(limits), num_units=32, num_seeds=20)
    for name, limit in limits.items():
        words = f"microseconds of a {name} step, trace form N=32, 20 seeds"
        yield Row(words, at, name, None, limit, quantity="microseconds", quick=name == "rflo")
    declared = {  # sizes at which the order rules, steps; declared exponents of time and of memory
        "rflo": ((64, 128, 256), 40, 2.0, 2.0),
        "snap": ((64, 128, 256), 40, 2.0, 2.0),
        "uoro": ((512, 1024, 1536), 10, 2.0, 2.0),
        "kf-rtrl": ((384, 512, 768), 10, 3.0, 2.0),
        "rtrl": ((64, 96, 128), 10, 4.0, 3.0),
    }
    for name, (sizes, steps, in_time, in_memory) in declared.items():
        at = case(rule_cases.orders, name=name, sizes=sizes, num_steps=steps)
        for kind, goal in (("time", in_time), ("operations", in_time), ("memory", in_memory)):
            words = f"exponent in N of {kind}, trace form of {name}"
            often = name == "rflo"
            yield Row(words, at, kind, None, goal, quick=often, quantity="exponent", within=0.3)
    at = case(rule_cases.memory_in_time, names=("rflo",), num_steps=(500, 1000, 2000))
    for words, goal in (("after", 1.0), ("within", 0.0)):
        name = f"exponent in T of memory of rflo, {words} the trial N=64"
        yield Row(name, at, f"rflo {words}", None, goal, quick=False, quantity="exponent", within=0.3)


def _others(task_names: tuple[str, ...]) -> Iterator[Row]:
    for trials, seeds in ((256, 1), (64, 8)):
        at = case(cases.cores, cores=2, num_trials=trials, num_seeds=seeds)
        name = f"one core / two cores B={trials} seeds={seeds} N=128"
        yield Row(name, at, "one", "two", 1.6, at_most=False, quick=seeds == 1)
    for units in SIZES:
        at = case(cases.noise, num_units=units)
        yield Row(f"jax.random.normal / gaussian N={units}", at, "jax", "library")
    for name in task_names:
        at = case(cases.trials, task=name)
        yield Row(f"64 trials / BPTT N=128 {name}", at, "trials", "gradient", 0.05)
    at = case(cases.processes)
    yield Row("seconds of throughtime --help", at, "help", None, 0.5, quantity="seconds")
    yield Row("seconds of import throughtime", at, "import", None, quantity="seconds")
    yield Row("seconds of bare python", at, "bare", None, quantity="seconds")


def _analyses() -> Iterator[Row]:
    at = case(analysis_cases.fixed_points, cores=2, num_units=128, num_starts=1024)
    name = "seconds of 1024 starts to fixed points N=128"
    yield Row(name, at, "search", None, 30.0, quantity="seconds", quick=False)
    at = case(analysis_cases.lyapunov, cores=2, num_units=100, num_steps=10_000)
    name = "seconds of 10000 steps to all Lyapunov exponents N=100"
    yield Row(name, at, "spectrum", None, 10.0, quantity="seconds", quick=False)


def _studies() -> Iterator[Row]:
    at = case(study_cases.overhead, cores=2, num_cells=20)
    name = "seconds of a cell of a study beyond training and saving"
    yield Row(name, at, "beyond", None, 0.1, quantity="seconds", quick=False)
    for name, words in (("own", "a cell's training and saving, study"), ("job", "an empty job of a study")):
        yield Row(f"seconds of {words}", at, name, None, quantity="seconds", quick=False)
    yield Row("bytes of a seed in a run of a study N=32", at, "bytes", None, quantity="bytes", quick=False)
    at = case(study_cases.many, cores=2)
    name = "seconds to declare, resume, sum up 2000 cells of a study"
    yield Row(name, at, "all", None, 30.0, quantity="seconds", quick=False)
    for name in ("declare", "resume", "status", "combine"):
        yield Row(f"seconds of these for {name}, study", at, name, None, quantity="seconds", quick=False)
    at = case(study_cases.efficiency, cores=2)
    yield Row("efficiency of two workers of a study", at, "study", None, 0.85, at_most=False, quick=False)
    yield Row("efficiency of two bare loops beside the study", at, "bare", None, quick=False)


def table() -> tuple[Row, ...]:
    """All rows, names unique."""
    from throughtime import tasks

    return (*_steps(), *_gated(), *_rules(), *_segments(), *_analyses(), *_studies(), *_others(tasks.names()))


def select(pattern: str | None = None, quick: bool = False) -> tuple[Row, ...]:
    """Rows whose name matches the regular expression ``pattern``; without one all, or the quick ones.

    Raises:
        ValueError: where there is none.
    """
    if pattern is None:
        return tuple(row for row in table() if row.quick or not quick)
    rows = tuple(row for row in table() if re.search(pattern, row.name, re.IGNORECASE))
    if not rows:
        raise ValueError(f"no row matches {pattern!r}; names are as in: {table()[0].name!r}.")
    return rows
