"""Panels: each takes a dataset and axes, draws, and returns the axes.

Panels compute no statistics and read no files: :mod:`throughtime.analysis` makes the datasets, a script in
``figures/`` puts panels together, and :mod:`throughtime.plotting.style` says how everything looks.
"""

from throughtime.plotting import marks, style
from throughtime.plotting.angles import circular_error
from throughtime.plotting.behaviour import accuracy, produced_interval, timing_variability
from throughtime.plotting.comparison import final_values, learning_curves, reference_distances
from throughtime.plotting.conditions import aligned_traces, rescaled_rate, scaling_indices
from throughtime.plotting.decoding import decode, geometry, selectivity
from throughtime.plotting.discrimination import chronometric, contextual, psychometric, psychometric_by
from throughtime.plotting.examples import trials_by_condition
from throughtime.plotting.fixed_points import eigenvalues, fixed_points, time_constants
from throughtime.plotting.gradients import compare_gradients, gradient_norms
from throughtime.plotting.lags import cost_by_steps, score_by_lag
from throughtime.plotting.learning import flow_field, kernel_alignment, sharpness, weight_change
from throughtime.plotting.losses import fractional_loss
from throughtime.plotting.matching import category, detection, repetition
from throughtime.plotting.perturbations import lowrank_view, perturb
from throughtime.plotting.priors import timing_by
from throughtime.plotting.projections import dpca, tdr
from throughtime.plotting.recordings import kinematics, recording_scores, sequentiality
from throughtime.plotting.rhythm import peak_variability, synchronization, temporal_scaling
from throughtime.plotting.sequences import serial_position
from throughtime.plotting.similarity import circuit_map, distance_matrix, group_distances, start_spread
from throughtime.plotting.spikes import rates_against_spikes, spike_raster, transfer_accuracy
from throughtime.plotting.statistics import (
    bias_variability,
    paired_differences,
    rule_accuracy,
    rule_confusion,
)
from throughtime.plotting.timescales import autocorrelation_timescale, lyapunov_spectrum, memory_capacity
from throughtime.plotting.training import learning_curve
from throughtime.plotting.trials import sorted_rates, state_space, trial
from throughtime.plotting.variance import fractional_variance, task_variance

SIGNATURES = {
    "accuracy": accuracy,
    "category": category,
    "chronometric": chronometric,
    "circular_error": circular_error,
    "contextual": contextual,
    "detection": detection,
    "fractional_loss": fractional_loss,
    "psychometric": psychometric,
    "psychometric_by": psychometric_by,
    "repetition": repetition,
    "serial_position": serial_position,
    "synchronization": synchronization,
    "temporal_scaling": temporal_scaling,
    "timing": produced_interval,
    "timing_by": timing_by,
}
"""Fit that a task may declare as its signature -> the panel that draws its dataset."""

__all__ = [
    "SIGNATURES",
    "accuracy",
    "aligned_traces",
    "autocorrelation_timescale",
    "bias_variability",
    "category",
    "chronometric",
    "circuit_map",
    "circular_error",
    "compare_gradients",
    "contextual",
    "cost_by_steps",
    "decode",
    "detection",
    "distance_matrix",
    "dpca",
    "eigenvalues",
    "final_values",
    "fixed_points",
    "flow_field",
    "fractional_loss",
    "fractional_variance",
    "geometry",
    "gradient_norms",
    "group_distances",
    "kernel_alignment",
    "kinematics",
    "learning_curve",
    "learning_curves",
    "lowrank_view",
    "lyapunov_spectrum",
    "marks",
    "memory_capacity",
    "paired_differences",
    "peak_variability",
    "perturb",
    "produced_interval",
    "psychometric",
    "psychometric_by",
    "rates_against_spikes",
    "recording_scores",
    "reference_distances",
    "repetition",
    "rescaled_rate",
    "rule_accuracy",
    "rule_confusion",
    "scaling_indices",
    "score_by_lag",
    "selectivity",
    "sequentiality",
    "serial_position",
    "sharpness",
    "sorted_rates",
    "spike_raster",
    "start_spread",
    "state_space",
    "style",
    "synchronization",
    "task_variance",
    "tdr",
    "temporal_scaling",
    "time_constants",
    "timing_by",
    "timing_variability",
    "transfer_accuracy",
    "trial",
    "trials_by_condition",
    "weight_change",
]
