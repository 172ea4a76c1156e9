"""Panels of comparisons over seeds, of rules told apart and of timing errors draw what they are given."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style

FLAGS = {"flag_values": [0, 1, 2], "flag_meanings": "bptt rflo feedback_alignment", "units": "1"}


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def compared(num_seeds=10, failed=0):
    values = np.random.default_rng(0).normal([[0.9], [0.7], [0.88]], 0.05, (3, num_seeds))
    values[1, :failed] = np.nan
    coords = {"rule": ("rule", [0, 1, 2], FLAGS)}
    score = xr.DataArray(values, coords, ("rule", "seed"), attrs={"units": "1", "long_name": "score"})
    return analysis.paired_statistics(score, reference="bptt", higher_is_better=True, num_resamples=199)


def drawn(ax, color, marker=None):
    return [
        line for line in ax.lines
        if to_rgb(line.get_color()) == to_rgb(color) and (marker is None or line.get_marker() == marker)
    ]  # fmt: skip


def texts(ax):
    return "\n".join(text.get_text() for text in ax.texts)


def test_paired_differences(ax):
    found = compared()
    assert plotting.paired_differences(found, ax) is ax
    assert ax.get_xlabel() == "Difference in score from bptt"
    assert [label.get_text() for label in ax.get_yticklabels()] == ["rflo", "feedback alignment"]
    seeds = drawn(ax, style.FAINT, "o")
    assert [len(line.get_xdata()) for line in seeds] == [10, 10]
    np.testing.assert_array_equal(seeds[0].get_xdata(), found["difference"][0])
    centres = drawn(ax, style.BLUE, "D")
    np.testing.assert_array_equal([line.get_xdata()[0] for line in centres], found["mean_difference"])
    bars = [line.get_xdata() for line in drawn(ax, style.BLUE, "None")]
    np.testing.assert_array_equal(bars, np.stack([found["lower"], found["upper"]], 1))
    assert "p = 0.00195, Holm 0.00391\nminimum 0.00195" in texts(ax)
    assert "n = 10 pairs of seeds" in texts(ax)
    low, high = ax.get_xlim()
    assert low < float(found["difference"].min()) < 0 < high
    ax.figure.canvas.draw()


def test_refused_p_and_failed_seeds_are_said(ax):
    few = compared(5)
    few = few.assign(p_status=few["p_status"].copy(data=[1, 2]))
    plotting.paired_differences(few, ax, names=["a", "b"], label="Score gained")
    assert "no p: too few seeds\nminimum 0.0625" in texts(ax)
    assert "no p: identical" in texts(ax)
    assert ax.get_xlabel() == "Score gained"
    other = ax.figure.add_subplot()
    plotting.paired_differences(compared(10, failed=2), other)
    crosses = drawn(other, style.VERMILLION, "x")
    assert [len(line.get_xdata()) for line in crosses] == [2, 0]
    assert (other.get_xlim()[0] < crosses[0].get_xdata()).all()
    median = drawn(other, style.BLUE, "D")[0]
    assert median.get_markerfacecolor() == "white"
    assert median.get_xdata()[0] == float(compared(10, failed=2)["median_difference"][0])
    assert [line.get_xdata()[0] for line in drawn(other, style.BLUE, "<")] == [other.get_xlim()[0]]
    assert "n = 10 pairs of seeds, 2 failed" in texts(other)
    ax.figure.canvas.draw()


def test_a_single_comparison_and_too_many_dims(ax):
    one = compared().isel(rule=0, drop=True)
    plotting.paired_differences(one, ax)
    assert len(drawn(ax, style.BLUE, "D")) == 1
    with pytest.raises(ValueError, match="measured: comparisons over task, rule; select one element"):
        plotting.paired_differences(compared().expand_dims("task"), ax)


def told(num_permutations=3):
    rule, task = np.indices((3, 4, 2)).reshape(3, -1)[:2]
    features = rule[:, None] + np.random.default_rng(0).normal(0, 0.4, (rule.size, 2))
    dims = ("run", "parameter")
    return analysis.identify_rule(
        xr.DataArray(features, dims=dims), xr.DataArray(rule, dims="run", attrs=FLAGS),
        xr.DataArray(task, dims="run", name="task"), num_trees=5, num_inner=2,
        num_permutations=num_permutations,
    )  # fmt: skip


def test_confusion_and_accuracy(ax):
    found = told()
    assert plotting.rule_confusion(found, ax, classifier=1) is ax
    np.testing.assert_array_equal(ax.images[0].get_array(), found["confusion"][1])
    assert [text.get_text() for text in ax.texts] == [
        f"{x:.2f}" for x in found["confusion"][1].values.ravel()
    ]
    assert [label.get_text() for label in ax.get_yticklabels()] == ["bptt", "rflo", "feedback alignment"]
    assert ax.get_title() == "svm, n = 24 runs held out"
    other = ax.figure.add_subplot()
    assert plotting.rule_accuracy(found, other) is other
    for color, each in zip(style.CATEGORICAL, found["accuracy"].values, strict=False):
        np.testing.assert_array_equal(drawn(other, color)[0].get_ydata(), each)
    named = [text.get_text() for text in other.get_legend().get_texts()]
    assert named[0].startswith(f"forest: {float(found['mean_accuracy'][0]):.2f}, p = 0.25")
    assert "rules shuffled" in named
    assert other.get_xlabel() == "Held-out task, n = 6 runs each"
    assert texts(other) == "chance"
    ax.figure.canvas.draw()


def test_accuracy_without_a_null(ax):
    found = told(0)
    plotting.rule_accuracy(found, ax)
    assert len(ax.get_legend().get_texts()) == 2
    ax.figure.canvas.draw()


def test_bias_against_variability(ax):
    rng = np.random.default_rng(0)
    asked = xr.DataArray(np.tile(np.repeat([600.0, 800.0, 1000.0], 6), (4, 1)), dims=("seed", "trial"))
    produced = asked * rng.uniform(0.7, 0.9, (4, 1)) + 200 + 40 * rng.standard_normal(asked.shape)
    produced[3] = np.nan
    found = analysis.timing(asked, produced)
    assert plotting.bias_variability(found, ax) is ax
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("√VAR (ms)", "BIAS (ms)")
    seeds = drawn(ax, style.GREY, "o")[0]
    np.testing.assert_array_equal(seeds.get_xdata(), found["within_sd"][:3])
    np.testing.assert_array_equal(seeds.get_ydata(), found["bias"][:3])
    for arc in drawn(ax, style.FAINT):
        radius = np.hypot(*arc.get_data())
        np.testing.assert_allclose(radius, radius[0])
    assert ax.get_xlim() == ax.get_ylim()
    assert ax.get_xlim()[1] > float(found["rmse"].max())
    assert "n = 4 seeds\n1 without a fit" in texts(ax)
    plotting.bias_variability(found * np.nan, ax.figure.add_subplot())
    ax.figure.canvas.draw()
