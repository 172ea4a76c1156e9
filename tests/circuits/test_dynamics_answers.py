"""Dynamics: answers known in closed form, bounds, initial biases."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.circuits.test_dynamics import DT, circuit_of, sigmoid
from tests.oracles import norm
from throughtime.circuits import GRU, LSTM, Adaptive, Leaky, ShortTermPlasticity


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def settle(dynamics, state, drive, steps):
    """State of isolated units after many steps of one drive, in the precision of the drive."""
    state = {name: jnp.asarray(value, drive.dtype) for name, value in state.items()}

    def step(_, now):
        return dynamics.local({}, now, drive, DT)

    return jax.jit(lambda start: jax.lax.fori_loop(0, steps, step, start))(state)


@pytest.mark.parametrize("low_high", [(20.0, 500.0), (20.0, 333.3)])
def test_a_trained_tau_stays_in_its_range_after_any_update(low_high):
    dynamics = Leaky(tau=100.0, tau_range=low_high)
    drawn = dynamics.init_params(3, key=jax.random.key(0))
    np.testing.assert_allclose(dynamics.time_constant(drawn, 3), 100.0, rtol=1e-6)
    np.testing.assert_array_equal(dynamics.time_constant({}, 3), np.full(3, 100.0, np.float32))
    moved = {"tau_logit": jnp.array([-jnp.inf, -1e30, -40.0, -1.0, 1.0, 40.0, 1e30, jnp.inf])}
    tau = np.asarray(dynamics.time_constant(moved, 8))
    low, high = np.float32(low_high)
    assert tau[0] == tau[1] == low
    assert tau[-2] == tau[-1] == high
    assert (np.diff(tau[2:6]) > 0).all()
    assert (tau >= low).all()
    assert (tau <= high).all()
    slope = jax.grad(lambda p: jnp.sum(dynamics.time_constant(p, 8)))(moved)["tau_logit"]
    assert np.isfinite(slope[1:-1]).all()


def test_a_tau_that_is_not_trained_is_no_parameter():
    for dynamics in (Leaky(), Adaptive(), ShortTermPlasticity()):
        assert dynamics.init_params(4, key=jax.random.key(0)) == {}


@pytest.mark.usefixtures("float64")
def test_adaptation_known_answers():
    """Steady state u/(1 + β); in silence adaptation decays with τ_a, and the current trails it."""
    dynamics = Adaptive(
        tau=40.0, activation="relu", tau_adaptation=500.0, strength=jnp.array([0.0, 1.0, 3.0])
    )
    start = {name: jnp.zeros(3) for name in dynamics.state_names}
    steady = settle(dynamics, start, jnp.full(3, 4.0), 1500)
    for name in dynamics.state_names:
        np.testing.assert_allclose(steady[name], [4.0, 2.0, 1.0], rtol=1e-12)
    silent = {"current": jnp.full(3, -1.0), "adaptation": jnp.full(3, 1.0)}
    late = settle(dynamics, silent, jnp.zeros(3), 50)
    np.testing.assert_allclose(late["adaptation"], np.exp(-50 * DT / 500.0), rtol=1e-12)
    ratio, alpha = np.exp(-DT / 500.0), DT / 40.0
    trailing = -alpha * np.array([0.0, 1.0, 3.0]) * np.exp(-50 * DT / 500.0) / (ratio - (1 - alpha))
    np.testing.assert_allclose(late["current"], trailing, atol=1e-12)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("form", ["current", "rate"])
def test_plasticity_known_answers(form):
    """At a constant rate u = U(1 + τ_u r)/(1 + U τ_u r), x = 1/(1 + u τ_x r); both are always in [0, 1]."""
    dynamics = ShortTermPlasticity(tau=50.0, form=form)
    rates = np.array([0.0, 0.5, 2.0, 2.0, 7.0, 7.0, 20.0, 30.0])
    at = settle(dynamics, dynamics.init_state(8), jnp.asarray(rates), 3000)
    r, (U, tau_u, tau_x) = rates, np.array([(0.15, 1.5, 0.2), (0.45, 0.2, 1.5)] * 4).T
    u = U * (1 + tau_u * r) / (1 + U * tau_u * r)
    np.testing.assert_allclose(at["utilisation"], u, rtol=1e-12)
    np.testing.assert_allclose(at["available"], 1 / (1 + u * tau_x * r), rtol=1e-12)
    np.testing.assert_allclose(dynamics.readout({}, at), rates, rtol=1e-12)
    np.testing.assert_allclose(dynamics.rate({}, at), u * r / (1 + u * tau_x * r), rtol=1e-12)
    for steps in (1, 2, 3, 3000):  # Euler steps at such rates overshoot
        wild = settle(dynamics, dynamics.init_state(8), jnp.full(8, 1e4), steps)
        for name in ("available", "utilisation"):
            assert ((wild[name] >= 0) & (wild[name] <= 1)).all()
    rest = settle(dynamics, dynamics.init_state(8), jnp.zeros(8), 100)
    for name, value in dynamics.init_state(8).items():
        np.testing.assert_allclose(rest[name], value, rtol=1e-7)  # U is first rounded to float32
    assert dynamics.learned_states == (form,)


def test_how_many_units_facilitate():
    for fraction, wanted in ((0.0, [0] * 5), (0.5, [1, 0, 1, 0, 1]), (0.2, [1, 0, 0, 0, 0]), (1.0, [1] * 5)):
        assert ShortTermPlasticity(facilitating=fraction).facilitates(5).tolist() == wanted
    assert ShortTermPlasticity(facilitating=[1, 0]) == ShortTermPlasticity(
        facilitating=np.array([True, False])
    )
    assert ShortTermPlasticity(facilitating=0.3).facilitates(1000).sum() == 300


@pytest.mark.usefixtures("float64")
def test_an_open_forget_gate_keeps_the_cell():
    drive = jnp.array([[50.0] * 3, [-50.0] * 3, [0.0] * 3, [2.0] * 3])
    start = {"cell": jnp.array([-1.5, 0.2, 3.0]), "hidden": jnp.zeros(3)}
    late = settle(LSTM(), start, drive, 1000)
    np.testing.assert_array_equal(late["cell"], start["cell"])
    np.testing.assert_allclose(late["hidden"], 0.5 * np.tanh(start["cell"]), rtol=1e-12)
    leaking = settle(LSTM(), start, drive.at[0].set(3.0), 1000)
    assert norm(leaking["cell"]) < 1e-12


def test_initial_biases():
    np.testing.assert_array_equal(LSTM(forget_bias=2.0).init_bias(3), [[2.0] * 3, *[[0.0] * 3] * 3])
    bias = np.asarray(LSTM(chrono=102.0).init_bias(4))
    np.testing.assert_allclose(np.exp(bias[0]), [13.5, 38.5, 63.5, 88.5], rtol=1e-6)
    np.testing.assert_array_equal(bias[1], -bias[0])
    assert not bias[2:].any()
    assert GRU(update_bias=1.0).init_bias(2).tolist() == [[0, 0], [1, 1], [0, 0], [0, 0]]
    assert GRU(reset="before").init_bias(2).shape == (3, 2)
    params = circuit_of(GRU()).init(key=jax.random.key(0))
    assert [params[name].shape[0] for name in ("recurrent", "input", "bias")] == [3, 3, 4]


@pytest.mark.usefixtures("float64")
def test_reset_before_the_synapses():
    dynamics, rng = GRU(reset="before"), np.random.default_rng(0)
    h, W, external = rng.normal(size=5), rng.normal(size=(3, 5, 5)), rng.normal(size=(3, 5))
    reset, keep = (sigmoid(external[gate] + W[gate] @ h) for gate in (0, 1))
    wanted = keep * h + (1 - keep) * np.tanh(external[2] + W[2] @ (reset * h))
    found = dynamics.advance({}, {"hidden": jnp.asarray(h)}, jnp.asarray(W), jnp.asarray(external), DT)
    np.testing.assert_allclose(found["hidden"], wanted, rtol=1e-12)
    after = keep * h + (1 - keep) * np.tanh(external[2] + reset * (W[2] @ h))
    assert norm(after - wanted) > 1e-2
    with pytest.raises(TypeError, match=r"no function of drives; use advance"):
        dynamics.local({}, found, external, DT)
    with pytest.raises(TypeError, match=r"GRU has one stage: use local"):
        GRU().advance({}, found, W, external, DT)
