"""Linear algebra on one thread, for many small matrices."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import scipy.linalg  # noqa: F401  # loads the library that JAX calls, which is then set below
import threadpoolctl


@contextlib.contextmanager
def single_threaded() -> Iterator[None]:
    """One thread in BLAS and LAPACK, of NumPy, SciPy and JAX on a CPU alike.

    Matrices of a few hundred rows are too small to share: threads wait for each other, and where other work
    keeps the cores busy a factorisation took twenty times as long.

    Example:
        >>> with single_threaded():
        ...     {found["num_threads"] for found in threadpoolctl.threadpool_info()}
        {1}
    """
    with threadpoolctl.threadpool_limits(1):
        yield
