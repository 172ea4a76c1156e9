"""Demixed principal components of datasets; see :mod:`throughtime.analysis.arrays.dpca`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS, Attempts, blank
from throughtime.analysis._by_trial import in_units, named_codes, per_trial, takes_part, time_dim
from throughtime.analysis._carry import carried
from throughtime.analysis._condition_means import condition_codes
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import dpca as arrays
from throughtime.analysis.arrays import dpca_trials


def dpca(
    rates: xr.DataArray,
    factors: Mapping[str, xr.DataArray],
    *,
    where: xr.DataArray | None = None,
    groups: arrays.Groups | None = None,
    num_components: int = arrays.NUM_COMPONENTS,
    ridge: float | Sequence[float] = 0.0,
    noise: bool = False,
    num_splits: int = dpca_trials.NUM_SPLITS,
    random_seed: int = 0,
) -> xr.Dataset:
    """Components of activity demixed by task factor and time, for each element of other dims (seeds).

    See :func:`throughtime.analysis.arrays.dpca.dpca`. Trials of each combination of levels are averaged,
    whatever their number. Trials without rates or without a level are left out, and so are units without
    rates. A seed that is refused among others is NaN with ``fit_status`` 1; the first refusal is the
    attribute ``refusal``.

    Args:
        rates: (…, trial, time or lag, unit), for instance aligned to an event.
        factors: name -> (…, trial) levels, as the conditions of :func:`throughtime.analysis.condition_means`.
        where: (…, trial) booleans; False leaves a trial out.
        groups: name -> sets of factors, among them ``"time"``; see the array function.
        num_components: of each group.
        ridge: penalty as a share of the variance, or several, of which cross-validation over trials chooses
            one (:func:`throughtime.analysis.arrays.dpca_trials.choose_ridge`).
        noise: whether the covariance of single trials around their average takes part.
        num_splits, random_seed: of the cross-validation.

    Returns:
        Dataset: ``encoder, decoder`` (…, component, unit), ``score`` (…, condition, time, component),
        ``explained_variance`` (…, component), ``component_marginal_variance`` (…, component, parameter),
        ``marginal_variance`` (…, parameter), ``mean`` (…, unit), ``num_trials`` (…, condition), ``ridge_used,
        fit_status`` (…). ``parameter`` is the groups, the coordinate ``marginal`` the group of a component;
        each factor's levels are the coordinate ``<factor>_level`` (condition).

    Raises:
        ValueError: as the array functions, if every element is refused; for no factors, or one named "time".

    Example:
        >>> side = xr.DataArray([0, 0, 1, 1], dims="trial")
        >>> time = xr.DataArray([-1.0, 0.0, 1.0], dims="time")
        >>> rates = xr.concat([2 * time + 0 * side, side + 0 * time], dim="unit")
        >>> found = dpca(rates, {"side": side}, num_components=1)
        >>> found.marginal_variance.values.round(3).tolist(), found.parameter.attrs["flag_meanings"]
        ([0.914, 0.086], 'time side')
    """
    dim = time_dim(rates)
    if not factors:
        raise ValueError("factors: none; give the levels of at least one over trials, under its name.")
    if arrays.TIME in factors:
        raise ValueError(f"factors: {arrays.TIME!r} is a factor by itself; give this one another name.")
    bare = per_trial(rates)
    coded = {name: condition_codes(each) for name, each in factors.items()}
    levels = {name: label for name, (_, label) in coded.items()}
    shape = tuple(label.sizes["condition"] for label in levels.values())
    codes = xr.concat(
        xr.broadcast(*xr.align(*(per_trial(code) for code, _ in coded.values()), join="exact")),
        dim="parameter", coords="minimal", compat="override", join="exact",
    )  # fmt: skip
    use = takes_part(bare, where=where) & (codes >= 0).all("parameter")
    names = (*factors, arrays.TIME)
    chosen = arrays.default_groups(names) if groups is None else groups
    parameter = named_codes("parameter", list(chosen), "group of marginals")
    number = num_components * len(chosen)
    sizes = {str(name): size for name, size in bare.sizes.items()}
    sizes |= {"condition": int(np.prod(shape)), "component": number, "parameter": len(chosen)}
    candidates = np.atleast_1d(np.asarray(ridge, dtype=float)).tolist()
    units = str(rates.attrs.get("units", "1"))
    fields = {
        "encoder": Field(("component", "unit"), "1", "direction in which the component moves units"),
        "decoder": Field(("component", "unit"), "1", "weights that read the component"),
        "score": Field(("condition", dim, "component"), units, "component"),
        "explained_variance": Field(("component",), "1", "share of variance"),
        "component_marginal_variance": Field(
            ("component", "parameter"), "1", "share of the component's variance"
        ),
        "marginal_variance": Field(("parameter",), "1", "share of variance"),
        "mean": Field(("unit",), units, "mean subtracted"),
        "num_trials": Field(("condition",), "1", "trials"),
        "ridge_used": Field((), "1", "penalty as a share of the variance"),
    }

    def one(activity: np.ndarray, code: np.ndarray, take: np.ndarray) -> Any:
        activity, code = activity[take], code[take]
        there = ~np.isnan(activity).all((0, 1))
        activity = activity[..., there]
        options: dict[str, Any] = {"groups": chosen, "num_components": num_components}
        averages = dpca_trials.cells(activity, code, shape)
        penalty = candidates[0]
        if len(candidates) > 1:
            penalty = dpca_trials.choose_ridge(
                activity, code, names, candidates, seed=random_seed, noise=noise, num_splits=num_splits,
                **options,
            ).ridge  # fmt: skip
        covariance = averages.noise_covariance if noise else None
        found = arrays.dpca(averages.mean, names, ridge=penalty, noise_covariance=covariance, **options)
        of_units = [in_units(each, there) for each in (found.encoder, found.decoder, found.mean)]
        encoder, decoder, mean = of_units
        return (
            encoder, decoder, found.score.reshape(sizes["condition"], -1, number), found.explained_variance,
            found.component_marginal_variance, found.marginal_variance, mean, averages.num_trials.ravel(),
            penalty,
        )  # fmt: skip

    attempts = Attempts(one, blank(fields, sizes, {"num_trials": 0}))
    dataset = apply(
        attempts, (bare, codes, use), [("trial", dim, "unit"), ("trial", "parameter"), ("trial",)],
        fields | {"fit_status": STATUS}, method="dpca",
        parameters={
            "ridge": candidates if len(candidates) > 1 else candidates[0], "noise": int(noise),
            "num_components": num_components, "num_splits": num_splits, "random_seed": random_seed,
        },
    )  # fmt: skip
    of = named_codes("component", list(chosen), "group of marginals").attrs
    marginal = np.repeat(np.arange(len(chosen)), num_components)
    dataset = attempts.told(dataset).drop_vars("parameter")
    dataset = dataset.assign_coords(parameter=parameter, marginal=("component", marginal, of))
    return carried(dataset.assign_coords(_levels(levels, shape)), rates)


def _levels(levels: Mapping[str, xr.DataArray], shape: Sequence[int]) -> dict[str, Any]:
    """Each factor's level (or number) in each cell, the last factor running fastest."""
    places = np.unravel_index(np.arange(int(np.prod(shape))), tuple(shape))
    found = {}
    for (name, label), place in zip(levels.items(), places, strict=True):
        values = next((label[each] for each in label.coords if each != "condition"), label["condition"])
        found[f"{name}_level"] = ("condition", values.values[place], values.attrs)
    return found
