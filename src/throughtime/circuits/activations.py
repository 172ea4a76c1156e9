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
NUMPY = {
    "tanh": "np.tanh({})",
    "relu": "np.maximum({}, 0)",
    "softplus": "np.logaddexp({}, 0)",
    "sigmoid": "sigmoid({})",
    "retanh": "np.maximum(np.tanh({}), 0)",
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
