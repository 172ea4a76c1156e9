"""Feedback pathways: what they draw, and how the adaptive one comes to follow the readout."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.factories import OUTPUTS, UNITS, random_params, small_circuit
from tests.oracles import norm
from throughtime.credit import feedback
from throughtime.credit.feedback import AdaptiveFeedback, RandomFeedback, SignConcordant, Symmetric
from throughtime.frozen import FrozenArray
from throughtime.rules import EProp
from throughtime.training import update
from throughtime.training.plan import Plan


def drawn(pathway, circuit, params, seed=0):
    return pathway.init(circuit, params, key=jax.random.key(seed))


def test_names():
    assert feedback.resolve("symmetric") == Symmetric()
    assert feedback.resolve("random") == RandomFeedback()
    assert feedback.resolve(AdaptiveFeedback(0.2)) == AdaptiveFeedback(0.2)
    assert EProp(feedback="random") == EProp(feedback=RandomFeedback())
    with pytest.raises(ValueError, match="unknown feedback 'randon'; did you mean 'random'"):
        EProp(feedback="randon")
    exact = [name for name, kind in feedback.FEEDBACKS.items() if kind.exact]
    assert exact == ["symmetric"]


def test_random_feedback_has_the_variance_it_declares():
    circuit = dataclasses.replace(small_circuit("rate"), num_outputs=400)
    params = random_params(circuit)
    plain, halved = (drawn(RandomFeedback(scale), circuit, params) for scale in (1.0, 0.5))
    assert plain["rule_feedback"].shape == (UNITS, 400)
    assert float(plain["rule_feedback"].std()) == pytest.approx(1 / 20, rel=0.05)
    np.testing.assert_allclose(halved["rule_feedback"], plain["rule_feedback"] / 2)
    other = drawn(RandomFeedback(), circuit, params, seed=1)
    assert norm(plain["rule_feedback"] - other["rule_feedback"]) > 0.1
    with pytest.raises(ValueError, match=r"scale 0.0 is not a positive number"):
        RandomFeedback(0.0)


def test_sign_concordant_has_the_signs_of_the_readout_and_sizes_of_its_own():
    mask = np.ones((OUTPUTS, UNITS), bool)
    mask[0, 2] = False
    circuit = small_circuit("rate", readout_mask=FrozenArray(mask))
    params = random_params(circuit)
    state = drawn(SignConcordant(), circuit, params)
    weights = circuit.weights(params)
    matrix = SignConcordant().matrix(weights, state)
    np.testing.assert_array_equal(np.sign(matrix), np.sign(weights.readout.T))
    expected = np.abs(state["rule_feedback"]) * mask.T
    np.testing.assert_array_equal(np.abs(matrix), expected)
    assert (np.sign(matrix) != np.sign(state["rule_feedback"])).any(), "B has signs of its own"


@pytest.mark.parametrize("fields", [{}, {"non_negative": ("readout",)}, {"fixed": ("readout",)}])
def test_adaptive_feedback_contracts_exactly_whatever_moves_the_readout(fields):
    with jax.enable_x64(True):
        circuit = small_circuit("rate", **fields)
        pathway, params = AdaptiveFeedback(decay=0.1), random_params(circuit)
        state = drawn(pathway, circuit, params)
        rng = np.random.default_rng(0)
        start = state["rule_feedback"] - circuit.weights(params).readout.T
        assert norm(start) > 0.1
        moving = "readout" not in circuit.untrained
        for _ in range(5):
            move = moving * rng.normal(size=params["readout"].shape)
            after = {**params, "readout": params["readout"] + move}
            kept, state = pathway.after_update(circuit, params, after, state)
            np.testing.assert_allclose(kept["readout"], after["readout"] - moving * 0.1 * params["readout"])
            np.testing.assert_array_equal(kept["recurrent"], params["recurrent"])
            params = kept
        now = state["rule_feedback"] - circuit.weights(params).readout.T
        np.testing.assert_allclose(now, 0.9**5 * start, rtol=0, atol=1e-12)


def test_adaptive_feedback_contracts_in_training_with_adam():
    task = tt.tasks.make("cue-set-go", dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=4)
    rule = EProp(feedback=AdaptiveFeedback(decay=0.25))
    plan = Plan(task, circuit, rule, tt.objectives.SquaredError(), "adam", None, 2, 1)
    (state,) = (jax.tree.map(lambda leaf: leaf[0], update.start(plan, [0], [0], [0])),)
    step = jax.jit(update.one_update, static_argnums=0)
    distance = [state.rule["rule_feedback"] - circuit.weights(state.params).readout.T]
    readouts = [state.params["readout"]]
    for number in range(3):
        state, _ = step(plan, state, jnp.int32(number), jnp.float32(0.05))
        distance.append(state.rule["rule_feedback"] - circuit.weights(state.params).readout.T)
        readouts.append(state.params["readout"])
    for number, each in enumerate(distance):
        np.testing.assert_allclose(each, 0.75**number * distance[0], atol=1e-6)
    assert norm(readouts[1] - 0.75 * readouts[0]) > 0.01, "the readout also learns"


def test_adaptive_feedback_refuses_no_decay():
    for decay in (0.0, 1.0, float("nan")):
        with pytest.raises(ValueError, match="is not a number between 0 and 1"):
            AdaptiveFeedback(decay)
