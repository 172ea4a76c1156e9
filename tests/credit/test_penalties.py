"""Penalties on rates, weights and vanishing gradients, each against finite differences."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import throughtime as tt
from tests.factories import random_params, random_trials, small_circuit
from tests.oracles import finite_differences, norm, relative
from throughtime.circuits import GRU, Adaptive, Leaky
from throughtime.circuits.simulate import forward
from throughtime.credit import vanishing
from throughtime.credit.adjoint import send_credit
from throughtime.objectives import (
    Penalty,
    RatePenalty,
    SquaredError,
    VanishingGradient,
    WeightPenalty,
)
from throughtime.rules import BPTT, TBPTT

LOSS = SquaredError()


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def value(circuit, params, trials, objective):
    """Everything that is made small, through the public single-trial run."""

    def one(trial):
        path = circuit.run(params, trial.inputs, valid=trial.valid)
        loss = objective(path.outputs, trial)
        return loss + (objective.penalty(path, trial.valid) if objective.has_penalty else 0.0)

    return jnp.mean(jax.vmap(one)(trials)) + objective.weight_penalty(circuit.weights(params))


TERMS = {
    "rates, power 1": (RatePenalty(0.4, power=1),),
    "rates, power 2": (RatePenalty(0.4),),
    "weights, L1": (WeightPenalty(0.05, power=1),),
    "weights, L2": (WeightPenalty(0.05, of=("recurrent", "bias")),),
    "several": (RatePenalty(0.4), WeightPenalty(0.05), WeightPenalty(0.02, power=1, of="readout")),
}


@pytest.mark.parametrize("name", TERMS)
def test_penalties_against_finite_differences(name):
    circuit = small_circuit("current")
    params, trials, key = random_params(circuit), random_trials(), jax.random.key(0)
    objective = LOSS
    for term in TERMS[name]:
        objective = objective + term
    plain, before = tt.gradient(circuit, params, trials, BPTT(), key=key)
    grads, info = tt.gradient(circuit, params, trials, BPTT(), key=key, objective=objective)
    wanted = finite_differences(lambda p: value(circuit, p, trials, objective), params)
    added = norm(jax.tree.map(jnp.subtract, grads, plain))
    assert added > 1e-3, "the penalty must be alive"
    assert relative(grads, wanted) < 1e-6
    assert float(info["loss"]) == pytest.approx(float(value(circuit, params, trials, objective)), rel=1e-12)
    assert float(info["loss"]) > float(before["loss"])


def frozen(circuit, params, trials, errors_of):
    """States and credits of the batch, as numbers."""
    keys = jax.random.split(jax.random.key(0), len(trials.valid))
    weights = circuit.weights(params)
    unfolded, outputs = forward(circuit, params, weights, trials, keys)
    errors = jax.grad(lambda z: jnp.mean(jax.vmap(errors_of, in_axes=(1, 0))(z, trials)))(outputs)
    credit = send_credit(circuit, params, unfolded, errors, weights.readout.T, weights.recurrent, record=True)
    return unfolded, credit.state


OWN = Leaky(tau=60.0, form="rate", activation="softplus", tau_range=(25.0, 200.0))
STEPPED = {
    # circuit, and the parameters on which its step's Jacobian depends
    "current": (small_circuit("current", "softplus"), ("recurrent",)),
    "rate": (small_circuit("rate", "softplus"), ("recurrent", "input", "bias")),
    "own tau": (dataclasses.replace(small_circuit("rate"), dynamics=OWN), ("recurrent", "bias", "tau_logit")),
    "gru": (dataclasses.replace(small_circuit("rate"), dynamics=GRU()), ("recurrent", "input", "bias")),
    "two variables": (
        dataclasses.replace(small_circuit("rate"), dynamics=Adaptive(tau=60.0, activation="softplus")),
        ("recurrent",),
    ),
}


@pytest.mark.parametrize("name", STEPPED)
def test_vanishing_gradient_penalty_against_finite_differences(name):
    """States and credits are constants of the penalty; its gradient is that of the step's Jacobian."""
    circuit, blocks = STEPPED[name]
    params, trials, key = random_params(circuit), random_trials(), jax.random.key(0)
    strength = 0.7
    unfolded, credit = jax.jit(lambda p: frozen(circuit, p, trials, LOSS))(params)
    before = {
        key: jnp.concatenate([unfolded.initial[key][None], after[:-1]])
        for key, after in unfolded.states.items()
    }

    def jacobian_term(new):
        """The definition with whole Jacobians, step by step."""

        def one(state, x, live, arriving):
            flat, rebuild = ravel_pytree(state)
            jacobian = jax.jacfwd(lambda s: ravel_pytree(circuit.step(new, rebuild(s), x))[0])(flat)
            arriving = ravel_pytree(arriving)[0]
            size = jnp.sum(arriving**2)
            counted = live & (size > 0)
            ratio = jnp.sum((jacobian.T @ arriving) ** 2) / jnp.where(counted, size, 1.0)
            return jnp.where(counted, (ratio - 1) ** 2, 0.0), counted

        terms, counted = jax.vmap(jax.vmap(one))(before, unfolded.inputs, unfolded.valid, credit)
        return jnp.mean(terms.sum(0) / counted.sum(0))

    plain, without = tt.gradient(circuit, params, trials, BPTT(), key=key)
    objective = LOSS + VanishingGradient(strength)
    grads, info = tt.gradient(circuit, params, trials, BPTT(), key=key, objective=objective)
    added = jax.tree.map(jnp.subtract, grads, plain)
    wanted = finite_differences(
        lambda p: strength * jacobian_term({**params, **p}), {block: params[block] for block in blocks}
    )
    for block in blocks:
        assert norm(wanted[block]) > 1e-3, block
        assert relative(added[block], wanted[block]) < 1e-6, block
    assert not np.any(added["readout"])
    term = strength * float(jacobian_term(params))
    assert float(info["loss"]) == pytest.approx(float(without["loss"]) + term, rel=1e-10)
    assert term > 1e-2


def test_vanishing_gradient_penalty_is_zero_where_credit_keeps_its_norm():
    circuit = dataclasses.replace(
        small_circuit("rate", noise=0.1), dynamics=tt.circuits.Leaky(tau=20.0, activation="relu", form="rate")
    )
    params, trials = random_params(circuit), random_trials()
    turned = jnp.eye(6)[jnp.array([2, 0, 5, 1, 3, 4])]
    params = {**params, "recurrent": turned, "bias": params["bias"] + 50.0}  # all units active: J is W
    unfolded, credit = frozen(circuit, params, trials, LOSS)
    weights = circuit.weights(params)
    changed = ({name: getattr(weights, name) for name in vanishing.BLOCKS}, {})
    each = vanishing.penalty(circuit, params, weights, changed, unfolded, credit)
    assert np.abs(each).max() < 1e-12
    halved = ({**changed[0], "recurrent": turned / 2}, {})
    each = vanishing.penalty(circuit, params, weights, halved, unfolded, credit)
    steps = unfolded.valid.sum(0)
    assert np.all(np.asarray(each) > 0.5 * (1 - 1 / 4) ** 2), steps


def test_training_descends_on_the_penalised_objective():
    task = tt.tasks.make("cue-set-go", dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=6)
    settings = {"num_updates": 20, "batch_size": 4, "test_trials": 0, "learning_rate": 0.02, "eval_every": 20}
    with jax.enable_x64(False):
        plain, decayed = (
            tt.train(task, circuit, BPTT(), objective=objective, **settings)
            for objective in (LOSS, LOSS + WeightPenalty(0.1))
        )
    sizes = [np.square(run.params(0)["recurrent"]).sum() for run in (plain, decayed)]
    assert sizes[1] < 0.9 * sizes[0]
    assert decayed.config["objective"] == LOSS + WeightPenalty(0.1)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RatePenalty(-1.0), "RatePenalty: strength -1.0 is not a number >= 0"),
        (lambda: RatePenalty(1.0, power=3), "RatePenalty: power 3 is not known; use 1 or 2"),
        (lambda: WeightPenalty(float("nan")), "strength nan"),
        (lambda: WeightPenalty(1.0, of=("recurent",)), "of 'recurent' is not known"),
    ],
)
def test_impossible_penalties_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_vanishing_gradient_is_refused_where_credit_is_not_exact():
    circuit = small_circuit("rate")
    with pytest.raises(ValueError, match="TBPTT: a penalty on vanishing gradients needs the exact credit"):
        TBPTT().gradient(
            circuit, random_params(circuit), {}, random_trials(), LOSS + VanishingGradient(0.1),
            key=jax.random.key(0),
        )  # fmt: skip


def test_a_penalty_by_itself_adds_nothing():
    objective = LOSS + Penalty(1.0)
    assert not objective.has_penalty
    assert not objective.has_weight_penalty
    assert objective.vanishing == 0
