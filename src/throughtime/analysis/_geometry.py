"""Geometry of conditions in datasets; see :mod:`throughtime.analysis.arrays.geometry`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._by_trial import combinations, named_codes, per_trial, stacked
from throughtime.analysis._carry import carried
from throughtime.analysis._condition_means import condition_codes
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import checks
from throughtime.analysis.arrays import geometry as arrays
from throughtime.analysis.arrays.dichotomies import choose_dichotomies

_EACH = ("dichotomy",)
MEASURES = {
    "shattering": "shattering",
    "ccgp": "cross-condition generalisation",
    "ccgp_all_pairs": "cross-condition generalisation, all pairs",
    "parallelism": "parallelism",
}
FIELDS = {
    "accuracy": Field(_EACH, "1", "decoding accuracy"),
    "decodable": Field(_EACH, "1", "whether the dichotomy is decodable"),
    "shattering": Field((), "1", "share of dichotomies that are decodable"),
    "ccgp": Field(_EACH, "1", MEASURES["ccgp"]),
    "ccgp_all_pairs": Field(_EACH, "1", MEASURES["ccgp_all_pairs"]),
    "parallelism": Field(_EACH, "1", MEASURES["parallelism"]),
    "num_trials": Field((), "1", "trials"),
} | {
    f"null_{name}_{end}": Field((), "1", f"{long_name}, null, {what}")
    for name, long_name in MEASURES.items()
    for end, what in (("mean", "mean"), ("lower", "lower bound"), ("upper", "upper bound"))
}


def geometry(
    rates: xr.DataArray,
    variables: Mapping[str, xr.DataArray] | None = None,
    *,
    condition: xr.DataArray | None = None,
    where: xr.DataArray | None = None,
    classifier: str | Any | None = "lda",
    threshold: float = arrays.THRESHOLD,
    num_folds: int = arrays.NUM_FOLDS,
    num_dichotomies: int | None = None,
    num_shuffles: int = arrays.NUM_SHUFFLES,
    confidence: float = 0.95,
    random_seed: int = 0,
) -> xr.Dataset:
    """Shattering, cross-condition generalisation and parallelism of a population.

    See :func:`throughtime.analysis.arrays.geometry.geometry`; it is done for each element of the dims that
    are neither trials nor units (seeds, and times unless rates are averaged over a window). Trials without
    rates, variables or condition are left out, and so are units without rates. An element that is refused
    among others is NaN with ``fit_status`` 1; the first refusal is the attribute ``refusal``.

    Args:
        rates: (…, trial, unit).
        variables: name -> (…, trial) numbers, two values each; their dichotomies come first, in this order.
        condition: (…, trial) as in :func:`throughtime.analysis.condition_means`; each combination of the
            variables if not given.
        where: (…, trial) booleans; False leaves a trial out.
        classifier: None for rates without noise. threshold, num_folds, num_dichotomies, num_shuffles: see the
            array function.
        confidence: share of the null between its bounds, over shuffles and dichotomies together.
        random_seed: of folds, shuffles and samples.

    Returns:
        Dataset: ``accuracy, decodable, ccgp, ccgp_all_pairs, parallelism`` (…, dichotomy); ``shattering,
        num_trials, fit_status`` (…); for each of the four measures ``null_<measure>_mean, _lower, _upper``
        (…); ``side`` (dichotomy, condition), −1 or 1. The coordinate ``variable`` (dichotomy) says which
        variable a dichotomy is, −1 for none.

    Raises:
        ValueError: as the array function, if every element is refused; without variables and condition; for
            a variable that varies within a condition.

    Example:
        >>> side, rule = (xr.DataArray(x, dims="trial") for x in ([0, 0, 1, 1], [0, 1, 0, 1]))
        >>> rates = xr.concat([side, rule], dim="unit")
        >>> found = geometry(rates, {"side": side, "rule": rule}, classifier=None, num_shuffles=0)
        >>> found.parallelism.values, found.variable.values
        (array([ 1.,  1., -1.]), array([ 0,  1, -1]))
    """
    checks.fraction("confidence", confidence)
    lacking = {"trial", "unit"} - set(rates.dims)
    if lacking:
        raise ValueError(
            f"rates: dims {rates.dims} lack {', '.join(sorted(lacking))}; expected (…, trial, unit)."
        )
    bare = per_trial(rates)
    codes, label, values = _conditions(variables, condition, where)
    number = label.sizes["condition"]
    sides, variable = choose_dichotomies(number, values, num_dichotomies, random_seed)
    ends = [(1 - confidence) / 2, (1 + confidence) / 2]

    def one(activity: np.ndarray, code: np.ndarray) -> tuple[Any, ...]:
        take = (code >= 0) & ~np.isnan(activity).all(1)
        activity, code = activity[take], code[take]
        present = np.unique(code).size
        if present < number:
            raise ValueError(
                f"condition: {present} of {number} have trials; leave the others out of all seeds."
            )
        found = arrays.geometry(
            activity[:, ~np.isnan(activity).all(0)], code, seed=random_seed, variables=values,
            classifier=classifier, threshold=threshold, num_folds=num_folds, num_dichotomies=num_dichotomies,
            num_shuffles=num_shuffles,
        )  # fmt: skip
        nulls: list[float] = []
        for name in MEASURES:
            null = getattr(found, f"null_{name}")
            nulls += [null.mean(), *np.quantile(null, ends)] if null.size else [np.nan] * 3
        return (
            found.accuracy, found.decodable.astype(float), found.shattering, found.ccgp, found.ccgp_all_pairs,
            found.parallelism, int(take.sum()), *nulls,
        )  # fmt: skip

    attempts = Attempts(one, blank(FIELDS, {"dichotomy": len(sides)}, {"num_trials": 0}))
    dataset = apply(
        attempts, (bare, codes), [("trial", "unit"), ("trial",)], FIELDS | {"fit_status": STATUS},
        method="geometry",
        parameters={
            "classifier": "none" if classifier is None else _name(classifier), "threshold": threshold,
            "num_folds": num_folds, "num_dichotomies": num_dichotomies, "num_shuffles": num_shuffles,
            "confidence": confidence, "random_seed": random_seed,
        },
    )  # fmt: skip
    names = ["none", *(variables or {})]
    attrs = named_codes("dichotomy", names, "variable that the dichotomy is").attrs
    attrs |= {"flag_values": list(range(-1, len(names) - 1)) if len(names) > 1 else -1}
    dataset = attempts.told(dataset)
    dataset["side"] = (
        ("dichotomy", "condition"),
        sides,
        {"units": "1", "long_name": "side of the condition"},
    )
    dataset = dataset.assign_coords(label.coords).assign_coords(variable=("dichotomy", variable, attrs))
    return carried(dataset, rates)


def _name(classifier: str | Any) -> str:
    return classifier if isinstance(classifier, str) else type(classifier).__name__


def _conditions(
    variables: Mapping[str, xr.DataArray] | None, condition: xr.DataArray | None, where: xr.DataArray | None
) -> tuple[xr.DataArray, xr.DataArray, np.ndarray | None]:
    """Codes (…, trial), −1 for none; their coordinate; and (condition, variable) values."""
    if condition is None and not variables:
        raise ValueError("variables, condition: give one of them, or both.")
    design = stacked(variables) if variables else None
    use = xr.DataArray(True) if where is None else per_trial(where).astype(bool)
    if design is not None:
        use = use & design.notnull().all("parameter")
    if condition is None:
        assert design is not None
        codes, label = combinations(design, use)
    else:
        codes, label = condition_codes(condition)
        codes = per_trial(codes).where(use, -1).astype(int)
    if design is None:
        return codes, label, None
    design, wide = xr.broadcast(design, codes, exclude=["parameter"])
    order = [dim for dim in wide.dims if dim != "parameter"]
    rows, of = design.transpose(*order, "parameter").values, wide.transpose(*order).values
    values = np.full((label.sizes["condition"], rows.shape[-1]), np.nan)
    for code in range(len(values)):
        found = np.unique(rows[of == code], axis=0)
        if len(found) != 1:
            raise ValueError(
                f"condition: the variables have {len(found)} combinations of values within number {code}; "
                "use conditions in which each variable is the same."
            )
        values[code] = found[0]
    return codes, label, values
