"""How much learning changed a weight matrix, in how many dimensions, and along which directions."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays.blocks import Estimate
from throughtime.analysis.arrays.checks import finite, fraction


class Spectrum(NamedTuple):
    """Numbers of dimensions of a matrix with singular values s; one each, or one a matrix (…,).

    Attributes:
        stable_rank: Σs²/max s². effective_rank: exp H(s/Σs), H the entropy in nats.
        num_modes_90: the fewest singular values that hold 90 % of Σs².
    """

    stable_rank: Any
    effective_rank: Any
    num_modes_90: Any


class Overlap(NamedTuple):
    """Share of the squared length of singular vectors that lies in a subspace.

    Attributes:
        left: (vector,) of what the change writes to. right: (vector,) of what it reads from.
        chance: mean for random directions, the dimension of the subspace over that of the space.
    """

    left: np.ndarray
    right: np.ndarray
    chance: float


class WeightChange(NamedTuple):
    """The change Δ of a matrix, beside Gaussian matrices of the same norm.

    Attributes:
        relative_change: ‖Δ‖/‖before‖ (Frobenius).
        singular_value: (mode,) of Δ, descending.
        spectrum: ranks of Δ.
        null_singular_value: each (mode,); null_spectrum: a :class:`Spectrum` of estimates. Mean over draws
            of the null, and the quantiles between which ``confidence`` of the draws lie.
        num_above_null: singular values of Δ above the upper quantile of the null's largest.
        input_overlap, readout_overlap: with the columns of the input weights, and with the rows of the
            readout weights; None where these were not given.
    """

    relative_change: float
    singular_value: np.ndarray
    spectrum: Spectrum
    null_singular_value: Estimate
    null_spectrum: Spectrum
    num_above_null: int
    input_overlap: Overlap | None
    readout_overlap: Overlap | None


def weight_change(
    before: np.ndarray,
    after: np.ndarray,
    *,
    seed: int,
    input_weights: np.ndarray | None = None,
    readout: np.ndarray | None = None,
    num_vectors: int = 5,
    num_draws: int = 200,
    confidence: float = 0.95,
) -> WeightChange:
    """Size, ranks and directions of Δ = after − before = Σ_k s_k u_k v_kᵀ.

    The null hypothesis is a change without structure: independent Gaussian entries, scaled to ‖Δ‖. A change
    of low rank has first singular values above the null's and ranks below. u_k is where the change writes to,
    v_k what it reads from; both are unit vectors, and their overlap with a subspace of orthonormal basis Q is
    ‖Qᵀu_k‖². Singular vectors of equal singular values are not unique, nor are their overlaps.

    Args:
        before, after: (unit, presynaptic_unit), or any matrix.
        seed: of the null.
        input_weights: (unit, input). readout: (output, unit). Both need a square matrix.
        num_vectors: how many singular vectors are compared with these, at most all.
        num_draws: of the null. confidence: of its quantiles.

    Raises:
        ValueError: for non-finite entries, shapes that differ, an unchanged matrix, one that was zero before,
            fewer than 2 draws or 1 vector, or other weights that are zero or of other units.

    Source: effective rank, Roy & Vetterli 2007, EUSIPCO; stable rank, Rudelson & Vershynin 2007, J. ACM
        54:21; learned changes of low rank, Schuessler et al. 2020, NeurIPS. Null and overlaps are operational
        definitions of ours.

    Example:
        >>> u, v = np.array([3.0, 4.0]), np.array([1.0, 1.0])
        >>> found = weight_change(np.eye(2), np.eye(2) + np.outer(u, v), seed=0, input_weights=u[:, None])
        >>> float(found.spectrum.stable_rank.round(9)), float(found.spectrum.effective_rank.round(9))
        (1.0, 1.0)
        >>> found.relative_change, found.input_overlap.left[:1].round(9), found.input_overlap.chance
        (5.0, array([1.]), 0.5)
    """
    before, after = matrix("before", before), matrix("after", after)
    if before.shape != after.shape:
        raise ValueError(
            f"after: shape {after.shape}, before has {before.shape}; pass the same matrix twice."
        )
    if num_vectors < 1:
        raise ValueError(f"num_vectors: {num_vectors}; compare at least 1.")
    size = float(np.linalg.norm(before))
    if not size > 0:
        raise ValueError("before: all weights are 0, so that no change is relative to them; pass other ones.")
    change = after - before
    left, singular, right = np.linalg.svd(change, full_matrices=False)
    if not singular[0] > 0:
        raise ValueError("after: zero change from before; there are no singular vectors to find.")
    tail = (1 - fraction("confidence", confidence)) / 2
    length = float(np.linalg.norm(change))
    null = length * unit_null(change.shape, num_draws, seed)
    bounds = Estimate(null.mean(0), *np.quantile(null, (tail, 1 - tail), axis=0))
    ranks = spectrum(null)
    null_ranks = Spectrum(*(Estimate(each.mean(), *np.quantile(each, (tail, 1 - tail))) for each in ranks))
    top = left[:, :num_vectors], right[:num_vectors].T
    return WeightChange(
        relative_change=length / size,
        singular_value=singular,
        spectrum=spectrum(singular),
        null_singular_value=bounds,
        null_spectrum=null_ranks,
        num_above_null=int(np.sum(singular > bounds.upper[0])),
        input_overlap=None if input_weights is None else _overlap("input_weights", input_weights, *top),
        readout_overlap=None if readout is None else _overlap("readout", np.transpose(readout), *top),
    )


def spectrum(singular: np.ndarray) -> Spectrum:
    """Numbers of dimensions from singular values (…, mode), descending.

    Example:
        >>> [float(each.round(9)) for each in spectrum(np.ones(4))]
        [4.0, 4.0, 4.0]
    """
    singular = np.asarray(singular, np.float64)
    scaled = singular / singular[..., :1]  # squares of small ones would underflow
    square = scaled**2
    share = scaled / scaled.sum(-1, keepdims=True)
    logarithm = np.log(np.where(share > 0, share, 1.0))
    held = np.cumsum(square, -1) / square.sum(-1, keepdims=True)
    return Spectrum(
        stable_rank=square.sum(-1),
        effective_rank=np.exp(-(share * logarithm).sum(-1)),
        num_modes_90=1 + (held < 0.9 - 1e-12).sum(-1),
    )


@lru_cache(maxsize=8)
def unit_null(shape: tuple[int, int], num_draws: int, seed: int) -> np.ndarray:
    """Singular values (draw, mode) of Gaussian matrices scaled to a Frobenius norm of 1.

    Example:
        >>> (unit_null((3, 2), 4, 0) ** 2).sum(1).round(9)
        array([1., 1., 1., 1.])
    """
    if num_draws < 2:
        raise ValueError(f"num_draws: {num_draws}; draw the null at least 2 times.")
    rng = np.random.default_rng(seed)
    singular = np.stack(
        [np.linalg.svd(rng.standard_normal(shape), compute_uv=False) for _ in range(num_draws)]
    )
    singular /= np.linalg.norm(singular, axis=1, keepdims=True)
    singular.flags.writeable = False
    return singular


def matrix(name: str, values: np.ndarray) -> np.ndarray:
    """``values`` as a finite float64 matrix with at least one entry."""
    found = finite(name, values)
    if found.ndim != 2 or not found.size:
        raise ValueError(f"{name}: shape {found.shape}; pass one matrix, such as (unit, presynaptic_unit).")
    return found


def _overlap(name: str, columns: np.ndarray, left: np.ndarray, right: np.ndarray) -> Overlap:
    """Of singular vectors (entry, vector) with the span of ``columns`` (entry, column)."""
    columns = matrix(name, columns)
    if not len(columns) == len(left) == len(right):
        raise ValueError(
            f"{name}: {len(columns)} units, the change is {len(left)} × {len(right)}; overlaps need a "
            "square matrix over the same units."
        )
    basis, singular, _ = np.linalg.svd(columns, full_matrices=False)
    if not singular[0] > 0:
        raise ValueError(f"{name}: all weights are 0; they span no direction. Leave them out.")
    basis = basis[:, singular > singular[0] * max(columns.shape) * np.finfo(np.float64).eps]
    left_share, right_share = (np.square(basis.T @ vectors).sum(0) for vectors in (left, right))
    return Overlap(left_share, right_share, basis.shape[1] / len(basis))
