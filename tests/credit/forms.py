"""A small circuit and trials for the forms of a rule: after the trial, within it, and in a stream."""

from __future__ import annotations

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits import Circuit, Leaky
from throughtime.objectives import SquaredError
from throughtime.trial import Trial

TRIALS, STEPS, UNITS, INPUTS, OUTPUTS = 2, 8, 4, 2, 2
TINY = 1e-7


class Summed(SquaredError):
    """Squared error that is divided by nothing, so that calls of a stream add up."""

    def __call__(self, outputs, trial):
        return jnp.sum(trial.mask * (outputs - trial.targets) ** 2)

    def normaliser(self, trial):
        return jnp.ones(())


def circuit_of(**fields):
    fields = {"dynamics": Leaky(tau=50.0, form="current"), **fields}
    return Circuit(num_inputs=INPUTS, num_units=UNITS, num_outputs=OUTPUTS, dt=20.0, **fields)


def params_of(circuit):
    rng = np.random.default_rng(1)
    drawn = circuit.init(key=jax.random.key(0))
    return {
        name: jnp.asarray(np.asarray(v, float) + 0.3 * rng.normal(size=v.shape)) for name, v in drawn.items()
    }


@functools.cache
def arrays():
    rng = np.random.default_rng(2)
    valid = np.arange(STEPS) < np.array([[STEPS], [STEPS - 3]])
    inputs, targets = rng.normal(size=(TRIALS, STEPS, INPUTS)), rng.normal(size=(TRIALS, STEPS, OUTPUTS))
    mask = rng.uniform(0.5, 1.5, (TRIALS, STEPS, OUTPUTS))
    live = valid[..., None]
    return inputs * live, targets * live, mask * live, valid


def trials_of(**changed):
    found = Trial(*map(jnp.asarray, arrays()), {}, {})
    return found._replace(**changed)


def whole_steps(first, last):
    """Steps of a stream without padding."""
    rng = np.random.default_rng(3)
    inputs, targets = rng.normal(size=(TRIALS, STEPS, INPUTS)), rng.normal(size=(TRIALS, STEPS, OUTPUTS))
    every = np.ones((TRIALS, STEPS, OUTPUTS)), np.ones((TRIALS, STEPS), bool)
    return Trial(*(jnp.asarray(leaf[:, first:last]) for leaf in (inputs, targets, *every)), {}, {})


@functools.partial(jax.jit, static_argnums=(0, 1, 2))
def compiled(circuit, rule, objective, params, state, trials, carry):
    return rule.gradient(circuit, params, state, trials, objective, key=jax.random.key(7), carry=carry)


OBJECTIVE, SUMMED = SquaredError(), Summed()


def compute(circuit, rule, params, trials, carry=None, state=None, objective=OBJECTIVE):
    state = rule.init(circuit, params, key=jax.random.key(11)) if state is None else state
    return compiled(circuit, rule, objective, params, state, trials, carry)


def online(rule):
    return dataclasses.replace(rule, online=True, step_size=TINY)


def per_step(moved):
    return jax.tree.map(lambda leaf: leaf / TINY, moved)
