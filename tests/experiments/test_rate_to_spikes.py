"""The study of circuits turned into spiking ones: its recipe, a run of it in small, what was found."""

from __future__ import annotations

import importlib
import math
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
import xarray as xr
from scipy.stats import binomtest

import throughtime as tt
from throughtime.cli.scripts import imported
from throughtime.results import labels
from throughtime.spiking import LIF, Spikes, filtered

ROOT = Path(__file__).resolve().parents[2]
with imported(ROOT / "experiments" / "rate_to_spikes.py") as study:
    measuring = importlib.import_module("_transfer_measure")
RECORD = ROOT / "evidence" / "rate_to_spikes.nc"
TINY = study.Form(
    "tiny", num_seeds=(2, 1), num_units=(20, 20), num_updates=(3, 3),
    variants=(("program",), ("program",)), inverse_lambdas=(40.0, 60.0), num_trials=2, fresh_trials=6,
    shorter=5,
)  # fmt: skip


def drawn(task, circuit, rule, *, seeds, params, num_updates, stop, **settings):
    """What training returns, without training, which saves a compilation."""
    assert (rule.name, num_updates, stop) == ("bptt", 3, "budget")
    assert settings["objective"] == measuring.RootSquaredError()
    training = xr.Dataset(
        {name: ("seed", [3], {"units": "1"}) for name in ("criterion_update", "num_updates")}
    )
    tree = xr.DataTree.from_dict({"/training": training})
    given = lambda seed, checkpoint: params  # noqa: E731
    return SimpleNamespace(task=task, circuit=circuit, seeds=seeds, params=given, tree=tree)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A tiny study: one transfer of drawn weights, which stands for all cells; and its record in a file."""
    folder = tmp_path_factory.mktemp("cells")
    made = study.study(TINY)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(measuring.tt, "train", drawn)
        patch.setattr(measuring.shutil, "which", lambda name: None)
        first, *others = study.cells(TINY)
        found = {first: measuring.measure(first.declared)}
    measuring.trained.cache_clear()
    *others, fixed = others
    for cell in others:
        found[cell] = study.summary(found[first]).assign(final_accuracy=((), 0.99, {"units": "1"}))
    found[fixed] = found[first].assign(best_inverse_lambda=((), 50.0, {"units": "Hz"}))
    for cell, data in found.items():
        data.attrs = {"code_sha256": "0", "seconds": 1.0, "identity": cell.identity}
    return made.record(found), folder


def test_every_circuit_is_one_cell_and_the_main_result_comes_first():
    cells = list(study.cells(study.FULL))
    assert len({cell.name for cell in cells}) == len({cell.identity for cell in cells}) == len(cells)
    kinds = [cell.declared["variant"] for cell in cells]
    assert kinds[:-1] == sorted(kinds[:-1], key=list(measuring.VARIANTS).index)
    shown = [cell for cell in cells if cell.declared["example"]]
    assert [cell.labels for cell in shown] == [("go-no-go", "program", 0), ("go-no-go", "fixed", 0)]
    assert shown[1].declared == {**shown[0].declared, "inverse_lambdas": [50.0]}


@pytest.mark.parametrize("name", study.TASKS)
def test_the_circuit_is_the_published_one(name):
    task = measuring.task_of(name, 1)
    circuit = measuring.circuit_of(task, name, 200, 3, False)
    params = measuring.initial_params(circuit, 3)
    weights = circuit.weights(params)
    recurrent = np.asarray(weights.recurrent)
    assert (recurrent != 0).mean() == pytest.approx(0.2, abs=0.01)
    assert np.sqrt((recurrent[recurrent != 0] ** 2).mean()) == pytest.approx(1.5 / math.sqrt(40), rel=0.03)
    assert (recurrent[:, :160] >= 0).all()
    assert (recurrent[:, 160:] <= 0).all()
    assert weights.input.std() == pytest.approx(1.0, rel=0.1)
    assert weights.readout.std() == pytest.approx(0.01, rel=0.2)
    assert not np.asarray(weights.bias).any()
    assert set(circuit.untrained) >= {"bias", "input"}
    added = circuit.noise_sd * math.sqrt(2 * circuit.dynamics.tau / task.dt) * task.dt / circuit.dynamics.tau
    assert added == pytest.approx(0.1)  # on every state and step
    assert (task.dt, task.num_steps) == (5.0, {"go-no-go": 200, "contextual-integration": 500}[name])


def test_the_loss_is_the_published_one():
    outputs, targets = np.array([[1.0], [2.0], [5.0]]), np.array([[1.0], [0.0], [0.0]])
    trial = SimpleNamespace(targets=targets, mask=np.array([[1.0], [1.0], [0.0]]))
    assert float(measuring.RootSquaredError()(outputs, trial)) == pytest.approx(2.0)


def test_synapses_differ_between_seeds():
    task = measuring.task_of("go-no-go", 5)
    masks = [measuring.circuit_of(task, "go-no-go", 50, seed, True).recurrent.existing(50) for seed in (0, 1)]
    assert (np.asarray(masks[0]) != np.asarray(masks[1])).any()


def test_the_interval_is_that_of_wilson():
    share, low, high = study.wilson(9, 10)
    z = 1.959963984540054
    middle, width = (share + z**2 / 20) / (1 + z**2 / 10), z * math.sqrt(0.09 / 10 + z**2 / 400)
    assert (low, high) == pytest.approx((middle - width / (1 + z**2 / 10), middle + width / (1 + z**2 / 10)))
    assert np.isnan(study.wilson(0, 0)).all()


def test_only_trained_circuits_are_counted():
    option = {"trained": [[1, 1, 0, 1]], "final_accuracy": [[0.95, 0.94, 1.0, 1.0]]}
    data = xr.Dataset({name: (("option", "draw"), np.array(values)) for name, values in option.items()})
    found = study.rated(data, "go-no-go", ["program"])
    assert [found[name][1].tolist() for name in ("num_trained", "num_successes")] == [[3], [2]]
    assert found["published_success"][1] == [0.94]
    assert np.isnan(study.rated(data, "go-no-go", ["equations"])["published_success"][1]).all()


def test_the_record_of_a_small_run_is_valid_and_can_be_drawn(finished, capsys):
    record, folder = finished
    tree = tt.results.load_tree(tt.results.save(record, folder / "record.nc"))
    assert tt.results.validate(tree) == []
    assert {name: tree[name].sizes["draw"] for name in study.TASKS} == dict(
        zip(study.TASKS, TINY.num_seeds, strict=True)
    )
    example = tree["example"].to_dataset()
    assert labels(example["trial"]) == ["nogo", "go"]
    targets = example["targets"].isel(seed=0, output=0)
    np.testing.assert_array_equal(targets.max("time"), [0, 1])
    steps = np.rint(example["spike_time"].values / 0.05).astype(int) - 1
    order = np.lexsort((example["spike_unit"], steps, example["spike_trial"]))
    spikes = Spikes(
        *(each[order] for each in (example["spike_trial"].values, example["spike_unit"].values, steps))
    )
    tau = np.full(20, math.sqrt(20.0 * 50.0))  # as before training
    sent = filtered(LIF(), spikes, tau, num_replicas=2, num_bins=40, bin_width=5.0)
    per_rate = 1000 / float(example["best_inverse_lambda"][0])
    kept = example["spiking_rates"].isel(seed=0).transpose("trial", "time", "unit").values
    np.testing.assert_allclose(kept, per_rate * sent, atol=0.006)  # kept to two decimals
    assert kept.max() > 0.5
    assert float(example["fixed_inverse_lambda"][0]) == 50.0
    np.testing.assert_array_equal(example["fixed_outputs"], example["spiking_outputs"])
    study.report(tree)
    assert "0 of 0 trained circuits" in capsys.readouterr().out
    with imported(ROOT / "figures" / "rate_to_spikes.py") as figure:
        figure.draw(tree).canvas.draw()


def test_an_example_needs_both_kinds_of_trials():
    found = xr.Dataset({"targets": (("seed", "trial", "time", "output"), np.ones((1, 3, 4, 1)))})
    with pytest.raises(ValueError, match="the 3 trials kept of seed 5 are all of one kind"):
        measuring.example(found, 5)


def test_both_transfers_of_the_example_are_of_the_same_trials():
    one, other = (xr.Dataset({"targets": ("seed", [value])}) for value in (0.0, 1.0))
    with pytest.raises(ValueError, match="not of the same trials"):
        study.shown(one, other)


@pytest.fixture(scope="module")
def record():
    tree = tt.results.load_tree(RECORD)
    assert tree.attrs["form"] == "full"
    return tree


def of(record, task, variant):
    """Data of all circuits of a task in one variant."""
    data = record[task].to_dataset()
    return data.isel(option=labels(data["option"]).index(variant))


def test_the_record_is_of_the_declaration(record):
    assert record.attrs["config_sha256"] == study.study().config_sha256
    assert tt.results.validate(record) == []
    assert RECORD.stat().st_size < 500_000
    for task, number in zip(study.TASKS, study.FULL.num_seeds, strict=True):
        assert record[task].sizes["draw"] == number
        assert (record[task]["rate_error"] < measuring.ERROR_BELOW).all()
        assert (record[task]["rate_accuracy"] >= measuring.ACCURACY_AT_LEAST).all()


@pytest.mark.parametrize("task", study.TASKS)
def test_with_the_programs_noise_every_circuit_is_transferred_as_published(record, task):
    data = of(record, task, "program")
    number, right = data.sizes["draw"], data["final_accuracy"].values
    assert data["num_successes"] == number == (right >= 0.95).sum()
    interval = binomtest(number, number).proportion_ci(method="wilson")
    np.testing.assert_allclose((data["success_lower"], data["success_upper"]), interval)
    assert abs(right.mean() - float(data["published_accuracy"])) < float(data["published_accuracy_sd"])
    published = float(data["published_success"])
    assert np.isnan(published) or interval.low < published < interval.high


def test_without_noise_go_no_go_is_not_transferred_and_noisy_inputs_are(record):
    assert [int(of(record, "go-no-go", one)["num_successes"]) for one in ("equations", "balanced")] == [1, 2]
    search = of(record, "go-no-go", "equations")["accuracy"].median("draw")
    assert 0.7 < search.min() < search.max() < 0.85
    assert of(record, "contextual-integration", "equations")["num_successes"] == 6


@pytest.mark.parametrize("variant", ["no_refractory_period", "single_exponential"])
def test_other_neurons_are_transferred_too(record, variant):
    data = of(record, "contextual-integration", variant)
    assert data["num_successes"] == 5
    assert float(data["final_accuracy"].mean()) > float(data["published_accuracy"])


def test_the_decision_is_transferred_and_not_the_size_of_the_output(record):
    example = record["example"].to_dataset().isel(seed=0, output=0).sel(trial=1)
    assert example["spiking_outputs"].max() > 3 * example["outputs"].max()
    least = [float(of(record, task, "program")["cka"].min()) for task in study.TASKS]
    assert least[0] > 0.88
    assert least[1] > 0.7
