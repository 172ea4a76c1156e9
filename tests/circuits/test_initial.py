"""Initial states, masks, signs and fixed parameters of a circuit: exact gradients and exact constraints."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.factories import TRIALS, random_params, random_trials, small_circuit
from tests.oracles import finite_differences, norm, relative
from throughtime.circuits import Circuit, Learned, Rest, WarmUp
from throughtime.credit.transport import NoTransport
from throughtime.objectives import SquaredError
from throughtime.rules import BPTT, AdjointRule

LOSS = SquaredError()


@pytest.fixture
def float64():
    with jax.enable_x64(True):
        yield


def batch_loss(circuit, params, trials):
    outputs = jax.vmap(lambda trial: circuit.run(params, trial.inputs, valid=trial.valid).outputs)(trials)
    return jnp.mean(jax.vmap(LOSS)(outputs, trials))


@pytest.mark.usefixtures("float64")
@pytest.mark.parametrize(
    ("form", "initial"), [("current", Learned()), ("rate", WarmUp(70.0)), ("current", WarmUp(60.0))]
)
def test_credit_of_the_initial_state_against_finite_differences(form, initial):
    circuit, trials = small_circuit(form, initial=initial), random_trials(num_trials=20)
    params = random_params(circuit)
    for name in initial.init_params(circuit):
        params[name] = jnp.asarray(np.random.default_rng(2).normal(size=circuit.num_units))
    grads, _ = tt.gradient(circuit, params, trials, BPTT(), key=jax.random.key(0))
    wanted = finite_differences(lambda p: batch_loss(circuit, p, trials), params)
    rested, _ = tt.gradient(
        dataclasses.replace(circuit, initial=Rest()),
        {name: value for name, value in params.items() if not name.startswith("initial_")},
        trials, BPTT(), key=jax.random.key(0),
    )  # fmt: skip
    assert relative(grads["recurrent"], rested["recurrent"]) > 1e-3, "the initial state must matter"
    for name in params:
        assert norm(wanted[name]) > 1e-3, name
        assert relative(grads[name], wanted[name]) < 1e-6, name


@pytest.mark.usefixtures("float64")
def test_a_learned_rate_that_cannot_be_negative_is_not():
    circuit, trials = small_circuit("rate", "softplus", initial=Learned()), random_trials()
    params = {**random_params(circuit), "initial_rate": jnp.asarray([0.5, -0.5, 0.0, 1.0, -1.0, 0.2])}
    np.testing.assert_array_equal(
        circuit.initial_state(params)["rate"], np.abs(np.asarray(params["initial_rate"]))
    )
    grads, _ = tt.gradient(circuit, params, trials, BPTT(), key=jax.random.key(0))
    wanted = finite_differences(lambda p: batch_loss(circuit, p, trials), params)
    free = np.array([0, 1, 3, 4, 5])  # at 0 the slope is that of growing
    assert relative(grads["initial_rate"][free], wanted["initial_rate"][free]) < 1e-6
    assert float(grads["initial_rate"][2]) != 0


@pytest.mark.usefixtures("float64")
def test_warm_up_is_a_longer_trial_with_silent_input():
    """Also for a rule that is not exact: its recursion goes on through the warm-up."""
    steps = 4
    warm, plain = small_circuit("rate", initial=WarmUp(steps * 20.0)), small_circuit("rate")
    params, trials = random_params(plain), random_trials()

    def before(leaf):
        return jnp.concatenate([jnp.zeros_like(leaf[:, :steps]), leaf], 1)

    longer = trials._replace(
        inputs=before(trials.inputs), targets=before(trials.targets), mask=before(trials.mask),
        valid=jnp.concatenate([jnp.ones((TRIALS, steps), bool), trials.valid], 1),
    )  # fmt: skip
    for rule in (BPTT(), AdjointRule(transport=NoTransport())):
        found, _ = tt.gradient(warm, params, trials, rule, key=jax.random.key(0))
        wanted, _ = tt.gradient(plain, params, longer, rule, key=jax.random.key(0))
        assert norm(wanted["recurrent"]) > 1e-3
        assert relative(found, wanted) < 1e-11


def test_learned_state_is_trained_and_recorded():
    task = tt.tasks.make("cue-set-go", dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=6, initial=Learned())
    run = tt.train(task, circuit, BPTT(), num_updates=5, batch_size=4, test_trials=2)
    first, last = run.params(0, 0), run.params(0)
    assert not first["initial_current"].any()
    assert last["initial_current"].all()
    assert run.circuit == circuit


@pytest.mark.usefixtures("float64")
def test_masks_and_signs_of_input_and_readout():
    rng = np.random.default_rng(0)
    input_mask, readout_mask = rng.uniform(size=(6, 3)) > 0.4, rng.uniform(size=(2, 6)) > 0.4
    circuit = small_circuit(
        "current", input_mask=input_mask, readout_mask=readout_mask, non_negative=("input", "readout")
    )
    params, trials = random_params(circuit), random_trials()
    weights = circuit.weights(params)
    assert not np.asarray(weights.input)[~input_mask].any()
    assert not np.asarray(weights.readout)[~readout_mask].any()
    assert (np.asarray(weights.input)[input_mask] > 0).all()
    assert (np.asarray(params["input"]) < 0).any()
    grads, _ = tt.gradient(circuit, params, trials, BPTT(), key=jax.random.key(0))
    wanted = finite_differences(lambda p: batch_loss(circuit, p, trials), params)
    for name in params:
        assert norm(wanted[name]) > 1e-3, name
        assert relative(grads[name], wanted[name]) < 1e-6, name
    assert not np.asarray(grads["input"])[~input_mask].any()
    assert not np.asarray(grads["readout"])[~readout_mask].any()


def test_behind_a_mask_a_target_s_weights_are_scaled_by_its_own_sources():
    mask = np.arange(400)[None, :] < np.array([[400], [100]])
    circuit = Circuit(8, 400, 2, readout_mask=mask, input_mask=np.arange(8)[None, :] < np.full((400, 1), 2))
    weights = circuit.weights(circuit.init(key=jax.random.key(0)))
    for row, sources in enumerate((400, 100)):
        spread = np.asarray(weights.readout)[row, :sources].std()
        assert spread == pytest.approx(1 / np.sqrt(sources), rel=0.2)
    assert np.asarray(weights.input)[:, :2].std() == pytest.approx(1 / np.sqrt(2), rel=0.1)


def test_noise_of_a_segment_begins_at_an_even_step():
    circuit = small_circuit("rate", noise=0.1)
    with pytest.raises(ValueError, match="first 3 is odd; begin at an even step"):
        circuit.noise(jax.random.key(0), 4, 3)


def test_fixed_parameters_move_under_no_optimiser():
    task = tt.tasks.make("cue-set-go", dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=6, fixed=("input", "bias"))
    assert circuit.untrained == ("input", "bias")
    run = tt.train(
        task,
        circuit,
        BPTT(),
        num_updates=5,
        batch_size=4,
        test_trials=0,
        optimizer="adamw",
        learning_rate=0.1,
    )
    first, last = run.params(0, 0), run.params(0)
    for name in first:
        moved = not np.array_equal(first[name], last[name])
        assert moved == (name not in ("input", "bias")), name


def test_states_carried_from_trial_to_trial():
    task = tt.tasks.make("cue-set-go", dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=6, noise=0.1)
    settings = {"num_updates": 3, "batch_size": 4, "test_trials": 4, "learning_rate": 0.01}
    run, alone = (tt.train(task, circuit, BPTT(), carry_state=c, **settings) for c in (True, False))
    losses = [each.tree["training/loss"].values for each in (run, alone)]
    assert not np.array_equal(*losses)
    # by hand: three updates with the states handed on
    from throughtime import keys
    from throughtime.training.update import make_trials

    params = circuit.init(key=keys.seed_key(0, "init"))
    trials, key = make_trials(task, 4, 0, 0)
    _, info = tt.gradient(circuit, params, trials, BPTT(), key=key)
    trials, key = make_trials(task, 4, 0, 1)
    _, _, again = jax.jit(
        lambda p, carry: BPTT().gradient(circuit, p, {}, trials, LOSS, key=key, carry=carry)
    )(params, info["carry"])
    _, _, fresh = jax.jit(lambda p: BPTT().gradient(circuit, p, {}, trials, LOSS, key=key))(params)
    assert float(again["loss"]) != pytest.approx(float(fresh["loss"]), rel=1e-4)
    one = tt.train(
        task, circuit, BPTT(), carry_state=True, **{**settings, "log_every": 1, "learning_rate": 0.0}
    )
    assert one.tree["training/loss"].values[0, 1] == pytest.approx(float(again["loss"]), rel=1e-5)
    outputs = [each.tree["evaluation/outputs"].values for each in (one, alone)]
    assert not np.allclose(*outputs), "held-out trials also start where another one ended"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: WarmUp(0.0), "WarmUp: duration 0.0 ms is not a positive number; use Rest"),
        (
            lambda: Circuit(2, 4, 1, input_mask=np.ones((2, 4))),
            r"input_mask has shape \(2, 4\), expected \(4, 2\)",
        ),
        (
            lambda: Circuit(2, 4, 1, readout_mask=np.full((1, 4), 0.5)),
            "readout_mask has entries other than 0 and 1",
        ),
        (lambda: Circuit(2, 4, 1, non_negative=("recurrent",)), "non_negative 'recurrent' is not known"),
        (
            lambda: Circuit(2, 4, 1, fixed=("inputs",)),
            r"fixed \['inputs'\] are no parameters .* it has \['bias', 'input'",
        ),
    ],
)
def test_impossible_settings_are_refused(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_settings_of_training_that_contradict_the_circuit_are_refused():
    task = tt.tasks.make("cue-set-go", dt=50.0)
    learned = tt.circuits.for_task(task, num_units=6, initial=Learned())
    with pytest.raises(ValueError, match="the learned initial state of this circuit would never be used"):
        tt.train(task, learned, BPTT(), carry_state=True)
    with pytest.raises(ValueError, match="carry_state 'yes' is neither True nor False"):
        tt.train(task, learned, BPTT(), carry_state="yes")
    plain = tt.circuits.for_task(task, num_units=6)
    nothing = dataclasses.replace(plain, fixed=plain.param_names)
    with pytest.raises(ValueError, match="nothing is left to train"):
        tt.train(task, nothing, BPTT())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"recurrent": np.ones((4, 3))}, r"recurrent has shape \(4, 3\), expected \(3, 3\)"),
        ({"recurrent": np.ones(4)}, r"recurrent has shape \(4,\), expected \(unit, presynaptic_unit\)"),
        (
            {"input": np.ones((3, 2))},
            r"input has shape \(3, 2\), expected \(4, 2\) beside recurrent weights of 4",
        ),
        ({"readout": np.full((1, 4), np.nan)}, "readout has values that are not finite"),
        ({"bias": np.ones(3)}, r"bias has shape \(3,\), expected \(4,\)"),
        ({"tau": 5.0}, "tau 5 ms is below dt 10 ms"),
        ({"dynamics": tt.circuits.Leaky(), "tau": 50.0}, "tau given beside dynamics"),
        ({"input_mask": np.zeros((4, 2))}, "input has weights where input_mask is False"),
        ({"non_negative": ("readout",), "readout": -np.ones((1, 4))}, "readout has negative weights"),
    ],
)
def test_arrays_that_make_no_circuit_are_refused(change, message):
    rng = np.random.default_rng(0)
    arrays = {
        "recurrent": rng.normal(size=(4, 4)),
        "input": rng.normal(size=(4, 2)),
        "readout": rng.normal(size=(1, 4)),
        "dt": 10.0,
    }
    with pytest.raises(ValueError, match=message):
        tt.circuits.from_arrays(**{**arrays, **change})


@pytest.mark.usefixtures("float64")
def test_a_circuit_from_arrays_is_the_equation():
    rng = np.random.default_rng(0)
    W, W_in, W_out = rng.normal(size=(4, 4)), rng.normal(size=(4, 2)), rng.normal(size=(3, 4))
    b, b_out, x = rng.normal(size=4), rng.normal(size=3), rng.normal(size=(9, 2))
    circuit, params = tt.circuits.from_arrays(
        W, W_in, W_out, b, b_out, tau=[20.0, 40.0, 50.0, 80.0], dt=10.0, form="current", activation="relu"
    )
    alpha, v, outputs = 10.0 / np.array([20.0, 40.0, 50.0, 80.0]), np.zeros(4), []
    for now in x:
        v = (1 - alpha) * v + alpha * (W @ np.maximum(v, 0) + W_in @ now + b)
        outputs.append(W_out @ np.maximum(v, 0) + b_out)
    np.testing.assert_allclose(circuit.run(params, x).outputs, outputs, rtol=1e-12)
    assert params["recurrent"].dtype == jnp.float64
