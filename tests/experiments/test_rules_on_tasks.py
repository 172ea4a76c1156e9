"""The study of rules on tasks: what its pilots settle, what its parts declare, and what their record says."""

from __future__ import annotations

import importlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime.cli.scripts import imported
from throughtime.results import labels, validate
from throughtime.studies import record

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "rules_on_tasks.py") as script:
    plan = importlib.import_module("_rules_plan")
    written = importlib.import_module("_rules_record")
UPDATES = np.arange(50, 501, 50)
RUNGS = [plan.label(name, rung) for name, ladder in plan.LADDERS.items() for rung in ladder.rungs]


def tree(tasks, rules, options, seeds, criterion=-1, diverged=-1, final_loss=1.0, loss=1.0, status=1):
    """A combined record with these outcomes, each a number or over (task, circuit, rule, option, seed)."""
    frame = record.Frame(
        {"task": tuple(tasks), "circuit": ("base",), "rule": tuple(rules), "option": tuple(options)},
        tuple(seeds),
    )
    values = {name: frame.empty(name) for name in record.OUTCOMES}
    given = {"criterion_update": criterion, "diverged_update": diverged}
    given |= {"final_loss": final_loss, "status": status}
    for name, value in given.items():
        values[name] = np.broadcast_to(value, frame.shape()).astype(values[name].dtype)
    groups = {
        "/outcomes": record.outcomes(frame, values, np.full(frame.shape(seeds=False), np.nan)),
        "/curves": record.curves(
            frame, UPDATES, {"loss": np.broadcast_to(loss, (*frame.shape(), len(UPDATES))).copy()}
        ),
    }
    return record.tree(record.root({"x": 1}, name="made-up", status=values["status"]), groups)


def chosen(**rungs):
    return plan.Chosen(
        rungs or {name: tuple(reversed(list(one.rungs)[:3])) for name, one in plan.LADDERS.items()},
        dict.fromkeys([*plan.arms()], (1e-3, 3e-3, 1e-2)), mu=0.25, sigma=0.1, cosine=0.3,
    )  # fmt: skip


def test_arms_cross_feedback_with_transport_and_have_their_controls():
    found = plan.arms(mu=0.5, sigma=0.03, cosine=0.2)
    crossed = {
        f"{feedback}-{transport}"
        for feedback in ("symmetric", "random")
        for transport in ("exact", "none", "hop", "modprop", "random")
    }
    assert set(found) == crossed | {"node-perturbation", "rotated-bptt", "readout-only"}
    for name in crossed:
        assert type(found[name].feedback).__name__.lower().startswith(name.split("-")[0])
    assert found["random-modprop"].mu == 0.5
    assert found["node-perturbation"].sigma == 0.03
    assert found["rotated-bptt"].cosine == 0.2


def test_rungs_are_those_that_bptt_climbs_and_a_readout_alone_does_not():
    rules, options = (plan.BPTT, plan.FLOOR), ("a", "b")
    criterion = np.full((len(RUNGS), 1, 2, 2, 3), -1)
    for rung, seeds in {"match-1000": (9, 9, 9), "match-2000": (9, -1, 9), "match-3000": (9, -1, -1)}.items():
        criterion[RUNGS.index(rung), 0, 0, 1] = seeds
    for rung in ("evidence-500", "evidence-750", "evidence-1050", "evidence-1500"):
        criterion[RUNGS.index(rung), 0, 0, 0] = 9
    criterion[RUNGS.index("evidence-500"), 0, 1, 0, 1] = 3
    criterion[RUNGS.index("go-no-go-500"), 0, 0] = [[9, -1, -1], [-1, 9, -1]]  # at other step sizes
    assert plan.demanding(tree(RUNGS, rules, options, (1, 2, 3), criterion)) == {
        "match": ("2000", "1000"),
        "evidence": ("1500", "1050", "750"),
    }


def test_levels_of_the_loss_lie_between_a_readout_alone_and_bptt():
    loss = np.ones((1, 1, 2, 2, 2, len(UPDATES)))
    loss[:, :, 0, 1] = np.geomspace(1.0, 1e-3, len(UPDATES))
    loss[:, :, 0, 1, :, -5:] = 1e-3
    found = plan.loss_levels(tree(["a"], (plan.BPTT, plan.FLOOR), ("a", "b"), (1, 2), loss=loss))
    np.testing.assert_allclose(found["a"], np.geomspace(0.9, 2e-3, 4))
    alike = tree(["a"], (plan.BPTT, plan.FLOOR), ("a", "b"), (1, 2))
    assert plan.loss_levels(alike) == {}


def test_step_sizes_are_sought_around_the_best_of_the_pilot():
    study = plan.pilot_steps()
    rules = [name for name, _ in study.rules]
    tried = dict.fromkeys(rules, len(study.tasks) * len(study.options))
    for one in study.left_out:
        tried[dict(one)["rule"]] -= len(study.tasks)
    number = len(plan.STEP_TASKS)
    assert {tried[name] for name in rules if not ("modprop" in name or "perturbation" in name)} == {
        6 * number
    }
    assert tried["symmetric-modprop"] == tried["symmetric-modprop=0.5"] == 3 * number
    options = [name for name, _ in study.options]
    loss = np.ones((number, 1, len(rules), len(options), 2))
    loss[:, :, rules.index(plan.BPTT), 3] = 0.1
    loss[:, :, rules.index("random-none"), 0] = 0.5
    loss[0, :, rules.index("random-none"), 2] = (
        1e-6  # …on one task, where it is better still, a seed diverged
    )
    loss[:, :, rules.index("symmetric-modprop=0.5"), 1] = 0.2
    loss[:, :, rules.index("random-modprop=0.5"), 5] = 0.2
    diverged = np.full(loss.shape, -1)
    diverged[0, :, rules.index("random-none"), 3, 1] = 40
    made = tree(["a", "b"], rules, options, plan.PILOT_SEEDS, diverged=diverged, final_loss=loss)
    grids, mu, sigma = plan.best_steps(made)
    assert (mu, sigma) == (0.5, 0.1)
    np.testing.assert_allclose(grids[plan.BPTT], [1e-3, 3.16e-3, 1e-2, 3.16e-2, 0.1])
    np.testing.assert_allclose(grids["random-none"][2], np.sqrt(3e-4 * 3e-3), rtol=5e-3)
    np.testing.assert_allclose(grids["symmetric-modprop"][2], 1e-3)
    np.testing.assert_allclose(grids["random-modprop"][2], 0.1)
    assert grids["rotated-bptt"] == grids[plan.FLOOR] == grids[plan.BPTT]
    assert set(grids) == set(plan.arms())


def test_parts_seek_a_step_for_each_arm_on_seeds_of_their_own():
    made = plan.parts(chosen(match=("1000",)), num_seeds=4)
    assert ["pilot", *made, script.FURTHER] == list(script.ORDER)
    study = made["hard"]()
    assert [name for name, _ in study.tasks] == ["match-1000"]
    assert dict(study.rules) == plan.arms()
    assert len(study.tuning.grids(name for name, _ in study.rules)) == len(plan.arms())
    assert not set(study.seeds) & {*plan.TUNING_SEEDS, *plan.PILOT_SEEDS}
    settings = dict(study.training)
    assert settings["stop"] == "budget"
    assert dict(settings["step_sizes"]) == {"readout": 0.03, "readout_bias": 0.03}
    assert settings["clip"] == tt.training.Clip(1.0, by="block")


def test_the_longest_memory_is_the_hardest_rung_that_was_climbed():
    rungs = {"match": ("2000", "1000")}
    picked = chosen(**rungs)
    rules, seeds = list(picked.arms()), (0, 1, 2)
    hard = np.full((1, 1, len(rules), 1, 3), -1)
    hard[0, 0, 0, 0] = 10, -1, 30
    middle = np.full(hard.shape, -1)
    middle[0, 0, 0, 0] = 5, 5, -1
    status = np.where(np.arange(len(rules)) == 1, record.NOT_RUN, 1)[None, None, :, None, None]
    parts = {
        "hard": tree(["match-2000"], rules, ["default"], seeds, hard, status=status),
        "middle": tree(["match-1000"], rules, ["default"], seeds, middle),
    }
    found = written.longest(parts, picked)
    np.testing.assert_array_equal(found["longest"].values[0, 0], [2000, 1000, 2000])
    assert np.isnan(found["longest"].values[0, 1]).all()
    np.testing.assert_array_equal(found["longest"].values[0, 2], 0)
    np.testing.assert_array_equal(found["num_seeds"].values[0, :3], [[3, 3], [0, 3], [3, 3]])
    np.testing.assert_allclose(found["success_rate"].values[0, 0], 2 / 3)
    assert found["success_rate_lower"].values[0, 2, 0] < 1e-9 < found["success_rate_upper"].values[0, 2, 0]


def test_records_are_joined_and_taken_apart_again(tmp_path):
    parts = {
        "hard": tree(["match-2000"], plan.arms(), ["default"], (0, 1)),
        "middle": tree(["match-1000"], plan.arms(), ["default"], (0, 1)),
    }
    made = script.write(parts, chosen(match=("2000", "1000")), ("easy",), tmp_path / "record.nc")
    assert validate(made) == []
    read = tt.results.files.load(tmp_path / "record.nc")
    assert read.attrs["not_run"] == "easy"
    assert labels(read["longest/rule"]) == list(plan.arms())
    again = written.part_of(read, "middle")
    xr.testing.assert_identical(
        again["outcomes"].to_dataset(inherit=False), parts["middle"]["outcomes"].to_dataset(inherit=False)
    )
    script.report(read)


@pytest.mark.parametrize("ladder", plan.LADDERS)
def test_rungs_ask_for_more_and_more_memory(ladder):
    one = plan.LADDERS[ladder]
    assert list(one.reach) == list(one.rungs)
    assert sorted(one.reach.values()) == list(one.reach.values())
    assert len({one.task(rung) for rung in one.rungs}) == len(one.rungs)


def test_the_record_of_the_pilots_settles_what_follows():
    pilot = tt.results.files.load(script.PILOT)
    assert validate(pilot) == []
    found = script.choose(pilot)
    assert set(found.grids) == set(plan.arms())
    assert all(len(grid) == 5 for grid in found.grids.values())
    assert {plan.LADDERS[name].kind for name in found.rungs} == {"working memory", "decision", "timing"}
    assert 0 < found.cosine < 1
    levels = plan.loss_levels(written.part_of(pilot, "tasks"))
    for name, rungs in found.rungs.items():
        assert all(len(levels[plan.label(name, rung)]) == plan.NUM_LEVELS for rung in rungs)
    declared = {name for name, _ in plan.pilot_tasks().tasks}
    assert declared == set(labels(pilot["tasks/outcomes/task"]))


def test_pilots_alone_write_no_record_of_parts(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(script, "run_pilots", lambda run, place: True)
    monkeypatch.setattr(script, "RECORD", tmp_path / "record.nc")
    assert script.main(part=("pilot",), out=tmp_path) == 1
    assert list(tmp_path.iterdir()) == []
    assert "not run: hard" in capsys.readouterr().out


def test_parts_with_fewer_seeds_are_padded_with_seeds_that_were_not_run(tmp_path):
    parts = {
        "hard": tree(["match-2000"], plan.arms(), ["default"], (0, 1, 2)),
        "initialisation": tree(["match-2000"], plan.arms(), ["default"], (0, 2), final_loss=0.5, criterion=4),
    }
    made = script.write(parts, chosen(match=("2000",)), (), tmp_path / "record.nc")
    assert validate(made) == []
    outcomes = made["initialisation/outcomes"].to_dataset().isel(task=0, circuit=0, rule=0, option=0)
    assert outcomes["seed"].values.tolist() == [0, 1, 2]
    assert outcomes["status"].values.tolist() == [1, record.NOT_RUN, 1]
    assert outcomes["criterion_update"].values.tolist() == [4, -1, 4]
    np.testing.assert_array_equal(outcomes["final_loss"], [0.5, np.nan, 0.5])
    flagged = xr.DataArray([-1, 0], attrs={"flag_values": 0, "flag_meanings": "fine"})
    written.add_absent(flagged)
    assert labels(flagged) == ["absent", "fine"]


def test_the_quick_form_goes_the_whole_way_and_is_not_run_again(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(script, "QUICK_ARMS", (plan.BPTT, "random-none"))
    assert script.main(quick=True, out=tmp_path, workers=1, scheduler="serial") == 0
    made = tt.results.files.load(tmp_path / f"{plan.NAME}-quick.nc")
    assert validate(made) == []
    arms = labels(made["hard/outcomes/rule"])
    assert set(arms) == set(script.QUICK_ARMS)
    outcomes = made["hard/outcomes"].to_dataset().isel(task=0, circuit=0, option=0)
    assert outcomes["beyond"].values[arms.index("random-none")] == -1
    assert float(outcomes["learning_rate"][arms.index("random-none")].max()) < 0.03
    aligned = made["alignment"].to_dataset()["cosine"].isel(task=0)
    np.testing.assert_allclose(aligned[labels(aligned["rule"]).index(plan.BPTT)], 1.0)
    assert (made["diagonal"]["cosine"].values > 0.5).all()
    assert made["matched"]["reached"].values[..., 0].all()
    distances = made["hard/distances"]["shape_distance"].values
    assert np.isfinite(distances[0]).all()
    before = capsys.readouterr().out
    assert "alignment-match-1000" in before
    assert script.main(quick=True, out=tmp_path, workers=1, scheduler="serial") == 0
    assert "alignment-match-1000" not in capsys.readouterr().out
