"""Panels of Lyapunov exponents, autocorrelation and memory draw what they are given."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style
from throughtime.plotting.lines import draw, middle, seed_lines

LAG = 10.0 * np.arange(1, 21)


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def exponents(factors=((0.9, 0.5), (1.1, 0.2), (1.0, 0.0))):
    start = xr.DataArray(np.ones((len(factors), 2)), dims=("seed", "state"))
    steps = [lambda s, f=f: s * np.array(f) for f in factors]
    return analysis.lyapunov_spectrum(steps, start, dt=2.0, num_steps=40, burn_in=200)


def decays(taus=(30.0, 60.0, np.nan)):
    """What the analysis returns, for exact decays."""
    tau = np.array(taus)
    curves = np.exp(-LAG / np.where(np.isnan(tau), 10.0, tau)[:, None])
    units = {"units": "1", "long_name": "autocorrelation"}
    return xr.Dataset(
        {
            "autocorrelation": (("unit", "lag"), curves, units),
            "fitted": (("unit", "lag"), np.where(np.isnan(tau)[:, None], np.nan, curves), units),
            "tau": ("unit", tau),
            "num_trials": ((), 40.0),
        },
        {"lag": ("lag", LAG, {"units": "ms", "long_name": "lag"})},
    )


def text_of(ax):
    return "\n".join(text.get_text() for text in ax.texts)


def test_lines_of_seeds(ax):
    array = xr.DataArray(np.arange(6.0).reshape(2, 3), dims=("lag", "seed"), name="r2")
    values = seed_lines(array, "lag")
    np.testing.assert_array_equal(values, np.arange(6.0).reshape(2, 3).T)
    values[0, 1] = np.inf
    np.testing.assert_array_equal(middle(values), [1, 4.5])
    np.testing.assert_array_equal(draw(ax, np.arange(2), values, "k"), [1, 4.5])
    assert len(ax.lines) == 4
    with pytest.raises(ValueError, match=r"measured: r2 has dims .*; the panel draws seed, time: select"):
        seed_lines(array, "time")


def test_ordered_spectrum_with_a_zero_line(ax):
    measured = exponents()
    assert plotting.lyapunov_spectrum(measured, ax) is ax
    zero, *seeds, typical = ax.lines
    np.testing.assert_array_equal(zero.get_ydata(), [0, 0])
    assert len(seeds) == 3
    np.testing.assert_allclose(typical.get_ydata()[0], 0, atol=1e-12)
    np.testing.assert_allclose(typical.get_ydata()[1], np.mean(np.log([0.5, 0.2])) / 2, rtol=1e-6)
    assert ax.get_ylabel() == "Lyapunov exponent (1/ms)"
    assert ax.get_ylim()[0] < np.log(0.2) / 2
    assert "n = 3 seeds" in text_of(ax)
    assert "1 at −∞" in text_of(ax)
    other = ax.figure.add_subplot()
    broken = measured.copy(deep=True)
    broken["exponent"][1] = np.nan
    plotting.lyapunov_spectrum(broken, other)
    assert "1 diverged" in text_of(other)
    blank = ax.figure.add_subplot()
    plotting.lyapunov_spectrum(measured.isel(seed=0, drop=True) * np.nan, blank)
    ax.figure.canvas.draw()


def test_fit_over_data(ax):
    assert plotting.autocorrelation_timescale(decays(), ax) is ax
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(dots[0].get_ydata(), np.exp(-LAG / 60))
    np.testing.assert_allclose(ax.lines[-1].get_ydata(), np.exp(-LAG / 60))
    assert ax.lines[-1].get_color() == style.VERMILLION
    assert text_of(ax) == "τ = 60 ms\nn = 3 units, 40 trials\n1 without a timescale"
    assert ax.get_xlabel() == "Lag (ms)"
    other = ax.figure.add_subplot()
    plotting.autocorrelation_timescale(decays(), other, unit=0)
    np.testing.assert_allclose(other.lines[-1].get_ydata(), np.exp(-LAG / 30))
    none = ax.figure.add_subplot()
    plotting.autocorrelation_timescale(decays([np.nan]), none)
    assert text_of(none) == "n = 1 unit, 40 trials\n1 without a timescale"
    with pytest.raises(ValueError, match=r"measured: autocorrelation has dims .*; the panel draws unit, lag"):
        plotting.autocorrelation_timescale(decays().expand_dims("seed"), none)
    ax.figure.canvas.draw()


def test_recall_against_lag(ax):
    rng = np.random.default_rng(0)
    inputs = xr.DataArray(rng.standard_normal((2, 400)), dims=("seed", "time"))
    line = xr.concat([inputs.roll(time=k) for k in range(3)], dim="unit")
    measured = analysis.memory_capacity(inputs, line, dt=20.0)
    assert plotting.memory_capacity(measured, ax) is ax
    np.testing.assert_array_equal(ax.lines[-1].get_xdata(), 20.0 * np.arange(1, 7))
    np.testing.assert_allclose(ax.lines[-1].get_ydata()[:3], 1, atol=1e-6)
    assert text_of(ax).startswith("capacity 3.0 of at most 3\nn = 2 seeds")
    assert ax.get_xlabel() == "Time since the input (ms)"
    other = ax.figure.add_subplot()
    missing = measured.copy(deep=True)
    missing["r2"][1] = missing["capacity"][1] = np.nan
    plotting.memory_capacity(missing, other)
    assert text_of(other).endswith("n = 2 seeds, 1 without")
    ax.figure.canvas.draw()
