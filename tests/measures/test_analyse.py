"""Measures are added to a copy of a run, say where they come from, and lose nothing when one fails."""

import dataclasses
import json
from typing import ClassVar

import numpy as np
import pytest
import xarray as xr

import throughtime as tt
from throughtime import analysis, measures, results
from throughtime.measures import Material
from throughtime.measures.adding import choose, refusals
from throughtime.measures.base import BySeed, stack_seeds

TASK = tt.tasks.make("delayed-match-to-sample", dt=50.0)
CIRCUIT = tt.circuits.for_task(TASK, num_units=6, noise=0.05)


@pytest.fixture(scope="module")
def run():
    return tt.train(
        TASK, CIRCUIT, tt.rules.make("bptt"), seeds=[4, 9], num_updates=2, batch_size=2, test_trials=2
    )


@pytest.fixture(scope="module")
def found(run):
    return tt.analyse(run, ["dimensionality", measures.make("pca", num_components=2)], num_trials=6)


@dataclasses.dataclass(frozen=True)
class Fragile(BySeed):
    """A measure that some seeds are refused."""

    refused: tuple[int, ...] = ()
    kinds: ClassVar[dict[str, object]] = {"units": "1", "flag_values": [0, 1], "flag_meanings": "no yes"}

    def of_seed(self, material, seed):
        if seed in self.refused:
            raise ValueError(f"activity: seed {seed} will not do; take another.")
        kind = ("mode", np.arange(2 if seed == 4 else 3) % 2, self.kinds)
        coords = {"mode": ("mode", np.arange(2 if seed == 4 else 3), {"units": "1"})}
        return xr.Dataset({"kind": kind, "value": ((), float(seed), {"units": "1"})}, coords)


def test_a_measure_is_its_analysis_of_the_runs_trials(run, found):
    told = found.tree["analysis/dimensionality"].to_dataset()
    data = tt.evaluate(run, 6, purpose="analysis", noise=False)
    rates = data["rates"].where(data["valid"].astype(bool))
    for index in range(2):
        alone = analysis.dimensionality(rates.isel(seed=index))
        np.testing.assert_allclose(told["eigenvalue"][index], alone["eigenvalue"])
    assert told["seed_status"].values.tolist() == [0, 0]
    assert found.tree["analysis/pca/score"].dims == ("seed", "trial", "time", "component")


def test_the_copy_says_where_it_comes_from_and_the_run_is_as_it_was(run, found, tmp_path):
    assert "analysis" not in run.tree.children
    attrs = found.tree.attrs
    assert (attrs["kind"], attrs["parent_run"]) == ("analysis", run.tree.attrs["run_id"])
    group = found.tree["analysis/pca"].attrs
    assert group["method"] == "pca"
    assert json.loads(group["params"]) == {
        "num_components": 2, "epoch": None, "soft_normalization": None, "num_trials": 6, "checkpoint": -1
    }  # fmt: skip
    assert group["input_sha256"] == results.content_sha256(run.tree)
    for name in run.tree.children:
        assert found.tree[name].to_dataset().identical(run.tree[name].to_dataset())
    again = tt.load(found.save(tmp_path / "x.nc"))
    more = tt.analyse(again, ["gradient_norms"], num_trials=3)
    assert set(more.tree["analysis"].children) == {"dimensionality", "pca", "gradient_norms"}
    assert more.tree["analysis/gradient_norms"].attrs["input_sha256"] == group["input_sha256"]
    assert more.tree.attrs["parent_run"] == attrs["parent_run"]
    assert not results.validate(more.tree)


def test_gradient_norms_of_the_runs_own_loss(run):
    told = tt.analyse(run, {"gradient_norms": {"num_trials": 2, "num_lags": 3}}, num_trials=4)
    norms = told.tree["analysis/gradient_norms"].to_dataset()
    assert norms["jacobian_norm"].dims == ("seed", "trial", "lag")
    np.testing.assert_allclose(norms["jacobian_norm"].isel(lag=0), 1.0)
    assert np.isfinite(norms["loss_gradient_norm"].isel(time=0)).all()


def test_a_refused_seed_is_missing_and_counted(run):
    told = tt.analyse(run, [Fragile((9,))], num_trials=2).tree["analysis/fragile"]
    assert told["seed_status"].values.tolist() == [0, 2]
    assert told["kind"].values.tolist() == [[0, 1], [-1, -1]]
    assert told["kind"].attrs["flag_meanings"] == "absent no yes"
    assert np.isnan(told["value"].values[1])
    assert told.attrs["refusal"] == "activity: seed 9 will not do; take another."


def test_a_measure_that_is_refused_leaves_its_reason_and_the_others(run):
    told = tt.analyse(run, ["dimensionality", Fragile((4, 9))], num_trials=2)
    assert refusals(told) == {"fragile": "activity: seed 4 will not do; take another."}
    assert "participation_ratio" in told.tree["analysis/dimensionality"]
    assert not results.validate(told.tree)


def test_a_diverged_seed_is_missing(run):
    groups = {path.rstrip("/") or "/": node.to_dataset() for path, node in tree_items(run)}
    groups["/training"]["status"][1] = 2
    groups["/checkpoints"]["recurrent"][1, -1] = np.nan
    broken = results.Run(xr.DataTree.from_dict(groups))
    told = tt.analyse(broken, ["dimensionality"], num_trials=2).tree["analysis/dimensionality"]
    assert told["seed_status"].values.tolist() == [0, 1]
    assert np.isnan(told["participation_ratio"].values[1])
    assert told["num_samples"].values[1] == -1
    first = tt.analyse(broken, ["dimensionality"], num_trials=2, checkpoint=0).tree["analysis/dimensionality"]
    assert first["seed_status"].values.tolist() == [0, 0]  # its weights were sound before


def tree_items(run):
    return [
        ("/" if path == "." else f"/{path}", node)
        for path, node in run.tree.copy(deep=True).subtree_with_keys
    ]


def test_material(run):
    material = Material(run, num_trials=5)
    name, onset, offset = material.epoch("delay")
    assert name == "delay"
    inside = material.within("delay")
    np.testing.assert_allclose(inside.sum("time"), (offset - onset) / TASK.dt, atol=0.5)
    held = material.constant_inputs("delay")
    assert held.dims == ("seed", "input_condition", "input")
    np.testing.assert_allclose(held, 0.0, atol=0.01)  # the noise of the inputs
    by = material.constant_inputs("sample", by="sample")
    assert by.sizes["input_condition"] == 2
    last = material.at_end("delay")
    time = int(float(offset[0, 0]) / TASK.dt - 0.5)  # the last bin whose centre lies before the end
    np.testing.assert_array_equal(last[0, 0], material.quiet["rates"][0, 0, time])
    assert material.conditions(most=1) == ("sample",)
    batch = material.batch(9)
    np.testing.assert_allclose(batch.inputs, material.quiet["inputs"].sel(seed=9), atol=1e-4)
    with pytest.raises(ValueError, match="epoch: the task has no 'rest'; choose of"):
        material.epoch("rest")
    with pytest.raises(ValueError, match="condition: the task has none called 'colour'"):
        material.condition("colour")


def test_stacking_keeps_the_order_of_seeds():
    one = xr.Dataset({"x": ("mode", [1.0])}, {"mode": ("mode", [0], {"units": "1"})}, {"method": "m"})
    stacked = stack_seeds({7: one, 3: one * 2}, [3, 5, 7])
    np.testing.assert_array_equal(stacked["x"].squeeze(), [2.0, np.nan, 1.0])
    assert stacked["mode"].attrs == {"units": "1"}


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ("pca", r"expected several, got the text 'pca'; write \['pca'\]"),
        ([], "none given"),
        (["pcs"], "unknown measure 'pcs'; did you mean 'pca'"),
        (["pca", measures.make("pca", num_components=3)], "'pca' is there twice"),
        ([3], "3 is no measure"),
        ({"pca": {"components": 3}}, "pca: no option 'components'; it has num_components"),
    ],
)
def test_what_cannot_be_measured_is_refused_first(given, message):
    with pytest.raises(ValueError, match=message):
        choose(given)


def test_every_measure_has_the_name_of_its_class_and_a_description():
    for name in measures.names():
        kind = measures.get(name)
        assert kind.named() == name
        assert dataclasses.is_dataclass(kind)
        assert kind.__doc__
        assert kind() == measures.make(name.replace("_", "-"))
