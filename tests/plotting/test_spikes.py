"""Panels of spiking circuits draw what they are given."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import plotting

GRID = np.array([30.0, 20.0, 40.0])
ACCURACY = np.array([[1.0, 0.5, 0.7], [0.6, 0.9, 0.7], [np.nan] * 3])
SPIKES = {"spike_seed": [7, 7, 7, 9], "spike_trial": [0, 0, 1, 0], "spike_unit": [0, 2, 1, 1]}


@pytest.fixture
def ax() -> Axes:
    page = Figure()
    FigureCanvasAgg(page)
    return page.subplots()


@pytest.fixture
def found() -> xr.Dataset:
    flags = {"flag_values": [0, 1], "flag_meanings": "excitatory inhibitory"}
    statuses = {"flag_values": [0, 1, 2], "flag_meanings": "transferred inaccurate diverged"}
    time = (np.arange(4) + 0.5) * 5
    timed = ("seed", "trial", "time")
    ramp = np.broadcast_to(np.arange(4.0), (3, 2, 4)).copy()
    both = {"outputs": ramp, "spiking_outputs": 2 * ramp, "targets": ramp + 1}
    units = {"rates": ramp, "spiking_rates": 3 * ramp}
    edges = np.broadcast_to([[0.0, 10.0], [10.0, 20.0]], (3, 2, 2, 2))
    return xr.Dataset(
        {
            "transfer_status": ("seed", [1, 0, 2], statuses),
            "accuracy": (("seed", "parameter"), ACCURACY, {"units": "1"}),
            "mean_rate": (("seed", "parameter"), 10 * ACCURACY, {"units": "Hz", "long_name": "mean rate"}),
            "best_inverse_lambda": ("seed", [30.0, 20.0, np.nan], {"units": "Hz"}),
            **{name: ((*timed, "output"), values[..., None]) for name, values in both.items()},
            **{name: ((*timed, "unit"), np.stack([values] * 3, -1)) for name, values in units.items()},
            "epoch_onset": (("seed", "trial", "epoch"), edges[..., 0], {"units": "ms"}),
            "epoch_offset": (("seed", "trial", "epoch"), edges[..., 1], {"units": "ms"}),
            **{name: ("spike", values) for name, values in SPIKES.items()},
            "spike_time": ("spike", [1.0, 2.0, 3.0, 4.0], {"units": "ms"}),
        },
        {
            "seed": [7, 9, 11],
            "trial": [0, 1],
            "time": ("time", time, {"units": "ms"}),
            "unit": [0, 1, 2],
            "output": [0],
            "parameter": ("parameter", GRID, {"units": "Hz"}),
            "epoch": ("epoch", [0, 1], {"flag_values": [0, 1], "flag_meanings": "cue response"}),
            "cell_type": ("unit", [1, 0, 0], flags),
        },
    )


def ticks(ax: Axes) -> dict[tuple[float, float], tuple[float, ...]]:
    """(time, middle) of each spike -> its colour."""
    drawn = {}
    for lines in ax.collections:
        for segment in lines.get_segments():
            drawn[(float(segment[0, 0]), float(segment[:, 1].mean().round(6)))] = tuple(lines.get_color()[0])
    return drawn


def texts(ax: Axes) -> list[str]:
    return [text.get_text() for text in ax.texts]


def test_a_raster_has_a_tick_a_spike_of_the_trial_by_cell_type(found: xr.Dataset, ax: Axes) -> None:
    plotting.spike_raster(found, ax, seed=7)
    drawn = ticks(ax)
    assert set(drawn) == {(1.0, 2.0), (2.0, 1.0)}  # the inhibitory unit 0 is the last row
    assert len(set(drawn.values())) == 2
    assert {"excitatory", "inhibitory", "cue", "response"} <= set(texts(ax))
    assert ax.get_xlim() == (0.0, 20.0)
    assert ax.get_xlabel() == "Time in trial (ms)"


def test_a_raster_takes_the_first_transferred_seed_and_an_order(found: xr.Dataset, ax: Axes) -> None:
    plotting.spike_raster(found, ax, order=np.array([2, 1, 0]), name_epochs=False)
    assert set(ticks(ax)) == {(4.0, 1.0)}  # of seed 9, whose transfer succeeded
    assert texts(ax) == []


def test_a_raster_without_cell_types_or_spikes_is_empty(found: xr.Dataset, ax: Axes) -> None:
    plotting.spike_raster(found.drop_vars("cell_type"), ax, seed=11)
    assert ticks(ax) == {}


def test_accuracy_is_drawn_over_the_sorted_grid_with_each_seed_s_best(found: xr.Dataset, ax: Axes) -> None:
    plotting.transfer_accuracy(found, ax)
    lines = [line for line in ax.get_lines() if len(line.get_xdata()) == 3]
    assert all(line.get_xdata().tolist() == [20.0, 30.0, 40.0] for line in lines)
    np.testing.assert_allclose([line.get_ydata() for line in lines[:2]], [[0.5, 1.0, 0.7], [0.9, 0.6, 0.7]])
    np.testing.assert_allclose(lines[2].get_ydata(), [0.7, 0.8, 0.7])
    rings = [
        (float(line.get_xdata()[0]), float(line.get_ydata()[0]))
        for line in ax.get_lines()
        if line.get_marker() == "o"
    ]
    assert rings == [(30.0, 1.0), (20.0, 0.9)]
    assert "n = 2 seeds\n1 of 3 refused" in texts(ax)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("1/λ (Hz)", "Fraction correct")


def test_mean_rates_have_their_own_axis_and_no_level(found: xr.Dataset, ax: Axes) -> None:
    plotting.transfer_accuracy(found, ax, variable="mean_rate")
    assert ax.get_ylabel() == "Mean rate (Hz)"
    assert ax.get_ylim()[1] > 10.0
    assert not [line for line in ax.get_lines() if len(line.get_xdata()) == 2]


def test_refused_seeds_alone_leave_an_empty_panel(found: xr.Dataset, ax: Axes) -> None:
    plotting.transfer_accuracy(found.isel(seed=[2]), ax)
    assert "n = 0 seeds\n1 of 1 refused" in texts(ax)


def test_outputs_of_both_circuits_stand_at_the_ends_of_bins(found: xr.Dataset, ax: Axes) -> None:
    plotting.rates_against_spikes(found, ax)
    target, rates, spikes = ax.get_lines()[:3]
    assert target.get_ydata().tolist() == [1.0, 2.0, 3.0, 4.0]
    assert rates.get_xdata().tolist() == [5.0, 10.0, 15.0, 20.0]
    assert rates.get_ydata().tolist() == [0.0, 1.0, 2.0, 3.0]
    assert spikes.get_ydata().tolist() == [0.0, 2.0, 4.0, 6.0]
    assert {"rates", "spikes"} <= set(texts(ax))


def test_one_unit_s_rate_is_drawn_against_its_filtered_spikes(found: xr.Dataset, ax: Axes) -> None:
    plotting.rates_against_spikes(found, ax, unit=2, name_lines=False, name_epochs=False)
    rates, spikes = ax.get_lines()
    assert rates.get_ydata().tolist() == [0.0, 1.0, 2.0, 3.0]
    assert spikes.get_ydata().tolist() == [0.0, 3.0, 6.0, 9.0]
    assert ax.get_ylabel() == "Rate of unit 2"
    assert texts(ax) == []
