"""Panels of targeted and demixed components draw what they are given."""

from itertools import product

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style

RNG = np.random.default_rng(0)
CODE = np.tile(list(product([-0.5, 0.2, 0.5], [-1.0, 1.0])), (4, 1))
MOTION, CHOICE = (xr.DataArray(column, dims="trial") for column in CODE.T)
TIME = xr.DataArray(20.0 * np.arange(6), dims="lag", attrs={"units": "ms", "long_name": "time from cue"})
LOADING = xr.DataArray(np.linalg.qr(RNG.standard_normal((8, 3)))[0], dims=("unit", "axis"))
RATES = (
    MOTION * np.sin(TIME / 40) * LOADING[:, 0]
    + CHOICE * (TIME / 100) * LOADING[:, 1]
    + np.cos(TIME / 30) * LOADING[:, 2]
)
RATES = (
    RATES.drop_vars([name for name in RATES.coords if name != "lag"])
    .expand_dims(seed=3)
    .assign_coords(lag=TIME)
)
RATES = RATES + xr.DataArray(0.05 * RNG.standard_normal(RATES.shape), dims=RATES.dims)
MEASURED = analysis.tdr(RATES, {"motion": MOTION, "final_choice": CHOICE})
DEMIXED = analysis.dpca(RATES, {"motion": MOTION, "choice": CHOICE}, num_components=2)


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def thick(ax):
    return [line for line in ax.lines if line.get_linewidth() == 1.4 and len(line.get_xdata()) > 1]


def test_traces_of_conditions_over_time(ax):
    assert plotting.tdr(MEASURED, ax) is ax
    lines = thick(ax)
    assert len(lines) == 6
    score = MEASURED.score.sel(parameter=0).median("seed")
    order = np.argsort(MEASURED.value.sel(parameter=0).mean("seed").values, kind="stable")
    np.testing.assert_allclose([line.get_ydata() for line in lines], score.values[order])
    assert len({line.get_color() for line in lines}) == 3
    assert len([line for line in ax.lines if line.get_linewidth() == 0.5]) == 18
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time from cue (ms)", "Motion axis")
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == ["−0.5", "0.2", "0.5"]
    assert legend.get_title().get_text() == "Motion"
    assert ax.get_title("right") == "n = 6 conditions × 3 seeds"
    ax.figure.canvas.draw()


def test_traces_in_the_plane_of_two_axes(ax):
    plotting.tdr(MEASURED.isel(seed=0), ax, parameter="final_choice", against="motion")
    lines = thick(ax)
    score = MEASURED.score.isel(seed=0)
    order = np.argsort(MEASURED.value.isel(seed=0).sel(parameter=1).values, kind="stable")
    np.testing.assert_allclose([line.get_xdata() for line in lines], score.sel(parameter=0).values[order])
    np.testing.assert_allclose([line.get_ydata() for line in lines], score.sel(parameter=1).values[order])
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Motion axis", "Final choice axis")
    assert len([line for line in ax.lines if line.get_marker() == "o"]) == 6
    assert ax.get_title("right") == "n = 6 conditions × 1 seed"


def test_refuses_variables_that_are_not_there(ax):
    with pytest.raises(ValueError, match="parameter: no 'colour'; there are motion, final choice"):
        plotting.tdr(MEASURED, ax, parameter="colour")
    with pytest.raises(ValueError, match="against: no 'colour'"):
        plotting.tdr(MEASURED, ax, against="colour")


def test_bars_are_the_variance_of_components_split_by_group(ax):
    plotting.dpca(DEMIXED, ax)
    there = DEMIXED.explained_variance.notnull().any("seed").values
    parts = np.array([[bar.get_height() for bar in group] for group in ax.containers])
    assert parts.shape == (4, there.sum())
    np.testing.assert_allclose(parts.sum(0), 100 * DEMIXED.explained_variance.median("seed").values[there])
    group = DEMIXED.marginal.values[there]
    assert (parts.argmax(0)[parts.sum(0) > 1] == group[parts.sum(0) > 1]).all()
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose(
        [dot.get_ydata() for dot in dots], 100 * DEMIXED.explained_variance.values[:, there]
    )
    legend = ax.get_legend()
    names = [text.get_text().split(",")[0] for text in legend.get_texts()]
    assert names == ["time", "motion", "choice", "motion×choice"]
    assert legend.get_title().get_text() == "n = 3 seeds"
    assert ax.get_ylabel() == "Variance explained (%)"
    ax.figure.canvas.draw()


def test_groups_without_directions_have_no_bar(ax):
    one = analysis.dpca(RATES.isel(seed=0), {"choice": CHOICE}, num_components=40)
    plotting.dpca(one, ax)
    assert len(ax.containers[0]) == int(one.explained_variance.notnull().sum()) < 80
    assert not [line for line in ax.lines if line.get_marker() == "o"]
