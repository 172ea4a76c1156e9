"""What paired and unpaired comparisons of datasets share: two sides, a family, labels."""

from __future__ import annotations

from collections.abc import Hashable

import numpy as np
import xarray as xr

from throughtime.analysis._labels import coded, names_of
from throughtime.analysis._named import Field
from throughtime.analysis.arrays import holm as correction
from throughtime.analysis.arrays import replicates

SEED, OTHER_SEED = "seed", "other_seed"
REASONS = {
    replicates.TOO_FEW: "no p: p_minimum {p_minimum:.3g} x family_size {family_size} > level {level:g}: "
    "more seeds or fewer comparisons are needed",
    replicates.IDENTICAL: "no p where both have the same value in every seed",
}


def sides(
    values: xr.DataArray, other: xr.DataArray | None, reference: str | int | None, dim: str
) -> tuple[xr.DataArray, xr.DataArray, dict[str, str | int]]:
    """What is compared, what it is compared with, and attributes that name the latter."""
    if (other is None) == (reference is None):
        found = "neither" if other is None else "both"
        raise ValueError(f"other, reference: {found} given; give the one that is subtracted from values.")
    for name, array in (("values", values), ("other", other)):
        if array is not None and SEED not in array.dims:
            raise ValueError(f"{name}: no dim {SEED!r} among {array.dims}; the seed is the replicate.")
    if other is not None:
        return values, other, {}
    if dim not in values.dims or values.sizes[dim] < 2:
        raise ValueError(
            f"values: {dim!r} has {values.sizes.get(dim, 0)} labels; a reference needs another one."
        )
    values = values.assign_coords({dim: coded(values[dim])})
    labels, names = labels_of(values, dim).tolist(), names_of(values[dim])
    wanted = "_".join(reference.split()) if isinstance(reference, str) else reference
    at = [k for k, label in enumerate(labels) if wanted in (label, names.get(label))]
    if len(at) != 1:
        known = ", ".join(str(names.get(label, label)) for label in labels)
        raise ValueError(f"reference: {reference!r} is no label of {dim!r}; use one of {known}.")
    rest = [k for k in range(len(labels)) if k != at[0]]
    named = {"reference": names.get(labels[at[0]], labels[at[0]]), "dim": dim}
    return values.isel({dim: rest}), values.isel({dim: at[0]}, drop=True), named


def labels_of(array: xr.DataArray, dim: str) -> np.ndarray:
    """Coordinate of ``dim``, or positions where it has none."""
    return np.asarray(array[dim].values)


def family(family_size: int | None, first: xr.DataArray, second: xr.DataArray) -> int:
    """Comparisons in the family: those made, or the larger number declared."""
    sizes: dict[Hashable, int] = {**first.sizes, **second.sizes}
    made = int(np.prod([size for dim, size in sizes.items() if dim != SEED]))
    if family_size is not None and family_size < made:
        raise ValueError(
            f"family_size: {family_size} with {made} comparisons; declare the family at least as large."
        )
    return made if family_size is None else family_size


def name_of(values: xr.DataArray) -> str:
    """What the values are, in words."""
    return str(values.attrs.get("long_name", values.name or "value")).replace("_", " ")


def estimates(units: str, values: xr.DataArray) -> dict[str, Field]:
    """Fields of the estimates that both comparisons give."""
    name = name_of(values)
    return {
        "mean_difference": Field((), units, f"mean difference in {name}"),
        "lower": Field((), units, "lower bound of the mean difference"),
        "upper": Field((), units, "upper bound of the mean difference"),
        "median_difference": Field((), units, f"median difference in {name}"),
        "median_lower": Field((), units, "lower bound of the median difference"),
        "median_upper": Field((), units, "upper bound of the median difference"),
    }


def p_fields() -> dict[str, Field]:
    """Fields of the tests that both comparisons give."""
    return {
        "p": Field((), "1", "p value, two-sided"),
        "p_minimum": Field((), "1", "smallest p value that can occur"),
    }


def finish(dataset: xr.Dataset, first: xr.DataArray, second: xr.DataArray) -> xr.Dataset:
    """The dataset with adjusted p values, why they are missing, flags, and coordinates of its dims."""
    for array in (first, second):
        for name in array.coords:
            if set(array[name].dims) <= set(dataset.dims) and name != OTHER_SEED:
                dataset = dataset.assign_coords({name: array[name]})
    options = dict(dataset.attrs)
    adjusted = correction.holm(dataset["p"].values, family_size=options["family_size"])
    dataset["p_holm"] = dataset["p"].copy(data=adjusted)
    dataset["p_holm"].attrs = {"units": "1", "long_name": "p value, Holm-adjusted"}
    codes = (replicates.TESTED, replicates.TOO_FEW, replicates.IDENTICAL)
    meanings = " ".join(replicates.STATUS_MEANINGS)
    dataset["p_status"].attrs |= {"flag_values": list(codes), "flag_meanings": meanings}
    told = options | {"p_minimum": float(dataset["p_minimum"].max())}
    reasons = [text.format(**told) for code, text in REASONS.items() if (dataset["p_status"] == code).any()]
    if reasons:
        dataset["p"].attrs["reason"] = "; ".join(reasons)
    return dataset
