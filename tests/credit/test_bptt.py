"""BPTT against finite differences, an independent autodiff and a textbook in NumPy."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import TRIALS, random_params, random_trials, small_circuit
from tests.oracles import finite_differences, norm, numpy_bptt, relative, scan_loss
from throughtime import keys, tasks
from throughtime.circuits import Circuit, Leaky, activation, for_task
from throughtime.credit import adjoint, batch
from throughtime.credit.feedback import RandomFeedback
from throughtime.credit.transport import NoTransport, RandomTransport
from throughtime.objectives import CrossEntropy, Objective, SquaredError
from throughtime.rules import BPTT, AdjointRule

FORMS = ("current", "rate")


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def compute(circuit, rule, objective, params, trials, key, carry):
    state = rule.init(circuit, params, key=jax.random.key(11))
    grads, _, info = rule.gradient(circuit, params, state, trials, objective, key=key, carry=carry)
    return grads, info


compiled = jax.jit(compute, static_argnums=(0, 1, 2))


def bptt(circuit, params, trials, *, objective=None, key=None, carry=None, rule=None, anew=False):
    """Gradient and info of a rule, BPTT by default; ``anew`` traces the library as it stands now."""
    rule, objective = rule or BPTT(), objective or SquaredError()
    key = jax.random.key(7) if key is None else key
    if anew:
        return jax.jit(lambda *args: compute(circuit, rule, objective, *args))(params, trials, key, carry)
    return compiled(circuit, rule, objective, params, trials, key, carry)


def autodiff(loss, at):
    return jax.jit(jax.grad(loss))(at)


def draw_noise(circuit, trials, key=None):
    """The noise of each trial (trial, time, unit), as numbers: constant under any differentiation."""
    num_trials, num_steps = trials.valid.shape
    with jax.ensure_compile_time_eval():
        key = jax.random.key(7) if key is None else key
        each = jax.vmap(jax.random.fold_in, (None, 0))(key, jnp.arange(num_trials))
        return jnp.asarray(np.asarray(jax.vmap(lambda one: circuit.noise(one, num_steps))(each)))


def batch_loss(circuit, params, trials, objective=None, key=None, start=None):
    """Mean loss through the public single-trial run."""
    objective = objective or SquaredError()
    noises = draw_noise(circuit, trials, key) if circuit.noise_sd else None

    def one(trial, noise, start):
        path = circuit.run(params, trial.inputs, valid=trial.valid, noise=noise, state=start)
        loss = objective(path.outputs, trial)
        return loss + objective.penalty(path, trial.valid) if objective.has_penalty else loss

    return jnp.mean(jax.vmap(one)(trials, noises, start))


@pytest.mark.parametrize(("form", "noise"), [("current", 0.1), ("rate", 0.0)])
def test_finite_differences_for_every_block(form, noise):
    circuit, trials = small_circuit(form, noise=noise), random_trials()
    params = random_params(circuit)
    grads, info = bptt(circuit, params, trials)
    wanted = finite_differences(lambda p: batch_loss(circuit, p, trials), params)
    for name in params:
        assert norm(wanted[name]) > 1e-3, f"{name}: the gradient must be alive to be compared"
        assert relative(grads[name], wanted[name]) < 1e-6, name
    rounding = 1e-7 if noise else 1e-12  # noise is drawn in float32
    assert float(info["loss"]) == pytest.approx(float(batch_loss(circuit, params, trials)), rel=rounding)


@pytest.mark.parametrize("form", FORMS)
def test_initial_state_finite_differences(form):
    circuit, trials = small_circuit(form), random_trials()
    params = random_params(circuit)
    start = {form: jnp.asarray(np.random.default_rng(3).normal(size=(TRIALS, circuit.num_units)))}
    grads, info = bptt(circuit, params, trials, carry=start)
    wanted = finite_differences(lambda s: batch_loss(circuit, params, trials, start=s), start)
    assert norm(wanted) > 1e-3
    assert relative(info["initial_state"], wanted) < 1e-6
    assert (
        relative(grads, finite_differences(lambda p: batch_loss(circuit, p, trials, start=start), params))
        < 1e-6
    )


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["tanh", "softplus", "sigmoid", "relu", "retanh"])
def test_textbook_numpy(form, name):
    circuit, trials = small_circuit(form, name), random_trials(num_trials=1)
    params = random_params(circuit)
    grads, info = bptt(circuit, params, trials)
    alpha = circuit.dt / np.asarray(circuit.dynamics.tau)
    arrays = [np.asarray(leaf[0]) for leaf in (trials.inputs, trials.targets, trials.mask)]
    loss, wanted = numpy_bptt(form, name, alpha, {k: np.asarray(v) for k, v in params.items()}, *arrays)
    assert norm(wanted) > 1e-3
    assert relative(grads, wanted) < 1e-12
    assert float(info["loss"]) == pytest.approx(loss, rel=1e-13)


@pytest.mark.parametrize("form", FORMS)
def test_autodiff_of_an_independent_scan(form):
    circuit, trials = small_circuit(form, noise=0.1), random_trials(num_trials=20)
    params, key = random_params(circuit), jax.random.key(5)
    grads, _ = bptt(circuit, params, trials, key=key)
    noise = draw_noise(circuit, trials, key)
    alpha = circuit.dt / jnp.asarray(np.asarray(circuit.dynamics.tau))
    start = jnp.zeros((20, circuit.num_units))
    wanted = autodiff(lambda p: scan_loss(form, jnp.tanh, alpha, p, trials, noise, start), params)
    # noise is drawn in float32 and may round differently in another program
    assert relative(grads, wanted) < 1e-7
    calm = small_circuit(form)
    wanted = autodiff(lambda p: scan_loss(form, jnp.tanh, alpha, p, trials, 0 * noise, start), params)
    assert relative(bptt(calm, params, trials)[0], wanted) < 1e-12


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", ["delayed-match-to-sample", "cue-set-go"])
def test_masks_of_the_tasks(name, form):
    task = (
        tasks.make(name, dt=50.0)
        if name == "cue-set-go"
        else tasks.make(name, dt=100.0, delay=(500.0, 900.0))
    )
    circuit = for_task(task, num_units=4, dynamics=Leaky(form=form))
    params = random_params(circuit)
    each = keys.trial_keys(jax.random.key(0), "train", 0, 6)
    trials = jax.tree.map(
        lambda leaf: leaf.astype(jnp.float64) if leaf.dtype == jnp.float32 else leaf,
        jax.vmap(task.trial)(each),
    )
    grads, _ = bptt(circuit, params, trials)
    assert relative(grads, finite_differences(lambda p: batch_loss(circuit, p, trials), params)) < 1e-6


@pytest.mark.parametrize("form", FORMS)
def test_padding_contributes_nothing(form):
    circuit, trials = small_circuit(form, noise=0.1), random_trials()
    params = random_params(circuit)
    rng = np.random.default_rng(1)

    def pad(leaf, fill):
        garbage = fill * rng.normal(size=(TRIALS, 4, *leaf.shape[2:]))
        return jnp.concatenate([leaf, garbage.astype(leaf.dtype)], 1)

    padded = trials._replace(
        inputs=pad(trials.inputs, 1e3),
        targets=pad(trials.targets, 1e3),
        mask=pad(trials.mask, 0),
        valid=pad(trials.valid, 0),
    )
    plain, longer = bptt(circuit, params, trials), bptt(circuit, params, padded)
    assert relative(longer[0], plain[0]) < 1e-12
    assert relative(longer[1]["carry"], plain[1]["carry"]) < 1e-12
    awake = padded._replace(valid=jnp.ones_like(padded.valid))
    assert relative(bptt(circuit, params, awake)[1]["carry"], plain[1]["carry"]) > 1e-2, (
        "the test must be able to fail"
    )


def test_steps_without_loss_still_carry_credit():
    circuit, trials = small_circuit("rate"), random_trials()
    late = trials._replace(
        mask=jnp.zeros_like(trials.mask).at[:, -4].set(1.0), valid=jnp.ones_like(trials.valid)
    )
    grads, _ = bptt(circuit, random_params(circuit), late)
    cut = late._replace(inputs=late.inputs.at[:, :2].set(0.0))
    assert relative(bptt(circuit, random_params(circuit), cut)[0], grads) > 1e-3


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("transport", [NoTransport(), RandomTransport()])
def test_another_transport_is_not_bptt(form, transport):
    circuit, trials = small_circuit(form), random_trials()
    params = random_params(circuit)
    exact, other = (
        bptt(circuit, params, trials)[0],
        bptt(circuit, params, trials, rule=AdjointRule(transport=transport))[0],
    )
    for name in ("recurrent", "input", "bias"):
        assert relative(other[name], exact[name]) > 1e-2, name
    assert relative(other["readout"], exact["readout"]) < 1e-13


def test_random_feedback_is_not_bptt_but_leaves_the_readout_exact():
    circuit, trials = small_circuit("current"), random_trials()
    params = random_params(circuit)
    exact, other = (
        bptt(circuit, params, trials)[0],
        bptt(circuit, params, trials, rule=AdjointRule(RandomFeedback()))[0],
    )
    assert relative(other["recurrent"], exact["recurrent"]) > 1e-2
    assert relative(other["readout"], exact["readout"]) < 1e-13


def test_one_step_without_transport_is_bptt():
    circuit, trials = small_circuit("current"), random_trials(num_steps=4)
    one = jax.tree.map(lambda leaf: leaf[:, 2:3], trials)
    params = random_params(circuit)
    rule = AdjointRule(transport=NoTransport())
    assert relative(bptt(circuit, params, one, rule=rule)[0], bptt(circuit, params, one)[0]) < 1e-13


@pytest.mark.parametrize("mutant", ["error twice", "input a step off", "transposed transport"])
def test_planted_mistakes_are_seen(mutant, monkeypatch):
    circuit, trials = small_circuit("rate"), random_trials()
    params = random_params(circuit)
    wanted = autodiff(lambda p: batch_loss(circuit, p, trials), params)
    assert relative(bptt(circuit, params, trials)[0], wanted) < 1e-11
    if mutant == "error twice":
        original = batch.send_credit
        monkeypatch.setattr(
            batch,
            "send_credit",
            lambda c, p, u, e, *rest, **k: original(c, p, u, e.at[-1].mul(2), *rest, **k),
        )
    elif mutant == "input a step off":
        original = batch.effective_gradients
        monkeypatch.setattr(
            batch,
            "effective_gradients",
            lambda c, u, d, e: original(c, u._replace(inputs=jnp.roll(u.inputs, 1, 0)), d, e),
        )
    else:
        original = adjoint.send_back
        monkeypatch.setattr(adjoint, "send_back", lambda d, matrix, credit: original(d, matrix.T, credit))
    assert relative(bptt(circuit, params, trials, anew=True)[0], wanted) > 1e-3


@pytest.mark.parametrize("outputs", [1, 2, 7])
def test_number_of_outputs(outputs):
    circuit = dataclasses.replace(small_circuit("current"), num_outputs=outputs)
    params, trials = random_params(circuit), random_trials()
    wide = trials._replace(
        targets=jnp.tile(trials.targets[..., :1], outputs), mask=jnp.tile(trials.mask[..., :1], outputs)
    )
    assert (
        relative(bptt(circuit, params, wide)[0], autodiff(lambda p: batch_loss(circuit, p, wide), params))
        < 1e-11
    )


@dataclasses.dataclass(frozen=True)
class WithRatePenalty(SquaredError):
    def penalty(self, trajectory, valid=None, num_valid=None):
        live = 1.0 if valid is None else valid[:, None]
        return 0.3 * jnp.sum(live * trajectory.rates**2) / trajectory.rates.size


@pytest.mark.parametrize("objective", [CrossEntropy(), WithRatePenalty()])
@pytest.mark.parametrize("form", FORMS)
def test_objectives(objective, form):
    circuit, trials = small_circuit(form), random_trials()
    if isinstance(objective, CrossEntropy):
        trials = trials._replace(
            targets=jax.nn.softmax(trials.targets), mask=jnp.ones_like(trials.mask) * trials.valid[..., None]
        )
    params = random_params(circuit)
    grads, info = bptt(circuit, params, trials, objective=objective)
    wanted = autodiff(lambda p: batch_loss(circuit, p, trials, objective), params)
    assert relative(grads, wanted) < 1e-11
    assert float(info["loss"]) == pytest.approx(
        float(batch_loss(circuit, params, trials, objective)), rel=1e-12
    )
    plain, _ = bptt(circuit, params, trials)
    assert relative(plain["recurrent"], grads["recurrent"]) > 1e-3


@dataclasses.dataclass(frozen=True)
class TwoGates(Leaky):
    """A neuron with two variables, two drives and trained parameters, to exercise the general engine."""

    @property
    def state_names(self):
        return ("fast", "slow")

    @property
    def num_drives(self):
        return 3

    @property
    def recurrent_drives(self):
        return (0, 1)

    @property
    def input_drives(self):
        return (0, 2)

    def init_params(self, num_units, *, key):
        return {
            "sharpness": 1.0 + 0.1 * jax.random.normal(key, (num_units,)),
            "mix": jnp.full(num_units, 0.4),
        }

    def local(self, params, state, drive, dt):
        gate = activation("sigmoid")(drive[0])
        fast = gate * state["fast"] + (1 - gate) * jnp.tanh(
            drive[1] + params["mix"] * drive[2] - 0.2 * state["slow"]
        )
        return {"fast": fast, "slow": 0.8 * state["slow"] + 0.2 * params["sharpness"] * state["fast"]}

    def rate(self, params, state):
        return jnp.tanh(params["sharpness"] * state["fast"])

    def readout(self, params, state):
        return state["fast"] + params["mix"] * state["slow"]

    def time_constant(self, params, num_units):
        return jnp.full(num_units, 50.0)


def test_any_local_dynamics_with_gates_own_parameters_and_a_separate_readout():
    circuit = Circuit(num_inputs=3, num_units=6, num_outputs=2, dt=20.0, dynamics=TwoGates(), noise_sd=0.1)
    params, trials = random_params(circuit), random_trials(num_trials=20)
    start = {
        name: jnp.asarray(np.random.default_rng(9).normal(size=(20, 6)))
        for name in circuit.dynamics.state_names
    }
    grads, info = bptt(circuit, params, trials, carry=start)
    wanted = finite_differences(lambda p: batch_loss(circuit, p, trials, start=start), params)
    for name in params:
        assert norm(wanted[name]) > 1e-3, name
        assert relative(grads[name], wanted[name]) < 1e-6, name
    states = autodiff(lambda s: batch_loss(circuit, params, trials, start=s), start)
    assert relative(info["initial_state"], states) < 1e-7  # noise is drawn in float32


def test_batch_is_the_mean_of_single_trials():
    circuit, trials = small_circuit("current", noise=0.1), random_trials(num_trials=21)
    params, key = random_params(circuit), jax.random.key(3)
    whole, info = bptt(circuit, params, trials, key=key)
    weights = circuit.weights(params)

    def single(index):
        one = jax.tree.map(lambda leaf: leaf[index][None], trials)
        return batch.gradient(
            circuit, params, one, SquaredError(),
            feedback=weights.readout.T, transport=weights.recurrent,
            trial_keys=jax.random.fold_in(key, index)[None],
        )[0]  # fmt: skip

    mean = jax.tree.map(lambda leaf: leaf.mean(0), jax.lax.map(single, jnp.arange(21)))
    assert relative(whole, mean) < 1e-12
    assert info["losses"].shape == (21,)


def test_objective_is_refused_where_it_defines_nothing():
    with pytest.raises(TypeError, match="Objective must define"):
        Objective()(None, None)
