"""Every measure of activity takes recordings with unequal trials and missing units, or says what to do."""

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis

NUM_TRIALS = np.array([12, 7, 9, 12])
TIME = np.arange(5.0, 200.0, 10.0)
UNIT = xr.DataArray(np.arange(6), dims="unit", attrs={"units": "1", "long_name": "unit"})


def record():
    """Poisson counts of six units in forty trials of four conditions, and which units were held when."""
    rng = np.random.default_rng(0)
    code = rng.permutation(np.repeat(np.arange(4), NUM_TRIALS))
    gain = rng.uniform(5, 40, (4, 6))[code][:, None]
    rate = 10 + gain * (1 + np.sin(TIME[:, None] / 60 + np.arange(6)))
    time = ("time", TIME, {"units": "ms"})
    counts = xr.DataArray(
        rng.poisson(rate * 0.05) * 1.0, dims=("trial", "time", "unit"), coords={"time": time, "unit": UNIT}
    )
    held = xr.DataArray(np.ones((40, 6), bool), dims=("trial", "unit"), coords={"unit": UNIT})
    held[:9, 2] = False
    return counts, held, xr.DataArray(code, dims="trial", name="condition")


COUNTS, HELD, CONDITION = record()
WHOLE = analysis.recordings(COUNTS).rates
LOSSY = analysis.recordings(COUNTS.where(HELD)).rates
NEVER = WHOLE.where(UNIT != 2)
OTHER = 1.1 * WHOLE.isel(unit=slice(0, 5)) + 1
SIDE, CONTEXT = CONDITION % 2, CONDITION // 2
DURATION = xr.DataArray(np.array([100.0, 130.0, 160.0, 190.0])[CONDITION.values], dims="trial")
FAST = {"num_splits": 5, "num_resamples": 10}


def means(rates):
    return analysis.condition_means(rates, CONDITION).rates


def scaling(rates):
    return analysis.scaling_index(rates, 0 * DURATION, DURATION, condition=CONDITION)


def beside_circuit(rates):
    return analysis.compare_recordings(rates, means(WHOLE), condition=CONDITION, **FAST)


def demixed(rates):
    return analysis.dpca(rates, {"side": SIDE, "context": CONTEXT}, num_components=1)


def two_tasks(rates):
    return analysis.task_variance({"go": rates, "anti": 2 * rates}, num_rotations=0, num_starts=2)


def decoded(rates):
    return analysis.decode(rates.isel(time=slice(0, 20, 6)), SIDE, num_shuffles=0)


# measure of trials -> what it says of units missing from some trials; None where it copes
OF_TRIALS = {
    "pca": (analysis.pca, "explained_variance", None),
    "dimensionality": (analysis.dimensionality, "participation_ratio", None),
    "tdr": (
        lambda rates: analysis.tdr(rates, {"side": SIDE}),
        "axis",
        "cut to times and units that all trials",
    ),
    "decode": (decoded, "accuracy", "cut to times and units that all trials have"),
    "dpca": (demixed, "marginal_variance", "cut to times and units that all trials have"),
    "cka": (lambda rates: analysis.cka(rates, OTHER), "cka", None),
    "cca": (lambda rates: analysis.cca(rates, OTHER), "correlation", None),
    "shape_distance": (lambda rates: analysis.shape_distance(rates, OTHER), "angle", None),
    "dsa": (lambda rates: analysis.dsa(rates, OTHER, seed=0, rank=2, n_restarts=10), "dsa", None),
    "scaling_index": (scaling, "population", "drop such trials, or units"),
    "compare_recordings": (beside_circuit, "population_normalized_score", None),
}
# measure of condition means -> what it says of units missing from a condition
OF_CONDITIONS = {
    "pca": (analysis.pca, "explained_variance", None),
    "rsa": (
        lambda rates: analysis.rsa(rates.isel(time=3), means(OTHER).isel(time=3), seed=0, num_permutations=9),
        "spearman",
        "average over the trials that are there, drop units without any",
    ),
    "kinematics": (analysis.kinematics, "slope", "drop the units that are not there in every condition"),
    "sequentiality": (analysis.sequentiality, "sequentiality", None),
    "task_variance": (two_tasks, "task_variance", "drop the units that are not there in every condition"),
    "compare_recordings": (
        lambda rates: analysis.compare_recordings(rates, means(WHOLE), **FAST),
        "population_score",
        None,
    ),
}


def known(found, variable):
    """Whether a result has numbers, and is not a refusal among others."""
    assert "refusal" not in found.attrs, found.attrs["refusal"]
    assert np.isfinite(found[variable].values.astype(float)).any()


def refused(measure, rates, message):
    """The message, raised or (for one seed among others) kept."""
    try:
        said = measure(rates).attrs.get("refusal", "")
    except ValueError as refusal:
        said = str(refusal)
    assert message in said


@pytest.mark.parametrize("name", OF_TRIALS)
def test_unequal_numbers_of_trials_and_units_that_come_and_go(name):
    measure, variable, message = OF_TRIALS[name]
    known(measure(WHOLE), variable)
    if message is None:
        known(measure(LOSSY), variable)
    else:
        refused(measure, LOSSY, message)
    known(measure(analysis.complete(LOSSY)), variable)


@pytest.mark.parametrize("name", OF_CONDITIONS)
def test_averages_over_the_trials_there_are(name):
    measure, variable, message = OF_CONDITIONS[name]
    known(measure(means(WHOLE)), variable)
    known(measure(means(LOSSY)), variable)
    hole = means(LOSSY.where((UNIT != 2) | (CONDITION != 1)))
    if message is None:
        known(measure(hole), variable)
    else:
        refused(measure, hole, message)
    known(measure(analysis.complete(hole)), variable)


@pytest.mark.parametrize(
    "name", ["pca", "dimensionality", "tdr", "decode", "dpca", "scaling_index", "compare_recordings"]
)
def test_units_that_were_never_there_are_left_out(name):
    measure, variable, _ = OF_TRIALS[name]
    found, rest = measure(NEVER), measure(WHOLE.isel(unit=[0, 1, 3, 4, 5]))
    known(found, variable)
    found, rest = found[variable], rest[variable]
    if "unit" in found.dims:
        assert np.isnan(found.sel(unit=2)).all()
        found = found.sel(unit=rest.unit)
    elif "component" in found.dims:
        found = found.isel(component=slice(0, rest.sizes["component"]))
    np.testing.assert_allclose(found, rest)


def test_measures_of_averages_say_so_of_trials():
    for measure in (analysis.kinematics, analysis.sequentiality):
        with pytest.raises(ValueError, match="condition_means"):
            measure(LOSSY)
    with pytest.raises(ValueError, match=r"x, y: every sample has a NaN in some unit; drop the units"):
        analysis.cka(NEVER, OTHER)


def test_equal_draws_and_complete_data_go_into_any_measure():
    drawn = analysis.equal_trials(analysis.complete(LOSSY, drop="trial"), CONDITION[9:], random_seed=0)
    np.testing.assert_array_equal(np.unique(np.bincount(drawn.trial_condition)).size, 1)
    known(analysis.dpca(drawn, {"choice": drawn.trial_condition}, num_components=1), "marginal_variance")
