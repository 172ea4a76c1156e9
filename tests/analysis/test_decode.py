"""Cross-temporal decoding: turned axes, leaks, nulls, degenerate activity, refusals, datasets."""

import numpy as np
import pytest
import xarray as xr
from scipy.stats import norm
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.model_selection import StratifiedKFold

from throughtime import analysis
from throughtime.analysis.arrays.classifiers import make
from throughtime.analysis.arrays.decode import decode


def turned(num_trials, angles, seed=0):
    """Two classes with d′ = 2 at each time, on an axis turned by each angle, and unit noise."""
    rng = np.random.default_rng(seed)
    label = np.arange(num_trials) % 2
    axis = np.stack([np.cos(angles), np.sin(angles)], -1)
    noise = rng.standard_normal((num_trials, len(angles), 2))
    return noise + (2 * label - 1)[:, None, None] * axis, label


@pytest.mark.parametrize("classifier", ["lda", "logistic", "svm"])
def test_a_turned_axis(classifier):
    activity, label = turned(20_000, np.deg2rad([0, 60, 90]))
    found = decode(activity, label, seed=0, classifier=classifier, num_shuffles=0)
    np.testing.assert_allclose(found.accuracy[0], [0.8413, 0.6915, 0.5], atol=0.01)
    between = np.deg2rad([[0, 60, 90], [60, 0, 30], [90, 30, 0]])
    np.testing.assert_allclose(found.accuracy, norm.cdf(np.cos(between)), atol=0.015)
    assert found.chance == 0.5
    assert np.isnan(found.p).all()


def test_against_a_loop_over_folds_and_times():
    rng = np.random.default_rng(3)
    label = np.repeat([0, 1, 2], [14, 12, 10])
    activity = rng.standard_normal((36, 3, 4)) + 1.5 * np.eye(4)[label][:, None]
    model = LinearDiscriminantAnalysis(solver="lsqr")
    found = decode(activity, label, seed=5, classifier=model, num_folds=4, num_shuffles=0)
    folds = StratifiedKFold(4, shuffle=True, random_state=int(np.random.default_rng(5).integers(2**31)))
    slow = np.zeros((3, 3))
    for train, test in folds.split(label, label):
        for i in range(3):
            scale = activity[train, i].std(0)
            fit = LinearDiscriminantAnalysis(solver="lsqr").fit(activity[train, i] / scale, label[train])
            for j in range(3):
                slow[i, j] += (fit.predict(activity[test, j] / scale) == label[test]).sum() / 36
    np.testing.assert_allclose(found.accuracy, slow)
    assert found.chance == pytest.approx(14 / 36)


def test_a_trial_is_never_on_both_sides():
    # the same pattern at all times tells each trial, nothing tells its class: a leak would read it
    rng = np.random.default_rng(1)
    activity = np.repeat(rng.standard_normal((60, 1, 80)), 4, axis=1)
    label = np.arange(60) % 2
    far = [decode(activity, rng.permutation(label), seed=k, num_shuffles=0).accuracy for k in range(6)]
    assert abs(np.mean(far) - 0.5) < 0.08


def test_shuffled_labels_are_at_chance_and_a_signal_is_not():
    activity, label = turned(60, [0.0, np.pi / 2], seed=2)
    found = decode(activity, label, seed=0, num_shuffles=19)
    assert found.null.shape == (19, 2, 2)
    assert abs(found.null.mean() - 0.5) < 0.05
    assert found.null.std((1, 2)).min() > 0
    np.testing.assert_allclose(np.diagonal(found.p), 1 / 20)
    assert found.p[0, 1] > 0.1
    again = decode(activity, label, seed=0, num_shuffles=19)
    np.testing.assert_array_equal(found.null, again.null)
    np.testing.assert_allclose(
        found.p,
        [[(1 + (found.null[:, i, j] >= found.accuracy[i, j]).sum()) / 20 for j in (0, 1)] for i in (0, 1)],
    )
    other = decode(activity, np.random.default_rng(0).permutation(label), seed=0, num_shuffles=19)
    assert np.diagonal(other.p).min() > 0.1


def test_invariances():
    activity, label = turned(60, [0.0, 0.5, 1.0], seed=4)
    base = decode(activity, label, seed=0, num_shuffles=2)
    scaled = decode(
        np.moveaxis(1e-3 * activity * [1, 50] + 7, -1, 0), 9 - label, seed=0, axis=0, num_shuffles=0
    )
    assert abs(scaled.accuracy - base.accuracy).max() < 0.06  # other folds
    same = decode(activity * [4.0, 0.1] - 3, label, seed=0, num_shuffles=2)
    np.testing.assert_array_equal(same.accuracy, base.accuracy)
    np.testing.assert_array_equal(same.null, base.null)


@pytest.mark.parametrize("classifier", ["lda", "logistic", "svm"])
def test_activity_without_noise(classifier):
    label = np.repeat([0, 1], 20)
    activity = np.full((40, 3, 5), 0.5)
    activity[:, 0, 0] = label  # classes apart where nothing scatters ...
    activity[:, 0, 1] = np.tile(np.arange(4), 10)  # ... beside what scatters within them
    activity[:, 1, 2] += 1e-9 * label  # rounding is not read
    found = decode(activity, label, seed=0, classifier=classifier, num_shuffles=0)
    np.testing.assert_array_equal(found.accuracy, [[1, 0.5, 0.5]] + [[0.5] * 3] * 2)


def test_many_units_and_few_trials():
    rng = np.random.default_rng(6)
    label = np.arange(40) % 2
    activity = rng.standard_normal((40, 1, 100)) + label[:, None, None] * rng.standard_normal(100) * 0.7
    assert decode(activity, label, seed=0, num_shuffles=0).accuracy > 0.85


def test_a_nonlinear_classifier_of_ones_own():
    rng = np.random.default_rng(7)
    label = np.arange(200) % 2
    activity = rng.standard_normal((200, 1, 2)) * (1 + 4 * label)[:, None, None]
    own = decode(activity, label, seed=0, classifier=QuadraticDiscriminantAnalysis(), num_shuffles=0)
    linear = decode(activity, label, seed=0, num_shuffles=0)
    assert own.accuracy > 0.8 > linear.accuracy + 0.1


ACTIVITY, LABEL = turned(20, [0.0, 1.0])


@pytest.mark.parametrize(
    ("activity", "label", "options", "message"),
    [
        (np.where(ACTIVITY > 2, np.nan, ACTIVITY), LABEL, {}, "activity: .* not finite; cut to times"),
        (ACTIVITY[:, 0], LABEL, {}, "activity: shape .20, 2.; expected .trial, time, unit."),
        (ACTIVITY, LABEL[1:], {}, "unequal lengths: activity 20, label .19,.; give one class a trial"),
        (ACTIVITY, LABEL + 0.5, {}, "label: float64; use integer classes"),
        (ACTIVITY, 0 * LABEL, {}, "label: 1 class; decoding needs at least two"),
        (
            ACTIVITY,
            (np.arange(20) < 4).astype(int),
            {},
            "num_folds: 5, class 1 has 4 trials; use fewer folds",
        ),
        (ACTIVITY, LABEL, {"num_folds": 1}, "num_folds 1, num_shuffles 20: use at least 2 and 0"),
        (ACTIVITY, LABEL, {"num_shuffles": -1}, "num_folds 5, num_shuffles -1: use at least 2 and 0"),
        (ACTIVITY, LABEL, {"classifier": "forest"}, "classifier: unknown 'forest'; use lda, logistic, svm"),
        (0 * ACTIVITY + 0.1, LABEL, {}, "activity: zero variance in every unit"),
    ],
)
def test_refusals(activity, label, options, message):
    with pytest.raises(ValueError, match=message):
        decode(activity, label, seed=0, **options)


def dataset():
    first, label = turned(40, [0.0, 0.6, 1.2], seed=8)
    second, _ = turned(40, [0.0, 0.0, 0.0], seed=9)
    rates = xr.DataArray(
        np.stack([first, second]), dims=("seed", "trial", "time", "unit"),
        coords={"seed": [3, 8], "time": ("time", [10.0, 30.0, 50.0], {"units": "ms"}), "unit": [4, 6]},
    )  # fmt: skip
    return rates, xr.DataArray(np.array(["left", "right"])[label], dims="trial"), label


def test_datasets():
    rates, side, label = dataset()
    found = analysis.decode(rates, side, num_shuffles=5, num_folds=4, confidence=0.9, random_seed=2)
    for s in range(2):
        direct = decode(rates.values[s], label, seed=2, num_shuffles=5, num_folds=4)
        np.testing.assert_array_equal(found.accuracy[s], direct.accuracy)
        np.testing.assert_array_equal(found.p[s], direct.p)
        np.testing.assert_allclose(found.null_mean[s], direct.null.mean(0))
        np.testing.assert_array_equal(found.null_upper[s], direct.null.max(0))
        assert found.null_maximum[s] == direct.null.max()
    assert found.accuracy.dims == ("seed", "time_train", "time_test")
    for name in ("time_train", "time_test"):
        np.testing.assert_array_equal(found[name], rates["time"])
        assert found[name].attrs["units"] == "ms"
    np.testing.assert_array_equal(found.num_trials, 40)
    assert found.attrs["classifier"] == "lda"
    assert set(found.sizes) <= set(found.coords)
    assert all({"units", "long_name"} <= set(each.attrs) for each in found.data_vars.values())


def test_trials_units_and_seeds_that_are_missing():
    rates, side, label = dataset()
    direct = decode(rates.values[0][8:], label[8:], seed=0, num_shuffles=0)
    numbers = xr.DataArray(np.where(np.arange(40) < 6, np.nan, label - 0.5), dims="trial")
    where = xr.DataArray((np.arange(40) < 6) | (np.arange(40) >= 8), dims="trial")
    more = xr.concat([rates, np.nan * rates.isel(unit=[0]).assign_coords(unit=[9])], dim="unit")
    found = analysis.decode(more.isel(seed=0), numbers, where=where, num_shuffles=0)
    np.testing.assert_array_equal(found.accuracy, direct.accuracy)
    assert np.isnan(found.null_maximum)
    flat = rates.copy()
    flat[0] = 0.0
    found = analysis.decode(flat, side, num_shuffles=0)
    np.testing.assert_array_equal(found.fit_status, [1, 0])
    assert np.isnan(found.accuracy[0]).all()
    with pytest.raises(ValueError, match="zero variance"):
        analysis.decode(flat.isel(seed=0), side)
    with pytest.raises(ValueError, match=r"rates: dims .* lack time"):
        analysis.decode(rates.mean("time"), side)
    with pytest.raises(ValueError, match="confidence: 1 is not between"):
        analysis.decode(rates, side, confidence=1)


def test_shrinkage_is_that_of_the_library_where_classes_scatter():
    rng = np.random.default_rng(11)
    label = np.arange(30) % 3
    activity = rng.standard_normal((30, 1, 8)) * np.arange(1, 9) + 2 * np.eye(8)[label][:, None]
    library = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    ours, theirs = (make(name).fit(activity[:, 0], label) for name in ("lda", library))
    np.testing.assert_allclose(ours.coef_, theirs.coef_, rtol=1e-4)


def test_named_classifiers_are_made_anew():
    assert make("svm", 3).random_state == 3
    given = LinearDiscriminantAnalysis()
    assert make(given) is not given
