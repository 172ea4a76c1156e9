"""What every circuit, and so every pair of a dynamics and a connectivity, must do, in float64.

One compilation a pair: the gradient of a batch by backpropagation through time, and central differences of
the loss through the public single-trial run.
"""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from throughtime import config
from throughtime.checking.arrays import distance as relative
from throughtime.checking.arrays import norm
from throughtime.checking.report import Skipped, require
from throughtime.circuits import Circuit, Dense, Dynamics, Leaky
from throughtime.objectives import SquaredError
from throughtime.rules import BPTT
from throughtime.trial import Trial

UNITS, INPUTS, OUTPUTS, STEPS, TRIALS = 5, 2, 2, 7, 3
H = 1e-5


def make(dynamics: Any, recurrent: Any, **fields: Any) -> Circuit:
    """Five units; step 20 ms."""
    return Circuit(INPUTS, UNITS, OUTPUTS, dt=20.0, dynamics=dynamics, recurrent=recurrent, **fields)


def trials(seed: int = 0, num_inputs: int = INPUTS, num_outputs: int = OUTPUTS) -> Trial:
    """Three trials of unequal length, zero on padding."""
    rng = np.random.default_rng(seed)
    valid = np.arange(STEPS) < np.array([[STEPS], [STEPS - 2], [STEPS - 1]])
    arrays = [rng.normal(size=(TRIALS, STEPS, width)) for width in (num_inputs, num_outputs)]
    arrays.append(rng.uniform(0.5, 2.0, size=(TRIALS, STEPS, num_outputs)))
    inputs, targets, mask = (jnp.asarray(array * valid[..., None]) for array in arrays)
    return Trial(inputs, targets, mask, jnp.asarray(valid), {}, {})


def trials_for(circuit: Circuit, seed: int = 0) -> Trial:
    """The same for any circuit's channels."""
    return trials(seed, circuit.num_inputs, circuit.num_outputs)


def params_of(circuit: Circuit, seed: int = 0) -> dict[str, Any]:
    """Initial parameters in float64, every bias moved away from its initial value."""
    drawn, rng = circuit.init(key=jax.random.key(seed)), np.random.default_rng(seed)
    moved = {name: 0.3 * rng.normal(size=value.shape) for name, value in drawn.items() if "bias" in name}
    return {name: jnp.asarray(np.asarray(value, float) + moved.get(name, 0)) for name, value in drawn.items()}


def batch_gradient(circuit: Circuit, params: Any, batch: Trial) -> Any:
    """Gradient by the rule."""
    grads, _, info = BPTT().gradient(circuit, params, {}, batch, SquaredError(), key=jax.random.key(7))
    return grads, info["loss"]


def loss(circuit: Circuit, params: Any, batch: Trial) -> Any:
    """Mean loss through ``circuit.run``."""
    outputs = jax.vmap(lambda one: circuit.run(params, one.inputs, valid=one.valid).outputs)(batch)
    return jnp.mean(jax.vmap(SquaredError())(outputs, batch))


def measure(circuit: Circuit, params: Any, batch: Trial) -> Any:
    """Batch gradient and loss, finite differences, loss by ``run``."""
    grads, value = batch_gradient(circuit, params, batch)
    flat, rebuild = ravel_pytree(params)

    def slope(direction: Any) -> Any:
        ends = jax.vmap(lambda sign: loss(circuit, rebuild(flat + sign * H * direction), batch))(
            jnp.array([1.0, -1.0])
        )
        return (ends[0] - ends[1]) / (2 * H)

    differences = rebuild(jax.lax.map(slope, jnp.eye(flat.size), batch_size=64))
    return grads, value, differences, loss(circuit, params, batch)


def check_gradients(circuit: Circuit) -> None:
    """Exact, alive, and compiled once for any values."""
    traces: list[int] = []

    def counted(params: Any, batch: Trial) -> Any:
        traces.append(1)
        return measure(circuit, params, batch)

    compiled = jax.jit(counted)
    for seed in (0, 1):
        params, batch = params_of(circuit, seed), trials_for(circuit, seed)
        grads, value, differences, wanted = compiled(params, batch)
        learning = {name for name in params if name not in circuit.untrained}
        require(
            norm({name: differences[name] for name in learning}) > 1e-3,
            "the loss does not depend on the parameters",
        )
        for name in learning:
            require(norm(differences[name]) > 1e-6, f"{name}: no dependence at all")
        # central differences of O(1) losses at h = 1e-5: rounding about 1e-11, truncation about 1e-10
        scale = norm(differences)
        for name in params:
            error = norm(np.asarray(grads[name]) - np.asarray(differences[name]))
            require(
                error < 1e-6 * max(norm(differences[name]), 1e-3 * scale),
                f"{name}: finite differences are off by {error:.2g}",
            )
        np.testing.assert_allclose(value, wanted, rtol=1e-12)
    require(len(traces) == 1, f"{len(traces)} compilations for equal shapes, expected one")


def check_mean(circuit: Circuit) -> None:
    """The gradient of a batch is the mean of its single trials' gradients."""
    params, batch = params_of(circuit), trials_for(circuit)

    def both(params: Any, batch: Trial) -> Any:
        def alone(one: Trial) -> Any:
            return batch_gradient(circuit, params, jax.tree.map(lambda leaf: leaf[None], one))[0]

        each = jax.lax.map(alone, batch)
        return batch_gradient(circuit, params, batch)[0], jax.tree.map(lambda leaf: leaf.mean(0), each)

    whole, mean = jax.jit(both)(params, batch)
    require(
        relative(whole, mean) < 1e-10,
        f"relative difference {relative(whole, mean):.2g}, expected less than 1e-10",
    )


def check_constraints(circuit: Circuit) -> None:
    """Zeros, signs, rank and fixed weights hold before and after a large step of the free parameters."""
    params, rng, units = params_of(circuit), np.random.default_rng(3), circuit.num_units
    moved = {
        name: value if name in circuit.untrained else value + jnp.asarray(rng.normal(size=value.shape))
        for name, value in params.items()
    }
    recurrent = circuit.recurrent
    first = np.asarray(circuit.weights(params).recurrent)
    for now in (params, moved):
        weights = circuit.weights(now)
        matrix = np.asarray(weights.recurrent)
        gates = matrix.reshape(-1, units, units)
        require(matrix.shape[-2:] == (units, units), f"recurrent weights have shape {matrix.shape}")
        require(
            not gates[:, ~np.asarray(weights.existing)].any(), "a synapse that does not exist has a weight"
        )
        if recurrent.cell_type_names:
            signs = np.where(np.asarray(weights.cell_types) == 0, 1, -1)
            require((gates * signs >= 0).all(), "a presynaptic unit has weights of both signs")
        if recurrent.max_rank is not None:
            ranks = [np.linalg.matrix_rank(gate, tol=1e-8) for gate in gates]
            require(max(ranks) <= recurrent.max_rank, f"ranks {ranks}, expected {recurrent.max_rank}")
    require(
        not np.allclose(first, np.asarray(circuit.weights(moved).recurrent)),
        "a step of the free parameters moves no weight",
    )
    returned = circuit.weights({**params, **recurrent.free(first)}).recurrent
    np.testing.assert_allclose(returned, first, rtol=1e-5, atol=1e-6)


def check_configuration(circuit: Circuit) -> None:
    """The circuit survives JSON, equal and with the same hash."""
    again = config.decode(config.encode(circuit))
    require(again == circuit, f"read back: {again}, expected {circuit}")
    require(hash(again) == hash(circuit), "read back, the circuit has another hash")
    require(
        config.sha256(again) == config.sha256(circuit),
        "read back, the circuit is written otherwise",
    )


def check_steps(circuit: Circuit) -> None:
    """``step`` by ``step`` is ``run``, and a masked step leaves the state as it was."""
    params, inputs = (
        params_of(circuit),
        jnp.asarray(np.random.default_rng(0).normal(size=(3, circuit.num_inputs))),
    )
    path = circuit.run(params, jnp.repeat(inputs, 2, 0), valid=jnp.array([True, False] * 3))
    state = circuit.initial_state(params)
    for t, x in enumerate(inputs):
        state = circuit.step(params, state, x)
        for name, value in state.items():
            np.testing.assert_allclose(value, path.states[name][2 * t], rtol=1e-10, atol=1e-12)
            np.testing.assert_array_equal(path.states[name][2 * t], path.states[name][2 * t + 1])


def check_halving_dt(circuit: Circuit) -> None:
    """Halving the step halves the distance from the continuous dynamics."""
    if circuit.dynamics.num_drives > 1:
        raise Skipped("gated units are defined in steps.")
    params = params_of(circuit)

    def end(dt: float) -> np.ndarray:
        finer = dataclasses.replace(circuit, dt=dt)
        return np.asarray(
            jax.jit(finer.run)(params, jnp.ones((round(12 * circuit.dt / dt), circuit.num_inputs))).rates[-1]
        )

    ends = [end(dt) for dt in (circuit.dt, circuit.dt / 2, circuit.dt / 4)]
    ratio = np.linalg.norm(ends[0] - ends[1]) / np.linalg.norm(ends[1] - ends[2])
    require(1.6 < ratio < 2.5, f"distances fall by {ratio:.3g} as dt is halved, expected about 2")


MOST_UNITS = 32


def subject(member: Any) -> Circuit:
    """The circuit that checks of a member are made on: the member, or a small one with it as its part.

    Raises:
        ValueError: for a circuit of more units than finite differences are worth.
    """
    if isinstance(member, Circuit):
        if member.num_units > MOST_UNITS:
            raise ValueError(
                f"{member.num_units} units are many for finite differences of every weight; check the same "
                f"circuit with num_units of at most {MOST_UNITS}."
            )
        return member
    if isinstance(member, Dynamics):
        return make(member, Dense(gain=1.2))
    return make(Leaky(tau=60.0, activation="softplus"), member)


BATTERY = (
    check_gradients, check_mean, check_constraints, check_configuration, check_steps, check_halving_dt,
)  # fmt: skip
