"""Panels of how alike circuits are."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style


def systems():
    rng = np.random.default_rng(0)
    base = {"BPTT": rng.standard_normal((40, 5)), "RFLO": rng.standard_normal((40, 5))}
    base["e-prop"] = base["RFLO"] + 0.5 * rng.standard_normal((40, 5))
    return {
        name: xr.DataArray(
            np.stack([values + 0.3 * rng.standard_normal(values.shape) for _ in range(3)]),
            dims=("seed", "trial", "unit"),
            coords={"seed": [0, 1, 2]},
        )
        for name, values in base.items()
    }


DATA = analysis.distance_matrix(systems())
WALK = xr.DataArray(
    np.random.default_rng(0).standard_normal((2, 60, 4)).cumsum(1), dims=("seed", "time", "unit")
)


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def test_matrix_shows_every_pair_and_the_names_of_groups(ax):
    plotting.distance_matrix(DATA, ax)
    shown = ax.images[0].get_array()
    assert shown.shape == (9, 9)
    assert np.ma.getmaskarray(shown).diagonal().all() or np.isnan(np.asarray(shown)).diagonal().all()
    assert [text.get_text() for text in ax.get_yticklabels()] == ["BPTT", "RFLO", "e-prop"]
    assert ax.figure.axes[1].get_ylabel() == "Shape distance (rad)"


def test_map_has_one_point_a_circuit(ax):
    plotting.circuit_map(DATA, ax)
    assert sum(len(line.get_xdata()) for line in ax.lines) == 9
    assert len({line.get_marker() for line in ax.lines}) == 3
    assert ax.get_xlabel() == "Dimension 1 (rad)"


def test_groups_have_their_seeds_as_the_null(ax):
    plotting.group_distances(DATA, ax)
    bars = [line for line in ax.lines if len(line.get_xdata()) == 2 and line.get_marker() == "None"]
    np.testing.assert_allclose([bar.get_xdata()[0] for bar in bars], DATA["between"][0])
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert [len(line.get_xdata()) for line in dots] == [6, 6, 6]
    assert len(ax.collections) == 3
    assert ax.get_xlabel() == "Shape distance (rad) from BPTT"


def test_starts_are_sorted(ax):
    found = analysis.dsa(WALK, WALK.isel(unit=[1, 0, 2, 3]), seed=0, n_restarts=6)
    plotting.start_spread(found, ax)
    assert len(ax.lines) == 2
    for line in ax.lines:
        assert (np.diff(line.get_ydata()) >= 0).all()
    assert ax.get_ylabel() == "Dissimilarity from each start (rad)"
