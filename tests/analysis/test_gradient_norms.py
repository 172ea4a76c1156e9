"""Gradient norms: known answers of linear maps, finite differences, and another route to the Jacobians."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from tests import oracles
from throughtime import analysis
from throughtime.analysis.arrays.gradient_norms import gradient_norms, prepare
from throughtime.circuits import Circuit, Leaky
from throughtime.results import schema

DT = 20.0
RNG = np.random.default_rng(0)
Q = np.linalg.qr(RNG.standard_normal((6, 6)))[0]
W = RNG.standard_normal((3, 3))
SILENT = np.zeros((20, 1))


def linear(matrix):
    return lambda state, x: jnp.asarray(matrix) @ state + x


def last(states):
    return states[-1].sum()


def tanh(state, x):
    return 0.7 * state + 0.3 * (jnp.asarray(W) @ jnp.tanh(state) + x)


def squares(states):
    return jnp.sum(jnp.sin(states[:, 0]) + states[:, 1] * states[:, 2] ** 2)


def test_scaled_rotation_decays_by_its_scale():
    result = gradient_norms(linear(0.9 * Q), np.ones(6), SILENT, last, dt=DT)
    np.testing.assert_allclose(result.jacobian_norm, 0.9 ** np.arange(21), rtol=1e-12)
    assert result.jacobian_norm[0] == 1
    assert result.jacobian_norm[-1] == pytest.approx(0.1215766546, abs=1e-10)
    np.testing.assert_allclose(result.lag, DT * np.arange(21))
    assert result.slope == pytest.approx(np.log(0.9) / DT, rel=1e-12)
    assert result.loss_gradient_norm[0] / result.loss_gradient_norm[-1] == pytest.approx(0.9**19)
    assert result.loss_gradient_slope == pytest.approx(np.log(0.9) / DT, rel=1e-12)
    assert (result.num_left_out, result.num_left_out_loss_gradient, result.diverged) == (0, 0, False)


def test_a_scale_above_one_explodes():
    result = gradient_norms(linear(1.1 * Q), np.ones(6), SILENT, last, dt=DT)
    assert result.slope == pytest.approx(np.log(1.1) / DT, rel=1e-12)
    assert result.loss_gradient_slope == pytest.approx(np.log(1.1) / DT, rel=1e-12)


def test_an_isolated_leaky_unit_decays_with_its_leak():
    circuit = Circuit(num_inputs=1, num_units=2, num_outputs=1, dt=DT, dynamics=Leaky(tau=100.0))
    params = circuit.init(key=jax.random.key(0)) | {"recurrent": np.zeros((2, 2), np.float32)}
    inputs = xr.DataArray(RNG.standard_normal((3, 30, 1)), dims=("trial", "time", "input"))
    result = analysis.gradient_norms(circuit, params, inputs, lambda h: last(h["current"]), dt=DT)
    np.testing.assert_allclose(result["slope"], np.full(3, np.log(1 - DT / 100) / DT), rtol=1e-12)
    np.testing.assert_allclose(result["loss_gradient_slope"], result["slope"], rtol=1e-12)


def test_a_diagonal_map_has_a_closed_form():
    """L = Σ c h_T², h_T = aᵀ⁻ᵗ h_t: ∂L/∂h_t = 2 c h_T aᵀ⁻ᵗ; the Jacobian's norm is that of the largest a."""
    a, c, start = np.array([0.5, 0.9, -1.05]), np.array([3.0, -1.0, 0.2]), np.array([1.0, 2.0, -1.0])
    num_steps = 12
    found = gradient_norms(
        lambda h, x: a * h, start, np.zeros((num_steps, 1)), lambda h, c: (c * h[-1] ** 2).sum(), dt=DT,
        targets=(c,),
    )  # fmt: skip
    to_end = num_steps - 1 - np.arange(num_steps)[:, None]
    wanted = np.linalg.norm(2 * c * a**num_steps * start * a**to_end, axis=1)
    np.testing.assert_allclose(found.loss_gradient_norm, wanted, rtol=1e-12)
    np.testing.assert_allclose(found.jacobian_norm, 1.05 ** np.arange(num_steps + 1), rtol=1e-12)


def test_loss_gradient_agrees_with_finite_differences():
    inputs, start = RNG.standard_normal((7, 3)), RNG.standard_normal(3)
    found = gradient_norms(tanh, start, inputs, squares, dt=DT)
    with jax.enable_x64(True):

        def loss(kicks):
            state, states = jnp.asarray(start), []
            for x, kick in zip(inputs, kicks, strict=True):
                state = tanh(state, x) + kick
                states.append(state)
            return squares(jnp.stack(states))

        slopes = oracles.finite_differences(loss, jnp.zeros((7, 3)))
    wanted = np.linalg.norm(slopes, axis=1)
    assert (wanted > 0.1).all()
    np.testing.assert_allclose(found.loss_gradient_norm, wanted, rtol=1e-7)


def jacobians(step, start, inputs):
    with jax.enable_x64(True):
        states = [jnp.asarray(start)]
        for x in inputs:
            states.append(step(states[-1], jnp.asarray(x)))
        before = jnp.stack(states[:-1])
        return np.asarray(jax.vmap(jax.jacfwd(step))(before, jnp.asarray(inputs)))


def product_norms(factors, *, order=1):
    """‖J_T … J_{t+1}‖₂ for t = T … 0, or with every product the wrong way round for ``order`` −1."""
    norms = []
    for lag in range(len(factors) + 1):
        chain = np.eye(factors.shape[-1])
        for factor in factors[len(factors) - lag :][::order]:
            chain = factor @ chain
        norms.append(np.linalg.norm(chain, 2))
    return np.array(norms)


def test_jacobians_are_multiplied_in_the_order_of_time():
    inputs, start = RNG.standard_normal((9, 3)), RNG.standard_normal(3)
    found = gradient_norms(tanh, start, inputs, squares, dt=DT)
    factors = jacobians(tanh, start, inputs)
    np.testing.assert_allclose(found.jacobian_norm, product_norms(factors), rtol=1e-12)
    slope = np.polyfit(found.lag, np.log(product_norms(factors)), 1)[0]
    assert found.slope == pytest.approx(slope, rel=1e-10)


def test_the_wrong_order_would_be_seen():
    """A shear A and a projection B: ‖BA‖ = √(1 + 4) after A then B, but ‖AB‖ = 1."""
    a, b = np.array([[1.0, 2.0], [0.0, 1.0]]), np.array([[1.0, 0.0], [0.0, 0.0]])

    def step(state, x):
        return jnp.where(x[0] > 0, jnp.asarray(a), jnp.asarray(b)) @ state

    inputs = np.array([[1.0], [-1.0]])
    found = gradient_norms(step, np.ones(2), inputs, last, dt=DT)
    np.testing.assert_allclose(found.jacobian_norm, [1, 1, np.sqrt(5)], rtol=1e-12)
    factors = jacobians(step, np.ones(2), inputs)
    np.testing.assert_allclose(product_norms(factors), found.jacobian_norm, rtol=1e-12)
    np.testing.assert_allclose(product_norms(factors, order=-1), [1, 1, 1], rtol=1e-12)


def test_slopes_go_on_where_norms_underflow_or_overflow():
    long = np.zeros((500, 1))
    small = gradient_norms(lambda h, x: 0.1 * h, np.ones(2), long, last, dt=DT)
    assert small.jacobian_norm[-1] == 0 < small.jacobian_norm[300]
    assert small.slope == pytest.approx(np.log(0.1) / DT, rel=1e-12)
    assert small.num_left_out == 0
    assert small.num_left_out_loss_gradient == np.sum(small.loss_gradient_norm == 0) > 150
    assert small.loss_gradient_norm[250] == pytest.approx(np.sqrt(2) * 0.1**249)  # its square underflows
    assert small.loss_gradient_slope == pytest.approx(np.log(0.1) / DT, rel=1e-6)
    large = gradient_norms(lambda h, x: 10 * h, np.zeros(2), long, last, dt=DT)
    assert large.slope == pytest.approx(np.log(10) / DT, rel=1e-12)
    assert np.isinf(large.jacobian_norm[-1])


def test_norms_of_zero_are_left_out_and_counted():
    dies = np.ones((8, 1))
    dies[3] = 0.0
    found = gradient_norms(lambda h, x: 0.5 * x * h, np.ones(2), dies, last, dt=DT)
    assert found.num_left_out == np.sum(found.jacobian_norm == 0) == 4
    assert found.num_left_out_loss_gradient == 3
    assert found.slope == pytest.approx(np.log(0.5) / DT)
    nothing = gradient_norms(lambda h, x: 0 * h, np.ones(2), dies, last, dt=DT)
    assert np.isnan(nothing.slope)
    assert nothing.num_left_out == 8


def test_a_subset_of_lags():
    inputs = RNG.standard_normal((9, 3))
    full = gradient_norms(tanh, np.zeros(3), inputs, squares, dt=DT)
    some = gradient_norms(tanh, np.zeros(3), inputs, squares, dt=DT, lags=np.array([0, 3, 4, 9]) * DT)
    np.testing.assert_allclose(some.jacobian_norm, full.jacobian_norm[[0, 3, 4, 9]], rtol=1e-12)
    slope = np.polyfit(some.lag, np.log(some.jacobian_norm), 1)[0]
    assert some.slope == pytest.approx(slope, rel=1e-10) != full.slope


def test_padding_changes_nothing():
    inputs = RNG.standard_normal((9, 3))
    short = gradient_norms(tanh, np.zeros(3), inputs[:6], last, dt=DT)
    valid = np.arange(9) < 6
    padded = gradient_norms(tanh, np.zeros(3), inputs, last, dt=DT, valid=valid)
    np.testing.assert_allclose(padded.jacobian_norm, [*short.jacobian_norm, *[np.nan] * 3], rtol=1e-12)
    np.testing.assert_allclose(padded.loss_gradient_norm[:6], short.loss_gradient_norm, rtol=1e-12)
    assert np.isnan(padded.loss_gradient_norm[6:]).all()
    assert padded.slope == pytest.approx(short.slope, rel=1e-12)
    lags = np.array([0, 2, 6, 7]) * DT
    some = gradient_norms(tanh, np.zeros(3), inputs, last, dt=DT, valid=valid, lags=lags)
    np.testing.assert_allclose(some.jacobian_norm, [*short.jacobian_norm[[0, 2, 6]], np.nan], rtol=1e-12)
    assert some.num_left_out == 0


def test_states_of_several_variables_count_as_one_vector():
    """Adaptation: the pair (v, a) as a dict and the same map as one vector of both."""

    def pair(state, x):
        v, a = state["v"], state["a"]
        return {
            "a": 0.95 * a + 0.05 * jnp.tanh(v),
            "v": 0.8 * v + 0.2 * (jnp.asarray(W) @ jnp.tanh(v) - a + x),
        }

    def vector(state, x):
        new = pair({"a": state[:3], "v": state[3:]}, x)
        return jnp.concatenate([new["a"], new["v"]])

    inputs = RNG.standard_normal((8, 3))
    start = {"v": RNG.standard_normal(3), "a": RNG.standard_normal(3)}
    both = gradient_norms(pair, start, inputs, lambda h: (h["v"] ** 2).sum(), dt=DT)
    flat = np.concatenate([start["a"], start["v"]])
    one = gradient_norms(vector, flat, inputs, lambda h: (h[:, 3:] ** 2).sum(), dt=DT)
    np.testing.assert_allclose(both.jacobian_norm, one.jacobian_norm, rtol=1e-12)
    np.testing.assert_allclose(both.loss_gradient_norm, one.loss_gradient_norm, rtol=1e-12)
    np.testing.assert_allclose(one.jacobian_norm, product_norms(jacobians(vector, flat, inputs)), rtol=1e-12)
    assert both.jacobian_norm[-1] > 1e-3


def test_a_diverged_trial_is_nan():
    found = gradient_norms(lambda h, x: h**2, np.full(1, 10.0), SILENT, last, dt=DT)
    assert found.diverged
    assert np.isnan(found.jacobian_norm).all()
    assert np.isnan(found.loss_gradient_norm).all()
    assert np.isnan([found.slope, found.loss_gradient_slope]).all()


def test_many_trials_are_compiled_once():
    traced = []

    def step(state, x):
        traced.append(1)
        return 0.5 * state + x

    one = prepare(step, last, dt=DT)
    one(np.zeros(2), SILENT)
    before = len(traced)
    one(np.ones(2), SILENT + 1)
    assert len(traced) == before > 0


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.full((5, 3), np.nan)}, "inputs: 15 of 15 values are not finite; drop or repair"),
        ({"inputs": np.zeros(5)}, r"inputs: shape \(5,\); pass one trial, \(time, input\)"),
        ({"inputs": np.zeros((1, 3))}, "inputs: 1 steps in the trial; use at least 2"),
        ({"inputs": np.zeros((5, 2))}, r"start: step does not take a state of shape \(3,\) and an"),
        ({"valid": np.arange(5) < 1}, "inputs: 1 steps in the trial; use at least 2"),
        ({"valid": np.ones(4, bool)}, r"valid: bool of shape \(4,\); use booleans of shape \(5,\)"),
        ({"valid": np.arange(5) > 1}, "valid: False before the last True; a trial starts at step 0"),
        ({"dt": 0.0}, "dt: 0.0 ms is not a positive number; pass the length of a step in ms"),
        ({"dt": np.nan}, "dt: nan ms is not a positive number"),
        ({"start": np.full(3, np.inf)}, "start: 3 of 3 values are not finite"),
        ({"start": np.zeros((2, 3))}, r"start: shape \(2, 3\); pass the state of one trial, \(state,\)"),
        ({"start": np.zeros(4)}, r"start: step does not take a state of shape \(4,\)"),
        ({"start": {"v": np.zeros(3)}}, r"start: step does not take a state of shape \{'v': \(3,\)\}"),
        ({"step": lambda h, x: h[:2]}, r"step: returns a state of shape \(2,\), got \(3,\); make"),
        ({"step": lambda h, x: h.astype(jnp.float32)}, "step: returns float32 for a float64 state; drop the"),
        ({"loss": lambda h: h[-1]}, r"loss: returns float64 of shape \(3,\); return one float64 number"),
        ({"loss": lambda h: last(h).astype(jnp.float32)}, r"loss: returns float32 of shape \(\); return one"),
        ({"lags": np.array([0.0, 30.0])}, r"lags: \[0.0, 30.0\] … ms; use increasing multiples of dt"),
        ({"lags": np.array([0.0, 120.0])}, "ms; use increasing multiples of dt = 20 ms from 0 to 100 ms"),
        ({"lags": np.array([20.0, 0.0])}, "lags: .* use increasing multiples"),
        ({"lags": np.array([])}, "lags: .* use increasing multiples"),
    ],
)  # fmt: skip
def test_refusals(change, message):
    given = {"step": tanh, "start": np.zeros(3), "inputs": np.zeros((5, 3)), "loss": last, "dt": DT} | change
    with pytest.raises(ValueError, match=message):
        gradient_norms(**given)


def recorded(num_trials=3, num_steps=10):
    circuit = Circuit(num_inputs=2, num_units=5, num_outputs=1, dt=DT)
    params = circuit.init(key=jax.random.key(1))
    inputs = xr.DataArray(
        RNG.standard_normal((num_trials, num_steps, 2)).astype("f4"),
        dims=("trial", "time", "input"),
        coords={"trial": np.arange(num_trials) + 7, "time": (np.arange(num_steps) + 0.5) * DT, "seed": 4},
    )
    return circuit, params, inputs


def test_datasets():
    circuit, params, inputs = recorded()
    goal = xr.DataArray(RNG.standard_normal((3, 5)), dims=("trial", "unit"))
    valid = xr.DataArray(np.arange(10) < np.array([[10], [7], [10]]), dims=("trial", "time")).astype("i1")

    def loss(states, goal):
        return ((states["current"][-1] - goal) ** 2).sum()

    result = analysis.gradient_norms(circuit, params, inputs, loss, targets=(goal,), valid=valid)
    assert dict(result.sizes) == {"trial": 3, "lag": 11, "time": 10}
    assert result["jacobian_norm"].dims == ("trial", "lag")
    assert result["loss_gradient_norm"].dims == ("trial", "time")
    np.testing.assert_allclose(result["lag"], DT * np.arange(11))
    np.testing.assert_array_equal(result["time"], inputs["time"])
    np.testing.assert_array_equal(result["trial"], inputs["trial"])
    assert int(result["seed"]) == 4
    assert set(result.sizes) <= set(result.coords)
    assert set(result.sizes) <= schema.DIMS
    assert {result[name].attrs["units"] for name in ("slope", "loss_gradient_slope")} == {"1/ms"}
    assert result["lag"].attrs["units"] == result["time"].attrs["units"] == "ms"
    assert np.isnan(result["jacobian_norm"][1, 8:]).all()
    assert np.isfinite(result["jacobian_norm"][1, :8]).all()

    with jax.enable_x64(True):
        double = {name: jnp.asarray(value, jnp.float64) for name, value in params.items()}

        def from_second(state, inputs):
            """∂L/∂h_1 by running the circuit on from its second step."""
            states = circuit.run(double, inputs[1:], state={"current": state}).states
            return loss(states, goal.values[2])

        x = jnp.asarray(inputs.values[2], jnp.float64)
        first = circuit.run(double, x).states["current"][0]
        wanted = np.linalg.norm(jax.grad(from_second)(first, x))
        carried = jax.jacrev(
            lambda state: circuit.run(double, x, state={"current": state}).states["current"][-1]
        )
        spectral = np.linalg.norm(carried(circuit.initial_state(double)["current"]), 2)
    assert wanted > 1e-3
    assert float(result["loss_gradient_norm"][2, 0]) == pytest.approx(wanted, rel=1e-10)
    assert float(result["jacobian_norm"][2, -1]) == pytest.approx(spectral, rel=1e-10)


def test_dataset_of_one_trial_and_of_one_that_diverges():
    circuit, params, inputs = recorded()
    one = analysis.gradient_norms(circuit, params, inputs[0], lambda h: last(h["current"]), lags=[0.0, 40.0])
    assert one["jacobian_norm"].dims == ("lag",)
    assert one["lag"].values.tolist() == [0, 40]
    loud = params | {"recurrent": 1e200 * np.eye(5)}
    relu = Circuit(num_inputs=2, num_units=5, num_outputs=1, dt=DT, dynamics=Leaky(activation="relu"))
    away = analysis.gradient_norms(relu, loud, inputs, lambda h: last(h["current"]))
    np.testing.assert_array_equal(away["fit_status"], [1, 1, 1])
    assert np.isnan(away["slope"]).all()


def test_dataset_refusals():
    circuit, params, inputs = recorded()

    def measure(given, **options):
        return analysis.gradient_norms(circuit, params, given, lambda h: last(h["current"]), **options)

    with pytest.raises(ValueError, match=r"inputs: dims \('trial', 'time', 'channel'\) lack input"):
        measure(inputs.rename(input="channel"))
    with pytest.raises(ValueError, match="dt: not given, and inputs have no evenly spaced coordinate time"):
        measure(inputs.drop_vars("time"))
    with pytest.raises(ValueError, match="dt: not given"):
        measure(inputs.isel(time=[0, 1, 3]))
    with pytest.raises(ValueError, match=r"dt: -1\.0 ms is not a positive number"):
        measure(inputs, dt=-1.0)
