"""How long an epoch lasts: a number, equally likely values, or a bounded distribution; always in ms."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, fields
from numbers import Real
from typing import TYPE_CHECKING, Any, TypeAlias

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array


@dataclass(frozen=True, repr=False)
class Uniform:
    """Duration drawn uniformly between ``low`` and ``high`` ms.

    Example:
        >>> Uniform(500, 3000)
        Uniform(500, 3000)
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _to_floats(self)

    def __repr__(self) -> str:
        return f"Uniform({show(self.low)}, {show(self.high)})"


@dataclass(frozen=True, repr=False)
class TruncatedExponential:
    """Duration with density ∝ exp(−(t − low)/scale) between ``low`` and ``high`` ms.

    With u uniform on [0, 1) the draw is low − scale·ln(1 − u(1 − e^(−(high − low)/scale))): a hazard that
    is flat but for the upper bound, so waiting says little about when the epoch ends.

    Example:
        >>> TruncatedExponential(330, 80, 1500)
        TruncatedExponential(330, 80, 1500)
    """

    scale: float
    low: float
    high: float

    def __post_init__(self) -> None:
        _to_floats(self)

    def __repr__(self) -> str:
        return f"TruncatedExponential({show(self.scale)}, {show(self.low)}, {show(self.high)})"


Duration: TypeAlias = float | tuple[float, ...] | Uniform | TruncatedExponential
"""A number, ms; numbers that are equally likely; or a bounded distribution."""


def is_number(value: Any) -> bool:
    """Whether ``value`` is a finite real number (a bool is not one)."""
    return isinstance(value, Real) and not isinstance(value, bool) and math.isfinite(value)


def show(value: Any) -> str:
    """``value`` as error messages write it: numbers short, anything else as Python does."""
    if isinstance(value, tuple):
        return f"({', '.join(map(show, value))}{',' if len(value) == 1 else ''})"
    return f"{value:g}" if is_number(value) else repr(value)


def normal(value: Any) -> Any:
    """``value`` with numbers as floats and lists as tuples; what is no duration is returned untouched."""
    if isinstance(value, tuple | list):
        return tuple(float(item) if is_number(item) else item for item in value)
    return float(value) if is_number(value) else value


def problem(value: Any, *, may_be_zero: bool) -> str | None:
    """What is wrong with a normalised duration and what to do, or None."""
    if isinstance(value, Uniform | TruncatedExponential):
        numbers: Iterable[Any] = [getattr(value, f.name) for f in fields(value)]
    else:
        numbers = value if isinstance(value, tuple) else (value,)
    numbers = list(numbers)
    if not numbers:
        return "no duration to draw from; give at least one"
    if not all(map(is_number, numbers)):
        return (
            "expected finite ms, as a number, a tuple of equally likely ones, Uniform(low, high) or "
            "TruncatedExponential(scale, low, high)"
        )
    if isinstance(value, TruncatedExponential) and value.scale <= 0:
        return "scale must be > 0 ms"
    low, high = bounds(value)
    if low > high:
        return "lower bound exceeds upper bound"
    if low < 0:
        return "a duration cannot be negative; use values >= 0"
    if low == 0 and not may_be_zero:
        return "the epoch can vanish; use values > 0"
    return None


def bounds(value: Duration) -> tuple[float, float]:
    """Shortest and longest possible duration, ms.

    Example:
        >>> bounds((400.0, 200.0)), bounds(Uniform(500, 3000)), bounds(20.0)
        ((200.0, 400.0), (500.0, 3000.0), (20.0, 20.0))
    """
    if isinstance(value, Uniform | TruncatedExponential):
        return value.low, value.high
    if isinstance(value, tuple):
        return min(value), max(value)
    return value, value


def num_levels(value: Duration) -> float:
    """Number of distinct durations; infinite for a continuous distribution."""
    if isinstance(value, Uniform | TruncatedExponential):
        return math.inf if value.low < value.high else 1
    return len(set(value)) if isinstance(value, tuple) else 1


def sample(value: Duration, key: Array) -> Array:
    """One duration, a float32 scalar in ms; the same whatever the default precision of JAX."""
    if isinstance(value, tuple):
        index = jax.random.randint(key, (), 0, len(value), dtype=jnp.int32)
        return jnp.asarray(value, dtype=jnp.float32)[index]
    if isinstance(value, Uniform):
        return jax.random.uniform(key, (), jnp.float32, value.low, value.high)
    if isinstance(value, TruncatedExponential):
        u = jax.random.uniform(key, (), jnp.float32)
        kept = -math.expm1(-(value.high - value.low) / value.scale)
        return jnp.clip(value.low - value.scale * jnp.log1p(-u * kept), value.low, value.high)
    return jnp.asarray(value, dtype=jnp.float32)


def quantile(value: Duration, u: Array) -> Array:
    """The duration below which a fraction ``u`` of draws lies, float32 ms, of the shape of ``u`` in [0, 1).

    For where draws of different durations come from one number.

    Example:
        >>> quantile((200.0, 400.0), jnp.array([0.2, 0.7])).tolist()
        [200.0, 400.0]
    """
    if isinstance(value, tuple):
        index = jnp.minimum((u * len(value)).astype(jnp.int32), len(value) - 1)
        return jnp.asarray(value, dtype=jnp.float32)[index]
    if isinstance(value, Uniform):
        return jnp.float32(value.low) + jnp.float32(value.high - value.low) * u
    if isinstance(value, TruncatedExponential):
        kept = -math.expm1(-(value.high - value.low) / value.scale)
        return jnp.clip(value.low - value.scale * jnp.log1p(-u * kept), value.low, value.high)
    return jnp.full(jnp.shape(u), value, jnp.float32)


def _to_floats(distribution: Any) -> None:
    for field in fields(distribution):
        object.__setattr__(distribution, field.name, normal(getattr(distribution, field.name)))
