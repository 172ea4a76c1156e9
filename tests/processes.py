"""Environments of processes that tests start."""

from __future__ import annotations

import gc
import importlib
import os

SEARCHES = 50_000, 20, 50
"""Thresholds of searches for garbage, which took a sixth of the time: traces are many small objects."""


def as_users_compile(**settings: str) -> dict[str, str]:
    """This environment with full optimisation, and ``settings``."""
    kept = {name: value for name, value in os.environ.items() if name != "JAX_DISABLE_MOST_OPTIMIZATIONS"}
    return {**kept, **settings}


def ready_to_fork(*modules: str) -> None:
    """Import what is otherwise imported at its first use, in every fork; JAX's backend must not start by it.

    Searches for garbage leave out what is there now, and are as rare as in tests.
    """
    for name in ("throughtime.rules", "jaxlib.mlir.dialects.mhlo", "multiprocessing.synchronize", *modules):
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    gc.set_threshold(*SEARCHES)
