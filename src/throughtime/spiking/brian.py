"""Brian2, imported when it is first needed, in a setting that leaves the rest of the process as it was."""

from __future__ import annotations

import contextlib
import gc
import logging
import signal
import sys
import threading
import warnings
from collections.abc import Iterator
from typing import Any

TARGETS = ("numpy", "cython")

_ONE_AT_A_TIME = threading.RLock()  # Brian2 keeps its preferences, clock and device in the module


class NoBrian(ImportError):
    """Brian2 is not there, or cannot be imported with what is installed."""


def library() -> Any:
    """The module ``brian2``, imported in any thread.

    Its import warns of nothing, and leaves the handlers of uncaught errors, of warnings and of interrupts as
    they were: a Ctrl-C that Brian2 handles would end a simulation early as if it were over.

    Raises:
        NoBrian: where it cannot be imported, with the versions that go together.
    """
    if "brian2" not in sys.modules:
        with _ONE_AT_A_TIME, _handlers_kept(), warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of the parser of equations
            return _imported()
    return _imported()


def _imported() -> Any:
    try:
        import brian2
    except Exception as error:  # an old Brian2 with a new NumPy fails with an AttributeError
        raise NoBrian(
            "throughtime.spiking needs Brian2, which cannot be imported here "
            f"({type(error).__name__}: {error}). Install it with: pip install brian2. "
            "Under Python 3.11 the newest is Brian2 2.9, which needs "
            "numpy<2.4; Brian2 2.10 and later need Python 3.12."
        ) from error
    return brian2


@contextlib.contextmanager
def _handlers_kept() -> Iterator[None]:
    """The process's handlers of errors, warnings and interrupts, as they were."""
    hook, interrupt, set_handler = sys.excepthook, signal.getsignal(signal.SIGINT), signal.signal
    captured = warnings.showwarning.__module__ == "logging"
    in_main = threading.current_thread() is threading.main_thread()

    def nothing(signalnum: int | signal.Signals, handler: Any) -> Any:
        return interrupt

    if not in_main:  # where no handler can be set, and the import would fail over it
        signal.signal = nothing
    try:
        yield
    finally:
        sys.excepthook = hook
        if not captured:
            logging.captureWarnings(False)
        signal.signal = set_handler
        if in_main:
            set_handler(signal.SIGINT, interrupt)


@contextlib.contextmanager
def _all_older_objects_set_aside() -> Iterator[None]:
    """Nothing that is there already is looked through by Brian2, which collects garbage at every run."""
    ours = gc.get_freeze_count() == 0
    if ours:
        gc.freeze()
    try:
        yield
    finally:
        if ours:
            gc.unfreeze()


@contextlib.contextmanager
def simulator(target: str = "numpy") -> Iterator[Any]:
    """Brian2 with a scope of its own and code for ``target``; preferences, clock and device are as before
    afterwards. One thread at a time is in such a block.

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
    ours = {"codegen.target": target, "core.stop_on_keyboard_interrupt": False}
    with (
        _ONE_AT_A_TIME, contextlib.ExitStack() as after, warnings.catch_warnings(),
        _all_older_objects_set_aside(),
    ):  # fmt: skip
        warnings.simplefilter("ignore")
        runtime = b2.all_devices["runtime"]
        own, clock, clock_of_runtime = b2.get_device(), b2.defaultclock.dt, runtime.defaultclock.dt
        if own is not runtime:  # such as a script that generates C++
            from brian2.devices.device import reset_device

            b2.set_device(runtime)
            after.callback(reset_device)
        for name, value in ours.items():
            after.callback(b2.prefs.__setitem__, name, b2.prefs[name])
            b2.prefs[name] = value
        try:
            yield b2
        finally:
            after.close()
            runtime.defaultclock.dt = clock_of_runtime
            b2.defaultclock.dt = clock
