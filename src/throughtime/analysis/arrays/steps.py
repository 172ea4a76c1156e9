"""Maps s' = step(s) or step(s, u) as analyses of dynamics take them: refusals and Jacobians."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.analysis.arrays import checks

Step = Callable[..., Any]


def two_arguments(step: Step, inputs: np.ndarray | None) -> Callable[[Any, Any], Any]:
    """``step`` as a function of state and input, whether or not it takes one.

    Raises:
        ValueError: for a step that takes an input where ``inputs`` is None.

    Example:
        >>> two_arguments(lambda s: 2 * s, None)(1.0, None)
        2.0
    """
    if inputs is not None:
        return step
    needed = [
        each
        for each in inspect.signature(step).parameters.values()
        if each.default is each.empty and each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)
    ]
    if len(needed) > 1:
        raise ValueError(
            "inputs: none given, but step takes a state and an input; pass what it receives, or zeros."
        )
    return lambda state, _: step(state)


def states(name: str, values: Any) -> np.ndarray:
    """``values`` as finite float64 states (point, state), at least one.

    Example:
        >>> states("starts", [0.0, 1.0]).shape
        (1, 2)
    """
    found = np.atleast_2d(checks.finite(name, values))
    if found.ndim != 2 or not found.size:
        raise ValueError(f"{name}: shape {found.shape}; expected (point, state), at least one point.")
    return found


def constant_input(values: Any) -> np.ndarray | None:
    """One input (input,) that does not change in time, or None.

    Example:
        >>> constant_input([1.0, 0.0])
        array([1., 0.])
    """
    if values is None:
        return None
    found = checks.finite("inputs", values)
    if found.ndim != 1:
        raise ValueError(
            f"inputs: shape {found.shape}; expected (input,). A point belongs to one input that stays, so "
            "pick one time of inputs that change."
        )
    return found


def step_size(dt: float) -> float:
    """``dt`` in ms, refused unless positive."""
    if not (np.isfinite(dt) and dt > 0):
        raise ValueError(f"dt: {dt!r} ms is not a positive number; pass the length of a step in ms.")
    return float(dt)


def refuse(step: Callable[[Any, Any], Any], state: np.ndarray, inputs: np.ndarray | None) -> None:
    """Refuse a step whose result is not a float64 vector of the size of its argument.

    Args:
        step: of a state and an input. state: (state,) one of its arguments. inputs: (input,) another.
    """
    with jax.enable_x64(True):
        before = jax.ShapeDtypeStruct(state.shape, jnp.float64)
        given = None if inputs is None else jax.ShapeDtypeStruct(inputs.shape, jnp.float64)
        after = jax.eval_shape(step, before, given)
    shape, dtype = getattr(after, "shape", None), getattr(after, "dtype", None)
    if shape != state.shape:
        raise ValueError(
            f"step: returns shape {shape} from a state of shape {state.shape}; return the next state alone."
        )
    if dtype != np.float64:
        raise ValueError(f"step: returns {dtype} from a float64 state; keep parameters and casts in float64.")


def value_and_transposed_jacobian(
    function: Callable[[Any], Any],
) -> Callable[[jax.Array], tuple[jax.Array, jax.Array]]:
    """Function of a vector that gives value and transposed Jacobian: row k is the derivative by entry k.

    Forward mode, all directions at once; the transpose saves a copy of what comes out of it.

    Example:
        >>> value, jacobian = value_and_transposed_jacobian(lambda s: s[::-1] ** 2)(jnp.array([1.0, 3.0]))
        >>> jacobian.tolist()
        [[0.0, 2.0], [6.0, 0.0]]
    """

    def both(state: jax.Array) -> tuple[jax.Array, jax.Array]:
        value, push = jax.linearize(function, state)
        return value, jax.vmap(push)(jnp.eye(state.size, dtype=state.dtype))

    return both
