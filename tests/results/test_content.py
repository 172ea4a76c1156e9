from __future__ import annotations

import hashlib

import numpy as np
import xarray as xr

from tests.results.records import example_tree
from throughtime.results import content_sha256


def test_hash_is_what_its_definition_says():
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    groups = {
        "/b": xr.Dataset({"x": (("seed", "update"), values)}),
        "/a/c": xr.Dataset({"y": ((), np.int64(7))}, {"seed": ("seed", [4])}),
    }
    expected = hashlib.sha256()
    expected.update(b"/a/c/seed\0<i8\0(1,)\0" + np.int64(4).tobytes())
    expected.update(b"/a/c/y\0<i8\0()\0" + np.int64(7).tobytes())
    expected.update(b"/b/x\0<f4\0(2, 3)\0" + values.tobytes())
    assert content_sha256(xr.DataTree.from_dict(groups)) == expected.hexdigest()


def test_order_of_groups_variables_memory_and_byte_order_do_not_count(tree):
    turned = {
        path: node.to_dataset(inherit=False)[list(node.data_vars)[::-1]]
        for path, node in reversed(list(tree.subtree_with_keys))
        if path != "."
    }
    loss = turned["training"]["loss"]
    turned["training"]["loss"] = loss.copy(data=np.asfortranarray(loss.values).astype(">f8"))
    assert content_sha256(xr.DataTree.from_dict(turned)) == content_sha256(tree)


def test_attributes_do_not_count(tree):
    before = content_sha256(tree)
    tree.attrs["created_at"] = "another day"
    assert content_sha256(tree) == before


def test_each_of_value_name_path_dtype_and_shape_counts():
    def one(path: str = "/a", name: str = "x", values: object = (1.0, 2.0), dims: str = "seed") -> str:
        return content_sha256(xr.DataTree.from_dict({path: xr.Dataset({name: (dims, np.asarray(values))})}))

    square = content_sha256(
        xr.DataTree.from_dict({"/a": xr.Dataset({"x": (("seed", "unit"), np.array([[1.0, 2.0]]))})})
    )
    changed = [
        one(),
        one(path="/b"),
        one(name="y"),
        one(values=(1.0, 3.0)),
        one(values=(-0.0, 2.0)),
        one(values=(0.0, 2.0)),
        one(values=np.array([1.0, 2.0], np.float32)),
        square,
    ]
    assert len(set(changed)) == len(changed)


def test_one_changed_weight_changes_the_hash():
    one, two = example_tree(), example_tree()
    assert content_sha256(one) == content_sha256(two)
    two["checkpoints/bias"].values[1, 0, 2] = 1e-30
    assert content_sha256(one) != content_sha256(two)
