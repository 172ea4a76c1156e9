"""Distances among many circuits: every measure pair by pair, labels, refusals; and maps of them."""

import warnings

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import pdist, squareform

from throughtime import analysis
from throughtime.analysis.arrays.cca import cca
from throughtime.analysis.arrays.cka import cka
from throughtime.analysis.arrays.distance_matrix import MEASURES, distance_matrix
from throughtime.analysis.arrays.dsa import dsa
from throughtime.analysis.arrays.embedding import embedding
from throughtime.analysis.arrays.rsa import rsa
from throughtime.analysis.arrays.shape_distance import shape_distance

from .similarity import named, rotation, stored

RNG = np.random.default_rng(5)
CLOUDS = [RNG.standard_normal((30, width)) @ RNG.standard_normal((width, width)) for width in (3, 3, 4)]
WALKS = [RNG.standard_normal((2, 40, 3)).cumsum(1) for _ in range(3)]
ALONE = {
    "shape_distance": lambda x, y: shape_distance(x, y).angle,
    "cka": lambda x, y: 1 - cka(x, y).cka,
    "cca": lambda x, y: 1 - cca(x, y).mean,
    "rsa": lambda x, y: 1 - rsa(x, y, seed=0).spearman,
    "dsa": lambda x, y: dsa(x, y, seed=3).dsa,
    "spectrum_distance": lambda x, y: dsa(x, y, seed=3).spectrum_distance,
}


@pytest.mark.parametrize("measure", MEASURES)
def test_every_measure_is_that_of_each_pair(measure):
    systems = WALKS if measure in ("dsa", "spectrum_distance") else CLOUDS
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = distance_matrix(systems, measure=measure, seed=3)
        for i, j in ((0, 1), (0, 2), (1, 2)):
            assert found.distance[i, j] == pytest.approx(ALONE[measure](systems[i], systems[j]), abs=1e-9)
    np.testing.assert_array_equal(found.distance, found.distance.T)
    np.testing.assert_array_equal(np.diag(found.distance), 0)
    assert found.units == ("rad" if measure in ("dsa", "shape_distance") else "1")


def test_options_reach_the_measure_and_a_function_is_one():
    found = distance_matrix(CLOUDS, measure="shape_distance", alpha=0.0).distance
    assert found[0, 2] == pytest.approx(shape_distance(CLOUDS[0], CLOUDS[2], alpha=0.0).angle)
    biased = distance_matrix(CLOUDS, measure="cka", debiased=False).distance
    assert biased[0, 1] == pytest.approx(1 - cka(CLOUDS[0], CLOUDS[1], debiased=False).cka)
    repeats = [RNG.standard_normal((3, 5, 2)) for _ in range(2)]
    assert distance_matrix(repeats, measure="rsa").distance[0, 1] == pytest.approx(
        1 - rsa(*repeats, seed=0).spearman
    )
    ranked = distance_matrix(WALKS, measure="spectrum_distance", rank=2, whiten=True).distance
    alone = dsa(WALKS[0], WALKS[1], seed=0, rank=2, whiten=True).spectrum_distance
    assert ranked[0, 1] == pytest.approx(alone)
    sizes = distance_matrix(CLOUDS, measure=lambda x, y: abs(x.size - y.size) + 0.5)
    np.testing.assert_allclose(sizes.distance[0], [0, 0.5, 30.5])


def test_a_sample_that_either_system_lacks_is_left_out_of_that_pair():
    holed = [cloud.copy() for cloud in CLOUDS]
    holed[1][4, 0] = np.nan
    found = distance_matrix(holed).distance
    rest = np.arange(30) != 4
    assert found[0, 1] == pytest.approx(shape_distance(CLOUDS[0][rest], CLOUDS[1][rest]).angle)
    assert found[0, 2] == pytest.approx(shape_distance(CLOUDS[0], CLOUDS[2]).angle)


@pytest.mark.parametrize("measure", MEASURES)
def test_a_diverged_system_is_nan_and_the_others_are_not(measure):
    systems = list(WALKS if measure in ("dsa", "spectrum_distance") else CLOUDS)
    systems[1] = np.full_like(systems[1], np.nan)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        found = distance_matrix(systems, measure=measure, seed=0)
    assert found.status.tolist() == [0, 1, 0]
    assert np.isnan(found.distance[1]).all()
    assert np.isfinite(found.distance[0, 2])
    assert found.refusal


def test_what_measures_warn_of_is_counted_once():
    systems = [np.random.default_rng(k).standard_normal((60, 12)).cumsum(0) for k in range(3)]
    with pytest.warns(UserWarning, match=r"\d of 3 pairs, first: dsa: only one of 3 starts") as told:
        found = distance_matrix(systems, measure="dsa", seed=0, n_restarts=1)
    assert len(told) == 1
    assert 1 <= found.num_warned <= 3


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: distance_matrix(CLOUDS[:1]), "systems: 1; give at least two"),
        (lambda: distance_matrix(CLOUDS, measure="cks"), "measure: unknown 'cks'; use one of shape_distance"),
        (
            lambda: distance_matrix(CLOUDS, measure="cka", alpha=1.0),
            "alpha: no option of cka; it has debiased",
        ),
        (lambda: distance_matrix(WALKS, measure="dsa"), "seed: none given; dsa starts at random"),
        (lambda: distance_matrix([0 * CLOUDS[0]] * 2), "systems 0 and 1: x: zero variance"),
        (
            lambda: distance_matrix(WALKS, measure="dsa", seed=0, rank=9),
            r"systems\[0\]: rank 9 where states vary",
        ),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_groups_by_name_may_differ_in_units():
    systems = {
        "bptt": named(RNG.standard_normal((2, 5, 6, 3)), "seed", "trial", "time", "unit"),
        "random feedback": named(RNG.standard_normal((3, 5, 6, 4)), "seed", "trial", "time", "unit"),
    }
    found = analysis.distance_matrix(systems, measure="cka")
    assert found.distance.dims == ("run", "other_run")
    assert found.label.values.tolist() == [0, 0, 1, 1, 1]
    assert found.label.attrs["flag_meanings"] == "bptt random_feedback"
    assert found.replicate.values.tolist() == [0, 1, 0, 1, 2]
    x, y = systems["bptt"].values[1].reshape(30, 3), systems["random feedback"].values[2].reshape(30, 4)
    assert float(found.distance[1, 4]) == pytest.approx(1 - cka(x, y).cka)
    assert found.attrs["measure"] == "cka"
    assert not stored(found)
    shuffled = {
        name: each.isel(trial=[3, 1, 4, 0, 2]).transpose("unit", ...) for name, each in systems.items()
    }
    np.testing.assert_allclose(
        analysis.distance_matrix(shuffled, measure="cka").distance, found.distance, atol=1e-12
    )


def test_one_array_over_rules_checkpoints_and_seeds():
    values = RNG.standard_normal((2, 2, 3, 20, 3))
    rates = named(values, "rule", "checkpoint", "seed", "trial", "unit")
    rates["rule"].attrs |= {"flag_values": [0, 1], "flag_meanings": "bptt rflo"}
    rates = rates.assign_coords(seed=("seed", [4, 5, 6]))
    found = analysis.distance_matrix(rates)
    assert found.sizes["run"] == 12
    assert found.label.values.tolist() == [0] * 6 + [1] * 6
    assert found.label.attrs["flag_meanings"] == "bptt rflo"
    assert found.replicate.values.tolist() == [4, 5, 6] * 4
    assert found.system_checkpoint.values.tolist() == ([0] * 3 + [1] * 3) * 2
    expected = shape_distance(values[0, 1, 0], values[1, 0, 2]).angle
    assert float(found.distance[3, 8]) == pytest.approx(expected)
    assert found.distance.attrs["units"] == "rad"
    assert not stored(found)
    by_checkpoint = analysis.distance_matrix(rates, label="checkpoint")
    assert by_checkpoint.label.values.tolist() == ([0] * 3 + [1] * 3) * 2
    assert by_checkpoint.system_rule.values.tolist() == [0] * 6 + [1] * 6


def test_runs_labelled_by_a_coordinate():
    rates = named(RNG.standard_normal((3, 20, 3)), "run", "trial", "unit")
    rates = rates.assign_coords(
        run_rule=("run", [1, 0, 1], {"flag_values": [0, 1], "flag_meanings": "bptt rflo"})
    )
    found = analysis.distance_matrix(rates, label="run_rule")
    assert found.label.values.tolist() == [0, 1, 0]  # in the order of appearance
    assert found.label.attrs["flag_meanings"] == "rflo bptt"
    assert found.replicate.values.tolist() == [-1, -1, -1]
    assert not stored(found)
    alone = analysis.distance_matrix(rates.isel(run=[0, 2]).rename(run="seed"))
    assert alone.label.attrs["flag_values"] == 0
    assert not stored(alone)


def test_dynamics_and_conditions_of_named_arrays():
    walks = named(np.stack(WALKS), "seed", "trial", "time", "unit")
    found = analysis.distance_matrix(walks.transpose("time", ...), measure="spectrum_distance")
    assert float(found.distance[0, 1]) == pytest.approx(ALONE["spectrum_distance"](*WALKS[:2]))
    means = named(RNG.standard_normal((2, 3, 5, 4)), "seed", "trial", "condition", "unit")
    plain = analysis.distance_matrix(means.mean("trial"), measure="rsa", metric="euclidean")
    expected = rsa(means.values[0].mean(0), means.values[1].mean(0), seed=0, metric="euclidean").spearman
    assert float(plain.distance[0, 1]) == pytest.approx(1 - expected)
    crossed = analysis.distance_matrix(means, measure="rsa", repeat_dim="trial")
    assert float(crossed.distance[0, 1]) == pytest.approx(1 - rsa(*means.values, seed=0).spearman)
    assert plain.attrs["metric"] == "euclidean"
    assert not stored(plain)


SEEDS = named(RNG.standard_normal((2, 20, 3)), "seed", "trial", "unit")


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (
            lambda: analysis.distance_matrix(SEEDS[0].drop_vars("seed")),
            "systems: dims .* have none of run, rule",
        ),
        (lambda: analysis.distance_matrix(SEEDS.rename(unit="input")), "systems: dims .* lack unit"),
        (
            lambda: analysis.distance_matrix(SEEDS, label="rule"),
            "label: 'rule' is neither a dim nor a coordinate",
        ),
        (lambda: analysis.distance_matrix(SEEDS, label="trial"), r"label: 'trial' has dims \('trial',\)"),
        (lambda: analysis.distance_matrix({"a": SEEDS}, label="a"), "label: 'a' with systems by label"),
        (lambda: analysis.distance_matrix({"a": SEEDS, "b": SEEDS[0]}), "b: dims .* lack seed"),
        (
            lambda: analysis.distance_matrix({"a": SEEDS, "b": SEEDS[:, :9]}),
            "y: 9 elements of 'trial', x has 20",
        ),
        (lambda: analysis.distance_matrix(SEEDS, measure="dsa", seed=0), "all: dims .* lack time"),
        (lambda: analysis.distance_matrix(SEEDS[:1]), "systems: 1; give at least two"),
    ],
)
def test_refuses_names(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_a_map_of_points_in_a_plane_is_exact():
    points = RNG.standard_normal((7, 2))
    given = squareform(pdist(points))
    found = embedding(given)
    np.testing.assert_allclose(squareform(pdist(found.location)), given, atol=1e-6)
    assert found.stress < 1e-6
    np.testing.assert_allclose(found.location.mean(0), 0, atol=1e-12)
    assert (found.location.max(0) >= -found.location.min(0)).all()
    assert found.location[:, 0].std() >= found.location[:, 1].std()
    turned = embedding(squareform(pdist(points @ rotation(2, RNG) + 5)))
    np.testing.assert_allclose(turned.location, found.location, atol=1e-5)  # no choice is left to chance


def test_a_map_has_less_stress_than_the_classical_one_and_more_components_less_still():
    given = squareform(pdist(RNG.standard_normal((9, 6))))
    squared = -0.5 * (given**2 - (given**2).mean(0) - (given**2).mean(0)[:, None] + (given**2).mean())
    value, vector = np.linalg.eigh(squared)
    classical = squareform(pdist(vector[:, -2:] * np.sqrt(value[-2:])))
    stress = np.sqrt(((classical - given) ** 2).sum() / (given**2).sum())
    found = embedding(given)
    assert found.stress < stress
    gaps = squareform(pdist(found.location)) - given
    assert found.stress == pytest.approx(np.sqrt((gaps**2).sum() / (given**2).sum()))
    assert embedding(given, num_components=4).stress < found.stress


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (np.ones((2, 3)), r"distance: shape \(2, 3\); expected a square"),
        (np.full((3, 3), np.nan), "distance: some values are not finite"),
        (np.triu(np.ones((3, 3))), "distance: not symmetric"),
        (np.zeros((3, 3)), "distance: all distances are 0"),
        (np.zeros((2, 2)), "num_components: 2 with 2 systems"),
    ],
)
def test_map_refuses(given, message):
    with pytest.raises(ValueError, match=message):
        embedding(given)


def test_a_named_map_has_no_place_for_a_diverged_circuit():
    values = RNG.standard_normal((2, 3, 20, 4))
    values[1, 1] = np.nan
    matrix = analysis.distance_matrix(named(values, "rule", "seed", "trial", "unit"))
    assert matrix.status.values.tolist() == [0, 0, 0, 0, 1, 0]
    found = analysis.embedding(matrix)
    kept = np.arange(6) != 4
    alone = embedding(matrix.distance.values[np.ix_(kept, kept)])
    np.testing.assert_array_equal(found.location.values[kept], alone.location)
    assert np.isnan(found.location.values[4]).all()
    assert float(found.stress) == alone.stress
    assert found.location.attrs["units"] == "rad"
    assert isinstance(found, xr.Dataset)
    assert not stored(matrix)
    assert not stored(found)
