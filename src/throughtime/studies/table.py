"""The outcomes of a study as a table: to read in a terminal, to load elsewhere, or to set in a paper."""

from __future__ import annotations

import json
from typing import Any

import xarray as xr

from throughtime.results.errors import ResultsError
from throughtime.studies.layouts import LAYOUTS, Heading
from throughtime.studies.outcomes import METRICS
from throughtime.studies.record import frame_of
from throughtime.studies.rows import rows
from throughtime.studies.statistics import statistics


def table(record: xr.DataTree, to: str = "text", *, metric: str = "final_score", **options: Any) -> str:
    r"""One row for each task × circuit × option × rule of a study.

    Columns: seeds that reached the criterion, with an interval; the median of trials to criterion; how well
    seeds ended; the difference to the reference, seed by seed, with its p and the least p that so many seeds
    can give; and how many seeds diverged, failed, were refused or have not run. See :func:`statistics`.

    Args:
        record: of :func:`throughtime.studies.combine`.
        to: ``"text"``; ``"csv"``, with a column for each number and units in the header; or ``"latex"``,
            which needs ``\usepackage{booktabs}``.
        metric: ``final_score``, ``final_loss`` or ``trials_to_criterion``.
        options: of :func:`statistics`: ``reference``, ``test``, ``family``, ``level``, ``confidence``.

    Raises:
        ResultsError: for another record or format, or what ``statistics`` refuses.

    Example:
        >>> table(xr.DataTree(), to="pdf")
        Traceback (most recent call last):
        throughtime.results.errors.ResultsError: table: unknown format 'pdf'; use one of text, csv, latex.
    """
    if to not in LAYOUTS:
        raise ResultsError(f"table: unknown format {to!r}; use one of {', '.join(LAYOUTS)}.")
    if options.get("across", "rule") != "rule":
        raise ResultsError(
            "table: its rows are rules; compare circuits or options by statistics(record, across=…)."
        )
    found = statistics(record, metrics=[metric], **options)
    params = json.loads(found.attrs["params"])
    heading = Heading(
        study=str(record.attrs.get("name", "study")),
        metric=metric,
        meaning=METRICS[metric][1],
        reference=params["reference"] if len(frame_of(record).names["rule"]) > 1 else None,
        confidence=params["confidence"],
        paired=params["test"] != "mann-whitney",
    )
    return LAYOUTS[to](rows(found), heading)
