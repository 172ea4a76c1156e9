"""What an update may be computed from: one trial as independent arrays, nothing of it to be run again.

Rules compute from it what they would from a run (:meth:`throughtime.rules.base.Rule.update_from_record`).
Since nothing is recomputed, what an update reads is told by changing one number and looking whether it moves
(:mod:`throughtime.audit`): a rule that reads a rate is told from one that reads a weight the rate came from.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.circuits.circuit import Weights
from throughtime.circuits.initial import broadcast
from throughtime.circuits.simulate import forward
from throughtime.credit import online
from throughtime.credit.batch import differentiate
from throughtime.credit.record import Layout, Record, layout, record, stacked
from throughtime.credit.replay import replay
from throughtime.credit.stepping import jolts, run_twin
from throughtime.trial import judged

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.circuits.simulate import Unfolded
    from throughtime.credit.stepper import Stepper
    from throughtime.credit.stepping import Pathways
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    Params = dict[str, Array]
    RuleState = dict[str, Array]


class Evidence(NamedTuple):
    """One trial.

    Attributes:
        steps: what happened, leaves (time, …).
        recurrent: ([gate,] unit, presynaptic_unit) and readout: (output, unit), effective weights; where they
            move within the trial, those before its first step.
        existing: (unit, presynaptic_unit) bool, which synapses exist.
        initial: (variable, unit) the state before the first step.
        own: parameters of the neurons themselves.
        noise: (time, drive, unit) what was added to the drives to try something, in units of σ; None without.
        shift: (try, drive, unit, slot) what was added to the weights of each try, in units of σ, or None.
        scalar: () or (try,) how much better or worse it went than expected; None where nobody tells.
        key: key of the trial, for draws.
    """

    steps: Record
    recurrent: Array
    readout: Array
    existing: Array
    initial: Array
    own: Params
    noise: Array | None = None
    shift: Array | None = None
    scalar: Array | None = None
    key: Array | None = None

    @property
    def weights(self) -> Weights:
        """Those weights that a synapse could read; the others are empty."""
        none = jnp.zeros(0, self.recurrent.dtype)
        return Weights(
            recurrent=self.recurrent,
            input=none,
            bias=none,
            readout=self.readout,
            readout_bias=none,
            tau=none,
            existing=self.existing,
            cell_types=none,
            output_feedback=none,
        )


def alone(tree: Any, axis: int = 0) -> Any:
    """The only trial of a batch of one."""
    return jax.tree.map(lambda leaf: jnp.take(leaf, 0, axis), tree)


def batch_of_one(tree: Any) -> Any:
    """One trial with a leading axis."""
    return jax.tree.map(lambda leaf: leaf[None], tree)


def refuse_warm_up(circuit: Circuit) -> None:
    """Refuse a circuit that warms up.

    Raises:
        ValueError: with the remedy.
    """
    if circuit.initial.num_warm_up_steps(circuit.dt):
        raise ValueError(
            f"evidence: {circuit.initial!r} runs the circuit before the trial, which a record does not hold; "
            "use Rest() or Learned()."
        )


def of_unfolded(
    circuit: Circuit,
    params: Params,
    trial: Trial,
    objective: Objective,
    unfolded: Unfolded,
    outputs: Array,
    key: Array,
) -> Evidence:
    """Evidence of a trial that was run, a tile of one.

    Args:
        outputs: (time, trial, output); key: of the trial.

    Raises:
        ValueError: for a circuit that warms up, whose steps before the trial are not recorded.
    """
    refuse_warm_up(circuit)
    weights, batch = circuit.weights(params), judged(batch_of_one(trial))
    one = jnp.ones((), params["bias"].dtype)
    _, errors, direct = differentiate(objective, batch, unfolded, outputs, one)
    targets, mask = (jnp.swapaxes(leaf, 0, 1).astype(errors.dtype) for leaf in (batch.targets, batch.mask))
    steps = record(circuit, params, weights, unfolded, targets, errors, direct)
    steps = alone(steps._replace(output=outputs, mask=mask), 1)
    first = stacked(layout(circuit), alone(unfolded.initial))
    return before_trial(circuit, params, steps, first, key)


def before_trial(circuit: Circuit, params: Params, steps: Record, initial: Array, key: Array) -> Evidence:
    """Evidence of steps, with the weights that ``params`` give."""
    weights = circuit.weights(params)
    own = {name: params[name] for name in layout(circuit).own}
    return Evidence(steps, weights.recurrent, weights.readout, weights.existing, initial, own, key=key)


def of_run(
    circuit: Circuit,
    params: Params,
    trial: Trial,
    objective: Objective,
    key: Array,
    stepper: Stepper | None = None,
) -> Evidence:
    """Run one trial with the circuit noise of its key, and beside it the twin that a stepper may ask for."""
    refuse_warm_up(circuit)
    weights, batch, each = circuit.weights(params), batch_of_one(trial), key[None]
    before = broadcast(circuit.initial_state(params), 1)
    unfolded, outputs = forward(circuit, params, weights, batch, each, before)
    found = of_unfolded(circuit, params, trial, objective, unfolded, outputs, key)
    if stepper is None or stepper.twin_sd is None:
        return found
    noise = jolts(layout(circuit), stepper, each, len(outputs), outputs.dtype)

    def step(twin: Any, now: tuple[Record, Any, Any, Array]) -> tuple[Any, Array]:
        past, drive, state, jolt = now
        here = batch_of_one(past)._replace(jolt=jolt)
        return run_twin(circuit, params, weights, twin, drive, state, here)

    sequence = (found.steps, unfolded.drives, unfolded.states, noise)
    _, apart = jax.lax.scan(step, before, sequence)
    return found._replace(steps=found.steps._replace(twin=alone(apart, 1), jolt=alone(noise, 1)))


def of_moving_run(
    circuit: Circuit,
    params: Params,
    trial: Trial,
    objective: Objective,
    key: Array,
    stepper: Stepper,
    pathways: Pathways,
    state: RuleState,
    *,
    step_size: float,
    trained: tuple[str, ...],
) -> Evidence:
    """Run one trial while its weights move; what the stepper senses beside the record is in it."""
    if circuit.readout_tau is not None or circuit.initial.num_warm_up_steps(circuit.dt):
        raise ValueError(
            "evidence: no record of moving weights is made where the readout leaks or the circuit warms up; "
            "use readout_tau=None and Rest(), or online=False."
        )
    _, _, info = online.displacement(
        circuit, params, batch_of_one(trial), objective, stepper, pathways, state,
        step_size=step_size, trained=trained, trial_keys=key[None], keep_record=True,
    )  # fmt: skip
    initial = stacked(layout(circuit), circuit.initial_state(params))
    found = before_trial(circuit, params, alone(info["steps"], 1), initial, key)
    _, _, sensed = replay(circuit, found, stepper, pathways, state, step_size=step_size)
    return found._replace(steps=sensed)


def by_slots(plan: Layout, recurrent: Array, inputs: Array, bias: Array) -> Array:
    """(drive, unit, slot) of one array for each kind of source, with the axes of the weights."""
    found = jnp.zeros((plan.drives, plan.units, plan.slots), bias.dtype)
    one = plan.drives == 1
    fed = jnp.asarray((0,) if one else plan.recurrent_drives)
    heard = jnp.asarray((0,) if one else plan.input_drives)
    found = found.at[fed, :, : plan.units].set(recurrent[None] if one else recurrent)
    found = found.at[heard, :, plan.units : -1].set(inputs[None] if one else inputs)
    return found.at[:, :, -1].set(bias[None] if one else bias)
