from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pytest

from throughtime import tasks
from throughtime.circuits import Connectivity, Dense, LowRank, Sparse
from throughtime.cli import given, values
from throughtime.cli.errors import Refusal, is_refusal
from throughtime.credit.feedback import Feedback, RandomFeedback
from throughtime.frozen import FrozenArray
from throughtime.tasks import Duration, TruncatedExponential, Uniform, durations
from throughtime.tasks.durations import show


@pytest.mark.parametrize(
    ("text", "annotation", "value"),
    [
        ("700", Duration, 700),
        ("300,500,700", Duration, (300, 500, 700)),
        ("(300, 500,)", Duration, (300, 500)),
        ("[300, 500]", Duration, (300, 500)),
        ("U(500,3000)", Duration, Uniform(500, 3000)),
        ("Uniform(low=500, high=3000)", Duration, Uniform(500, 3000)),
        ("TE(330,80,1500)", Duration, TruncatedExponential(330, 80, 1500)),
        ("none", Duration | None, None),
        ("-0.5", float, -0.5),
        ("1e3", int, 1000),
        ("true", bool, True),
        ("False", bool, False),
        ("one-hot", str, "one-hot"),
        ("7", str, "7"),
        ("None", str, "None"),
        ("block", Literal["global", "block"], "block"),
        ("0.2,0.5", tuple[float, float], (0.2, 0.5)),
        ("RandomFeedback()", Feedback, RandomFeedback()),
        ("RandomFeedback", Feedback, RandomFeedback()),
        ("random", Feedback | str, "random"),
        ("50,100", float | FrozenArray, (50, 100)),
        ("recurrent", tuple[str, ...], ("recurrent",)),
        ("40", tuple[int, ...] | None, (40,)),
        ("(1,0.5),(0,1)", FrozenArray | None, ((1, 0.5), (0, 1))),
        ("Sparse(0.2, base=Dense(1.3))", Connectivity, Sparse(0.2, base=Dense(1.3))),
        ("LR(2)", Connectivity | None, LowRank(2)),
    ],
)
def test_a_text_says_a_value(text: str, annotation: Any, value: Any) -> None:
    found = values.parse(text, annotation)
    assert found == value
    assert type(found) is type(value)


@pytest.mark.parametrize(
    ("text", "annotation"),
    [
        ("abc", float),
        ("", float),
        ("True", float),
        ("1e999", int),
        ("2.5", int),
        ("1", bool),
        ("None", float),
        ("U(1)", Duration),
        ("U(1,2,3)", Duration),
        ("300,x", Duration),
        ("other", Literal["global", "block"]),
        ("1,2,3", tuple[float, float]),
        ("1", tuple[float, float]),
        ("x", tuple[float, ...]),
        ("Feedback()", Feedback),
        ("D()", Connectivity),  # Dale or Dense?
        ("1,(2,x)", FrozenArray),
        ("__import__('os').getcwd()", Duration),
        ("open('x')", Duration),
        ("1+1", float),
        ("-U(1,2)", Duration),
        ("(" * 200, float),
        ("1\0", float),
    ],
)
def test_what_is_no_value_is_told(text: str, annotation: Any) -> None:
    with pytest.raises(values.NotAValue):
        values.parse(text, annotation)


def test_durations_are_read_as_tasks_print_them() -> None:
    draw = random.Random(0)
    for _ in range(50):
        low, high = sorted(float(draw.randrange(1, 5000)) for _ in range(2))
        for duration in (
            low,
            (low, high),
            (low,),
            Uniform(low, high),
            TruncatedExponential(330.0, low, high),
        ):
            assert values.parse(show(duration), Duration) == duration


def test_fields_are_taken_out_and_the_rest_stays() -> None:
    rest, fields = given.split(
        ["train", "--task", "a", "--task.low", "-1", "--rule.x-y=1=2", "--num-units", "3"]
    )
    assert rest == ["train", "--task", "a", "--num-units", "3"]
    assert fields == {"task": {"low": "-1"}, "rule": {"x_y": "1=2"}}


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--task.delay"], "expected a value, found nothing"),
        (["--task.delay", "--rule"], "expected a value, found --rule"),
        (["--task.delay", "1", "--task.delay=2"], "given twice, as '1' and '2'"),
    ],
)
def test_fields_need_one_value(words: list[str], message: str) -> None:
    with pytest.raises(Refusal, match=message):
        given.split(words)


@dataclass(frozen=True)
class Options:
    delay: Duration = 1.0
    num_steps: int = 3


def test_errors_name_field_expected_and_found() -> None:
    with pytest.raises(Refusal, match=r"--task.num-steps: expected a whole number, found 'x'\."):
        given.read(Options, "task", {"num_steps": "x"}, "throughtime list tasks")
    with pytest.raises(
        Refusal, match=r"--task.dalay: Options has no field 'dalay'; did you mean --task.delay\?"
    ):
        given.read(Options, "task", {"dalay": "x"}, "throughtime list tasks")
    with pytest.raises(Refusal, match="see throughtime list tasks"):
        given.read(Options, "task", {"zzz": "x"}, "throughtime list tasks")
    assert given.read(Options, "task", {"delay": "2,3"}, "") == {"delay": (2, 3)}


def caught(function: Callable[[], object]) -> BaseException:
    try:
        function()
    except Exception as error:
        return error
    raise AssertionError("nothing was raised")


def test_only_what_the_library_raises_on_purpose_is_a_message() -> None:
    assert is_refusal(caught(lambda: tasks.get("no-such-task")))
    assert is_refusal(caught(lambda: tasks.make("cue-set-go", dt=-1.0)))
    assert not is_refusal(caught(lambda: int("x")))  # Python
    assert not is_refusal(caught(lambda: np.stack([])))  # another library
    # Python, asked by the library for what cannot be: a ValueError in our code, but no raise of ours.
    assert not is_refusal(caught(lambda: durations.bounds(())))
    assert isinstance(caught(lambda: durations.bounds(())), ValueError)


def test_a_users_class_leaves_the_one_it_derives_from_callable() -> None:
    class Doubled(Dense):
        """Of the test's own package."""

    assert values.parse("Sparse(0.2, base=Dense(1.3))", Connectivity) == Sparse(0.2, base=Dense(1.3))
    assert Doubled.__base__ is Dense
