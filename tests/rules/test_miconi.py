"""The reward-modulated Hebbian rule against a trial computed by hand, its bookkeeping, and that it learns."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.factories import random_params
from tests.oracles import norm, relative
from throughtime.circuits import GRU, Circuit, Dense, Leaky, LowRank, WarmUp
from throughtime.credit.expectation import MEAN
from throughtime.frozen import FrozenArray
from throughtime.objectives import SquaredError, VanishingGradient
from throughtime.rules import Miconi
from throughtime.rules.miconi import COUNT
from throughtime.training import Clip
from throughtime.trial import Trial

OBJECTIVE, KEY = SquaredError(), jax.random.key(3)
UNITS, STEPS, TRIALS = 3, 12, 4
TAU = np.array([10.0, 20.0, 40.0])


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def circuit_of(**fields):
    settings = {"dynamics": Leaky(tau=FrozenArray(TAU)), "recurrent": Dense(gain=1.5), "noise_sd": 0.05}
    return Circuit(num_inputs=2, num_units=UNITS, num_outputs=1, **{**settings, "dt": 2.0, **fields})


def trials_of(num_trials=TRIALS, num_steps=STEPS):
    rng = np.random.default_rng(2)
    lengths = np.array([num_steps, num_steps - 3, num_steps - 1, num_steps])[:num_trials]
    valid = np.arange(num_steps) < lengths[:, None]
    inputs, targets = rng.normal(size=(num_trials, num_steps, 2)), rng.normal(size=(num_trials, num_steps, 1))
    mask = np.ones_like(targets) * valid[..., None]
    kinds = {"first": jnp.array([0, 1, 1, 0])[:num_trials], "second": jnp.array([1, 0, 0, 0])[:num_trials]}
    return Trial(*map(jnp.asarray, (inputs, targets, mask, valid)), {}, kinds)


def by_hand(rule, circuit, params, trial, trial_key):
    """Loss R and trace H of one trial, one step after the other in NumPy."""
    p = {name: np.asarray(leaf) for name, leaf in params.items()}
    xi = np.asarray(rule.perturbations(circuit, trial_key, STEPS), float)
    noise = np.asarray(circuit.noise(trial_key, STEPS), float)
    settle, alpha = round(rule.settle / circuit.dt), circuit.dt / TAU
    v, mean, trace, loss = np.zeros(UNITS), np.zeros(UNITS), np.zeros((UNITS, UNITS)), []
    for t in np.flatnonzero(np.asarray(trial.valid)):
        r = np.tanh(v)
        u = p["recurrent"] @ r + p["input"] @ np.asarray(trial.inputs[t]) + p["bias"] + noise[t] + xi[t]
        v = (1 - alpha) * v + alpha * u
        if t >= settle:
            hit = np.outer(v - mean, r) ** 3 if rule.eligibility == "cubic" else np.outer(xi[t], r)
            trace += hit
        mean = rule.keep * mean + (1 - rule.keep) * v
        loss.append((p["readout"] @ np.tanh(v) + p["readout_bias"] - np.asarray(trial.targets[t])) ** 2)
    assert np.count_nonzero(xi) > 2
    assert not xi[: settle + 1].any()
    return float(np.mean(loss)), trace


@pytest.mark.parametrize("eligibility", ["cubic", "node"])
def test_a_batch_computed_by_hand(eligibility):
    rule = Miconi(
        eligibility=eligibility,
        probability=0.1,
        keep=0.3,
        condition=("first", "second"),
        warm_up=7,
        settle=4.0,
    )
    circuit = circuit_of()
    params, trials = random_params(circuit), trials_of()
    compute = jax.jit(lambda state: rule.gradient(circuit, params, state, trials, OBJECTIVE, key=KEY))
    means, kinds = np.array([0.5, 2.0, 0.7, 0.0]), [1, 2, 2, 0]
    state = {**rule.init(circuit, params, key=KEY), MEAN: jnp.asarray(means), COUNT: jnp.array(7, jnp.int32)}
    grads, after, info = compute(state)
    losses, wanted = np.zeros(TRIALS), np.zeros((UNITS, UNITS))
    for index, kind in enumerate(kinds):
        trial = jax.tree.map(lambda leaf, i=index: leaf[i], trials)
        losses[index], trace = by_hand(rule, circuit, params, trial, jax.random.fold_in(KEY, index))
        wanted += means[kind] * (losses[index] - means[kind]) * trace / TRIALS
    np.testing.assert_allclose(info["losses"], losses, rtol=1e-6)
    assert norm(wanted) > 1e-3
    assert relative(grads["recurrent"], wanted) < 1e-6
    assert norm({name: leaf for name, leaf in grads.items() if name != "recurrent"}) == 0
    pair = 0.75**2 * means[2] + (1 - 0.75**2) * (losses[1] + losses[2]) / 2
    expected = [0.75 * means[0] + 0.25 * losses[3], 0.75 * means[1] + 0.25 * losses[0], pair, 0]
    np.testing.assert_allclose(after[MEAN], expected, rtol=1e-6)
    assert int(after[COUNT]) == 7 + TRIALS
    early, _, _ = compute({**state, COUNT: jnp.array(6, jnp.int32)})
    assert norm(early) == 0, "the first trials only set the means"


def test_padding_and_the_number_of_steps_change_nothing():
    rule, circuit = Miconi(probability=0.1, warm_up=0), circuit_of(initial=WarmUp(4.0))
    params, trials = random_params(circuit), trials_of()
    state = {**rule.init(circuit, params, key=KEY), MEAN: jnp.array([0.5])}

    def longer(leaf, value):
        return jnp.concatenate([leaf, jnp.full((TRIALS, 4, *leaf.shape[2:]), value, leaf.dtype)], 1)

    padded = trials._replace(
        inputs=longer(trials.inputs, 7), targets=longer(trials.targets, -3), mask=longer(trials.mask, 0),
        valid=longer(trials.valid, False),
    )  # fmt: skip

    @jax.jit
    def both():
        return [rule.gradient(circuit, params, state, one, OBJECTIVE, key=KEY) for one in (trials, padded)]

    (plain, _, info), (same, _, of_padded) = both()
    assert norm(plain) > 1e-3
    assert relative(same, plain) < 1e-9
    assert relative(of_padded["losses"], info["losses"]) < 1e-12


def test_perturbations_are_rare_uniform_and_as_published():
    rule, circuit = Miconi(), circuit_of(dynamics=Leaky(tau=30.0), dt=1.0)
    xi = np.asarray(jax.jit(jax.vmap(lambda key: rule.perturbations(circuit, key, 300)))(
        jax.random.split(KEY, 100)))  # fmt: skip
    hits = xi[xi != 0]
    assert not xi[:, :4].any()
    assert hits.size == pytest.approx(0.003 * 100 * 296 * UNITS, abs=4 * np.sqrt(266))
    assert np.abs(hits).max() < 16
    assert abs(hits.mean()) < 4 * 16 / np.sqrt(3 * hits.size)
    assert hits.std() == pytest.approx(16 / np.sqrt(3), rel=0.1)


def test_the_loss_falls_along_the_gradient_and_rises_against_it():
    """One unit answers through a fixed readout; the published optimiser, in a loop of its own."""
    circuit = Circuit(
        num_inputs=1, num_units=4, num_outputs=1, dt=1.0, dynamics=Leaky(tau=10.0), recurrent=Dense(gain=1.2)
    )
    params = {**random_params(circuit), "readout": jnp.array([[1.0, 0, 0, 0]]), "readout_bias": jnp.zeros(1)}
    rule = Miconi(probability=0.01, warm_up=20)
    steps = np.arange(40)
    trials = Trial(
        jnp.where(steps < 15, 1.0, 0.0)[None, :, None], jnp.full((1, 40, 1), 0.8),
        jnp.where(steps >= 30, 1.0, 0.0)[None, :, None], jnp.ones((1, 40), bool), {}, {},
    )  # fmt: skip
    clip = Clip(3e-3, by="value")

    def learn(sign):
        def update(carry, key):
            params, state = carry
            grads, state, info = rule.gradient(circuit, params, state, trials, OBJECTIVE, key=key)
            clipped, _ = clip({"recurrent": grads["recurrent"]})
            params = {**params, "recurrent": params["recurrent"] - sign * 0.1 * clipped["recurrent"]}
            return (params, state), info["loss"]

        start = (params, rule.init(circuit, params, key=KEY))
        return jax.lax.scan(update, start, jax.random.split(KEY, 2000))[1]

    down, up = np.asarray(jax.jit(jax.vmap(learn))(jnp.array([1.0, -1.0])))
    assert down[-200:].mean() < 0.8 * down[:200].mean()
    assert up[-200:].mean() > up[:200].mean()


def test_clipping_number_by_number():
    grads = {"a": jnp.array([0.2, -5.0]), "b": jnp.array([[3.0, 1.0]])}
    clipped, fraction = Clip(1.0, by="value")(grads)
    assert clipped["a"].tolist() == [0.2, -1.0]
    assert clipped["b"].tolist() == [[1.0, 1.0]]
    assert float(fraction) == 0.5
    with pytest.raises(ValueError, match="use 'global', 'block' or 'value'"):
        Clip(1.0, by="row")


def test_training_moves_recurrent_weights_alone_and_records_the_means():
    with jax.enable_x64(False):
        task = tt.tasks.make("delayed-match-to-sample", dt=100.0)
        circuit = tt.circuits.for_task(task, num_units=4)
        rule = Miconi(condition=("sample", "match"), warm_up=0, probability=0.005)
        run = tt.train(
            task, circuit, rule, num_updates=6, batch_size=4, learning_rate=0.1, optimizer="sgd",
            clip=Clip(3e-3, by="value"), test_trials=0, eval_every=6, stop="budget",
        )  # fmt: skip
    kept = run.tree["checkpoints"]
    assert kept["rule_baseline"].dims == ("seed", "checkpoint", "condition")
    assert kept["rule_baseline"].shape[-1] == 4
    assert int(kept["rule_baseline_trials"][0, -1].sum()) == int(kept["rule_num_trials"][0, -1]) == 24
    moved = {
        name: float(np.abs(kept[name][0, -1] - kept[name][0, 0]).max()) for name in ("recurrent", "readout")
    }
    assert 0 < moved["recurrent"] <= 6 * 3e-4 * (1 + 1e-3)
    assert moved["readout"] == 0


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"eligibility": "square"}, "use 'cubic' or 'node'"),
        ({"probability": 0.0}, "probability 0.0 is not a positive number"),
        ({"amplitude": -1.0}, "amplitude -1.0 is not a positive number"),
        ({"num_conditions": 1.5}, "num_conditions 1.5 is not a whole number"),
        ({"keep": 1.0}, r"keep 1.0 does not lie within \[0, 1\)"),
        ({"averaging": -0.1}, r"averaging -0.1 does not lie within \[0, 1\)"),
        ({"settle": -1.0}, "settle -1.0 ms is not a number >= 0"),
        ({"warm_up": -1}, "warm_up -1 is not a whole number of trials"),
    ],
)
def test_refused_options(options, message):
    with pytest.raises(ValueError, match=message):
        Miconi(**options)


@pytest.mark.parametrize(
    ("fields", "options", "objective", "message"),
    [
        ({"dynamics": Leaky(tau=20.0, form="rate")}, {}, OBJECTIVE, "with rate, has no membrane variable"),
        ({"dynamics": GRU()}, {}, OBJECTIVE, "GRU, with hidden, has no membrane variable"),
        ({"recurrent": LowRank(rank=1)}, {}, OBJECTIVE, "no parameter 'recurrent'"),
        ({}, {"probability": 0.6}, OBJECTIVE, "probability 0.6 per ms is above 1 in a step of 2 ms"),
        ({}, {}, OBJECTIVE + VanishingGradient(0.1), "use the rule bptt"),
        ({}, {"condition": "third"}, OBJECTIVE, "no condition 'third'; they have first, second"),
    ],
)
def test_refused_circuits(fields, options, objective, message):
    circuit, rule = circuit_of(**fields), dataclasses.replace(Miconi(), **options)
    params = random_params(circuit)
    with pytest.raises(ValueError, match=message):
        rule.gradient(circuit, params, rule.init(circuit, params, key=KEY), trials_of(), objective, key=KEY)
