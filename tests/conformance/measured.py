"""Gradients of the registered rules on one small circuit, each compiled once and shared by several rows.

The circuit has no noise and one time constant, so that neurons may change places. How many steps a trial has
is a matter of ``valid``: one compilation serves every length.
"""

from __future__ import annotations

import dataclasses
import functools
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime import rules
from throughtime.checking import settings
from throughtime.circuits import Leaky
from throughtime.credit.relay import Relay

CIRCUIT = settings.circuit_of(Leaky(tau=60.0))
UNITS, STEPS = CIRCUIT.num_units, 7
KEY = jax.random.key(3)


def symmetric(rule: Any) -> Any:
    """The same rule with the readout weights as its feedback, where that is an option."""
    options = {field.name for field in dataclasses.fields(rule) if field.init}
    return dataclasses.replace(rule, feedback="symmetric") if "feedback" in options else rule


def deterministic() -> dict[str, Any]:
    """Rules of gradients that draw nothing and learn nothing within the trial, by name."""
    made = {name: rules.make(name) for name in rules.names()}
    return {
        name: rule
        for name, rule in made.items()
        if rule.traits.additive and not (rule.traits.stochastic or rule.traits.displacement)
    }


def linear(rule: Any) -> bool:
    """Whether credit crosses synapses by one matrix for all of the trial, so that there is a surrogate loss.

    Not so with windows, with credit that is relayed, or where recurrent weights are not trained at all.
    """
    if rule.traits.trained != "everything" or rule.transport.span(CIRCUIT.dt) is not None:
        return False
    crossing = getattr(rule, "crossing", None)
    if crossing is None:
        return True
    given = settings.params_of(CIRCUIT)
    state = rule.init(CIRCUIT, given, key=KEY)
    return not isinstance(crossing(CIRCUIT, given, CIRCUIT.weights(given), state), Relay)


@functools.cache
def params() -> dict[str, Any]:
    """Parameters with recurrent weights that are not small."""
    return settings.params_of(CIRCUIT)


def trials(length: int = STEPS) -> Any:
    """Two trials that are valid for ``length`` steps."""
    whole = settings.trials_of(CIRCUIT, num_trials=2, num_steps=STEPS)
    live = np.broadcast_to(np.arange(STEPS) < length, whole.valid.shape)
    return whole._replace(mask=jnp.asarray(live[..., None] * np.ones(2)), valid=jnp.asarray(live))


@functools.lru_cache(maxsize=64)
def compiled(rule: Any) -> Any:
    """``gradient(params, state, trials)`` on the circuit."""

    def compute(params: Any, state: Any, trials: Any) -> Any:
        return rule.gradient(CIRCUIT, params, state, trials, settings.OBJECTIVE, key=KEY)[0]

    return jax.jit(compute)


def state_of(rule: Any) -> Any:
    """What the rule draws at first."""
    return rule.init(CIRCUIT, params(), key=KEY)


@functools.lru_cache(maxsize=256)
def gradient(rule: Any, length: int = STEPS) -> dict[str, np.ndarray]:
    """Gradient with trials of ``length`` steps."""
    found = compiled(rule)(params(), state_of(rule), trials(length))
    return {name: np.asarray(value) for name, value in found.items()}
