"""Where a circuit stands still, and where it is slow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.analysis.arrays import checks, levenberg_marquardt, steps
from throughtime.analysis.arrays.blas import single_threaded

FLAT = 1e-8
"""Largest ‖Gᵀg‖ of a slow point."""
ROUNDING = 1e-8
"""Step eigenvalues no further beyond the unit circle count as on it."""
KINDS = ("fixed", "slow")
TOGETHER = 64  # points whose Jacobians are computed in one call


class FixedPoints(NamedTuple):
    """Points that the starts led to: fixed ones first, then those with fewer unstable directions.

    Attributes:
        location: (point, state).
        speed: (point,) ‖(F(s) − s)/α‖, state units per τ.
        kind: (point,) 0 fixed, 1 slow.
        n_starts: (point,) starts that led there.
        condition_number: (point,) of G, infinite where it is singular, NaN where G is not finite: large
            where points lie close together or along a line, and location is then known less well than
            speed.
        distance_to_data: (point,) to the nearest state of the data.
        step_eig: (point, mode) complex, eigenvalues of the Jacobian of the step, largest in size first.
        n_unstable: (point,) of these beyond the unit circle.
        period2: (point,) whether a real one is below −1: what looks unstable may be a cycle of two states.
        period: (point,) steps after which the state returns: 1, or 2 on a cycle of two states.
        unstable_direction: (point, direction, state) unit vectors: real and imaginary parts of the
            eigenvectors whose eigenvalues are furthest beyond the unit circle; NaN where there are no more.
        num_unclassified: starts that ended neither at a fixed nor at a slow point.
    """

    location: np.ndarray
    speed: np.ndarray
    kind: np.ndarray
    n_starts: np.ndarray
    condition_number: np.ndarray
    distance_to_data: np.ndarray
    step_eig: np.ndarray
    n_unstable: np.ndarray
    period2: np.ndarray
    period: np.ndarray
    unstable_direction: np.ndarray
    num_unclassified: int


def fixed_points(
    step: steps.Step,
    starts: np.ndarray,
    *,
    alpha: float | np.ndarray | None,
    inputs: np.ndarray | None = None,
    data: np.ndarray | None = None,
    period: int = 1,
    n_iter: int = 500,
    fixed_speed: float = 1e-8,
    slow_speed: float = 0.1,
    unique_tol: float = 1e-3,
    num_directions: int = 2,
) -> FixedPoints:
    """Fixed and slow points of a map F, the step of a circuit under an input that stays.

    From every start ½‖g‖² is minimised by Levenberg–Marquardt steps and a few Newton steps (see
    :mod:`throughtime.analysis.arrays.levenberg_marquardt`), where

        g(s) = (F(s) − s)/α,   G = ∂g/∂s = (J − I)/α,   J = ∂F/∂s,   α = dt/τ.

    ‖g‖ is a speed, in state units per τ, so tolerances do not depend on dt. A point is fixed where the speed
    is at most ``fixed_speed``, and slow where the speed is least, ‖Gᵀg‖ ≤ 1e-8, and at most ``slow_speed``.
    Points within ``unique_tol`` of a slower one are one with it. Points far from the data are kept, with
    their distance. What is found depends on the starts: nothing shows that there are no other points.

    A step eigenvalue below −1 repels by jumping from side to side; what then holds the memory may be a cycle
    of two states. ``period=2`` searches F∘F, with g(s) = (F(F(s)) − s)/2α: it finds the fixed points of F
    again and the two states of every such cycle, and Jacobian and eigenvalues are those of two steps.

    Args:
        step: next state from a state (state,), or from a state and an input (input,), noise-free, for JAX to
            trace, float64 in and out; parameters are bound by closure.
        starts: (start, state), usually about 1000 states that the circuit went through, with noise added.
        alpha: dt/τ, one number or one for each component of the state.
        inputs: (input,) where ``step`` takes one.
        data: (sample, state) states to measure distance to; ``starts`` if not given.
        period: 1, or 2 to search F∘F.
        n_iter: most steps from a start, before the Newton steps.
        fixed_speed, slow_speed: state units per τ. unique_tol: state units.
        num_directions: most unstable directions given for a point.

    Raises:
        ValueError: for non-finite or no starts, data of another size, alpha that is missing, not positive or
            of another size, inputs with a time axis or missing, a step that returns another shape or float32,
            tolerances that are not positive or not in order, or a period that is neither 1 nor 2.

    Source: Sussillo & Barak 2013, Neural Comput. 25:626, who minimise ½‖ds/dt‖². Speeds in units of τ, F∘F
        and the solver are ours.

    Example:
        >>> found = fixed_points(lambda s: s + 0.1 * (2 * jnp.tanh(s) - s), [[-1.0], [0.1], [3.0]], alpha=0.1)
        >>> found.location.round(9).ravel() + 0.0, found.n_unstable
        (array([-1.91500805,  1.91500805,  0.        ]), array([0, 0, 1]))
    """
    search = prepare(
        step, alpha=alpha, period=period, n_iter=n_iter, fixed_speed=fixed_speed, slow_speed=slow_speed,
        unique_tol=unique_tol, num_directions=num_directions,
    )  # fmt: skip
    return search(starts, inputs, data)


def prepare(
    step: steps.Step,
    *,
    alpha: float | np.ndarray | None,
    period: int = 1,
    n_iter: int = 500,
    fixed_speed: float = 1e-8,
    slow_speed: float = 0.1,
    unique_tol: float = 1e-3,
    num_directions: int = 2,
) -> Callable[..., FixedPoints]:
    """:func:`fixed_points` under many inputs: a function (starts, inputs, data), compiled once."""
    if period not in (1, 2):
        raise ValueError(f"period: {period}; use 1 for fixed points, 2 to find cycles of two states too.")
    if n_iter < 1 or num_directions < 0:
        name, value = ("n_iter", n_iter) if n_iter < 1 else ("num_directions", num_directions)
        raise ValueError(f"{name}: {value}; use a larger number.")
    if not (0 < fixed_speed <= slow_speed and unique_tol > 0):
        raise ValueError(
            f"fixed_speed {fixed_speed}, slow_speed {slow_speed}, unique_tol {unique_tol}: use positive "
            "numbers, the first no larger than the second."
        )
    scale = _alpha(alpha) * period

    def advanced(state: Any, u: Any) -> Any:
        for _ in range(period):
            state = step(state) if u is None else step(state, u)
        return state

    def field(state: Any, u: Any) -> Any:
        return (advanced(state, u) - state) / scale

    solve = levenberg_marquardt.prepare(field, n_iter=n_iter, fixed_speed=fixed_speed, flat=FLAT)
    transposed = steps.value_and_transposed_jacobian

    @jax.jit
    def around(points: jax.Array, u: Any) -> tuple[jax.Array, jax.Array]:
        jacobian = jax.vmap(lambda s: transposed(lambda x: advanced(x, u))(s)[1].T)(points)
        once = jax.vmap(lambda s: step(s) if u is None else step(s, u))(points)
        return jacobian, jnp.linalg.norm(once - points, axis=1)

    def search(
        starts: np.ndarray, inputs: np.ndarray | None = None, data: np.ndarray | None = None
    ) -> FixedPoints:
        starts = steps.states("starts", starts)
        size = starts.shape[1]
        if scale.size not in (1, size):
            raise ValueError(
                f"alpha: {scale.size} numbers for {size} components of a state; give one or each."
            )
        data = starts if data is None else steps.states("data", data)
        if data.shape[1] != size:
            raise ValueError(
                f"data: {data.shape[1]} components, starts have {size}; use states of one circuit."
            )
        inputs = steps.constant_input(inputs)
        steps.refuse(steps.two_arguments(step, inputs), starts[0], inputs)
        found = solve(starts, inputs)
        fixed = found.speed <= fixed_speed
        slow = ~fixed & (found.slope <= FLAT) & (found.speed <= slow_speed)
        known = np.flatnonzero(fixed | slow)
        chosen, count = merge(found.state[known], found.speed[known], unique_tol)
        chosen = known[chosen]
        location = found.state[chosen]
        jacobian, moved = _in_parts(around, location, inputs)
        growth = (jacobian - np.eye(size)) / np.broadcast_to(scale, size)[:, None]
        with single_threaded():
            values, vectors = _eigen(jacobian)
            condition = np.array([_condition(each) for each in growth])
        unstable = np.abs(values) > 1 + ROUNDING
        points = FixedPoints(
            location=location,
            speed=found.speed[chosen],
            kind=np.where(fixed[chosen], 0, 1).astype(np.int8),
            n_starts=count,
            condition_number=condition,
            distance_to_data=np.array([np.linalg.norm(data - each, axis=1).min() for each in location]),
            step_eig=values,
            n_unstable=unstable.sum(1),
            period2=((values.imag == 0) & (values.real < -1 - ROUNDING)).any(1),
            period=np.where((period == 2) & (moved > unique_tol), 2, 1).astype(np.int8),
            unstable_direction=_directions(values, vectors, unstable, num_directions),
            num_unclassified=len(starts) - known.size,
        )
        order = np.lexsort((location[:, 0], -points.n_starts, points.n_unstable, points.kind))
        arranged = {name: getattr(points, name)[order] for name in FixedPoints._fields[:-1]}
        return points._replace(**arranged)

    return search


def merge(location: np.ndarray, speed: np.ndarray, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
    """Points that stand for all: the slowest first, each for all the others within ``tolerance`` of it.

    Args:
        location: (point, state). speed: (point,).

    Returns:
        Indices of the points that are left, and how many points each stands for.

    Example:
        >>> merge(np.array([[0.0], [0.4], [9.0], [0.8]]), np.array([2.0, 1.0, 0.0, 3.0]), 0.5)
        (array([2, 1]), array([1, 3]))
    """
    left, chosen, count = np.argsort(speed, kind="stable"), [], []
    while left.size:
        near = np.linalg.norm(location[left] - location[left[0]], axis=1) <= tolerance
        chosen.append(left[0])
        count.append(int(near.sum()))
        left = left[~near]
    return np.array(chosen, int), np.array(count, int)


def _alpha(alpha: float | np.ndarray | None) -> np.ndarray:
    if alpha is None:
        raise ValueError(
            "alpha: missing; pass dt/tau, one number or one for each component of the state, or 1 for speeds "
            "per step where there is no one time constant."
        )
    found = np.atleast_1d(checks.finite("alpha", alpha))
    if found.ndim != 1 or not (found > 0).all():
        raise ValueError(f"alpha: {found[:4].tolist()} of shape {found.shape}; pass dt/tau > 0, (state,).")
    return found


def _in_parts(
    function: Callable[..., tuple[Any, ...]], points: np.ndarray, u: np.ndarray | None
) -> list[np.ndarray]:
    """``function`` of all points, compiled for one size."""
    pieces = []
    width = min(TOGETHER, 1 << (max(len(points), 1) - 1).bit_length())
    with jax.enable_x64(True):
        for first in range(0, max(len(points), 1), width):
            part = points[first : first + width]
            filled = np.concatenate([part, np.zeros((width - len(part), points.shape[1]))])
            pieces.append([np.asarray(each)[: len(part)] for each in function(filled, u)])
    return [np.concatenate(each) for each in zip(*pieces, strict=True)]


def _eigen(jacobian: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eigenvalues (point, mode), largest in size first, and eigenvectors (point, state, mode)."""
    sound = np.isfinite(jacobian).all((1, 2))[:, None, None]  # a derivative may fail where the value does not
    values, vectors = np.linalg.eig(np.where(sound, jacobian, 0.0))
    values, vectors = np.where(sound[..., 0], values, np.nan), np.where(sound, vectors, np.nan)
    order = np.lexsort((-values.imag, -values.real, -np.abs(values)))
    return (
        np.take_along_axis(values, order, 1).astype(complex),
        np.take_along_axis(vectors, order[:, None, :], 2).astype(complex),
    )


def _condition(growth: np.ndarray) -> float:
    return float(np.linalg.cond(growth)) if np.isfinite(growth).all() else np.nan


def _directions(values: np.ndarray, vectors: np.ndarray, unstable: np.ndarray, count: int) -> np.ndarray:
    """(point, direction, state) of the leading unstable eigenvectors; a complex pair gives two of them."""
    found = np.full((len(values), count, values.shape[1]), np.nan)
    for point, own in enumerate(found):
        parts: list[np.ndarray] = []
        for mode in np.flatnonzero(unstable[point] & (values[point].imag >= 0)):
            vector = vectors[point, :, mode]
            turned = vector * np.exp(-0.5j * np.angle(np.sum(vector**2)))  # real ⟂ imaginary part
            parts += [turned.real] if values[point, mode].imag == 0 else [turned.real, turned.imag]
        for place, part in zip(own, parts, strict=False):
            place[:] = part / np.linalg.norm(part)
    return found
