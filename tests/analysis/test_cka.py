"""CKA: known values, a U-statistic counted by hand, invariances, chance, named arrays."""

from itertools import permutations

import numpy as np
import pytest

from throughtime import analysis
from throughtime.analysis.arrays.cka import cka

from .similarity import STRETCHED, U, named, rotation, stored

RNG = np.random.default_rng(0)


def hsic_by_hand(k, h):
    """Unbiased HSIC as the average of its kernel over all ordered quadruples of different samples."""
    quadruples = list(permutations(range(len(k)), 4))
    total = sum(k[i, j] * (h[i, j] + h[q, r] - 2 * h[i, q]) for i, j, q, r in quadruples)
    return total / len(quadruples)


def test_biased_value_of_a_stretched_cloud():
    found = cka(STRETCHED, U, debiased=False)
    assert found.cka == pytest.approx(5 / np.sqrt(34), abs=1e-14)
    assert found.cka == pytest.approx(0.857493, abs=5e-7)
    assert (found.n, found.p, found.q) == (4, 2, 2)


@pytest.mark.parametrize("widths", [(2, 3), (9, 8)])
def test_debiased_value_is_the_u_statistic_counted_by_hand(widths):
    x, y = (RNG.standard_normal((7, width)) + 5 for width in widths)
    k, h = x @ x.T, y @ y.T
    expected = hsic_by_hand(k, h) / np.sqrt(hsic_by_hand(k, k) * hsic_by_hand(h, h))
    assert cka(x, y).cka == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("widths", [(3, 4), (40, 30)])
def test_biased_value_is_that_of_centred_kernels(widths):
    x, y = (RNG.standard_normal((12, width)) + 2 for width in widths)
    centre = np.eye(12) - 1 / 12
    k, h = centre @ x @ x.T @ centre, centre @ y @ y.T @ centre
    expected = np.trace(k @ h) / np.sqrt(np.trace(k @ k) * np.trace(h @ h))
    assert cka(x, y, debiased=False).cka == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("debiased", [False, True])
def test_rotation_scale_and_shift_do_not_matter_and_a_stretch_does(debiased):
    for draw in range(5):
        rng = np.random.default_rng(draw)
        x, y = rng.standard_normal((30, 5)), rng.standard_normal((30, 7))
        turned = -3.0 * x @ rotation(5, rng) + rng.standard_normal(5)
        assert cka(x, turned, debiased=debiased).cka == pytest.approx(1, abs=1e-12)
        value = cka(x, y, debiased=debiased).cka
        assert cka(turned, y, debiased=debiased).cka == pytest.approx(value, abs=1e-12)
        assert cka(y, x, debiased=debiased).cka == pytest.approx(value, abs=1e-12)
        assert cka(x * [9, 1, 1, 1, 1], x, debiased=debiased).cka < 0.95


def test_independent_gaussians_are_alike_only_by_the_biased_value():
    x, y = RNG.standard_normal((2, 100, 100))
    assert cka(x, y, debiased=False).cka == pytest.approx(0.5, abs=0.02)
    assert cka(x, y).cka == pytest.approx(0, abs=0.05)


def test_shuffled_samples_are_at_chance_on_average():
    x = RNG.standard_normal((40, 6))
    y = x @ rotation(6, RNG)
    values = [cka(x, y[RNG.permutation(40)]).cka for _ in range(300)]
    assert abs(np.mean(values)) < 4 * np.std(values) / np.sqrt(300)
    assert min(values) < 0
    assert np.mean([cka(x, y[RNG.permutation(40)], debiased=False).cka for _ in range(50)]) > 0.08


def test_units_may_lie_on_any_axis_and_samples_on_several():
    x, y = RNG.standard_normal((4, 5, 6)), RNG.standard_normal((4, 5, 3))
    expected = cka(x.reshape(20, 6), y.reshape(20, 3)).cka
    assert cka(np.moveaxis(x, -1, 0), np.moveaxis(y, -1, 0), axis=0).cka == pytest.approx(expected)


def test_a_self_term_that_is_not_positive_gives_nan():
    # one sample far from all others: what is left without the diagonal is negative
    lonely = np.zeros((5, 1))
    lonely[0] = 1.0
    k = (lonely - lonely.mean()) @ (lonely - lonely.mean()).T
    assert hsic_by_hand(k, k) <= 1e-15
    assert np.isnan(cka(lonely, RNG.standard_normal((5, 2))).cka)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (U[:3], U[:3], "x: 3 samples; use at least 4"),
        (U, np.ones((4, 2)), "y: zero variance in every unit"),
        (U, RNG.standard_normal((5, 2)), r"y: samples of shape \(5,\), x has \(4,\); pass the same samples"),
        (np.where(U > 0, np.nan, U), U, "x: 4 of 8 values are not finite"),
        (U, np.arange(4.0), r"y: shape \(4,\); expected \(sample, unit\)"),
    ],
)
def test_refuses(x, y, message):
    with pytest.raises(ValueError, match=message):
        cka(x, y)


def test_named_arrays_seed_by_seed():
    x, y = RNG.standard_normal((3, 8, 5, 4)), RNG.standard_normal((3, 8, 5, 6))
    x[1, 2] = np.nan  # padding
    first, second = named(x, "seed", "trial", "time", "unit"), named(y, "seed", "trial", "time", "unit")
    found = analysis.cka(first, second.transpose("unit", ...))
    for seed in range(3):
        kept = np.isfinite(x[seed]).all(-1)
        alone = cka(x[seed][kept], y[seed][kept])
        assert found.cka.values[seed] == pytest.approx(alone.cka)
        assert (found.n.values[seed], found.p.values[seed], found.q.values[seed]) == alone[1:]
    assert found.cka.dims == ("seed",)
    assert found.attrs["method"] == "cka"
    assert found.attrs["debiased"] == 1
    assert not stored(found)


def test_a_dead_seed_among_others_is_nan_and_one_alone_is_refused():
    x, y = named(RNG.standard_normal((2, 9, 4)), "seed", "trial", "unit"), RNG.standard_normal((9, 5))
    y = named(y, "trial", "unit")  # one data set for all seeds
    x[1] = 0.0
    found = analysis.cka(x, y)
    assert found.status.values.tolist() == [0, 1]
    assert np.isnan(found.cka.values).tolist() == [False, True]
    assert found.attrs["refusal"].startswith("x: zero variance")
    assert not stored(found)
    with pytest.raises(ValueError, match="zero variance"):
        analysis.cka(x[1], y)
    with pytest.raises(ValueError, match="zero variance"):
        analysis.cka(0 * x, y)


def test_refuses_names_that_do_not_match():
    x = named(RNG.standard_normal((9, 4)), "trial", "unit")
    with pytest.raises(ValueError, match="y: 9 elements of 'trial', x has 9, or their labels differ"):
        analysis.cka(x, x.assign_coords(trial=np.arange(9)[::-1]))
    with pytest.raises(ValueError, match=r"y: dims .* lack trial"):
        analysis.cka(x, x.rename(trial="time"))
    seeds = x.expand_dims(seed=[0, 1])
    with pytest.raises(ValueError, match="elements of 'seed'"):
        analysis.cka(seeds, seeds.assign_coords(seed=[1, 2]))
