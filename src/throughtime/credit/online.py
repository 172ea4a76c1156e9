"""Rules that change the weights within the trial: circuit, errors and traces advance together.

At every step each weight moves by ``−η`` times the mean over trials of that step's share, plain gradient
descent; what comes back is the displacement ``weights before − weights after``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.circuits import gates
from throughtime.circuits.circuit import Trajectory
from throughtime.circuits.readout import readout_decay
from throughtime.circuits.simulate import apply_synapses, masked_local, separate_readout
from throughtime.credit.carried import CARRIED
from throughtime.credit.record import Record, layout, local_derivatives, rate_derivatives, stacked
from throughtime.credit.stepping import (
    complete,
    explorations,
    jolts,
    kept_on_padding,
    mean_state,
    rule_keys,
    run_twin,
    start,
    to_params,
    where,
    wires,
)
from throughtime.trial import judged

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights
    from throughtime.credit.stepper import Stepper
    from throughtime.credit.stepping import Pathways
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    State = dict[str, Array]
    Params = dict[str, Array]
    RuleState = dict[str, Array]


class Present(NamedTuple):
    """Everything that advances.

    Attributes:
        params, rule: weights and the rule's state, common to all trials.
        state: variables (trial, unit); output: (trial, output) the outputs of the step before; twin: states
            of the twins (None without one).
        memory: what the stepper carries, (trial, …).
        read: (trial, unit) what the readout has read, through its leak; at_bias: (trial,) the same of 1.
        losses: (trial,) so far.
    """

    params: Params
    rule: RuleState
    state: State
    output: Array
    twin: State | None
    memory: Any
    read: Array
    at_bias: Array
    losses: Array


def displacement(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    objective: Objective,
    stepper: Stepper,
    pathways: Pathways,
    state: RuleState,
    *,
    step_size: float,
    trained: tuple[str, ...],
    trial_keys: Array,
    carry: Any = None,
    keep_record: bool = False,
) -> tuple[Params, RuleState, dict[str, Any]]:
    """Move the weights at every step of the trials, and return how far they went back.

    Arguments that are not named here are those of :func:`throughtime.credit.recorded.gradient`.

    Args:
        step_size: η. trained: names of the parameters that move.
        keep_record: whether ``info`` shall have ``steps``, the record of what happened.

    Returns:
        ``params − params at the end``, the rule's state, and ``info``: ``loss`` (met while moving),
        ``losses``, ``carry``.

    Raises:
        ValueError: for an objective that is no sum over steps, or a leaky readout the stepper cannot filter.
    """
    refuse(circuit, objective, stepper)
    trials = judged(trials)
    plan, dtype = layout(circuit), params["bias"].dtype
    num_trials, num_steps = trials.inputs.shape[:2]
    begun = start(circuit, params, state, stepper, pathways, num_trials, carry, trial_keys)
    noise = None
    if circuit.noise_sd > 0:
        noise = jax.vmap(lambda key: circuit.noise(key, num_steps), out_axes=1)(trial_keys).astype(dtype)
    shaken = jolts(plan, stepper, trial_keys, num_steps, dtype)
    explored = explorations(plan, stepper, trial_keys, num_steps, dtype)
    normaliser = jax.vmap(objective.normaliser)(trials).astype(dtype)
    num_valid = trials.valid.sum(1)
    decay = readout_decay(circuit)

    def step(now: Present, given: Any) -> tuple[Present, Record | None]:
        x, target, mask, valid, last, xi, jolt, further, index = given
        weights = circuit.weights(now.params)
        inputs = jnp.concatenate([x, now.output], axis=-1) if circuit.output_feedback else x
        sent = rates(circuit.dynamics.rate, now.params, now.state)
        drive = whole_drive(circuit, weights, sent, inputs, xi)
        after = jax.vmap(lambda *one: masked_local(circuit, now.params, *one))(now.state, drive, valid)
        separate = separate_readout(circuit)
        read = rates(separate or circuit.dynamics.rate, now.params, after)
        arriving = read @ weights.readout.T + weights.readout_bias
        output = decay * now.output + arriving if decay > 0 else arriving
        output = output if further is None else output + further
        output = where(valid, output, now.output)

        def one_loss(
            output: Array, target: Array, mask: Array, total: Array, rates: Array, count: Array
        ) -> Any:
            loss = objective.at_step(output, target, mask, total)
            if objective.has_penalty:
                path = Trajectory({}, rates[None], output[None])
                loss = loss + objective.penalty(path, jnp.ones(1, bool), count)
            return loss

        slopes = jax.vmap(jax.value_and_grad(one_loss, (0, 4)))
        losses, (error, direct) = slopes(output, target, mask, normaliser, read, num_valid)

        def derivatives(before: State, drive: Any, after: State) -> Any:
            local = local_derivatives(circuit, plan, now.params, before, drive, after)
            return local, rate_derivatives(circuit.dynamics.rate, plan, now.params, before)

        local, (own_sending, sending) = jax.vmap(derivatives)(now.state, drive, after)
        ones = jnp.ones((num_trials, 1), dtype)
        here = Record(
            sources=jnp.concatenate([sent, inputs, ones], axis=-1),
            keep=local.keep,
            enter=local.enter,
            sending=sending,
            reading=local.reading,
            own_local=local.own_local,
            own_sending=own_sending,
            own_reading=local.own_reading,
            read=read,
            targets=target,
            error=error,
            direct=direct,
            valid=valid,
            last=last,
            index=jnp.broadcast_to(index, valid.shape),
            twin=jnp.zeros_like(jolt),
            jolt=jolt,
            output=output,
            mask=mask,
            state=jnp.moveaxis(stacked(plan, after), 0, -2),
        )
        twin = now.twin
        if twin is not None:
            twin, apart = run_twin(circuit, now.params, weights, twin, drive, after, here)
            here = here._replace(twin=apart)
        changed, memory, shares = each_trial(stepper, num_trials)(
            plan,
            now.rule,
            now.memory,
            here,
            wires(plan, weights, now.rule, pathways),
            rule_keys(trial_keys, index),
        )
        rule = mean_state(now.rule, changed, valid) if stepper.learns else now.rule
        filtered = decay * now.read + read if decay > 0 else read
        at_bias = decay * now.at_bias + 1 if decay > 0 else now.at_bias
        shares = jax.vmap(lambda *one: complete(plan, *one))(shares, error, filtered, at_bias)
        total = jax.tree.map(lambda leaf: where(valid, leaf, 0).sum(0) / num_trials, shares)
        grads = to_params(plan, circuit, now.params, total)
        moved = {name: now.params[name] - step_size * grads[name] for name in trained}
        memory = kept_on_padding(stepper, valid if num_trials > 1 else valid[0], memory, now.memory)
        keep_read, keep_bias = (
            where(valid, new, old) for new, old in ((filtered, now.read), (at_bias, now.at_bias))
        )
        losses = now.losses + jnp.where(valid, losses, 0)
        return Present(
            {**now.params, **moved}, rule, after, output, twin, memory, keep_read, keep_bias, losses
        ), here if keep_record else None

    zeros = jnp.zeros((num_trials, circuit.num_units), dtype)
    present = Present(
        params=params,
        rule=state,
        state=begun.state,
        output=first_output(circuit, params, begun.state),
        twin=None if stepper.twin_sd is None else begun.state,
        memory=packed(begun.memory, num_trials),
        read=zeros,
        at_bias=jnp.zeros(num_trials, dtype) if decay > 0 else jnp.ones(num_trials, dtype),
        losses=jnp.zeros(num_trials, dtype),
    )
    following = jnp.concatenate([trials.valid[:, 1:], jnp.zeros((num_trials, 1), bool)], axis=1)
    timed = [trials.inputs.astype(dtype), trials.targets.astype(dtype), trials.mask.astype(dtype)]
    timed += [trials.valid, trials.valid & ~following]
    sequence = (*(jnp.swapaxes(leaf, 0, 1) for leaf in timed), noise, shaken, explored, jnp.arange(num_steps))
    end, steps = jax.lax.scan(step, present, sequence)
    back = {name: params[name] - end.params[name] for name in params}
    info = {
        "loss": end.losses.mean(),
        "losses": end.losses,
        "carry": {**end.state, CARRIED: unpacked(end.memory, num_trials)},
    }
    return back, end.rule, {**info, "steps": steps} if keep_record else info


def each_trial(stepper: Stepper, num_trials: int) -> Any:
    """One step of the stepper for every trial: leaves (trial, …) in and out, memory as :func:`packed`.

    A single trial is no ``vmap``, in which a branch that a step does not take would be computed nevertheless.
    """
    if num_trials > 1:
        return jax.vmap(stepper.step, in_axes=(None, None, 0, 0, None, 0))

    def alone(plan: Any, state: Any, memory: Any, now: Record, wires: Any, keys: Array) -> Any:
        now, key = jax.tree.map(lambda leaf: leaf[0], (now, keys))
        state, memory, share = stepper.step(plan, state, memory, now, wires, key)
        state, share = jax.tree.map(lambda leaf: leaf[None], (state, share))
        return state, memory, share

    return alone


def packed(memory: Any, num_trials: int) -> Any:
    """Memory as it is carried from step to step: of a single trial without the axis of trials.

    An axis of length 1 would have XLA lay the largest of all arrays out anew at every step.
    """
    return memory if num_trials > 1 else jax.tree.map(lambda leaf: leaf[0], memory)


def unpacked(memory: Any, num_trials: int) -> Any:
    """The inverse of :func:`packed`."""
    return memory if num_trials > 1 else jax.tree.map(lambda leaf: leaf[None], memory)


def rates(function: Any, params: Params, state: State) -> Array:
    """Rates of every trial, (trial, unit)."""
    return jax.vmap(lambda one: function(params, one))(state)


def first_output(circuit: Circuit, params: Params, state: State) -> Array:
    """Outputs before the first step, (trial, output): of the initial state, or 0 where the readout leaks."""
    weights = circuit.weights(params)
    read = rates(separate_readout(circuit) or circuit.dynamics.rate, params, state)
    arriving = read @ weights.readout.T + weights.readout_bias
    return jnp.zeros_like(arriving) if circuit.readout_tau is not None else arriving


def whole_drive(circuit: Circuit, weights: Weights, sent: Array, inputs: Array, noise: Array | None) -> Any:
    """Drives of one step, (trial, unit) or one such array a gate.

    Args:
        sent: (trial, unit) transmitted rates.
        inputs: (trial, input), with the outputs behind them where they are fed back.
        noise: (trial, unit) or None.
    """
    dynamics = circuit.dynamics
    matrix = weights.input
    if circuit.output_feedback:
        matrix = jnp.concatenate([matrix, weights.output_feedback], axis=-1)
    drive = apply_synapses(dynamics, dynamics.input_drives, matrix, inputs)
    drive = gates.add(drive, gates.split(weights.bias, dynamics.num_drives))
    drive = gates.add(drive, apply_synapses(dynamics, dynamics.recurrent_drives, weights.recurrent, sent))
    return drive if noise is None else jax.tree.map(lambda each: each + noise, drive)


def refuse(circuit: Circuit, objective: Objective, stepper: Stepper | None = None) -> None:
    """Refuse what is not known step by step.

    Args:
        stepper: what is carried forward; None for blocks, which carry nothing from one to the next.

    Raises:
        ValueError: naming what is missing and the remedy.
    """
    name = type(objective).__name__
    if objective.vanishing > 0 or (objective.has_penalty and not objective.additive):
        raise ValueError(
            f"online: {name} is no sum over steps, so no error is known before the trial has ended; "
            "use online=False, or leave the penalty out."
        )
    if objective.has_weight_penalty:
        raise ValueError(
            "online: a penalty on weights has no place within the trial, where each step makes its own move; "
            "use online=False, or leave it out."
        )
    if circuit.readout_tau is not None and not (stepper is not None and stepper.filters):
        raise ValueError(
            "online: nothing is carried forward for the memory of a leaky readout by this rule; use "
            "readout_tau=None, or online=False."
        )
    if stepper is None and circuit.initial.init_params(circuit):
        raise ValueError(
            "online: blocks carry no credit to a learned initial state; use initial=Rest(), or online=False."
        )
    if circuit.bptt_only:
        raise ValueError(
            f"online: {type(circuit.dynamics).__name__} has no local function of drives; use reset='after'."
        )
