"""Node and weight perturbation, evolution strategy: enumerated noise, intervals, bookkeeping, refusals."""

from __future__ import annotations

import dataclasses
import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import random_params, small_circuit
from tests.oracles import norm, relative
from throughtime import keys
from throughtime.circuits import GRU, LSTM, Circuit, Dense, Leaky, Learned, LowRank, Sparse, WarmUp
from throughtime.credit import perturb, perturb_parameters
from throughtime.credit.expectation import MEAN, TRIALS, RunningMean
from throughtime.credit.transport import NoTransport
from throughtime.frozen import FrozenArray
from throughtime.objectives import RatePenalty, SquaredError, VanishingGradient
from throughtime.rules import BPTT, AdjointRule, EvolutionStrategy, NodePerturbation, WeightPerturbation
from throughtime.trial import Trial

OBJECTIVE = SquaredError()
KEY = jax.random.key(4)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def tiny(dynamics=None, num_units=2, **fields):
    dynamics = dynamics or Leaky(tau=FrozenArray(np.linspace(30.0, 90.0, num_units)))
    return Circuit(
        num_inputs=1, num_units=num_units, num_outputs=1, dt=20.0, dynamics=dynamics,
        recurrent=Dense(gain=1.2), **fields,
    )  # fmt: skip


def one_trial(num_steps, seed=3, **conditions):
    rng = np.random.default_rng(seed)
    arrays = [rng.normal(size=(1, num_steps, 1)) for _ in range(2)]
    return Trial(*map(jnp.asarray, arrays), jnp.ones((1, num_steps, 1)), jnp.ones((1, num_steps), bool), {},
                 {name: jnp.asarray([value]) for name, value in conditions.items()})  # fmt: skip


def repeated(trials, count):
    return jax.tree.map(lambda leaf: jnp.repeat(leaf, count, 0), trials)


def one(trials):
    return jax.tree.map(lambda leaf: leaf[0], trials)


def inner(one, other):
    return sum(jax.tree.leaves(jax.tree.map(lambda a, b: jnp.sum(a * b), one, other)))


def all_signs(count):
    return np.array(list(itertools.product((-1.0, 1.0), repeat=count)))


def bptt(circuit, params, trials, carry=None, rule=None, objective=OBJECTIVE):
    key = jax.random.key(0)
    run = jax.jit(
        lambda p: (rule or BPTT()).gradient(circuit, p, {}, trials, objective, key=key, carry=carry)
    )
    return run(params)[0]


def enumerated(circuit, params, num_steps, *, outputs, objective=OBJECTIVE):
    """σ -> mean of the node estimate over every pattern of signs: each pattern is one trial of a batch."""
    total = num_steps + circuit.initial.num_warm_up_steps(circuit.dt)
    shape = (total, circuit.dynamics.num_drives, circuit.num_units)
    pushed = total + 1 if circuit.output_feedback else num_steps
    signs = all_signs(int(np.prod(shape)) + (pushed if outputs else 0))
    drive = signs[:, : int(np.prod(shape))].reshape(-1, *shape)
    output = np.zeros((len(signs), total + 1, 1))
    if outputs:
        output[:, -pushed:, 0] = signs[:, int(np.prod(shape)) :]
    trials, keys_ = (
        repeated(one_trial(num_steps), len(signs)),
        jax.random.split(jax.random.key(0), len(signs)),
    )

    def mean(sigma):
        return perturb.gradient(
            circuit, params, trials, objective, trial_keys=keys_, sigma=sigma,
            readout_sigma=0.7 * sigma if outputs else None, expected=None,
            noise=perturb.Noise(jnp.asarray(drive), jnp.asarray(output)),
        )[0]  # fmt: skip

    return jax.jit(mean)


def bias_ratio(mean, wanted, sigma=0.1):
    """How much the distance to the gradient falls as σ halves."""
    far, near = (norm(jax.tree.map(jnp.subtract, mean(one), wanted)) for one in (sigma, sigma / 2))
    return far / near


RATE = Leaky(tau=FrozenArray([30.0, 90.0]), form="rate")
NODES = {
    "current": (tiny(), 3, False),
    "rate, noisy outputs": (tiny(RATE), 3, True),
    "lstm": (tiny(LSTM(), num_units=1), 2, False),
    "leaky readout": (tiny(readout_tau=40.0), 2, True),
    "leaky readout, delta rule": (tiny(readout_tau=40.0), 3, False),
    "output fed back": (tiny(Leaky(tau=60.0, activation="sigmoid"), output_feedback=True), 2, True),
    "warm-up": (tiny(initial=WarmUp(40.0)), 2, False),
}


@pytest.mark.parametrize("case", NODES)
def test_bias_of_node_perturbation_falls_with_the_square_of_the_noise(case):
    circuit, num_steps, outputs = NODES[case]
    params = random_params(circuit)
    objective = OBJECTIVE + RatePenalty(0.1) if case == "current" else OBJECTIVE
    wanted = bptt(circuit, params, one_trial(num_steps), objective=objective)
    assert all(norm(leaf) > 1e-3 for leaf in wanted.values())
    mean = enumerated(circuit, params, num_steps, outputs=outputs, objective=objective)
    assert bias_ratio(mean, wanted) == pytest.approx(4, rel=0.2)
    assert relative(mean(1e-3), wanted) < 1e-4


def test_a_factor_of_the_neuron_or_fresh_noise_is_another_rule(monkeypatch):
    circuit = tiny(RATE)
    params = random_params(circuit)
    wanted = bptt(circuit, params, one_trial(3))
    right, run = perturb.weight_estimates, perturb.run

    def with_slope(circuit, unfolded, drive, errors):
        return right(circuit, unfolded, drive * (1 - jnp.tanh(unfolded.drives) ** 2), errors)

    def fresh(*args):
        return run(*args[:-1], jnp.roll(args[-1], 1, axis=1)) if len(args) == 7 else run(*args)

    for name, mutant in (("weight_estimates", with_slope), ("run", fresh)):
        with monkeypatch.context() as patch:
            patch.setattr(perturb, name, mutant)
            assert bias_ratio(enumerated(circuit, params, 3, outputs=False), wanted) < 1.5, name


def flat_signs(numbers):
    """Every pattern of signs for the numbers that are shifted, leaves (pattern, …)."""
    free = {name: np.flatnonzero(np.asarray(leaf)) for name, leaf in numbers.items()}
    signs, begin, made = all_signs(sum(map(len, free.values()))), 0, {}
    for name, where in free.items():
        leaf = np.zeros((len(signs), numbers[name].size))
        leaf[:, where] = signs[:, begin : begin + len(where)]
        made[name], begin = jnp.asarray(leaf.reshape(-1, *numbers[name].shape)), begin + len(where)
    return made, begin


def small_free():
    """A circuit with seven free numbers: recurrent weights behind a mask, biases, a learned initial state."""
    circuit = dataclasses.replace(
        tiny(fixed=("input", "readout", "readout_bias"), initial=Learned()),
        recurrent=Sparse(mask=np.array([[1, 1], [0, 1]]), base=Dense(gain=1.2)),
    )
    params = random_params(circuit)
    return circuit, {**params, "initial_current": jnp.array([0.3, -0.2])}


def test_enumerated_pairs_have_the_gradient_as_mean_and_variance_p_minus_one():
    circuit, params = small_free()
    trials = one_trial(4)
    noise, num = flat_signs(perturb_parameters.free_numbers(circuit, params))
    assert num == 7, "three of four recurrent weights, two biases, two initial currents"
    exact = bptt(circuit, params, trials)
    wanted = {name: leaf if name not in circuit.fixed else 0 * leaf for name, leaf in exact.items()}
    keys_ = jax.random.split(jax.random.key(0), 1)

    def estimate(direction, sigma):
        return perturb_parameters.by_pairs(
            circuit, params, trials, OBJECTIVE, trial_keys=keys_, sigma=sigma, num_pairs=1,
            direction=lambda _: direction,
        )[0]  # fmt: skip

    every = jax.jit(jax.vmap(estimate, (0, None)))

    def mean(sigma):
        return jax.tree.map(lambda leaf: leaf.mean(0), every(noise, sigma))

    assert bias_ratio(mean, wanted) == pytest.approx(4, rel=0.2)
    each = every(noise, 1e-4)
    spread = jax.tree.map(lambda leaf, middle: leaf - middle, each, wanted)
    assert relative(mean(1e-4), wanted) < 1e-6
    variance = norm(spread) ** 2 / 2**num / norm(wanted) ** 2
    assert variance == pytest.approx(num - 1, rel=1e-3)


def test_enumerated_shifts_of_single_trials_have_the_gradient_as_mean():
    circuit, params = small_free()
    noise, num = flat_signs(perturb_parameters.free_numbers(circuit, params))
    exact = bptt(circuit, params, one_trial(4))
    wanted = {name: leaf if name not in circuit.fixed else 0 * leaf for name, leaf in exact.items()}
    trials, keys_ = repeated(one_trial(4), 2**num), jax.random.split(jax.random.key(0), 2**num)

    @jax.jit
    def mean(sigma):
        return perturb_parameters.by_trial(
            circuit, params, trials, OBJECTIVE, trial_keys=keys_, sigma=sigma, noise=noise
        )[0]

    assert bias_ratio(mean, wanted) == pytest.approx(4, rel=0.2)


RULES = {
    "node": NodePerturbation(sigma=1e-3, baseline="noise-free"),
    "weight": WeightPerturbation(sigma=1e-3),
    "evolution": EvolutionStrategy(sigma=1e-3, num_pairs=2),
}


@functools.cache
def judged():
    """A circuit, its exact gradient, a biased one, and three directions, the last along their difference."""
    circuit, trials, rng = tiny(num_units=3), one_trial(6), np.random.default_rng(1)
    params = random_params(circuit)
    exact = bptt(circuit, params, trials)
    wrong = bptt(circuit, params, trials, rule=AdjointRule(transport=NoTransport()))
    ways = [jax.tree.map(lambda leaf: rng.normal(size=leaf.shape), params) for _ in range(2)]
    return circuit, params, trials, exact, wrong, [*ways, jax.tree.map(jnp.subtract, exact, wrong)]


@pytest.mark.parametrize("name", RULES)
def test_mean_of_many_draws_lies_in_its_interval_and_a_biased_gradient_does_not(name):
    circuit, params, trials, exact, wrong, ways = judged()

    def along(grads):
        return jnp.stack([inner(grads, way) for way in ways])

    def draw(key):
        return along(RULES[name].gradient(circuit, params, {}, trials, OBJECTIVE, key=key)[0])

    draws = jax.jit(jax.vmap(draw))(jax.random.split(jax.random.key(5), 2000))
    mean, error = draws.mean(0), draws.std(0, ddof=1) / np.sqrt(len(draws))
    assert np.all(np.abs(mean - along(exact)) < 3.29 * error)
    assert np.any(np.abs(mean - along(wrong)) > 3.29 * error)


@pytest.mark.parametrize("name", RULES)
def test_single_trials_with_padding_average_to_the_batch(name):
    """Single trials, each with garbage behind its end, have the batch's estimate as their mean."""
    circuit, num = tiny(noise_sd=0.1), 3
    params, trials = random_params(circuit), repeated(one_trial(6), num)
    trials = trials._replace(valid=jnp.arange(6) < jnp.array([[6], [4], [5]]))
    trials = trials._replace(mask=trials.mask * trials.valid[..., None])
    numbers = perturb_parameters.free_numbers(circuit, params)
    each = jax.vmap(jax.random.fold_in, (None, 0))(KEY, jnp.arange(num))
    shared = perturb_parameters.draw(keys.stream(KEY, "rule"), numbers)

    def longer(leaf, value):
        return jnp.concatenate([leaf, jnp.full((num, 3, *leaf.shape[2:]), value, leaf.dtype)], 1)

    padded = trials._replace(
        **{part: longer(getattr(trials, part), value)
           for part, value in (("inputs", 7), ("targets", -3), ("mask", 0), ("valid", False))}
    )  # fmt: skip

    def estimate(trials, keys_):
        batch = (circuit, params, trials, OBJECTIVE)
        if name == "node":
            return perturb.gradient(*batch, trial_keys=keys_, sigma=1e-3, readout_sigma=2e-3, expected=None)
        if name == "weight":
            return perturb_parameters.by_trial(*batch, trial_keys=keys_, sigma=1e-3)
        return perturb_parameters.by_pairs(
            *batch, trial_keys=keys_, sigma=0.1, num_pairs=1, direction=lambda _: shared
        )

    @jax.jit
    def both():
        return estimate(trials, each), jax.vmap(
            lambda trial, key: estimate(jax.tree.map(lambda leaf: leaf[None], trial), key[None])
        )(padded, each)

    (whole, info), (single, of_one) = both()
    assert norm(whole) > 0.1
    assert relative(jax.tree.map(lambda leaf: leaf.mean(0), single), whole) < 1e-9
    assert relative(of_one["losses"][:, 0], info["losses"]) < 1e-9
    for other in ("expected", "shifted_losses"):  # of the second run, under the same circuit noise
        assert relative(info.get(other, info["losses"]), info["losses"]) < 5e-3
    assert relative(jax.tree.map(lambda leaf: leaf.sum(0), single), whole) > 1, "a sum is no mean"


def test_draws_come_from_the_trial_key_and_do_not_depend_on_the_number_of_steps():
    circuit = small_circuit("current")
    short, long = (perturb.draw(circuit, jax.random.key(1), steps) for steps in (6, 9))
    other = perturb.draw(circuit, jax.random.key(2), 6)
    np.testing.assert_array_equal(short.drive, long.drive[:6])
    np.testing.assert_array_equal(short.output, long.output[:7])
    assert np.all(np.asarray(short.drive) != np.asarray(other.drive))
    assert set(np.unique(perturb.draw(circuit, jax.random.key(1), 6, "signs").drive)) == {-1.0, 1.0}
    noise = circuit.noise(jax.random.key(1), 6)
    assert np.all(np.asarray(short.drive[:, 0]) != np.asarray(noise)), "not the numbers of circuit noise"


def test_running_means_by_kind():
    kinds_of = RunningMean("Rule", ("side", "hard"), 2, keep=0.75)
    trials = one_trial(3)._replace(
        inputs=jnp.zeros((5, 3, 1)),
        conditions={"side": jnp.array([0, 1, 1, 0, 1]), "hard": jnp.array([True, False, False, True, True])},
    )
    kinds = kinds_of.kinds(trials)
    assert kinds.tolist() == [1, 2, 2, 1, 3]
    state = kinds_of.init(np.dtype(float))
    assert kinds_of.of(state, kinds)[1].tolist() == [False] * 5
    losses = jnp.array([1.0, 2.0, 4.0, 3.0, 5.0])
    first = kinds_of.after(state, kinds, losses)
    assert first[MEAN].tolist() == [0, 2, 3, 5], "the first batch of a kind sets its mean"
    assert first[TRIALS].tolist() == [0, 2, 2, 1]
    second = kinds_of.after(first, kinds, 2 * losses)
    np.testing.assert_allclose(second[MEAN], [0, 0.5625 * 2 + 0.4375 * 4, 0.5625 * 3 + 0.4375 * 6, 6.25])
    assert second[TRIALS].tolist() == [0, 4, 4, 2]
    from_zero = dataclasses.replace(kinds_of, from_zero=True).after(state, kinds, losses)
    np.testing.assert_allclose(from_zero[MEAN], [0, 0.4375 * 2, 0.4375 * 3, 1.25])
    strange = trials._replace(conditions={**trials.conditions, "side": jnp.array([0, 1, 2, 0, 1])})
    assert np.isnan(kinds_of.of(first, kinds_of.kinds(strange))[0]).tolist() == [0, 0, 1, 0, 0]


def test_the_running_baseline_enters_the_estimate_by_kind():
    circuit = tiny()
    rule = NodePerturbation(condition="side", readout="delta")
    params = random_params(circuit)
    trials = repeated(one_trial(4), 5)._replace(conditions={"side": jnp.array([0, 1, 1, 0, 0])})

    @jax.jit
    def compute(state):
        grads, state, info = rule.gradient(circuit, params, state, trials, OBJECTIVE, key=KEY)
        wanted, _ = perturb.gradient(
            circuit, params, trials, OBJECTIVE, trial_keys=keys.of_batch(KEY, trials.inputs.shape[0]),
            sigma=0.1, readout_sigma=None, expected=info["expected"],
        )  # fmt: skip
        return grads, state, info, wanted

    grads, state, info, _ = compute(rule.init(circuit, params, key=KEY))
    assert norm(grads["recurrent"]) == 0, "nothing was to be expected of the first trials"
    assert norm(grads["readout"]) > 1e-2, "the delta rule does not wait"
    means = [info["losses"][np.array(pick)].mean() for pick in ([0, 3, 4], [1, 2])]
    np.testing.assert_allclose(state[MEAN], means)
    grads, _, info, wanted = compute(state)
    np.testing.assert_allclose(info["expected"], np.array(means)[np.array([0, 1, 1, 0, 0])])
    assert relative(grads, wanted) < 1e-12
    assert norm(grads["recurrent"]) > 1e-2


def test_what_is_fixed_masked_or_own():
    """Numbers that cannot matter get exactly 0; node noise says nothing of time constants, a shift does."""
    mask = np.array([[1, 0, 1], [1, 1, 0], [0, 1, 1]], bool)
    circuit = Circuit(
        num_inputs=1, num_units=3, num_outputs=1, dt=20.0, dynamics=Leaky(tau=60.0, tau_range=(30.0, 200.0)),
        recurrent=Sparse(mask=mask), initial=Learned(), fixed=("input",), readout_mask=np.array([[1, 0, 1]]),
    )  # fmt: skip
    params, trials = random_params(circuit), one_trial(4)

    @jax.jit
    def both():
        return [
            RULES[name].gradient(circuit, params, {}, trials, OBJECTIVE, key=KEY)[0]
            for name in ("node", "weight")
        ]

    nodes, *shifted = both()
    for grads in shifted:
        assert norm(grads["input"]) == 0
        for name in ("tau_logit", "initial_current", "bias"):
            assert np.all(np.asarray(grads[name]) != 0), name
    for grads in (nodes, *shifted):
        assert np.array_equal(np.asarray(grads["recurrent"]) != 0, mask)
        assert (np.asarray(grads["readout"]) != 0).tolist() == [[True, False, True]]
    assert norm(nodes["tau_logit"]) == norm(nodes["initial_current"]) == 0


def test_factors_of_low_rank_are_shifted_whole():
    circuit = dataclasses.replace(tiny(), recurrent=LowRank(rank=1))
    params = random_params(circuit)
    assert all(
        np.all(np.asarray(leaf) == 1) for leaf in perturb_parameters.free_numbers(circuit, params).values()
    )
    silent = {**params, "right": 0 * params["right"]}
    assert np.all(np.asarray(perturb_parameters.free_numbers(circuit, silent)["left"]) == 1)


def one_pair(circuit, params, trials, **settings):
    """Estimate of one antithetic pair, and what it must be: the exact gradient along its shift."""
    rule, objective = EvolutionStrategy(sigma=1e-4, num_pairs=1), OBJECTIVE
    numbers = perturb_parameters.free_numbers(circuit, params)
    shift = perturb_parameters.draw(jax.random.fold_in(keys.stream(KEY, "rule"), 0), numbers)
    exact = bptt(circuit, params, trials, **settings)
    found, _, info = jax.jit(
        lambda: rule.gradient(circuit, params, {}, trials, objective, key=KEY, **settings)
    )()
    return found, jax.tree.map(lambda leaf: inner(exact, shift) * leaf, shift), info


def test_a_shift_trains_the_gates_that_only_exact_rules_reach():
    circuit = tiny(GRU(reset="before"))
    found, wanted, _ = one_pair(circuit, random_params(circuit), one_trial(4))
    assert norm(wanted) > 1e-2
    assert relative(found, wanted) < 1e-6


def test_runs_begin_at_carried_states():
    circuit = tiny()
    params, trials = random_params(circuit), one_trial(4)
    start = {"current": jnp.array([[1.0, -2.0]])}
    found, wanted, info = one_pair(circuit, params, trials, carry=start)
    assert norm(wanted) > 1e-2
    assert relative(found, wanted) < 1e-6
    path = circuit.run(params, trials.inputs[0], state={"current": start["current"][0]})
    final = path.states["current"][-1:]
    np.testing.assert_allclose(info["carry"]["current"], final, atol=1e-6)
    rules = NodePerturbation(sigma=1e-6, baseline="noise-free"), WeightPerturbation(sigma=1e-6)
    for info in jax.jit(
        lambda: [r.gradient(circuit, params, {}, trials, OBJECTIVE, key=KEY, carry=start)[2] for r in rules]
    )():
        np.testing.assert_allclose(info["carry"]["current"], final, atol=1e-4)
        np.testing.assert_allclose(info["loss"], OBJECTIVE(path.outputs, one(trials)), rtol=1e-4)


def test_ranks_take_the_place_of_losses():
    circuit, sigma, num = tiny(), 0.02, 3
    params, trials = random_params(circuit), one_trial(3)
    rule = EvolutionStrategy(num_pairs=num, sigma=sigma, rank_shaping=True)
    grads, _, info = jax.jit(lambda: rule.gradient(circuit, params, {}, trials, OBJECTIVE, key=KEY))()
    ranks = np.argsort(np.argsort(np.ravel(info["pair_losses"]))).reshape(num, 2) / (2 * num - 1) - 0.5
    numbers, root = perturb_parameters.free_numbers(circuit, params), keys.stream(KEY, "rule")
    shifts = [perturb_parameters.draw(jax.random.fold_in(root, pair), numbers) for pair in range(num)]
    factors = (ranks[:, 0] - ranks[:, 1]) / 2 / sigma / num
    wanted = jax.tree.map(lambda *each: sum(f * leaf for f, leaf in zip(factors, each, strict=True)), *shifts)
    assert relative(grads, wanted) < 1e-9


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: NodePerturbation(sigma=0.0), "sigma 0.0 is not a positive number"),
        (lambda: NodePerturbation(readout_sigma=-1.0), "readout_sigma -1.0 is not a positive"),
        (lambda: NodePerturbation(baseline="none"), "baseline 'none' is not known; use 'running' or"),
        (lambda: NodePerturbation(readout="exact"), "readout 'exact' is not known; use 'perturbation' or"),
        (lambda: NodePerturbation(distribution="flat"), "use 'gaussian' or 'signs'"),
        (lambda: NodePerturbation(num_conditions=0), "num_conditions 0 is not a whole number >= 1"),
        (lambda: NodePerturbation(averaging=1.0), r"averaging 1.0 does not lie within \[0, 1\)"),
        (lambda: WeightPerturbation(sigma=float("nan")), "sigma nan is not a positive number"),
        (lambda: EvolutionStrategy(num_pairs=0), "num_pairs 0 is not a whole number >= 1"),
    ],
)
def test_refused_options(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize(
    ("rule", "circuit", "objective", "carry", "message"),
    [
        (NodePerturbation(), tiny(GRU(reset="before")), OBJECTIVE, None, "use reset='after', or the rule w"),
        (NodePerturbation(), tiny(), OBJECTIVE + VanishingGradient(0.1), None, "use the rule bptt"),
        (WeightPerturbation(), tiny(), OBJECTIVE + VanishingGradient(0.1), None, "use the rule bptt"),
        (EvolutionStrategy(), tiny(), OBJECTIVE + VanishingGradient(0.1), None, "use the rule bptt"),
        (WeightPerturbation(), tiny(readout_tau=40.0), OBJECTIVE, {}, "start every trial anew"),
        (
            NodePerturbation(condition="size"),
            tiny(),
            OBJECTIVE,
            None,
            "no condition 'size'; they have delay, s",
        ),
        (NodePerturbation(condition="delay"), tiny(), OBJECTIVE, None, "'delay' is not a whole number"),
    ],
)
def test_refused_circuits_and_trials(rule, circuit, objective, carry, message):
    params, trials = random_params(circuit), one_trial(3, side=1, delay=0.5)
    state = rule.init(circuit, params, key=KEY)
    with pytest.raises(ValueError, match=message):
        rule.gradient(circuit, params, state, trials, objective, key=KEY, carry=carry)
