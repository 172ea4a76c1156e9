"""Which rules of a study differ, seed by seed, and how sure that is."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis.arrays import holm, paired_statistics, replicates, unpaired_statistics
from throughtime.results.errors import ResultsError
from throughtime.results.flags import flag_attributes
from throughtime.results.schema import attributes
from throughtime.studies import survival
from throughtime.studies.outcomes import METRICS, Outcomes, levels, metric_coordinate, outcomes_of
from throughtime.studies.record import AXES

UNPAIRED = "mann-whitney"
TESTS = (*paired_statistics.TESTS, UNPAIRED)
FAMILIES = ("task", "study")
FEW_PAIRS, NOT_MEASURED = 3, 4
P_STATUSES = (*replicates.STATUS_MEANINGS, "fewer_than_three_pairs", "not_measured")
FIRST_CHOICE = "bptt"

# name -> long_name
ESTIMATES = {
    "mean_difference": "mean difference, NaN where a seed failed",
    "mean_difference_lower": "lower bound of the mean difference",
    "mean_difference_upper": "upper bound of the mean difference",
    "median_difference": "median difference, failed seeds worst",
    "median_difference_lower": "lower bound of the median difference",
    "median_difference_upper": "upper bound of the median difference",
    "effect_size": "mean difference over its SD; where seeds are no pairs over the pooled SD",
    "rank_biserial": "rank-biserial correlation",
    "p": "p value, two-sided",
    "p_minimum": "smallest p value that can occur",
}
COUNTS = {
    "num_pairs": "seeds that both were run on",
    "num_failed_first": "of these, failed (or short of the criterion) in the first of the pair",
    "num_failed_second": "the same in the second",
}


@dataclass(frozen=True)
class Options:
    """How comparisons are made; see :func:`statistics`."""

    across: str
    reference: str
    all_pairs: bool
    metrics: tuple[str, ...]
    test: str
    family: str
    level: float
    confidence: float
    num_resamples: int
    random_seed: int


def statistics(
    record: xr.DataTree,
    *,
    across: str = "rule",
    reference: str | None = None,
    all_pairs: bool = False,
    metrics: Sequence[str] = tuple(METRICS),
    test: str = "sign-flip",
    family: str = "task",
    level: float = 0.05,
    confidence: float = 0.95,
    num_resamples: int = replicates.NUM_RESAMPLES,
    random_seed: int = 0,
) -> xr.Dataset:
    """Success, trials to criterion and final scores of every run, and differences between rules.

    The seed is the replicate: rules are compared on the seeds that both were run on, pair by pair. A seed
    that diverged or whose cell failed is counted and ranked worst, never left out; a seed that did not reach
    the criterion within its budget is censored there, and ranks behind all that did. Where a seed failed
    there is no mean, and the median takes its place. Tests, effect sizes and intervals are those of
    :func:`throughtime.analysis.paired_statistics`, the correction that of
    :func:`throughtime.analysis.holm`.

    A comparison whose smallest attainable p, times the size of its family, exceeds the level could not come
    out significant whatever the seeds did: its p is refused (NaN, ``p_status`` ``too_few_seeds``), its
    estimate stays.

    Args:
        record: of :func:`throughtime.studies.combine`.
        across: what is compared: ``"rule"``, ``"circuit"`` or ``"option"``.
        reference: label that the others are compared with; ``bptt`` or else the first by default.
        all_pairs: compare every label with every other instead.
        metrics: some of ``final_score``, ``final_loss``, ``trials_to_criterion``.
        test: ``"sign-flip"`` or ``"wilcoxon"``, exact, of pairs; ``"mann-whitney"`` takes seeds for
            independent.
        family: comparisons that Holm's correction counts together, for each metric: all of one ``"task"``,
            or all of the ``"study"``. Those of which one side was not run are in none.
        level: that p values are judged at. confidence: of all intervals.
        num_resamples: of bootstraps, and of random flips beyond 16 seeds. random_seed: of both.

    Returns:
        Dataset. Over (task, circuit, rule, option): ``num_seeds``, ``num_reached``, ``num_diverged``,
        ``num_failed``, ``num_refused``, ``num_not_run``; ``success_rate`` with Wilson's interval;
        Kaplan–Meier's ``median_trials`` with its interval, infinite where the criterion was not reached;
        ``trial_budget``.
        Over (metric, task, circuit, rule, option): ``mean`` with its BCa interval and ``median`` with that of
        order statistics. Over (metric, task, …, pair), the compared axis left out: ``mean_difference`` and
        ``median_difference`` (first minus second) with intervals, ``effect_size`` (d_z), ``rank_biserial``,
        ``p``, ``p_holm``, ``p_minimum``, ``p_status``, ``num_pairs``, ``num_failed_first``,
        ``num_failed_second``. Over (task, …, pair): the log-rank test of trials to criterion, which takes
        seeds for independent: ``log_rank`` (positive: the first is slower), ``log_rank_p``,
        ``log_rank_p_holm``, ``log_rank_p_minimum``. ``pair`` has labels ``first_vs_second`` and coordinates
        ``first`` and ``second``.

    Source: intervals, Wilson 1927, J. Am. Stat. Assoc. 22:209, and Efron 1987, J. Am. Stat. Assoc. 82:171;
    Kaplan & Meier 1958, J. Am. Stat. Assoc. 53:457; log-rank, Mantel 1966, Cancer Chemother. Rep. 50:163;
    families, Holm 1979, Scand. J. Stat. 6:65; tests of pairs as in
    :func:`~throughtime.analysis.arrays.paired_statistics.paired_statistics`.

    Raises:
        ResultsError: for a record of another kind, an axis, label, metric, test or family that is unknown, or
            numbers out of range.

    Example:
        >>> from throughtime.studies import record as made
        >>> names = {"task": ("go",), "circuit": ("small",), "rule": ("bptt", "rflo"), "option": ("default",)}
        >>> frame = made.Frame(names, tuple(range(6)))
        >>> found = {name: frame.empty(name) for name in made.OUTCOMES}
        >>> found["status"][:] = made.EXHAUSTED
        >>> found["final_score"][0, 0, :, 0] = np.array([[0.9], [0.8]]) + np.arange(6) / 100 * [[1], [-1]]
        >>> outcomes = made.outcomes(frame, found, np.ones(frame.shape(seeds=False)))
        >>> attrs = made.root({}, name="made up", status=found["status"])
        >>> result = statistics(made.tree(attrs, {"/outcomes": outcomes}), metrics=["final_score"])
        >>> [round(float(result[name].item()), 5) for name in ("mean_difference", "p", "p_minimum")]
        [-0.15, 0.03125, 0.03125]
    """
    given = Options(
        across, "", all_pairs, tuple(metrics), test, family, level, confidence, num_resamples, random_seed
    )
    _check(given)
    found = outcomes_of(record, given.metrics)
    names = found.frame.names[across]
    chosen = reference if reference is not None else FIRST_CHOICE if FIRST_CHOICE in names else names[0]
    if chosen not in names:
        known = ", ".join(names)
        raise ResultsError(f"reference: {chosen!r} is no {across} of the study; use one of {known}.")
    given = Options(**{**vars(given), "reference": chosen})
    variables = levels(found, given.metrics, confidence, num_resamples, random_seed)
    coords = {**found.frame.coordinates(seeds=False), "metric": metric_coordinate(given.metrics)}
    pairs = _pairs(names, chosen, all_pairs)
    if pairs:
        variables |= _compared(found, pairs, given)
        coords |= _pair_coordinates(names, pairs)
    attrs = {"method": "statistics", "version": 1, "params": json.dumps(vars(given), sort_keys=True)}
    return xr.Dataset(variables, coords, attrs)


def _check(given: Options) -> None:
    for name, value, known in (
        ("across", given.across, AXES[1:]),
        ("test", given.test, TESTS),
        ("family", given.family, FAMILIES),
    ):
        if value not in known:
            raise ResultsError(f"{name}: unknown {value!r}; use one of {', '.join(known)}.")
    if not given.metrics:
        raise ResultsError(f"metrics: none given; use some of {', '.join(METRICS)}.")
    for name, share in (("level", given.level), ("confidence", given.confidence)):
        if not 0 < share < 1:
            raise ResultsError(f"{name}: {share} is not between 0 and 1; use for example 0.05 and 0.95.")
    if given.num_resamples < 99:
        raise ResultsError(f"num_resamples: {given.num_resamples}; use at least 99.")


def _pairs(names: Sequence[str], reference: str, all_pairs: bool) -> list[tuple[int, int]]:
    """Places of the first and the second of each pair; the reference is always second."""
    at = names.index(reference)
    others = [place for place in range(len(names)) if place != at]
    found = [(place, at) for place in others]
    return found + [(b, a) for a, b in itertools.combinations(others, 2)] if all_pairs else found


def _pair_coordinates(names: Sequence[str], pairs: list[tuple[int, int]]) -> dict[str, Any]:
    texts = [f"{names[first]}_vs_{names[second]}" for first, second in pairs]
    found: dict[str, Any] = {
        "pair": ("pair", np.arange(len(pairs)), attributes("pair", **flag_attributes(texts)))
    }
    for side, name in enumerate(("first", "second")):
        codes = np.array([pair[side] for pair in pairs], np.int64)
        found[name] = ("pair", codes, attributes(name, **flag_attributes(names)))
    return found


def _compared(found: Outcomes, pairs: list[tuple[int, int]], given: Options) -> dict[str, Any]:
    """Variables of the comparisons."""
    kept = tuple(axis for axis in AXES if axis != given.across)
    at = AXES.index(given.across)
    shape = (*(len(found.frame.names[axis]) for axis in kept), len(pairs))
    run = np.moveaxis(found.run, at, -2)
    common = np.stack([(run[..., a, :] & run[..., b, :]).sum(-1) for a, b in pairs], -1)
    possible = common >= replicates.MIN_SEEDS
    arrays = {
        **{name: np.full((len(given.metrics), *shape), np.nan) for name in ESTIMATES},
        **{name: np.zeros((len(given.metrics), *shape), np.int64) for name in COUNTS},
        "p_status": np.full((len(given.metrics), *shape), FEW_PAIRS, np.int8),
        "p_holm": np.full((len(given.metrics), *shape), np.nan),
    }
    for index, metric in enumerate(given.metrics):
        values = np.moveaxis(found.values[metric], at, -2)
        measured = np.moveaxis(found.measured[metric], at, -1)
        both = np.stack([measured[..., a] & measured[..., b] for a, b in pairs], -1)
        made = possible & both
        sizes = _family_sizes(made, given.family)
        for place in np.ndindex(*shape):
            first, second = pairs[place[-1]]
            where = run[(*place[:-1], first)] & run[(*place[:-1], second)]
            arrays["num_pairs"][(index, *place)] = where.sum()
            if not possible[place]:
                continue
            if not both[place]:
                arrays["p_status"][(index, *place)] = NOT_MEASURED
                continue
            one = _one(
                values[(*place[:-1], first)][where],
                values[(*place[:-1], second)][where],
                METRICS[metric][0],
                int(sizes[place]),
                given,
            )
            for name, value in one.items():
                arrays[name][(index, *place)] = value
        arrays["p_holm"][index] = _corrected(arrays["p"][index], made, given.family)
    texts = {
        **ESTIMATES,
        **COUNTS,
        "p_holm": "p value, Holm-adjusted",
        "p_status": "whether there is a p value",
    }
    flags = {"p_status": flag_attributes(P_STATUSES)}
    variables: dict[str, Any] = {
        name: (
            ("metric", *kept, "pair"),
            array,
            {"units": "1", "long_name": texts[name], **flags.get(name, {})},
        )
        for name, array in arrays.items()
    }
    return variables | _log_rank(found, pairs, given, possible, kept)


def _one(first: Any, second: Any, rising: bool, family_size: int, given: Options) -> dict[str, Any]:
    """Numbers of one comparison."""
    settings: Any = {
        "failed": "worst",
        "higher_is_better": rising,
        "family_size": family_size,
        "level": given.level,
        "confidence": given.confidence,
        "num_resamples": given.num_resamples,
        "seed": given.random_seed,
    }
    found: Any
    if given.test == UNPAIRED:
        found = unpaired_statistics.estimate(first, second, **settings)
        effect = found.cohen_d
    else:
        found = paired_statistics.estimate(first, second, given.test, **settings)
        effect = found.d_z
    return {
        "mean_difference": found.mean_difference,
        "mean_difference_lower": found.interval[0],
        "mean_difference_upper": found.interval[1],
        "median_difference": found.median_difference,
        "median_difference_lower": found.median_interval[0],
        "median_difference_upper": found.median_interval[1],
        "effect_size": effect,
        "rank_biserial": found.rank_biserial,
        "p": found.p,
        "p_minimum": found.p_minimum,
        "p_status": found.status,
        "num_failed_first": found.num_failed_first,
        "num_failed_second": found.num_failed_second,
    }


def _family_sizes(made: np.ndarray, family: str) -> np.ndarray:
    """Size of the family of every comparison, (task, …, pair)."""
    total = made.sum() if family == "study" else made.sum(tuple(range(1, made.ndim)), keepdims=True)
    return np.broadcast_to(np.maximum(total, 1), made.shape)


def _corrected(p: np.ndarray, made: np.ndarray, family: str) -> np.ndarray:
    """Holm-adjusted p values of all families, (task, …, pair); what was not made is in none."""
    adjusted = np.full(p.shape, np.nan)
    families = [slice(None)] if family == "study" else [slice(task, task + 1) for task in range(len(p))]
    for one in families:
        if made[one].any():
            adjusted[one][made[one]] = holm.holm(p[one][made[one]])
    return adjusted


def _log_rank(
    found: Outcomes,
    pairs: list[tuple[int, int]],
    given: Options,
    possible: np.ndarray,
    kept: tuple[str, ...],
) -> dict[str, Any]:
    """Variables of the log-rank test."""
    at = AXES.index(given.across)
    sizes = _family_sizes(possible, given.family)
    arrays = {name: np.full(possible.shape, np.nan) for name in survival.LogRank._fields}
    for place in np.argwhere(possible):
        cell = tuple(place[:-1])
        first, second = (found.times((*cell[:at], side, *cell[at:])) for side in pairs[place[-1]])
        one = survival.log_rank(first, second, largest_p_minimum=given.level / sizes[tuple(place)])
        for name, value in zip(arrays, one, strict=True):
            arrays[name][tuple(place)] = value
    corrected = _corrected(arrays["p"], possible, given.family)
    named = {
        "log_rank": (arrays["statistic"], "log-rank statistic, positive where the first is slower"),
        "log_rank_p": (arrays["p"], "p value of the log-rank test, two-sided"),
        "log_rank_p_holm": (corrected, "p value of the log-rank test, Holm-adjusted"),
        "log_rank_p_minimum": (arrays["p_minimum"], "smallest p value of the log-rank test"),
    }
    return {
        name: ((*kept, "pair"), array, {"units": "1", "long_name": text})
        for name, (array, text) in named.items()
    }
