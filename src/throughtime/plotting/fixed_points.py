"""Panels of fixed points and of the spectra around them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr
from matplotlib.axes import Axes
from matplotlib.patches import Circle
from matplotlib.ticker import MaxNLocator

from throughtime.plotting import style
from throughtime.plotting.marks import axis_label, by_seed, note, plain_log

STABILITY = (
    ("stable", style.BLUE, "o"),
    ("1 unstable", style.VERMILLION, "^"),
    ("2 or more unstable", style.PURPLE, "s"),
)
LENGTH = 0.055
"""Half the line of an unstable direction, as a share of the smaller side of the axes."""
ROUNDING = 1e-8
"""Change within a step no further beyond the boundary counts as on it."""
DASHED = (0, (3, 2))


def fixed_points(
    found: xr.Dataset,
    ax: Axes,
    *,
    principal: xr.Dataset,
    components: Sequence[int] = (0, 1),
    margin: float = 0.25,
    line_colors: Sequence[Any] | None = None,
    legend: bool = True,
) -> Axes:
    """Fixed and slow points on two principal components, over trajectories, with their unstable directions.

    Shape and colour tell the number of unstable directions; slow points are hollow, those with a real step
    eigenvalue below −1 crossed. A short line shows how far an unstable direction lies in the plane.

    Args:
        found: what :func:`throughtime.analysis.fixed_points` returns, of one seed and one input.
        ax: axes to draw in.
        principal: what :func:`throughtime.analysis.pca` returns for recorded states, their dim ``state``
            called ``unit``: ``score`` (…, time, component) is drawn as trajectories.
        components: positions of the two components shown.
        margin: room around the trajectories, as a share of their extent; points further away are counted.
        line_colors: of the trajectories, in place of grey. legend: name the kinds of points.

    Returns:
        ``ax``.

    Raises:
        ValueError: for a dataset of several seeds or inputs, or components of another number of units than
            states have components.
    """
    _refuse_dims(found["kind"], "found", ("fixed_point",))
    axes = principal["components"].transpose("component", "unit").values[list(components)]
    if axes.shape[1] != found.sizes["state"]:
        raise ValueError(
            f"principal: components of {axes.shape[1]} units, points of {found.sizes['state']} numbers; take "
            "the components of the states in which the points were searched."
        )
    paths = _paths(principal["score"].isel(component=list(components)))
    for k, path in enumerate(paths):
        color = style.FAINT if line_colors is None else line_colors[k]
        ax.plot(*path.T, color=color, lw=0.6, alpha=0.8, zorder=1)
    there = found.isel(fixed_point=np.flatnonzero(found["kind"].values != 2))
    scale = principal["scale"].values
    at = (there["location"].values - principal["mean"].values) / scale @ axes.T
    _frame(ax, paths, at, margin)
    low, high = np.array([ax.get_xlim(), ax.get_ylim()]).T
    unstable, slow = there["n_unstable"].values, there["kind"].values == 1
    toward = there["unstable_direction"].values / scale @ axes.T
    for k, (name, color, shape) in enumerate(STABILITY):
        of_kind = unstable == k if k < 2 else unstable >= 2
        for point, lines in zip(at[of_kind], toward[of_kind], strict=True):
            for line in lines[np.isfinite(lines).all(1)]:
                ends = point + np.outer((-1, 1), LENGTH * (high - low).min() * line)
                ax.plot(*ends.T, color=color, lw=0.9, zorder=3, solid_capstyle="butt")
        for hollow, which in ((False, of_kind & ~slow), (True, of_kind & slow)):
            if which.any():
                face = "white" if hollow else color
                label = f"{name}{', slow' if hollow else ''} ({which.sum()})"
                ax.plot(
                    *at[which].T,
                    marker=shape,
                    ls="",
                    color=color,
                    mfc=face,
                    mew=0.9,
                    ms=4.2,
                    zorder=4,
                    label=label,
                )
    flips = there["period2"].values == 1
    if flips.any():
        crossed: dict[str, Any] = {"marker": "x", "ls": "", "color": style.INK, "mew": 0.9, "ms": 8}
        ax.plot(*at[flips].T, **crossed, zorder=3.5, label=f"eigenvalue < −1 ({flips.sum()})")
    outside = int(((at < low) | (at > high)).any(1).sum())
    share = principal["explained_variance_ratio"].values[list(components)]
    for axis, k, part in zip((ax.xaxis, ax.yaxis), components, share, strict=True):
        axis.set_label_text(f"PC {k + 1} ({100 * part:.0f} % of variance)")
    starts = int(there["n_starts"].sum() + found["num_unclassified"])
    text = f"n = {len(at)} points from {starts} starts"
    text += f", {outside} outside" if outside else ""
    if legend and ax.get_legend_handles_labels()[0]:
        title = text.replace(" from", "\nfrom").replace(", ", "\n")
        place: dict[str, Any] = {"loc": "upper left", "bbox_to_anchor": (1.0, 1.0), "alignment": "left"}
        ax.legend(title=title, title_fontsize=6, **place).get_title().set_color(style.GREY)
    else:
        note(ax, text)
    return ax


def eigenvalues(spectrum: xr.Dataset, ax: Axes, *, of: str = "step", legend: bool = True) -> Axes:
    """Eigenvalues in the complex plane, those beyond the stability boundary in another shape and colour.

    The boundary is the unit circle for eigenvalues of a step, the imaginary axis for those of the flow.

    Args:
        spectrum: what :func:`throughtime.analysis.jacobian_spectrum` returns, or for a step what
            :func:`throughtime.analysis.fixed_points` returns; all seeds, inputs and points are drawn.
        ax: axes to draw in.
        of: ``"step"`` or ``"cont"``. legend: name the two sides, with the numbers of eigenvalues.

    Returns:
        ``ax``.

    Raises:
        ValueError: for another ``of``, or eigenvalues that are all missing.
    """
    if of not in ("step", "cont"):
        raise ValueError(f"of: {of!r}; use 'step' or 'cont'.")
    real, imaginary = spectrum[f"{of}_eig_real"], spectrum[f"{of}_eig_imag"]
    x, y = real.values.ravel(), imaginary.values.ravel()
    num_states = int(np.isfinite(real.values).all(-1).sum())
    x, y = x[np.isfinite(x)], y[np.isfinite(y)]
    if not x.size:
        raise ValueError("spectrum: no eigenvalue is finite; there is nothing to draw.")
    beyond = np.hypot(x, y) > 1 + ROUNDING if of == "step" else x > ROUNDING / spectrum.attrs.get("dt", 1.0)
    if of == "step":
        ax.add_patch(Circle((0, 0), 1, fill=False, ec=style.GREY, lw=0.7, ls=DASHED, zorder=1))
        ax.set_aspect("equal", adjustable="box")
    else:
        ax.axvline(0, color=style.GREY, lw=0.7, ls=DASHED, zorder=1)
    ax.axhline(0, color=style.SHADE, lw=0.6, zorder=0)
    for which, name, color, shape in (
        (~beyond, "stable", style.BLUE, "o"),
        (beyond, "unstable", style.VERMILLION, "^"),
    ):
        label = f"{name} ({which.sum()})"
        ax.plot(
            x[which],
            y[which],
            marker=shape,
            ls="",
            color=color,
            mew=0,
            ms=3,
            alpha=0.7,
            label=label,
            zorder=3,
        )
    across = np.append(x, 1.0 if of == "step" else 0.0)
    room = 0.1 * np.ptp(across) or 0.1
    ax.set_xlim(across.min() - room, across.max() + room)
    height = max(1.2 * np.abs(y).max(), 0.3 * np.ptp(across), 0.1 * room)
    ax.set_ylim(-height, height)
    ax.xaxis.set_major_locator(MaxNLocator(5))
    name = "Eigenvalue of the " + ("step" if of == "step" else "flow")
    ax.set_xlabel(axis_label(real, f"{name}, real part"))
    ax.set_ylabel(axis_label(imaginary, "Imaginary part"))
    text = f"n = {num_states} state{'s' if num_states != 1 else ''}"
    if legend:
        ax.legend(
            loc="lower left", bbox_to_anchor=(-0.02, 1.0), ncols=2, columnspacing=1.0, handletextpad=0.1,
            title=text, title_fontsize=6, alignment="left",
        ).get_title().set_color(style.GREY)  # fmt: skip
    else:
        note(ax, text)
    return ax


def time_constants(
    spectrum: xr.Dataset,
    ax: Axes,
    *,
    variable: str = "time_constant",
    tau: float | None = None,
    num_bins: int = 24,
) -> Axes:
    """Histogram of the time constants of decaying modes on a log axis, a line for each seed.

    Modes that grow or stay have no place on the axis and are counted.

    Args:
        spectrum: what :func:`throughtime.analysis.jacobian_spectrum` returns; states are taken together.
        ax: axes to draw in.
        variable: ``"time_constant"`` of the flow, or ``"time_constant_step"``.
        tau: ms, of the units, drawn as a dashed line.
        num_bins: of the histogram.

    Returns:
        ``ax``.

    Raises:
        ValueError: where no mode decays.
    """
    array = by_seed(spectrum[variable])
    values = array.values.reshape(array.sizes["seed"], -1)
    decays = np.isfinite(values) & (values > 0)
    if not decays.any():
        raise ValueError(f"spectrum: {variable} is nowhere positive and finite; no mode decays.")
    low, high = values[decays].min() / 1.2, values[decays].max() * 1.2
    edges = np.geomspace(low, high, num_bins + 1)
    for row, kept in zip(values, decays, strict=True):
        kind: Any = "step" if len(values) > 1 else "stepfilled"
        ax.hist(row[kept], edges.tolist(), histtype=kind, color=style.BLUE, alpha=0.8, lw=0.9)
    ax.set_xscale("log")
    ax.set_xlim(low, high)
    plain_log(ax.xaxis, low, high)
    if tau is not None:
        ax.axvline(tau, color=style.VERMILLION, lw=0.9, ls=DASHED)
        ax.annotate(
            f"units, {tau:g} ms", (tau, 1), xycoords=ax.get_xaxis_transform(), xytext=(0, 1),
            textcoords="offset points", ha="center", va="bottom", fontsize=6, color=style.VERMILLION,
            annotation_clip=False,
        )  # fmt: skip
    ax.set_xlabel(axis_label(array))
    ax.set_ylabel("Modes")
    num_states = int((~np.isnan(array.values)).all(-1).sum())
    grow, stay = int((values < 0).sum()), int(np.isinf(values).sum())
    text = f"n = {num_states} state{'s' if num_states != 1 else ''}"
    text += f" of {len(values)} seeds" if len(values) > 1 else ""
    text += f"\n{grow} modes grow" if grow else ""
    text += f"\n{stay} modes stay" if stay else ""
    note(ax, text, corner="upper right")
    return ax


def _refuse_dims(array: xr.DataArray, name: str, wanted: tuple[str, ...]) -> None:
    beyond = [str(dim) for dim in array.dims if dim not in wanted]
    if beyond:
        raise ValueError(f"{name}: dims {array.dims}; select an element of {', '.join(beyond)}.")


def _paths(score: xr.DataArray) -> np.ndarray:
    """Trajectories (path, time, 2)."""
    axis = "time" if "time" in score.dims else next(str(dim) for dim in score.dims if dim != "component")
    values = score.transpose(..., axis, "component").values
    return values.reshape(-1, *values.shape[-2:])


def _frame(ax: Axes, paths: np.ndarray, points: np.ndarray, margin: float) -> None:
    """Limits that hold the trajectories and some room; the points where there are no trajectories."""
    flat = paths.reshape(-1, 2)
    flat = flat[np.isfinite(flat).all(1)]
    flat = flat if len(flat) else points if len(points) else np.zeros((1, 2))
    low, high = flat.min(0), flat.max(0)
    room = margin * np.where(high > low, high - low, 1.0)
    ax.set_xlim(low[0] - room[0], high[0] + room[0])
    ax.set_ylim(low[1] - room[1], high[1] + room[1])
