"""Holm's correction for several comparisons."""

from __future__ import annotations

import numpy as np


def holm(p: np.ndarray, *, family_size: int | None = None) -> np.ndarray:
    """p values adjusted so that the chance of any false rejection in the family stays below the level.

    With p₍₁₎ ≤ … ≤ p₍ₖ₎ of a family of m the adjusted values are::

        p̃₍ᵢ₎ = max_{j ≤ i} min(1, (m − j + 1) p₍ⱼ₎)

    whatever the dependence between the comparisons (Holm 1979, Scandinavian Journal of Statistics).

    Args:
        p: any shape, one family; NaN where a comparison of the family has no p value: it counts in m and
            stays NaN.
        family_size: m, where the family was declared larger than what is given here; the values not given
            are taken as larger than these, so that no adjusted value comes out too small.

    Returns:
        Adjusted values, shape of ``p``.

    Raises:
        ValueError: for values outside [0, 1], no values, or a family smaller than ``p``.

    Example:
        >>> holm(np.array([0.01, 0.04, 0.03, 0.005]))
        array([0.03, 0.06, 0.06, 0.02])
    """
    p = np.asarray(p, dtype=np.float64)
    there = ~np.isnan(p)
    if not p.size:
        raise ValueError("p: no values; give one for each comparison of the family.")
    outside = p[there & ~((p >= 0) & (p <= 1))]
    if outside.size:
        raise ValueError(f"p: found {outside[0]:g}; p values lie in [0, 1], NaN marks one that is missing.")
    size = p.size if family_size is None else family_size
    if size < p.size:
        raise ValueError(
            f"family_size: {size} with {p.size} comparisons; declare the family at least as large."
        )
    adjusted = np.full(p.shape, np.nan)
    ascending = np.sort(p[there])
    stepped = np.maximum.accumulate((size - np.arange(ascending.size)) * ascending).clip(max=1.0)
    adjusted[there] = stepped[np.searchsorted(ascending, p[there], side="right") - 1]
    return adjusted
