"""Recorded trials inside a configuration: named by their content, and kept out of it when there are many."""

from __future__ import annotations

import hashlib
import weakref
from collections.abc import Sequence
from dataclasses import dataclass, field

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from throughtime.frozen import FrozenArray

SMALL_BYTES = 4 * 2**20
"""Up to this size trials are part of a task's configuration, and so of every results file."""


class Arrays:
    """Arrays of a bank, with a leading axis trial each."""

    def __init__(self, values: Sequence[FrozenArray]) -> None:
        self.frozen = tuple(values)
        self.values = tuple(each.values for each in self.frozen)
        content = "".join(each.digest for each in self.frozen)
        self.digest = hashlib.sha256(content.encode()).hexdigest()


_KNOWN: weakref.WeakValueDictionary[str, Arrays] = weakref.WeakValueDictionary()


@dataclass(frozen=True)
class Bank:
    """Recorded trials of equal channels; made by :meth:`of`.

    Equal if their content and names are. Up to 4 MiB the arrays are in ``content``: written to a results
    file, read from it, and constants of compiled programs. Larger ones are known by ``digest`` alone:
    programs fetch the trials of a batch from memory, and a bank read from a file finds its arrays if they
    have been put into a bank in the same process.

    Attributes:
        digest: SHA-256 of the arrays.
        num_trials, num_steps: their number, and the samples of the longest.
        dt: bin, ms.
        variance: of the targets where they bear loss, around the mean of each output.
        input_names, output_names, condition_names, epoch_names: see :class:`~throughtime.tasks.Task`.
        content: inputs, targets, mask (trial, time, channel), lengths (trial,) in samples, epochs
            (trial, epoch, 2) in ms, and each condition (trial,).
    """

    digest: str
    num_trials: int
    num_steps: int
    dt: float
    variance: float
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    condition_names: tuple[str, ...]
    epoch_names: tuple[str, ...]
    content: tuple[FrozenArray, ...] = field(default=(), repr=False)

    def __post_init__(self) -> None:
        if self.content:
            object.__setattr__(self, "_arrays", Arrays(self.content))

    @classmethod
    def of(
        cls,
        values: Sequence[np.ndarray],
        *,
        dt: float,
        input_names: tuple[str, ...],
        output_names: tuple[str, ...],
        condition_names: tuple[str, ...],
        epoch_names: tuple[str, ...],
    ) -> Bank:
        """Bank of arrays in the order of ``content``, checked before."""
        arrays = Arrays([FrozenArray(value) for value in values])
        arrays = _KNOWN.setdefault(arrays.digest, arrays)
        _, targets, mask = arrays.values[:3]
        weight = mask.sum((0, 1), dtype=np.float64)
        mean = (mask * targets).sum((0, 1), dtype=np.float64) / np.where(weight > 0, weight, 1)
        variance = (mask * np.square(targets - mean)).sum(dtype=np.float64) / weight.sum()
        bank = cls(
            arrays.digest,
            targets.shape[0],
            targets.shape[1],
            dt,
            float(variance),
            input_names,
            output_names,
            condition_names,
            epoch_names,
            arrays.frozen if sum(value.nbytes for value in arrays.values) <= SMALL_BYTES else (),
        )
        object.__setattr__(bank, "_arrays", arrays)
        return bank

    @property
    def is_known(self) -> bool:
        """Whether the arrays are in memory."""
        return "_arrays" in vars(self) or self.digest in _KNOWN

    @property
    def values(self) -> tuple[np.ndarray, ...]:
        """The arrays, in the order of ``content``.

        Raises:
            ValueError: if they are not in memory.
        """
        if "_arrays" not in vars(self):
            if self.digest not in _KNOWN:
                raise ValueError(
                    f"RecordedTrials: bank of {self.num_trials} trials with digest {self.digest[:12]}: too "
                    "large for a results file, which holds the digest alone; make the task of the same "
                    "arrays again with tasks.from_arrays."
                )
            object.__setattr__(self, "_arrays", _KNOWN[self.digest])
        found: Arrays = vars(self)["_arrays"]
        return found.values

    def row(self, index: Array) -> tuple[Array, ...]:
        """One trial of each array."""
        values = self.values
        if self.content:
            return tuple(jnp.asarray(value)[index] for value in values)
        shapes = tuple(jax.ShapeDtypeStruct(value.shape[1:], value.dtype) for value in values)

        def fetch(at: np.ndarray) -> tuple[np.ndarray, ...]:
            return tuple(value[np.asarray(at)] for value in values)

        rows: tuple[Array, ...] = jax.pure_callback(fetch, shapes, index, vmap_method="expand_dims")
        return rows

    def some(self, trials: np.ndarray) -> Bank:
        """Bank of some of the trials."""
        return Bank.of(
            [value[trials] for value in self.values],
            dt=self.dt,
            input_names=self.input_names,
            output_names=self.output_names,
            condition_names=self.condition_names,
            epoch_names=self.epoch_names,
        )
