"""Success, trials to criterion and differences of a study, against known answers and other routes to them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import xarray as xr
from scipy import stats

from tests.studies.synthetic import BATCH, empty_study, synthetic_study
from throughtime import analysis
from throughtime.results import ResultsError, labels, validate
from throughtime.studies import record, survival
from throughtime.studies.record import DIVERGED, EXHAUSTED, FAILED, NOT_RUN, REACHED, REFUSED, Frame
from throughtime.studies.statistics import P_STATUSES, statistics

# Weeks of remission of two groups of 21 patients, + where it went on (Freireich 1963, in Gehan 1965).
TREATED = ("6", "6", "6", "6+", "7", "9+", "10", "10+", "11+", "13", "16", "17+", "19+", "20+", "22", "23",
           "25+", "32+", "32+", "34+", "35+")  # fmt: skip
PLACEBO = ("1", "1", "2", "2", "3", "4", "4", "5", "5", "8", "8", "8", "8", "11", "11", "12", "12", "15",
           "17", "22", "23")  # fmt: skip

FAST = {"num_resamples": 99}


def remission(group: tuple[str, ...]) -> tuple[np.ndarray, np.ndarray]:
    return np.array([float(one.rstrip("+")) for one in group]), np.array(["+" in one for one in group])


def made(
    rules: tuple[str, ...],
    *,
    tasks: tuple[str, ...] = ("go",),
    num_seeds: int = 6,
    options: int = 1,
    **given: Any,
) -> xr.DataTree:
    """Seeds that ended their budget of 100 updates; ``given`` is (rule, seed), the same in all tasks."""
    names = {
        "task": tasks,
        "circuit": ("c",),
        "rule": rules,
        "option": tuple(f"o{k}" for k in range(options)),
    }
    frame = Frame(names, tuple(range(num_seeds)))
    found = {name: frame.empty(name) for name in record.OUTCOMES}
    found["status"][:] = EXHAUSTED
    found["num_updates"][:], found["trials_seen"][:] = 100, 100 * BATCH
    for name, values in given.items():
        found[name][:] = np.asarray(values)[None, None, :, None]
    attrs = record.root({"name": "made"}, name="made", status=found["status"])
    outcomes = record.outcomes(frame, found, np.ones(frame.shape(seeds=False)))
    return record.tree(attrs, {"/outcomes": outcomes})


def changed(tree: xr.DataTree, **values: Any) -> xr.DataTree:
    """The record with other outcomes."""
    outcomes = tree["outcomes"].to_dataset()
    for name, array in values.items():
        outcomes[name] = outcomes[name].copy(data=array)
    return record.tree(tree.attrs, {"/outcomes": outcomes})


def status_of(found: xr.Dataset, name: str = "p_status") -> list[str]:
    return labels(found[name])


# --- trials to criterion ------------------------------------------------------------------------------------


def test_medians_and_log_rank_of_patients_in_remission():
    treated, placebo = remission(TREATED), remission(PLACEBO)
    assert survival.median(*treated) == (23.0, 13.0, np.inf)
    assert survival.median(*placebo) == (8.0, 4.0, 11.0)
    found = survival.log_rank(treated, placebo)
    assert found.statistic**2 == pytest.approx(16.793, abs=1e-3)
    assert found.statistic > 0, "the treated relapse later"
    assert found.p == pytest.approx(4.17e-5, rel=1e-2)


FEW = (("1", "2", "3", "4", "5", "6"), ("1", "2", "3", "4+", "5", "6", "7", "8", "9+"))


@pytest.mark.parametrize("group", [TREATED, PLACEBO, *FEW])
def test_the_band_of_the_median_by_hand(group):
    """Greenwood's variance of log(−log S), written out."""
    when, lost = remission(group)
    share, total, ends = 1.0, 0.0, [np.inf, np.inf]
    for time in np.unique(when[~lost]):
        at_risk, events = (when >= time).sum(), ((when == time) & ~lost).sum()
        share *= 1 - events / at_risk
        if share == 0:  # the largest of six is the exact bound of their median, binomial(6, 1/2)
            if np.isinf(ends[1]) and not lost.any() and 2 * 0.5 ** len(when) <= 0.05:
                ends[1] = time
            break
        total += events / (at_risk * (at_risk - events))
        spread = 1.959964 * np.sqrt(total) / abs(np.log(share))
        for side, sign in enumerate((1, -1)):
            if np.isinf(ends[side]) and share ** np.exp(sign * spread) <= 0.5:
                ends[side] = time
    assert list(survival.median(when, lost)[1:]) == ends


def test_a_seed_that_diverged_would_never_have_reached_it():
    trials = np.array([2.0, 4.0, 6.0, np.nan, np.nan])
    seen = np.array([10, 10, 10, 1, 1])
    lost = np.array([False, False, False, True, True])
    assert survival.median(*survival.times(trials, seen, lost)).value == 6.0
    nobody = np.zeros(5, bool)
    assert survival.median(*survival.times(trials, seen, nobody)).value == 4.0, "as missing it would be 4"


def test_a_budget_that_ended_early_says_nothing_of_later():
    censored = np.array([False, True, True, False, False])
    when = np.array([2.0, 3.0, 3.0, 8.0, 9.0])
    assert survival.median(when, censored).value == 8.0
    assert survival.median(np.where(censored, np.inf, when), censored).value == 9.0, "had they diverged"


@pytest.mark.parametrize(("number", "upper"), [(5, np.inf), (6, 4.0)])
def test_when_all_seeds_reach_it_at_once_the_interval_holds_that_time(number, upper):
    # All seeds lie on one side of the median with probability 2/2⁵ > 0.05 of five, and 2/2⁶ < 0.05 of six.
    assert survival.median(np.full(number, 4.0), np.zeros(number, bool)) == (4.0, 4.0, upper)


def test_an_interval_never_leaves_out_its_median():
    rng = np.random.default_rng(0)
    for _ in range(200):
        found = rng.integers(1, 5, rng.integers(1, 9)).astype(float)
        median, lower, upper = survival.median(found, rng.random(found.size) < 0.3)
        assert lower <= median <= upper


def test_medians_of_no_seeds_and_of_seeds_that_never_reached():
    assert np.isnan(survival.median(np.zeros(0), np.zeros(0, bool))).all()
    assert survival.median(np.array([5.0, np.inf]), np.ones(2, bool)) == (np.inf,) * 3
    everyone = np.ones(3, bool)
    found = survival.log_rank((np.full(3, 9.0), everyone), (np.full(3, np.inf), everyone))
    assert np.isnan(found.statistic)
    assert np.isnan(found.p)


def test_log_rank_p_is_not_below_what_can_occur():
    first, second = (np.arange(11.0, 14.0), np.zeros(3, bool)), (np.arange(1.0, 4.0), np.zeros(3, bool))
    plain = stats.logrank(*(stats.CensoredData(each[0]) for each in (first, second))).pvalue
    assert plain < 0.1, "the normal approximation of three seeds"
    assert survival.log_rank(first, second).p == pytest.approx(0.1)
    assert np.isnan(survival.log_rank(first, second, largest_p_minimum=0.05).p)


# --- runs ---------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def mixed() -> tuple[xr.DataTree, xr.Dataset]:
    """bptt reaches in eight of ten seeds, one diverges after it had; rflo fails twice and lacks three."""
    criterion = np.full((2, 10), -1)
    criterion[0, :9] = np.arange(10, 100, 10)
    criterion[1, :4] = [40, 20, 80, 60]
    status = np.where(criterion >= 0, REACHED, EXHAUSTED)
    status[0, 8] = DIVERGED
    status[1, 4:] = [EXHAUSTED, FAILED, FAILED, NOT_RUN, NOT_RUN, NOT_RUN]
    score = np.linspace(0.5, 0.95, 20).reshape(2, 10)
    tree = made(
        ("bptt", "rflo"), num_seeds=10, criterion_update=criterion, status=status,
        final_score=np.where(status < DIVERGED, score, np.nan),
    )  # fmt: skip
    return tree, statistics(tree, **FAST)


def test_counts_and_success(mixed):
    found = mixed[1].squeeze(drop=True)
    for name, expected in {
        "num_seeds": [10, 7], "num_reached": [8, 4], "num_diverged": [1, 0], "num_failed": [0, 2],
        "num_refused": [0, 0], "num_not_run": [0, 3], "trial_budget": [1600, 1600],
    }.items():  # fmt: skip
        assert found[name].values.tolist() == expected, name
    np.testing.assert_allclose(found["success_rate"], [0.8, 4 / 7])
    np.testing.assert_allclose(found["success_rate_lower"][0], 0.490162, atol=1e-6)
    np.testing.assert_allclose(found["success_rate_upper"][0], 0.943318, atol=1e-6)
    reached, number, z = 4, 7, stats.norm.ppf(0.975)
    middle, half = reached + z**2 / 2, z * np.sqrt(reached * (number - reached) / number + z**2 / 4)
    ends = [found[f"success_rate_{end}"].values[1] for end in ("lower", "upper")]
    np.testing.assert_allclose(ends, [(middle + sign * half) / (number + z**2) for sign in (-1, 1)])


def test_trials_are_updates_times_batch(mixed):
    found = mixed[1].squeeze(drop=True)
    assert found["median_trials"].values.tolist() == [50 * BATCH, 80 * BATCH]
    assert found["median_trials_upper"].values[1] == np.inf


def test_levels_without_and_with_failures(mixed):
    tree, found = mixed
    found = found.squeeze(drop=True)
    assert np.isnan(found["mean"].values[0]).all(), "a failed seed has no score"
    score = tree["outcomes/final_score"].values.squeeze()
    ranked = np.sort(np.where(np.isnan(score[0]), -np.inf, score[0]))
    assert found["median"].values[0, 0] == ranked[4:6].mean()
    whole = made(("bptt", "rflo"), final_score=np.arange(12.0).reshape(2, 6))
    levels = statistics(whole, **FAST).squeeze(drop=True)
    assert levels["mean"].values[0].tolist() == [2.5, 8.5]
    assert (levels["mean_lower"] < levels["mean"]).values[0].all()


# --- differences --------------------------------------------------------------------------------------------


def test_six_pairs_are_enough_for_one_comparison_and_not_for_two():
    score = np.stack([np.zeros(6), np.arange(1.0, 7.0), -np.arange(1.0, 7.0)])
    one = statistics(made(("bptt", "rflo"), final_score=score[:2]), metrics=["final_score"], **FAST)
    assert one["p"].item() == one["p_holm"].item() == one["p_minimum"].item() == 0.03125
    assert status_of(one) == ["tested"]
    two = statistics(made(("bptt", "rflo", "uoro"), final_score=score), metrics=["final_score"], **FAST)
    assert np.isnan(two["p"]).all()
    assert np.isnan(two["p_holm"]).all()
    assert status_of(two) == ["too_few_seeds"] * 2
    assert two["mean_difference"].values.ravel().tolist() == [3.5, -3.5]
    assert two["p_minimum"].values.ravel().tolist() == [0.03125] * 2
    assert two["rank_biserial"].values.ravel().tolist() == [1.0, -1.0]
    more = statistics(
        made(("bptt", "rflo"), options=2, final_score=score[:2]), metrics=["final_score"], **FAST
    )
    assert np.isnan(more["p"]).all(), "options of a task are one family"
    tasks = made(("bptt", "rflo"), tasks=("a", "b"), final_score=score[:2])
    assert (
        statistics(tasks, metrics=["final_score"], **FAST)["p_holm"].values.ravel().tolist() == [0.03125] * 2
    )
    assert np.isnan(statistics(tasks, metrics=["final_score"], family="study", **FAST)["p"]).all()


def test_numbers_are_those_of_the_analyses():
    """The same through ``tt.analysis``, which has no studies."""
    draw = np.random.default_rng(3)
    score = draw.normal(size=(4, 10)) + np.arange(4)[:, None] / 2
    score[1, 3] = np.nan
    status = np.where(np.isnan(score), DIVERGED, EXHAUSTED)
    tree = made(("rflo", "bptt", "uoro", "eprop"), num_seeds=10, final_score=score, status=status)
    array = tree["outcomes/final_score"].squeeze(["task", "circuit", "option"], drop=True)
    for test in ("sign-flip", "wilcoxon", "mann-whitney"):
        found = statistics(tree, metrics=["final_score"], test=test, num_resamples=199).squeeze(drop=True)
        if test == "mann-whitney":
            other = analysis.unpaired_statistics(
                array, reference="bptt", higher_is_better=True, num_resamples=199
            ).rename(cohen_d="effect_size")  # fmt: skip
        else:
            other = analysis.paired_statistics(
                array, reference="bptt", higher_is_better=True, test=test, num_resamples=199
            ).rename(d_z="effect_size")  # fmt: skip
        assert labels(found["pair"]) == [f"{rule}_vs_bptt" for rule in labels(other["rule"])]
        for name in ("mean_difference", "median_difference", "effect_size", "rank_biserial", "p", "p_holm",
                     "p_minimum", "p_status"):  # fmt: skip
            np.testing.assert_array_equal(found[name].values, other[name].values, err_msg=f"{test} {name}")
        np.testing.assert_array_equal(found["mean_difference_lower"].values, other["lower"].values)
        np.testing.assert_array_equal(found["median_difference_upper"].values, other["median_upper"].values)
        assert found["num_failed_first"].values.tolist() == [0, 0, 0]
        assert found["num_failed_second"].values.tolist() == [1, 1, 1]


def test_pairs_are_seeds_that_both_were_run_on(mixed):
    found = mixed[1].squeeze(drop=True)
    assert found["num_pairs"].values.tolist() == [7, 7, 7]
    score = np.arange(12.0).reshape(2, 6)
    score[1] += np.arange(6)
    tree = made(("bptt", "rflo"), final_score=score)
    status = np.full((1, 1, 2, 1, 6), EXHAUSTED)
    status[..., 1, 0, 2] = NOT_RUN
    five = statistics(changed(tree, status=status), metrics=["final_score"], **FAST)
    assert five["num_pairs"].item() == 5
    assert five["mean_difference"].item() == pytest.approx((score[1] - score[0])[[0, 1, 3, 4, 5]].mean())
    assert five["num_failed_first"].item() == 0, "a seed that was not run has not failed"
    same = statistics(changed(tree, status=status[:, :, ::-1]), metrics=["final_score"], **FAST)
    assert same["mean_difference"].item() == five["mean_difference"].item()
    status[..., 1, 0, :4] = NOT_RUN
    two = statistics(changed(tree, status=status), metrics=["final_score"], **FAST)
    assert status_of(two) == ["fewer_than_three_pairs"]
    assert np.isnan(two["mean_difference"]).all()


def test_what_was_refused_is_in_no_family():
    score = np.stack([np.zeros(6), np.arange(1.0, 7.0), np.full(6, np.nan)])
    status = np.stack([np.full(6, EXHAUSTED), np.full(6, EXHAUSTED), np.full(6, REFUSED)])
    found = statistics(
        made(("bptt", "rflo", "force"), final_score=score, status=status), metrics=["final_score"], **FAST
    )
    assert found["p_holm"].values.ravel()[0] == 0.03125
    assert status_of(found) == ["tested", "fewer_than_three_pairs"]


def test_trials_to_criterion_rank_those_that_never_reach_it_last():
    criterion = np.array([[10, 20, 30, 40, 50, 60], [20, 30, 40, 50, -1, -1]])
    status = np.where(criterion >= 0, REACHED, EXHAUSTED)
    status[1, 5], criterion[1, 5] = DIVERGED, 5  # it had reached it, and lost it again
    found = statistics(
        made(("bptt", "rflo"), criterion_update=criterion, status=status),
        metrics=["trials_to_criterion"],
        **FAST,
    )
    assert found["p"].item() == 0.03125, "slower in all six"
    assert np.isnan(found["mean_difference"].item())
    assert found["median_difference"].item() == 10 * BATCH
    times = [criterion[0] * BATCH, np.array([20, 30, 40, 50, 100, 100]) * BATCH]
    lost = [np.zeros(6, bool), np.array([False] * 4 + [True] * 2)]
    sides = [stats.CensoredData.right_censored(one, two) for one, two in zip(times, lost, strict=True)]
    assert found["log_rank_p"].item() == pytest.approx(stats.logrank(*sides).pvalue)
    assert found["log_rank"].item() > 0
    assert found["log_rank_p_minimum"].item() == pytest.approx(2 / 924)
    both = {"criterion_update": [[1] * 3, [2] * 3], "status": [[REACHED] * 3] * 2}
    three = statistics(made(("bptt", "rflo"), num_seeds=3, **both), **FAST)
    assert three["log_rank"].item() > 0
    assert np.isnan(three["log_rank_p"].item()), "0.1 is the least that three seeds a side can give"


def test_a_metric_that_was_not_measured():
    found = statistics(made(("bptt", "rflo")), metrics=["final_score", "final_loss"], **FAST)
    assert status_of(found) == ["not_measured"] * 2
    assert status_of(statistics(made(("bptt", "rflo")), metrics=["trials_to_criterion"], **FAST)) == [
        "identical"
    ]


def test_all_pairs_and_other_axes():
    score = np.arange(18.0).reshape(3, 6)
    tree = made(("rflo", "bptt", "uoro"), final_score=score)
    found = statistics(tree, all_pairs=True, metrics=["final_score"], **FAST)
    assert labels(found["pair"]) == ["rflo_vs_bptt", "uoro_vs_bptt", "uoro_vs_rflo"]
    assert labels(found["first"]) == ["rflo", "uoro", "uoro"]
    assert found["mean_difference"].values.ravel().tolist() == [-6.0, 6.0, 12.0]
    found = statistics(tree, reference="uoro", metrics=["final_score"], **FAST)
    assert labels(found["second"]) == ["uoro", "uoro"]
    options = made(("bptt", "rflo"), options=2, final_score=score[:2])
    values = options["outcomes/final_score"].values.copy()
    values[..., 1, :] += 2.0
    across = statistics(
        changed(options, final_score=values), across="option", metrics=["final_score"], **FAST
    )
    assert across["mean_difference"].dims == ("metric", "task", "circuit", "rule", "pair")
    assert across["mean_difference"].values.ravel().tolist() == [2.0, 2.0]
    assert labels(across["pair"]) == ["o1_vs_o0"]


def test_one_rule_has_nothing_to_be_compared_with():
    found = statistics(made(("rflo",)), **FAST)
    assert "pair" not in found.dims
    assert found["num_seeds"].item() == 6


@pytest.mark.parametrize("status", [FAILED, REFUSED, NOT_RUN])
def test_studies_of_which_nothing_came(status):
    found = statistics(empty_study(status), **FAST)
    assert found["num_seeds"].values.ravel().tolist() == [2 * (status == FAILED)] * 2
    assert np.isnan(found["mean"]).all()
    assert set(status_of(found)) == {"fewer_than_three_pairs"}


def test_it_keeps_the_format():
    tree = synthetic_study()
    found = statistics(tree, all_pairs=True, **FAST)
    assert validate(record.tree(tree.attrs, {"/statistics": found})) == []
    assert set(labels(found["p_status"])) <= set(P_STATUSES)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"across": "task"}, "across: unknown 'task'; use one of circuit, rule, option"),
        ({"test": "t"}, "test: unknown 't'; use one of sign-flip, wilcoxon, mann-whitney"),
        ({"family": "all"}, "family: unknown 'all'"),
        ({"metrics": ["score"]}, "metrics: unknown 'score'; use some of final_score"),
        ({"metrics": []}, "metrics: none given"),
        ({"level": 5.0}, r"level: 5.0 is not between 0 and 1"),
        ({"confidence": 95}, r"confidence: 95 is not between 0 and 1"),
        ({"num_resamples": 10}, "num_resamples: 10; use at least 99"),
        ({"reference": "adam"}, "reference: 'adam' is no rule of the study; use one of bptt, rflo"),
    ],
)
def test_what_is_refused(options, message):
    with pytest.raises(ResultsError, match=message):
        statistics(made(("bptt", "rflo")), **options)


def test_another_record_is_refused():
    with pytest.raises(ResultsError, match="expected the combined record of a study, found kind None"):
        statistics(xr.DataTree())
