"""Row 23: at fixed duration, inputs and loss, differences of gradients halve with dt."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from tests.oracles import norm
from throughtime.checking.rule_claims import halved_gradients
from throughtime.rules import BPTT, MDGL, RFLO, TBPTT, ModProp, SnAp


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def ratio(rule):
    first, second, third = halved_gradients(rule)
    assert norm(third["recurrent"]) > 1e-3
    return norm(jax.tree.map(jnp.subtract, first, second)) / norm(jax.tree.map(jnp.subtract, second, third))


@pytest.mark.parametrize(
    "rule",
    [
        BPTT(),
        RFLO(),
        SnAp(),
        MDGL(receiver_memory=True),
        ModProp(),
        TBPTT(window=60.0),
        TBPTT(window=20.0, kind="sliding"),
    ],
    ids=["bptt", "none", "diagonal", "one hop", "modprop", "blocks", "sliding"],
)
def test_differences_of_gradients_halve_with_dt(rule):
    assert 1.7 < ratio(rule) < 2.3
