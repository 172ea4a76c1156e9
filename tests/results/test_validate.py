"""Each rule has a tree that breaks it and nothing else."""

from __future__ import annotations

import warnings
from collections.abc import Callable

import numpy as np
import pytest
import xarray as xr

from tests.results.records import example_tree
from throughtime.results import validate
from throughtime.results.validate import RULES

GOOD = {"units": "1", "long_name": "x"}


def root(**attrs: object) -> Callable[[xr.DataTree], None]:
    def change(tree: xr.DataTree) -> None:
        tree.attrs.update(attrs)

    return change


def drop(name: str) -> Callable[[xr.DataTree], None]:
    def change(tree: xr.DataTree) -> None:
        del tree.attrs[name]

    return change


def attribute(path: str, **attrs: object) -> Callable[[xr.DataTree], None]:
    def change(tree: xr.DataTree) -> None:
        tree[path].attrs.update(attrs)

    return change


def no_units(tree: xr.DataTree) -> None:
    del tree["training/loss"].attrs["units"]


def put(path: str, dims: tuple[str, ...], values: object, **attrs: object) -> Callable[[xr.DataTree], None]:
    """A new variable in a group; ``path`` is ``group/name``."""

    def change(tree: xr.DataTree) -> None:
        group, name = path.split("/")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # xarray warns of a dim that occurs twice
            variable = xr.Variable(dims, values, {**GOOD, **attrs})
            tree[group].dataset = tree[group].to_dataset().assign({name: variable})

    return change


def coordinate(path: str, values: object) -> Callable[[xr.DataTree], None]:
    def change(tree: xr.DataTree) -> None:
        group, dim = path.split("/")
        dataset = tree[group].to_dataset()
        attrs = dataset[dim].attrs if dim in dataset else GOOD
        tree[group].dataset = dataset.assign_coords({dim: (dim, np.asarray(values), attrs)})

    return change


def bare_dim(tree: xr.DataTree) -> None:
    tree["training"].dataset = tree["training"].to_dataset().drop_vars("update")


def along(path: str, dim: str, values: object) -> Callable[[xr.DataTree], None]:
    """A coordinate of a group along a dim of another name."""

    def change(tree: xr.DataTree) -> None:
        group, name = path.split("/")
        dataset = tree[group].to_dataset()
        tree[group].dataset = dataset.assign_coords({name: (dim, np.asarray(values), GOOD)})

    return change


def root_variable(tree: xr.DataTree) -> None:
    tree.dataset = xr.Dataset({"x": ((), 1.0, GOOD)}, attrs=tree.attrs)


def root_coordinate(tree: xr.DataTree) -> None:
    tree.dataset = xr.Dataset(coords={"mode": ("mode", [0], GOOD)}, attrs=tree.attrs)


def child_of_same_name(tree: xr.DataTree) -> None:
    # xarray refuses this too, but a file made elsewhere could hold it.
    tree["training"]._children["loss"] = xr.DataTree()


def filled(tree: xr.DataTree) -> None:
    tree["training/num_updates"].variable.encoding["_FillValue"] = -1


BROKEN: list[tuple[int, str, Callable[[xr.DataTree], None]]] = [
    (1, "", root(schema_name="other")),
    (1, "", root(schema_version=2)),
    (1, "", root(kind="table")),
    (1, "", drop("created_at")),
    (1, "", drop("code_sha256")),
    (1, "x", root_variable),
    (1, "mode", root_coordinate),
    (2, "", root(note=True)),
    (2, "", root(note=None)),
    (2, "", root(note={"a": 1})),
    (2, "", root(note=[1])),
    (2, "", root(note=[])),
    (2, "", root(note=[1, "a"])),
    (2, "", root(note=[1, [2]])),
    (2, "", root(note=2**70)),
    (2, "", root(note=np.float64(1.0))),
    (2, "", attribute("training", note=(1, 2))),
    (2, "loss", attribute("training/loss", note=True)),
    (2, "time", attribute("evaluation/time", note=np.arange(2))),
    (3, "trials", coordinate("training/trials", [0, 1])),
    (3, "x", put("training/x", ("seed", "seed"), np.eye(3))),
    (3, "rule", put("training/rule", ("seed",), np.zeros(3))),
    (3, "region", along("evaluation/region", "unit", np.zeros(5, int))),
    (4, "update", bare_dim),
    (4, "update", coordinate("training/update", [10, 20, 20, 30, 40])),
    (4, "time", coordinate("evaluation/time", [10.0, 30.0, np.nan, 70.0, 90.0, 110.0])),
    (4, "time", coordinate("evaluation/time", [10.0, 30.0, 50.0, 70.0, 90.0, 120.0])),
    (5, "seed", coordinate("training/seed", [1, 3, 7])),
    (6, "recurrent", coordinate("checkpoints/presynaptic_unit", [1, 0, 2, 3, 4])),
    (6, "loss", no_units),
    (6, "loss", attribute("training/loss", units="seconds")),
    (6, "time", attribute("evaluation/time", units="s")),
    (7, "x", put("training/x", ("seed",), np.array([1j, 2, 3]))),
    (7, "x", put("training/x", ("seed",), np.array(["a", "b", "c"]))),
    (7, "x", put("training/x", ("seed",), np.array([None, 1, 2], dtype=object))),
    (7, "status", attribute("training/status", flag_meanings="reached exhausted gone wrong")),
    (7, "status", attribute("training/status", flag_values=[0, 1, 3])),
    (8, "x", put("training/x", ("seed",), [0.0, 1.0, np.nan], flag_values=[0, 1], flag_meanings="a b")),
    (8, "num_updates", attribute("training/num_updates", _FillValue=-1)),
    (8, "num_updates", attribute("training/num_updates", missing_value=-1)),
    (8, "num_updates", filled),
    (9, "", root(run_id="0" * 16)),
    (9, "", root(config_sha256="0" * 64)),
    (10, "loss", child_of_same_name),
]


@pytest.mark.parametrize(("rule", "variable", "change"), BROKEN)
def test_breaks_exactly_one_rule(rule, variable, change):
    tree = example_tree()
    change(tree)
    problems = validate(tree)
    assert {problem.rule for problem in problems} == {rule}, problems
    assert variable in {problem.variable for problem in problems}
    assert all(problem.remedy.endswith(".") for problem in problems)


@pytest.mark.parametrize("rule", sorted(RULES))
def test_every_rule_is_broken_by_some_case(rule):
    assert rule in {number for number, _, _ in BROKEN}


def test_without_its_rule_a_broken_tree_would_pass(monkeypatch):
    """The cases can fail: take a rule away and its cases find nothing."""
    for number, _, change in BROKEN:
        with monkeypatch.context() as patch:
            patch.delitem(RULES, number)
            tree = example_tree()
            change(tree)
            assert validate(tree) == []


def test_config_changed_by_hand_is_noticed(tree):
    tree.attrs["config"] = tree.attrs["config"].replace("random", "symmetric")
    problems = validate(tree)
    assert [problem.rule for problem in problems] == [9, 9]


def test_a_problem_says_where_and_what_to_do(tree):
    tree["training/loss"].attrs["units"] = "s"
    (problem,) = validate(tree)
    assert (problem.path, problem.variable, problem.rule) == ("/training", "loss", 6)
    assert str(problem).startswith("/training/loss (rule 6): attribute units must be one of 1, ms,")


def test_a_study_or_analysis_needs_no_config(tree):
    for kind in ("study", "analysis"):
        common = (
            "schema_name",
            "schema_version",
            "created_at",
            "creation_library",
            "creation_library_version",
        )
        attrs = {name: tree.attrs[name] for name in common}
        assert validate(xr.DataTree(xr.Dataset(attrs={**attrs, "kind": kind}))) == []


def test_labels_of_units_and_scalar_coordinates_are_allowed(tree):
    along("evaluation/cell_type", "unit", np.zeros(5, int))(tree)
    tree["analysis/one"] = xr.DataTree(xr.Dataset({"x": ((), 1.0, GOOD)}, {"time": ((), 10.0, GOOD)}))
    assert validate(tree) == []


def test_seed_out_of_order_in_a_nested_group_is_found(tree):
    table = xr.Dataset({"x": ("seed", np.zeros(3), GOOD)}, {"seed": ("seed", [7, 1, 3], GOOD)})
    tree["analysis/pca"] = xr.DataTree(table)
    # The nested group comes first by name, so the others are said to differ from it.
    assert {(p.rule, p.variable) for p in validate(tree)} == {(5, "seed")}
