"""The panel of gradient norms draws what it is given, one line an element."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style


class Decay:
    """One unit whose state is multiplied by the first input at each step."""

    def initial_state(self, params):
        return {"current": np.ones(1)}

    def step(self, params, state, x):
        return {"current": x[0] * state["current"]}


FACTORS = np.array([0.5, 0.9, 1.0, 1.2])


def measured(factors=FACTORS, num_steps=10):
    inputs = xr.DataArray(
        np.broadcast_to(np.asarray(factors)[:, None, None], (len(factors), num_steps, 1)),
        dims=("trial", "time", "input"),
        coords={"time": (np.arange(num_steps) + 0.5) * 20.0},
    )
    return analysis.gradient_norms(Decay(), {}, inputs, lambda states: states["current"][-1, 0])


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def curves(ax):
    return [line for line in ax.lines if not line.is_dashed()]


def test_one_named_line_an_element_on_a_log_axis(ax):
    assert plotting.gradient_norms(measured(), ax, names=["a", "b", "c", "d"]) is ax
    assert ax.get_yscale() == "log"
    assert ax.get_xlabel() == "Time before the last state (ms)"
    assert ax.get_ylabel() == "Jacobian norm"
    lines = curves(ax)
    assert len(lines) == 4
    for line, factor in zip(lines, FACTORS, strict=True):
        np.testing.assert_array_equal(line.get_xdata(), 20.0 * np.arange(11))
        np.testing.assert_allclose(line.get_ydata(), factor ** np.arange(11))
    assert len({line.get_color() for line in lines}) == 4
    legend = ax.get_legend()
    assert [text.get_text() for text in legend.get_texts()] == list("abcd")
    assert legend.get_title().get_text() == "n = 4 trials"
    assert [line.get_ydata()[0] for line in ax.lines if line.is_dashed()] == [1.0]
    ax.figure.canvas.draw()


def test_the_loss_gradient_is_drawn_against_time(ax):
    plotting.gradient_norms(measured(), ax, variable="loss_gradient_norm")
    assert ax.get_xlabel() == "Time (ms)"
    np.testing.assert_allclose(curves(ax)[0].get_ydata(), 0.5 ** np.arange(9, -1, -1))
    assert not [line for line in ax.lines if line.is_dashed()]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["0", "1", "2", "3"]


def test_many_lines_share_a_colour_or_are_ordered(ax):
    many = measured(np.linspace(0.5, 0.9, 9))
    plotting.gradient_norms(many, ax)
    assert {line.get_color() for line in curves(ax)} == {style.BLUE}
    assert ax.get_legend() is None
    assert [text.get_text() for text in ax.texts] == ["n = 9 trials"]
    delay = xr.DataArray(np.arange(9.0), dims="trial", attrs={"units": "ms", "long_name": "delay"})
    other = ax.figure.add_subplot()
    plotting.gradient_norms(many, other, ordered=delay)
    assert len({line.get_color() for line in curves(other)}) == 9
    assert other.child_axes[0].get_title() == "Delay (ms)"


def test_a_single_line_and_lines_without_a_norm(ax):
    plotting.gradient_norms(measured().isel(trial=0), ax)
    assert len(curves(ax)) == 1
    assert [text.get_text() for text in ax.texts] == ["n = 1 trial"]
    other = ax.figure.add_subplot()
    plotting.gradient_norms(measured([0.0, 0.5]), other)
    assert other.get_legend().get_title().get_text() == "n = 2 trials\n10 norms are 0"
    assert np.isfinite(curves(other)[0].get_ydata()).sum() == 1
    blank = ax.figure.add_subplot()
    plotting.gradient_norms(measured() * np.nan, blank, ordered=xr.DataArray(FACTORS, dims="trial"))
    ax.figure.canvas.draw()


def test_refuses_dims_that_are_no_lines(ax):
    with pytest.raises(
        ValueError, match=r"measured: jacobian_norm has dims \('seed', 'trial', 'lag'\); select"
    ):
        plotting.gradient_norms(measured().expand_dims("seed"), ax)
