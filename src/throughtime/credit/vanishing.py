"""A penalty on gradients that vanish or explode, and its gradient.

With λ_t = ∂L/∂s_t and J_t = ∂s_t/∂s_{t−1} (through the neuron's own memory and through synapses)::

    Ω = mean_t ( ‖J_tᵀ λ_t‖² / ‖λ_t‖² − 1 )²

is zero where credit keeps its norm on its way back. As in its source, the gradient of Ω treats the states and
the credits as constants: it is the direct dependence of J on the weights.

Source: Pascanu, Mikolov & Bengio 2013, ICML (PMLR 28:1310), there a sum over steps; the mean used here does
not depend on the trial's length.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime.circuits.gates import add
from throughtime.circuits.simulate import masked_local, whole_drive

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.circuits.circuit import Weights
    from throughtime.circuits.simulate import Unfolded

    State = dict[str, Array]
    Params = dict[str, Array]

BLOCKS = ("recurrent", "input", "bias")


def penalty(
    circuit: Circuit,
    params: Params,
    weights: Weights,
    changed: tuple[Params, Params],
    unfolded: Unfolded,
    credit: State,
) -> Array:
    """Ω of every trial, (trial,), as a function of ``changed`` with states and credits held constant.

    Args:
        weights: effective weights the trajectory was made with.
        changed: effective ``recurrent``, ``input`` and ``bias``, and the dynamics' own parameters.
        credit: λ, variables (time, trial, unit).
    """
    dynamics = circuit.dynamics
    new, own = changed
    free = {**params, **own}
    old = {name: getattr(weights, name) for name in BLOCKS}

    def drive(numbers: Params, matrices: Params, state: State, x: Array) -> Any:
        return whole_drive(dynamics, matrices, dynamics.rate(numbers, state), x)

    def one(state: State, x: Array, recorded: Any, valid: Array, arriving: State) -> tuple[Array, Array]:
        # what the recorded drive holds beyond weights and inputs is noise, a constant
        predicted = drive(params, old, state, x)
        noise = jax.lax.stop_gradient(jax.tree.map(jnp.subtract, recorded, predicted))

        def following(state: State) -> State:
            return masked_local(circuit, free, state, add(drive(free, new, state, x), noise), valid)

        _, pull = jax.vjp(following, state)
        (sent_back,) = pull(arriving)
        size = square(arriving)
        counted = valid & (size > 0)
        ratio = square(sent_back) / jnp.where(counted, size, 1.0)
        return jnp.where(counted, (ratio - 1.0) ** 2, 0.0), counted

    each = jax.vmap(jax.vmap(one))
    terms, counted = each(unfolded.before, unfolded.inputs, unfolded.drives, unfolded.valid, credit)
    return terms.sum(0) / jnp.maximum(counted.sum(0), 1)


def square(state: State) -> Array:
    """Squared norm over all variables of one state."""
    return sum((jnp.sum(value**2) for value in state.values()), jnp.zeros(()))


def penalty_gradient(
    circuit: Circuit, params: Params, weights: Weights, unfolded: Unfolded, credit: State, share: Array
) -> tuple[Array, tuple[Params, Params]]:
    """Ω (trial,), and the gradient of ``Σ share · Ω`` by effective weights and own parameters.

    Raises:
        ValueError: for a circuit whose output is fed back.
    """
    from throughtime.credit.adjoint import own_names

    if circuit.output_feedback:
        raise ValueError(
            "vanishing-gradient penalty: a step of this circuit also goes through its fed-back output, whose "
            "weights the penalty does not know; use output_feedback=False, or no such penalty."
        )
    changed = (
        {name: getattr(weights, name) for name in BLOCKS},
        {name: params[name] for name in own_names(circuit)},
    )

    def total(changed: tuple[Params, Params]) -> tuple[Array, Array]:
        each = penalty(circuit, params, weights, changed, unfolded, credit)
        return jnp.sum(share * each), each

    (_, each), slopes = jax.value_and_grad(total, has_aux=True)(changed)
    return each, slopes
