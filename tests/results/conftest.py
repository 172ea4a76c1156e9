from __future__ import annotations

import os

import pytest
import xarray as xr

from tests.results.records import example_tree, training_record
from throughtime.results import run_tree


@pytest.fixture(params=["nc", "zarr"])
def suffix(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def tree() -> xr.DataTree:
    return example_tree()


@pytest.fixture
def small() -> xr.DataTree:
    """A run without evaluation, for tests that save often."""
    return run_tree(training_record())


@pytest.fixture(autouse=True)
def synced(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Inodes handed to fsync, in place of waiting for the disk some hundred times a test."""
    inodes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: inodes.append(os.fstat(descriptor).st_ino))
    return inodes
