"""Environments of processes that tests start."""

from __future__ import annotations

import os


def as_users_compile(**settings: str) -> dict[str, str]:
    """This environment with full optimisation, and ``settings``."""
    kept = {name: value for name, value in os.environ.items() if name != "JAX_DISABLE_MOST_OPTIMIZATIONS"}
    return {**kept, **settings}
