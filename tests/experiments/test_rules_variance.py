"""Shares of variance and distances of the study of rules, against data made of known parts."""

from __future__ import annotations

import dataclasses
import importlib
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime.cli.scripts import imported
from throughtime.results import labels, validate
from throughtime.results.flags import flag_attributes
from throughtime.studies import record

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "rules_on_tasks.py"):
    plan = importlib.import_module("_rules_plan")
    variance = importlib.import_module("_rules_variance")
RULES = plan.FEW
GAINS, TAUS, SEEDS = (0.8, 1.2, 1.5), (50, 100, 200), tuple(range(6))
CIRCUITS = tuple(f"gain={gain:g}_tau={tau}" for gain in GAINS for tau in TAUS)
SHAPE = (len(RULES), len(GAINS), len(TAUS), len(SEEDS))


def along(axis, values):
    """Values along one axis of (rule, gain, tau, seed)."""
    shape = [1] * 4
    shape[axis] = -1
    return np.broadcast_to(np.reshape(np.asarray(values, float), shape), SHAPE)


def share(found, source):
    return found.share[variance.SOURCES.index(source)]


def test_where_only_the_rule_matters_its_share_is_one():
    found = variance.decompose(along(0, [1, 2, 3, 4, 5]))
    np.testing.assert_allclose(found.share, [1, *[0] * 10], atol=1e-12)
    np.testing.assert_allclose(found.eta_squared, [1, *[0] * 10], atol=1e-12)
    np.testing.assert_allclose(found.lower[0], 1)
    assert found.num_seeds == 6


def test_two_added_factors_have_the_sums_of_squares_that_they_were_given():
    gain, tau = np.array([-1.0, 0.0, 1.0]), np.array([-2.0, 0.0, 2.0])
    found = variance.decompose(7 + along(1, gain) + along(2, tau))
    per_level = np.prod(SHAPE) / 3
    expected = dict.fromkeys(variance.SOURCES, 0.0) | {
        "gain": 2 * per_level, "tau": 8 * per_level, "circuit": 10 * per_level,
    }  # fmt: skip
    np.testing.assert_allclose(found.sum_of_squares, list(expected.values()), atol=1e-9)
    np.testing.assert_allclose(found.share, [0, 0.2, 0.8, *[0] * 6, 1, 0], atol=1e-12)


def test_a_product_of_two_factors_is_their_interaction():
    found = variance.decompose(along(0, [-2, -1, 0, 1, 2]) * along(2, [-1, 0, 1]))
    np.testing.assert_allclose(share(found, "rule×tau"), 1)
    np.testing.assert_allclose(share(found, "rule×circuit"), 1)
    np.testing.assert_allclose(found.eta_squared[variance.SOURCES.index("rule×tau")], 1)


def test_sums_of_squares_make_up_that_of_all_values():
    values = np.random.default_rng(0).standard_normal(SHAPE) + along(0, [1, 2, 3, 4, 9])
    found = variance.decompose(values)
    np.testing.assert_allclose(found.sum_of_squares[:9].sum(), ((values - values.mean()) ** 2).sum())
    np.testing.assert_allclose([found.share[:9].sum(), found.eta_squared[:9].sum()], 1)
    for name, parts in variance.SUMS.items():
        np.testing.assert_allclose(share(found, name), sum(share(found, one) for one in parts))


def test_noise_alone_gives_no_factor_a_share_on_average():
    draws = [np.random.default_rng(k).standard_normal(SHAPE) for k in range(300)]
    found = [variance._shares(products(one), np.ones((1, 6)), 45)[0] for one in draws]
    mean, error = np.mean(found, 0), np.std(found, 0) / np.sqrt(300)
    assert (np.abs(mean[:-1]) < 4 * error[:-1]).all()
    np.testing.assert_allclose(mean[-1], 1, atol=0.01)
    inflated = np.mean([variance.decompose(one).eta_squared for one in draws[:20]], 0)
    assert inflated[variance.SOURCES.index("rule×gain×tau")] > 0.03  # 16 of 269 degrees of freedom


def products(values):
    return np.stack([variance._products(values, held) for held in ((), *variance.EFFECTS)])


def test_shares_are_those_of_the_variances_that_were_added():
    found = []
    for k in range(200):
        g = np.random.default_rng(k)
        made = along(0, np.sqrt(2) * np.array([-1, -1, 0, 1, 1])) + along(3, g.standard_normal(6))
        found.append(variance._shares(products(made + g.standard_normal(SHAPE)), np.ones((1, 6)), 45)[0])
    assert np.median(found, 0)[[0, 7, 8]] == pytest.approx([0.45, 0.25, 0.28], abs=0.04)


def test_what_varies_between_seeds_under_one_rule_alone_is_not_taken_for_an_effect():
    g = np.random.default_rng(0)
    found = []
    for _ in range(200):
        made = np.zeros(SHAPE)
        made[1] = g.standard_normal(6)
        found.append(
            variance._shares(products(made + 0.01 * g.standard_normal(SHAPE)), np.ones((1, 6)), 45)[0]
        )
    mean, error = np.mean(found, 0), np.std(found, 0) / np.sqrt(200)
    assert abs(mean[0]) < 4 * error[0]


def test_bounds_hold_the_share_and_widen_with_fewer_seeds():
    g = np.random.default_rng(1)
    values = along(0, [0, 0, 1, 1, 2]) + g.standard_normal(SHAPE)
    many, few = variance.decompose(values), variance.decompose(values[..., :3])
    rule = variance.SOURCES.index("rule")
    assert many.lower[rule] < many.share[rule] < many.upper[rule]
    assert few.upper[rule] - few.lower[rule] > many.upper[rule] - many.lower[rule]
    again = variance.decompose(values)
    np.testing.assert_array_equal(again.lower, many.lower)


def test_seeds_without_all_values_are_left_out_and_one_seed_has_no_shares():
    values = np.random.default_rng(2).standard_normal(SHAPE)
    values[3, 1, 1, 4] = np.nan
    found = variance.decompose(values)
    assert found.num_seeds == 5
    kept = variance.decompose(np.delete(values, 4, axis=-1))
    np.testing.assert_array_equal(found.share, kept.share)
    alone = variance.decompose(np.where(np.arange(6) == 0, values, np.nan))
    assert alone.num_seeds == 1
    assert np.isnan(alone.share).all()
    same = variance.decompose(np.full(SHAPE, 0.1))
    assert np.isnan(same.share).all()
    np.testing.assert_array_equal(same.sum_of_squares, 0)


def in_record(values):
    """(task, circuit, rule, option, seed) of (task, rule, gain, tau, seed)."""
    moved = np.moveaxis(values, 1, 3)
    return moved.reshape(len(values), len(CIRCUITS), len(RULES), 1, len(SEEDS))


def tree(score, loss, ratio, change, status=None, apart=None):
    """A part with these outcomes of tasks, each over (task, rule, gain, tau, seed)."""
    tasks = tuple(f"task-{k}" for k in range(len(score)))
    frame = record.Frame(
        {"task": tasks, "circuit": CIRCUITS, "rule": tuple(RULES), "option": ("default",)}, SEEDS
    )
    values = {name: frame.empty(name) for name in record.OUTCOMES}
    ended = np.full(score.shape, record.EXHAUSTED) if status is None else status
    values |= {"final_score": in_record(score), "final_loss": in_record(loss), "status": in_record(ended)}
    dims = (*record.AXES, "seed")
    words = {"units": "1", "long_name": "x"}
    checkpoints = np.stack([0 * in_record(change), in_record(change)], -1)
    groups = {
        "/outcomes": record.outcomes(frame, values, np.full(frame.shape(seeds=False), np.nan)),
        "/measures/dimensionality": xr.Dataset(
            {"participation_ratio": (dims, in_record(ratio), words)}, frame.coordinates()
        ),
        "/measures/weight_change": xr.Dataset(
            {"relative_change": ((*dims, "checkpoint"), checkpoints, words)},
            frame.coordinates() | {"checkpoint": ("checkpoint", [0, 1], words)},
        ),
    }
    if apart is not None:
        groups["/distances"] = apart
    return record.tree(record.root({"x": 1}, name="made-up", status=values["status"]), groups)


def distances(seeds, of):
    """Distances of one task, ``of`` (rule, gain, tau, seed) of two circuits, in the order of a study."""
    runs = [(r, c, s) for r in range(len(RULES)) for c in range(len(CIRCUITS)) for s in seeds]
    places = [(r, c // len(TAUS), c % len(TAUS), s) for r, c, s in runs]
    names = [f"{rule}_{circuit}" for rule in RULES for circuit in CIRCUITS]
    words = {"units": "1", "long_name": "x"}
    values = np.array([[of(one, other) for other in places] for one in places], float)
    return xr.Dataset(
        {
            "shape_distance": (("task", "run", "other_run"), values[None], words | {"units": "rad"}),
            "label": ("run", [r * len(CIRCUITS) + c for r, c, _ in runs], words | flag_attributes(names)),
            "replicate": ("run", [s for *_, s in runs], words),
        },
        {
            "task": ("task", [0], words | flag_attributes(["task-0"])),
            "run": ("run", np.arange(len(runs)), words),
            "other_run": ("other_run", np.arange(len(runs)), words),
        },
    )


def test_every_outcome_is_taken_from_its_place_in_the_record():
    made = {
        "score": along(0, [1, 2, 3, 4, 5]), "loss": 10 ** along(1, [-1, 0, 1]), "ratio": along(2, [1, 2, 3]),
        "change": along(3, SEEDS),
    }  # fmt: skip
    found = variance.components(tree(**{name: values[None] for name, values in made.items()}))
    for metric, source in enumerate(("rule", "gain", "tau", "seed")):
        one = found["share"].isel(task=0, condition=0, metric=metric)
        sums = [name for name, parts in variance.SUMS.items() if source in parts]
        expected = np.array([float(name in (source, *sums)) for name in variance.SOURCES])
        np.testing.assert_allclose(one, expected, atol=1e-12)
    assert (found["num_seeds"] == 6).all()
    assert np.isnan(found["distance"]).all()
    assert {"share", "eta_squared", "distance_of_seed", "num_pairs"} <= set(found)


def test_arms_without_the_readout_alone_are_decomposed_too():
    score = along(0, [1, 1, 1, 1, 0])[None] + 0.1 * along(1, [0, 1, 2])
    found = variance.components(tree(score, np.ones_like(score), score, score))
    one = found["share"].isel(task=0, metric=0)
    assert labels(found["condition"]) == ["all_arms", "recurrent_arms"]
    assert float(one[0, 0]) > 0.9
    np.testing.assert_allclose(one[1, :2], [0, 1], atol=1e-12)


def test_a_diverged_run_counts_with_the_worst_of_its_task_and_has_no_measures():
    g = np.random.default_rng(3)
    score, loss = g.uniform(0.2, 0.9, (2, *SHAPE)), g.uniform(0.1, 2.0, (2, *SHAPE))
    status = np.full(score.shape, record.EXHAUSTED)
    status[0, 1, 2, 0, 3] = record.DIVERGED
    lost = np.where(status == record.DIVERGED, np.nan, score)
    nan_loss = np.where(status == record.DIVERGED, np.nan, loss)
    made = tree(lost, nan_loss, lost, lost, status)
    found = variance._outcomes(made)
    assert found["score"][0, 1, 2, 0, 3] == np.nanmin(lost[0])
    assert found["log_loss"][0, 1, 2, 0, 3] == np.log10(np.nanmax(nan_loss[0]))
    np.testing.assert_array_equal(found["score"][1], score[1])
    data = variance.components(made)
    np.testing.assert_array_equal(data["num_diverged"], [[1, 1], [0, 0]])
    np.testing.assert_array_equal(data["num_seeds"][:, 0], [[6, 6, 5, 5], [6, 6, 6, 6]])


def test_what_was_not_run_is_missing_and_not_the_worst():
    score = np.random.default_rng(4).uniform(0.2, 0.9, (2, *SHAPE))
    status = np.full(score.shape, record.EXHAUSTED)
    status[0, ..., 4:] = record.NOT_RUN
    status[1] = record.NOT_RUN
    found = variance.components(tree(score, score, score, score, status))
    np.testing.assert_array_equal(found["num_seeds"][:, 0], [[4] * 4, [0] * 4])
    assert np.isfinite(found["share"][0]).all()
    assert np.isnan(found["share"][1]).all()


WEIGHTS = np.array([1.0, 10.0, 100.0, 1000.0])


def test_distances_are_of_circuits_that_differ_in_one_thing_alone():
    apart = distances((0, 1, 2), lambda one, other: WEIGHTS @ (np.array(one) != other))
    score = np.ones((1, *SHAPE))
    found = variance.components(tree(score, score, score, score, apart=apart))
    one = found["distance"].isel(task=0, condition=0)
    at = [variance.SOURCES.index(name) for name in variance.APART]
    np.testing.assert_allclose(one[at], WEIGHTS)
    assert np.isnan(np.delete(one.values, at)).all()
    pairs = found["num_pairs"].isel(task=0).values
    np.testing.assert_array_equal(pairs[0, at], [10 * 9 * 3, 3 * 15 * 3, 3 * 15 * 3, 3 * 45])
    np.testing.assert_array_equal(pairs[1, at], [6 * 9 * 3, 3 * 12 * 3, 3 * 12 * 3, 3 * 36])
    np.testing.assert_allclose(found["distance_of_seed"][0, 0, at, 1], WEIGHTS)
    assert np.isnan(found["distance_of_seed"][0, 0, at, 3:]).all()


def test_a_distance_has_bounds_over_seeds_and_none_where_there_is_one():
    def of(one, other):
        return (one[3] + 1) * (one[0] != other[0]) + 5 * (one[3] != other[3])

    score = np.ones((1, *SHAPE))
    made = tree(score, score, score, score)
    rule, seed = variance.SOURCES.index("rule"), variance.SOURCES.index("seed")
    found = variance.components(made, distances((0, 1, 2, 3), of)).isel(task=0, condition=0)
    np.testing.assert_allclose(found["distance_of_seed"][rule, :4], [1, 2, 3, 4])
    np.testing.assert_allclose(found["distance"][rule], 2.5)
    assert 1 <= found["distance_lower"][rule] < 2.5 < found["distance_upper"][rule] <= 4
    np.testing.assert_allclose(found["distance_lower"][seed], 5)  # copies of a seed are no pair
    alone = variance.components(made, distances((0,), of)).isel(task=0, condition=0)
    np.testing.assert_allclose(alone["distance"][rule], 1)
    assert np.isnan([alone["distance"][seed], alone["distance_lower"][rule]]).all()


def test_a_label_of_another_kind_is_refused():
    with pytest.raises(ValueError, match=r"gain=0\.8_tau=50"):
        variance._setting("base")


def test_distances_of_every_seed_are_those_of_the_study_and_are_kept_in_a_record(tmp_path):
    small = {
        name: dataclasses.replace(plan.circuit(gain, 100.0), num_units=8)
        for name, gain in (("gain=0.8_tau=100", 0.8), ("gain=1.5_tau=100", 1.5))
    }
    arms = {name: rule for name, rule in plan.arms().items() if name in (plan.BPTT, plan.FLOOR)}
    study = tt.Study(
        "small", tasks={"match": plan.LADDERS["match"].task("1000")}, circuits=small, rules=arms, seeds=3,
        training=plan.training(num_updates=4, batch_size=4, eval_every=4, log_every=4, keep=()),
        measures=("dimensionality", "weight_change", "shape_distance"), measure_trials=8, test_trials=8,
    )  # fmt: skip
    whole = study.run(tmp_path, scheduler="serial", progress=False).tree
    apart = importlib.import_module("_rules_apart").every_seed(tmp_path)
    given = whole["distances"].to_dataset()
    assert labels(apart["label"]) == labels(given["label"])
    np.testing.assert_array_equal(apart["replicate"], given["replicate"])
    values = apart["shape_distance"].values
    there = np.isfinite(values)
    assert 0 < there.sum() < there.size
    np.testing.assert_allclose(values[there], given["shape_distance"].values[there], atol=1e-9)
    ours, theirs = variance.components(whole, apart), variance.components(whole)
    xr.testing.assert_allclose(ours, theirs)
    assert np.isfinite(ours["distance"].isel(condition=0, predictor=[0, 1, 7])).all()
    whole["components"] = xr.DataTree(ours)
    assert validate(whole) == []
