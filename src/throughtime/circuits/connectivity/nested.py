"""What connectivities around a base share: they pass on what the base says, and may take synapses away."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits.connectivity.base import Connectivity
from throughtime.circuits.connectivity.spectrum import keeping_radius

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Dynamics, Params


@lru_cache(maxsize=128)
def static(connectivity: Connectivity, what: str, num_units: int) -> np.ndarray:
    """What a connectivity says about its units, as numbers of NumPy even while JAX is tracing.

    Args:
        what: ``existing``, ``cell_types`` or ``regions``.
    """
    with jax.ensure_compile_time_eval():
        found = np.array(getattr(connectivity, what)(num_units))
    found.flags.writeable = False
    return found


@lru_cache(maxsize=32)
def random_mask(blocks: tuple[tuple[float, ...], ...], sizes: tuple[int, ...], seed: int) -> np.ndarray:
    """Each synapse exists with the probability of its block, (unit, presynaptic_unit) bool.

    Args:
        blocks: (group, presynaptic group) probabilities.
        sizes: units of each group.
        seed: the same seed gives the same mask, whatever draws the weights.
    """
    groups = np.repeat(np.arange(len(sizes)), sizes)
    probability = np.asarray(blocks)[np.ix_(groups, groups)]
    mask = np.random.default_rng([seed, 0]).random(probability.shape) < probability
    mask.flags.writeable = False
    return mask


def refuse_absent(owner: str, weights: np.ndarray, existing: np.ndarray) -> None:
    """Refuse weights where there is no synapse.

    Raises:
        ValueError: naming the first such synapse.
    """
    wrong = np.argwhere(np.where(existing, 0.0, weights))
    if len(wrong):
        unit, source = (int(index) for index in wrong[0][-2:])
        raise ValueError(
            f"{owner}: weights: {weights[tuple(wrong[0])]:g} from unit {source} to unit {unit}, where no "
            "synapse exists, expected 0; set it to 0 or use a connectivity that has this synapse."
        )


class Nested(Connectivity):
    """Base of connectivities that constrain what their ``base`` gives, one number a synapse."""

    base: Connectivity

    def _check_base(self) -> None:
        name, of = type(self).__name__, type(self.base).__name__
        if not isinstance(self.base, Connectivity):
            raise ValueError(f"{name}: base {self.base!r} is not a connectivity; use one such as Dense().")
        if self.base.max_rank is not None:
            raise ValueError(
                f"{name}: base {of} has rank {self.base.max_rank}, which masks and signs of single synapses "
                "would break; use another base."
            )

    def init(self, num_units: int, num_gates: int, *, key: Array) -> Params:
        """As the base draws them, under this constraint."""
        return self.init_within(num_units, num_gates, np.ones((num_units, num_units), bool), key=key)

    @property
    def zero_mean(self) -> bool:
        """As of the base."""
        return self.base.zero_mean

    @property
    def fixed_params(self) -> tuple[str, ...]:
        """Those of the base."""
        return self.base.fixed_params

    def existing(self, num_units: int) -> Array:
        """Those of the base."""
        return self.base.existing(num_units)

    def cell_types(self, num_units: int) -> Array:
        """Those of the base."""
        return self.base.cell_types(num_units)

    @property
    def cell_type_names(self) -> tuple[str, ...]:
        """Those of the base."""
        return self.base.cell_type_names

    def regions(self, num_units: int) -> Array:
        """Those of the base."""
        return self.base.regions(num_units)

    @property
    def region_names(self) -> tuple[str, ...]:
        """Those of the base."""
        return self.base.region_names

    def check(self, num_units: int, dynamics: Dynamics) -> None:
        """Refuse what the base refuses, and a base whose parameters are not one number a synapse."""
        self.base.check(num_units, dynamics)
        drawn = jax.eval_shape(lambda key: self.base.init(num_units, 1, key=key), jax.random.key(0))
        for name, leaf in drawn.items():
            if leaf.shape != (num_units, num_units):
                raise ValueError(
                    f"{type(self).__name__}: base {type(self.base).__name__} has the parameter {name!r} of "
                    f"shape {leaf.shape}, expected one number a synapse; use another base."
                )
        static(self, "existing", num_units)


class Masked(Nested):
    """Base of connectivities that take synapses away: the weights left are the base's, the others exactly 0.

    Initial weights that scatter around zero are multiplied by one number, so that the radius of their
    eigenvalues stays that of the base (:func:`~throughtime.circuits.connectivity.spectrum.keeping_radius`);
    for a single region it is 1/√(fraction of the base's synapses that are left).
    """

    def keeps(self, num_units: int) -> np.ndarray:
        """Which synapses this connectivity leaves, (unit, presynaptic_unit) bool."""
        raise TypeError(f"{type(self).__name__} must define keeps(num_units).")

    def existing(self, num_units: int) -> Array:
        """The base's synapses that are left.

        Raises:
            ValueError: if none is.
        """
        kept = self.keeps(num_units) & static(self.base, "existing", num_units)
        if not kept.any():
            raise ValueError(
                f"{type(self).__name__}: no synapse is left between {num_units} units; use more units, a "
                "higher density or another mask_seed."
            )
        return jnp.asarray(kept)

    def init_within(self, num_units: int, num_gates: int, existing: np.ndarray, *, key: Array) -> Params:
        """The base's draw for the synapses that are left, rescaled; 0 elsewhere."""
        kept = static(self, "existing", num_units)
        drawn = self.base.init_within(num_units, num_gates, existing & kept, key=key)
        scale = 1.0
        if self.base.zero_mean:
            before = static(self.base, "existing", num_units)
            scale = keeping_radius(before, kept, static(self, "regions", num_units))
        return {name: jnp.where(kept, scale * value, 0.0) for name, value in drawn.items()}

    def weights(self, params: Params) -> Array:
        """The base's weights where a synapse exists, 0 elsewhere."""
        full = self.base.weights(params)
        return jnp.where(self.keeps(full.shape[-1]), full, 0.0)

    def free(self, weights: np.ndarray) -> Params:
        """The base's free parameters.

        Raises:
            ValueError: for a weight where no synapse exists, or weights the base refuses.
        """
        weights = np.asarray(weights)
        refuse_absent(type(self).__name__, weights, static(self, "existing", weights.shape[-1]))
        return self.base.free(weights)
