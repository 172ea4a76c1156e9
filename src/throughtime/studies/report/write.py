"""Writing the page of a study beside its records."""

from __future__ import annotations

import os
from pathlib import Path

import xarray as xr

from throughtime import atomic
from throughtime.results import ResultsError
from throughtime.studies.combine import open_record
from throughtime.studies.report.page import render

NAME = "report.html"
SUFFIXES = (".nc", ".zarr")


def write(source: str | os.PathLike[str] | xr.DataTree, path: str | os.PathLike[str] | None = None) -> Path:
    """Write the page of a study; it appears whole or not at all, and replaces an older one.

    Args:
        source: folder of a study, whose cells are combined as far as they are done; or a combined record, as
            a tree or a file.
        path: of the page; ``report.html`` in the folder, or beside the file, by default.

    Returns:
        The path written.

    Raises:
        ResultsError: for what is no study, a tree without a path, or a folder that cannot be written.
    """
    if isinstance(source, xr.DataTree):
        if path is None:
            raise ResultsError(
                "report: a tree lies in no folder; say where the page goes: write(tree, path)."
            )
        tree, written = source, Path(path)
    else:
        place = Path(source)
        tree = open_record(place)
        beside = place if place.is_dir() and place.suffix not in SUFFIXES else place.parent
        written = beside / NAME if path is None else Path(path)
    page = render(tree).encode()
    try:
        atomic.write_bytes(written, page)
    except OSError as error:
        raise ResultsError(
            f"report: {written} cannot be written ({error.strerror or error}); make its folder, free space, "
            "or choose another place (--out)."
        ) from error
    return written
