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
    from throughtime.analysis._autocorrelation_timescale import autocorrelation_timescale
    from throughtime.analysis._category import category
    from throughtime.analysis._cca import cca
    from throughtime.analysis._chronometric import chronometric
    from throughtime.analysis._circuit_simulator import circuit_simulator
    from throughtime.analysis._circuit_step import circuit_step
    from throughtime.analysis._circular_error import circular_error
    from throughtime.analysis._cka import cka
    from throughtime.analysis._compare_gradients import compare_gradients
    from throughtime.analysis._compare_recordings import compare_recordings
    from throughtime.analysis._condition_means import complete, condition_means, equal_trials
    from throughtime.analysis._contextual import contextual
    from throughtime.analysis._decode import decode
    from throughtime.analysis._detection import detection
    from throughtime.analysis._dimensionality import dimensionality
    from throughtime.analysis._distance_matrix import distance_matrix
    from throughtime.analysis._dpca import dpca
    from throughtime.analysis._dsa import dsa
    from throughtime.analysis._embedding import embedding
    from throughtime.analysis._fixed_points import fixed_points
    from throughtime.analysis._flow_field import flow_field
    from throughtime.analysis._fractional_loss import fractional_loss
    from throughtime.analysis._geometry import geometry
    from throughtime.analysis._gradient_comparison import (
        feedback_alignment,
        gradient_alignment,
        gradient_bias_variance,
        one_step_change,
    )
    from throughtime.analysis._gradient_norms import gradient_norms
    from throughtime.analysis._group_distances import group_distances
    from throughtime.analysis._holm import holm
    from throughtime.analysis._identify_rule import identify_rule
    from throughtime.analysis._jacobian_spectrum import jacobian_spectrum
    from throughtime.analysis._kernel_alignment import kernel_alignment
    from throughtime.analysis._kinematics import kinematics
    from throughtime.analysis._levels import example_seed, levels
    from throughtime.analysis._lowrank_view import lowrank_view
    from throughtime.analysis._lyapunov_spectrum import lyapunov_spectrum
    from throughtime.analysis._memory_capacity import memory_capacity
    from throughtime.analysis._paired_statistics import paired_statistics
    from throughtime.analysis._pca import pca
    from throughtime.analysis._perturb import perturb
    from throughtime.analysis._psychometric import psychometric
    from throughtime.analysis._psychometric_by import psychometric_by
    from throughtime.analysis._recordings import recordings
    from throughtime.analysis._repetition import repetition
    from throughtime.analysis._rsa import rsa
    from throughtime.analysis._rule_features import rule_features
    from throughtime.analysis._scaling_index import scaling_index
    from throughtime.analysis._selectivity import selectivity
    from throughtime.analysis._sequentiality import sequentiality
    from throughtime.analysis._serial_position import serial_position
    from throughtime.analysis._shape_distance import shape_distance
    from throughtime.analysis._sharpness import sharpness
    from throughtime.analysis._synchronization import synchronization
    from throughtime.analysis._task_variance import task_variance
    from throughtime.analysis._tdr import tdr
    from throughtime.analysis._temporal_scaling import temporal_scaling
    from throughtime.analysis._timing import timing
    from throughtime.analysis._timing_by import timing_by
    from throughtime.analysis._unpaired_statistics import unpaired_statistics
    from throughtime.analysis._weight_change import weight_change

_MEMBERS = {
    "accuracy": "_accuracy",
    "align": "_align",
    "autocorrelation_timescale": "_autocorrelation_timescale",
    "category": "_category",
    "cca": "_cca",
    "chronometric": "_chronometric",
    "circuit_simulator": "_circuit_simulator",
    "circuit_step": "_circuit_step",
    "circular_error": "_circular_error",
    "cka": "_cka",
    "compare_gradients": "_compare_gradients",
    "compare_recordings": "_compare_recordings",
    "complete": "_condition_means",
    "condition_means": "_condition_means",
    "contextual": "_contextual",
    "decode": "_decode",
    "detection": "_detection",
    "dimensionality": "_dimensionality",
    "distance_matrix": "_distance_matrix",
    "dpca": "_dpca",
    "dsa": "_dsa",
    "embedding": "_embedding",
    "equal_trials": "_condition_means",
    "example_seed": "_levels",
    "feedback_alignment": "_gradient_comparison",
    "fixed_points": "_fixed_points",
    "flow_field": "_flow_field",
    "fractional_loss": "_fractional_loss",
    "geometry": "_geometry",
    "gradient_alignment": "_gradient_comparison",
    "gradient_bias_variance": "_gradient_comparison",
    "gradient_norms": "_gradient_norms",
    "group_distances": "_group_distances",
    "holm": "_holm",
    "identify_rule": "_identify_rule",
    "jacobian_spectrum": "_jacobian_spectrum",
    "kernel_alignment": "_kernel_alignment",
    "kinematics": "_kinematics",
    "levels": "_levels",
    "lowrank_view": "_lowrank_view",
    "lyapunov_spectrum": "_lyapunov_spectrum",
    "memory_capacity": "_memory_capacity",
    "one_step_change": "_gradient_comparison",
    "paired_statistics": "_paired_statistics",
    "pca": "_pca",
    "perturb": "_perturb",
    "psychometric": "_psychometric",
    "psychometric_by": "_psychometric_by",
    "recordings": "_recordings",
    "repetition": "_repetition",
    "rsa": "_rsa",
    "rule_features": "_rule_features",
    "scaling_index": "_scaling_index",
    "selectivity": "_selectivity",
    "sequentiality": "_sequentiality",
    "serial_position": "_serial_position",
    "shape_distance": "_shape_distance",
    "sharpness": "_sharpness",
    "synchronization": "_synchronization",
    "task_variance": "_task_variance",
    "tdr": "_tdr",
    "temporal_scaling": "_temporal_scaling",
    "timing": "_timing",
    "timing_by": "_timing_by",
    "unpaired_statistics": "_unpaired_statistics",
    "warp": "_align",
    "weight_change": "_weight_change",
}

__all__ = [
    "accuracy",
    "align",
    "autocorrelation_timescale",
    "category",
    "cca",
    "chronometric",
    "circuit_simulator",
    "circuit_step",
    "circular_error",
    "cka",
    "compare_gradients",
    "compare_recordings",
    "complete",
    "condition_means",
    "contextual",
    "decode",
    "detection",
    "dimensionality",
    "distance_matrix",
    "dpca",
    "dsa",
    "embedding",
    "equal_trials",
    "example_seed",
    "feedback_alignment",
    "fixed_points",
    "flow_field",
    "fractional_loss",
    "geometry",
    "gradient_alignment",
    "gradient_bias_variance",
    "gradient_norms",
    "group_distances",
    "holm",
    "identify_rule",
    "jacobian_spectrum",
    "kernel_alignment",
    "kinematics",
    "levels",
    "lowrank_view",
    "lyapunov_spectrum",
    "memory_capacity",
    "one_step_change",
    "paired_statistics",
    "pca",
    "perturb",
    "psychometric",
    "psychometric_by",
    "recordings",
    "repetition",
    "rsa",
    "rule_features",
    "scaling_index",
    "selectivity",
    "sequentiality",
    "serial_position",
    "shape_distance",
    "sharpness",
    "synchronization",
    "task_variance",
    "tdr",
    "temporal_scaling",
    "timing",
    "timing_by",
    "unpaired_statistics",
    "warp",
    "weight_change",
]


def __getattr__(name: str) -> Any:
    if name not in _MEMBERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}.")
    member = getattr(importlib.import_module(f"{__name__}.{_MEMBERS[name]}"), name)
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
