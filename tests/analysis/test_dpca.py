"""Demixed components: exact shares and axes, the objective, cross-validation, refusals, datasets."""

from itertools import combinations

import numpy as np
import pytest
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.dpca import default_groups, dpca, grouped_marginals
from throughtime.analysis.arrays.dpca_trials import cells, choose_ridge

NUM_TIMES, NUM_UNITS = 12, 8
PHASE = 2 * np.pi * (np.arange(NUM_TIMES) + 0.5) / NUM_TIMES
F, H = np.sqrt(2) * np.cos(PHASE), np.sqrt(2) * np.sin(2 * PHASE)  # orthogonal, mean 0, mean square 1
A, B, C = np.linalg.qr(np.random.default_rng(0).standard_normal((NUM_UNITS, 3)))[0].T
G = np.array([-1.0, 1.0])
EXACT = (
    3 * F[None, :, None] * A + G[:, None, None] * B + 0.5 * G[:, None, None] * H[None, :, None] * C
) + np.arange(NUM_UNITS)  # (stimulus, time, unit) around unequal means
SINGLE = {"time": [("time",)], "stimulus": [("stimulus",)], "both": [("stimulus", "time")]}
FACTORS = ("stimulus", "time")


def noisy(seed=0, noise=0.4, shape=(3, 2), num_trials=6, num_units=10):
    """(trial, time, unit) and the levels of two factors; signal of few dimensions, noise of others."""
    rng = np.random.default_rng(seed)
    labels = np.array([index for index in np.ndindex(*shape) for _ in range(num_trials)])
    basis = rng.standard_normal((4, num_units))
    x, y = labels[:, 0] - 1.0, 2.0 * labels[:, 1] - 1
    terms = np.stack(
        [np.outer(x, F), np.outer(y, H), np.outer(x * y, F), np.outer(np.ones(len(x)), 2 * H)], -1
    )
    private = rng.standard_normal((len(x), NUM_TIMES, 2)) @ (4 * rng.standard_normal((2, num_units)))
    return terms @ basis + noise * (private + rng.standard_normal((len(x), NUM_TIMES, num_units))), labels


def test_exact_shares_and_axes():
    found = dpca(EXACT, FACTORS, groups=SINGLE, num_components=1)
    np.testing.assert_allclose(found.marginal_variance, [0.878049, 0.097561, 0.024390], atol=1e-6)
    np.testing.assert_allclose(found.marginal_variance, np.array([9, 1, 0.25]) / 10.25)
    for row, axis in zip(found.encoder, (A, B, C), strict=True):
        np.testing.assert_allclose(abs(row @ axis), 1)
    np.testing.assert_allclose(found.encoder, found.decoder, atol=1e-12)
    np.testing.assert_allclose(found.explained_variance, np.array([9, 1, 0.25]) / 10.25)
    np.testing.assert_allclose(found.component_marginal_variance, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(abs(found.score[..., 0]), abs(np.tile(3 * F, (2, 1))), atol=1e-12)
    np.testing.assert_allclose(found.mean, np.arange(NUM_UNITS), atol=1e-12)


def test_default_groups_join_a_factor_and_its_interaction_with_time():
    found = dpca(EXACT, FACTORS, num_components=3)
    assert found.names == ("time", "stimulus")
    np.testing.assert_allclose(found.marginal_variance, np.array([9, 1.25]) / 10.25)
    np.testing.assert_allclose(abs(found.encoder[3:5] @ np.stack([B, C]).T), np.eye(2), atol=1e-12)
    there = np.isfinite(found.encoder[:, 0])
    np.testing.assert_array_equal(there, [1, 0, 0, 1, 1, 0])  # one direction of time, two of the stimulus
    assert np.isnan(found.score[..., ~there]).all()
    assert np.isnan(found.explained_variance[~there]).all()
    np.testing.assert_array_equal(found.group, [0, 0, 0, 1, 1, 1])
    assert list(default_groups(("a", "b", "time"))) == ["time", "a", "b", "a×b"]
    assert default_groups(("a", "b"))["a×b"] == [("a", "b")]


def test_skewed_axes_need_decoders_unlike_their_encoders():
    skew = (B + 2 * A) / np.sqrt(5)
    activity = 3 * F[None, :, None] * A + G[:, None, None] * skew
    found = dpca(activity, FACTORS, groups=dict(list(SINGLE.items())[:2]), num_components=1)
    np.testing.assert_allclose(abs(found.encoder[1] @ skew), 1)
    assert abs(found.encoder[1] @ found.decoder[1]) == pytest.approx(1)
    assert abs(found.decoder[1] @ A) < 1e-10
    np.testing.assert_allclose(found.component_marginal_variance, np.eye(2), atol=1e-12)


def test_marginals_add_up_are_orthogonal_and_average_out():
    rng = np.random.default_rng(1)
    activity = rng.standard_normal((3, 2, 5, 4))
    names = ("a", "b", "time")
    sets = [each for size in (1, 2, 3) for each in combinations(names, size)]
    centred = activity - activity.mean((0, 1, 2))
    parts = list(grouped_marginals(centred, names, {str(each): [each] for each in sets}))
    np.testing.assert_allclose(sum(parts), centred, atol=1e-12)
    around = grouped_marginals(centred + 7, names, {str(each): [each] for each in sets})
    np.testing.assert_allclose(list(around), parts, atol=1e-12)  # the grand mean is in no marginal
    for each, part in zip(sets, parts, strict=True):
        for axis, name in enumerate(names):
            averaged = part.mean(axis)
            if name in each:
                np.testing.assert_allclose(averaged, 0, atol=1e-12)
            else:
                np.testing.assert_allclose(part, np.broadcast_to(np.expand_dims(averaged, axis), part.shape))
    for first, second in combinations(parts, 2):
        assert abs((first * second).sum()) < 1e-10
    found = dpca(activity, names)
    assert found.marginal_variance.sum() == pytest.approx(1)


def loss(part, flat, encoder, decoder, penalty, noise):
    """The objective, term by term, with matrices (unit, component) and (component, unit)."""
    return (
        ((part - flat @ decoder.T @ encoder.T) ** 2).sum()
        + penalty * (decoder**2).sum()
        + len(flat) * np.trace(encoder @ decoder @ noise @ (encoder @ decoder).T)
    )


def alternating(part, flat, count, penalty, noise, rng):
    """Minimum by exact steps in the decoder and, by a polar factor, in the orthonormal encoder."""
    kernel = flat.T @ flat + penalty * np.eye(flat.shape[1]) + len(flat) * noise
    encoder = np.linalg.qr(rng.standard_normal((flat.shape[1], count)))[0]
    for _ in range(500):
        decoder = encoder.T @ part.T @ flat @ np.linalg.inv(kernel)
        left, _, right = np.linalg.svd(part.T @ flat @ decoder.T, full_matrices=False)
        encoder = left @ right
    return encoder, decoder


@pytest.mark.parametrize("penalty", [0.0, 0.3])
def test_no_other_encoder_and_decoder_do_better(penalty):
    activity, labels = noisy()
    averages = cells(activity, labels, (3, 2))
    names = ("x", "y", "time")
    noise = averages.noise_covariance if penalty else np.zeros((10, 10))
    found = dpca(
        averages.mean, names, num_components=2, ridge=penalty, noise_covariance=noise if penalty else None
    )
    centred = averages.mean - averages.mean.mean((0, 1, 2))
    flat, total = centred.reshape(-1, 10), (centred**2).sum()
    rng = np.random.default_rng(2)
    for index, part in enumerate(grouped_marginals(centred, names, default_groups(names))):
        part = part.reshape(-1, 10)
        own = found.group == index
        encoder, decoder = found.encoder[own].T, found.decoder[own]
        best = loss(part, flat, encoder, decoder, penalty * total, noise)
        judge = loss(
            part, flat, *alternating(part, flat, 2, penalty * total, noise, rng), penalty * total, noise
        )
        assert best == pytest.approx(judge, rel=1e-6)
        assert best <= judge * (1 + 1e-9)
        for _ in range(20):
            other = np.linalg.qr(encoder + 0.1 * rng.standard_normal(encoder.shape))[0]
            moved = decoder + 0.05 * rng.standard_normal(decoder.shape)
            assert loss(part, flat, other, moved, penalty * total, noise) > best


def test_explained_variance_is_what_a_component_restores():
    activity, labels = noisy()
    mean = cells(activity, labels, (3, 2)).mean
    found = dpca(mean, ("x", "y", "time"), num_components=2, ridge=0.01)
    flat = (mean - found.mean).reshape(-1, 10)
    for k in range(len(found.encoder)):
        left = ((flat - np.outer(flat @ found.decoder[k], found.encoder[k])) ** 2).sum() / (flat**2).sum()
        assert found.explained_variance[k] == pytest.approx(1 - left)
    np.testing.assert_allclose(found.component_marginal_variance.sum(1), 1)


def test_invariances():
    activity, labels = noisy()
    mean = cells(activity, labels, (3, 2)).mean
    base = dpca(mean, ("x", "y", "time"), num_components=2, ridge=0.05)
    turn = np.linalg.qr(np.random.default_rng(3).standard_normal((10, 10)))[0]
    turned = dpca(7 + 3 * mean @ turn, ("x", "y", "time"), num_components=2, ridge=0.05)
    np.testing.assert_allclose(abs((turned.encoder * (base.encoder @ turn)).sum(1)), 1)
    np.testing.assert_allclose(turned.marginal_variance, base.marginal_variance)
    np.testing.assert_allclose(turned.explained_variance, base.explained_variance)
    swapped = dpca(np.moveaxis(mean.swapaxes(0, 1), -1, 0), ("y", "x", "time"), axis=0, num_components=2)
    order = [swapped.names.index(name) for name in ("time", "x", "y")]
    plain = dpca(mean, ("x", "y", "time"), num_components=2)
    np.testing.assert_allclose(swapped.marginal_variance[order], plain.marginal_variance[:3])


def test_averages_of_unequal_cells_and_their_noise():
    rng = np.random.default_rng(4)
    labels = np.array([[0, 0], [0, 1], [1, 0], [1, 1], [0, 0], [0, 1], [1, 0], [1, 1], [1, 1]])
    activity = rng.standard_normal((9, 3, 2))
    found = cells(activity, labels, (2, 2))
    np.testing.assert_array_equal(found.num_trials, [[2, 2], [2, 3]])
    np.testing.assert_allclose(found.mean[1, 1], activity[[3, 7, 8]].mean(0))
    each = [
        np.cov(activity[(labels == [i, j]).all(1), t].T)
        for i in range(2) for j in range(2) for t in range(3)
    ]  # fmt: skip
    np.testing.assert_allclose(found.noise_covariance, np.mean(each, 0))
    assert np.isnan(cells(activity[:7], labels[:7], (2, 2)).noise_covariance).all()


def test_cross_validation_penalises_where_trials_are_few_and_not_where_there_is_no_noise():
    activity, labels = noisy(noise=0.5, num_trials=3, num_units=40)
    ridges = [0.0, 1e-3, 1e-2, 1e-1, 1.0]
    found = choose_ridge(activity, labels, ("x", "y", "time"), ridges, seed=0, num_splits=4)
    assert 0 < found.ridge < 1
    assert found.error.argmin() == ridges.index(found.ridge)
    again = choose_ridge(activity, labels, ("x", "y", "time"), ridges, seed=0, num_splits=4)
    np.testing.assert_array_equal(found.error, again.error)
    activity, labels = noisy(noise=0.0, num_trials=2)
    clean = choose_ridge(activity, labels, ("x", "y", "time"), [0.1, 0.0], seed=0, num_splits=1)
    assert clean.ridge == 0
    assert clean.error[1] > 0  # each group lacks what the others have ...
    wide = choose_ridge(activity, labels, ("x", "y", "time"), [0.0], seed=0, num_splits=1, num_components=1)
    np.testing.assert_allclose(wide.error, clean.error[1])


def test_cross_validation_against_a_loop_that_keeps_trials_apart():
    activity, labels = noisy(num_trials=3, num_units=6)
    names, corners = ("x", "y", "time"), list(np.ndindex(3, 2))
    found = choose_ridge(activity, labels, names, [0.02], seed=7, num_components=2, num_splits=2)
    rng, slow = np.random.default_rng(7), []
    for _ in range(2):
        order = rng.permutation(len(labels)).tolist()
        of = [[k for k in order if tuple(labels[k]) == corner] for corner in corners]
        mean = np.array([activity[rest].mean(0) for _, *rest in of]).reshape(3, 2, NUM_TIMES, 6)
        fit = dpca(mean, names, num_components=2, ridge=0.02)
        new = activity[[first for first, *_ in of]].reshape(mean.shape) - fit.mean
        whole = mean - fit.mean
        time = whole.mean((0, 1))
        x, y = whole.mean(1, keepdims=True) - time, whole.mean(0, keepdims=True) - time
        error = 0.0
        for index, part in enumerate((time, x, y, whole - x - y - time)):
            own = fit.group == index
            error += ((part - new @ fit.decoder[own].T @ fit.encoder[own]) ** 2).sum()
        slow.append(error / (whole**2).sum())
    np.testing.assert_allclose(found.error, [np.mean(slow)])


def test_noise_covariance_turns_decoders_away_from_noise():
    activity, labels = noisy(noise=0.6, num_trials=20)
    averages = cells(activity, labels, (3, 2))
    names = ("x", "y", "time")
    plain = dpca(averages.mean, names, num_components=1)
    told = dpca(averages.mean, names, num_components=1, noise_covariance=averages.noise_covariance)
    spread = [
        np.einsum("ci,ij,cj->c", fit.decoder, averages.noise_covariance, fit.decoder)
        for fit in (plain, told)
    ]  # fmt: skip
    assert (spread[1] < spread[0]).all()


@pytest.mark.parametrize(
    ("activity", "options", "message"),
    [
        (np.where(EXACT > 9, np.nan, EXACT), {}, "activity: .* the design must be complete"),
        (EXACT[0], {}, "factors: .'stimulus', 'time'. for averages with 1 axes beside units"),
        (EXACT[:1], {}, "activity: one level of stimulus; a factor needs at least two"),
        (0 * EXACT + 2, {}, "activity: zero variance in every unit"),
        (EXACT, {"groups": {}}, "groups: none; name at least one"),
        (EXACT, {"groups": {"a": [("choice",)]}}, "groups: 'a' holds the set .'choice',.; use factors among"),
        (EXACT, {"groups": {"a": []}}, "groups: 'a' holds no set of factors"),
        (
            EXACT,
            {"groups": {"a": [("time",), ("stimulus", "time")], "b": [("time", "stimulus")]}},
            "groups: the set .'time', 'stimulus'. is in two groups",
        ),
        (EXACT, {"num_components": 0}, "num_components 0, ridge 0.0: use at least 1"),
        (EXACT, {"ridge": -1.0}, "ridge -1.0: use at least 1, and a finite share from"),
        (
            EXACT,
            {"noise_covariance": np.eye(3)},
            "noise_covariance: shape .3, 3.; use a symmetric matrix of 8",
        ),
    ],
)
def test_refusals(activity, options, message):
    with pytest.raises(ValueError, match=message):
        dpca(activity, FACTORS, **options)


def test_refusals_of_trials():
    activity, labels = noisy(num_trials=1)
    with pytest.raises(ValueError, match=r"factors: 1 of 6 cells have no trials, the first of levels .2, 1."):
        cells(activity[:-1], labels[:-1], (3, 2))
    with pytest.raises(ValueError, match="activity: 1 trial in a cell; holding one out takes at least 2"):
        choose_ridge(activity, labels, ("x", "y", "time"), [0.0, 0.1], seed=0)
    with pytest.raises(ValueError, match=r"num_splits 0, ridges .0.0.: use at least one"):
        choose_ridge(activity, labels, ("x", "y", "time"), [0.0], seed=0, num_splits=0)
    with pytest.raises(ValueError, match=r"factors: .'x', 'time'. for 2 columns of labels; time comes last"):
        choose_ridge(activity, labels, ("x", "time"), [0.0], seed=0)


def dataset():
    activity, labels = noisy()
    other, _ = noisy(seed=1)
    rates = xr.DataArray(
        np.stack([activity, other]), dims=("seed", "trial", "lag", "unit"), attrs={"units": "Hz"},
        coords={"seed": [2, 3], "lag": 10.0 * np.arange(NUM_TIMES), "unit": np.arange(10) + 5},
    )  # fmt: skip
    x = xr.DataArray(
        labels[:, 0] * 0.5, dims="trial", attrs={"units": "ms", "long_name": "delay"}, name="delay"
    )
    y = xr.DataArray(np.array(["left", "right"])[labels[:, 1]], dims="trial")
    return rates, {"delay": x, "side": y}, labels


def test_datasets():
    rates, factors, labels = dataset()
    found = analysis.dpca(rates, factors, num_components=2, ridge=0.01, noise=True)
    names = ("delay", "side", "time")
    for s in range(2):
        averages = cells(rates.values[s], labels, (3, 2))
        direct = dpca(
            averages.mean, names, num_components=2, ridge=0.01, noise_covariance=averages.noise_covariance
        )
        np.testing.assert_allclose(found.encoder[s], direct.encoder)
        np.testing.assert_allclose(found.decoder[s], direct.decoder)
        np.testing.assert_allclose(found.score[s].values.reshape(direct.score.shape), direct.score)
        np.testing.assert_allclose(found.marginal_variance[s], direct.marginal_variance)
        np.testing.assert_allclose(found.component_marginal_variance[s], direct.component_marginal_variance)
    assert found.parameter.attrs["flag_meanings"] == "time delay side delay×side"
    np.testing.assert_array_equal(found.marginal, np.repeat(np.arange(4), 2))
    np.testing.assert_array_equal(found.delay_level, [0, 0, 0.5, 0.5, 1, 1])
    np.testing.assert_array_equal(found.side_level, [0, 1] * 3)
    assert found.side_level.attrs["flag_meanings"] == "left right"
    assert found.delay_level.attrs["units"] == "ms"
    np.testing.assert_array_equal(found["lag"], rates["lag"])
    np.testing.assert_array_equal(found["unit"], rates["unit"])
    typed = rates.assign_coords(cell_type=("unit", np.arange(rates.sizes["unit"]) % 2))
    np.testing.assert_array_equal(analysis.dpca(typed, factors, num_components=1).cell_type, typed.cell_type)
    np.testing.assert_array_equal(found.num_trials, 6)
    assert set(found.sizes) <= set(found.coords)
    assert all({"units", "long_name"} <= set(each.attrs) for each in found.data_vars.values())
    assert found.attrs["method"] == "dpca"


def test_cross_validated_ridge_missing_units_and_refused_seeds():
    rates, factors, labels = dataset()
    rates = rates.where((rates["unit"] != 7) | (rates["seed"] == 2))
    kept = xr.DataArray(labels[:, 0] != 0, dims="trial")
    rates = rates.where(kept | (rates["seed"] == 2))
    found = analysis.dpca(rates, factors, num_components=1, ridge=[0.0, 0.01, 0.1], num_splits=2)
    np.testing.assert_array_equal(found.fit_status, [0, 1])
    assert "cells have no trials" in found.attrs["refusal"]
    assert found.ridge_used[0] in (0.0, 0.01, 0.1)
    assert np.isnan(found.encoder[1]).all()
    first = rates.isel(seed=[0]).where(rates["unit"] != 7)
    less = analysis.dpca(first, factors, num_components=1)
    assert np.isnan(less.encoder.sel(unit=7)).all()
    rest = [k for k in range(10) if k != 2]
    direct = dpca(
        cells(rates.values[0][..., rest], labels, (3, 2)).mean, ("delay", "side", "time"), num_components=1
    )
    np.testing.assert_allclose(less.encoder[0][:, rest], direct.encoder)
    with pytest.raises(ValueError, match="cells have no trials"):
        analysis.dpca(rates.isel(seed=1), factors)
    with pytest.raises(ValueError, match="factors: 'time' is a factor by itself"):
        analysis.dpca(rates, {"time": factors["side"]})
    with pytest.raises(ValueError, match="factors: none"):
        analysis.dpca(rates, {})
    single = rates.isel(seed=0, trial=np.flatnonzero(np.arange(36) % 6 == 0))
    with pytest.raises(ValueError, match=r"noise_covariance: .* it takes 2 trials in every cell"):
        analysis.dpca(single, {name: each[::6] for name, each in factors.items()}, noise=True)
