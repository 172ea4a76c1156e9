"""Baseline: ``jax.grad`` of a scan, as one would write it well without this library.

Batched products, input drive hoisted out of the loop, one tanh a step, readout after the loop.
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
    alpha, form, scale = work.alpha, work.form, work.noise_scale
    shape = (work.num_steps, work.num_trials, work.num_units)

    def loss(p: dict[str, Any], inputs: Any, targets: Any, mask: Any, noise: Any) -> Any:
        drive = inputs @ p["input"].T + p["bias"]
        if not jnp.issubdtype(noise.dtype, jax.dtypes.prng_key):
            drive = drive + noise
        elif scale > 0:
            drive = drive + scale * jax.random.normal(noise, shape)

        def current(carry: Any, arriving: Any) -> Any:
            state, rate = carry
            state = (1 - alpha) * state + alpha * (arriving + rate @ p["recurrent"].T)
            rate = jnp.tanh(state)
            return (state, rate), rate

        def rate(rate: Any, arriving: Any) -> Any:
            rate = (1 - alpha) * rate + alpha * jnp.tanh(arriving + rate @ p["recurrent"].T)
            return rate, rate

        zero = jnp.zeros(shape[1:])
        _, rates = jax.lax.scan(*((current, (zero, zero)) if form == "current" else (rate, zero)), drive)
        outputs = rates @ p["readout"].T + p["readout_bias"]
        return jnp.mean(jnp.sum(mask * (outputs - targets) ** 2, (0, 2)) / jnp.sum(mask, (0, 2)))

    return jax.jit(jax.grad(loss))
