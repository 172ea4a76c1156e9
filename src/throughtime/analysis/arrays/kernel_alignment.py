"""How far learning turned a kernel: lazy where it stays what it was, rich where it does not."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.analysis.arrays.checks import DegenerateError, finite

MAX_ROWS = 5000
FLAT = 1e-13
"""Share of its length below which what centring leaves of an array is rounding."""


class KernelAlignment(NamedTuple):
    """Alignment of two kernels over the same rows: 1 where one is a multiple of the other.

    Attributes:
        alignment: as they are. alignment_centred: both centred, so that what all rows share does not count.
        num_rows: rows of the kernels.
    """

    alignment: float
    alignment_centred: float
    num_rows: int


def kernel_alignment(features: np.ndarray, start: np.ndarray, *, axis: int = -1) -> KernelAlignment:
    """Cosine tr(K K₀)/(‖K‖‖K₀‖) of the kernels K = FFᵀ and K₀ = F₀F₀ᵀ.

    With F the activity of trials at one time, K is the kernel of the representation. With F = J_θ, the
    derivatives of outputs by parameters (:func:`jacobian`), it is the tangent kernel, which tells how a step
    along the gradient of one output moves another; lazy learning keeps it. Centred kernels are those of
    features minus their mean over rows.

    Args:
        features: after learning, features (units, parameters) on ``axis``, rows on all others. start: before;
            it may have other features, but the same rows.
        axis: of features.

    Raises:
        ValueError: for non-finite features, fewer than 2 or more than 5000 rows, rows that differ in number,
            or rows that are all zero or all the same.

    Source: tangent kernel, Jacot et al. 2018, NeurIPS; lazy training, Chizat et al. 2019, NeurIPS; alignment
        of kernels, Cristianini et al. 2001, NIPS; centred, Cortes et al. 2012, J. Mach. Learn. Res. 13:795.

    Example:
        >>> found = kernel_alignment(np.diag([1.0, 1.0, 0.0]), np.diag([1.0, 0.0, 0.0]))
        >>> round(found.alignment, 4), round(found.alignment_centred, 4)
        (0.7071, 0.7906)
    """
    after, before = (_rows(name, each, axis) for name, each in (("features", features), ("start", start)))
    if len(after) != len(before):
        raise ValueError(f"start: {len(before)} rows, features have {len(after)}; use the same trials.")
    plain = [_scaled(name, each) for name, each in (("features", after), ("start", before))]
    centred = [_centred(name, each) for name, each in zip(("features", "start"), plain, strict=True)]
    return KernelAlignment(_cosine(*plain), _cosine(*centred), len(after))


def jacobian(
    outputs: Callable[[Any, Any], Any],
    params: Mapping[str, Any],
    inputs: np.ndarray,
    *,
    entering: tuple[str, ...] | None = None,
) -> np.ndarray:
    """Derivatives J (trial, output, parameter) of outputs by parameters, the features of the tangent kernel.

    All is kept at once: 8 bytes an entry.

    Args:
        outputs: outputs of one trial, of any shape, from parameters and its input, traceable by JAX: float64
            in and out.
        params: name -> array. inputs: (trial, …).
        entering: names of the parameters by which to differentiate, the others held; all if not given.

    Raises:
        ValueError: for non-finite parameters or inputs, names that are no parameters, more than 5000 rows, or
            outputs that are not float64.

    Example:
        >>> def outputs(p, x):
        ...     return p["w"] * x
        >>> jacobian(outputs, {"w": 3.0}, np.array([1.0, 2.0])).ravel()
        array([1., 2.])
    """
    return prepare(outputs, entering=entering)(params, inputs)


def prepare(
    outputs: Callable[[Any, Any], Any], *, entering: tuple[str, ...] | None = None
) -> Callable[[Mapping[str, Any], np.ndarray], np.ndarray]:
    """:func:`jacobian` at many parameters: a function (params, inputs), compiled once."""

    def derivatives(moving: Any, held: Any, inputs: jax.Array) -> Any:
        def one(x: jax.Array) -> Any:
            def flat(moving: Any) -> jax.Array:
                return jnp.ravel(outputs({**held, **moving}, x))

            rows = jax.jacrev(flat)(moving)
            return jnp.concatenate([rows[name].reshape(rows[name].shape[0], -1) for name in moving], axis=1)

        return jax.lax.map(one, inputs, batch_size=16)

    compiled = jax.jit(derivatives)

    def measure(params: Mapping[str, Any], inputs: np.ndarray) -> np.ndarray:
        names = tuple(sorted(params)) if entering is None else tuple(entering)
        unknown = sorted(set(names) - set(params))
        if unknown or not names:
            raise ValueError(f"entering: {unknown or 'no name'}; the parameters are {sorted(params)}.")
        with jax.enable_x64(True):
            double = {name: jnp.asarray(finite(f"params: {name}", value)) for name, value in params.items()}
            given = jnp.asarray(finite("inputs", inputs))
            if not given.ndim:
                raise ValueError("inputs: a single number; pass one input a trial, (trial, …).")
            told = jax.eval_shape(outputs, double, given[0])
            if told.dtype != jnp.float64:
                raise ValueError(f"outputs: {told.dtype} from float64 parameters and inputs; drop the cast.")
            _refuse_many(len(given) * told.size)
            moving = {name: double[name] for name in names}
            held = {name: value for name, value in double.items() if name not in moving}
            return np.asarray(compiled(moving, held, given))

    return measure


def relative_change(params: Mapping[str, Any], start: Mapping[str, Any]) -> dict[str, float]:
    """‖θ − θ₀‖/‖θ₀‖ by name, and of all parameters as one vector under ``"all"``; NaN where θ₀ is zero.

    Example:
        >>> relative_change({"w": [3.0, 4.0], "b": [4.0]}, {"w": [0.0, 4.0], "b": [0.0]})
        {'w': 0.75, 'b': nan, 'all': 1.25}
    """
    after = {name: finite(f"params: {name}", value).ravel() for name, value in params.items()}
    before = {name: finite(f"start: {name}", start[name]).ravel() for name in params}
    for each in (after, before):
        each["all"] = np.concatenate(list(each.values()))
    sizes = {name: float(np.linalg.norm(value)) for name, value in before.items()}
    return {
        name: float(np.linalg.norm(value - before[name])) / sizes[name] if sizes[name] > 0 else np.nan
        for name, value in after.items()
    }


def _rows(name: str, features: np.ndarray, axis: int) -> np.ndarray:
    found = finite(name, features)
    if found.ndim < 2:
        raise ValueError(f"{name}: shape {found.shape}; pass rows and features, such as (trial, unit).")
    moved = np.moveaxis(found, axis, -1)
    rows = moved.reshape(-1, moved.shape[-1])
    if len(rows) < 2 or not rows.size:
        raise ValueError(f"{name}: {len(rows)} rows of {rows.shape[1]} features; use at least 2 rows of 1.")
    _refuse_many(len(rows))
    return rows


def _refuse_many(count: int) -> None:
    if count > MAX_ROWS:
        raise ValueError(
            f"features: {count} rows; a kernel has at most {MAX_ROWS}: take fewer trials or outputs."
        )


def _scaled(name: str, rows: np.ndarray) -> np.ndarray:
    """Of length 1, which the alignment does not see."""
    largest = np.abs(rows).max()
    if not largest > 0:
        raise DegenerateError(f"{name}: all 0; their kernel points nowhere.")
    rows = rows / largest
    return rows / np.linalg.norm(rows)


def _centred(name: str, rows: np.ndarray) -> np.ndarray:
    centred = rows - rows.mean(0)
    if not np.linalg.norm(centred) > FLAT:
        raise DegenerateError(f"{name}: zero variance over rows; the centred kernel points nowhere.")
    return centred


def _cosine(one: np.ndarray, other: np.ndarray) -> float:
    """Of one oneᵀ and other otherᵀ, by whichever product is smaller."""
    if one.shape[1] + other.shape[1] <= len(one):
        inner, first, second = ((a.T @ b) for a, b in ((one, other), (one, one), (other, other)))
        value = np.sum(inner**2) / np.linalg.norm(first) / np.linalg.norm(second)
    else:
        kernel, start = one @ one.T, other @ other.T
        value = np.sum(kernel * start) / np.linalg.norm(kernel) / np.linalg.norm(start)
    return float(min(value, 1.0))
