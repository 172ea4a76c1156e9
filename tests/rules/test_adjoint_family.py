"""Rules that are a choice of feedback and transport, judged by finite differences of the surrogate."""

from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import random_params, random_trials
from tests.oracles import norm, relative
from tests.surrogate import filtered, recorded, surrogate_differences
from throughtime import rules
from throughtime.circuits import (
    GRU,
    LSTM,
    Adaptive,
    Circuit,
    Dense,
    Leaky,
    Learned,
    ShortTermPlasticity,
    Sparse,
)
from throughtime.cli import build
from throughtime.cli.errors import Refusal
from throughtime.credit.feedback import AdaptiveFeedback, RandomFeedback
from throughtime.credit.transport import Diagonal
from throughtime.frozen import FrozenArray
from throughtime.objectives import SquaredError, VanishingGradient
from throughtime.rules import BPTT, RFLO, EProp, FeedbackAlignment, RandomTransport, ReadoutOnly, RotatedBPTT

TAU = FrozenArray(np.linspace(25.0, 90.0, 4))
KEY = jax.random.key(7)


def circuit_of(dynamics, **fields):
    wiring = {"recurrent": Dense(gain=1.4), **fields}
    return Circuit(num_inputs=2, num_units=4, num_outputs=2, dt=20.0, dynamics=dynamics, **wiring)


RATE = circuit_of(Leaky(tau=TAU, form="rate", tau_range=(20.0, 200.0)))
CURRENT = circuit_of(Leaky(tau=TAU), initial=Learned())


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.fixture(scope="module")
def trials():
    with jax.enable_x64(True):
        each = random_trials(num_trials=3, num_steps=7)
        return each._replace(inputs=each.inputs[..., :2])


@partial(jax.jit, static_argnums=(0, 1))
def gradient(circuit, rule, params, state, trials, key=KEY):
    grads, _, info = rule.gradient(circuit, params, state, trials, SquaredError(), key=key)
    return grads, info["loss"]


records = jax.jit(recorded, static_argnums=(0, 3))


def setting(circuit, rule, trials):
    params = random_params(circuit)
    for name in params:
        if name.startswith("initial"):
            params[name] = jnp.asarray(np.random.default_rng(2).normal(size=4))
    return params, rule.init(circuit, params, key=jax.random.key(3))


CASES = [
    (RATE, RandomTransport(feedback="random")),
    (RATE, EProp(feedback="sign-concordant", kappa=0.6)),
    (CURRENT, RFLO()),
    (circuit_of(Adaptive(tau=TAU)), RandomTransport(feedback="random")),
    (circuit_of(ShortTermPlasticity(form="rate")), FeedbackAlignment()),
    (circuit_of(LSTM()), RandomTransport(feedback="random")),
    (circuit_of(GRU()), rules.AdjointRule("random", Diagonal())),
]


@pytest.mark.parametrize(
    ("circuit", "rule"), CASES, ids=lambda each: type(getattr(each, "dynamics", each)).__name__
)
def test_finite_differences_of_the_surrogate(circuit, rule, trials):
    params, state = setting(circuit, rule, trials)
    weights = circuit.weights(params)
    matrix = rule.transport.matrix(weights, state)
    if matrix is None:
        matrix = jnp.zeros_like(weights.recurrent)
    elif matrix.ndim < weights.recurrent.ndim:
        matrix = matrix[..., None] * jnp.eye(4)
    feedback = rule.pathway.matrix(weights, state)
    record = records(circuit, params, trials, SquaredError())
    record = filtered(record, rule.output_filter or 0.0)
    found, _ = gradient(circuit, rule, params, state, trials)
    wanted = partial(surrogate_differences, circuit, params, trials.inputs, record)
    exact = wanted(matrix, feedback)
    for name in params:
        assert norm(exact[name]) > 1e-4, f"{name}: the gradient must be alive to be compared"
        assert relative(found[name], exact[name]) < 1e-6, name
    assert relative(found["recurrent"], wanted(matrix + 0.3, feedback)["recurrent"]) > 1e-2
    assert relative(found["recurrent"], wanted(matrix, -feedback)["recurrent"]) > 1e-2
    if rule.output_filter:
        plain = surrogate_differences(circuit, params, trials.inputs, filtered(record, 0.0), matrix, feedback)
        assert relative(found["recurrent"], plain["recurrent"]) > 1e-2
        assert relative(found["readout"], plain["readout"]) < 1e-6


def test_true_matrices_turn_the_controls_into_bptt(trials):
    exact, _ = gradient(RATE, BPTT(), random_params(RATE), {}, trials)
    params, state = setting(RATE, FeedbackAlignment(), trials)
    weights = RATE.weights(params)
    for rule, true in (
        (FeedbackAlignment(), {"rule_feedback": weights.readout.T}),
        (RandomTransport(), {"rule_transport": weights.recurrent}),
    ):
        state = rule.init(RATE, params, key=jax.random.key(3))
        assert state.keys() == true.keys()
        assert relative(gradient(RATE, rule, params, true, trials)[0], exact) < 1e-12
        drawn, _ = gradient(RATE, rule, params, state, trials)
        assert relative(drawn["recurrent"], exact["recurrent"]) > 0.1
        assert relative(drawn["readout"], exact["readout"]) < 1e-13


def test_local_rules_are_one_rule_where_they_should_be(trials):
    params, state = setting(RATE, RFLO("symmetric"), trials)
    symmetric, _ = gradient(RATE, RFLO("symmetric"), params, state, trials)
    assert relative(gradient(RATE, EProp(kappa=0.0), params, state, trials)[0], symmetric) < 1e-13
    filtered_too, _ = gradient(RATE, EProp(kappa=0.5), params, state, trials)
    assert relative(filtered_too["recurrent"], symmetric["recurrent"]) > 1e-2
    segmented, _ = gradient(RATE, EProp(kappa=0.5, segment=4), params, state, trials)
    assert relative(segmented, filtered_too) < 1e-12
    random, _ = gradient(RATE, RFLO(), params, RFLO().init(RATE, params, key=KEY), trials)
    assert relative(random["recurrent"], symmetric["recurrent"]) > 1e-2


def test_kappa_of_the_readout_is_no_approximation(trials):
    """A filter on the way gives the neurons what the leak of a readout gives them; the readout differs."""
    tau = -20.0 / np.log(0.6)
    leaky = circuit_of(Leaky(tau=TAU, form="rate"), readout_tau=float(tau))
    params = random_params(leaky)
    record = filtered(records(leaky, params, trials, SquaredError()), 0.6)
    feedback = leaky.weights(params).readout.T
    found, _ = gradient(leaky, EProp(), params, {}, trials)
    zero = jnp.zeros((4, 4))
    wanted = surrogate_differences(
        leaky, params, trials.inputs, {**record, "errors": record["reaching"]}, zero, feedback
    )
    assert relative(found, wanted) < 1e-6
    with pytest.raises(ValueError, match=r"beside the leak of the readout, 0\.6 a step"):
        EProp(kappa=0.6).gradient(leaky, params, {}, trials, SquaredError(), key=KEY)
    with pytest.raises(ValueError, match=r"kappa 1\.0 is not a number >= 0 and < 1"):
        EProp(kappa=1.0)


def test_readout_only_is_the_readout_of_bptt_and_nothing_else(trials):
    sparse = circuit_of(Leaky(tau=TAU), initial=Learned(), readout_mask=FrozenArray([[1, 1, 0, 1]] * 2))
    params, _ = setting(sparse, ReadoutOnly(), trials)
    exact, loss = gradient(sparse, BPTT(), params, {}, trials)
    found, same = gradient(sparse, ReadoutOnly(), params, {}, trials)
    assert float(loss) == pytest.approx(float(same), rel=1e-13)
    trained = ReadoutOnly().traits.trained
    for name in params:
        if name in trained:
            assert norm(exact[name]) > 1e-3
            assert relative(found[name], exact[name]) < 1e-13
        else:
            assert norm(found[name]) == 0.0
            assert norm(exact[name]) > 1e-3
    with pytest.raises(ValueError, match="which this rule does not train"):
        ReadoutOnly().gradient(RATE, params, {}, trials, SquaredError() + VanishingGradient(1.0), key=KEY)


def test_rotated_gradients_have_the_length_and_the_angle_asked_for(trials):
    circuit = circuit_of(Leaky(tau=TAU), recurrent=Sparse(0.5))
    params = random_params(circuit)
    exact, _ = gradient(circuit, BPTT(), params, {}, trials)
    rule = RotatedBPTT(cosine=0.3)
    turned, _ = gradient(circuit, rule, params, {}, trials)
    other, _ = gradient(circuit, rule, params, {}, trials, jax.random.key(8))
    for name in params:
        one, two, g = (np.ravel(each[name]) for each in (turned, other, exact))
        assert norm(one) == pytest.approx(norm(g), rel=1e-9)
        assert one @ g == pytest.approx(0.3 * norm(g) ** 2, rel=1e-9)
        np.testing.assert_array_equal(one[g == 0], 0.0)
        assert name == "readout_bias" or norm(one - two) > 0.1 * norm(g), "two numbers leave two directions"
    assert (np.asarray(exact["recurrent"]) == 0).any(), "some synapses do not exist"
    whole = rules.rotated_bptt.rotate(exact["recurrent"], 1.0, KEY)
    assert relative(whole, exact["recurrent"]) < 1e-12
    with pytest.raises(ValueError, match=r"cosine 1\.5 is not a number from -1 to 1"):
        RotatedBPTT(cosine=1.5)


def test_a_block_of_one_number_cannot_be_turned():
    one = rules.rotated_bptt.rotate(jnp.array([0.0, 2.0]), 0.3, KEY)
    np.testing.assert_array_equal(one, [0.0, 2.0])
    np.testing.assert_array_equal(rules.rotated_bptt.rotate(jnp.zeros(3), 0.3, KEY), np.zeros(3))


OTHERS = ("others' weights", "others' states")


@pytest.mark.parametrize(
    ("name", "options", "signals", "online"),
    [
        ("bptt", {}, ("W_out", *OTHERS, "future errors"), False),
        ("tbptt", {}, ("W_out", *OTHERS, "future errors"), True),
        ("rflo", {}, ("error",), True),
        ("rflo", {"feedback": "sign-concordant"}, ("W_out",), True),
        ("eprop", {}, ("W_out",), True),
        ("eprop", {"feedback": "adaptive"}, ("error",), True),
        ("mdgl", {}, ("error", "type modulators"), True),
        ("mdgl", {"kind": "exact"}, ("error", *OTHERS), True),
        ("modprop", {"feedback": "symmetric"}, ("W_out", "type modulators", "future errors"), False),
        ("modprop", {"receiver_memory": False}, ("error", "type modulators"), True),
        ("feedback-alignment", {}, ("error", *OTHERS, "future errors"), False),
        ("random-transport", {}, ("W_out", "others' states", "future errors"), False),
        ("readout-only", {}, ("output error",), True),
        ("rotated-bptt", {}, ("W_out", *OTHERS, "future errors"), False),
    ],
)
def test_what_a_synapse_must_sense(name, options, signals, online):
    traits = rules.make(name, **options).traits
    assert traits.signals == signals
    assert traits.online is online
    assert traits.exact is (name == "bptt")
    assert traits.stochastic is (name == "rotated-bptt")


@pytest.mark.parametrize(
    "name", ["rflo", "eprop", "mdgl", "modprop", "feedback-alignment", "random-transport"]
)
def test_what_needs_exact_credit_is_refused(name, trials):
    rule = rules.make(name, feedback="symmetric") if name == "mdgl" else rules.make(name)
    two_stage = circuit_of(GRU(reset="before"))
    params = random_params(two_stage)
    state = rule.init(two_stage, params, key=KEY)
    with pytest.raises(ValueError, match="without exact transport its reset gate learns nothing"):
        rule.gradient(two_stage, params, state, trials, SquaredError(), key=KEY)
    params, state = setting(RATE, rule, trials)
    with pytest.raises(ValueError, match="needs the exact credit of every state"):
        rule.gradient(RATE, params, state, trials, SquaredError() + VanishingGradient(1.0), key=KEY)


def test_exact_weights_over_one_hop_are_not_exact():
    assert not rules.MDGL("symmetric", kind="exact").transport.exact


def test_feedback_on_the_command_line():
    assert build.rule("rflo", {"feedback": "symmetric"}) == RFLO("symmetric")
    assert build.rule("eprop", {"feedback": "sign-concordant", "kappa": "0.5"}).kappa == 0.5
    assert build.rule("eprop", {"feedback": "AdaptiveFeedback(0.01)"}).feedback == AdaptiveFeedback(0.01)
    assert build.rule("rflo", {"feedback": "RandomFeedback(scale=2)"}).feedback == RandomFeedback(2)
    with pytest.raises(ValueError, match="unknown feedback 'symetric'; did you mean 'symmetric'"):
        build.rule("rflo", {"feedback": "symetric"})
    with pytest.raises(Refusal, match=r"did you mean --rule\.feedback"):
        build.rule("rflo", {"feedbak": "random"})


def test_records_name_rules_as_the_registry_does():
    from throughtime.results.provenance import member_name

    for name in rules.names():
        assert member_name(rules.make(name)) == name
