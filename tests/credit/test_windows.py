"""Truncated backpropagation through time: blocks and sliding windows against explicit sums."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import TRIALS, random_params, random_trials, small_circuit
from tests.oracles import relative
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


def setting(form):
    circuit = small_circuit(form)
    start = {form: jnp.asarray(np.random.default_rng(3).normal(size=(TRIALS, circuit.num_units)))}
    return circuit, random_params(circuit), random_trials(num_steps=STEPS), start


def by_pairs(circuit, params, trials, start, reaches):
    """Gradient by W, W_in, b and s_0 of all pairs (use at step s, error at step t) with ``reaches(s, t)``.

    Every use of a parameter has a copy of its own; ``reaches(0, t)`` speaks of the initial state.
    """
    weights = circuit.weights(params)
    names = ("recurrent", "input", "bias")
    num_steps = trials.inputs.shape[1]
    shared = {name: getattr(weights, name) for name in names}

    def losses(copies, first):
        """(time, trial) loss of each step, with a copy of the parameters for every step."""

        def step(state, now):
            one, x, live = now
            rate = circuit.dynamics.rate({}, state)
            drive = rate @ one["recurrent"].T + x @ one["input"].T + one["bias"]
            after = circuit.dynamics.local({}, state, drive, circuit.dt)
            after = {k: jnp.where(live[:, None], after[k], state[k]) for k in state}
            return after, circuit.dynamics.rate({}, after) @ weights.readout.T + weights.readout_bias

        _, outputs = jax.lax.scan(step, first, (copies, trials.inputs.swapaxes(0, 1), trials.valid.T))
        mask, targets = trials.mask.swapaxes(0, 1), trials.targets.swapaxes(0, 1)
        return (mask * (outputs - targets) ** 2).sum(-1) / trials.mask.sum((1, 2)) / len(trials.valid)

    copies = jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (num_steps, *leaf.shape)), shared)
    slopes = jax.jacrev(lambda c, s: losses(c, s).sum(1), argnums=(0, 1))(copies, start)
    taken = jnp.array([[reaches(s, t) for s in range(1, num_steps + 1)] for t in range(1, num_steps + 1)])
    first = jnp.array([reaches(0, t) for t in range(1, num_steps + 1)])
    grads = {name: jnp.einsum("ts,ts...->...", taken * 1.0, slopes[0][name]) for name in names}
    return grads, {name: jnp.einsum("t,t...->...", first * 1.0, leaf) for name, leaf in slopes[1].items()}


@pytest.mark.parametrize("form", ["current", "rate"])
@pytest.mark.parametrize(
    ("kind", "reaches"),
    [
        ("blocks", lambda s, t: s <= t and (max(s, 1) - 1) // 4 == (t - 1) // 4),
        ("sliding", lambda s, t: 0 <= t - s < 4),
    ],
)
def test_window_is_the_sum_over_pairs(form, kind, reaches):
    circuit, params, trials, start = setting(form)
    grads, info = run(circuit, TBPTT(window=4 * circuit.dt, kind=kind), params, trials, start)
    wanted, initial = jax.jit(lambda p, s: by_pairs(circuit, p, trials, s, reaches))(params, start)
    exact, _ = run(circuit, BPTT(), params, trials, start)
    for name in wanted:
        assert relative(grads[name], exact[name]) > 1e-2, "the window must cut something"
        assert relative(grads[name], wanted[name]) < 1e-11, name
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
