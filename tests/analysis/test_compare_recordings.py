"""A circuit beside recordings: known answers, judges for maps and ceiling, missing data, refusals."""

import numpy as np
import pytest
import xarray as xr
from scipy.linalg import orthogonal_procrustes
from sklearn.linear_model import Ridge
from sklearn.model_selection import GridSearchCV, PredefinedSplit

from throughtime import analysis
from throughtime.analysis.arrays import held_out
from throughtime.analysis.arrays.compare_recordings import compare_recordings
from throughtime.analysis.arrays.noise_ceiling import ceilings, halves, spearman_brown

FAST = {"num_splits": 30, "num_resamples": 200}


def recorded(num_conditions=16, num_times=20, trials=8, sd=1.0, seed=0, num_units=6, num_features=3):
    """A circuit, and trials of units that mix it linearly, with white noise."""
    rng = np.random.default_rng(seed)
    circuit = rng.standard_normal((num_conditions, num_times, num_features))
    rates = circuit @ rng.standard_normal((num_features, num_units)) / np.sqrt(num_features)
    code = np.repeat(np.arange(num_conditions), trials)
    return circuit, rates, rates[code] + sd * rng.standard_normal((code.size, num_times, num_units)), code


@pytest.mark.parametrize(("sd", "seed"), [(0.5, 1), (1.0, 2), (2.0, 3)])
def test_circuit_plus_noise_of_known_variance_scores_one(sd, seed):
    circuit, rates, trials, code = recorded(sd=sd, seed=seed)
    found = compare_recordings(trials, code, [circuit], seed=0, **FAST)
    assert found.population_lower[0] < 1 < found.population_upper[0]
    assert found.population_normalized_score[0] == pytest.approx(1, abs=0.03)
    variance = rates.var((0, 1))
    reliability = variance / (variance + sd**2 / 8)
    np.testing.assert_allclose(found.ceiling, reliability, atol=0.05)
    assert found.population_ceiling == pytest.approx(
        np.average(reliability, weights=variance + sd**2 / 8), abs=0.02
    )
    np.testing.assert_allclose(found.score[0], reliability, atol=0.08 * sd)
    inside = (found.lower[0] < 1) & (found.upper[0] > 1)
    assert inside.mean() > 0.6
    np.testing.assert_array_equal(found.status, 0)


def test_shuffled_samples_score_nothing():
    circuit, _, trials, code = recorded()
    rng = np.random.default_rng(4)
    mixed = rng.permutation(circuit.reshape(-1, 3)).reshape(circuit.shape)
    found = compare_recordings(trials, code, [circuit, mixed], seed=0, **FAST)
    assert abs(found.population_normalized_score[1]) < 0.03
    assert found.population_lower[1] < 0.01
    assert found.population_upper[1] < 0.03
    assert found.advantage[1] == pytest.approx(1, abs=0.05)
    assert found.advantage_lower[1] > 0.9
    assert found.advantage[0] == found.advantage_lower[0] == found.advantage_upper[0] == 0


def test_baselines_get_what_they_can_predict():
    """Units with as much variance from each of three latents: a baseline that knows one gets a third."""
    rng = np.random.default_rng(5)
    circuit = rng.standard_normal((20, 30, 3))
    signs = np.array([[1, 1, 1], [1, -1, 1], [1, 1, -1], [-1, 1, 1]]).T
    code = np.repeat(np.arange(20), 6)
    trials = (circuit @ signs)[code] + rng.standard_normal((120, 30, 4))
    found = compare_recordings(trials, code, [circuit, circuit[..., :1]], seed=0, **FAST)
    np.testing.assert_allclose(found.normalized_score[1], 1 / 3, atol=0.08)
    assert found.population_normalized_score[1] == pytest.approx(1 / 3, abs=0.05)
    assert found.advantage_lower[1] > 0.5


def test_sharing_a_time_course_is_knowledge():
    rng = np.random.default_rng(6)
    course = np.sin(np.arange(20) / 3)[:, None]
    rates = course + 0.5 * rng.standard_normal((10, 1, 4))
    code = np.repeat(np.arange(10), 6)
    trials = rates[code] + 0.2 * rng.standard_normal((60, 20, 4))
    clock = np.broadcast_to(course, (10, 20, 1))
    share = course.var() / (course.var() + rates.mean(1).var(0))
    found = compare_recordings(trials, code, [clock], seed=0, **FAST)
    np.testing.assert_allclose(found.score[0], share, atol=0.15)


def test_ridge_agrees_with_grid_search_in_scikit_learn():
    rng = np.random.default_rng(7)
    x, fold = rng.standard_normal((40, 12)), np.repeat(np.arange(4), 10)
    y = x @ rng.standard_normal((12, 3)) + 6 * rng.standard_normal((40, 3))
    predicted, chosen = held_out.ridge(x, y, fold)
    for unit in range(3):
        picked = []
        for held in range(4):
            train = fold != held
            total = ((x[train] - x[train].mean(0)) ** 2).sum()
            # the norm differs between inner folds, so the penalty is scaled within each
            best = GridSearchCV(
                Scaled(), {"penalty": held_out.PENALTIES}, cv=PredefinedSplit(fold[train]),
                scoring="neg_mean_squared_error",
            ).fit(x[train], y[train, unit]).best_params_["penalty"]  # fmt: skip
            direct = Ridge(alpha=best * total).fit(x[train], y[train, unit]).predict(x[~train])
            np.testing.assert_allclose(predicted[~train, unit], direct, atol=1e-8)
            picked.append(best)
        assert chosen[unit] == np.median(picked)


class Scaled(Ridge):
    def __init__(self, penalty=1.0):
        super().__init__()
        self.penalty = penalty

    def fit(self, x, y):
        self.alpha = self.penalty * ((x - x.mean(0)) ** 2).sum()
        return super().fit(x, y)


@pytest.mark.parametrize("num_features", [3, 5, 8])
def test_procrustes_agrees_with_scipy(num_features):
    rng = np.random.default_rng(8)
    x, y = rng.standard_normal((30, num_features)), rng.standard_normal((30, 5))
    fold = np.arange(30) % 3
    predicted = held_out.procrustes(x, y, fold)
    wide = max(num_features, 5)
    train = fold != 1
    a, b = np.zeros((30, wide)), np.zeros((30, wide))
    a[:, :num_features], b[:, :5] = x - x[train].mean(0), y - y[train].mean(0)
    turn = orthogonal_procrustes(a[train], b[train])[0]
    scale = ((a[train] @ turn)[:, :5] * b[train, :5]).sum() / ((a[train] @ turn)[:, :5] ** 2).sum()
    expected = y[train].mean(0) + scale * (a @ turn)[:, :5]
    np.testing.assert_allclose(predicted[~train], expected[~train])


def test_procrustes_is_one_for_a_turned_circuit_and_less_for_a_stretched_one():
    rng = np.random.default_rng(9)
    circuit = rng.standard_normal((10, 15, 4))
    turn = np.linalg.qr(rng.standard_normal((4, 4)))[0]
    code = np.repeat(np.arange(10), 4)
    for stretch, low, high in ((np.ones(4), 0.97, 1.03), (np.array([4.0, 1, 1, 1]), 0.2, 0.9)):
        rates = circuit * stretch @ turn * 7 + 3
        trials = rates[code] + rng.standard_normal((40, 15, 4))
        options = {"seed": 0, "method": "procrustes"} | FAST
        found = compare_recordings(trials, code, [circuit], **options)
        assert low < found.population_normalized_score[0] < high
        assert np.isnan(found.penalty).all()
        assert compare_recordings(trials, code, [circuit], seed=0, **FAST).population_score[0] > 0.97


def test_ceiling_by_loops():
    _, _, trials, code = recorded(num_conditions=4, num_times=6, trials=6, sd=1.5, num_units=2)
    found = halves(trials, code, np.ones((4, 6, 2), bool), 3, seed=11)
    rng = np.random.default_rng(11)
    order = [[rng.permutation(6) for _ in range(3)] for _ in range(4)]
    correlation = np.zeros(2)
    for split in range(3):
        sides = [
            np.concatenate([trials[code == c][order[c][split][side::2]].mean(0) for c in range(4)])
            for side in (0, 1)
        ]
        correlation += [np.corrcoef(sides[0][:, unit], sides[1][:, unit])[0, 1] / 3 for unit in range(2)]
    np.testing.assert_allclose(ceilings(found, np.ones((1, 4)))[0], 2 * correlation / (1 + correlation))
    np.testing.assert_allclose(found.factor, 2)
    twice = ceilings(found, np.array([[2.0, 2, 2, 2], [1, 0, 2, 1]]))
    np.testing.assert_allclose(twice[0], ceilings(found, np.ones((1, 4)))[0])
    assert (twice[1] != twice[0]).all()


@pytest.mark.parametrize("counts", [[2] * 30, [3] * 30, [9] * 30, [2, 3, 8] * 10])
def test_ceiling_of_any_number_of_trials(counts):
    rng = np.random.default_rng(12)
    rates = rng.standard_normal((30, 200, 1))
    code = np.repeat(np.arange(30), counts)
    trials = rates[code] + rng.standard_normal((code.size, 200, 1))
    found = compare_recordings(trials, code, [rates], seed=0, **FAST)
    noise = np.mean(1 / np.array(counts))
    half = np.mean([1 / (count // 2) for count in counts])
    split = halves(trials, code, np.ones((30, 200, 1), bool), 2, seed=0)
    assert split.factor[0] == pytest.approx(half / noise)
    assert found.ceiling[0] == pytest.approx(1 / (1 + noise), abs=0.02)
    assert found.normalized_score[0, 0] == pytest.approx(1, abs=0.03)


def test_spearman_brown():
    np.testing.assert_allclose(spearman_brown(np.array([0.25, 0.5]), 3.0), [0.5, 0.75])
    assert np.isnan(spearman_brown(np.array(-1.0)))


def test_missing_units_are_masked_and_unequal_trials_used():
    circuit, _, trials, code = recorded(sd=0.7, seed=13)
    whole = compare_recordings(trials, code, [circuit], seed=0, **FAST)
    rng = np.random.default_rng(14)
    lossy = trials.copy()
    lossy[rng.random(len(lossy)) < 0.4, :, 1] = np.nan
    lossy[code < 6, :, 2] = np.nan  # never in some conditions
    lossy[code > 1, :, 3] = np.nan  # in too few
    lossy[:, :, 4] = np.nan
    lossy[:, :, 5] = 3.0
    keep = (code != 7) | (np.arange(code.size) % 8 < 3)
    found = compare_recordings(lossy[keep], code[keep], [circuit], seed=0, **FAST)
    np.testing.assert_array_equal(found.status, [0, 0, 0, 1, 1, 2])
    assert np.isnan(found.score[0, 3:]).all()
    np.testing.assert_array_equal(found.num_conditions, [16, 16, 10, 2, 0, 16])
    assert found.num_trials[0] == keep.sum()
    np.testing.assert_allclose(found.score[0, :3], whole.score[0, :3], atol=0.1)
    np.testing.assert_allclose(found.normalized_score[0, :3], 1, atol=0.1)
    assert found.ceiling[1] < whole.ceiling[1]
    assert found.population_lower[0] < 1 < found.population_upper[0] + 0.01


def test_units_of_noise_are_unreliable():
    circuit, _, trials, code = recorded(sd=1.0, seed=15)
    noise = np.random.default_rng(16).standard_normal(trials[..., :3].shape)
    found = compare_recordings(np.concatenate([trials, noise], -1), code, [circuit], seed=0, **FAST)
    np.testing.assert_array_equal(found.status[:6], 0)
    assert (found.status[6:] == 3).sum() >= 2
    assert np.isnan(found.normalized_score[0, found.status == 3]).all()
    assert found.population_normalized_score[0] == pytest.approx(1, abs=0.06)


def test_invariances():
    circuit, _, trials, code = recorded(sd=1.0, seed=17)
    base = compare_recordings(trials, code, [circuit], seed=3, **FAST)
    turn = np.linalg.qr(np.random.default_rng(18).standard_normal((3, 3)))[0]
    other = compare_recordings(5 * trials[..., ::-1] + 40, code, [9 * circuit @ turn - 2], seed=3, **FAST)
    np.testing.assert_allclose(other.score, base.score[:, ::-1])
    np.testing.assert_allclose(other.normalized_score, base.normalized_score[:, ::-1])
    np.testing.assert_allclose(other.population_upper, base.population_upper)
    again = compare_recordings(trials, code, [circuit], seed=3, **FAST)
    np.testing.assert_array_equal(again.lower, base.lower)


def test_averages_without_repeats_have_a_score_and_no_ceiling():
    circuit, rates, _, _ = recorded(seed=19)
    found = compare_recordings(rates, np.arange(16), [circuit], seed=0, min_trials=1, **FAST)
    np.testing.assert_allclose(found.score, 1, atol=1e-3)
    assert np.isnan(found.ceiling).all()
    assert np.isnan(found.normalized_score).all()
    assert np.isnan([found.population_ceiling, found.population_normalized_score[0]]).all()
    np.testing.assert_array_equal(found.status, 0)


CIRCUIT, _, TRIALS, CODE = recorded(num_conditions=6, num_times=5, trials=4)
GAPPED = np.where((CODE == 2)[:, None, None] & (np.arange(6) == 1), np.nan, TRIALS)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"method": "lasso"}, "method: unknown 'lasso'; use 'ridge' or 'procrustes'"),
        (
            {"recorded": TRIALS[0]},
            r"recorded, predictors: shapes \(5, 6\), .*; expected \(trial, time, unit\)",
        ),
        ({"predictors": []}, "and at least one"),
        ({"condition": CODE[1:]}, "unequal lengths: recorded 24, condition 23"),
        ({"recorded": TRIALS[:, 1:]}, "recorded has 4 times; bring all to the same"),
        ({"predictors": [CIRCUIT, CIRCUIT[1:]]}, r"predictors: conditions and times \[\(5, 5\), \(6, 5\)\]"),
        (
            {"condition": CODE + 1},
            "condition: int64 up to 6, predictors have 6 conditions; use integer codes",
        ),
        ({"condition": CODE / 1.0}, "condition: float64 up to 5.0"),
        ({"condition": CODE % 2, "predictors": [CIRCUIT[:2]]}, "predictors: 2 conditions in 5 folds; use at"),
        ({"num_folds": 2}, "predictors: 6 conditions in 2 folds; use at least 3 of both"),
        ({"min_trials": 0}, "min_trials: 0; use at least 1, and 2 for a noise ceiling"),
        ({"predictors": [CIRCUIT, 0 * CIRCUIT]}, "predictors: number 1 is constant or nowhere complete"),
        ({"predictors": [np.nan * CIRCUIT]}, "predictors: number 0 is constant or nowhere complete"),
        ({"min_trials": 5}, "recorded: none of 6 units has 3 conditions of 5 trials in which it varies"),
        ({"recorded": TRIALS * np.nan}, "recorded: none of 6 units has 3 conditions of 2 trials"),
        ({"num_splits": 0}, "num_splits 0, num_resamples 1000: use at least 1 of each"),
        ({"confidence": 1.0}, "confidence: 1.0 is not between 0 and 1"),
        ({"recorded": GAPPED, "method": "procrustes"}, "recorded: units have 2 different sets of conditions"),
    ],
)
def test_refusals(change, message):
    arguments = {"recorded": TRIALS, "condition": CODE, "predictors": [CIRCUIT]} | change
    given = {name: arguments.pop(name) for name in ("recorded", "condition", "predictors")}
    with pytest.raises(ValueError, match=message):
        compare_recordings(*given.values(), seed=0, **arguments)


def named():
    circuit, _, trials, code = recorded(num_conditions=6, num_times=5, trials=4, seed=20)
    time = (np.arange(5) + 0.5) * 20
    names = ("condition", "time", "unit")
    model = xr.DataArray(circuit, dims=names, coords={"time": time})
    data = xr.DataArray(
        trials, dims=("trial", "time", "unit"), coords={"time": time, "unit": np.arange(6) + 50}
    )
    return model, data, xr.DataArray(code, dims="trial"), circuit, trials, code


def test_datasets():
    model, data, condition, _, trials, code = named()
    seeds = xr.concat([model, model.isel(unit=[0, 1, 1]) ** 2], "seed").assign_coords(seed=[7, 8])
    inputs = model.isel(unit=[0]).rename(unit="input")
    found = analysis.compare_recordings(
        data, seeds, condition=condition, baselines={"inputs alone": inputs}, **FAST
    )
    for s, seed in enumerate((7, 8)):
        direct = compare_recordings(trials, code, [seeds.values[s], inputs.values], seed=0, **FAST)
        one = found.sel(seed=seed)
        for name in (
            "score",
            "ceiling",
            "lower",
            "population_upper",
            "advantage_lower",
            "penalty",
            "num_trials",
        ):
            np.testing.assert_allclose(one[name], getattr(direct, name), err_msg=name)
        np.testing.assert_array_equal(one.unit_status, direct.status)
    failed = analysis.compare_recordings(
        data, seeds.where(seeds.seed > 7), condition=condition, baselines={"inputs": inputs}, **FAST
    )
    np.testing.assert_array_equal(failed.fit_status, [1, 0])
    assert failed.attrs["refusal"].startswith("predictors: number 0 is constant or nowhere complete")
    assert np.isnan(failed.score[0]).all()
    np.testing.assert_allclose(failed.score[1], found.score[1])
    assert found.predictor.attrs["flag_meanings"] == "circuit inputs_alone"
    assert found.unit_status.attrs["flag_meanings"] == "scored too_few_trials no_variance unreliable"
    np.testing.assert_array_equal(found["unit"], data["unit"])
    assert set(found.sizes) <= set(found.coords)
    assert all({"units", "long_name"} <= set(variable.attrs) for variable in found.data_vars.values())
    assert not any(isinstance(value, bool) for value in found.attrs.values())


def test_conditions_are_matched_by_what_they_are_called():
    model, data, condition, *_ = named()
    base = analysis.compare_recordings(data, model, condition=condition, **FAST)
    values = np.array([-0.5, -0.1, 0.1, 0.3, 0.5, 0.9])
    shuffled = np.array([3, 0, 5, 1, 4, 2])
    valued = model.assign_coords(coherence=("condition", values)).isel(condition=shuffled)
    coherence = xr.DataArray(values[condition.values], dims="trial", name="coherence")
    by_value = analysis.compare_recordings(data, valued, condition=coherence, **FAST)
    np.testing.assert_allclose(by_value.ceiling, base.ceiling, atol=0.05)
    np.testing.assert_allclose(by_value.score, base.score, atol=0.12)
    labelled = model.assign_coords(condition=np.arange(6) * 10).isel(condition=shuffled)
    by_label = analysis.compare_recordings(data, labelled, condition=condition * 10, **FAST)
    np.testing.assert_allclose(by_label.score, by_value.score)
    texts = np.array(list("abcdef"))
    flags = {"flag_values": list(range(6)), "flag_meanings": "d a f b e c"}
    flagged = model.isel(condition=shuffled).assign_coords(condition=("condition", np.arange(6), flags))
    text = xr.DataArray(texts[condition.values], dims="trial")
    np.testing.assert_allclose(
        analysis.compare_recordings(data, flagged, condition=text, **FAST).score, by_value.score
    )
    averaged = analysis.condition_means(data, coherence).rates
    means = analysis.compare_recordings(averaged, model, **FAST)
    np.testing.assert_allclose(means.score, base.score, atol=1e-9)
    assert np.isnan(means.population_ceiling)
    with pytest.raises(ValueError, match=r"condition: \[0.9\] are not among the circuit's conditions"):
        analysis.compare_recordings(data, valued.isel(condition=[0, 1, 3, 4, 5]), condition=coherence)
    twice = valued.assign_coords(coherence=("condition", values[[0, 0, 1, 2, 3, 4]]))
    with pytest.raises(ValueError, match="circuit: conditions repeat along its coordinate 'coherence'"):
        analysis.compare_recordings(data, twice, condition=coherence.where(coherence < 0.6))


def test_refusals_of_names():
    model, data, condition, *_ = named()
    cases = [
        ({"condition": None}, r"condition absent; expected \(trial, time, unit\) with the condition of each"),
        (
            {"circuit": model.rename(condition="trial")},
            "circuit: dims .* average over trials with condition_m",
        ),
        (
            {"circuit": model.assign_coords(time=model.time + 7)},
            "circuit: its 5 times are not the 5 of the rec",
        ),
        ({"baselines": {"inputs": model.isel(condition=[0, 1])}}, "inputs: its conditions are not those of"),
    ]
    for change, message in cases:
        given = {"circuit": model, "condition": condition} | change
        with pytest.raises(ValueError, match=message):
            analysis.compare_recordings(data, **given)
