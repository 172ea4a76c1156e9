"""What went wrong in a cell, as data; and what no cell can help, which stops the study."""

from __future__ import annotations

import errno
import os
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FULL = (errno.ENOSPC, errno.EDQUOT)
CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
LONGEST = 20_000


class StorageError(OSError):
    """The study's folder cannot be written: the disk is full, or it is not ours."""


class CodeError(RuntimeError):
    """A worker has other code or other libraries than the study was declared with."""


class SchedulerError(RuntimeError):
    """The scheduler, or the connection to it, was lost; cells that are done are kept."""


def storage_error(error: BaseException, folder: Path | None = None) -> StorageError | None:
    """The same as an error of the study's folder, if that is at its root; else None.

    Args:
        error: whatever was raised, other errors around it included.
        folder: of the study: a closed file elsewhere is no matter of the study. A full disk always is.
    """
    for one in causes(error):
        if isinstance(one, StorageError):
            return one
        if not isinstance(one, OSError) or one.errno not in (*FULL, *CLOSED):
            continue
        path = Path(one.filename) if isinstance(one.filename, str | os.PathLike) else None
        if one.errno in FULL:
            remedy = "free space, or move the study to another disk, and run it again"
        elif folder is None or (path is not None and path.absolute().is_relative_to(folder.absolute())):
            remedy = "ask for the right to write there, or choose another folder, and run it again"
        else:
            continue
        where = "the study's folder" if path is None else path.parent.name
        reason = one.strerror or str(one)
        return StorageError(
            one.errno, f"{reason}: {where} cannot be written; {remedy}. Cells that are done are kept"
        )
    return None


def causes(error: BaseException) -> Iterator[BaseException]:
    """An error and what it came from."""
    seen: set[int] = set()
    one: BaseException | None = error
    while one is not None and id(one) not in seen:
        seen.add(id(one))
        yield one
        one = one.__cause__ or one.__context__


def told(error: Exception) -> dict[str, Any]:
    """Type, message and traceback of an error, without paths of this machine."""
    lines = "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": without_paths(str(error)) or type(error).__name__,
        "traceback": without_paths(lines)[-LONGEST:],
    }


def without_paths(text: str) -> str:
    """Text with files named from the folder of their package on, and other absolute paths by their last part.

    Example:
        >>> without_paths('File "/anywhere/rules/mine.py", line 3')
        'File "mine.py", line 3'
    """
    for root in sorted({path for path in sys.path if os.path.isabs(path)}, key=len, reverse=True):
        text = text.replace(root.rstrip("/") + "/", "")
    return re.sub(r"(?<![\w.:/])~?/(?:[^\s/'\"<>:,;()\[\]]+/)+", "", text)
