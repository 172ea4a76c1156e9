"""The exact gradient, turned by a given angle."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import jax
import jax.numpy as jnp

from throughtime import keys
from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.transport import Exact, Transport
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial


@dataclass(frozen=True)
class RotatedBPTT(AdjointRule):
    """Backpropagation through time with each block of the gradient turned by a random rotation.

    ``ĝ = ‖g‖ (cosine · g/‖g‖ + √(1−cosine²) n)`` for each parameter array, n a fresh random unit vector
    orthogonal to g: as long as the gradient, and aligned with it to a given degree. It asks what alignment
    alone, at another rule's measured cosine, would learn; it is no model of a synapse.

    The vector n is zero wherever the gradient is exactly zero, as behind a mask. A block whose gradient has
    fewer than two entries other than zero has no direction to turn to and stays as it is. The rotation is
    drawn once a batch, from the batch's key.

    Attributes:
        cosine: between ĝ and g, from −1 to 1.

    Source: a control of this library.

    Example:
        >>> RotatedBPTT(cosine=1.0).traits.exact, RotatedBPTT(cosine=0.2).traits.exact
        (True, False)
    """

    exempt: ClassVar[str] = "a control that turns the whole gradient at once, and no model of a synapse"

    cosine: float = 0.5
    feedback: Feedback = field(default=Symmetric(), init=False)
    transport: Transport = field(default=Exact(), init=False)
    online: bool = field(default=False, init=False)
    step_size: float | None = field(default=None, init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if not -1 <= self.cosine <= 1:
            raise ValueError(f"RotatedBPTT: cosine {self.cosine!r} is not a number from -1 to 1.")

    @property
    def traits(self) -> Traits:
        """Stochastic, acausal, and not local."""
        turned = self.cosine < 1
        return Traits(
            exact=not turned,
            online=False,
            stochastic=turned,
            displacement=False,
            additive=not turned,
            signals=self.signals,
            time="O(n m + n²)",
            memory="O(n d T)",
        )

    def gradient(
        self,
        circuit: Circuit,
        params: Params,
        state: dict[str, Array],
        trials: Trial,
        objective: Objective,
        *,
        key: Array,
        carry: Any = None,
        update: Any = 0,
    ) -> tuple[Params, dict[str, Array], dict[str, Any]]:
        """The exact gradient of the batch, turned; see :meth:`Rule.gradient`."""
        grads, state, info = super().gradient(
            circuit, params, state, trials, objective, key=key, carry=carry, update=update
        )
        root = keys.stream(key, "rule")
        turned = {
            name: rotate(grads[name], self.cosine, jax.random.fold_in(root, index))
            for index, name in enumerate(sorted(grads))
        }
        return turned, state, info


def rotate(block: Array, cosine: float, key: Array) -> Array:
    """``block`` turned so that the cosine with what it was is ``cosine``, in a random direction.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> turned = rotate(jnp.array([3.0, 0.0, 4.0]), 0.6, jax.random.key(0))
        >>> round(float(jnp.linalg.norm(turned)), 4), round(float(turned @ jnp.array([0.6, 0.0, 0.8])), 4)
        (5.0, 3.0)
        >>> float(turned[1])
        0.0
    """
    live = block != 0
    drawn = jnp.where(live, jax.random.normal(key, block.shape, block.dtype), 0)
    size = jnp.linalg.norm(block.ravel())
    along = block / jnp.where(size > 0, size, 1)
    for _ in range(2):  # the second time takes away what rounding left
        drawn = drawn - jnp.sum(drawn * along) * along
    across = drawn / jnp.maximum(jnp.linalg.norm(drawn.ravel()), jnp.finfo(block.dtype).tiny)
    turned = size * (cosine * along + math.sqrt(1 - cosine**2) * across)
    return jnp.where(live.sum() > 1, turned, block)
