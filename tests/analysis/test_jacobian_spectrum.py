"""Jacobian spectra: maps whose modes are known, other routes as judges, refusals, names."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.linalg
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.jacobian_spectrum import jacobian_spectrum, prepare, spectrum
from throughtime.circuits import Circuit
from throughtime.results import schema

RNG = np.random.default_rng(0)


def linear(weights, dt=1.0, tau=10.0):
    """τ ds/dt = −s + W s, one Euler step."""
    return lambda s: s + dt / tau * (jnp.asarray(weights) @ s - s)


def test_both_time_constants_of_a_unit_that_excites_itself():
    found = jacobian_spectrum(linear([[0.9]]), [[0.3]], dt=1.0)
    np.testing.assert_allclose(found.time_constant, [[100.0]], rtol=1e-12)
    np.testing.assert_allclose(found.time_constant_step, [[99.49916247342]], rtol=1e-12)
    np.testing.assert_allclose(found.cont_eig, [[-0.01]], rtol=1e-12)
    np.testing.assert_allclose(found.frequency, 0)


def test_time_constants_at_the_edges():
    """A mode that stays, one that grows, one gone in a step, one that jumps from side to side."""
    found = jacobian_spectrum(lambda s: jnp.array([1.0, 1.1, 0.0, -0.5]) * s, np.zeros((1, 4)), dt=2.0)
    np.testing.assert_allclose(found.step_eig[0], [1.1, 1.0, -0.5, 0.0])
    np.testing.assert_allclose(found.time_constant[0], [-20.0, np.inf, 2 / 1.5, 2.0])
    np.testing.assert_allclose(
        found.time_constant_step[0], [-2 / np.log(1.1), np.inf, 2 / np.log(2), 0.0], atol=1e-300
    )
    np.testing.assert_allclose(found.frequency[0], [0, 0, 250, 0])


def test_non_normality_of_a_matrix_of_two():
    flow = np.array([[-1.0, 5.0], [0.0, -2.0]])
    for dt in (1.0, 0.1):
        found = jacobian_spectrum(lambda s, dt=dt: s + dt * (flow @ s), [[0.0, 0.0]], dt=dt)
        np.testing.assert_allclose(found.henrici, 5, rtol=1e-12)
        np.testing.assert_allclose(found.numerical_abscissa, np.sqrt(6.5) - 1.5, rtol=1e-12)
        np.testing.assert_allclose(np.sort(found.cont_eig[0].real), [-2, -1], rtol=1e-12)
    assert found.numerical_abscissa[0] == pytest.approx(1.0495097568, abs=1e-10)


def test_a_normal_matrix_does_not_depart_from_normality():
    turn = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
    blocks = scipy.linalg.block_diag([[0.2, -0.7], [0.7, 0.2]], [[-0.4, 0.3], [-0.3, -0.4]], 0.5, -0.1)
    found = spectrum((turn @ blocks @ turn.T)[None], dt=1.0)
    assert found.henrici[0] < 1e-13
    assert found.eigenvector_condition[0] == pytest.approx(1, abs=1e-10)
    np.testing.assert_allclose(found.numerical_abscissa, found.cont_eig.real.max(1), atol=1e-12)


def test_what_the_selection_vector_selects_is_what_stays():
    step = linear([[1.0, 1.0], [0.0, 0.0]])
    found = jacobian_spectrum(step, [[0.0, 0.0]], dt=1.0)
    np.testing.assert_allclose(found.right[0, 0], [1, 0], atol=1e-12)
    np.testing.assert_allclose(found.left[0, 0], [1, 1], atol=1e-12)
    assert found.time_constant[0, 0] == np.inf
    state = np.array([0.0, 0.7])  # a pulse on the second unit
    for _ in range(600):
        state = np.asarray(step(state))
    np.testing.assert_allclose(state, [0.7, 0], atol=1e-6)


def test_frequency_of_a_damped_rotation():
    angle, dt = 0.3, 5.0
    turn = 0.9 * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    found = jacobian_spectrum(lambda s: turn @ s, [[1.0, 2.0]], dt=dt)
    period = dt * 2 * np.pi / angle
    np.testing.assert_allclose(found.frequency, [[1000 / period, -1000 / period]], rtol=1e-12)
    np.testing.assert_allclose(found.time_constant_step, -dt / np.log(0.9), rtol=1e-12)


def test_modes_of_a_tanh_circuit_by_other_routes():
    """The Jacobian by hand, its modes by what they do, departure and abscissa by their definitions."""
    size, dt, tau = 7, 4.0, np.linspace(20.0, 60.0, 7)
    weights, states = 1.5 * RNG.standard_normal((size, size)), RNG.standard_normal((3, size))
    push, drive = RNG.standard_normal((size, 2)), RNG.standard_normal((3, 2))

    def step(s, u):
        return s + dt / tau * (-s + jnp.tanh(weights @ s + push @ u))

    found = jacobian_spectrum(step, states, dt=dt, inputs=drive)
    for point, (state, u) in enumerate(zip(states, drive, strict=True)):
        gain = 1 - np.tanh(weights @ state + push @ u) ** 2
        flow = (gain[:, None] * weights - np.eye(size)) / tau[:, None]
        right, left = found.right[point].T, found.left[point]
        np.testing.assert_allclose(left @ right, np.eye(size), atol=1e-10)
        np.testing.assert_allclose(np.linalg.norm(right, axis=0), 1)
        np.testing.assert_allclose(right @ np.diag(found.cont_eig[point]) @ left, flow, atol=1e-12)
        np.testing.assert_allclose(left @ flow, found.cont_eig[point][:, None] * left, atol=1e-10)
        np.testing.assert_allclose(found.step_eig[point], 1 + dt * found.cont_eig[point], atol=1e-12)
        assert (np.diff(np.abs(found.step_eig[point])) < 1e-12).all()
        squares = (flow**2).sum() - (np.abs(scipy.linalg.eigvals(flow)) ** 2).sum()
        assert found.henrici[point] == pytest.approx(np.sqrt(squares))
        rise = scipy.linalg.norm(scipy.linalg.expm(1e-7 * flow), 2) - 1  # growth of the worst deviation
        assert found.numerical_abscissa[point] == pytest.approx(rise / 1e-7, abs=1e-5)
    same = prepare(step, dt=dt)(states[1:2], drive[1])
    np.testing.assert_allclose(same.left, found.left[1:2], atol=1e-12)


def test_a_rotation_of_the_state_changes_no_measure():
    jacobian = np.eye(5) + 0.1 * RNG.standard_normal((5, 5))
    turn = np.linalg.qr(RNG.standard_normal((5, 5)))[0]
    one, other = spectrum(jacobian[None], dt=1.0), spectrum((turn @ jacobian @ turn.T)[None], dt=1.0)
    for name in ("time_constant", "frequency", "henrici", "numerical_abscissa", "eigenvector_condition"):
        np.testing.assert_allclose(getattr(one, name), getattr(other, name), rtol=1e-9)
    turned = other.left @ turn  # up to the phase of each eigenvector
    np.testing.assert_allclose(
        np.abs((turned * one.left.conj()).sum(2)), (np.abs(one.left) ** 2).sum(2), rtol=1e-9
    )


def test_warns_where_eigenvectors_all_but_coincide():
    nearly = np.array([[[0.5, 1.0], [0.0, 0.5 + 1e-10]], [[0.5, 0.0], [0.0, 0.4]]])
    with pytest.warns(UserWarning, match=r"condition number of .* > 1e8 at 1 of 2 states"):
        found = spectrum(nearly, dt=1.0)
    assert found.eigenvector_condition[0] > 1e8
    with pytest.warns(UserWarning, match="condition number"):
        exact = spectrum(np.array([[[0.0, 1.0], [0.0, 0.0]]]), dt=1.0)
    np.testing.assert_allclose(exact.step_eig, 0)
    assert exact.henrici[0] == 1


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"dt": 0.0}, "dt: 0.0 ms is not a positive number"),
        ({"dt": np.nan}, "dt: nan ms is not a positive number"),
        ({"states": [[np.inf, 0.0]]}, "states: 1 of 2 values are not finite"),
        ({"states": np.zeros((0, 2))}, r"states: shape \(0, 2\); expected \(point, state\)"),
        ({"step": lambda s, u: s + u}, "inputs: none given, but step takes a state and an input"),
        ({"inputs": np.zeros((3, 2)), "step": lambda s, u: s + u}, "inputs: 3 of them for 2 states"),
        ({"inputs": [np.nan, 0.0], "step": lambda s, u: s + u}, "inputs: 1 of 2 values are not finite"),
        ({"step": lambda s: s.astype(jnp.float32)}, "step: returns float32 from a float64 state"),
        ({"step": lambda s: s[:1]}, r"step: returns shape \(1,\)"),
        ({"step": lambda s: jnp.sqrt(s)}, "the Jacobian of step is not finite at 1 of 2, first at 1"),
    ],
)
def test_refusals(change, message):
    given = {"step": lambda s: 0.5 * s, "states": [[1.0, 1.0], [0.0, 1.0]], "dt": 1.0} | change
    with pytest.raises(ValueError, match=message):
        jacobian_spectrum(given.pop("step"), given.pop("states"), **given)


CIRCUIT = Circuit(num_inputs=1, num_units=3, num_outputs=1, dt=20.0)


def made(seed):
    return analysis.circuit_step(CIRCUIT, CIRCUIT.init(key=jax.random.key(seed)))


def test_named_spectra_of_circuits_at_their_points():
    """Over seed, input condition and point; absent points stay absent."""
    states = xr.DataArray(
        RNG.standard_normal((2, 2, 4, 3)),
        {"seed": [7, 9]},
        ("seed", "input_condition", "fixed_point", "state"),
    )
    states[1, 0, 3] = np.nan
    drive = xr.DataArray([[0.0], [0.6]], {"input_condition": [3, 4]}, ("input_condition", "input"))
    steps = [made(0).step, made(1).step]
    found = analysis.jacobian_spectrum(steps, states, dt=20.0, inputs=drive)
    outer = ("seed", "input_condition", "fixed_point")
    assert found.time_constant.dims == (*outer, "mode")
    assert found.left_real.dims == (*outer, "mode", "state")
    assert found.henrici.dims == outer
    assert set(found.dims) <= schema.DIMS
    assert {array.attrs["units"] for array in found.variables.values()} <= set(schema.UNITS)
    assert all(array.attrs["long_name"] for array in found.variables.values())
    assert found.cont_eig_real.attrs["units"] == "1/ms"
    assert found.frequency.attrs["units"] == "Hz"
    assert found.attrs["method"] == "jacobian_spectrum"
    assert found.attrs["dt"] == 20.0
    assert found.seed.values.tolist() == [7, 9]
    assert found.input_condition.values.tolist() == [3, 4]
    assert found.fit_status.sum() == found.fit_status[1, 0, 3] == 1
    assert np.isnan(found.time_constant[1, 0, 3]).all()
    assert not {str(array.dtype) for array in found.data_vars.values()} & {"bool", "object", "complex128"}
    for seed in range(2):
        for k, u in enumerate(drive.values):
            there = found.isel(seed=seed, input_condition=k)
            sound = (there.fit_status == 0).values
            alone = jacobian_spectrum(steps[seed], states.values[seed, k][sound], dt=20.0, inputs=u)
            np.testing.assert_allclose(there.step_eig_imag[sound], alone.step_eig.imag, atol=1e-13)
            np.testing.assert_allclose(there.left_real[sound], alone.left.real, atol=1e-9)
            np.testing.assert_allclose(there.henrici[sound], alone.henrici, atol=1e-13)


def test_a_single_state_and_no_seeds():
    one = analysis.jacobian_spectrum(linear([[0.9]]), xr.DataArray([0.3], dims="state"), dt=1.0)
    assert one.time_constant.dims == ("mode",)
    assert float(one.time_constant[0]) == pytest.approx(100)
    assert int(one.fit_status) == 0
    found = xr.DataArray([[0.3], [0.1]], dims=("fixed_point", "state"))
    drive = xr.DataArray([0.0], dims="input")
    with pytest.raises(ValueError, match="step: 2 steps, states have no dim seed"):
        analysis.jacobian_spectrum([linear([[0.9]])] * 2, found, dt=1.0)
    with pytest.raises(ValueError, match=r"inputs: dims \('unit',\) lack input"):
        analysis.jacobian_spectrum(lambda s, u: s, found, dt=1.0, inputs=drive.rename(input="unit"))
    with pytest.raises(ValueError, match="states: 1 of 1 values are not finite"):
        analysis.jacobian_spectrum(linear([[0.9]]), xr.DataArray([np.nan], dims="state"), dt=1.0)


def test_a_circuit_without_jacobian_is_nan_among_others():
    states = xr.DataArray([[[0.5], [1.0]], [[0.0], [1.0]]], dims=("seed", "trial", "state"))
    found = analysis.jacobian_spectrum(lambda s: jnp.sqrt(s), states, dt=1.0)
    np.testing.assert_array_equal(found.fit_status, [[0, 0], [1, 0]])
    np.testing.assert_allclose(found.step_eig_real[..., 0], [[0.5**0.5, 0.5], [np.nan, 0.5]])
    with pytest.raises(ValueError, match="states: the Jacobian of step is not finite at 1 of 1"):
        analysis.jacobian_spectrum(lambda s: jnp.sqrt(s), states[1, 0], dt=1.0)
