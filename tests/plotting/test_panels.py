"""Every panel draws what it is given, on plain axes, without pyplot."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.colors import to_rgb
from matplotlib.figure import Figure

from tests.plotting import synthetic
from throughtime import analysis, plotting
from throughtime.plotting import marks, style
from throughtime.plotting.behaviour import _error

MEMORY, TIMING = synthetic.working_memory(3, 48, 12), synthetic.timing(3, 96, 12)


@pytest.fixture
def ax():
    with style.context():
        yield FigureCanvasAgg(Figure(layout="constrained")).figure.add_subplot()


def texts(ax) -> str:
    return "\n".join(text.get_text() for text in ax.texts)


def timed(**change) -> xr.Dataset:
    result = analysis.timing(TIMING["evaluation"]["interval"], TIMING["behaviour"]["produced_interval"])
    return result.assign(change)


def means() -> tuple[xr.DataArray, xr.DataArray, xr.DataArray]:
    one = TIMING["evaluation"].to_dataset().isel(seed=0)
    produced = TIMING["behaviour"]["produced_interval"].isel(seed=0)
    group, centre = analysis.levels(one["interval"], num_bins=4)
    group = group.where(produced.notnull(), -1)
    onset = one["epoch_onset"].isel(epoch=2)
    options = {"condition": group, "num_conditions": 4}
    absolute = analysis.align(
        one["rates"], onset, np.arange(0.0, 1500.0, 20.0), until=onset + produced, **options
    )
    return absolute, analysis.warp(one["rates"], onset, produced, **options), centre


def draw_trial(ax):
    return plotting.trial(MEMORY["evaluation"].to_dataset().isel(seed=0, trial=0), ax, title="one")


def draw_rates(ax):
    one = MEMORY["evaluation"].to_dataset().isel(seed=0, trial=0)
    return plotting.sorted_rates(one["rates"].transpose("unit", "time"), ax, events={"sample": 100.0})


def draw_states(ax):
    rates = MEMORY["evaluation"]["rates"].isel(seed=0, trial=slice(4)).rename(trial="condition")
    principal = analysis.pca(rates, num_components=3)
    return plotting.state_space(principal, ax, names=list("abcd"), marks={"test": 1200.0})


def circular():
    """Angular errors that diffuse over the delay."""
    delay = MEMORY["evaluation"]["delay"]
    spread = np.sqrt(delay.values / 1e5) * np.random.default_rng(0).standard_normal(delay.shape)
    return analysis.circular_error(delay, delay.copy(data=spread), num_bins=4)


def lost():
    """Losses that grow with the delay."""
    delay = MEMORY["evaluation"]["delay"]
    return analysis.fractional_loss(delay, delay / 1e4, delay.copy(data=np.ones(delay.shape)), num_bins=4)


def matched(kind):
    """Answers of a subject that errs now and then, as each fit takes them."""
    rng, (rows, columns) = np.random.default_rng(0), MEMORY["evaluation"]["delay"].shape

    def drawn(p):
        return xr.DataArray(rng.binomial(2, p, (rows, columns)), dims=("seed", "trial"))

    two = drawn(1.0)
    if kind == "category":
        return analysis.category(drawn(0.5), drawn(0.5).clip(max=1), drawn(0.5).clip(max=1))
    if kind == "detection":
        return analysis.detection(drawn(0.5), two, drawn(0.9), two, drawn(0.2))
    return analysis.repetition(two, drawn(0.9), two, drawn(0.4), two, drawn(0.1))


def remembered():
    """Items of sequences of three and of four, with primacy."""
    rng, (rows, columns) = np.random.default_rng(0), MEMORY["evaluation"]["delay"].shape
    length, *items = (
        xr.DataArray(rng.binomial(1, p, (rows, columns)), dims=("seed", "trial"))
        for p in (0.5, 0.95, 0.8, 0.7, 0.7)
    )
    return analysis.serial_position(length + 3, **{f"item_{k + 1}": item for k, item in enumerate(items)})


def discriminated(kind):
    """Choices and reaction times of a subject with noise, as each fit takes them."""
    rng, shape = np.random.default_rng(0), (3, 400)

    def named(values, name, **attrs):
        return xr.DataArray(values, dims=("seed", "trial"), name=name, attrs=attrs)

    first, second = (named(rng.choice([-4, -2, -1, 1, 2, 4], shape), "coherence", units="%") for _ in "ab")
    group = named(rng.integers(0, 3, shape), "modality", flag_values=[0, 1, 2], flag_meanings="a b both")
    context, noise = group.clip(max=1), rng.normal(0, 2, shape)
    if kind == "chronometric":
        return analysis.chronometric(first, 700 - 50 * abs(first) + 20 * noise)
    if kind == "contextual":
        choice = xr.where(context == 0, first, second) + noise > 0
        return analysis.contextual(first, second, context, choice.astype(int))
    choice = (first + noise > 0).astype(int)
    if kind == "psychometric":
        return analysis.psychometric(first, choice, num_resamples=0)
    return analysis.psychometric_by(first, choice, group, num_resamples=0)


def beating():
    """Beats 10 ms early whose intervals have an SD of 4 % of the period."""
    rng, shape = np.random.default_rng(0), (3, 96)
    period = xr.DataArray(rng.choice([125.0, 250.0, 500.0], shape), dims=("seed", "trial"))
    late = period.copy(data=rng.standard_normal(shape) - 10)
    square = 0.04**2 * (1 + 0 * period)
    return analysis.synchronization(period, late, 1.01 * period, square + 1e-4, 1e-4 - 0.4 * square)


def played():
    """A pattern that is scaled by a circuit with a Weber fraction."""
    rng, shape = np.random.default_rng(0), (3, 96)
    speed = xr.DataArray(rng.choice([0.5, 1.0, 2.0], shape), dims=("seed", "trial"))
    peaks = {
        f"peak_{k + 1}": at / speed * (1 + 0.03 * rng.standard_normal(shape))
        for k, at in enumerate((300.0, 700.0, 1100.0, 1800.0))
    }
    return analysis.temporal_scaling(speed, (1 + 0.03 * rng.standard_normal(shape)) / speed, **peaks)


PANELS = {
    "loss": lambda ax: plotting.learning_curve(TIMING["training"].to_dataset(), ax),
    "score": lambda ax: plotting.learning_curve(
        TIMING["training"].to_dataset(), ax, variable="score", level=0.95
    ),
    "trial": draw_trial,
    "rates": draw_rates,
    "state space": draw_states,
    "produced": lambda ax: plotting.produced_interval(timed(), ax),
    "variability": lambda ax: plotting.timing_variability(timed(), ax),
    "traces": lambda ax: plotting.aligned_traces(
        means()[0].isel(unit=0), means()[2], ax, threshold=1.0, event="Set"
    ),
    "category": lambda ax: plotting.category(matched("category"), ax),
    "detection": lambda ax: plotting.detection(matched("detection"), ax),
    "repetition": lambda ax: plotting.repetition(matched("repetition"), ax),
    "psychometric": lambda ax: plotting.psychometric(discriminated("psychometric"), ax),
    "psychometric by": lambda ax: plotting.psychometric_by(discriminated("psychometric_by"), ax),
    "contextual": lambda ax: plotting.contextual(discriminated("contextual"), ax),
    "chronometric": lambda ax: plotting.chronometric(discriminated("chronometric"), ax),
    "synchronization": lambda ax: plotting.synchronization(beating(), ax),
    "temporal scaling": lambda ax: plotting.temporal_scaling(played(), ax),
    "peak variability": lambda ax: plotting.peak_variability(played(), ax),
    "fractional loss": lambda ax: plotting.fractional_loss(lost(), ax),
    "serial position": lambda ax: plotting.serial_position(remembered(), ax),
    "angles": lambda ax: plotting.circular_error(circular(), ax),
    "accuracy": lambda ax: plotting.accuracy(
        analysis.accuracy(MEMORY["evaluation"]["delay"], MEMORY["behaviour"]["correct"], num_bins=4),
        ax,
        trained=(500.0, 2000.0),
    ),
}


@pytest.mark.parametrize("name", PANELS)
def test_returns_its_axes_labelled_and_drawable(name, ax):
    assert PANELS[name](ax) is ax
    assert ax.get_xlabel()
    assert ax.get_ylabel() or name == "trial"
    ax.figure.canvas.draw()


@pytest.mark.parametrize("name", ["loss", "produced", "variability", "accuracy"])
def test_states_the_number_of_seeds(name, ax):
    PANELS[name](ax)
    assert "n = 3 seeds" in texts(ax)


@pytest.mark.parametrize("name", ["produced", "variability"])
def test_draws_a_single_seed_and_seeds_without_responses(name, ax):
    panel = plotting.produced_interval if name == "produced" else plotting.timing_variability
    panel(timed().isel(seed=0), ax)
    assert "n = 1 seed " in texts(ax)
    blank = timed()
    for variable in ("mean", "sd", "slope", "intercept", "beta", "sd_scale", "interval_scale"):
        blank[variable] = blank[variable] * np.nan
    other = ax.figure.add_subplot()
    panel(blank, other)
    assert "not determined" in texts(other)
    ax.figure.canvas.draw()


def test_learning_curve_marks_criterion_and_failure(ax):
    training = TIMING["training"].to_dataset()
    plotting.learning_curve(training, ax)
    crosses = [line for line in ax.lines if line.get_marker() == "x"]
    dots = [line for line in ax.lines if line.get_marker() == "o"]
    assert len(crosses) == 1
    assert len(dots) == 2
    last = np.flatnonzero(np.isfinite(training["loss"].values[2]))[-1]
    assert crosses[0].get_xdata()[0] == training["update"].values[last]
    assert sorted(dot.get_xdata()[0] for dot in dots) == sorted(training["criterion_update"].values[:2])
    assert "1 diverged" in texts(ax)
    thin = [line for line in ax.lines if line.get_linewidth() == 0.6]
    assert len(thin) == 3


def test_median_ranks_a_diverged_seed_worst_and_carries_stopped_ones(ax):
    training = xr.Dataset(
        {
            "loss": (("seed", "update"), [[3.0, 1.0, np.nan], [4.0, 2.0, 0.5], [5.0, np.nan, np.nan]]),
            "status": ("seed", [0, 0, 2]),
            "criterion_update": ("seed", [20, 30, -1]),
        },
        {"update": [10, 20, 30]},
    )
    plotting.learning_curve(training, ax)
    median = next(line for line in ax.lines if line.get_linewidth() == 1.4)
    np.testing.assert_array_equal(median.get_ydata(), [4, 2, 1])


def test_rates_are_sorted_by_peak_or_as_asked(ax):
    rates = xr.DataArray(np.eye(4)[[2, 0, 3, 1]], dims=("unit", "time"), coords={"time": np.arange(4.0)})
    plotting.sorted_rates(rates, ax)
    np.testing.assert_array_equal(ax.images[0].get_array(), np.eye(4))
    other = ax.figure.add_subplot()
    plotting.sorted_rates(rates, other, order=[0, 1, 2, 3], colorbar=False)
    np.testing.assert_array_equal(other.images[0].get_array(), rates)
    assert ax.images[0].cmap.name == style.RATE.name
    signed = ax.figure.add_subplot()
    plotting.sorted_rates(rates - 0.5, signed)
    assert signed.images[0].cmap.name == style.SIGNED_RATE.name
    assert signed.images[0].get_clim() == (-0.5, 0.5)


def test_trial_shows_target_only_where_it_counts_and_names_epochs(ax):
    draw_trial(ax)
    target = next(line for line in ax.lines if line.is_dashed() and len(line.get_ydata()) > 2)
    one = MEMORY["evaluation"].to_dataset().isel(seed=0, trial=0)
    valid = one["valid"].values.astype(bool)
    np.testing.assert_array_equal(np.isfinite(target.get_ydata()), one["mask"].values[valid, 0] > 0)
    assert {"sample", "test", "response", "choice"} <= {text.get_text() for text in ax.texts}
    assert "trial" not in texts(ax)
    assert "stimulus a" in [label.get_text() for label in ax.get_yticklabels()]


def test_epochs_are_shaded_in_the_order_of_their_onsets(ax):
    one = MEMORY["evaluation"].to_dataset().isel(seed=0, trial=0)
    plotting.trial(one.isel(epoch=[3, 1, 5, 2, 4, 0]), ax)
    shaded = sorted(patch.get_x() for patch in ax.patches)
    np.testing.assert_allclose(shaded, one["epoch_onset"].values[[2, 4]])


def test_standard_errors_are_over_the_seeds_that_have_a_value():
    values = np.array([[1.0, 1.0], [3.0, np.nan], [2.0, 3.0]])
    np.testing.assert_allclose(_error(values), [3**-0.5, 1.0])
    assert _error(values[:1]) is None


def test_seeds_without_a_fit_are_counted(ax):
    plotting.produced_interval(timed(fit_status=("seed", [0, 1, 1])), ax)
    assert "2 without a fit" in texts(ax)


def test_state_space_in_three_dimensions():
    ax = FigureCanvasAgg(Figure()).figure.add_subplot(projection="3d")
    rates = MEMORY["evaluation"]["rates"].isel(seed=0, trial=slice(2)).rename(trial="condition")
    plotting.state_space(
        analysis.pca(rates, num_components=3), ax, components=(0, 1, 2), marks={"test": 1200.0}
    )
    assert ax.get_zlabel().startswith("PC 3")
    ax.figure.canvas.draw()


def test_rescaled_rate_shares_scale_and_shows_both_indices():
    absolute, warped, centre = means()
    pair = tuple(Figure().subplots(1, 2))
    plotting.rescaled_rate(
        absolute.isel(unit=0), warped.isel(unit=0), centre, pair, unwarped_index=0.31, scaling_index=0.97
    )
    assert pair[0].get_ylim() == pair[1].get_ylim()
    assert [ax.get_title(loc="right") for ax in pair] == ["SI = 0.31", "SI = 0.97"]
    assert pair[0].get_xlabel() == "Time from Set (ms)"


def test_axis_labels_come_from_attributes(ax):
    measured = analysis.accuracy(MEMORY["evaluation"]["delay"], MEMORY["behaviour"]["correct"])
    measured["level"].attrs.update(units="s", long_name="retention_time")
    plotting.accuracy(measured, ax)
    assert ax.get_xlabel() == "Retention time (s)"


@pytest.mark.parametrize("bounds", [(0.03, 0.5), (380, 1500), (21, 63), (1e-5, 2.0)])
def test_log_axes_have_a_few_ticks(ax, bounds):
    ax.set_yscale("log")
    ax.set_ylim(*bounds)
    marks.plain_log(ax.yaxis, *bounds)
    inside = [t for t in ax.yaxis.get_majorticklocs() if bounds[0] <= t <= bounds[1]]
    assert 3 <= len(inside) <= 9


def lightness(color) -> float:
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in to_rgb(color)]
    luminance = np.dot([0.2126, 0.7152, 0.0722], linear)
    return 116 * np.cbrt(luminance) - 16


def test_ordered_colours_grow_lighter():
    values = [lightness(color) for color in style.ordered_colors(np.linspace(400, 1400, 8))]
    assert (np.diff(values) > 3).all()
    assert style.ordered_colors([np.nan, 1.0])[0] == style.FAINT


def test_saved_figures_embed_fonts_and_repeat(tmp_path):
    with style.context():
        drawn = style.figure(style.COLUMN_MM, 50)
        drawn.add_subplot().set_xlabel("Time (ms)")
        style.heading(drawn, "a", "Example")
    pdf, png = style.save(drawn, tmp_path / "new", "one")
    first = pdf.read_bytes()
    assert b"/Type3" not in first
    assert b"CreationDate" not in first
    assert style.save(drawn, tmp_path, "two")[0].read_bytes() == first
    width = int.from_bytes(png.read_bytes()[16:20], "big")
    assert width == pytest.approx(style.COLUMN_MM / 25.4 * 300, abs=1)


def test_style_leaves_no_trace():
    before = dict(mpl.rcParams)
    with style.context():
        assert mpl.rcParams["font.size"] == 7
    assert dict(mpl.rcParams) == before


def test_panels_do_not_import_pyplot():
    code = "import sys, throughtime.plotting; print('matplotlib.pyplot' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "False"
    )
