"""Panels against a graded condition draw what they are given, and names at line ends stay apart."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import plotting
from throughtime.plotting.marks import apart, end_labels

LAGS = (20, 50, 100)


@pytest.fixture
def ax():
    page = Figure()
    FigureCanvasAgg(page)
    return page.subplots()


def scores():
    values = np.array([[[0.9, 1.0], [0.5, 0.7], [0.2, np.nan]], [[0.3, 0.3], [0.1, 0.1], [0.1, 0.1]]])
    status = np.zeros(values.shape, int)
    status[1, 2, 0] = 2
    dims = ("option", "condition", "seed")
    flags = {"flag_values": [0, 1], "flag_meanings": "gated plain"}
    return xr.Dataset(
        {"accuracy": (dims, values, {"units": "1"}), "status": (dims, status)},
        {"option": ("option", [0, 1], flags), "condition": ("condition", list(LAGS), {"units": "1"})},
    )


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_score_by_lag_draws_medians_seeds_and_diverged_ones(ax):
    plotting.score_by_lag(scores(), ax, variable="accuracy", levels={"chance": 0.125})
    lines = [
        line for line in ax.get_lines() if len(line.get_xdata()) == len(LAGS) and line.get_linestyle() == "-"
    ]
    np.testing.assert_allclose(lines[0].get_ydata(), [0.95, 0.6, 0.2])
    np.testing.assert_allclose(lines[0].get_xdata(), LAGS, rtol=0.1)
    crosses = [line for line in ax.get_lines() if line.get_marker() == "x"]
    assert [len(line.get_ydata()) for line in crosses] == [0, 1]
    dots = [line for line in ax.get_lines() if line.get_marker() == "o"]
    assert [len(line.get_ydata()) for line in dots] == [6, 5]
    assert any(np.allclose(line.get_ydata(), 0.125) for line in ax.get_lines())
    assert {"gated", "plain", "chance"} <= set(texts(ax))
    assert "1 of 12 diverged" in texts(ax)
    assert ax.get_ylim() == (0.0, 1.04)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["20", "50", "100"]


def test_score_by_lag_on_a_log_axis_holds_all(ax):
    plotting.score_by_lag(
        scores(),
        ax,
        variable="accuracy",
        names=("a", "b"),
        colors=("C0", "C1"),
        levels={"low": 0.01},
        log=True,
    )
    low, high = ax.get_ylim()
    assert low < 0.01
    assert high > 1.0
    assert ax.get_yscale() == "log"
    assert {"a", "b", "low"} <= set(texts(ax))


def test_cost_by_steps_names_exponents(ax):
    steps = np.array([100, 200, 400, 800, 1600])
    flags = {"flag_values": [0, 1], "flag_meanings": "whole segments"}
    measured = xr.Dataset(
        {
            "memory": (("option", "condition"), np.stack([steps, 10 * steps**0.5]), {"units": "byte"}),
            "power": ("option", [1.0, 0.5]),
        },
        {"option": ("option", [0, 1], flags), "condition": ("condition", steps, {"units": "1"})},
    )
    plotting.cost_by_steps(measured, ax, variable="memory", exponent="power")
    assert ax.get_xscale() == ax.get_yscale() == "log"
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), steps)
    assert any("whole" in text and "1.00" in text for text in texts(ax))
    assert any("segments" in text and "0.50" in text for text in texts(ax))
    assert ax.get_ylabel() == "Memory (byte)"


def test_names_at_line_ends_are_apart_and_within_the_axes(ax):
    ax.set_yscale("log")
    ax.set_ylim(1e-6, 1e2)
    end_labels(ax, [1.0, 1.0, 1e-30, 0.0, 1e9, np.nan], list("abcdef"), ["k"] * 6, gap=0.1)
    place = {text.get_text(): text.xy[1] for text in ax.texts}
    heights = sorted(place.values())
    assert np.diff(heights).min() >= 0.1 - 1e-9
    assert heights[0] >= 0
    assert heights[-1] <= 1
    assert place["e"] == pytest.approx(1.0)
    assert sorted((place["a"], place["b"])) == pytest.approx([0.7, 0.8])
    assert sorted(place, key=place.get)[-1] == "e"


def test_a_line_without_a_name_is_not_named(ax):
    end_labels(ax, [0.2, 0.4], ["", "b"], ["k", "k"])
    assert texts(ax) == ["b"]


def test_apart_moves_nothing_that_is_apart_already():
    assert apart([0.9, 0.1], 0.2) == [0.1, 0.9]
    crowded = apart([0.0, 0.0, 0.0, 0.15], 0.1)
    np.testing.assert_allclose(np.diff(crowded), 0.1)
    assert np.mean(crowded) == pytest.approx(0.0375)
    assert apart([], 0.1) == []


def test_gradient_norms_named_at_their_ends(ax):
    lag = np.arange(5) * 20.0
    norms = np.exp(np.array([[-0.1], [0.0], [0.1]]) * lag)
    measured = xr.Dataset(
        {"jacobian_norm": (("option", "lag"), norms, {"units": "1"})},
        {"option": [0, 1, 2], "lag": ("lag", lag, {"units": "ms"})},
    )
    plotting.gradient_norms(
        measured, ax, dim="option", names=("falls", "stays", "grows"), colors=("C0", "C1", "C2"),
        styles=("-", "--", "-"), at_end=True, limits=(1e-2, 1e2),
    )  # fmt: skip
    assert ax.get_legend() is None
    assert ax.get_ylim() == (1e-2, 1e2)
    place = {text.get_text(): text.xy[1] for text in ax.texts}
    assert place["falls"] < place["stays"] < place["grows"]
    assert place["stays"] == pytest.approx(0.5)
