"""How fast a gradient is: close to its bare matrix products, on one core.

    python figures/speed.py [RECORD] [OUTPUT_FOLDER]

All are ratios of times measured in alternation; circles are medians, lines the middle half of the rounds. (a)
Gradient of BPTT as a multiple of the matrix products alone that any implementation has to do, for leaky units
and gated ones; dashes are goals. (b) Other implementations of the same gradient as multiples of it: an eager
PyTorch loop, differentiation through a plain scan, and PyTorch's own layers. (c) Gradients of other rules as
multiples of that of BPTT, for circuits of 64, 128 and 256 units, dark to light; dashed is the goal of the
local ones. (d) Memory that a gradient adds, with the states of whole trials and of segments of √T steps; ∝ is
the exponent over all T. (e) Every value that has a goal, as a multiple of it, or of the distance from it that
is allowed: left of the line it is met. Missed goals are open triangles, and counted.
"""

from __future__ import annotations

import re
import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D
from matplotlib.ticker import FixedLocator, NullLocator

from throughtime import plotting
from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "speed"
RECORDS = "evidence/bench.nc"

SIZES = (64, 128, 256)
SIZE_COLORS = dict(zip(SIZES, style.ordered_colors([0, 1, 2, 3])[:3], strict=True))  # without the lightest
# what stands for the number of units is {N}: row, name, colour, line, marker
FLOOR = (
    ("BPTT gradient / floor N={N} current", "leaky", style.BLUE, "-", "o"),
    ("BPTT gradient / floor N={N} current noise", "leaky, noise", style.SKY, "-", "o"),
    ("BPTT gradient / floor N={N} LSTM", "LSTM", style.VERMILLION, (0, (3, 1.2)), "s"),
    ("BPTT gradient / floor N={N} GRU", "GRU", style.GREEN, (0, (1, 1.2)), "D"),
)
OTHERS = (
    ("eager torch / BPTT N={N} current", "eager PyTorch", style.BLUE, "-", "o"),
    ("grad of scan / BPTT N={N} current", "plain scan", style.ORANGE, (0, (3, 1.2)), "o"),
    ("torch.nn.RNN / BPTT N={N} vanilla", "torch.nn.RNN", style.BLACK, (0, (1, 1.2)), "s"),
    ("torch.nn.LSTM / BPTT N={N}", "torch.nn.LSTM", style.VERMILLION, (0, (1, 1.2)), "s"),
    ("torch.nn.GRU / BPTT N={N}", "torch.nn.GRU", style.GREEN, (0, (1, 1.2)), "D"),
)
LOCAL = ("readout-only", "rflo", "eprop", "snap")
RULES = (*LOCAL, "mdgl", "modprop", "feedback-alignment", "tbptt")
STORAGE = {
    "of whole trials": ("whole trial", style.VERMILLION, "s"),
    "in segments": ("segments", style.BLUE, "o"),
}
# what is told about rows that begin alike: words, and the pattern of their names
GOALS = (
    ("gradient / products alone", r"BPTT gradient / floor"),
    ("eager PyTorch / gradient", r"eager torch"),
    ("plain scan / gradient", r"grad of scan"),
    ("PyTorch's layers / gradient", r"torch\.nn"),
    ("local rules / BPTT", r"(rflo|eprop|snap) / BPTT"),
    ("a step of rules carried forward", r"microseconds"),
    ("their order in units and steps", r"exponent .*(trace form|rflo)"),
    ("time in segments / whole", r"segments / whole"),
    ("order of memory in segments", r"exponent in T of peak memory in segments"),
    ("two cores", r"one core"),
    ("trials of tasks / gradient", r"64 trials"),
    ("fixed points, Lyapunov exponents", r"seconds of 10"),
    ("studies", r".*\bstudy\b"),
    ("throughtime --help", r"seconds of throughtime"),
)


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    rows = named(tree)
    with style.context():
        page = style.figure(style.PAGE_MM, 128.0)
        above, below = page.subfigures(2, 1, height_ratios=(1.0, 1.05), hspace=0.04)
        parts = [
            *above.subfigures(1, 3, width_ratios=(1.0, 1.0, 1.05), wspace=0.03),
            *below.subfigures(1, 2, width_ratios=(0.8, 1.6), wspace=0.03),
        ]
        a, b, c, d, e = (part.subplots() for part in parts)
        _against_products(rows, a)
        plotting.marks.note(a, f"one core of {tree.attrs['cpu'].split(' (')[0]}", corner="upper right")
        _against_others(rows, b)
        _rules(rows, c)
        _memory(rows, d)
        _goals(rows, e)
        titles = (
            "Gradient / bare products", "Others / this gradient", "Rules / BPTT", "Memory of a gradient",
            "Goals",
        )  # fmt: skip
        for part, letter, title in zip(parts, "abcde", titles, strict=True):
            style.heading(part, letter, title)
    return page


def named(tree: xr.DataTree) -> xr.Dataset:
    """Rows of a record, with their names."""
    rows = tree["rows"].to_dataset()
    return rows.assign_coords(name=("option", [name.replace("_", " ") for name in labels(rows["option"])]))


def found(rows: xr.Dataset, name: str) -> xr.Dataset | None:
    """The row of that name, where it was measured."""
    place = np.flatnonzero((rows["name"].values == name) & np.isfinite(rows["value"].values))
    return rows.isel(option=int(place[0])) if place.size else None


def missed(row: xr.Dataset) -> bool:
    """Whether the row has a goal that it does not meet."""
    return labels(row["verdict"]) == ["not_met"]


def _by_size(rows: xr.Dataset, ax: Axes, series: Any) -> None:
    """Medians and the middle half of rounds over N; the marks of missed goals are open."""
    ends, names, colors = [], [], []
    for pattern, name, color, line, marker in series:
        there = {n: one for n in SIZES if (one := found(rows, pattern.format(N=n))) is not None}
        if not there:
            continue
        values = [float(one["value"]) for one in there.values()]
        ax.plot(list(there), values, color=color, ls=line, lw=1.0)
        for n, one in there.items():
            ax.plot((n, n), (one["round_lower_quartile"], one["round_upper_quartile"]), color=color, lw=1.0)
            face = "white" if missed(one) else color
            ax.plot(n, one["value"], marker, color=color, mfc=face, ms=3.8, mew=1.0, zorder=4)
        ends.append(values[-1])
        names.append(name)
        colors.append(color)
    ax.set_xscale("log")
    ax.set_xlim(SIZES[0] / 1.15, SIZES[-1] * 1.15)
    ax.xaxis.set_major_locator(FixedLocator(list(SIZES)))
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_xticks(SIZES, [str(n) for n in SIZES])
    ax.set_xlabel("Units N")
    ax.set_ylim(0.0, None)
    low, high = ax.get_ylim()
    ax.set_ylim(low, high * 1.06)
    plotting.marks.end_labels(ax, ends, names, colors)


def _against_products(rows: xr.Dataset, ax: Axes) -> None:
    _by_size(rows, ax, FLOOR)
    ax.axhline(1.0, color=style.GREY, lw=0.6, zorder=0)
    goals = [(n, one) for n in SIZES if (one := found(rows, FLOOR[0][0].format(N=n))) is not None]
    for n, one in goals:
        ax.plot((n / 1.1, n * 1.1), (one["goal"],) * 2, color=FLOOR[0][2], lw=1.0, ls=(0, (2, 1)))
    if goals:
        n, one = goals[0]
        ax.annotate(
            "goal", (n * 1.1, float(one["goal"])), xytext=(3, 0), textcoords="offset points", va="center",
            fontsize=6, color=FLOOR[0][2],
        )  # fmt: skip
    ax.set_ylim(0.0, max(2.4, ax.get_ylim()[1]))
    ax.annotate(
        "products alone", (SIZES[0] / 1.1, 1.0), xytext=(0, -7), textcoords="offset points", va="top",
        fontsize=6, color=style.GREY,
    )  # fmt: skip
    ax.set_ylabel("Time / products alone")


def _against_others(rows: xr.Dataset, ax: Axes) -> None:
    _by_size(rows, ax, OTHERS)
    ax.axhline(1.0, color=style.GREY, lw=0.6, zorder=0)
    ax.annotate(
        "this gradient", (SIZES[0] / 1.1, 1.0), xytext=(0, -2), textcoords="offset points", va="top",
        fontsize=6, color=style.GREY,
    )  # fmt: skip
    plotting.marks.note(ax, "open: goal missed", corner="lower right")
    ax.set_ylabel("Time / time of this gradient")


def _rules(rows: xr.Dataset, ax: Axes) -> None:
    for place, rule in enumerate(RULES):
        for shift, n in zip((-0.22, 0.0, 0.22), SIZES, strict=True):
            one = found(rows, f"{rule} / BPTT N={n}")
            if one is None:
                continue
            color = SIZE_COLORS[n]
            bounds = one["round_lower_quartile"], one["round_upper_quartile"]
            ax.plot(bounds, (place + shift,) * 2, color=color, lw=1.0)
            face = "white" if missed(one) else color
            ax.plot(one["value"], place + shift, "o", color=color, mfc=face, ms=3.6, mew=1.0)
    ax.axvline(1.0, color=style.GREY, lw=0.6, zorder=0)
    goal = found(rows, f"rflo / BPTT N={SIZES[0]}")
    if goal is not None:
        ax.plot((goal["goal"],) * 2, (0.5, len(LOCAL) - 0.5), color=style.INK, lw=0.8, ls=(0, (2, 1)))
    ax.set_ylim(len(RULES) - 0.4, -0.6)
    ax.set_yticks(range(len(RULES)), RULES)
    ax.tick_params(axis="y", length=0)
    ax.set_xlim(0.0, None)
    ax.set_xlabel("Time of a gradient / BPTT's")
    keys = [Line2D([], [], color=SIZE_COLORS[n], marker="o", ms=3.6, ls="") for n in SIZES]
    ax.legend(keys, [f"N = {n}" for n in SIZES], loc="lower left", handlelength=0.8)


def _memory(rows: xr.Dataset, ax: Axes) -> None:
    pattern = re.compile(r"bytes of a gradient (.+) T=(\d+) N=128")
    ends, names, colors = [], [], []
    for way, (name, color, marker) in STORAGE.items():
        found_here = [
            (int(match[2]), float(value) / 1e6)
            for row, value in zip(rows["name"].values, rows["value"].values, strict=True)
            if (match := pattern.fullmatch(row)) and match[1] == way and np.isfinite(value)
        ]
        if not found_here:
            continue
        steps, memory = zip(*sorted(found_here), strict=True)
        ax.plot(steps, memory, color=color, marker=marker, ms=3.6)
        exponent = found(rows, f"exponent in T of peak memory {way} N=128")
        power = "" if exponent is None else f"\n∝ T$^{{{float(exponent['value']):.2f}}}$"
        ends.append(memory[-1])
        names.append(name + power)
        colors.append(color)
    if not ends:
        plotting.marks.note(ax, "not measured", corner="upper left")
        return
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_xticks(steps, [str(step) for step in steps])
    ax.xaxis.set_minor_locator(NullLocator())
    plotting.marks.plain_log(ax.yaxis, *ax.get_ylim())
    ax.set_xlabel("Steps of a trial T")
    ax.set_ylabel("Peak memory (MB)")
    plotting.marks.end_labels(ax, ends, names, colors, gap=0.14)
    plotting.marks.note(ax, "N = 128, 16 trials", corner="upper left")


def of_goal(rows: xr.Dataset) -> np.ndarray:
    """Values as multiples of their goals, at most 1 where met; NaN without a goal."""
    value, goal, tolerance = (rows[name].values for name in ("value", "goal", "tolerance"))
    least = np.array(labels(rows["wanted_side"])) == "at_least"
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.where(least, goal / value, value / goal)
        return np.where(np.isfinite(tolerance), np.abs(value - goal) / tolerance, ratio)


def families(rows: xr.Dataset) -> list[tuple[str, np.ndarray]]:
    """What rows with a goal are about, and which rows; kinds that were not measured are left out."""
    judged = np.array(labels(rows["verdict"])) != "none"
    places = [
        (
            words,
            np.flatnonzero(judged & [re.match(pattern, name) is not None for name in rows["name"].values]),
        )
        for words, pattern in GOALS
    ]
    return [(words, here) for words, here in places if here.size]


def _goals(rows: xr.Dataset, ax: Axes) -> None:
    lowest = 0.02
    ratio = np.maximum(of_goal(rows), lowest)
    met = np.array(labels(rows["verdict"])) == "met"
    highest = max(2.6, 1.3 * float(np.nanmax(ratio, initial=1.0)))
    shown = families(rows)
    for place, (_, here) in enumerate(shown):
        for chosen, color, marker, face in (
            (here[met[here]], style.BLUE, "o", style.BLUE),
            (here[~met[here]], style.VERMILLION, "^", "white"),
        ):
            if not chosen.size:
                continue
            shift = np.linspace(-0.22, 0.22, chosen.size) if chosen.size > 1 else np.zeros(1)
            ax.plot(
                ratio[chosen], place + shift, marker, color=color, mfc=face, ms=3.4, mew=0.9, ls="",
                clip_on=False,
            )  # fmt: skip
        number = int(met[here].sum())
        ax.annotate(
            f"{number} of {here.size}", (1.01, place),
            xycoords=ax.get_yaxis_transform(), va="center", fontsize=6.5, annotation_clip=False,
            color=style.VERMILLION if number < here.size else style.INK,
        )  # fmt: skip
        if place % 2 == 0:
            ax.axhspan(place - 0.5, place + 0.5, color=style.SHADE, lw=0, zorder=-2)
    ax.axvline(1.0, color=style.INK, lw=0.8, zorder=0)
    ax.set_xscale("log")
    ax.set_xlim(lowest / 1.1, highest)
    ticks = [tick for tick in (0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20) if tick <= highest]
    ax.set_xticks(ticks, [f"{tick:g}" if tick > lowest else f"≤{tick:g}" for tick in ticks])
    ax.xaxis.set_minor_locator(NullLocator())
    ax.set_ylim(len(shown) - 0.5, -0.5)
    ax.set_yticks(range(len(shown)), [words for words, _ in shown])
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel("Value / goal, or distance from it / distance allowed")
    both = f"{int(met.sum())} of {sum(here.size for _, here in shown)} met"
    ax.annotate(
        "met ", (1.0, 1.0), xycoords=ax.get_xaxis_transform(), xytext=(-4, 2), textcoords="offset points",
        ha="right", va="bottom", color=style.BLUE, fontsize=6.5, annotation_clip=False,
    )  # fmt: skip
    ax.annotate(
        "missed", (1.0, 1.0), xycoords=ax.get_xaxis_transform(), xytext=(4, 2), textcoords="offset points",
        ha="left", va="bottom", color=style.VERMILLION, fontsize=6.5, annotation_clip=False,
    )  # fmt: skip
    ax.annotate(
        both, (0.0, 1.0), xycoords="axes fraction", xytext=(0, 2), textcoords="offset points", ha="left",
        va="bottom", fontsize=6.5, annotation_clip=False,
    )  # fmt: skip


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
