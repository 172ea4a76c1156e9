"""Whether a file can be written, asked before hours of training and not after."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from throughtime.cli.errors import Refusal

if TYPE_CHECKING:
    from throughtime.results import Run


def check_suffix(path: Path, option: str = "--out") -> None:
    """Refuse a results file of an unknown format.

    Raises:
        Refusal: naming the suffixes there are.
    """
    from throughtime.results.formats import LAYOUTS

    if path.suffix not in LAYOUTS:
        raise Refusal(
            f"{option}: expected a name ending in .nc (netCDF4) or .zarr (zarr), found {str(path)!r}; "
            f"use {path.with_suffix('.nc') if path.name else 'run.nc'}."
        )


def check_folder(path: Path, option: str) -> None:
    """Refuse a file in a folder that cannot be written, or not be made.

    Raises:
        Refusal: naming the folder.
    """
    folder = path.absolute().parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    if not folder.is_dir():
        raise Refusal(f"{option}: {path} cannot be written: {folder} is a file; choose another folder.")
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise Refusal(
            f"{option}: {path} cannot be written: folder {folder} refuses ({error.strerror}); choose another "
            "folder or ask for the right."
        ) from error


def saved_at(path: Path) -> Run | None:
    """The run a results file holds; None if there is no file, or a result of another kind.

    Raises:
        Refusal: if what is there is no results file, which is never replaced.
    """
    from throughtime.results import ResultsError, Run, load_tree

    if not path.exists():
        return None
    try:
        tree = load_tree(path)
    except ResultsError as error:
        raise Refusal(
            f"--out: {path} exists and is no results file, so it is not replaced, --overwrite or not; "
            f"move it away or choose another name. ({error})"
        ) from error
    return Run(tree) if tree.attrs.get("kind") == "run" else None
