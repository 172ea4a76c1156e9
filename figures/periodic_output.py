"""A periodic output learned with random feedback and without credit across synapses.

    python figures/periodic_output.py [RECORD] [OUTPUT_FOLDER]

After Figure 2 of Murray (2019): a circuit of 30 units without input learns a sum of sines of period P; loss
is half the mean squared error, lines are medians of nine circuits, bands and bars their quartiles. (a) Loss
while learning P = 20 τ; grey, a silent output. (b) The same at P = 160 τ. (c) Outputs after training, of the
median circuit of each rule, over one period; targets dashed. (d) Loss after training against the period;
dashed, a silent output. Squares, 50 units at 10 τ, as in the public notebook; stars, the losses it
printed, one run each; triangles, a third of the learning rate. (e) Alignment of the readout weights with the
random feedback of RFLO, for each period. (f) Controls at 80 τ: local but with symmetric feedback, and random
feedback with exact transport.
"""

from __future__ import annotations

import sys
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.figure import Figure
from matplotlib.ticker import NullFormatter

from throughtime import plotting
from throughtime.plotting import style
from throughtime.results import labels, load_tree

NAME = "periodic_output"
RECORDS = "evidence/periodic_output.nc"

DASHED = (0, (2.5, 1.2))
ARMS = {
    "bptt": ("BPTT", style.BLACK, "-"),
    "rflo": ("RFLO", style.VERMILLION, "-"),
    "rflo-dale": ("RFLO, Dale's law", style.ORANGE, "-"),
    "local-symmetric": ("local, symmetric", style.PURPLE, "-"),
    "random-exact": ("random, exact", style.SKY, "-"),
    "readout-only": ("readout alone", style.GREY, DASHED),
}
"""Name, colour and line of an arm."""
UNTRAINED = 0.5 * (1 + 0.5**2 + 0.25**2) / 2
"""Loss of a silent output: half the variance of the target."""


def draw(source: Any = RECORDS) -> Figure:
    """The figure of a record, or of a tree already read."""
    tree = source if isinstance(source, xr.DataTree) else load_tree(source)
    trained, notebook, slower = (tree[name].to_dataset() for name in ("trained", "notebook", "slower"))
    periods = trained["condition"].values.tolist()
    short, control, long = periods[0], min(80, periods[-1]), periods[-1]
    with style.context():
        page = style.figure(style.PAGE_MM, 118.0)
        rows = page.subfigures(2, 1, hspace=0.03)
        parts = [part for row in rows for part in row.subfigures(1, 3, wspace=0.03)]
        _curves(trained, short, ("bptt", "rflo", "rflo-dale", "readout-only"), parts[0].subplots())
        _curves(trained, long, ("bptt", "rflo", "rflo-dale", "readout-only"), parts[1].subplots())
        common = [part.axes[0].get_ylim() for part in parts[:2]]
        for part in parts[:2]:  # so that what is not learned is seen beside what is
            part.axes[0].set_ylim(min(low for low, _ in common), max(high for _, high in common))
        _outputs(trained, (short, long), parts[2].subplots(1, 2, sharey=True))
        _by_period(trained, notebook, slower, parts[3].subplots())
        _alignment(trained, parts[4].subplots())
        _curves(trained, control, ("bptt", "random-exact", "local-symmetric", "rflo"), parts[5].subplots())
        controls = parts[5].axes[0]
        plotting.marks.plain_log(controls.yaxis, *controls.get_ylim())
        titles = (f"Period {short} τ", f"Period {long} τ", "After training", "Loss and period", "Alignment",
                  f"Controls, {control} τ")  # fmt: skip
        for part, letter, title in zip(parts, "abcdef", titles, strict=True):
            style.heading(part, letter, title)
    return page


def of_arm(dataset: xr.Dataset, arm: str) -> xr.Dataset | None:
    """The arm's part, or None where it was not run."""
    found = labels(dataset["option"])
    return dataset.isel(option=found.index(arm)) if arm in found else None


def _curves(trained: xr.Dataset, period: int, arms: tuple[str, ...], ax: Any) -> None:
    """Medians and quartiles of the loss over trials; an arm's diverged circuits are counted in its name."""
    lowest = UNTRAINED / 10
    for arm in arms:
        data = of_arm(trained, arm)
        if data is None or data["loss"].sel(condition=period).isnull().all():
            continue
        one = data.sel(condition=period)
        low, middle, high = one["loss"].quantile((0.25, 0.5, 0.75), "seed").values
        lowest = min(lowest, float(np.nanmin(low)))
        name, color, line = ARMS[arm]
        diverged = int(one["diverged"].sum())
        text = f"{name} ({diverged} diverged)" if diverged else name
        ax.plot(one["update"], middle, color=color, ls=line, label=text)
        ax.fill_between(one["update"], low, high, color=color, alpha=0.18, lw=0)
    ax.axhline(UNTRAINED, color=style.FAINT, lw=0.7, zorder=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ax.set_ylim(0.4 * lowest, 2.5 * UNTRAINED)
    ax.yaxis.set_minor_formatter(NullFormatter())
    ax.set_xlabel("Trials")
    ax.set_ylabel("Loss")
    ax.legend(loc="lower left")


def _outputs(trained: xr.Dataset, periods: tuple[int, int], axes: Any) -> None:
    """Output and target of one circuit of each rule, one above the other."""
    arms = ("bptt", "rflo", "rflo-dale", "readout-only")
    for ax, period in zip(axes, periods, strict=True):
        for place, arm in enumerate(arms):
            data = of_arm(trained, arm)
            if data is None or data["produced"].sel(condition=period).isnull().all():
                continue
            one = data.sel(condition=period)
            ax.plot(one["time"], one["target"] - 3.6 * place, color=style.GREY, ls=DASHED, lw=0.7)
            ax.plot(one["time"], one["produced"] - 3.6 * place, color=ARMS[arm][1])
        ax.set_xlabel("Time / period")
        ax.set_xlim(0, 1)
        ax.set_title(f"{period} τ")
        ax.set_yticks([-3.6 * place for place in range(len(arms))], ["BPTT", "RFLO", "Dale", "readout"])
        ax.tick_params(axis="y", length=0)
        ax.spines["left"].set_visible(False)


def _by_period(trained: xr.Dataset, notebook: xr.Dataset, slower: xr.Dataset, ax: Any) -> None:
    """Loss after training; the size and printed losses of the public notebook; a smaller learning rate."""
    for place, arm in enumerate(("bptt", "rflo", "rflo-dale", "readout-only")):
        data = of_arm(trained, arm)
        if data is not None:
            _points(data, ax, ARMS[arm][1], "o", 1.03 ** (place - 1.5), ls=ARMS[arm][2])
    for place, arm in enumerate(labels(slower["option"])):
        _points(slower.isel(option=place), ax, ARMS[arm][1], "v", 1.13 + 0.07 * place, ls="", mfc="white")
    for place, arm in enumerate(labels(notebook["option"])):
        one, color, aside = notebook.isel(option=place), ARMS[arm][1], (0.93, 1.07)[place % 2]
        _points(one, ax, color, "s", aside, ls="")
        x = aside * float(one["condition"][0])
        ax.plot(x, one["published_loss"], marker="*", ms=6, color=color, mec="white", mew=0.4, ls="")
    ax.axhline(UNTRAINED, color=style.FAINT, lw=0.7, ls=DASHED, zorder=0)
    ax.set_xscale("log")
    ax.set_yscale("log")
    ticks = [*notebook["condition"].values.tolist(), *trained["condition"].values.tolist()]
    ax.set_xticks(ticks, [f"{tick:g}" for tick in ticks])
    ax.minorticks_off()
    ax.set_ylim(bottom=0.02 * ax.get_ylim()[0])  # room for the note
    ax.set_xlabel("Period (τ)")
    ax.set_ylabel("Loss after training")
    plotting.marks.note(
        ax, "colours as in a\nsquares 50 units\nstars published\ntriangles a third of the rate"
    )


def _points(data: xr.Dataset, ax: Any, color: Any, marker: str, aside: float, **look: Any) -> None:
    """Medians and quartiles of the loss after training, a little aside of the period."""
    there = data["final_loss"].dropna("condition", how="all")
    low, middle, high = there.quantile((0.25, 0.5, 0.75), "seed", skipna=False).values
    x = there["condition"].values * aside
    ax.errorbar(
        x,
        middle,
        np.stack((middle - low, high - middle)),
        color=color,
        marker=marker,
        ms=3,
        elinewidth=0.8,
        **look,
    )


def _alignment(trained: xr.Dataset, ax: Any) -> None:
    """cos(B, W_outᵀ) of RFLO over trials, a line a period, and what independent directions have."""
    data = of_arm(trained, "rflo")
    assert data is not None
    periods = data["condition"].values
    kept = [p for p in periods if not data["alignment"].sel(condition=p).isnull().all()]
    for period, color in zip(
        kept, style.ordered_colors([*np.log(kept), np.log(kept[-1]) + 0.5]), strict=False
    ):
        one = data["alignment"].sel(condition=period)
        low, middle, high = one.quantile((0.25, 0.5, 0.75), "seed").values
        ax.plot(one["update"], middle, color=color, label=f"{period:g} τ")
        ax.fill_between(one["update"], low, high, color=color, alpha=0.18, lw=0)
    ax.axhline(0, color=style.FAINT, lw=0.7, zorder=0)
    ax.set_xscale("log")
    ax.set_ylim(-0.45, 1)
    ax.set_xlabel("Trials")
    ax.set_ylabel("cos(B, W$_{out}$$^T$)")
    ax.legend(loc="upper left")


def main(arguments: list[str] | None = None) -> None:
    """Draw from a record and write PDF and PNG."""
    given = sys.argv[1:] if arguments is None else arguments
    print(*style.save_as_asked(draw, NAME, RECORDS, given), sep="\n")


if __name__ == "__main__":
    main()
