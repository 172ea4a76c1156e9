"""Settings every test process starts with.

Two CPU devices; and compilations without LLVM's expensive passes, which take a third off the time of the
suite. Tests about bits, and one of the gradient, run in processes that compile as users do
(``tests.processes.as_users_compile``).
"""

from __future__ import annotations

import os

os.environ.setdefault("THROUGHTIME_CORES", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")

LONG = (
    "test_twenty_random_kills_change_no_bit",
    "test_same_bits_on_one_core_and_on_two",
    "test_an_interrupted_run_goes_on_where_it_stopped",
)


def pytest_collection_modifyitems(items: list) -> None:
    """The longest tests first, so that no worker is left alone with one at the end."""
    items.sort(key=lambda item: item.name not in LONG)
