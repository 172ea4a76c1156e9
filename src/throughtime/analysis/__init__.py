"""Analyses of trained circuits: named arrays in, datasets out.

``tt.analysis.<name>`` takes and returns xarray objects; ``throughtime.analysis.arrays.<name>`` holds the
same computation on plain NumPy arrays. Nothing here trains, reads files or plots. Members are imported
when first asked for, so the array functions cost neither xarray nor scikit-learn.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from throughtime.analysis._accuracy import accuracy
    from throughtime.analysis._align import align, warp
    from throughtime.analysis._category import category
    from throughtime.analysis._chronometric import chronometric
    from throughtime.analysis._circular_error import circular_error
    from throughtime.analysis._circuit_step import circuit_step
    from throughtime.analysis._contextual import contextual
    from throughtime.analysis._detection import detection
    from throughtime.analysis._dimensionality import dimensionality
    from throughtime.analysis._fractional_loss import fractional_loss
    from throughtime.analysis._gradient_comparison import (
        feedback_alignment,
        gradient_alignment,
        gradient_bias_variance,
        one_step_change,
    )
    from throughtime.analysis._gradient_norms import gradient_norms
    from throughtime.analysis._levels import example_seed, levels
    from throughtime.analysis._pca import pca
    from throughtime.analysis._psychometric import psychometric
    from throughtime.analysis._psychometric_by import psychometric_by
    from throughtime.analysis._repetition import repetition
    from throughtime.analysis._scaling_index import scaling_index
    from throughtime.analysis._serial_position import serial_position
    from throughtime.analysis._synchronization import synchronization
    from throughtime.analysis._temporal_scaling import temporal_scaling
    from throughtime.analysis._timing import timing
    from throughtime.analysis._timing_by import timing_by

_MEMBERS = {
    "accuracy": "_accuracy",
    "align": "_align",
    "category": "_category",
    "chronometric": "_chronometric",
    "circular_error": "_circular_error",
    "circuit_step": "_circuit_step",
    "contextual": "_contextual",
    "detection": "_detection",
    "dimensionality": "_dimensionality",
    "example_seed": "_levels",
    "feedback_alignment": "_gradient_comparison",
    "fractional_loss": "_fractional_loss",
    "gradient_alignment": "_gradient_comparison",
    "gradient_bias_variance": "_gradient_comparison",
    "gradient_norms": "_gradient_norms",
    "levels": "_levels",
    "one_step_change": "_gradient_comparison",
    "pca": "_pca",
    "psychometric": "_psychometric",
    "psychometric_by": "_psychometric_by",
    "repetition": "_repetition",
    "scaling_index": "_scaling_index",
    "serial_position": "_serial_position",
    "synchronization": "_synchronization",
    "temporal_scaling": "_temporal_scaling",
    "timing": "_timing",
    "timing_by": "_timing_by",
    "warp": "_align",
}

__all__ = [
    "accuracy",
    "align",
    "category",
    "chronometric",
    "circular_error",
    "circuit_step",
    "contextual",
    "detection",
    "dimensionality",
    "example_seed",
    "feedback_alignment",
    "fractional_loss",
    "gradient_alignment",
    "gradient_bias_variance",
    "gradient_norms",
    "levels",
    "one_step_change",
    "pca",
    "psychometric",
    "psychometric_by",
    "repetition",
    "scaling_index",
    "serial_position",
    "synchronization",
    "temporal_scaling",
    "timing",
    "timing_by",
    "warp",
]


def __getattr__(name: str) -> Any:
    if name not in _MEMBERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}.")
    member = getattr(importlib.import_module(f"{__name__}.{_MEMBERS[name]}"), name)
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
