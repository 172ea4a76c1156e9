"""A loss whose true derivative is a learning rule's gradient, where that is no gradient of the real loss.

Record what a circuit did: rates r*, errors e* of its outputs. Then run::

    u_t = W r*_{t−1} + W̃ (r_{t−1} − r*_{t−1}) + W_in x_t + b
    L = Σ e*_t (W_out r*_t + b_out) + Σ ē*_t Fᵀ (r_t − r*_t)

with W̃ and F constant, where ē* = e* unless errors are filtered on their way. At the recorded weights nothing
deviates, so by W this has the derivative that credit with the transport W̃ and the feedback F gives. Finite
differences of this plain forward code judge approximate rules as they judge exact ones.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree


def recorded(circuit: Any, params: Any, trials: Any, objective: Any) -> dict[str, Any]:
    """What each trial did, (trial, time, …): ``sent`` r*_{t−1}, ``read``, ``errors`` e* and ``valid``."""

    def one(trial: Any) -> tuple[Any, Any, Any]:
        path = circuit.run(params, trial.inputs, valid=trial.valid)
        rates = jax.vmap(lambda state: circuit.dynamics.rate(params, state))(path.states)
        first = circuit.dynamics.rate(params, circuit.initial_state(params))
        errors = jax.grad(lambda outputs: objective(outputs, trial))(path.outputs)
        return jnp.concatenate([first[None], rates[:-1]]), path.rates, errors

    sent, read, errors = jax.vmap(one)(trials)
    return {"sent": sent, "read": read, "errors": errors / len(errors), "valid": trials.valid}


def filtered(record: dict[str, Any], kappa: float) -> dict[str, Any]:
    """``record`` with errors filtered on their way to the neurons, ``ē_t = e_t + κ ē_{t+1}``."""
    errors, valid = record["errors"], record["valid"]
    later, total = jnp.zeros_like(errors[:, 0]), []
    for t in reversed(range(errors.shape[1])):
        here = valid[:, t, None]
        summed = errors[:, t] + later
        later = jnp.where(here, kappa * summed, summed)
        total.append(jnp.where(here, summed, 0))
    return {**record, "reaching": jnp.stack(total[::-1], 1)}


def surrogate_loss(
    circuit: Any, params: Any, inputs: Any, record: dict[str, Any], transport: Any, feedback: Any
) -> Any:
    """L of the batch, a function of ``params``; ``transport`` ([gate,] unit, presynaptic_unit) is W̃."""
    weights, dynamics = circuit.weights(params), circuit.dynamics
    gates = dynamics.num_drives

    def drives(matrix: Any, fed: Any, sources: Any) -> Any:
        if gates == 1:
            return matrix @ sources
        rows = [
            matrix[fed.index(g)] @ sources if g in fed else jnp.zeros(circuit.num_units) for g in range(gates)
        ]
        return jnp.stack(rows)

    def one(inputs: Any, sent: Any, read: Any, errors: Any, valid: Any, reaching: Any) -> Any:
        def step(state: Any, now: Any) -> Any:
            x, before, after, error, live, felt = now
            drive = weights.bias + drives(weights.input, dynamics.input_drives, x)
            drive += drives(weights.recurrent, dynamics.recurrent_drives, before)
            deviation = dynamics.rate(params, state) - before
            drive += drives(transport, dynamics.recurrent_drives, deviation)
            moved = dynamics.local(params, state, drive, circuit.dt)
            state = {name: jnp.where(live, moved[name], state[name]) for name in state}
            by_readout = error @ (weights.readout @ after + weights.readout_bias)
            return state, by_readout + felt @ (feedback.T @ (dynamics.readout(params, state) - after))

        return jax.lax.scan(
            step, circuit.initial_state(params), (inputs, sent, read, errors, valid, reaching)
        )[1].sum()

    reaching = record.get("reaching", record["errors"])
    return jax.vmap(one)(
        inputs, record["sent"], record["read"], record["errors"], record["valid"], reaching
    ).sum()


@partial(jax.jit, static_argnums=0)
def surrogate_differences(
    circuit: Any, params: Any, inputs: Any, record: Any, transport: Any, feedback: Any, h: float = 1e-6
) -> Any:
    """Central differences of :func:`surrogate_loss` by every parameter; one compilation for every W̃ and F."""
    flat, rebuild = ravel_pytree(params)

    def loss(moved: Any) -> Any:
        return surrogate_loss(circuit, rebuild(moved), inputs, record, transport, feedback)

    steps = h * jnp.eye(flat.size, dtype=flat.dtype)
    return rebuild((jax.vmap(lambda d: loss(flat + d) - loss(flat - d))(steps)) / (2 * h))
