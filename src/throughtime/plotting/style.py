"""How figures look: one style, one palette, sizes in millimetres, letters, saving."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.colors import Colormap, LinearSegmentedColormap, Normalize
from matplotlib.figure import Figure, FigureBase
from matplotlib.text import Annotation

COLUMN_MM, PAGE_MM = 85.0, 178.0
HEIGHT_MM = 240.0
"""Widths of a column and of a page, the only ones of figures, and the tallest figure."""

# Okabe and Ito's palette, distinct without colour vision.
BLUE, VERMILLION, GREEN, PURPLE = "#0072B2", "#D55E00", "#009E73", "#CC79A7"
ORANGE, SKY, YELLOW, BLACK = "#E69F00", "#56B4E9", "#F0E442", "#000000"
CATEGORICAL = (BLUE, VERMILLION, GREEN, PURPLE, ORANGE, SKY)
INK, GREY, FAINT, SHADE = "#222222", "#777777", "#B9B9B9", "#F1F1F1"

# Ordered conditions: dark to light through one family of hues, monotonic in lightness.
SEQUENTIAL: Colormap = LinearSegmentedColormap.from_list(
    "ordered", ["#1B1A4B", "#3B4F9E", "#2F8BA8", "#45B58A", "#A8CF5A"]
)
RATE: Colormap = mpl.colormaps["viridis"]
SIGNED_RATE: Colormap = mpl.colormaps["RdBu_r"]
# Channels of a trial as images, in the colours of their lines; 0 shows what is behind.
INPUTS: Colormap = LinearSegmentedColormap.from_list("inputs", ["#22222200", "#222222FF"])
OUTPUTS: Colormap = LinearSegmentedColormap.from_list("outputs", ["#00558A00", "#00558AFF"])

RC: Any = {
    "font.family": "sans-serif",
    "font.sans-serif": ["DejaVu Sans"],  # ships with matplotlib, has every sign used: same figure anywhere
    "font.size": 7,
    "axes.labelsize": 7,
    "axes.titlesize": 7,
    "xtick.labelsize": 6.5,
    "ytick.labelsize": 6.5,
    "legend.fontsize": 6.5,
    "figure.titlesize": 8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.6,
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.labelpad": 2,
    "axes.axisbelow": True,
    "text.color": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.minor.width": 0.4,
    "ytick.minor.width": 0.4,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "ytick.minor.size": 1.5,
    "xtick.major.pad": 2,
    "ytick.major.pad": 2,
    "lines.linewidth": 1.0,
    "lines.markersize": 3,
    "lines.solid_capstyle": "round",
    "legend.frameon": False,
    "legend.handlelength": 1.4,
    "legend.handletextpad": 0.5,
    "legend.borderaxespad": 0.2,
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "pdf.fonttype": 42,
    "ps.fonttype": 42,
    "svg.fonttype": "none",
    "mathtext.default": "regular",
    "axes.unicode_minus": True,
    "figure.constrained_layout.w_pad": 0.03,
    "figure.constrained_layout.h_pad": 0.03,
}


@contextmanager
def context() -> Iterator[None]:
    """The style, for the figures made inside.

    Example:
        >>> with context():
        ...     axes = figure(COLUMN_MM, 60).add_subplot()
        >>> axes.spines["top"].get_visible()
        False
    """
    with mpl.rc_context(RC):
        yield


def figure(width_mm: float = PAGE_MM, height_mm: float = 120.0) -> Figure:
    """An empty figure of that size in millimetres, laid out so that nothing overlaps.

    Example:
        >>> round(float(figure(COLUMN_MM, 60.0).get_figwidth()), 3)
        3.346
    """
    return Figure(figsize=(width_mm / 25.4, height_mm / 25.4), layout="constrained")


def ordered_colors(values: Sequence[float] | np.ndarray) -> list[Any]:
    """A colour for each value of an ordered condition such as an interval; NaN is grey.

    Example:
        >>> len(ordered_colors([400.0, 800.0, 1400.0]))
        3
    """
    values = np.asarray(values, dtype=float)
    scale = ordered_scale(values)
    return [SEQUENTIAL(float(scale(value))) if np.isfinite(value) else FAINT for value in values]


def ordered_scale(values: Sequence[float] | np.ndarray) -> Normalize:
    """The scale from values to :data:`SEQUENTIAL`."""
    values = np.asarray(values, dtype=float)
    finite = values[np.isfinite(values)]
    if not finite.size:
        return Normalize(0.0, 1.0)
    low, high = float(finite.min()), float(finite.max())
    return Normalize(low, high if high > low else low + 1.0)


def heading(part: FigureBase, text: str, title: str = "") -> None:
    """Panel letter and a short title in the upper left corner of a (sub)figure, room made for them.

    Example:
        >>> heading(figure(COLUMN_MM, 60.0), "a", "Example trials")
    """
    letter = part.suptitle(text, x=0.008, ha="left", fontsize=9, fontweight="bold")
    beside = Annotation(
        title, (1, 0), xycoords=letter, xytext=(5, 0.5), textcoords="offset points", fontsize=7.5,
        va="bottom", annotation_clip=False,
    )  # fmt: skip
    part.add_artist(beside).set_in_layout(False)


def save(drawn: Figure, folder: str | Path, name: str) -> tuple[Path, Path]:
    """Write ``<name>.pdf`` (fonts embedded) and ``<name>.png`` (300 dpi) into ``folder``.

    Neither file holds a date, so the same figure gives the same file.

    Returns:
        The two paths.
    """
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    pdf, png = folder / f"{name}.pdf", folder / f"{name}.png"
    with context():
        drawn.savefig(pdf, metadata={"CreationDate": None})
        drawn.savefig(png, dpi=300)
    return pdf, png


def save_as_asked(
    draw: Callable[[Any], Figure], name: str, record: str, arguments: Sequence[str]
) -> tuple[Path, Path]:
    """What the script of a figure does: ``[RECORD] [OUTPUT_FOLDER]`` to a PDF and a PNG.

    Args:
        draw: from the path of a results file to its figure.
        name: of the files; record: the file drawn by default.
        arguments: of the command line; the folder is ``figures/output`` by default.

    Returns:
        The two paths.
    """
    source, folder = [*arguments, *(record, "figures/output")[len(arguments) :]][:2]
    return save(draw(source), folder, name)
