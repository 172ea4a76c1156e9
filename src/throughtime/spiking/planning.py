"""What a circuit, a rule and trials are for the objects of :mod:`throughtime.spiking.wired`; and refusals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

import jax
import numpy as np

from throughtime import keys
from throughtime.circuits import Circuit, Leaky
from throughtime.circuits.numbers import free, precision
from throughtime.circuits.readout import readout_decay
from throughtime.credit.feedback import AdaptiveFeedback, Feedback
from throughtime.credit.traces import Eligibility
from throughtime.rules.forward_rule import PathwayRule
from throughtime.spiking.plasticity import PATHWAYS, TRAINED, Pathway, units
from throughtime.spiking.wired import Form, Plan, Sequence
from throughtime.trial import judged

if TYPE_CHECKING:
    from jax import Array

    from throughtime.rules import Rule
    from throughtime.spiking.eprop_lif import SpikingCircuit
    from throughtime.trial import Trial

    Params = dict[str, Any]

FEEDBACK = "rule_feedback"


def plan_of(
    circuit: Circuit,
    params: Params,
    rule: Rule,
    state: Params | None,
    key: Array | None,
    **options: Any,
) -> tuple[Plan, Params]:
    """The plan, and the rule's state.

    Args:
        options: ``learning_rate``, ``online`` and ``names`` of the plan.

    Raises:
        ValueError: see :func:`throughtime.spiking.learn`.
    """
    refuse_circuit(circuit)
    chosen, decay = traces_of(circuit, rule)
    state = rule_state(chosen, circuit, params, state, key)
    params = {name: np.asarray(value, float) for name, value in params.items()}
    trained = chosen.trained_names(circuit, params)
    further = sorted(set(trained) - set(TRAINED))
    if further:
        raise ValueError(
            f"learn: {', '.join(further)} would learn too, but a synapse has one number of its own and "
            f"learns no other; set fixed={tuple(further)!r} in the circuit, or use dense or masked weights "
            "and a fixed tau."
        )
    pathway, forget = pathway_of(chosen.pathway, trained, circuit.non_negative)
    with precision(params):
        given, exist = free(params), existing(circuit)
        weights = circuit.weights(given)
        forms = {
            name: form_of(circuit, params, np.asarray(getattr(weights, name)), name, exist[name], trained)
            for name in TRAINED
        }
        dynamics = cast(Leaky, circuit.dynamics)
        equations = dynamics.equations(given, circuit.num_units, circuit.dt)
        plan = Plan(
            circuit=circuit,
            forms={**forms, "feedback": fed_back(forms["readout"], state, pathway.drawn)},
            trained=tuple(name for name in TRAINED if name in trained),
            units=units(
                dynamics,
                equations,
                noisy=circuit.noise_sd > 0,
                filters=decay > 0,
                shows=pathway.mirrors,
            ),
            times=equations.times,
            constants={
                "alpha": dynamics.numpy_alpha(given, circuit.num_units, circuit.dt),
                "initial": np.asarray(circuit.initial_state(given)[dynamics.form]),
                **equations.constants,
            },
            decay=decay,
            leak=readout_decay(circuit),
            pathway=pathway,
            forget=forget,
            **options,
        )
    return plan, state


def pathway_of(
    feedback: Feedback, trained: tuple[str, ...], non_negative: tuple[str, ...] = ()
) -> tuple[Pathway, float]:
    """A feedback as synapses, and the share ω that it forgets.

    Raises:
        ValueError: for one that is not written that way, or cannot follow this circuit's readout.
    """
    if type(feedback) not in PATHWAYS:
        known = ", ".join(kind.__name__ for kind in PATHWAYS)
        raise ValueError(
            f"learn: feedback {type(feedback).__name__} is not written as synapses of its own; use {known}."
        )
    if not isinstance(feedback, AdaptiveFeedback):
        return PATHWAYS[type(feedback)], 0.0
    if "readout" not in trained or "readout" in non_negative:
        raise ValueError(
            "learn: adaptive feedback follows the changes of a readout that learns and has either sign; use "
            "feedback='random', or leave 'readout' out of fixed and non_negative."
        )
    return PATHWAYS[type(feedback)], feedback.decay


def refuse_circuit(circuit: Circuit) -> None:
    """Refuse circuits whose neurons or trials are not written for Brian2.

    Raises:
        ValueError: with the reason and the remedy.
    """
    dynamics = circuit.dynamics
    if type(dynamics) is not Leaky:
        raise ValueError(
            f"learn: {type(dynamics).__name__} has no equations of traces here; use Leaky units, or "
            "tt.gradient for the same rule."
        )
    if circuit.output_feedback:
        raise ValueError(
            "learn: synapses from fed-back outputs are not written for learning; use output_feedback=False."
        )
    if circuit.initial.num_warm_up_steps(circuit.dt):
        raise ValueError(
            "learn: traces of a warm-up would begin before the trial does; use another initial state, such "
            "as Rest()."
        )


def own_traces(circuit: Circuit, rule: Rule) -> Eligibility | None:
    """What a rule carries forward in time, if that is a trace of each synapse's own use and nothing else.

    Example:
        >>> from throughtime import rules
        >>> circuit = Circuit(num_inputs=1, num_units=4, num_outputs=1)
        >>> own_traces(circuit, rules.make("rflo")), own_traces(circuit, rules.make("rtrl"))
        (Eligibility(decay=0.0, diagonal=False), None)
    """
    if not (isinstance(rule, PathwayRule) and rule.transport.causal):
        return None
    stepper = rule.stepper(circuit)
    return stepper if type(stepper) is Eligibility and not stepper.diagonal else None


def traces_of(circuit: Circuit, rule: Rule) -> tuple[PathwayRule, float]:
    """The rule, and κ of its traces.

    Raises:
        ValueError: for one that keeps something else than a trace of each synapse's own use.
    """
    name, traces = type(rule).__name__, own_traces(circuit, rule)
    if traces is None:
        raise ValueError(
            f"learn: {name} needs more than each synapse's own trace and the signal of its unit; use 'rflo' "
            "or 'eprop'."
        )
    chosen = cast(PathwayRule, rule)
    if chosen.online:
        raise ValueError(
            f"learn: {name}(online=True) has a step_size of its own; give learn online=True and a "
            "learning_rate, and the rule without."
        )
    return chosen, traces.decay


def rule_state(
    rule: PathwayRule | Feedback, circuit: Any, params: Params, state: Params | None, key: Array | None
) -> Params:
    """The state of a rule or a feedback, given or drawn.

    Raises:
        ValueError: for a given state of another circuit or rule, and without a key where one must be drawn.
    """
    given = free(params)
    fresh = jax.eval_shape(lambda key: rule.init(circuit, given, key=key), jax.random.key(0))
    if state is None and not fresh:
        return {}
    if state is None:
        if key is None:
            raise ValueError("learn: the feedback of this rule is drawn at random; give a key, or its state.")
        state = rule.init(circuit, given, key=key)
    found = {name: np.shape(value) for name, value in state.items()}
    expected = {name: value.shape for name, value in fresh.items()}
    if found != expected:
        raise ValueError(
            f"learn: state has {found or 'nothing'}, expected {expected or 'nothing'}; use the state of "
            "rule.init(circuit, params, key=...) or of what was learned before."
        )
    return {name: np.asarray(value, float) for name, value in state.items()}


def existing(circuit: Circuit) -> dict[str, np.ndarray]:
    """Which synapses there are, (target, source) bool by parameter."""

    def of(mask: Any, shape: tuple[int, int]) -> np.ndarray:
        return np.ones(shape, bool) if mask is None else np.array(mask.values)

    units, outputs = circuit.num_units, circuit.num_outputs
    return {
        "recurrent": np.array(circuit.recurrent.existing(units)),
        "input": of(circuit.input_mask, (units, circuit.num_inputs)),
        "bias": np.ones((units, 1), bool),
        "readout": of(circuit.readout_mask, (outputs, units)),
        "readout_bias": np.ones((outputs, 1), bool),
    }


def form_of(
    circuit: Circuit,
    params: Params,
    effective: np.ndarray,
    name: str,
    exist: np.ndarray,
    trained: tuple[str, ...],
) -> Form:
    """How the weights of one kind follow from its parameter: found by trying parameters of 1, 0 and −1.

    Raises:
        ValueError: where a weight does not follow from one number of its own.
    """
    effective = effective.reshape(exist.shape)
    none = np.zeros(exist.shape, bool)
    if name not in trained:
        return Form("free", effective, none, exist, none)

    def at(value: float) -> np.ndarray:
        tried = {**params, name: np.full(params[name].shape, value)}
        return np.asarray(getattr(circuit.weights(free(tried)), name), float).reshape(exist.shape)

    up, zero, down = at(1.0), at(0.0), at(-1.0)
    plastic = exist & (up != zero)
    own = (
        params[name].reshape(exist.shape) if params[name].size == exist.size else np.full(exist.shape, np.nan)
    )
    if np.array_equal(up[plastic], np.ones(plastic.sum())) and np.array_equal(down[plastic], -up[plastic]):
        form = Form("free", np.where(plastic, own, effective), none, exist, plastic)
        told = form.free
    else:
        side = np.where(plastic, up, np.sign(effective))
        form = Form("rectified", np.where(plastic, own, np.abs(effective)), side, exist, plastic)
        told = side * np.abs(form.free)
    if not (set(np.abs(up[plastic])) <= {1.0} and np.allclose(told[exist], effective[exist], rtol=1e-5)):
        raise ValueError(
            f"learn: {name}: weights of {type(circuit.recurrent).__name__} do not follow from one number of "
            "each synapse's own, so no synapse could learn by itself; use dense, sparse or Dale's weights."
        )
    return form


def fed_back(readout: Form, state: Params, drawn: bool) -> Form:
    """Feedback synapses, (unit, output): drawn ones, or such as begin with the readout's numbers."""
    plastic = readout.plastic.T
    if drawn:
        full = np.ones(plastic.shape, bool)
        return Form("free", state[FEEDBACK], np.zeros(plastic.shape), full, plastic)
    size = np.abs(state[FEEDBACK]) if FEEDBACK in state else None
    return Form(readout.text, readout.free.T, readout.side.T, readout.existing.T, plastic, size)


def sequence_of(
    circuit: Circuit | SpikingCircuit, trials: Trial, noise: np.ndarray | None = None
) -> Sequence:
    """Trials one after the other, without padding.

    Args:
        noise: (trial, time, unit) or None.

    Raises:
        ValueError: for arrays of another shape, or a trial without a step that counts.
    """
    trials = judged(trials)
    inputs, targets, mask = (np.asarray(leaf, float) for leaf in (trials.inputs, trials.targets, trials.mask))
    valid = np.asarray(trials.valid, bool)
    lasts = {"inputs": (inputs, circuit.num_inputs), "targets": (targets, circuit.num_outputs)}
    for name, (array, size) in lasts.items():
        if array.ndim != 3 or array.shape[2] != size:
            raise ValueError(
                f"learn: {name} have shape {array.shape}, expected (trial, time, {size}); for one trial add "
                "a leading axis."
            )
    total = mask.sum((1, 2))
    if not (total > 0).all():
        raise ValueError(
            f"learn: trial {int(np.argmin(total > 0))} has no valid step with a mask above 0, so it has no "
            "loss; leave it out."
        )
    number = np.cumsum(valid, 1)
    return Sequence(
        inputs=np.concatenate([inputs, np.ones((*valid.shape, 1))], -1)[valid],
        noise=None if noise is None else noise[valid],
        targets=targets[valid],
        gain=(2 * mask / total[:, None, None])[valid],
        begins=(number == 1)[valid].astype(float),
        commits=(number == number[:, -1:])[valid].astype(float),
    )


def noise_of(circuit: Circuit, trials: Trial, key: Array | None) -> np.ndarray | None:
    """Noise of the drive, (trial, time, unit), as a batch of these trials has it; None without.

    Raises:
        ValueError: without a key.
    """
    if circuit.noise_sd == 0:
        return None
    if key is None:
        raise ValueError("learn: the circuit has noise, which is drawn; give a key, or use noise_sd=0.")
    num_trials, num_steps = trials.valid.shape
    each = keys.of_batch(key, num_trials)
    draw = jax.jit(jax.vmap(lambda key: circuit.noise(key, num_steps)))  # its bits are those of a run
    return np.asarray(draw(each), float)
