"""The step of a circuit as a map of vectors says what the circuit does."""

import jax
import numpy as np
import pytest
import xarray as xr

from throughtime import analysis, circuits
from throughtime.circuits import Circuit

DYNAMICS = {
    "current": (circuits.Leaky(tau=40.0), [0.5] * 4),
    "rate": (circuits.Leaky(tau=(20.0, 40.0, 80.0, 100.0), form="rate"), [1.0, 0.5, 0.25, 0.2]),
    "adaptive": (circuits.Adaptive(), None),
    "gru": (circuits.GRU(), None),
    "lstm": (circuits.LSTM(), None),
}


@pytest.mark.parametrize("name", DYNAMICS)
def test_step_is_the_circuits(name):
    dynamics, alpha = DYNAMICS[name]
    circuit = Circuit(num_inputs=2, num_units=4, num_outputs=3, dt=20.0, dynamics=dynamics)
    params = circuit.init(key=jax.random.key(0))
    inputs = np.random.default_rng(0).standard_normal((6, 2))
    found = analysis.circuit_step(circuit, params)
    with jax.enable_x64(True):
        numbers = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
        told = circuit.run(numbers, inputs)
        states = [found.start]
        for x in inputs:
            states.append(np.asarray(found.step(states[-1], x)))
    wanted = np.concatenate([told.states[variable] for variable in found.names], axis=1)
    assert states[-1].dtype == np.float64
    np.testing.assert_allclose(states[1:], wanted, atol=1e-14)
    np.testing.assert_allclose(found.rates(wanted), told.rates, atol=1e-14)
    assert found.names == dynamics.state_names
    assert found.dt == 20.0
    if alpha is None:
        assert found.alpha is None
    else:
        np.testing.assert_allclose(found.alpha, alpha, rtol=1e-7)


def test_recorded_states_become_vectors():
    circuit = Circuit(num_inputs=1, num_units=3, num_outputs=1, dt=20.0, dynamics=circuits.Adaptive())
    found = analysis.circuit_step(circuit, circuit.init(key=jax.random.key(0)))
    values = np.arange(24.0).reshape(4, 2, 3)
    states = xr.DataArray(values, {"time": np.arange(4.0)}, ("time", "state", "unit"))
    flat = found.vectors(states.transpose("unit", "time", "state"))
    assert flat.dims == ("time", "state")
    np.testing.assert_array_equal(flat, values.reshape(4, 6))
    np.testing.assert_array_equal(flat["time"], np.arange(4.0))
    with pytest.raises(ValueError, match="states: dims \\('time',\\) lack state, unit"):
        found.vectors(states[:, 0, 0])
    with pytest.raises(ValueError, match="2 variables of 2 units; the circuit has 2 of 3"):
        found.vectors(states[..., :2])
