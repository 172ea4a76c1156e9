"""How far the eigenvalues of a random matrix with blocks reach.

The eigenvalues of an n × n matrix of independent entries with mean zero, whose variance is V_ab in the block
from group b to group a, fill a disk of radius ``√ρ(V diag(n_b))``, ρ being the spectral radius and n_b the
size of group b (Aljadeff, Stern & Sharpee 2015, Phys. Rev. Lett. 114:088101).
"""

from __future__ import annotations

import math

import numpy as np


def block_means(values: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Mean of (unit, presynaptic_unit) values in each block, (group, presynaptic group).

    Args:
        groups: (unit,) integers from 0, each occurring.

    Example:
        >>> block_means(np.array([[1, 1, 0], [1, 0, 0], [1, 1, 0]]), np.array([0, 0, 1])).tolist()
        [[0.75, 0.0], [1.0, 0.0]]
    """
    member = np.eye(groups.max() + 1)[groups]
    sizes = member.sum(0)
    return member.T @ values @ member / np.outer(sizes, sizes)


def bulk_radius(variances: np.ndarray, groups: np.ndarray) -> float:
    """``√ρ(V diag(n_b))`` for the variance of an entry in each block.

    Example:
        >>> bulk_radius(np.array([[0.25]]), np.zeros(16, int))
        2.0
    """
    sizes = np.bincount(groups, minlength=len(variances))
    return math.sqrt(np.abs(np.linalg.eigvals(variances * sizes)).max())


def keeping_radius(before: np.ndarray, after: np.ndarray, groups: np.ndarray) -> float:
    """What weights are multiplied by so that fewer synapses leave the radius as it was.

    Where the synapses form no loop between groups the radius is 0 anyway; then the square root of the
    fraction of synapses that are left counts.

    Args:
        before, after: (unit, presynaptic_unit) bool, the synapses that existed and those left.
        groups: (unit,) integers from 0.

    Example:
        >>> full = np.ones((4, 4), bool)
        >>> keeping_radius(full, np.eye(4, dtype=bool), np.zeros(4, int))
        2.0
    """
    full, left = (block_means(existing, groups) for existing in (before, after))
    loops = np.linalg.matrix_power((left > 0).astype(float), len(left)).any()
    if not loops:
        return math.sqrt(before.mean() / after.mean())
    return bulk_radius(full, groups) / bulk_radius(left, groups)
