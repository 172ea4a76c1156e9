"""Centred kernel alignment: how alike are two representations of the same samples?"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays.checks import paired

FEWEST, ROUNDING = 4, 1e-12


class CKA(NamedTuple):
    """Alignment of two representations.

    Attributes:
        cka: 1 for equal ones, 0 in expectation for independent ones (debiased; it may be negative); NaN where
            the estimate of a representation with itself is not positive (beyond rounding).
        n: samples. p, q: units of either.
    """

    cka: float
    n: int
    p: int
    q: int


def cka(x: np.ndarray, y: np.ndarray, *, debiased: bool = True, axis: int = -1) -> CKA:
    """Linear centred kernel alignment of X (n × p) and Y (n × q).

    With kernels K = XXᵀ and L = YYᵀ of centred data, CKA = HSIC(K, L)/√(HSIC(K, K) HSIC(L, L)). The biased
    HSIC, tr KL, makes independent representations of many units alike; the debiased one,

        [tr K̃L̃ + 1ᵀK̃1 · 1ᵀL̃1/((n−1)(n−2)) − 2·1ᵀK̃L̃1/(n−2)] / (n(n−3)),

    with K̃ the kernel with a zero diagonal, is 0 in expectation then. CKA does not change under rotation,
    reflection and scaling of either, but under other invertible maps.

    Args:
        x, y: units on ``axis``, the same samples in the same order on all others.
        debiased: whether HSIC is. axis: of units.

    Raises:
        ValueError: for non-finite entries, unequal samples, fewer than 4 of them, or zero variance.

    Source: Kornblith et al. 2019, ICML (PMLR 97:3519); debiased HSIC, Song et al. 2012, J. Mach. Learn. Res.
    13:1393; in CKA, Nguyen et al. 2021, ICLR.

    Example:
        >>> u = np.array([[1.0, 1.0], [1.0, -1.0], [-1.0, 1.0], [-1.0, -1.0]])
        >>> round(cka(u * [2.0, 1.0], u, debiased=False).cka, 6)  # 5/√34
        0.857493
    """
    x, y = paired(x, y, axis=axis, fewest=FEWEST)
    cross, own_x, own_y = (_hsic(a, b, debiased) for a, b in ((x, y), (x, x), (y, y)))
    least = [ROUNDING * _hsic(each, each, False) / len(x) ** 2 for each in (x, y)]
    sound = own_x > least[0] and own_y > least[1]
    value = float(cross / np.sqrt(own_x) / np.sqrt(own_y)) if sound else np.nan
    return CKA(value, len(x), x.shape[1], y.shape[1])


def _hsic(x: np.ndarray, y: np.ndarray, debiased: bool) -> float:
    """HSIC of centred data from products of whichever is fewer, samples or units.

    Rows of a kernel of centred data add up to 0, so those of K̃ add up to minus the diagonal that it lost, and
    no kernel of all samples is needed: with k = diag K and l = diag L, tr K̃L̃ = tr KL − kᵀl, 1ᵀK̃1 = −1ᵀk
    and 1ᵀK̃L̃1 = kᵀl.
    """
    n = len(x)
    few_units = x.shape[1] * y.shape[1] < n * n
    product = float(((x.T @ y) ** 2).sum() if few_units else np.vdot(x @ x.T, y @ y.T))
    if not debiased:
        return product
    k, h = (x**2).sum(1), (y**2).sum(1)
    both = float(k @ h)
    sums = k.sum() * h.sum() / ((n - 1) * (n - 2))
    return float((product - both + sums - 2 * both / (n - 2)) / (n * (n - 3)))
