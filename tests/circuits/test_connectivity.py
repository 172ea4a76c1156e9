"""Connectivities: constraints hold exactly, gradients are pulled back, weights have an inverse."""

from __future__ import annotations

import json

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.circuits.connectivity_cases import CASES, MASK, PLASTIC, REGIONS, RNG, N, draw
from tests.factories import random_trials
from tests.oracles import finite_differences, norm, relative
from throughtime import circuits, config
from throughtime.circuits import Circuit, Dale, Dense, Leaky, LowRank, Sparse
from throughtime.circuits.connectivity.initialisers import DISTRIBUTIONS

ALL = pytest.mark.parametrize("name", CASES)


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def moved(connectivity, params, seed=0, amount=0.3):
    """Parameters after a random step of everything that may learn, of every other parameter nothing."""
    rng = np.random.default_rng(seed)
    return {
        name: value
        if name in connectivity.fixed_params
        else value - amount * jnp.asarray(rng.normal(size=value.shape), value.dtype)
        for name, value in params.items()
    }


def test_every_registered_connectivity_has_a_case():
    assert {type(connectivity) for connectivity, _ in CASES.values()} == set(circuits.CONNECTIVITY.values())
    assert {c.distribution for c, _ in CASES.values() if isinstance(c, Dense)} == set(DISTRIBUTIONS)


@ALL
def test_constraints_hold_exactly_before_and_after_a_step(name):
    connectivity, law = CASES[name]
    for gates in (1, 3):
        params = draw(connectivity, gates)
        assert {value.dtype for value in params.values()} == {np.dtype("float32")}
        for now in (params, moved(connectivity, params)):
            weights = np.asarray(connectivity.weights(now))
            assert weights.shape == ((N, N) if gates == 1 else (3, N, N))
            law(weights)
            assert not weights[..., ~np.asarray(connectivity.existing(N))].any()
    assert len(np.unique(np.abs(weights), axis=0)) == 3, "gates are independent"


@ALL
@pytest.mark.usefixtures("float64")
def test_pull_back_against_finite_differences(name):
    connectivity, _ = CASES[name]
    rng = np.random.default_rng(1)
    params = {key: jnp.asarray(rng.normal(size=value.shape)) for key, value in draw(connectivity).items()}
    arriving = jnp.asarray(rng.normal(size=(N, N)))

    def loss(params):
        return jnp.sum(arriving * connectivity.weights(params))

    weights, pull = jax.vjp(connectivity.weights, params)
    grads = pull(arriving)[0]
    assert weights.dtype == jnp.float64
    wanted = finite_differences(loss, params)
    for key in params:
        assert norm(wanted[key]) > 1e-3, key
        assert relative(grads[key], wanted[key]) < 1e-7, key
        if params[key].shape == (N, N) and not isinstance(connectivity, LowRank):
            assert not np.asarray(grads[key])[~np.asarray(connectivity.existing(N))].any()


@ALL
def test_free_is_the_inverse_of_weights(name):
    connectivity, _ = CASES[name]
    for gates in (1, 3):
        params = moved(connectivity, draw(connectivity, gates))
        weights = np.asarray(connectivity.weights(params))
        free = connectivity.free(weights)
        assert {key: value.shape for key, value in free.items()} == {k: v.shape for k, v in params.items()}
        np.testing.assert_allclose(connectivity.weights(free), weights, rtol=1e-5, atol=1e-6)


@ALL
def test_configurations_survive_json_and_share_compilations(name):
    connectivity, _ = CASES[name]
    again = config.decode(json.loads(config.canonical(connectivity)))
    assert again == connectivity
    assert hash(again) == hash(connectivity)
    assert config.sha256(again) == config.sha256(connectivity)
    for key, value in draw(again).items():
        np.testing.assert_array_equal(value, draw(connectivity)[key])


@ALL
def test_declarations_fit_each_other(name):
    connectivity, _ = CASES[name]
    connectivity.check(N, Leaky(activation="softplus"))
    assert set(connectivity.fixed_params) <= set(draw(connectivity))
    types, regions = (np.asarray(each(N)) for each in (connectivity.cell_types, connectivity.regions))
    assert types.shape == regions.shape == (N,)
    assert types.max() < max(1, len(connectivity.cell_type_names))
    assert regions.max() < max(1, len(connectivity.region_names))
    assert connectivity.cell_type_names == (("excitatory", "inhibitory") if "dale" in name else ())
    assert connectivity.region_names == (("a", "b") if "regions" in name else ())
    assert ("plastic" in name or name in ("low-rank-base", "low-rank-sparse")) == (
        connectivity.fixed_params == ("recurrent_fixed",)
    )


@pytest.mark.parametrize("name", ["sparse-plastic", "dale-plastic", "dale-regions", "low-rank-base"])
def test_inside_a_compiled_gradient_of_a_circuit(name):
    circuit = Circuit(3, N, 2, dynamics=Leaky(activation="softplus"), recurrent=CASES[name][0])
    params = jax.jit(lambda key: circuit.init(key=key))(jax.random.key(0))
    for key, value in circuit.init(key=jax.random.key(0)).items():
        np.testing.assert_allclose(params[key], value, rtol=1e-5, atol=1e-7)
    trials = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float32) if leaf.dtype != bool else leaf, random_trials()
    )
    grads, _ = tt.gradient(circuit, params, trials, tt.rules.make("bptt"), key=jax.random.key(1))
    for key in circuit.recurrent.init(N, 1, key=jax.random.key(0)):
        assert norm(grads[key]) > 1e-4, key
    assert circuit.untrained == ("recurrent_fixed",) * ("plastic" in name or "base" in name)


def test_fixed_synapses():
    sparse = Sparse(mask=MASK, plastic=PLASTIC)
    params = draw(sparse)
    before, after = (np.asarray(sparse.weights(p)) for p in (params, moved(sparse, params)))
    still = MASK & ~PLASTIC
    assert before[still].all()
    np.testing.assert_array_equal(before[still], after[still])
    assert (before != after)[MASK & PLASTIC].all()
    np.testing.assert_allclose(
        before, np.asarray(Sparse(mask=MASK).weights(draw(Sparse(mask=MASK)))), rtol=1e-6
    )
    learns = Sparse(density=0.5, plastic_units=0.6).learns(20)
    assert sorted(learns.sum(1).tolist()) == [0] * 8 + [20] * 12
    assert Sparse(plastic_units=0.0).learns(5).sum() == 0


def test_low_rank_overlap():
    low = LowRank(rank=3, gain=1.2, initial_overlap=0.7)
    params = draw(low, num_units=300)
    wanted = np.linalg.eigvals(np.asarray(low.weights(params), float))
    largest = np.sort(np.abs(wanted))[::-1]
    found = np.sort(np.abs(np.linalg.eigvals(np.asarray(low.overlap(params)))))[::-1]
    np.testing.assert_allclose(largest[:3], found, rtol=1e-3)
    assert largest[3] < 1e-4
    np.testing.assert_allclose(np.diag(low.overlap(params)), 0.7, atol=0.3)
    assert low.overlap(draw(low, 2)).shape == (2, 3, 3)
    assert (low.max_rank, LowRank(base=Dense()).max_rank, Dense().max_rank) == (3, None, None)


def test_superfluous_columns_of_a_factor_can_still_learn():
    weights = np.outer(np.arange(1.0, N + 1), np.ones(N))
    low = LowRank(rank=2)
    params = low.free(weights)
    np.testing.assert_allclose(low.weights(params), weights, rtol=1e-5)
    grads = jax.grad(lambda p: jnp.sum(low.weights(p)[0] ** 2 + low.weights(p)[:, 1]))(params)
    arriving = jax.vjp(low.weights, params)[1](jnp.asarray(RNG.normal(size=(N, N)), jnp.float32))[0]
    assert (np.abs(arriving["left"]).max(0) > 1e-3).all()
    assert np.abs(grads["left"]).max() > 1e-3


def test_cell_types_come_first_in_every_region():
    np.testing.assert_array_equal(Dale(0.8).cell_types(10), [0] * 8 + [1] * 2)
    np.testing.assert_array_equal(Dale(0.6, base=REGIONS).cell_types(N), [0, 0, 0, 1, 1, 0, 0, 1])
    np.testing.assert_array_equal(Sparse(mask=MASK, base=REGIONS).regions(N), [0] * 5 + [1] * 3)


def test_inputs_and_outputs_of_single_regions():
    inputs = REGIONS.input_mask({"a": [0, 2], "b": [1, 2]}, 3)
    np.testing.assert_array_equal(inputs[:5], [[True, False, True]] * 5)
    np.testing.assert_array_equal(inputs[5:], [[False, True, True]] * 3)
    outputs = REGIONS.readout_mask({"b": [0, 1]}, 2)
    np.testing.assert_array_equal(outputs, [[False] * 5 + [True] * 3] * 2)
    circuit = Circuit(3, N, 2, recurrent=REGIONS, input_mask=inputs, readout_mask=outputs)
    weights = circuit.weights(circuit.init(key=jax.random.key(0)))
    assert not weights.readout[:, REGIONS.units_of("a")].any()
    assert weights.readout[:, REGIONS.units_of("b")].all()
