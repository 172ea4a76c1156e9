"""Units held at a rate, and a random state that every trial starts from."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.factories import random_params, random_trials, small_circuit
from tests.oracles import norm, relative
from throughtime.checking import circuits as battery
from throughtime.circuits import Adaptive, Circuit, Dale, Dense, Leaky, Scattered, ShortTermPlasticity
from throughtime.objectives import SquaredError
from throughtime.rules import BPTT
from throughtime.training import loop
from throughtime.training.plan import Plan

NAN = np.nan
HELD = (NAN, 1.0, NAN, -0.5, NAN)
POSITIVE = (NAN, 1.0, NAN, 0.0, NAN)

CIRCUITS = {
    "rate, output fed back": battery.make(
        Leaky(tau=60.0, form="rate", held_rates=HELD),
        Dense(gain=1.2),
        output_feedback=True,
        initial=Scattered(),
    ),
    "adaptive": battery.make(
        Adaptive(tau=60.0, tau_adaptation=200.0, tau_range=(25.0, 200.0), held_rates=HELD), Dense(gain=1.2)
    ),
    "plasticity": battery.make(
        ShortTermPlasticity(tau=60.0, activation="softplus", held_rates=POSITIVE), Dense(gain=1.2)
    ),
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("name", CIRCUITS)
def test_gradients_are_finite_differences(name):
    battery.check_gradients(CIRCUITS[name])
    battery.check_configuration(CIRCUITS[name])
    battery.check_steps(CIRCUITS[name])


@pytest.mark.parametrize("form", ["current", "rate"])
def test_a_held_unit_is_one_whose_rate_the_others_get_instead(form):
    """In NumPy; the state of a held unit goes on, and no weight onto it learns."""
    circuit = small_circuit(form)
    held = np.array([1.0, NAN, NAN, -0.7, NAN, NAN])
    clamped = dataclasses.replace(circuit, dynamics=dataclasses.replace(circuit.dynamics, held_rates=held))
    params, inputs = random_params(circuit), np.random.default_rng(0).normal(size=(7, 3))
    p = {name: np.asarray(value) for name, value in params.items()}
    alpha, s = circuit.dt / np.asarray(circuit.dynamics.tau), np.zeros(6)
    path, states, rates = clamped.run(params, inputs), [], []
    for x in inputs:
        r = np.where(np.isnan(held), np.tanh(s) if form == "current" else s, held)
        drive = p["recurrent"] @ r + p["input"] @ x + p["bias"]
        s = (1 - alpha) * s + alpha * (drive if form == "current" else np.tanh(drive))
        states.append(s)
        rates.append(np.where(np.isnan(held), np.tanh(s) if form == "current" else s, held))
    np.testing.assert_allclose(path.states[form], states, rtol=1e-12)
    np.testing.assert_allclose(path.rates, rates, rtol=1e-12)
    np.testing.assert_allclose(path.outputs, rates @ p["readout"].T + p["readout_bias"], rtol=1e-12)
    assert relative(circuit.run(params, inputs).outputs, path.outputs) > 1e-2
    grads, _ = tt.gradient(clamped, params, random_trials(), BPTT(), key=jax.random.key(0))
    rows = np.abs(np.asarray(grads["recurrent"])).sum(1)
    assert (rows > 0).tolist() == np.isnan(held).tolist()


def test_a_held_rate_is_what_adaptation_and_synapses_see():
    adaptive = Adaptive(tau=60.0, tau_adaptation=200.0, held_rates=(0.8, NAN))
    state = {"current": jnp.zeros(2), "adaptation": jnp.zeros(2)}
    after = adaptive.local({}, state, jnp.zeros(2), dt=20.0)["adaptation"]
    np.testing.assert_allclose(after, [0.8 * (1 - np.exp(-0.1)), 0.0], rtol=1e-12)
    plastic = ShortTermPlasticity(tau=60.0, facilitating=1.0, held_rates=(10.0, NAN))
    state = {name: jnp.asarray(value, float) for name, value in plastic.init_state(2).items()}
    after = plastic.local({}, state, jnp.zeros(2), dt=20.0)
    np.testing.assert_allclose(after["available"], [1 - 0.15 * 0.02 * 10, 1.0], rtol=1e-6)
    np.testing.assert_allclose(plastic.readout({}, state), [10.0, 0.0])


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: battery.make(Leaky(held_rates=(1.0, NAN)), Dense()),
            r"held_rates has shape \(2,\), expected \(5,\)",
        ),
        (lambda: Leaky(held_rates=(np.inf, NAN)), "held_rates has infinite rates"),
        (lambda: ShortTermPlasticity(held_rates=(-1.0, NAN)), "held_rates has a negative rate"),
        (lambda: battery.make(Leaky(activation="relu", held_rates=HELD), Dale()), "negative"),
        (lambda: Scattered(0.0), r"scale 0.0 is not a positive number; use Rest"),
        (lambda: Scattered(distribution="gamma"), "distribution 'gamma' is not known; use 'uniform' or"),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_dales_law_takes_held_rates_that_are_not_negative():
    assert battery.make(Leaky(activation="relu", held_rates=POSITIVE), Dale()).dynamics.non_negative


def test_no_layer_of_pytorch_holds_a_rate():
    circuit = Circuit(2, 5, 1, dynamics=Leaky(tau=20.0, form="rate", held_rates=HELD))
    with pytest.raises(ValueError, match="no layer of PyTorch computes"):
        tt.circuits.to_torch(circuit, circuit.init(key=jax.random.key(0)))


@pytest.mark.parametrize(("distribution", "spread"), [("uniform", 0.3 / np.sqrt(3)), ("normal", 0.3)])
def test_a_scattered_state_is_drawn_once_with_the_weights(distribution, spread):
    circuit = Circuit(1, 4000, 1, recurrent=tt.circuits.LowRank(rank=1), initial=Scattered(0.3, distribution))
    one, two = (circuit.init(key=jax.random.key(seed)) for seed in (0, 1))
    state = np.asarray(one["initial_current"])
    assert not np.array_equal(state, two["initial_current"])
    assert np.array_equal(state, circuit.init(key=jax.random.key(0))["initial_current"])
    assert state.mean() == pytest.approx(0.0, abs=5 * spread / np.sqrt(4000))
    assert state.std() == pytest.approx(spread, rel=0.05)
    assert (distribution == "normal") == (np.abs(state).max() > 0.3)
    np.testing.assert_array_equal(circuit.initial_state(one)["current"], state)
    rested = dataclasses.replace(circuit, initial=tt.circuits.Rest()).init(key=jax.random.key(0))
    assert all(np.array_equal(rested[name], one[name]) for name in rested), "the weights stay as they were"


def test_variables_are_scattered_independently():
    circuit = Circuit(1, 6, 1, dynamics=tt.circuits.LSTM(), initial=Scattered())
    params = circuit.init(key=jax.random.key(0))
    assert circuit.untrained == ("initial_cell", "initial_hidden")
    assert not np.array_equal(params["initial_cell"], params["initial_hidden"])


def test_a_scattered_state_is_not_trained_and_may_begin_a_stream():
    task = tt.tasks.make("cue-set-go", dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=6, initial=Scattered())
    asked = loop.configuration(task, circuit, BPTT(), carry_state=True, num_updates=2)
    assert asked["circuit"].initial == Scattered()
    plan = Plan(task, circuit, BPTT(), SquaredError(), "adamw", None, 2, 1, True)
    assert plan.trained(dict.fromkeys(circuit.param_names, 0)).keys() == {
        name for name in circuit.param_names if name != "initial_current"
    }


def test_the_gradient_by_a_scattered_state_is_there_all_the_same():
    circuit, trials = small_circuit("current", initial=Scattered(0.5)), random_trials()
    params = random_params(circuit)
    grads, info = tt.gradient(
        circuit, params, trials, BPTT(), key=jax.random.key(0), objective=SquaredError()
    )
    assert norm(grads["initial_current"]) > 1e-3
    np.testing.assert_allclose(grads["initial_current"], info["initial_state"]["current"].sum(0), rtol=1e-12)
