"""How fast deviations of every direction grow or shrink along a trajectory: Lyapunov exponents."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.analysis.arrays import checks, steps
from throughtime.analysis.arrays.blas import single_threaded

STATUS = ("computed", "diverged", "singular")
"""Meanings of :attr:`LyapunovSpectrum.status`, in the order of its codes."""


class LyapunovSpectrum(NamedTuple):
    """Exponents along one trajectory.

    Attributes:
        exponent: (direction,) 1/ms, descending.
        kaplan_yorke: dimension; NaN where the exponents asked for do not determine it.
        mean_log_det: 1/ms, mean of ln|det J| over dt; NaN unless all exponents are asked for.
        final_state: (state,) after the last step.
        status: code in :data:`STATUS`.
    """

    exponent: np.ndarray
    kaplan_yorke: float
    mean_log_det: float
    final_state: np.ndarray
    status: int


def lyapunov_spectrum(
    step: steps.Step,
    start: np.ndarray,
    *,
    dt: float,
    inputs: np.ndarray | None = None,
    num_steps: int = 20_000,
    burn_in: int = 2_000,
    qr_every: int = 1,
    num_exponents: int | None = None,
    seed: int = 0,
) -> LyapunovSpectrum:
    """Lyapunov exponents of s_{t+1} = step(s_t, u_t) by repeated QR decomposition.

        Q_{t+1} R_{t+1} = J_t Q_t,   λ_i = Σ_t ln|R_t,ii| / (n dt),   J_t = ∂step/∂s at s_t, u_t

    J_t Q_t are directional derivatives, so J_t itself is never made. A positive λ_1 is chaos, 0 a neutral
    direction, as along a limit cycle or a line attractor. The Kaplan–Yorke dimension is
    j + Σ_{i≤j} λ_i / |λ_{j+1}| with j the last number of exponents whose sum is not negative; an exponent
    that is 0 in truth comes out a little to either side, and the dimension with it. The sum of all exponents
    is the mean of ln|det J|, the rate at which volumes grow.

    Args:
        step: next state from a state (state,), or from a state and an input (input,), noise-free, for JAX to
            trace, float64 in and out; parameters are bound by closure.
        start: (state,), one that the circuit goes through: from an unstable fixed point it would never leave.
        dt: ms. inputs: (time, input) where ``step`` takes one; those beyond ``burn_in + num_steps`` are not
            used.
        num_steps: n, over which exponents are taken.
        burn_in: steps before that, in which the state reaches its attractor and Q turns to the directions of
            the exponents.
        qr_every: steps from one decomposition to the next; more is faster, until directions collapse.
        num_exponents: how many, from the largest; all if not given.
        seed: of the directions at the start, random so that they miss no subspace.

    Returns:
        Where the state or a derivative stops being finite the status is 1 and all else NaN. Where J is
        singular the status is 2 and one exponent −∞ for each direction that is lost; so it is where
        ``qr_every`` is so large that float64 cannot tell directions apart.

    Raises:
        ValueError: for a start or inputs that are not finite, inputs missing or shorter than
            ``burn_in + num_steps``, dt that is not positive, numbers of steps that are not multiples of
            ``qr_every``, more exponents than states, or a step that returns another shape or float32.

    Source: Benettin et al. 1980, Meccanica 15:9 and 15:21; dimension, Kaplan & Yorke 1979, Lect. Notes Math.
        730:204; in recurrent networks, Engelken, Wolf & Abbott 2023, Phys. Rev. Research 5:043044.

    Example:
        >>> found = lyapunov_spectrum(
        ...     lambda s: s * jnp.array([0.9, 0.5]), np.ones(2), dt=1.0, num_steps=200, burn_in=100)
        >>> np.exp(found.exponent).round(9), float(np.exp(found.mean_log_det).round(9)), found.kaplan_yorke
        (array([0.9, 0.5]), 0.45, 0.0)
    """
    measure = prepare(
        step, dt=dt, num_steps=num_steps, burn_in=burn_in, qr_every=qr_every, num_exponents=num_exponents,
        seed=seed,
    )  # fmt: skip
    return measure(start, inputs)


def prepare(
    step: steps.Step,
    *,
    dt: float,
    num_steps: int = 20_000,
    burn_in: int = 2_000,
    qr_every: int = 1,
    num_exponents: int | None = None,
    seed: int = 0,
) -> Callable[..., LyapunovSpectrum]:
    """:func:`lyapunov_spectrum` from many starts, under many inputs: a function of both, compiled once."""
    dt = steps.step_size(dt)
    _refuse_numbers(num_steps, burn_in, qr_every)
    total = burn_in + num_steps

    @jax.jit
    def run(state: jax.Array, directions: jax.Array, inputs: Any) -> tuple[jax.Array, jax.Array]:
        return _logarithms(step, state, directions, inputs, total // qr_every, qr_every)

    def measure(start: np.ndarray, inputs: np.ndarray | None = None) -> LyapunovSpectrum:
        start = checks.finite("start", start)
        if start.ndim != 1 or not start.size:
            raise ValueError(f"start: shape {start.shape}; pass one state, (state,).")
        count = start.size if num_exponents is None else num_exponents
        if not 1 <= count <= start.size:
            raise ValueError(
                f"num_exponents: {count} of a state of {start.size} components; use 1 to {start.size}."
            )
        given = None if inputs is None else _long_enough(inputs, total)
        steps.refuse(steps.two_arguments(step, given), start, None if given is None else given[0])
        random = np.random.default_rng(seed).standard_normal((start.size, count))
        with jax.enable_x64(True), single_threaded():
            blocks = None if given is None else given.reshape(-1, qr_every, given.shape[1])
            final, logs = run(jnp.asarray(start), jnp.asarray(np.linalg.qr(random)[0]), blocks)
            final, kept = np.asarray(final), np.asarray(logs)[burn_in // qr_every :]
        return _summary(final, kept, num_steps * dt)

    return measure


def kaplan_yorke(exponent: np.ndarray, *, complete: bool = True) -> float:
    """Kaplan–Yorke dimension of descending exponents.

    Args:
        exponent: (direction,). complete: whether these are all there are.

    Returns:
        0 where the largest is negative, the number of exponents where all of them sum to 0 or more; NaN for
        exponents that are NaN, or among which those that would decide are missing.

    Example:
        >>> kaplan_yorke(np.array([1.0, 0.0, -4.0])), kaplan_yorke(np.array([-1.0, -np.inf]))
        (2.25, 0.0)
        >>> kaplan_yorke(np.array([1.0, 0.0]), complete=False)
        nan
    """
    if np.isnan(exponent).any():
        return np.nan
    sums = np.cumsum(exponent)
    negative = np.flatnonzero(sums < 0)
    if not negative.size:
        return float(exponent.size) if complete else np.nan
    last = int(negative[0])
    return last + float(sums[last - 1] / abs(exponent[last])) if last else 0.0


def _logarithms(
    step: steps.Step, state: jax.Array, directions: jax.Array, inputs: Any, num_blocks: int, length: int
) -> tuple[jax.Array, jax.Array]:
    """The last state, and (block, direction) ln|R_ii| of every decomposition."""

    def advance(carry: tuple[jax.Array, jax.Array], u: Any) -> tuple[tuple[jax.Array, jax.Array], None]:
        state, spread = carry
        after, push = jax.linearize(lambda s: step(s) if u is None else step(s, u), state)
        return (after, jax.vmap(push, in_axes=1, out_axes=1)(spread)), None

    def block(carry: tuple[jax.Array, jax.Array], u: Any) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        (state, spread), _ = jax.lax.scan(advance, carry, u, length=length)
        size = jnp.sqrt((spread**2).sum(0)).max()
        finite = jnp.isfinite(size) & jnp.isfinite(state).all()
        turned, triangle = jnp.linalg.qr(jnp.where(finite, spread, jnp.eye(spread.shape[0], spread.shape[1])))
        growth = jnp.abs(jnp.diagonal(triangle))
        lost = growth <= state.size * jnp.finfo(growth.dtype).eps * size
        logs = jnp.where(lost, -jnp.inf, jnp.log(jnp.where(lost, 1.0, growth)))
        return (state, turned), jnp.where(finite, logs, jnp.nan)

    (state, _), logs = jax.lax.scan(block, (state, directions), inputs, length=num_blocks)
    return state, logs


def _summary(final: np.ndarray, logs: np.ndarray, duration: float) -> LyapunovSpectrum:
    exponent = np.sort(logs.sum(0) / duration)[::-1]
    complete = exponent.size == final.size
    if np.isnan(exponent).any() or not np.isfinite(final).all():
        nothing = np.full_like(exponent, np.nan)
        return LyapunovSpectrum(nothing, np.nan, np.nan, np.full_like(final, np.nan), 1)
    return LyapunovSpectrum(
        exponent=exponent,
        kaplan_yorke=kaplan_yorke(exponent, complete=complete),
        mean_log_det=float(exponent.sum()) if complete else np.nan,
        final_state=final,
        status=2 if np.isneginf(exponent).any() else 0,
    )


def _refuse_numbers(num_steps: int, burn_in: int, qr_every: int) -> None:
    for name, value, least in (
        ("num_steps", num_steps, 1),
        ("burn_in", burn_in, 0),
        ("qr_every", qr_every, 1),
    ):
        if value < least:
            raise ValueError(f"{name}: {value}; use at least {least}.")
    for name, value in (("num_steps", num_steps), ("burn_in", burn_in)):
        if value % qr_every:
            raise ValueError(
                f"{name}: {value} is not a multiple of qr_every = {qr_every}; use {value - value % qr_every} "
                f"or {value - value % qr_every + qr_every}."
            )


def _long_enough(inputs: np.ndarray, total: int) -> np.ndarray:
    inputs = checks.finite("inputs", inputs)
    if inputs.ndim != 2:
        raise ValueError(f"inputs: shape {inputs.shape}; pass those of one trajectory, (time, input).")
    if len(inputs) < total:
        raise ValueError(
            f"inputs: {len(inputs)} steps, burn_in + num_steps are {total}; pass longer inputs or ask for "
            "fewer steps."
        )
    return inputs[:total]
