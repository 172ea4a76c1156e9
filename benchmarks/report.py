"""The rows as a printed table and as a dataset."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.rows import Row

PACKAGES = ("throughtime", "jax", "jaxlib", "numpy", "optax", "torch")
COLUMNS = "{:<58}{:>8}  {:<8}{:<9}{:>3}  {:<26}{:>8}{:>9}  {}"
HEADER = COLUMNS.format("row", "value", "goal", "", "n", "min - median - max", "ms", "/ ms", "check")
VERDICTS = {None: "", True: "met", False: "not met"}


def cpu_model() -> str:
    """Name of the processor, and its family and model where the system tells them."""
    info = Path("/proc/cpuinfo")
    if not info.exists():
        return platform.processor() or platform.machine()
    lines = (line.split(":", 1) for line in info.read_text().splitlines() if ":" in line)
    facts: dict[str, str] = {}
    for name, value in lines:
        facts.setdefault(name.strip(), value.strip())
    name = facts.get("model name", platform.machine())
    return f"{name} (family {facts.get('cpu family', '?')}, model {facts.get('model', '?')})"


def versions() -> dict[str, str]:
    """Versions of Python and of the packages that matter; ``not installed`` where absent."""
    found = {"python": platform.python_version()}
    for name in PACKAGES:
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            found[name] = "not installed"
    return found


def line(row: Row, outcome: dict[str, Any]) -> str:
    """One line of the table."""
    summary, error = outcome["summary"], outcome["error"]
    if summary is None:
        return f"{row.name:<58}{'':>8}  {row.wish:<8}{outcome['note']}"
    low, _, middle, _, high = summary["spread"]
    top, bottom = (summary[name][1] for name in ("top_ms", "bottom_ms"))
    return COLUMNS.format(
        row.name,
        f"{summary['value']:.3f}",
        row.wish,
        VERDICTS[row.met(summary["value"])],
        summary["num_repeats"],
        "" if np.isnan(top) else f"{low:.3f} - {middle:.3f} - {high:.3f}",
        "" if np.isnan(top) else f"{top:.2f}",
        "" if np.isnan(bottom) else f"{bottom:.2f}",
        "" if error is None else f"{error:.0e}",
    )


def dataset(rows: Sequence[Row], outcomes: Sequence[dict[str, Any]], quick: bool) -> xr.Dataset:
    """All rows by name; NaN where a row was not measured, and then ``note`` says why."""
    blank = {"value": np.nan, "spread": [np.nan] * 5, "top_ms": [np.nan] * 3, "bottom_ms": [np.nan] * 3}
    found = [outcome["summary"] or {**blank, "num_repeats": 0} for outcome in outcomes]
    quantile = ("row", "quantile"), ("row", "quartile")
    verdicts = [
        "" if outcome["summary"] is None else VERDICTS[row.met(outcome["summary"]["value"])]
        for row, outcome in zip(rows, outcomes, strict=True)
    ]
    return xr.Dataset(
        {
            "value": (
                "row",
                [each["value"] for each in found],
                {"long_name": "ratio of medians, top / bottom, or what quantity says"},
            ),
            "quantity": ("row", [row.quantity for row in rows]),
            "goal": ("row", [np.nan if row.goal is None else row.goal for row in rows]),
            "direction": ("row", ["at most" if row.at_most else "at least" for row in rows]),
            "verdict": ("row", verdicts),
            "ratio_within_round": (quantile[0], [each["spread"] for each in found]),
            "top_ms": (quantile[1], [each["top_ms"] for each in found], {"units": "ms"}),
            "bottom_ms": (quantile[1], [each["bottom_ms"] for each in found], {"units": "ms"}),
            "num_repeats": ("row", [each["num_repeats"] for each in found]),
            "gradient_error": ("row", [np.nan if o["error"] is None else o["error"] for o in outcomes]),
            "top": ("row", [row.top for row in rows]),
            "bottom": ("row", [row.bottom or "" for row in rows]),
            "note": ("row", [outcome["note"] for outcome in outcomes]),
        },
        coords={
            "row": [row.name for row in rows],
            "quantile": [0.0, 0.25, 0.5, 0.75, 1.0],
            "quartile": [0.25, 0.5, 0.75],
        },
        attrs={
            "title": "throughtime benchmarks",
            "cpu": cpu_model(),
            "cores_usable": len(os.sched_getaffinity(0)),
            "quick": int(quick),
            **{f"version_{name}": value for name, value in versions().items()},
        },
    )
