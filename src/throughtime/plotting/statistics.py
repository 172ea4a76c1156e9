"""Panels of comparisons over seeds, and of learning rules told apart."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, by_seed, labels, note


def paired_differences(
    measured: xr.Dataset,
    ax: Axes,
    *,
    names: Sequence[str] | None = None,
    label: str | None = None,
    color: Any = style.BLUE,
) -> Axes:
    """Difference of every seed, one row a comparison, with the mean and its BCa interval and the p values.

    Where failed seeds leave no mean, an open mark and a thin bar are the median and its interval, an end
    without a bound is an arrow, and the failed seeds are crosses near the edge. A comparison whose p is
    refused says so.

    Args:
        measured: what :func:`throughtime.analysis.paired_statistics` returns, over at most one dim besides
            ``seed``. ax: axes to draw in.
        names: of the comparisons; the labels of their dim if not given.
        label: x label instead of the long name of the difference. color: of the summary.

    Returns:
        ``ax``.

    Raises:
        ValueError: for more dims.
    """
    dims = [str(dim) for dim in measured["p"].dims]
    if len(dims) > 1:
        raise ValueError(f"measured: comparisons over {', '.join(dims)}; select one element of all but one.")
    rows = measured if dims else measured.expand_dims("rule")
    row = dims[0] if dims else "rule"
    given = labels(measured[dims[0]]) if dims else [""]
    written = list(names) if names is not None else given
    differences = rows["difference"].transpose(row, "seed").values
    low, high = _limits(rows, differences)
    for k in range(len(differences)):
        one = rows.isel({row: k})
        each = differences[k]
        place = k + np.linspace(-0.2, 0.2, each.size)
        there = np.isfinite(each)
        ax.plot(each[there], place[there], "o", color=style.FAINT, ms=3, mew=0, zorder=2)
        edge = np.where(each < 0, low + 0.04 * (high - low), high - 0.04 * (high - low))
        ax.plot(edge[~there], place[~there], "x", color=style.VERMILLION, ms=4, zorder=5, clip_on=False)
        centre, ends = _summary(one)
        ranked = not np.isfinite(float(one["mean_difference"]))
        bounds = [end if np.isfinite(end) else edge for end, edge in zip(ends, (low, high), strict=True)]
        if not np.isnan(ends).any():
            ax.plot(bounds, [k, k], color=color, lw=0.9 if ranked else 1.6, zorder=3)
            for end, bound, arrow in zip(ends, bounds, "<>", strict=True):
                if not np.isfinite(end):
                    ax.plot(bound, k, arrow, color=color, ms=3, mew=0, zorder=4, clip_on=False)
        if np.isfinite(centre):
            ax.plot(centre, k, "D", color=color, mfc="white" if ranked else color, ms=4, zorder=6)
        ax.text(
            1.03, k, _judged(one), transform=ax.get_yaxis_transform(), va="center", ha="left", fontsize=6,
            color=style.INK, linespacing=1.2,
        )  # fmt: skip
    ax.axvline(0, color=style.GREY, lw=0.6, ls=(0, (3, 2)), zorder=1)
    ax.set_xlim(low, high)
    ax.xaxis.set_major_locator(MaxNLocator(4))
    ax.set_yticks(range(len(written)), written)
    ax.set_ylim(len(written) - 0.45, -0.55)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(label or axis_label(measured["mean_difference"], _title(measured)))
    ax.text(
        1, 1.01, _counted(measured), transform=ax.transAxes, ha="right", va="bottom", fontsize=6,
        color=style.GREY,
    )  # fmt: skip
    return ax


def rule_confusion(measured: xr.Dataset, ax: Axes, *, classifier: int = 0) -> Axes:
    """Share of the held-out samples of each rule (row) that are taken for each rule (column).

    Args:
        measured: what :func:`throughtime.analysis.identify_rule` returns, of one element of its repeats.
        ax: axes to draw in. classifier: position on ``option``.

    Returns:
        ``ax``.
    """
    share = measured["confusion"].isel(option=classifier).transpose("rule", "predicted_rule")
    names, values = labels(measured["rule"]), share.values
    ax.imshow(values, vmin=0, vmax=1, cmap=style.INPUTS, aspect="equal")
    for (true, told), value in np.ndenumerate(values):
        ink = "white" if value > 0.5 else style.INK
        ax.text(told, true, f"{value:.2f}", ha="center", va="center", fontsize=6.5, color=ink)
    slant: dict[str, Any] = (
        {"rotation": 30, "ha": "right", "rotation_mode": "anchor"} if len(names) > 2 else {}
    )
    ax.set_xticks(range(len(names)), names, **slant)
    ax.set_yticks(range(len(names)), names)
    ax.tick_params(length=0)
    for side in ax.spines.values():
        side.set_visible(False)
    ax.set_xlabel("Rule it is taken for")
    ax.set_ylabel("Rule")
    held = int(measured["num_samples"].sum())
    ax.set_title(f"{labels(measured['option'])[classifier]}, n = {held} runs held out", fontsize=6.5)
    return ax


def rule_accuracy(measured: xr.Dataset, ax: Axes) -> Axes:
    """Accuracy in each held-out group, one colour a classifier, over what shuffled rules reach.

    Bars behind the points are the null's interval, ticks on them its mean; the dashed line is what one answer
    for all samples reaches.

    Args:
        measured: what :func:`throughtime.analysis.identify_rule` returns, of one element of its repeats.
        ax: axes to draw in.

    Returns:
        ``ax``.
    """
    names = labels(measured["option"])
    groups = np.arange(measured.sizes["resample"])
    place = (np.arange(len(names)) - (len(names) - 1) / 2) * 0.3
    for k, name in enumerate(names):
        one = measured.isel(option=k)
        ink, x = style.CATEGORICAL[k % len(style.CATEGORICAL)], groups + place[k]
        lower, upper = one["null_lower"].values, one["null_upper"].values
        shuffled = ax.vlines(x, lower, upper, color=style.FAINT, lw=5, zorder=2)
        ax.plot(x, one["null_mean"].values, "_", color=style.GREY, ms=5, zorder=3)
        told = f"{name}: {float(one['mean_accuracy']):.2f}"
        p = float(one["p"])
        told += f", p {_number(p)}" if np.isfinite(p) else ""
        ax.plot(x, one["accuracy"].values, "os"[k % 2], color=ink, ms=4, zorder=5, label=told)
    ax.axhline(float(measured["chance"]), color=style.GREY, lw=0.6, ls=(0, (3, 2)), zorder=1)
    ax.annotate(
        "chance", (1, float(measured["chance"])), xycoords=("axes fraction", "data"), xytext=(0, 2),
        textcoords="offset points", ha="right", fontsize=6, color=style.GREY,
    )  # fmt: skip
    ax.set_xticks(groups, labels(measured["resample"]))
    ax.set_xlim(-0.6, groups.size - 0.4)
    ax.set_ylim(0, 1.04)
    count = measured["num_samples"].values
    told = f"{count.min()}–{count.max()}" if np.ptp(count) else f"{count[0]}"
    ax.set_xlabel(f"{axis_label(measured['resample'])}, n = {told} runs each")
    ax.set_ylabel("Held-out accuracy")
    if np.isfinite(measured["null_mean"].values).any():
        shuffled.set_label("rules shuffled")
    ax.legend(loc="lower center", bbox_to_anchor=(0.5, 1.0), ncols=2, columnspacing=1.0)
    return ax


def bias_variability(timing: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """BIAS against √VAR of produced intervals: a dot a seed, their mean, and arcs of equal error.

    The distance from the origin is the root mean square error, √(BIAS² + VAR) (Jazayeri and Shadlen 2010,
    Nature Neuroscience).

    Args:
        timing: what :func:`throughtime.analysis.timing` returns. ax: axes to draw in.
        color: of the mean.

    Returns:
        ``ax``.
    """
    sd, bias, error = (by_seed(timing[name]).values for name in ("within_sd", "bias", "rmse"))
    there = np.isfinite(sd + bias)
    far = float(np.max(error[there], initial=0.0)) * 1.15 or 1.0
    ticks = [tick for tick in MaxNLocator(4).tick_values(0, far) if 0 <= tick <= far]
    angle = np.linspace(0, np.pi / 2, 60)
    for radius in ticks[1:]:
        ax.plot(radius * np.cos(angle), radius * np.sin(angle), color=style.FAINT, lw=0.5, zorder=1)
    ax.plot(sd[there], bias[there], "o", color=style.GREY, ms=3, mew=0, alpha=0.7, zorder=3)
    if there.any():
        ax.plot(sd[there].mean(), bias[there].mean(), "D", color=color, ms=4.5, zorder=4)
    for setting in (ax.set_xlim, ax.set_ylim):
        setting(0, far)
    ax.set_xticks(ticks)
    ax.set_yticks(ticks)
    ax.set_box_aspect(1)
    ax.set_xlabel(axis_label(timing["within_sd"], "√VAR"))
    ax.set_ylabel(axis_label(timing["bias"], "BIAS"))
    lost = int((~there).sum())
    text = f"n = {there.size} seed{'s' if there.size != 1 else ''}"
    text += f"\n{lost} without a fit" if lost else ""
    note(ax, f"arcs: equal RMSE\n{text}", corner="upper right", linespacing=1.3)
    return ax


def _limits(rows: xr.Dataset, differences: np.ndarray) -> tuple[float, float]:
    """Limits that hold 0 and all that is finite, with room on either side."""
    ends = [rows[name].values.ravel() for name in ("lower", "upper", "mean_difference", "median_difference")]
    values = np.concatenate([differences.ravel(), *ends, [0.0]])
    values = values[np.isfinite(values)]
    room = 0.08 * (np.ptp(values) or 1.0)
    return float(values.min() - room), float(values.max() + room)


def _summary(one: xr.Dataset) -> tuple[float, tuple[float, float]]:
    """Mean and interval, or median and interval where there is no mean."""
    mean = float(one["mean_difference"])
    if np.isfinite(mean):
        return mean, (float(one["lower"]), float(one["upper"]))
    return float(one["median_difference"]), (float(one["median_lower"]), float(one["median_upper"]))


def _judged(one: xr.Dataset) -> str:
    """p, its adjusted value and its minimum; or that there is none."""
    p, adjusted, least = (float(one[name]) for name in ("p", "p_holm", "p_minimum"))
    if not np.isfinite(p):
        reason = labels(one["p_status"].expand_dims("row"))[0]
        return f"no p: {reason}\nminimum {_number(least, '')}"
    family = f", Holm {_number(adjusted, '')}" if adjusted != p else ""
    return f"p {_number(p)}{family}\nminimum {_number(least, '')}"


def _number(p: float, sign: str = "= ") -> str:
    """A p value at three significant digits.

    Example:
        >>> _number(0.03125), _number(0.00012, ""), _number(1.0)
        ('= 0.0312', '0.00012', '= 1')
    """
    return f"{sign}{float(f'{p:.3g}'):g}" if p >= 1e-4 else f"{sign}{p:.0e}"


def _title(measured: xr.Dataset) -> str:
    name = str(measured["mean_difference"].attrs.get("long_name", "difference"))
    name = name.removeprefix("mean ")
    return f"{name} from {measured.attrs['reference']}" if "reference" in measured.attrs else name


def _counted(measured: xr.Dataset) -> str:
    count = int(np.max(measured["num_seeds"].values))
    lost = int(measured["num_failed"].sum()) + int(np.max(measured["num_failed_reference"].values))
    return f"n = {count} pairs of seeds" + (f", {lost} failed" if lost else "")
