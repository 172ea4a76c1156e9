"""E-prop of spiking units in Brian2, against a plain program of the published equations."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
import pytest

import throughtime as tt
from throughtime.spiking.eprop_lif import SpikingCircuit
from throughtime.trial import Trial

UNITS, INPUTS, OUTPUTS, STEPS, RATE = 20, 4, 2, 200, 0.01


def circuit_of(**fields: Any) -> SpikingCircuit:
    return SpikingCircuit(INPUTS, UNITS, OUTPUTS, **{"tau": 20.0, "threshold": 0.6, **fields})


def drawn(circuit: SpikingCircuit) -> tuple[dict[str, np.ndarray], Trial, np.ndarray]:
    """Parameters, two trials of unlike lengths with spikes as inputs, and a feedback matrix."""
    rng = np.random.default_rng(0)
    params = {name: np.asarray(value, float) for name, value in circuit.init(key=jax.random.key(0)).items()}
    params["readout_bias"] = rng.normal(size=OUTPUTS)
    valid = np.arange(STEPS) < np.array([STEPS, STEPS - 50])[:, None]
    inputs = (rng.uniform(size=(2, STEPS, INPUTS)) < 0.2).astype(float)
    mask = rng.uniform(size=(2, STEPS, OUTPUTS)) * valid[..., None]
    trials = Trial(inputs, rng.normal(size=mask.shape), mask, valid, {}, {})
    return params, trials, rng.normal(size=(UNITS, OUTPUTS))


def twin(
    circuit: SpikingCircuit,
    params: dict[str, np.ndarray],
    trials: Trial,
    feedback: np.ndarray,
    *,
    late: int = 0,
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Summed e-prop by sums over past spikes, as written in the paper, with no recursion of traces.

    Args:
        late: steps by which the presynaptic spikes are read too late.

    Returns:
        parameters after all trials, losses (trial,) and spikes (trial, unit).
    """
    theta, a = circuit.threshold, np.exp(-circuit.dt / circuit.tau)
    kappa = 0.0 if circuit.readout_tau is None else np.exp(-circuit.dt / circuit.readout_tau)
    params = {name: value.copy() for name, value in params.items()}
    losses, counts = [], []
    for index in range(len(trials.valid)):
        steps = int(trials.valid[index].sum())
        x, y, mask = (
            np.asarray(leaf[index, :steps]) for leaf in (trials.inputs, trials.targets, trials.mask)
        )
        voltage, spikes = np.zeros((steps + 1, UNITS)), np.zeros((steps + 1, UNITS))
        psi, outputs = np.zeros((steps + 1, UNITS)), np.zeros((steps + 1, OUTPUTS))
        last = np.full(UNITS, -np.inf)
        for t in range(1, steps + 1):
            arriving = params["recurrent"] @ spikes[t - 1] + params["input"] @ x[t - 1]
            voltage[t] = a * voltage[t - 1] + arriving - theta * spikes[t - 1]
            ready = (t - last) * circuit.dt > circuit.refractory
            spikes[t] = (voltage[t] > theta) & ready
            last[spikes[t] > 0] = t
            psi[t] = ready * circuit.gamma / theta * np.maximum(0, 1 - np.abs(voltage[t] - theta) / theta)
            outputs[t] = kappa * outputs[t - 1] + params["readout"] @ spikes[t] + params["readout_bias"]
        z, psi = spikes[1:], psi[1:]
        error = 2 * mask / mask.sum() * (outputs[1:] - y)
        power = np.subtract.outer(np.arange(steps), np.arange(steps))
        membrane = np.where(power >= 0, a ** np.maximum(power, 0), 0.0)
        readout = np.where(power >= 0, kappa ** np.maximum(power, 0), 0.0) if kappa else np.eye(steps)
        before = spikes[late : steps + late] if late else spikes[:-1]
        signal = error @ feedback.T
        for name, sources in {"recurrent": before, "input": x}.items():
            eligible = psi[:, :, None] * (membrane @ sources)[:, None, :]
            filtered = np.einsum("ts,sij->tij", readout, eligible)
            change = -RATE * np.einsum("ti,tij->ij", signal, filtered)
            params[name] += change * ~np.eye(UNITS, dtype=bool) if name == "recurrent" else change
        params["readout"] -= RATE * error.T @ (readout @ z)
        params["readout_bias"] -= RATE * error.T @ readout.sum(1)
        losses.append((mask * (outputs[1:] - y) ** 2).sum() / mask.sum())
        counts.append(z.sum(0))
    return params, np.array(losses), np.array(counts)


CIRCUITS = {
    "leaky readout": circuit_of(),
    "no memory": circuit_of(readout_tau=None, refractory=0.0, dt=2.0),
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_weights_change_as_published(name: str) -> None:
    circuit = CIRCUITS[name]
    params, trials, feedback = drawn(circuit)
    learned = tt.spiking.learn_spiking(
        circuit, params, trials, learning_rate=RATE, state={"rule_feedback": feedback}
    )
    after, losses, counts = twin(circuit, params, trials, feedback)
    assert counts.sum() > 100
    assert (learned.spike_counts == counts).all()
    np.testing.assert_allclose(learned.losses, losses, rtol=1e-10)
    for one, value in after.items():
        moved = np.abs(value - params[one]).max()
        assert moved > 1e-4
        assert np.abs(learned.params[one] - value).max() < 1e-10 * moved
    wrong, *_ = twin(circuit, params, trials, feedback, late=1)
    moved = np.abs(wrong["recurrent"] - params["recurrent"]).max()
    assert np.abs(learned.params["recurrent"] - wrong["recurrent"]).max() > 1e-2 * moved


def test_symmetric_feedback_follows_the_readout_by_its_own_changes() -> None:
    """Online it moves within the trial, so that changes part from those by a copy that stays as it was."""
    circuit = circuit_of()
    params, trials, _ = drawn(circuit)
    options = {"learning_rate": RATE, "online": True}
    learned = tt.spiking.learn_spiking(circuit, params, trials, feedback="symmetric", **options)
    fixed = tt.spiking.learn_spiking(
        circuit, params, trials, state={"rule_feedback": params["readout"].T}, **options
    )
    assert {"fired_post", "error_pre"} <= set(learned.identifiers["feedback"])
    assert not any("readout" in name or name == "weight_post" for name in learned.identifiers["feedback"])
    first = np.abs(learned.changes["recurrent"][0]).max()
    assert 1e-6 * first < np.abs(learned.changes["recurrent"] - fixed.changes["recurrent"]).max() < first


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"num_units": 0}, "num_units 0 is not a whole number"),
        ({"tau": -1.0}, "tau -1.0 is not a positive number"),
        ({"refractory": 0.5}, "refractory 0.5 ms is no whole number >= 0 of steps of 1 ms"),
    ],
)
def test_circuits_that_cannot_be(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SpikingCircuit(**{"num_inputs": 1, "num_units": 4, "num_outputs": 1, **fields})


def test_parameters_of_another_circuit() -> None:
    circuit = circuit_of()
    params, trials, _ = drawn(circuit)
    del params["readout_bias"]
    with pytest.raises(ValueError, match=r"params have shapes .* use circuit.init"):
        tt.spiking.learn_spiking(circuit, params, trials, learning_rate=RATE, key=jax.random.key(0))
