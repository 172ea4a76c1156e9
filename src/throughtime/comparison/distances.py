"""How far apart two circuits are in the probe trials: in what they represent, and in how they move."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import numpy as np

from throughtime.analysis.arrays.cka import cka
from throughtime.analysis.arrays.dsa import compare_operators
from throughtime.analysis.arrays.linear_operator import LinearOperator, linear_operator
from throughtime.analysis.arrays.shape_distance import shape_distance

if TYPE_CHECKING:
    from throughtime.comparison.probe import Activity, Probe

DISTANCES: dict[str, tuple[str, str]] = {
    "representation_distance": ("1", "1 − CKA"),
    "shape_distance": ("rad", "shape distance"),
    "dynamics_distance": ("rad", "dissimilarity of dynamics"),
    "spectrum_distance": ("1", "distance of the eigenvalues of the dynamics"),
}
"""Name -> units and long name."""
RANK = 10
"""Principal components in which dynamics are fitted, at most."""
RIDGE = 1e-6
"""Penalty of that fit, as a share of the mean variance of a component over all samples."""
RESTARTS = 10


def distances(
    one: Activity, other: Activity, probe: Probe, refusals: dict[str, str] | None = None
) -> dict[str, float]:
    """The distances of :data:`DISTANCES`; NaN where a circuit diverged or stands still.

    Args:
        one, other: what the circuits do. probe: in which trials.
        refusals: told why the first time, under ``"distances"``.

    Example:
        >>> import throughtime as tt
        >>> from throughtime.comparison.probe import Probe
        >>> task = tt.tasks.make("cue-set-go", dt=50.0)
        >>> circuit = tt.circuits.for_task(task, num_units=6)
        >>> probe = Probe(task, circuit, tt.objectives.SquaredError(), data_seed=0, num_trials=4)
        >>> import jax
        >>> activity = probe.activity(circuit.init(key=jax.random.key(0)))
        >>> found = distances(activity, activity, probe)
        >>> [round(value, 6) + 0.0 for value in found.values()]
        [0.0, 0.0, 0.0, 0.0]
    """
    found = dict.fromkeys(DISTANCES, np.nan)
    trial, time = probe.samples
    x, y = one.rates[trial, time], other.rates[trial, time]
    try:
        found["representation_distance"] = 1 - cka(x, y).cka
        found["shape_distance"] = shape_distance(x, y).angle
        first, second = (dynamics(activity, probe) for activity in (one, other))
        rank = min(len(first.operator), len(second.operator))
        if rank < max(len(first.operator), len(second.operator)):
            first, second = (dynamics(activity, probe, rank) for activity in (one, other))
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", UserWarning)  # of starts that disagree: the spectrum is beside it
            apart = compare_operators(first.operator, second.operator, seed=0, n_restarts=RESTARTS)
        found["dynamics_distance"], found["spectrum_distance"] = apart.dsa, apart.spectrum_distance
    except Exception as failure:  # neither what else is measured nor what was trained is lost
        if refusals is not None:
            refusals.setdefault("distances", told(failure))
    return found


def told(failure: Exception) -> str:
    """A refusal in its own words; anything else with its kind before them.

    Example:
        >>> told(ValueError("x: 0; use 1.")), told(TypeError("no"))
        ('x: 0; use 1.', 'TypeError: no')
    """
    return str(failure) if isinstance(failure, ValueError) else f"{type(failure).__name__}: {failure}"


def dynamics(activity: Activity, probe: Probe, rank: int = RANK) -> LinearOperator:
    """Linear dynamics of the rates beside their inputs, in at most ``rank`` principal components."""
    valid = np.asarray(probe.trials.valid, bool)
    rates = np.where(valid[..., None], activity.rates, np.nan)
    there = rates[valid]
    away = there - there.mean(0)
    singular = np.linalg.svd(away, compute_uv=False)
    full = int((singular > 1e-6 * singular[0]).sum()) if singular[0] > 0 else 0
    kept = max(1, min(rank, full))
    ridge = RIDGE * float((singular[:kept] ** 2).mean())
    return linear_operator(rates, rank=kept, ridge=ridge, inputs=_inputs(probe), name="rates")


def _inputs(probe: Probe) -> np.ndarray:
    """Inputs along the directions in which they vary; a constant channel is part of the intercept."""
    inputs = np.asarray(probe.trials.inputs)
    valid = np.asarray(probe.trials.valid, bool)
    away = inputs - inputs[valid].mean(0)
    _, singular, right = np.linalg.svd(away[valid], full_matrices=False)
    kept = singular > 1e-6 * max(float(singular.max(initial=0.0)), 1e-300)
    return away @ right[kept].T
