"""Dynamics: equations against plain NumPy, gradients against finite differences, and what is refused."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.factories import INPUTS, OUTPUTS, random_params, random_trials
from tests.oracles import PHI, finite_differences, norm, relative
from throughtime.circuits import GRU, LSTM, Adaptive, Circuit, Leaky, ShortTermPlasticity
from throughtime.objectives import SquaredError

UNITS, STEPS, DT = 4, 8, 20.0
TAU, RANGE = (25.0, 40.0, 80.0, 160.0), (20.0, 400.0)
MEMBERS = {
    "leaky": Leaky(tau=TAU, tau_range=RANGE),
    "adaptive": Adaptive(
        TAU, tau_adaptation=(60.0, 90.0, 120.0, 500.0), strength=(0.5, 1.0, 2.0, 4.0), tau_range=RANGE
    ),
    "plastic-rate": ShortTermPlasticity(TAU, "softplus", "rate", tau_range=RANGE),
    "plastic-current": ShortTermPlasticity(50.0, "relu", facilitating=[True, True, False, True]),
    "lstm": LSTM(),
    "gru": GRU(),
}  # fmt: skip


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def circuit_of(dynamics, num_units=UNITS, dt=DT):
    return Circuit(INPUTS, num_units, OUTPUTS, dt=dt, dynamics=dynamics)


def strong(circuit):
    """Parameters whose inputs leave the linear regime."""
    params = random_params(circuit)
    return {**params, "input": 3 * params["input"]}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def alpha_of(dynamics, p):
    if dynamics.tau_range is None:
        return DT / np.asarray(dynamics.tau)
    low, high = dynamics.tau_range
    return DT / (low * (high / low) ** sigmoid(p["tau_logit"]))


# The equations again: (dynamics, parameters, state, drives) -> state, transmitted rate, rate of the readout.


def leaky(dynamics, p, s, u):
    alpha = alpha_of(dynamics, p)
    v = (1 - alpha) * s["current"] + alpha * u
    return {"current": v}, np.tanh(v), np.tanh(v)


def adaptive(dynamics, p, s, u):
    v, a, alpha = s["current"], s["adaptation"], alpha_of(dynamics, p)
    rho = np.exp(-DT / np.asarray(dynamics.tau_adaptation))
    new = (1 - alpha) * v + alpha * (u - np.asarray(dynamics.strength) * a)
    return {"current": new, "adaptation": rho * a + (1 - rho) * np.tanh(v)}, np.tanh(new), np.tanh(new)


def plastic(dynamics, p, s, u):
    form, phi, alpha = dynamics.form, PHI[dynamics.activation][0], alpha_of(dynamics, p)
    kinds = [1, 0, 1, 0] if form == "rate" else [1, 1, 0, 1]
    facilitating, depressing = (0.15, 1500.0, 200.0), (0.45, 200.0, 1500.0)
    U, tau_u, tau_x = np.array([facilitating if kind else depressing for kind in kinds]).T
    h = (1 - alpha) * s[form] + alpha * (phi(u) if form == "rate" else u)
    r, x, y = h if form == "rate" else phi(h), s["available"], s["utilisation"]
    new_x = x + DT / tau_x * (1 - x) - DT / 1000 * y * x * r
    new_y = y + DT / tau_u * (U - y) + DT / 1000 * U * (1 - y) * r
    return {form: h, "available": new_x, "utilisation": new_y}, new_y * new_x * r, r


def lstm(dynamics, p, s, u):
    f, i, o, g = u
    c = sigmoid(f) * s["cell"] + sigmoid(i) * np.tanh(g)
    h = sigmoid(o) * np.tanh(c)
    return {"cell": c, "hidden": h}, h, h


def gru(dynamics, p, s, u):
    reset, update, past, new = u
    h = sigmoid(update) * s["hidden"] + (1 - sigmoid(update)) * np.tanh(new + sigmoid(reset) * past)
    return {"hidden": h}, h, h


EQUATIONS = {"leaky": leaky, "adaptive": adaptive, "plastic-rate": plastic, "plastic-current": plastic,
             "lstm": lstm, "gru": gru}  # fmt: skip


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", MEMBERS)
def test_run_is_the_equation(name):
    dynamics = MEMBERS[name]
    circuit = circuit_of(dynamics)
    params, inputs = strong(circuit), np.random.default_rng(0).normal(size=(STEPS, INPUTS))
    p = {key: np.asarray(value) for key, value in params.items()}
    path = jax.jit(circuit.run)(params, inputs)
    state = {key: np.asarray(value, float) for key, value in circuit.initial_state(params).items()}
    sent = np.zeros(UNITS) if name != "leaky" else np.tanh(state["current"])
    drives = dynamics.num_drives
    for t, x in enumerate(inputs):
        u = p["bias"].reshape(drives, UNITS).copy()
        for source, fed, r in (
            (p["recurrent"], dynamics.recurrent_drives, sent),
            (p["input"], dynamics.input_drives, x),
        ):
            for row, gate in enumerate(fed):
                u[gate] += source.reshape(len(fed), UNITS, -1)[row] @ r
        state, sent, read = EQUATIONS[name](dynamics, p, state, u if drives > 1 else u[0])
        for variable, values in state.items():
            np.testing.assert_allclose(path.states[variable][t], values, rtol=1e-12, atol=1e-14)
        np.testing.assert_allclose(path.rates[t], read, rtol=1e-12, atol=1e-14)
    assert norm(sent) > 1e-2


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", [name for name in MEMBERS if name != "plastic-current"])
def test_bptt_against_finite_differences(name):
    circuit, trials = circuit_of(MEMBERS[name]), random_trials(num_trials=2, num_steps=STEPS)
    params = strong(circuit)
    grads, _ = tt.gradient(circuit, params, trials, tt.rules.make("bptt"), key=jax.random.key(0))

    def loss(free):
        outputs = jax.vmap(lambda x, valid: circuit.run(free, x, valid=valid).outputs)(
            trials.inputs, trials.valid
        )
        return jnp.mean(jax.vmap(SquaredError())(outputs, trials))

    wanted = finite_differences(loss, params)
    assert ("tau_logit" in params) == (name not in ("lstm", "gru"))
    for key in params:
        assert norm(wanted[key]) > 1e-3, f"{key}: the gradient must be alive to be compared"
        assert relative(grads[key], wanted[key]) < 1e-6, key


@pytest.mark.usefixtures("float64")
def test_tau_equal_to_dt_is_the_vanilla_circuit():
    circuit = circuit_of(Leaky(tau=DT, form="rate"))
    params, inputs = random_params(circuit), np.random.default_rng(0).normal(size=(STEPS, INPUTS))
    p = {key: np.asarray(value) for key, value in params.items()}
    h, wanted = np.zeros(UNITS), []
    for x in inputs:
        h = np.tanh(p["recurrent"] @ h + p["input"] @ x + p["bias"])
        wanted.append(h)
    np.testing.assert_allclose(circuit.run(params, inputs).rates, wanted, rtol=1e-13)


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize("name", ["adaptive", "plastic-rate", "plastic-current"])
def test_halving_dt_halves_the_error(name):
    coarse = circuit_of(MEMBERS[name])
    params = strong(coarse)

    def end(dt):
        circuit = dataclasses.replace(coarse, dt=dt)
        return np.asarray(jax.jit(circuit.run)(params, jnp.ones((int(240 / dt), INPUTS))).rates[-1])

    ends = [end(dt) for dt in (5.0, 2.5, 1.25)]
    assert norm(ends[0] - ends[1]) > 1e-4
    assert 1.7 < norm(ends[0] - ends[1]) / norm(ends[1] - ends[2]) < 2.4


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: Leaky(tau=100.0, tau_range=(20.0, 100.0)), "tau 100 ms, where training starts, does not"),
        (lambda: Adaptive(tau_range=(50.0, 20.0)), r"tau_range \(50.0, 20.0\) is not \(low, high\)"),
        (lambda: circuit_of(Leaky(tau_range=(10.0, 200.0))), "begins at 10 ms, below dt 20 ms"),
        (lambda: circuit_of(Adaptive(tau=10.0)), "Adaptive: tau 10 ms is below dt 20 ms"),
        (lambda: Adaptive(tau_adaptation=0.0), "tau_adaptation 0 is not a number > 0, in ms"),
        (lambda: Adaptive(strength=[1.0, -1.0]), "strength -1 is not a number >= 0"),
        (lambda: circuit_of(Adaptive(strength=[1.0] * 3)), r"strength has shape \(3,\); use one number"),
        (lambda: ShortTermPlasticity(activation="tanh"), "tanh can be negative, and a negative rate"),
        (lambda: ShortTermPlasticity(form="both"), "ShortTermPlasticity: form 'both' is not known"),
        (lambda: ShortTermPlasticity(facilitating=1.5), "facilitating 1.5 is not a fraction"),
        (lambda: ShortTermPlasticity(facilitating=[0.5, 0.5]), "is not a fraction from 0 to 1 or one bool"),
        (lambda: ShortTermPlasticity(depression=(0.0, 1.0, 1.0)), "depression .* is not .U, tau_u, tau_x."),
        (lambda: circuit_of(ShortTermPlasticity(facilitating=[True] * 3)), r"facilitating has shape \(3,\)"),
        (lambda: circuit_of(ShortTermPlasticity(), dt=250.0), "tau 100 ms is below dt 250"),
        (lambda: circuit_of(ShortTermPlasticity(300.0), dt=250.0), "time constant of 200 ms is below dt"),
        (lambda: LSTM(forget_bias=float("nan")), "forget_bias nan is not a finite number"),
        (lambda: LSTM(tau=0.0), "LSTM: tau 0.0 is not a number > 0, in ms"),
        (lambda: LSTM(chrono=2.0), "chrono 2.0 is not a number of steps > 2"),
        (lambda: GRU(reset="afterwards"), "reset 'afterwards' is not known; use 'after' or 'before'"),
        (lambda: GRU(update_bias=float("inf")), "update_bias inf is not a finite number"),
    ],
)  # fmt: skip
def test_impossible_dynamics_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("name", MEMBERS)
def test_configurations_survive_json(name):
    assert tt.config.decode(tt.config.encode(MEMBERS[name])) == MEMBERS[name]
    assert hash(dataclasses.replace(MEMBERS[name])) == hash(MEMBERS[name])
