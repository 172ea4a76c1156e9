"""Dale's law: a unit excites all units it reaches, or inhibits all of them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits.connectivity import checks
from throughtime.circuits.connectivity.base import Connectivity
from throughtime.circuits.connectivity.dense import Dense
from throughtime.circuits.connectivity.nested import Nested, static
from throughtime.circuits.connectivity.spectrum import block_means, bulk_radius

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Dynamics, Params

EXCITATORY, INHIBITORY = 0, 1


@dataclass(frozen=True)
class Dale(Nested):
    """Excitatory and inhibitory units: ``W_ij = s_j |θ_ij|``, θ being the weights of the base.

    ``s_j = +1`` for the first ``round(excitatory · n)`` units and −1 for the others, in each region of a base
    that has regions. Rates must not be negative, or a synapse would change its sign with its unit's rate. An
    existing weight that is exactly 0 has gradient 0.

    Balanced initial weights: normal entries of variance g²/n would have the mean ``μ = g√(2/πn)``, which
    makes one large eigenvalue. Each row's inhibitory weights are multiplied by its own
    ``(sum of excitatory)/(sum of inhibitory)``, on average ``k = f/(1−f)`` with f the excitatory fraction, so
    that the row sums to 0 and the eigenvalue is gone. The entries have the variance ``(g²/n)(1 − 2p/π)``, p
    being the fraction of synapses that exist, times k² for inhibitory ones; so all are multiplied by
    ``√((1−f)/(f(1 − 2p/π)))``, and the eigenvalues fill the disk of radius g of the base. Behind masks, k and
    the variances are those of the mask itself; with regions, what each region sends to a unit cancels first.
    Where a unit has synapses of one kind only nothing cancels, and k is the mean one.

    Attributes:
        excitatory: fraction of the units that excite, from 0 to 1; strictly between if balanced.
        balanced: whether excitation and inhibition cancel in the initial weights.
        base: what draws and masks the weights.

    Raises:
        ValueError: for a fraction out of range; for a base of bounded rank, with cell types of its own or, if
            balanced, with initial weights that are not drawn at random; for a dynamics whose rates can be
            negative; and, if balanced, for a region with units of one kind only.

    Source: signs of presynaptic units in training: Song, Yang & Wang 2016, PLoS Comput. Biol. 12:e1004792
    (there θ is rectified); balance without an outlying eigenvalue: Rajan & Abbott 2006, Phys. Rev. Lett.
    97:188104.

    Example:
        >>> import jax, numpy as np
        >>> dale = Dale(excitatory=0.75)
        >>> weights = np.asarray(dale.weights(dale.init(8, 1, key=jax.random.key(0))))
        >>> bool((weights[:, :6] > 0).all()), bool((weights[:, 6:] < 0).all())
        (True, True)
        >>> bool(abs(weights.sum(1)).max() < 1e-5)
        True
    """

    excitatory: float = 0.8
    balanced: bool = True
    base: Connectivity = field(default_factory=Dense)

    def __post_init__(self) -> None:
        self._check_base()
        words = "a number from 0 to 1; use 0.8 for four excitatory units to one inhibitory"
        checks.number("Dale", "excitatory", self.excitatory, 0, 1, words)
        checks.flag("Dale", "balanced", self.balanced)
        if self.balanced and not 0 < self.excitatory < 1:
            raise ValueError(
                f"Dale: excitatory {self.excitatory!r} leaves units of one kind only, which cannot be "
                "balanced; use a number between 0 and 1, or balanced=False."
            )
        if self.base.cell_type_names:
            raise ValueError(
                f"Dale: base has cell types {self.base.cell_type_names} of its own; apply Dale's law once."
            )
        if self.balanced and not self.base.zero_mean:
            raise ValueError(
                "Dale: balanced weights need a base whose initial weights scatter around zero; use another "
                "distribution in the base, or balanced=False."
            )

    def cell_types(self, num_units: int) -> Array:
        """0 for excitatory units, which come first in each region, and 1 for inhibitory ones."""
        return jnp.asarray(self._types(num_units))

    @property
    def cell_type_names(self) -> tuple[str, ...]:
        """Excitatory, inhibitory."""
        return ("excitatory", "inhibitory")

    def _types(self, num_units: int) -> np.ndarray:
        regions = static(self.base, "regions", num_units)
        types = np.full(num_units, INHIBITORY, np.int32)
        for region in np.unique(regions):
            members = np.flatnonzero(regions == region)
            types[members[: round(self.excitatory * len(members))]] = EXCITATORY
        return types

    def check(self, num_units: int, dynamics: Dynamics) -> None:
        """Refuse rates that can be negative, regions that cannot be balanced, and what the base refuses."""
        super().check(num_units, dynamics)
        if not dynamics.non_negative:
            raise ValueError(
                f"Dale: rates of {dynamics} can be negative, and would turn excitation into inhibition; use "
                "a dynamics whose rates cannot, such as Leaky(activation='softplus')."
            )
        if not self.balanced:
            return
        types, regions = self._types(num_units), static(self.base, "regions", num_units)
        for region in np.unique(regions):
            members = types[regions == region]
            if len(set(members.tolist())) == 1:
                raise ValueError(
                    f"Dale: excitatory {self.excitatory!r} makes {(members == EXCITATORY).sum()} of "
                    f"{len(members)} units{self._named(region)} excitatory, which cannot be balanced; use "
                    "another fraction, more units or balanced=False."
                )

    def _named(self, region: int) -> str:
        return f" of region {self.region_names[region]!r}" if self.region_names else ""

    def init_within(self, num_units: int, num_gates: int, existing: np.ndarray, *, key: Array) -> Params:
        """The base's draw; balanced if asked for, over the synapses that exist."""
        drawn = self.base.init_within(num_units, num_gates, existing, key=key)
        if not self.balanced:
            return drawn
        kept = existing & static(self.base, "existing", num_units)
        excites, regions = self._types(num_units) == EXCITATORY, static(self.base, "regions", num_units)
        factor = _cancelling(jnp.where(kept, jnp.abs(self.base.weights(drawn)), 0.0), kept, excites, regions)
        scale = _keeping_radius(kept, excites, regions)
        return {name: scale * factor * value for name, value in drawn.items()}

    def weights(self, params: Params) -> Array:
        """Sign of the presynaptic unit times the size of the base's weight."""
        full = self.base.weights(params)
        signs = np.where(self._types(full.shape[-1]) == EXCITATORY, 1.0, -1.0).astype(np.float32)
        return jnp.abs(full) * signs

    def free(self, weights: np.ndarray) -> Params:
        """The base's free parameters of the sizes.

        Raises:
            ValueError: naming the first unit one of whose outgoing weights has the wrong sign.
        """
        weights = np.asarray(weights)
        types = self._types(weights.shape[-1])
        wrong = np.where(types == EXCITATORY, weights < 0, weights > 0)
        units = np.flatnonzero(wrong.any(tuple(range(weights.ndim - 1))))
        if len(units):
            unit = int(units[0])
            found, kind = weights[..., unit][wrong[..., unit]][0], self.cell_type_names[types[unit]]
            raise ValueError(
                f"Dale: weights: {found:g} from unit {unit}, which is {kind}; expected weights >= 0 from "
                "excitatory and <= 0 from inhibitory units: sort the units, or use another fraction."
            )
        return self.base.free(np.abs(weights))


def _cancelling(sizes: Any, kept: np.ndarray, excites: np.ndarray, regions: np.ndarray) -> Array:
    """What weights are multiplied by so that those of each unit sum to 0: 1 if excitatory.

    First excitation and inhibition from each region cancel, then the whole row, as far as there are both.
    """
    kinds = (excites, ~excites)
    counts = [int(kept[:, kind].sum()) for kind in kinds]
    mean = counts[0] / counts[1] if all(counts) else 1.0
    member = np.eye(regions.max() + 1, dtype=np.float32)[regions]
    excitation, inhibition = (jnp.where(kind, sizes, 0.0) @ member for kind in kinds)
    factor = jnp.where(excites, 1.0, _ratio(excitation, inhibition, mean) @ member.T)
    excitation, inhibition = (jnp.where(kind, sizes * factor, 0.0).sum(-1, keepdims=True) for kind in kinds)
    return jnp.where(excites, 1.0, factor * _ratio(excitation, inhibition, 1.0))


def _ratio(excitation: Array, inhibition: Array, otherwise: float) -> Array:
    both = (excitation > 0) & (inhibition > 0)
    return jnp.where(both, excitation / jnp.where(both, inhibition, 1.0), otherwise)


def _keeping_radius(kept: np.ndarray, excites: np.ndarray, regions: np.ndarray) -> float:
    """What balanced weights are multiplied by so that their eigenvalues reach as far as those of the base.

    Sizes of mean square 1 have the squared mean 2/π; what is left of the mean square is variance.
    """
    with jax.ensure_compile_time_eval():
        factor = np.array(_cancelling(kept.astype(np.float32), kept, excites, regions), float)
    _, groups = np.unique(2 * regions + excites, return_inverse=True)
    means = block_means(kept * np.where(excites, factor, -factor), groups)
    radius = bulk_radius(block_means(kept * factor**2, groups) - 2 / np.pi * means**2, groups)
    return bulk_radius(block_means(kept, groups), groups) / radius if radius > 0 else 1.0
