"""Panels that compare rules draw what they are given, diverged seeds included."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from throughtime import plotting
from throughtime.plotting import style
from throughtime.results.flags import flag_attributes

UPDATE = np.array([10, 20, 30])
LOSS = np.array(
    [[[4.0, 2.0, 1.0], [4.0, 3.0, 2.0], [5.0, 4.0, 3.0]], [[4.0, 9.0, np.nan]] * 2 + [[4.0, 2.0, 1.0]]]
)
STATUS = np.array([[1, 1, 1], [2, 2, 1]])
FINAL = np.array([[0.9, 0.8, 0.5], [np.nan, np.nan, 0.7]])


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def data(rules=("exact", "noisy")):
    return xr.Dataset(
        {
            "loss": (("rule", "seed", "update"), LOSS, {"units": "1", "long_name": "training loss"}),
            "status": (("rule", "seed"), STATUS),
            "final_score": (("rule", "seed"), FINAL, {"units": "1", "long_name": "score at the end"}),
            "final_loss": (("rule", "seed"), 10 * FINAL, {"units": "1", "long_name": "loss at the end"}),
        },
        {
            "rule": ("rule", np.arange(2), flag_attributes(rules)),
            "seed": ("seed", np.arange(3)),
            "update": ("update", UPDATE),
        },
    )


def texts(ax):
    return [text.get_text() for text in ax.texts]


def test_medians_of_every_rule_end_where_most_seeds_do(ax):
    assert plotting.learning_curves(data(), ax) is ax
    exact, noisy = (line for line in ax.lines if line.get_label() in ("exact", "noisy"))
    np.testing.assert_array_equal(exact.get_ydata(), [4, 3, 2])
    np.testing.assert_array_equal(noisy.get_xdata(), [10, 20])
    np.testing.assert_array_equal(noisy.get_ydata(), [4, 9])
    assert ax.get_yscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Update", "Training loss")
    assert exact.get_color() != noisy.get_color()
    assert {"exact", "noisy", "n = 3 seeds a rule\n2 diverged"} <= set(texts(ax))
    ax.figure.canvas.draw()


def test_a_score_has_its_own_axis_and_names(ax):
    scores = data().assign(score=data()["loss"] / 10)
    plotting.learning_curves(
        scores, ax, variable="score", names=["a", "b"], colors=["k", "r"], label="Correct"
    )
    assert ax.get_yscale() == "linear"
    assert ax.get_ylabel() == "Correct"
    assert {"a", "b"} <= set(texts(ax))


@pytest.mark.parametrize(("variable", "edge"), [("final_score", 0), ("final_loss", 1)])
def test_every_seed_is_a_dot_or_a_cross(ax, variable, edge):
    plotting.final_values(data(), ax, variable=variable)
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    assert [len(line.get_xdata()) for line in dots] == [3, 1]
    assert [len(line.get_xdata()) for line in crosses] == [0, 2]
    assert set(crosses[1].get_xdata()) == {ax.get_xlim()[edge]}
    assert to_rgb(crosses[1].get_color()) == to_rgb(style.VERMILLION)
    bars = [line.get_xdata() for line in ax.lines if line.get_marker() == "None"]
    median = 0.8 if variable == "final_score" else 8.0
    np.testing.assert_allclose(bars, [[median, median]])  # two of three noisy seeds diverged: no bar
    assert [label.get_text() for label in ax.get_yticklabels()] == ["exact", "noisy"]
    assert ax.get_xscale() == ("linear" if variable == "final_score" else "log")
    assert "n = 3 seeds a rule, 2 diverged" in texts(ax)
    ax.figure.canvas.draw()


def test_distances_from_bptt_stand_beside_the_nulls(ax):
    rng = np.random.default_rng(0)
    flags = {"flag_values": [0, 1, 2, 3], "flag_meanings": "initial readout-only other-trials other-weights"}
    rules = {"flag_values": [0, 1], "flag_meanings": "rflo bptt"}
    words = {"units": "rad", "long_name": "shape distance"}
    values = np.stack([rng.random((3, 2)), np.zeros((3, 2))])
    values[0, 1, 1] = np.nan  # a seed that diverged keeps its last value
    data = xr.Dataset(
        {
            "shape_distance": (("rule", "seed", "checkpoint"), values, words),
            "null_shape_distance": (("condition", "seed"), rng.random((4, 3)), words),
        },
        {"rule": ("rule", [0, 1], rules), "condition": ("condition", range(4), flags), "seed": range(3)},
        {"num_trials": 32},
    )
    plotting.reference_distances(data, ax)
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "initial", "readout only", "other trials", "other weights", "rflo", "bptt",
    ]  # fmt: skip
    dots = [line for line in ax.lines if line.get_marker() in "so"]
    np.testing.assert_allclose(dots[4].get_xdata(), [values[0, 0, 1], values[0, 1, 0], values[0, 2, 1]])
    assert ax.get_xlabel() == "Shape distance (rad) from BPTT"
