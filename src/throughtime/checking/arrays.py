"""Norms, distances and central differences of pytrees, for checks."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree


def norm(tree: Any) -> float:
    """Euclidean norm over all leaves.

    Example:
        >>> norm({"a": 3.0, "b": 4.0})
        5.0
    """
    return float(np.sqrt(sum(np.sum(np.asarray(leaf, float) ** 2) for leaf in jax.tree.leaves(tree))))


def distance(found: Any, wanted: Any) -> float:
    """Largest over the leaves of ``‖found − wanted‖ / max(‖wanted‖, 1e-12)``.

    Example:
        >>> distance({"a": 2.0}, {"a": 1.0})
        1.0
    """
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
    return max(
        (norm(np.asarray(f, float) - np.asarray(w, float)) / max(norm(w), 1e-12) for f, w in pairs),
        default=0.0,
    )


def central_differences(loss: Callable[[Any], Any], at: Any, step: float = 1e-6) -> Any:
    """``(L(θ + h e) − L(θ − h e)) / 2h`` by every number of a pytree; ``loss`` should compute in float64."""
    flat, rebuild = ravel_pytree(at)

    def slope(direction: Any) -> Any:
        ahead, back = (loss(rebuild(flat + sign * step * direction)) for sign in (1, -1))
        return (ahead - back) / (2 * step)

    return rebuild(jax.lax.map(slope, jnp.eye(flat.size, dtype=flat.dtype), batch_size=64))
