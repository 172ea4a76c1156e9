"""The static side of training: what is compiled, as one hashable object."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from throughtime.registry import unknown

if TYPE_CHECKING:
    from jax import Array

SIDE_BY_SIDE_UNITS = 64

OPTIMIZERS: dict[str, Any] = {
    "adam": optax.adam,
    "adamw": optax.adamw,
    "momentum": lambda learning_rate: optax.sgd(learning_rate, momentum=0.9),
    "nesterov": lambda learning_rate: optax.sgd(learning_rate, momentum=0.9, nesterov=True),
    "rmsprop": optax.rmsprop,
    "sgd": optax.sgd,
}
"""Optimisers by name: functions of a learning rate that return a transformation of optax.

:meta hide-value:
"""


@dataclass(frozen=True)
class Clip:
    """Clipping of the gradient, of its norm or number by number.

    Attributes:
        at: largest norm, or size of a number, let through.
        by: ``"global"``: one norm over all parameters; ``"block"``: each parameter array by its own norm,
            so that a large recurrent gradient does not starve the readout; ``"value"``: each number by its
            size, which needs to know nothing of the others.

    Example:
        >>> import jax.numpy as jnp
        >>> grads = {"recurrent": jnp.array([3.0, 4.0]), "readout": jnp.array([0.6, 0.8])}
        >>> clipped, fraction = Clip(1.0, by="block")(grads)
        >>> [round(float(x), 3) for x in clipped["recurrent"]], float(fraction)
        ([0.6, 0.8], 0.5)
    """

    at: float
    by: str = "global"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.at) and self.at > 0):
            raise ValueError(f"Clip: at {self.at!r} is not a positive number; use None for no clipping.")
        if self.by not in ("global", "block", "value"):
            raise ValueError(f"Clip: by {self.by!r} is not known; use 'global', 'block' or 'value'.")

    def __call__(self, grads: dict[str, Array]) -> tuple[dict[str, Array], Array]:
        """Clipped gradients, and the fraction of norms, or of numbers, that were clipped."""
        if self.by == "value":
            within = jax.tree.map(lambda leaf: jnp.clip(leaf, -self.at, self.at), grads)
            beyond = jnp.concatenate([(jnp.abs(leaf) > self.at).ravel() for leaf in jax.tree.leaves(grads)])
            return within, beyond.mean(dtype=jnp.float32)
        if self.by == "global":
            norm = optax.tree.norm(grads)
            factor = jnp.minimum(1.0, self.at / norm)
            return jax.tree.map(lambda leaf: leaf * factor, grads), (norm > self.at).astype(jnp.float32)
        norms = {name: jnp.linalg.norm(leaf) for name, leaf in grads.items()}
        clipped = {name: leaf * jnp.minimum(1.0, self.at / norms[name]) for name, leaf in grads.items()}
        over = jnp.stack([(norm > self.at) for norm in norms.values()])
        return clipped, over.mean(dtype=jnp.float32)


@dataclass(frozen=True)
class Plan:
    """Everything that shapes the compiled update; equal plans share one compilation.

    Attributes:
        task, circuit, rule, objective: frozen configuration objects.
        optimizer: a name in ``OPTIMIZERS`` or an optax transformation with unit learning rate.
        clip: clipping or None.
        batch_size: trials per update.
        cores: CPU devices in use.
        carry_state: whether each trial starts where the trial before it in its row of the batch ended.
        step_sizes: names of parameters and step sizes of their own, in place of the learning rate.
    """

    task: Any
    circuit: Any
    rule: Any
    objective: Any
    optimizer: Any
    clip: Clip | None
    batch_size: int
    cores: int
    carry_state: bool = False
    step_sizes: tuple[tuple[str, float], ...] = ()

    def transformation(self) -> optax.GradientTransformation:
        """The optax transformation, with learning rate 1."""
        if not isinstance(self.optimizer, str):
            return self.optimizer
        if self.optimizer not in OPTIMIZERS:
            raise unknown("optimizer", self.optimizer, OPTIMIZERS, ", ".join(OPTIMIZERS))
        return OPTIMIZERS[self.optimizer](1.0)

    def trained(self, params: dict[str, Array]) -> dict[str, Array]:
        """The parameters that are trained: nothing else moves, not even by momentum or decay.

        A rule names those it trains, a circuit those it keeps fixed.
        """
        wanted, fixed = self.rule.traits.trained, self.circuit.untrained
        names = params if isinstance(wanted, str) else wanted
        return {name: params[name] for name in names if name not in fixed}

    @property
    def side_by_side(self) -> bool:
        """Whether seeds advance together: small circuits that learn within single trials."""
        few = self.batch_size == 1 and self.circuit.num_units <= SIDE_BY_SIDE_UNITS
        return self.rule.traits.displacement and few


class SeedState(NamedTuple):
    """The dynamic side of one seed; an ensemble has a leading axis seed on every leaf.

    Attributes:
        params, optimizer, rule: parameters, optimiser state, rule state.
        data_seed: seed of the trials; rule_seed: seed of what the rule draws while it learns.
        carry: state of the circuit at the end of the last trials, variables (batch, unit), and what a rule
            carries forward in time with it; empty unless ``Plan.carry_state``.
        active: False once the seed is done; nothing of it changes any more.
        num_updates: updates made.
        diverged_update: first update with a non-finite loss or gradient, −1 if none.
    """

    params: dict[str, Array]
    optimizer: Any
    rule: dict[str, Array]
    data_seed: Array
    rule_seed: Array
    carry: dict[str, Array]
    active: Array
    num_updates: Array
    diverged_update: Array
