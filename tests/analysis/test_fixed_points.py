"""Fixed and slow points: maps whose points are known, another solver as judge, refusals, names."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.optimize
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays import levenberg_marquardt
from throughtime.analysis.arrays.fixed_points import fixed_points, merge, prepare
from throughtime.circuits import Circuit
from throughtime.results import schema

RNG = np.random.default_rng(0)
ROOT = 1.9150080481545375
SPREAD = RNG.uniform(-3, 3, (60, 1))


def tanh_units(alpha):
    """Uncoupled units: u is the self-weight and the drive."""
    return lambda s, u: s + alpha * (-s + u[0] * jnp.tanh(s) + u[1])


@functools.cache
def search(alpha, period=1):
    return prepare(tanh_units(alpha), alpha=alpha, period=period)


def sorted_points(found):
    order = np.argsort(found.location[:, 0])
    return found._replace(**{name: getattr(found, name)[order] for name in found._fields[:-1]})


@pytest.mark.parametrize(
    ("weight", "root", "slope"),
    [(2.0, ROOT, -0.8336279122483), (1.5, 1.28783945496, -0.605686974501)],
)
def test_one_unit_has_its_three_points_and_slopes(weight, root, slope):
    found = sorted_points(search(0.1)(SPREAD, [weight, 0.0]))
    np.testing.assert_allclose(found.location[:, 0], [-root, 0, root], atol=1e-11)
    slopes = (found.step_eig[:, 0].real - 1) / 0.1
    np.testing.assert_allclose(slopes, [slope, weight - 1, slope], atol=1e-11)
    assert found.n_unstable.tolist() == [0, 1, 0]
    assert found.kind.tolist() == [0, 0, 0]
    assert found.n_starts.sum() == 60
    assert found.num_unclassified == 0
    np.testing.assert_allclose(found.unstable_direction[:, 0, 0], [np.nan, 1, np.nan])
    assert found.speed.max() < 1e-14
    np.testing.assert_allclose(
        found.distance_to_data, np.abs(SPREAD - found.location[:, 0]).min(0), atol=1e-12
    )
    assert found.condition_number.tolist() == [1, 1, 1]


@pytest.mark.parametrize("alpha", [1.0, 0.1, 0.01])
def test_uncoupled_units_have_all_combinations_whatever_alpha(alpha):
    found = search(alpha)(RNG.uniform(-3, 3, (200, 2)), [2.0, 0.0])
    assert np.bincount(found.n_unstable).tolist() == [4, 4, 1]
    nearest = ROOT * np.round(found.location / ROOT)
    assert np.abs(found.location - nearest).max() < 1e-10
    assert len(np.unique(np.round(found.location / ROOT), axis=0)) == 9
    zeros = (nearest == 0).sum(1)
    np.testing.assert_array_equal(found.n_unstable, zeros)
    assert found.n_starts.sum() == 200


def test_three_units_have_27():
    at = np.stack(np.meshgrid(*[[-2.0, 0.1, 2.0]] * 3), -1).reshape(-1, 3)
    found = search(1.0)(at, [2.0, 0.0])
    assert np.bincount(found.n_unstable).tolist() == [8, 12, 6, 1]
    assert found.n_starts.tolist() == [1] * 27


def test_a_flip_is_flagged_and_the_cycle_found_in_two_steps():
    once = search(1.0)(SPREAD, [-2.0, 0.0])
    assert once.location.tolist() == [[0.0]]
    np.testing.assert_allclose(once.step_eig, [[-2]])
    assert once.period2.tolist() == [True]
    assert once.n_unstable.tolist() == [1]
    assert once.period.tolist() == [1]
    assert not search(1.0)(SPREAD, [2.0, 0.0]).period2.any()
    twice = sorted_points(search(1.0, period=2)(SPREAD, [-2.0, 0.0]))
    np.testing.assert_allclose(twice.location[:, 0], [-ROOT, 0, ROOT], atol=1e-12)
    assert twice.period.tolist() == [2, 1, 2]
    slope = 2 * (1 - np.tanh(ROOT) ** 2)
    np.testing.assert_allclose(twice.step_eig[:, 0], [slope**2, 4, slope**2], rtol=1e-12)
    assert not twice.period2.any()


def test_a_slow_point_without_a_fixed_one():
    found = fixed_points(lambda s: s + 0.1 * (0.01 + s**2), SPREAD, alpha=0.1)
    assert found.kind.tolist() == [1]
    np.testing.assert_allclose(found.location, 0, atol=1e-6)
    np.testing.assert_allclose(found.speed, 0.01, rtol=1e-9)
    assert found.n_starts.tolist() == [60]
    twice = fixed_points(lambda s: s + 0.1 * (0.01 + s**2), SPREAD, alpha=0.1, period=2)
    assert twice.kind.tolist() == [1]
    np.testing.assert_allclose(twice.speed, 0.01, rtol=1e-3)  # per time constant, not per two steps
    none = fixed_points(lambda s: s + 0.1 * (0.2 + s**2), SPREAD, alpha=0.1)
    assert len(none.location) == 0
    assert none.num_unclassified == 60
    assert none.step_eig.shape == (0, 1)


def test_a_point_without_a_derivative_is_kept_without_its_measures():
    found = fixed_points(lambda s: s - 0.1 * jnp.sqrt(jnp.abs(s)), np.zeros((2, 2)), alpha=0.1)
    assert found.kind.tolist() == [0]
    assert found.n_starts.tolist() == [2]
    assert np.isnan(found.condition_number).all()
    assert np.isnan(found.step_eig).all()


def test_every_point_of_a_line_is_fixed():
    turn = np.linalg.qr(RNG.standard_normal((3, 3)))[0]
    weights = turn @ np.diag([1.0, 0.95, -0.3]) @ turn.T
    starts = RNG.uniform(-3, 3, (40, 3))
    found = fixed_points(lambda s: s + 0.1 * (-s + weights @ s), starts, alpha=0.1)
    assert found.num_unclassified == 0
    assert (found.kind == 0).all()
    assert found.n_starts.sum() == 40
    along = found.location @ turn
    np.testing.assert_allclose(along[:, 1:], 0, atol=1e-6)
    reached = np.abs(along[:, :1] - (starts @ turn)[:, 0]).min(0)  # no start was moved along the line
    assert reached.max() < 1e-3
    np.testing.assert_allclose((found.step_eig[:, 0] - 1) / 0.1, 0, atol=1e-13)
    assert found.n_unstable.max() == 0
    assert found.condition_number.min() > 1e12


def test_drive_takes_two_of_three_points_away():
    edge = np.sqrt(2) - np.arctanh(1 / np.sqrt(2))
    assert edge == pytest.approx(0.532840, abs=5e-7)
    for drive, count in ((0.5, 3), (-0.53, 3), (edge - 1e-4, 3), (edge + 1e-4, 1), (0.6, 1), (-0.6, 1)):
        found = search(0.1)(SPREAD, [2.0, drive])
        assert (found.kind == 0).sum() == count
        at = found.location[found.kind == 0]
        np.testing.assert_allclose(2 * np.tanh(at) + drive, at, atol=1e-10)


def test_another_solver_finds_the_same_points_of_a_circuit():
    weights = 1.6 * RNG.standard_normal((6, 6)) / np.sqrt(6)
    bias, alpha = 0.2 * RNG.standard_normal(6), np.linspace(0.1, 0.5, 6)
    starts = RNG.standard_normal((150, 6)) * 2
    found = fixed_points(
        lambda s: s + alpha * (-s + weights @ jnp.tanh(s) + bias), starts, alpha=alpha, data=starts[:3]
    )
    solved = [scipy.optimize.root(lambda x: -x + weights @ np.tanh(x) + bias, s, tol=1e-13) for s in starts]
    roots = np.array([each.x for each in solved if each.success and np.abs(each.fun).max() < 1e-10])
    theirs, _ = merge(roots, np.zeros(len(roots)), 1e-3)
    ours = found.location[found.kind == 0]
    gaps = np.linalg.norm(ours[:, None] - roots[theirs], axis=2)
    assert len(ours) == theirs.size >= 3
    assert gaps.min(0).max() < 1e-9
    assert gaps.min(1).max() < 1e-9
    assert found.speed[found.kind == 0].max() < 1e-13
    for point, values, unstable, direction in zip(
        found.location, found.step_eig, found.n_unstable, found.unstable_direction, strict=True
    ):
        slope = np.eye(6) + alpha[:, None] * (weights * (1 - np.tanh(point) ** 2) - np.eye(6))
        np.testing.assert_allclose(np.poly(slope), np.poly(values), atol=1e-9)
        assert unstable == (np.abs(np.linalg.eigvals(slope)) > 1).sum()
        if unstable == 1:
            np.testing.assert_allclose(slope @ direction[0], values[0].real * direction[0], atol=1e-9)
            assert np.isnan(direction[1]).all()
    np.testing.assert_allclose(
        found.distance_to_data, np.linalg.norm(found.location[:, None] - starts[:3], axis=2).min(1)
    )


def test_a_spiral_has_two_unstable_directions_at_right_angles():
    turn = np.array([[np.cos(0.5), -np.sin(0.5)], [np.sin(0.5), np.cos(0.5)]])
    spiral = turn @ np.array([[0.5, 4.0], [-1.0, 0.5]]) @ turn.T
    found = fixed_points(lambda s: s + 0.1 * spiral @ s, [[1.0, 1.0]], alpha=0.1)
    assert found.n_unstable.tolist() == [2]
    axes = np.abs(found.unstable_direction[0] @ turn)  # those of the ellipse that it runs along
    np.testing.assert_allclose(axes, np.eye(2), atol=1e-9)


def test_starts_that_diverge_are_counted_and_order_does_not_matter():
    def field(s, u):
        return jnp.where(s > 2, jnp.inf, s - 1.0)

    starts = np.linspace(-5, 5, 101)[:, None]
    solve = levenberg_marquardt.prepare(field, n_iter=500, fixed_speed=1e-8, flat=1e-8)
    there, back = solve(starts, None), solve(starts[::-1], None)
    np.testing.assert_allclose(there.state[starts[:, 0] <= 2], 1)
    assert (~np.isfinite(there.speed) == (starts[:, 0] > 2)).all()
    np.testing.assert_array_equal(there.state, back.state[::-1])


def test_each_start_arrives_where_it_belongs_though_starts_change_places():
    """Many units, so that the last starts move on in a smaller batch."""
    signs = RNG.choice([-1.0, 1.0], (90, 40))
    solve = levenberg_marquardt.prepare(
        lambda s, u: 2 * jnp.tanh(s) - s, n_iter=500, fixed_speed=1e-8, flat=1e-8
    )
    found = solve(signs * RNG.uniform(1.5, 12, (90, 1)), None)
    np.testing.assert_allclose(found.state, signs * ROOT, atol=1e-12)


def test_newton_steps_leave_a_slow_place_only_for_a_zero():
    def field(s, u):
        return jnp.where(jnp.abs(s) < 1, 0.01 + s**2, 0.004 + 0.003 * jnp.sin(s))

    solve = levenberg_marquardt.prepare(field, n_iter=500, fixed_speed=1e-8, flat=1e-8)
    found = solve(np.array([[0.3], [-0.2], [0.05]]), None)
    np.testing.assert_allclose(found.state, 0, atol=1e-6)
    np.testing.assert_allclose(found.speed, 0.01)


def test_points_merge_with_the_slowest_of_their_neighbours():
    location = RNG.uniform(0, 1, (50, 2))
    speed = RNG.uniform(0, 1, 50)
    kept, count = merge(location, speed, 0.2)
    assert count.sum() == 50
    apart = np.linalg.norm(location[kept][:, None] - location[kept], axis=2)
    assert apart[~np.eye(kept.size, dtype=bool)].min() > 0.2
    gaps = np.linalg.norm(location[:, None] - location[kept], axis=2) <= 0.2
    assert all(speed[kept[row]].min() <= own for row, own in zip(gaps, speed, strict=True))


def float32(s):
    return s.astype(jnp.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"alpha": None}, r"alpha: missing; pass dt/tau"),
        ({"alpha": 0.0}, r"alpha: \[0.0\] of shape \(1,\); pass dt/tau > 0"),
        ({"alpha": np.ones(3)}, "alpha: 3 numbers for 2 components"),
        ({"starts": [[np.nan, 0.0]]}, "starts: 1 of 2 values are not finite"),
        ({"starts": np.zeros((0, 2))}, r"starts: shape \(0, 2\)"),
        ({"data": np.zeros((4, 3))}, "data: 3 components, starts have 2"),
        ({"inputs": np.zeros((5, 1))}, r"inputs: shape \(5, 1\); expected \(input,\)"),
        ({"step": lambda s, u: s + u}, "inputs: none given, but step takes a state and an input"),
        ({"step": float32}, "step: returns float32 from a float64 state"),
        ({"step": lambda s: s[:1]}, r"step: returns shape \(1,\) from a state of shape \(2,\)"),
        ({"step": lambda s: {"s": s}}, "step: returns shape None from a state"),
        ({"period": 3}, "period: 3; use 1"),
        ({"n_iter": 0}, "n_iter: 0; use a larger number"),
        ({"num_directions": -1}, "num_directions: -1; use a larger number"),
        ({"fixed_speed": 0.2}, "fixed_speed 0.2, slow_speed 0.1"),
        ({"unique_tol": 0.0}, "unique_tol 0.0: use positive"),
    ],
)
def test_refusals(change, message):
    given = {"step": lambda s: 0.5 * s, "starts": np.ones((2, 2)), "alpha": 1.0} | change
    with pytest.raises(ValueError, match=message):
        fixed_points(given.pop("step"), given.pop("starts"), **given)


CIRCUIT = Circuit(num_inputs=1, num_units=2, num_outputs=1, dt=20.0)
PARAMS = CIRCUIT.init(key=jax.random.key(0)) | {
    "recurrent": 2 * np.eye(2), "input": np.ones((2, 1)), "bias": np.zeros(2)
}  # fmt: skip
DRIVE = xr.DataArray(
    [[0.0], [0.6]], {"input_condition": [3, 4]}, ("input_condition", "input"), attrs={"units": "1"}
)


def test_named_points_of_a_circuit_under_two_inputs():
    made = analysis.circuit_step(CIRCUIT, PARAMS)
    starts = xr.DataArray(RNG.uniform(-3, 3, (8, 25, 2)), {"state": [5, 6]}, ("trial", "time", "state"))
    found = analysis.fixed_points(made.step, starts, alpha=made.alpha, inputs=DRIVE)
    assert found.location.dims == ("input_condition", "fixed_point", "state")
    assert found.step_eig_real.dims == ("input_condition", "fixed_point", "mode")
    assert found.unstable_direction.dims == ("input_condition", "fixed_point", "direction", "state")
    assert found.sizes["fixed_point"] >= 9
    assert set(found.dims) <= schema.DIMS
    assert {array.attrs["units"] for array in found.variables.values()} <= set(schema.UNITS)
    assert found.speed.attrs["units"] == "1/tau"
    assert found.kind.attrs["flag_meanings"] == "fixed slow absent"
    assert found.input_condition.values.tolist() == [3, 4]
    assert found.state.values.tolist() == [5, 6]
    assert found.attrs["method"] == "fixed_points"
    assert not {str(array.dtype) for array in found.data_vars.values()} & {"bool", "object", "complex128"}
    fixed = (found.kind == 0).sum("fixed_point").values.tolist()
    assert fixed == [9, 1]
    for k, drive in enumerate(DRIVE.values):
        alone = fixed_points(made.step, starts.values.reshape(-1, 2), alpha=made.alpha, inputs=drive)
        there = found.isel(input_condition=k)
        count = len(alone.location)
        assert (there.kind.values[count:] == 2).all()
        assert (there.n_unstable.values[count:] == -1).all()
        assert np.isnan(there.speed.values[count:]).all()
        np.testing.assert_allclose(there.location[:count], alone.location, atol=1e-12)
        np.testing.assert_array_equal(there.n_starts[:count], alone.n_starts)
        np.testing.assert_allclose(there.step_eig_real[:count], alone.step_eig.real, atol=1e-12)
    assert (found.n_starts.sum("fixed_point") + found.num_unclassified == 200).all()


def test_seeds_have_their_own_steps_and_one_may_fail():
    steps = [tanh_units(0.1), tanh_units(0.1), tanh_units(0.1)]
    starts = xr.DataArray(np.stack([SPREAD] * 3), dims=("seed", "trial", "state"))
    starts[1, 0] = np.nan
    inputs = xr.DataArray([[2.0, 0.0], [2.0, 0.0], [1.5, 0.0]], dims=("seed", "input"))
    found = analysis.fixed_points(steps, starts, alpha=0.1, inputs=inputs)
    assert found.location.dims == ("seed", "fixed_point", "state")
    assert found.fit_status.values.tolist() == [0, 1, 0]
    assert (found.kind[1] == 2).all()
    for seed, root in ((0, ROOT), (2, 1.28783945496)):
        assert float(np.abs(found.location[seed]).max()) == pytest.approx(root)
    with pytest.raises(ValueError, match="step: 3 steps, starts have no dim seed"):
        analysis.fixed_points(steps, starts[0], alpha=0.1)
    with pytest.raises(ValueError, match="inputs: 3 seeds, starts have none"):
        analysis.fixed_points(steps[0], starts[0], alpha=0.1, inputs=inputs)
    with pytest.raises(ValueError, match="starts: 1 of 60 values are not finite"):
        analysis.fixed_points(steps[0], starts[1], alpha=0.1, inputs=inputs[0])


def test_named_refusals():
    starts = xr.DataArray(SPREAD, dims=("trial", "state"))
    drive = xr.DataArray(np.zeros((4, 2)), dims=("time", "input"))
    with pytest.raises(ValueError, match="inputs: dim time; a point belongs to one input that stays"):
        analysis.fixed_points(tanh_units(0.1), starts, alpha=0.1, inputs=drive)
    with pytest.raises(ValueError, match=r"inputs: dims \('trial', 'input'\); expected"):
        analysis.fixed_points(tanh_units(0.1), starts, alpha=0.1, inputs=drive.rename(time="trial"))
    with pytest.raises(ValueError, match=r"starts: dims \('trial', 'unit'\) lack state"):
        analysis.fixed_points(tanh_units(0.1), starts.rename(state="unit"), alpha=0.1)
    none = analysis.fixed_points(lambda s: s + 1.0, starts, alpha=1.0)
    assert int(none.fit_status) == 2
    assert none.sizes["fixed_point"] == 0
