"""Panels of choices about graded stimuli."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes

from throughtime.plotting import style
from throughtime.plotting.behaviour import _error, _mean, _spread
from throughtime.plotting.marks import axis_label, by_seed, group_names, note, number

CURVE_POINTS = 200


def psychometric(measured: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """Fraction chosen against the stimulus: means over seeds with the mean of their fitted curves.

    Thin lines are the curves of the seeds.

    Args:
        measured: what :func:`throughtime.analysis.psychometric` returns. ax: axes to draw in.
        color: of the summary.

    Returns:
        ``ax``.
    """
    stimulus, fraction = (by_seed(measured[name]).values for name in ("stimulus", "fraction"))
    parameters = [by_seed(measured[name]).values for name in ("mu", "sigma", "guess", "lapse")]
    _curves(ax, stimulus, np.stack(parameters), color)
    ax.plot(_mean(stimulus), _mean(fraction), "o", color=color, ms=3, zorder=4)
    _dress(ax, measured["stimulus"])
    note(ax, f"σ = {_spread(parameters[1], 2)}", corner="upper left")
    note(ax, number(measured))
    return ax


def psychometric_by(measured: xr.Dataset, ax: Axes) -> Axes:
    """Fraction chosen against the stimulus with one colour a group, and the fitted curves.

    Points and curves are means over seeds; thin lines are the curves of the seeds.

    Args:
        measured: what :func:`throughtime.analysis.psychometric_by` returns. ax: axes to draw in.

    Returns:
        ``ax``.
    """
    stimulus, fraction = (by_seed(measured[name]).values for name in ("stimulus", "fraction"))
    parameters = [by_seed(measured[name]).values for name in ("mus", "sigmas", "guesses", "lapses")]
    groups = by_seed(measured["group"]).isel(seed=0)
    for place, name in enumerate(group_names(groups)):
        ink = style.CATEGORICAL[place % len(style.CATEGORICAL)]
        _curves(ax, stimulus, np.stack(parameters)[..., place], ink)
        ax.plot(
            _mean(stimulus), _mean(fraction[:, place]), "o", color=ink, ms=3, zorder=4,
            label=name,
        )  # fmt: skip
    _dress(ax, measured["stimulus"])
    ax.legend(frameon=False, loc="upper left", handlelength=1.0, borderaxespad=0.2)
    gain, optimality = (_spread(by_seed(measured[name]).values, 2) for name in ("gain", "optimality"))
    note(ax, f"gain {gain}\npredicted over found σ {optimality}\n{number(measured)}", linespacing=1.3)
    return ax


def contextual(
    measured: xr.Dataset,
    ax: Axes,
    *,
    relevant_color: Any = style.BLUE,
    irrelevant_color: Any = style.VERMILLION,
) -> Axes:
    """Fraction chosen against the relevant and against the irrelevant stimulus, in either context.

    Filled dots and full lines are the first context, open ones and broken lines the second; thin lines are
    the seeds.

    Args:
        measured: what :func:`throughtime.analysis.contextual` returns. ax: axes to draw in.
        relevant_color, irrelevant_color: of the two stimuli.

    Returns:
        ``ax``.
    """
    level = by_seed(measured["level"]).values
    pairs = (("relevant", relevant_color), ("irrelevant", irrelevant_color))
    for name, ink in pairs:
        fraction = by_seed(measured[f"{name}_fraction"]).values
        for context, (line, face) in enumerate((("-", ink), ("--", "white"))):
            chosen = fraction[:, context]
            for x, y in zip(level, chosen, strict=True):
                ax.plot(x, y, color=ink, alpha=0.3, lw=0.6, zorder=2)
            title = name if context == 0 else None
            ax.plot(
                _mean(level),
                _mean(chosen),
                f"o{line}",
                color=ink,
                mfc=face,
                ms=3,
                lw=1.2,
                zorder=3,
                label=title,
            )
    _dress(ax, measured["level"])
    ax.legend(frameon=False, loc="upper left", handlelength=1.0, borderaxespad=0.2)
    ratio = _spread(by_seed(measured["ratio"]).values, 0)
    note(ax, f"ratio of slopes {ratio}\n{number(measured)}", linespacing=1.3)
    return ax


def chronometric(measured: xr.Dataset, ax: Axes, *, color: Any = style.BLUE) -> Axes:
    """Mean reaction time against the strength of the stimulus on a log axis; seeds behind their mean.

    Bars are ± the standard error over seeds; with a single seed, over its trials.

    Args:
        measured: what :func:`throughtime.analysis.chronometric` returns. ax: axes to draw in.
        color: of the summary.

    Returns:
        ``ax``.
    """
    strength, times, sds, count = (
        by_seed(measured[name]).values for name in ("strength", "reaction_times", "sds", "num_trials")
    )
    if len(times) > 1:
        for x, y in zip(strength, times, strict=True):
            ax.plot(x, y, color=style.FAINT, lw=0.6, zorder=2)
        error = _error(times)
    else:
        error = sds[0] / np.sqrt(np.maximum(count[0], 1))
    x = _mean(strength)
    ax.errorbar(x, _mean(times), error, fmt="o-", color=color, ms=3, lw=1.2, elinewidth=0.8, zorder=3)
    if np.nanmin(x) > 0:
        ax.set_xscale("log", base=2)
        ax.set_xticks(x, [f"{each:.3g}" for each in x])
    ax.set_xlabel(axis_label(measured["strength"]))
    ax.set_ylabel("Reaction time (ms)")
    ax.margins(y=0.25)
    slope = _spread(by_seed(measured["slope"]).values, 0)
    missing = float(_mean(by_seed(measured["fraction_missing"]).values))
    note(ax, f"{slope} ms a doubling\nmissing {100 * missing:.0f} %", corner="upper right", linespacing=1.3)
    note(ax, number(measured), corner="lower left")
    return ax


def _curves(ax: Axes, stimulus: np.ndarray, parameters: np.ndarray, ink: Any) -> None:
    """Fitted curves from parameters (4, seed): μ, σ, guess and lapse rate; thin, and their mean thick."""
    from scipy.special import ndtr

    x = np.linspace(np.nanmin(stimulus), np.nanmax(stimulus), CURVE_POINTS)
    mu, sigma, guess, lapse = parameters[:, :, None]
    curves = guess + (1 - guess - lapse) * ndtr((x - mu) / sigma)
    if len(curves) > 1:
        for curve in curves:
            ax.plot(x, curve, color=ink, alpha=0.3, lw=0.6, zorder=2)
    ax.plot(x, _mean(curves), color=ink, lw=1.2, zorder=3)


def _dress(ax: Axes, stimulus: xr.DataArray) -> None:
    """Axes of a fraction chosen."""
    ax.axhline(0.5, color=style.GREY, lw=0.6, ls=(0, (3, 2)), zorder=1)
    ax.set_ylim(-0.04, 1.04)
    ax.set_xlabel(axis_label(stimulus))
    ax.set_ylabel("Fraction chosen")
