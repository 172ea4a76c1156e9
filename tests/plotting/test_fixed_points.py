"""Panels of fixed points and spectra draw what they are given."""

import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style

POINTS = np.array([[0.0, 0.0], [2.0, 0.0], [0.0, 1.0], [30.0, 0.0], [np.nan, np.nan]])


def found():
    """A saddle, two stable points, one of them slow, a far repeller that flips, and an absent point."""
    point = ("fixed_point",)
    direction = np.full((5, 2, 2), np.nan)
    direction[0, 0] = [0, 1]
    direction[3] = np.eye(2)
    return xr.Dataset(
        {
            "location": ((*point, "state"), POINTS),
            "kind": (point, [0, 0, 1, 0, 2]),
            "n_unstable": (point, [1, 0, 0, 2, -1]),
            "period2": (point, [0, 0, 0, 1, 0]),
            "n_starts": (point, [4, 5, 6, 7, 0]),
            "unstable_direction": ((*point, "direction", "state"), direction),
            "num_unclassified": ((), 3),
        }
    )


def principal():
    """Components that exchange the two units; the second is measured in units of 2."""
    turn = np.linspace(0, 2 * np.pi, 9)
    score = np.stack([3 * np.cos(turn), 2 * np.sin(turn)], 1)
    return xr.Dataset(
        {
            "components": (("component", "unit"), [[0.0, 1.0], [1.0, 0.0]]),
            "mean": ("unit", [1.0, 0.0]),
            "scale": ("unit", [1.0, 2.0]),
            "score": (("trial", "time", "component"), np.stack([score, 0.5 * score])),
            "explained_variance_ratio": ("component", [0.75, 0.25]),
        }
    )


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def marks(ax):
    """Label without its count -> marker, face and places of what is drawn as points."""
    return {
        line.get_label().rsplit(" (", 1)[0]: (
            line.get_marker(), line.get_markerfacecolor(), line.get_xydata().tolist()
        )
        for line in ax.lines
        if line.get_linestyle() == "None"
    }  # fmt: skip


def test_points_lie_over_trajectories_with_their_stability(ax):
    assert plotting.fixed_points(found(), ax, principal=principal()) is ax
    drawn = marks(ax)
    assert drawn["stable"] == ("o", style.BLUE, [[0.0, 1.0]])
    assert drawn["stable, slow"] == ("o", "white", [[0.5, -1.0]])
    assert drawn["1 unstable"] == ("^", style.VERMILLION, [[0.0, -1.0]])
    assert drawn["2 or more unstable"] == ("s", style.PURPLE, [[0.0, 29.0]])
    assert drawn["eigenvalue < −1"][::2] == ("x", [[0.0, 29.0]])
    grey = [line for line in ax.lines if line.get_color() == style.FAINT]
    assert len(grey) == 2
    np.testing.assert_array_equal(grey[1].get_xydata(), 0.5 * grey[0].get_xydata())
    lines = [
        line for line in ax.lines if line.get_color() == style.VERMILLION and line.get_linestyle() == "-"
    ]
    assert len(lines) == 1
    ends = lines[0].get_xydata()
    np.testing.assert_allclose(ends.mean(0), [0, -1], atol=1e-12)
    assert ends[0, 1] == ends[1, 1]  # along the first component
    assert ax.get_xlabel() == "PC 1 (75 % of variance)"
    assert ax.get_ylim()[1] < 29
    assert ax.get_legend().get_title().get_text() == "n = 4 points\nfrom 25 starts\n1 outside"
    ax.figure.canvas.draw()


def test_points_without_legend_and_without_any_point(ax):
    plotting.fixed_points(found(), ax, principal=principal(), legend=False, line_colors=["C0", "C1"])
    assert ax.get_legend() is None
    assert [text.get_text() for text in ax.texts] == ["n = 4 points from 25 starts, 1 outside"]
    other = ax.figure.add_subplot()
    plotting.fixed_points(found().isel(fixed_point=[4]), other, principal=principal())
    assert [text.get_text() for text in other.texts] == ["n = 0 points from 3 starts"]
    ax.figure.canvas.draw()


def test_points_refuse_several_inputs_and_other_components(ax):
    with pytest.raises(ValueError, match=r"found: dims \('seed', 'fixed_point'\); select an element of seed"):
        plotting.fixed_points(found().expand_dims("seed"), ax, principal=principal())
    with pytest.raises(ValueError, match="components of 1 units, points of 2 numbers"):
        plotting.fixed_points(found(), ax, principal=principal().isel(unit=[0]))


def spectrum():
    """A saddle and a stable spiral, 10 ms a step."""
    matrices = np.array([[[0.02, 0], [0, -0.01]], [[-0.01, 0.03], [-0.03, -0.01]]])

    def step(s, u):
        return s + 10 * u.reshape(2, 2) @ s

    inputs = xr.DataArray(matrices.reshape(2, 4), dims=("fixed_point", "input"))
    states = xr.DataArray(np.zeros((2, 2)), dims=("fixed_point", "state"))
    return analysis.jacobian_spectrum(step, states, dt=10.0, inputs=inputs)


@pytest.mark.parametrize("of", ["step", "cont"])
def test_eigenvalues_are_told_apart_by_the_boundary(ax, of):
    assert plotting.eigenvalues(spectrum(), ax, of=of) is ax
    drawn = marks(ax)
    far, near = (1.2, 0.9) if of == "step" else (0.02, -0.01)
    height = 0.3 if of == "step" else 0.03
    np.testing.assert_allclose(drawn["unstable"][2], [[far, 0]], atol=1e-12)
    wanted = [[near, -height], [near, 0], [near, height]]
    np.testing.assert_allclose(sorted(drawn["stable"][2]), wanted, atol=1e-12)
    dashed = [line for line in ax.lines if line.is_dashed()] + list(ax.patches)
    assert len(dashed) == 1
    units = "" if of == "step" else " (1/ms)"
    assert ax.get_xlabel() == f"Eigenvalue of the {'step' if of == 'step' else 'flow'}, real part{units}"
    assert ax.get_ylabel() == f"Imaginary part{units}"
    assert ax.get_legend().get_title().get_text() == "n = 2 states"
    ax.figure.canvas.draw()


@pytest.mark.parametrize("of", ["step", "cont"])
def test_a_mode_that_stays_lies_on_the_boundary(ax, of):
    states = xr.DataArray(np.zeros((1, 2)), dims=("fixed_point", "state"))
    line = analysis.jacobian_spectrum(lambda s: np.array([1 + 1e-10, 0.8]) * s, states, dt=10.0)
    plotting.eigenvalues(line, ax, of=of)
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["stable (2)", "unstable (0)"]
    ax.figure.canvas.draw()


def test_eigenvalues_of_one_real_mode_without_legend(ax):
    single = xr.DataArray(np.zeros((1, 1)), dims=("fixed_point", "state"))
    one = analysis.fixed_points(lambda s: 0.5 * jnp.tanh(s), single.rename(fixed_point="trial"), alpha=1.0)
    plotting.eigenvalues(one, ax, legend=False)
    assert [text.get_text() for text in ax.texts] == ["n = 1 state"]
    with pytest.raises(ValueError, match="of: 'flow'; use 'step' or 'cont'"):
        plotting.eigenvalues(one, ax, of="flow")
    with pytest.raises(ValueError, match="spectrum: no eigenvalue is finite"):
        plotting.eigenvalues(one * np.nan, ax)
    ax.figure.canvas.draw()


def test_time_constants_of_each_seed_on_a_log_axis(ax):
    values = np.array([[[100.0, 50.0], [-20.0, np.inf]], [[10.0, 90.0], [np.nan, np.nan]]])
    named = {"units": "ms", "long_name": "time constant"}
    given = xr.Dataset({"time_constant": (("seed", "fixed_point", "mode"), values, named)})
    assert plotting.time_constants(given, ax, tau=100.0, num_bins=5) is ax
    assert ax.get_xscale() == "log"
    assert ax.get_xlabel() == "Time constant (ms)"
    assert len(ax.patches) == 2
    assert [text.get_text() for text in ax.texts] == [
        "units, 100 ms", "n = 3 states of 2 seeds\n1 modes grow\n1 modes stay",
    ]  # fmt: skip
    other = ax.figure.add_subplot()
    plotting.time_constants(given.isel(seed=0), other, num_bins=5)
    assert sum(bar.get_height() for bar in other.patches if hasattr(bar, "get_height")) in (0, 2)
    with pytest.raises(ValueError, match="time_constant is nowhere positive and finite"):
        plotting.time_constants(-abs(given), ax)
    ax.figure.canvas.draw()
