"""Geometry of conditions: counts of separable dichotomies, generalisation, parallelism, nulls, datasets."""

from itertools import permutations, product
from math import comb

import numpy as np
import pytest
import xarray as xr
from scipy.optimize import linprog

from throughtime import analysis
from throughtime.analysis.arrays.dichotomies import (
    balanced_dichotomies,
    choose_dichotomies,
    count_separable,
    parallelism,
    separable,
)
from throughtime.analysis.arrays.geometry import geometry

SQUARE = np.array(list(product([-1.0, 1.0], repeat=2)))
CUBE = np.array(list(product([-1.0, 1.0], repeat=3)))
AXES = np.linalg.qr(np.random.default_rng(0).standard_normal((30, 3)))[0].T

FEW = np.linalg.qr(np.random.default_rng(1).standard_normal((5, 2)))[0].T


def exact(points, **options):
    options = {"num_shuffles": 0, "seed": 0} | options
    return geometry(points, np.arange(len(points)), classifier=None, **options)


def trials(points, num_trials=12, noise=0.5, seed=1):
    condition = np.tile(np.arange(len(points)), num_trials)
    scatter = np.random.default_rng(seed).standard_normal((len(condition), points.shape[1]))
    return points[condition] + noise * scatter, condition


def test_counts_of_separable_dichotomies():
    assert count_separable(SQUARE) == (14, 16)
    assert count_separable(np.column_stack([SQUARE, SQUARE.prod(1)])) == (16, 16)
    assert count_separable(CUBE) == (104, 256)
    sides = balanced_dichotomies(8)
    assert len(sides) == comb(8, 4) / 2
    both = np.concatenate([sides, -sides])
    assert (separable(CUBE, both).sum(), len(both)) == (14, 70)
    assert exact(CUBE).shattering == pytest.approx(14 / 70)


def test_counts_where_no_points_align_are_covers():
    rng = np.random.default_rng(2)
    for number, rank in [(6, 1), (6, 2), (5, 3), (5, 4)]:
        points = rng.standard_normal((number, rank)) @ rng.standard_normal((rank, 9)) + 4
        assert count_separable(points)[0] == 2 * sum(comb(number - 1, k) for k in range(rank + 1))


def hulls_meet(first, second):
    """Whether some weighted average of one set of points is one of the other: the dual question."""
    columns = np.vstack([np.hstack([first.T, -second.T]), np.repeat([1, 0], [len(first), len(second)])])
    columns = np.vstack([columns, np.repeat([0, 1], [len(first), len(second)])])
    wanted = np.append(np.zeros(first.shape[1]), [1, 1])
    return linprog(np.zeros(columns.shape[1]), A_eq=columns, b_eq=wanted, bounds=(0, None)).status == 0


def test_sides_are_separable_where_their_hulls_do_not_meet():
    points = np.random.default_rng(3).standard_normal((8, 3))
    sides = balanced_dichotomies(8)
    slow = [not hulls_meet(points[side > 0], points[side < 0]) for side in sides]
    np.testing.assert_array_equal(separable(points, sides), slow)
    assert 0 < np.sum(slow) < len(slow)


def test_separability_ignores_affine_maps_and_rounding():
    rng = np.random.default_rng(4)
    sides = balanced_dichotomies(8)
    known = separable(CUBE, sides)
    mapped = CUBE @ rng.standard_normal((3, 20)) * 1e-3 + 5
    np.testing.assert_array_equal(separable(mapped, sides), known)
    rounded = mapped.astype(np.float32).astype(float)
    np.testing.assert_array_equal(
        separable(rounded + 1e-9 * rng.standard_normal(rounded.shape), sides), known
    )


def test_balanced_dichotomies_are_all_halves_once():
    for number in (4, 6, 8, 12):
        sides = balanced_dichotomies(number)
        assert len(sides) == comb(number, number // 2) // 2 == len(np.unique(sides, axis=0))
        assert (sides.sum(1) == 0).all()
        assert (sides[:, 0] == -1).all()


@pytest.mark.parametrize("code", [SQUARE, CUBE])
def test_a_factorised_code(code):
    points = code @ (np.array([1.0, 2.0, 0.5])[: code.shape[1], None] * AXES[: code.shape[1]]) + 3
    found = exact(points, variables=code)
    number = code.shape[1]
    np.testing.assert_array_equal(found.variable[:number], np.arange(number))
    np.testing.assert_allclose(found.parallelism[:number], 1)
    np.testing.assert_array_equal(found.ccgp[:number], 1)
    assert found.decodable[:number].all()
    np.testing.assert_array_equal(found.sides[0], code[:, 0])


def test_diagonal_pairs_of_four_conditions_confound_two_variables():
    found = exact(SQUARE @ AXES[:2], variables=SQUARE)
    np.testing.assert_allclose(found.ccgp_all_pairs[:2], 0.75)  # two of four pairs leave a tie
    np.testing.assert_allclose(exact(CUBE @ AXES, variables=CUBE).ccgp_all_pairs[:3], 1)
    assert found.ccgp[2] == 0  # the exclusive or turns over in what was held out
    assert found.parallelism[2] == pytest.approx(-1)


@pytest.mark.parametrize("number", [4, 6])
def test_vertices_of_a_simplex_are_unrelated(number):
    found = exact(np.eye(number) + 2)
    np.testing.assert_allclose(found.parallelism, 0, atol=1e-12)
    np.testing.assert_array_equal(found.ccgp, 0.5)
    np.testing.assert_array_equal(found.ccgp_all_pairs, 0.5)
    assert found.shattering == 1


def test_parallelism_against_a_loop():
    points = np.random.default_rng(5).standard_normal((6, 4))
    for side in balanced_dichotomies(6):
        upper, lower = np.flatnonzero(side > 0), np.flatnonzero(side < 0)
        best = -2.0
        for order in permutations(lower):
            vectors = [points[a] - points[b] for a, b in zip(upper, order, strict=True)]
            cosines = [u @ v / np.sqrt((u @ u) * (v @ v)) for k, u in enumerate(vectors) for v in vectors[:k]]
            if np.mean(cosines) > best:
                best, pairs = np.mean(cosines), set(zip(upper, order, strict=True))
        found, paired = parallelism(points, side)
        assert found == pytest.approx(best)
        assert {tuple(pair) for pair in paired} == pairs


def test_generalisation_against_a_loop_over_least_squares():
    points = np.random.default_rng(6).normal([0, 5, 0], 1, (6, 3))
    found = exact(points)
    for index, side in enumerate(found.sides):
        table = {}
        for a, b in product(np.flatnonzero(side > 0), np.flatnonzero(side < 0)):
            rest = [c for c in range(6) if c not in (a, b)]
            centre = points[rest].mean(0)
            weight = np.linalg.pinv(points[rest] - centre) @ side[rest]
            table[a, b] = np.mean([(points[a] - centre) @ weight > 0, (points[b] - centre) @ weight < 0])
        assert found.ccgp_all_pairs[index] == pytest.approx(np.mean(list(table.values())))
        _, pairs = parallelism(points, side)
        assert found.ccgp[index] == pytest.approx(np.mean([table[tuple(pair)] for pair in pairs]))


def test_invariances():
    points = np.random.default_rng(7).standard_normal((6, 5))
    base = exact(points)
    turn = np.linalg.qr(np.random.default_rng(8).standard_normal((5, 5)))[0]
    moved = geometry((4 * points @ turn - 3).T, np.arange(6), seed=0, axis=0, classifier=None, num_shuffles=0)
    for name in ("ccgp", "ccgp_all_pairs", "parallelism", "decodable"):
        np.testing.assert_allclose(getattr(moved, name), getattr(base, name), atol=1e-12)
    wide = exact(np.column_stack([points, np.full((6, 3), 2.0)]))  # silent units
    np.testing.assert_allclose(wide.parallelism, base.parallelism)
    twice = geometry(
        np.repeat(points, 2, 0), np.repeat(np.arange(6) * 3 + 1, 2), classifier=None, seed=0, num_shuffles=0
    )
    np.testing.assert_allclose(twice.ccgp, base.ccgp)


def test_permuted_units_tell_a_factorised_code_from_its_null():
    found = exact(CUBE @ AXES, variables=CUBE, num_shuffles=4)
    assert found.null_ccgp.shape == found.null_parallelism.shape == (4, 35)
    assert abs(found.null_ccgp_all_pairs.mean() - 0.5) < 0.05
    assert found.null_parallelism.mean() < 0.2
    assert found.null_parallelism.max() < 0.9
    np.testing.assert_array_equal(found.null_shattering, 1)  # unrelated conditions fill 7 dimensions
    again = exact(CUBE @ AXES, variables=CUBE, num_shuffles=4)
    np.testing.assert_array_equal(again.null_ccgp, found.null_ccgp)


def test_decoding_from_trials():
    activity, condition = trials(2 * SQUARE @ FEW)
    found = geometry(activity, condition, seed=0, variables=SQUARE, num_shuffles=3)
    assert (found.accuracy[:2] > 0.9).all()
    assert found.accuracy[2] < 0.7
    assert found.shattering == pytest.approx(2 / 3)
    assert (found.ccgp[:2] > 0.9).all()
    assert found.ccgp[2] < 0.2
    assert (found.parallelism[:2] > 0.8).all()
    np.testing.assert_array_equal(found.null_shattering, 0)
    simplex, condition = trials(4 * np.eye(4))
    found = geometry(simplex, condition, seed=0, num_shuffles=0)
    assert found.shattering == 1
    assert abs(found.ccgp_all_pairs.mean() - 0.5) < 0.15
    assert found.null_ccgp.shape == (0, 3)
    lenient = geometry(activity, condition, seed=0, num_shuffles=0, threshold=0.5, classifier="logistic")
    assert lenient.accuracy[2] < 0.7


@pytest.mark.parametrize("classifier", ["logistic", "svm"])
def test_scaling_does_not_take_generalisation_away(classifier):
    activity, condition = trials(2 * SQUARE @ FEW)
    found = geometry(activity, condition, seed=0, variables=SQUARE, num_shuffles=0, classifier=classifier)
    assert (found.ccgp[:2] > 0.9).all()


def test_samples_of_dichotomies():
    code = np.array(list(product([0, 1], repeat=4)))[:14]
    sides, variable = choose_dichotomies(14, None, 20, seed=0)
    assert len(np.unique(sides, axis=0)) == 20
    assert (variable == -1).all()
    few, variable = choose_dichotomies(8, CUBE, 5, seed=1)
    np.testing.assert_array_equal(variable, [0, 1, 2, -1, -1])
    np.testing.assert_array_equal(few[:3], CUBE.T)
    assert len(np.unique(few, axis=0)) == 5
    found = exact(code.astype(float), num_dichotomies=2)
    assert found.parallelism.shape == (2,)


ACTIVITY, CONDITION = trials(CUBE)


@pytest.mark.parametrize(
    ("activity", "condition", "options", "message"),
    [
        (np.where(ACTIVITY > 2, np.nan, ACTIVITY), CONDITION, {}, r"activity: .* not finite; leave these"),
        (ACTIVITY[0], CONDITION, {}, r"shapes \(3,\) and \(96,\) \(int64\); expected \(trial, unit\)"),
        (ACTIVITY, CONDITION + 0.5, {}, r"\(float64\); expected \(trial, unit\), averaged .* and integers"),
        (ACTIVITY, CONDITION[1:], {}, "unequal lengths: activity 96, condition 95"),
        (0 * ACTIVITY + 3, CONDITION, {}, "activity: zero variance between conditions in every unit"),
        (ACTIVITY[1:], CONDITION[1:], {}, "condition: 11 to 12 trials each; decoding takes equal numbers"),
        (ACTIVITY, CONDITION, {"num_folds": 13}, "num_folds: 13, 12 trials of each condition; use 2 up to"),
        (CUBE, np.arange(8), {}, r"num_folds: 5, 1 trials of each condition; .* classifier=None"),
        (ACTIVITY, CONDITION, {"threshold": 0.4}, "threshold 0.4, num_shuffles 10: use 0.5 up to 1"),
        (ACTIVITY, CONDITION, {"num_shuffles": -1}, "threshold 0.75, num_shuffles -1"),
        (CUBE[:7], np.arange(7), {"classifier": None}, "condition: 7 conditions; balanced dichotomies take"),
        (CUBE[:2], np.arange(2), {"classifier": None}, "condition: 2 conditions; balanced dichotomies take"),
        (np.eye(14), np.arange(14), {"classifier": None}, "14 conditions; .* too many: give num_dichotomies"),
        (
            np.eye(18),
            np.arange(18),
            {"classifier": None, "num_dichotomies": 5},
            "18 conditions; .* too many: average over some",
        ),
        (ACTIVITY, CONDITION, {"variables": CUBE[:5]}, "variables: 5 rows for 8 conditions; give one row"),
        (
            ACTIVITY,
            CONDITION,
            {"variables": np.arange(8)[:, None] > 4},
            r"variables: number 0 has values \[False, True\] in \[5, 3\] conditions; use two values",
        ),
        (ACTIVITY, CONDITION, {"variables": CUBE[:, [0, 0]]}, "variables: two divide the conditions alike"),
        (
            ACTIVITY,
            CONDITION,
            {"variables": CUBE, "num_dichotomies": 2},
            "num_dichotomies: 2 of 35, with 3 variables; use one a variable or more",
        ),
        (ACTIVITY, CONDITION, {"num_dichotomies": 36}, "num_dichotomies: 36 of 35"),
    ],
)
def test_refusals(activity, condition, options, message):
    with pytest.raises(ValueError, match=message):
        geometry(activity, condition, seed=0, **options)


def test_refusals_of_dichotomies():
    with pytest.raises(ValueError, match=r"points: 13 conditions have 2.13 divisions; count up to 12"):
        count_separable(np.eye(13))
    with pytest.raises(ValueError, match="points: all the same"):
        separable(np.ones((4, 2)), balanced_dichotomies(4))
    with pytest.raises(ValueError, match="points, dichotomies: shapes"):
        separable(SQUARE, np.array([[0, 1, 0, 1]]))
    with pytest.raises(ValueError, match="points: 1 of 8 values are not finite"):
        separable(np.where(np.arange(8).reshape(4, 2) == 3, np.nan, SQUARE), balanced_dichotomies(4))


def dataset():
    first, condition = trials(2 * SQUARE @ FEW)
    second, _ = trials(3 * np.eye(4, 5), seed=9)
    rates = xr.DataArray(
        np.stack([first, second]), dims=("seed", "trial", "unit"),
        coords={"seed": [1, 6], "unit": np.arange(5) + 3},
    )  # fmt: skip
    values = SQUARE[condition]
    names = ("context", "choice")
    return rates, {name: xr.DataArray(values[:, k], dims="trial") for k, name in enumerate(names)}, condition


def test_datasets():
    rates, variables, condition = dataset()
    options = {"num_shuffles": 2, "num_folds": 3}
    found = analysis.geometry(rates, variables, random_seed=4, confidence=0.9, **options)
    for s in range(2):
        direct = geometry(rates.values[s], condition, seed=4, variables=SQUARE, **options)
        for name in ("accuracy", "ccgp", "ccgp_all_pairs", "parallelism", "decodable"):
            np.testing.assert_allclose(found[name][s], getattr(direct, name))
        assert found.shattering[s] == direct.shattering
        for name in ("ccgp", "parallelism", "shattering", "ccgp_all_pairs"):
            null = getattr(direct, f"null_{name}")
            assert found[f"null_{name}_mean"][s] == pytest.approx(null.mean())
            assert found[f"null_{name}_upper"][s] == pytest.approx(np.quantile(null, 0.95))
            assert found[f"null_{name}_lower"][s] == pytest.approx(np.quantile(null, 0.05))
    np.testing.assert_array_equal(found.side[:2], SQUARE.T)
    np.testing.assert_array_equal(found.variable, [0, 1, -1])
    assert found.variable.attrs["flag_meanings"] == "none context choice"
    assert found.variable.attrs["flag_values"] == [-1, 0, 1]
    np.testing.assert_array_equal(found.num_trials, 48)
    np.testing.assert_array_equal(found["seed"], [1, 6])
    assert set(found.sizes) <= set(found.coords)
    assert all({"units", "long_name"} <= set(each.attrs) for each in found.data_vars.values())


def test_conditions_of_ones_own_and_rates_without_noise():
    rates, variables, condition = dataset()
    own = xr.DataArray(np.array(list("abcd"))[condition], dims="trial")
    found = analysis.geometry(rates, condition=own, classifier=None, num_shuffles=0)
    direct = geometry(rates.values[0], condition, seed=0, classifier=None, num_shuffles=0)
    np.testing.assert_allclose(found.parallelism[0], direct.parallelism)
    assert found.condition.attrs["flag_meanings"] == "a b c d"
    assert np.isnan(found.accuracy).all()
    assert np.isnan(found.null_ccgp_mean).all()
    assert (found.variable == -1).all()
    assert found.attrs["classifier"] == "none"
    both = analysis.geometry(rates, variables, condition=own, classifier=None, num_shuffles=0)
    np.testing.assert_array_equal(both.side[:2], SQUARE.T)
    with pytest.raises(
        ValueError, match="condition: the variables have 2 combinations of values within number"
    ):
        analysis.geometry(rates, variables, condition=variables["choice"])
    with pytest.raises(ValueError, match="variables, condition: give one of them"):
        analysis.geometry(rates)
    with pytest.raises(ValueError, match=r"rates: dims .* lack trial; expected"):
        analysis.geometry(rates.mean("trial"), variables)


def test_trials_units_and_seeds_that_are_missing():
    rates, variables, condition = dataset()
    where = xr.DataArray(np.arange(48) < 40, dims="trial")
    options = {"classifier": None, "num_shuffles": 0}
    part = rates.where((rates["unit"] != 4) & ((rates["seed"] == 1) | (variables["choice"] > 0)))
    found = analysis.geometry(part, variables, where=where, **options)
    np.testing.assert_array_equal(found.fit_status, [0, 1])
    assert np.isnan(found.ccgp[1]).all()
    assert found.attrs["refusal"].startswith("condition: 2 of 4 have trials")
    direct = geometry(
        np.delete(rates.values[0], 1, 1)[:40], condition[:40], seed=0, variables=SQUARE, **options
    )
    np.testing.assert_allclose(found.parallelism[0], direct.parallelism)
    with pytest.raises(ValueError, match="condition: 2 of 4 have trials"):
        analysis.geometry(part.isel(seed=1), variables, **options)
