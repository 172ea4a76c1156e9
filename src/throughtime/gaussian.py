"""Standard normal numbers for circuit noise, cheap enough to draw at every unit and step.

``jax.random.normal`` costs about as much as the matrix products of a small circuit. Here the counter-based
generator Threefry-2x32 with 13 rounds (the fewest rounds that pass the BigCrush battery; Salmon et al.
2011, Proc. SC'11) runs unrolled in one fused loop, and a rational function of −ln(1 − x²) turns each word
into a normal quantile (relative error 2e-5).

The number for (step, unit) depends on the key, the step and the unit, never on the number of steps or
units: padding a trial changes no draw. A compiler may fuse a product and a sum differently in another
program, so the same number drawn there can differ in its last bit; never more.
"""

from __future__ import annotations

import math
from functools import partial
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

_ROTATIONS = ((13, 15, 26, 6), (17, 29, 16, 24))
_ROUNDS = 13
# Least-squares rational fit, over every 24-bit word, of quantile / x as a function of w = −ln(1 − x²),
# with x = 2u − 1; `tests/test_gaussian.py` measures its error against SciPy.
_LOGARITHM = (
    1.0000032186508179,
    -0.5000196099281311,
    0.3330329358577728,
    -0.2488139271736145,
    0.2060478776693344,
    -0.18901604413986206,
    0.1182667464017868,
)  # ln(1 + f)/f on [√½ − 1, √2 − 1], error 2e-7: own arithmetic, because a library logarithm may round
# otherwise in the vector part of a loop than in its remainder
_NUMERATOR = (1.2533083907841018, 0.4225720242710026, 0.07566677041588742, 0.00796616894698223)
_DENOMINATOR = (1.0, 0.07527064477697454, 0.0279149457702556, 0.00041541262316241364)


def threefry(
    key: tuple[Array, Array], counter: tuple[Array, Array], rounds: int = _ROUNDS
) -> tuple[Array, Array]:
    """Two random words for each pair of counter words (uint32), elementwise."""
    first, second = key
    schedule = (first, second, first ^ second ^ jnp.uint32(0x1BD11BDA))
    x, y = counter[0] + schedule[0], counter[1] + schedule[1]
    for turn in range(rounds):
        rotation = _ROTATIONS[(turn // 4) % 2][turn % 4]
        x = x + y
        y = ((y << jnp.uint32(rotation)) | (y >> jnp.uint32(32 - rotation))) ^ x
        if turn % 4 == 3:
            group = turn // 4 + 1
            x = x + schedule[group % 3]
            y = y + schedule[(group + 1) % 3] + jnp.uint32(group)
    return x, y


def quantile(words: Array) -> Array:
    """Normal quantile (float32) of uint32 words: their upper 24 bits are the centre of a bin of (0, 1)."""
    odd = ((words >> jnp.uint32(8)).astype(jnp.int32) << 1) - (1 << 24) + 1
    below, above = ((1 << 24) - odd).astype(jnp.float32), ((1 << 24) + odd).astype(jnp.float32)
    w = -_logarithm(below * above * jnp.float32(2**-48))
    return odd.astype(jnp.float32) * jnp.float32(2**-24) * (_horner(_NUMERATOR, w) / _horner(_DENOMINATOR, w))


def _logarithm(y: Array) -> Array:
    bits = jax.lax.bitcast_convert_type(y, jnp.int32)
    exponent = (bits - 0x3F3504F3) >> 23
    f = jax.lax.bitcast_convert_type(bits - (exponent << 23), jnp.float32) - 1.0
    return exponent.astype(jnp.float32) * jnp.float32(math.log(2)) + f * _horner(_LOGARITHM, f)


def _horner(coefficients: tuple[float, ...], w: Array) -> Array:
    value = jnp.full_like(w, coefficients[-1])
    for coefficient in coefficients[-2::-1]:
        value = value * w + jnp.float32(coefficient)
    return value


@partial(jax.jit, static_argnums=(1, 2))
def normal(key: Array, num_steps: int, num_units: int, first: Array | int = 0) -> Array:
    """Independent N(0, 1) numbers (time, unit), float32, from one key.

    Args:
        key: a JAX random key.
        num_steps, num_units: shape of the answer.
        first: index of the first step, an even number: a part of a longer answer.

    Example:
        >>> import jax
        >>> long = normal(jax.random.key(0), 7, 3)
        >>> bool((normal(jax.random.key(0), 5, 3) == long[:5]).all())
        True
        >>> bool((normal(jax.random.key(0), 3, 3, first=4) == long[4:]).all())
        True
    """
    words = jax.random.bits(key, (2,), jnp.uint32)
    half = (num_steps + 1) // 2
    pair = (
        jax.lax.broadcasted_iota(jnp.uint32, (half, num_units), 0)
        + jnp.asarray(first).astype(jnp.uint32) // 2
    )
    unit = jax.lax.broadcasted_iota(jnp.uint32, (half, num_units), 1)
    even, odd = threefry((words[0], words[1]), (unit, pair))
    both = jnp.stack([quantile(even), quantile(odd)], axis=1)
    return both.reshape(2 * half, num_units)[:num_steps]
