"""Rules that learn within the trial: least squares against closed forms and plain NumPy, and exploration."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import INPUTS, OUTPUTS, UNITS, random_params, random_trials, small_circuit
from tests.oracles import norm, relative
from throughtime import rules
from throughtime.circuits import LSTM, Circuit, Dale, Dense, Leaky, LowRank, Sparse, WarmUp
from throughtime.credit import stepping
from throughtime.credit.exploring import ExploringReadout
from throughtime.credit.least_squares import advance, table
from throughtime.credit.record import layout
from throughtime.objectives import CrossEntropy, RatePenalty, SquaredError
from throughtime.trial import Trial

KEY = jax.random.key(3)
TRIAL_KEY = jax.random.fold_in(KEY, 0)


@pytest.fixture(scope="module", autouse=True)
def double():
    with jax.enable_x64(True):
        yield


def one_trial(seed=0, index=1):
    """A trial with two steps of no weight, and with padding in which every array has garbage."""
    trial = jax.tree.map(lambda leaf: leaf[index : index + 1], random_trials(seed))
    trial = trial._replace(mask=trial.mask.at[:, 2:4].set(0.0))
    padding = ~trial.valid[..., None]
    return trial._replace(
        inputs=trial.inputs + 3.0 * padding, targets=trial.targets - 2.0 * padding, mask=trial.mask + padding
    )


def learn(rule, circuit, params, trials, state=None):
    """Parameters and the rule's state after one trial each."""
    state = rule.init(circuit, params, key=jax.random.key(7)) if state is None else state
    step = jax.jit(
        lambda params, state, trial: rule.gradient(circuit, params, state, trial, SquaredError(), key=KEY)
    )
    infos = []
    for trial in trials:
        back, state, info = step(params, state, trial)
        params = {name: params[name] - back[name] for name in params}
        infos.append(info)
    return params, state, infos


def run(circuit, p, trial, visit, noise=None, extra=None):
    """One trial of leaky tanh units of the current form, step by step; ``visit`` may change weights."""
    alpha = circuit.dt / np.asarray(circuit.dynamics.time_constant({}, circuit.num_units), float)
    v = np.zeros(circuit.num_units)
    r = np.tanh(v)
    z = p["readout"] @ r + p["readout_bias"]
    for t in range(int(trial.valid[0].sum())):
        x, y, m = (np.asarray(leaf[0, t]) for leaf in (trial.inputs, trial.targets, trial.mask))
        drive = p["recurrent"] @ r + p["input"] @ x + p["bias"]
        drive = drive + (p["output_feedback"] @ z if circuit.output_feedback else 0)
        drive = drive + (0 if noise is None else noise[t]) + (0 if extra is None else extra @ y)
        before, v = r, (1 - alpha) * v + alpha * drive
        r = np.tanh(v)
        z = p["readout"] @ r + p["readout_bias"]
        z = z if visit is None else visit(t, before, r, z, y, m)


def squares(inverse, weights, sources, error, weight=1.0):
    """A textbook step of recursive least squares, in place."""
    reached = inverse @ sources
    gain = weight * reached / (1 + weight * sources @ reached)
    inverse -= np.outer(gain, reached)
    weights -= error * gain


def plain(params):
    return {name: np.array(value) for name, value in params.items()}


def masked_circuit():
    mask = np.ones((OUTPUTS, UNITS), bool)
    mask[0, 1] = mask[1, 4] = False
    return small_circuit("current", readout_mask=mask)


@pytest.fixture(scope="module")
def reservoir():
    """Three trials of least squares for a masked readout, and what the readout read in them."""
    circuit = masked_circuit()
    params = random_params(circuit)
    trials = [one_trial(seed) for seed in range(3)]
    after, state, _ = learn(rules.make("force", ridge=0.7), circuit, params, trials)
    seen = []
    for trial in trials:
        run(circuit, plain(params), trial, lambda t, b, r, z, y, m: seen.append((r, y, m)))
    return circuit, params, after, state, [np.array(leaf) for leaf in zip(*seen, strict=True)]


def ridge_solution(reservoir, output, ridge):
    circuit, params, _, _, (rates, targets, mask) = reservoir
    kept = np.asarray(circuit.readout_mask)[output]
    read, weight = rates * kept, mask[:, output, None]
    wanted = targets[:, output] - float(params["readout_bias"][output])
    matrix = ridge * np.eye(UNITS) + (weight * read).T @ read
    first = np.asarray(circuit.weights(params).readout[output])
    return np.linalg.solve(matrix, ridge * first + (weight * read).T @ wanted), np.linalg.inv(matrix)


def test_force_without_feedback_is_the_ridge_solution_around_the_first_weights(reservoir):
    circuit, params, after, state, (_, _, mask) = reservoir
    assert (mask == 0).any(), "some steps have no weight"
    for output in range(OUTPUTS):
        weights, inverse = ridge_solution(reservoir, output, 0.7)
        assert relative(circuit.weights(after).readout[output], weights) < 1e-9
        assert relative(state["rule_inverse"][output], inverse) < 1e-9
        assert relative(weights, circuit.weights(params).readout[output]) > 0.1
    for name in set(params) - {"readout"}:
        np.testing.assert_array_equal(params[name], after[name])


def test_another_ridge_has_another_solution(reservoir):
    weights, inverse = ridge_solution(reservoir, 0, 0.8)
    assert relative(reservoir[2]["readout"][0], weights) > 1e-3
    assert relative(reservoir[3]["rule_inverse"][0], inverse) > 1e-3


def test_the_error_left_is_the_error_before_over_one_plus_rPr():
    rng = np.random.default_rng(0)
    root, sources, weights = rng.normal(size=(5, 5)), rng.normal(size=5), rng.normal(size=5)
    inverse, target, weight = root @ root.T, 0.7, 1.3
    error = weights @ sources - target
    new, gain = advance(jnp.asarray(inverse)[None], jnp.asarray(sources)[None], jnp.array([weight]))
    left = (weights - error * gain[0]) @ sources - target
    factor = 1 + weight * sources @ inverse @ sources
    np.testing.assert_allclose(left, error / factor, rtol=1e-9)
    assert abs(left) < 0.5 * abs(error)
    np.testing.assert_array_equal(new[0], new[0].T)
    expected = np.linalg.inv(np.linalg.inv(inverse) + weight * np.outer(sources, sources))
    assert relative(new[0], expected) < 1e-9


def test_force_feeds_back_the_output_it_had_before_the_update():
    circuit = small_circuit("current", output_feedback=True)
    params, trial = random_params(circuit), one_trial()
    after, _, _ = learn(rules.make("force", every=2), circuit, params, [trial])
    p, inverses = plain(params), [np.eye(UNITS) for _ in range(OUTPUTS)]

    def visit(t, before, r, z, y, m):
        for output in range(OUTPUTS):
            if t % 2 == 0:
                squares(inverses[output], p["readout"][output], r, (z - y)[output], m[output])
        return z

    run(circuit, p, trial, visit)
    assert relative(after, p) < 1e-9
    assert relative(after["readout"], params["readout"]) > 0.1


def sine(steps=120, period=40):
    t = np.arange(steps)
    one = jnp.ones((1, steps, 1))
    y = np.sin(2 * np.pi * t / period)
    return Trial(
        jnp.asarray(t < 3, float)[None, :, None], jnp.asarray(y)[None, :, None], one, one[..., 0] > 0, {}, {}
    )


def test_force_and_full_force_make_a_chaotic_circuit_oscillate():
    trial = sine()
    for name, feedback in (("force", True), ("full-force", False)):
        circuit = Circuit(
            num_inputs=1,
            num_units=40,
            num_outputs=1,
            dt=1.0,
            dynamics=Leaky(tau=10.0),
            recurrent=Dense(gain=1.5),
            output_feedback=feedback,
        )
        params = jax.tree.map(lambda leaf: leaf.astype(float), circuit.init(key=jax.random.key(0)))
        after, _, _ = learn(rules.make(name), circuit, params, [trial] * 4)

        def loss(params, circuit=circuit):
            return float(((circuit.run(params, trial.inputs[0]).outputs - trial.targets[0]) ** 2).mean())

        assert loss(params) > 0.3
        assert loss(after) < 0.03, f"{name} produces the sine by itself"


def sparse_circuit(noise=0.0, **fields):
    sparse = Sparse(density=0.6, plastic_units=0.67, base=Dense(gain=1.2))
    return dataclasses.replace(small_circuit("current", noise=noise, **fields), recurrent=sparse)


def effective(circuit, params):
    return plain({**params, "recurrent": circuit.weights(params).recurrent})


def test_innate_training_follows_the_first_circuit_without_noise():
    circuit = sparse_circuit(noise=0.3)
    params = random_params(circuit)
    trials = [one_trial(seed) for seed in range(2)]
    after, _, infos = learn(rules.make("innate-training", ridge=0.5), circuit, params, trials)
    plastic = np.asarray(circuit.recurrent.existing(UNITS)) & circuit.recurrent.learns(UNITS)
    first, p = effective(circuit, params), effective(circuit, params)
    inverses = [np.eye(count) / 0.5 for count in plastic.sum(1)]
    noise = np.asarray(circuit.noise(TRIAL_KEY, trials[0].valid.shape[1]))
    for trial in trials:
        innate = []
        run(circuit, first, trial, lambda t, b, r, z, y, m, innate=innate: innate.append(r) or z)

        def visit(t, before, r, z, y, m, innate=innate):
            if t % 2 == 0 and (m > 0).any():
                for unit in np.flatnonzero(plastic.any(1)):
                    own, row = plastic[unit], p["recurrent"][unit]
                    part = row[own]
                    squares(inverses[unit], part, before[own], (r - innate[t])[unit])
                    row[own] = part
            return z

        run(circuit, p, trial, visit, noise)
    assert relative(effective(circuit, after), p) < 1e-9
    moved = np.abs(np.asarray(after["recurrent"] - params["recurrent"]))
    assert moved.max() > 1e-3
    assert not moved[~plastic].any()
    assert 0 < plastic.any(1).sum() < UNITS
    assert np.isfinite(float(infos[0]["loss"]))


def test_innate_training_has_nothing_to_learn_without_noise_and_comes_back_to_where_it_began():
    circuit = sparse_circuit(initial=WarmUp(100.0))
    params, trial = random_params(circuit), one_trial()
    rule = rules.make("innate-training", every=1, ridge=0.1, window=(0.0, 1e6))
    state = rule.init(circuit, params, key=KEY)
    still, _, _ = learn(rule, circuit, params, [trial], state)
    assert norm({name: still[name] - params[name] for name in params}) < 1e-12
    away = {**params, "recurrent": params["recurrent"] + 0.3}

    def rates(params):
        return np.asarray(circuit.run(params, trial.inputs[0], valid=trial.valid[0]).rates)

    found, _, _ = learn(rule, circuit, away, [trial] * 6, state)
    learning = np.asarray(circuit.recurrent.learns(UNITS)).any(1)
    distance = norm((rates(away) - rates(params))[:, learning])
    assert distance > 0.1
    assert norm((rates(found) - rates(params))[:, learning]) < 0.3 * distance


def test_full_force_brings_the_drive_that_the_wanted_output_brings_to_the_second_circuit():
    circuit = small_circuit("current", noise=0.3)
    params, trials = random_params(circuit), [one_trial(seed) for seed in range(2)]
    rule = rules.make("full-force", every=1)
    first = rule.init(circuit, params, key=jax.random.key(7))
    after, state, _ = learn(rule, circuit, params, trials)
    teaching, w0, p = np.asarray(first["rule_teaching"]), plain(params), plain(params)
    assert 0.5 < np.abs(teaching).max() <= 1
    shared, readouts = np.eye(UNITS), [np.eye(UNITS) for _ in range(OUTPUTS)]
    noise = np.asarray(circuit.noise(TRIAL_KEY, trials[0].valid.shape[1]))
    for trial in trials:
        wanted = []

        def second(t, before, r, z, y, m, wanted=wanted):
            wanted.append(w0["recurrent"] @ before + teaching @ y)
            return z

        def visit(t, before, r, z, y, m, wanted=wanted):
            for output in range(OUTPUTS):
                squares(readouts[output], p["readout"][output], r, (z - y)[output], m[output])
            error, reached = p["recurrent"] @ before - wanted[t], shared @ before
            gain = reached / (1 + before @ reached)
            shared[...] -= np.outer(gain, reached)
            p["recurrent"] -= np.outer(error, gain)
            return z

        run(circuit, w0, trial, second, extra=teaching)
        run(circuit, p, trial, visit, noise)
    assert relative(after, p) < 1e-9
    assert relative(state["rule_recurrent_inverse"][0], shared) < 1e-9
    assert relative(after["recurrent"], params["recurrent"]) > 0.1


def test_units_with_the_same_sources_share_their_inverse():
    dense = table(small_circuit("current"))
    assert dense.sources.shape == (1, UNITS)
    assert dense.live.all()
    assert not dense.sets.any()
    sparse = table(sparse_circuit())
    assert len(sparse.units) == 4
    assert not sparse.live.all(), "neurons have unequal numbers of sources"


def test_reward_modulated_hebbian_keeps_what_made_it_better():
    circuit = small_circuit("current", output_feedback=True)
    params, trials = random_params(circuit), [one_trial(seed) for seed in range(6)]
    options = {"rate": 0.3, "decay_time": 100.0, "keep": 0.6}
    rule = rules.make("reward-modulated-hebbian", **options)
    after, state, _ = learn(rule, circuit, params, trials)
    stepper = rule.stepper(circuit)
    assert isinstance(stepper, ExploringReadout)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(KEY, jnp.arange(1))
    steps = trials[0].valid.shape[1]
    noise = np.asarray(stepping.explorations(layout(circuit), stepper, keys, steps, float))[:, 0]
    assert 0.3 < np.abs(noise).max() <= 0.5
    p, time, moves = plain(params), 0.0, []
    for trial in trials:
        means = {}

        def visit(t, before, r, z, y, m, means=means):
            nonlocal time
            z = z + noise[t]
            means["z"] = 0.6 * means["z"] + 0.4 * z if "z" in means else z
            if (m > 0).any():
                reward = -(m * (z - y) ** 2).sum()
                means["R"] = 0.6 * means["R"] + 0.4 * reward if "R" in means else reward
                better = reward > means["R"]
                moves.append(better)
                step = 0.3 / (1 + time / 100.0) * (z - means["z"]) * better * (m > 0)
                p["readout"] += np.outer(step, r)
                time += circuit.dt
            return z

        run(circuit, p, trial, visit)
    assert True in moves
    assert False in moves
    assert relative(after, p) < 1e-9
    assert relative(after["readout"], params["readout"]) > 0.01
    np.testing.assert_allclose(state["rule_time"], time)


def test_reward_modulated_hebbian_goes_downhill_on_average():
    circuit, count = small_circuit("current"), 200
    params = random_params(circuit)
    one = jnp.ones((1, 12, OUTPUTS))
    trial = Trial(jnp.ones((1, 12, INPUTS)), 2 * one, one, one[..., 0] > 0, {}, {})
    trials = jax.tree.map(lambda leaf: jnp.repeat(leaf, count, 0), trial)

    def back(rule, trials):
        state = rule.init(circuit, params, key=KEY)
        return rule.gradient(circuit, params, state, trials, SquaredError(), key=KEY)[0]["readout"]

    found = back(rules.make("reward-modulated-hebbian", rate=1e-4, distribution="gaussian"), trials)
    exact = back(rules.make("readout-only"), trial)
    cosine = (found * exact).sum() / (norm(found) * norm(exact))
    assert cosine > 0.8


@pytest.mark.parametrize("distribution", ["uniform", "gaussian"])
def test_exploration_does_not_depend_on_the_number_of_steps(distribution):
    stepper = ExploringReadout(distribution=distribution)
    long, short = (stepper.exploration(KEY, steps, 3) for steps in (9, 5))
    np.testing.assert_array_equal(long[:5], short)
    assert len(np.unique(long)) == 27


def attempt(name, circuit, trials=None, objective=None, **options):
    rule = rules.make(name, **options)
    params = random_params(circuit)
    state = rule.init(circuit, params, key=KEY)
    trials = one_trial() if trials is None else trials
    return rule.gradient(circuit, params, state, trials, objective or SquaredError(), key=KEY)


@pytest.mark.parametrize(
    ("name", "options", "message"),
    [
        ("force", {"ridge": 0}, "ridge 0 is not a number > 0"),
        ("force", {"every": 0}, "every 0 is not a whole number of steps >= 1"),
        ("innate-training", {"window": (3.0, 3.0)}, "window .* 0 <= start < stop"),
        ("innate-training", {"window": 5.0}, "window 5.0 is not"),
        ("full-force", {"teaching_gain": -1.0}, "teaching_gain -1.0 is not a number > 0"),
        ("reward-modulated-hebbian", {"rate": 0.0}, "rate 0.0 is not a number > 0"),
        ("reward-modulated-hebbian", {"keep": 1.0}, r"keep 1.0 does not lie within \[0, 1\)"),
        ("reward-modulated-hebbian", {"amplitude": -1.0}, "amplitude -1.0 is not a number >= 0"),
        ("reward-modulated-hebbian", {"distribution": "flat"}, "distribution 'flat' is not known"),
    ],
)
def test_options_that_cannot_be(name, options, message):
    with pytest.raises(ValueError, match=message):
        rules.make(name, **options)


def changed(**fields):
    return dataclasses.replace(small_circuit("current"), **fields)


def softplus(recurrent):
    return dataclasses.replace(small_circuit("current", "softplus"), recurrent=recurrent)


@pytest.mark.parametrize(
    ("name", "make", "message"),
    [
        ("force", lambda: changed(readout_tau=50.0), "readout_tau 50 ms"),
        ("force", lambda: changed(non_negative=("readout",)), "non_negative readout weights"),
        ("full-force", lambda: changed(output_feedback=True), "use output_feedback=False, or the rule force"),
        ("innate-training", lambda: changed(output_feedback=True), "use output_feedback=False"),
        ("innate-training", lambda: changed(dynamics=LSTM()), "LSTM has 4 drives a unit"),
        (
            "innate-training",
            lambda: changed(fixed=("recurrent",)),
            "no recurrent weights that are parameters",
        ),
        ("full-force", lambda: changed(recurrent=LowRank()), "no recurrent weights that are parameters"),
        ("full-force", lambda: softplus(Dale(excitatory=0.5)), "by more than which synapses exist"),
        ("reward-modulated-hebbian", lambda: changed(readout_tau=50.0), "readout_tau 50 ms"),
    ],
)
def test_circuits_that_cannot_learn_so(name, make, message):
    with pytest.raises(ValueError, match=message):
        attempt(name, make())


def test_batches_and_objectives_that_are_refused():
    circuit = small_circuit("current")
    for name in ("force", "innate-training", "full-force"):
        assert rules.make(name).traits.batch_size == 1
        with pytest.raises(ValueError, match=r"a batch of 5 trials.*use batch_size=1"):
            attempt(name, circuit, random_trials())
    for objective in (CrossEntropy(), SquaredError() + RatePenalty(1e-3)):
        with pytest.raises(ValueError, match="is not what this rule makes small"):
            attempt("force", circuit, objective=objective)
    with pytest.raises(ValueError, match="leaves nothing to explore"):
        attempt("reward-modulated-hebbian", circuit, amplitude=0.0)
