"""Runs of a step that an analysis interferes with: pulses, silenced units, other weights, a subspace."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.analysis.arrays import checks, steps
from throughtime.analysis.arrays.simulate import Simulate, components


def simulator(
    step: Callable[..., Any],
    start: np.ndarray,
    inputs: np.ndarray,
    measure: Callable[[np.ndarray], float],
    *,
    weights: np.ndarray | None = None,
) -> Simulate:
    """A :class:`Simulate` from a step s_{t+1} = step(s_t, u_t), compiled once for all runs.

    A silenced unit's state is held at 0: silent only if its rate is 0 there. Where a state holds several
    variables, one after the other, all those of a unit are held.

    Args:
        step: of a state (state,) and an input (input,), or of these and weights if ``weights`` are given;
            noise-free, for JAX to trace, float64 in and out.
        start: (state,) or (trial, state). inputs: (time, input) or (trial, time, input).
        measure: from states (trial, time, state), without trials where inputs have none, to a number, larger
            is better; NaN where the circuit diverges.
        weights: the circuit's own.

    Raises:
        ValueError: for values that are not finite, shapes that do not go together, or a step that returns
            another shape or float32; by the function returned, for arguments of other shapes, or weights
            where none were given here.

    Example:
        >>> run = simulator(lambda s, u: 0.5 * s + u, np.zeros(1), np.ones((3, 1)), lambda s: s[-1, 0])
        >>> run()[0].ravel(), run(pulse=np.array([[1.0], [0.0], [0.0]]))[1]
        (array([1.  , 1.5 , 1.75]), 2.0)
    """
    start, inputs = checks.finite("start", start), checks.finite("inputs", inputs)
    if inputs.ndim not in (2, 3) or not inputs.size:
        raise ValueError(f"inputs: shape {inputs.shape}; expected (time, input) or (trial, time, input).")
    alone = inputs.ndim == 2
    drive = inputs[None] if alone else inputs
    if start.ndim not in (1, 2) or (start.ndim == 2 and (alone or len(start) != len(drive))):
        raise ValueError(
            f"start: shape {start.shape}; expected (state,), or one state for each of the trials."
        )
    first = np.broadcast_to(start, (len(drive), start.shape[-1]))
    own = None if weights is None else checks.finite("weights", weights)
    size, num_steps = first.shape[1], drive.shape[1]

    def advance(state: Any, u: Any, given: Any) -> Any:
        return step(state, u) if given is None else step(state, u, given)

    with jax.enable_x64(True):
        held = None if own is None else jnp.asarray(own)
        steps.refuse(lambda state, u: advance(state, u, held), first[0], drive[0, 0])

    @jax.jit
    def run(pulse: jax.Array, keep: jax.Array, given: Any, projector: Any) -> jax.Array:
        def constrained(state: jax.Array) -> jax.Array:
            return keep * (state if projector is None else projector @ state)

        def one(state: jax.Array, channels: jax.Array) -> jax.Array:
            def body(state: jax.Array, now: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
                after = constrained(advance(state, now[0], given)) + keep * now[1]
                return after, after

            return jax.lax.scan(body, constrained(state), (channels, pulse))[1]

        return jax.vmap(one)(jnp.asarray(first), jnp.asarray(drive))

    def simulate(
        *,
        pulse: np.ndarray | None = None,
        silenced: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        basis: np.ndarray | None = None,
    ) -> tuple[np.ndarray, float]:
        push = np.zeros((num_steps, size)) if pulse is None else checks.finite("pulse", pulse)
        if push.shape != (num_steps, size):
            raise ValueError(f"pulse: shape {push.shape}; expected (time, state) = {(num_steps, size)}.")
        if weights is not None and (own is None or np.shape(weights) != own.shape):
            raise ValueError(
                f"weights: shape {np.shape(weights)}, the simulator has "
                f"{'none' if own is None else own.shape}; give it the circuit's own, of the same shape."
            )
        keep = np.ones(size) if silenced is None else 1.0 - components(silenced, size)
        given = own if weights is None else checks.finite("weights", weights)
        projector = None if basis is None else basis @ basis.T
        with jax.enable_x64(True):
            states = np.asarray(run(push, keep, given, projector))
        states = states[0] if alone else states
        return states, float(measure(states)) if np.isfinite(states).all() else np.nan

    return simulate
