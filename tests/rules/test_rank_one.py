"""UORO, KF-RTRL and R-KF-RTRL: products of random factors whose mean is the exact gradient."""

from __future__ import annotations

import dataclasses
import itertools
from functools import cache
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.credit.test_bptt import TwoGates
from tests.oracles import norm, relative
from throughtime.circuits import GRU, LSTM, Circuit, Dense, Leaky, Learned, Sparse, WarmUp
from throughtime.circuits.initial import Scattered
from throughtime.credit import online, recorded, stepping
from throughtime.credit.rank_one import RankOne
from throughtime.credit.record import Record, Wiring, layout
from throughtime.objectives import SquaredError
from throughtime.rules import KFRTRL, RKFRTRL, UORO
from throughtime.trial import Trial

RULES = (UORO(), KFRTRL(), RKFRTRL())
BLOCKS = ("recurrent", "input", "bias")
by_name = pytest.mark.parametrize("rule", RULES, ids=lambda rule: type(rule).__name__)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def circuit_of(dynamics, units=2, **fields):
    return Circuit(
        num_inputs=1, num_units=units, num_outputs=2, dt=20.0, dynamics=dynamics,
        recurrent=fields.pop("recurrent", Dense(gain=1.2)), **fields,
    )  # fmt: skip


def leaky(form, **fields):
    return Leaky(tau=50.0, form=form, **fields)


def params_of(circuit):
    rng = np.random.default_rng(3)
    drawn = circuit.init(key=jax.random.key(0))
    return {name: jnp.asarray(value + 0.4 * rng.normal(size=value.shape)) for name, value in drawn.items()}


def trials_of(circuit, steps, num_trials=1):
    rng = np.random.default_rng(1)
    inputs = rng.normal(size=(num_trials, steps, circuit.num_inputs))
    targets, mask = rng.normal(size=(2, num_trials, steps, circuit.num_outputs))
    valid = np.ones((num_trials, steps), bool)
    return Trial(*map(jnp.asarray, (inputs, targets, mask**2)), jnp.asarray(valid), {}, {})


@cache
def exact(circuit, steps):
    """The gradient of ``trials_of`` by ``params_of``, and BPTT's info."""
    params, trials = params_of(circuit), trials_of(circuit, steps)
    rule = tt.rules.make("bptt")
    grads, _, info = jax.jit(
        lambda *args: rule.gradient(circuit, args[0], {}, args[1], SquaredError(), key=jax.random.key(0))
    )(params, trials)
    return grads, info


class Given:
    """Signs from a table in the rule's state instead of drawn ones."""

    def signs(self, state, now, key, count, start=False):
        return state["start"][:count] if start else state["signs"][now.index, :count]


class Apart(Given):
    """A mutant: fresh signs in each of the two factors."""

    def step(self, plan, state, memory, now, wires, key):
        other = {**state, "signs": state["others"]}
        _, one, _ = super().step(plan, state, memory, now, wires, key)
        _, two, _ = super().step(plan, other, memory, now, wires, key)
        if hasattr(one, "slots"):
            mixed = one._replace(slots=two.slots)
            slots = self.felt(now, wires, mixed.states, None) * mixed.slots
        else:
            mixed = one._replace(outer=two.outer)
            felt = self.felt(now, wires, mixed.states, None)
            of_sources = mixed.outer.ndim == 1
            slots = felt[None, :, None] * mixed.outer if of_sources else mixed.outer[..., None] * felt
        return state, mixed, stepping.Share(slots)


def with_table(stepper, how=Given):
    kind = dataclasses.dataclass(frozen=True)(type(how.__name__, (how, type(stepper)), {}))
    fields = {item.name: getattr(stepper, item.name) for item in dataclasses.fields(stepper)}
    return kind(**fields)


def with_signs(circuit, rule, params, trials, tables, how=Given, keys=None):
    """Gradients (pattern, …) for tables of signs, leaves (pattern, …)."""
    stepper = with_table(rule.stepper(circuit), how)
    keys = jax.random.split(jax.random.key(0), 1) if keys is None else keys

    def one(table, params, trials):
        return recorded.gradient(
            circuit, params, trials, SquaredError(), stepper, rule, table, trial_keys=keys
        )[0]

    return jax.jit(jax.vmap(one, (0, None, None)))(tables, params, trials)


def patterns(count):
    """All patterns of ``count`` signs, (pattern, count)."""
    return np.array(list(itertools.product((1.0, -1.0), repeat=count)))


def signs_a_step(rule, circuit):
    units, dynamics = circuit.num_units, circuit.dynamics
    if isinstance(rule, KFRTRL):
        return 1
    return units * (len(dynamics.state_names) if isinstance(rule, UORO) else dynamics.num_drives)


def every_table(rule, circuit, steps):
    each = signs_a_step(rule, circuit)
    return {"signs": jnp.asarray(patterns(each * steps).reshape(-1, steps, each))}


def mean(grads):
    return {name: value.mean(0) for name, value in grads.items()}


CIRCUITS = {
    "current": circuit_of(leaky("current")),
    "rate, leaky readout": circuit_of(leaky("rate"), readout_tau=60.0),
    "lstm": circuit_of(LSTM(), units=1),
}


@by_name
@pytest.mark.parametrize("circuit", CIRCUITS.values(), ids=CIRCUITS)
def test_mean_over_all_sign_patterns_is_exact(rule, circuit):
    params, trials = params_of(circuit), trials_of(circuit, 3)
    wanted, _ = exact(circuit, 3)
    grads = with_signs(circuit, rule, params, trials, every_table(rule, circuit, 3))
    assert relative(mean(grads), wanted) < 1e-9
    for name in BLOCKS:
        assert norm(wanted[name]) > 1e-3, name
        assert norm(grads[name].std(0)) > 0.01 * norm(wanted[name]), f"{name}: patterns must differ"


@by_name
def test_fresh_signs_in_each_factor_fail(rule):
    circuit = CIRCUITS["current"]
    params, trials = params_of(circuit), trials_of(circuit, 2)
    wanted, _ = exact(circuit, 2)
    tables = every_table(rule, circuit, 2)["signs"]
    count = len(tables)
    pairs = {"signs": jnp.repeat(tables, count, axis=0), "others": jnp.tile(tables, (count, 1, 1))}
    same = with_signs(circuit, rule, params, trials, {"signs": tables, "others": tables}, how=Apart)
    assert relative(mean(same), wanted) < 1e-9, "with the same signs the mutant is the rule"
    apart = with_signs(circuit, rule, params, trials, pairs, how=Apart)
    assert relative({"recurrent": apart["recurrent"].mean(0)}, {"recurrent": wanted["recurrent"]}) > 0.5


def test_uoro_trains_the_neurons_own_parameters_and_the_initial_state():
    """Two variables and three drives; parameters act in the neuron, in what it sends and in what is read."""
    circuit = circuit_of(TwoGates(), readout_tau=60.0, initial=Learned())
    params, trials = params_of(circuit), trials_of(circuit, 2)
    wanted, _ = exact(circuit, 2)
    signs = patterns(12)
    tables = {"start": jnp.asarray(signs[:, :4]), "signs": jnp.asarray(signs[:, 4:].reshape(-1, 2, 4))}
    grads = with_signs(circuit, UORO(), params, trials, tables)
    assert relative(mean(grads), wanted) < 1e-9
    for name in ("sharpness", "mix", "initial_fast", "initial_slow"):
        assert norm(wanted[name]) > 1e-4, name
        assert norm(grads[name].std(0)) > 0.01 * norm(wanted[name]), name


def test_no_share_where_a_drive_has_no_synapses():
    circuit = circuit_of(GRU())
    plan, rng, key = layout(circuit), np.random.default_rng(0), jax.random.key(0)

    def some(*shape):
        return jnp.asarray(rng.normal(size=shape))

    now = Record(*[None] * len(Record._fields))._replace(
        sources=some(4), keep=some(1, 1, 2), enter=some(1, 4, 2), sending=some(1, 2), reading=some(1, 2),
        error=some(2), direct=some(2), index=0,
    )  # fmt: skip
    wires = Wiring(some(3, 2, 2), some(2, 2), some(3, 2, 2))
    for rule in RULES:
        stepper = rule.stepper(circuit)
        memory = stepper.begin(plan, {}, jnp.float64)
        slots = jax.jit(
            lambda step=stepper.step, rest=memory: step(plan, {}, rest, now, wires, key)[2].slots
        )()
        np.testing.assert_array_equal(slots != 0, np.broadcast_to(plan.feeds[:, None], slots.shape))


def test_uoro_started_from_normal_numbers():
    """With factors A, B before the first step, the mean over signs is off by ``(∂L/∂s_0 · A) B``, exactly."""
    circuit = CIRCUITS["current"]
    params, trials = params_of(circuit), trials_of(circuit, 3)
    wanted, info = exact(circuit, 3)
    rule = UORO(start="normal")
    stepper, plan = rule.stepper(circuit), layout(circuit)
    trial_keys = jax.random.split(jax.random.key(4), 1)
    key = jax.random.fold_in(stepping.rule_keys(trial_keys, 0)[0], 1)
    rest = stepper.begin(plan, {}, jnp.float64)
    drawn = stepper.started(plan, {}, rest, None, key)
    again = stepper.started(plan, {}, drawn, None, jax.random.key(8))
    assert (again.states == drawn.states).all(), "drawn once"
    tables = every_table(rule, circuit, 3)
    grads = mean(with_signs(circuit, rule, params, trials, tables, keys=trial_keys))
    along = (info["initial_state"]["current"][0] * drawn.states[0]).sum() * drawn.slots[0]
    extra = {"recurrent": along[:, :2], "input": along[:, 2:3], "bias": along[:, 3]}
    assert norm(extra) > 1e-2
    assert relative({name: grads[name] - wanted[name] for name in BLOCKS}, extra) < 1e-9
    many = jax.vmap(lambda key: stepper.started(plan, {}, rest, None, key))(jax.random.split(key, 2000))
    for leaf in (many.states, many.slots):
        assert abs(float(leaf.mean())) < 0.05
        assert float(leaf.std()) == pytest.approx(1, abs=0.05)


@by_name
def test_one_step_is_exact_for_kf_rtrl_alone(rule):
    circuit = CIRCUITS["current"]
    params = params_of(circuit)
    for steps in (1, 2):
        trials = trials_of(circuit, steps)
        wanted, _ = exact(circuit, steps)
        table = {"signs": jnp.asarray([[[1.0, -1.0]] * steps, [[1.0, 1.0], [-1.0, 1.0]][:steps]])}
        distances = [
            relative(jax.tree.map(lambda leaf, one=one: leaf[one], grads), wanted)
            for grads in [with_signs(circuit, rule, params, trials, table)]
            for one in range(2)
        ]
        if isinstance(rule, KFRTRL) and steps == 1:
            assert max(distances) < 1e-9
        else:
            assert max(distances) > 0.01


@cache
def larger(form):
    with jax.enable_x64(True):
        circuit = circuit_of(leaky(form), units=5, recurrent=Sparse(density=0.5, base=Dense(gain=1.2)))
        params, trials = params_of(circuit), trials_of(circuit, 6)
        return circuit, params, trials, exact(circuit, 6)[0]


def deviation(grads, wanted, num_directions=3):
    """|mean − wanted| along fixed random directions in the weights, in standard errors; the largest."""
    rng = np.random.default_rng(7)
    flat = np.concatenate([np.asarray(grads[name]).reshape(len(grads[name]), -1) for name in BLOCKS], axis=1)
    aim = np.concatenate([np.asarray(wanted[name]).ravel() for name in BLOCKS])
    along = (flat - aim) @ rng.normal(size=(len(aim), num_directions))
    return float(np.max(np.abs(along.mean(0)) / (along.std(0) / np.sqrt(len(along)))))


WITHIN = 3.59  # two-sided 99.9 % for three directions together


@by_name
@pytest.mark.parametrize("form", ["current", "rate"])
def test_drawn_signs_are_right_on_average_in_sparse_circuits(rule, form):
    circuit, params, trials, wanted = larger(form)
    draws = jax.random.split(jax.random.key(5), 3000)
    grads = jax.jit(
        jax.vmap(lambda key: rule.gradient(circuit, params, {}, trials, SquaredError(), key=key)[0])
    )(draws)
    assert deviation(grads, wanted) < WITHIN
    absent = ~np.asarray(circuit.recurrent.existing(circuit.num_units))
    assert absent.any()
    assert not np.asarray(grads["recurrent"])[:, absent].any()


def test_signs_that_repeat_from_step_to_step_are_outside_the_interval():
    circuit, params, trials, wanted = larger("current")
    fresh = np.random.default_rng(0).choice([1.0, -1.0], (3000, 6, 5))
    for rule in RULES[:2]:
        held = jnp.asarray(np.broadcast_to(fresh[:, :1], fresh.shape))
        biased = with_signs(circuit, rule, params, trials, {"signs": held})
        assert deviation(biased, wanted) > 2 * WITHIN, rule


def test_a_warm_up_is_drawn_for_every_trial(monkeypatch):
    circuit = circuit_of(leaky("current"), initial=WarmUp(60.0))
    params, trials = params_of(circuit), trials_of(circuit, 3)
    wanted, _ = exact(circuit, 3)
    draws = jax.random.split(jax.random.key(5), 2000)

    def found():
        each = jax.vmap(
            lambda key: KFRTRL().gradient(circuit, params, {}, trials, SquaredError(), key=key)[0]
        )
        return deviation(jax.jit(each)(draws), wanted)

    assert found() < WITHIN
    monkeypatch.setattr(RankOne, "draws", False)
    assert found() > 2 * WITHIN, "one warm-up for all has one draw"


@by_name
def test_padding_changes_no_draw_and_a_batch_is_the_mean_of_its_trials(rule):
    circuit = circuit_of(leaky("rate"), readout_tau=60.0)
    params, whole = params_of(circuit), trials_of(circuit, 6, num_trials=2)
    valid = jnp.broadcast_to(jnp.arange(6) < 4, (2, 6))
    live = whole._replace(inputs=jnp.where(valid[..., None], whole.inputs, 1e3))
    padded = live._replace(valid=valid, mask=jnp.where(valid[..., None], whole.mask, 0))
    short = jax.tree.map(lambda leaf: leaf[:, None, :4], whole)
    keys, stepper = jax.random.split(jax.random.key(2), 2), rule.stepper(circuit)

    def run(trials, keys):
        grads, _, info = recorded.gradient(
            circuit, params, trials, SquaredError(), stepper, rule, {}, trial_keys=keys
        )
        return grads, info["carry"]

    together = jax.jit(run)
    grads, carry = together(padded, keys)
    singles, alone = jax.jit(jax.vmap(run))(short, keys[:, None])
    assert relative(grads, mean(singles)) < 1e-12
    assert relative(carry, jax.tree.map(lambda leaf: leaf[:, 0], alone)) < 1e-12
    assert relative(together(live, keys)[0], mean(singles)) > 1e-3, (
        "what was padding is felt where it is valid"
    )


@by_name
def test_displacement_within_the_trial_tends_to_the_gradient_of_the_same_draws(rule):
    circuit = circuit_of(leaky("rate"), readout_tau=60.0)
    params, trials = params_of(circuit), trials_of(circuit, 5)
    key = jax.random.key(3)
    wanted = rule_gradient(rule, circuit, params, trials, key)
    keys = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(1))
    stepper = rule.stepper(circuit)

    def moved(eta):
        back, _, _ = online.displacement(
            circuit, params, trials, SquaredError(), stepper, rule, {},
            step_size=eta, trained=tuple(params), trial_keys=keys,
        )  # fmt: skip
        return {name: value / eta for name, value in back.items()}

    steps = jax.jit(jax.vmap(moved))(jnp.asarray([2e-4, 1e-4]))
    far, near = (relative(jax.tree.map(lambda leaf, at=at: leaf[at], steps), wanted) for at in range(2))
    assert near < 0.02
    assert far / near == pytest.approx(2, rel=0.1)
    told = dataclasses.replace(rule, online=True, step_size=0.1)
    assert told.traits.displacement
    assert not rule.traits.displacement


def rule_gradient(rule, circuit, params, trials, key):
    return jax.jit(lambda p: rule.gradient(circuit, p, {}, trials, SquaredError(), key=key)[0])(params)


def test_signs_are_fair_and_independent():
    stepper, now = UORO().stepper(CIRCUITS["current"]), SimpleNamespace(sources=jnp.zeros(1))
    draws = jax.random.split(jax.random.key(1), 4000)
    signs = np.asarray(jax.vmap(lambda key: stepper.signs({}, now, key, 70))(draws))
    assert set(np.unique(signs)) == {-1.0, 1.0}
    products = signs.T @ signs / len(signs)
    assert np.abs(products - np.eye(70)).max() < 5 / np.sqrt(len(signs)), "no two of a step are alike"
    assert np.abs(signs.mean(0)).max() < 5 / np.sqrt(len(signs))


def test_refusals():
    fed_back = circuit_of(leaky("rate"), output_feedback=True)
    trained = circuit_of(leaky("rate", tau_range=(21.0, 200.0)), initial=Learned())
    scattered = circuit_of(leaky("rate"), initial=Scattered(0.1))
    for rule in RULES:
        with pytest.raises(
            ValueError, match=f"{type(rule).__name__}: with output_feedback .* use the rule bptt"
        ):
            rule.init(fed_back, params_of(fed_back), key=jax.random.key(0))
        assert rule.init(scattered, params_of(scattered), key=jax.random.key(0)) == {}
    for rule in RULES[1:]:
        message = (
            f"{type(rule).__name__}: tau_logit, initial_rate act through no presynaptic .* rule uoro, rtrl"
        )
        with pytest.raises(ValueError, match=message):
            rule.init(trained, params_of(trained), key=jax.random.key(0))
    assert UORO().init(trained, params_of(trained), key=jax.random.key(0)) == {}
    with pytest.raises(ValueError, match="UORO: start 'ones' is not known; use 'zero' or 'normal'"):
        UORO(start="ones")
