"""What circuits trained by BPTT came to be: fixed points, selection of evidence, scaling, a ring of memory.

    python figures/learned_dynamics.py [RECORD] [OUTPUT_FOLDER]

(a) A circuit that holds three bits, without input: fixed points by the number of their unstable directions,
which are drawn as lines, over trajectories. (b) Such points in every circuit beside a cube's corners,
edges, faces and middle. (c) How far a pulse of evidence moves the state along the slowest direction, for
the relevant and the irrelevant kind, in units of the pulse as it enters; lines join the two in one circuit
and context. (d) Position along that direction by signed evidence of either kind. (e) Trajectories from Set
to Go of one circuit, by produced interval; dots are 100 ms apart. (f) Speed relative to the middle group of
intervals, where the dashed line is perfect scaling. (g) State at the end of the delay by remembered angle,
and the points there. (h) Accuracy with which the quadrant of the angle is decoded at one time of the delay by
a decoder made at another.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from throughtime import plotting
from throughtime.plotting import style
from throughtime.plotting.marks import note
from throughtime.results import load_tree

NAME = "learned_dynamics"
RECORDS = "evidence/learned_dynamics.nc"
CUBE = {"corners": 8, "edges": 12, "faces": 6, "middle": 1}
DOT_MS = 100.0


def turned(around: int, degrees: float) -> np.ndarray:
    """Rotation of three components around one of them."""
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    one, other = (k for k in range(3) if k != around)
    matrix = np.eye(3)
    matrix[one, one], matrix[one, other], matrix[other, one], matrix[other, other] = c, -s, s, c
    return matrix


OBLIQUE = turned(1, 28.0) @ turned(0, 17.0)


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    bits, context, timing, memory = (
        tree[name].to_dataset()
        for name in ("flip-flop", "contextual-integration", "ready-set-go", "delayed-response")
    )
    with style.context():
        page = style.figure(style.PAGE_MM, 178.0)
        rows = page.subfigures(4, 1, height_ratios=(1.1, 0.95, 0.95, 1.1), hspace=0.02)
        parts = [part for row in rows for part in row.subfigures(1, 2, width_ratios=(1.2, 1.0), wspace=0.02)]
        _points(bits, parts[0].subplots())
        _counts(bits, parts[1].subplots())
        _selection(context, parts[2].subplots())
        _integration(context, parts[3])
        _trajectories(timing, parts[4].subplots())
        _speeds(timing, parts[5].subplots())
        _ring(memory, parts[6].subplots())
        _decoding(memory, parts[7].subplots())
        titles = (
            "Three bits: fixed points", "Points of a cube", "Selection of evidence",
            "Integration of evidence", "From Set to Go", "Speed by interval", "Memory of an angle",
            "Decoding over the delay",
        )  # fmt: skip
        for part, letter, title in zip(parts, "abcdefgh", titles, strict=True):
            style.heading(part, letter, title)
    return page


def in_plane(data: xr.Dataset) -> tuple[xr.Dataset, xr.Dataset]:
    """Points and trajectories of one circuit as the panel of fixed points takes them."""
    count = data.sizes["component"]
    points = data.rename(point="location", point_direction="unstable_direction")
    points = points.drop_vars(["component", "trajectory", "explained_variance_ratio"], errors="ignore")
    found = points.rename(component="state")
    eye = xr.DataArray(np.eye(count), dims=("component", "unit"))
    principal = xr.Dataset(
        {
            "components": eye,
            "score": data["trajectory"].drop_vars("component", errors="ignore"),
            "mean": ("unit", np.zeros(count)),
            "scale": ("unit", np.ones(count)),
            "explained_variance_ratio": ("component", data["explained_variance_ratio"].values),
        }
    )
    return found, principal


def _points(data: xr.Dataset, ax: Axes) -> None:
    """All three components at once, seen obliquely: face on, the corners of a cube hide each other."""
    seen = data.isel(seed=0, trial=slice(1)).copy()
    share = 100 * float(seen["explained_variance_ratio"].sum())
    for name in ("point", "point_direction", "trajectory"):
        seen[name] = seen[name].copy(data=seen[name].transpose(..., "component").values @ OBLIQUE)
    found, principal = in_plane(seen)
    plotting.fixed_points(found, ax, principal=principal)
    ax.set_xlabel(f"3 PCs of the points, oblique view ({share:.0f} % of variance)")
    ax.set_ylabel("")


def _counts(data: xr.Dataset, ax: Axes) -> None:
    """Number of fixed points by number of unstable directions, a dot a circuit, beside those of a cube."""
    fixed, unstable = (data["kind"] == 0).values, data["n_unstable"].values
    found = np.array(
        [[(f & (u == k)).sum() for k in range(len(CUBE))] for f, u in zip(fixed, unstable, strict=True)]
    )
    place = np.arange(len(CUBE))
    ax.bar(place, list(CUBE.values()), width=0.7, color=style.SHADE, zorder=0)
    shifts = np.linspace(-0.2, 0.2, len(found)) if len(found) > 1 else np.zeros(1)
    for shift, counts in zip(shifts, found, strict=True):
        ax.plot(place + shift, counts, "o", color=style.BLUE, ms=3.2, mew=0)
    names = [f"{k}\n({name})" for k, name in enumerate(CUBE)]
    ax.set_xticks(place, names)
    ax.tick_params(axis="x", length=0)
    ax.set_xlabel("Unstable directions (place on a cube)")
    ax.set_ylabel("Fixed points")
    ax.yaxis.set_major_locator(MaxNLocator(5, integer=True))
    note(ax, f"n = {len(found)} circuits; grey: a cube", corner="upper right")


def _selection(data: xr.Dataset, ax: Axes) -> None:
    """Effect of a pulse along the slowest direction at the point most starts led to, by kind of evidence."""
    chosen = data["n_starts"].values.argmax(-1)[..., None, None]
    selection = data["selection"].transpose("seed", "input_condition", "fixed_point", "option").values
    effect = np.take_along_axis(selection, chosen, 2)[..., 0, :]
    gain = effect / data["input_strength"].transpose("seed", "option").values[:, None]
    for context, color in enumerate((style.BLUE, style.VERMILLION)):
        for one in gain[:, context]:
            pair = one[[context, 1 - context]]
            ax.plot((0, 1), pair, "o-", color=color, lw=0.8, ms=3.2, mew=0, alpha=0.85)
        ax.plot([], [], "o-", color=color, lw=0.8, ms=3.2, label=f"{('motion', 'colour')[context]} context")
    ax.set_yscale("log")
    ax.set_xlim(-0.35, 1.35)
    ax.set_xticks((0, 1), ("relevant", "irrelevant"))
    ax.set_xlabel("Evidence")
    ax.set_ylabel("Gain, slowest direction")
    ax.legend(loc="lower left", title=f"n = {len(gain)} circuits", title_fontsize=6, alignment="left")


def _integration(data: xr.Dataset, part: Any) -> None:
    """Position along the slowest direction over time, mean over circuits, by signed evidence."""
    axes = part.subplots(1, 2, sharey=True)
    levels = data["evidence"].isel(seed=0).values
    colors = style.ordered_colors(levels)
    position = data["position"].transpose("signal", "seed", "condition", "time")
    time = (np.arange(position.sizes["time"]) + 0.5) * 20.0
    for ax, one, title in zip(axes, position.values, ("relevant", "irrelevant"), strict=True):
        for series, color in zip(one.mean(0), colors, strict=True):
            ax.plot(time, series, color=color, lw=1.1)
        ax.set_title(title, fontsize=6.5, pad=2)
        ax.set_xlabel("Time of evidence (ms)")
        ax.xaxis.set_major_locator(MaxNLocator(3))
        ax.set_xlim(0, time[-1])
    axes[0].set_ylabel("Position (SD)")
    for level, color in ((levels[0], colors[0]), (levels[-1], colors[-1])):
        axes[1].plot([], [], color=color, label=f"{level:+g} %")
    axes[1].legend(loc="upper left", title="signed evidence", title_fontsize=6, alignment="left")


def _trajectories(data: xr.Dataset, ax: Axes) -> None:
    """Mean trajectories of one circuit on two components."""
    one = data.isel(seed=0)
    course, lag = one["trajectory"].values, one["lag"].values
    colors = style.ordered_colors(one["produced"].values)
    for path, color in zip(course, colors, strict=True):
        there = np.isfinite(path[:, 0])
        ax.plot(path[there, 0], path[there, 1], color=color, lw=1.1)
        dots = there & (np.round(lag / (lag[1] - lag[0])) % round(DOT_MS / (lag[1] - lag[0])) == 0)
        ax.plot(path[dots, 0], path[dots, 1], "o", color=color, ms=2.4, mew=0)
        ax.plot(*path[there][0, :2], "s", color=color, ms=4.0, mew=0)
    for value, color in zip(one["produced"].values, colors, strict=True):
        ax.plot([], [], color=color, label=f"{value:.0f} ms")
    ax.set_xlabel("PC 1")
    ax.set_ylabel("PC 2")
    ax.legend(
        loc="upper left", bbox_to_anchor=(1.0, 1.0), title="produced interval\n(squares: Set)",
        title_fontsize=6, alignment="left",
    )  # fmt: skip


def _speeds(data: xr.Dataset, ax: Axes) -> None:
    """Relative speed against produced interval, with perfect scaling, and the scaling indices in words."""
    produced, speed = data["produced"].values, data["relative_speed"].values
    middle = produced.shape[1] // 2
    for x, y in zip(produced, speed, strict=True):
        ax.plot(x / x[middle], y, "o-", color=style.BLUE, lw=0.8, ms=2.8, mew=0, alpha=0.85)
    ratio = np.linspace(
        0.97 * (produced / produced[:, middle, None]).min(),
        1.02 * (produced / produced[:, middle, None]).max(),
        60,
    )
    ax.plot(ratio, 1 / ratio, color=style.GREY, lw=0.8, ls=(0, (3, 2)), zorder=0)
    ax.set_xlabel("Interval relative to the middle group")
    ax.set_ylabel("Relative speed")
    told = [data[name].values for name in ("population", "population_unwarped")]
    text = "\n".join(
        f"scaling index{tail} {np.median(values):.2f}"
        for values, tail in zip(told, ("", ", absolute time"), strict=True)
    )
    note(ax, f"n = {len(produced)} circuits\n{text}", corner="upper right")


def _ring(data: xr.Dataset, ax: Axes) -> None:
    one = data.isel(seed=0)
    found, principal = in_plane(one)
    plotting.fixed_points(found, ax, principal=principal)
    ends = one["trajectory"].isel(time=0).transpose("trial", "component").values
    angles = one["angle"].values
    ax.scatter(
        ends[:, 0],
        ends[:, 1],
        c=angles % (2 * np.pi),
        cmap="twilight",
        s=7,
        ec=style.GREY,
        lw=0.2,
        zorder=0.5,
    )


def _decoding(data: xr.Dataset, ax: Axes) -> None:
    """Mean accuracy over circuits, chance as a contour."""
    accuracy = data["accuracy"].mean("seed").transpose("time_train", "time_test")
    train, test = accuracy["time_train"].values, accuracy["time_test"].values
    image = ax.pcolormesh(test, train, accuracy.values, cmap="cividis", vmin=0.0, vmax=1.0, shading="nearest")
    chance = float(data["chance"].isel(seed=0))
    if float(accuracy.min()) < 2 * chance < float(accuracy.max()):
        ax.contour(test, train, accuracy.values, levels=[2 * chance], colors="white", linewidths=0.8)
    ax.set_aspect("equal")
    ax.set_xlabel("Time in delay, tested (ms)")
    ax.set_ylabel("Time in delay, trained (ms)")
    ax.xaxis.set_major_locator(MaxNLocator(3))
    ax.yaxis.set_major_locator(MaxNLocator(3))
    bar = ax.figure.colorbar(image, ax=ax, shrink=0.9, pad=0.03)
    bar.set_label(f"Accuracy (chance {chance:.3g})")


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
