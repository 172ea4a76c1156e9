"""Activation functions by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from throughtime.registry import unknown

if TYPE_CHECKING:
    from jax import Array


def retanh(x: Array) -> Array:
    """Rectified hyperbolic tangent, ``max(0, tanh x)``."""
    return jax.nn.relu(jnp.tanh(x))


ACTIVATIONS: dict[str, Callable[[Array], Array]] = {
    "tanh": jnp.tanh,
    "relu": jax.nn.relu,
    "softplus": jax.nn.softplus,
    "sigmoid": jax.nn.sigmoid,
    "retanh": retanh,
}
"""Activations by name, elementwise functions of an array.

:meta hide-value:
"""
NUMPY = {
    "tanh": "np.tanh({})",
    "relu": "np.maximum({}, 0)",
    "softplus": "np.logaddexp({}, 0)",
    "sigmoid": "sigmoid({})",
    "retanh": "np.maximum(np.tanh({}), 0)",
}
EQUATION = {
    "tanh": "tanh({})",
    "relu": "clip({}, 0, inf)",
    "softplus": "clip({0}, 0, inf) + log1p(exp(-abs({0})))",
    "sigmoid": "0.5*(1 + tanh(0.5*{}))",
    "retanh": "clip(tanh({}), 0, 1)",
}
NON_NEGATIVE = frozenset({"relu", "softplus", "sigmoid", "retanh"})


def activation(name: str) -> Callable[[Array], Array]:
    """The function called ``name``.

    Raises:
        ValueError: for an unknown name, with near names.
    """
    if name not in ACTIVATIONS:
        raise unknown("activation", name, ACTIVATIONS, f"one of {', '.join(ACTIVATIONS)}")
    return ACTIVATIONS[name]


def numpy_activation(name: str, argument: str) -> str:
    """The same function in plain NumPy, as an expression; ``sigmoid`` is one exported code defines.

    Example:
        >>> numpy_activation("relu", "drive")
        'np.maximum(drive, 0)'
    """
    return NUMPY[name].format(argument)


def equation_activation(name: str, argument: str) -> str:
    """The same function in the language of Brian2's equations, as a term of a sum.

    Example:
        >>> equation_activation("relu", "drive")
        'clip(drive, 0, inf)'
    """
    return EQUATION[name].format(argument)
