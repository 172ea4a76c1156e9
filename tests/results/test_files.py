from __future__ import annotations

import os
from pathlib import Path

import numpy as np

from tests.results.folders import entries, snapshot
from tests.results.records import example_tree, training_record
from throughtime.results import content_sha256, formats, load_tree, save, validate


def test_a_tree_comes_back_the_same(tree, suffix, tmp_path):
    path = save(tree, tmp_path / f"run.{suffix}")
    back = load_tree(path)
    assert back.identical(tree)
    assert content_sha256(back) == content_sha256(tree)
    assert validate(back) == []
    assert entries(tmp_path) == [path.name]
    for group, node in tree.subtree_with_keys:
        for name, variable in node.to_dataset(inherit=False).variables.items():
            found = back[group].to_dataset(inherit=False).variables[name]
            assert found.dtype == variable.dtype
            assert found.encoding == {}
            assert found.values.tobytes() == variable.values.tobytes()


def test_attributes_come_back_as_python_values(tree, suffix, tmp_path):
    tree.attrs.update(note="ü µ", empty="", big=2**60, real=0.1, many=[1, 2], words=["a", "b c"])
    back = load_tree(save(tree, tmp_path / f"run.{suffix}"))
    assert back.attrs == tree.attrs
    assert {name: type(v) for name, v in back.attrs.items()} == {n: type(v) for n, v in tree.attrs.items()}
    one = back["evaluation/output"].attrs["flag_values"]
    assert one == 0
    assert type(one) is int
    assert type(back["training/status"].attrs["flag_values"]) is list


def test_attributes_written_by_others_are_normalised(tree, suffix, tmp_path):
    """A list of one, which netCDF returns as a scalar and zarr as a list."""
    path = tmp_path / f"run.{suffix}"
    tree["training"].attrs.update(one=np.array([3]), two=np.array([1.5, 2.5]))
    formats.LAYOUTS[path.suffix].write(tree, path)
    attrs = load_tree(path)["training"].attrs
    assert attrs["one"] == 3
    assert type(attrs["one"]) is int
    assert attrs["two"] == [1.5, 2.5]


def test_large_configuration_is_written(tree, suffix, tmp_path):
    """Imported weights in a configuration pass the 64 KiB that HDF5 gives a plain attribute."""
    tree.attrs["note"] = "x" * 300_000
    assert load_tree(save(tree, tmp_path / f"run.{suffix}")).attrs["note"] == tree.attrs["note"]


def test_empty_series_survive(suffix, tmp_path):
    record = training_record()
    curves = {name: values[:, :0] for name, values in record.curves.items()}
    tree = example_tree(update=record.update[:0], curves=curves)
    assert load_tree(save(tree, tmp_path / f"run.{suffix}")).identical(tree)


def test_big_float_arrays_are_compressed_and_small_are_not(tree, suffix, tmp_path):
    updates = np.arange(40_000)
    curves = {"loss": np.zeros((3, updates.size)), "score": np.full((3, updates.size), -0.0)}
    tree = example_tree(update=updates, curves=curves)
    path = save(tree, tmp_path / f"run.{suffix}")
    assert sum(map(len, snapshot(path).values())) < tree["training/loss"].nbytes
    back = load_tree(path)
    assert content_sha256(back) == content_sha256(tree)
    assert save(back, path) == path


def test_one_format_can_be_saved_as_the_other(tree, tmp_path):
    one = load_tree(save(tree, tmp_path / "run.nc"))
    two = load_tree(save(one, tmp_path / "run.zarr"))
    three = load_tree(save(two, tmp_path / "again.nc"))
    assert three.identical(tree)


def test_saving_does_not_change_the_tree(tree, suffix, tmp_path):
    tree["training/loss"].encoding["chunks"] = (1, 1)
    before = tree.copy(deep=True)
    save(tree, tmp_path / f"run.{suffix}")
    assert tree.identical(before)
    assert tree["training/loss"].encoding == {"chunks": (1, 1)}


def test_zarr_is_version_3_and_not_consolidated(tree, tmp_path):
    root = (save(tree, tmp_path / "run.zarr") / "zarr.json").read_text()
    assert '"zarr_format": 3' in root
    assert "consolidated" not in root


def test_a_loaded_file_is_closed(tree, suffix, tmp_path):
    path = save(tree, tmp_path / f"run.{suffix}")
    back = load_tree(path)
    for file in snapshot(path):
        Path(file).unlink()
    assert back.identical(tree)


def test_all_is_on_the_disk_before_it_gets_its_name(tree, suffix, tmp_path, synced, monkeypatch):
    at_rename: list[int] = []
    replace = os.replace

    def record(source, target):
        at_rename.extend(synced)
        replace(source, target)

    monkeypatch.setattr(os, "replace", record)
    path = save(tree, tmp_path / f"run.{suffix}")
    written = [path, *path.rglob("*")] if path.is_dir() else [path]
    assert {entry.stat().st_ino for entry in written} <= set(at_rename)
    assert synced[-1] == tmp_path.stat().st_ino
