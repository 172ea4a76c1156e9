"""A circuit seen through the few directions its weights write to and read from."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks, deviations
from throughtime.analysis.arrays.simulate import Simulate

STATUS = ("computed", "diverged")
MOST = 10


class Cosines(NamedTuple):
    """Cosines of the angles between singular vectors and between them and other weights.

    Attributes:
        left_right: (component, mode) of left with all right vectors: what feeds back to what.
        left_input, right_input: (component, input). left_readout, right_readout: (component, output).
        input_readout: (input, output). NaN for a vector of length 0, None for weights that were not given.
    """

    left_right: np.ndarray
    left_input: np.ndarray | None
    right_input: np.ndarray | None
    left_readout: np.ndarray | None
    right_readout: np.ndarray | None
    input_readout: np.ndarray | None


class LowRankView(NamedTuple):
    """Truncations of weights to ``rank`` ranks.

    Attributes:
        singular_value: (mode,) of W, or of its change, descending.
        left: (component, unit) u_k, their largest entry positive. right: (component, presynaptic_unit) v_k.
        cosines: of the first ``component`` vectors.
        rank: (rank,). performance: (rank,) of the circuit with truncated weights. performance_share: (rank,)
            share kept. trajectory_error: (rank,) ‖s_R − s‖/‖s‖.
        span_dimension: (rank,) of the subspace. span_share: (rank,) share of ‖s‖² in it.
        reduced_performance, reduced_share, reduced_error: (rank,) likewise, of the dynamics in the subspace.
        status: (rank,) codes in :data:`STATUS`, 1 where either diverged, with NaN in its place.
        full_performance: of the circuit itself.
    """

    singular_value: np.ndarray
    left: np.ndarray
    right: np.ndarray
    cosines: Cosines
    rank: np.ndarray
    performance: np.ndarray
    performance_share: np.ndarray
    trajectory_error: np.ndarray
    span_dimension: np.ndarray
    span_share: np.ndarray
    reduced_performance: np.ndarray
    reduced_share: np.ndarray
    reduced_error: np.ndarray
    status: np.ndarray
    full_performance: float


def lowrank_view(
    weights: np.ndarray,
    simulate: Simulate,
    *,
    before: np.ndarray | None = None,
    input_weights: np.ndarray | None = None,
    readout: np.ndarray | None = None,
    bias: np.ndarray | None = None,
    start: np.ndarray | None = None,
    ranks: Sequence[int] | None = None,
    num_vectors: int | None = None,
    chance: float = 0.0,
) -> LowRankView:
    """Singular vectors of W, what they have to do with input and readout, and how many of them matter.

        W = Σ_k σ_k u_k v_kᵀ,   W_R = Σ_{k≤R} σ_k u_k v_kᵀ,   share_R = (p_R − chance)/(p − chance)

    p_R is the performance with W_R in place of W. With ``before`` all this is of the change Δ = W − W_before,
    and what replaces W is W_before + Δ_R. In circuits of the current form, τ dx/dt = −x + W φ(x) + W_in u +
    b, nothing drives the part of x outside the span of u_1 … u_R, the input vectors, b and x(0), so that with
    W_R the circuit stays in that subspace. The reduced dynamics are those of the circuit itself, W whole,
    projected onto the subspace after each step; with ``before``, what W_before does beyond it is lost too.
    Both equal the circuit where W has no more than R ranks, and else tell what the others add.

    Args:
        weights: (unit, presynaptic_unit). before: likewise, those before learning.
        simulate: runs the circuit with ``weights`` or others, and within a subspace; its states are (…, time,
            unit).
        input_weights: (unit, input). readout: (output, unit). bias: (unit,). start: (unit,) or (trial, unit).
        ranks: R, from 0; by default 0 … 10, or all.
        num_vectors: how many vectors are compared; by default the largest rank.
        chance: performance that counts as none.

    Raises:
        ValueError: for values that are not finite, weights that are not square, zero or unchanged, other
            shapes or vectors of length 0 beside them, ranks out of order, a performance not above ``chance``,
            or a simulation that diverges, is not the same twice, or is not that of ``weights``.

    Source: after Mastrogiuseppe & Ostojic 2018, Neuron 99:609; truncation of learned changes, Schuessler et
        al. 2020, NeurIPS.

    Example:
        >>> from throughtime.analysis.arrays.simulator import simulator
        >>> own = 0.9 * np.outer([0.6, 0.8], [0.6, 0.8])
        >>> run = simulator(
        ...     lambda s, u, w: w @ s + u, np.zeros(2), np.tile([0.6, 0.8], (5, 1)), lambda s: s[-1, 1],
        ...     weights=own)
        >>> found = lowrank_view(own, run, input_weights=np.array([[0.6], [0.8]]))
        >>> found.performance_share[:2].round(3), found.reduced_error.round(9)
        (array([0.244, 1.   ]), array([0., 0., 0.]))
    """
    weights = _square("weights", weights)
    base = np.zeros_like(weights) if before is None else _square("before", before)
    if base.shape != weights.shape:
        raise ValueError(f"before: shape {base.shape}, weights have {weights.shape}; pass the same matrix.")
    size = len(weights)
    change = weights - base
    if not np.abs(change).max() > 0:
        name = "weights: all are 0" if before is None else "before: the weights have not changed"
        raise ValueError(f"{name}; there are no singular vectors to find.")
    chosen = _ranks(ranks, size)
    states, performance = _own(simulate, weights)
    if not performance > chance:
        raise ValueError(
            f"chance: {chance:g}, the performance is {performance:g}; a share needs one above chance, larger "
            "being better."
        )
    left, singular, right = np.linalg.svd(change)
    sign = np.sign(left[np.abs(left).argmax(0), np.arange(size)])
    left, right = (left * sign).T, right * sign[:, None]
    columns: dict[str, Any] = {
        "input_weights": input_weights,
        "readout": None if readout is None else np.transpose(readout),
        "bias": None if bias is None else np.reshape(bias, (-1, 1)),
        "start": None if start is None else np.atleast_2d(start).T,
    }
    given = {name: None if each is None else _columns(name, each, size) for name, each in columns.items()}
    driven = [given[name] for name in ("input_weights", "bias", "start")]
    count = max(int(chosen[-1]), 1) if num_vectors is None else min(num_vectors, size)
    if count < 1:
        raise ValueError(f"num_vectors: {num_vectors}; compare at least 1.")
    rows = [_at_rank(simulate, base, left[:r], singular[:r], right[:r], driven, states) for r in chosen]
    kept, error, dimension, inside, reduced, reduced_error = (
        np.array(each) for each in zip(*rows, strict=True)
    )
    return LowRankView(
        singular_value=singular,
        left=left[:count],
        right=right[:count],
        cosines=_cosines(left[:count], right, given["input_weights"], given["readout"]),
        rank=chosen,
        performance=kept,
        performance_share=(kept - chance) / (performance - chance),
        trajectory_error=error,
        span_dimension=dimension,
        span_share=inside,
        reduced_performance=reduced,
        reduced_share=(reduced - chance) / (performance - chance),
        reduced_error=reduced_error,
        status=(np.isnan(kept) | np.isnan(reduced)).astype(int),
        full_performance=performance,
    )


def span_basis(*parts: np.ndarray | None, size: int) -> np.ndarray:
    """(unit, dimension) orthonormal basis of what the columns of all ``parts`` (unit, …) span.

    Example:
        >>> span_basis(np.eye(3)[:, :1], 2 * np.eye(3)[:, :2], None, size=3).shape
        (3, 2)
    """
    given = [part / _lengths(part) for part in parts if part is not None and part.size]
    if not given:
        return np.zeros((size, 0))
    left, singular, _ = np.linalg.svd(np.concatenate(given, axis=1), full_matrices=False)
    return np.asarray(left[:, singular > 1e-12 * singular[0]])


def _at_rank(
    simulate: Simulate,
    base: np.ndarray,
    left: np.ndarray,
    singular: np.ndarray,
    right: np.ndarray,
    driven: Sequence[np.ndarray | None],
    states: np.ndarray,
) -> tuple[float, float, int, float, float, float]:
    """Performance and error with truncated weights; dimension, share and the same two of the subspace."""
    truncated = base + left.T @ (singular[:, None] * right)
    performance, error = _beside(simulate(weights=truncated), states)
    basis = span_basis(left.T, *driven, size=len(base))
    inside = float(((states @ basis) ** 2).sum() / (states**2).sum())
    reduced, reduced_error = _beside(simulate(basis=basis), states)
    return performance, error, basis.shape[1], inside, reduced, reduced_error


def _beside(found: tuple[np.ndarray, float], states: np.ndarray) -> tuple[float, float]:
    other, performance = found
    with np.errstate(all="ignore"):
        error = float(np.linalg.norm(other - states) / np.linalg.norm(states))
    sound = np.isfinite(error) and np.isfinite(performance)
    return (float(performance), error) if sound else (np.nan, np.nan)


def _own(simulate: Simulate, weights: np.ndarray) -> tuple[np.ndarray, float]:
    states, performance = deviations.twice(simulate)
    if states.shape[-1] != len(weights):
        raise ValueError(
            f"simulate: states of {states.shape[-1]} components, weights of {len(weights)} units; the view "
            "is of circuits whose state is one number a unit."
        )
    if not np.abs(states).max() > 0:
        raise ValueError("simulate: all states are 0; give trials that drive the circuit.")
    deviations.refuse_other_weights(simulate, weights, states)
    return states, performance


def _cosines(
    left: np.ndarray, right: np.ndarray, inputs: np.ndarray | None, readout: np.ndarray | None
) -> Cosines:
    def to(vectors: np.ndarray, columns: np.ndarray | None) -> np.ndarray | None:
        return None if columns is None else vectors @ (columns / _lengths(columns, np.nan))

    few = right[: len(left)]
    both = None if inputs is None else to((inputs / _lengths(inputs, np.nan)).T, readout)
    return Cosines(
        left @ right.T, to(left, inputs), to(few, inputs), to(left, readout), to(few, readout), both
    )


def _lengths(columns: np.ndarray, where_none: float = 1.0) -> np.ndarray:
    length = np.linalg.norm(columns, axis=0)
    return np.where(length > 0, length, where_none)


def _ranks(ranks: Sequence[int] | None, size: int) -> np.ndarray:
    chosen = np.arange(min(MOST, size) + 1) if ranks is None else np.asarray(ranks)
    sound = chosen.ndim == 1 and chosen.size and chosen.dtype.kind in "iu"
    if not sound or chosen[0] < 0 or chosen[-1] > size or not (np.diff(chosen) > 0).all():
        raise ValueError(f"ranks: {chosen.tolist()}; use increasing whole numbers from 0 to {size}.")
    return chosen


def _square(name: str, values: np.ndarray) -> np.ndarray:
    found = checks.finite(name, values)
    if found.ndim != 2 or found.shape[0] != found.shape[1]:
        raise ValueError(f"{name}: shape {found.shape}; expected (unit, presynaptic_unit), square.")
    return found


def _columns(name: str, values: Any, size: int) -> np.ndarray:
    found = checks.finite(name, values)
    if found.ndim != 2 or len(found) != size:
        raise ValueError(f"{name}: {len(found)} units, weights have {size}; pass those of the same units.")
    return found
