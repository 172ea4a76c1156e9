"""What happened in a trial, as independent arrays: everything that an update of a synapse may read.

A circuit is linear synapses plus local neurons, so three derivatives of each neuron say how it acts::

    A_t = ∂s_t/∂s_{t−1}  (d, d),   b_t = ∂s_t/∂u_t  (d, drive),   c_t = ∂r_t/∂s_t  (d)

for d variables of a neuron. A record holds them for every step beside the presynaptic slots
``p_t = [r_{t−1}; x_t; 1]`` and the errors. Rules that run forward in time (:mod:`throughtime.credit.traces`)
read one step of it after the other; so does the audit of what a synapse must sense.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits import gates
from throughtime.circuits.simulate import separate_readout
from throughtime.credit.adjoint import own_names

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights
    from throughtime.circuits.simulate import Unfolded

    State = dict[str, Array]
    Params = dict[str, Array]


@dataclass(frozen=True)
class Layout:
    """Sizes and names of a circuit as the forward rules see it; static.

    Attributes:
        units: n; variables: names of the d variables of a neuron; drives: number of drives.
        inputs: input channels, with a fed-back output its channels too; outputs: output channels.
        recurrent_drives, input_drives: which drives the recurrent and the input slots feed.
        own: names of the dynamics' own parameters.
        learned_initial: whether the state before the first step is trained.
    """

    units: int
    variables: tuple[str, ...]
    drives: int
    inputs: int
    outputs: int
    recurrent_drives: tuple[int, ...]
    input_drives: tuple[int, ...]
    own: tuple[str, ...]
    learned_initial: bool = False

    @property
    def slots(self) -> int:
        """m, presynaptic slots of a neuron: units, inputs and the bias."""
        return self.units + self.inputs + 1

    @property
    def feeds(self) -> np.ndarray:
        """(drive, slot) bool: which slots feed which drives."""
        table = np.zeros((self.drives, self.slots), bool)
        table[list(self.recurrent_drives), : self.units] = True
        table[list(self.input_drives), self.units : -1] = True
        table[:, -1] = True
        return table


def layout(circuit: Circuit) -> Layout:
    """The layout of a circuit."""
    dynamics = circuit.dynamics
    fed_back = circuit.num_outputs if circuit.output_feedback else 0
    return Layout(
        units=circuit.num_units,
        variables=tuple(dynamics.state_names),
        drives=dynamics.num_drives,
        inputs=circuit.num_inputs + fed_back,
        outputs=circuit.num_outputs,
        recurrent_drives=dynamics.recurrent_drives,
        input_drives=dynamics.input_drives,
        own=own_names(circuit),
        learned_initial=bool(circuit.initial.init_params(circuit)),
    )


class Record(NamedTuple):
    """One step of one trial; a whole trial has a leading axis time on every leaf.

    Attributes:
        sources: (slot,) ``p_t = [r_{t−1}; x_t; 1]``.
        keep: (variable, earlier variable, unit) A; enter: (variable, drive, unit) b.
        sending: (variable, unit) ∂r_{t−1}/∂s_{t−1}, of what synapses transmitted.
        reading: (variable, unit) ∂r_t/∂s_t, of what the readout reads.
        own_local: (own, variable, unit) ∂s_t/∂π; own_sending, own_reading: (own, unit) ∂r_{t−1}/∂π, ∂r_t/∂π.
        read: (unit,) what the readout read.
        targets: (output,); error: (output,) e_t; direct: (unit,) ρ_t.
        output: (output,) z_t; mask: (output,) weight of the step in the loss. None where a trial is read
            after it has ended.
        valid: () bool; last: () bool, the last valid step of the trial.
        index: () step in the trial.
        twin: (variable, unit) how far a noisy twin run is from the circuit before its new noise is added;
            jolt: (variable, unit) that noise. Empty unless a rule asks for a twin.
        state: (variable, unit) s_t.
        unit_error: (unit,) errors that neurons have from a teacher of their own; scalar: () one number that
            all synapses hear at this step. None but where a record was made to be read apart from its
            circuit.
    """

    sources: Array
    keep: Array
    enter: Array
    sending: Array
    reading: Array
    own_local: Array
    own_sending: Array
    own_reading: Array
    read: Array
    targets: Array
    error: Array
    direct: Array
    valid: Array
    last: Array
    index: Array  # type: ignore[assignment]  # a step has no use for tuple.index
    twin: Array
    jolt: Array
    state: Array | None = None
    output: Array | None = None
    mask: Array | None = None
    unit_error: Array | None = None
    scalar: Array | None = None


class Wiring(NamedTuple):
    """The matrices a rule uses at one step.

    Attributes:
        recurrent: (recurrent drive, unit, presynaptic_unit) effective weights.
        feedback: F, (unit, output).
        transport: W̃, (recurrent drive, unit, presynaptic_unit), or None for no transport.
    """

    recurrent: Array
    feedback: Array
    transport: Array | None


class Local(NamedTuple):
    """Derivatives of the neurons at one step; fields as in :class:`Record`."""

    keep: Array
    enter: Array
    reading: Array
    sending: Array
    own_local: Array
    own_reading: Array
    own_sending: Array


def stacked(plan: Layout, state: State) -> Array:
    """Variables (…, unit) as one array (variable, …, unit)."""
    return jnp.stack([state[name] for name in plan.variables])


def local_derivatives(
    circuit: Circuit, plan: Layout, params: Params, before: State, drive: Any, after: State
) -> Local:
    """A, b and c of one step of one trial; the derivatives of rates are those after the step."""
    dynamics, dt = circuit.dynamics, circuit.dt
    own = {name: params[name] for name in plan.own}
    one, none = jnp.ones_like(before[plan.variables[0]]), jnp.zeros_like(before[plan.variables[0]])

    def local(own: Params, state: State, drive: Any) -> Array:
        return stacked(plan, dynamics.local({**params, **own}, state, drive, dt))

    def along(changed: str | None = None, gate: int | None = None, of: str | None = None) -> Any:
        shape = none if gate is None else one
        each = [shape if index == gate else none for index in range(plan.drives)]
        tangent_drive = each[0] if plan.drives == 1 else gates.Gates(tuple(each))
        tangent_state = {name: one if name == changed else none for name in before}
        tangent_own = {name: one if name == of else none for name in own}
        return tangent_own, tangent_state, tangent_drive

    def slope(*tangents: Any) -> Array:
        return jax.jvp(local, (own, before, drive), tangents)[1]

    keep = jnp.stack([slope(*along(changed=name)) for name in plan.variables], axis=1)
    enter = jnp.stack([slope(*along(gate=gate)) for gate in range(plan.drives)], axis=1)
    read = separate_readout(circuit)
    own_sending, sending = rate_derivatives(dynamics.rate, plan, params, after)
    own_reading, reading = (
        (own_sending, sending) if read is None else rate_derivatives(read, plan, params, after)
    )
    parts = [slope(*along(of=name)) for name in plan.own]
    own_local = jnp.stack(parts) if parts else jnp.zeros((0, *keep.shape[1:]), keep.dtype)
    return Local(keep, enter, reading, sending, own_local, own_reading, own_sending)


def rate_derivatives(rate: Any, plan: Layout, params: Params, state: State) -> tuple[Array, Array]:
    """∂r/∂π (own, unit) and ∂r/∂s (variable, unit) of ``rate(params, state)``."""
    own = {name: params[name] for name in plan.own}
    none = jnp.zeros_like(state[plan.variables[0]])

    def of(changed: str) -> Array:
        tangents = (
            {name: none + (name == changed) for name in own},
            {name: none + (name == changed) for name in state},
        )
        return jax.jvp(lambda own, state: rate({**params, **own}, state), (own, state), tangents)[1]

    by_own = [of(name) for name in plan.own]
    by_state = jnp.stack([of(name) for name in plan.variables])
    return (jnp.stack(by_own) if by_own else jnp.zeros((0, *none.shape), none.dtype)), by_state


def wiring(plan: Layout, recurrent: Array, feedback: Array, transport: Array | None) -> Wiring:
    """Matrices with a leading axis drive, whatever the number of drives."""

    def by_drive(matrix: Array) -> Array:
        return matrix[None] if plan.drives == 1 else matrix

    return Wiring(by_drive(recurrent), feedback, None if transport is None else by_drive(transport))


def record(
    circuit: Circuit,
    params: Params,
    weights: Weights,
    unfolded: Unfolded,
    targets: Array,
    errors: Array,
    direct: Array | None,
) -> Record:
    """The record of a tile that was run forward, leaves (time, trial, …), without a twin.

    Args:
        targets, errors: (time, trial, output); direct: ρ (time, trial, unit) or None.
    """
    plan = layout(circuit)

    def at(before: State, drive: Any, after: State) -> Local:
        return local_derivatives(circuit, plan, params, before, drive, after)

    found = jax.vmap(jax.vmap(at))(unfolded.before, unfolded.drives, unfolded.states)
    own_first, first = jax.vmap(
        lambda state: rate_derivatives(circuit.dynamics.rate, plan, params, state)
    )(unfolded.initial)  # fmt: skip
    steps, trials = unfolded.valid.shape
    ones = jnp.ones((steps, trials, 1), unfolded.sent.dtype)
    none = jnp.zeros((steps, trials, 0, circuit.num_units), unfolded.sent.dtype)
    following = jnp.concatenate([unfolded.valid[1:], jnp.zeros((1, trials), bool)])
    return Record(
        sources=jnp.concatenate([unfolded.sent, unfolded.inputs, ones], axis=-1),
        keep=found.keep,
        enter=found.enter,
        sending=jnp.concatenate([first[None], found.sending[:-1]]),
        reading=found.reading,
        own_local=found.own_local,
        own_sending=jnp.concatenate([own_first[None], found.own_sending[:-1]]),
        own_reading=found.own_reading,
        read=unfolded.read,
        targets=targets,
        error=errors,
        direct=jnp.zeros_like(unfolded.read) if direct is None else direct,
        valid=unfolded.valid,
        last=unfolded.valid & ~following,
        index=jnp.broadcast_to(jnp.arange(steps)[:, None], (steps, trials)),
        twin=none,
        jolt=none,
        state=jnp.moveaxis(stacked(plan, unfolded.states), 0, -2),
    )
