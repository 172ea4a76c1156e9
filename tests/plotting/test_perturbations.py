"""Panels of pulses and of low-rank weights draw what they are given."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.analysis.arrays.simulator import simulator
from throughtime.plotting import style

FACTORS = np.array([0.9, 0.5, 0.7])
OWN = np.outer([0.8, 0.6, 0.0], [0.6, 0.8, 0.0])


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def pulses():
    """Two circuits of three units that each decay by a factor a step, pulsed at the third of twelve steps."""
    runs = [
        simulator(lambda s, u, c=c: c * jnp.asarray(FACTORS) * s, np.ones(3), np.zeros((12, 1)), np.sum)
        for c in (1.0, 0.9)
    ]
    directions = xr.DataArray(np.eye(3)[:2], dims=("direction", "state"))
    return analysis.perturb(runs, dt=5.0, seed=0, directions=directions, size=2.0, time=10.0, num_random=9)


def truncations():
    run = simulator(
        lambda s, u, w: 0.5 * w @ s + u, np.zeros(3), np.tile([0.6, 0.8, 0.0], (8, 1)),
        lambda s: float(s[-1].sum()), weights=OWN,
    )  # fmt: skip
    weights = xr.DataArray(np.stack([OWN, OWN]), dims=("seed", "unit", "presynaptic_unit"))
    entry = xr.DataArray([[0.6], [0.8], [0.0]], dims=("unit", "input"))
    return analysis.lowrank_view(weights, [run, run], input_weights=entry)


def test_deviation_since_the_pulse_with_random_directions_behind(ax):
    measured = pulses()
    assert plotting.perturb(measured, ax, names=["slow", "fast"]) is ax
    random, *lines = ax.lines[:7]
    np.testing.assert_array_equal(random.get_xdata(), 5.0 * np.arange(10))
    assert random.is_dashed()
    assert ax.get_yscale() == "log"
    thick = [line for line in lines if line.get_linewidth() > 1]
    for line, factor in zip(thick, FACTORS, strict=False):
        both = [2 * (c * factor) ** np.arange(10) for c in (1.0, 0.9)]
        np.testing.assert_allclose(line.get_ydata(), np.median(both, axis=0))
    assert ax.get_xlabel() == "Time since the pulse (ms)"
    written = [text.get_text() for text in ax.texts]
    assert {"slow", "fast", "random", "n = 2 seeds\n9 random directions"} <= set(written)
    ax.figure.canvas.draw()
    ax.clear()
    of_time = [name for name in measured if "time" in measured[name].dims]
    plotting.perturb(measured.assign(measured[of_time].where(measured["time"] < 40)), ax)
    assert ax.get_xlim() == (0, 25)
    ax.figure.canvas.draw()
    with pytest.raises(ValueError, match="measured: 2 directions, 1 colours; select some directions"):
        plotting.perturb(measured, ax, colors=["k"])
    with pytest.raises(ValueError, match="measured: pulse_deviation has dims"):
        plotting.perturb(measured.expand_dims("trial"), ax)
    blank = ax.figure.add_subplot()
    empty = measured.isel(seed=0, drop=True) * np.nan
    plotting.perturb(empty.assign_attrs(measured.attrs), blank)
    ax.figure.canvas.draw()


def test_share_of_the_performance_against_rank(ax):
    measured = truncations()
    assert plotting.lowrank_view(measured, ax) is ax
    drawn = [line for line in ax.lines if line.get_marker() in ("o", "s")]
    assert len(drawn) == 2
    for line, name in zip(drawn, ("performance_share", "reduced_share"), strict=True):
        np.testing.assert_array_equal(line.get_xdata(), [0, 1, 2, 3])
        np.testing.assert_allclose(line.get_ydata(), measured[name][0])
        np.testing.assert_allclose(line.get_ydata()[1:], 1)
    assert ax.get_ylabel() == "Share of the performance kept"
    assert "n = 2 seeds" in [text.get_text() for text in ax.texts]
    other = ax.figure.add_subplot()
    worse = measured.copy(deep=True)
    worse["performance_share"][0, 0] = -30.0
    worse["performance_share"][1] = np.nan
    worse["rank_status"][1] = 1
    plotting.lowrank_view(worse, other)
    shown = "\n".join(text.get_text() for text in other.texts)
    assert "1 diverged or refused" in shown
    assert "1 lines leave the axes" in shown
    assert other.get_ylim()[0] > -2
    with pytest.raises(ValueError, match="measured: performance_share has dims"):
        plotting.lowrank_view(measured.expand_dims("task"), other)
    ax.figure.canvas.draw()
