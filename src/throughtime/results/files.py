"""Reading and writing results files: netCDF4 (``.nc``) or zarr v3 (``.zarr``), whole or not at all."""

from __future__ import annotations

import difflib
import errno
import os
import secrets
import shutil
from pathlib import Path
from typing import Any

import xarray as xr

from throughtime.results import formats
from throughtime.results.content import content_sha256, local_datasets
from throughtime.results.errors import ResultsError
from throughtime.results.plain import plain_attributes
from throughtime.results.schema import SCHEMA_NAME, SCHEMA_VERSION
from throughtime.results.validate import validate

SHOWN_PROBLEMS = 10


def save(tree: xr.DataTree, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a results tree as one file that appears whole or not at all.

    A file is immutable: saving the same configuration with the same content again does nothing, anything
    else is refused unless ``overwrite``. Even then only a results file is replaced.

    Args:
        tree: what to write; it must obey :func:`throughtime.results.validate`.
        path: ``….nc`` for netCDF4, ``….zarr`` for a zarr v3 folder.
        overwrite: replace a results file of other content.

    Returns:
        The path written.

    Raises:
        ResultsError: for a tree that breaks a rule, an unknown suffix, a folder that is missing or cannot
            be written, a file that is there already, or a failing disk. Nothing is lost: what was at
            ``path`` is still there.
    """
    path = Path(path)
    layout = _layout(path)
    if not os.path.isdir(path.parent):
        raise ResultsError(f"save: there is no folder {path.parent}; make it first (mkdir -p {path.parent}).")
    problems = validate(tree)
    if problems:
        shown = "\n".join(f"  {problem}" for problem in problems[:SHOWN_PROBLEMS])
        more = f"\n  … and {len(problems) - SHOWN_PROBLEMS} more" if len(problems) > SHOWN_PROBLEMS else ""
        raise ResultsError(f"save: the tree breaks {len(problems)} rules of the format:\n{shown}{more}")
    tree = _rebuilt(tree)
    if os.path.lexists(path) and _is_saved(tree, path, overwrite):
        return path
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(6)}.tmp")
    try:
        layout.write(tree, temporary)
        _replace(temporary, path)
    except OSError as error:
        raise ResultsError(_disk_message(path, error)) from error
    finally:
        _remove(temporary)
    return path


def open_lazily(path: str | os.PathLike[str]) -> xr.DataTree:
    """Open a results file with Dask arrays, which it is read for when they are computed; see :func:`load`.

    The file stays open: ``tree.close()`` closes it.

    Raises:
        ResultsError: as :func:`load`.
    """
    return _loaded(Path(path), lazily=True)


def load(path: str | os.PathLike[str]) -> xr.DataTree:
    """Read a results file into memory and close it.

    Args:
        path: a file written by :func:`save`.

    Returns:
        The tree; its attributes are plain Python values, the same from both formats.

    Raises:
        ResultsError: for a file that is missing (naming near ones), is no results file, is damaged, or was
            written by a newer version of throughtime.
    """
    return _loaded(Path(path), lazily=False)


def _loaded(path: Path, lazily: bool) -> xr.DataTree:
    layout = _layout(path)
    if not os.path.exists(path):  # the method raises where the folder is closed to us
        raise ResultsError(f"load: there is no {path}; {_near(path)}")
    reason = layout.why_foreign(path)
    if reason:
        raise ResultsError(f"load: {path} is no results file: {reason}.")
    try:
        tree = layout.open(path) if lazily else layout.read(path)
    except PermissionError as error:
        raise ResultsError(f"load: {path} cannot be read: {error.strerror}; ask its owner.") from error
    except Exception as error:  # whatever a reader makes of damaged bytes
        raise ResultsError(
            f"load: {path} cannot be read ({type(error).__name__}: {error}); it is damaged or no results "
            "file. Copy it again from its source, or run again."
        ) from error
    opened, tree = tree, _rebuilt(tree)
    tree.set_close(opened.close if lazily else None)
    name, version = tree.attrs.get("schema_name"), tree.attrs.get("schema_version")
    if name != SCHEMA_NAME or not isinstance(version, int):
        raise ResultsError(
            f"load: {path} is no results file: its schema_name is {name!r}, not {SCHEMA_NAME!r}; open it "
            "with xarray.open_datatree."
        )
    if version > SCHEMA_VERSION:
        raise ResultsError(
            f"load: {path} has schema version {version}, newer than the {SCHEMA_VERSION} known here; "
            f"upgrade throughtime (it was written by version {tree.attrs.get('creation_library_version')})."
        )
    return tree


def _layout(path: Path) -> formats.Layout:
    try:
        return formats.LAYOUTS[path.suffix]
    except KeyError:
        raise ResultsError(
            f"results: {path.name!r} has suffix {path.suffix!r}; use .nc for netCDF4 or .zarr for zarr."
        ) from None


def _rebuilt(tree: xr.DataTree) -> xr.DataTree:
    """The tree with plain attributes and without encodings, which belong to the file it came from."""
    groups = {}
    for group, dataset in local_datasets(tree):
        dataset = dataset.drop_encoding()
        dataset.attrs = plain_attributes(dataset.attrs)
        for variable in dataset.variables.values():
            variable.attrs = plain_attributes(variable.attrs)
        groups[group] = dataset
    return xr.DataTree.from_dict(groups)


def _is_saved(tree: xr.DataTree, path: Path, overwrite: bool) -> bool:
    """Whether ``path`` says the same already; refuses to go on where it must not be replaced."""
    try:
        old = load(path)
    except ResultsError as error:
        raise ResultsError(
            f"save: {path} exists and cannot be read as a results file, so it is not replaced, overwrite or "
            f"not; move it away or choose another name. ({error})"
        ) from error
    keys = ("kind", "config_sha256", "parent_run")
    same_identity = all(old.attrs.get(key) == tree.attrs.get(key) for key in keys)
    if same_identity and content_sha256(old) == content_sha256(tree):
        return True
    if not overwrite:
        what = "the same configuration with other numbers" if same_identity else "another configuration"
        raise ResultsError(
            f"save: {path} exists and holds {what} (run {old.attrs.get('run_id', 'unnamed')}); choose "
            "another name, or replace it with overwrite=True (--overwrite)."
        )
    return False


def _replace(temporary: Path, path: Path) -> None:
    if temporary.is_dir() and path.is_dir():
        # A folder cannot be renamed over a full one: step the old one aside, and back if the new one fails.
        aside = path.with_name(f".{path.name}.{secrets.token_hex(6)}.old")
        os.rename(path, aside)
        try:
            os.rename(temporary, path)
        except OSError:
            os.rename(aside, path)
            raise
        _remove(aside)
    else:
        os.replace(temporary, path)
    formats.sync(path.parent)


def _remove(path: Path) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path, ignore_errors=True)
    elif os.path.lexists(path):
        path.unlink()


def _disk_message(path: Path, error: OSError) -> str:
    reason = error.strerror or str(error)
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return (
            f"save: folder {path.parent} cannot be written ({reason}); choose another or ask for the right."
        )
    return (
        f"save: writing {path} failed ({reason}); nothing was written, and what was there is untouched. "
        "Free space or choose another disk, and save again."
    )


def _near(path: Path) -> str:
    if not os.path.isdir(path.parent):
        return f"nor a folder {path.parent}."
    try:
        names = [name for name in os.listdir(path.parent) if not name.startswith(".")]
    except OSError as error:
        return f"its folder cannot be read ({error.strerror})."
    names = [name for name in names if Path(name).suffix in formats.LAYOUTS]
    near: list[Any] = difflib.get_close_matches(path.name, names, n=3, cutoff=0.5)
    if near:
        return f"did you mean {' or '.join(near)}?"
    return f"the folder holds {', '.join(sorted(names)[:5])}." if names else "the folder holds no results."
