"""The measures by name."""

from __future__ import annotations

import dataclasses
from typing import Any

from throughtime.measures import (
    behaviour,
    coding,
    dynamics,
    geometry,
    interference,
    intervals,
    learning,
    similarity,
)
from throughtime.measures.base import Measure
from throughtime.registry import unknown

MEASURES: dict[str, type[Measure]] = {
    kind.named(): kind
    for kind in (
        behaviour.Behaviour,
        coding.Decode,
        coding.DPCA,
        coding.Geometry,
        coding.Selectivity,
        coding.Sequentiality,
        coding.TaskVariance,
        coding.TDR,
        dynamics.AutocorrelationTimescale,
        dynamics.FixedPoints,
        dynamics.JacobianSpectrum,
        dynamics.LyapunovSpectrum,
        dynamics.MemoryCapacity,
        geometry.Dimensionality,
        geometry.PCA,
        interference.LowrankView,
        interference.Perturb,
        intervals.Kinematics,
        intervals.ScalingIndex,
        learning.FlowField,
        learning.GradientNorms,
        learning.KernelAlignment,
        learning.Sharpness,
        learning.WeightChange,
        similarity.CKA,
        similarity.DSA,
        similarity.RSA,
        similarity.ShapeDistance,
    )
}
"""Measures by name.

:meta hide-value:
"""


def names() -> tuple[str, ...]:
    """Names of the measures, sorted.

    Example:
        >>> "dimensionality" in names()
        True
    """
    return tuple(sorted(MEASURES))


def get(name: str) -> type[Measure]:
    """The class of a measure; ``gradient-norms`` is ``gradient_norms``.

    Raises:
        ValueError: for an unknown name, with near ones.
    """
    found = MEASURES.get(name.lower().replace("-", "_"))
    if found is None:
        raise unknown("measure", name, MEASURES, "throughtime list measures")
    return found


def make(name: str, **options: Any) -> Measure:
    """A measure with its options.

    Raises:
        ValueError: for an unknown name, or an option the measure does not have.

    Example:
        >>> make("pca", num_components=3)
        PCA(num_components=3, epoch=None, soft_normalization=None)
    """
    kind = get(name)
    known = [field.name for field in dataclasses.fields(kind)]  # type: ignore[arg-type]
    strange = sorted(set(options) - set(known))
    if strange:
        raise ValueError(f"{kind.named()}: no option {strange[0]!r}; it has {', '.join(known) or 'none'}.")
    return kind(**options)
