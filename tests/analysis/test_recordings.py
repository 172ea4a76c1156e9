"""Recorded spikes as rates: bins, smoothing, lost units, unequal trials, refusals."""

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.recordings import (
    bin_centres,
    equal_numbers,
    means_by_condition,
    rates_from_counts,
    spike_counts,
)


def poisson(rate=40.0, num_trials=30, duration=500.0, units=(3, 8, 9), seed=0):
    """Spike times of independent Poisson neurons, as one ragged table."""
    rng = np.random.default_rng(seed)
    rows = [
        (time, trial, unit)
        for trial in range(num_trials)
        for unit in units
        for time in np.sort(rng.uniform(0, duration, rng.poisson(rate * duration / 1000)))
    ]
    columns = [np.array(column) for column in zip(*rows, strict=True)]
    return xr.Dataset(
        {
            name: ("spike", column)
            for name, column in zip(("spike_time", "trial", "unit"), columns, strict=True)
        }
    )


def test_every_spike_is_counted_once_in_its_bin():
    spikes = poisson()
    found = analysis.recordings(spikes, dt=20.0, duration=500.0)
    assert dict(found.rates.sizes) == {"trial": 30, "time": 25, "unit": 3}
    np.testing.assert_array_equal(found.time, (np.arange(25) + 0.5) * 20)
    counts = found.rates.values * 20 / 1000
    trial, when, unit = (spikes[name].values for name in ("trial", "spike_time", "unit"))
    for t, k, u in ((0, 0, 0), (7, 13, 2), (29, 24, 1)):
        inside = (trial == t) & (unit == (3, 8, 9)[u]) & (when >= 20 * k) & (when < 20 * k + 20)
        assert counts[t, k, u] == pytest.approx(inside.sum())
    assert counts.sum() == pytest.approx(spikes.sizes["spike"])
    np.testing.assert_array_equal(found.unit, [3, 8, 9])
    assert (found.rates.attrs["units"], found.time.attrs["units"]) == ("Hz", "ms")
    np.testing.assert_array_equal(found.num_spikes, [(unit == u).sum() for u in (3, 8, 9)])


def test_edges_of_bins_and_times_before_an_event():
    spikes = np.array([-100.0, -80.0, -0.1, 0.0, 19.999])
    zeros = np.zeros(5, int)
    counts = spike_counts(
        spikes, zeros, zeros, num_trials=1, num_units=1, duration=130.0, dt=20.0, start=-100.0
    )
    np.testing.assert_array_equal(counts[0, :, 0], [1, 1, 0, 0, 1, 2])
    np.testing.assert_allclose(bin_centres(130.0, 20.0, -100.0), np.arange(-90.0, 20.0, 20.0))


def test_smoothing_keeps_constants_and_spikes():
    constant = np.full((2, 50, 3), 2.0)
    constant[1, 20:30, 1] = np.nan
    found = rates_from_counts(constant, 10.0, smoothing=35.0)
    np.testing.assert_allclose(found[np.isfinite(constant)], 200)
    np.testing.assert_array_equal(np.isnan(found), np.isnan(constant))
    one = np.zeros(101)
    one[50] = 1
    kernel = rates_from_counts(one, 10.0, axis=0, smoothing=40.0)
    assert kernel.sum() * 10 / 1000 == pytest.approx(1)
    at = (np.arange(101) - 50) * 10.0
    gauss = np.exp(-(at**2) / (2 * 40.0**2))
    np.testing.assert_allclose(kernel, 1000 / 10 * gauss / gauss.sum(), atol=0.01)


def test_rates_of_poisson_neurons_come_back():
    found = analysis.recordings(poisson(num_trials=150), dt=10.0, duration=500.0, smoothing=50.0)
    np.testing.assert_allclose(found.rates.mean(("trial", "time")), 40, rtol=0.05)


def test_counts_and_spike_times_give_the_same():
    spikes = poisson()
    direct = analysis.recordings(spikes, dt=20.0, duration=500.0, smoothing=30.0)
    counts = (analysis.recordings(spikes, dt=20.0, duration=500.0).rates * 0.02).round()
    again = analysis.recordings(counts.transpose("unit", "trial", "time"), smoothing=30.0)
    xr.testing.assert_allclose(again.rates, direct.rates)
    assert again.attrs["dt"] == 20.0


def test_units_that_were_not_held_are_missing_not_silent():
    spikes = poisson()
    held = xr.DataArray(np.ones((30, 4), bool), coords={"trial": np.arange(30), "unit": [3, 8, 9, 12]})
    held[10:, 1] = False
    spikes = spikes.isel(spike=np.flatnonzero(~((spikes.unit == 8) & (spikes.trial >= 10)).values))
    found = analysis.recordings(spikes, dt=20.0, duration=500.0, recorded=held, min_trials=12, min_spikes=5)
    assert np.isnan(found.rates.sel(unit=[8, 12])).all()
    assert np.isfinite(found.rates.sel(unit=[3, 9])).all()
    np.testing.assert_array_equal(found.unit_status, [0, 1, 0, 2])
    np.testing.assert_array_equal(found.num_trials, [30, 10, 30, 30])
    assert found.attrs["num_lost_units"] == 2
    assert found.unit_status.attrs["flag_meanings"] == "kept too_few_trials too_few_spikes"
    dropped = analysis.recordings(
        spikes, dt=20.0, duration=500.0, recorded=held, min_trials=12, min_spikes=5, lost="drop"
    )
    np.testing.assert_array_equal(dropped.unit, [3, 9])
    assert dropped.attrs["num_lost_units"] == 2
    looser = analysis.recordings(spikes, dt=20.0, duration=500.0, recorded=held)
    assert np.isnan(looser.rates.sel(unit=8)[10:]).all()
    assert np.isfinite(looser.rates.sel(unit=8)[:10]).all()


def test_silent_trials_are_kept_where_they_are_declared():
    spikes = poisson(num_trials=4)
    some = spikes.isel(spike=np.flatnonzero((spikes.trial < 2).values))
    assert analysis.recordings(some, dt=50.0, duration=500.0).sizes["trial"] == 2
    found = analysis.recordings(some, dt=50.0, duration=500.0, trials=[3, 2, 1, 0], units=[9, 8, 3, 1])
    np.testing.assert_array_equal(found.rates.sum(("time", "unit")) > 0, [False, False, True, True])
    np.testing.assert_array_equal(found.num_spikes, [(some.unit == u).sum() for u in (9, 8, 3, 1)])
    side = xr.DataArray(["left", "right", "left", "right"], dims="trial", name="side")
    labelled = analysis.recordings(some, dt=50.0, duration=500.0, condition=side)
    assert labelled.sizes["trial"] == 4
    assert labelled.side.attrs["flag_meanings"] == "left right"


def test_condition_means_use_the_trials_there_are():
    rng = np.random.default_rng(1)
    rates = xr.DataArray(rng.uniform(0, 9, (9, 5, 3)), dims=("trial", "time", "unit"), attrs={"units": "Hz"})
    rates[2:4, :, 1] = np.nan
    coherence = xr.DataArray(
        [-0.5, 0.5, -0.5, -0.5, 0.5, 0.5, 0.5, np.nan, 0.1], dims="trial", name="coherence"
    )
    found = analysis.condition_means(rates, coherence)
    np.testing.assert_array_equal(found.coherence, [-0.5, 0.1, 0.5])
    np.testing.assert_array_equal(found.condition, [0, 1, 2])
    np.testing.assert_array_equal(found.num_trials, [[3, 1, 3], [1, 1, 1], [4, 4, 4]])
    np.testing.assert_allclose(found.rates[0, :, 1], rates[0, :, 1])
    np.testing.assert_allclose(found.rates[0, :, 0], rates[[0, 2, 3], :, 0].mean("trial"))
    assert found.rates.attrs["units"] == "Hz"
    few = analysis.condition_means(rates, coherence, min_trials=2)
    assert np.isnan(few.rates[1]).all()
    assert np.isnan(few.rates[0, :, 1]).all()
    codes = xr.DataArray([0, 2, 0, 0, 2, 2, 2, -1, 1], dims="trial")
    both = analysis.condition_means(xr.concat([rates, 2 * rates], "seed"), codes)
    np.testing.assert_allclose(both.rates[1], 2 * found.rates)
    assert "coherence" not in both.coords
    mean, count = means_by_condition(rates.values, codes.values, 4)
    assert np.isnan(mean[3]).all()
    np.testing.assert_array_equal(count[3], 0)


def test_equal_trials_are_drawn_without_replacement():
    rates = xr.DataArray(np.arange(20.0)[:, None, None] * np.ones((1, 2, 3)), dims=("trial", "time", "unit"))
    rates[5] = np.nan
    side = xr.DataArray(["a"] * 7 + ["b"] * 13, dims="trial", name="side")
    found = analysis.equal_trials(rates, side, random_seed=3)
    np.testing.assert_array_equal(np.bincount(found.side), [6, 6])
    values = found[:, 0, 0].values
    assert np.unique(values).size == 12
    assert 5 not in values
    again = analysis.equal_trials(rates, side, random_seed=3)
    np.testing.assert_array_equal(again.values, found.values)
    assert (analysis.equal_trials(rates, side, random_seed=4).values != found.values).any()
    fewer = analysis.equal_trials(rates, side, random_seed=3, num_trials=2)
    assert fewer.sizes["trial"] == 4


def test_every_trial_is_drawn_as_often():
    code = np.repeat([0, 1], [3, 9])
    drawn = np.concatenate([equal_numbers(code, seed) for seed in range(600)])
    share = np.bincount(drawn, minlength=12) / 600
    np.testing.assert_allclose(share[:3], 1)
    np.testing.assert_allclose(share[3:], 1 / 3, atol=0.08)


def test_complete():
    rates = xr.DataArray(
        np.ones((6, 4, 5)), dims=("trial", "time", "unit"), coords={"unit": np.arange(5) * 2}
    )
    rates[1, :, 2] = rates[:, :, 4] = rates[5] = np.nan
    by_unit, by_trial = analysis.complete(rates), analysis.complete(rates, drop="trial")
    np.testing.assert_array_equal(by_unit.unit, [0, 2, 6])
    assert (by_unit.sizes["trial"], by_trial.sizes["trial"], by_trial.sizes["unit"]) == (5, 4, 4)
    assert not by_unit.isnull().any()
    assert not by_trial.isnull().any()
    xr.testing.assert_identical(analysis.complete(by_unit), by_unit)


SPIKES = poisson(num_trials=3)
COUNTS = xr.DataArray(
    np.ones((3, 4, 2)), dims=("trial", "time", "unit"), coords={"time": np.arange(5.0, 40, 10)}
)
BINS = {"dt": 20.0, "duration": 500.0}


NEVER = xr.DataArray(np.zeros((3, 3), bool), dims=("trial", "unit"), coords={"unit": [3, 8, 9]})
TWO, NESTED = xr.DataArray([1, 2], dims="trial"), xr.DataArray([[1, 2, 3]], dims=("seed", "trial"))


@pytest.mark.parametrize(
    ("spikes", "options", "message"),
    [
        (SPIKES, {}, "dt None, duration None: spike times need both"),
        (SPIKES, {"dt": 600.0, "duration": 500.0}, "dt: 600 ms for 500 ms; use bins above 0"),
        (SPIKES, {"dt": 20.0, "duration": 100.0}, "spikes lie outside 0 to 100 ms; give times from"),
        (SPIKES, BINS | {"units": [3, 8]}, r"units: spikes of unit \[9\], which is not declared"),
        (SPIKES, BINS | {"trials": [0, 1, 1, 2]}, "trials: labels repeat, or there are none"),
        (SPIKES, BINS | {"lost": "hide"}, "lost: unknown 'hide'; use 'mask' or 'drop'"),
        (SPIKES, BINS | {"min_spikes": 900}, "spikes: all 3 units are lost, with 3 trials and .* at most"),
        (SPIKES.drop_vars("unit"), BINS, "spikes: no unit; expected spike_time, trial and unit"),
        (SPIKES, BINS | {"smoothing": -1.0}, "smoothing -1.0: use positive ms, or None"),
        (SPIKES, BINS | {"recorded": NEVER}, "recorded: .* spikes where the unit was not held"),
        (SPIKES, BINS | {"trials": range(3), "condition": TWO}, "condition: its 2 labels of trial are not"),
        (
            SPIKES,
            BINS | {"trials": range(3), "condition": NESTED},
            r"condition: dims \('seed', 'trial'\); expected \('trial',\)",
        ),
        (COUNTS, {"dt": 10.0}, "dt: go with spike times; counts have their bins and labels"),
        (COUNTS / 3, {}, "counts: found numbers that are negative or not whole"),
        (COUNTS.isel(unit=0), {}, r"spikes: dims \('trial', 'time'\); expected numbers of spikes"),
        (COUNTS.assign_coords(time=[0.0, 1, 3, 4]), {}, "spikes: time is not uniformly spaced"),
    ],
)
def test_refusals(spikes, options, message):
    with pytest.raises(ValueError, match=message):
        analysis.recordings(spikes, **options)


def test_refusals_of_averages_and_draws():
    side = xr.DataArray([0, 0, 1], dims="trial")
    with pytest.raises(ValueError, match=r"rates: dims .*; expected a dim trial"):
        analysis.condition_means(COUNTS.rename(trial="condition"), side)
    with pytest.raises(ValueError, match="condition: no trial has one"):
        analysis.condition_means(COUNTS, side - 5)
    with pytest.raises(ValueError, match="num_trials: 2, condition 1 has 1 trials; use 1 to 1"):
        analysis.equal_trials(COUNTS, side, random_seed=0, num_trials=2)
    with pytest.raises(ValueError, match="condition: no trial has one; nothing can be drawn"):
        analysis.equal_trials(COUNTS.where(False), side, random_seed=0)
    with pytest.raises(ValueError, match="select one seed at a time"):
        analysis.equal_trials(COUNTS, side.expand_dims(seed=2), random_seed=0)
    with pytest.raises(ValueError, match="drop: unknown 'time'; use 'unit' or 'trial'"):
        analysis.complete(COUNTS, drop="time")
    with pytest.raises(ValueError, match="rates: 6 of 6 records have times that are missing"):
        analysis.complete(COUNTS.where(COUNTS.time < 20))
    checkered = COUNTS.isel(trial=[0, 1]).where(xr.DataArray(np.eye(2), dims=("trial", "unit")) > 0)
    for drop in ("unit", "trial"):
        with pytest.raises(ValueError, match=f"drop: no {drop} is complete; drop the other way, or average"):
            analysis.complete(checkered, drop=drop)
    with pytest.raises(ValueError, match="select one seed at a time"):
        analysis.complete(COUNTS.expand_dims("seed"))
    with pytest.raises(ValueError, match="trial: spikes of trial 0 to 3, there are 2; declare them all"):
        spike_counts([1.0, 2.0], [0, 3], [0, 0], num_trials=2, num_units=1, duration=9.0, dt=3.0)
