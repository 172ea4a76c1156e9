"""Psychometric curves by group of datasets; see :mod:`throughtime.analysis.arrays.psychometric_by`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask, with_flags
from throughtime.analysis.arrays import psychometric_by as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, assign, bin_edges

_GROUP, _LEVEL = ("input_condition",), ("condition",)


def psychometric_by(
    stimulus: xr.DataArray,
    choice: xr.DataArray,
    group: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    guess: float | None = None,
    lapse: float | None = None,
    confidence: float = 0.95,
    num_resamples: int = 200,
    random_seed: int = 0,
    num_bins: int = NUM_BINS,
) -> xr.Dataset:
    """Psychometric curve of every group, and the gain of the last over the others, seed by seed.

    See :func:`throughtime.analysis.arrays.psychometric_by.psychometric_by`. Groups and levels are common to
    all seeds. A seed in which a group lacks one of the choices has NaN there, with ``fit_status`` 1.

    Args:
        stimulus: (…, trial). choice: (…, trial) 0 or 1. group: (…, trial) such as the condition ``modality``;
            its long name, and the names of its values, are kept.
        where: (…, trial) trials to use; leave catch trials out.
        guess, lapse, confidence, num_resamples, random_seed, num_bins: see the array function.

    Returns:
        Dataset: ``group, mus, sigmas, guesses, lapses, sigma_lowers, sigma_uppers, group_trials`` (…,
        input_condition); ``lowest_sigma, highest_sigma, gain, optimality, fit_status`` (…); ``stimulus,
        num_trials`` (…, condition); ``fraction`` (…, input_condition, condition).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> rate = xr.DataArray(rng.choice(np.arange(9.0, 17.0), 3000), dims="trial")
        >>> modality = xr.DataArray(rng.integers(0, 3, 3000), dims="trial", name="modality")
        >>> sigma = xr.where(modality == 2, 1.0, 2**0.5)
        >>> choice = (rate - 12.5 + sigma * rng.standard_normal(3000) > 0).astype(int)
        >>> result = psychometric_by(rate, choice, modality, num_resamples=0)
        >>> bool(abs(result.gain - 2**0.5) < 0.25), dict(result.sizes)
        (True, {'input_condition': 3, 'condition': 8})
    """
    mask = trial_mask(where, stimulus, group)
    of, chosen, by = (pooled(array, mask) for array in (stimulus, choice, group))
    arrays.psychometric_by(
        of, chosen, by, guess=guess, lapse=lapse, confidence=confidence, num_resamples=0, num_bins=num_bins
    )
    groups, edges = np.unique(by.astype(float)), bin_edges(of, num_bins)

    def one(of: np.ndarray, chosen: np.ndarray, by: np.ndarray, use: np.ndarray) -> tuple[object, ...]:
        of, chosen, by = (array[use].astype(float) for array in (of, chosen, by))
        options = (guess, lapse, confidence, num_resamples, random_seed)
        found = arrays.estimate(of, chosen, by, groups, edges, *options)._asdict()
        counts = np.bincount(assign(of, edges), minlength=len(edges) + 1)
        found |= {"group_trials": found["num_trials"], "num_trials": counts}
        found["fit_status"] = int(np.isnan(found["sigmas"]).any())
        return tuple(found[name] for name in fields)

    units = str(stimulus.attrs.get("units", "1"))
    title = str(group.attrs.get("long_name", group.name or "group"))
    fields = {
        "group": Field(_GROUP, str(group.attrs.get("units", "1")), title),
        "mus": Field(_GROUP, units, "point of subjective equality"),
        "sigmas": Field(_GROUP, units, "SD of the noise"),
        "guesses": Field(_GROUP, "1", "guess rate"),
        "lapses": Field(_GROUP, "1", "lapse rate"),
        "sigma_lowers": Field(_GROUP, units, "lower confidence bound of the SD"),
        "sigma_uppers": Field(_GROUP, units, "upper confidence bound of the SD"),
        "group_trials": Field(_GROUP, "1", "trials of the group"),
        "lowest_sigma": Field((), units, "lowest SD of a group"),
        "highest_sigma": Field((), units, "highest SD of a group"),
        "gain": Field((), "1", "mean SD of the other groups over that of the last"),
        "optimality": Field((), "1", "SD predicted for the last group over its SD"),
        "fit_status": Field((), "1", "0 fitted, 1 all choices equal in a group"),
        "stimulus": Field(_LEVEL, units, str(stimulus.attrs.get("long_name", stimulus.name or "stimulus"))),
        "num_trials": Field(_LEVEL, "1", "trials"),
        "fraction": Field((*_GROUP, *_LEVEL), "1", "fraction chosen"),
    }
    dataset = apply(
        one,
        (stimulus, choice, group, mask),
        [("trial",)] * 4,
        fields,
        method="psychometric_by",
        parameters={"confidence": confidence, "num_resamples": num_resamples, "random_seed": random_seed}
        | {"guess_fixed": guess, "lapse_fixed": lapse},
    )
    return with_flags(dataset, group)
