"""Channels of a trial: which are drawn as lines, and which together as an image."""

from __future__ import annotations

import itertools
import re
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style

FEWEST = 6
"""Channels of one kind from which on they are an image."""
IMAGE = 1.5
"""Height of an image in units of the range of the outputs."""
SIGNED = 0.5
"""Share of the largest value from which on negative values are signals, not noise."""
GAP = 0.5
"""Room above an output, for its name, in the same units."""


class Row(NamedTuple):
    """One row of a picture.

    Attributes:
        name: of the channel, or of the kind of channels.
        members: positions of its channels.
    """

    name: str
    members: list[int]

    @property
    def image(self) -> bool:
        """Whether it is an image of several channels."""
        return len(self.members) > 1


def rows(names: Sequence[str]) -> list[Row]:
    """Channels in their order, six or more neighbours of one kind as one row.

    A kind is what stands before the last part of a name: units of a ring, one rule of many.

    Example:
        >>> [row.name for row in rows(["fixation", *(f"ring {unit:02d}" for unit in range(32))])]
        ['fixation', 'ring']
        >>> [row.name for row in rows(["stimulus a", "stimulus b"])]
        ['stimulus a', 'stimulus b']
    """
    found: list[Row] = []
    for kind, group in itertools.groupby(enumerate(names), key=lambda both: _kind(both[1])):
        members = [index for index, _ in group]
        if kind and len(members) >= FEWEST:
            found.append(Row(kind, members))
        else:
            found += [Row(names[index], [index]) for index in members]
    return found


def _kind(name: str) -> str:
    return re.sub(r"[ _]?[^ _]*$", "", name)


def span(*values: np.ndarray) -> tuple[float, float]:
    """Lowest and highest of some values and 0, apart from each other.

    Example:
        >>> span(np.array([0.5, 1.0]), np.array([np.nan, -0.5]))
        (-0.5, 1.0)
    """
    finite = np.concatenate([np.zeros(1), *(one[np.isfinite(one)].ravel() for one in values)])
    return min(0.0, float(finite.min(initial=0.0))), max(1e-9, float(finite.max(initial=0.0)))


def output_span(trials: xr.Dataset) -> tuple[float, float]:
    """Lowest and highest output, or target where the loss counts it."""
    valid = trials["valid"].astype(bool)
    counted = valid & (trials["mask"] > 0)
    return span(trials["outputs"].where(valid).values, trials["targets"].where(counted).values)


def image(
    ax: Axes,
    time: np.ndarray,
    values: np.ndarray,
    limits: tuple[float, float],
    bottom: float,
    height: float,
    colors: Any,
) -> tuple[float, float]:
    """Channels (time, channel) as an image, the first below; signed ones on a diverging scale.

    Args:
        ax, time: axes and bin centres. limits: of the values of all images alike.
        bottom, height: where it stands, in data units.
        colors: colour map of values that are not signed.

    Returns:
        Where it begins and ends.
    """
    low, high = limits
    signed = values.min() < -SIGNED * max(high, -low)
    largest = max(high, -low)
    half = (time[1] - time[0]) / 2
    window = ax.get_xlim()
    ax.imshow(
        values.T, aspect="auto", interpolation="nearest", origin="lower",
        extent=(time[0] - half, time[-1] + half, bottom, bottom + height), zorder=-1,
        cmap=style.SIGNED_RATE if signed else colors, vmin=-largest if signed else 0.0, vmax=largest,
    )  # fmt: skip
    ax.set_xlim(window)
    return bottom, bottom + height


def surround(
    ax: Axes,
    time: np.ndarray,
    targets: np.ndarray,
    limits: tuple[float, float],
    place: tuple[float, float],
) -> None:
    """A dashed line around where targets (time, channel), drawn as an image at ``place``, are high.

    Signed targets have none.
    """
    count = targets.shape[1]
    height = (place[1] - place[0]) / count
    channel = place[0] + height * (np.arange(count) + 0.5)
    level = sum(limits) / 2
    known = np.nan_to_num(targets, nan=min(limits))
    if known.max() > level and min(limits) > -SIGNED * max(limits):
        ax.contour(time, channel, known.T, levels=[level], colors=style.INK, linewidths=0.7, linestyles="--")
