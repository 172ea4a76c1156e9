"""The linear readout: at once, or through a leak of its own.

With ``readout_tau`` an output is a leaky integrator of what the readout weights bring::

    z_t = κ z_{t−1} + W_out r_t + b_out,   κ = exp(−dt/readout_tau),   z_0 = 0

and stands still with the state where a step is not valid. On the way back the errors go through the same
filter in reverse, ``ē_t = e_t + κ ē_{t+1}``; from there on the readout is one that has no memory.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.circuit import Circuit, Weights


def readout_decay(circuit: Circuit) -> float:
    """κ, what an output keeps of itself from one step to the next; 0 for a readout without memory.

    Example:
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=4, num_outputs=1, dt=20.0, readout_tau=100.0)
        >>> round(readout_decay(circuit), 4)  # exp(−20/100)
        0.8187
    """
    return 0.0 if circuit.readout_tau is None else math.exp(-circuit.dt / circuit.readout_tau)


def read_out(circuit: Circuit, weights: Weights, read: Array, valid: Array) -> Array:
    """Outputs (time, [trial,] output) of what the readout reads.

    Args:
        read: (time, [trial,] unit), from the first step of the trial on.
        valid: (time, [trial]) bool.
    """
    return through_leak(circuit, read @ weights.readout.T + weights.readout_bias, valid)


def through_leak(circuit: Circuit, arriving: Array, valid: Array) -> Array:
    """Outputs (time, [trial,] output) from what the readout weights bring, ``W_out r_t + b_out``."""
    return arriving if circuit.readout_tau is None else leaky(arriving, valid, readout_decay(circuit))


def before_leak(circuit: Circuit, errors: Array, valid: Array) -> Array:
    """Errors by what the readout weights bring, from errors by the outputs; (time, [trial,] output)."""
    return errors if circuit.readout_tau is None else leaky_back(errors, valid, readout_decay(circuit))


def leaky(arriving: Array, valid: Array, decay: float) -> Array:
    """``z_t = κ z_{t−1} + a_t`` from z_0 = 0, standing still where ``valid`` is False.

    Args:
        arriving: a, (time, [trial,] output); valid: (time, [trial]) bool; decay: κ.

    Example:
        >>> import jax.numpy as jnp
        >>> leaky(jnp.ones((4, 1)), jnp.array([True, True, False, True]), 0.5)[:, 0].tolist()
        [1.0, 1.5, 1.5, 1.75]
    """

    def step(output: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        output = jnp.where(now[1][..., None], decay * output + now[0], output)
        return output, output

    return jax.lax.scan(step, jnp.zeros_like(arriving[0]), (arriving, valid))[1]


def leaky_back(errors: Array, valid: Array, decay: float) -> Array:
    """The transpose of :func:`leaky`: errors of what arrives at the outputs, ``ē_t = e_t + κ ē_{t+1}``.

    Where ``valid`` is False an error goes to the step before as it is, and nothing arrives.

    Args:
        errors: e, (time, [trial,] output); valid: (time, [trial]) bool; decay: κ.

    Example:
        >>> import jax.numpy as jnp
        >>> errors = jnp.array([[0.0], [0.0], [0.0], [1.0]])
        >>> leaky_back(errors, jnp.array([True, True, False, True]), 0.5)[:, 0].tolist()
        [0.25, 0.5, 0.0, 1.0]
    """

    def step(later: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        total = now[0] + later
        here = now[1][..., None]
        return jnp.where(here, decay * total, total), jnp.where(here, total, 0)

    return jax.lax.scan(step, jnp.zeros_like(errors[0]), (errors, valid), reverse=True)[1]
