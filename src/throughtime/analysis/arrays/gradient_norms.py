"""How gradients shrink or grow on their way back in time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from throughtime.analysis.arrays import checks, regression

State = Any  # (state,) or a dict of such


class GradientNorms(NamedTuple):
    """Gradients of one trial of ``T`` steps.

    Attributes:
        lag: (lag,) ms before the last state.
        jacobian_norm: (lag,) spectral norm ‖∂h_T/∂h_t‖₂ at lag (T − t)·dt; 1 at lag 0.
        slope: 1/ms, slope of ln ‖∂h_T/∂h_t‖₂ over lag: negative where gradients vanish, positive where
            they explode.
        num_left_out: norms without a finite logarithm, which the slope leaves out.
        loss_gradient_norm: (time,) ‖∂L/∂h_t‖ of the state after each step.
        loss_gradient_slope, num_left_out_loss_gradient: the same two of ‖∂L/∂h_t‖ over its lag (T − t)·dt.
        diverged: whether a state became NaN or infinite; all norms and slopes are then NaN.
    """

    lag: np.ndarray
    jacobian_norm: np.ndarray
    slope: float
    num_left_out: int
    loss_gradient_norm: np.ndarray
    loss_gradient_slope: float
    num_left_out_loss_gradient: int
    diverged: bool


def gradient_norms(
    step: Callable[[State, Any], State],
    start: State,
    inputs: np.ndarray,
    loss: Callable[..., Any],
    *,
    dt: float,
    targets: Sequence[np.ndarray] = (),
    valid: np.ndarray | None = None,
    lags: np.ndarray | None = None,
) -> GradientNorms:
    """Norms of the gradients by the state h_t of h_t = step(h_{t−1}, x_t), and their slopes over lag.

    The gradient of the loss, ∂L/∂h_t, is its derivative at δ = 0 by a perturbation δ_t added to every
    state, all by one backward pass. The Jacobian is the ordered product

        ∂h_T/∂h_t = J_T J_{T−1} … J_{t+1},   J_k = ∂h_k/∂h_{k−1},

    built from the left in one scan, one vector-Jacobian product a row. It is rescaled at every step and
    its scale summed as a logarithm, so ``slope`` does not depend on what float64 can hold, although
    ``jacobian_norm`` itself becomes 0 or infinite beyond 1e∓308; the loss gradient is not rescaled. A norm
    of 0 (silent rectified units, a time after the last one the loss reads) has no logarithm: it is left
    out of the slope and counted, as are infinite ones. With fewer than 2 norms left the slope is NaN.
    Slopes are least squares over all lags, lag 0 included, with equal weights.

    Args:
        step: next state from a state and an input (input,), noise-free, traceable by JAX, float64 in and
            out. Parameters are bound by closure.
        start: state before the first step: (state,), or a dict of such arrays, which count as one vector.
        inputs: (time, input).
        loss: scalar from the states after each step, (time, state) or a dict of such, and ``targets``.
        dt: step, ms. targets: further arrays for ``loss``.
        valid: (time,) bool, False after the end of the trial. The state stands still there, T is the last
            step of the trial, and results are NaN beyond it. All True by default.
        lags: (lag,) ms, increasing multiples of dt up to the start's lag, T·dt; all of them by default.
            Each costs a singular value decomposition; the products between them cost less.

    Raises:
        ValueError: for non-finite or empty inputs, fewer than 2 steps, dt that is not positive, a state of
            another size or type than the step returns, a step or loss that returns float32, a loss that
            is not a scalar, or lags that are no multiples of dt.

    Source: Pascanu, Mikolov & Bengio 2013, ICML (PMLR 28:1310); Bengio, Simard & Frasconi 1994, IEEE
    Trans. Neural Netw. 5:157. Slopes and rescaling are ours.

    Example:
        >>> def step(state, x):
        ...     return 0.9 * state + x
        >>> result = gradient_norms(step, np.zeros(1), np.ones((20, 1)), lambda h: h[-1, 0] ** 2, dt=10.0)
        >>> round(float(result.jacobian_norm[-1]), 10), round(result.slope, 6)  # 0.9**20, ln(0.9)/10
        (0.1215766546, -0.010536)
    """
    return prepare(step, loss, dt=dt, lags=lags)(start, inputs, targets, valid)


def prepare(
    step: Callable[[State, Any], State],
    loss: Callable[..., Any],
    *,
    dt: float,
    lags: np.ndarray | None = None,
) -> Callable[..., GradientNorms]:
    """:func:`gradient_norms` of many trials: a function (start, inputs, targets, valid), compiled once."""
    if not (np.isfinite(dt) and dt > 0):
        raise ValueError(f"dt: {dt!r} ms is not a positive number; pass the length of a step in ms.")
    measure = jax.jit(lambda *given: _measure(step, loss, *given))

    def one(
        start: State, inputs: np.ndarray, targets: Sequence[np.ndarray] = (), valid: np.ndarray | None = None
    ) -> GradientNorms:
        inputs = _inputs(inputs)
        num_steps = len(inputs)
        here = _valid(valid, num_steps)
        length = int(here.sum())
        back = steps_back(lags, dt, num_steps)
        reached = back <= length
        place = num_steps - length + back[reached]  # the scan begins at the end of the padding
        wanted = np.isin(np.arange(1, num_steps + 1), place)
        with jax.enable_x64(True):
            begin = jax.tree.map(_start, start)
            given = tuple(jnp.asarray(target) for target in targets)
            _check(step, loss, begin, jnp.asarray(inputs), given)
            states, gradient, logs = map(np.asarray, measure(begin, inputs, given, here, wanted))
        diverged = not np.isfinite(states[:length]).all()
        loss_norm, log_norm = np.full(num_steps, np.nan), np.full(len(back), np.nan)
        if not diverged:
            loss_norm[:length] = _norms(gradient[:length])
            log_norm[reached] = np.append(0.0, logs)[place]
        with np.errstate(divide="ignore", over="ignore"):
            log_loss, norm = np.log(loss_norm[:length]), np.exp(log_norm)
        slope, num_left_out = _slope(back[reached] * dt, log_norm[reached])
        loss_slope, num_loss_left_out = _slope((length - 1 - np.arange(length)) * dt, log_loss)
        return GradientNorms(
            lag=back * dt,
            jacobian_norm=norm,
            slope=slope,
            num_left_out=num_left_out,
            loss_gradient_norm=loss_norm,
            loss_gradient_slope=loss_slope,
            num_left_out_loss_gradient=num_loss_left_out,
            diverged=diverged,
        )

    return one


def _measure(
    step: Callable[[State, Any], State],
    loss: Callable[..., Any],
    start: State,
    inputs: jax.Array,
    targets: tuple[jax.Array, ...],
    valid: jax.Array,
    wanted: jax.Array,
) -> tuple[jax.Array, jax.Array, jax.Array]:
    """States and ∂L/∂h_t, both (time, state), and where wanted ln ‖∂h_T/∂h_t‖ 1, 2, … steps from the end."""
    first, rebuild = ravel_pytree(start)

    def advance(state: jax.Array, x: jax.Array, here: jax.Array) -> jax.Array:
        return jnp.where(here, ravel_pytree(step(rebuild(state), x))[0], state)

    def unroll(perturbation: jax.Array) -> jax.Array:
        def body(state: jax.Array, now: tuple[jax.Array, ...]) -> tuple[jax.Array, jax.Array]:
            x, here, delta = now
            state = advance(state, x, here) + delta
            return state, state

        return jax.lax.scan(body, first, (inputs, valid, perturbation))[1]

    def outcome(perturbation: jax.Array) -> tuple[jax.Array, jax.Array]:
        states = unroll(perturbation)
        return loss(jax.vmap(rebuild)(states), *targets), states

    gradient, states = jax.grad(outcome, has_aux=True)(jnp.zeros((len(inputs), first.size)))

    def back(
        carry: tuple[jax.Array, jax.Array], now: tuple[jax.Array, ...]
    ) -> tuple[tuple[jax.Array, jax.Array], jax.Array]:
        product, log_scale = carry
        before, x, here, asked = now
        pull = jax.vjp(lambda state: advance(state, x, here), before)[1]
        product = jax.vmap(pull)(product)[0]  # row by row: J_T … J_{t+1}, times J_t from the right
        size = jnp.abs(product).max()
        size = jnp.where(size > 0, size, 1.0)
        product, log_scale = product / size, log_scale + jnp.log(size)
        log_norm = jax.lax.cond(
            asked & jnp.isfinite(product).all(),
            lambda matrix: jnp.log(jnp.linalg.norm(matrix, 2)),
            lambda matrix: jnp.nan,
            product,
        )
        return (product, log_scale), log_scale + log_norm

    before = jnp.concatenate([first[None], states[:-1]])
    _, logs = jax.lax.scan(
        back, (jnp.eye(first.size), jnp.zeros(())), (before, inputs, valid, wanted[::-1]), reverse=True
    )
    return states, gradient, logs[::-1]


def _norms(vectors: np.ndarray) -> np.ndarray:
    """Norm of each row, scaled so that no square underflows."""
    largest = np.abs(vectors).max(1)
    scale = np.where((largest > 0) & np.isfinite(largest), largest, 1.0)
    return scale * np.linalg.norm(vectors / scale[:, None], axis=1)


def _slope(lag: np.ndarray, log_norm: np.ndarray) -> tuple[float, int]:
    there = np.isfinite(log_norm)
    return regression.line(lag[there], log_norm[there]).slope, int(np.sum(~there))


def _inputs(inputs: np.ndarray) -> np.ndarray:
    inputs = checks.finite("inputs", inputs)
    if inputs.ndim != 2:
        raise ValueError(f"inputs: shape {inputs.shape}; pass one trial, (time, input).")
    return inputs


def _valid(valid: np.ndarray | None, num_steps: int) -> np.ndarray:
    here = np.ones(num_steps, bool) if valid is None else np.asarray(valid)
    if here.shape != (num_steps,) or here.dtype != bool:
        raise ValueError(f"valid: {here.dtype} of shape {here.shape}; use booleans of shape ({num_steps},).")
    length = int(here.sum())
    if not here[:length].all():
        raise ValueError("valid: False before the last True; a trial starts at step 0 and has no gaps.")
    if length < 2:
        raise ValueError(f"inputs: {length} steps in the trial; use at least 2.")
    return here


def steps_back(lags: np.ndarray | None, dt: float, num_steps: int) -> np.ndarray:
    """``lags`` in steps, or 0 … ``num_steps`` if not given.

    Example:
        >>> steps_back(np.array([0.0, 40.0]), 20.0, 5)
        array([0, 2])
    """
    if lags is None:
        return np.arange(num_steps + 1)
    lags = checks.vector("lags", checks.finite("lags", lags))
    back = np.round(lags / dt).astype(int)
    sound = lags.size > 0 and np.allclose(back * dt, lags, rtol=1e-6, atol=1e-6 * dt)
    if not (sound and back[0] >= 0 and back[-1] <= num_steps and (np.diff(back) > 0).all()):
        raise ValueError(
            f"lags: {lags[:4].tolist()} … ms; use increasing multiples of dt = {dt:g} ms from 0 to "
            f"{num_steps * dt:g} ms."
        )
    return back


def _start(leaf: Any) -> jax.Array:
    values = checks.finite("start", leaf)
    if values.ndim != 1:
        raise ValueError(f"start: shape {values.shape}; pass the state of one trial, (state,).")
    return jnp.asarray(values)


def _check(
    step: Callable[[State, Any], State],
    loss: Callable[..., Any],
    start: State,
    inputs: jax.Array,
    targets: tuple[jax.Array, ...],
) -> None:
    """Refuse a step or a loss of another structure, shape or precision, before anything is compiled."""
    shapes = jax.tree.map(jnp.shape, start)
    try:
        after = jax.eval_shape(step, start, inputs[0])
    except (TypeError, ValueError, LookupError) as refusal:
        raise ValueError(
            f"start: step does not take a state of shape {shapes} and an input of shape {inputs.shape[1:]}; "
            f"pass the state before the first step. It says: {refusal}"
        ) from refusal
    returned = jax.tree.map(jnp.shape, after)
    if returned != shapes:
        raise ValueError(f"step: returns a state of shape {returned}, got {shapes}; make start match it.")
    kinds = {str(leaf.dtype) for leaf in jax.tree.leaves(after)} - {"float64"}
    if kinds:
        raise ValueError(f"step: returns {', '.join(sorted(kinds))} for a float64 state; drop the cast.")
    states = jax.tree.map(lambda leaf: jax.ShapeDtypeStruct((len(inputs), *leaf.shape), leaf.dtype), start)
    value = jax.eval_shape(loss, states, *targets)
    if jnp.shape(value) != () or value.dtype != jnp.float64:
        raise ValueError(
            f"loss: returns {value.dtype} of shape {jnp.shape(value)}; return one float64 number."
        )
