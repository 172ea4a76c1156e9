"""Comparisons of representations and dynamics: known answers, invariances, chance, refusals."""

import warnings

import numpy as np
import pytest
import xarray as xr
from scipy.spatial.distance import pdist, squareform
from scipy.stats import spearmanr

from throughtime import analysis
from throughtime.analysis.arrays.cca import cca
from throughtime.analysis.arrays.cka import cka
from throughtime.analysis.arrays.distances import distance_matrix, embedding, grouped
from throughtime.analysis.arrays.dsa import aligned_eigenvectors, compare_operators, dsa
from throughtime.analysis.arrays.linear_operator import linear_operator
from throughtime.analysis.arrays.rsa import compare_dissimilarities, dissimilarity, rsa
from throughtime.analysis.arrays.shape_distance import shape_distance

U = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]]) / 2
X = U * [2.0, 1.0]


def haar(size: int, seed: int) -> np.ndarray:
    q, r = np.linalg.qr(np.random.default_rng(seed).standard_normal((size, size)))
    return q * np.sign(np.diag(r))


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def turn(angle: float) -> np.ndarray:
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


# CKA


def test_cka_known_answer():
    found = cka(X, U, debiased=False)
    assert found.cka == pytest.approx(5 / np.sqrt(34), abs=1e-12)
    assert found[1:] == (4, 2, 2)


@pytest.mark.parametrize("debiased", [True, False])
def test_cka_ignores_rotation_scale_offset_and_the_order_of_arguments(debiased):
    x, y = normal(30, 6), normal(30, 6, seed=1)
    assert cka(x, -3 * x @ haar(6, 2) + 5, debiased=debiased).cka == pytest.approx(1, abs=1e-12)
    told = cka(x, y, debiased=debiased).cka
    assert cka(y @ haar(6, 3), x, debiased=debiased).cka == pytest.approx(told, abs=1e-12)
    assert abs(cka(x, x @ np.diag([9.0, 1, 1, 1, 1, 1]), debiased=debiased).cka - 1) > 0.05


def test_debiased_cka_is_at_chance_where_the_biased_one_is_not():
    biased = [
        cka(normal(100, 100, seed=k), normal(100, 100, seed=k + 50), debiased=False).cka for k in range(8)
    ]
    debiased = [cka(normal(100, 100, seed=k), normal(100, 100, seed=k + 50)).cka for k in range(8)]
    assert np.mean(biased) == pytest.approx(0.5, abs=0.02)
    assert np.abs(debiased).max() < 0.05
    assert abs(np.mean(debiased)) < 0.02


def test_debiased_hsic_is_the_mean_over_quadruples():
    x, y = normal(7, 3), normal(7, 2, seed=1)
    k, h = (z - z.mean(0) for z in (x, y))
    k, h = k @ k.T, h @ h.T

    def by_quadruples(k, h):
        total, count = 0.0, 0
        for i in range(7):
            for j in range(7):
                for q in range(7):
                    for r in range(7):
                        if len({i, j, q, r}) == 4:
                            total += k[i, j] * (h[i, j] + h[q, r] - 2 * h[i, q])
                            count += 1
        return total / count

    wanted = by_quadruples(k, h) / np.sqrt(by_quadruples(k, k) * by_quadruples(h, h))
    assert cka(x, y).cka == pytest.approx(wanted, abs=1e-12)


# CCA


def test_cca_known_answers():
    q = np.linalg.qr(normal(40, 3) - normal(40, 3).mean(0))[0]
    x, e = q[:, :1], q[:, 1:2]
    for rho in (0.0, 0.3, 0.9):
        np.testing.assert_allclose(cca(x, rho * x + np.sqrt(1 - rho**2) * e).correlation, rho, atol=1e-10)
    x = normal(40, 4)
    np.testing.assert_allclose(cca(x, x @ normal(4, 4, seed=1) + 2).correlation, 1, atol=1e-10)
    assert cca(x, normal(40, 6, seed=2)).correlation.size == 4


def test_cca_agrees_with_its_definition_by_eigenvalues():
    x, y = normal(60, 3), normal(60, 2, seed=1) + normal(60, 3)[:, :2]
    c = np.cov(np.hstack([x, y]).T)
    m = np.linalg.solve(c[:3, :3], c[:3, 3:]) @ np.linalg.solve(c[3:, 3:], c[3:, :3])
    wanted = np.sqrt(np.sort(np.linalg.eigvals(m).real)[::-1][:2])
    np.testing.assert_allclose(cca(x, y).correlation, wanted, atol=1e-10)


def test_svcca_leaves_out_what_has_hardly_any_variance():
    signal = normal(50, 2)
    x = np.hstack([signal, 1e-3 * normal(50, 30, seed=1)])
    y = np.hstack([signal @ haar(2, 0), 1e-3 * normal(50, 30, seed=2)])
    with pytest.raises(ValueError, match=r"x: 50 samples for 32 \+ 32 directions.*variance=0.99"):
        cca(x, y)
    found = cca(x, y, variance=0.99)
    assert found.num_directions == (2, 2)
    assert found.mean > 0.999


# shape distances


def test_shape_known_answers():
    found = shape_distance(X, U)
    assert found.angle == pytest.approx(0.3217505544, abs=1e-10)
    assert found.squared_distance == pytest.approx(1, abs=1e-12)
    assert shape_distance(X, np.hstack([U, np.zeros((4, 1))])).angle == pytest.approx(found.angle, abs=1e-12)


def test_shape_distance_is_exact_near_zero_and_ignores_rotation_and_scale():
    x = normal(30, 5)
    assert shape_distance(x, 4 * x @ haar(5, 1) + 1).angle < 3e-8
    assert shape_distance(x, x @ haar(5, 1)).squared_distance == pytest.approx(0, abs=1e-10)


@pytest.mark.parametrize("alpha", [1.0, 0.5, 0.0])
def test_triangle_inequality(alpha):
    for seed in range(40):
        a, b, c = (normal(12, 4, seed=3 * seed + k) for k in range(3))
        ab, bc, ac = (shape_distance(*pair, alpha=alpha).angle for pair in ((a, b), (b, c), (a, c)))
        assert ac <= ab + bc + 1e-9
        ab, bc, ac = (np.sqrt(shape_distance(*pair, alpha=alpha)[1]) for pair in ((a, b), (b, c), (a, c)))
        assert ac <= ab + bc + 1e-9


def test_without_size_alpha_0_is_an_angle_of_canonical_correlations():
    x, y = normal(30, 3), normal(30, 3, seed=1)
    wanted = np.arccos(cca(x, y).correlation.sum() / 3)
    assert shape_distance(x, y, alpha=0.0).angle == pytest.approx(wanted, abs=1e-9)
    assert shape_distance(x, x @ normal(3, 3, seed=2), alpha=0.0).angle < 1e-6
    assert shape_distance(x, x @ normal(3, 3, seed=2)).angle > 0.1


# DSA


@pytest.mark.parametrize("other", [0.5, -0.5])
def test_dsa_of_rotations(other):
    found = compare_operators(turn(0.3), turn(other), seed=0)
    assert found.dsa == pytest.approx(0.2, abs=1e-9)
    assert found.spectrum_distance == pytest.approx(2 * np.sin(0.1), abs=1e-9)


@pytest.mark.parametrize("size", [5, 10, 20, 40])
def test_matched_eigenvectors_alone_find_the_same_dynamics(size):
    for seed in range(4):
        a, q = normal(size, size, seed=seed), haar(size, seed + 9)
        unit = a / np.linalg.norm(a)
        c = aligned_eigenvectors(unit, q @ unit @ q.T)
        gap = np.linalg.norm(unit - c @ q @ unit @ q.T @ c.T)
        assert 2 * np.arcsin(gap / 2) < 1e-6
        np.testing.assert_allclose(c @ c.T, np.eye(size), atol=1e-10)


def test_search_never_lowers_the_cosine_and_finds_what_a_grid_finds():
    a, b = normal(2, 2), normal(2, 2, seed=1)
    found = compare_operators(a, b, seed=0)
    unit_a, unit_b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    best = np.inf
    for angle in np.linspace(0, 2 * np.pi, 2000):
        for flip in (1.0, -1.0):
            c = turn(angle) @ np.diag([1.0, flip])
            best = min(best, 2 * np.arcsin(np.linalg.norm(unit_a - c @ unit_b @ c.T) / 2))
    assert found.dsa == pytest.approx(best, abs=1e-5)
    assert found.dsa <= best + 1e-12
    assert found.num_agreeing >= 2
    assert found.start_distance.size == 22


def test_dsa_of_trajectories_in_other_coordinates():
    a = 0.95 * haar(4, 0) @ np.diag([1, 0.9, 0.8, 0.7])
    x = np.zeros((6, 30, 4))
    x[:, 0] = normal(6, 4, seed=1)
    for t in range(29):
        x[:, t + 1] = x[:, t] @ a.T + 0.1 * normal(6, 4, seed=t + 2)
    fit = linear_operator(x)
    back = fit.basis.T @ fit.operator @ fit.basis
    np.testing.assert_allclose(back, a, atol=0.15)
    assert dsa(x, x @ haar(4, 3), seed=0).dsa < 1e-6
    stretched = np.concatenate([x, 1e-9 * normal(6, 30, 3)], axis=2)
    assert dsa(x, stretched, seed=0, rank=4).dsa < 1e-4
    delayed = dsa(x[..., :2], x[..., :2] @ haar(2, 5), seed=0, num_delays=3, rank=4)
    assert delayed.dsa < 1e-6
    padded = x.copy()
    padded[0, 20:] = np.nan
    assert 0 < dsa(x, padded, seed=0).dsa < 0.2


def test_dynamics_are_compared_beside_their_inputs():
    a, b = np.diag([0.9, 0.5]), np.array([[1.0, 0.0], [0.5, 1.0]])
    u = normal(1, 60, 2)
    x = np.zeros((1, 60, 2))
    for t in range(1, 60):
        x[0, t] = a @ x[0, t - 1] + b @ u[0, t]
    found = linear_operator(x, inputs=u)
    assert found.explained == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(np.sort(np.linalg.eigvals(found.operator)), [0.5, 0.9], atol=1e-10)
    np.testing.assert_allclose(found.basis.T @ found.input_operator, b, atol=1e-10)
    other = 3 * u[:, :, ::-1]
    y = np.zeros((1, 60, 2))
    for t in range(1, 60):
        y[0, t] = a @ y[0, t - 1] + other[0, t]
    assert dsa(x, y, seed=0, inputs_x=u, inputs_y=other).dsa < 1e-6
    ridged = linear_operator(x, inputs=u, ridge=10.0)
    assert np.linalg.norm(ridged.operator) < np.linalg.norm(found.operator)


def test_a_lonely_best_start_is_warned_of():
    a, b = normal(12, 12), normal(12, 12, seed=7)
    with pytest.warns(UserWarning, match="only one of 3 starts came to .* rad, the next best to"):
        compare_operators(a, b, seed=3, n_restarts=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        compare_operators(a, b, seed=3, n_restarts=0)


# RSA


def test_rsa_known_answers():
    x = normal(8, 5)
    assert rsa(x, x @ haar(5, 1), seed=0, metric="euclidean").spearman == pytest.approx(1, abs=1e-12)
    points = np.array([0.0, 1.0, 3.0, 7.0])
    d = np.abs(points[:, None] - points)
    found = compare_dissimilarities(d, d**2, seed=0)
    assert found.spearman == pytest.approx(1, abs=1e-12)
    assert found.pearson == pytest.approx(0.980025, abs=1e-6)


def test_rsa_is_the_rank_correlation_of_pairwise_distances():
    x, y = normal(7, 5), normal(7, 4, seed=1)
    found = rsa(x, y, seed=0, num_permutations=10)
    wanted = spearmanr(pdist(x, "correlation"), pdist(y, "correlation")).statistic
    assert found.spearman == pytest.approx(wanted, abs=1e-12)
    np.testing.assert_allclose(found.dissimilarity_x, squareform(pdist(x, "correlation")))


def test_permutations_are_level_by_chance_and_small_where_systems_agree():
    chance = [
        rsa(normal(7, 9, seed=k), normal(7, 9, seed=k + 100), seed=k, num_permutations=99).p_value
        for k in range(120)
    ]
    assert 0.35 < np.mean(chance) < 0.65
    assert np.mean(np.asarray(chance) <= 0.1) < 0.2
    x = normal(8, 6)
    assert rsa(x, x + 0.1 * normal(8, 6, seed=1), seed=0, num_permutations=199).p_value <= 0.01


def test_repeats_give_distances_without_bias():
    means = np.zeros((4, 30))
    means[2:] = normal(2, 30)
    truth = squareform(pdist(means, "sqeuclidean")) / 30
    drawn = np.stack([dissimilarity(means + normal(3, 4, 30, seed=k)) for k in range(400)])
    spread = drawn.std(0) / 20 + 1e-12
    assert (np.abs(drawn.mean(0) - truth) < 4 * spread).all()
    plain = (
        np.stack([squareform(pdist(means + normal(4, 30, seed=k), "sqeuclidean")) for k in range(50)]) / 30
    )
    assert plain.mean(0)[0, 1] > 1.5  # 2 with unit noise, where the truth is 0
    by_hand = normal(2, 4, 30)
    away = by_hand[:, 0] - by_hand[:, 1]
    assert dissimilarity(by_hand)[0, 1] == pytest.approx(away[0] @ away[1] / 30)


# many systems


def test_groups_are_told_from_seeds():
    base = {"a": normal(40, 5), "b": normal(40, 5, seed=1)}
    systems = {
        name: xr.DataArray(
            np.stack([values @ haar(5, k) + 0.1 * normal(40, 5, seed=k + 9) for k in range(3)]),
            {"seed": [4, 5, 6]},
            ("seed", "trial", "unit"),
        )
        for name, values in base.items()
    }
    found = analysis.distance_matrix(systems)
    assert found["distance"].attrs["units"] == "rad"
    assert (found["between"][0, 1] > 3 * found["null"][0, 1]).item()
    assert found["group"].attrs["flag_meanings"] == "a b"
    assert found["run_seed"].values.tolist() == [4, 5, 6] * 2
    np.testing.assert_allclose(np.diag(found["distance"]), 0)
    np.testing.assert_allclose(found["distance"], found["distance"].T)
    gap = np.linalg.norm(found["points"].values[0] - found["points"].values[3])
    assert gap == pytest.approx(float(found["distance"][0, 3]), rel=0.3)
    shuffled = {
        name: values.isel(trial=np.random.default_rng(3).permutation(40)) for name, values in systems.items()
    }
    again = analysis.distance_matrix(shuffled)
    np.testing.assert_allclose(again["distance"], found["distance"], atol=1e-9)
    broken = systems["a"].where(systems["a"]["seed"] != 5)
    assert int(analysis.distance_matrix({"a": broken, "b": systems["b"]}, measure="cka")["num_left_out"]) == 1


def test_medians_of_groups_by_hand():
    d = distance_matrix([0.0, 1.0, 5.0, 7.0], lambda x, y: abs(x - y))
    found = grouped(d, np.array([0, 0, 1, 1]), np.array([0, 1, 0, 1]))
    np.testing.assert_allclose(found.between, [[1, (7 + 4) / 2], [(7 + 4) / 2, 2]])
    np.testing.assert_allclose(found.same_seed, [[np.nan, 5.5], [5.5, np.nan]])
    np.testing.assert_allclose(found.null, [[1, 1.5], [1.5, 2]])


def test_a_map_of_points_in_a_plane_is_exact():
    points = normal(6, 2)
    d = squareform(pdist(points))
    found, share = embedding(d)
    np.testing.assert_allclose(squareform(pdist(found)), d, atol=1e-9)
    assert share == pytest.approx(1, abs=1e-9)
    assert embedding(d, 1)[1] < 1


# named arrays


def test_skins_map_over_seeds_and_leave_nan_out():
    values = normal(2, 3, 12, 4)
    x = xr.DataArray(values, {"seed": [3, 8]}, ("seed", "trial", "time", "unit"))
    y = xr.DataArray(normal(2, 3, 12, 6, seed=1), {"seed": [3, 8]}, ("seed", "trial", "time", "unit"))
    x = x.where(~((x["trial"] == 1) & (x["time"] > 7))) if "time" in x.coords else x
    found = {
        "cka": analysis.cka(x, y),
        "cca": analysis.cca(x, y),
        "shape_distance": analysis.shape_distance(x, y.transpose("unit", "time", "trial", "seed")),
        "dsa": analysis.dsa(x, y, seed=0, rank=2, n_restarts=4),
    }
    for index in range(2):
        flat = values[index].reshape(-1, 4), y.values[index].reshape(-1, 6)
        assert float(found["cka"]["cka"][index]) == pytest.approx(cka(*flat).cka)
        np.testing.assert_allclose(found["cca"]["correlation"][index], cca(*flat).correlation)
        assert float(found["shape_distance"]["angle"][index]) == pytest.approx(shape_distance(*flat).angle)
        alone = dsa(values[index], y.values[index], seed=0, rank=2, n_restarts=4)
        assert float(found["dsa"]["dsa"][index]) == pytest.approx(alone.dsa)
    for name, dataset in found.items():
        assert dataset.attrs["method"] == name
        assert dataset["seed"].values.tolist() == [3, 8]
        assert all({"units", "long_name"} <= set(one.attrs) for one in dataset.data_vars.values())
    assert found["dsa"]["dsa"].attrs["units"] == "rad"
    holes = x.copy(data=np.where(np.arange(12)[:, None] > 8, np.nan, x.values))
    told = analysis.cka(holes, y)
    assert told["n"].values.tolist() == [27, 27]
    wanted = cka(values[0, :, :9].reshape(-1, 4), y.values[0, :, :9].reshape(-1, 6)).cka
    assert float(told["cka"][0]) == pytest.approx(wanted)


def test_one_reference_is_compared_with_every_seed():
    x = xr.DataArray(normal(3, 20, 4), dims=("seed", "trial", "unit"))
    assert analysis.cka(x.isel(seed=0, drop=True), x)["cka"].dims == ("seed",)
    conditions = x.rename(trial="condition").isel(condition=slice(6))
    found = analysis.rsa(conditions, 2 * conditions, seed=0, num_permutations=20)
    np.testing.assert_allclose(found["spearman"], 1)
    assert found["dissimilarity_x"].dims == ("seed", "condition", "other_condition")
    repeats = xr.DataArray(normal(3, 5, 4), dims=("resample", "condition", "unit"))
    told = analysis.rsa(repeats, repeats, seed=0, num_permutations=5)
    assert told.attrs["metric"] == "crossvalidated squared euclidean"


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: cka(X[:3], U[:3]), "x: 3 samples; use at least 4"),
        (lambda: cka(X, U[:3]), r"y: samples of shape \(3,\), x has \(4,\)"),
        (lambda: cka(X, np.full((4, 2), np.nan)), "y: 8 of 8 values are not finite; leave padding out"),
        (lambda: cka(np.ones((4, 2)), U), "x: zero variance in every unit"),
        (lambda: cka(np.ones(4), U), r"x: shape \(4,\); expected \(sample, unit\)"),
        (lambda: cca(normal(9, 3), normal(9, 3), variance=1.5), "variance: 1.5 is not between 0 and 1"),
        (lambda: shape_distance(X, U, alpha=2.0), "alpha: 2.0; use a number from 0"),
        (lambda: shape_distance(normal(4, 6), normal(4, 6), alpha=0.0), "x: 4 samples of 6 units, too few"),
        (lambda: compare_operators(np.eye(2), np.eye(3), seed=0), "b: rank 3, a has 2"),
        (lambda: compare_operators(np.zeros((2, 2)), np.eye(2), seed=0), "a: all entries are 0"),
        (
            lambda: compare_operators(np.ones((2, 3)), np.eye(2), seed=0),
            r"a: shape \(2, 3\); expected a square",
        ),
        (lambda: dsa(normal(9, 3), normal(9, 2), seed=0), "b: rank 2, a has 3"),
        (lambda: dsa(normal(9, 3), normal(9, 2), seed=0, rank=3), "y: rank 3 where states vary along 2"),
        (lambda: linear_operator(normal(4, 6)), "activity: 3 transitions for 2 regressors"),
        (lambda: linear_operator(normal(9, 2), num_delays=9), "num_delays: 9 with 9 bins"),
        (lambda: linear_operator(normal(9)), r"activity: shape \(9,\); expected"),
        (lambda: linear_operator(normal(9, 2), inputs=normal(8, 1)), r"inputs: trials and bins \(1, 8\)"),
        (lambda: linear_operator(normal(30, 2), inputs=np.ones((30, 1))), "do not determine the fit"),
        (lambda: linear_operator(np.full((5, 2), np.nan)), "0 transitions without NaN"),
        (lambda: rsa(normal(3, 2), normal(3, 2), seed=0), "x: 3 conditions; use at least 4"),
        (lambda: rsa(normal(5, 3), normal(6, 3), seed=0), "y: 6 conditions, x has 5"),
        (lambda: rsa(normal(5), normal(5), seed=0), r"x: shape \(5,\); expected"),
        (lambda: rsa(np.ones((5, 3)), normal(5, 3), seed=0), "x: correlation distances are not defined"),
        (lambda: rsa(normal(1, 5, 3), normal(2, 5, 3), seed=0), "x: one repeat cannot be cross-validated"),
        (
            lambda: rsa(np.eye(5), normal(5, 3), seed=0, metric="euclidean"),
            "x: all dissimilarities are equal",
        ),
        (lambda: grouped(normal(3, 3), np.zeros(3, int), np.arange(3)), "expected a symmetric matrix"),
        (lambda: grouped(np.eye(3), np.zeros(2, int), np.arange(3)), "group, seed: 2 and 3 entries for 3"),
        (lambda: embedding(np.zeros((1, 1))), "distance: 1 systems"),
    ],
)
def test_refusals_of_arrays(call, message):
    with pytest.raises(ValueError, match=message):
        call()


NAMED = xr.DataArray(normal(9, 3), dims=("trial", "unit"))


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: analysis.cka(NAMED.rename(unit="input"), NAMED), "x: no dim 'unit'"),
        (lambda: analysis.cka(NAMED, NAMED.rename(trial="time")), r"y: samples are \('time',\), those of x"),
        (lambda: analysis.cka(NAMED, NAMED[:5]), "y: 5 samples along 'trial', x has 9"),
        (lambda: analysis.rsa(NAMED, NAMED, seed=0), "x: dims .* lack condition"),
        (lambda: analysis.dsa(NAMED, NAMED, seed=0), "dsa: dims .*; expected"),
        (
            lambda: analysis.dsa(
                NAMED.rename(trial="time"), NAMED.rename(trial="time"), seed=0,
                inputs_x=NAMED.rename(trial="time", unit="input"),
            ),
            "only one is given",
        ),
        (lambda: analysis.distance_matrix({"a": NAMED}), "without 'seed'"),
        (lambda: analysis.distance_matrix({"a": NAMED.expand_dims("seed")}), "systems: 1 circuits"),
        (lambda: analysis.distance_matrix({"a": NAMED.expand_dims("seed")}, measure="cks"), "unknown 'cks'"),
    ],
)  # fmt: skip
def test_refusals_of_datasets(call, message):
    with pytest.raises(ValueError, match=message):
        call()
