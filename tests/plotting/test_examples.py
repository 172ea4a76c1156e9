"""Pictures of tasks: lines and images, the same scales everywhere, names that do not overlap."""

from __future__ import annotations

import numpy as np
import pytest
import xarray as xr
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from throughtime import plotting
from throughtime.plotting import channels, marks, style
from throughtime.plotting.examples import heading
from throughtime.results.flags import flag_attributes

TIME = (np.arange(50) + 0.5) * 20.0


def examples(num_trials=6, by="delay side", ring=32) -> xr.Dataset:
    inputs = ["fixation", *(f"ring_{unit:02d}" for unit in range(ring))]
    outputs = ["choice", *(f"ring_{unit:02d}" for unit in range(ring))]
    shape = (num_trials, len(TIME))
    targets = np.zeros((*shape, len(outputs)), np.float32)
    targets[:, 30:, 0] = 1
    targets[:, 30:, 5:9] = 1
    valid = np.ones(shape, bool)
    valid[0, 40:] = False
    epochs = ["trial", "whole", "first", "inner", "second", "absent"]
    onset = np.tile([0.0, 0.0, 0.0, 100.0, 600.0, np.nan], (num_trials, 1))
    offset = np.tile([1000.0, 1000.0, 600.0, 200.0, 1000.0, np.nan], (num_trials, 1))
    trial = ("trial",)
    return xr.Dataset(
        {
            "inputs": ((*trial, "time", "input"), np.ones((*shape, len(inputs)), np.float32)),
            "targets": ((*trial, "time", "output"), targets),
            "outputs": ((*trial, "time", "output"), targets),
            "mask": ((*trial, "time", "output"), np.ones_like(targets)),
            "valid": ((*trial, "time"), valid),
            "epoch_onset": ((*trial, "epoch"), onset),
            "epoch_offset": ((*trial, "epoch"), offset),
            "delay": (trial, np.repeat([500.0, 1600.0, 2900.0], 2)[:num_trials], {"units": "ms"}),
            "side": (trial, np.arange(num_trials) % 2, flag_attributes(["left", "right"])),
        },
        {
            "time": ("time", TIME, {"units": "ms", "long_name": "time"}),
            "input": ("input", np.arange(len(inputs)), flag_attributes(inputs)),
            "output": ("output", np.arange(len(outputs)), flag_attributes(outputs)),
            "epoch": ("epoch", np.arange(len(epochs)), flag_attributes(epochs)),
        },
        {"by": by},
    )


@pytest.fixture(scope="module")
def drawn() -> Figure:
    with style.context():
        figure = plotting.trials_by_condition(examples(), title="task")
        FigureCanvasAgg(figure).draw()
    return figure


def test_panels_stand_in_rows_of_one_condition(drawn):
    titles = [ax.get_title() for ax in drawn.axes]
    assert titles == [f"delay {d} ms, {s}" for d in (500, 1600, 2900) for s in ("left", "right")]
    assert len({round(ax.get_position().x0, 3) for ax in drawn.axes}) == 2
    assert drawn.get_suptitle().startswith("task: input grey, target dashed")


def test_panels_share_scales_and_only_outer_ones_are_labelled(drawn):
    assert len({ax.get_xlim() for ax in drawn.axes}) == len({ax.get_ylim() for ax in drawn.axes}) == 1
    assert [bool(ax.get_xlabel()) for ax in drawn.axes] == [False] * 4 + [True] * 2
    names = [[label.get_text() for label in ax.get_yticklabels() if label.get_visible()] for ax in drawn.axes]
    assert [("ring" in one, "fixation" in one) for one in names] == [(True, True), (False, False)] * 3


def test_many_channels_are_an_image_and_its_target_is_surrounded(drawn):
    ax = drawn.axes[1]
    assert [image.get_array().shape for image in ax.images] == [(32, 50), (32, 50)]
    assert len(ax.collections) == 1, "the contour of the target"
    assert drawn.axes[0].images[0].get_array().shape == (32, 40), "padding is not drawn"


def test_an_odd_number_of_panels_leaves_the_rest_empty():
    with style.context():
        figure = plotting.trials_by_condition(examples(5, by="delay", ring=2))
    assert [ax.get_visible() for ax in figure.axes] == [True] * 5 + [False]
    assert figure.axes[2].get_xlabel(), "nothing is below it"
    assert not figure.axes[0].images


def test_epochs_inside_others_and_those_of_the_whole_trial_are_not_shaded():
    with style.context():
        ax = FigureCanvasAgg(Figure()).figure.add_subplot()
        plotting.trial(examples().isel(trial=1), ax, width_mm=80.0)
    assert [patch.get_x() for patch in ax.patches] == [600]
    named = {text.get_text() for text in ax.texts}
    assert {"first", "inner", "second"} <= named
    assert not {"whole", "trial", "absent"} & named


def test_of_two_names_that_would_overlap_the_shorter_epochs_is_written():
    one = examples().isel(trial=1).isel(epoch=[2, 3])
    one["epoch_onset"][:], one["epoch_offset"][:] = [0.0, 250.0], [601.0, 500.0]
    with style.context():
        ax = FigureCanvasAgg(Figure()).figure.add_subplot()
        ax.set_xlim(0, 1000)
        marks.epochs(one, ax, width_mm=60.0)
    assert [text.get_text() for text in ax.texts] == ["inner"]


def test_a_weak_input_beside_a_strong_one_can_be_seen():
    one = examples(ring=2).isel(trial=1)
    one["inputs"][:, 0], one["inputs"][:, 1] = 0.5, 100.0
    with style.context():
        ax = FigureCanvasAgg(Figure()).figure.add_subplot()
        plotting.trial(one, ax)
    grey = [line.get_ydata() for line in ax.lines if line.get_color() == style.GREY]
    ticks = dict(zip([label.get_text() for label in ax.get_yticklabels()], ax.get_yticks(), strict=True))
    heights = sorted(float(y[0]) for y in grey)
    assert heights[-1] - ticks["fixation"] == pytest.approx(0.32)  # the uppermost input, on its own scale


def test_signed_channels_diverge_and_have_no_outline():
    with style.context():
        ax = FigureCanvasAgg(Figure()).figure.add_subplot()
        values = np.linspace(-1, 1, 400).reshape(50, 8)
        place = channels.image(ax, TIME, values, (-1.0, 1.0), 0.0, 1.0, style.OUTPUTS)
        channels.surround(ax, TIME, values, (-1.0, 1.0), place)
    assert ax.images[0].cmap.name == style.SIGNED_RATE.name
    assert not ax.collections


@pytest.mark.parametrize(
    ("name", "value", "attrs", "words"),
    [
        ("delay", 1600.4, {"units": "ms"}, "delay 1600 ms"),
        ("ratio", -0.4731, {}, "ratio −0.473"),
        ("ratio", -1e-5, {}, "ratio 0"),
        ("angle", np.nan, {}, "no angle"),
        ("match", 0, {"flag_values": [0, 1], "flag_meanings": "false true"}, "no match"),
        ("targets_condition", 3, {"long_name": "target output"}, "targets 3"),
        ("task_condition", 1, {"flag_values": [0, 1], "flag_meanings": "go anti_go"}, "anti go"),
    ],
)
def test_headings_say_the_conditions_in_words(name, value, attrs, words):
    assert heading(xr.Dataset({name: xr.DataArray(value, attrs=attrs)}, attrs={"by": name})) == words


def test_a_catch_trial_is_called_one():
    assert heading(xr.Dataset({"catch": xr.DataArray(1)}, attrs={"by": "delay"})) == "catch trial"
