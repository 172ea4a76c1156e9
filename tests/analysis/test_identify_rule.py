"""Learning rules told apart by what they do to weights and activity, in tasks the classifier never met."""

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.identify_rule import identify_rule
from throughtime.analysis.arrays.rule_features import FEATURES, rule_features
from throughtime.results.schema import DIMS, UNITS

POSITION = np.linspace(0, 1, 9)
GRID = np.array([0.0, 0.2, 0.4, 0.6, 0.8, 1.0])
NUM_TASKS, NUM_SEEDS = 4, 3
QUICK = {"num_trees": 10, "num_inner": 2, "num_permutations": 0}


def growing(scales=(0.995, 1.0, 1.005, 1.01), num_units=12):
    """(task, rule, seed, checkpoint, …): the norm of weights grows as t or as √t."""
    rng = np.random.default_rng(0)
    shape = (NUM_TASKS, 1, NUM_SEEDS, 1, num_units)
    start = rng.normal(0, 1, (*shape, num_units))
    start /= np.linalg.norm(start, axis=(-2, -1), keepdims=True)
    start *= np.reshape(scales, (-1, 1, 1, 1, 1, 1))
    course = np.stack([POSITION, np.sqrt(POSITION)]).reshape(1, 2, 1, -1, 1, 1)
    weights = start * (1 + course)
    activity = np.tanh(rng.normal(0, 1, (NUM_TASKS, 1, NUM_SEEDS, 1, 20, num_units)) * (1 + 0.1 * course))
    return weights, activity


WEIGHTS, ACTIVITY = growing()
TASK, RULE = np.indices((NUM_TASKS, 2, NUM_SEEDS)).reshape(3, -1)[:2]


def table(weights=WEIGHTS, **options):
    return np.stack([
        rule_features(w, a, POSITION, GRID, **options)
        for w, a in zip(weights.reshape(-1, 9, 12, 12), ACTIVITY.reshape(-1, 9, 20, 12), strict=True)
    ])  # fmt: skip


def test_statistics_are_those_of_the_entries_counted_one_by_one():
    weights, activity = WEIGHTS[0, 1, 0], ACTIVITY[0, 1, 0]
    found = dict(zip(FEATURES, rule_features(weights, activity, POSITION, POSITION), strict=True))
    change = np.diff(activity, axis=0) / np.diff(POSITION)[:, None, None]
    for name, values, first in (
        ("weight", weights, 0),
        ("activity", activity, 0),
        ("activity_change", change, 1),
    ):
        for transform, of in (("raw", lambda x: x), ("absolute", abs), ("squared", lambda x: x * x)):
            for k in range(first, 9):
                entries = sorted(float(of(x)) for x in values[k - first].ravel())
                mean = sum(entries) / len(entries)
                expected = {
                    "mean": mean,
                    "median": (entries[(len(entries) - 1) // 2] + entries[len(entries) // 2]) / 2,
                    "variance": sum((x - mean) ** 2 for x in entries) / len(entries),
                    "norm": sum(x * x for x in entries) ** 0.5,
                }
                for statistic, value in expected.items():
                    assert found[f"{name}_{transform}_{statistic}"][k] == pytest.approx(value, abs=1e-12)
                quartile = found[f"{name}_{transform}_third_quartile"][k]
                assert sum(x <= quartile for x in entries) == len(entries) * 3 // 4
    assert len(found) == 45
    assert found["activity_change_raw_mean"][0] == found["activity_change_raw_mean"][1]


def test_a_trajectory_is_read_where_the_grid_is_whatever_the_checkpoints():
    """A norm that grows linearly is the same number at 0.3 of the way, from 9 checkpoints or from 3."""
    weights, activity = WEIGHTS[0, 0, 0], ACTIVITY[0, 0, 0]
    some = [0, 4, 8]
    fine = rule_features(weights, activity, POSITION, [0.3])
    coarse = rule_features(weights[some], activity[some], POSITION[some], [0.3])
    norm = FEATURES.index("weight_raw_norm")
    assert fine[norm] == pytest.approx(1.3 * np.linalg.norm(weights[0]))
    assert coarse[norm] == pytest.approx(fine[norm])


def test_features_know_no_order_of_units_and_only_those_kept():
    rng = np.random.default_rng(1)
    weights, activity, order = WEIGHTS[1, 0, 0], ACTIVITY[1, 0, 0], rng.permutation(12)
    moved = rule_features(weights[:, order][:, :, order], activity[..., order], POSITION, GRID)
    np.testing.assert_allclose(moved, rule_features(weights, activity, POSITION, GRID), atol=1e-12)
    part = rule_features(weights, activity, POSITION, GRID, unit_fraction=0.5, seed=3)
    use = np.sort(np.random.default_rng(3).choice(12, 6, replace=False))
    kept = rule_features(weights[:, use][:, :, use], activity[..., use], POSITION, GRID)
    np.testing.assert_allclose(part, kept, atol=1e-12)
    noisy = rule_features(weights, activity, POSITION, GRID, noise=0.5, seed=3)
    row = FEATURES.index("weight_raw_variance")
    clean = rule_features(weights, activity, POSITION, GRID)[row]
    np.testing.assert_allclose(noisy[row], clean + 0.25 * weights.var(), rtol=0.3)
    assert (noisy == rule_features(weights, activity, POSITION, GRID, noise=0.5, seed=3)).all()
    assert (noisy != rule_features(weights, activity, POSITION, GRID, noise=0.5, seed=4)).all()


def test_padding_is_left_out():
    padded = np.concatenate([ACTIVITY[0, 0, 0], np.full((9, 3, 12), np.nan)], axis=1)
    found = rule_features(WEIGHTS[0, 0, 0], padded, POSITION, GRID)
    np.testing.assert_array_equal(found, rule_features(WEIGHTS[0, 0, 0], ACTIVITY[0, 0, 0], POSITION, GRID))


NORM = FEATURES.index("weight_raw_norm")


@pytest.mark.parametrize("options", [{}, {"unit_fraction": 0.5, "noise": 0.05, "standardize": True}])
def test_growth_of_weights_as_t_and_as_its_root_are_told_apart_in_every_task(options):
    """By the norm as it is; and by its shape with half of the units and noise."""
    found = identify_rule(table(**options)[:, [NORM]], RULE, TASK, **QUICK)
    np.testing.assert_array_equal(found.accuracy, np.ones((2, NUM_TASKS)))
    np.testing.assert_array_equal(found.confusion, [np.eye(2)] * 2)
    np.testing.assert_array_equal(found.num_samples, 6)
    assert found.chance == 0.5
    assert np.isnan(found.p).all()


def test_shapes_are_told_apart_where_scales_hide_them():
    weights = growing((0.3, 0.7, 1.3, 3.0))[0]
    raw, shapes = table(weights)[:, :15], table(weights, standardize=True)[:, :15]
    forest = QUICK | {"classifiers": ["forest"]}
    assert identify_rule(raw, RULE, TASK, **forest).mean_accuracy < 0.9
    assert identify_rule(shapes, RULE, TASK, **QUICK).mean_accuracy.tolist() == [1, 1]
    np.testing.assert_allclose(shapes[:, NORM].mean(1), 0, atol=1e-12)
    np.testing.assert_allclose(shapes[:, NORM].std(1), 1)
    constant = rule_features(np.ones((9, 12, 12)), ACTIVITY[0, 0, 0], POSITION, GRID, standardize=True)
    assert (constant[:15] == 0).all()


def test_shuffled_labels_are_at_chance():
    rng = np.random.default_rng(2)
    features, accuracy = rng.normal(size=(160, 6)), []
    group = np.repeat(np.arange(4), 40)
    for _ in range(3):
        accuracy.append(identify_rule(features, rng.permutation(160) % 2, group, **QUICK).mean_accuracy)
    assert np.abs(np.mean(accuracy) - 0.5) < 0.09  # 480 answers of each classifier


def test_a_feature_that_codes_only_the_task_is_at_chance_in_other_tasks():
    found = identify_rule(TASK[:, None] * 1.0, RULE, TASK, **QUICK)
    np.testing.assert_array_equal(found.accuracy, np.full((2, NUM_TASKS), 0.5))
    one_hot = identify_rule(np.eye(NUM_TASKS)[TASK], RULE, TASK, **QUICK)
    np.testing.assert_array_equal(one_hot.accuracy, np.full((2, NUM_TASKS), 0.5))


def test_a_rule_told_by_a_sign_that_turns_with_the_task_is_not_identified():
    """Perfect within tasks, worthless across them: only whole groups held out show it."""
    turns = np.array([1, -1, 1, -1])[TASK]
    features = turns * (2 * RULE - 1.0) + np.random.default_rng(3).normal(0, 0.01, RULE.size)
    assert (identify_rule(features[:, None], RULE, TASK, **QUICK).mean_accuracy <= 0.5).all()


def test_importance_and_null():
    rng = np.random.default_rng(4)
    told = np.stack([RULE + 0.01 * rng.normal(size=RULE.size), *rng.normal(size=(2, RULE.size))], axis=1)
    options = QUICK | {"num_permutations": 5, "classifiers": ["svm"]}
    found = identify_rule(told, RULE, TASK, **options)
    assert found.importance.shape == (1, 3)
    assert found.importance[0, 0] == pytest.approx(0.5, abs=0.2)
    np.testing.assert_allclose(found.importance[0, 1:], 0, atol=0.05)
    assert found.null.shape == (1, 5, NUM_TASKS)
    assert abs(found.null.mean() - 0.5) < 0.2
    assert found.p == pytest.approx(1 / 6)
    again = identify_rule(told, RULE, TASK, **options)
    np.testing.assert_array_equal(found.null, again.null)
    nothing = identify_rule(told[:, 1:], RULE, TASK, **options)
    assert nothing.p > 1 / 6


def test_names_of_rules_and_groups_and_order_of_samples_change_nothing():
    rng = np.random.default_rng(5)
    told = rng.normal(size=(RULE.size, 4)) + 0.8 * RULE[:, None]
    options = QUICK | {"classifiers": ["svm"]}
    found = identify_rule(told, RULE, TASK, **options)
    order = rng.permutation(RULE.size)
    moved = identify_rule(told[order], RULE[order], TASK[order], **options)
    np.testing.assert_array_equal(moved.accuracy, found.accuracy)
    named = identify_rule(told, 7 - 4 * RULE, TASK + 10, **options)
    np.testing.assert_array_equal(named.accuracy, found.accuracy)
    np.testing.assert_array_equal(named.rules, [3, 7])
    np.testing.assert_array_equal(named.groups, [10, 11, 12, 13])
    np.testing.assert_array_equal(named.confusion, found.confusion[:, ::-1, ::-1])
    halves = [(np.flatnonzero(TASK < 2), np.flatnonzero(TASK >= 2))]
    assert identify_rule(told, RULE, TASK, splits=halves, **options).accuracy.shape == (1, 1)


FEW = np.random.default_rng(6).normal(size=(24, 3))
ALONE = np.where(TASK == 0, 2, RULE)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: identify_rule(FEW * np.nan, RULE, TASK), "features: 72 of 72 values are not finite; leave"),
        (lambda: identify_rule(FEW * 0, RULE, TASK), "features: zero variance in every feature"),
        (lambda: identify_rule(FEW[0], RULE, TASK), r"features: shape \(3,\); use \(sample, feature\)"),
        (lambda: identify_rule(FEW, RULE[:-1], TASK), r"unequal lengths: features 24, rule \(23,\)"),
        (lambda: identify_rule(FEW, RULE, TASK[:, None]), r"unequal lengths: features 24, group \(24, 1\)"),
        (lambda: identify_rule(FEW, RULE * 0, TASK), "rule: 1 found; use samples of at least 2 rules"),
        (lambda: identify_rule(FEW, RULE, TASK % 2), "group: 2 found; holding groups out within groups"),
        (lambda: identify_rule(FEW, ALONE, TASK), "rule: 2 is missing from training with group 0 held out"),
        (
            lambda: identify_rule(FEW, np.where(TASK < 2, 2, RULE), TASK),
            "rule: 2 is missing from inner training with group 0 held out; use rules",
        ),
        (
            lambda: identify_rule(FEW, RULE, TASK, splits=[(np.arange(20), np.arange(20, 24))]),
            "splits: group 3 is on both sides; hold groups out whole",
        ),
        (
            lambda: identify_rule(FEW, RULE, TASK, splits=[(np.arange(6), np.arange(6, 24))]),
            "splits: 1 group to train on; options are chosen with at least 2",
        ),
        (lambda: identify_rule(FEW, RULE, TASK, splits=[]), "splits: a side of a split is empty"),
        (
            lambda: identify_rule(FEW, RULE, TASK, classifiers=["net"]),
            r"classifiers: \['net'\]; use some of forest",
        ),
        (lambda: identify_rule(FEW, RULE, TASK, num_trees=0), "num_trees: 0; use at least 1"),
        (lambda: identify_rule(FEW, RULE, TASK, num_inner=1), "num_inner: 1; use at least 2"),
        (lambda: identify_rule(FEW, RULE, TASK, num_permutations=-1), "num_permutations: -1; use at least 0"),
    ],
)
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"weights": WEIGHTS[0, 0, 0] * np.nan}, "weights: 1296 of 1296 values are not finite"),
        ({"weights": WEIGHTS[0, 0, 0, :, :5]}, r"weights: shape \(9, 5, 12\) with activity of 12 units"),
        ({"activity": ACTIVITY[0, 0, 0] * np.nan}, "activity: every sample is NaN"),
        (
            {"activity": np.where(np.eye(20, 12) > 0, np.nan, ACTIVITY[0, 0, 0])},
            "activity: 108 of 2160 values",
        ),
        ({"activity": ACTIVITY[0, 0, 0, :8]}, "unequal lengths: weights 9, activity 8, position 9"),
        ({"position": POSITION[::-1]}, "position: .*; use at least 2 positions that increase"),
        ({"position": POSITION[:1]}, r"position: \[0.0\]; use at least 2"),
        ({"grid": [0.5, 1.5]}, r"grid: \[0.5, 1.5\] reaches beyond 0 to 1; use points that every run"),
        ({"grid": []}, "grid: .*reaches beyond"),
        ({"unit_fraction": 0.1}, "unit_fraction: 0.1 keeps 1 of 12 units; keep at least 2"),
        ({"unit_fraction": 1.5}, "unit_fraction: 1.5 keeps 18 of 12 units"),
        ({"noise": -1}, "noise: -1; use 0 or a positive share"),
    ],
)
def test_refusals_of_features(change, message):
    given = {"weights": WEIGHTS[0, 0, 0], "activity": ACTIVITY[0, 0, 0], "position": POSITION, "grid": GRID}
    with pytest.raises(ValueError, match=message):
        rule_features(**given | change)


def named(values, last):
    dims = ("task", "rule", "seed", "checkpoint", *last)
    flags = {"flag_values": [0, 1], "flag_meanings": "bptt rflo", "units": "1", "long_name": "rule"}
    return xr.DataArray(values, dims=dims, coords={
        "task": ("task", np.arange(NUM_TASKS) + 5, {"units": "1", "long_name": "task"}),
        "rule": ("rule", [0, 1], flags), "seed": ("seed", [2, 3, 4], {"units": "1", "long_name": "seed"}),
    })  # fmt: skip


def measured(weights=WEIGHTS, **options):
    position = xr.DataArray(POSITION, dims="checkpoint")
    return analysis.rule_features(
        named(weights, ("unit", "presynaptic_unit")),
        named(ACTIVITY, ("trial", "unit")),
        position,
        GRID,
        **options,
    )


def check_fields(found):
    for name in (*found.data_vars, *found.dims):
        assert found[name].attrs["units"] in UNITS
        assert found[name].attrs["long_name"]
        assert found[name].dtype.kind in "if"
    assert set(found.dims) <= DIMS
    assert not set(found.data_vars) & DIMS


def test_datasets_call_the_array_functions():
    found = measured()
    check_fields(found)
    assert found["features"].dims == ("task", "rule", "seed", "parameter", "update")
    np.testing.assert_array_equal(found["features"].values.reshape(24, 45, 6), table())
    np.testing.assert_array_equal(found["update"], GRID)
    assert found["parameter"].attrs["flag_meanings"].split()[0] == "weight_raw_mean"
    weights = found["features"].isel(parameter=slice(15))
    options = QUICK | {"num_permutations": 3, "classifiers": ["svm"]}
    told = analysis.identify_rule(weights, weights["rule"], weights["task"], **options)
    check_fields(told)
    direct = identify_rule(table()[:, :15], RULE, TASK, **options)
    np.testing.assert_array_equal(told["accuracy"], direct.accuracy)
    np.testing.assert_array_equal(told["importance"], direct.importance)
    np.testing.assert_allclose(told["null_mean"], direct.null.mean(1))
    assert ((told["null_lower"] <= told["null_mean"]) & (told["null_mean"] <= told["null_upper"])).all()
    assert told["confusion"].dims == ("option", "rule", "predicted_rule")
    np.testing.assert_array_equal(told["resample"], [5, 6, 7, 8])
    assert told["option"].attrs["flag_meanings"] == "svm"
    assert told["rule"].attrs["flag_meanings"] == told["predicted_rule"].attrs["flag_meanings"] == "bptt rflo"
    assert told["p"].values == direct.p
    assert int(told["num_left_out"]) == 0


def test_runs_with_text_for_labels_and_draws_of_units_and_noise():
    found = measured(unit_fraction=0.5, noise=0.05, num_draws=2)["features"].isel(parameter=slice(15))
    assert found.dims[:1] == ("draw",)
    assert (found[0] != found[1]).all()
    runs = found.stack(run=("task", "rule", "seed")).reset_index("run").reset_coords(drop=True)
    rule = xr.DataArray(np.array(["bptt", "rflo"])[RULE], dims="run", name="rule")
    task = xr.DataArray(np.array(["go", "delayed match", "xor", "n"])[TASK], dims="run", name="task")
    told = analysis.identify_rule(runs, rule, task, **QUICK | {"classifiers": ["svm"]})
    assert told["accuracy"].dims == ("draw", "option", "resample")
    np.testing.assert_array_equal(told["accuracy"], 1)
    assert np.isnan(told["null_mean"]).all()
    assert told["resample"].attrs["flag_meanings"] == "delayed_match go n xor"
    check_fields(told)


def test_failed_runs_have_a_status_and_are_counted():
    weights = WEIGHTS.copy()
    weights[1, 0, 2, 5:] = np.nan
    found = measured(weights)
    assert int(found["features_status"].sum()) == int(found["features_status"][1, 0, 2]) == 1
    assert np.isnan(found["features"][1, 0, 2]).all()
    assert found.attrs["refusal"].startswith("weights: 576 of 1296 values are not finite")
    told = analysis.identify_rule(
        found["features"], found["rule"], found["task"], **QUICK | {"classifiers": ["svm"]}
    )
    assert int(told["num_left_out"]) == 1
    np.testing.assert_array_equal(told["num_samples"], [6, 5, 6, 6])
    with pytest.raises(ValueError, match="weights: 1296 of 1296 values are not finite"):
        measured(weights * np.nan)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda f: (f.isel(parameter=0), f["rule"], f["task"]), "features: no parameter in"),
        (lambda f: (f, f["rule"], f["update"]), r"group: dims \('update',\); labels lie on the sample dims"),
        (
            lambda f: (f.where(f["task"] > 5), f["rule"], f["task"]),
            "features: no sample of group 5 is finite",
        ),
    ],
)
def test_refusals_of_datasets(call, message):
    with pytest.raises(ValueError, match=message):
        analysis.identify_rule(*call(measured()["features"]))
    with pytest.raises(ValueError, match="features: no dim among run, task, rule, seed in"):
        analysis.identify_rule(
            xr.DataArray(FEW, dims=("x", "parameter")), *[xr.DataArray(RULE, dims="x")] * 2
        )
