"""Layers of PyTorch as circuits: outputs and gradients against PyTorch's own numbers, and what is refused."""

from __future__ import annotations

from dataclasses import dataclass, replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.circuits.make_torch_record import BATCH, KINDS, RECORD, torch_numbers
from tests.factories import random_params
from tests.oracles import norm, relative
from throughtime.circuits import GRU, LSTM, Circuit, Leaky, from_torch, to_torch
from throughtime.circuits.torch_layout import BIASES, WEIGHTS
from throughtime.objectives import Objective
from throughtime.trial import Trial


@dataclass(frozen=True)
class Along(Objective):
    """``Σ z · y``: linear in the outputs, so that every entry of the gradient counts."""

    def __call__(self, outputs, trial):
        return jnp.sum(outputs * trial.targets)


@pytest.fixture(scope="module", params=["recorded", "installed"])
def numbers(request):
    """PyTorch's numbers: from the record, and where PyTorch is installed from itself."""
    if request.param == "installed":
        pytest.importorskip("torch")
        return torch_numbers()
    with np.load(RECORD) as record:
        return dict(record)


def layer_of(numbers, kind):
    return {name: numbers[f"{kind}/{name}"] for name in (*WEIGHTS, *BIASES)}


@pytest.mark.parametrize("kind", KINDS)
def test_outputs_and_gradients_are_those_of_pytorch(numbers, kind):
    with jax.enable_x64(True):
        inputs, direction = (jnp.asarray(numbers[name]) for name in ("inputs", "direction"))
        circuit, params = from_torch(layer_of(numbers, kind), dt=10.0, kind=kind)
        trials = Trial(inputs, direction, jnp.ones_like(direction), jnp.ones(inputs.shape[:2], bool), {}, {})
        outputs = jax.jit(jax.vmap(lambda x: circuit.run(params, x).outputs))(inputs)
        grads, info = tt.gradient(
            circuit, params, trials, tt.rules.make("bptt"), key=jax.random.key(0), objective=Along()
        )
        found = to_torch(circuit, jax.tree.map(lambda leaf: BATCH * leaf, grads))
    assert relative(outputs, numbers[f"{kind}/outputs"]) < 1e-12
    assert BATCH * float(info["loss"]) == pytest.approx(float(numbers[f"{kind}/loss"]), rel=1e-12)
    for name in (*WEIGHTS, "bias_ih_l0"):
        wanted = numbers[f"{kind}/grad/{name}"]
        assert norm(wanted) > 0.1
        assert relative(found[name], wanted) < 1e-10, name
    if kind == "gru":  # the one bias of a layer that no other can stand for
        candidate = slice(2 * circuit.num_units, None)
        assert relative(found["bias_hh_l0"][candidate], numbers[f"{kind}/grad/bias_hh_l0"][candidate]) < 1e-10


@pytest.mark.parametrize("kind", KINDS)
def test_there_and_back(numbers, kind):
    layer = layer_of(numbers, kind)
    with jax.enable_x64(True):
        circuit, params = from_torch(layer, kind=kind)
        exported = to_torch(circuit, params)
        again, same = from_torch(exported, kind=kind)
    assert again == circuit
    jax.tree.map(np.testing.assert_array_equal, same, params)
    for name in WEIGHTS:
        np.testing.assert_array_equal(exported[name], layer[name])
    total, wanted = (sum(each[name] for name in BIASES) for each in (exported, layer))
    np.testing.assert_allclose(total, wanted, rtol=1e-14)
    rows = slice(2 * circuit.num_units if kind == "gru" else None)
    assert not exported["bias_hh_l0"][rows].any()


def test_readout_precision_and_missing_biases():
    layer = {"weight_ih_l0": np.ones((16, 3), np.float32), "weight_hh_l0": np.ones((16, 4), np.float32)}
    circuit, params = from_torch(layer, readout=np.ones((2, 4)), readout_bias=np.ones(2), noise=0.1)
    assert (circuit.num_outputs, circuit.noise_sd, circuit.dynamics) == (2, 0.1, LSTM())
    assert {array.dtype for array in params.values()} == {np.dtype("float32")}
    assert not params["bias"].any()
    assert params["readout_bias"].all()


def test_a_new_circuit_leaves_its_effective_weights():
    circuit = Circuit(3, 4, 2, dynamics=GRU())
    params = random_params(circuit)
    np.testing.assert_array_equal(
        to_torch(circuit, params)["weight_hh_l0"], params["recurrent"].reshape(12, 4)
    )


LAYER = {"weight_ih_l0": np.ones((12, 3)), "weight_hh_l0": np.ones((12, 4))}
RNN = {"weight_ih_l0": np.ones((4, 3)), "weight_hh_l0": np.ones((4, 4))}
LEAKY = Circuit(3, 4, 2, dt=20.0, dynamics=Leaky(tau=20.0, form="rate"))


@pytest.mark.parametrize(
    ("layer", "kind", "message"),
    [
        ({**LAYER, "weight_ih_l0_reverse": 1.0}, None, "bidirectional, and time has one direction"),
        ({**LAYER, "weight_hr_l0": 1.0}, None, "projects its output; use a layer with proj_size=0"),
        ({**LAYER, "weight_ih_l1": 1.0}, None, "'weight_ih_l1': a layer of one level has names"),
        ({"rnn.weight_ih_l0": 1.0}, None, "'rnn.weight_ih_l0': no array of a layer"),
        ({"weight_ih_l0": np.ones((12, 3))}, None, "weight_hh_l0 is missing"),
        (LAYER, "lsmt", "kind 'lsmt' is not known; use one of lstm, gru"),
        (LAYER, "lstm", r"weight_hh_l0 has shape \(12, 4\), that of a gru, not of 'lstm'"),
        ({**LAYER, "weight_hh_l0": np.ones((10, 4))}, None, r"shape \(10, 4\); expected 4 \(LSTM\)"),
        ({**LAYER, "weight_ih_l0": np.ones((16, 3))}, None, r"has shape \(16, 3\), expected \(12, 3\)"),
        ({**LAYER, "weight_ih_l0": np.ones(12)}, None, r"has shape \(12,\), expected \(12, 1\)"),
        ({**LAYER, "bias_ih_l0": np.ones(4)}, None, r"bias_ih_l0 has shape \(4,\), expected \(12,\)"),
        (RNN, None, "do not tell its nonlinearity; give kind='rnn-tanh' or 'rnn-relu'"),
    ],
)  # fmt: skip
def test_other_layers_are_refused(layer, kind, message):
    with pytest.raises(ValueError, match=message):
        from_torch(layer, kind=kind)


@pytest.mark.parametrize(
    "dynamics",
    [
        Leaky(tau=40.0, form="rate"),
        Leaky(tau=20.0, form="current"),
        Leaky(tau=20.0, form="rate", activation="softplus"),
        Leaky(tau=40.0, form="rate", tau_range=(20.0, 80.0)),
        GRU(reset="before"),
    ],
)
def test_circuits_that_are_no_layer_are_refused(dynamics):
    assert set(to_torch(LEAKY, LEAKY.init(key=jax.random.key(0)))) == {*WEIGHTS, *BIASES}
    with pytest.raises(ValueError, match="no layer of PyTorch computes"):
        to_torch(replace(LEAKY, dynamics=dynamics), {})
