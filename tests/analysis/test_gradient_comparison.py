"""Comparison of gradients: planted bias and variance, enumerated draws, quadratic losses."""

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.gradient_alignment import feedback_alignment, gradient_alignment
from throughtime.analysis.arrays.gradient_bias_variance import gradient_bias_variance
from throughtime.analysis.arrays.one_step_change import one_step_change

G = {"recurrent": np.array([[1.0, -2.0], [0.5, 0.0]]), "bias": np.array([2.0, 1.0])}
FLAT = np.concatenate([G["recurrent"].ravel(), G["bias"]])
SIGNS = np.array(np.meshgrid(*[(-1.0, 1.0)] * 8)).reshape(8, -1).T


def split(flat):
    """Blocks from (…, entry)."""
    return {"recurrent": flat[..., :4].reshape(*flat.shape[:-1], 2, 2), "bias": flat[..., 4:]}


def test_alignment_by_block_and_for_all():
    found = gradient_alignment(split(np.stack([2 * FLAT, -FLAT, 0 * FLAT])), G)
    assert found.blocks == ("recurrent", "bias", "all")
    np.testing.assert_allclose(found.cosine, [[1] * 3, [-1] * 3, [np.nan] * 3])
    np.testing.assert_allclose(found.norm_ratio, [[2] * 3, [1] * 3, [0] * 3])
    turned = {"recurrent": G["recurrent"], "bias": np.array([-1.0, 2.0])}
    one = gradient_alignment(turned, G)
    total = (FLAT[:4] @ FLAT[:4]) / (FLAT @ FLAT)
    np.testing.assert_allclose(one.cosine, [1, 0, total], atol=1e-15)
    assert np.isnan(gradient_alignment(G, {**G, "bias": np.zeros(2)}).norm_ratio[1])


def test_enumerated_signs_have_no_bias_and_a_known_variance():
    """ĝ = (g·ξ)ξ over all 2⁸ signs: E ĝ = g, and tr Σ = (8 − 1)‖g‖²."""
    g = np.arange(1.0, 9.0)
    draws = {"w": (SIGNS @ g)[:, None] * SIGNS}
    found = gradient_bias_variance(draws, {"w": g}, population=True)
    np.testing.assert_allclose(found.bias_squared.value, 0, atol=1e-24)
    np.testing.assert_allclose(found.relative_variance.value, 7)
    np.testing.assert_allclose(found.signal_to_noise.value, 1 / 7)
    np.testing.assert_allclose(found.mean_norm_squared.value, g @ g)
    assert (found.variance.lower == found.variance.upper).all()


@pytest.mark.parametrize("bias", [0.0, 0.7])
def test_planted_bias_and_variance_are_found_without_bias(bias):
    rng, spread, count, repeats = np.random.default_rng(1), 0.9, 8, 400
    planted = FLAT + bias * np.eye(6)[1]
    noise = rng.standard_normal((repeats, count, 6))
    found = [gradient_bias_variance(split(planted + spread * one), G) for one in noise]
    wanted = {
        "bias_squared": bias**2,
        "mean_norm_squared": planted @ planted,
        "variance": 6 * spread**2,
        "relative_variance": 6 * spread**2 / (FLAT @ FLAT),
    }
    for name, truth in wanted.items():
        value, lower, upper = (
            np.array([getattr(getattr(one, name), end)[-1] for one in found])
            for end in ("value", "lower", "upper")
        )
        error = value.std() / np.sqrt(repeats)
        assert abs(value.mean() - truth) < 4 * error, name
        assert np.mean((lower <= truth) & (truth <= upper)) > 0.9, name
    values = np.array([one.bias_squared.value[-1] for one in found])
    variances = np.array([one.variance.value[-1] for one in found])
    naive = values + variances / count  # the square of the mean's distance, not corrected
    assert naive.mean() - bias**2 > 4 * naive.std() / np.sqrt(repeats)
    assert (values < 0).any() or bias > 0


def test_intervals_are_those_of_leaving_out_each_draw():
    draws = FLAT + np.random.default_rng(0).standard_normal((5, 6))
    found = gradient_bias_variance(split(draws), G, confidence=0.9)
    for name in ("bias_squared", "mean_norm_squared", "variance"):
        without = np.array(
            [
                getattr(gradient_bias_variance(split(np.delete(draws, k, 0)), G), name).value[-1]
                for k in range(5)
            ]
        )
        half = 2.13184679 * np.sqrt(4 / 5 * ((without - without.mean()) ** 2).sum())  # t of 4 at 95 %
        estimate = getattr(found, name)
        assert estimate.upper[-1] - estimate.value[-1] == pytest.approx(half)
    assert found.signal_to_noise.lower[-1] == pytest.approx(1 / found.relative_variance.upper[-1])


H = np.diag([1.0, 2.0, 0.5, 3.0, 1.5, 0.1]) + 0.2


def product(v):
    return split(H @ np.concatenate([v["recurrent"].ravel(), v["bias"]]))


def test_one_step_on_a_quadratic_loss():
    rng, eta, count, repeats = np.random.default_rng(2), 0.2, 6, 400
    planted = 0.5 * FLAT
    truth = -eta * FLAT @ planted + 0.5 * eta**2 * (planted @ H @ planted + 0.49 * np.trace(H))
    values, plugged = [], []
    for _ in range(repeats):
        draws = planted + 0.7 * rng.standard_normal((count, 6))
        changes = -eta * draws @ FLAT + 0.5 * eta**2 * np.einsum("ki,ij,kj->k", draws, H, draws)
        found = one_step_change(split(draws), G, product, eta, measured=changes)
        assert found.measured == pytest.approx(found.predicted)
        values.append(found.predicted.value)
        mean, cov = draws.mean(0), np.cov(draws.T)
        plugged.append(-eta * FLAT @ mean + 0.5 * eta**2 * (mean @ H @ mean + np.trace(H @ cov)))
    error = np.std(values) / np.sqrt(repeats)
    assert abs(np.mean(values) - truth) < 4 * error
    assert np.mean(plugged) - np.mean(values) == pytest.approx(
        0.5 * eta**2 * 0.49 * np.trace(H) / count, rel=0.1
    )


def test_the_best_step_lowers_the_prediction_most():
    found = one_step_change(G, G, product, 0.1, population=True)
    assert found.best_change < found.predicted.value < 0
    at_best = one_step_change(G, G, product, found.best_step, population=True)
    assert at_best.predicted.value == pytest.approx(found.best_change)
    for factor in (0.9, 1.1):
        other = one_step_change(G, G, product, factor * found.best_step, population=True)
        assert other.predicted.value > found.best_change
    saddle = one_step_change(G, G, lambda v: {name: -x for name, x in v.items()}, 0.1, population=True)
    assert np.isnan(saddle.best_step)
    assert np.isnan(saddle.measured.value)


def test_feedback_alignment_over_checkpoints():
    rng = np.random.default_rng(3)
    feedback = rng.standard_normal((2, 3, 4, 1))
    readout = np.swapaxes(feedback, -1, -2).copy()
    readout[0, 0] *= -2
    readout[1, 2] = 0
    wanted = np.ones((2, 3))
    wanted[0, 0], wanted[1, 2] = -1, np.nan
    np.testing.assert_allclose(feedback_alignment(feedback, readout), wanted)
    data = xr.Dataset(
        {
            "rule_feedback": (("seed", "checkpoint", "unit", "output"), feedback),
            "readout": (("seed", "checkpoint", "output", "unit"), readout),
            "checkpoint_update": (("seed", "checkpoint"), np.arange(6).reshape(2, 3)),
        }
    )
    found = analysis.feedback_alignment(xr.DataTree.from_dict({"/checkpoints": data}))
    np.testing.assert_allclose(found["feedback_cosine"], wanted)
    assert "checkpoint_update" in found
    with pytest.raises(ValueError, match=r"no rule_feedback; give the tree of a run whose rule has feedback"):
        analysis.feedback_alignment(data.drop_vars("rule_feedback"))
    with pytest.raises(ValueError, match=r"expected \(…, unit, output\) and \(…, output, unit\)"):
        feedback_alignment(feedback, feedback)


DIMS = {"recurrent": ("unit", "presynaptic_unit"), "bias": ("unit",)}


def dataset(blocks, *lead):
    return xr.Dataset({name: ((*lead, *DIMS[name]), value) for name, value in blocks.items()})


def test_datasets_give_what_the_arrays_give_seed_by_seed():
    draws = split(FLAT + np.random.default_rng(4).standard_normal((2, 5, 6)))
    exact = {name: np.stack([value, 2 * value]) for name, value in G.items()}
    given = dataset(draws, "seed", "draw").transpose("unit", ...)
    aligned = analysis.gradient_alignment(given, dataset(exact, "seed"))
    spread = analysis.gradient_bias_variance(given, dataset(exact, "seed"))
    assert aligned["cosine"].dims == ("seed", "draw", "block")
    assert aligned["block"].attrs["flag_meanings"] == "recurrent bias all"
    for seed in range(2):
        one, true = ({name: value[seed] for name, value in blocks.items()} for blocks in (draws, exact))
        np.testing.assert_allclose(aligned["cosine"][seed], gradient_alignment(one, true).cosine)
        wanted = gradient_bias_variance(one, true).bias_squared
        np.testing.assert_allclose(spread["bias_squared_upper"][seed], wanted.upper)
    measured = xr.DataArray(np.zeros(5), dims="draw")
    one = dataset({name: value[0] for name, value in draws.items()}, "draw")
    step = analysis.one_step_change(one, dataset(G), product, 0.1, measured=measured)
    assert float(step["measured_change"]) == 0
    assert float(step["best_step"]) > 0
    for found in (aligned, spread, step):
        assert all(variable.attrs["units"] == "1" for variable in found.data_vars.values())


def test_refusals():
    with pytest.raises(
        ValueError, match=r"blocks \['bias'\], exact has \['bias', 'recurrent'\]; give the same"
    ):
        gradient_alignment({"bias": G["bias"]}, G)
    with pytest.raises(ValueError, match=r"block bias has shape \(3,\), exact has \(2,\); give the same"):
        gradient_alignment({**G, "bias": np.ones(3)}, G)
    with pytest.raises(ValueError, match="blocks differ in their number of draws"):
        gradient_alignment({"recurrent": np.ones((3, 2, 2)), "bias": np.ones((2, 2))}, G)
    with pytest.raises(ValueError, match=r"draws: 2 draws; give at least 3 on a leading axis"):
        gradient_bias_variance(split(np.ones((2, 6))), G)
    with pytest.raises(ValueError, match=r"draws: no axis of draws"):
        gradient_bias_variance(G, G)
    with pytest.raises(ValueError, match=r"draws: 1 draw; give at least 2"):
        one_step_change(G, G, product, 0.1)
    with pytest.raises(ValueError, match=r"learning_rate: 0 is not a number > 0"):
        one_step_change(G, G, product, 0, population=True)
    with pytest.raises(ValueError, match=r"measured: 1 of 1 values are not finite; use a smaller"):
        one_step_change(G, G, product, 1.0, population=True, measured=[np.inf])
    with pytest.raises(ValueError, match=r"unequal lengths: measured 3, draws 1"):
        one_step_change(G, G, product, 1.0, population=True, measured=np.ones(3))
