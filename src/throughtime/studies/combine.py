"""A study as one record: every seed of every combination, whether it was trained, failed or never ran."""

from __future__ import annotations

import contextlib
import logging
import os
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import xarray as xr

from throughtime.results import files
from throughtime.results.errors import ResultsError
from throughtime.studies import measured, record
from throughtime.studies.blocks import Blocks, TooLarge, arrays
from throughtime.studies.distances import distances
from throughtime.studies.record import AXES, FAILED, NOT_RUN, REFUSED, STATUSES
from throughtime.studies.sources import Sources, fingerprint, sources

RECORD = "study.nc"
OF_SEEDS = (
    "criterion_update", "diverged_update", "num_updates", "trials_seen", "forward_passes", "final_loss",
    "final_score",
)  # fmt: skip
TRIES = 3
LOG = logging.getLogger("throughtime.studies")


def combine(folder: str | os.PathLike[str], *, lazy: bool = False) -> xr.DataTree:
    """The combined record of a study, see :mod:`throughtime.studies.record`.

    Every declared seed is in it: how it ended, or that its cell failed, was refused or has not run. A study
    can be combined at any time; runs that are not complete yet are there with the seeds that are done.

    The record is kept in the folder as ``study.nc``, and read from there while nothing has changed. With
    ``lazy`` nothing is kept: curves and measures are Dask arrays with one chunk a run, for which its file is
    read when it is computed, so that a study may be larger than memory.

    Args:
        folder: of a study, or the file of a record.
        lazy: open arrays with Dask.

    Returns:
        Tree of kind ``study`` with groups ``/outcomes`` and, where there are any, ``/curves``,
        ``/evaluations``, ``/tuning``, ``/measures/<name>``, and ``/distances`` of tasks that are complete,
        where a measure of similarity is declared (:mod:`throughtime.studies.distances`). Root attributes: the
        declaration (``config``), the runs with their ids, counts of seeds by status, and as JSON
        ``failures``, ``refused`` and ``not_run`` (labels, seeds and reason), and ``not_combined``: groups and
        variables whose runs differ in axes.

    Raises:
        ResultsError: for a folder that holds no study, a study that was declared several times and then the
            code changed, and one that is too large for memory (``TooLarge``).
        ValueError: where a class of the study cannot be imported.

    Example:
        >>> combine("nowhere")
        Traceback (most recent call last):
        throughtime.results.errors.ResultsError: study: nowhere holds no study.json; give the folder of a ...
    """
    place = Path(folder)
    if place.is_file() or place.suffix in (".nc", ".zarr"):
        tree = files.open_lazily(place) if lazy else files.load(place)
        record.frame_of(tree)
        return tree
    path, print_ = place / RECORD, fingerprint(place)
    if not lazy and path.is_file():
        with contextlib.suppress(ResultsError):
            kept = files.load(path)
            if kept.attrs.get("sources_sha256") == print_:
                return kept
    for attempt in range(TRIES):
        print_ = fingerprint(place)
        try:
            tree = _combined(sources(place), lazy)
            break
        except FileNotFoundError:  # a part was merged into its run, and removed
            if attempt == TRIES - 1:
                raise
    tree.attrs["sources_sha256"] = print_
    if not lazy:
        try:
            files.save(tree, path, overwrite=True)
        except ResultsError as error:
            LOG.warning("the combined record is not kept: %s", error)
    return tree


def open_record(folder: str | os.PathLike[str]) -> xr.DataTree:
    """The combined record in memory if it fits there, or else lazily; see :func:`combine`."""
    try:
        return combine(folder)
    except TooLarge:
        return combine(folder, lazy=True)


def _combined(found: Sources, lazy: bool) -> xr.DataTree:
    frame = found.frame
    values, rate, present, told = _outcomes(found)
    groups = {"/outcomes": record.outcomes(frame, values, rate, present)}
    lost: dict[str, str] = {}
    for name, make in {
        "/curves": lambda: _curves(found, lazy),
        "/evaluations": lambda: measured.evaluations(found),
        "/tuning": lambda: _tuning(found),
        "/distances": lambda: distances(found),
    }.items():
        try:
            if (data := make()) is not None:
                groups[name] = data
        except TooLarge:
            raise
        except ResultsError as error:
            lost[name] = str(error)
    more, reasons = measured.measures(found, lazy)
    groups |= more
    devices = sorted({str(one["device_kind"]) for _, one in found.of_kind("train")})
    about: Any = {**told, "device_kind": ", ".join(devices)} if devices else told
    attrs = record.root(
        found.study,
        name=found.study.name,
        status=values["status"],
        runs=[{**found.labels(at), "run_id": run_id} for at, run_id in sorted(found.merged.items())],
        not_combined=lost | reasons,
        **about,
    )
    return record.tree(attrs, groups)


def _outcomes(
    found: Sources,
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray, dict[str, list[dict[str, Any]]]]:
    """Arrays of the outcomes, step sizes, which runs are complete, and what is missing and why."""
    frame = found.frame
    values = {name: frame.empty(name) for name in record.OUTCOMES}
    rate = np.full(frame.shape(seeds=False), np.nan)
    for at, summary in found.of_kind("train"):
        rows: Any = (*at, frame.seed_places(summary["seeds"]))
        values["status"][rows] = [STATUSES.index(one) for one in summary["status"]]
        for name in OF_SEEDS:
            values[name][rows] = summary[name]
        values["wall_time"][rows] = 1000.0 * summary["seconds"] / len(summary["seeds"])
        rate[at] = summary["learning_rate"]
    failures = []
    for kind in ("tune", "train", "measure"):
        for at, failure in found.of_kind(kind, "failed"):
            seeds = frame.seeds if kind == "tune" else tuple(failure["seeds"])
            reason = f"{failure['type']}: {failure['message']}"
            failures.append({**found.labels(at), "seeds": list(seeds), "kind": kind, "reason": reason})
            if kind != "measure":
                status = values["status"][at]
                lost = np.isin(frame.seeds, seeds) & (status == NOT_RUN)
                status[lost] = FAILED
    refused = []
    for at, reason in sorted(found.refused.items()):
        values["status"][at] = REFUSED
        refused.append({**found.labels(at), "seeds": list(frame.seeds), "reason": reason})
    not_run = []
    for at in np.ndindex(*frame.shape(seeds=False)):
        left = np.asarray(frame.seeds)[values["status"][at] == NOT_RUN].tolist()
        if left:
            reason = "left out of the study" if at in found.left_out else "not done yet"
            not_run.append({**found.labels(at), "seeds": left, "reason": reason})
    present = np.zeros(frame.shape(seeds=False), bool)
    for at in found.merged:
        present[at] = True
    return values, rate, present, {"failures": failures, "refused": refused, "not_run": not_run}


def _curves(found: Sources, lazy: bool) -> xr.Dataset | None:
    """Group ``/curves``; where trials are matched, updates of a rule with its own batch size are those of the
    others, as in ``tt.compare``.
    """
    if not found.trained:
        return None
    scales = _scales(found)
    longest = np.zeros(0, np.int64)
    updates = []
    for at, piece in ((at, piece) for at, several in found.trained.items() for piece in several):
        scale = scales.get(at, 1)
        with h5py.File(piece.path, "r") as file:
            update = file["training/update"][()]
        if (update % scale).any():
            raise ResultsError(
                f"{_named(found, at)} recorded updates {_few(update)}, which are no multiples of {scale}."
            )
        updates.append((at, update // scale))
        longest = max(longest, update // scale, key=len)
    for at, update in updates:
        if not np.array_equal(update, longest[: len(update)]):
            raise ResultsError(
                f"{_named(found, at)} recorded its curves at updates {_few(update)}, others at "
                f"{_few(longest)}; give all options the same log_every and num_updates."
            )
    blocks = [
        Blocks(
            found.trained, found.frame.seeds, "training", name, found.frame.shape(seeds=False),
            (len(found.frame.seeds), len(longest)), np.float64, np.nan,
        )
        for name in record.CURVES
    ]  # fmt: skip
    return record.curves(found.frame, longest, dict(zip(record.CURVES, arrays(blocks, lazy), strict=True)))


def _scales(found: Sources) -> dict[tuple[int, ...], int]:
    """Updates that a run made for one of the others."""
    from throughtime.comparison.study import update_factor
    from throughtime.studies.plans import combinations

    return {
        found.frame.place(**dict(zip(AXES, one.labels, strict=True))): update_factor(
            one.rule, one.common["batch_size"], one.match
        )
        for one in combinations(found.study)
    }


def _tuning(found: Sources) -> xr.Dataset | None:
    """Group ``/tuning``, from summaries."""
    each = dict(found.of_kind("tune"))
    if not each:
        return None
    shape = (*found.frame.shape(seeds=False), max(len(one["step_sizes"]) for one in each.values()))
    rate, loss, lost = np.full(shape, np.nan), np.full(shape, np.nan), np.full(shape, -1, np.int64)
    for at, one in each.items():
        for array, name in ((rate, "step_sizes"), (loss, "losses"), (lost, "num_diverged")):
            array[at][: len(one[name])] = one[name]
    return record.tuning(found.frame, rate, loss, lost)


def _named(found: Sources, at: tuple[int, ...]) -> str:
    return ", ".join(found.labels(at).values())


def _few(update: np.ndarray) -> str:
    shown = ", ".join(map(str, update[:3].tolist()))
    return f"{shown}, … {update[-1]}" if len(update) > 3 else shown
