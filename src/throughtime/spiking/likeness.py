"""How alike the trajectories of a rate circuit and of its spiking counterpart are."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays.cka import cka
from throughtime.analysis.arrays.pca import pca
from throughtime.analysis.arrays.shape_distance import shape_distance


class Likeness(NamedTuple):
    """Rates r and filtered trains λ s of the same units in the same trials.

    Attributes:
        cka: debiased linear centred kernel alignment. angle: Procrustes angle, rad.
        correlation: (component,) of r with λ s, both on each principal component of r.
        explained: (component,) share of the variance of r.
        rates, spikes: (trial, time, component), both on these components, centred on the mean of r.
    """

    cka: float
    angle: float
    correlation: np.ndarray
    explained: np.ndarray
    rates: np.ndarray
    spikes: np.ndarray


def likeness(rates: np.ndarray, spikes: np.ndarray, valid: np.ndarray, num_components: int) -> Likeness:
    """Compare r and λ s, (trial, time, unit), over the valid samples (trial, time); NaN without spikes.

    Example:
        >>> rates = np.random.default_rng(0).random((2, 20, 5))
        >>> same = likeness(rates, 2 * rates, np.ones((2, 20), bool), 2)
        >>> round(same.cka, 6), round(same.angle, 6), same.correlation.round(6)
        (1.0, 0.0, array([1., 1.]))
    """
    one, other = (np.asarray(each, float)[valid] for each in (rates, spikes))
    components = pca(one, num_components=num_components)
    axes = components.component.T
    both = [(np.asarray(each, float) - components.mean) @ axes for each in (rates, spikes)]
    flat = [each[valid] - each[valid].mean(0) for each in both]
    lengths = np.linalg.norm(flat[0], axis=0) * np.linalg.norm(flat[1], axis=0)
    dots = (flat[0] * flat[1]).sum(0)
    moves = bool(np.ptp(other, axis=0).max() > 0)
    return Likeness(
        cka=cka(one, other).cka if moves else np.nan,
        angle=shape_distance(one, other).angle if moves else np.nan,
        correlation=np.divide(
            dots, lengths, out=np.full(num_components, np.nan), where=moves & (lengths > 0)
        ),
        explained=components.explained_variance_ratio,
        rates=both[0],
        spikes=both[1],
    )
