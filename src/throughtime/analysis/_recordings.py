"""Recorded neurons as the datasets that analyses take; see :mod:`throughtime.analysis.arrays.recordings`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._labels import coded
from throughtime.analysis._named import describe
from throughtime.analysis.arrays import recordings as arrays

KEPT, FEW_TRIALS, FEW_SPIKES = 0, 1, 2
STATUS = {"flag_values": [0, 1, 2], "flag_meanings": "kept too_few_trials too_few_spikes"}
SPIKES = ("spike_time", "trial", "unit")
Labels = Sequence[int] | np.ndarray | None


def recordings(
    spikes: xr.Dataset | xr.DataArray,
    *,
    dt: float | None = None,
    duration: float | None = None,
    start: float = 0.0,
    trials: Labels = None,
    units: Labels = None,
    recorded: xr.DataArray | None = None,
    condition: xr.DataArray | None = None,
    smoothing: float | None = None,
    min_trials: int = 1,
    min_spikes: int = 1,
    lost: str = "mask",
) -> xr.Dataset:
    """Rates of recorded units, (trial, time, unit) in Hz, from spike times or from numbers of spikes.

    Time is the centre of each bin, as in the recordings of circuits. What was not recorded is NaN, which is
    not 0 Hz: a unit that was not held in a trial, a unit with too few trials or spikes.

    Args:
        spikes: ``spike_time`` in ms from the start of the trial, ``trial`` and ``unit``, each (spike,); or
            numbers of spikes (trial, time, unit) with uniform bin centres ``time`` in ms, NaN where missing.
        dt, duration: ms, of a bin and of a trial; with spike times, and only then. start: of the first bin.
        trials, units: labels of all trials and units, those without a spike among them; with spike times.
            If not given, those of ``recorded`` or ``condition``; else trials from 0 to the last with a spike,
            and units with one.
        recorded: (trial, unit) boolean, False where the unit was not held.
        condition: (trial,), kept as a coordinate, under its name.
        smoothing: standard deviation of a Gaussian, ms; None for none.
        min_trials, min_spikes: units recorded in fewer trials, or with fewer spikes in all of them, are lost.
        lost: ``"mask"`` makes lost units NaN, ``"drop"`` removes them.

    Returns:
        Dataset: ``rates`` (trial, time, unit), ``num_trials, num_spikes, unit_status`` (unit); the number of
        lost units is the attribute ``num_lost_units``.

    Raises:
        ValueError: for arguments that do not fit the kind of spikes, spikes outside of what is declared or
            where the unit was not held, counts that are not whole, or if every unit is lost.

    Example:
        >>> spikes = xr.Dataset(
        ...     {
        ...         "spike_time": ("spike", [5.0, 25.0, 31.0]),
        ...         "trial": ("spike", [0, 0, 2]),
        ...         "unit": ("spike", [11, 12, 11]),
        ...     }
        ... )
        >>> found = recordings(spikes, dt=20.0, duration=40.0)
        >>> found.rates.sel(unit=11).values.tolist(), found.time.values.tolist()
        ([[50.0, 0.0], [0.0, 0.0], [0.0, 50.0]], [10.0, 30.0])
    """
    if lost not in ("mask", "drop"):
        raise ValueError(f"lost: unknown {lost!r}; use 'mask' or 'drop'.")
    timed = {"dt": dt, "duration": duration, "trials": trials, "units": units}
    if isinstance(spikes, xr.Dataset):
        if dt is None or duration is None:
            raise ValueError(f"dt {dt}, duration {duration}: spike times need both, in ms.")
        known = [array for array in (recorded, condition) if array is not None]
        counts = _binned(spikes, dt, duration, start, _declared(spikes, trials, units, known))
        step = dt
    else:
        given = [name for name, value in timed.items() if value is not None]
        if given:
            raise ValueError(f"{', '.join(given)}: go with spike times; counts have their bins and labels.")
        counts, step = _counted(spikes)
    if recorded is not None:
        held = _matching("recorded", recorded, counts, ("trial", "unit")).astype(bool)
        stray = float(counts.where(~held).sum())
        if stray:
            raise ValueError(
                f"recorded: {stray:.0f} spikes where the unit was not held; drop them or correct it."
            )
        counts = counts.where(held)
    found = _with_counts(counts, arrays.rates_from_counts(counts.values, step, smoothing=smoothing))
    found = _judged(found, min_trials, min_spikes)
    kept = found["unit_status"] == KEPT
    if condition is not None:
        matched = _matching("condition", condition, counts, ("trial",))
        found = found.assign_coords({name_of(condition): coded(matched.rename(name_of(condition)))})
    if lost == "drop":
        found = found.isel(unit=np.flatnonzero(kept.values))
    options: dict[str, Any] = {"dt": step, "smoothing": smoothing, "lost": lost}
    options |= {"min_trials": min_trials, "min_spikes": min_spikes, "num_lost_units": int((~kept).sum())}
    return describe(found, "recordings", options)


def name_of(condition: xr.DataArray) -> str:
    """Name under which a condition of trials is kept as a coordinate.

    Example:
        >>> name_of(xr.DataArray([0], name="side")), name_of(xr.DataArray([0]))
        ('side', 'trial_condition')
    """
    return str(condition.name) if condition.name not in (None, "trial", "condition") else "trial_condition"


def _declared(
    spikes: xr.Dataset, trials: Labels, units: Labels, known: list[xr.DataArray]
) -> dict[str, np.ndarray]:
    """Labels of all trials and units."""
    absent = [name for name in SPIKES if name not in spikes.variables]
    if absent:
        raise ValueError(
            f"spikes: no {', '.join(absent)}; expected spike_time, trial and unit, each (spike,)."
        )
    found: dict[str, np.ndarray] = {}
    for dim, labels in (("trial", trials), ("unit", units)):
        used = np.unique(spikes[dim].values)
        arrays_with = [array for array in known if dim in array.dims]
        if labels is not None:
            found[dim] = np.asarray(labels)
        elif arrays_with:
            first = arrays_with[0]
            found[dim] = first[dim].values if dim in first.coords else np.arange(first.sizes[dim])
        else:
            found[dim] = used if dim == "unit" else np.arange(int(used.max(initial=-1)) + 1)
        strange = used[~np.isin(used, found[dim])]
        if strange.size:
            raise ValueError(
                f"{dim}s: spikes of {dim} {strange[:4].tolist()}, which is not declared; declare all of them."
            )
        if np.unique(found[dim]).size != found[dim].size or not found[dim].size:
            raise ValueError(f"{dim}s: labels repeat, or there are none; give each {dim} a label of its own.")
    return found


def _binned(
    spikes: xr.Dataset, dt: float, duration: float, start: float, labels: dict[str, np.ndarray]
) -> xr.DataArray:
    place = {}
    for dim, declared in labels.items():
        order = np.argsort(declared)
        place[dim] = order[np.searchsorted(declared[order], spikes[dim].values)]
    counts = arrays.spike_counts(
        spikes["spike_time"].values, place["trial"], place["unit"], num_trials=labels["trial"].size,
        num_units=labels["unit"].size, duration=duration, dt=dt, start=start,
    )  # fmt: skip
    time = arrays.bin_centres(duration, dt, start)
    return xr.DataArray(counts, coords={"trial": labels["trial"], "time": time, "unit": labels["unit"]})


def _counted(counts: xr.DataArray) -> tuple[xr.DataArray, float]:
    if (
        set(counts.dims) != {"trial", "time", "unit"}
        or "time" not in counts.coords
        or counts.sizes["time"] < 2
    ):
        raise ValueError(
            f"spikes: dims {counts.dims}; expected numbers of spikes (trial, time, unit) with bin centres as "
            "the coordinate time, at least two, or a dataset of spike times."
        )
    step = np.diff(counts["time"].values)
    if not np.allclose(step, step[0], rtol=1e-6, atol=0) or step[0] <= 0:
        raise ValueError("spikes: time is not uniformly spaced; count in bins of one width.")
    return counts.transpose("trial", "time", "unit").astype(np.float64), float(step[0])


def _matching(name: str, array: xr.DataArray, counts: xr.DataArray, dims: tuple[str, ...]) -> xr.DataArray:
    """``array`` over ``dims`` of ``counts``, by label where it has labels."""
    if set(array.dims) != set(dims):
        raise ValueError(f"{name}: dims {array.dims}; expected {dims}.")
    for dim in dims:
        same = array.sizes[dim] == counts.sizes[dim] and (
            dim not in array.coords or dim not in counts.coords or array[dim].equals(counts[dim])
        )
        if not same:
            raise ValueError(
                f"{name}: its {array.sizes[dim]} labels of {dim} are not the {counts.sizes[dim]} of the "
                "spikes; give the same, in the same order."
            )
    return array.transpose(*dims).reset_coords(drop=True)


def _with_counts(counts: xr.DataArray, rates: np.ndarray) -> xr.Dataset:
    found = xr.Dataset(
        {
            "rates": counts.copy(data=rates).assign_attrs(units="Hz", long_name="rate"),
            "num_trials": counts.notnull().any("time").sum("trial"),
            "num_spikes": counts.sum(("trial", "time")),
        }
    )
    names = {"num_trials": "trials the unit was recorded in", "num_spikes": "spikes of the unit"}
    axes = {"trial": ("1", "trial"), "time": ("ms", "time of the centre of the bin"), "unit": ("1", "unit")}
    for name, text in names.items():
        found[name].attrs = {"units": "1", "long_name": text}
    for dim, (units, text) in axes.items():
        if dim in found.coords:
            found[dim].attrs = {"units": units, "long_name": text} | found[dim].attrs
    return found


def _judged(found: xr.Dataset, min_trials: int, min_spikes: int) -> xr.Dataset:
    """``found`` with the status of units, and with NaN in those that are lost."""
    few = xr.where(found["num_spikes"] < min_spikes, FEW_SPIKES, KEPT)
    status = xr.where(found["num_trials"] < max(min_trials, 1), FEW_TRIALS, few)
    if not bool((status == KEPT).any()):
        raise ValueError(
            f"spikes: all {status.size} units are lost, with {int(found['num_trials'].max())} trials and "
            f"{int(found['num_spikes'].max())} spikes at most; lower min_trials {min_trials} or min_spikes "
            f"{min_spikes}."
        )
    masked = found["rates"].where(status == KEPT).assign_attrs(found["rates"].attrs)
    attrs = {"units": "1", "long_name": "whether the unit is kept", **STATUS}
    return found.assign(rates=masked, unit_status=status.assign_attrs(attrs))
