"""What to cite for runs, comparisons, analyses and studies."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from tests.references.test_bibliography import strict
from tests.studies.examples import small
from tests.studies.synthetic import synthetic_study
from throughtime import config
from throughtime.comparison.learned import ANALYSES, MEASURES
from throughtime.comparison.runs import _root
from throughtime.references import bibliography, citation
from throughtime.references.citing import NOTHING, PACKAGE
from throughtime.rules import RFLO, Rule
from throughtime.tasks import CueSetGo
from throughtime.training import configuration

ROOT = Path(__file__).parents[2]
TASK = tt.tasks.make("cue-set-go", dt=50.0)


@dataclass(frozen=True)
class Mine(Rule):
    """A rule of my own.

    Source: Doe 2031, J. Imagined Res. 1:1 @ home.
    """


@dataclass(frozen=True)
class Silent(Rule):
    """A rule that says nothing of where it comes from."""


@dataclass(frozen=True)
class Known(Rule):
    """A rule of my own, too.

    Source: after Murray 2019, eLife 8:e43299.
    """


@dataclass(frozen=True)
class Slower(RFLO):
    """Source: of this library."""


@dataclass(frozen=True, kw_only=True)
class MyTask(CueSetGo):
    """A task of my own without a source."""


def run(rule: Any, task: Any = TASK, **circuit: Any) -> xr.DataTree:
    """Attributes and configuration of a run, without numbers."""
    made = tt.circuits.for_task(task, num_units=4, **circuit)
    settings = configuration(task, made, rule, num_updates=2, batch_size=2)
    told = {"kind": "run", "creation_library_version": "0.1.0", "config": config.canonical(settings)}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=told), "/training": xr.Dataset()})


def read(text: str) -> tuple[dict[str, str], set[str]]:
    """Comments (what -> keys or words) and the keys of the entries, which must be BibTeX."""
    comments, _, entries = text.partition("\n\n")
    assert all(line.startswith("% ") and "@" not in line for line in comments.split("\n"))
    found = strict(entries)
    assert list(found) == sorted(found)
    told = dict(line[2:].split(": ", 1) for line in comments.split("\n") if line != NOTHING)
    cited = {
        key
        for what, keys in told.items()
        if not what.startswith(("no ", "to be"))
        for key in keys.split("; ")
    }
    assert cited == set(found)
    return told, set(found) - {"throughtime"}


def test_a_run_gives_exactly_what_it_was_made_with() -> None:
    masse = tt.tasks.make("delayed-match-to-sample", "masse")
    parts = {"dynamics": tt.circuits.ShortTermPlasticity(), "recurrent": tt.circuits.Dale()}
    told, keys = read(citation(run(tt.rules.make("eprop"), masse, **parts)))
    assert told == {
        "task delayed-match-to-sample": "masse2019",
        "rule eprop": "bellec2020",
        "dynamics short-term-plasticity": "masse2019; mongillo2008; tsodyks1998",
        "connectivity dale": "rajan2006; song2016",
        "connectivity dense": "sompolinsky1988",
        "no publication": "initial state rest; feedback symmetric; objective squared-error",
        "throughtime 0.1.0": "throughtime",
    }
    assert keys == {
        "masse2019", "bellec2020", "mongillo2008", "tsodyks1998", "rajan2006", "song2016", "sompolinsky1988",
    }  # fmt: skip


def test_entries_are_those_of_the_bibliography() -> None:
    text = citation(run(tt.rules.make("kf-rtrl")))
    assert bibliography()["mujika2018"].text in text
    assert text.count("@") == len(read(text)[1]) + 1


def test_several_results_are_cited_once() -> None:
    one, other = run(tt.rules.make("rflo")), run(tt.rules.make("uoro"))
    told, keys = read(citation(one, other, one))
    assert told["rule rflo"] == "murray2019"
    assert told["rule uoro"] == "tallec2018uoro"
    assert keys == read(citation(one))[1] | read(citation(other))[1]


def test_nested_tasks_and_options_of_objectives() -> None:
    task = tt.tasks.make(
        "multitask", tasks=(tt.tasks.make("yang-tasks"), tt.tasks.make("yang-tasks", name="dm1"))
    )
    told, _ = read(citation(task))
    assert told["task multitask"] == told["task yang-tasks"] == "yang2019"
    objective = tt.objectives.SquaredError() + tt.objectives.RatePenalty(0.1)
    told, _ = read(citation(objective))
    assert told["penalty rate-penalty"] == "sussillo2015"


def test_members_of_ones_own() -> None:
    for rule, expected in (
        (Mine(), "rule mine (Doe 2031, J. Imagined Res. 1:1 (at) home.)"),
        (Silent(), "rule silent (no source declared)"),
    ):
        told, _ = read(citation(rule))
        assert told["to be cited by hand"] == expected
    assert read(citation(Known()))[0]["rule known"] == "murray2019"
    assert read(citation(Slower()))[0]["no publication"] == "rule slower; feedback random"[:11]
    told, _ = read(citation(run(tt.rules.make("bptt"), MyTask(dt=50.0))))
    assert told["to be cited by hand"] == "task my-task (no source declared)"


def test_a_class_that_is_not_here_any_more() -> None:
    tree = run(tt.rules.make("bptt"))
    tree.attrs["config"] = tree.attrs["config"].replace("throughtime.rules.bptt:BPTT", "gone.away:Lost")
    told, _ = read(citation(tree))
    assert told["to be cited by hand"] == "rule lost (class gone.away:Lost cannot be made again here)"


def test_a_measured_run() -> None:
    tree = run(tt.rules.make("bptt"))
    values = xr.DataArray(np.random.default_rng(0).normal(size=(20, 3)), dims=("trial", "unit"))
    tree["/analysis/dimensionality"] = xr.DataTree(tt.analysis.dimensionality(values))
    tree["/analysis/dsa"] = xr.DataTree(xr.Dataset(attrs={"method": "dsa", "refusal": "too few"}))
    tree["/analysis/home_made"] = xr.DataTree(xr.Dataset({"x": 1.0}, attrs={"method": "home_made"}))
    told, _ = read(citation(tree))
    assert told["analysis dimensionality"] == "abbott2011"
    assert told["to be cited by hand"] == "analysis home_made (no source declared)"
    assert not any("dsa" in line for line in told)
    neurons = {"params": config.canonical({"neurons": tt.spiking.LIF()}), "method": "transfer"}
    tree["/spiking"] = xr.DataTree(xr.Dataset({"x": 1.0}, attrs=neurons))
    told, _ = read(citation(tree))
    assert told["analysis transfer"] == "kim2019; stimberg2019"
    assert told["neurons lif"] == "kim2019"


def test_a_matrix_cites_what_its_distances_are() -> None:
    rates = xr.DataArray(np.random.default_rng(0).normal(size=(3, 8, 3)), dims=("seed", "trial", "unit"))
    found = tt.analysis.distance_matrix(rates, measure="cka")
    told, keys = read(citation(found))
    assert keys == {"kornblith2019", "nguyen2021", "song2012"}
    assert told["no publication"] == "analysis distance_matrix"


def test_a_comparison() -> None:
    chosen = {"exact": tt.rules.make("bptt"), "local": tt.rules.make("rflo")}
    circuit = tt.circuits.for_task(TASK, num_units=4)
    shape = ("rule", np.array([0.5, np.nan]))
    learned = dict.fromkeys(("representation_distance", "shape_distance", "sharpness"), shape)
    learned["dynamics_distance"] = ("rule", np.full(2, np.nan))
    tree = xr.DataTree.from_dict({
        "/": xr.Dataset(attrs=_root(TASK, circuit, chosen, {}, {})),
        "/learned": xr.Dataset(learned),
        "/exact": run(chosen["exact"]).to_dataset(),
    })  # fmt: skip
    told, _ = read(citation(tree))
    analyses = {what.split()[1] for what in told if what.startswith("analysis")}
    assert analyses == {"cka", "shape_distance", "sharpness"}
    assert {what for what in told if what.startswith("rule")} == {"rule bptt", "rule rflo"}
    assert told["task cue-set-go"] == "beiran2023; wang2018"
    assert set(ANALYSES) == set(MEASURES) - {"held_out_loss", "fraction_correct"}


def test_a_study_its_record_and_its_folder(tmp_path: Path) -> None:
    study = small(rules=["rflo", "uoro"], circuits={"g": {"num_units": 5, "dynamics": tt.circuits.GRU()}})
    told, keys = read(citation(study))
    assert {"rule rflo", "rule uoro", "dynamics gru", "task cue-set-go"} <= set(told)
    tt.studies.Folder(tmp_path).declare(study)
    again, same = read(citation(tmp_path))
    assert same == keys
    assert again == told
    assert read(citation(tmp_path / "study.nc")) == (told, keys)


def test_parts_that_a_study_does_not_name_are_those_of_its_circuits() -> None:
    told, _ = read(citation(small()))
    assert {"dynamics leaky", "connectivity dense"} <= set(told)


def test_a_file_that_names_members_without_their_classes() -> None:
    study = synthetic_study(tasks=("cue-set-go", "decision"))
    study["/distances"] = study["/distances"].to_dataset().rename(distance="cka")
    told, _ = read(citation(study))
    assert told["rule force"] == "sussillo2009"
    assert told["task cue-set-go"] == "beiran2023; wang2018"
    by_hand = citation(study).partition("\n\n")[0]
    assert "% to be cited by hand: task decision (not a name of this library)" in by_hand
    assert "name the files of the runs too" in by_hand
    assert {"analysis cka", "analysis dimensionality"} <= set(told)


def test_the_package_is_that_of_its_metadata_and_of_the_file() -> None:
    text = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    facts = dict(re.findall(r"^(?:  - )?(title|name|version): (.+)$", text, re.MULTILINE))
    assert {"title": facts["title"], "author": facts["name"]} == PACKAGE
    assert tt.__version__ == facts["version"]
    tree = run(tt.rules.make("bptt"))
    tree.attrs["creation_library_version"] = "0.0.9"
    text = citation(tree, tt.rules.make("bptt"))
    assert f"note = {{Version 0.0.9, {facts['version']}}}" in text
    assert f"author = {{{{{facts['name']}}}}}" in text


def test_nothing_to_tell_is_said() -> None:
    assert citation(xr.Dataset()).startswith(NOTHING)
    broken = xr.Dataset(attrs={"config": "{not JSON", "params": json.dumps([1, 2])})
    assert citation(broken).startswith(NOTHING)


@pytest.mark.parametrize(
    ("given", "message"),
    [((), "nothing given"), ((3,), "got int"), ((RFLO,), "got type"), (("none.nc",), "there is no none.nc")],
)
def test_what_cannot_be_cited_is_refused(given: tuple[Any, ...], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        citation(*given)


def test_without_docstrings_it_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("throughtime.references.citing.__doc__", None)
    with pytest.raises(ValueError, match="-OO"):
        citation(tt.rules.make("bptt"))
