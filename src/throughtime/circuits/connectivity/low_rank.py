"""Recurrent weights of low rank, alone or beside a random part of full rank."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits.connectivity import checks
from throughtime.circuits.connectivity.base import Connectivity

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Dynamics, Params

FIXED = "recurrent_fixed"
TOLERANCE = 1e-6


@dataclass(frozen=True)
class LowRank(Connectivity):
    """Weights of low rank, ``W = M Nᵀ / n (+ J)`` for n units, J being the weights of the base.

    Activity then moves in the span of the columns of M (and of the inputs), driven by what the columns of N
    read. The free parameters are the factors M, ``left``, and N, ``right``, each ([gate,] unit, rank). J is a
    parameter ``recurrent_fixed`` that training leaves alone, unless ``train_base``.

    At first ``M = g ξ`` and ``N = g η + (o/g²) M``, with standard normal ξ and η, gain g and wanted overlap
    o: the nonzero eigenvalues of M Nᵀ/n, which are those of the overlap matrix ``Nᵀ M / n``, are o up to
    O(1/√n).

    Attributes:
        rank: number of columns of each factor.
        gain: standard deviation of the entries of the factors, before any overlap.
        initial_overlap: mean eigenvalue of the initial low-rank part; 0: independent factors, whose part
            training has to make.
        base: a part of full rank such as ``Dense(gain=0.8)``, or none.
        train_base: whether the base learns too.

    Raises:
        ValueError: for a rank below 1 or above the number of units; for numbers out of range; for a base of
            bounded rank or with cell types, whose signs the low-rank part would break; and for
            ``train_base`` without a base.

    Source: Mastrogiuseppe & Ostojic 2018, Neuron 99:609; training of the factors from normal ones: Dubreuil
    et al. 2022, Nat. Neurosci. 25:783; Beiran et al. 2023, Neuron 111:739.

    Example:
        >>> import jax, numpy as np
        >>> circuit = LowRank(rank=2, initial_overlap=1.5)
        >>> params = circuit.init(1000, 1, key=jax.random.key(0))
        >>> [round(float(abs(x)), 1) for x in np.linalg.eigvals(circuit.overlap(params))]
        [1.5, 1.5]
        >>> int(np.linalg.matrix_rank(circuit.weights(params)))
        2
    """

    rank: int = 1
    gain: float = 1.0
    initial_overlap: float = 0.0
    base: Connectivity | None = None
    train_base: bool = False

    def __post_init__(self) -> None:
        checks.whole("LowRank", "rank", self.rank, 1)
        words = "a number > 0; use 1 for standard normal factors"
        checks.number("LowRank", "gain", self.gain, np.nextafter(0, 1), math.inf, words)
        words = "a number; use 0 for independent factors"
        checks.number("LowRank", "initial_overlap", self.initial_overlap, -math.inf, math.inf, words)
        checks.flag("LowRank", "train_base", self.train_base)
        if self.base is None:
            if self.train_base:
                raise ValueError("LowRank: train_base True has no base to train; give one, or leave it out.")
            return
        if not isinstance(self.base, Connectivity):
            raise ValueError(f"LowRank: base {self.base!r} is not a connectivity; use Dense() or None.")
        if self.base.max_rank is not None:
            raise ValueError(
                f"LowRank: base has rank {self.base.max_rank}, but shall be of full rank; add up the ranks "
                "in one LowRank."
            )
        if self.base.cell_type_names:
            raise ValueError(
                f"LowRank: base has cell types {self.base.cell_type_names}, whose signs the low-rank part "
                "would break; use a base without them."
            )

    @property
    def max_rank(self) -> int | None:
        """``rank``; None with a base."""
        return self.rank if self.base is None else None

    @property
    def fixed_params(self) -> tuple[str, ...]:
        """The base's weights, or those it keeps fixed itself if it learns."""
        if self.base is None:
            return ()
        return self.base.fixed_params if self.train_base else (FIXED,)

    def regions(self, num_units: int) -> Array:
        """Those of the base."""
        return super().regions(num_units) if self.base is None else self.base.regions(num_units)

    @property
    def region_names(self) -> tuple[str, ...]:
        """Those of the base."""
        return () if self.base is None else self.base.region_names

    def check(self, num_units: int, dynamics: Dynamics) -> None:
        """Refuse a rank above the number of units, and what the base refuses."""
        if self.rank > num_units:
            raise ValueError(
                f"LowRank: rank {self.rank} is above the number of units, {num_units}; use a lower rank, or "
                "Dense() for none."
            )
        if self.base is not None:
            self.base.check(num_units, dynamics)

    def init(self, num_units: int, num_gates: int, *, key: Array) -> Params:
        """Draw both factors, and the base."""
        shape = (num_units, self.rank) if num_gates == 1 else (num_gates, num_units, self.rank)
        of_left, of_right, of_base = jax.random.split(key, 3)
        left = self.gain * jax.random.normal(of_left, shape, jnp.float32)
        right = self.gain * jax.random.normal(of_right, shape, jnp.float32)
        factors = {"left": left, "right": right + self.initial_overlap / self.gain**2 * left}
        if self.base is None:
            return factors
        drawn = self.base.init(num_units, num_gates, key=of_base)
        return {**factors, **(drawn if self.train_base else {FIXED: self.base.weights(drawn)})}

    def weights(self, params: Params) -> Array:
        """``M Nᵀ / n``, plus the base's weights."""
        left, right = params["left"], params["right"]
        low = left @ jnp.swapaxes(right, -1, -2) / left.shape[-2]
        if self.base is None:
            return low
        return low + (self.base.weights(params) if self.train_base else params[FIXED])

    def overlap(self, params: Params) -> Array:
        """``Nᵀ M / n``, ([gate,] rank, rank), whose eigenvalues are the nonzero ones of ``M Nᵀ / n``."""
        left, right = params["left"], params["right"]
        return jnp.swapaxes(right, -1, -2) @ left / left.shape[-2]

    def free(self, weights: np.ndarray) -> Params:
        """Factors from the singular vectors, with the singular values shared equally between the two.

        Where the weights have a lower rank, the superfluous columns of ``left`` are 0 and those of ``right``
        singular vectors, so that they can still learn. With a base, it takes what the ``rank`` largest
        singular values leave.

        Raises:
            ValueError: without a base, if a singular value beyond ``rank`` exceeds 1e-6 of the largest; with
                a base that learns, if it refuses the rest.
        """
        weights = np.asarray(weights, float)
        num_units = weights.shape[-1]
        u, s, vt = np.linalg.svd(weights)
        negligible = s <= TOLERANCE * s[..., :1]
        found = int((~negligible).sum(-1).max())
        if self.base is None and found > self.rank:
            raise ValueError(
                f"LowRank: weights have rank {found}, expected at most {self.rank}; use "
                f"LowRank(rank={found}), or a base for the rest."
            )
        s = np.where(negligible, 0.0, s)[..., None, : self.rank]
        left = u[..., : self.rank] * np.sqrt(num_units * s)
        right = np.swapaxes(vt, -1, -2)[..., : self.rank] * np.sqrt(num_units * np.where(s > 0, s, 1.0))
        factors = {"left": jnp.asarray(left, float), "right": jnp.asarray(right, float)}
        if self.base is None:
            return factors
        rest = weights - left @ np.swapaxes(right, -1, -2) / num_units
        return {**factors, **(self.base.free(rest) if self.train_base else {FIXED: jnp.asarray(rest, float)})}
