"""Circuits that learn online inside Brian2, where a synapse cannot name what a synapse could not know."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from throughtime import rules
from throughtime.spiking.brian import simulator
from throughtime.spiking.planning import FEEDBACK, noise_of, plan_of, sequence_of
from throughtime.spiking.wired import Plan, Sequence, Wired, wire

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.rules import Rule
    from throughtime.trial import Trial

    Params = dict[str, Any]


class Learned(NamedTuple):
    """What a circuit has learned by itself.

    Attributes:
        params: name -> parameters after the last trial, float64.
        losses: (trial,) masked squared error of each trial, met while learning.
        changes: name -> (trial, …) how far each trial moved what the rule trains.
        state: of the rule after the last trial.
        identifiers: name of a parameter, or ``feedback`` -> everything that the code of these synapses names.
        spike_counts: (trial, unit) spikes of each trial; None where units have rates.
    """

    params: dict[str, np.ndarray]
    losses: np.ndarray
    changes: dict[str, np.ndarray]
    state: dict[str, np.ndarray]
    identifiers: dict[str, tuple[str, ...]]
    spike_counts: np.ndarray | None = None


def learn(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    rule: str | Rule = "rflo",
    *,
    learning_rate: float,
    state: dict[str, Any] | None = None,
    key: Array | None = None,
    online: bool = False,
    target: str = "numpy",
    names: Mapping[str, str] | None = None,
) -> Learned:
    """Train a circuit by an eligibility-trace rule, all of it inside Brian2.

    The circuit, its readout, its errors, the feedback and the traces are neurons and synapses of Brian2.
    In the current form (v the state of a unit, r = φ(v)) and the rate form (r = φ(u) filtered) a synapse
    from j to i keeps::

        P ← (1 − α_i) P + α_i r_j             Δw = −η L_i φ′(v_i) P         (current form)
        P ← (1 − α_i) P + α_i φ′(u_i) r_j     Δw = −η L_i P                 (rate form)

    with α = dt/τ, r_j the rate before the step, φ′ the slope at this step, η the learning rate and
    ``L = B e`` the learning signal of unit i: the errors ``e_k = 2 m_k (z_k − y_k) / Σ m`` of the outputs z
    (targets y, mask m) through feedback synapses B of their own. Where the readout leaks, or the rule has a
    filter, ``φ′ P`` (or P) goes through ``f ← κ f + …`` first. The readout moves by the delta rule.

    This is the trace form of :class:`~throughtime.rules.RFLO` and :class:`~throughtime.rules.EProp`, and a
    proof that runs that they are local: Brian2 lets a synapse name the two neurons at its ends, itself and
    constants. No synapse reads the weights of the readout. Feedback that is ``symmetric`` starts with their
    numbers, which is weight transport, and follows them because both make the same change.

    Args:
        circuit: of leaky units with fixed time constants. Masks, signs (Dale's law) and synapses that do not
            learn are kept.
        params: its parameters.
        trials: leaves (trial, …), presented one after the other, each from the initial state.
        rule: ``rflo``, ``eprop``, or one of their objects; its error is the masked squared error.
        learning_rate: η.
        state: of the rule, from ``rule.init``: the numbers of random feedback. Drawn with ``key`` by default.
        key: draws the state, and the noise of trial i from ``fold_in(key, i)``; not needed without either.
        online: weights move at every step. By default they move by the sum of a trial's steps, at its end.
        target: ``numpy`` or ``cython``.
        names: other names of objects in Brian2, by their own: ``units``, ``channels``, ``outputs``,
            ``relay``, ``feedback`` and the parameters. Results do not depend on them.

    Raises:
        ValueError: for a rule that is no trace of a synapse's own, a circuit whose parameters are not one
            number a synapse, and for what is not written for Brian2 (with the reason).

    Source: Murray 2019, eLife 8:e43299; Bellec et al. 2020, Nat. Commun. 11:3625.

    Example:
        >>> import jax
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=40.0)
        >>> circuit = tt.circuits.for_task(task, num_units=4)
        >>> params = circuit.init(key=jax.random.key(0))
        >>> trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(1), 2))
        >>> learned = learn(circuit, params, trials, learning_rate=0.1, key=jax.random.key(2))
        >>> learned.changes["recurrent"].shape
        (2, 4, 4)
        >>> [name for name in learned.identifiers["recurrent"] if name.endswith("_pre")]
        ['firing_pre', 'sent_pre']
    """
    plan, state = plan_of(
        circuit,
        params,
        rules.make(rule) if isinstance(rule, str) else rule,
        state,
        key,
        learning_rate=checked(learning_rate),
        online=online,
        names=names or {},
    )
    return carry_out(
        plan, params, state, sequence_of(circuit, trials, noise_of(circuit, trials, key)), target
    )


def checked(learning_rate: float) -> float:
    """The learning rate, if it is one.

    Raises:
        ValueError: otherwise.
    """
    number = isinstance(learning_rate, int | float) and not isinstance(learning_rate, bool)
    if not (number and math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(
            f"learn: learning_rate {learning_rate!r} is not a positive number; use one like 0.01."
        )
    return float(learning_rate)


def carry_out(plan: Plan, params: Params, state: Params, sequence: Sequence, target: str) -> Learned:
    """Run the trials in Brian2, and read what has become of the synapses."""
    with simulator(target) as b2:
        wired = wire(b2, plan, sequence)
        wired.network.run(len(sequence.begins) * plan.circuit.dt * b2.ms, namespace={})
        return _learned(plan, params, state, wired)


def _learned(plan: Plan, params: Params, state: Params, wired: Wired) -> Learned:
    """What the synapses are at the end of every trial, as arrays of parameters."""
    after = {name: np.array(value, float) for name, value in params.items()}
    changes = {}
    for name in plan.trained:
        form, course = plan.forms[name], [after[name].copy()]
        for snapshot in wired.snapshots:
            table = course[-1].reshape(form.existing.shape).copy()
            if name in snapshot:
                moved = np.zeros(form.existing.shape)
                moved[form.existing] = snapshot[name]
                table = np.where(form.plastic, moved, table)
            course.append(table.reshape(after[name].shape))
        after[name], changes[name] = course[-1], np.diff(np.stack(course), axis=0)
    if plan.pathway.forgets:
        feedback = np.array(state[FEEDBACK])
        feedback[plan.forms["feedback"].existing] = wired.synapses["feedback"].parameter[:]
        state = {**state, FEEDBACK: feedback}
    losses = np.array([snapshot["loss"].sum() for snapshot in wired.snapshots])
    named = {name: identifiers(synapses) for name, synapses in wired.synapses.items()}
    counts = None
    if wired.snapshots and "count" in wired.snapshots[0]:
        counts = np.array([snapshot["count"] for snapshot in wired.snapshots])
    return Learned(after, losses, changes, state, named, counts)


def identifiers(synapses: Any) -> tuple[str, ...]:
    """Everything that the code of Brian2's ``synapses`` names: variables and constants, functions apart.

    Expressions of the synapse itself are opened. One that belongs to a neuron is not: it can name nothing
    but variables of that neuron.
    """
    from brian2.core.functions import DEFAULT_FUNCTIONS
    from brian2.utils.stringtools import get_identifiers

    code = [part.abstract_code for part in synapses.contained_objects if hasattr(part, "abstract_code")]
    waiting = get_identifiers("\n".join(code))
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        found.add(name)
        expression = getattr(synapses.variables.get(name), "expr", None)
        if expression is not None and not name.endswith(("_pre", "_post")):
            waiting |= get_identifiers(expression) - found
    return tuple(sorted(found - set(DEFAULT_FUNCTIONS) - {"_synaptic_var"}))
