"""Hebbian traces of fluctuations that sparse perturbations of the drive cause.

A neuron's membrane variable v is compared with a short running average of its own past, and the product with
presynaptic activity is passed through a cubic function and summed over the trial::

    H_ij = Σ_t [r_j(t−1) (v_i(t) − v̄_i(t))]³,    v̄_i(t + 1) = keep v̄_i(t) + (1 − keep) v_i(t)

The cube lets the few large deflections that perturbations cause outweigh the many small ones of relaxation,
whose sum would cancel theirs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from throughtime import keys
from throughtime.credit.adjoint import over_steps

if TYPE_CHECKING:
    from jax import Array


def sparse_perturbations(
    key: Array, num_steps: int, num_units: int, *, probability: float, amplitude: float, quiet: int
) -> Array:
    """Perturbations of the drive in one trial, (time, unit): mostly 0, else ``amplitude · U(−1, 1)``.

    A number depends on the trial's key, the step and the unit, not on the number of steps.

    Args:
        probability: of a perturbation, for each unit and step.
        quiet: steps at the start of the trial without any.
    """
    root = keys.stream(key, "rule")

    def one(step: Array) -> Array:
        happens, size = jax.random.uniform(jax.random.fold_in(root, step), (2, num_units))
        now = (happens < probability) & (step >= quiet)
        return jnp.where(now, amplitude * (2 * size - 1), 0.0)

    return jax.vmap(one)(jnp.arange(num_steps))


def fluctuations(potential: Array, start: Array, valid: Array, keep: float) -> Array:
    """``v(t) − v̄(t)`` before v̄ takes in v(t), (time, trial, unit); 0 and no change of v̄ on padding.

    Args:
        potential: v after each step, (time, trial, unit); start: v before the first, v̄ begins there.
        valid: (time, trial); keep: part of v̄ left after a step.

    Example:
        >>> v = jnp.array([1.0, 1.0, 0.0])[:, None, None]
        >>> fluctuations(v, jnp.zeros((1, 1)), jnp.ones((3, 1), bool), keep=0.25)[:, 0, 0].tolist()
        [1.0, 0.25, -0.9375]
    """

    def step(average: Array, now: tuple[Array, Array]) -> tuple[Array, Array]:
        value, live = now[0], now[1][:, None]
        after = keep * average + (1 - keep) * value
        return jnp.where(live, after, average), jnp.where(live, value - average, 0.0)

    return jax.lax.scan(step, start, (potential, valid))[1]


def cubic_trace(weight: Array, fluctuation: Array, sent: Array) -> Array:
    """``Σ_trial weight · H``, (unit, presynaptic_unit), as one product over steps and trials.

    Args:
        weight: (trial,); fluctuation: (time, trial, unit); sent: r_{t−1}, (time, trial, presynaptic_unit).
    """
    return over_steps(weight[:, None] * fluctuation**3, sent**3)
