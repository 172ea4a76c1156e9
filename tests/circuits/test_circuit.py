"""Circuits: equations against plain NumPy, noise in continuous time, contracts of run and step."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import STEPS, UNITS, random_params, random_trials, small_circuit
from tests.oracles import PHI, numpy_bptt
from throughtime import circuits
from throughtime.circuits import Circuit, Dense, Leaky, for_task
from throughtime.circuits.simulate import forward
from throughtime.frozen import FrozenArray

FORMS = ("current", "rate")


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def numpy_run(circuit, params, inputs, noise=None, start=None):
    """Rates and states of one trial, step by step."""
    phi, _ = PHI[circuit.dynamics.activation]
    alpha = circuit.dt / np.asarray(circuit.dynamics.tau)
    p = {name: np.asarray(value, float) for name, value in params.items()}
    s = np.zeros(circuit.num_units) if start is None else np.asarray(start, float)
    states = []
    for t, x in enumerate(np.asarray(inputs, float)):
        r = phi(s) if circuit.dynamics.form == "current" else s
        u = p["recurrent"] @ r + p["input"] @ x + p["bias"] + (0 if noise is None else noise[t])
        s = (1 - alpha) * s + alpha * (u if circuit.dynamics.form == "current" else phi(u))
        states.append(s)
    states = np.array(states)
    rates = phi(states) if circuit.dynamics.form == "current" else states
    return states, rates, rates @ p["readout"].T + p["readout_bias"]


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("activation", ["tanh", "relu", "softplus", "sigmoid", "retanh"])
def test_run_is_the_equation(form, activation):
    circuit = small_circuit(form, activation)
    params = random_params(circuit)
    inputs = np.random.default_rng(0).normal(size=(STEPS, 3))
    start = np.random.default_rng(1).normal(size=UNITS)
    noise = np.random.default_rng(2).normal(size=(STEPS, UNITS))
    path = circuit.run(params, inputs, state={form: jnp.asarray(start)}, noise=jnp.asarray(noise))
    states, rates, outputs = numpy_run(circuit, params, inputs, noise, start)
    np.testing.assert_allclose(path.states[form], states, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(path.rates, rates, rtol=1e-12, atol=1e-14)
    np.testing.assert_allclose(path.outputs, outputs, rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("form", FORMS)
def test_step_by_step_is_run(form):
    circuit = small_circuit(form)
    params, inputs = random_params(circuit), jnp.asarray(np.random.default_rng(0).normal(size=(STEPS, 3)))
    path = circuit.run(params, inputs)
    state = circuit.initial_state(params)
    for t, x in enumerate(inputs):
        state = circuit.step(params, state, x)
        np.testing.assert_allclose(state[form], path.states[form][t], rtol=1e-12, atol=1e-14)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("form", FORMS)
def test_a_tile_of_trials_is_its_single_trials(form):
    circuit, trials = small_circuit(form, noise=0.1), random_trials()
    params, keys = random_params(circuit), jax.random.split(jax.random.key(0), 5)
    unfolded, outputs = forward(circuit, params, circuit.weights(params), trials, keys)
    for index, key in enumerate(keys):
        noise = circuit.noise(key, STEPS)
        path = circuit.run(params, trials.inputs[index], valid=trials.valid[index], noise=noise)
        np.testing.assert_allclose(outputs[:, index], path.outputs, rtol=1e-5, atol=1e-7)
        np.testing.assert_allclose(unfolded.read[:, index], path.rates, rtol=1e-5, atol=1e-7)


def test_state_stands_still_where_not_valid():
    circuit, params = small_circuit("rate"), random_params(small_circuit("rate"))
    valid = jnp.array([True, True, False, False, True, True, False, False, False])
    path = circuit.run(params, jnp.ones((9, 3)), valid=valid)
    states = np.asarray(path.states["rate"])
    np.testing.assert_array_equal(states[2:4], np.stack([states[1]] * 2))
    np.testing.assert_array_equal(states[6:], np.stack([states[5]] * 3))
    assert not np.array_equal(states[4], states[3])
    plain = circuit.run(params, jnp.ones((4, 3)))
    np.testing.assert_allclose(states[[0, 1, 4, 5]], plain.states["rate"], rtol=1e-6)


@pytest.mark.parametrize("dt", [20.0, 10.0, 5.0])
def test_noise_of_an_isolated_unit_is_the_same_at_every_dt(dt):
    """An Euler-integrated leak under this noise has variance σ²/(1 − α/2) exactly; σ² as dt → 0."""
    circuit = Circuit(1, 400, 1, dt=dt, dynamics=Leaky(tau=100.0), recurrent=Dense(0.0), noise_sd=0.3)
    params = circuit.init(key=jax.random.key(0))
    steps = int(12000 / dt)
    path = circuit.run(params, jnp.zeros((steps, 1)), noise=circuit.noise(jax.random.key(1), steps))
    late = np.asarray(path.states["current"][int(500 / dt) :])
    wanted = 0.3**2 / (1 - dt / 100.0 / 2)
    assert late.var() == pytest.approx(wanted, rel=0.02)
    assert late.var() / wanted != pytest.approx(0.5, rel=0.2)


def test_noise_integral_does_not_depend_on_dt():
    """The mean of the drive over any window W has variance 2σ²τ/W."""
    for dt in (20.0, 10.0, 5.0):
        circuit = Circuit(1, 500, 1, dt=dt, dynamics=Leaky(tau=100.0), noise_sd=0.3)
        drawn = np.asarray(circuit.noise(jax.random.key(3), int(8000 / dt)))
        windows = drawn.reshape(20, int(400 / dt), 500).mean(1)
        assert windows.var() == pytest.approx(2 * 0.3**2 * 100 / 400, rel=0.05)


def test_noise_is_private_and_padding_changes_no_draw():
    circuit = small_circuit("current", noise=0.1)
    first, other = circuit.noise(jax.random.key(0), 40), circuit.noise(jax.random.key(1), 40)
    np.testing.assert_allclose(circuit.noise(jax.random.key(0), 10), first[:10], rtol=1e-6)
    assert not np.allclose(first, other)
    correlation = np.corrcoef(np.asarray(circuit.noise(jax.random.key(2), 4000)).T)
    assert abs(correlation[~np.eye(UNITS, dtype=bool)]).max() < 0.08
    scale = 0.1 * np.sqrt(2 * np.asarray(circuit.dynamics.tau) / 20.0)
    np.testing.assert_allclose(np.asarray(circuit.noise(jax.random.key(2), 4000)).std(0), scale, rtol=0.06)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("form", FORMS)
def test_halving_dt_halves_the_error(form):
    params = random_params(small_circuit(form))

    def end(dt):
        circuit = dataclasses.replace(small_circuit(form), dt=dt, dynamics=Leaky(tau=100.0, form=form))
        return np.asarray(circuit.run(params, jnp.ones((int(200 / dt), 3))).rates[-1])

    ends = [end(dt) for dt in (20.0, 10.0, 5.0)]
    ratio = np.linalg.norm(ends[0] - ends[1]) / np.linalg.norm(ends[1] - ends[2])
    assert 1.7 < ratio < 2.4


def test_initial_weights():
    circuit = Circuit(5, 300, 4, recurrent=Dense(gain=1.5))
    params = circuit.init(key=jax.random.key(0))
    assert np.std(params["recurrent"]) == pytest.approx(1.5 / np.sqrt(300), rel=0.02)
    assert np.std(params["input"]) == pytest.approx(1 / np.sqrt(5), rel=0.06)
    assert np.std(params["readout"]) == pytest.approx(1 / np.sqrt(300), rel=0.06)
    assert not np.any(params["bias"])
    assert not np.any(params["readout_bias"])
    assert {value.dtype for value in params.values()} == {np.dtype("float32")}
    radius = np.abs(np.linalg.eigvals(np.asarray(params["recurrent"]))).max()
    assert radius == pytest.approx(1.5, rel=0.12)
    other = circuit.init(key=jax.random.key(1))
    assert not np.allclose(params["recurrent"], other["recurrent"])
    flat = np.concatenate([np.ravel(params[n]) / np.std(params[n]) for n in ("input", "readout")])
    assert len(np.unique(flat)) == flat.size, "no two arrays share draws"


def test_weights_are_effective_arrays():
    circuit = small_circuit("current")
    params = circuit.init(key=jax.random.key(0))
    weights = circuit.weights(params)
    np.testing.assert_array_equal(weights.recurrent, params["recurrent"])
    np.testing.assert_allclose(weights.tau, circuit.dynamics.tau)
    assert weights.existing.shape == (UNITS, UNITS)
    assert bool(weights.existing.all())
    assert weights.cell_types.shape == (UNITS,)


def test_equal_configurations_share_a_compilation():
    traces = []

    @jax.jit
    def count(x):
        return x

    def run(circuit, inputs):
        traces.append(1)
        return circuit.run(circuit.init(key=jax.random.key(0)), inputs).outputs

    compiled = jax.jit(run, static_argnums=0)
    first = compiled(small_circuit("current"), jnp.ones((3, 3)))
    again = compiled(small_circuit("current"), jnp.ones((3, 3)))
    np.testing.assert_array_equal(first, again)
    assert len(traces) == 1
    compiled(dataclasses.replace(small_circuit("current"), noise_sd=0.1), jnp.ones((3, 3)))
    assert len(traces) == 2
    assert count(1) == 1


def test_tau_per_unit_from_a_list():
    assert Leaky(tau=[20.0, 40.0]) == Leaky(tau=FrozenArray([20.0, 40.0]))
    assert hash(Leaky(tau=[20.0, 40.0])) == hash(Leaky(tau=np.array([20.0, 40.0])))


def test_for_task_takes_channels_and_step_from_the_task():
    class Task:
        input_names, output_names, dt = ("a", "b"), ("z",), 10

    circuit = for_task(Task(), num_units=16, noise=0.2)
    assert (circuit.num_inputs, circuit.num_units, circuit.num_outputs, circuit.dt) == (2, 16, 1, 10.0)
    assert circuit.noise_sd == 0.2
    assert circuits.get("leaky") is Leaky
    assert circuits.names()["dynamics"][0] == "leaky"
    assert circuits.names()["connectivity"][0] == "dense"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Circuit(0, 4, 1), "num_inputs 0 is not a whole number >= 1"),
        (lambda: Circuit(1, True, 1), "num_units True"),
        (lambda: Circuit(1, 4, 1, dt=0.0), "dt 0.0 ms is not a positive"),
        (lambda: Circuit(1, 4, 1, noise_sd=-1.0), "noise -1.0 is not a number >= 0"),
        (lambda: Circuit(1, 4, 1, dt=20.0, dynamics=Leaky(tau=10.0)), "tau 10 ms is below dt 20 ms"),
        (lambda: Circuit(1, 4, 1, dynamics=Leaky(tau=[50.0] * 3)), r"tau has shape \(3,\); use one number"),
        (lambda: Leaky(activation="tahn"), "unknown activation 'tahn'; did you mean 'tanh'"),
        (lambda: Leaky(form="both"), "use 'current' or 'rate'"),
        (lambda: Dense(gain=float("nan")), "gain nan is not a number >= 0"),
        (lambda: circuits.get("dens"), "unknown circuit part 'dens'; did you mean 'dense'"),
        (lambda: Circuit(2, 4, 1).run({}, np.ones((3, 3))), r"shape \(3, 3\), expected \(time, 2\)"),
    ],
)
def test_impossible_circuits_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_textbook_and_run_agree_on_the_loss():
    """The two oracles of this suite check each other."""
    circuit, trials = small_circuit("rate", "softplus"), random_trials(num_trials=1)
    params = {name: np.asarray(value, float) for name, value in random_params(circuit).items()}
    arrays = [np.asarray(leaf[0], float) for leaf in (trials.inputs, trials.targets, trials.mask)]
    alpha = circuit.dt / np.asarray(circuit.dynamics.tau)
    loss, _ = numpy_bptt("rate", "softplus", alpha, params, *arrays)
    _, _, outputs = numpy_run(circuit, params, arrays[0])
    assert loss == pytest.approx((arrays[2] * (outputs - arrays[1]) ** 2).sum() / arrays[2].sum(), rel=1e-12)
