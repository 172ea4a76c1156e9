"""Relayed credit against traces run forward in NumPy, derivatives in the transport, and BPTT."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import random_params
from tests.oracles import norm, relative
from throughtime.circuits import GRU, LSTM, Adaptive, Circuit, Dense, Leaky, ShortTermPlasticity, WarmUp
from throughtime.credit import batch
from throughtime.credit.relay import Relay
from throughtime.frozen import FrozenArray
from throughtime.objectives import SquaredError
from throughtime.rules import MDGL, ModProp
from throughtime.trial import Trial

UNITS, STEPS, DT = 4, 7, 20.0
LINEAR_SLOPE = 0.6
TRIALS = 2


@dataclass(frozen=True)
class Linear(Leaky):
    """Leaky units with the activation ``φ(x) = 0.6 x``."""

    def filtered(self, params, state, drive, dt):
        return self.leak(params, state[self.form], LINEAR_SLOPE * drive if self.form == "rate" else drive, dt)

    def firing(self, state):
        return state[self.form] * (LINEAR_SLOPE if self.form == "current" else 1)


def circuit_of(dynamics, **fields):
    return Circuit(
        num_inputs=2, num_units=UNITS, num_outputs=2, dt=DT,
        dynamics=dynamics, recurrent=Dense(gain=1.4), **fields,
    )  # fmt: skip


TAU = FrozenArray(np.linspace(25.0, 90.0, UNITS))
RATE, CURRENT = circuit_of(Leaky(tau=TAU, form="rate")), circuit_of(Leaky(tau=TAU))


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def trials_of(steps=STEPS, seed=0, valid=None):
    rng = np.random.default_rng(seed)
    live = np.ones((TRIALS, steps), bool)
    live[1, -2:] = False
    live = live if valid is None else valid
    arrays = [rng.normal(size=(TRIALS, steps, 2)) * live[..., None] for _ in range(2)]
    mask = live[..., None] * np.array([1.0, 0.5])
    return Trial(*(jnp.asarray(each) for each in (*arrays, mask)), jnp.asarray(live), {}, {})


def matrices(circuit, params, seed=3):
    """A transport and a feedback unlike the circuit's own."""
    rng = np.random.default_rng(seed)
    shape = circuit.weights(params).recurrent.shape
    return jnp.asarray(0.6 * rng.normal(size=shape)), jnp.asarray(rng.normal(size=(UNITS, 2)))


@partial(jax.jit, static_argnums=(0, 1, 2, 8))
def relayed(circuit, memory, hops, params, trials, matrix, gains, feedback, segment=None):
    return batch.gradient(
        circuit, params, trials, SquaredError(), feedback=feedback,
        transport=Relay(matrix, gains, memory, hops),
        trial_keys=jax.random.split(jax.random.key(0), TRIALS), segment=segment,
    )[0]  # fmt: skip


@partial(jax.jit, static_argnums=0)
def adjoint(circuit, params, trials, matrix, feedback):
    return batch.gradient(
        circuit, params, trials, SquaredError(), feedback=feedback, transport=matrix,
        trial_keys=jax.random.split(jax.random.key(0), TRIALS),
    )[0]  # fmt: skip


def gains_of(circuit, params, slope):
    return circuit.dynamics.relay_gains(params, circuit.num_units, circuit.dt, slope)


def traced(circuit, params, trials, transport, feedback, *, slope, memory, hops=None):
    """The gradient of W, W_in and b by traces carried forward, one synapse's influence after the other.

    For leaky tanh units. With the receiver's memory two tensors (neuron, unit, slot), else taps: products
    of as many matrices as there are hops.
    """
    p = {name: np.asarray(value) for name, value in params.items()}
    W, C, F = np.asarray(transport), p["recurrent"], np.asarray(feedback)
    rate = circuit.dynamics.form == "rate"
    alpha = circuit.dt / np.asarray(circuit.dynamics.tau)
    entering, leaving = (slope * alpha, 1.0) if rate else (alpha, slope)
    total = 0
    for x, y, weight, valid in zip(*(np.asarray(a) for a in trials[:4]), strict=True):
        s = np.zeros(UNITS)
        r = s if rate else np.tanh(s)
        own = np.zeros((UNITS, UNITS + 2 + 1))
        c = np.ones(UNITS) if rate else 1 - r**2
        relay, ending = np.zeros((2, UNITS, *own.shape))
        past = []  # c_{t−s} ε_{t−s}, the latest first
        for t in range(int(valid.sum())):
            slots = np.concatenate([r, x[t], [1.0]])
            u = C @ r + p["input"] @ x[t] + p["bias"]
            sent = c[:, None] * own
            arriving = np.einsum("kl,lij->kij", W, np.einsum("li,lj->lij", np.eye(UNITS), sent))
            arriving += np.einsum("kl,lij->kij", W * (leaving * np.ones(UNITS)), relay)
            b = alpha * (1 - np.tanh(u) ** 2) if rate else alpha
            past.insert(0, sent)
            own = (1 - alpha)[:, None] * own + b[:, None] * slots
            s = (1 - alpha) * s + alpha * (np.tanh(u) if rate else u)
            r = s if rate else np.tanh(s)
            c = np.ones(UNITS) if rate else 1 - r**2
            q = F @ (2 * weight[t] * (p["readout"] @ r + p["readout_bias"] - y[t]) / weight.sum())
            total = total + (q * c)[:, None] * own
            if memory:
                relay = (1 - alpha)[:, None, None] * relay + entering[:, None, None] * arriving
                ending = (1 - alpha)[:, None, None] * ending + b[:, None, None] * arriving
                total = total + np.einsum("k,kij->ij", q * c, ending)
                continue
            heard = b * c * q
            for index, sent in enumerate(past if hops is None else past[:hops]):
                heard = W.T @ (heard if index == 0 else entering * leaving * heard)
                total = total + heard[:, None] * sent
    total = total / TRIALS
    return {"recurrent": total[:, :UNITS], "input": total[:, UNITS:-1], "bias": total[:, -1]}


def part(grads):
    return {name: grads[name] for name in ("recurrent", "input", "bias")}


@pytest.mark.parametrize(
    ("circuit", "memory", "hops", "slope"),
    [
        (RATE, True, None, 0.7), (RATE, True, None, 0.0), (RATE, False, None, 0.7), (RATE, False, 3, 0.7),
        (RATE, False, 1, 0.0), (CURRENT, True, None, 0.7), (CURRENT, False, 3, 0.7),
    ],
)  # fmt: skip
def test_the_recursion_is_the_sum_of_traces(circuit, memory, hops, slope):
    params, trials = random_params(circuit), trials_of()
    matrix, feedback = matrices(circuit, params)
    gains = gains_of(circuit, params, slope) if hops != 1 else None
    found = part(relayed(circuit, memory, hops, params, trials, matrix, gains, feedback))
    wanted = partial(traced, circuit, params, trials, matrix, feedback)
    exact = wanted(slope=slope, memory=memory, hops=hops)
    assert norm(exact["recurrent"]) > 1e-2
    assert relative(found, exact) < 1e-12
    assert relative(found, wanted(slope=slope, memory=not memory, hops=hops)) > 1e-2
    if slope:
        assert relative(found, wanted(slope=0.0, memory=memory)) > 1e-2
    if hops == 3:
        assert relative(found, wanted(slope=slope, memory=memory)) > 1e-4, "a fourth hop would count"


@pytest.mark.parametrize("dynamics", [None, LSTM(), ShortTermPlasticity(form="rate")])
def test_one_hop_is_the_part_of_first_order_in_the_transport(dynamics):
    """G(k), the gradient with transport kW, is a power series in k: one hop is its first two terms."""
    circuit = RATE if dynamics is None else circuit_of(dynamics)
    params, trials = random_params(circuit), trials_of()
    weights = circuit.weights(params)
    feedback = weights.readout.T
    low, none, high = (
        adjoint(circuit, params, trials, k * weights.recurrent, feedback) for k in (-1e-4, 0, 1e-4)
    )
    wanted = jax.tree.map(lambda a, b, c: b + (c - a) / 2e-4, low, none, high)
    gains = None if dynamics is not None else gains_of(circuit, params, 0.0)
    found = relayed(circuit, True, None, params, trials, weights.recurrent, gains, feedback)
    assert relative(found, wanted) < 1e-6
    assert relative(found["recurrent"], none["recurrent"]) > 1e-2
    whole = adjoint(circuit, params, trials, weights.recurrent, feedback)
    assert relative(found["recurrent"], whole["recurrent"]) > 1e-3
    assert relative(found["readout"], whole["readout"]) < 1e-13


def test_published_one_hop_is_that_of_the_recursion_only_without_a_leak():
    def both(circuit):
        params, trials = random_params(circuit), trials_of()
        each = partial(traced, circuit, params, trials, params["recurrent"], params["readout"].T, slope=0.0)
        return each(memory=True), each(memory=False, hops=1)

    assert relative(*both(circuit_of(Leaky(tau=FrozenArray([DT] * UNITS), form="rate")))) < 1e-12
    assert relative(*both(RATE)) > 1e-2


@pytest.mark.parametrize("form", ["rate", "current"])
def test_linear_units_of_the_same_slope_relay_exactly(form):
    circuit = circuit_of(Linear(tau=TAU, form=form))
    params, trials = random_params(circuit), trials_of()
    weights = circuit.weights(params)
    gains = gains_of(circuit, params, LINEAR_SLOPE)
    exact = adjoint(circuit, params, trials, weights.recurrent, weights.readout.T)
    both = params, trials, weights.recurrent, gains, weights.readout.T
    assert relative(relayed(circuit, True, None, *both), exact) < 1e-12
    curved = RATE if form == "rate" else CURRENT
    exact = adjoint(curved, params, trials, weights.recurrent, weights.readout.T)
    assert relative(relayed(curved, True, None, *both)["recurrent"], exact["recurrent"]) > 1e-2


def test_without_transport_nothing_is_relayed():
    params, trials = random_params(RATE), trials_of()
    zero, feedback = jnp.zeros((UNITS, UNITS)), matrices(RATE, params)[1]
    found = relayed(RATE, True, None, params, trials, zero, gains_of(RATE, params, 0.7), feedback)
    assert relative(found, adjoint(RATE, params, trials, zero, feedback)) < 1e-13


@pytest.mark.parametrize("memory", [True, False])
def test_steps_that_are_not_valid_take_no_part_wherever_they_are(memory):
    live = np.ones((TRIALS, STEPS), bool)
    inside, outside = live.copy(), live.copy()
    inside[:, 3], outside[:, -1] = False, False
    order = np.array([0, 1, 2, 6, 3, 4, 5])  # what happens in step 3 of one happens in the last of the other
    late = trials_of(valid=outside)
    moved = Trial(*(leaf[:, order] for leaf in late[:4]), {}, {})
    np.testing.assert_array_equal(moved.valid, inside)
    moved = moved._replace(inputs=moved.inputs.at[:, 3].set(1e3))
    params = random_params(RATE)
    matrix, feedback = matrices(RATE, params)
    rest = matrix, gains_of(RATE, params, 0.7), feedback
    first, second = (relayed(RATE, memory, None, params, each, *rest) for each in (late, moved))
    assert relative(second, first) < 1e-12
    awake = moved._replace(valid=jnp.asarray(live), inputs=moved.inputs.at[:, 3].set(1.0))
    assert relative(relayed(RATE, memory, None, params, awake, *rest), first) > 1e-2


def test_segments_and_warm_up_are_the_whole_trial():
    steps, warm = STEPS, 2
    circuit = circuit_of(Leaky(tau=TAU, form="rate"), initial=WarmUp(warm * DT))
    params, short = random_params(RATE), trials_of(STEPS - warm)
    matrix, feedback = matrices(RATE, params)
    rest = matrix, gains_of(RATE, params, 0.7), feedback
    found = relayed(circuit, True, None, params, short, *rest, 2)
    long = Trial(
        *(jnp.pad(leaf, ((0, 0), (warm, 0), (0, 0))) for leaf in short[:3]),
        jnp.pad(short.valid, ((0, 0), (warm, 0)), constant_values=True), {}, {},
    )  # fmt: skip
    assert long.inputs.shape[1] == steps
    assert relative(found, relayed(RATE, True, None, params, long, *rest)) < 1e-12


def test_adaptive_units_relay_by_their_membrane():
    circuit = circuit_of(Adaptive(tau=TAU, strength=0.0))
    params, trials = random_params(CURRENT), trials_of()
    matrix, feedback = matrices(CURRENT, params)
    gains = gains_of(circuit, params, 0.7)
    plain = traced(CURRENT, params, trials, matrix, feedback, slope=0.7, memory=True)
    found = part(relayed(circuit, True, None, params, trials, matrix, gains, feedback))
    assert relative(found, plain) < 1e-12


def test_held_units_relay_nothing():
    held = FrozenArray([0.5, np.nan, np.nan, np.nan])
    _, leaving = gains_of(circuit_of(Leaky(tau=TAU, held_rates=held)), random_params(RATE), 0.7)
    np.testing.assert_allclose(leaving["current"], [0.0, 0.7, 0.7, 0.7])


def continuous(dt, duration=320.0):
    """Smooth inputs and targets of one duration, at bin centres."""
    time = (np.arange(round(duration / dt)) + 0.5) * dt / duration
    waves = np.stack([np.sin(2 * np.pi * time), np.cos(3 * time)], -1)[None].repeat(TRIALS, 0)
    ones = np.ones(waves.shape[:2], bool)
    return Trial(*(jnp.asarray(a) for a in (waves, waves[..., ::-1], np.ones_like(waves), ones)), {}, {})


def test_relayed_credit_converges_with_dt_and_memoryless_hops_vanish():
    halved = []
    for dt in (20.0, 10.0, 5.0):
        dynamics = Leaky(tau=100.0, form="rate")
        circuit = Circuit(num_inputs=2, num_units=UNITS, num_outputs=2, dt=dt, dynamics=dynamics)
        params, trials = random_params(RATE), continuous(dt)
        matrix, feedback = matrices(RATE, params)
        dynamics = Leaky(tau=FrozenArray([100.0] * UNITS), form="rate")
        of_form = Circuit(num_inputs=2, num_units=UNITS, num_outputs=2, dt=dt, dynamics=dynamics)
        each = partial(traced, of_form, params, trials, matrix, feedback)
        own = each(slope=0.0, memory=False, hops=0)["recurrent"]
        hop = each(slope=0.0, memory=False, hops=1)["recurrent"] - own
        gains = gains_of(circuit, params, 0.7)
        whole = relayed(circuit, True, None, params, trials, matrix, gains, feedback)["recurrent"]
        halved.append((np.asarray(whole), norm(hop) / norm(own)))
    (first, hop_1), (second, hop_2), (third, hop_3) = halved
    assert 1.7 < norm(first - second) / norm(second - third) < 2.3
    assert 1.7 < hop_1 / hop_2 < 2.3
    assert 1.7 < hop_2 / hop_3 < 2.3


def test_rules_relay_as_they_say():
    params, trials = random_params(RATE), trials_of()
    weights, key = RATE.weights(params), jax.random.key(1)
    for rule, memory, hops, slope in (
        (MDGL(), False, 1, 0.0),
        (ModProp(mu=0.7), True, None, 0.7),
        (ModProp(mu=0.7, kind="local", receiver_memory=False, reach=3 * DT), False, 3, 0.7),
    ):
        state = rule.init(RATE, params, key=key)
        way = rule.crossing(RATE, params, weights, state)
        assert (way.receiver_memory, way.hops or 1) == (memory, hops or 1)
        matrix = rule.transport.matrix(weights, state)
        gains = None if hops == 1 else gains_of(RATE, params, slope)
        feedback = state["rule_feedback"]
        wanted = relayed(RATE, memory, None if hops == 1 else hops, params, trials, matrix, gains, feedback)
        compiled = jax.jit(partial(rule.gradient, RATE, objective=SquaredError()))
        found, _, info = compiled(params, state, trials, key=key)
        assert relative(found, wanted) < 1e-12
    map_back = 0.7 * np.asarray(matrix).T * (DT / np.asarray(TAU))
    assert float(info["spectral_radius"]) == pytest.approx(
        np.abs(np.linalg.eigvals(map_back)).max(), rel=5e-3
    )


def test_refusals():
    params, trials = random_params(RATE), trials_of()
    for dynamics in (LSTM(), GRU(), ShortTermPlasticity()):
        circuit, rule = circuit_of(dynamics), ModProp()
        drawn = random_params(circuit)
        state = rule.init(circuit, drawn, key=jax.random.key(0))
        with pytest.raises(ValueError, match="does not say what it is with an activation of constant slope"):
            rule.gradient(circuit, drawn, state, trials, SquaredError(), key=jax.random.key(0))
    rule = ModProp(receiver_memory=False, reach=5.0)
    state = rule.init(RATE, params, key=jax.random.key(0))
    with pytest.raises(ValueError, match="reach 5 ms is shorter than dt 20 ms"):
        rule.gradient(RATE, params, state, trials, SquaredError(), key=jax.random.key(0))
    for fields, message in (
        ({"reach": 60.0}, "use receiver_memory=False"),
        ({"reach": -1.0, "receiver_memory": False}, "is not a positive number"),
        ({"mu": -0.1}, "mu -0.1 is not a number >= 0"),
        ({"receiver_memory": 1}, "neither True nor False"),
        ({"kind": "near"}, "kind 'near' is not known"),
    ):
        with pytest.raises(ValueError, match=message):
            ModProp(**fields)
    with pytest.raises(ValueError, match="types 'size' is not known"):
        MDGL(types="size")
