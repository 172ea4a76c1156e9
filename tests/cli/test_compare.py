"""``throughtime compare``: what it asks of the library, what it prints, saves and refuses."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from tests.cli.conftest import Call
from throughtime import results, rules
from throughtime.cli.compare import rule_of, table
from throughtime.comparison import GRID
from throughtime.results.flags import flag_attributes
from throughtime.results.provenance import library_attributes

BASIC = ("compare", "--task", "cue-set-go", "--task.dt", "50", "--num-units", "6")


def summary() -> xr.Dataset:
    one = {"units": "1"}
    return xr.Dataset(
        {
            "final_loss": (("rule", "seed"), [[1.0, np.nan, np.nan], [0.5, 0.25, 2.0]], one),
            "final_score": (("rule", "seed"), [[0.5, np.nan, np.nan], [1.0, 0.75, 0.5]], one),
            "learning_rate": ("rule", [0.1, 0.003], one),
            "num_criterion": ("rule", [0, 2], one),
            "num_diverged": ("rule", [2, 0], one),
            "at_edge": ("rule", [1, 0], one),
        },
        {
            "rule": ("rule", [0, 1], {**one, **flag_attributes(["uoro", "bptt"])}),
            "seed": ("seed", [0, 1, 2], one),
        },
    )


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Compare without training; what was asked."""
    found: dict[str, Any] = {}

    def spy(task: Any, circuit: Any, chosen: Any, **wishes: Any) -> xr.DataTree:
        found.update(wishes, task=task, circuit=circuit, rules=chosen)
        attrs = library_attributes("study")
        return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), "/comparison": summary()})

    monkeypatch.setattr("throughtime.comparison.compare", spy)
    return found


def test_what_is_asked_told_and_saved(asked: dict[str, Any], call: Call, tmp_path: Path) -> None:
    out = tmp_path / "new" / "study.nc"
    status, told, err = call(
        *BASIC, "--rules", "bptt", "aligned=eprop(feedback=symmetric)",
        "slow=rtrl(online=True, step_size=1e-3)", "--tune", "--grid", "1e-3,1e-2", "--tune-seeds", "70,71",
        "--seeds", "3", "--clip", "1", "--no-controls", "--match", "trials",
        "--checkpoint", tmp_path / "states", "--out", out, "--quiet",
    )  # fmt: skip
    assert (status, err) == (0, "")
    assert asked["rules"] == [
        ("bptt", rules.make("bptt")),
        ("aligned", rules.make("eprop", feedback="symmetric")),
        ("slow", rules.make("rtrl", online=True, step_size=1e-3)),
    ]
    wanted = {
        "tune": True,
        "grid": (1e-3, 1e-2),
        "tune_seeds": (70, 71),
        "controls": False,
        "match": "trials",
    }
    wanted |= {"seeds": (0, 1, 2), "stop": "budget", "progress": False, "checkpoint": tmp_path / "states"}
    assert {name: asked[name] for name in wanted} == wanted
    assert asked["clip"].at == 1
    assert asked["task"] == tt.tasks.make("cue-set-go", dt=50.0)
    assert asked["command"].startswith("throughtime compare --task cue-set-go")
    assert (tmp_path / "states").is_dir()
    assert f"saved: {out}" in told
    assert told.startswith(table(summary()))
    assert results.load_tree(out).attrs["kind"] == "study"
    status, told, _ = call("show", out)
    assert status == 0
    assert "study" in told


def test_defaults_are_those_of_the_library(asked: dict[str, Any], call: Call, tmp_path: Path) -> None:
    assert call(*BASIC, "--rules", "rflo", "--out", tmp_path / "x.nc", "--tune")[0] == 0
    assert (asked["grid"], asked["tune_seeds"], asked["controls"]) == (GRID, 3, True)
    assert (asked["match"], asked["tune_updates"], asked["checkpoint"]) == ("updates", None, None)
    assert call(*BASIC, "--rules", "rflo", "--out", tmp_path / "y.nc")[0] == 0


def test_the_table_ranks_diverged_seeds_worst() -> None:
    lines = [line.split() for line in table(summary()).splitlines()]
    assert lines[0] == ["rule", "step", "loss", "score", "criterion", "diverged", "edge"]
    assert lines[1] == ["uoro", "0.1", "inf", "-inf", "0/3", "2/3", "yes"]
    assert lines[2] == ["bptt", "0.003", "0.5", "0.75", "2/3", "0/3", "no"]


def test_options_of_a_rule_are_written_behind_its_name() -> None:
    assert rule_of("rflo") == ("rflo", rules.make("rflo"))
    assert rule_of("a.b=eprop(feedback='random')") == ("a.b", rules.make("eprop", feedback="random"))
    assert rule_of("snap(n=2)") == ("snap", rules.make("snap", n=2))
    assert rule_of("bptt()") == ("bptt", rules.make("bptt"))


REFUSED = [
    (["--rules", "bpt"], "unknown rule 'bpt'; did you mean 'bptt'"),
    (["--rules", "snap(m=2)"], "--rule.m: SnAp has no field 'm'"),
    (["--rules", "snap(2)"], "expected options as in snap(name=value), found 'snap(2)'"),
    (["--rules", "snap(n=2"], "expected [LABEL=]NAME or [LABEL=]NAME(option=value), found 'snap(n=2'"),
    (["--rules", "snap(n=)"], "expected options as in snap(name=value)"),
    (["--rules", "bptt", "--grid", "1,2"], "--grid, --tune-updates: are for tuning; give --tune"),
    (["--rules", "bptt", "--tune", "--grid", "1,x"], "--grid: expected numbers such as"),
    (["--rules", "bptt", "--tune", "--tune-seeds", "x"], "--tune-seeds: expected a number of seeds"),
    (["--rules", "bptt", "--rule.segment", "3"], "throughtime compare takes --task.FIELD"),
    (["--rules", "bptt", "--tau", "10"], "tau 10 ms is below dt 50 ms"),
]


@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_mistakes_are_told_in_one_message(
    words: list[str], message: str, asked: dict[str, Any], refused: Callable[..., str], tmp_path: Path
) -> None:
    assert message in refused(*BASIC, *words, "--out", tmp_path / "x.nc")
    assert asked == {}


def test_a_result_is_not_replaced(
    asked: dict[str, Any], refused: Callable[..., str], call: Call, tmp_path: Path
) -> None:
    words = (*BASIC, "--rules", "bptt", "--out", tmp_path / "x.nc")
    assert call(*words)[0] == 0
    asked.clear()
    assert "exists; see what it holds with throughtime show" in refused(*words)
    assert asked == {}
    assert call(*words, "--overwrite")[0] == 0
    (tmp_path / "y.nc").write_text("mine")
    assert "is no results file, so it is not replaced" in refused(
        *words[:-1], tmp_path / "y.nc", "--overwrite"
    )


@pytest.mark.parametrize("folder", [None, "states"])
def test_an_interruption_tells_how_to_go_on(
    folder: str | None, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("throughtime.comparison.compare", interrupt)
    words = [] if folder is None else ["--checkpoint", tmp_path / folder]
    status, out, err = call(*BASIC, "--rules", "bptt", *words, "--out", tmp_path / "x.nc")
    told = "with --checkpoint DIR" if folder is None else f"states are in {tmp_path / 'states'}"
    assert (status, out) == (130, "")
    assert told in err
