"""Baseline: ``jax.grad`` of a scan, as one would write it well without this library.

Batched products, input drive hoisted out of the loop, one tanh a step (or one sigmoid for all gates), one
product for all gates, readout after the loop.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from benchmarks.workload import Workload


def gradient(work: Workload) -> Callable[..., Any]:
    """Jitted ``(params, inputs, targets, mask, noise) -> grads``, arrays time-major.

    ``noise`` is (time, trial, unit), or a key: then the noise is drawn inside, or left out by a workload
    without noise.
    """
    shape = (work.num_steps, work.num_trials, work.num_units)
    rates_of = {"lstm": lstm, "gru": gru}.get(work.form, leaky)

    def loss(p: dict[str, Any], inputs: Any, targets: Any, mask: Any, noise: Any) -> Any:
        if jnp.issubdtype(noise.dtype, jax.dtypes.prng_key):
            scale = work.noise_scale
            noise = scale * jax.random.normal(noise, shape) if scale > 0 else None
        outputs = rates_of(work, p, inputs, noise) @ p["readout"].T + p["readout_bias"]
        return jnp.mean(jnp.sum(mask * (outputs - targets) ** 2, (0, 2)) / jnp.sum(mask, (0, 2)))

    return jax.jit(jax.grad(loss))


def leaky(work: Workload, p: dict[str, Any], inputs: Any, noise: Any) -> Any:
    """Rates (time, trial, unit) of leaky units in either form."""
    alpha = work.alpha
    drive = inputs @ p["input"].T + p["bias"] + (0.0 if noise is None else noise)

    def current(carry: Any, arriving: Any) -> Any:
        state, rate = carry
        state = (1 - alpha) * state + alpha * (arriving + rate @ p["recurrent"].T)
        rate = jnp.tanh(state)
        return (state, rate), rate

    def rate(rate: Any, arriving: Any) -> Any:
        rate = (1 - alpha) * rate + alpha * jnp.tanh(arriving + rate @ p["recurrent"].T)
        return rate, rate

    zero = jnp.zeros((work.num_trials, work.num_units))
    step, start = (current, (zero, zero)) if work.form == "current" else (rate, zero)
    return jax.lax.scan(step, start, drive)[1]


def side_by_side(weights: Any) -> Any:
    """(gate, unit, source) as one factor (source, gate · unit)."""
    return weights.reshape(-1, weights.shape[-1]).T


def lstm(work: Workload, p: dict[str, Any], inputs: Any, noise: Any) -> Any:
    """Hidden states (time, trial, unit); gates in the order forget, input, output, candidate."""
    units = work.num_units
    drive = inputs @ side_by_side(p["input"]) + p["bias"].reshape(-1)
    weights = side_by_side(p["recurrent"])

    def step(carry: Any, arriving: Any) -> Any:
        hidden, cell = carry
        total = arriving + hidden @ weights
        forget, enter, leave = jnp.split(jax.nn.sigmoid(total[:, : 3 * units]), 3, axis=1)
        cell = forget * cell + enter * jnp.tanh(total[:, 3 * units :])
        hidden = leave * jnp.tanh(cell)
        return (hidden, cell), hidden

    zero = jnp.zeros((work.num_trials, units))
    return jax.lax.scan(step, (zero, zero), drive)[1]


def gru(work: Workload, p: dict[str, Any], inputs: Any, noise: Any) -> Any:
    """Hidden states (time, trial, unit); drives in the order reset, update, inner, outer candidate."""
    units = work.num_units
    outside, inside = p["bias"][jnp.array([0, 1, 3])].reshape(-1), p["bias"][2]
    drive = inputs @ side_by_side(p["input"]) + outside
    weights = side_by_side(p["recurrent"])

    def step(hidden: Any, arriving: Any) -> Any:
        sent = hidden @ weights
        gates = jax.nn.sigmoid(arriving[:, : 2 * units] + sent[:, : 2 * units])
        reset, update = jnp.split(gates, 2, axis=1)
        candidate = jnp.tanh(arriving[:, 2 * units :] + reset * (sent[:, 2 * units :] + inside))
        hidden = candidate + update * (hidden - candidate)
        return hidden, hidden

    return jax.lax.scan(step, jnp.zeros((work.num_trials, units)), drive)[1]
