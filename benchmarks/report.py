"""The rows as a printed table and as a record."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from benchmarks.rows import Row
from throughtime.results import files, provenance
from throughtime.results.flags import encode_flags, flag_attributes, labels

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
    shown = f"{summary['value']:.{0 if row.quantity == 'bytes' else 3}f}"
    top, bottom = (summary[name][1] for name in ("top_ms", "bottom_ms"))
    return COLUMNS.format(
        row.name,
        shown,
        row.wish,
        VERDICTS[row.met(summary["value"])],
        summary["num_repeats"],
        "" if np.isnan(top) else f"{low:.3f} - {middle:.3f} - {high:.3f}",
        "" if np.isnan(top) else f"{top:.2f}",
        "" if np.isnan(bottom) else f"{bottom:.2f}",
        "" if error is None else f"{error:.0e}",
    )


def record(rows: Sequence[Row], outcomes: Sequence[dict[str, Any]], quick: bool) -> xr.DataTree:
    """Results tree whose group ``/rows`` has an option a row; NaN where not measured, and ``note`` says why.

    Args:
        rows: what was measured; outcomes: what was found, in the same order, as plain dictionaries.
        quick: whether fewer rows and repeats were wanted.
    """
    group = xr.Dataset(
        {**_values(rows, outcomes), **_facts(rows, outcomes)},
        {
            "option": (
                "option",
                np.arange(len(rows)),
                {"units": "1", "long_name": "what was measured", **flag_attributes([r.name for r in rows])},
            )
        },
    )
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attributes(quick)), "/rows": group})


def attributes(quick: bool) -> dict[str, Any]:
    """Attributes of a record: the machine and the versions."""
    return {
        **provenance.library_attributes("analysis"),
        "title": "throughtime benchmarks",
        "cpu": cpu_model(),
        "cores_usable": len(os.sched_getaffinity(0)),
        "device_kind": "cpu",
        "quick": int(quick),
        "torch_version": versions()["torch"],
    }


def check_alike(older: Mapping[Any, Any], newer: Mapping[Any, Any]) -> None:
    """That rows of two records may stand in one.

    Raises:
        ValueError: where they were measured on unlike processors or with unlike versions.
    """
    for name in ("cpu", "cores_usable", *(one for one in newer if one.endswith("_version"))):
        if older.get(name) != newer[name]:
            raise ValueError(
                f"--keep: {name} was {older.get(name)!r} and is {newer[name]!r}; expected rows of one "
                "machine and the same versions. Measure all rows again, without --keep."
            )


def _values(rows: Sequence[Row], outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Numbers of every row: value and goal, how it varied between rounds, times of both contenders."""
    blank = {"value": np.nan, "spread": [np.nan] * 5, "top_ms": [np.nan] * 3, "bottom_ms": [np.nan] * 3}
    found = [outcome["summary"] or {**blank, "num_repeats": 0} for outcome in outcomes]
    errors = [np.nan if outcome["error"] is None else outcome["error"] for outcome in outcomes]

    def of(values: Any, long_name: str, units: str = "1") -> tuple[str, np.ndarray, dict[str, str]]:
        return "option", np.asarray(values), {"units": units, "long_name": long_name}

    spread = np.array([each["spread"] for each in found])
    data = {
        "value": of([each["value"] for each in found], "ratio of medians, or the number that quantity names"),
        "goal": of([np.nan if row.goal is None else row.goal for row in rows], "goal of the value"),
        "tolerance": of(
            [np.nan if row.within is None else row.within for row in rows], "distance from the goal allowed"
        ),
        "gradient_error": of(errors, "relative error of the gradients against float64"),
        "num_repeats": of([each["num_repeats"] for each in found], "rounds"),
    }
    for column, name in enumerate(("smallest", "lower_quartile", "median", "upper_quartile", "largest")):
        data[f"round_{name}"] = of(spread[:, column], f"{name.replace('_', ' ')} of the rounds' values")
    for side, words in (("top", "what is measured"), ("bottom", "what it is compared with")):
        times = np.array([each[f"{side}_ms"] for each in found])
        for column, name in enumerate(("lower_quartile", "median", "upper_quartile")):
            data[f"{side}_time_{name}"] = of(
                times[:, column], f"{name.replace('_', ' ')} of the time of {words}", "ms"
            )
    return data


def _facts(rows: Sequence[Row], outcomes: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Categories of every row."""
    verdicts = [
        "" if outcome["summary"] is None else VERDICTS[row.met(outcome["summary"]["value"])]
        for row, outcome in zip(rows, outcomes, strict=True)
    ]
    facts = {
        "quantity": ([row.quantity for row in rows], "what the value is"),
        "wanted_side": (
            ["at most" if row.at_most else "at least" for row in rows],
            "side of the goal wanted",
        ),
        "verdict": ([verdict or "none" for verdict in verdicts], "whether the goal was met"),
        "top": ([row.top for row in rows], "what is measured"),
        "bottom": ([row.bottom or "none" for row in rows], "what it is compared with"),
        "note": ([outcome["note"] or "none" for outcome in outcomes], "why there is no value"),
    }
    data = {}
    for name, (words, long_name) in facts.items():
        codes, flags = encode_flags(np.array(words))
        data[name] = ("option", codes, {"units": "1", "long_name": long_name, **flags})
    return data


def added_to(older: xr.DataTree, newer: xr.DataTree) -> xr.DataTree:
    """The newer record and, of the older one, rows that the newer one lacks.

    Hashes of the code stay where both were measured with the same code.

    Raises:
        ValueError: as :func:`check_alike`.
    """
    check_alike(older.attrs, newer.attrs)
    found = [tree["rows"].to_dataset() for tree in (older, newer)]
    names = [dict.fromkeys(labels(one["option"])) for one in found]
    kept = [index for index, name in enumerate(names[0]) if name not in names[1]]
    parts = [found[0].isel(option=kept), found[1]]
    data = {
        str(name): ("option", np.concatenate([one[name].values for one in parts]), parts[1][name].attrs)
        for name in parts[1].data_vars
    }
    for name, variable in data.items():
        if "flag_values" in variable[2]:
            codes, flags = encode_flags(np.array([word for one in parts for word in labels(one[name])]))
            data[name] = ("option", codes, {**variable[2], **flags})
    words = [word for one in parts for word in labels(one["option"])]
    about = {**parts[1]["option"].attrs, **flag_attributes(words)}
    group = xr.Dataset(data, {"option": ("option", np.arange(len(words)), about)})
    code = [name for name in newer.attrs if str(name).startswith(("code_sha256", "git_"))]
    same = all(older.attrs.get(name) == newer.attrs[name] for name in code)
    attrs = {name: value for name, value in newer.attrs.items() if same or name not in code}
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), "/rows": group})


def write(tree: xr.DataTree, path: Path, keep: bool = False) -> None:
    """Write the record in place of an older one, whose other rows are kept on request.

    Raises:
        ValueError: as :func:`added_to`, and :func:`throughtime.results.files.save`.
    """
    if keep and path.exists():
        tree = added_to(files.load(path), tree)
    path.parent.mkdir(parents=True, exist_ok=True)
    files.save(tree, path, overwrite=True)
