"""Panels of how alike circuits are draw what they are given."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style

RNG = np.random.default_rng(0)
SHAPES = {"BPTT": RNG.standard_normal((40, 5)), "RFLO": RNG.standard_normal((40, 5))}
SHAPES["e-prop"] = SHAPES["RFLO"] + 0.5 * RNG.standard_normal((40, 5))


def systems(num_seeds=3):
    return {
        name: xr.DataArray(
            np.stack([shape + 0.3 * RNG.standard_normal(shape.shape) for _ in range(num_seeds)]),
            dims=("seed", "trial", "unit"),
            coords={"seed": np.arange(num_seeds)},
        )
        for name, shape in SHAPES.items()
    }


def with_a_failure():
    activity = systems()
    activity["RFLO"][1] = np.nan
    return analysis.distance_matrix(activity)


MATRIX = analysis.distance_matrix(systems())
WALK = xr.DataArray(
    np.random.default_rng(0).standard_normal((2, 60, 4)).cumsum(1), dims=("seed", "time", "unit")
)


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def test_matrix_shows_every_pair_and_the_names_of_labels(ax):
    assert plotting.distance_matrix(MATRIX, ax) is ax
    shown = np.asarray(ax.images[1].get_array().filled(np.nan))
    assert np.isnan(np.diag(shown)).all()
    away = ~np.eye(9, dtype=bool)
    np.testing.assert_array_equal(shown[away], MATRIX.distance.values[away])
    assert [text.get_text() for text in ax.get_yticklabels()] == ["BPTT", "RFLO", "e-prop"]
    assert ax.get_yticks().tolist() == [1, 4, 7]
    assert ax.figure.axes[1].get_ylabel() == "Shape distance (rad)"
    assert ax.get_title(loc="right") == "n = 9 circuits"
    assert not ax.texts
    ax.figure.canvas.draw()


def test_matrix_sorts_by_label_writes_few_numbers_and_greys_what_failed(ax):
    order = [0, 3, 1, 4]
    few = MATRIX.isel(run=order, other_run=order)
    plotting.distance_matrix(few, ax)
    shown = np.asarray(ax.images[1].get_array().filled(np.nan))
    assert shown[0, 1] == MATRIX.distance.values[0, 1]
    assert shown[0, 2] == MATRIX.distance.values[0, 3]
    assert len(ax.texts) == 12
    assert ax.texts[0].get_text() == f"{MATRIX.distance.values[0, 1]:.2f}"
    other = ax.figure.add_subplot()
    plotting.distance_matrix(with_a_failure(), other)
    assert np.isfinite(np.asarray(other.images[0].get_array().filled(np.nan))).sum() == 16
    assert other.get_title(loc="right") == "n = 8 circuits, 1 refused"
    ax.figure.canvas.draw()


def test_map_has_one_point_a_circuit(ax):
    found = analysis.embedding(with_a_failure())
    plotting.circuit_map(found, ax)
    assert [len(line.get_xdata()) for line in ax.lines] == [3, 2, 3]
    np.testing.assert_array_equal(ax.lines[2].get_xdata(), found.location.values[6:, 0])
    assert len({line.get_marker() for line in ax.lines}) == len({line.get_color() for line in ax.lines}) == 3
    assert ax.get_xlabel() == "Dimension 1 (rad)"
    assert ax.get_legend().get_title().get_text().startswith("n = 8 circuits\n1 refused\nstress 0.")
    ax.figure.canvas.draw()


def test_pairs_of_labels_have_their_seeds_as_the_null(ax):
    found = analysis.group_distances(MATRIX, level=0.9)
    plotting.group_distances(found, ax)
    dots = [line.get_xdata() for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert [len(each) for each in dots] == [6, 6] * 3  # three pairs within either; six across different seeds
    bars = [line.get_xdata()[0] for line in ax.lines if line.get_marker() == "None"]
    expected = np.stack([found.within_distance, found.between_distance], axis=1).ravel()
    np.testing.assert_allclose(bars, expected)
    for each, mean in zip(dots, bars, strict=True):
        assert np.mean(each) == pytest.approx(mean)
    assert [text.get_text() for text in ax.get_yticklabels()] == [
        "BPTT – RFLO",
        "BPTT – e-prop",
        "RFLO – e-prop",
    ]
    assert ax.get_xlabel() == "Shape distance (rad)"
    assert ax.texts[0].get_text() == "Holm p = 0.75\nminimum 0.25"
    ax.figure.canvas.draw()


def test_pairs_without_a_p_say_so_and_failures_are_counted(ax):
    found = analysis.group_distances(with_a_failure())
    plotting.group_distances(found, ax)
    assert ax.texts[0].get_text() == "no p: too few seeds\nminimum 0.5"
    assert ax.get_legend().get_title().get_text() == "n = 8 circuits, 1 refused"
    dots = [len(line.get_xdata()) for line in ax.lines if line.get_marker() == "o" and len(line.get_xdata())]
    assert dots == [2, 2, 6, 6, 2, 2]
    unpaired = ax.figure.add_subplot()
    plotting.group_distances(analysis.group_distances(with_a_failure(), paired=False), unpaired)
    dots = [
        len(each.get_xdata()) for each in unpaired.lines if each.get_marker() == "o" and len(each.get_xdata())
    ]
    assert dots == [4, 6, 6, 9, 4, 6]


def test_starts_are_sorted(ax):
    found = analysis.dsa(WALK, WALK.isel(unit=[1, 0, 2, 3]), seed=0, n_restarts=6)
    plotting.start_spread(found, ax)
    lines = [line for line in ax.lines if len(line.get_xdata()) == 8]
    assert len(lines) == 2
    for seed, line in enumerate(lines):
        np.testing.assert_array_equal(line.get_ydata(), np.sort(found.start_distance[seed]))
    crosses = [line for line in ax.lines if line.get_marker() == "x" and len(line.get_xdata())]
    assert [float(line.get_ydata()[0]) for line in crosses] == found.start_distance[:, 0].values.tolist()
    assert ax.get_ylabel() == "Distance that the start came to (rad)"
    assert ax.get_legend().get_title().get_text() == "n = 2 comparisons"
    alone = ax.figure.add_subplot()
    plotting.start_spread(found.isel(seed=0), alone)
    assert alone.get_legend().get_title().get_text() == "n = 1 comparison"
    ax.figure.canvas.draw()
