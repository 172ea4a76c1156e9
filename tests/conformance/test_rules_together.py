"""Rows that compare rules with each other and with the exact gradient: 4, 5, 6, 10, 11, 19, 20, 24."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.conformance import measured
from tests.conformance.measured import CIRCUIT, UNITS, compiled, gradient, params, state_of, symmetric, trials
from tests.oracles import norm, relative
from tests.surrogate import filtered, recorded, surrogate_differences
from throughtime.checking import settings
from throughtime.credit.feedback import Symmetric
from throughtime.rules import BPTT, MDGL, RFLO, RTRL, EProp, ModProp, SnAp

RULES = measured.deterministic()
TRAINING = {name: rule for name, rule in RULES.items() if rule.traits.trained == "everything"}
SHORT = 4


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def apart(one, other):
    """Relative distance of two gradients, over all parameters."""
    return norm(jax.tree.map(np.subtract, one, other)) / norm(other)


@pytest.mark.parametrize("name", TRAINING)
def test_one_step_with_symmetric_feedback_is_exact(name):
    found, exact = gradient(symmetric(TRAINING[name]), 1), gradient(BPTT(), 1)
    assert norm(exact["recurrent"]) > 1e-3 or norm(exact["input"]) > 1e-3
    assert relative(found, exact) < 1e-9


def test_two_steps_are_not_unless_one_hop_has_exact_weights():
    for rule in TRAINING.values():
        if rule.traits.exact or "others' weights" in symmetric(rule).traits.signals:
            continue
        assert apart(gradient(symmetric(rule), 2), gradient(BPTT(), 2)) > 1e-3, rule
    hop = MDGL("symmetric", kind="exact")
    assert relative(gradient(hop, 2), gradient(BPTT(), 2)) < 1e-9
    assert apart(gradient(hop, 3), gradient(BPTT(), 3)) > 1e-4


@functools.cache
def happened():
    """What the circuit did in trials of full length."""
    return jax.jit(recorded, static_argnums=(0, 3))(CIRCUIT, params(), trials(), settings.OBJECTIVE)


LINEAR = {
    name: rule
    for name, rule in {
        **RULES,
        "eprop, random": EProp("random", kappa=0.5),
        "eprop, adaptive": EProp("adaptive"),
    }.items()
    if hasattr(rule, "transport") and measured.linear(rule)
}


@pytest.mark.parametrize("name", LINEAR)
def test_rules_of_a_linear_transport_are_the_differences_of_the_surrogate(name):
    rule = LINEAR[name]
    state, weights = state_of(rule), CIRCUIT.weights(params())
    matrix = rule.transport_matrix(weights, state)
    matrix = jnp.zeros((UNITS, UNITS)) if matrix is None else matrix
    matrix = jnp.diag(matrix) if matrix.ndim == 1 else matrix
    record = filtered(happened(), getattr(rule, "output_filter", None) or 0.0)
    given = CIRCUIT, params(), trials().inputs, record
    wanted = surrogate_differences(*given, matrix, rule.feedback_matrix(weights, state))
    assert norm(wanted["recurrent"]) > 1e-3
    assert relative(gradient(rule), wanted) < 1e-6
    other = surrogate_differences(*given, matrix + 0.3, rule.feedback_matrix(weights, state))
    assert apart(gradient(rule), other) > 1e-2


def test_linear_rules_are_those_that_say_so():
    assert {"bptt", "rtrl", "rflo", "eprop", "snap", "random-transport", "feedback-alignment"} <= set(LINEAR)
    assert not {"mdgl", "modprop", "tbptt", "readout-only"} & set(LINEAR)


def relays(receiver_memory):
    """One hop, and ModProp without and with a slope in between."""
    hop = MDGL("symmetric", kind="exact", receiver_memory=receiver_memory)
    return hop, *(
        ModProp("symmetric", mu=mu, kind="exact", receiver_memory=receiver_memory) for mu in (0.0, 0.5)
    )


@pytest.mark.parametrize("receiver_memory", [True, False])
def test_credit_relayed_without_a_slope_makes_one_hop(receiver_memory):
    hop, flat, _ = relays(receiver_memory)
    assert norm(gradient(hop)["recurrent"]) > 1e-3
    assert relative(gradient(flat), gradient(hop)) < 1e-9


def test_credit_relayed_with_a_slope_makes_more_than_one_hop():
    hop, _, steep = relays(True)
    assert apart(gradient(steep), gradient(hop)) > 1e-3


def test_drawn_matrices_are_not_the_true_ones():
    for name, rule in TRAINING.items():
        if {"rule_feedback", "rule_transport"} & set(state_of(rule)):
            assert apart(gradient(rule), gradient(BPTT())) > 0.1, name


def shortened(rule):
    """The rule with a window of three steps, where it has one."""
    return dataclasses.replace(rule, window=3 * CIRCUIT.dt) if hasattr(rule, "window") else rule


@pytest.mark.parametrize("name", [name for name, rule in RULES.items() if not rule.traits.exact])
def test_a_rule_that_is_not_exact_differs_from_bptt(name):
    rule = RULES[name]
    assert apart(gradient(shortened(rule)), gradient(BPTT())) > 0.01


def ways(rule):
    """Feedback and transport, where a rule is a choice of them."""
    return rule.pathway, rule.transport


def test_rules_of_other_ways_differ_from_each_other():
    approximate = [shortened(rule) for rule in TRAINING.values() if not rule.traits.exact]
    for one, other in itertools.combinations(approximate, 2):
        if ways(one) != ways(other):
            assert apart(gradient(one), gradient(other)) > 0.01, (one, other)


def test_at_one_step_with_symmetric_feedback_nothing_differs():
    for rule in TRAINING.values():
        assert apart(gradient(symmetric(rule), 1), gradient(BPTT(), 1)) < 0.01


def test_what_stands_in_steps_that_are_valid_is_felt():
    whole = trials(SHORT)
    garbage = whole._replace(inputs=jnp.where(whole.valid[..., None], whole.inputs, 7.0))
    awake = garbage._replace(valid=trials().valid, mask=trials().mask)
    for rule in RULES.values():
        run = compiled(rule)
        kept = run(params(), state_of(rule), garbage)
        assert relative(kept, gradient(rule, SHORT)) < 1e-9
        felt = run(params(), state_of(rule), awake)
        assert apart(jax.tree.map(np.asarray, felt), gradient(rule, SHORT)) > 1e-3


def test_steps_without_loss_give_no_error_and_carry_credit():
    """Credit that crosses steps of zero mask: with none of them the gradient of W would be another."""
    whole = trials()
    late = whole._replace(mask=whole.mask.at[:, :-1].set(0.0))
    found = compiled(BPTT())(params(), {}, late)
    last_alone = late._replace(valid=late.valid.at[:, :-1].set(False))
    assert norm(found["recurrent"]) > 1e-3
    assert apart(found, compiled(BPTT())(params(), {}, last_alone)) > 0.01


def permuted(tree, order):
    """Every axis of the length of the number of units in a new order."""

    def one(leaf):
        for axis, size in enumerate(leaf.shape):
            leaf = jnp.take(leaf, order, axis=axis) if size == UNITS else leaf
        return leaf

    return jax.tree.map(one, tree)


ORDER = np.array([3, 0, 4, 1, 2])


@pytest.mark.parametrize("name", RULES)
def test_relabelled_neurons_relabel_the_gradient(name):
    rule = RULES[name]
    state = state_of(rule)
    found = compiled(rule)(permuted(params(), ORDER), permuted(state, ORDER), trials())
    assert relative(found, permuted(gradient(rule), ORDER)) < 1e-9


def test_a_matrix_that_keeps_its_place_does_not_relabel():
    for rule in TRAINING.values():
        state = state_of(rule)
        if state:
            found = compiled(rule)(permuted(params(), ORDER), state, trials())
            assert apart(found, permuted(gradient(rule), ORDER)) > 1e-2


@pytest.mark.parametrize("name", RULES)
def test_no_error_and_no_penalty_give_nothing(name):
    rule, whole = RULES[name], trials()
    reached = jax.vmap(lambda trial: CIRCUIT.run(params(), trial.inputs, valid=trial.valid).outputs)(whole)
    found = compiled(rule)(params(), state_of(rule), whole._replace(targets=reached))
    assert norm(found) < 1e-12 * norm(gradient(rule))


def test_a_diagonal_reaches_all_where_there_is_nothing_else():
    alone = {**params(), "recurrent": jnp.diag(jnp.diag(params()["recurrent"]))}
    none = {**params(), "recurrent": params()["recurrent"] * (1 - jnp.eye(UNITS))}
    run = {
        kind: compiled(rule)
        for kind, rule in (("snap", SnAp()), ("rtrl", RTRL()), ("rflo", RFLO("symmetric")))
    }
    assert relative(run["snap"](alone, {}, trials()), run["rtrl"](alone, {}, trials())) < 1e-9
    assert relative(run["rflo"](none, {}, trials()), run["snap"](none, {}, trials())) < 1e-9


def test_a_weight_off_the_diagonal_or_on_it_is_felt():
    snap, rtrl, rflo = (gradient(rule) for rule in (SnAp(), RTRL(), RFLO(Symmetric())))
    assert apart(snap, rtrl) > 1e-3
    assert apart(rflo, snap) > 1e-4
