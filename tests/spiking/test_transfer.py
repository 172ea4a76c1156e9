"""Rate circuits carried over to LIF neurons: what is refused, what comes out, and where it is kept."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from tests.spiking.euler_twin import twin
from throughtime import keys, results
from throughtime.cli import main
from throughtime.results.flags import labels
from throughtime.spiking import LIF, preconditions, success
from throughtime.spiking.likeness import likeness

pytestmark = pytest.mark.filterwarnings("ignore:transfer. 5 units")

TASK = tt.tasks.make("go-no-go", fixation=40.0, stimulus=60.0, response=50.0)
UNITS = tt.circuits.Leaky(tau=30.0, tau_range=(15.0, 50.0), activation="sigmoid", form="current")
FEW: dict[str, Any] = {"num_trials": 8, "fresh_trials": 8, "kept_trials": 8, "inverse_lambdas": (60.0, 500.0)}


def relay(**change: Any) -> tuple[Any, dict[str, Any]]:
    """Three units that a stimulus drives and the output reads, and two coupled ones: Go/NoGo by hand."""
    W = np.zeros((5, 5))
    W[3, :3], W[4, 3], W[3, 4] = 4.0, 3.0, -2.0
    fields = {"dynamics": UNITS, **change}
    return tt.circuits.from_arrays(
        W,
        np.array([[16.0], [15.0], [14.0], [-2.0], [0.0]]),
        np.array([[0.36, 0.36, 0.36, 0.0, 0.0]]),
        np.array([-5.0, -5.0, -5.0, -1.0, 1.0]),
        np.array([-0.05]),
        dt=5.0,
        noise=0.02,
        **fields,
    )


class Several:
    """A run of several seeds, by hand."""

    def __init__(self, circuit: Any, *params: dict[str, Any]) -> None:
        self.task, self.circuit, self.each = TASK, circuit, params
        self.seeds = list(range(10, 10 + len(params)))

    def params(self, seed: int, checkpoint: int = -1) -> dict[str, Any]:
        return self.each[seed - 10]


@pytest.fixture(scope="module")
def several() -> Several:
    """A good seed, one of each kind that is refused, and one without spikes."""
    circuit, good = relay()
    return Several(
        circuit,
        good,
        {**good, "bias": good["bias"].at[0].set(jnp.nan)},
        {**good, "tau_logit": good["tau_logit"].at[1].set(-4.0)},
        {**good, "readout": 20 * good["readout"]},
        {**good, "readout": 0 * good["readout"]},
    )


@pytest.fixture(scope="module")
def found(several: Several) -> xr.Dataset:
    return tt.spiking.transfer(several, loss_below=4.0, accuracy_at_least=0.9, **FEW)


def test_each_seed_tells_how_it_ended(found: xr.Dataset) -> None:
    assert labels(found["transfer_status"]) == [
        "transferred", "diverged", "tau_too_short", "loss_too_high", "rates_inaccurate",
    ]  # fmt: skip
    refusals = found.attrs["refusal"].split("; seed")
    assert len(refusals) == 4
    assert "training diverged" in refusals[0]
    assert "a unit has a τ of 15.33 ms" in refusals[1]
    assert "error is " in refusals[2]
    assert "the rate circuit itself is right in" in refusals[3]
    for name in ("accuracy", "final_accuracy", "mean_rate", "cka", "spiking_outputs", "rate_components"):
        assert np.isfinite(found[name].isel(seed=0)).all(), name
        assert np.isnan(found[name].isel(seed=slice(1, None))).all(), name
    assert np.isnan(found["rate_error"]).values.tolist() == [False, True, True, False, False]
    assert found["rate_error"].values[3] > 4.0
    assert found["rate_accuracy"].values[4] < 0.9
    assert set(found["spike_seed"].values.tolist()) == {10}


def test_accuracy_is_that_of_the_firing_rates(found: xr.Dataset) -> None:
    """A driven unit fires at about 1/(2 + 10 ln(35/10)) = 69 Hz: outputs near 1 at 1/λ = 60, .1 at 500."""
    each = keys.trial_keys(keys.seed_key(10, "data"), "transfer", 0, 8)
    go = np.array([bool(TASK.trial(key).conditions["go"]) for key in each])
    assert 0 < go.mean() < 1
    np.testing.assert_allclose(found["accuracy"].isel(seed=0), [1.0, 1 - go.mean()])
    assert float(found["best_inverse_lambda"][0]) == 60.0
    assert float(found["final_accuracy"][0]) == 1.0


def test_spikes_and_outputs_are_those_of_the_euler_twin(several: Several, found: xr.Dataset) -> None:
    circuit, params = several.circuit, several.params(10)
    weights = circuit.weights(params)
    low, high = LIF().start
    each = keys.trial_keys(keys.seed_key(10, "data"), "transfer", 1, 8)
    for trial in range(2):
        made = TASK.trial(each[trial])
        start = jax.random.uniform(keys.stream(each[trial], "spiking"), (5,))
        spikes, trains = twin(
            LIF(),
            np.asarray(weights.recurrent, float),
            np.asarray(made.inputs, float) @ np.asarray(weights.input, float).T
            + np.asarray(weights.bias, float),
            np.asarray(weights.tau, float),
            1000 / 60.0,
            100,
            low + (high - low) * np.asarray(start, float),
            np.zeros(5),
        )
        here = found["spike_trial"].values == trial
        of = found.isel(spike=here)
        np.testing.assert_allclose(of["spike_time"], [(step + 1) * 0.05 for step, _ in spikes])
        assert of["spike_unit"].values.tolist() == [unit for _, unit in spikes]
        outputs = 1000 / 60.0 * trains @ np.asarray(weights.readout, float).T + np.asarray(
            weights.readout_bias
        )
        stored = found["spiking_outputs"].isel(seed=0, trial=trial)
        np.testing.assert_allclose(stored, outputs, rtol=1e-5, atol=1e-6)
        np.testing.assert_allclose(found["targets"].isel(seed=0, trial=trial), made.targets)
        noise = circuit.noise(each[trial], TASK.num_steps)
        ran = circuit.run(params, made.inputs, noise=noise)
        np.testing.assert_allclose(found["outputs"].isel(seed=0, trial=trial), ran.outputs, atol=1e-5)
    assert len(np.unique(found["spike_trial"])) == 8


def test_epochs_stand_beside_their_names(found: xr.Dataset) -> None:
    names = labels(found["epoch"])
    onset, offset = (found[name].isel(seed=0, trial=0).values for name in ("epoch_onset", "epoch_offset"))
    assert dict(zip(names, zip(onset, offset, strict=True), strict=True)) == {
        "trial": (0.0, 150.0), "fixation": (0.0, 40.0), "stimulus": (40.0, 100.0), "delay": (100.0, 100.0),
        "response": (100.0, 150.0),
    }  # fmt: skip


def test_mean_rate_counts_spikes_of_all_trials(found: xr.Dataset) -> None:
    """All fresh trials are kept here, so that the spikes which are stored make up the mean rate."""
    rate = found.sizes["spike"] / (8 * 5 * 0.15)
    np.testing.assert_allclose(found["final_mean_rate"][0], rate)
    assert 1 < rate < 100
    assert (found["mean_rate"][0] > 1).all()


def test_likeness_knows_the_same_and_the_silent() -> None:
    rates = np.random.default_rng(0).random((3, 10, 4))
    valid = np.ones((3, 10), bool)
    turned = likeness(rates, -rates, valid, 2)
    np.testing.assert_allclose(turned.correlation, -1.0)
    silent = likeness(rates, 0 * rates, valid, 2)
    assert np.isnan([silent.cka, silent.angle, *silent.correlation]).all()
    rates[:, 5:], valid[:, 5:] = 1e3, False
    assert likeness(rates, rates, valid, 2).explained.sum() < 1  # what is padded takes no part


def test_trials_are_those_of_no_other_purpose() -> None:
    root = keys.seed_key(0, "data")
    blocks = [("transfer", 0), ("transfer", 1), ("train", 0), ("train", 1), ("test", 0), ("validation", 0)]
    drawn = [jax.random.key_data(keys.trial_keys(root, name, update, 50)) for name, update in blocks]
    assert len(np.unique(np.concatenate(drawn), axis=0)) == 50 * len(blocks)


def test_a_peak_counts_on_the_side_of_the_choice_and_in_the_response() -> None:
    task = tt.tasks.make("contextual-integration", "kim")
    drawn = jax.jit(jax.vmap(task.trial))(jax.random.split(jax.random.key(0), 8))
    right = np.asarray(drawn.conditions["correct_choice"]) == 1
    trials = jax.tree.map(lambda leaf: leaf[np.repeat([right.argmax(), right.argmin()], 4)], drawn)
    side = np.repeat([1.0, -1.0], 4)
    time = (np.arange(task.num_steps) + 0.5) * task.dt
    outputs = np.zeros((8, task.num_steps, 1), np.float32)
    late = (time > 2000) & (time < 2010)
    for first in (0, 4):
        outputs[first, late, 0] = 0.8 * side[first]  # correct
        outputs[first + 1, late, 0] = -0.8 * side[first]  # the other side
        outputs[first + 2, time < 1240, 0] = 0.8 * side[first]  # too early
        outputs[first + 3, late, 0] = 0.6 * side[first]  # too little
    assert success.correct(task, outputs, trials, peak=0.7).tolist() == [True, False, False, False] * 2
    outputs[0, 0] = np.nan
    assert not success.correct(task, outputs, trials, peak=0.7)[0]


def test_errors_are_roots_of_sums_where_the_loss_counts() -> None:
    trials = tt.Trial(
        inputs=np.zeros((1, 4, 1)),
        targets=np.zeros((1, 4, 1)),
        mask=np.array([1.0, 1.0, 0.0, 1.0]).reshape(1, 4, 1),
        valid=np.array([[True, True, True, False]]),
        epochs={},
        conditions={},
    )
    outputs = np.array([3.0, 4.0, np.nan, 7.0]).reshape(1, 4, 1)
    assert success.errors(outputs, trials).tolist() == [5.0]


@pytest.mark.parametrize(
    ("seed", "message"),
    [
        (11, "seed 11: its parameters are not finite: training diverged"),
        (12, r"seed 12: a unit has a τ of 15.33 ms; below 20 ms"),
        (13, "seed 13: the root of a trial's summed squared error is .*, not below 4; accuracy alone"),
        (14, r"seed 14: the rate circuit itself is right in .* % of the trials, not in 90 %"),
    ],
)
def test_the_only_seed_is_refused_by_an_error(several: Several, seed: int, message: str) -> None:
    one = tt.spiking.Trained(TASK, several.circuit, several.params(seed), seed=seed)
    with pytest.raises(ValueError, match=message):
        tt.spiking.transfer(one, loss_below=4.0, accuracy_at_least=0.9, **FEW)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dynamics": dataclasses.replace(UNITS, form="rate")}, "have the rate form, in which τ smooths"),
        ({"dynamics": dataclasses.replace(UNITS, activation="tanh")}, "'tanh': its rates can be negative"),
        ({"dynamics": dataclasses.replace(UNITS, activation="relu")}, "'relu': its rates are unbounded"),
        ({"dynamics": dataclasses.replace(UNITS, activation="retanh")}, "'retanh': it is silent below 0"),
        ({"dynamics": tt.circuits.GRU()}, "units are GRU, whose further variables"),
        ({"dynamics": tt.circuits.Adaptive(tau=30.0, activation="sigmoid")}, "units are Adaptive"),
        ({"dynamics": dataclasses.replace(UNITS, held_rates=(1.0, *[np.nan] * 4))}, "held at a rate"),
        ({"output_feedback": True}, "outputs are fed back into the circuit"),
        ({"readout_tau": 50.0}, "the readout has a leak of its own"),
        ({"num_inputs": 2}, "the circuit has inputs 2 and the task 1"),
        ({"num_outputs": 3}, "the circuit has outputs 3 and the task 1"),
        ({"dt": 10.0}, "the circuit has dt 10 and the task 5"),
    ],
)
def test_a_circuit_without_a_counterpart_is_refused(fields: dict[str, Any], message: str) -> None:
    sizes = {"num_inputs": 1, "num_units": 5, "num_outputs": 1, "dt": 5.0, "dynamics": UNITS}
    circuit = tt.circuits.Circuit(**{**sizes, **fields})
    with pytest.raises(ValueError, match=f"transfer: .*{message}"):
        tt.spiking.transfer(tt.spiking.Trained(TASK, circuit, {}))


def test_a_dt_that_is_no_number_of_steps_is_refused() -> None:
    task = dataclasses.replace(TASK, dt=5.12)
    circuit = tt.circuits.Circuit(num_inputs=1, num_units=5, num_outputs=1, dt=5.12, dynamics=UNITS)
    with pytest.raises(ValueError, match=r"dt of the task 5.12 ms is not a multiple of the step of 0.05 ms"):
        tt.spiking.transfer(tt.spiking.Trained(task, circuit, {}))


def test_few_units_and_softplus_are_warned_of() -> None:
    soft = dataclasses.replace(UNITS, activation="softplus")
    circuit = tt.circuits.Circuit(num_inputs=1, num_units=200, num_outputs=1, dt=5.0, dynamics=soft)
    with pytest.warns(UserWarning, match="softplus does not saturate") as told:
        preconditions.check_circuit(TASK, circuit, LIF())
    assert len(told) == 1
    few = dataclasses.replace(circuit, num_units=199, dynamics=UNITS)
    with pytest.warns(UserWarning, match="199 units; below 200 few") as told:
        preconditions.check_circuit(TASK, few, LIF())
    assert len(told) == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"inverse_lambdas": ()}, "inverse_lambdas .*; expected distinct numbers > 0"),
        ({"inverse_lambdas": (20, 20)}, "inverse_lambdas .*; expected distinct numbers"),
        ({"inverse_lambdas": (0,)}, "inverse_lambdas .*; expected distinct numbers"),
        ({"num_trials": 0}, "num_trials 0 is not a whole number >= 1"),
        ({"kept_trials": 2.5}, "kept_trials 2.5 is not a whole number"),
        ({"num_components": 6}, "num_components 6 is more than the circuit has units, 5"),
        ({"loss_below": 0.0}, "loss_below 0.0 is not a positive number"),
        ({"accuracy_at_least": 95}, "accuracy_at_least 95 does not lie in 0 … 1"),
        ({"target": "c"}, "target 'c' is not known; use one of numpy, cython"),
        ({"peak": 0.7}, "peak 0.7 judges a choice reported by the sign of an output"),
    ],
)
def test_impossible_options_are_refused(several: Several, options: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=f"transfer: {message}"):
        tt.spiking.transfer(several, **options)


def test_a_peak_that_no_target_reaches_is_refused() -> None:
    with pytest.raises(ValueError, match=r"peak 1.0 has to lie from 0 to below 1, the target"):
        success.check_peak(tt.tasks.make("delayed-xor"), 1.0)


@pytest.fixture(scope="module")
def run() -> tt.Run:
    circuit, params = relay()
    free = {name: np.stack([value, value]) for name, value in params.items()}
    return tt.train(
        TASK, circuit, tt.rules.make("bptt"), seeds=range(2), num_updates=1, batch_size=2, test_trials=0,
        learning_rate=1e-6, params=free,
    )  # fmt: skip


@pytest.mark.parametrize("suffix", ["nc", "zarr"])
def test_a_run_keeps_what_came_of_it(run: tt.Run, tmp_path: Path, suffix: str) -> None:
    """Here of refused seeds: not a single spike is stored, either."""
    with pytest.warns(UserWarning, match="5 units"):
        copy = tt.transfer(run, loss_below=1e-9, command="throughtime transfer x.nc", num_trials=8)
    assert results.validate(copy.tree) == []
    copy.save(tmp_path / f"x.{suffix}")
    found = tt.load(tmp_path / f"x.{suffix}").tree["spiking/transfer"].to_dataset()
    xr.testing.assert_identical(found, copy.tree["spiking/transfer"].to_dataset())
    assert labels(found["transfer_status"]) == ["loss_too_high"] * 2
    assert found.sizes["spike"] == 0


def test_a_copy_cites_the_run_and_is_measured_again(run: tt.Run) -> None:
    copy = tt.transfer(run, loss_below=1e-9, num_trials=8, neurons=LIF(noise=0.1))
    attrs = copy.tree.attrs
    assert (attrs["kind"], attrs["parent_run"]) == ("analysis", run.tree.attrs["run_id"])
    group = copy.tree["spiking/transfer"].attrs
    assert (group["method"], group["version"]) == ("transfer", 1)
    params = json.loads(group["params"])
    assert params["neurons"]["noise"] == 0.1
    assert (params["num_trials"], params["checkpoint"], params["loss_below"]) == (8, -1, 1e-9)
    assert "spiking" not in run.tree.children
    measured = tt.analyse(copy, ["weight_change"])
    assert measured.tree["analysis/weight_change"].attrs["input_sha256"] == group["input_sha256"]
    again = tt.transfer(measured, loss_below=1e-9, num_trials=8)
    assert again.tree["spiking/transfer"].attrs["input_sha256"] == group["input_sha256"]
    assert "weight_change" in again.tree["analysis"].children
    assert again.tree.attrs["parent_run"] == run.tree.attrs["run_id"]


def test_states_carried_from_trial_to_trial_are_refused(run: tt.Run) -> None:
    carried = tt.Run(run.tree.copy())
    carried.__dict__["config"] = {**run.config, "training": {**run.config["training"], "carry_state": True}}
    with pytest.raises(ValueError, match="states carried from trial to trial"):
        tt.transfer(carried)


def test_the_command_line_tells_and_saves(run: tt.Run, tmp_path: Path, capsys: Any) -> None:
    run.save(tmp_path / "x.nc")
    words = ["--num-trials", "8", "--fresh-trials", "8", "--inverse-lambdas", "60", "--kept-trials", "1"]
    assert main(["transfer", str(tmp_path / "x.nc"), *words]) == 0
    told, err = capsys.readouterr()
    assert "transfer: 5 units; below 200" in err
    lines = {" ".join(line.split()[:-2]): line.split()[-2:] for line in told.splitlines() if line}
    assert lines["correct at 60 Hz"] == lines["correct as spikes"] == ["1", "1"]
    assert lines["best 1/λ (Hz)"] == ["60", "60"]
    out = tmp_path / "x-spiking.nc"
    assert told.endswith(f"saved: {out}\n")
    saved = tt.load(out).tree
    assert labels(saved["spiking/transfer/transfer_status"]) == ["transferred"] * 2
    assert saved.attrs["command"].startswith("throughtime transfer x.nc --num-trials 8")
    assert main(["transfer", str(out), *words, "--loss-below", "1e-9"]) == 1
    assert "refused: seed 0: the root of" in capsys.readouterr().out
