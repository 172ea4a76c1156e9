"""Recurrent weights with synapses that do not exist, and synapses that do not learn."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from throughtime.circuits.connectivity import checks
from throughtime.circuits.connectivity.base import Connectivity
from throughtime.circuits.connectivity.dense import Dense
from throughtime.circuits.connectivity.nested import Masked, random_mask, static
from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Dynamics, Params

FIXED = "recurrent_fixed"


@dataclass(frozen=True)
class Sparse(Masked):
    """Some synapses do not exist, and of those that do only some may learn.

    ``W = mask ∘ (θ where plastic, W₀ elsewhere)``: θ are the weights of the base, W₀ the initial ones of
    synapses that do not learn. W₀ is a parameter of its own, ``recurrent_fixed``, which training leaves alone
    even under weight decay. Initial weights are divided by the square root of the fraction of synapses that
    exist, so that the radius of their eigenvalues stays that of the base.

    Attributes:
        density: probability that a synapse exists, in (0, 1]; None beside a ``mask``.
        mask: (unit, presynaptic_unit) bool, True where a synapse exists, in place of ``density``.
        plastic: (unit, presynaptic_unit) bool, True where a synapse learns if it exists; all by default.
        plastic_units: fraction of the units whose incoming synapses learn, in place of ``plastic``; which
            units, ``mask_seed`` says.
        mask_seed: seed of the random choices, the same for all seeds of training.
        self_connections: whether units may have a synapse onto themselves.
        base: what draws and constrains the weights.

    Raises:
        ValueError: for masks of another shape, with other values than True and False or without any synapse;
            for numbers out of range; and for a base of bounded rank or with fixed synapses of its own.

    Source: synapses that do not learn, there with ``plastic_units=0.6``: Laje & Buonomano 2013, Nat.
    Neurosci. 16:925.

    Example:
        >>> import jax
        >>> sparse = Sparse(density=0.2, plastic_units=0.6)
        >>> params = sparse.init(100, 1, key=jax.random.key(0))
        >>> sorted(params), sparse.fixed_params
        (['recurrent', 'recurrent_fixed'], ('recurrent_fixed',))
        >>> round(float((sparse.weights(params) != 0).mean()), 2)
        0.2
    """

    density: float | None = 0.1
    mask: FrozenArray | None = None
    plastic: FrozenArray | None = None
    plastic_units: float = 1.0
    mask_seed: int = 0
    self_connections: bool = True
    base: Connectivity = field(default_factory=Dense)

    def __post_init__(self) -> None:
        self._check_base()
        for name in ("mask", "plastic"):
            if getattr(self, name) is not None:
                object.__setattr__(self, name, checks.synapse_mask("Sparse", name, getattr(self, name)))
        if self.mask is None:
            words = "a number in (0, 1]; use 0.1 for one synapse in ten"
            checks.number("Sparse", "density", self.density, np.nextafter(0, 1), 1, words)
        elif self.density not in (None, 0.1):
            raise ValueError(
                f"Sparse: density {self.density!r} is given beside a mask; leave one of them out."
            )
        else:
            object.__setattr__(self, "density", None)
        words = "a number from 0 to 1; use 1 where all units learn"
        checks.number("Sparse", "plastic_units", self.plastic_units, 0, 1, words)
        if self.plastic is not None and self.plastic_units != 1:
            raise ValueError(
                f"Sparse: plastic_units {self.plastic_units!r} is given beside plastic; leave one of them "
                "out."
            )
        checks.whole("Sparse", "mask_seed", self.mask_seed, 0)
        checks.flag("Sparse", "self_connections", self.self_connections)
        if not (self.zero_mean or self.self_connections):
            raise ValueError(
                "Sparse: self_connections False leaves nothing of a base that starts with these alone; use "
                "another distribution in the base."
            )
        if self._some_fixed and self.base.fixed_params:
            raise ValueError(
                "Sparse: base has fixed synapses of its own; say which synapses learn at one of the two "
                "levels."
            )

    @property
    def _some_fixed(self) -> bool:
        return self.plastic is not None or self.plastic_units != 1

    @property
    def fixed_params(self) -> tuple[str, ...]:
        """``recurrent_fixed`` where some synapses do not learn, and those of the base."""
        return (*self.base.fixed_params, *((FIXED,) if self._some_fixed else ()))

    def keeps(self, num_units: int) -> np.ndarray:
        """The mask, given or drawn, without the diagonal where there are no self-connections.

        Raises:
            ValueError: if a given mask is of another number of units.
        """
        if self.mask is None:
            mask = random_mask(((self.density,),), (num_units,), self.mask_seed)
        else:
            mask = checks.fits("Sparse", "mask", self.mask, num_units)
        return mask if self.self_connections else mask & ~np.eye(num_units, dtype=bool)

    def learns(self, num_units: int) -> np.ndarray:
        """Which synapses learn where they exist, (unit, presynaptic_unit) bool.

        Raises:
            ValueError: if a given ``plastic`` is of another number of units.
        """
        if self.plastic is not None:
            return checks.fits("Sparse", "plastic", self.plastic, num_units)
        learning = _units(self.plastic_units, num_units, self.mask_seed)
        return np.broadcast_to(learning[:, None], (num_units, num_units))

    def init_within(self, num_units: int, num_gates: int, existing: np.ndarray, *, key: Array) -> Params:
        """The base's draw for the synapses that exist, rescaled; what does not learn in its own entry."""
        drawn = super().init_within(num_units, num_gates, existing, key=key)
        return self._divided(drawn, self.base.weights(drawn), num_units)

    def weights(self, params: Params) -> Array:
        """Those of the base where a synapse learns, the fixed ones elsewhere; 0 where none exists."""
        weights = super().weights(params)
        if not self._some_fixed:
            return weights
        num_units = weights.shape[-1]
        fixed = jnp.where(static(self, "existing", num_units), params[FIXED], 0.0)
        return jnp.where(self.learns(num_units), weights, fixed)

    def free(self, weights: np.ndarray) -> Params:
        """The base's free parameters, and the weights that do not learn.

        Raises:
            ValueError: for a weight where no synapse exists, or weights the base refuses.
        """
        params = super().free(weights)
        return self._divided(params, jnp.asarray(weights, float), np.shape(weights)[-1])

    def _divided(self, params: Params, effective: Array, num_units: int) -> Params:
        """Weights into those that learn, as free parameters of the base, and those that do not."""
        if not self._some_fixed:
            return params
        learns = self.learns(num_units)
        moving = {name: jnp.where(learns, value, 0.0) for name, value in params.items()}
        return {**moving, FIXED: jnp.where(learns, 0.0, effective)}

    def check(self, num_units: int, dynamics: Dynamics) -> None:
        """Refuse masks of another number of units, and what the base refuses."""
        super().check(num_units, dynamics)
        self.learns(num_units)


@lru_cache(maxsize=32)
def _units(fraction: float, num_units: int, seed: int) -> np.ndarray:
    """Which ``round(fraction · num_units)`` units learn, (unit,) bool."""
    order = np.argsort(np.random.default_rng([seed, 1]).random(num_units))
    learning = np.zeros(num_units, bool)
    learning[order[: round(fraction * num_units)]] = True
    learning.flags.writeable = False
    return learning
