"""Gradients of rules beside the exact one: by hand for one rule, and by what must hold for all."""

import jax
import numpy as np
import pytest

import throughtime as tt
from tests.factories import random_params, random_trials, small_circuit
from throughtime import rules
from throughtime.comparison import instants
from throughtime.comparison.draws import draw
from throughtime.comparison.warm import warmed
from throughtime.measures.loss import batch_loss
from throughtime.objectives import SquaredError, VanishingGradient
from throughtime.results import labels

CIRCUIT = small_circuit("current", noise=0.3)
QUIET = small_circuit("current")
KEY = jax.random.key(7)
GIVEN = ["bptt", "uoro", ("moving", rules.make("eprop", online=True, step_size=0.1)), "force"]


def setting():
    return random_params(CIRCUIT), random_trials(num_trials=3)


@pytest.fixture(scope="module")
def found():
    with jax.enable_x64(True):
        params, trials = setting()
        options = {"draws": 40, "instantaneous": True, "lags": (0.0, 40.0), "learning_rate": 1e-3}
        data = tt.compare_gradients(CIRCUIT, params, trials, GIVEN, key=KEY, **options)
    return data.assign_coords(rule=labels(data["rule"]), block=labels(data["block"]))


def test_exact_rules_are_exact_whatever_noise_the_circuit_has(found):
    one = found.sel(rule="bptt")
    np.testing.assert_allclose(one["cosine"], 1)
    np.testing.assert_allclose(one["norm_ratio"], 1)
    assert (np.abs(one["bias_squared"]) < 1e-20).all()
    assert (one["variance"] == 0).all()
    assert found.attrs["circuit_noise"] == "off"
    assert set(found["block"].values) == {*CIRCUIT.param_names, "all"}


def test_a_biased_rule_is_measured_as_by_hand(found):
    with jax.enable_x64(True):
        params, trials = setting()
        rule = rules.make("eprop")
        state = rule.init(QUIET, params, key=jax.random.fold_in(KEY, 0))
        grads, _ = tt.gradient(QUIET, params, trials, rule, key=KEY, state=state)
        exact = jax.jit(jax.grad(batch_loss, argnums=2), static_argnums=(0, 1))(
            QUIET, SquaredError(), params, trials
        )
    one, other = (np.asarray(each["recurrent"]).ravel() for each in (grads, exact))
    cosine = one @ other / np.linalg.norm(one) / np.linalg.norm(other)
    here = found.sel(rule="moving", block="recurrent")
    assert float(here["cosine"]) == pytest.approx(cosine)
    assert float(here["bias_squared"]) == pytest.approx(((one - other) ** 2).sum())
    assert float(here["bias_squared"]) > 0.01 * (other @ other)
    assert float(found["cosine"].sel(rule="moving", block="readout")) == pytest.approx(1)


def test_an_unbiased_rule_has_variance_and_no_bias_the_interval_excludes(found):
    every = found.sel(block="all")
    noisy, biased = every.sel(rule="uoro"), every.sel(rule="moving")
    assert int(noisy["num_draws"]) == 40
    assert int(biased["num_draws"]) == 1
    assert float(noisy["relative_variance_lower"]) > 0
    assert float(noisy["bias_squared_lower"]) < 0 < float(noisy["bias_squared_upper"])
    assert float(biased["bias_squared_lower"]) > 0


def test_the_predicted_step_is_the_measured_one_to_second_order(found):
    np.testing.assert_allclose(
        found["predicted_change"].drop_sel(rule="force"),
        found["measured_change"].drop_sel(rule="force"),
        rtol=1e-3,
    )
    first_order = -found["learning_rate"] * found["slope"]
    second = np.abs(found["predicted_change"] - found["measured_change"])
    assert (second < 0.1 * np.abs(first_order - found["measured_change"])).drop_sel(rule="force").all()
    assert (found["best_change"] < 0).all()


def test_a_rule_without_a_gradient_is_compared_by_its_displacement(found):
    with jax.enable_x64(True):
        params, trials = setting()
        alone = [
            tt.gradient(
                QUIET, params, jax.tree.map(lambda x, k=k: x[k : k + 1], trials), rules.make("force"), key=KEY
            )[0]
            for k in range(3)
        ]
    ratio = found["norm_ratio"] * np.sqrt(found["mean_norm_squared"].sel(rule="bptt"))
    size = np.linalg.norm(np.mean([one["readout"] for one in alone], 0))
    assert float(ratio.sel(rule="force", block="readout")) == pytest.approx(size)
    assert found["displacement"].values.tolist() == [0, 0, 0, 1]
    assert found["learning_rate"].values.tolist() == [1e-3] * 3 + [1.0]


def test_draws_differ_by_the_rule_alone():
    with jax.enable_x64(True):
        params, trials = setting()
        fixed = rules.make("bptt")
        grads = draw(QUIET, fixed, SquaredError(), 2, params, {}, trials, KEY)
    assert all((np.asarray(each[0]) == np.asarray(each[1])).all() for each in grads.values())


def test_shares_and_uses_add_up_to_the_gradient_and_agree_in_no_step():
    with jax.enable_x64(True):
        params, trials = setting()
        exact, _ = tt.gradient(QUIET, params, trials, rules.make("bptt"), key=KEY, state={})
        shares = instants._shares(QUIET, rules.make("rtrl"), SquaredError(), params, {}, trials, KEY)
        uses = instants._uses(QUIET, SquaredError(), params, trials)
    for name, value in exact.items():
        for each in (shares, uses):
            assert each[name].shape == (9, *value.shape)
            np.testing.assert_allclose(np.asarray(each[name]).sum(0), value, rtol=1e-10, atol=1e-12)
    apart = np.abs(np.asarray(shares["recurrent"]) - np.asarray(uses["recurrent"])).max((1, 2))
    assert (apart > 1e-3).sum() > 3


def test_uses_of_gated_units_add_up_too():
    circuit = tt.circuits.Circuit(
        num_inputs=3, num_units=4, num_outputs=2, dt=20.0, dynamics=tt.circuits.LSTM(), readout_tau=60.0
    )
    with jax.enable_x64(True):
        params, trials = random_params(circuit), random_trials(num_trials=2)
        exact, _ = tt.gradient(circuit, params, trials, rules.make("bptt"), key=KEY, state={})
        uses = jax.tree.map(lambda leaf: leaf.sum(0), instants._uses(circuit, SquaredError(), params, trials))
    for name, value in exact.items():
        np.testing.assert_allclose(uses[name], value, rtol=1e-9, atol=1e-12, err_msg=name)


def test_step_by_step(found):
    assert found["step_cosine"].dims == ("rule", "time", "block")
    local = found["step_cosine"].sel(rule="moving", block="recurrent")
    assert np.isfinite(local).sum() > 3
    assert (local < 0.999).any()
    first = found["step_cosine"].sel(rule="moving", block="input").isel(time=0)
    np.testing.assert_allclose(first, 1)  # nothing has crossed a synapse yet
    readout = found["step_cosine"].sel(rule="moving", block="readout").values
    np.testing.assert_allclose(readout[np.isfinite(readout)], 1)
    at_once, late = found["lagged_cosine"].sel(rule="moving", block="readout").values
    assert at_once == pytest.approx(1)  # a use of the readout is a loss of the same step
    assert abs(late) < 0.9
    for rule in ("bptt", "force"):
        assert np.isnan(found["step_cosine"].sel(rule=rule)).all()
    assert found["lag"].values.tolist() == [0, 40]
    assert found["time"].attrs["units"] == "ms"


def test_refusals():
    params, trials = random_params(QUIET), random_trials(num_trials=2)

    def ask(given=("rflo",), **options):
        return tt.compare_gradients(QUIET, params, trials, given, key=KEY, **options)

    with pytest.raises(ValueError, match="draws 2 is not a whole number >= 3"):
        ask(draws=2)
    with pytest.raises(ValueError, match="a penalty on vanishing gradients is taken by exact rules alone"):
        ask(objective=SquaredError() + VanishingGradient(0.1))
    with pytest.raises(ValueError, match=r"states of \['dni'\]; the rules are \['rflo'\]"):
        ask(states={"dni": {}})
    for lags in ((30.0,), (-20.0,), (180.0,), (20.0, 0.0), ()):
        with pytest.raises(ValueError, match=r"expected increasing multiples of dt \(20 ms\) from 0 to 160"):
            instants._steps(lags, 20.0, 9)


@pytest.mark.parametrize(
    ("rule", "passes"),
    [
        (rules.make("node-perturbation"), 1),
        (rules.make("node-perturbation", readout="delta"), 1),
        (rules.make("miconi", warm_up=7, settle=0.0, probability=0.5 / 20), 3),
        (rules.make("rflo"), 0),
    ],
)
def test_a_rule_that_waits_for_trials_is_measured_once_it_has_seen_them(rule, passes):
    circuit = small_circuit("current")
    with jax.enable_x64(True):
        params, trials = setting()
        data = tt.compare_gradients(circuit, params, trials, [("one", rule)], key=KEY, draws=8)
    assert int(data["warm_up_passes"][0]) == passes
    assert data.attrs["rule_states"].endswith("warmed up on the same trials with other keys")
    recurrent = data.isel(rule=0, block=labels(data["block"]).index("recurrent"))
    assert np.isfinite(recurrent["cosine"])
    assert float(recurrent["norm_ratio"]) > 0


def test_parameters_a_rule_never_reaches_leave_its_state_as_it_was():
    circuit = small_circuit("current", initial=tt.circuits.Learned())
    with jax.enable_x64(True):
        params, trials = random_params(circuit), random_trials(num_trials=2)
        rule = rules.make("node-perturbation", baseline="noise-free")
        assert warmed(circuit, rule, SquaredError(), params, {}, trials, KEY) == ({}, 0)
        rule = rules.make("eprop", feedback="random")
        state = rule.init(circuit, params, key=KEY)
        first, passes = warmed(circuit, rule, SquaredError(), params, state, trials, KEY)
        assert first is state
        assert passes == 0
        running = rules.make("node-perturbation")
        state = running.init(circuit, params, key=KEY)
        _, passes = warmed(circuit, running, SquaredError(), params, state, trials, KEY)
        assert passes == 1  # the initial state stays without a gradient, whatever it waits for


def test_the_first_gradient_of_a_rule_that_waits_is_zero_and_its_state_goes_on():
    params, trials = setting()
    rule = rules.make("node-perturbation")
    first, info = tt.gradient(QUIET, params, trials, rule, key=KEY)
    assert not any(np.any(value) for value in first.values())
    then, _ = tt.gradient(QUIET, params, trials, rule, key=jax.random.key(8), state=info["state"])
    assert all(np.any(value) for value in then.values())


def test_rules_that_cannot_go_step_by_step_are_named_and_the_others_measured():
    circuit = small_circuit("current", readout_tau=60.0)
    relayed = rules.make("modprop", receiver_memory=False)
    forms = {"relayed": relayed, **{name: rules.make(name) for name in ("tbptt", "mdgl", "force", "bptt")}}
    with jax.enable_x64(True):
        params, trials = random_params(circuit), random_trials(num_trials=2)
        data = instants.instantaneous_alignment(
            circuit, params, trials, {"rtrl": rules.make("rtrl"), **forms},
            key=KEY, objective=SquaredError(), states={"rtrl": {}}, lags=(0.0,), names=tuple(params),
        )  # fmt: skip
    exact = data["step_cosine"][0].values
    np.testing.assert_allclose(exact[np.isfinite(exact)], 1)
    assert np.isfinite(exact).any()
    assert np.isnan(data["step_cosine"][1:]).all()
    assert np.isnan(data["lagged_cosine"][1:]).all()
    told = dict(line.split(": ", 1) for line in data.attrs["without_steps"].split("\n"))
    assert list(told) == list(forms)
    assert told["bptt"] == "it does not run forward in time."
    assert told["force"] == "it gives a displacement, and no gradient."
    assert "this transport has no form that runs forward in time" in told["tbptt"]
    for name in ("mdgl", "relayed"):
        assert "keeps no filter for a leaky readout" in told[name]
    assert "needs a limit; set reach" in instants.why_not_forward(relayed, QUIET)


def test_a_fed_back_output_leaves_the_exact_shares_out_and_the_credit_of_uses_in():
    circuit = small_circuit("current", output_feedback=True)
    with jax.enable_x64(True):
        params, trials = random_params(circuit), random_trials(num_trials=2)
        exact, _ = tt.gradient(circuit, params, trials, rules.make("bptt"), key=KEY, state={})
        uses = instants._uses(circuit, SquaredError(), params, trials)
        for name, value in exact.items():
            np.testing.assert_allclose(uses[name].sum(0), value, rtol=1e-9, atol=1e-12, err_msg=name)
        data = tt.compare_gradients(circuit, params, trials, ["rflo"], key=KEY, instantaneous=True)
    assert np.isnan(data["step_cosine"]).all()
    assert np.isfinite(data["lagged_cosine"]).any()
    assert data.attrs["without_steps"].startswith(
        "step_cosine: the exact shares are missing. RTRL: with output"
    )


def test_a_given_state_is_used():
    with jax.enable_x64(True):
        params, trials = setting()
        states = {"rflo": {"rule_feedback": params["readout"].T}}
        data = tt.compare_gradients(QUIET, params, trials, ["rflo"], key=KEY, states=states)
        grads, _ = tt.gradient(QUIET, params, trials, rules.make("rflo"), key=KEY, state=states["rflo"])
    recurrent = data.isel(rule=0, block=labels(data["block"]).index("recurrent"))
    size = np.linalg.norm(np.asarray(grads["recurrent"]))
    assert float(recurrent["mean_norm_squared"]) == pytest.approx(size**2)
