"""LIF neurons in Brian2: spike for spike those of a plain Euler scheme, and those of a formula."""

from __future__ import annotations

import os
from typing import Any

import numpy as np
import pytest

from tests.spiking.euler_twin import twin
from throughtime.spiking import LIF, Spikes, filtered, lif_network, simulate

UNITS, BINS, STEPS = 10, 24, 67
WIDTH = 3.35  # ms, no whole number of anything but steps
TRIAL = np.array([0, 1, 1])


@pytest.fixture(scope="module")
def network() -> dict[str, Any]:
    """A recurrent network with Dale's law, two trials, three replicas with λ of their own."""
    rng = np.random.default_rng(3)
    signs = np.where(np.arange(UNITS) % 4 == 0, -1, 1)
    return {
        "recurrent": np.abs(rng.normal(size=(UNITS, UNITS))) * (rng.random((UNITS, UNITS)) < 0.5) * signs,
        "drive": rng.normal(2.0, 8.0, size=(2, BINS, UNITS)),
        "tau": rng.uniform(20.0, 50.0, UNITS),
        "scale": np.array([50.0, 20.0, 35.0]),
        "trial": TRIAL,
        "start": rng.uniform(-65.0, -40.0, (2, UNITS)),
        "current": rng.normal(size=UNITS),
        "bin_width": WIDTH,
    }


def in_numpy(
    neurons: LIF, network: dict[str, Any], **variant: Any
) -> tuple[list[tuple[int, ...]], np.ndarray]:
    spikes, trains = [], []
    for replica, trial in enumerate(TRIAL):
        found, train = twin(
            neurons,
            network["recurrent"],
            network["drive"][trial],
            network["tau"],
            network["scale"][replica],
            STEPS,
            network["start"][trial],
            network["current"],
            **variant,
        )
        spikes += [(replica, unit, step) for step, unit in found]
        trains.append(train)
    return spikes, np.array(trains)


def as_list(spikes: Spikes) -> list[tuple[int, ...]]:
    return list(zip(*(each.tolist() for each in spikes), strict=True))


@pytest.fixture(scope="module")
def published(network: dict[str, Any]) -> tuple[list[tuple[int, ...]], np.ndarray]:
    return in_numpy(LIF(), network)


def test_every_spike_is_that_of_the_euler_twin(network, published) -> None:
    spikes = simulate(LIF(), **network)
    assert len(spikes.step) > 100
    assert as_list(spikes) == published[0]
    trains = filtered(
        LIF(), spikes, network["tau"], num_replicas=3, num_bins=BINS, bin_width=network["bin_width"]
    )
    np.testing.assert_allclose(trains, published[1], rtol=0, atol=1e-13)


@pytest.mark.parametrize(
    "variant",
    [{"frozen_steps": 41}, {"frozen_steps": 39}, {"exponential": True}],
    ids=["one step more", "one step less", "exponential decay"],
)
def test_the_comparison_sees_a_scheme_that_is_nearly_the_same(network, published, variant) -> None:
    other, _ = in_numpy(LIF(), network, **variant)
    assert other != published[0]
    assert len(other) == pytest.approx(len(published[0]), rel=0.1)  # mean rates alone would not tell


@pytest.mark.parametrize(
    "neurons",
    [LIF(tau_rise=0.0), LIF(refractory=0.0, start=(-65.0, 30.0), threshold=-41.0)],
    ids=["one exponential", "no refractory time"],
)
def test_variants_have_the_spikes_of_their_twin_too(network, neurons) -> None:
    spikes = simulate(neurons, **network)
    expected, trains = in_numpy(neurons, network)
    assert as_list(spikes) == expected
    found = filtered(neurons, spikes, network["tau"], num_replicas=3, num_bins=BINS, bin_width=WIDTH)
    np.testing.assert_allclose(found, trains, rtol=0, atol=1e-13)


def test_spikes_do_not_depend_on_how_many_replicas_go_together(network, published, monkeypatch) -> None:
    monkeypatch.setattr(lif_network, "NEURONS_AT_ONCE", UNITS)
    assert [part.start for part in lif_network.blocks(3, UNITS, 1)] == [0, 1, 2]
    assert as_list(simulate(LIF(), **network)) == published[0]


@pytest.mark.filterwarnings("ignore")  # of the parser of equations
def test_a_group_of_the_user_s_own_may_have_the_same_name(network, published) -> None:
    import brian2 as b2

    own = b2.NeuronGroup(1, "v : 1", name="neurons")
    assert as_list(simulate(LIF(), **network)) == published[0]
    assert own.name == "neurons"


def test_replicas_are_of_about_one_size_and_few_synapses() -> None:
    sizes = [part.stop - part.start for part in lif_network.blocks(1200, 200, 8000)]
    assert sizes == [300] * 4
    assert max(part.stop - part.start for part in lif_network.blocks(1200, 200, 40_000)) == 100


@pytest.mark.skipif("THROUGHTIME_SLOW" not in os.environ, reason="compiles; THROUGHTIME_SLOW=1")
def test_cython_has_the_same_spikes(network, published) -> None:
    assert as_list(simulate(LIF(), **network, target="cython")) == published[0]


def alone(drive: float, neurons: LIF, bins: int = 4, **options: Any) -> Spikes:
    network = {"recurrent": np.zeros((1, 1)), "tau": np.array([30.0]), "scale": np.ones(1), **options}
    return simulate(neurons, drive=np.full((1, bins, 1), drive), bin_width=20.0, **network)


def test_interval_under_constant_drive_is_that_of_the_formula() -> None:
    intervals = np.diff(alone(5.0, LIF()).step) * LIF().dt
    np.testing.assert_allclose(intervals, 2 + 10 * np.log(6), rtol=0.01)


@pytest.mark.parametrize(("refractory", "steps"), [(2.0, 40), (0.1, 2), (0.05, 1), (0.0, 1)])
def test_a_neuron_driven_hard_spikes_when_it_wakes(refractory: float, steps: int) -> None:
    step = alone(1e6, LIF(refractory=refractory), bins=1).step
    np.testing.assert_array_equal(np.diff(step), steps)
    assert len(step) == 400 // steps


def test_noise_is_of_the_seed_and_leaves_the_generator_of_others_alone() -> None:
    before = np.random.get_state()[1].copy()  # noqa: NPY002
    first, again, other = (alone(0.0, LIF(noise=1.0), bins=2, seed=seed) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first.step, again.step)
    assert first.step.tolist() != other.step.tolist()
    assert len(first.step) > 0  # without noise and drive there is none
    assert len(alone(0.0, LIF()).step) == 0
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002


def test_noise_has_the_size_that_was_asked_for() -> None:
    """With τ_m = dt, v + noise is white: it crosses the threshold, 2 SD away, in 2.28 % of the steps."""
    neurons = LIF(tau_membrane=0.05, refractory=0.0, noise=3.0, bias=-46.0)
    many = {"scale": np.ones(20), "trial": np.zeros(20, int)}
    share = len(alone(0.0, neurons, bins=5, **many).step) / 40_000
    assert share == pytest.approx(0.02275, rel=0.1)


@pytest.mark.parametrize("neurons", [LIF(), LIF(tau_rise=0.0), LIF(tau_rise=20.0)])
def test_area_of_the_kernel_is_one(neurons: LIF) -> None:
    one = Spikes(*(np.array([value]) for value in (0, 1, 7)))
    train = filtered(neurons, one, np.array([30.0, 20.0]), num_replicas=1, num_bins=400, bin_width=2.0)
    fine = filtered(neurons, one, np.array([30.0, 20.0]), num_replicas=1, num_bins=16000, bin_width=0.05)
    assert fine[0, :, 1].sum() * 0.05 == pytest.approx(1.0, abs=1e-9)
    assert not fine[0, :, 0].any()
    np.testing.assert_allclose(train[0], fine[0, 39::40], rtol=1e-9, atol=1e-15)


def test_many_replicas_are_filtered_in_parts(monkeypatch) -> None:
    rng = np.random.default_rng(0)
    spikes = Spikes(np.sort(rng.integers(0, 5, 60)), rng.integers(0, 3, 60), rng.integers(0, 400, 60))
    shape = {"num_replicas": 5, "num_bins": 4, "bin_width": 5.0}
    whole = filtered(LIF(), spikes, np.full(3, 25.0), **shape)
    monkeypatch.setattr("throughtime.spiking.kernel.ENTRIES_AT_ONCE", 30)
    np.testing.assert_array_equal(filtered(LIF(), spikes, np.full(3, 25.0), **shape), whole)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dt": 0.0}, "dt 0.0 ms is not a positive"),
        ({"tau_membrane": -1.0}, "tau_membrane -1.0 ms is not a positive"),
        ({"tau_rise": -1.0}, "tau_rise -1.0 is below 0"),
        ({"noise": -1.0}, "noise -1.0 is below 0"),
        ({"threshold": np.nan}, "threshold nan is not a finite"),
        ({"start": (-50.0, np.inf)}, r"start\[1\] inf is not a finite"),
        ({"start": (-40.0, -65.0)}, r"has to be \(low, high\)"),
        ({"reset": -40.0}, "has to lie below the threshold"),
        ({"tau_rise": 0.01}, "tau_rise 0.01 ms is below dt 0.05 ms"),
        ({"refractory": 0.07}, "refractory 0.07 ms is not a multiple of the step of 0.05 ms"),
    ],
)
def test_impossible_constants_are_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LIF(**fields)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"drive": np.zeros((3, 4))}, r"drive has shape \(3, 4\), expected \(trial, time, unit\)"),
        ({"tau": np.ones(3)}, r"tau has shape \(3,\), expected \(10,\)"),
        ({"tau": np.full(UNITS, 0.01)}, "tau of 0.01 ms is below the step"),
        ({"scale": np.ones(2)}, r"scale has shape \(2,\), expected \(3,\)"),
        ({"current": np.full(UNITS, np.nan)}, "current has entries that are not finite"),
        ({"trial": np.array([0, 1, 2])}, "trial has entries outside 0 … 1"),
        ({"bin_width": 0.0}, "bin_width 0.0 ms is no positive number"),
        ({"bin_width": 0.12}, "bin_width 0.12 ms is not a multiple"),
        ({"target": "fortran"}, "target 'fortran' is not known"),
    ],
)
def test_arrays_that_do_not_fit_are_refused(network, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        simulate(LIF(), **{**network, **change})
