"""Populations of tuned input units."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jax import Array
    from jax.typing import ArrayLike


def von_mises(angle: ArrayLike, num_units: int, concentration: float, height: float) -> Array:
    """Responses (unit,) to ``angle`` (rad): height · exp(κ (cos(angle − φ_i) − 1)), φ_i = 2πi/num_units.

    Example:
        >>> von_mises(0.0, 4, 2.0, 4.0).round(3).tolist()
        [4.0, 0.541..., 0.07..., 0.541...]
    """
    preferred = (2 * np.pi * np.arange(num_units) / num_units).astype(np.float32)
    return height * jnp.exp(concentration * (jnp.cos(angle - preferred) - 1))


def bump(angle: ArrayLike, num_units: int = 32, width: float = np.pi / 8, height: float = 0.8) -> Array:
    """Responses (…, unit) of a ring to ``angle`` (…, rad): height · exp(−d²/2w²), d being their distance.

    Preferred angles are φ_i = 2πi/num_units; ``width`` w is in rad.

    Example:
        >>> [round(float(rate), 3) for rate in bump(0.0, 4, np.pi / 2)]
        [0.8, 0.485, 0.108, 0.485]
    """
    preferred = (2 * np.pi * np.arange(num_units) / num_units).astype(np.float32)
    turned = jnp.asarray(angle)[..., None] - preferred
    distance = jnp.abs(jnp.mod(turned + np.pi, 2 * np.pi) - np.pi)
    return height * jnp.exp(-0.5 * jnp.square(distance / width))
