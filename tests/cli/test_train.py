from __future__ import annotations

import dataclasses
import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import throughtime as tt
from tests.cli.conftest import SIZES, TINY, TRAINING, Call
from throughtime import circuits, objectives, training
from throughtime.cli import build, main
from throughtime.cli.options import Train
from throughtime.cli.train import numbers, settings_of

OPTIONS = Train(task="cue-set-go", out=Path("x.nc"))


def test_a_run_is_trained_saved_and_told(trained: Path, tmp_path: Path, call: Call) -> None:
    out = tmp_path / "new" / "folder" / "run.zarr"
    status, told, err = call(*TRAINING, "--task.interval", "500,700,900", "--gain", "1.2", "--out", out)
    assert (status, err) == (0, "")
    run = tt.load(out)
    assert run.summary() in told
    assert f"saved: {out}" in told
    assert run.seeds == [0, 1]
    assert run.task == tt.tasks.make("cue-set-go", dt=40.0, interval=(500.0, 700.0, 900.0))
    assert run.circuit.recurrent == tt.circuits.Dense(gain=1.2)
    assert run.tree.attrs["command"].startswith("throughtime train --task cue-set-go --task.dt 40")
    assert str(tmp_path) not in run.tree.attrs["command"]


def test_the_run_is_the_one_python_trains(trained: Path) -> None:
    task = tt.tasks.make("cue-set-go", dt=40.0)
    run = tt.train(
        task,
        tt.circuits.for_task(task, num_units=8),
        tt.rules.make("bptt"),
        seeds=range(2),
        num_updates=2,
        batch_size=4,
        test_trials=4,
    )
    from_command = tt.load(trained)
    assert from_command.tree.attrs["config_sha256"] == run.tree.attrs["config_sha256"]
    assert tt.results.content_sha256(from_command.tree) == tt.results.content_sha256(run.tree)


def test_defaults_are_those_of_the_library() -> None:
    wanted = {
        **inspect.signature(training.train).parameters,
        **inspect.signature(tt.train).parameters,
        **inspect.signature(circuits.for_task).parameters,
    }
    named = {field: wanted[field].default for field in Train.__dataclass_fields__ if field in wanted}
    named = {field: default for field, default in named.items() if default is not inspect.Parameter.empty}
    for field in ("seeds", "keep", "dynamics", "recurrent", "objective"):  # texts here, objects there
        named.pop(field)
    assert {field: getattr(OPTIONS, field) for field in named} == named
    assert len(named) >= 15
    assert settings_of(OPTIONS)["seeds"] == tuple(wanted["seeds"].default)
    default = circuits.for_task(tt.tasks.make("cue-set-go"))
    assert (OPTIONS.dynamics, OPTIONS.recurrent, OPTIONS.initial) == ("leaky", "dense", "rest")
    assert default.initial == circuits.Rest()
    assert build.objective(OPTIONS.objective, {}) == objectives.SquaredError()
    assert type(default.dynamics) is circuits.DYNAMICS[OPTIONS.dynamics]
    assert type(default.recurrent) is circuits.CONNECTIVITY[OPTIONS.recurrent]


def test_every_setting_of_training_that_is_text_or_number_is_an_option() -> None:
    only_in_python = {"task", "circuit", "rule", "params", "progress"}
    asked = set(inspect.signature(training.train).parameters) - only_in_python
    assert asked <= set(Train.__dataclass_fields__)


def test_a_curriculum_is_read_as_python_writes_it() -> None:
    options = dataclasses.replace(
        OPTIONS, curriculum="Shaping(delay, (500, U(500,1000)), Criterion(correct, at_least=0.9))"
    )
    until = tt.tasks.Criterion("correct", at_least=0.9)
    wanted = tt.tasks.Shaping("delay", (500.0, tt.tasks.Uniform(500, 1000)), until)
    assert settings_of(options)["curriculum"] == wanted
    assert settings_of(dataclasses.replace(OPTIONS, curriculum="published"))["curriculum"] == "published"


class Stop(Exception):
    pass


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """Run ``throughtime train`` up to the training; what was asked of it."""

    def one(*words: str) -> dict[str, Any]:
        found: dict[str, Any] = {}

        def spy(task: object, circuit: object, rule: object, **wishes: object) -> None:
            found.update(wishes, circuit=circuit, rule=rule)
            raise Stop

        monkeypatch.setattr("throughtime.api.train", spy)
        with pytest.raises(Stop):
            main(["train", "--task", "cue-set-go", *TINY, *words, "--out", str(tmp_path / "x.nc")])
        return found

    return one


def test_settings_reach_training(asked: Callable[..., dict[str, Any]], tmp_path: Path) -> None:
    words = [
        "--clip", "0.5", "--clip-by", "block", "--seeds", "0,3,7", "--init-seeds", "5",
        "--keep", "10,20", "--optimizer", "sgd", "--stop", "budget", "--noise", "0.1", "--tau", "50",
        "--activation", "relu", "--form", "rate", "--learning-rate", "0.01", "--checkpoint",
        str(tmp_path / "state"), "--eval-every", "7", "--log-every", "3", "--data-seeds", "4",
        "--rule-seeds", "1,2,3", "--carry-state",
        "--step-sizes", "readout=0.5,bias=0",
    ]  # fmt: skip
    found = asked(*words)
    circuit = found.pop("circuit")
    assert circuit.dynamics == circuits.Leaky(tau=50, activation="relu", form="rate")
    assert circuit.noise_sd == 0.1
    assert found.pop("rule") == tt.rules.make("bptt")
    found.pop("command")
    assert found == {
        "clip": training.Clip(0.5, "block"),
        "seeds": (0, 3, 7),
        "curriculum": None,
        "init_seeds": (5, 5, 5),
        "data_seeds": (4, 4, 4),
        "rule_seeds": (1, 2, 3),
        "keep": (10, 20),
        "optimizer": "sgd",
        "stop": "budget",
        "learning_rate": 0.01,
        "checkpoint": tmp_path / "state",
        "eval_every": 7,
        "log_every": 3,
        "num_updates": 2,
        "batch_size": 4,
        "test_trials": 4,
        "progress": False,
        "carry_state": True,
        "step_sizes": {"readout": 0.5, "bias": 0.0},
        "objective": objectives.SquaredError(),
    }


def test_parts_of_circuits_within_each_other(asked: Callable[..., dict[str, Any]]) -> None:
    words = [
        "--activation",
        "softplus",
        "--recurrent",
        "dale",
        "--recurrent.base",
        "Sparse(0.2, mask_seed=3)",
    ]
    wanted = circuits.Dale(base=circuits.Sparse(0.2, mask_seed=3))
    assert asked(*words)["circuit"].recurrent == wanted
    regions = [
        "--recurrent",
        "multi-region",
        "--recurrent.sizes",
        "5,3",
        "--recurrent.names",
        "cortex,striatum",
    ]
    found = asked(*regions, "--recurrent.blocks", "(1, 0), (0.5, 1)", "--recurrent.base", "Dense(gain=1.3)")
    assert found["circuit"].recurrent == circuits.MultiRegion(
        sizes=(5, 3), names=("cortex", "striatum"), blocks=[[1, 0], [0.5, 1]], base=circuits.Dense(gain=1.3)
    )
    low = asked("--recurrent", "low-rank", "--recurrent.rank", "2", "--recurrent.base", "Dense(0.8)")
    assert low["circuit"].recurrent == circuits.LowRank(rank=2, base=circuits.Dense(0.8))


def test_where_trials_start_and_what_is_fixed(asked: Callable[..., dict[str, Any]]) -> None:
    words = ("--initial", "warm-up", "--initial.duration", "300", "--fixed", "input, readout")
    circuit = asked(*words)["circuit"]
    assert circuit.initial == circuits.WarmUp(300)
    assert circuit.fixed == ("input", "readout")
    learned = asked("--initial", "learned", "--dynamics", "lstm")["circuit"]
    assert {"initial_cell", "initial_hidden"} <= set(learned.param_names)


def test_what_becomes_of_the_outputs(asked: Callable[..., dict[str, Any]]) -> None:
    fed_back = asked("--output-feedback", "--output-feedback-gain", "1.5")["circuit"]
    assert (fed_back.output_feedback, fed_back.output_feedback_gain) == (True, 1.5)
    assert asked("--readout-tau", "50")["circuit"].readout_tau == 50.0


def test_objectives_and_penalties(asked: Callable[..., dict[str, Any]]) -> None:
    words = ["--objective", "cross-entropy", "--rate-penalty", "0.1", "--weight-penalty", "1e-3"]
    words += ["--weight-penalty.power", "1", "--weight-penalty.of", "recurrent,", "--vanishing-gradient", "2"]
    assert asked(*words)["objective"] == objectives.Penalised(
        objectives.CrossEntropy(),
        (
            objectives.RatePenalty(0.1),
            objectives.WeightPenalty(1e-3, power=1, of=("recurrent",)),
            objectives.VanishingGradient(2),
        ),
    )


@pytest.mark.parametrize(("text", "segment"), [("10", 10), ("sqrt", "sqrt"), ("None", None)])
def test_segments_of_a_rule(text: str, segment: object, asked: Callable[..., dict[str, Any]]) -> None:
    assert asked("--rule.segment", text)["rule"].segment == segment


REFUSED = [
    (["--task", "cue-set-og"], "unknown task 'cue-set-og'; did you mean 'cue-set-go'"),
    (["--task", "cue-set-go:beirann"], "no variant 'beirann'; use one of beiran, short, long"),
    (["--task", "cue-set-go", "--rule", "bpt"], "unknown rule 'bpt'; did you mean 'bptt'"),
    (
        ["--task", "cue-set-go", "--task.intervall", "700"],
        "has no field 'intervall'; did you mean --task.interval",
    ),
    (["--task", "cue-set-go", "--task.dt", "fast"], "--task.dt: expected a number, found 'fast'"),
    (["--task", "cue-set-go", "--task.interval", "U(1)"], "--task.interval: expected a number, numbers"),
    (["--task", "cue-set-go", "--task.interval", "700"], "a slope needs at least 3 different intervals"),
    (["--task", "delayed-match-to-sample:masse", "--task.grace", "600"], "grace (600 ms) leaves no loss"),
    (["--task", "cue-set-go", "--tau", "10"], "tau 10 ms is below dt 20 ms"),
    (["--task", "cue-set-go", "--tau", "slow"], "--dynamics.tau: expected a number"),
    (["--task", "cue-set-go", "--tau", "50", "--dynamics.tau", "60"], "--dynamics.tau: given twice"),
    (["--task", "cue-set-go", "--activation", "tahn"], "unknown activation 'tahn'; did you mean 'tanh'"),
    (["--task", "cue-set-go", "--form", "rates"], "form 'rates' is not known"),
    (["--task", "cue-set-go", "--dynamics", "leeky"], "unknown dynamics 'leeky'; did you mean 'leaky'?"),
    (["--task", "cue-set-go", "--recurrent", "leaky"], "unknown recurrent 'leaky'"),
    (["--task", "cue-set-go", "--rule.steps", "3"], "BPTT has no field 'steps'"),
    (["--task", "cue-set-go", "--gain", "-1"], "gain -1 is not a number >= 0"),
    (["--task", "cue-set-go", "--num-units", "0"], "num_units 0 is not a whole number >= 1"),
    (["--task", "cue-set-go", "--num-updates", "0"], "num_updates 0 is not a whole number >= 1"),
    (["--task", "cue-set-go", "--test-trials", "-1"], "test_trials -1 is not a whole number >= 0"),
    (["--task", "cue-set-go", "--learning-rate", "nan"], "learning_rate has a negative or non-finite"),
    (["--task", "cue-set-go", "--optimizer", "adma"], "unknown optimizer 'adma'; did you mean 'adam'"),
    (["--task", "cue-set-go", "--clip", "0"], "use None for no clipping"),
    (["--task", "cue-set-go", "--clip-by", "block"], "give --clip NORM"),
    (["--task", "cue-set-go", "--seeds", "four"], "expected a number of seeds such as 4"),
    (["--task", "cue-set-go", "--seeds", "0"], "at least one"),
    (["--task", "cue-set-go", "--seeds", "1,1"], "a seed appears twice"),
    (["--task", "cue-set-go", "--seeds", "1.5"], "found '1.5'"),
    (["--task", "cue-set-go", "--seeds", "2", "--data-seeds", "1,2,3"], "data_seeds has 3 entries"),
    (["--task", "cue-set-go", "--initial", "learnt"], "unknown initial 'learnt'; did you mean 'learned'?"),
    (["--task", "cue-set-go", "--initial.duration", "300"], "Rest has no field 'duration'"),
    (["--task", "cue-set-go", "--initial", "warm-up", "--initial.duration", "0"], "is not a positive number"),
    (["--task", "cue-set-go", "--initial", "learned", "--carry-state"], "would never be used"),
    (
        ["--task", "cue-set-go", "--fixed", "recurrent,input,bias,readout,readout_bias"],
        "nothing is left to train",
    ),
    (["--task", "cue-set-go", "--fixed", "inputs"], "fixed ['inputs'] are no parameters of this circuit"),
    (
        ["--task", "cue-set-go", "--objective", "mse"],
        "unknown objective 'mse'; see squared-error, cross-entropy",
    ),
    (["--task", "cue-set-go", "--rate-penalty", "-1"], "RatePenalty: strength -1 is not a number >= 0"),
    (
        ["--task", "cue-set-go", "--rate-penalty", "x"],
        "--rate-penalty.strength: expected a number, found 'x'",
    ),
    (
        ["--task", "cue-set-go", "--weight-penalty.power", "1"],
        "needs a strength; give --weight-penalty STRENGTH",
    ),
    (["--task", "cue-set-go", "--rule.segment", "0"], "segment 0 is not a whole number >= 1, 'sqrt' or None"),
    (["--task", "cue-set-go", "--recurrent", "dale"], "rates of Leaky("),
    (
        ["--task", "cue-set-go", "--recurrent", "sparse", "--recurrent.base", "Sprse()"],
        "Sparse(density, mask",
    ),
    (["--task", "cue-set-go", "--curriculum", "published"], "CueSetGo with these settings declares no"),
    (
        ["--task", "cue-set-go", "--curriculum", "Shaping(wait)"],
        "--curriculum: expected published, or stages",
    ),
    (
        ["--task", "cue-set-go", "--curriculum", "Shaping(wait, (10,), Criterion(corect, at_least=0.9))"],
        "measure 'corect': expected one of",
    ),
    (["--task", "cue-set-go", "--keep", "10,x"], "--keep: expected updates such as 100,200; found '10,x'"),
]


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(("words", "message"), REFUSED)
def test_mistakes_are_told_in_one_message(
    words: list[str], message: str, refused: Callable[..., str], tmp_path: Path
) -> None:
    assert message in refused("train", *words, "--out", tmp_path / "x.nc")
    assert not any(tmp_path.iterdir())


@pytest.mark.usefixtures("no_training")
def test_outputs_are_checked_before_training(refused: Callable[..., str], tmp_path: Path) -> None:
    words = ("train", "--task", "cue-set-go")
    (tmp_path / "file").write_text("mine")
    message = refused(*words, "--out", tmp_path / "x.mat")
    assert "expected a name ending in .nc (netCDF4) or .zarr (zarr)" in message
    assert f"use {tmp_path / 'x.nc'}" in message
    assert "is a file; choose another folder" in refused(*words, "--out", tmp_path / "file" / "x.nc")
    assert "cannot be written: folder /proc" in refused(*words, "--out", "/proc/x.nc")
    kept = ("--out", tmp_path / "x.nc", "--checkpoint")
    assert "is also --out" in refused(*words, *kept, tmp_path / "x.nc")
    assert "is a file; choose another folder" in refused(*words, *kept, tmp_path / "file" / "state")
    assert "found the folder" in refused(*words, *kept, tmp_path)
    (tmp_path / "x.nc").write_text("not a result")
    for overwrite in ([], ["--overwrite"]):
        message = refused(*words, "--out", tmp_path / "x.nc", *overwrite)
        assert "exists and is no results file, so it is not replaced" in message
    assert sorted(path.name for path in tmp_path.iterdir()) == ["file", "x.nc"]


@pytest.mark.usefixtures("no_training")
@pytest.mark.parametrize(
    ("change", "same"),
    [
        ([], True),
        (["--quiet", "--test-trials", "9"], True),  # no part of the configuration
        (["--learning-rate", "0.01"], False),
        (["--keep", "1"], False),
        (["--init-seeds", "1,2"], False),
        (["--task.hold", "200"], False),
        (["--noise", "1"], False),
        (["--clip", "1"], False),
    ],
    ids=str,
)
def test_a_result_is_not_trained_over(
    change: list[str], same: bool, trained: Path, refused: Callable[..., str]
) -> None:
    before = trained.read_bytes()
    words = ["train", "--task", "cue-set-go", "--task.dt", "40", "--seeds", "2", *SIZES]
    message = refused(*words, *change, "--out", trained)
    assert ("already holds the same configuration" in message) == same
    assert "--overwrite" in message
    assert trained.read_bytes() == before


def test_overwrite_replaces(trained: Path, tmp_path: Path, call: Call) -> None:
    path = tmp_path / "run.nc"
    path.write_bytes(trained.read_bytes())
    status, _, err = call(*TRAINING, "--gain", "1.1", "--out", path, "--overwrite")
    assert (status, err) == (0, "")
    assert tt.load(path).circuit.recurrent.gain == 1.1


def test_seeds_are_a_number_or_a_list() -> None:
    assert numbers("--seeds", "4", "") == 4
    assert numbers("--seeds", "0,3,7", "") == (0, 3, 7)
    assert numbers("--seeds", "3,", "") == (3,)


@pytest.mark.parametrize("checkpoint", [None, "new", "old"])
def test_an_interruption_tells_how_to_go_on(
    checkpoint: str | None, call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*args: object, **options: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("throughtime.api.train", interrupt)
    (tmp_path / "old").write_bytes(b"")
    words = [] if checkpoint is None else ["--checkpoint", tmp_path / checkpoint]
    status, out, err = call(*TRAINING, *words, "--out", tmp_path / "x.nc")
    told = {
        None: "with --checkpoint FILE the same command would go on",
        "new": "was not written yet",
        "old": f"is in {tmp_path / 'old'}: give the same command again to go on",
    }[checkpoint]
    assert (status, out) == (130, "")
    assert err.startswith("throughtime: interrupted; ")
    assert told in err
    assert err.count("\n") == 1
