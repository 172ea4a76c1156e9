"""Panels of decoding, selectivity and geometry draw what they are given."""

import functools
from itertools import product

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style

RNG = np.random.default_rng(0)
CODE = np.tile(list(product([-1, 1], repeat=2)), (8, 1))
SIDE, RULE = (xr.DataArray(column, dims="trial") for column in CODE.T)
TIME = xr.DataArray([10.0, 30.0, 50.0], dims="time", attrs={"units": "ms", "long_name": "time"})
RATES = (
    xr.DataArray(
        RNG.standard_normal((2, 32, 3, 6)), dims=("seed", "trial", "time", "unit"), coords={"time": TIME}
    )
    + 3.0 * (SIDE * xr.DataArray(np.eye(6)[0], dims="unit") * (TIME > 20))
    + 3.0 * (RULE * xr.DataArray(np.eye(6)[1], dims="unit"))
)
FACTORS = {"side": (SIDE + 1) // 2, "rule": (RULE + 1) // 2}
WINDOW = RATES.isel(time=2, drop=True)


@functools.cache
def decoded():
    return analysis.decode(RATES, FACTORS["side"], num_shuffles=5)


@functools.cache
def selective():
    return analysis.selectivity(RATES, FACTORS)


@functools.cache
def layout():
    return analysis.geometry(WINDOW, {"side": SIDE, "rule": RULE}, num_shuffles=2)


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def test_map_of_accuracy_is_white_at_chance_with_borders(ax):
    assert plotting.decode(decoded(), ax) is ax
    image = ax.images[0]
    np.testing.assert_allclose(image.get_array(), decoded().accuracy.mean("seed"))
    assert image.get_extent() == [0, 60, 0, 60]
    np.testing.assert_allclose(image.cmap(image.norm(0.5))[:3], [0.97, 0.97, 0.97], atol=0.01)
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Time of test (ms)", "Time of training (ms)")
    assert ax.get_title("right") == "n = 2 seeds × 32 trials"
    assert len(ax.collections) == 3  # the border of each seed and of their median
    border = np.concatenate([path.vertices for path in ax.collections[-1].get_paths()])
    assert border.min() == pytest.approx(20, abs=2)  # the side is told from 20 ms on
    assert ax.figure.axes[1].get_ylabel() == "Decoding accuracy"
    ax.figure.canvas.draw()


def test_map_without_a_null_or_a_single_time_has_no_border(ax):
    plain = analysis.decode(RATES.isel(seed=0), FACTORS["side"], num_shuffles=0)
    plotting.decode(plain, ax, show_bar=False)
    assert not ax.collections
    assert len(ax.figure.axes) == 1
    assert ax.get_title("right") == "n = 1 seed × 32 trials"
    single = ax.figure.add_subplot()
    plotting.decode(analysis.decode(RATES.isel(time=[1]), FACTORS["side"], num_shuffles=2), single)
    ax.figure.canvas.draw()


def test_shares_of_classes_as_bars_with_seeds(ax):
    measured = selective().isel(time=2)
    plotting.selectivity(measured, ax)
    np.testing.assert_allclose(
        [bar.get_height() for bar in ax.patches], 100 * measured.class_share.mean("seed")
    )
    assert [text.get_text() for text in ax.get_xticklabels()] == [
        "none", "pure", "linear\nmixed", "nonlinear\nmixed",
    ]  # fmt: skip
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    np.testing.assert_allclose([dot.get_ydata() for dot in dots], 100 * measured.class_share)
    assert ax.get_title("right") == "n = 6 units × 2 seeds"
    assert ax.get_ylabel() == "Units (%)"


def test_shares_of_classes_over_time(ax):
    plotting.selectivity(selective(), ax)
    thick = [line for line in ax.lines if line.get_linewidth() == 1.4]
    np.testing.assert_allclose(
        [line.get_ydata() for line in thick],
        100 * selective().class_share.mean("seed").transpose("option", ...),
    )
    assert ax.get_xlabel() == "Time (ms)"
    names = [text.get_text() for text in ax.texts]
    assert sorted(names) == ["linear mixed", "none", "nonlinear mixed", "pure"]


def test_geometry_shows_variables_dichotomies_and_nulls(ax):
    plotting.geometry(layout(), ax)
    handles, names = ax.get_legend_handles_labels()
    assert names == ["decodable share", "side", "rule", "other dichotomies", "null"]
    np.testing.assert_allclose(handles[1].get_ydata(), [layout().ccgp[:, 0].mean()])
    assert len({handle.get_color() for handle in handles[:4]}) == 4
    assert len({handle.get_marker() for handle in handles[:3]}) == 3
    boxes = [box.get_paths()[0].vertices for box in ax.collections[:3]]
    for box, name in zip(boxes, ("shattering", "ccgp", "parallelism"), strict=True):
        assert box[:, 1].min() == pytest.approx(float(layout()[f"null_{name}_lower"].mean()) - 0.006)
        assert box[:, 1].max() == pytest.approx(float(layout()[f"null_{name}_upper"].mean()) + 0.006)
    assert [text.get_text() for text in ax.get_xticklabels()] == ["Shattering", "CCGP", "Parallelism"]
    assert ax.get_title("right") == "n = 3 dichotomies × 2 seeds"
    low, high = ax.get_ylim()
    assert low < float(layout().parallelism.min())
    assert high > 1
    ax.figure.canvas.draw()


def test_geometry_without_variables_or_nulls(ax):
    condition = xr.DataArray(np.array(list("abcd"))[np.arange(32) % 4], dims="trial")
    bare = analysis.geometry(WINDOW.isel(seed=0), condition=condition, classifier=None, num_shuffles=0)
    plotting.geometry(bare, ax)
    assert len(ax.collections) == 1  # the empty one of the legend
    assert ax.get_title("right") == "n = 3 dichotomies × 1 seed"
