"""A task in pictures: one trial of each condition."""

from __future__ import annotations

import math

import numpy as np
import xarray as xr
from matplotlib.figure import Figure

from throughtime.plotting import style
from throughtime.plotting.channels import GAP, IMAGE, rows
from throughtime.plotting.marks import labels
from throughtime.plotting.trials import trial

NAMES_MM = 16.0
"""Room for the names of the channels, left of the first panel of a row."""
LEGEND = "input grey, target dashed, output of a perfect subject blue"


def trials_by_condition(
    examples: xr.Dataset, *, title: str | None = None, width_mm: float = style.PAGE_MM
) -> Figure:
    """One panel a trial, all on the same scales: inputs, targets and outputs, epochs shaded.

    Args:
        examples: trials (trial, …) as for :func:`throughtime.plotting.trial`; the attribute ``by`` names the
            conditions each panel is headed with, as :func:`throughtime.results.example_trials` makes them.
        title: above all panels. width_mm: of the figure.

    Returns:
        The figure, made in the style that is in force.
    """
    count = examples.sizes["trial"]
    columns = _columns(examples)
    lines = math.ceil(count / columns)
    units = _height(examples)
    each = float(np.clip(7.0 * units, 26.0, 96.0)) + 9.0
    figure = style.figure(width_mm, lines * each + 14.0)
    axes = np.atleast_1d(figure.subplots(lines, columns, squeeze=False)).reshape(lines, columns)
    valid = examples["valid"].transpose("trial", "time").values.astype(bool)
    step = float(examples["time"][1] - examples["time"][0])
    ends = step * valid.sum(1)
    for index, ax in enumerate(axes.ravel()):
        if index >= count:
            ax.set_visible(False)
            continue
        one = examples.isel(trial=index)
        trial(
            one, ax, title=heading(one), among=examples, time_range=(0.0, float(ends.max())),
            name_channels=index % columns == 0, width_mm=(width_mm - NAMES_MM) / columns,
        )  # fmt: skip
        if index % columns:
            ax.tick_params(axis="y", labelleft=False)
        if index + columns < count:
            ax.set_xlabel("")
            ax.tick_params(axis="x", labelbottom=False)
    head = f"{title}: {LEGEND}" if title else LEGEND[0].upper() + LEGEND[1:]
    figure.suptitle(head, x=0.008, ha="left", fontsize=7.5)
    return figure


def heading(one: xr.Dataset) -> str:
    """The conditions of a trial, in words: ``delay 500 ms, nonmatch``.

    Example:
        >>> delay = xr.DataArray(503.2, attrs={"units": "ms", "long_name": "delay"})
        >>> match = xr.DataArray(1, attrs={"flag_values": [0, 1], "flag_meanings": "false true"})
        >>> heading(xr.Dataset({"delay": delay, "match": match}, attrs={"by": "delay match"}))
        'delay 503 ms, match'
    """
    if "catch" in one and bool(one["catch"]):
        return "catch trial"
    words = []
    for name in str(one.attrs.get("by", "")).split():
        value = one[name]
        called = name.removesuffix("_condition").replace("_", " ")
        meanings = str(value.attrs.get("flag_meanings", "")).split()
        if meanings == ["false", "true"]:
            words.append(called if bool(value) else f"no {called}")
        elif meanings:
            words.append(labels(value.expand_dims("one"))[0])
        elif not np.isfinite(float(value)):
            words.append(f"no {called}")
        else:
            units = str(value.attrs.get("units", "1"))
            rounded = round(float(value), 3) + 0.0
            number = f"{rounded:.0f}" if abs(rounded) >= 100 else f"{rounded:.3g}"
            words.append(f"{called} {number}".replace("-", "−") + ("" if units == "1" else f" {units}"))
    return ", ".join(words)


def _columns(examples: xr.Dataset) -> int:
    """Panels beside each other: one for each level of the last condition, where all are combined with all."""
    count = examples.sizes["trial"]
    names = str(examples.attrs.get("by", "")).split()
    if len(names) > 1:
        last = len(np.unique(examples[names[-1]].values))
        if 1 < last <= 4 and count % last == 0 and count // last > 1:
            return last
    return {1: 1, 2: 2, 3: 3, 4: 2, 5: 3, 6: 3, 9: 3}.get(count, 4)


def _height(examples: xr.Dataset) -> float:
    """Rows of a panel, in units of the height of an output."""
    outputs, inputs = (rows(labels(examples[side])) for side in ("output", "input"))
    return sum((IMAGE if row.image else 1.0) + GAP for row in outputs) + sum(
        IMAGE + 0.14 if row.image else 0.46 for row in inputs
    )
