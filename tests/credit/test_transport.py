"""Transport matrices: the diagonal, random ones that die out, and means over cell types."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import UNITS, random_params, small_circuit
from tests.oracles import relative
from throughtime.circuits import GRU, LSTM, Dale, Dense, Leaky, Sparse
from throughtime.circuits.gates import Joined
from throughtime.circuits.simulate import send_back
from throughtime.credit.transport import Diagonal, RandomTransport, spectral_radius
from throughtime.credit.type_means import TypeMeans


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def setting(**fields):
    circuit = dataclasses.replace(small_circuit("rate"), **fields)
    params = random_params(circuit)
    return circuit, params, circuit.weights(params)


@pytest.mark.parametrize("dynamics", [Leaky(), LSTM(), GRU()])
def test_a_diagonal_is_sent_back_like_its_matrix(dynamics):
    _, _, weights = setting(dynamics=dynamics)
    diagonal = Diagonal().matrix(weights, {})
    full = np.asarray(weights.recurrent) * np.eye(UNITS)
    gates = 1 if dynamics.num_drives == 1 else len(dynamics.recurrent_drives)
    credit = jnp.asarray(np.random.default_rng(0).normal(size=(3, gates * UNITS)))
    credit = credit if dynamics.num_drives == 1 else Joined(credit, ())
    expected = send_back(dynamics, jnp.asarray(full), credit)
    assert relative(send_back(dynamics, diagonal, credit), expected) < 1e-13
    assert relative(send_back(dynamics, weights.recurrent, credit), expected) > 0.1


def test_spectral_radius_is_that_of_the_eigenvalues():
    for seed in range(3):
        matrix = np.random.default_rng(seed).normal(size=(2, 5, 5))
        exact = np.abs(np.linalg.eigvals(matrix)).max(-1)
        np.testing.assert_allclose(spectral_radius(jnp.asarray(matrix)), exact, rtol=5e-3)
    assert float(spectral_radius(jnp.zeros((3, 3)))) == 0.0


def test_random_transport_has_the_spread_of_the_weights_and_dies_out_if_asked():
    circuit, params, weights = setting(num_units=60, dynamics=Leaky(form="rate"))
    free = RandomTransport().init(circuit, params, key=jax.random.key(0))["rule_transport"]
    assert float(free.std() / weights.recurrent.std()) == pytest.approx(1, rel=0.05)
    assert float(spectral_radius(free)) > 1
    calm = RandomTransport(0.9).init(circuit, params, key=jax.random.key(0))["rule_transport"]
    assert np.abs(np.linalg.eigvals(calm)).max() == pytest.approx(0.9, rel=5e-3)
    large = RandomTransport(50.0).init(circuit, params, key=jax.random.key(0))["rule_transport"]
    np.testing.assert_array_equal(large, free)
    with pytest.raises(ValueError, match="max_radius 0 is not a positive number"):
        RandomTransport(0)


@pytest.mark.parametrize("dynamics", [Leaky(), LSTM()])
@pytest.mark.parametrize("kind", ["local", "diffuse"])
def test_type_means_are_means_over_pairs_of_types(kind, dynamics):
    circuit, params, weights = setting(dynamics=dynamics, recurrent=Sparse(0.6, base=Dense(gain=1.2)))
    means = TypeMeans(kind)
    state = means.init(circuit, params, key=jax.random.key(0))
    types = np.asarray(state["rule_types"]).argmax(1)
    assert 0 < types.sum() < UNITS
    each = np.asarray(weights.recurrent).reshape(-1, UNITS, UNITS)
    outgoing = each.mean((0, 1))
    np.testing.assert_array_equal(types, outgoing < 0)
    exists = np.asarray(weights.existing) if kind == "local" else np.ones((UNITS, UNITS), bool)
    expected = np.zeros_like(each)
    for gate, k, j in np.ndindex(each.shape):
        same = exists & (types[:, None] == types[k]) & (types[None, :] == types[j])
        expected[gate, k, j] = exists[k, j] * (each[gate][same].mean() if same.any() else 0)
    found = np.asarray(means.matrix(weights, state)).reshape(each.shape)
    assert relative(found, expected) < 1e-12
    np.testing.assert_allclose(found.sum(), each.sum(), atol=1e-9)
    moved = weights._replace(recurrent=2 * weights.recurrent)
    assert relative(means.matrix(moved, state), 2 * means.matrix(weights, state)) < 1e-12


@pytest.mark.parametrize("kind", ["local", "diffuse", "exact"])
def test_every_neuron_its_own_type_is_the_weights(kind):
    _, _, weights = setting(recurrent=Sparse(0.6))
    found = TypeMeans(kind).matrix(weights, {"rule_types": jnp.eye(UNITS)})
    assert relative(found, weights.recurrent) < 1e-13


def test_cell_types_are_those_of_the_circuit():
    dale = {"dynamics": Leaky(activation="softplus"), "recurrent": Dale(excitatory=0.5)}
    circuit, params, _ = setting(**dale)
    by_cell, by_sign = (
        TypeMeans(types=types).init(circuit, params, key=jax.random.key(0))["rule_types"]
        for types in ("cell", "sign")
    )
    np.testing.assert_array_equal(by_cell.argmax(1), [0, 0, 0, 1, 1, 1])
    np.testing.assert_array_equal(by_cell, by_sign)
    circuit, params, _ = setting()
    with pytest.raises(ValueError, match="units of Dense have no cell types; use Dale"):
        TypeMeans(types="cell").init(circuit, params, key=jax.random.key(0))
    with pytest.raises(ValueError, match="kind 'global' is not known"):
        TypeMeans("global")
    with pytest.raises(ValueError, match="types 'size' is not known"):
        TypeMeans(types="size")
