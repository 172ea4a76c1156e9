"""Comparisons over seeds: exact tests by hand, effects, intervals, refused p values, failed seeds."""

from itertools import product
from math import comb

import numpy as np
import pytest
import xarray as xr
from scipy.stats import mannwhitneyu, wilcoxon

from throughtime import analysis
from throughtime.analysis.arrays.holm import holm
from throughtime.analysis.arrays.paired_statistics import median_interval, paired_statistics
from throughtime.analysis.arrays.unpaired_statistics import u_counts, unpaired_statistics
from throughtime.results.schema import DIMS, UNITS

RNG = np.random.default_rng(0)
UP = np.array([0.4, 1.0, 2.5, 0.7, 3.1, 1.2])
ZERO = np.zeros(6)
QUICK = {"num_resamples": 199}


def by_hand(values):
    """Two-sided p of the sum of values under all flips, pattern by pattern."""
    sums = [
        sum(s * v for s, v in zip(signs, values, strict=True))
        for signs in product((-1, 1), repeat=len(values))
    ]
    found, slack = sum(values), 1e-9
    tails = [sum(x >= found - slack for x in sums), sum(x <= found + slack for x in sums)]
    return min(1.0, 2 * min(tails) / len(sums))


def test_six_positive_differences():
    found = paired_statistics(UP, ZERO)
    assert found.p == found.p_minimum == 0.03125
    assert (found.rank_biserial, found.num_seeds, found.status, found.ranked) == (1.0, 6, 0, 0)
    assert found.mean_difference == pytest.approx(8.9 / 6)
    assert found.d_z == pytest.approx((8.9 / 6) / UP.std(ddof=1))
    assert found.median_difference == pytest.approx(1.1)
    np.testing.assert_array_equal(found.median_interval, [0.4, 3.1])
    assert found.interval[0] < found.mean_difference < found.interval[1]


@pytest.mark.parametrize(
    ("count", "expected"),
    [(3, 0.25), (4, 0.125), (5, 0.0625), (6, 0.03125), (8, 0.0078125), (10, 0.001953125)],
)
def test_smallest_paired_p(count, expected):
    found = paired_statistics(np.arange(1.0, count + 1), np.zeros(count), level=0.3, **QUICK)
    assert found.p_minimum == found.p == expected


@pytest.mark.parametrize(("count", "expected"), [(3, 0.1), (4, 0.0286), (5, 0.0079)])
def test_smallest_unpaired_p(count, expected):
    found = unpaired_statistics(np.arange(count) + 10.0, np.arange(count), level=0.2, **QUICK)
    assert found.p_minimum == found.p == pytest.approx(2 / comb(2 * count, count))
    assert found.p == pytest.approx(expected, abs=5e-5)


def test_ten_seeds_are_enough_for_a_family_of_25_and_no_more():
    first, second = np.arange(1.0, 11.0), np.zeros(10)
    assert paired_statistics(first, second, family_size=25, **QUICK).p == 2.0**-9
    refused = paired_statistics(first, second, family_size=26, **QUICK)
    assert np.isnan(refused.p)
    assert refused.status == 1
    assert np.isfinite([*refused.interval, refused.mean_difference, refused.d_z, refused.p_minimum]).all()
    assert np.isnan(paired_statistics(first[:5], second[:5], **QUICK).p)
    small = unpaired_statistics(first[:3], second[:3] - 1, **QUICK)
    assert (small.status, small.p_minimum) == (1, pytest.approx(0.1))
    assert np.isnan(small.p)
    assert small.mean_difference == 3


@pytest.mark.parametrize("test", ["sign-flip", "wilcoxon"])
def test_exact_p_is_the_one_counted_pattern_by_pattern(test):
    for draw in range(6):
        values = np.random.default_rng(draw).normal(0.3, 1, 8).round(1)
        found = paired_statistics(values, np.zeros(8), test=test, **QUICK)
        if test == "sign-flip":
            assert found.p == pytest.approx(by_hand(values))
        else:
            sizes = np.abs(values[values != 0])
            ranks = [((sizes < s).sum() + (sizes <= s).sum() + 1) / 2 for s in sizes]
            signed = np.sign(values[values != 0]) * ranks
            assert found.p == pytest.approx(by_hand(signed))
            assert found.rank_biserial == pytest.approx(signed.sum() / np.abs(signed).sum())


def test_wilcoxon_without_ties_is_scipys():
    values = RNG.normal(0.5, 1, 11)
    found = paired_statistics(values, np.zeros(11), test="wilcoxon", **QUICK)
    assert found.p == pytest.approx(wilcoxon(values, method="exact").pvalue)
    assert found.ranked == 1


def test_random_flips_beyond_16_pairs_agree_with_the_normal_limit():
    values = np.random.default_rng(3).normal(0.35, 1, 30)
    found = paired_statistics(values, np.zeros(30), seed=1)
    assert found.p_minimum == pytest.approx(2 / 10_000)
    assert found.p == paired_statistics(values, np.zeros(30), seed=1).p
    assert found.p == pytest.approx(wilcoxon(values, method="exact").pvalue, abs=0.03)
    certain = paired_statistics(np.arange(1.0, 31.0), np.zeros(30))
    assert certain.p == certain.p_minimum


def test_mann_whitney_is_scipys_and_its_ties_are_counted_split_by_split():
    first, second = RNG.normal(0.5, 1, 6), RNG.normal(0, 1, 9)
    found = unpaired_statistics(first, second, **QUICK)
    reference = mannwhitneyu(first, second, method="exact")
    assert found.p == pytest.approx(reference.pvalue)
    assert found.rank_biserial == pytest.approx(2 * reference.statistic / 54 - 1)
    above = (first[:, None] > second).mean() - (first[:, None] < second).mean()
    assert found.rank_biserial == pytest.approx(above)
    pooled = np.sqrt((5 * first.var(ddof=1) + 8 * second.var(ddof=1)) / 13)
    assert found.cohen_d == pytest.approx((first.mean() - second.mean()) / pooled)
    assert found.median_difference == pytest.approx(np.median(first[:, None] - second))
    # (1, 2, 2, 3) against (2, 0, 0, 0): mid-ranks, all 70 splits
    tied = unpaired_statistics(np.array([1.0, 2, 2, 3]), np.array([2.0, 0, 0, 0]), level=0.2, **QUICK)
    ranks = [4.0, 6, 6, 8, 6, 2, 2, 2]
    sums = [
        sum(r for r, use in zip(ranks, pick, strict=True) if use)
        for pick in product((0, 1), repeat=8)
        if sum(pick) == 4
    ]
    assert len(sums) == 70
    assert tied.p == pytest.approx(2 * sum(s >= 24 for s in sums) / 70)
    many = np.arange(24.0) // 2
    assert 0 < unpaired_statistics(many[12:], many[:12], **QUICK).p <= 2 / 200 + 1e-12


def test_counts_of_u():
    for n, m in ((3, 3), (2, 5), (6, 4)):
        expected = np.zeros(n * m + 1)
        for pick in product((0, 1), repeat=n + m):
            if sum(pick) == n:
                places = np.flatnonzero(pick)
                expected[int(places.sum() - n * (n - 1) / 2)] += 1
        np.testing.assert_array_equal(u_counts(n, m), expected)


def test_holm():
    np.testing.assert_allclose(holm(np.array([0.01, 0.04, 0.03, 0.005])), [0.03, 0.06, 0.06, 0.02])
    np.testing.assert_allclose(holm(np.array([0.01, np.nan, 0.03])), [0.03, np.nan, 0.06])
    np.testing.assert_allclose(holm(np.array([0.01, 0.02]), family_size=5), [0.05, 0.08])
    np.testing.assert_array_equal(holm(np.array([[0.5], [0.9]])), [[1.0], [1.0]])
    np.testing.assert_allclose(holm(np.array([0.02, 0.02, 0.5])), [0.06, 0.06, 0.5])
    assert holm(np.array([0.03])) == 0.03


def test_holm_keeps_its_order_and_lies_between_the_raw_and_bonferronis():
    for _ in range(20):
        p = RNG.random(7) ** 3
        adjusted = holm(p)
        assert (np.diff(adjusted[np.argsort(p)]) >= 0).all()
        assert ((adjusted >= p) & (adjusted <= np.minimum(1, 7 * p) + 1e-12)).all()
        order = RNG.permutation(7)
        np.testing.assert_array_equal(holm(p[order]), adjusted[order])


def test_labels_without_meaning_are_told_apart_at_the_nominal_level():
    """p of shuffled labels is at most α with chance at most α, and nearly so for the exact tests."""
    rng = np.random.default_rng(4)
    paired, unpaired = [], []
    for _ in range(400):
        first, second = rng.standard_exponential((2, 7))
        paired.append(paired_statistics(first, second, num_resamples=99).p)
        unpaired.append(unpaired_statistics(first, second, num_resamples=99).p)
    for found in (np.array(paired), np.array(unpaired)):
        for level in (0.05, 0.2):
            assert (found <= level).mean() <= level + 2.6 * np.sqrt(level * (1 - level) / 400)
        assert (found <= 0.2).mean() > 0.1


def test_order_of_pairs_and_exchange_of_the_sides():
    first, second = RNG.normal(0, 1, (2, 9))
    order = RNG.permutation(9)
    found = paired_statistics(first, second, **QUICK)
    moved = paired_statistics(first[order], second[order], **QUICK)
    back = paired_statistics(second, first, **QUICK)
    for name in ("p", "mean_difference", "d_z", "rank_biserial", "median_difference"):
        assert getattr(moved, name) == pytest.approx(getattr(found, name))
        sign = 1 if name == "p" else -1
        assert getattr(back, name) == pytest.approx(sign * getattr(found, name))
    np.testing.assert_array_equal(moved.median_interval, found.median_interval)
    other = unpaired_statistics(second, first, **QUICK)
    assert other.p == pytest.approx(unpaired_statistics(first, second[order], **QUICK).p)


def test_intervals_cover_the_truth():
    rng = np.random.default_rng(5)
    hits = np.zeros(4)
    for _ in range(120):
        first, second = rng.normal(1, 1, 12), rng.normal(0, 1, 12)
        paired = paired_statistics(first, second, num_resamples=299)
        unpaired = unpaired_statistics(first, second, num_resamples=299)
        for k, (low, high) in enumerate(
            (paired.interval, paired.median_interval, unpaired.interval, unpaired.median_interval)
        ):
            hits[k] += low <= 1 <= high
    assert (hits >= 104).all()  # 95 % of 120 is 114, the bootstrap of 12 a little less
    assert hits[1] >= 109
    assert hits[3] >= 109


def test_median_interval_is_the_narrowest_that_suffices():
    for count, expected in ((5, (-np.inf, np.inf)), (6, (0, 5)), (8, (0, 7)), (9, (1, 7)), (12, (2, 9))):
        np.testing.assert_array_equal(median_interval(np.arange(float(count)), 0.95), expected)


def test_failed_seeds_are_ranked_worst_never_dropped():
    first = np.array([0.9, np.nan, 0.8, 0.95, 0.7, 0.85])
    second = first - 0.1 * np.arange(1, 7)
    second[1] = 0.5
    found = paired_statistics(first, second, higher_is_better=True)
    assert (found.num_seeds, found.num_failed_first, found.num_failed_second, found.ranked) == (6, 1, 0, 1)
    # five positive differences, and the largest rank against them
    assert found.p == pytest.approx(by_hand([1, 2, 3, 4, 5, -6]))
    assert found.rank_biserial == pytest.approx(9 / 21)
    assert found.difference[1] == -np.inf
    assert np.isnan([found.mean_difference, found.d_z, *found.interval]).all()
    assert found.median_difference == pytest.approx(np.median([-1, 0.1, 0.3, 0.4, 0.5, 0.6]))
    np.testing.assert_allclose(found.median_interval, [-np.inf, 0.6])
    loss = paired_statistics(first, second, higher_is_better=False)
    assert loss.p == 0.03125
    valued = paired_statistics(first, second, failed=0.5)
    assert (valued.num_failed_first, valued.ranked, valued.difference[1]) == (1, 0, 0.0)
    assert valued.mean_difference == pytest.approx(1.9 / 6)


def test_seeds_that_failed_on_both_sides_tie():
    first, second = np.arange(1.0, 9.0), np.zeros(8)
    first[0] = second[0] = np.nan
    found = paired_statistics(first, second, higher_is_better=True, **QUICK)
    assert found.difference[0] == 0
    assert (found.num_seeds, found.p, found.p_minimum) == (8, 2.0**-6, 2.0**-7)
    groups = unpaired_statistics(first, second, higher_is_better=True, **QUICK)
    assert groups.rank_biserial == pytest.approx((7 * 8 - 7) / 64)
    assert np.isnan([groups.mean_difference, groups.cohen_d, *groups.interval]).all()


def test_a_rule_that_fails_in_every_seed_loses_to_one_that_never_does():
    found = paired_statistics(np.arange(8.0), np.full(8, np.nan), higher_is_better=True, **QUICK)
    assert (found.p, found.rank_biserial, found.median_difference) == (2.0**-7, 1.0, np.inf)
    assert (found.num_failed_second, found.status) == (8, 0)
    groups = unpaired_statistics(np.full(8, np.nan), np.arange(8.0), higher_is_better=True, **QUICK)
    assert (groups.p, groups.rank_biserial) == (pytest.approx(2 / comb(16, 8)), -1.0)


def test_equal_differences_have_a_p_but_no_spread():
    found = paired_statistics(np.ones(10), np.zeros(10), **QUICK)
    assert found.p == 2.0**-9
    assert np.isnan([found.d_z, *found.interval]).all()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: paired_statistics(UP, ZERO[:5]), "unequal lengths: first 6, second 5; give the same seeds"),
        (lambda: paired_statistics(UP[:2], ZERO[:2]), "first: 2 seeds; use at least 3"),
        (lambda: paired_statistics(UP, ZERO - np.inf), "second: 6 infinite values; mark failed seeds"),
        (lambda: paired_statistics(UP, UP), "first, second: all 6 differences are 0; there is nothing"),
        (lambda: paired_statistics(UP[None], ZERO), r"first: expected one value a seed, got shape \(1, 6\)"),
        (lambda: paired_statistics(UP, ZERO, test="t"), "test: unknown 't'; use one of sign-flip, wilcoxon"),
        (lambda: paired_statistics(UP, ZERO, failed="drop"), "failed: unknown 'drop'; use 'worst'"),
        (lambda: paired_statistics(UP, ZERO, failed=np.nan), "failed: nan is not finite; use 'worst'"),
        (lambda: paired_statistics(UP * np.nan, ZERO, failed="refuse"), "failed: 6 seeds are NaN; use"),
        (lambda: paired_statistics(UP * np.nan, ZERO), r"higher_is_better: 6 seeds failed \(NaN\) and"),
        (lambda: paired_statistics(UP, ZERO, level=5), "level: 5 is not between 0 and 1"),
        (lambda: paired_statistics(UP, ZERO, confidence=95), "confidence: 95 is not between 0 and 1"),
        (lambda: paired_statistics(UP, ZERO, family_size=0), "family_size: 0; count the comparisons"),
        (lambda: paired_statistics(UP, ZERO, num_resamples=10), "num_resamples: 10; use at least 99"),
        (lambda: unpaired_statistics(UP, ZERO[:2]), "second: 2 seeds; use at least 3"),
        (lambda: unpaired_statistics(ZERO, ZERO[:4]), "first, second: all 10 values are the same"),
        (lambda: unpaired_statistics(UP, UP * np.nan), "higher_is_better: 6 seeds failed"),
        (lambda: holm(np.array([0.1, 1.2])), r"p: found 1.2; p values lie in \[0, 1\]"),
        (lambda: holm(np.array([])), "p: no values; give one for each comparison"),
        (lambda: holm(np.ones(3), family_size=2), "family_size: 2 with 3 comparisons; declare the family"),
    ],
)  # fmt: skip
def test_refusals(call, message):
    with pytest.raises(ValueError, match=message):
        call()


FLAGS = {"flag_values": [0, 1, 2], "flag_meanings": "bptt rflo eprop", "units": "1", "long_name": "rule"}


def scores(num_seeds=10):
    rng = np.random.default_rng(7)
    values = rng.normal([[0.9], [0.7], [0.85]], 0.05, (2, 3, num_seeds))
    return xr.DataArray(
        values, dims=("task", "rule", "seed"), attrs={"units": "Hz", "long_name": "rate"},
        coords={
            "rule": ("rule", [0, 1, 2], FLAGS),
            "seed": ("seed", np.arange(num_seeds) + 3, {"units": "1", "long_name": "seed"}),
            "task": ("task", [0, 1], {"units": "1", "long_name": "task"}),
        },
    )  # fmt: skip


def check_fields(found):
    for name in (*found.data_vars, *found.dims):
        assert found[name].attrs["units"] in UNITS
        assert found[name].attrs["long_name"]
        assert found[name].dtype.kind in "if"
    assert set(found.dims) <= DIMS
    assert not set(found.data_vars) & DIMS
    assert set(found.dims) <= set(found.coords)


@pytest.mark.parametrize("rule", ["bptt", 0])
def test_paired_dataset_is_the_array_call_of_each_comparison(rule):
    values = scores()
    found = analysis.paired_statistics(values, reference=rule, higher_is_better=True, **QUICK)
    check_fields(found)
    assert found["p"].dims == ("task", "rule")
    assert found["difference"].dims == ("task", "rule", "seed")
    np.testing.assert_array_equal(found["rule"], [1, 2])
    np.testing.assert_array_equal(found["seed"], values["seed"])
    assert found["rule"].attrs == FLAGS
    assert found.attrs["family_size"] == 4
    assert found.attrs["reference"] == "bptt"
    for task, other in product(range(2), (1, 2)):
        one = found.sel(task=task, rule=other)
        direct = paired_statistics(values[task, other], values[task, 0], family_size=4, **QUICK)
        assert float(one["p"]) == direct.p
        assert float(one["d_z"]) == direct.d_z
        np.testing.assert_array_equal([one["lower"], one["upper"]], direct.interval)
        np.testing.assert_array_equal(one["difference"], direct.difference)
    np.testing.assert_allclose(found["p_holm"], holm(found["p"].values))
    assert found["mean_difference"].attrs == {"units": "Hz", "long_name": "mean difference in rate"}
    assert "reason" not in found["p"].attrs


def test_p_is_refused_with_its_reason_and_a_ceiling_is_no_error():
    values = scores(6)
    values[0, 1] = values[0, 0]
    found = analysis.paired_statistics(values, reference="bptt", **QUICK)
    assert np.isnan(found["p"]).all()
    assert np.isnan(found["p_holm"]).all()
    np.testing.assert_array_equal(found["p_status"], [[2, 1], [1, 1]])
    assert np.isfinite(found["mean_difference"]).all()
    assert found["p"].attrs["reason"].startswith("no p: p_minimum 0.0312 x family_size 4 > level 0.05")
    assert "the same value in every seed" in found["p"].attrs["reason"]
    pair = analysis.paired_statistics(values[1, 0], values[1, 1], **QUICK)
    assert (pair["p"].dims, float(pair["p"]), pair.attrs["family_size"]) == ((), 0.03125, 1)
    larger = analysis.paired_statistics(values[1, 0], values[1, 1], family_size=2, **QUICK)
    assert np.isnan(larger["p"])


def test_failed_seeds_in_datasets():
    values = scores()
    values[0, 1, :3] = np.nan
    found = analysis.paired_statistics(values, reference="bptt", higher_is_better=True, **QUICK)
    np.testing.assert_array_equal(found["num_failed"], [[3, 0], [0, 0]])
    np.testing.assert_array_equal(found["num_failed_reference"], 0)
    np.testing.assert_array_equal(found["ranked"], [[1, 0], [0, 0]])
    np.testing.assert_array_equal(found["difference"][0, 0, :3], -np.inf)
    assert float(found["p"][0, 0]) == 2.0**-9
    assert found.attrs["higher_is_better"] == 1


def test_unpaired_dataset_takes_groups_of_other_sizes():
    values = scores()
    found = analysis.unpaired_statistics(values, reference="rflo", **QUICK)
    assert found["p"].dims == ("task", "rule")
    np.testing.assert_array_equal(found["rule"], [0, 2])
    direct = unpaired_statistics(values[1, 2], values[1, 1], family_size=4, **QUICK)
    assert float(found["p"][1, 1]) == direct.p
    assert float(found["cohen_d"][1, 1]) == direct.cohen_d
    two = analysis.unpaired_statistics(values[0, 0], values[0, 1, :7], **QUICK)
    assert (int(two["num_seeds"]), int(two["num_seeds_reference"]), two["p"].dims) == (10, 7, ())
    assert float(two["median_lower"]) < float(two["median_difference"]) < float(two["median_upper"])
    check_fields(two)


def test_labels_may_be_strings_or_missing():
    values = scores().drop_vars("rule")
    assert analysis.paired_statistics(values, reference=2, **QUICK)["rule"].values.tolist() == [0, 1]
    named = values.assign_coords(rule=["rflo", "bptt", "e prop"])
    found = analysis.paired_statistics(named, reference="bptt", **QUICK)
    assert found["rule"].values.tolist() == [2, 1]
    assert found["rule"].attrs["flag_meanings"] == "bptt e_prop rflo"
    assert analysis.paired_statistics(named, reference="e prop", **QUICK).attrs["reference"] == "e_prop"


def test_holm_dataset_has_a_family_for_each_element_of_the_other_dims():
    p = xr.DataArray([[0.01, 0.04, 0.03, 0.005], [0.5, 0.01, 0.2, 0.3]], dims=("task", "rule"))
    found = analysis.holm(p, dims=("rule",))
    np.testing.assert_allclose(found["p_holm"], [holm(row) for row in p.values])
    np.testing.assert_allclose(analysis.holm(p)["p_holm"], holm(p.values))
    assert (found.attrs["family_size"], analysis.holm(p, family_size=9).attrs["family_size"]) == (4, 9)
    check_fields(found)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda v: analysis.paired_statistics(v), "other, reference: neither given"),
        (lambda v: analysis.paired_statistics(v, v[0, 0], reference=0), "other, reference: both given"),
        (lambda v: analysis.paired_statistics(v, reference="x"), "'x' is no label of 'rule'; use one of b"),
        (lambda v: analysis.paired_statistics(v[:, 0], reference=0), "values: 'rule' has 0 labels"),
        (lambda v: analysis.paired_statistics(v[..., 0], reference=0), "values: no dim 'seed' among"),
        (lambda v: analysis.paired_statistics(v, v[0, 0, ::-1]), "their seeds differ; pairs need the same"),
        (lambda v: analysis.paired_statistics(v, v[0, 0, :9]), "their seeds differ"),
        (lambda v: analysis.paired_statistics(v, reference=0, family_size=3), "family_size: 3 with 4 comp"),
        (lambda v: analysis.paired_statistics(v[..., :2], reference=0), "first: 2 seeds; use at least 3"),
        (lambda v: analysis.holm(v[0, 0], dims=("unit",)), "dims: p has no unit; it has seed"),
    ],
)  # fmt: skip
def test_refusals_of_datasets(call, message):
    with pytest.raises(ValueError, match=message):
        call(scores())
