"""What the two ways of stepping forward in time share: after the trial, and within it.

After the trial (:mod:`throughtime.credit.recorded`) the weights stand still: the circuit is run, every error
is known, and a stepper reads the record. Within it (:mod:`throughtime.credit.online`) the weights move at
every step, and the circuit, the errors and the stepper advance together.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import jax
import jax.numpy as jnp

from throughtime import gaussian, keys
from throughtime.circuits import gates
from throughtime.circuits.initial import broadcast
from throughtime.circuits.simulate import arrive, by_source, masked_local, unfold_tile
from throughtime.credit.adjoint import pull_back
from throughtime.credit.batch import refuse_leaky_readout
from throughtime.credit.carried import circuit_state, stepper_memory
from throughtime.credit.record import Layout, Wiring, layout, record, wiring
from throughtime.credit.stepper import Share, Stepper

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights
    from throughtime.credit.record import Record

    State = dict[str, Array]
    Params = dict[str, Array]
    RuleState = dict[str, Array]


class Pathways(Protocol):
    """F and W̃ of a rule as functions of the present weights."""

    def feedback_matrix(self, weights: Weights, state: RuleState) -> Array:
        """F, (unit, output)."""

    def transport_matrix(self, weights: Weights, state: RuleState) -> Array | None:
        """W̃ ([gate,] unit, presynaptic_unit), or None."""


def wires(plan: Layout, weights: Weights, state: RuleState, pathways: Pathways) -> Wiring:
    """The matrices in use with these weights."""
    return wiring(
        plan,
        weights.recurrent,
        pathways.feedback_matrix(weights, state),
        pathways.transport_matrix(weights, state),
    )


def effective(plan: Layout, circuit: Circuit, slots: Array) -> Params:
    """Gradients by effective weights from those by slots, (drive, unit, slot)."""

    def rows(drives: tuple[int, ...], part: Array) -> Array:
        return part[0] if plan.drives == 1 else part[jnp.asarray(drives)]

    edge = plan.units + circuit.num_inputs
    found = {
        "recurrent": rows(plan.recurrent_drives, slots[:, :, : plan.units]),
        "input": rows(plan.input_drives, slots[:, :, plan.units : edge]),
        "bias": rows(tuple(range(plan.drives)), slots[:, :, -1]),
    }
    if circuit.output_feedback:
        found["output_feedback"] = rows(plan.input_drives, slots[:, :, edge:-1])
    return found


def to_params(plan: Layout, circuit: Circuit, params: Params, total: Share) -> Params:
    """Gradients by free parameters from a sum of shares that has all its parts."""
    assert total.slots is not None
    assert total.own is not None
    assert total.initial is not None
    assert total.readout is not None
    assert total.readout_bias is not None
    further = dict(zip(plan.own, total.own, strict=True))
    if plan.learned_initial:
        base = dict(zip(plan.variables, total.initial, strict=True))
        further |= circuit.initial.pull_back(circuit, params, base)
    grads = effective(plan, circuit, total.slots)
    grads |= {"readout": total.readout, "readout_bias": total.readout_bias}
    return pull_back(circuit, params, grads, further)


def complete(plan: Layout, share: Share, error: Array, read: Array, at_bias: Array) -> Share:
    """A share with all its parts: zeros where a stepper has none, the delta rule for the readout.

    Args:
        error: (output,); read: (unit,) what the readout weights' error multiplies; at_bias: () the same of
            its bias.
    """
    dtype = error.dtype
    initial = len(plan.variables) if plan.learned_initial else 0
    sizes = {
        "slots": (plan.drives, plan.units, plan.slots),
        "own": (len(plan.own), plan.units),
        "initial": (initial, plan.units),
    }
    parts = {name: getattr(share, name) for name in sizes}
    filled = {
        name: jnp.zeros(size, dtype) if parts[name] is None else parts[name] for name, size in sizes.items()
    }
    return Share(
        **filled,
        readout=jnp.outer(error, read) if share.readout is None else share.readout,
        readout_bias=error * at_bias if share.readout_bias is None else share.readout_bias,
    )


def at_rest(
    circuit: Circuit, params: Params, state: RuleState, stepper: Stepper, pathways: Pathways, root: Array
) -> Any:
    """What is carried before the first step of a trial that starts from the circuit's own initial state.

    A warm-up has an influence on what follows it: the stepper goes through it, without any error. The filter
    of the outputs is empty when the trial starts, so nothing of the warm-up is in it.

    Args:
        root: key of the stepper's draws in the warm-up.
    """
    plan, dtype = layout(circuit), params["bias"].dtype
    memory = stepper.begin(plan, state, dtype)
    steps = circuit.initial.num_warm_up_steps(circuit.dt)
    if steps == 0:
        return memory
    weights = circuit.weights(params)
    base = broadcast(circuit.initial.base(circuit, params), 1)
    inputs = jnp.zeros((steps, 1, circuit.num_inputs), dtype)
    unfolded = unfold_tile(circuit, params, weights, inputs, jnp.ones((steps, 1), bool), base)
    silent = jnp.zeros((steps, 1, circuit.num_outputs), dtype)
    past = jax.tree.map(
        lambda leaf: leaf[:, 0], record(circuit, params, weights, unfolded, silent, silent, None)
    )
    matrices = wires(plan, weights, state, pathways)

    def through(memory: Any, now: Record) -> tuple[Any, None]:
        key_now = jax.random.fold_in(root, now.index)
        return stepper.step(plan, state, memory, now, matrices, key_now)[1], None

    silence = silent[:, 0]
    past = past._replace(last=jnp.zeros_like(past.last), output=silence, mask=silence)
    return stepper.forget_readout(jax.lax.scan(through, memory, past)[0])


class Start(NamedTuple):
    """Where a batch begins: states of the circuit, variables (trial, unit), and what a stepper carries."""

    state: State
    memory: Any


def start(
    circuit: Circuit,
    params: Params,
    state: RuleState,
    stepper: Stepper,
    pathways: Pathways,
    num_trials: int,
    carry: Any,
    trial_keys: Array | None = None,
) -> Start:
    """The start of a batch: as carried over from the call before, or at rest.

    Args:
        trial_keys: (trial,) keys for draws in a warm-up; fixed ones by default.

    Raises:
        ValueError: for a carry of another rule or circuit, and any where the readout leaks.
    """

    def everywhere(memory: Any) -> Any:
        return jax.tree.map(lambda leaf: jnp.broadcast_to(leaf, (num_trials, *leaf.shape)), memory)

    given = circuit_state(circuit, carry, num_trials)
    if given is not None:
        refuse_leaky_readout(circuit)
        fresh = stepper.from_given_state(stepper.begin(layout(circuit), state, params["bias"].dtype))
        return Start(given, stepper_memory(type(stepper).__name__, carry, everywhere(fresh)))
    root = jax.random.key(0)
    if stepper.draws and circuit.initial.num_warm_up_steps(circuit.dt):
        known = jax.random.split(root, num_trials) if trial_keys is None else trial_keys
        warm = jax.vmap(lambda key: jax.random.fold_in(keys.stream(key, "rule"), 0x7761))(known)
        memory = jax.vmap(lambda key: at_rest(circuit, params, state, stepper, pathways, key))(warm)
        return Start(broadcast(circuit.initial_state(params), num_trials), memory)
    resting = at_rest(circuit, params, state, stepper, pathways, root)
    return Start(broadcast(circuit.initial_state(params), num_trials), everywhere(resting))


def rule_keys(trial_keys: Array, index: Array) -> Array:
    """Key of one step for the rule's own draws in every trial, (trial,)."""
    return jax.vmap(lambda key: jax.random.fold_in(keys.stream(key, "rule"), index))(trial_keys)


def jolts(plan: Layout, stepper: Stepper, trial_keys: Array, num_steps: int, dtype: Any) -> Array:
    """Noise of the twin runs, (time, trial, variable, unit); without a twin (time, trial, 0, unit)."""
    size = stepper.twin_sd
    if size is None:
        return jnp.zeros((num_steps, len(trial_keys), 0, plan.units), dtype)

    def of(key: Array) -> Array:
        root = jax.random.fold_in(keys.stream(key, "rule"), 0x7477)
        each = [
            gaussian.normal(jax.random.fold_in(root, code), num_steps, plan.units)
            for code in range(len(plan.variables))
        ]
        return jnp.stack(each, axis=1)

    return size * jax.vmap(of, out_axes=1)(trial_keys).astype(dtype)


def explorations(
    plan: Layout, stepper: Stepper, trial_keys: Array, num_steps: int, dtype: Any
) -> Array | None:
    """Noise on the outputs, (time, trial, output); None for a stepper that does not explore with them."""

    def of(key: Array) -> Array | None:
        root = jax.random.fold_in(keys.stream(key, "rule"), 0x6578)
        drawn = stepper.exploration(root, num_steps, plan.outputs)
        return None if drawn is None else drawn.astype(dtype)

    return jax.vmap(of, out_axes=1)(trial_keys)


def mean_state(before: RuleState, each: RuleState, live: Array) -> RuleState:
    """The rule's state as the mean over the trials that are live; as before where none is.

    Args:
        each: states (trial, …) the trials would each go on with; live: (trial,) bool.
    """
    count = live.sum()

    def one(old: Array, new: Array) -> Array:
        if not jnp.issubdtype(old.dtype, jnp.floating):
            return old
        weight = live.reshape(-1, *(1,) * (new.ndim - 1))
        mean = jnp.where(weight, new, 0).sum(0) / jnp.maximum(count, 1)
        return jnp.where(count > 0, mean, old).astype(old.dtype)

    return jax.tree.map(one, before, each)


def where(condition: Array, new: Any, old: Any) -> Array:
    """Select by trial, (trial,) against (trial, …); a scalar selects all."""
    if condition.ndim == 0:
        return jnp.where(condition, new, old)
    return jnp.where(condition.reshape(-1, *(1,) * (max(jnp.ndim(new), jnp.ndim(old)) - 1)), new, old)


def run_twin(
    circuit: Circuit,
    params: Params,
    weights: Weights,
    twin: State,
    drive: Any,
    after: State,
    now: Record,
) -> tuple[State, Array]:
    """Advance noisy twins of a tile by one step beside the circuit: same input, same circuit noise.

    Args:
        twin: states of the twins before the step, variables (trial, unit).
        drive: drives of the circuit, (trial, unit) or one such array a gate; after: its states after it.
        now: the step, leaves (trial, …), with the twins' noise ``jolt``.

    Returns:
        states after the step and its noise, and (trial, variable, unit) their distance from the circuit
        before that noise.
    """
    dynamics, plan = circuit.dynamics, layout(circuit)
    more = jax.vmap(lambda state: dynamics.rate(params, state))(twin) - now.sources[:, : plan.units]
    factor = by_source(dynamics, weights.recurrent)
    drive = gates.add(drive, arrive(dynamics, dynamics.recurrent_drives, factor, more))
    new = jax.vmap(lambda *one: masked_local(circuit, params, *one))(twin, drive, now.valid)
    apart = jnp.stack([new[name] - after[name] for name in plan.variables], axis=1)
    moved = {name: new[name] + now.jolt[:, index] for index, name in enumerate(plan.variables)}
    return {name: where(now.valid, moved[name], twin[name]) for name in twin}, apart


def still_on_padding(now: Record) -> Record:
    """The step with ``A = 1``, ``b = 0`` where it is padding, leaves (trial, …)."""
    same = jnp.eye(now.keep.shape[1], dtype=now.keep.dtype)[:, :, None]
    return now._replace(
        keep=where(now.valid, now.keep, same),
        enter=where(now.valid, now.enter, 0),
        own_local=where(now.valid, now.own_local, 0),
    )


def kept_on_padding(stepper: Stepper, valid: Array, new: Any, old: Any) -> Any:
    """Memory after a step, as it was on padding."""
    return new if stepper.stands_still else jax.tree.map(lambda one, two: where(valid, one, two), new, old)
