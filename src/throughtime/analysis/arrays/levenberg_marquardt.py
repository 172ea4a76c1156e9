"""Zeros and slow places of a vector field, from many starts at once, by Levenberg–Marquardt."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.scipy import linalg

from throughtime.analysis.arrays.blas import single_threaded
from throughtime.analysis.arrays.steps import value_and_transposed_jacobian

FIRST_DAMPING, RAISE, LOWER = 1e-2, 2.0, 3.0
FAST = 0.25
"""A step that leaves at most this share of the energy is on its way to a zero, not to a slow place."""
POLISH_STEPS = 20
SINGULAR = 1e-12
"""Ratio of pivots of G below which rounding would move a point along a line of zeros."""
MANY, FEW = 64, 8
"""Starts that move together, and how many do at the end or where states are large."""
SMALL, LARGE = 32, 256
"""Components below which idle slots cost less than another compilation, and above which they cost memory."""

Field = Callable[[Any, Any], Any]


class Found(NamedTuple):
    """Where starts ended.

    Attributes:
        state: (start, state). speed: (start,) ‖g‖. slope: (start,) ‖Gᵀg‖; NaN where g is not finite.
    """

    state: np.ndarray
    speed: np.ndarray
    slope: np.ndarray


class _Slots(NamedTuple):
    """Starts on their way: state, GᵀG, Gᵀg, ‖g‖² and μ of each."""

    state: jax.Array
    product: jax.Array
    slope: jax.Array
    energy: jax.Array
    damping: jax.Array


def prepare(
    field: Field, *, n_iter: int, fixed_speed: float, flat: float
) -> Callable[[np.ndarray, np.ndarray | None], Found]:
    """Search of many starts for zeros of a field g, and for places where ‖g‖ is smallest: compiled once.

    Every step solves (GᵀG + μI) δ = −Gᵀg with G = ∂g/∂s. One that lowers ‖g‖ is taken and μ divided by 3,
    any other is dropped and μ doubled. A start has arrived when ‖g‖ ≤ ``fixed_speed``, or when
    ‖Gᵀg‖ ≤ ``flat`` and steps have ceased to help. Then undamped Newton steps follow, each kept only where
    ‖g‖ falls and where G is not all but singular; a slow place is left only for a zero. A fixed number of
    starts move together, and one that arrives makes room for the next, so nothing is computed in vain.

    Args:
        field: g(s, u), (state,) to (state,), float64, for JAX to trace.
        n_iter: most steps of a start. fixed_speed, flat: largest ‖g‖ and ‖Gᵀg‖ of those that arrived.

    Returns:
        Function of starts (start, state) and an input (input,) or None.

    Source: Levenberg 1944, Q. Appl. Math. 2:164; Marquardt 1963, J. Soc. Ind. Appl. Math. 11:431.

    Example:
        >>> search = prepare(lambda s, u: s**2 - u, n_iter=500, fixed_speed=1e-8, flat=1e-8)
        >>> search(np.array([[1.0], [-5.0]]), np.array([4.0])).state.round(12).ravel().tolist()
        [2.0, -2.0]
    """

    def measure(state: jax.Array, u: Any) -> tuple[jax.Array, jax.Array, jax.Array]:
        value, jacobian = value_and_transposed_jacobian(lambda s: field(s, u))(state)
        return jacobian @ jacobian.T, jacobian @ value, value @ value

    @jax.jit
    def advance(slots: _Slots, starts: jax.Array, fresh: jax.Array, u: Any) -> tuple[_Slots, jax.Array]:
        damped = slots.product + slots.damping[:, None, None] * jnp.eye(starts.shape[1])
        moved = slots.state - jax.vmap(_solve)(damped, slots.slope)
        state = jnp.where(fresh[:, None], starts, moved)
        product, slope, energy = jax.vmap(measure, (0, None))(state, u)
        better = fresh | (energy < slots.energy)  # never where it is NaN
        stuck = (state == slots.state).all(1) & ~fresh
        helped = fresh | (energy <= FAST * slots.energy)
        damping = jnp.where(better, slots.damping / LOWER, slots.damping * RAISE)
        after = _Slots(
            state=jnp.where(better[:, None], state, slots.state),
            product=jnp.where(better[:, None, None], product, slots.product),
            slope=jnp.where(better[:, None], slope, slots.slope),
            energy=jnp.where(better, energy, slots.energy),
            damping=jnp.where(fresh, FIRST_DAMPING, damping),
        )
        level = jnp.linalg.norm(after.slope, axis=1) <= flat
        arrived = (jnp.sqrt(after.energy) <= fixed_speed) | (level & ~helped)
        return after, arrived | stuck | ~jnp.isfinite(after.energy)

    newton = jax.jit(jax.vmap(lambda state, u: _newton(lambda s: field(s, u), state), (0, None)))

    def search(starts: np.ndarray, u: np.ndarray | None) -> Found:
        width = FEW if len(starts) <= FEW or starts.shape[1] > LARGE else MANY
        with jax.enable_x64(True), single_threaded():
            arrived, speed, slope = _flow(advance, starts, u, width, n_iter)
            polished = [np.empty_like(arrived), np.empty_like(speed), np.empty_like(slope)]
            for first in range(0, len(starts), width):
                part = arrived[first : first + width]
                filled = np.concatenate([part, np.repeat(part[:1], width - len(part), 0)])
                for whole, piece in zip(polished, newton(filled, u), strict=True):
                    whole[first : first + width] = np.asarray(piece)[: len(part)]
        kept = (polished[1] <= fixed_speed) | (polished[2] <= flat) | ~(slope <= flat)
        return Found(
            state=np.where(kept[:, None], polished[0], arrived),
            speed=np.where(kept, polished[1], speed),
            slope=np.where(kept, polished[2], slope),
        )

    return search


def _solve(matrix: jax.Array, vector: jax.Array) -> jax.Array:
    """Solution of a symmetric system; NaN where it is not positive definite."""
    return linalg.cho_solve(linalg.cho_factor(matrix, lower=True), vector)


def _newton(field: Callable[[Any], Any], start: jax.Array) -> tuple[jax.Array, jax.Array, jax.Array]:
    """State, ‖g‖ and ‖Gᵀg‖ after as many Newton steps as lower ‖g‖."""
    measure = value_and_transposed_jacobian(field)

    def step(carry: tuple[Any, ...]) -> tuple[Any, ...]:
        count, state, value, jacobian, _ = carry
        factors = linalg.lu_factor(jacobian)
        pivots = jnp.abs(jnp.diagonal(factors[0]))
        moved = state - linalg.lu_solve(factors, value, trans=1)
        after, slope = measure(moved)
        better = (pivots.min() > SINGULAR * pivots.max()) & (after @ after < value @ value)
        return (
            count + 1,
            jnp.where(better, moved, state),
            jnp.where(better, after, value),
            jnp.where(better, slope, jacobian),
            better,
        )

    first = (0, start, *measure(start), True)
    _, state, value, jacobian, _ = jax.lax.while_loop(lambda c: c[4] & (c[0] < POLISH_STEPS), step, first)
    return state, jnp.linalg.norm(value), jnp.linalg.norm(jacobian @ value)


def _flow(
    advance: Callable[..., tuple[_Slots, jax.Array]],
    starts: np.ndarray,
    u: np.ndarray | None,
    width: int,
    n_iter: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Move all starts, ``width`` at a time; the next one takes the place of one that arrived."""
    count, size = starts.shape
    state, speed, slope = starts.copy(), np.full(count, np.nan), np.full(count, np.nan)
    owner, age, waiting = np.full(width, -1), np.zeros(width, int), 0
    slots = _Slots(
        jnp.zeros((width, size)),
        jnp.zeros((width, size, size)),
        jnp.zeros((width, size)),
        jnp.zeros(width),
        jnp.ones(width),
    )
    while True:
        free = np.flatnonzero(owner < 0)[: count - waiting]
        owner[free] = np.arange(waiting, waiting + free.size)
        waiting += free.size
        busy = np.flatnonzero(owner >= 0)
        if not busy.size:
            return state, speed, slope
        if busy.size <= FEW < owner.size and size >= SMALL:
            chosen = np.concatenate([busy, np.zeros(FEW - busy.size, int)])
            slots = _Slots(*(part[chosen] for part in slots))
            owner, age = np.where(np.arange(FEW) < busy.size, owner[chosen], -1), age[chosen]
            free = np.flatnonzero(np.isin(busy, free))
            busy = np.arange(busy.size)
        fresh = np.zeros(owner.size, bool)
        fresh[free] = True
        slots, ended = advance(slots, starts[np.maximum(owner, 0)], fresh, u)
        age = np.where(fresh, 0, age + 1)
        leaving = busy[(np.asarray(ended) | (age >= n_iter))[busy]]
        if leaving.size:
            state[owner[leaving]] = np.asarray(slots.state)[leaving]
            energy = np.asarray(slots.energy)[leaving]
            speed[owner[leaving]] = np.sqrt(energy)
            gradient = np.linalg.norm(np.asarray(slots.slope)[leaving], axis=1)
            slope[owner[leaving]] = np.where(np.isfinite(energy), gradient, np.nan)
            owner[leaving] = -1
