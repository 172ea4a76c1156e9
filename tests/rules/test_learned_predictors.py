"""Rules that learn to predict: DNI by the exact credit and a plain loop, KeRNL by finite differences."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import OUTPUTS, TRIALS, UNITS, random_params, random_trials, small_circuit
from tests.oracles import finite_differences, norm, relative
from throughtime.circuits import GRU, LSTM, Learned, ShortTermPlasticity, WarmUp
from throughtime.credit import kernels
from throughtime.credit.record import Record, Wiring, layout
from throughtime.objectives import RatePenalty, SquaredError
from throughtime.rules import BPTT, DNI, RFLO, KeRNL

TRAINED_TAU = dataclasses.replace(small_circuit("current").dynamics, tau_range=(20.0, 400.0))
POSITIVE = ShortTermPlasticity(activation="sigmoid")


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def compute(circuit, rule, objective, params, state, trials, key, carry):
    return rule.gradient(circuit, params, state, trials, objective, key=key, carry=carry)


compiled = jax.jit(compute, static_argnums=(0, 1, 2))


def gradient(circuit, rule, trials, *, params=None, state=None, objective=None, key=7, carry=None):
    params = random_params(circuit) if params is None else params
    state = rule.init(circuit, params, key=jax.random.key(11)) if state is None else state
    key = jax.random.key(key)
    return compiled(circuit, rule, objective or SquaredError(), params, state, trials, key, carry)


def of_length(trials, num_trials, num_steps):
    return jax.tree.map(lambda leaf: leaf[:num_trials, :num_steps], trials)


def credit_and_features(circuit, params, trial, objective):
    """λ (time, variable, unit) by autodiff of added states, and [r; y*; 1] (time, feature); one trial."""
    names, dynamics = circuit.dynamics.state_names, circuit.dynamics

    def run(added):
        state, rates = circuit.initial_state(params), []
        for x, more in zip(trial.inputs, added, strict=True):
            state = circuit.step(params, state, x)
            state = {name: state[name] + more[v] for v, name in enumerate(names)}
            rates.append(dynamics.readout(params, state))
        rates = jnp.stack(rates)
        outputs = rates @ params["readout"].T + params["readout_bias"]
        loss = objective(outputs, trial)
        if objective.has_penalty:
            loss = loss + sum(term.on_rates(rates, trial.valid, len(rates)) for term in objective.penalties)
        return loss, rates

    added = jnp.zeros((len(trial.inputs), len(names), circuit.num_units))
    credit, rates = jax.jit(jax.grad(run, has_aux=True))(added)
    return credit, jnp.concatenate([rates, trial.targets, jnp.ones((len(rates), 1))], axis=1)


@pytest.mark.parametrize(
    "fields",
    [
        {"dynamics": TRAINED_TAU, "initial": Learned()},
        {"dynamics": LSTM(), "initial": Learned()},
        {"dynamics": POSITIVE},
    ],
    ids=["leaky", "lstm", "short-term plasticity"],
)
def test_the_exact_credit_is_a_fixed_point_of_dni(fields):
    circuit = dataclasses.replace(small_circuit("current"), **fields)
    params = random_params(circuit)
    rng = np.random.default_rng(2)
    params |= {name: params[name] + 0.3 * rng.normal(size=UNITS) for name in params if "initial" in name}
    trials, objective = of_length(random_trials(), 1, 8), SquaredError() + RatePenalty(0.1)
    trial = jax.tree.map(lambda leaf: leaf[0], trials)
    credit, features = credit_and_features(circuit, params, trial, objective)
    predictor = jnp.einsum("tvk,ft->vkf", credit, jnp.linalg.pinv(features))
    assert relative(jnp.einsum("vkf,tf->tvk", predictor, features), credit) < 1e-9, "8 steps, 9 features"

    rule = DNI(predictor_step=0.1)
    drawn = rule.init(circuit, params, key=jax.random.key(1))
    exact = drawn | {"rule_predictor": predictor, "rule_predictor_copy": predictor}
    grads, after, _ = gradient(circuit, rule, trials, params=params, state=exact, objective=objective)
    wanted, _, _ = gradient(circuit, BPTT(), trials, params=params, objective=objective)
    assert norm(wanted["recurrent"]) > 1e-3
    assert relative(grads, wanted) < 1e-9

    def predicted(state):
        return jnp.einsum("vkf,tf->tvk", state["rule_predictor"], features)

    assert relative(predicted(after), credit) < 1e-9

    off = exact | {"rule_predictor_copy": 1.1 * predictor}
    _, moved, _ = gradient(circuit, rule, trials, params=params, state=off, objective=objective)
    assert relative(predicted(moved), credit) > 1e-3


def plain_dni(circuit, params, state, trials, feedback, rule):
    """DNI in the rate form, step by step in NumPy; gradient by W and the rule's state after the batch."""
    p = {name: np.asarray(value) for name, value in params.items()}
    theta, copy = (np.asarray(state[name])[0] for name in ("rule_predictor", "rule_predictor_copy"))
    jacobian, age = np.zeros((UNITS, UNITS)), 0
    alpha = circuit.dt / np.asarray(circuit.dynamics.tau.values)
    number = len(trials.inputs)
    s = np.zeros((number, UNITS))
    past = [None] * number
    grad = np.zeros((UNITS, UNITS))
    lengths = np.asarray(trials.valid).sum(1)
    for t in range(max(lengths)):
        moves, maps, live = [], [], np.flatnonzero(lengths > t)
        for k in live:
            x, y, mask = (np.asarray(leaf[k, t]) for leaf in (trials.inputs, trials.targets, trials.mask))
            phi = np.tanh(p["recurrent"] @ s[k] + p["input"] @ x + p["bias"])
            new = (1 - alpha) * s[k] + alpha * phi
            b = alpha * (1 - phi**2)
            error = 2 * mask * (p["readout"] @ new + p["readout_bias"] - y) / np.asarray(trials.mask[k]).sum()
            q, f = feedback @ error, np.concatenate([new, y, [1.0]])
            grad += np.outer(b * (theta @ f), s[k]) / number
            j = np.diag(1 - alpha) + b[:, None] * p["recurrent"]
            move, shift = np.zeros_like(theta), np.zeros_like(jacobian)
            if past[k] is not None:
                f_before, q_before = past[k]
                target = q_before + (jacobian if rule.learned_jacobian else j).T @ (copy @ f)
                move += np.outer(theta @ f_before - target, f_before)
                shift = np.outer(jacobian @ s[k] - new, s[k])
            if t == lengths[k] - 1:
                move += np.outer(theta @ f - q, f)
            moves.append(move)
            maps.append(shift)
            past[k], s[k] = (f, q), new
        theta = theta - rule.predictor_step * np.mean(moves, 0)
        jacobian = jacobian - rule.jacobian_step * np.mean(maps, 0)
        age += 1
        if age == rule.refresh:
            copy, age = theta, 0
    return grad, theta, copy, jacobian, age


@pytest.mark.parametrize("variant", ["a", "b"])
def test_dni_is_a_plain_loop(variant):
    circuit, trials = small_circuit("rate"), of_length(random_trials(seed=3), 3, 9)
    assert len(set(np.asarray(trials.valid).sum(1))) > 1, "unequal lengths"
    rule = DNI(variant=variant, predictor_step=0.05, jacobian_step=0.1, refresh=3)
    params = random_params(circuit)
    state = rule.init(circuit, params, key=jax.random.key(4))
    state["rule_predictor_copy"] = state["rule_predictor_copy"] + 0.3
    feedback = np.asarray(state.get("rule_feedback", params["readout"].T))
    grads, after, _ = gradient(circuit, rule, trials, params=params, state=state)
    wanted, theta, copy, jacobian, age = plain_dni(circuit, params, state, trials, feedback, rule)
    assert relative(grads["recurrent"], wanted) < 1e-10
    assert relative(after["rule_predictor"][0], theta) < 1e-10
    assert relative(after["rule_predictor_copy"][0], copy) < 1e-10
    assert relative(state["rule_predictor"], after["rule_predictor"]) > 1e-2, "it learned"
    assert float(after["rule_predictor_age"]) == age
    if rule.learned_jacobian:
        assert norm(jacobian) > 0.01
        assert relative(after["rule_jacobian"][0, :, 0], jacobian) < 1e-10


def test_dni_waits_for_no_target_after_the_end():
    circuit, trials, rule = small_circuit("rate"), random_trials(), DNI(variant="b", jacobian_step=0.1)
    _, state, info = gradient(circuit, rule, trials)
    again = gradient(circuit, rule, trials, state=state, carry=info["carry"])
    alone = {name: value for name, value in info["carry"].items() if name in circuit.dynamics.state_names}
    afresh = gradient(circuit, rule, trials, state=state, carry=alone)
    assert len(alone) < len(info["carry"])
    assert relative(again[:2], afresh[:2]) < 1e-12


def test_dni_learns_the_exact_gradient_where_it_can_be_expressed():
    circuit, trials = small_circuit("rate"), of_length(random_trials(), 1, 4)
    params, rule = random_params(circuit), DNI(predictor_step=0.2)
    wanted, _, _ = gradient(circuit, BPTT(), trials, params=params)
    state = rule.init(circuit, params, key=jax.random.key(0))
    distances = []
    for _ in range(300):
        grads, state, _ = gradient(circuit, rule, trials, params=params, state=state)
        distances.append(relative(grads["recurrent"], wanted["recurrent"]))
    assert distances[0] > 0.5
    assert distances[-1] < 0.01


@pytest.mark.parametrize("rule", [DNI(frozen=True), DNI(variant="b", frozen=True), KeRNL(frozen=True)])
def test_what_is_frozen_stays(rule):
    circuit = small_circuit("rate")
    params = random_params(circuit)
    state = rule.init(circuit, params, key=jax.random.key(11))
    _, after, _ = gradient(circuit, rule, random_trials(), params=params, state=state)
    assert relative(after, state) == 0


@pytest.mark.parametrize(
    ("form", "initial", "also"),
    [("current", Learned(), "initial_current"), ("rate", WarmUp(100.0), "input")],
    ids=["learned initial state", "warm-up"],
)
def test_kernl_with_the_leak_as_kernel_is_rflo(form, initial, also):
    circuit = dataclasses.replace(small_circuit(form), initial=initial, readout_tau=60.0)
    dynamics = dataclasses.replace(circuit.dynamics, tau_range=(20.0, 400.0))
    circuit, trials = dataclasses.replace(circuit, dynamics=dynamics), random_trials()
    params, rule = random_params(circuit), KeRNL(frozen=True, fading="leak")
    state = rule.init(circuit, params, key=jax.random.key(11))
    found, _, _ = gradient(circuit, rule, trials, params=params, state=state)
    wanted, _, _ = gradient(circuit, RFLO(feedback="symmetric"), trials, params=params)
    assert min(norm(wanted[name]) for name in ("recurrent", "tau_logit", also)) > 1e-3
    assert relative(found, wanted) < 1e-9
    other = state | {"rule_fading": state["rule_fading"] + 0.1}
    assert relative(gradient(circuit, rule, trials, params=params, state=other)[0], wanted) > 0.01


def test_kernl_of_one_step_is_exact_for_gated_units_too():
    circuit = dataclasses.replace(small_circuit("rate"), dynamics=GRU(), initial=Learned())
    params = random_params(circuit)
    params["initial_hidden"] = jnp.linspace(-0.8, 0.9, UNITS)
    two = of_length(random_trials(), TRIALS, 2)
    one = jax.tree.map(lambda leaf: leaf.at[:, 1].set(jnp.zeros((), leaf.dtype)), two)
    for trials, same in ((one, True), (two, False)):
        wanted, _, _ = gradient(circuit, BPTT(), trials, params=params)
        found, _, _ = gradient(circuit, KeRNL(frozen=True), trials, params=params)
        assert norm(wanted["recurrent"]) > 1e-3
        distance = max(relative(found[name], wanted[name]) for name in ("recurrent", "input", "bias"))
        assert distance < 1e-9 if same else distance > 0.01


def steps_of_noise(rng, steps=7):
    """Noise ζ, and distances s̃ − s of a twin that did something with it, (time, unit)."""
    return rng.normal(size=(steps, UNITS)), rng.normal(size=(steps, UNITS))


def miss(kernel, fading, noise, distance):
    """½‖A Ω − (s̃ − s)‖² of the last step, as a sum over lags."""
    lags = jnp.arange(len(noise))[::-1, None]
    filtered = ((1 - fading) ** lags * noise).sum(0)
    return 0.5 * jnp.sum((kernel @ filtered - distance[-1]) ** 2)


def one_step(plan, index, **given):
    """A step of silence, with what is given."""
    one, empty = jnp.zeros((1, UNITS)), jnp.zeros((0, UNITS))
    plain = {
        "sources": jnp.zeros(plan.slots), "keep": one[None], "enter": one[None], "sending": one,
        "reading": one, "own_local": empty[:, None], "own_sending": empty, "own_reading": empty,
        "read": one[0],
        "targets": jnp.zeros(OUTPUTS), "error": jnp.zeros(OUTPUTS), "direct": jnp.zeros(UNITS),
        "valid": jnp.array(True), "last": jnp.array(False), "index": jnp.asarray(index),
        "twin": empty, "jolt": empty,
    }  # fmt: skip
    return Record(**(plain | given))


def stepped(stepper, state, steps, feedback=None):
    """The rule's state, memory and share of the last of some steps, the state held until then."""
    plan = layout(small_circuit("rate"))
    wires = Wiring(
        jnp.zeros((1, UNITS, UNITS)), jnp.zeros((UNITS, OUTPUTS)) if feedback is None else feedback, None
    )
    memory = stepper.begin(plan, state, jnp.float64)
    for t, given in enumerate(steps):
        now = one_step(plan, t, **given)
        after, memory, share = stepper.step(plan, state, memory, now, wires, jax.random.key(0))
    return after, memory, share


def test_kernl_share_is_a_sum_over_lags():
    rng, plan = np.random.default_rng(5), layout(small_circuit("rate"))
    kernel, fading = rng.normal(size=(UNITS, UNITS)), rng.uniform(0.1, 1.5, UNITS)
    feedback, error = rng.normal(size=(UNITS, OUTPUTS)), rng.normal(size=OUTPUTS)
    sources, enter = rng.normal(size=(4, plan.slots)), rng.normal(size=(4, UNITS))
    direct, reading = rng.normal(size=UNITS), rng.normal(size=UNITS)
    steps = [
        {"sources": jnp.asarray(sources[t]), "enter": jnp.asarray(enter[t])[None, None]} for t in range(4)
    ]
    steps[-1] |= {"error": error, "direct": direct, "reading": reading[None]}
    state = {"rule_kernel": kernel, "rule_fading": fading}
    _, _, share = stepped(kernels.LearnedKernel(frozen=True), state, steps, feedback)
    kept = np.maximum(1 - fading, 0)[:, None]
    assert (kept == 0).any(), "one fades at once"
    trace = sum(kept ** (3 - t) * np.outer(enter[t], sources[t]) for t in range(4))
    modulator = [sum((feedback @ error + direct) * reading * kernel[:, i]) for i in range(UNITS)]
    assert relative(share.slots[0], np.asarray(modulator)[:, None] * trace) < 1e-12


def test_kernl_descends_its_miss():
    rng = np.random.default_rng(0)
    kernel = jnp.asarray(np.eye(UNITS) + 0.3 * rng.normal(size=(UNITS, UNITS)))
    fading = jnp.asarray(rng.uniform(0.1, 0.9, UNITS))
    noise, distance = map(jnp.asarray, steps_of_noise(rng))
    at = {"rule_kernel": kernel, "rule_fading": fading}
    steps = [
        {"twin": (far - jolt)[None], "jolt": jolt[None]} for far, jolt in zip(distance, noise, strict=True)
    ]
    after, memory, _ = stepped(kernels.LearnedKernel(predictor_step=1.0), at, steps)
    found = {name: at[name] - after[name] for name in at}
    wanted = finite_differences(lambda at: miss(at["rule_kernel"], at["rule_fading"], noise, distance), at)
    assert min(norm(leaf) for leaf in wanted.values()) > 1e-3
    assert relative(found, wanted) < 1e-6

    swapped, filtered = jnp.zeros(UNITS), jnp.zeros(UNITS)
    for now in noise:
        filtered = (1 - fading) * filtered + now
        swapped = (1 - fading) * swapped - filtered
    assert relative(memory.noise, filtered) < 1e-12
    by_fading = (kernel.T @ (kernel @ filtered - distance[-1])) * swapped
    assert relative(by_fading, wanted["rule_fading"]) > 0.1, "Ω before Γ"


def test_kernl_learns_where_the_kernel_is_not_the_leak():
    rule = KeRNL(fading="leak", predictor_step=2e4)
    circuit = dataclasses.replace(small_circuit("current", noise=0.2), initial=WarmUp(100.0))
    trials, params = random_trials(), random_params(circuit)
    state = start = rule.init(circuit, params, key=jax.random.key(11))
    alone = params | {"recurrent": jnp.zeros((UNITS, UNITS))}
    _, after, info = gradient(circuit, rule, trials, params=alone, state=start)
    assert relative(after, start) < 1e-9, "without synapses noise fades by the leak"
    carried = gradient(circuit, rule, trials, params=alone, state=start, carry=info["carry"])
    assert relative(carried[1], start) < 1e-9, "a new twin starts without noise"
    for key in range(100):
        _, state, _ = gradient(circuit, rule, trials, params=params, state=state, key=key)
    off = ~jnp.eye(UNITS, dtype=bool)
    alpha = circuit.dynamics.alpha(params, UNITS, circuit.dt)[:, None]
    learned, through = state["rule_kernel"][off], (alpha * params["recurrent"])[off]
    assert learned @ through / (norm(learned) * norm(through)) > 0.7
    assert relative(state["rule_fading"], start["rule_fading"]) > 1e-3


@pytest.mark.parametrize("rule", [DNI(predictor_step=0.05), KeRNL(predictor_step=1e4)], ids=["dni", "kernl"])
def test_online_with_small_steps_is_the_gradient(rule):
    circuit, trials = small_circuit("current"), random_trials()
    params = random_params(circuit)
    state = rule.init(circuit, params, key=jax.random.key(11))
    wanted, kept, _ = gradient(circuit, rule, trials, params=params, state=state)
    online = dataclasses.replace(rule, online=True, step_size=1e-4)
    assert online.traits.displacement
    moved, learned, _ = gradient(circuit, online, trials, params=params, state=state)
    distance = relative(jax.tree.map(lambda leaf: leaf / 1e-4, moved), wanted)
    assert 1e-7 < distance < 1e-2
    assert relative(learned, kept) < 1e-4


def test_refusals():
    circuit = small_circuit("current")

    def begin(rule, **fields):
        changed = dataclasses.replace(circuit, **fields)
        return rule.init(changed, changed.init(key=jax.random.key(0)), key=jax.random.key(1))

    for rule in (DNI(), KeRNL()):
        with pytest.raises(ValueError, match="output_feedback"):
            begin(rule, output_feedback=True)
        leaky = dataclasses.replace(circuit, readout_tau=60.0)
        with pytest.raises(ValueError, match="leaky readout"):
            gradient(leaky, dataclasses.replace(rule, online=True, step_size=0.1), random_trials())
    with pytest.raises(ValueError, match=r"WarmUp.* before the trial, where no prediction credits them"):
        begin(DNI(), initial=WarmUp(100.0))
    with pytest.raises(ValueError, match="a neuron of LSTM has 2 variables"):
        begin(KeRNL(), dynamics=LSTM())
    with pytest.raises(ValueError, match="GRU has no fixed leak"):
        begin(KeRNL(fading="leak"), dynamics=GRU())


@pytest.mark.parametrize(
    ("kind", "options", "message"),
    [
        (DNI, {"variant": "c"}, "variant 'c' is not known; use 'a' or 'b'"),
        (DNI, {"predictor_step": 0.0}, "predictor_step 0.0 is not a positive number"),
        (DNI, {"jacobian_step": -1.0}, "jacobian_step -1.0 is not a positive number"),
        (DNI, {"refresh": 0}, "refresh 0 is not a whole number >= 1"),
        (DNI, {"initial_scale": -1.0}, "initial_scale -1.0 is not a number >= 0"),
        (DNI, {"feedback": "sideways"}, "unknown feedback"),
        (KeRNL, {"fading": 1.5}, "fading 1.5 is neither a number between 0 and 1 nor 'leak'"),
        (KeRNL, {"fading": "slow"}, "fading 'slow' is neither"),
        (KeRNL, {"predictor_step": float("nan")}, "predictor_step nan is not a positive number"),
        (KeRNL, {"noise_sd": 0.0}, "noise_sd 0.0 is not a positive number"),
        (KeRNL, {"feedback": "sideways"}, "unknown feedback"),
    ],
)
def test_options_that_cannot_be(kind, options, message):
    with pytest.raises(ValueError, match=message):
        kind(**options)


def test_a_prediction_of_nothing_credits_nothing():
    circuit = small_circuit("current")
    grads, _, _ = gradient(circuit, DNI(initial_scale=0.0, frozen=True), random_trials())
    assert norm(grads["recurrent"]) == 0
    assert norm(grads["readout"]) > 1e-3
