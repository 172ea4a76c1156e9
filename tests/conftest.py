"""Settings every test process starts with.

Two CPU devices; and compilations without LLVM's expensive passes, which take a third off the time of the
suite. Tests about bits, and one of the gradient, run in processes that compile as users do
(``tests.processes.as_users_compile``).
"""

from __future__ import annotations

import gc
import inspect
import os
import sys
import time
from pathlib import Path

from tests.processes import SEARCHES

os.environ.setdefault("THROUGHTIME_CORES", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

gc.set_threshold(*SEARCHES)

MAPS = 20_000
"""Memory mappings of a process; Linux allows 65 530, and a compiled program that gets none crashes."""

APART = 2.0
"""Seconds of computing between two counts of them: to count 20 000 takes 20 ms, longer than most tests."""

counted = 0.0

LONG = (
    "test_whatever_befalls_a_study_it_goes_on_to_the_same_content",
    "test_twenty_random_kills_change_no_bit",
    "test_same_bits_on_one_core_and_on_two",
    "test_an_interrupted_run_goes_on_where_it_stopped",
)


def pytest_collection_modifyitems(items: list) -> None:
    """The longest tests first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.name not in LONG)


def pytest_runtest_teardown(item: object, nextitem: object) -> None:
    """Forget compiled programs before their mappings exceed what one process may have."""
    global counted
    if "jax" not in sys.modules or time.process_time() - counted < APART:
        return
    maps = Path("/proc/self/maps")
    if maps.exists() and maps.read_bytes().count(b"\n") > MAPS:
        inspect.unwrap(sys.modules["jax"].clear_caches)()
    counted = time.process_time()
