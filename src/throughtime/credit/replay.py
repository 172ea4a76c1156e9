"""A stepper that reads the record of a trial, with nothing of the trial at hand but the record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime import keys
from throughtime.circuits.readout import leaky_back, readout_decay
from throughtime.credit.record import Layout, Record, Wiring, layout
from throughtime.credit.stepper import Share
from throughtime.credit.stepping import mean_state, wires

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.evidence import Evidence
    from throughtime.credit.stepper import Stepper
    from throughtime.credit.stepping import Pathways

    RuleState = dict[str, Array]


def filtered_back(circuit: Circuit, steps: Record) -> Record:
    """The record with the errors of what arrives at the outputs, back through a leaky readout."""
    if circuit.readout_tau is None:
        return steps
    return steps._replace(error=leaky_back(steps.error, steps.valid, readout_decay(circuit)))


def replay(
    circuit: Circuit,
    evidence: Evidence,
    stepper: Stepper,
    pathways: Pathways,
    state: RuleState,
    *,
    step_size: float | None = None,
) -> tuple[Share, RuleState, Record]:
    """Let a stepper read a record.

    Args:
        pathways: F and W̃; state: the rule's state before the trial.
        step_size: η where the weights move within the trial, free of constraints; None: they stand still.

    Returns:
        what each step adds, ``slots`` (time, drive, unit, slot) and ``readout`` (time, output, unit), times η
        where there is one; the rule's state after the trial; and the record with what the stepper sensed.
    """
    plan, weights = layout(circuit), evidence.weights
    root = keys.stream(jax.random.key(0) if evidence.key is None else evidence.key, "rule")
    past = filtered_back(circuit, evidence.steps)
    given = evidence.steps if stepper.filters else past
    size = 1.0 if step_size is None else step_size

    def step(carry: Any, both: tuple[Record, Array]) -> Any:
        now, late = both
        state, before, recurrent, readout = carry
        here = weights._replace(recurrent=recurrent, readout=readout)
        matrices: Wiring = wires(plan, here, state, pathways)
        sensed, memory = stepper.sense(plan, state, before, now, matrices)
        key = jax.random.fold_in(root, now.index)
        changed, ahead, share = stepper.step(plan, state, memory, sensed, matrices, key)
        slots, taught = (jnp.where(now.valid, size * part, 0) for part in of_synapses(plan, share, now, late))
        memory = jax.tree.map(lambda new, old: jnp.where(now.valid, new, old), ahead, before)
        if stepper.learns:
            state = mean_state(state, jax.tree.map(lambda leaf: leaf[None], changed), now.valid[None])
        if step_size is not None:
            recurrent = recurrent - by_matrix(plan, slots)
            readout = readout - taught
        return (state, memory, recurrent, readout), (Share(slots, readout=taught), sensed)

    memory = stepper.begin(plan, state, evidence.recurrent.dtype)
    start = (state, memory, evidence.recurrent, evidence.readout)
    (after, *_), (terms, sensed) = jax.lax.scan(step, start, (given, past.error))
    return terms, after, sensed


def of_synapses(plan: Layout, share: Share, now: Record, error: Array) -> tuple[Array, Array]:
    """A share by slots and by the readout: zeros where a stepper has none, the delta rule for the readout."""
    none = jnp.zeros((plan.drives, plan.units, plan.slots), now.error.dtype)
    return (
        none if share.slots is None else share.slots,
        jnp.outer(error, now.read) if share.readout is None else share.readout,
    )


def by_matrix(plan: Layout, slots: Array) -> Array:
    """The part of (drive, unit, slot) by recurrent synapses, with the axes of the recurrent weights."""
    found = slots[:, :, : plan.units]
    return found[0] if plan.drives == 1 else found[jnp.asarray(plan.recurrent_drives)]


def delta_rule(steps: Record) -> Array:
    """``e_t r_tᵀ`` of every step, (time, output, unit)."""
    return jnp.where(steps.valid[:, None, None], steps.error[:, :, None] * steps.read[:, None], 0)
