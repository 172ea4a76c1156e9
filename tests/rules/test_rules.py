"""Every registered rule declares what it is and compiles once; ``tests/conformance`` has what it must do."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import pytest

import throughtime as tt
from tests.factories import random_params, random_trials, small_circuit
from tests.oracles import relative
from throughtime import rules
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


def test_traits_are_declared(rule):
    traits = rule.traits
    assert isinstance(traits, Traits)
    assert traits.time
    assert traits.memory
    assert dataclasses.is_dataclass(rule)
    assert hash(rule) == hash(dataclasses.replace(rule))
    assert type(rule).__doc__
    assert "Source:" in type(rule).__doc__


def test_no_recompilation_for_a_second_batch(rule):
    from throughtime.api import _gradient

    circuit, params, trials = setting(rule)
    state = rule.init(circuit, params, key=jax.random.key(1))
    first, info = tt.gradient(circuit, params, trials, rule, key=jax.random.key(0), state=state)
    before = _gradient._cache_size()
    equal = dataclasses.replace(rule)
    _, other = tt.gradient(circuit, params, trials, equal, key=jax.random.key(5), state=state)
    assert _gradient._cache_size() == before
    assert first.keys() == params.keys()
    assert relative(other["losses"], info["losses"]) > 1e-6, "another key draws other circuit noise"


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
