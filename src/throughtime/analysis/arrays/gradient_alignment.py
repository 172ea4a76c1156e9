"""How far a rule's gradient points where the gradient points, and how long it is beside it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import numpy as np

from throughtime.analysis.arrays.blocks import blocks


class Alignment(NamedTuple):
    """Alignment by block; the last block, ``"all"``, is all of them as one vector.

    Attributes:
        blocks: names.
        cosine: ([draw,] block) between estimate and gradient; NaN where either is zero.
        norm_ratio: ([draw,] block) ‖estimate‖/‖gradient‖; NaN where the gradient is zero.
    """

    blocks: tuple[str, ...]
    cosine: np.ndarray
    norm_ratio: np.ndarray


def gradient_alignment(estimates: Mapping[str, Any], exact: Mapping[str, Any]) -> Alignment:
    """Cosine ``⟨ĝ, g⟩/(‖ĝ‖‖g‖)`` and norm ratio of gradients, block by block and for all.

    Alignment need not predict what a rule learns in the end.

    Args:
        estimates: name -> ([draw,] …) the rule's gradient, or draws of it.
        exact: name -> (…) the gradient with frozen weights.

    Raises:
        ValueError: for blocks that differ in name or shape.

    Source: Lillicrap et al. 2016, Nat. Commun. 7:13276.

    Example:
        >>> found = gradient_alignment({"bias": [1.0, 1.0]}, {"bias": [2.0, 0.0]})
        >>> found.cosine.round(4), found.norm_ratio.round(4)
        (array([0.7071, 0.7071]), array([0.7071, 0.7071]))
    """
    given = blocks(estimates, exact)
    cosine, ratio = [], []
    for name in given.names:
        draws, true = given.draws[name], given.exact[name]
        size, length = np.linalg.norm(draws, axis=1), np.linalg.norm(true)
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio.append(size / length if length > 0 else np.full(len(draws), np.nan))
            cosine.append(np.where(size * length > 0, draws @ true / (size * length), np.nan))
    stacked = np.stack(cosine, axis=1), np.stack(ratio, axis=1)
    return Alignment(given.names, *(stacked if given.drawn else (stacked[0][0], stacked[1][0])))


def feedback_alignment(feedback: Any, readout: Any) -> np.ndarray:
    """Cosine of feedback weights B with the transpose of the readout weights, (…).

    Args:
        feedback: (…, unit, output). readout: (…, output, unit).

    Raises:
        ValueError: for shapes that are not each other's transpose.

    Source: Lillicrap et al. 2016, Nat. Commun. 7:13276.

    Example:
        >>> round(float(feedback_alignment([[1.0], [1.0]], [[2.0, 0.0]])), 4)
        0.7071
    """
    feedback, readout = np.asarray(feedback, np.float64), np.asarray(readout, np.float64)
    if feedback.ndim < 2 or feedback.shape != np.swapaxes(readout, -1, -2).shape:
        raise ValueError(
            f"feedback: shape {feedback.shape}, readout has {readout.shape}; expected (…, unit, output) and "
            "(…, output, unit)."
        )
    turned = np.swapaxes(readout, -1, -2)
    inner = (feedback * turned).sum((-1, -2))
    sizes = np.sqrt((feedback**2).sum((-1, -2)) * (turned**2).sum((-1, -2)))
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.asarray(np.where(sizes > 0, inner / sizes, np.nan))
