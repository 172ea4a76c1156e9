"""What a comparison evaluates: the loss, its derivatives, and many draws of a rule's gradient."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime.measures.loss import batch_loss
from throughtime.objectives import add_weight_penalty

if TYPE_CHECKING:
    from jax import Array

    from throughtime.trial import Trial

    Params = dict[str, Array]


@partial(jax.jit, static_argnums=(0, 1))
def loss_and_gradient(circuit: Any, objective: Any, params: Params, trials: Trial) -> tuple[Array, Params]:
    """The loss and its gradient by automatic differentiation."""
    return jax.value_and_grad(batch_loss, argnums=2)(circuit, objective, params, trials)


@partial(jax.jit, static_argnums=(0, 1))
def _product(circuit: Any, objective: Any, params: Params, trials: Trial, direction: Params) -> Params:
    def slope(free: Params) -> Params:
        return jax.grad(batch_loss, argnums=2)(circuit, objective, free, trials)

    return jax.jvp(slope, (params,), (direction,))[1]


def hessian_product(
    circuit: Any, objective: Any, params: Params, trials: Trial, direction: Mapping[str, Any]
) -> Params:
    """H v for directions among the parameters that can be trained."""
    whole = {name: jnp.asarray(direction.get(name, jnp.zeros_like(value))) for name, value in params.items()}
    return _product(circuit, objective, params, trials, whole)


@partial(jax.jit, static_argnums=(0, 1))
def losses_after(
    circuit: Any, objective: Any, params: Params, trials: Trial, drawn: Params, eta: Array
) -> Array:
    """Loss after the step −η of every draw, (draw,)."""

    def one(step: Params) -> Array:
        moved = {name: value - eta * step[name] if name in step else value for name, value in params.items()}
        return batch_loss(circuit, objective, moved, trials)

    return jax.lax.map(one, drawn)


@partial(jax.jit, static_argnums=(0, 1, 2, 3))
def draw(
    circuit: Any, rule: Any, objective: Any, count: int, params: Params, state: Any, trials: Trial, key: Array
) -> Params:
    """Gradients (draw, …) of the batch, each with a key of its own."""

    def batch(trials: Trial, key: Array) -> Params:
        grads, _, info = rule.gradient(circuit, params, state, trials, objective, key=key)
        return add_weight_penalty(circuit, objective, params, grads, info)[0]

    def one(index: Array) -> Params:
        own = jax.random.fold_in(key, index)
        if rule.traits.batch_size != 1:
            return batch(trials, own)

        def alone(both: tuple[Trial, Array]) -> Params:
            trial, number = both
            return batch(jax.tree.map(lambda leaf: leaf[None], trial), jax.random.fold_in(own, number))

        grads = jax.lax.map(alone, (trials, jnp.arange(trials.inputs.shape[0])))
        return jax.tree.map(lambda leaf: leaf.mean(0), grads)

    wanted, fixed = rule.traits.trained, circuit.untrained
    found = jax.lax.map(one, jnp.arange(count))
    return {
        name: value
        if (isinstance(wanted, str) or name in wanted) and name not in fixed
        else jnp.zeros_like(value)
        for name, value in found.items()
    }
