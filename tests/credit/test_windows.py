"""Truncated backpropagation through time: blocks and sliding windows against explicit sums."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import TRIALS, random_params, random_trials, small_circuit
from tests.oracles import relative
from throughtime.circuits import GRU, LSTM, ShortTermPlasticity
from throughtime.credit.span import Span
from throughtime.credit.transport import Window
from throughtime.objectives import SquaredError
from throughtime.rules import BPTT, TBPTT

STEPS = 11


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def compute(circuit, rule, params, trials, carry):
    grads, _, info = rule.gradient(
        circuit, params, {}, trials, SquaredError(), key=jax.random.key(7), carry=carry
    )
    return grads, info


run = jax.jit(compute, static_argnums=(0, 1))


CIRCUITS = {
    "current": small_circuit("current"),
    "rate": small_circuit("rate"),
    "gru": dataclasses.replace(small_circuit("rate"), dynamics=GRU()),
    "lstm": dataclasses.replace(small_circuit("rate"), dynamics=LSTM()),
    "separate readout": dataclasses.replace(
        small_circuit("rate"), dynamics=ShortTermPlasticity(activation="softplus")
    ),
}


def setting(name):
    circuit, rng = CIRCUITS[name], np.random.default_rng(3)
    rest = circuit.dynamics.init_state(circuit.num_units)
    start = {key: jnp.asarray(rng.uniform(0.2, 0.8, size=(TRIALS, circuit.num_units))) for key in rest}
    return circuit, random_params(circuit), random_trials(num_steps=STEPS), start


def by_pairs(circuit, params, trials, start, reaches):
    """Gradient by W, W_in, b and s_0 of all pairs (use at step s, error at step t) with ``reaches(s, t)``.

    Every use of a parameter has a copy of its own; ``reaches(0, t)`` speaks of the initial state.
    """
    names, num_steps = ("recurrent", "input", "bias"), trials.inputs.shape[1]

    def losses(copies, first):
        """(time, trial) loss of each step, with a copy of the parameters for every step."""

        def one(inputs, valid, targets, mask, state):
            def step(state, now):
                copy, x, live = now
                after = circuit.step({**params, **copy}, state, x)
                after = {key: jnp.where(live, after[key], state[key]) for key in state}
                rate = circuit.dynamics.readout(params, after)
                return after, params["readout"] @ rate + params["readout_bias"]

            _, outputs = jax.lax.scan(step, state, (copies, inputs, valid))
            return (mask * (outputs - targets) ** 2).sum(-1) / mask.sum() / len(trials.valid)

        return jax.vmap(one)(trials.inputs, trials.valid, trials.targets, trials.mask, first).T

    copies = {name: jnp.broadcast_to(params[name], (num_steps, *params[name].shape)) for name in names}
    slopes = jax.jacrev(lambda c, s: losses(c, s).sum(1), argnums=(0, 1))(copies, start)
    taken = jnp.array([[reaches(s, t) for s in range(1, num_steps + 1)] for t in range(1, num_steps + 1)])
    first = jnp.array([reaches(0, t) for t in range(1, num_steps + 1)])
    grads = {name: jnp.einsum("ts,ts...->...", taken * 1.0, slopes[0][name]) for name in names}
    return grads, {name: jnp.einsum("t,t...->...", first * 1.0, leaf) for name, leaf in slopes[1].items()}


@pytest.mark.parametrize("name", CIRCUITS)
@pytest.mark.parametrize(
    ("kind", "reaches"),
    [
        ("blocks", lambda s, t: s <= t and (max(s, 1) - 1) // 4 == (t - 1) // 4),
        ("sliding", lambda s, t: 0 <= t - s < 4),
    ],
)
def test_window_is_the_sum_over_pairs(name, kind, reaches):
    circuit, params, trials, start = setting(name)
    grads, info = run(circuit, TBPTT(window=4 * circuit.dt, kind=kind), params, trials, start)
    wanted, initial = jax.jit(lambda p, s: by_pairs(circuit, p, trials, s, reaches))(params, start)
    exact, _ = run(circuit, BPTT(), params, trials, start)
    for block in wanted:
        assert relative(grads[block], exact[block]) > 1e-2, "the window must cut something"
        assert relative(grads[block], wanted[block]) < 1e-11, block
    assert relative(info["initial_state"], initial) < 1e-11
    np.testing.assert_allclose(grads["readout"], exact["readout"], rtol=1e-12)


def test_the_two_kinds_differ():
    circuit, params, trials, start = setting("rate")
    found = [
        run(circuit, TBPTT(window=80.0, kind=kind), params, trials, start)[0]
        for kind in ("blocks", "sliding")
    ]
    assert relative(found[0]["recurrent"], found[1]["recurrent"]) > 1e-2


@pytest.mark.parametrize("kind", ["blocks", "sliding"])
def test_a_window_as_long_as_the_trial_is_bptt(kind):
    circuit, params, trials, start = setting("current")
    rule = TBPTT(window=(STEPS + 1) * circuit.dt, kind=kind)
    grads, info = run(circuit, rule, params, trials, start)
    exact, wanted = run(circuit, BPTT(), params, trials, start)
    assert relative(grads, exact) < 1e-12
    assert relative(info["initial_state"], wanted["initial_state"]) < 1e-12


def test_a_window_of_one_step_reaches_only_the_drive_of_the_error_itself():
    circuit, params, trials, start = setting("rate")
    grads = [
        run(circuit, TBPTT(window=circuit.dt, kind=k), params, trials, start)[0]
        for k in ("blocks", "sliding")
    ]
    assert relative(grads[0], grads[1]) < 1e-13


def test_impossible_windows_are_refused():
    for wrong in (0.0, -20.0, float("nan")):
        with pytest.raises(ValueError, match="is not a positive number"):
            Window(wrong)
    with pytest.raises(ValueError, match="kind 'block' is not known; use 'blocks' or 'sliding'"):
        TBPTT(kind="block")
    with pytest.raises(ValueError, match="duration 5 ms is shorter than dt 20 ms; use at least dt"):
        Window(5.0).span(20.0)
    assert Window(100.0).span(20.0) == Span("blocks", 5)
