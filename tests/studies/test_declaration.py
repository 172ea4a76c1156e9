"""What a study is made of, which cells it has, and what it refuses before anything is run."""

from __future__ import annotations

import dataclasses
import importlib
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import throughtime as tt
from tests.studies import constants, members
from tests.studies.examples import TRAINING, small
from throughtime import config
from throughtime.studies import CircuitPlan, Study, Tuning, code

TASK = tt.tasks.make("cue-set-go", dt=50.0)


def identities(study: Study) -> set[str]:
    return {cell.identity for cell in study.cells()}


def test_a_study_is_the_same_after_json_and_says_its_cells() -> None:
    everything = small(
        rules={"rflo": "rflo", "own": members.Same()},
        options={"slow": {"learning_rate": 1e-4}, "fast": {"learning_rate": [1e-2] * 6, "clip": 1.0}},
        training={**TRAINING, "data_seeds": [7, 8]},
        measures={"pca": {"num_components": 2}},
        evaluations={"noisy": {"noise": 0.3}},
        left_out=[{"rule": "own", "option": "fast"}],
    )
    again = config.decode(config.encode(everything))
    assert again == everything
    assert hash(again) == hash(everything)
    assert again.identity == everything.identity
    arrays = small(training={"params": {"bias": np.zeros(5)}, "keep": [1, 2], "clip": tt.training.Clip(1.0)})
    assert config.decode(config.encode(arrays)) == arrays
    labels = [(cell.kind, cell.rule, cell.option, cell.seeds) for cell in again.cells()]
    assert labels == [
        ("train", "rflo", "slow", (0,)),
        ("train", "rflo", "slow", (1,)),
        ("train", "rflo", "fast", (0,)),
        ("train", "rflo", "fast", (1,)),
        ("train", "own", "slow", (0,)),
        ("train", "own", "slow", (1,)),
        ("measure", "rflo", "slow", (0, 1)),
        ("measure", "rflo", "fast", (0, 1)),
        ("measure", "own", "slow", (0, 1)),
    ]
    first = again.cells()[0]
    assert first.name == f"train-go-small-rflo-slow-{first.identity[:12]}"
    assert again.runs()[0].measure.needs == tuple(cell.identity for cell in again.runs()[0].cells)


def test_the_room_is_opened_without_jax_or_dask() -> None:
    code = "import sys, throughtime.studies; print([n for n in {!r} if n in sys.modules])"
    heavy = ("jax", "brian2", "dask", "distributed", "bokeh", "matplotlib")
    done = subprocess.run([sys.executable, "-c", code.format(heavy)], capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


def test_the_identity_of_a_cell_is_its_own() -> None:
    study = small(rules=["rflo", "bptt"], options={"a": {"clip": 1.0}, "b": {"clip": 2.0}}, seeds=3)
    same = small(rules=["bptt", "rflo"], options={"b": {"clip": 2.0}, "a": {"clip": 1.0}}, seeds=range(3))
    assert identities(study) == identities(same)
    assert len(identities(study)) == 12
    more = small(rules=["rflo", "bptt", "eprop"], options={"a": {"clip": 1.0}, "b": {"clip": 2.0}}, seeds=5)
    assert identities(study) < identities(more)


@pytest.mark.parametrize(
    "change",
    [
        {"tasks": {"go": tt.tasks.make("cue-set-go", dt=25.0)}},
        {"tasks": {"gone": TASK}},
        {"circuits": {"small": {"num_units": 6}}},
        {"circuits": {"small": {"num_units": 5, "output_feedback": True}}},
        {"rules": {"rflo": tt.rules.make("rflo", feedback="symmetric")}},
        {"options": {"default": {"clip": 1.0}}},
        {"training": {**TRAINING, "num_updates": 8}},
        {"training": {**TRAINING, "data_seeds": (5, 6)}},
        {"test_trials": 5},
        {"match": "trials"},
        {"seeds": (2, 3)},
        {"seeds_per_cell": 2},
        {"tuning": Tuning()},
    ],
)
def test_any_setting_changes_the_identity(change: dict) -> None:
    assert not identities(small()) & identities(small(**change))


def test_a_seed_with_numbers_of_its_own_changes_its_own_cell_alone() -> None:
    one = small(training={**TRAINING, "data_seeds": (5, 6)}).cells()
    two = small(training={**TRAINING, "data_seeds": (5, 7)}).cells()
    assert [a.identity == b.identity for a, b in zip(one, two, strict=True)] == [True, False]


def test_measures_and_evaluations_are_cells_of_their_own() -> None:
    plain, measured = small(), small(measures=["pca"])
    train = {cell.identity for cell in measured.cells() if cell.kind == "train"}
    assert train == identities(plain)
    others = [small(measures=["dimensionality"]), small(measures=["pca"], measure_trials=8)]
    others.append(small(measures=["pca"], evaluations={"noisy": {"noise": 0.5}}))
    assert len({study.cells()[-1].identity for study in (measured, *others)}) == 4


def test_code_that_numbers_depend_on_is_part_of_the_identity(tmp_path: Path, monkeypatch) -> None:
    names = [name for name, _ in code._sources(code.TRAINING)]
    assert {"training/update.py", "credit/adjoint.py", "rules/rflo.py", "comparison/tuning.py"} <= set(names)
    assert not [name for name in names if name.startswith(("plotting", "cli", "studies", "results"))]
    assert "measures/geometry.py" in [name for name, _ in code._sources(code.MEASURING)]
    package = tmp_path / "package"
    for name in code.TRAINING:
        place = package / name
        place.parent.mkdir(parents=True, exist_ok=True)
        if name.endswith(".py"):
            place.write_text(f"# {name}\n")
        else:
            place.mkdir()
            (place / "one.py").write_text("x = 1\n")
    monkeypatch.setattr(code, "PACKAGE", package)
    code.numbers_sha256.cache_clear()
    try:
        before = code.numbers_sha256()
        first = identities(small())
        (package / "rules" / "one.py").write_text("x = 2\n")
        code.numbers_sha256.cache_clear()
        assert code.numbers_sha256() != before
        assert not identities(small()) & first
    finally:
        monkeypatch.undo()
        code.numbers_sha256.cache_clear()


def test_modules_of_the_user_and_what_they_use_are_part_of_the_identity(tmp_path: Path, monkeypatch) -> None:
    assert code.members_sha256({"throughtime.rules.bptt:BPTT"}) == ""
    assert code.own_file(members) == Path(members.__file__).resolve()
    assert code.own_file(importlib.import_module("json")) is None
    assert code.own_file(importlib.import_module("numpy")) is None
    with_module = code.members_sha256({"tests.studies.members:Same"})
    assert with_module
    copy = tmp_path / "constants.py"
    copy.write_text('PLACE = "elsewhere"\n')
    monkeypatch.setattr(constants, "__file__", str(copy))
    code._modules_sha256.cache_clear()
    code.own_file.cache_clear()
    assert code.members_sha256({"tests.studies.members:Same"}) != with_module
    code._modules_sha256.cache_clear()
    code.own_file.cache_clear()


def test_a_class_of_the_running_script_is_refused() -> None:
    with pytest.raises(ValueError, match="Here is defined in the script that runs"):
        code.members_sha256({"__main__:Here"})


@dataclasses.dataclass(frozen=True)
class Fussy(members.BPTT):
    """Refuses every circuit."""

    def gradient(self, *args: object, **options: object) -> object:
        raise ValueError("Fussy: this circuit is not to my taste; give another")


def test_what_a_rule_refuses_stops_the_study_or_is_left_out_with_the_reason() -> None:
    asked = {"rules": {"rflo": "rflo", "fussy": Fussy(), "breaks": members.Breaks()}}
    with pytest.raises(ValueError, match=r"go, small, fussy, default: .* not to my taste.*skip_refused"):
        small(**asked).cells()
    study = small(**asked, skip_refused=True)
    assert {cell.rule for cell in study.cells()} == {"rflo", "breaks"}  # what breaks is no refusal
    reason = "Fussy: this circuit is not to my taste; give another."
    assert study.refused == {("go", "small", "fussy", "default"): reason}
    with pytest.raises(ValueError, match=r"no combination is left to run\. Fussy"):
        small(rules={"fussy": Fussy()}, skip_refused=True).cells()
    with pytest.raises(ValueError, match="no combination is left to run"):
        small(left_out=[{"task": "go"}]).cells()


def test_a_circuit_that_does_not_fit_and_an_option_without_effect_are_refused() -> None:
    other = tt.circuits.for_task(tt.tasks.make("cue-set-go", dt=25.0), num_units=5)
    with pytest.raises(ValueError, match="the circuit's dt is 25"):
        small(circuits={"other": other}).cells()
    with pytest.raises(ValueError, match="'strange'"):
        small(circuits={"small": {"num_units": 5, "strange": 1}}).cells()
    force = {"rules": ["force"], "options": {"fast": {"learning_rate": 0.1, "batch_size": 3}}}
    with pytest.raises(
        ValueError, match="the option sets batch_size, learning_rate, which the rule does not"
    ):
        small(**force).cells()
    params = {"bias": np.zeros((2, 5))}
    with pytest.raises(ValueError, match="params has"):
        small(training={**TRAINING, "params": params}).cells()


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tasks": "cue-set-go"}, "expected several, got the text 'cue-set-go'"),
        ({"tasks": [3]}, "3 is no task"),
        ({"tasks": []}, "tasks: none given"),
        ({"tasks": [TASK, TASK]}, "'cue-set-go' is there twice"),
        ({"tasks": {"a b": TASK}}, "'a b' cannot be a label"),
        ({"circuits": [{"num_units": 5}]}, "has no label"),
        ({"circuits": {"small": 5}}, "5 is no circuit"),
        ({"rules": ["rfo"]}, "unknown rule 'rfo'"),
        ({"rules": {"r": 3}}, "3 is no rule"),
        ({"options": {"a": 3}}, "options 3: expected settings by name"),
        ({"options": {"a": ["clip"]}}, "expected settings by name"),
        ({"training": [("clip", 1.0), ("clip", 2.0)]}, "training has 'clip' twice"),
        ({"training": {"seeds": 3}}, "training has 'seeds', which a study sets itself"),
        ({"training": {"learning_rate": lambda update: 0.1}}, "cannot be written down for other processes"),
        ({"seeds": (1, 1)}, "a seed appears twice"),
        ({"seeds_per_cell": 0}, "seeds_per_cell 0 is not a whole number"),
        ({"match": "steps"}, "match 'steps' is not known"),
        ({"measures": ["pac"]}, "unknown measure 'pac'"),
        ({"left_out": [{"rule": "bptt"}]}, "there is no rule 'bptt'"),
        ({"left_out": [{"ruler": "bptt"}]}, "there is no ruler 'bptt'; expected task, circuit"),
        ({"tuning": Tuning(seeds=(1, 2))}, r"tune_seeds \[1\] are seeds of the comparison too"),
        ({"tuning": Tuning(), "training": {"data_seeds": 10_001}}, r"tune_seeds \[10001\]"),
        ({"tuning": Tuning(), "training": {"learning_rate": 0.1}}, "leave out one of the two"),
        ({"tuning": Tuning(grid={"bptt": (0.1, 0.2)})}, "give one for each"),
    ],
)  # fmt: skip
def test_what_cannot_work_is_refused_when_it_is_declared(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        small(**fields)


def test_evaluations_must_fit_a_task() -> None:
    with pytest.raises(ValueError, match="no task has all fields of 'long' \\(strange\\)"):
        small(evaluations={"long": {"strange": 1.0}}).cells()
    with pytest.raises(ValueError, match="gives the task other dt than 50"):
        small(evaluations={"long": {"dt": 25.0}}).cells()


def test_a_circuit_is_made_for_each_task() -> None:
    plan = CircuitPlan(num_units=4, noise=0.1, fields={"output_feedback": True})
    assert plan.make(TASK).dt == 50.0
    assert plan.make(TASK).output_feedback
    with pytest.raises(ValueError, match=r"CircuitPlan: .*num_layers"):
        CircuitPlan(fields={"num_layers": 2}).make(TASK)
    assert small(circuits={"a": {"num_units": 4, "noise": 0.1, "output_feedback": True}}).circuits == (
        ("a", plan),
    )


def test_only_rules_with_a_step_size_are_tuned() -> None:
    study = small(rules=["rflo", "force"], tuning=Tuning(grid=(0.1, 1.0), seeds=2), seeds_per_cell=None)
    kinds = [(cell.kind, cell.rule, cell.seeds) for cell in study.cells()]
    assert kinds == [
        ("tune", "rflo", (10_000, 10_001)),
        ("train", "rflo", (0, 1)),
        ("train", "force", (0, 1)),
    ]
    tune, train, _ = study.cells()
    assert train.needs == (tune.identity,)
    by_rule = Tuning(grid={"rflo": (0.1, 1.0), "force": (0.2, 1.0)}, seeds=2)
    assert small(rules=["rflo", "force"], tuning=by_rule).cells()[0].identity == tune.identity
