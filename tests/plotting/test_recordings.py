"""Panels of task variance, kinematics, sequences and recordings draw what they are given."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style

NAMES = ("condition", "time", "unit")
TIME = ("time", np.arange(5.0, 400.0, 10.0), {"units": "ms", "long_name": "time"})


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def variances(num_seeds=2):
    swing = np.cos(np.arange(6) * np.pi / 3)[:, None, None] * np.ones((1, 3, 9))
    tasks = {"go": np.arange(9) < 3, "anti": (np.arange(9) >= 3) & (np.arange(9) < 8)}
    arrays = {
        name: xr.concat([xr.DataArray(swing * served, dims=NAMES)] * num_seeds, "seed")
        for name, served in tasks.items()
    }
    return analysis.task_variance(arrays, num_rotations=2, num_starts=3)


def curves(ax):
    return [line for line in ax.lines if line.get_linewidth() > 1]


def test_units_by_cluster_and_task(ax):
    measured = variances()
    plotting.task_variance(measured.isel(seed=0), ax)
    image = ax.images[0].get_array()
    np.testing.assert_allclose(image, [[1, 0]] * 3 + [[0, 1]] * 5, atol=1e-12)
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["go", "anti"]
    assert ax.get_title(loc="left") == "8 units, 2 clusters, 1 left out"
    assert [text.get_text() for text in ax.texts] == ["1", "2"]
    np.testing.assert_allclose([line.get_ydata()[0] for line in ax.lines], [3.5])
    ax.figure.canvas.draw()
    with pytest.raises(ValueError, match=r"measured: clusters over \('seed', 'unit'\); select one seed"):
        plotting.task_variance(measured, ax)


def test_contrast_of_two_tasks(ax):
    plotting.fractional_variance(variances(3), ax)
    assert ax.get_xlabel() == "Fractional task variance"
    assert [text.get_text() for text in ax.texts] == ["n = 24 units\n3 seeds"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["rotated units", "units"]
    outlines = [patch.get_xy() for patch in ax.patches if not patch.get_fill()]
    assert len(outlines) == 4
    heights = outlines[-1][:, 1]
    assert heights.max() == pytest.approx(5 / 8)
    ax.figure.canvas.draw()


def test_kinematics_of_seeds(ax):
    duration = np.array([200.0, 300.0, 400.0])
    phase = TIME[1] / duration[:, None]
    rates = np.stack([np.sin(3 * phase), phase**2, 0 * phase + duration[:, None] / 1000], -1)
    rates[TIME[1] >= duration[:, None]] = np.nan
    interval = ("condition", duration, {"units": "ms", "long_name": "interval"})
    both = xr.DataArray(
        np.stack([rates, 2 * rates]), dims=("seed", *NAMES), coords={"time": TIME, "interval": interval},
        attrs={"units": "Hz"},
    )  # fmt: skip
    measured = analysis.kinematics(both, reference=1, variance=1.0)
    plotting.kinematics(measured, ax, ordered=both.interval)
    assert (ax.get_xlabel(), ax.get_ylabel()) == (
        "Time of the reference (ms)",
        "Time of the nearest state (ms)",
    )
    names = [text.get_text() for text in ax.texts]
    assert names == ["slope 0.67", "reference", "slope 1.33", "n = 2 seeds"]
    assert len(curves(ax)) == 2
    np.testing.assert_allclose(curves(ax)[1].get_ydata(), measured.nearest_time[:, 2].mean("seed"))
    other = ax.figure.add_subplot()
    plotting.kinematics(measured.isel(seed=0), other, variable="distance", ordered=both.interval)
    assert other.get_ylabel() == "Distance from reference (Hz)"
    assert [text.get_text() for text in other.texts] == ["200 ms", "reference", "400 ms", "n = 1 seed"]
    plotting.kinematics(measured.isel(seed=0), ax.figure.add_subplot(), variable="distance")
    ax.figure.canvas.draw()


def test_units_in_the_order_of_their_peaks(ax):
    peaks = np.array([305.0, 45, 155, 245])
    rates = 20 * np.exp(-(((TIME[1][:, None] - peaks) / 30) ** 2))
    data = xr.DataArray(np.append(rates, 0 * rates[:, :1], 1), dims=NAMES[1:], coords={"time": TIME})
    measured = analysis.sequentiality(data, num_bins=4)
    plotting.sequentiality(measured, ax)
    np.testing.assert_array_equal(ax.images[0].get_array().argmax(1), [4, 15, 24, 30])
    above = ax.child_axes[0]
    np.testing.assert_allclose([bar.get_height() for bar in above.patches], 0.25)
    assert above.get_title(loc="left").startswith("sequentiality")
    assert above.get_title(loc="left").endswith("n = 4 units")
    ax.figure.canvas.draw()
    with pytest.raises(ValueError, match=r"measured: peaks over \('seed', 'unit'\); select one element"):
        plotting.sequentiality(measured.expand_dims("seed"), ax)


@pytest.mark.parametrize("num_seeds", [1, 3])
def test_scores_of_circuit_and_baselines(ax, num_seeds):
    rng = np.random.default_rng(0)
    circuit = rng.standard_normal((num_seeds, 8, 12, 3))
    code = np.repeat(np.arange(8), 4)
    trials = circuit[0][code] @ rng.standard_normal((3, 5)) + rng.standard_normal((32, 12, 5))
    trials[..., 4] = np.nan
    model = xr.DataArray(circuit, dims=("seed", *NAMES))
    measured = analysis.compare_recordings(
        xr.DataArray(trials, dims=("trial", "time", "unit")), model, num_splits=10, num_resamples=50,
        condition=xr.DataArray(code, dims="trial"),
        baselines={"inputs alone": model.isel(unit=[0]).rename(unit="input")},
    )  # fmt: skip
    plotting.recording_scores(measured, ax)
    diamonds = [line for line in ax.lines if line.get_marker() == "D"]
    assert [line.get_xdata().size for line in diamonds] == [num_seeds] * 2
    np.testing.assert_allclose(
        diamonds[0].get_ydata(), measured.population_normalized_score.isel(predictor=0)
    )
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["circuit", "inputs\nalone"]
    plural = "s" if num_seeds > 1 else ""
    assert ax.get_title(loc="left") == f"n = 4 units, 1 not scored; {num_seeds} seed{plural}"
    assert ax.get_ylabel() == "Score over noise ceiling"
    ax.figure.canvas.draw()
