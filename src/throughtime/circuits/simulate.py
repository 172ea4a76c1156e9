"""Unfolding a circuit in time: the one forward loop, for one trial or for a tile of trials.

Arrays are time-major. With a tile of trials the axes are (time, trial, [gate,] unit), without one
(time, [gate,] unit). The recurrent product of a tile is one matrix product a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.circuits import gates
from throughtime.circuits.initial import broadcast
from throughtime.circuits.readout import read_out

if TYPE_CHECKING:
    from collections.abc import Callable

    from jax import Array

    from throughtime.circuits.circuit import Circuit, Weights
    from throughtime.circuits.dynamics.base import Dynamics, Params, State
    from throughtime.trial import Trial


class Unfolded(NamedTuple):
    """A tile of trials run forward, time-major: everything the way back needs.

    Attributes:
        initial: variables (trial, unit); states: variables (time, trial, unit).
        drives: (time, trial, unit), for several gates one such array each; where no derivative reads them,
            XLA does not store them.
        sent: (time, trial, unit) rates that reached the synapses, ``r_{t−1}``.
        read: (time, trial, unit) what the readout read.
        inputs: (time, trial, input), and behind them the outputs of the step before, where they are fed back;
            valid: (time, trial).
    """

    initial: State
    states: State
    drives: Array
    sent: Array
    read: Array
    inputs: Array
    valid: Array

    @property
    def before(self) -> State:
        """States before each step, variables (time, trial, unit)."""
        return {
            name: jnp.concatenate([self.initial[name][None], states[:-1]])
            for name, states in self.states.items()
        }


def external_drive(circuit: Circuit, weights: Weights, inputs: Array, noise: Array | None) -> Any:
    """Drive that does not depend on the circuit's state, ``x W_inᵀ + b + noise``, for all steps at once.

    Args:
        inputs: (time, [trial,] input); noise: (time, [trial,] unit) or None.

    Returns:
        (time, [trial,] unit), for several gates in :class:`~throughtime.circuits.gates.Gates`.
    """
    dynamics = circuit.dynamics
    bias = gates.split(weights.bias, dynamics.num_drives)
    drive = gates.add(apply_synapses(dynamics, dynamics.input_drives, weights.input, inputs), bias)
    if noise is None:
        return drive
    return jax.tree.map(lambda each: each + noise.astype(each.dtype), drive)


def apply_synapses(dynamics: Dynamics, drives: tuple[int, ...], matrix: Array, sources: Array) -> Any:
    """What ``matrix`` adds to every drive, (…, unit) or one such array a gate, from ``sources``."""
    if dynamics.num_drives == 1:
        return sources @ matrix.T
    return on_all_drives([sources @ one.T for one in matrix], drives, dynamics.num_drives)


def whole_drive(dynamics: Dynamics, matrices: dict[str, Array], transmitted: Array, x: Array) -> Any:
    """Noise-free drive of one step, ``W r + W_in x + b``, of one trial.

    Args:
        matrices: effective ``recurrent``, ``input`` and ``bias``.
        transmitted: (unit,) rates; x: (input,).
    """
    external = gates.add(
        apply_synapses(dynamics, dynamics.input_drives, matrices["input"], x),
        gates.split(matrices["bias"], dynamics.num_drives),
    )
    arriving = apply_synapses(dynamics, dynamics.recurrent_drives, matrices["recurrent"], transmitted)
    return gates.add(external, arriving)


def fed_back_drive(circuit: Circuit, params: Params, weights: Weights, state: State) -> Any:
    """What the output of one trial's ``state`` adds to every drive where it is fed back, ``W_fb z``."""
    dynamics = circuit.dynamics
    output = weights.readout @ dynamics.readout(params, state) + weights.readout_bias
    return apply_synapses(dynamics, dynamics.input_drives, weights.output_feedback, output)


def by_source(dynamics: Dynamics, matrix: Array) -> Array:
    """``matrix`` as one factor (presynaptic, gate · unit), made once before a loop."""
    return matrix.T if dynamics.num_drives == 1 else matrix.reshape(-1, matrix.shape[-1]).T


def arrive(dynamics: Dynamics, drives: tuple[int, ...], factor: Array, sources: Array) -> Any:
    """:func:`apply_synapses` with the matrix prepared by :func:`by_source`: one product for all gates."""
    arriving = sources @ factor
    if dynamics.num_drives == 1:
        return arriving
    units = arriving.shape[-1] // len(drives)
    each = [arriving[..., index * units : (index + 1) * units] for index in range(len(drives))]
    return on_all_drives(each, drives, dynamics.num_drives)


def on_all_drives(each: list[Array], drives: tuple[int, ...], num_drives: int) -> gates.Gates:
    """What arrives at the fed ``drives``, one array each, with zeros at the others."""
    nothing = jnp.zeros_like(each[0])
    return gates.Gates(
        tuple(each[drives.index(gate)] if gate in drives else nothing for gate in range(num_drives))
    )


def send_back(dynamics: Dynamics, matrix: Array, credit: Any) -> Array:
    """``Σ_g (Wᵍ)ᵀ δᵍ``: what arrives at the sources, (…, presynaptic), from credit of the drives.

    With several drives the credit is :class:`~throughtime.circuits.gates.Joined`. A diagonal matrix may be
    given as its diagonal, ([gate,] unit).
    """
    if dynamics.num_drives == 1:
        return credit * matrix if matrix.ndim == 1 else credit @ matrix
    if matrix.ndim == 2:
        each = jnp.split(credit.fed, len(matrix), axis=-1)
        return sum((one * own for one, own in zip(each[1:], matrix[1:], strict=True)), each[0] * matrix[0])
    return credit.fed @ matrix.reshape(-1, matrix.shape[-1])


def send_back_to_outputs(dynamics: Dynamics, matrix: Array, credit: Any) -> Array:
    """``Σ_g (W_fbᵍ)ᵀ δᵍ``: what arrives at the outputs that were fed back, (…, output).

    Args:
        matrix: W_fb, ([gate,] unit, output), one gate for each of ``input_drives``.
        credit: δ of the drives, as for :func:`send_back`.
    """
    if dynamics.num_drives == 1:
        return credit @ matrix
    each = gates.by_drive(credit, dynamics.recurrent_drives, dynamics.num_drives)
    parts = [each[gate] @ one for gate, one in zip(dynamics.input_drives, matrix, strict=True)]
    return sum(parts[1:], parts[0])


def masked_local(circuit: Circuit, params: Params, state: State, drive: Array, valid: Array) -> State:
    """Next state, frozen where ``valid`` is False. For one trial: ``valid`` is a scalar."""
    after = circuit.dynamics.local(params, state, drive, circuit.dt)
    return {name: jnp.where(valid, after[name], state[name]) for name in state}


def unfold(
    circuit: Circuit,
    params: Params,
    weights: Weights,
    drive: Array,
    valid: Array,
    initial: State,
    *,
    batched: bool,
) -> tuple[State, Array]:
    """Run the recurrent loop.

    Args:
        params: the circuit's parameters (a dynamics reads its own from them).
        drive: (time, [trial,] [gate,] unit) from :func:`external_drive`.
        valid: (time, [trial]) bool; the state stands still where it is False.
        initial: state before the first step, variables (​[trial,] unit).
        batched: whether there is a trial axis.

    Returns:
        states after each step, variables (time, [trial,] unit), and the full drives of all steps.
    """
    dynamics = circuit.dynamics

    def one(state: State, arriving: Array, here: Array) -> State:
        return masked_local(circuit, params, state, arriving, here)

    def output(state: State) -> Array:
        return weights.readout @ dynamics.readout(params, state) + weights.readout_bias

    def two_stage(state: State, external: Any, here: Array) -> State:
        if circuit.output_feedback:
            external = gates.add(external, fed_back_drive(circuit, params, weights, state))
        after = dynamics.advance(params, state, weights.recurrent, gates.joint(external), circuit.dt)
        return {name: jnp.where(here, after[name], state[name]) for name in state}

    def transmit(state: State) -> Array:
        return dynamics.rate(params, state)

    if dynamics.two_stage:
        whole = jax.vmap(two_stage) if batched else two_stage
        _, states = jax.lax.scan(lambda state, now: (whole(state, *now),) * 2, initial, (drive, valid))
        return states, drive

    local, rate = (jax.vmap(one), jax.vmap(transmit)) if batched else (one, transmit)
    ways = [(dynamics.recurrent_drives, by_source(dynamics, weights.recurrent), rate)]
    if circuit.output_feedback:
        fed_back = by_source(dynamics, weights.output_feedback)
        ways.append((dynamics.input_drives, fed_back, jax.vmap(output) if batched else output))

    def sent(state: State) -> list[Array]:
        return [of_state(state) for _, _, of_state in ways]

    def step(
        carry: tuple[State, list[Array]], now: tuple[Array, Array]
    ) -> tuple[tuple[State, list[Array]], tuple[State, Array]]:
        state, sources = carry
        arriving = now[0]
        for (drives, factor, _), source in zip(ways, sources, strict=True):
            arriving = gates.add(arriving, arrive(dynamics, drives, factor, source))
        state = local(state, arriving, now[1])
        return (state, sent(state)), (state, arriving)

    _, (states, drives) = jax.lax.scan(step, (initial, sent(initial)), (drive, valid))
    return states, drives


def separate_readout(circuit: Circuit) -> Callable[..., Array] | None:
    """The dynamics' readout where it reads something else than synapses transmit, else None."""
    from throughtime.circuits.dynamics import Dynamics

    dynamics = circuit.dynamics
    return None if type(dynamics).readout is Dynamics.readout else dynamics.readout


def forward(
    circuit: Circuit,
    params: Params,
    weights: Weights,
    trials: Trial,
    keys: Array,
    initial: State | None = None,
    first: Array | int = 0,
) -> tuple[Unfolded, Array]:
    """Run a tile of trials with the circuit noise of their keys; the arguments are those of :func:`run_tile`.

    Returns:
        everything that happened, time-major, and the outputs (time, trial, output).
    """
    unfolded = run_tile(circuit, params, weights, trials, keys, initial, first)
    return unfolded, read_out(circuit, weights, unfolded.read, unfolded.valid)


def run_tile(
    circuit: Circuit,
    params: Params,
    weights: Weights,
    trials: Trial,
    keys: Array,
    initial: State | None = None,
    first: Array | int = 0,
) -> Unfolded:
    """Run a tile of trials, or a segment of them, up to the readout.

    Args:
        trials: leaves (trial, …); only ``inputs`` and ``valid`` are read.
        keys: (trial,) trial keys; not read by a circuit without noise.
        initial: state before the first step, variables (trial, unit); the circuit's own by default.
        first: index of the first step within the trial (even), where ``trials`` are a segment.
    """
    dtype = params["bias"].dtype
    num_trials, num_steps = trials.inputs.shape[:2]
    if initial is None:
        initial = broadcast(circuit.initial_state(params), num_trials)
    noise = None
    if circuit.noise_sd > 0:
        noise = jax.vmap(lambda key: circuit.noise(key, num_steps, first), out_axes=1)(keys)
    inputs = jnp.swapaxes(trials.inputs, 0, 1).astype(dtype)
    valid = jnp.swapaxes(trials.valid, 0, 1)
    return unfold_tile(circuit, params, weights, inputs, valid, initial, noise)


def unfold_tile(
    circuit: Circuit,
    params: Params,
    weights: Weights,
    inputs: Array,
    valid: Array,
    initial: State,
    noise: Array | None = None,
    added: Any = None,
) -> Unfolded:
    """Everything that happens to a tile, time-major.

    Args:
        inputs: (time, trial, input); valid: (time, trial).
        initial: variables (trial, unit); noise: (time, trial, unit) or None.
        added: further drive, (time, trial, unit), for several gates one such array each, or None.
    """
    drive = external_drive(circuit, weights, inputs, noise)
    drive = drive if added is None else gates.add(drive, added)
    states, drives = unfold(circuit, params, weights, drive, valid, initial, batched=True)
    dynamics = circuit.dynamics
    rates = dynamics.rate(params, states)
    sent = jnp.concatenate([dynamics.rate(params, initial)[None], rates[:-1]])
    separate = separate_readout(circuit)
    read = rates if separate is None else separate(params, states)
    if circuit.output_feedback:
        first = dynamics.readout(params, initial)[None]
        before = jnp.concatenate([first, read[:-1]]) @ weights.readout.T + weights.readout_bias
        inputs = jnp.concatenate([inputs, before], axis=-1)
    return Unfolded(initial, states, drives, sent, read, inputs, valid)
