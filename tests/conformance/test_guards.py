"""Guards of rows 10 and 17: relayed credit that forgets, and KeRNL's two sums in the wrong order."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.credit import test_relay as relay
from tests.factories import UNITS, random_params
from tests.oracles import finite_differences, relative
from tests.rules.test_learned_predictors import miss, steps_of_noise


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


@pytest.mark.parametrize("linear", [True, False])
def test_relayed_credit_of_curved_units_or_without_memory_is_not_bptt(linear):
    circuit = relay.circuit_of(relay.Linear(tau=relay.TAU, form="rate")) if linear else relay.RATE
    params, trials = random_params(circuit), relay.trials_of()
    weights = circuit.weights(params)
    gains = relay.gains_of(circuit, params, relay.LINEAR_SLOPE)
    exact = relay.adjoint(circuit, params, trials, weights.recurrent, weights.readout.T)
    given = params, trials, weights.recurrent, gains, weights.readout.T
    found = relay.relayed(circuit, not linear, None, *given)
    assert relative(found["recurrent"], exact["recurrent"]) > 1e-2


def test_kernl_with_its_two_sums_in_the_wrong_order_descends_nothing():
    rng = np.random.default_rng(0)
    kernel = jnp.asarray(np.eye(UNITS) + 0.3 * rng.normal(size=(UNITS, UNITS)))
    fading = jnp.asarray(rng.uniform(0.1, 0.9, UNITS))
    noise, distance = map(jnp.asarray, steps_of_noise(rng))
    wanted = finite_differences(lambda at: miss(kernel, at, noise, distance), fading)

    def by_fading(order):
        omega, gamma = jnp.zeros(UNITS), jnp.zeros(UNITS)
        for now in noise:
            if order == "gamma first":
                gamma = (1 - fading) * gamma - omega
                omega = (1 - fading) * omega + now
            else:
                omega = (1 - fading) * omega + now
                gamma = (1 - fading) * gamma - omega
        return (kernel.T @ (kernel @ omega - distance[-1])) * gamma

    assert relative(by_fading("gamma first"), wanted) < 1e-6
    assert relative(by_fading("omega first"), wanted) > 0.1
