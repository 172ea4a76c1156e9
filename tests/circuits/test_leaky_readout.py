"""A readout with a leak: the filter and its transpose, and exact gradients through it."""

from __future__ import annotations

import dataclasses
import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.factories import random_params, random_trials, small_circuit
from tests.oracles import norm, relative
from throughtime.checking import circuits as battery
from throughtime.circuits import GRU, LSTM, Dense, Leaky, Learned, WarmUp
from throughtime.circuits.readout import leaky, leaky_back, readout_decay
from throughtime.credit import batch
from throughtime.objectives import RatePenalty, SquaredError
from throughtime.rules import BPTT
from throughtime.training import evaluation
from throughtime.trial import judged

LOSS = SquaredError()
KEY = jax.random.key(7)

CIRCUITS = {
    "current": battery.make(Leaky(tau=60.0), Dense(gain=1.2), readout_tau=50.0, initial=WarmUp(60.0)),
    "rate": battery.make(
        Leaky(tau=60.0, form="rate", tau_range=(25.0, 200.0)),
        Dense(gain=1.2),
        readout_tau=50.0,
        initial=Learned(),
    ),
    "lstm": battery.make(LSTM(), Dense(), readout_tau=90.0, initial=Learned()),
    "gru": battery.make(GRU(), Dense(), readout_tau=50.0),
    "gru reset before": battery.make(GRU(reset="before"), Dense(), readout_tau=50.0),
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def compute(circuit, rule, objective, params, trials, carry=None):
    grads, _, info = rule.gradient(circuit, params, {}, trials, objective, key=KEY, carry=carry)
    return grads, info


run = jax.jit(compute, static_argnums=(0, 1, 2))


@pytest.mark.parametrize("name", [name for name in CIRCUITS if name != "gru"])
def test_gradients_are_finite_differences(name):
    battery.check_gradients(CIRCUITS[name])
    battery.check_configuration(CIRCUITS[name])


def test_outputs_are_those_of_the_equation():
    """In NumPy, over the rates of the same circuit without a leak; outputs stand still with the state."""
    circuit = small_circuit("current", readout_tau=70.0)
    plain = dataclasses.replace(circuit, readout_tau=None)
    params, inputs = random_params(circuit), np.random.default_rng(0).normal(size=(7, 3))
    valid = np.array([1, 1, 0, 1, 0, 0, 1], bool)
    path, alone = (each.run(params, inputs, valid=jnp.asarray(valid)) for each in (circuit, plain))
    z, outputs = np.zeros(2), []
    for rates, live in zip(np.asarray(alone.rates), valid, strict=True):
        if live:
            z = math.exp(-20.0 / 70.0) * z + params["readout"] @ rates + params["readout_bias"]
        outputs.append(z)
    np.testing.assert_array_equal(path.rates, alone.rates)
    np.testing.assert_allclose(path.outputs, outputs, rtol=1e-12)
    assert relative(alone.outputs, np.array(outputs)) > 1e-2
    assert readout_decay(plain) == 0.0
    np.testing.assert_allclose(alone.outputs, alone.rates @ params["readout"].T + params["readout_bias"])


def test_the_filter_of_errors_is_the_transpose_of_the_filter_of_outputs():
    rng = np.random.default_rng(0)
    valid = jnp.asarray(rng.uniform(size=(7, 3)) > 0.3)
    arriving, errors = (jnp.asarray(rng.normal(size=(7, 3, 2))) for _ in range(2))
    ahead, back = leaky(arriving, valid, 0.6), leaky_back(errors, valid, 0.6)
    assert float((errors * ahead).sum()) == pytest.approx(float((back * arriving).sum()), rel=1e-12)
    assert not np.asarray(back)[~np.asarray(valid)].any()
    for row in range(3):  # one trial as a tile of it
        np.testing.assert_array_equal(ahead[:, row], leaky(arriving[:, row], valid[:, row], 0.6))


def test_segments_and_what_stands_on_padding_change_nothing():
    circuit, rule, objective = CIRCUITS["current"], BPTT(), LOSS + RatePenalty(0.3)
    params, trials = battery.params_of(circuit), battery.trials()
    whole, info = run(circuit, rule, objective, params, trials)
    cut, cut_info = run(circuit, dataclasses.replace(rule, segment=2), objective, params, trials)
    assert norm(whole["recurrent"]) > 1e-3
    assert relative((cut, cut_info["losses"]), (whole, info["losses"])) < 1e-11
    garbage = 9.0 * ~trials.valid[..., None]
    padded = trials._replace(inputs=trials.inputs + garbage, targets=trials.targets + garbage)
    assert relative(run(circuit, rule, objective, params, padded)[0], whole) < 1e-12
    awake = padded._replace(valid=jnp.ones_like(trials.valid))
    assert relative(run(circuit, rule, objective, params, awake)[0], whole) > 1e-2, "garbage that counts"


def test_a_mask_on_padding_counts_nothing():
    """What a trial weighs ends with it, whatever its mask says afterwards."""
    circuit = CIRCUITS["gru"]
    params, trials = battery.params_of(circuit), battery.trials()
    everywhere = trials._replace(mask=jnp.ones_like(trials.mask), targets=trials.targets + 0.5)
    grads, _, wanted, _ = jax.jit(lambda p, t: battery.measure(circuit, p, t))(params, judged(everywhere))
    assert norm(wanted) > 1e-2
    assert relative(grads, wanted) < 1e-6
    assert relative(battery.batch_gradient(circuit, params, everywhere)[0], wanted) < 1e-6


def test_the_finite_differences_can_fail(monkeypatch):
    monkeypatch.setattr(batch, "before_leak", lambda circuit, errors, valid: errors)
    with pytest.raises(AssertionError, match=r"recurrent|bias|input|readout"):
        battery.check_gradients(CIRCUITS["rate"])


@pytest.mark.parametrize("tau", [0.0, -5.0, math.inf, math.nan])
def test_a_time_constant_that_is_none_is_refused(tau):
    with pytest.raises(ValueError, match=r"readout_tau .* ms is not a positive number; use None"):
        small_circuit("rate", readout_tau=tau)


@pytest.mark.parametrize("dynamics", [Leaky(form="rate"), GRU(reset="before")], ids=["leaky", "gru"])
def test_given_states_are_refused(dynamics):
    circuit = dataclasses.replace(small_circuit("rate"), dynamics=dynamics, readout_tau=50.0)
    trials, params = random_trials(), random_params(circuit)
    start = {name: jnp.zeros((5, 6)) for name in dynamics.state_names}
    with pytest.raises(ValueError, match="the carried states of the neurons do not hold"):
        compute(circuit, BPTT(), LOSS, params, trials, start)


def test_carried_states_are_refused():
    task = tt.tasks.make("cue-set-go", dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=6, readout_tau=100.0)
    with pytest.raises(ValueError, match="which would start at 0 in the middle of a stream"):
        tt.train(task, circuit, BPTT(), carry_state=True)
    with pytest.raises(ValueError, match="which would start at 0 in the middle of a stream"):
        evaluation.evaluate(task, circuit, {}, seeds=(0,), carry_state=True)
