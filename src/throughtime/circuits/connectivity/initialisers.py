"""Initial recurrent weights by name: pure functions of gain, shape, the synapses that exist, and a key.

Each returns float32 weights ([gate,] unit, presynaptic_unit); gates are drawn independently. Legend of the
equations: g gain, n number of units.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jax import Array


def normal(gain: float, shape: tuple[int, ...], existing: np.ndarray, *, key: Array) -> Array:
    """``W ~ g · N(0, 1/n)``: eigenvalues fill a disk of radius g for many units.

    Source: Sompolinsky, Crisanti & Sommers 1988, Phys. Rev. Lett. 61:259.
    """
    scale = gain / math.sqrt(shape[-1])
    return scale * jax.random.normal(key, shape, jnp.float32)


def orthogonal(gain: float, shape: tuple[int, ...], existing: np.ndarray, *, key: Array) -> Array:
    """``W = g · Q``, Q uniform over orthogonal matrices (Haar): all singular values are g.

    Q comes from the decomposition QR of a normal matrix with the signs that make the diagonal of R
    positive; without them Q is not uniform.

    Source: Saxe, McClelland & Ganguli 2014, ICLR, arXiv 1312.6120; signs: Mezzadri 2007, Notices AMS 54:592.
    """
    q, r = jnp.linalg.qr(jax.random.normal(key, shape, jnp.float32))
    signs = jnp.where(jnp.diagonal(r, axis1=-2, axis2=-1) < 0, -1.0, 1.0)
    return gain * q * signs[..., None, :]


def identity(gain: float, shape: tuple[int, ...], existing: np.ndarray, *, key: Array) -> Array:
    """``W = g · I``: at g = 1 a rectified circuit without leak starts as a perfect integrator.

    Source: Le, Jaitly & Hinton 2015, arXiv 1504.00941.
    """
    return jnp.broadcast_to(gain * jnp.eye(shape[-1], dtype=jnp.float32), shape)


def balanced(gain: float, shape: tuple[int, ...], existing: np.ndarray, *, key: Array) -> Array:
    """``normal`` with the mean over the existing synapses of each unit removed: ``W · 1 = 0``.

    Activity common to all units drives nobody, and no eigenvalue lies outside the disk.

    Source: Rajan & Abbott 2006, Phys. Rev. Lett. 97:188104.
    """
    drawn = jnp.where(existing, normal(gain, shape, existing, key=key), 0.0)
    inputs = np.maximum(existing.sum(1, keepdims=True), 1).astype(np.float32)
    return jnp.where(existing, drawn - drawn.sum(-1, keepdims=True) / inputs, 0.0)


DISTRIBUTIONS: dict[str, Callable[..., Array]] = {
    kind.__name__: kind for kind in (normal, orthogonal, identity, balanced)
}
