"""Slopes by context of datasets; see :mod:`throughtime.analysis.arrays.contextual`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply, pooled, trial_mask
from throughtime.analysis.arrays import contextual as arrays
from throughtime.analysis.arrays.levels import NUM_BINS, bin_edges

_CONTEXT, _LEVEL = ("input_condition",), ("condition",)


def contextual(
    first: xr.DataArray,
    second: xr.DataArray,
    context: xr.DataArray,
    choice: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    num_bins: int = NUM_BINS,
    confidence: float = 0.95,
) -> xr.Dataset:
    """Slopes of the choice on the relevant and on the irrelevant stimulus in two contexts, seed by seed.

    See :func:`throughtime.analysis.arrays.contextual.contextual`. Levels are common to all seeds. A seed
    without both choices in a context has NaN there, with ``fit_status`` 1.

    Args:
        first, second: (…, trial) signed strengths. context: (…, trial) 0 where the first is relevant, else 1.
        choice: (…, trial) 0 or 1. where: (…, trial) trials to use; leave catch trials out.
        num_bins, confidence: see the array function.

    Returns:
        Dataset: ``relevant_slope, irrelevant_slope, relevant_lower, relevant_upper, irrelevant_lower,
        irrelevant_upper, bias, context_trials`` (…, input_condition); ``relevant, irrelevant, ratio,
        worst_ratio, fit_status`` (…); ``level, num_trials`` (…, condition); ``relevant_fraction,
        irrelevant_fraction`` (…, input_condition, condition).

    Raises:
        ValueError: as the array function, for all seeds together.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> drawn = rng.choice([-2.0, -1.0, 1.0, 2.0], (2, 900))
        >>> motion, colour = xr.DataArray(drawn, dims=("stimulus", "trial"))
        >>> context = xr.DataArray(rng.integers(0, 2, 900), dims="trial")
        >>> relevant = xr.where(context == 0, motion, colour)
        >>> result = contextual(motion, colour, context, (relevant > 0).astype(int))
        >>> bool(result.worst_ratio > 10)
        True
    """
    mask = trial_mask(where, first, second, context)
    one, two, of, chosen = (pooled(array, mask) for array in (first, second, context, choice))
    arrays.contextual(one, two, of, chosen, num_bins=num_bins, confidence=confidence)
    edges = bin_edges(np.concatenate([one, two]).astype(float), num_bins)

    def fit(
        x: np.ndarray, y: np.ndarray, of: np.ndarray, chosen: np.ndarray, use: np.ndarray
    ) -> tuple[object, ...]:
        x, y, of, chosen = (array[use].astype(float) for array in (x, y, of, chosen))
        found = arrays.estimate(x, y, of, chosen, edges, confidence)._asdict()
        counts = np.histogram(x, np.concatenate([[-np.inf], edges, [np.inf]]))[0]
        found |= {"context_trials": found["num_trials"], "num_trials": counts}
        found["fit_status"] = int(np.isnan(found["relevant_slope"]).any())
        return tuple(found[name] for name in fields)

    units = str(first.attrs.get("units", "1"))
    inverse = "1" if units == "1" else f"1/{units}"
    fields = {
        name: Field(_CONTEXT, inverse, text)
        for name, text in (
            ("relevant_slope", "slope on the relevant stimulus"),
            ("irrelevant_slope", "slope on the irrelevant stimulus"),
            ("relevant_lower", "lower confidence bound of the relevant slope"),
            ("relevant_upper", "upper confidence bound of the relevant slope"),
            ("irrelevant_lower", "lower confidence bound of the irrelevant slope"),
            ("irrelevant_upper", "upper confidence bound of the irrelevant slope"),
        )
    } | {
        "bias": Field(_CONTEXT, "1", "bias"),
        "context_trials": Field(_CONTEXT, "1", "trials of the context"),
        "relevant": Field((), inverse, "mean slope on the relevant stimulus"),
        "irrelevant": Field((), inverse, "mean size of the slope on the irrelevant stimulus"),
        "ratio": Field((), "1", "relevant over irrelevant slope"),
        "worst_ratio": Field((), "1", "relevant over irrelevant slope in the worse context"),
        "fit_status": Field((), "1", "0 fitted, 1 all choices equal in a context"),
        "level": Field(_LEVEL, units, "strength of the stimulus"),
        "num_trials": Field(_LEVEL, "1", "trials, by level of the first stimulus"),
        "relevant_fraction": Field((*_CONTEXT, *_LEVEL), "1", "fraction chosen by relevant stimulus"),
        "irrelevant_fraction": Field((*_CONTEXT, *_LEVEL), "1", "fraction chosen by irrelevant stimulus"),
    }  # fmt: skip
    return apply(
        fit,
        (first, second, context, choice, mask),
        [("trial",)] * 5,
        fields,
        method="contextual",
        parameters={"num_bins": num_bins, "confidence": confidence},
    )
