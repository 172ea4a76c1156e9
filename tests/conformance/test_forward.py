"""Credit carried forward in time against the reverse recursion, for every dynamics.

Feedback and transport are arguments, so that one compilation of each way serves all of their combinations.
"""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.oracles import norm, relative
from tests.surrogate import recorded as what_happened
from tests.surrogate import surrogate_differences
from throughtime.checking import circuits as battery
from throughtime.checking import settings
from throughtime.circuits import GRU, LSTM, Adaptive, Circuit, Dale, Dense, Leaky, ShortTermPlasticity, Sparse
from throughtime.credit import adjoint, batch, recorded
from throughtime.credit.influence import Influence
from throughtime.credit.relay import Relay
from throughtime.credit.span import Span
from throughtime.credit.traces import Eligibility, Taps
from throughtime.frozen import FrozenArray
from throughtime.rules import RTRL, SnAp

DYNAMICS = {
    "current": Leaky(tau=FrozenArray(np.linspace(25.0, 90.0, 4))),
    "rate": Leaky(tau=60.0, form="rate", tau_range=(25.0, 200.0)),
    "adaptive": Adaptive(tau=60.0, tau_adaptation=200.0),
    "plasticity": ShortTermPlasticity(tau=60.0, activation="softplus"),
    "gru": GRU(),
    "lstm": LSTM(),
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@dataclasses.dataclass(frozen=True)
class Given:
    """F and W̃ from the rule's state."""

    def feedback_matrix(self, weights, state):
        return state["feedback"]

    def transport_matrix(self, weights, state):
        return state.get("transport")


@functools.cache
def circuit_of(name):
    return Circuit(
        num_inputs=3, num_units=4, num_outputs=2, dt=20.0, dynamics=DYNAMICS[name], recurrent=Dense(gain=1.2)
    )


def setting(name):
    circuit = circuit_of(name)
    params, trials = settings.params_of(circuit), settings.trials_of(circuit, 2, 7)
    rng, shape = np.random.default_rng(5), circuit.weights(params).recurrent.shape
    start = {each: jnp.asarray(rng.uniform(0.2, 0.8, (2, 4))) for each in circuit.dynamics.state_names}
    random = jnp.asarray(0.6 * rng.normal(size=shape)), jnp.asarray(rng.normal(size=(4, 2)))
    return circuit, params, trials, start, random


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def forwards(circuit, stepper, by_step, params, trials, start, matrices):
    keys = jax.random.split(jax.random.key(0), len(trials.valid))
    return recorded.gradient(
        circuit, params, trials, settings.OBJECTIVE, stepper, Given(), matrices, trial_keys=keys, carry=start,
        by_step=by_step,
    )[0]  # fmt: skip


@functools.partial(jax.jit, static_argnums=(0, 1))
def backwards(circuit, span, params, trials, start, transport, feedback):
    keys = jax.random.split(jax.random.key(0), len(trials.valid))
    return batch.gradient(
        circuit, params, trials, settings.OBJECTIVE, feedback=feedback, transport=transport, trial_keys=keys,
        initial=start, span=span, segment=None, through_output=False, kappa=None,
    )[0]  # fmt: skip


def ways(circuit, params, random):
    """Every W̃ with every F."""
    weights = circuit.weights(params)
    diagonal = weights.recurrent * jnp.eye(4)
    transports = {"exact": weights.recurrent, "none": 0 * diagonal, "diagonal": diagonal, "random": random[0]}
    feedbacks = {"symmetric": weights.readout.T, "random": random[1]}
    return {(t, f): (transports[t], feedbacks[f]) for t in transports for f in feedbacks}


@pytest.mark.parametrize("name", DYNAMICS)
def test_traces_are_the_recursion_for_every_transport_and_feedback(name):
    circuit, params, trials, start, random = setting(name)
    for way, (transport, feedback) in ways(circuit, params, random).items():
        matrices = {"feedback": feedback, "transport": transport}
        found = forwards(circuit, Influence(), False, params, trials, start, matrices)
        wanted = backwards(circuit, None, params, trials, start, transport, feedback)
        assert norm(wanted["recurrent"]) > 1e-3
        assert relative(found, wanted) < 1e-9, way


@pytest.mark.parametrize("name", DYNAMICS)
def test_a_trace_of_its_own_for_every_synapse_is_the_recursion_without_transport(name):
    circuit, params, trials, start, random = setting(name)
    by_way = ways(circuit, params, random)
    for kind, diagonal in (("none", False), ("diagonal", True)):
        transport, feedback = by_way[kind, "random"]
        matrices = {"feedback": feedback}
        found = forwards(circuit, Eligibility(diagonal=diagonal), False, params, trials, start, matrices)
        wanted = backwards(circuit, None, params, trials, start, transport, feedback)
        assert relative(found, wanted) < 1e-9, kind


TAPS = [("rate", 1), ("rate", 3), ("adaptive", 3), ("plasticity", 1), ("lstm", 1)]


@pytest.mark.parametrize(("name", "taps"), TAPS)
def test_taps_are_the_recursion_of_relayed_credit_without_memory(name, taps):
    circuit, params, trials, start, (transport, feedback) = setting(name)
    gains, gain = None, 0.0
    if taps > 1:
        gains = circuit.dynamics.relay_gains(params, 4, circuit.dt, 0.7)
        entering, leaving = gains
        gain = FrozenArray(
            np.asarray(sum(entering[one] * leaving[one] for one in entering if one in leaving))
        )
    matrices = {"feedback": feedback, "transport": transport}
    found = forwards(circuit, Taps(taps=taps, gain=gain), False, params, trials, start, matrices)
    wanted = jax.jit(
        lambda matrix: backwards.__wrapped__(
            circuit,
            None,
            params,
            trials,
            start,
            Relay(matrix, gains, False, taps if gains else None),
            feedback,
        )
    )(transport)
    assert norm(wanted["recurrent"]) > 1e-3
    assert relative(found, wanted) < 1e-9
    alone = forwards(circuit, Eligibility(), False, params, trials, start, {"feedback": feedback})
    assert relative(found["recurrent"], alone["recurrent"]) > 1e-3, "something must be relayed"


def test_single_steps_of_the_two_ways_differ():
    """A share is credit to a loss, a term of the recursion credit of a use: only their sums agree."""
    circuit, params, trials, start, _ = setting("current")
    weights = circuit.weights(params)
    matrices = {"feedback": weights.readout.T, "transport": weights.recurrent}
    steps = forwards(circuit, Influence(), True, params, trials, start, matrices)["recurrent"]
    total = forwards(circuit, Influence(), False, params, trials, start, matrices)["recurrent"]
    assert relative(steps.sum(0), total) < 1e-12

    uses = []
    for late in range(7):
        alone = jnp.where(jnp.arange(7)[:, None] == late, 1.0, 0.0)

        def loss(copies, alone=alone):
            def one(trial, state):
                def step(state, now):
                    x, valid, used = now
                    mixed = {**params, "recurrent": params["recurrent"] + used * copies}
                    after = circuit.step(mixed, state, x)
                    after = {k: jnp.where(valid, after[k], state[k]) for k in after}
                    return after, params["readout"] @ circuit.dynamics.rate(params, after) + params[
                        "readout_bias"
                    ]

                outputs = jax.lax.scan(step, state, (trial.inputs, trial.valid, alone[:, 0]))[1]
                return settings.OBJECTIVE(outputs, trial)

            return jax.vmap(one)(trials, start).mean()

        uses.append(jax.grad(loss)(jnp.zeros((4, 4))))
    uses = jnp.stack(uses)
    assert relative(uses.sum(0), total) < 1e-9
    assert norm(uses - steps) / norm(uses) > 0.01


def test_the_surrogate_with_another_transport_is_another_gradient():
    circuit, params, trials, _, (transport, feedback) = setting("current")
    record = jax.jit(what_happened, static_argnums=(0, 3))(circuit, params, trials, settings.OBJECTIVE)
    reaching = {**record, "reaching": record["errors"]}
    found = backwards(circuit, None, params, trials, None, transport, feedback)
    right, wrong = (
        surrogate_differences(circuit, params, trials.inputs, reaching, matrix, feedback)
        for matrix in (transport, transport.T)
    )
    assert relative(found, right) < 1e-6
    assert relative(found["recurrent"], wrong["recurrent"]) > 1e-2


@functools.cache
def ring():
    """Four neurons, each of which excites the next."""
    mask = np.roll(np.eye(4, dtype=bool), 1, axis=0)
    sparse = Sparse(mask=FrozenArray(mask))
    return dataclasses.replace(circuit_of("current"), recurrent=sparse)


def influenced(n):
    circuit = ring()
    params, trials = settings.params_of(circuit), settings.trials_of(circuit, 2, 12)
    params["recurrent"] = 4.0 * params["recurrent"]  # so that what went round three synapses still counts
    params["bias"] = 0.0 * params["bias"]
    rule = RTRL() if n is None else SnAp(n=n)
    return jax.jit(
        lambda p: rule.gradient(circuit, p, {}, trials, settings.OBJECTIVE, key=jax.random.key(0))[0]
    )(params)


def test_influence_as_far_as_the_diameter_is_all_of_it():
    whole = influenced(None)
    assert norm(whole["recurrent"]) > 1e-3
    assert relative(influenced(4), whole) < 1e-9


def test_influence_one_synapse_short_of_the_diameter_is_not():
    assert relative(influenced(3)["input"], influenced(None)["input"]) > 0.1


@pytest.mark.parametrize("name", ["current", "lstm"])
def test_blocks_are_influence_forgotten_at_their_starts(name):
    circuit, params, trials, start, _ = setting(name)
    weights = circuit.weights(params)
    matrices = {"feedback": weights.readout.T, "transport": weights.recurrent}
    found = forwards(circuit, Influence(every=3), False, params, trials, start, matrices)
    pair = weights.recurrent, weights.readout.T
    assert relative(found, backwards(circuit, Span("blocks", 3), params, trials, start, *pair)) < 1e-9
    assert (
        relative(found["recurrent"], backwards(circuit, None, params, trials, start, *pair)["recurrent"])
        > 1e-3
    )


def moved(step_size):
    circuit, params, trials, _, _ = setting("current")
    rule = RTRL(online=True, step_size=step_size)
    back = jax.jit(
        lambda p: rule.gradient(circuit, p, {}, trials, settings.OBJECTIVE, key=jax.random.key(0))[0]
    )(params)
    exact = backwards(
        circuit, None, params, trials, None, circuit.weights(params).recurrent, params["readout"].T
    )
    return relative(jax.tree.map(lambda leaf: leaf / step_size, back), exact)


def test_moves_within_the_trial_tend_to_the_gradient():
    large, small = moved(2e-4), moved(1e-4)
    assert small < 1e-2
    assert 1.7 < large / small < 2.3


def test_large_moves_within_the_trial_are_not_the_gradient():
    assert moved(0.5) > 0.05


def test_a_forgotten_pull_back_is_seen(monkeypatch):
    circuit = battery.make(Leaky(tau=60.0, activation="softplus"), Dale(base=Sparse(density=0.8)))
    monkeypatch.setattr(
        batch if hasattr(batch, "pull_back") else adjoint,
        "pull_back",
        lambda circuit, params, grads, further=None: {**grads, **(further or {})},
    )
    with pytest.raises(AssertionError, match="recurrent: finite differences are off"):
        battery.check_gradients(circuit)
