"""What a measure of a run is: an analysis, and how a run is brought to it."""

from __future__ import annotations

import abc
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

if TYPE_CHECKING:
    from throughtime.measures.material import Material

ABSENT = -1


class Measure(abc.ABC):
    """One analysis with its options; the class of ``FixedPoints`` is the measure ``fixed_points``.

    Subclasses are frozen dataclasses whose fields are the options. Calling one with the
    :class:`~throughtime.measures.material.Material` of a run gives a dataset with a dim ``seed``.
    """

    @classmethod
    def named(cls) -> str:
        """Name of the measure.

        Example:
            >>> class GradientNorms(Measure): ...
            >>> GradientNorms.named()
            'gradient_norms'
        """
        words: list[str] = re.findall(r"[A-Z]+(?![a-z])|[A-Z][a-z]+", cls.__name__)
        return "_".join(words).lower()

    @abc.abstractmethod
    def __call__(self, material: Material) -> xr.Dataset:
        """The dataset of the analysis.

        Raises:
            ValueError: where it is not defined for the run, with the reason.
        """


@dataclass(frozen=True)
class BySeed(Measure):
    """A measure that looks at one seed's circuit at a time.

    A seed that diverged, or that the analysis refuses, is missing: NaN, or −1 in integers; ``seed_status``
    tells which, and the attribute ``refusal`` the first reason.
    """

    def __call__(self, material: Material) -> xr.Dataset:
        """All seeds side by side."""
        found: dict[int, xr.Dataset] = {}
        status, refusals = [], []
        for seed in material.seeds:
            status.append(1)
            if not material.usable[seed]:
                continue
            try:
                found[seed] = self.of_seed(material, seed)
                status[-1] = 0
            except ValueError as refusal:
                refusals.append(refusal)
                status[-1] = 2
        if not found:
            raise refusals[0] if refusals else ValueError("every seed of the run diverged.")
        stacked = stack_seeds(found, material.seeds)
        stacked["seed_status"] = (
            "seed",
            np.asarray(status, np.int8),
            {
                "units": "1",
                "long_name": "whether the seed could be analysed",
                "flag_values": [0, 1, 2],
                "flag_meanings": "computed diverged refused",
            },
        )
        if refusals:
            stacked.attrs["refusal"] = str(refusals[0])
        return stacked

    @abc.abstractmethod
    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """The dataset of one seed."""


def stack_seeds(found: Mapping[int, xr.Dataset], seeds: Sequence[int]) -> xr.Dataset:
    """Datasets of single seeds along a dim ``seed``; what some have and others have not is NaN, or −1.

    Example:
        >>> one = xr.Dataset({"kind": ("mode", np.array([1]))}, {"mode": [0]})
        >>> two = xr.Dataset({"kind": ("mode", np.array([1, 1]))}, {"mode": [0, 1]})
        >>> stack_seeds({3: one, 5: two}, [3, 4, 5])["kind"].values.tolist()
        [[1, -1], [-1, -1], [1, 1]]
    """
    first = next(iter(found.values()))
    counts = {str(name) for name, values in first.data_vars.items() if values.dtype.kind in "iu"}
    fill: dict[Any, Any] = {name: ABSENT if name in counts else np.nan for name in map(str, first.data_vars)}
    signed = [
        one.assign({name: one[name].astype(np.int64).assign_attrs(one[name].attrs) for name in counts})
        for one in found.values()
    ]
    stacked = xr.concat(
        signed, "seed", join="outer", fill_value=fill, combine_attrs="override", coords="different",
        data_vars="all", compat="equals",
    )  # fmt: skip
    stacked = stacked.assign_coords(seed=list(found)).reindex(seed=list(seeds), fill_value=fill)
    stacked["seed"].attrs = {"units": "1", "long_name": "seed"}
    for name in counts:
        values, attrs = stacked[name], stacked[name].attrs
        codes = np.atleast_1d(attrs.get("flag_values", [])).tolist()
        if codes and ABSENT not in codes and bool((values == ABSENT).any()):
            attrs |= {"flag_values": [ABSENT, *codes], "flag_meanings": f"absent {attrs['flag_meanings']}"}
    for dim, coordinate in first.coords.items():
        if dim in stacked.coords and dim != "seed":
            stacked[dim].attrs = dict(coordinate.attrs)
    stacked.attrs = dict(first.attrs)
    return stacked
