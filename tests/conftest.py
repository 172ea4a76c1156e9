"""Settings every test process starts with.

Two CPU devices; and compilations without LLVM's expensive passes, which take a third off the time of the
suite. Tests about bits, and one of the gradient, run in processes that compile as users do
(``tests.processes.as_users_compile``).
"""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

os.environ.setdefault("THROUGHTIME_CORES", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

gc.set_threshold(50_000, 20, 50)  # traces are many small objects: a sixth of the time went into searches

MAPS = 20_000
"""Memory mappings of a process; Linux allows 65 530, and a compiled program that gets none crashes."""

LONG = (
    "test_whatever_befalls_a_study_it_goes_on_to_the_same_content",
    "test_kills_change_no_content_and_leave_nothing[clients]",
    "test_twenty_random_kills_change_no_bit",
    "test_same_bits_on_one_core_and_on_two",
    "test_an_interrupted_run_goes_on_where_it_stopped",
)


def pytest_collection_modifyitems(items: list) -> None:
    """The longest tests first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.name not in LONG)


def pytest_runtest_teardown(item: object, nextitem: object) -> None:
    """Forget compiled programs before their mappings exceed what one process may have."""
    maps = Path("/proc/self/maps")
    if "jax" in sys.modules and maps.exists() and maps.read_bytes().count(b"\n") > MAPS:
        sys.modules["jax"].clear_caches()
