"""Outputs fed back into the circuit: the equation, and exact credit back through the outputs."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.factories import random_params, random_trials, small_circuit
from tests.oracles import norm, relative
from throughtime.checking import circuits as battery
from throughtime.circuits import (
    GRU,
    LSTM,
    Adaptive,
    Dale,
    Dense,
    Leaky,
    Learned,
    ShortTermPlasticity,
    WarmUp,
)
from throughtime.circuits.simulate import forward
from throughtime.credit import batch
from throughtime.credit.transport import Exact, NoTransport, Window
from throughtime.objectives import RatePenalty, SquaredError, VanishingGradient
from throughtime.rules import BPTT, TBPTT, AdjointRule

TAUS = [30.0, 60.0, 90.0, 150.0, 40.0]
LOSS = SquaredError()
KEY = jax.random.key(7)

CIRCUITS = {
    "current, Dale": battery.make(
        Leaky(tau=TAUS, activation="softplus"),
        Dale(),
        output_feedback=True,
        readout_mask=np.arange(10).reshape(2, 5) % 3 > 0,
        non_negative=("readout",),
    ),
    "rate": battery.make(
        Leaky(tau=60.0, form="rate", tau_range=(25.0, 200.0)),
        Dense(gain=1.2),
        output_feedback=True,
        initial=Learned(),
    ),
    "adaptive": battery.make(Adaptive(tau=60.0, tau_adaptation=200.0), Dense(gain=1.2), output_feedback=True),
    "lstm": battery.make(LSTM(), Dense(), output_feedback=True, initial=Learned()),
    "gru": battery.make(GRU(), Dense(), output_feedback=True, initial=WarmUp(60.0)),
    "gru reset before": battery.make(GRU(reset="before"), Dense(), output_feedback=True, initial=Learned()),
    "plasticity": battery.make(
        ShortTermPlasticity(tau=60.0, activation="softplus"),
        Dense(gain=1.2),
        output_feedback=True,
        initial=WarmUp(60.0),
    ),
}


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def away_from_rest(circuit, params, seed=0):
    """``params`` with a learned initial state that is not the declared one."""
    rng = np.random.default_rng(seed)
    moved = {name: 0.5 * rng.normal(size=value.shape) for name, value in params.items() if "initial_" in name}
    return {name: value + moved.get(name, 0) for name, value in params.items()}


def compute(circuit, rule, objective, params, trials, carry=None):
    state = rule.init(circuit, params, key=jax.random.key(1))
    grads, _, info = rule.gradient(circuit, params, state, trials, objective, key=KEY, carry=carry)
    return grads, info


run = jax.jit(compute, static_argnums=(0, 1, 2))


@pytest.mark.parametrize("name", CIRCUITS)
def test_gradients_are_finite_differences(name, monkeypatch):
    monkeypatch.setattr(
        battery, "params_of", lambda c, s=0, draw=battery.params_of: away_from_rest(c, draw(c, s))
    )
    assert "output_feedback" in CIRCUITS[name].param_names
    battery.check_gradients(CIRCUITS[name])


@pytest.mark.parametrize("name", ["current, Dale", "gru reset before", "plasticity"])
def test_steps_and_configuration(name):
    battery.check_steps(CIRCUITS[name])
    battery.check_configuration(CIRCUITS[name])


def test_the_equation():
    """Every step in NumPy, with the output of the state before it."""
    circuit = small_circuit("current", output_feedback=True)
    params, inputs = random_params(circuit), np.random.default_rng(0).normal(size=(7, 3))
    p = {name: np.asarray(value) for name, value in params.items()}
    alpha, v = circuit.dt / np.asarray(circuit.dynamics.tau), np.random.default_rng(1).normal(size=6)
    path = circuit.run(params, inputs, state={"current": jnp.asarray(v)})
    z, outputs = p["readout"] @ np.tanh(v) + p["readout_bias"], []
    for x in inputs:
        drive = p["recurrent"] @ np.tanh(v) + p["input"] @ x + p["bias"] + p["output_feedback"] @ z
        v = (1 - alpha) * v + alpha * drive
        z = p["readout"] @ np.tanh(v) + p["readout_bias"]
        outputs.append(z)
    np.testing.assert_allclose(path.outputs, outputs, rtol=1e-12)
    alone = dataclasses.replace(circuit, output_feedback=False)
    without = {name: value for name, value in params.items() if name != "output_feedback"}
    assert relative(alone.run(without, inputs).outputs, path.outputs) > 1e-2


def test_a_tile_holds_the_outputs_of_the_step_before_behind_the_inputs():
    circuit, trials = small_circuit("rate", output_feedback=True), random_trials()
    params, start = random_params(circuit), {"rate": 0.3 * jnp.ones((5, 6))}
    keys = jax.random.split(KEY, 5)
    unfolded, outputs = forward(circuit, params, circuit.weights(params), trials, keys, start)
    first = start["rate"] @ params["readout"].T + params["readout_bias"]
    np.testing.assert_allclose(
        unfolded.inputs[..., 3:], jnp.concatenate([first[None], outputs[:-1]]), rtol=1e-12
    )
    np.testing.assert_array_equal(unfolded.inputs[..., :3], jnp.swapaxes(trials.inputs, 0, 1))
    plain = small_circuit("rate")
    weights = plain.weights({name: params[name] for name in plain.param_names})
    assert weights.output_feedback.shape == (6, 0)
    assert forward(plain, params, weights, trials, keys, start)[0].inputs.shape[-1] == 3


@pytest.mark.parametrize(
    ("name", "transport"),
    [
        ("gru", Exact()),
        ("rate", Window(60.0)),
        ("plasticity", Window(60.0, "sliding")),
    ],
)
def test_segments_and_what_stands_on_padding_change_nothing(name, transport):
    circuit, rule = CIRCUITS[name], AdjointRule(transport=transport)
    params, trials = away_from_rest(circuit, battery.params_of(circuit)), battery.trials()
    objective = LOSS + RatePenalty(0.3)
    whole, info = run(circuit, rule, objective, params, trials)
    cut, _ = run(circuit, dataclasses.replace(rule, segment=2), objective, params, trials)
    assert norm(whole["output_feedback"]) > 1e-3
    assert relative(cut, whole) < 1e-11
    garbage = 9.0 * ~trials.valid[..., None]
    padded = trials._replace(inputs=trials.inputs + garbage, targets=trials.targets + garbage)
    found, after = run(circuit, rule, objective, params, padded)
    assert relative(found, whole) < 1e-12
    assert relative(after["carry"], info["carry"]) < 1e-12


def copies_of(circuit, params, trials, start):
    """Slopes of every step's loss by a copy of W, W_in, b and W_fb for every step: (error, use, …)."""
    names, num_steps = ("recurrent", "input", "bias", "output_feedback"), trials.inputs.shape[1]

    def losses(copies, first):
        def one(inputs, valid, targets, mask, state):
            def step(state, now):
                copy, x, live = now
                after = circuit.step({**params, **copy}, state, x)
                after = {key: jnp.where(live, after[key], state[key]) for key in state}
                return after, params["readout"] @ circuit.dynamics.readout(params, after) + params[
                    "readout_bias"
                ]

            _, outputs = jax.lax.scan(step, state, (copies, inputs, valid))
            return (mask * (outputs - targets) ** 2).sum(-1) / mask.sum() / len(trials.valid)

        return jax.vmap(one)(trials.inputs, trials.valid, trials.targets, trials.mask, first).sum(0)

    copies = {name: jnp.broadcast_to(params[name], (num_steps, *params[name].shape)) for name in names}
    return jax.jit(jax.jacrev(losses, argnums=(0, 1)))(copies, start)


@pytest.mark.parametrize("name", ["plasticity"])
def test_a_window_is_the_sum_over_pairs_of_uses_and_errors(name):
    circuit = dataclasses.replace(CIRCUITS[name], initial=tt.circuits.Rest())
    params, trials = battery.params_of(circuit), battery.trials()
    rng = np.random.default_rng(3)
    start = {
        key: jnp.asarray(rng.uniform(0.2, 0.8, size=(3, 5)))
        for key in circuit.dynamics.init_state(circuit.num_units)
    }
    slopes, initial = copies_of(circuit, params, trials, start)
    use, error = np.arange(1, 8), np.arange(1, 8)[:, None]
    reached = {
        "blocks": ((error - 1) // 3 == (use - 1) // 3, (error[:, 0] - 1) // 3 == 0),
        "sliding": (error - use < 3, error[:, 0] < 3),
    }
    for kind, (pairs, first) in reached.items():
        pairs = pairs & (use <= error)
        grads, info = run(circuit, TBPTT(window=60.0, kind=kind), LOSS, params, trials, start)
        for block, slope in slopes.items():
            wanted = jnp.einsum("ts,ts...->...", pairs * 1.0, slope)
            assert relative(wanted, slope.sum((0, 1))) > 1e-2, "the window must cut something"
            assert relative(grads[block], wanted) < 1e-10, (kind, block)
        wanted = {key: jnp.einsum("t,t...->...", first * 1.0, slope) for key, slope in initial.items()}
        assert relative(info["initial_state"], wanted) < 1e-10, kind


def test_without_transport_no_credit_crosses_the_fed_back_output():
    """W_out sees the error of its own output alone, as in a circuit that its recorded outputs drive."""
    circuit = small_circuit("rate", output_feedback=True)
    params, trials, start = random_params(circuit), random_trials(), {"rate": 0.3 * jnp.ones((5, 6))}
    keys = jax.random.split(KEY, 5)
    weights = circuit.weights(params)
    unfolded, _ = forward(circuit, params, weights, trials, keys, start)
    plain = dataclasses.replace(small_circuit("rate"), num_inputs=5)
    joined = {name: params[name] for name in plain.param_names}
    joined["input"] = jnp.concatenate([params["input"], params["output_feedback"]], 1)
    replayed = trials._replace(inputs=jnp.swapaxes(unfolded.inputs, 0, 1))
    rule = AdjointRule(transport=NoTransport())
    found, _ = run(circuit, rule, LOSS, params, trials, start)
    wanted, _ = run(plain, rule, LOSS, joined, replayed, start)
    assert norm(found["output_feedback"]) > 1e-3
    assert relative(found["output_feedback"], wanted["input"][:, 3:]) < 1e-12
    assert relative(found["input"], wanted["input"][:, :3]) < 1e-12
    for name in ("recurrent", "bias", "readout", "readout_bias"):
        assert relative(found[name], wanted[name]) < 1e-12, name
    exact, _ = run(circuit, BPTT(), LOSS, params, trials, start)
    closed, _ = batch.gradient(
        circuit, params, trials, LOSS, feedback=weights.readout.T, transport=weights.recurrent,
        trial_keys=keys, initial=start, through_output=False,
    )  # fmt: skip
    assert relative(found["readout"], exact["readout"]) > 1e-2
    assert relative(closed["recurrent"], exact["recurrent"]) > 1e-2
    assert relative(closed["readout"], wanted["readout"]) < 1e-12


def test_the_finite_differences_can_fail(monkeypatch):
    """A readout that forgets what its first output, read off the initial state, did to the circuit."""
    monkeypatch.setattr(batch, "initial_output_gradients", lambda *given: {"readout_bias": jnp.zeros(2)})
    with pytest.raises(AssertionError, match="readout"):
        battery.check_gradients(CIRCUITS["current, Dale"])


def test_initial_weights_have_the_declared_spread():
    circuit = tt.circuits.Circuit(1, 4000, 4, output_feedback=True, output_feedback_gain=3.0)
    drawn = jax.eval_shape(lambda key: circuit.init(key=key), KEY)
    assert drawn["output_feedback"].shape == (4000, 4)
    small = dataclasses.replace(circuit, num_units=500)
    assert float(small.init(key=KEY)["output_feedback"].std()) == pytest.approx(1.5, rel=0.05)
    others = dataclasses.replace(small, output_feedback=False, output_feedback_gain=1.0).init(key=KEY)
    with_it = small.init(key=KEY)
    assert all(np.array_equal(with_it[name], others[name]) for name in others)


def test_from_arrays_takes_the_weights():
    rng = np.random.default_rng(0)
    arrays = {"recurrent": rng.normal(size=(4, 4)), "input": rng.normal(size=(4, 2)), "dt": 10.0}
    arrays["readout"], fed_back = rng.normal(size=(3, 4)), rng.normal(size=(4, 3))
    circuit, params = tt.circuits.from_arrays(**arrays, output_feedback=fed_back)
    np.testing.assert_array_equal(circuit.weights(params).output_feedback, fed_back)
    assert circuit.output_feedback
    with pytest.raises(ValueError, match=r"output_feedback has shape \(3, 4\), expected \(4, 3\)"):
        tt.circuits.from_arrays(**arrays, output_feedback=fed_back.T)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"output_feedback": "yes"}, "output_feedback 'yes' is neither True nor False"),
        (
            {"output_feedback": True, "output_feedback_gain": -1.0},
            "output_feedback_gain -1.0 is not a number",
        ),
        ({"output_feedback_gain": 2.0}, "output_feedback_gain 2.0 scales weights that this circuit does not"),
        ({"output_feedback": True, "readout_tau": 50.0}, "readout_tau 50 ms with output_feedback"),
    ],
)
def test_impossible_circuits_are_refused(fields, message):
    with pytest.raises(ValueError, match=message):
        small_circuit("rate", **fields)


def test_what_cannot_go_through_a_fed_back_output_is_refused():
    circuit = small_circuit("rate", output_feedback=True)
    params = random_params(circuit)
    with pytest.raises(ValueError, match="a step of this circuit also goes through its fed-back output"):
        compute(circuit, BPTT(), LOSS + VanishingGradient(0.1), params, random_trials())
    layered = dataclasses.replace(circuit, dynamics=GRU())
    with pytest.raises(ValueError, match="to_torch: a layer of PyTorch has no output that is fed back"):
        tt.circuits.to_torch(layered, random_params(layered))
