"""What one call of a rule hands to the next in a stream: states of the circuit, and traces beside them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit

CARRIED = "credit"


def circuit_state(circuit: Circuit, carry: Any, num_trials: int) -> dict[str, Array] | None:
    """The states in ``carry``, variables (trial, unit), without the traces of a rule that carries some.

    None for None. A rule that carries no traces goes on from the states that another one left.

    Raises:
        ValueError: for a carry of another circuit, or of another number of trials.

    Example:
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=4, num_outputs=1)
        >>> list(circuit_state(circuit, {"current": jnp.zeros((2, 4)), "credit": ()}, 2))
        ['current']
    """
    if carry is None:
        return None
    names, shape = tuple(circuit.dynamics.state_names), (num_trials, circuit.num_units)
    if not isinstance(carry, dict):
        raise ValueError(
            f"carry: expected states by name ({', '.join(names)}), got {type(carry).__name__}; give the "
            "'carry' of the info that the call before returned, or states of the circuit."
        )
    found = {name: value for name, value in carry.items() if name != CARRIED}
    shapes = {name: jnp.shape(value) for name, value in found.items()}
    if shapes != dict.fromkeys(names, shape):
        wanted = ", ".join(f"{name} {shape}" for name in names)
        got = ", ".join(f"{name} {size}" for name, size in shapes.items()) or "no states"
        raise ValueError(
            f"carry: expected {wanted} (trial, unit), got {got}; carry on with the same circuit and number "
            "of trials."
        )
    return found


def stepper_memory(owner: str, carry: Any, fresh: Any) -> Any:
    """What a stepper carried in ``carry``; ``fresh`` where there is nothing but states of the circuit.

    Args:
        owner: name of the stepper; fresh: what it carries before a first step, leaves (trial, …).

    Raises:
        ValueError: for what another stepper carried.
    """
    if CARRIED not in carry:
        return fresh
    memory = carry[CARRIED]
    found, wanted = (
        ([*map(jnp.shape, jax.tree.leaves(one))], jax.tree.structure(one)) for one in (memory, fresh)
    )
    if found != wanted:
        raise ValueError(
            f"carry: expected the traces of {owner}, {described(fresh)}, got {described(memory)}; they come "
            "from another rule, form or circuit. Carry on with the same rule and options, or with the states "
            f"alone (leave {CARRIED!r} out)."
        )
    return memory


def described(memory: Any) -> str:
    """Its kind and the shapes of its arrays.

    Example:
        >>> described((jnp.zeros((2, 4)), jnp.zeros(3)))
        'tuple of (2, 4), (3,)'
    """
    shapes = ", ".join(str(jnp.shape(leaf)) for leaf in jax.tree.leaves(memory))
    return f"{type(memory).__name__} of {shapes or 'no arrays'}"
