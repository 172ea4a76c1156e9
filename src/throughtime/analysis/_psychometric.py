"""Psychometric curves of datasets; see :mod:`throughtime.analysis.arrays.psychometric`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import psychometric as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, assign, bin_edges, level_means

_LEVEL = ("condition",)


def psychometric(
    stimulus: xr.DataArray,
    choice: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    guess: float | None = None,
    lapse: float | None = None,
    confidence: float = 0.95,
    num_resamples: int = 200,
    random_seed: int = 0,
    num_bins: int = NUM_BINS,
) -> xr.Dataset:
    """Maximum-likelihood psychometric curve, seed by seed.

    See :func:`throughtime.analysis.arrays.psychometric.psychometric`. The fit uses every trial as it is;
    only the fractions shown beside the curve (``stimulus``, ``fraction``) are binned when the stimulus is
    continuous. A seed without both choices is NaN, with ``fit_status`` 1.

    Args:
        stimulus: (…, trial). choice: (…, trial) 0 or 1. where: (…, trial) trials to use.
        guess, lapse, confidence, num_resamples, random_seed: see the array function.
        num_bins: largest number of ``stimulus`` levels shown.

    Returns:
        Dataset: ``mu, sigma, guess, lapse, log_likelihood, fit_status`` (…), ``lower, upper, on_bound``
        (…, parameter) in that order of parameters, ``stimulus, fraction, num_trials`` (…, condition).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> x = xr.DataArray(np.repeat([-2.0, -1.0, 1.0, 2.0], 4), dims="trial")
        >>> choice = xr.DataArray([0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1], dims="trial")
        >>> result = psychometric(x, choice, guess=0.0, lapse=0.0, num_resamples=0)
        >>> abs(float(result.mu)) < 1e-6
        True
    """
    mask = trial_mask(where, stimulus)
    values, choices = pooled(stimulus, mask), pooled(choice, mask)
    arrays.psychometric(values, choices, guess=guess, lapse=lapse, confidence=confidence, num_resamples=0)
    edges = bin_edges(values, num_bins)

    def one(x: np.ndarray, chosen: np.ndarray, use: np.ndarray) -> tuple[object, ...]:
        x, chosen = x[use].astype(float), chosen[use].astype(float)
        fit = arrays.estimate(x, chosen, guess, lapse, confidence, num_resamples, random_seed)
        index, levels = assign(x, edges), len(edges) + 1
        means = (level_means(index, values, levels) for values in (x, chosen))
        head = (fit.mu, fit.sigma, fit.guess, fit.lapse, fit.log_likelihood, int(np.isnan(fit.mu)))
        return (*head, *fit.interval.T, fit.on_bound, *means, np.bincount(index, minlength=levels))

    units = str(stimulus.attrs.get("units", "1"))
    fields = {
        "mu": Field((), units, "point of subjective equality"),
        "sigma": Field((), units, "SD of the noise"),
        "guess": Field((), "1", "guess rate"),
        "lapse": Field((), "1", "lapse rate"),
        "log_likelihood": Field((), "1", "log likelihood"),
        "fit_status": Field((), "1", "0 fitted, 1 all choices equal"),
        "lower": Field(("parameter",), "1", "lower confidence bound, in the units of the parameter"),
        "upper": Field(("parameter",), "1", "upper confidence bound, in the units of the parameter"),
        "on_bound": Field(("parameter",), "1", "-1 on the lower bound, 1 on the upper"),
        "stimulus": Field(_LEVEL, units, str(stimulus.attrs.get("long_name", stimulus.name or "stimulus"))),
        "fraction": Field(_LEVEL, "1", "fraction chosen"),
        "num_trials": Field(_LEVEL, "1", "trials"),
    }
    dataset = apply(
        one,
        (stimulus, choice, mask),
        [("trial",)] * 3,
        fields,
        method="psychometric",
        parameters={"confidence": confidence, "num_resamples": num_resamples, "random_seed": random_seed}
        | {"guess_fixed": guess, "lapse_fixed": lapse},
    )
    dataset["parameter"].attrs |= {"flag_values": [0, 1, 2, 3], "flag_meanings": " ".join(arrays.PARAMETERS)}
    return dataset
