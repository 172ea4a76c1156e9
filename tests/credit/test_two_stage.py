"""GRU with the reset before the synapses: exact gradients, and a reason for everything that is refused."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import pytest

import throughtime as tt
from tests.factories import random_params, random_trials, small_circuit
from tests.oracles import finite_differences, norm, relative
from throughtime.circuits import GRU, Leaky, Learned, WarmUp
from throughtime.credit.feedback import RandomFeedback
from throughtime.credit.transport import NoTransport
from throughtime.objectives import RatePenalty, SquaredError, VanishingGradient
from throughtime.rules import BPTT, TBPTT, AdjointRule

LOSS = SquaredError()


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def before(**fields):
    return dataclasses.replace(small_circuit("rate"), dynamics=GRU(reset="before"), **fields)


def test_penalties_tiles_and_a_warm_up_against_finite_differences():
    circuit, trials = before(initial=WarmUp(60.0)), random_trials(num_trials=18)
    params, objective = random_params(circuit), LOSS + RatePenalty(0.5)
    grads, info = tt.gradient(circuit, params, trials, BPTT(), key=jax.random.key(0), objective=objective)

    def value(p):
        def one(trial):
            path = circuit.run(p, trial.inputs, valid=trial.valid)
            return objective(path.outputs, trial) + objective.penalty(path, trial.valid)

        return jnp.mean(jax.vmap(one)(trials))

    wanted = finite_differences(value, params)
    for name in params:
        assert norm(wanted[name]) > 1e-3, name
        assert relative(grads[name], wanted[name]) < 1e-6, name
    assert float(info["loss"]) == pytest.approx(float(value(params)), rel=1e-12)
    assert info["carry"]["hidden"].shape == (18, circuit.num_units)


def test_the_two_resets_differ():
    assert before().bptt_only
    assert not small_circuit("rate").bptt_only
    params = random_params(before())
    after = dataclasses.replace(before(), dynamics=GRU(reset="after"))
    split = {
        **params,
        "bias": jnp.concatenate([params["bias"][:2], 0 * params["bias"][2:], params["bias"][2:]]),
    }
    inputs = random_trials().inputs[0]
    paths = [before().run(params, inputs).rates, after.run(split, inputs).rates]
    assert relative(*paths) > 1e-2


@pytest.mark.parametrize(
    ("rule", "objective", "message"),
    [
        (AdjointRule(transport=NoTransport()), LOSS, "without exact transport its reset gate learns nothing"),
        (AdjointRule(feedback=RandomFeedback()), LOSS, "Use reset='after', or the rule bptt"),
        (TBPTT(), LOSS, "TBPTT: GRU with the reset before the synapses has no recursion of drives"),
        (BPTT(segment=4), LOSS, "takes no segments"),
        (BPTT(), LOSS + VanishingGradient(0.1), "no penalty on vanishing gradients"),
    ],
)
def test_what_has_no_recursion_is_refused(rule, objective, message):
    circuit = before()
    state = rule.init(circuit, random_params(circuit), key=jax.random.key(0))
    with pytest.raises(ValueError, match=message):
        rule.gradient(
            circuit, random_params(circuit), state, random_trials(), objective, key=jax.random.key(0)
        )


def test_one_stage_dynamics_have_no_second_stage():
    with pytest.raises(TypeError, match=r"Leaky has one stage: use local"):
        Leaky().advance({}, {}, jnp.zeros((1, 2, 2)), jnp.zeros((1, 2)), 20.0)


def test_training_with_a_learned_state():
    task = tt.tasks.make("cue-set-go", dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=5, dynamics=GRU(reset="before"), initial=Learned())
    with jax.enable_x64(False):
        run = tt.train(task, circuit, BPTT(), num_updates=3, batch_size=4, test_trials=0, learning_rate=0.01)
    assert run.params(0)["initial_hidden"].all()
