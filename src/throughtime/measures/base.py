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
COMPUTED, DIVERGED, REFUSED = 0, 1, 2
NONE_LEFT = "run: every seed of it diverged; analyse a checkpoint before that, or train with a smaller step."
SEED = {"units": "1", "long_name": "seed"}


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
            status.append(DIVERGED)
            if not material.usable[seed]:
                continue
            try:
                found[seed] = self.of_seed(material, seed)
                status[-1] = COMPUTED
            except ValueError as refusal:
                refusals.append(refusal)
                status[-1] = REFUSED
        if not found:
            raise refusals[0] if refusals else ValueError(NONE_LEFT)
        stacked = stack_seeds(found, material.seeds)
        stacked["seed_status"] = status_of(status)
        if refusals:
            stacked.attrs["refusal"] = str(refusals[0])
        epoch = self.epoch_used(material)
        return stacked if epoch is None else stacked.assign_attrs(epoch=epoch)

    @abc.abstractmethod
    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """The dataset of one seed."""

    def epoch_used(self, material: Material) -> str | None:
        """Name of the epoch that is looked at, where the measure has such an option."""
        return material.epoch(self.epoch)[0] if hasattr(self, "epoch") else None


@dataclass(frozen=True)
class Together(Measure):
    """A measure of all seeds at once, for instance by levels that they share; missing seeds as above."""

    def __call__(self, material: Material) -> xr.Dataset:
        """All seeds, those that diverged missing."""
        left = [seed for seed in material.seeds if material.usable[seed]]
        if not left:
            raise ValueError(NONE_LEFT)
        found = self.of_seeds(material, left)
        told = found.assign_coords(seed=left).reindex(seed=material.seeds, fill_value=fills(found))
        told["seed"].attrs = dict(SEED)
        absent_codes(told)
        status = [COMPUTED if seed in left else DIVERGED for seed in material.seeds]
        told["seed_status"] = status_of(status)
        return told

    @abc.abstractmethod
    def of_seeds(self, material: Material, seeds: list[int]) -> xr.Dataset:
        """The dataset (seed, …) of seeds whose weights can be analysed."""


def status_of(codes: list[int]) -> xr.DataArray:
    """``seed_status`` (seed,)."""
    attrs = {
        "units": "1",
        "long_name": "whether the seed could be analysed",
        "flag_values": [COMPUTED, DIVERGED, REFUSED],
        "flag_meanings": "computed diverged refused",
    }
    return xr.DataArray(np.asarray(codes, np.int8), dims="seed", attrs=attrs)


def fills(dataset: xr.Dataset) -> dict[Any, Any]:
    """What stands for a missing value of each variable and coordinate: −1 in integers, else NaN."""
    names = [name for name in dataset.variables if name not in dataset.dims]
    return {name: ABSENT if dataset[name].dtype.kind in "iu" else np.nan for name in names}


def absent_codes(dataset: xr.Dataset) -> None:
    """Declare −1 as ``absent`` in the categories in which it stands."""
    for name, values in dataset.data_vars.items():
        attrs = dataset[name].attrs
        codes = np.atleast_1d(attrs.get("flag_values", [])).tolist()
        if codes and ABSENT not in codes and bool((values == ABSENT).any()):
            attrs |= {"flag_values": [ABSENT, *codes], "flag_meanings": f"absent {attrs['flag_meanings']}"}


def stack_seeds(found: Mapping[int, xr.Dataset], seeds: Sequence[int]) -> xr.Dataset:
    """Datasets of single seeds along a dim ``seed``; what some have and others have not is NaN, or −1.

    Example:
        >>> one = xr.Dataset({"kind": ("mode", np.array([1]))}, {"mode": [0]})
        >>> two = xr.Dataset({"kind": ("mode", np.array([1, 1]))}, {"mode": [0, 1]})
        >>> stack_seeds({3: one, 5: two}, [3, 4, 5])["kind"].values.tolist()
        [[1, -1], [-1, -1], [1, 1]]
    """
    first = next(iter(found.values()))
    fill = fills(first)
    counts = [name for name in first.data_vars if fill[name] == ABSENT]
    signed = [
        one.assign({name: one[name].astype(np.int64).assign_attrs(one[name].attrs) for name in counts})
        for one in found.values()
    ]
    stacked = xr.concat(
        signed, "seed", join="outer", fill_value=fill, combine_attrs="override", coords="different",
        data_vars="all", compat="equals",
    )  # fmt: skip
    stacked = stacked.assign_coords(seed=list(found)).reindex(seed=list(seeds), fill_value=fill)
    stacked["seed"].attrs = dict(SEED)
    absent_codes(stacked)
    for dim, coordinate in first.coords.items():
        if dim in stacked.coords and dim != "seed":
            stacked[dim].attrs = dict(coordinate.attrs)
    stacked.attrs = dict(first.attrs)
    return stacked
