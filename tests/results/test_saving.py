"""A file is immutable, and appears whole or not at all."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.results.folders import entries, snapshot
from tests.results.records import example_tree, training_record
from throughtime.results import ResultsError, content_sha256, formats, load_tree, run_tree, save


def other_numbers() -> xr.DataTree:
    record = training_record()
    record.curves["loss"][0, 0] = 123.0
    return run_tree(record)


def other_configuration() -> xr.DataTree:
    record = training_record()
    record.config["training"] = {**record.config["training"], "num_updates": 60}
    return run_tree(record)


def test_saving_the_same_again_does_nothing(suffix, tmp_path):
    path = save(run_tree(training_record()), tmp_path / f"run.{suffix}")
    before = snapshot(path)
    again = run_tree(training_record())
    again.attrs["created_at"] = "2000-01-01T00:00:00+00:00"
    assert save(again, path) == path
    assert save(again, path, overwrite=True) == path
    assert snapshot(path) == before


@pytest.mark.parametrize(
    ("other", "what"),
    [(other_numbers, "the same configuration with other"), (other_configuration, "another configuration")],
)
def test_anything_else_is_refused_unless_told(other, what, small, suffix, tmp_path):
    path = save(small, tmp_path / f"run.{suffix}")
    before = snapshot(path)
    with pytest.raises(ResultsError, match=rf"exists and holds {what}.*overwrite=True"):
        save(other(), path)
    assert snapshot(path) == before
    save(other(), path, overwrite=True)
    assert content_sha256(load_tree(path)) == content_sha256(other())
    assert load_tree(path).attrs["run_id"] == other().attrs["run_id"]
    assert entries(tmp_path) == [path.name]


def test_what_is_no_result_is_never_replaced(small, suffix, tmp_path):
    path = tmp_path / f"run.{suffix}"
    if suffix == "nc":
        path.write_text("my diary")
    else:
        path.mkdir()
        (path / "diary.txt").write_text("my diary")
    before = snapshot(path)
    for overwrite in (False, True):
        with pytest.raises(ResultsError, match="not replaced, overwrite or not; move it away"):
            save(small, path, overwrite=overwrite)
    assert snapshot(path) == before


def test_a_tree_that_breaks_a_rule_is_not_written(small, suffix, tmp_path):
    for name in small["training"].data_vars:
        small["training"][name].attrs["units"] = "s"
    with pytest.raises(ResultsError, match=r"breaks 11 rules(.|\n)*/training/.* \(rule 6\)(.|\n)*and 1 more"):
        save(small, tmp_path / f"run.{suffix}")
    assert entries(tmp_path) == []


# What can go wrong on the way out.


def test_missing_folder(small, suffix, tmp_path):
    with pytest.raises(ResultsError, match=r"there is no folder .*; make it first"):
        save(small, tmp_path / "nowhere" / f"run.{suffix}")
    assert entries(tmp_path) == []


@pytest.fixture
def nobody(tmp_path: Path) -> Iterator[None]:
    """The test runs as a user who owns nothing, if root runs it."""
    root = os.geteuid() == 0
    above = [folder for folder in tmp_path.parents if "pytest-of" in str(folder)]
    folders = [tmp_path, *(above if root else [])]
    modes = [folder.stat().st_mode for folder in folders]
    for folder in folders:
        folder.chmod(0o555)
    if root:
        os.seteuid(65534)
    yield
    if root:
        os.seteuid(0)
    for folder, mode in zip(folders, modes, strict=True):
        folder.chmod(mode)


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of another kind")
def test_folder_without_write_permission(small, suffix, tmp_path, nobody):
    with pytest.raises(ResultsError, match="cannot be written"):
        save(small, tmp_path / f"run.{suffix}")
    assert entries(tmp_path) == []


@pytest.mark.skipif(not hasattr(os, "geteuid"), reason="permissions of another kind")
def test_folder_and_file_without_read_permission(small, tmp_path, request):
    path = save(small, tmp_path / "run.nc")
    path.chmod(0)
    (tmp_path / "closed").mkdir()
    (tmp_path / "closed").chmod(0)
    request.getfixturevalue("nobody")
    with pytest.raises(ResultsError, match=r"cannot be opened \(Permission denied\)"):
        load_tree(path)
    with pytest.raises(ResultsError, match=r"there is no .*its folder cannot be read"):
        load_tree(tmp_path / "closed" / "run.nc")
    with pytest.raises(ResultsError, match="cannot be written"):
        save(small, tmp_path / "closed" / "run.nc")


def fail(code: int, after: bool):
    """A writer that fails as a disk does, before or after half a file is there."""

    def write(tree: xr.DataTree, path: Path) -> None:
        if after:
            formats.write_netcdf(tree, path)
        raise OSError(code, os.strerror(code))

    return write


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_refused_writing_names_the_folder(code, small, suffix, tmp_path, monkeypatch):
    broken = formats.LAYOUTS[f".{suffix}"]._replace(write=fail(code, after=False))
    monkeypatch.setitem(formats.LAYOUTS, f".{suffix}", broken)
    with pytest.raises(ResultsError, match=f"folder {tmp_path} cannot be written .*choose another"):
        save(small, tmp_path / f"run.{suffix}")


@pytest.mark.parametrize("there", [False, True])
def test_full_disk_leaves_what_was_there(there, small, suffix, tmp_path, monkeypatch):
    path = tmp_path / f"run.{suffix}"
    if there:
        save(small, path)
    before = snapshot(path)
    layout = formats.LAYOUTS[path.suffix]
    monkeypatch.setitem(formats.LAYOUTS, path.suffix, layout._replace(write=fail(errno.ENOSPC, after=True)))
    with pytest.raises(ResultsError, match=r"No space left.*nothing was written"):
        save(other_numbers(), path, overwrite=True)
    assert snapshot(path) == before
    assert entries(tmp_path) == ([path.name] if there else [])


def test_file_size_limit_of_the_system(suffix, tmp_path):
    """A real failure in the midst of writing: the system refuses files of more than 16 KiB.

    HDF5 itself would crash the process here.
    """
    resource = pytest.importorskip("resource")
    updates = np.arange(4000)
    tree = example_tree(update=updates, curves={"loss": np.random.default_rng(0).normal(size=(3, 4000))})
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1 << 14, hard))
    try:
        with pytest.raises(ResultsError, match="nothing was written"):
            save(tree, tmp_path / f"run.{suffix}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert entries(tmp_path) == []
    assert load_tree(save(tree, tmp_path / f"run.{suffix}")).identical(tree)


def test_failing_rename_puts_the_old_one_back(small, suffix, tmp_path, monkeypatch):
    path = save(small, tmp_path / f"run.{suffix}")
    before = snapshot(path)
    rename, replace = os.rename, os.replace

    def broken(do):
        def move(source, target):
            if str(source).endswith(".tmp"):
                raise OSError(errno.EIO, os.strerror(errno.EIO))
            do(source, target)

        return move

    monkeypatch.setattr(os, "rename", broken(rename))
    monkeypatch.setattr(os, "replace", broken(replace))
    with pytest.raises(ResultsError, match="what was there is untouched"):
        save(other_numbers(), path, overwrite=True)
    assert snapshot(path) == before
    assert entries(tmp_path) == [path.name]


def test_a_broken_off_write_leaves_nothing(small, suffix, tmp_path, monkeypatch):
    def interrupted(tree: xr.DataTree, path: Path) -> None:
        formats.write_netcdf(tree, path)
        raise KeyboardInterrupt

    layout = formats.LAYOUTS[f".{suffix}"]._replace(write=interrupted)
    monkeypatch.setitem(formats.LAYOUTS, f".{suffix}", layout)
    with pytest.raises(KeyboardInterrupt):
        save(small, tmp_path / f"run.{suffix}")
    assert entries(tmp_path) == []
