from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable

import pytest

import throughtime as tt
from tests.cli.conftest import Call
from throughtime import __version__, circuits


def blocks(told: str) -> dict[str, str]:
    return {block.split("\n")[0]: " ".join(block.split()) for block in told.strip().split("\n\n")}


def expanded(block: str, row: str, after: str) -> tuple[str, ...]:
    """All names of a row in which numbered ones stand as the first and the last."""
    names = []
    for part in re.search(rf".* {row} (.*?) {after} ", block)[1].split(", "):
        first, _, last = part.partition(" to ")
        kind, _, start = first.rpartition("_")
        end = int(last.rpartition("_")[2]) if last else 0
        names += [f"{kind}_{n:0{len(start)}d}" for n in range(int(start), end + 1)] if last else [part]
    return tuple(names)


def test_tasks_tell_what_they_declare(call: Call) -> None:
    status, told, err = call("list", "tasks")
    assert (status, err) == (0, "")
    listed = blocks(told)
    assert tuple(sorted(listed)) == tt.tasks.names()
    for name, block in listed.items():
        kind = tt.tasks.get(name)
        task = kind()
        for part in (f"{task.duration:g} ms", *kind.variants):
            assert part in block
        assert expanded(block, "inputs", "outputs") == task.input_names
        assert expanded(block, "outputs", "duration") == task.output_names
        assert " ".join(kind.reference.split()) in block
        assert all(criterion.words in block for criterion in task.criterion)
        assert task.hardest.field in block.partition("demanding")[2] or not task.demanding


def test_rules_tell_their_traits_and_source(call: Call) -> None:
    listed = blocks(call("list", "rules")[1])
    assert set(listed) == set(tt.rules.names())
    assert "exact yes, online no" in listed["bptt"]
    assert "source Werbos 1990, Proc. IEEE 78:1550." in listed["bptt"]


def test_circuits_tell_their_fields(call: Call) -> None:
    listed = blocks(call("list", "circuits")[1])
    names = circuits.names()
    assert set(listed) == {name for those in names.values() for name in those}
    for name, block in listed.items():
        assert all(field.name in block for field in dataclasses.fields(circuits.get(name)))
    assert "--dynamics leaky" in listed["leaky"]
    assert "--recurrent dense" in listed["dense"]
    assert "--recurrent dale" in listed["dale"]
    assert "--initial warm-up" in listed["warm-up"]
    assert "fields duration=500.0" in listed["warm-up"]


@pytest.mark.parametrize(
    ("kind", "name"), [("tasks", "cue-set-go"), ("rules", "bptt"), ("circuits", "leaky")]
)
def test_all_about_one(kind: str, name: str, call: Call) -> None:
    told = call("list", kind, name)[1]
    for field in dataclasses.fields(getattr(tt, kind).get(name)):
        assert (f"\n  {field.name.replace('_', '-')} = " in told) == field.init
    assert "Example" not in told


def test_unknown_ones(refused: Callable[..., str]) -> None:
    assert "did you mean 'cue-set-go'" in refused("list", "tasks", "cue-set-og")
    assert "unknown rule 'zzz'" in refused("list", "rules", "zzz")
    assert "unknown circuit part 'zzz'" in refused("list", "circuits", "zzz")


def test_version(call: Call) -> None:
    assert call("--version") == (0, f"throughtime {__version__}\n", "")


@pytest.mark.parametrize(
    ("words", "parts"),
    [
        ((), ("Expected one of", "train")),
        (("tarin",), ("tarin", "train, compare, evaluate")),
        (("list", "task"), ("'task'", "'tasks'")),
        (("train", "--task", "a"), ("--out",)),
        (("train", "--task", "a", "--out", "b.nc", "--num-units", "many"), ("--num-units", "many")),
        (("train", "--task", "a", "--out", "b.nc", "--num-unit", "3"), ("--num-unit", "--num-units")),
        (
            ("train", "--task", "a", "--out", "b.nc", "--clip-by", "row"),
            ("'row'", "'global', 'block', 'value'"),
        ),
        (("evaluate",), ("RESULT",)),
    ],
)
def test_options_of_the_wrong_kind(words: tuple[str, ...], parts: tuple[str, ...], call: Call) -> None:
    status, out, err = call(*words)
    assert (status, out) == (2, "")
    flat = " ".join(err.replace("│", " ").split())
    for part in parts:
        assert part in flat
    assert "Traceback" not in err
