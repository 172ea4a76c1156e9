"""Every task and named constructor against the battery; a new task is a new row of ``CASES``."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import pytest

from throughtime import tasks
from throughtime.checking import tasks as battery

EVEN = {0: 0.5, 1: 0.5}


class Case(NamedTuple):
    """A task by registry name, and the probabilities of the conditions it does not declare as fields."""

    name: str
    probabilities: dict[str, dict[Any, float]] | None = None


SEVEN = {
    count: math.comb(7, count) * (0.7**count * 0.3 ** (7 - count) + 0.3**count * 0.7 ** (7 - count)) / 2
    for count in range(8)
}

SHOWN = {
    "test_1": dict.fromkeys(range(8), 1 / 8),
    "test_2": {-1: 1 / 4, **dict.fromkeys(range(8), 3 / 32)},
    "test_3": {-1: 1 / 2, **dict.fromkeys(range(8), 1 / 16)},
}
REPEATS = {0: 11 / 16, 1: 1 / 4, 2: 1 / 16}
SIX = dict.fromkeys(range(6), 1 / 6)
EIGHT = dict.fromkeys(range(8), 1 / 8)
TEN = {(2 * index + 1) * math.pi / 10: 1 / 10 for index in range(10)}
APART = {steps * math.pi / 5: p for steps, p in enumerate((0.1, 0.2, 0.2, 0.2, 0.2, 0.1))}

SIGNED = [sign * 2**power for power in range(5) for sign in (-1, 1)]
FREQUENCIES = {f: (0.2 if 18 <= f <= 26 else 0.1) for f in range(10, 35, 4)}

CASES = (
    Case(
        "abba",
        SHOWN
        | {"sample": EIGHT, "match_position": dict.fromkeys(range(4), 1 / 4), "matches": {0: 1 / 4, 1: 3 / 4}}
        | {"repeated": REPEATS, "new": REPEATS},
    ),
    Case("add-task", {"delay": {180.0: 1.0}}),
    Case("adding-problem"),
    Case("copy-memory", {"delay": {1000.0: 1.0}}),
    Case("cue-set-go"),
    Case(
        "delayed-match-to-category",
        {"sample_direction": TEN, "test_direction": TEN, "sample_category": EVEN, "test_category": EVEN}
        | {"angular_distance": APART, "match": EVEN},
    ),
    Case("delayed-match-to-sample", {"sample": EVEN, "test": EVEN, "match": EVEN}),
    Case(
        "delayed-paired-association",
        {"sample": EVEN, "test": {2: 0.5, 3: 0.5}, "pair": dict.fromkeys(range(4), 1 / 4)},
    ),
    Case("delayed-xor", {"first": EVEN, "second": EVEN}),
    Case(
        "dual-delayed-match",
        dict.fromkeys(("sample_1", "sample_2", "test_1", "test_2", "uncued_1", "uncued_2"), EIGHT)
        | {name: {1: 0.5, 2: 0.5} for name in ("cued_1", "cued_2")}
        | dict.fromkeys(("match_1", "match_2", "switch"), EVEN),
    ),
    Case(
        "evidence-accumulation",
        {"right": SEVEN, "difference": {2 * count - 7: p for count, p in SEVEN.items()}}
        | {f"cue_{place}": EVEN for place in range(1, 8)},
    ),
    Case("flip-flop"),
    Case("go-no-go", {"go": EVEN}),
    Case("interval-comparison"),
    Case("interval-discrimination"),
    Case("interval-production"),
    Case("measure-wait-go", {"blank": {False: 1.0}}),
    Case("one-two-three-go"),
    Case(
        "ready-set-go",
        {
            "prior": {0: 0.5, 2: 0.5},
            "gain": {1.0: 1.0},
            "interval": {800.0: 0.2}
            | dict.fromkeys((480.0, 560.0, 640.0, 720.0, 900.0, 1000.0, 1100.0, 1200.0), 0.1),
        },
    ),
    Case("mimic-task", {"memory": {20.0: 1.0}}),
    Case(
        "nback",
        {f"item_{place}": SIX for place in range(1, 13)}
        | {name: {k: math.comb(10, k) / 2**10 for k in range(11)} for name in ("targets", "lures")}
        | {"n": {2: 1.0}},
    ),
    Case("sequence-memory", {f"item_{rank}": SIX for rank in (1, 2, 3)} | {"length": {3: 1.0}}),
    Case("delayed-anti-response"),
    Case("delayed-estimation"),
    Case("multitask", {"task": {k: (5 if k in (8, 9) else 1) / 28 for k in range(20)}}),
    Case("yang-tasks", {"ring": EVEN}),
    Case("delayed-response"),
    Case("perceptual-decision", {"coherence": dict.fromkeys(SIGNED, 1 / 10), "duration": {800.0: 1.0}}),
    Case(
        "contextual-integration",
        {name: {c * sign: 1 / 6 for c in (1, 3, 10) for sign in (-1, 1)} for name in ("motion", "colour")}
        | dict.fromkeys(("context", "congruent"), EVEN),
    ),
    Case(
        "multisensory-decision",
        {"modality": dict.fromkeys(range(3), 1 / 3), "rate": dict.fromkeys(range(9, 17), 1 / 8)},
    ),
    Case(
        "parametric-working-memory",
        {"pair": dict.fromkeys(range(10), 1 / 10), "difference": {-8: 0.5, 8: 0.5}}
        | dict.fromkeys(("f1", "f2"), FREQUENCIES),
    ),
    Case("delayed-pulse", {"delay": {1000.0: 1.0}, "perturbation": {0.0: 1.0}}),
    Case(
        "synchronization-continuation",
        {
            "target_period": {1000 / tempo: 1 / 7 for tempo in range(2, 9)},
            "num_paced": dict.fromkeys((3, 4, 5), 1 / 3),
            "num_continued": dict.fromkeys((4, 5, 6), 1 / 3),
        },
    ),
    Case("temporal-pattern", {"speed": dict.fromkeys((0.5, 1.0, 2.0), 1 / 3)}),
    Case("sine-generation", {"target_period": {800.0: 1.0}}),
)

PUBLISHED = [(case.name, variant) for case in CASES for variant in tasks.get(case.name).variants]


@pytest.mark.parametrize(
    ("case", "check"),
    [(case, check) for case in CASES for check in battery.BATTERY],
    ids=lambda value: value.name if isinstance(value, Case) else value.__name__,
)
def test_class(case, check):
    task = tasks.make(case.name)
    if check is battery.conditions:
        check(task, case.probabilities)
    else:
        check(task)


@pytest.mark.parametrize(
    ("name", "variant", "check"),
    [(*published, check) for published in PUBLISHED for check in battery.CONSTRUCTOR_BATTERY],
    ids=lambda value: getattr(value, "__name__", value),
)
def test_named_constructor(name, variant, check):
    check(tasks.make(name, variant))


def test_every_task_is_a_case():
    assert tuple(sorted(case.name for case in CASES)) == tasks.names()


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_says_where_it_comes_from(name):
    task = tasks.get(name)
    assert len(task.reference) > 20
    assert task.__module__ == f"throughtime.tasks.{name.replace('-', '_')}"
    assert all(callable(getattr(task, variant)) for variant in task.variants)


@pytest.mark.parametrize("name", tasks.names())
def test_every_task_says_what_makes_it_harder(name):
    """Its own value is one of those at which it is measured."""
    task = tasks.make(name)
    assert getattr(task, task.hardest.field) in task.hardest.values
