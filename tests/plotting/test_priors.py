"""The panel of intervals produced under several priors."""

from __future__ import annotations

import numpy as np
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style


def test_each_prior_has_its_line_and_what_is_shared_is_said():
    intervals = np.repeat([480.0, 640.0, 800.0, 800.0, 1000.0, 1200.0], 8)
    prior = np.repeat([0, 2], 24)
    centre = np.where(prior == 0, 640, 1000)
    produced = centre + 0.5 * (intervals - centre) + np.random.default_rng(0).normal(0, 20, (3, 48))
    asked, by = (xr.DataArray(np.tile(a, (3, 1)), dims=("seed", "trial"), name=n) for a, n in
                 ((intervals, "interval"), (prior, "prior")))  # fmt: skip
    result = analysis.timing_by(asked, xr.DataArray(produced, dims=("seed", "trial")), by)
    with style.context():
        ax = FigureCanvasAgg(Figure()).figure.add_subplot()
        assert plotting.timing_by(result, ax) is ax
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["prior 0", "prior 2"]
    assert ax.get_ylabel() == "Produced interval (ms)"
    fitted = [line for line in ax.lines if line.get_linewidth() == 1.2]
    assert len(fitted) == 2
    shown = ax.texts[-1].get_text()
    assert f"shared interval {float(result['shared_difference'].mean()):+.0f} ms" in shown
    assert "n = 3 seeds × 48 trials" in shown
