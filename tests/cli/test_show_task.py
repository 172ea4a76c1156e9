"""``throughtime show-task``: a picture of every task, and messages."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Call
from throughtime.cli.options import parse


def test_a_task_is_drawn_and_told(tmp_path: Path, call: Call) -> None:
    out = tmp_path / "new" / "dms.svg"
    words = ("show-task", "delayed-match-to-sample", "--task.delay", "500,900", "--out", out)
    status, told, err = call(*words)
    assert (status, err) == (0, "")
    assert told == f"4 trials, by delay, correct_choice\nsaved: {out}\n"
    text = out.read_text()
    assert "delay 500 ms, nonmatch" in text
    assert "delayed-match-to-sample, delay 500,900: input grey" in text


def test_conditions_seed_and_number_can_be_chosen(
    tmp_path: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    words = ("--variant", "beiran", "--by", "interval", "--most", "3", "--seed", "4")
    status, told, _ = call("show-task", "cue-set-go", *words)
    assert status == 0
    assert told == "3 trials, by interval\nsaved: cue-set-go-beiran.png\n"
    assert (tmp_path / "cue-set-go-beiran.png").read_bytes().startswith(b"\x89PNG")


def test_fields_of_tasks_only() -> None:
    command, fields = parse(["show-task", "cue-set-go", "--task.wait", "100"])
    assert (command.task, fields) == ("cue-set-go", {"task": {"wait": "100"}})  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["cue-set-og"], "unknown task 'cue-set-og'; did you mean 'cue-set-go'"),
        (
            ["cue-set-go:beirn"],
            "show-task: cue-set-go has no variant 'beirn'; use one of beiran, short, long.",
        ),
        (["cue-set-go:short", "--variant", "long"], "--variant: cue-set-go:short names one already"),
        (["cue-set-go", "--by", "side"], "CueSetGo: no condition 'side' to show examples by"),
        (["cue-set-go", "--most", "0"], "--most: expected at least 1, found 0."),
        (["cue-set-go", "--seed", "-1"], "--seed: expected a whole number from 0"),
        (["cue-set-go", "--out", "x.jpg"], "--out: expected a name ending in .png or .svg or .pdf"),
        (["cue-set-go", "--out", "/proc/x.png"], "cannot be written: folder /proc"),
        (["cue-set-go", "--rule.x", "1"], "throughtime show-task takes --task.FIELD; leave it out."),
    ],
)
def test_mistakes_are_told_in_one_message(
    words: list[str], message: str, refused: Callable[..., str]
) -> None:
    assert message in refused("show-task", *words)
