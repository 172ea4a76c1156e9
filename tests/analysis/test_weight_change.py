"""Weight change: outer products and identities, a null that is its own, planted directions, invariances."""

import numpy as np
import pytest
import xarray as xr
from scipy import linalg, stats

from throughtime import analysis
from throughtime.analysis.arrays.weight_change import spectrum, unit_null, weight_change
from throughtime.results import schema

RNG = np.random.default_rng(0)
W = RNG.standard_normal((12, 12))


def changed(delta, **options):
    return weight_change(W, W + delta, **({"seed": 0, "num_draws": 40} | options))


def test_an_outer_product_has_rank_one():
    u, v = RNG.standard_normal((2, 12))
    found = changed(np.outer(u, v))
    assert found.spectrum.stable_rank == pytest.approx(1, abs=1e-10)
    assert found.spectrum.effective_rank == pytest.approx(1, abs=1e-10)
    assert found.spectrum.num_modes_90 == 1
    assert found.num_above_null == 1
    assert found.singular_value[0] == pytest.approx(np.linalg.norm(u) * np.linalg.norm(v))
    ratio = np.linalg.norm(u) * np.linalg.norm(v) / np.sqrt((W**2).sum())
    assert found.relative_change == pytest.approx(ratio)


@pytest.mark.parametrize("count", [2, 7, 12])
def test_an_identity_has_full_rank(count):
    found = weight_change(
        np.ones((count, count)), np.ones((count, count)) + np.eye(count), seed=0, num_draws=2
    )
    assert found.spectrum.stable_rank == pytest.approx(count)
    assert found.spectrum.effective_rank == pytest.approx(count)
    assert found.spectrum.num_modes_90 == np.ceil(0.9 * count - 1e-9)
    assert found.num_above_null == 0


def test_ranks_by_hand():
    """s = 2, 1, 1: Σs² = 6; shares ½, ¼, ¼ have entropy 3/2 ln 2; 4/6 and 5/6 are below 90 %."""
    found = changed(linalg.block_diag(np.diag([2.0, 1.0, 1.0]), np.zeros((9, 9)))).spectrum
    assert found.stable_rank == pytest.approx(6 / 4)
    assert found.effective_rank == pytest.approx(2**1.5)
    assert found.num_modes_90 == 3
    entropy = stats.entropy(np.arange(5.0, 0, -1))
    assert spectrum(np.arange(5.0, 0, -1)).effective_rank == pytest.approx(np.exp(entropy))
    assert spectrum(1e-200 * np.ones(4)).stable_rank == 4


def test_the_null_has_the_same_norm_and_holds_what_is_drawn_from_it():
    found = changed(np.outer(*RNG.standard_normal((2, 12))))
    null = unit_null((12, 12), 40, 0)
    np.testing.assert_allclose(null.std(0) > 0, True)
    np.testing.assert_allclose((null**2).sum(1), 1)
    mean = found.singular_value[0] * null.mean(0)
    np.testing.assert_allclose(found.null_singular_value.value, mean)
    inside = []
    for _ in range(60):
        one = changed(0.3 * RNG.standard_normal((12, 12)), confidence=0.9, num_draws=400)
        ranks = zip(one.spectrum, one.null_spectrum, strict=True)
        inside.append([low <= rank <= high for rank, (_, low, high) in ranks])
    assert (np.mean(inside, 0)[:2] > 0.8).all()
    assert (np.mean(inside, 0)[:2] < 1).all()
    again, other = changed(np.eye(12)), changed(np.eye(12), seed=1)
    np.testing.assert_array_equal(
        again.null_singular_value.value, changed(np.eye(12)).null_singular_value.value
    )
    assert (again.null_singular_value.value != other.null_singular_value.value).any()


def test_directions_of_the_change_are_found_in_what_it_was_made_of():
    """Δ = W_outᵀ e hᵀ, with h in the span of the input weights: written along W_outᵀ, read from inputs."""
    inputs, readout = RNG.standard_normal((12, 3)), RNG.standard_normal((2, 12))
    delta = readout.T @ RNG.standard_normal((2, 3)) @ inputs.T
    found = changed(delta, input_weights=inputs, readout=readout, num_vectors=2)
    np.testing.assert_allclose(found.readout_overlap.left, 1)
    np.testing.assert_allclose(found.input_overlap.right, 1)
    assert (found.readout_overlap.right < 0.9).all()
    assert (found.input_overlap.left < 0.9).all()
    assert (found.input_overlap.chance, found.readout_overlap.chance) == (3 / 12, 2 / 12)
    angles = linalg.subspace_angles(np.linalg.svd(delta)[0][:, :1], inputs)
    assert found.input_overlap.left[0] == pytest.approx(np.cos(angles[0]) ** 2)
    half = changed(np.outer(inputs[:, 0] / np.linalg.norm(inputs[:, 0]), np.ones(12)), readout=np.eye(12)[:6])
    wanted = (inputs[:6, 0] ** 2).sum() / (inputs[:, 0] ** 2).sum()
    assert half.readout_overlap.left[0] == pytest.approx(wanted)


def test_random_changes_overlap_at_chance():
    inputs = np.hstack([RNG.standard_normal((12, 3))] * 2)  # six columns, three dimensions
    each = [changed(RNG.standard_normal((12, 12)), input_weights=inputs, num_draws=2) for _ in range(200)]
    left = np.concatenate([one.input_overlap.left for one in each])
    assert each[0].input_overlap.chance == 3 / 12
    assert left.mean() == pytest.approx(0.25, abs=4 * left.std() / np.sqrt(left.size))


def test_rotating_units_changes_nothing():
    turn = np.linalg.qr(RNG.standard_normal((12, 12)))[0]
    inputs, delta = RNG.standard_normal((12, 2)), RNG.standard_normal((12, 12))
    plain = weight_change(W, W + delta, seed=0, input_weights=inputs, num_draws=2)
    turned = weight_change(
        turn @ W @ turn.T, turn @ (W + delta) @ turn.T, seed=0, input_weights=turn @ inputs, num_draws=2
    )
    np.testing.assert_allclose(turned.singular_value, plain.singular_value)
    np.testing.assert_allclose(turned.input_overlap.left, plain.input_overlap.left)
    assert turned.relative_change == pytest.approx(plain.relative_change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"after": np.full((12, 12), np.nan)}, "after: 144 of 144 values are not finite"),
        ({"before": np.zeros((12, 12))}, "before: all weights are 0"),
        ({"after": W}, "after: zero change from before"),
        ({"after": W[:5]}, r"after: shape \(5, 12\), before has \(12, 12\)"),
        ({"before": W[0]}, r"before: shape \(12,\); pass one matrix"),
        ({"num_draws": 1}, "num_draws: 1; draw the null at least 2 times"),
        ({"num_vectors": 0}, "num_vectors: 0; compare at least 1"),
        ({"confidence": 95}, "confidence: 95 is not between 0 and 1"),
        ({"input_weights": np.ones((5, 2))}, "input_weights: 5 units, the change is 12 × 12; overlaps need"),
        ({"readout": np.zeros((1, 12))}, "readout: all weights are 0; they span no direction"),
    ],
)
def test_refusals(change, message):
    with pytest.raises(ValueError, match=message):
        weight_change(**({"before": W, "after": W + 1, "seed": 0} | change))


def checkpoints():
    delta = RNG.standard_normal((2, 4, 12, 12))
    delta[:, 0] = 0
    delta[1, 3, 0, 0] = np.nan
    dims = ("seed", "checkpoint", "unit", "presynaptic_unit")
    update = (("seed", "checkpoint"), np.arange(8).reshape(2, 4))
    return xr.DataArray(W + delta, dims=dims, coords={"seed": [3, 5], "checkpoint_update": update})


def test_checkpoints_of_seeds():
    weights = checkpoints()
    readout = xr.DataArray(RNG.standard_normal((2, 1, 12)), dims=("seed", "output", "unit"))
    options = {"seed": 1, "num_draws": 30}
    found = analysis.weight_change(weights, readout=readout, **options)
    assert found["singular_value"].dims == ("seed", "checkpoint", "mode")
    assert found["left_readout_overlap"].dims == ("seed", "checkpoint", "component")
    assert found["fit_status"].values.tolist() == [[2, 0, 0, 0], [2, 0, 0, 1]]
    assert found["relative_change"].values[:, 0].tolist() == [0, 0]
    assert np.isnan(found["stable_rank"].values[:, 0]).all()
    assert np.isnan(found["relative_change"][1, 3])
    assert found["seed"].values.tolist() == [3, 5]
    np.testing.assert_array_equal(found["checkpoint_update"], weights["checkpoint_update"])
    one = weight_change(W, weights.values[1, 2], readout=readout.values[1], **options)
    here = found.isel(seed=1, checkpoint=2)
    np.testing.assert_allclose(here["singular_value"], one.singular_value)
    np.testing.assert_allclose(here["null_singular_value_upper"], one.null_singular_value.upper)
    np.testing.assert_allclose(here["null_effective_rank"], one.null_spectrum.effective_rank.value)
    np.testing.assert_allclose(here["right_readout_overlap"], one.readout_overlap.right)
    assert float(here["readout_overlap_chance"]) == 1 / 12
    assert float(here["relative_change"]) == pytest.approx(one.relative_change)
    assert "left_input_overlap" not in found
    assert set(found.dims) <= schema.DIMS
    assert not set(found.data_vars) & schema.DIMS
    assert {found[name].attrs["units"] for name in found.data_vars} == {"1"}
    assert all(found[name].attrs["long_name"] for name in found.data_vars)


def test_one_matrix_with_a_start_and_other_axes():
    weights = xr.DataArray(W[:, :3], dims=("unit", "input"))
    found = analysis.weight_change(2 * weights, start=weights, axes=("unit", "input"), seed=0, num_draws=5)
    assert float(found["relative_change"]) == pytest.approx(1)
    assert found.sizes["mode"] == 3
    seeds = xr.concat([2 * weights, np.nan * weights, weights], "seed")
    several = analysis.weight_change(seeds, start=weights, axes=("unit", "input"), seed=0, num_draws=5)
    np.testing.assert_allclose(several["num_modes_90"], [float(found["num_modes_90"]), np.nan, np.nan])
    assert several["fit_status"].values.tolist() == [0, 1, 2]
    with pytest.raises(ValueError, match="after: zero change from before"):
        analysis.weight_change(weights, start=weights, axes=("unit", "input"), seed=0)
    with pytest.raises(ValueError, match=r"weights: dims \('unit', 'input'\) lack presynaptic_unit"):
        analysis.weight_change(weights, start=weights, seed=0)
    with pytest.raises(ValueError, match="start: not given, and weights have no dim checkpoint"):
        analysis.weight_change(weights, axes=("unit", "input"), seed=0)
