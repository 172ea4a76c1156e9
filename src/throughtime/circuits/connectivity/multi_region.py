"""Regions: blocks of units, densely connected within and sparsely between."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from throughtime.circuits.connectivity import checks
from throughtime.circuits.connectivity.base import Connectivity
from throughtime.circuits.connectivity.dense import Dense
from throughtime.circuits.connectivity.nested import Masked, random_mask
from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from jax import Array

WITHIN, BETWEEN = 1.0, 0.1


@dataclass(frozen=True)
class MultiRegion(Masked):
    """Regions of consecutive units, with a probability of synapses for each pair of regions.

    ``W = mask ∘ θ``: a synapse from a unit of region q to one of region r exists with probability
    ``blocks[r, q]``; θ are the weights of the base. Initial weights are multiplied by one number so that the
    radius of their eigenvalues stays that of the base. Inputs and readouts of single regions are masks of the
    circuit; :meth:`input_mask` and :meth:`readout_mask` make them.

    Attributes:
        sizes: number of units of each region, in the order of the units.
        names: names of the regions.
        blocks: (region, presynaptic region) probabilities from 0 (no synapse) to 1 (all); by default 1 within
            a region and 0.1 between two.
        mask_seed: seed of the mask, the same for all seeds of training.
        base: what draws and constrains the weights.

    Raises:
        ValueError: for sizes that do not sum to the circuit's units; names that are blank, repeated or not
            one a region; blocks of another shape, out of [0, 1] or all 0; and a base of bounded rank, with
            cell types (``Dale(base=MultiRegion(...))`` has them in each region) or regions of its own.

    Source: such circuits and their training: Yang & Molano-Mazón 2021, Curr. Opin. Neurobiol. 70:182; Perich
    et al. 2021, bioRxiv 2020.12.18.423348. The defaults are ours.

    Example:
        >>> regions = MultiRegion(sizes=(30, 10), names=("cortex", "striatum"), blocks=[[1, 0], [0.5, 1]])
        >>> regions.units_of("striatum")
        slice(30, 40, None)
        >>> regions.input_mask({"cortex": [0, 1]}, num_inputs=2).shape
        (40, 2)
        >>> bool(regions.existing(40)[regions.units_of("cortex"), regions.units_of("striatum")].any())
        False
    """

    sizes: tuple[int, ...] = (64, 64)
    names: tuple[str, ...] = ("a", "b")
    blocks: FrozenArray | None = None
    mask_seed: int = 0
    base: Connectivity = field(default_factory=Dense)

    def __post_init__(self) -> None:
        self._check_base()
        for name in ("sizes", "names"):
            given = getattr(self, name)
            if isinstance(given, str) or not isinstance(given, Iterable):
                raise ValueError(f"MultiRegion: {name} {given!r} is not one entry a region; use a tuple.")
            object.__setattr__(self, name, tuple(given))
        if not self.sizes:
            raise ValueError("MultiRegion: sizes () has no region; use one number of units for each.")
        for size in self.sizes:
            checks.whole("MultiRegion", "sizes", size, 1)
        self._check_names()
        if self.blocks is not None:
            object.__setattr__(self, "blocks", self._checked_blocks(self.blocks))
        checks.whole("MultiRegion", "mask_seed", self.mask_seed, 0)
        if self.base.cell_type_names:
            raise ValueError(
                "MultiRegion: base has cell types, which would not be shared out to the regions; use "
                "Dale(base=MultiRegion(...))."
            )
        if self.base.region_names:
            raise ValueError(
                f"MultiRegion: base has regions {self.base.region_names} of its own; list all regions at one "
                "level."
            )

    def _check_names(self) -> None:
        if len(self.names) != len(self.sizes):
            raise ValueError(
                f"MultiRegion: names {self.names} are {len(self.names)} for {len(self.sizes)} regions; use "
                "one name for each entry of sizes."
            )
        for name in self.names:
            if not (isinstance(name, str) and name and not any(letter.isspace() for letter in name)):
                raise ValueError(
                    f"MultiRegion: names has {name!r}; use a text without blanks for each region."
                )
        if len(set(self.names)) < len(self.names):
            raise ValueError(
                f"MultiRegion: names {self.names} repeat; use a name of its own for each region."
            )

    def _checked_blocks(self, given: FrozenArray) -> FrozenArray:
        try:
            blocks = np.asarray(given, float)
        except (TypeError, ValueError):
            raise ValueError(
                f"MultiRegion: blocks {given!r} is no matrix of numbers; use one row a region."
            ) from None
        wanted = (len(self.sizes), len(self.sizes))
        if blocks.shape != wanted:
            raise ValueError(
                f"MultiRegion: blocks has shape {blocks.shape}, expected {wanted}; use (region, presynaptic "
                "region)."
            )
        outside = blocks[~((blocks >= 0) & (blocks <= 1))]
        if outside.size:
            raise ValueError(
                f"MultiRegion: blocks has {outside[0]:g}, expected probabilities from 0 to 1; use 1 for all "
                "synapses and 0 for none."
            )
        if not blocks.any():
            raise ValueError("MultiRegion: blocks are all 0; mark at least one pair of regions.")
        return FrozenArray(blocks)

    def _fits(self, num_units: int) -> None:
        if sum(self.sizes) != num_units:
            raise ValueError(
                f"MultiRegion: sizes {self.sizes} sum to {sum(self.sizes)}, but the circuit has {num_units} "
                "units; use sizes that sum to num_units."
            )

    def keeps(self, num_units: int) -> np.ndarray:
        """The mask drawn with ``mask_seed``.

        Raises:
            ValueError: if ``sizes`` do not sum to the number of units.
        """
        self._fits(num_units)
        count = len(self.sizes)
        blocks = np.full((count, count), BETWEEN) + (WITHIN - BETWEEN) * np.eye(count)
        if self.blocks is not None:
            blocks = self.blocks.values
        return random_mask(tuple(map(tuple, blocks.tolist())), self.sizes, self.mask_seed)

    def regions(self, num_units: int) -> Array:
        """Index of the region of each unit."""
        self._fits(num_units)
        return jnp.asarray(np.repeat(np.arange(len(self.sizes), dtype=np.int32), self.sizes))

    @property
    def region_names(self) -> tuple[str, ...]:
        """``names``."""
        return self.names

    def units_of(self, name: str) -> slice:
        """The units of a region.

        Raises:
            ValueError: for a name that no region has.
        """
        if name not in self.names:
            raise ValueError(f"MultiRegion: no region {name!r}; use one of {', '.join(self.names)}.")
        index = self.names.index(name)
        first = sum(self.sizes[:index])
        return slice(first, first + self.sizes[index])

    def input_mask(self, channels: Mapping[str, Iterable[int]], num_inputs: int) -> np.ndarray:
        """Which units an input reaches, (unit, input) bool, for the circuit's ``input_mask``.

        Args:
            channels: region -> indices of the inputs it receives; each input occurs at least once.
            num_inputs: number of inputs.

        Raises:
            ValueError: for an unknown region, an index there is not, or an input that reaches no region.
        """
        return self._reached("input", channels, num_inputs)

    def readout_mask(self, channels: Mapping[str, Iterable[int]], num_outputs: int) -> np.ndarray:
        """Which units an output reads, (output, unit) bool, for the circuit's ``readout_mask``.

        Args:
            channels: region -> indices of the outputs that read it; each output occurs at least once.
            num_outputs: number of outputs.

        Raises:
            ValueError: for an unknown region, an index there is not, or an output that reads no region.
        """
        return self._reached("output", channels, num_outputs).T

    def _reached(self, kind: str, channels: Mapping[str, Iterable[int]], count: int) -> np.ndarray:
        mask = np.zeros((sum(self.sizes), count), bool)
        for name, indices in channels.items():
            units = self.units_of(name)
            for index in indices:
                if not 0 <= index < count:
                    raise ValueError(
                        f"MultiRegion: {kind} {index} of {name!r} does not exist; use 0 to {count - 1}."
                    )
                mask[units, index] = True
        missing = np.flatnonzero(~mask.any(0)).tolist()
        if missing:
            raise ValueError(
                f"MultiRegion: {kind} {missing[0]} belongs to no region; list it in at least one region."
            )
        return mask
