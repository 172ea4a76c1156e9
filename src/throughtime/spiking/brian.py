"""Brian2, imported when it is first needed, in a setting that leaves the rest of the process as it was."""

from __future__ import annotations

import contextlib
import sys
import warnings
from collections.abc import Iterator
from typing import Any

TARGETS = ("numpy", "cython")


class NoBrian(ImportError):
    """Brian2 is not there, or cannot be imported with what is installed."""


def library() -> Any:
    """The module ``brian2``.

    Its import neither warns nor replaces the handler of uncaught errors of this process.

    Raises:
        NoBrian: where it cannot be imported, with the versions that go together.
    """
    hook = sys.excepthook  # Brian2 would report every error of this process as one of its own
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser of equations
            import brian2
    except Exception as error:  # an old Brian2 with a new NumPy fails with an AttributeError
        raise NoBrian(
            "throughtime.spiking needs Brian2, which cannot be imported here "
            f"({type(error).__name__}: {error}). Install it with: pip install brian2. "
            "Under Python 3.11 the newest is Brian2 2.9, which needs "
            "numpy<2.4; Brian2 2.10 and later need Python 3.12."
        ) from error
    finally:
        sys.excepthook = hook
    return brian2


@contextlib.contextmanager
def simulator(target: str = "numpy") -> Iterator[Any]:
    """Brian2 with a scope of its own and code for ``target``; its preferences are as before afterwards.

    Objects of the caller's own Brian2 scripts do not take part in what is simulated, provided that all of the
    block's objects go into a ``Network``. Give every object its ``order``: within a slot Brian2 goes by
    order, then by name.

    Args:
        target: ``numpy``, or ``cython``, which compiles and is cached by Brian2.

    Raises:
        NoBrian: without Brian2. ValueError: for another target.
    """
    if target not in TARGETS:
        raise ValueError(f"spiking: target {target!r} is not known; use one of {', '.join(TARGETS)}.")
    b2 = library()
    before, clock = b2.prefs["codegen.target"], b2.defaultclock.dt
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        b2.prefs["codegen.target"] = target
        try:
            yield b2
        finally:
            b2.prefs["codegen.target"] = before
            b2.defaultclock.dt = clock
