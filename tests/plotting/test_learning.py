"""Panels of learning draw what they are given: one thin line a seed, the median, limits and nulls."""

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure

from throughtime import analysis, plotting
from throughtime.plotting import style

RNG = np.random.default_rng(0)
UPDATES = np.array([0, 10, 40])


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def texts(ax):
    ax.figure.canvas.draw()
    return [text.get_text() for text in ax.texts]


def thick(ax):
    return [line for line in ax.lines if line.get_linewidth() >= 1.2]


def curvatures(learning_rate=0.5):
    data = xr.Dataset(
        {"w": (("seed", "checkpoint", "unit"), 1 + RNG.random((3, 3, 2)))},
        {"checkpoint_update": (("seed", "checkpoint"), np.stack([UPDATES] * 3))},
    ).reset_coords()
    return analysis.sharpness(
        lambda p: p["w"][0] ** 3 / 3 - p["w"][1] ** 2 / 2, data, seed=0, learning_rate=learning_rate
    )


def test_eigenvalues_beside_the_limit(ax):
    found = curvatures()
    assert plotting.sharpness(found, ax) is ax
    for line, mode in zip(thick(ax), (0, 1), strict=True):
        np.testing.assert_allclose(line.get_ydata(), np.median(found["eigenvalue"][:, :, mode], axis=0))
        np.testing.assert_array_equal(line.get_xdata(), UPDATES)
    assert len([line for line in ax.lines if line.get_alpha() == 0.35]) == 6
    assert [line.get_ydata()[0] for line in ax.lines if line.is_dashed()] == [4.0]
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("Update", "Hessian eigenvalue")
    assert set(texts(ax)) == {"largest", "smallest", "2/η", "n = 3 seeds"}


def test_a_limit_and_a_seed_far_away_are_written(ax):
    found = curvatures(1e-3)
    found["eigenvalue"][1, 2, 1] = -1e6
    plotting.sharpness(found, ax)
    assert not [line for line in ax.lines if line.is_dashed()]
    assert "2/η = 2000, above" in texts(ax)
    assert "n = 3 seeds\n1 leaves the axes" in texts(ax)
    assert ax.get_ylim()[0] > -10
    other = ax.figure.add_subplot()
    plotting.sharpness(curvatures(None).isel(seed=0), other)
    assert set(texts(other)) == {"largest", "smallest", "n = 1 seed"}


def aligned():
    rates = xr.DataArray(RNG.standard_normal((3, 3, 6, 4)), dims=("seed", "checkpoint", "trial", "unit"))
    jacobian = rates.rename(unit="parameter").expand_dims("output")
    params = xr.Dataset({"w": (("checkpoint", "unit"), np.ones((3, 2)))})
    params["checkpoint_update"] = ("checkpoint", UPDATES)
    return analysis.kernel_alignment(rates, jacobian=jacobian**3, params=params)


def test_alignments_of_both_kernels(ax):
    found = aligned()
    plotting.kernel_alignment(found, ax)
    for line, kind in zip(thick(ax), ("representation", "tangent"), strict=True):
        np.testing.assert_allclose(line.get_ydata(), np.median(found[f"{kind}_alignment"], axis=0))
        np.testing.assert_array_equal(line.get_xdata(), UPDATES)
    assert ax.get_ylim()[0] < float(found["tangent_alignment"].min())
    assert set(texts(ax)) == {"representation", "tangent", "n = 3 seeds"}
    other = ax.figure.add_subplot()
    one = found.drop_vars(["tangent_alignment_centred", "checkpoint_update"])
    plotting.kernel_alignment(one, other, centred=True)
    assert len(thick(other)) == 1
    assert other.get_xlabel() == "Checkpoint"
    assert other.get_ylabel() == "Centred alignment with the start"


def changed():
    start = xr.DataArray(RNG.standard_normal((3, 6, 6)), dims=("seed", "unit", "presynaptic_unit"))
    turned = RNG.standard_normal((3, 6, 1)) * RNG.standard_normal((3, 1, 6))
    return analysis.weight_change(start + turned, start=start, seed=0, num_draws=20)


def test_singular_values_beside_the_null(ax):
    found = changed()
    plotting.weight_change(found, ax, num_modes=4)
    np.testing.assert_allclose(thick(ax)[0].get_ydata(), np.median(found["singular_value"][:, :4], axis=0))
    assert thick(ax)[0].get_xdata().tolist() == [1, 2, 3, 4]
    dashed = next(line for line in ax.lines if line.is_dashed())
    np.testing.assert_allclose(dashed.get_ydata(), np.median(found["null_singular_value"][:, :4], axis=0))
    band = next(each for each in ax.collections if isinstance(each, PolyCollection))
    heights = band.get_paths()[0].vertices[:, 1]
    assert heights.max() == pytest.approx(np.median(found["null_singular_value_upper"], axis=0).max())
    assert "n = 3 seeds\nstable rank 1.0" in texts(ax)
    with pytest.raises(
        ValueError, match=r"dims \('seed', 'checkpoint', 'mode'\); the panel draws seed, mode"
    ):
        plotting.weight_change(found.expand_dims("checkpoint", 1), ax)


def test_scores_are_paired_by_seed(ax):
    scores = {"score_assumed": ("seed", [0.5, 0.4, np.nan]), "score_true": ("seed", [0.1, 0.3, 0.2])}
    plotting.flow_field(xr.Dataset(scores), ax)
    pairs = [line.get_ydata().tolist() for line in ax.lines if line.get_color() == style.FAINT]
    assert pairs == [[0.5, 0.1], [0.4, 0.3]]
    medians = [line.get_ydata()[0] for line in ax.lines if line.get_linewidth() == 1.8]
    assert medians == pytest.approx([0.45, 0.2])
    assert [tick.get_text() for tick in ax.get_xticklabels()] == ["assumed\ndecoder", "true\ndecoder"]
    assert texts(ax) == ["n = 2 seeds, 1 without a score"]


def compared():
    flags = {"flag_values": [0, 1, 2], "flag_meanings": "bptt uoro eprop"}
    ratio = np.array([[np.inf, np.inf], [2.0, 4.0], [np.inf, np.inf]])
    names = {"signal_to_noise": ratio, "signal_to_noise_lower": ratio / 2, "signal_to_noise_upper": ratio * 2}
    names["cosine"] = np.array([[1.0, 1.0], [0.2, 0.5], [-0.1, 0.7]])
    attrs = {"units": "1", "long_name": "a measure"}
    data = xr.Dataset({name: (("rule", "block"), value, attrs) for name, value in names.items()})
    data["num_draws"] = ("rule", [1, 16, 1])
    blocks = {"flag_values": [0, 1], "flag_meanings": "recurrent all"}
    return data.assign_coords(rule=("rule", [0, 1, 2], flags), block=("block", [0, 1], blocks))


def test_rules_are_rows(ax):
    plotting.compare_gradients(compared(), ax)
    dots = [(line.get_xdata()[0], line.get_ydata()[0]) for line in ax.lines if line.get_marker() == "o"]
    assert dots == [(1.0, 0), (0.5, 1), (0.7, 2)]
    assert [tick.get_text() for tick in ax.get_yticklabels()] == ["bptt", "uoro", "eprop"]
    assert ax.get_xlabel() == "Cosine with exact gradient"
    assert texts(ax) == ["n = 1 circuit, 16 draws"]
    other = ax.figure.add_subplot()
    plotting.compare_gradients(compared(), other, variable="cosine", block="recurrent", names=["a", "b", "c"])
    assert other.get_xlim()[0] < -0.1


def test_rules_without_chance_have_no_noise(ax):
    plotting.compare_gradients(compared(), ax, variable="signal_to_noise")
    assert ax.get_xscale() == "log"
    endless = [line.get_ydata()[0] for line in ax.lines if line.get_marker() == ">"]
    assert endless == [0, 2]
    bar = next(line for line in ax.lines if line.get_marker() == "None")
    assert list(bar.get_xdata()) == [2.0, 8.0]
    seeds = xr.concat(
        [compared(), compared() * 1.0], "seed", data_vars="all", coords="minimal", compat="override"
    )
    seeds = seeds.assign_coords(rule=compared()["rule"], block=compared()["block"])
    other = ax.figure.add_subplot()
    plotting.compare_gradients(seeds, other)
    assert texts(other) == ["n = 2 seeds"]
    assert len([line for line in other.lines if line.get_alpha() == 0.35]) == 3
    with pytest.raises(ValueError, match="block: no 'input'; there are recurrent, all"):
        plotting.compare_gradients(compared(), ax, block="input")
