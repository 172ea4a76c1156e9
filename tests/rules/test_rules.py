"""Every registered rule meets the contract of a rule."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.factories import random_params, random_trials, small_circuit
from tests.oracles import norm, relative
from throughtime import rules
from throughtime.objectives import SquaredError
from throughtime.rules import AdjointRule, Rule, Traits


@pytest.fixture(params=rules.names())
def rule(request):
    return rules.make(request.param)


def setting(rule, form="current"):
    circuit, count = small_circuit(form, noise=0.1), rule.traits.batch_size
    return circuit, random_params(circuit), jax.tree.map(
        lambda leaf: leaf[:count].astype(jnp.float32) if leaf.dtype != bool else leaf[:count],
        random_trials(num_steps=14),
    )  # fmt: skip


def state_after_trials(rule, circuit, params, trials):
    """State of the rule once what it waits for (a mean of the loss, its first trials) has been seen."""
    state = rule.init(circuit, params, key=jax.random.key(1))
    for update in range(40):
        grads, info = tt.gradient(circuit, params, trials, rule, key=jax.random.key(update), state=state)
        if norm(grads) > 0:
            break
        state = info["state"]
    return state


def test_gradient_is_pure_live_and_shaped_like_the_parameters(rule):
    circuit, params, trials = setting(rule)
    key = jax.random.key(0)
    state = state_after_trials(rule, circuit, params, trials)
    first = tt.gradient(circuit, params, trials, rule, key=key, state=state)
    again = tt.gradient(circuit, params, trials, rule, key=key, state=state)
    assert jax.tree.map(jnp.shape, first[0]) == jax.tree.map(jnp.shape, params)
    for one, other in zip(jax.tree.leaves(first), jax.tree.leaves(again), strict=True):
        np.testing.assert_array_equal(one, other)
    least = 1e-5 if rule.traits.displacement else 1e-3  # a displacement has the rule's step size in it
    assert norm(first[0]) > least
    assert np.isfinite(float(first[1]["loss"]))
    other = tt.gradient(circuit, params, trials, rule, key=jax.random.key(9), state=state)
    assert relative(other[0], first[0]) > 1e-6, "another key draws other circuit noise"


def test_traits_are_declared(rule):
    traits = rule.traits
    assert isinstance(traits, Traits)
    assert traits.time
    assert traits.memory
    assert dataclasses.is_dataclass(rule)
    assert hash(rule) == hash(dataclasses.replace(rule))
    assert type(rule).__doc__
    assert "Source:" in type(rule).__doc__


def test_exact_rules_agree_with_autodiff_and_others_do_not(rule):
    circuit, params, trials = setting(rule)
    quiet = dataclasses.replace(circuit, noise_sd=0.0)
    grads, _ = tt.gradient(quiet, params, trials, rule, key=jax.random.key(0))

    def loss(params):
        paths = jax.vmap(lambda trial: quiet.run(params, trial.inputs, valid=trial.valid).outputs)(trials)
        return jnp.mean(jax.vmap(SquaredError())(paths, trials))

    distance = relative(grads, jax.jit(jax.grad(loss))(params))
    assert distance < 1e-5 if rule.traits.exact else distance > 0.01


def test_no_recompilation_for_a_second_batch(rule):
    from throughtime.api import _gradient

    circuit, params, trials = setting(rule)
    tt.gradient(circuit, params, trials, rule, key=jax.random.key(0))
    before = _gradient._cache_size()
    tt.gradient(circuit, params, trials, dataclasses.replace(rule), key=jax.random.key(5))
    assert _gradient._cache_size() == before


def test_registry():
    assert "bptt" in rules.names()
    with pytest.raises(ValueError, match="unknown rule 'bpttt'; did you mean 'bptt'"):
        rules.make("bpttt")
    with pytest.raises(ValueError, match="has no option 'speed'; it has segment"):
        rules.make("bptt", speed=3)


def test_a_rule_that_defines_nothing_says_what_is_missing():
    with pytest.raises(TypeError, match="Rule must define traits"):
        _ = Rule().traits
    with pytest.raises(TypeError, match="AdjointRule must define traits"):
        _ = AdjointRule().traits
    with pytest.raises(TypeError, match=r"Rule must define gradient"):
        Rule().gradient(None, None, None, None, None, key=None)
