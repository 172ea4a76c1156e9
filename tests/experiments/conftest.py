"""Cells of a tiny study share what is compiled; those of a long one forget it, lest it become too much."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import jax
import pytest


@pytest.fixture(autouse=True, scope="module")
def _kept_programs() -> Iterator[None]:
    """``tests.conftest`` still forgets them where they have become too many."""
    kept = functools.wraps(jax.clear_caches)(lambda: None)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(jax, "clear_caches", kept)
        yield
