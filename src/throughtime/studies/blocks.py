"""Arrays of all runs of a study, read from their files at once, or a run at a time when they are needed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from throughtime.results.errors import ResultsError
from throughtime.studies.headers import SEED

Place = tuple[int, ...]
MOST_BYTES = 2 << 30
"""Of one group in memory."""


class TooLarge(ResultsError):
    """A study is larger than what is kept in memory; it is opened with ``lazy=True``."""


@dataclass(frozen=True)
class Piece:
    """Seeds of one run in one file.

    Attributes:
        path: of the file. seeds: those that are taken from it.
    """

    path: Path
    seeds: tuple[int, ...]


@dataclass(frozen=True)
class Blocks:
    """One variable of every run, and what stands where there is none.

    Attributes:
        pieces: place of a run (task, circuit, rule, option) -> where it lies.
        seeds: of the study.
        group, name: of the variable in a file.
        grid: sizes of the four axes. shape: of one run, seeds first if it has any.
        dtype: of the whole. fill: what stands where there is none.
        seed_axis: which axis of the variable in a file is ``seed``; None where it has none.
    """

    pieces: Mapping[Place, tuple[Piece, ...]]
    seeds: tuple[int, ...]
    group: str
    name: str
    grid: Place
    shape: Place
    dtype: Any
    fill: float
    seed_axis: int | None = 0

    @property
    def nbytes(self) -> int:
        """Size of the whole in memory."""
        return int(np.prod((*self.grid, *self.shape), dtype=np.int64)) * np.dtype(self.dtype).itemsize

    def empty(self, *before: int) -> np.ndarray:
        """Array of one run, or of several, with nothing in it."""
        return np.full((*before, *self.shape), self.fill, self.dtype)

    def put(self, values: np.ndarray, piece: Piece, file: Any, seeds: list[int]) -> None:
        """Write a piece into the array of its run; what is shorter than that goes to the beginning.

        Args:
            values: of the run. piece: what is written. file: that is open for it. seeds: in the file.
        """
        found = np.asarray(file[f"{self.group}/{self.name}"][()])
        if self.seed_axis is None:
            values[...] = found
            return
        row = {seed: index for index, seed in enumerate(self.seeds)}
        found = np.moveaxis(found, self.seed_axis, 0)[[seeds.index(seed) for seed in piece.seeds]]
        index: Any = ([row[seed] for seed in piece.seeds], *(slice(0, size) for size in found.shape[1:]))
        values[index] = found

    def lazy(self) -> Any:
        """A Dask array with one chunk a run, read when it is computed."""
        import dask.array

        chunks = (*((1,) * size for size in self.grid), *((size,) for size in self.shape))
        return dask.array.map_blocks(
            _block, chunks=chunks, dtype=self.dtype, meta=np.empty((), self.dtype), blocks=self
        )


def arrays(blocks: Sequence[Blocks], lazy: bool) -> list[Any]:
    """Several variables of the same runs, as Dask arrays or in memory.

    Raises:
        ResultsError: for what is too large for memory.
    """
    if lazy:
        return [one.lazy() for one in blocks]
    size = sum(one.nbytes for one in blocks)
    if blocks and size > MOST_BYTES:
        raise TooLarge(
            f"combine: {blocks[0].group} of all runs takes {size / 1e9:.1f} GB; open the study with "
            "lazy=True, or write it with export --to zarr."
        )
    return whole(blocks)


def whole(blocks: Sequence[Blocks]) -> list[np.ndarray]:
    """Several variables of a group, in memory; each file is opened once."""
    values = [one.empty(*one.grid) for one in blocks]
    files: dict[tuple[Place, Piece], None] = {}
    for one in blocks:
        files |= dict.fromkeys((place, piece) for place, several in one.pieces.items() for piece in several)
    for place, piece in files:
        with h5py.File(piece.path, "r") as file:
            seeds = file[f"{blocks[0].group}/{SEED}"][()].tolist()
            for one, array in zip(blocks, values, strict=True):
                if place in one.pieces:
                    one.put(array[place], piece, file, seeds)
    return values


def _block(blocks: Blocks, block_info: Any = None) -> np.ndarray:
    place = tuple(block_info[None]["chunk-location"][: len(blocks.grid)])
    values = blocks.empty()
    for piece in blocks.pieces.get(place, ()):
        with h5py.File(piece.path, "r") as file:
            blocks.put(values, piece, file, file[f"{blocks.group}/{SEED}"][()].tolist())
    return values[(None,) * len(blocks.grid)]
