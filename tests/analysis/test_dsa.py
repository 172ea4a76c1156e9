"""DSA: rotations, equal systems in other coordinates, a grid as judge, fits of dynamics, refusals."""

import warnings

import numpy as np
import pytest
import xarray as xr
from scipy.stats import special_ortho_group

from throughtime import analysis
from throughtime.analysis.arrays.conjugacy import haar, search
from throughtime.analysis.arrays.dsa import aligned_eigenvectors, compare_operators, dsa, spectrum_distance
from throughtime.analysis.arrays.linear_operator import linear_operator

from .similarity import named, rotation, stored

RNG = np.random.default_rng(4)


def turn(angle):
    return np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])


def gap(a, b, c):
    a, b = a / np.linalg.norm(a), b / np.linalg.norm(b)
    return 2 * np.arcsin(np.linalg.norm(a - c @ b @ c.T) / 2)


def trajectories(a, rng, *, trials=6, steps=30, noise=0.1):
    states = [rng.standard_normal((trials, len(a)))]
    for _ in range(steps - 1):
        states.append(states[-1] @ a.T + noise * rng.standard_normal((trials, len(a))))
    return np.stack(states, axis=1)


SYSTEM = 0.95 * rotation(4, RNG) @ np.diag([1, 0.9, 0.8, 0.7])
WALK = trajectories(SYSTEM, RNG)


@pytest.mark.parametrize("other", [0.5, -0.5])
def test_rotations(other):
    found = compare_operators(turn(0.3), turn(other), seed=0)
    assert found.dsa == pytest.approx(0.2, abs=1e-9)
    assert found.spectrum_distance == pytest.approx(2 * np.sin(0.1), abs=1e-12)
    assert found.spectrum_distance == pytest.approx(0.1996668, abs=5e-8)
    assert found.start_distance.size == 22
    assert found.num_converged == 22
    assert np.linalg.det(found.rotation) == pytest.approx(np.sign(other), abs=1e-9)


@pytest.mark.parametrize("size", [5, 10, 20, 40])
def test_matched_eigenvectors_alone_find_equal_systems(size):
    for draw in range(5):
        rng = np.random.default_rng(draw)
        a, q = rng.standard_normal((size, size)), rotation(size, rng)
        c = aligned_eigenvectors(a, q @ a @ q.T)
        np.testing.assert_allclose(c @ c.T, np.eye(size), atol=1e-10)
        assert gap(a, q @ a @ q.T, c) < 1e-6
    found = compare_operators(a, q @ a @ q.T, seed=0, n_restarts=0)
    assert (found.winner, found.dsa < 1e-6, found.spectrum_distance < 1e-6) == (0, True, True)


def test_normal_systems_have_eigenvectors_without_phases_to_find():
    q = rotation(6, RNG)
    a = np.zeros((6, 6))
    for k, angle in enumerate((0.3, 1.0, 2.0)):
        a[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = (0.9 - 0.1 * k) * turn(angle)
    assert gap(a, q @ a @ q.T, aligned_eigenvectors(a, q @ a @ q.T)) < 1e-6


def test_search_finds_what_a_grid_over_rotations_and_reflections_finds():
    for draw in range(4):
        a, b = np.random.default_rng(draw).standard_normal((2, 2, 2))
        best = min(
            gap(a, b, turn(angle) @ np.diag([1.0, flip]))
            for angle in np.linspace(0, 2 * np.pi, 1500)
            for flip in (1.0, -1.0)
        )
        found = compare_operators(a, b, seed=0)
        assert best - 1e-4 < found.dsa <= best + 1e-12
        assert found.spread == pytest.approx(np.ptp(found.start_distance))
        assert gap(a, b, found.rotation) == pytest.approx(found.dsa, abs=1e-12)


def test_no_start_ever_falls_and_each_ends_where_the_gradient_vanishes():
    a, b = RNG.standard_normal((2, 7, 7))
    starts = haar(7, 6, 0)
    values = []
    for most in range(0, 60, 3):
        c = search(a, b, starts, max_iterations=most, tolerance=1e-8).rotations
        values.append(np.einsum("ij,sij->s", a, c @ b @ c.transpose(0, 2, 1)))
    assert (np.diff(values, axis=0) > -1e-9).all()
    assert (values[-1] > values[0]).all()
    few = search(a, b, starts, max_iterations=2, tolerance=1e-8)
    assert not few.converged.any()
    found = search(a, b, starts, max_iterations=5000, tolerance=1e-8)
    assert found.converged.all()
    for c in found.rotations:
        np.testing.assert_allclose(c @ c.T, np.eye(7), atol=1e-10)
        gradient = c.T @ (a @ c @ b.T + a.T @ c @ b)
        assert np.linalg.norm(gradient - gradient.T) <= 1.01e-8 * np.linalg.norm(a) * np.linalg.norm(b)


def test_metric_symmetry_and_triangle():
    a, b, c = RNG.standard_normal((3, 4, 4))
    one, two, three = (compare_operators(*pair, seed=0).dsa for pair in ((a, b), (b, c), (a, c)))
    assert three <= one + two + 1e-9
    assert compare_operators(b, a, seed=1).dsa == pytest.approx(one, abs=1e-6)
    q = rotation(4, RNG)
    assert compare_operators(3 * a, q @ b @ q.T, seed=2).dsa == pytest.approx(one, abs=1e-6)
    assert compare_operators(a, a, seed=0).dsa < 1e-12


def test_random_starts_are_of_either_determinant_and_uniform():
    q = haar(3, 400, 5)
    np.testing.assert_allclose(q @ q.transpose(0, 2, 1), np.broadcast_to(np.eye(3), q.shape), atol=1e-12)
    signs = np.linalg.det(q)
    assert (signs > 0).sum() == 200
    reference = special_ortho_group(3, seed=0).rvs(400)
    for entry in ((0, 0), (1, 2), (2, 0)):
        assert q[signs > 0][:, *entry].mean() == pytest.approx(0, abs=0.15)
        assert q[:, *entry].std() == pytest.approx(reference[:, *entry].std(), abs=0.06)


def test_spectrum_distance_takes_the_best_matching():
    assert spectrum_distance(np.diag([1.0, 5.0]), np.diag([5.0, 2.0])) == pytest.approx(np.sqrt(0.5))


def test_a_lonely_best_start_is_warned_of():
    a, b = np.random.default_rng(0).standard_normal((2, 12, 12))
    with pytest.warns(UserWarning, match="dsa: only one of 3 starts came to .* rad, the next best to"):
        compare_operators(a, b, seed=3, n_restarts=1)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # a distance of 0 needs no second start
        compare_operators(a, a[::-1, ::-1], seed=3, n_restarts=0)


def test_trajectories_in_other_coordinates_are_the_same_dynamics():
    found = linear_operator(WALK)
    np.testing.assert_allclose(found.basis.T @ found.operator @ found.basis, SYSTEM, atol=0.15)
    assert dsa(WALK, 2 * WALK @ rotation(4, RNG) + 1, seed=0).dsa < 1e-6
    wide = np.concatenate([WALK, np.zeros((6, 30, 3))], axis=2) @ rotation(7, RNG)
    assert dsa(WALK, wide, seed=0, rank=4).dsa < 1e-6
    delayed = dsa(WALK[..., :2], WALK[..., :2] @ rotation(2, RNG), seed=0, num_delays=3, rank=4)
    assert delayed.dsa < 1e-6
    padded = WALK.copy()
    padded[0, 20:] = np.nan
    assert 0 < dsa(WALK, padded, seed=0).dsa < 0.2
    faster = trajectories(np.linalg.matrix_power(SYSTEM, 2), np.random.default_rng(1))
    assert dsa(WALK, faster, seed=0).dsa > 0.2


def test_whitened_dynamics_ignore_any_invertible_map():
    moved = WALK @ np.diag([5.0, 1.0, 0.3, 2.0]) @ rotation(4, RNG)
    assert dsa(WALK, moved, seed=0, whiten=True).dsa < 1e-6
    assert dsa(WALK, moved, seed=0).dsa > 0.01
    assert dsa(WALK, moved, seed=0).spectrum_distance < 1e-9


def test_delays_make_an_oscillation_of_one_unit_linear():
    time = np.arange(60)
    one = np.cos(0.3 * time)[:, None]
    found = linear_operator(one, num_delays=2)
    assert np.sort(np.angle(np.linalg.eigvals(found.operator))) == pytest.approx([-0.3, 0.3], abs=1e-9)
    assert found.explained == pytest.approx(1)


def test_trials_are_never_joined():
    # each trial is a decay; from the end of one to the start of the next there is no transition
    states = 0.8 ** np.arange(6)
    found = linear_operator(np.stack([states, 3 * states])[..., None])
    assert found.operator[0, 0] == pytest.approx(0.8)
    broken = np.concatenate([states, [np.nan], 3 * states])[:, None]
    assert linear_operator(broken).operator[0, 0] == pytest.approx(0.8)


def test_dynamics_are_compared_beside_their_inputs():
    a, b = np.diag([0.9, 0.5]), np.array([[1.0, 0.0], [0.5, 1.0]])
    inputs = RNG.standard_normal((1, 60, 2))
    x, y = np.zeros((2, 1, 60, 2))
    for t in range(1, 60):
        x[0, t] = a @ x[0, t - 1] + b @ inputs[0, t]
        y[0, t] = a @ y[0, t - 1] + 3 * inputs[0, t, ::-1]
    found = linear_operator(x, inputs=inputs)
    assert found.explained == pytest.approx(1, abs=1e-12)
    np.testing.assert_allclose(np.sort(np.linalg.eigvals(found.operator)), [0.5, 0.9], atol=1e-10)
    np.testing.assert_allclose(found.basis.T @ found.input_operator, b, atol=1e-10)
    assert dsa(x, y, seed=0, inputs_x=inputs, inputs_y=inputs).dsa < 1e-6
    penalised = linear_operator(x, inputs=inputs, ridge=10.0)
    assert np.linalg.norm(penalised.operator) < np.linalg.norm(found.operator)


def test_ridge_is_the_closed_form():
    now, after = WALK[:, :-1].reshape(-1, 4), WALK[:, 1:].reshape(-1, 4)
    x, y = now - now.mean(0), after - after.mean(0)
    expected = np.linalg.inv(x.T @ x + 7.0 * np.eye(4)) @ x.T @ y
    found = linear_operator(WALK, ridge=7.0)
    np.testing.assert_allclose(found.basis.T @ found.operator @ found.basis, expected.T, atol=1e-10)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: compare_operators(np.eye(2), np.eye(3), seed=0), "b: rank 3, a has 2; fit both with"),
        (lambda: compare_operators(np.zeros((2, 2)), np.eye(2), seed=0), "a: all entries are 0"),
        (
            lambda: compare_operators(np.ones((2, 3)), np.eye(2), seed=0),
            r"a: shape \(2, 3\); expected a square",
        ),
        (
            lambda: compare_operators(np.full((2, 2), np.nan), np.eye(2), seed=0),
            "a: 4 of 4 values are not fin",
        ),
        (lambda: compare_operators(np.eye(2), np.eye(2), seed=0, n_restarts=-1), "n_restarts: -1; use 0"),
        (lambda: dsa(WALK[0], WALK[0][:, :2], seed=0), "y: rank 2, x has 4; give both the same rank"),
        (lambda: dsa(WALK[0], WALK[0][:, :2], seed=0, rank=3), "y: rank 3 where states vary along 2"),
        (lambda: linear_operator(RNG.standard_normal((4, 6))), "activity: 3 transitions for 2 regressors"),
        (lambda: linear_operator(WALK, num_delays=30), "num_delays: 30 with 30 bins"),
        (lambda: linear_operator(WALK[0, 0]), r"activity: shape \(4,\); expected \(trial, time, unit\)"),
        (lambda: linear_operator(WALK, inputs=WALK[:, 1:]), r"inputs: trials and bins \(6, 29\)"),
        (lambda: linear_operator(WALK, inputs=np.ones((6, 30, 1))), "do not determine the fit"),
        (lambda: linear_operator(np.full((5, 2), np.nan)), "0 transitions without NaN"),
        (lambda: linear_operator(np.where(WALK > 1, np.inf, WALK)), "values are not finite"),
        (lambda: linear_operator(WALK, ridge=-1.0), "ridge: -1.0; use 0 or more"),
    ],
)
def test_refuses(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_named_arrays_seed_by_seed():
    other = np.stack([WALK @ rotation(4, RNG), trajectories(0.5 * SYSTEM, RNG)])
    x = named(np.stack([WALK, WALK]), "seed", "trial", "time", "unit")
    y = named(other[:, :5, :20], "seed", "trial", "time", "unit").transpose("unit", "seed", "time", "trial")
    x[1, :, 4] = np.nan
    found = analysis.dsa(x, y, seed=1, n_restarts=4)
    for seed in range(2):
        alone = dsa(x.values[seed], other[seed, :5, :20], seed=1, n_restarts=4)
        assert float(found.dsa[seed]) == alone.dsa
        assert float(found.spectrum_distance[seed]) == alone.spectrum_distance
        np.testing.assert_array_equal(found.start_distance[seed], alone.start_distance)
        assert float(found.spread[seed]) == alone.spread
    assert found.dsa.attrs["units"] == found.spread.attrs["units"] == "rad"
    assert found.start_kind.values.tolist() == [0, 1, 2, 2, 2, 2]
    assert found.attrs["whiten"] == 0
    assert not stored(found)


def test_a_diverged_seed_is_nan_and_one_reference_serves_all_seeds():
    values = np.stack([WALK, np.full_like(WALK, np.nan)])
    found = analysis.dsa(
        named(WALK, "trial", "time", "unit"), named(values, "seed", "trial", "time", "unit"), seed=0
    )
    assert found.status.values.tolist() == [0, 1]
    assert np.isnan(found.start_distance[1]).all()
    assert float(found.dsa[0]) < 1e-6
    assert "0 transitions" in found.attrs["refusal"]
    assert not stored(found)


def test_named_inputs_and_refusals():
    x = named(WALK, "trial", "time", "unit")
    told = named(RNG.standard_normal((6, 30, 2)), "trial", "time", "input")
    found = analysis.dsa(x, x, seed=0, inputs_x=told, inputs_y=told)
    assert float(found.dsa) < 1e-9
    with pytest.raises(ValueError, match="inputs_x, inputs_y: one of them given"):
        analysis.dsa(x, x, seed=0, inputs_x=told)
    with pytest.raises(ValueError, match=r"y: dims .* lack time"):
        analysis.dsa(x, x.rename(time="condition"), seed=0)
    with pytest.raises(ValueError, match=r"y: dims .*; select an element of rule"):
        analysis.dsa(x, x.expand_dims("rule"), seed=0)
    seeds = xr.concat([x, x], "seed").assign_coords(seed=[0, 1])
    with pytest.raises(ValueError, match="elements of 'seed'"):
        analysis.dsa(seeds, seeds.assign_coords(seed=[1, 2]), seed=0)
