"""The command line: ``throughtime list | train | compare | evaluate | analyse | transfer | show |
cite | show-task | export | run | status | report | table | figure | audit | check``.

Options are dataclasses (:mod:`throughtime.cli.options`) parsed by tyro; fields of the task, rule and circuit
are options too (``--task.delay 700``), read from the dataclass of the member that was named. Neither JAX nor
xarray is imported before a command needs it.

Exit status: 0 done; 2 a mistake of the user's, told in one message on stderr; 130 interrupted; 141 the
reader of stdout went away. ``THROUGHTIME_DEBUG=1`` adds the traceback. Anything else is a fault of ours (or
of the script that was run) and ends with its traceback.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Sequence

__all__ = ["main"]

MISTAKE, INTERRUPTED, NO_READER = 2, 130, 141


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit status.

    Args:
        arguments: words after the program's name; those of this process by default.
    """
    words = list(sys.argv[1:] if arguments is None else arguments)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="replace")  # a terminal without Greek letters shows question marks
    try:
        try:
            status = _run(words)
        except SystemExit as stop:
            status = _status(stop)
        sys.stdout.flush()
    except BrokenPipeError:
        _silence()
        return NO_READER
    except KeyboardInterrupt as stop:
        print(f"throughtime: interrupted{'; ' if str(stop) else ''}{stop}", file=sys.stderr)
        return INTERRUPTED
    except Exception as error:
        from throughtime.cli.errors import is_refusal

        if not is_refusal(error):
            raise
        if os.environ.get("THROUGHTIME_DEBUG", "0") not in ("", "0"):
            traceback.print_exc()
        print(f"throughtime: {error}", file=sys.stderr)
        return MISTAKE
    return status


def _run(words: list[str]) -> int:
    if words and words[0] in ("--version", "-V"):
        from throughtime import __version__

        print(f"throughtime {__version__}")
        return 0
    from throughtime.cli.options import parse

    command, given = parse(words)
    return command.run(given, words)


def _status(stop: SystemExit) -> int:
    """Exit status of a ``SystemExit``; a text is its message, as Python has it."""
    if stop.code is None or isinstance(stop.code, int):
        return stop.code or 0
    print(stop.code, file=sys.stderr)
    return 1


def _silence() -> None:
    """Let nothing be written to a stdout nobody reads, not even when Python ends."""
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), sys.stdout.fileno())
