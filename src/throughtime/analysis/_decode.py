"""Decoding across times from datasets; see :mod:`throughtime.analysis.arrays.decode`."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._by_trial import per_trial, takes_part, time_dim
from throughtime.analysis._carry import carried
from throughtime.analysis._condition_means import condition_codes
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays import decode as arrays

_MAP = ("time_train", "time_test")
FIELDS = {
    "accuracy": Field(_MAP, "1", "decoding accuracy"),
    "null_mean": Field(_MAP, "1", "accuracy with shuffled labels, mean"),
    "null_upper": Field(_MAP, "1", "accuracy with shuffled labels, upper bound"),
    "p": Field(_MAP, "1", "p value, one-sided, of each pair of times"),
    "null_maximum": Field((), "1", "upper bound of the highest accuracy with shuffled labels"),
    "chance": Field((), "1", "share of the commonest class"),
    "num_trials": Field((), "1", "trials"),
}


def decode(
    rates: xr.DataArray,
    label: xr.DataArray,
    *,
    where: xr.DataArray | None = None,
    classifier: str | Any = "lda",
    num_folds: int = arrays.NUM_FOLDS,
    num_shuffles: int = arrays.NUM_SHUFFLES,
    confidence: float = 0.95,
    random_seed: int = 0,
) -> xr.Dataset:
    """Accuracy of decoders trained at one time and tested at another, for each element of other dims (seeds).

    See :func:`throughtime.analysis.arrays.decode.decode`. Trials without rates or without a label are left
    out, and so are units without rates. A seed that is refused among others is NaN with ``fit_status`` 1; the
    first refusal is the attribute ``refusal``.

    Args:
        rates: (…, trial, time or lag, unit). Its cost grows with the number of times: average in bins first.
        label: (…, trial) class, as the condition of :func:`throughtime.analysis.condition_means`.
        where: (…, trial) booleans; False leaves a trial out.
        classifier, num_folds, num_shuffles: see the array function.
        confidence: share of the shuffles below ``null_upper`` and ``null_maximum``.
        random_seed: of folds and shuffles.

    Returns:
        Dataset: ``accuracy, null_mean, null_upper, p`` (…, time_train, time_test); ``null_maximum`` (…),
        which the share ``confidence`` of shuffles exceed at no pair of times; ``chance, num_trials,
        fit_status`` (…).

    Raises:
        ValueError: as the array function, if every element is refused; for dims that are not there.

    Example:
        >>> side = xr.DataArray([0, 1] * 10, dims="trial")
        >>> noise = np.random.default_rng(0).standard_normal((20, 2, 3))
        >>> rates = xr.DataArray(noise, dims=("trial", "time", "unit"))
        >>> rates = rates + 20 * side * (rates.time == 0)
        >>> found = decode(rates, side, num_shuffles=0)
        >>> float(found.accuracy.sel(time_train=0, time_test=0)), float(found.chance)
        (1.0, 0.5)
    """
    checks.fraction("confidence", confidence)
    dim = time_dim(rates)
    bare = per_trial(rates)
    codes = per_trial(condition_codes(label)[0])
    use = takes_part(bare, where=where) & (codes >= 0)

    def one(activity: np.ndarray, code: np.ndarray, take: np.ndarray) -> tuple[Any, ...]:
        activity = activity[take]
        there = ~np.isnan(activity).all((0, 1))
        found = arrays.decode(
            activity[..., there], code[take], seed=random_seed, classifier=classifier, num_folds=num_folds,
            num_shuffles=num_shuffles,
        )  # fmt: skip
        mean = upper = np.full(found.accuracy.shape, np.nan)
        highest = np.nan
        if num_shuffles:
            mean = found.null.mean(0)
            upper = np.quantile(found.null, confidence, axis=0, method="higher")
            highest = float(np.quantile(found.null.max((1, 2)), confidence, method="higher"))
        return found.accuracy, mean, upper, found.p, highest, found.chance, int(take.sum())

    times = bare.sizes[dim]
    attempts = Attempts(one, blank(FIELDS, dict.fromkeys(_MAP, times), {"num_trials": 0}))
    dataset = apply(
        attempts, (bare, codes, use), [("trial", dim, "unit"), ("trial",), ("trial",)],
        FIELDS | {"fit_status": STATUS}, method="decode",
        parameters={
            "classifier": classifier if isinstance(classifier, str) else type(classifier).__name__,
            "num_folds": num_folds, "num_shuffles": num_shuffles, "confidence": confidence,
            "random_seed": random_seed,
        },
    )  # fmt: skip
    attrs = {"units": "1"} | bare[dim].attrs
    dataset = attempts.told(dataset).assign_coords(
        time_train=("time_train", bare[dim].values, attrs | {"long_name": "time of training"}),
        time_test=("time_test", bare[dim].values, attrs | {"long_name": "time of test"}),
    )
    return carried(dataset, rates)
