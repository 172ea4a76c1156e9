"""How much of what is learned depends on the rule, on gain and time constant at the start, and on the seed.

Rule, gain, time constant and seed are crossed: a seed is the same draw of initial weights, trials and noise
for all rules and circuits. Sums of squares are those of the balanced design; they grow with noise and with
the number of levels. Shares of variance do not: the variance due to an effect is the mean product of its
estimates from two different seeds. Liu, Yang & Cueva 2025 (arXiv 2506.06904) compare what the rule does with
what architecture and initialisation do.
"""

from __future__ import annotations

import itertools
import re
from typing import Any, NamedTuple

import numpy as np
import xarray as xr
from _rules_plan import FLOOR

from throughtime.analysis.arrays.resample import percentile_interval
from throughtime.results import labels
from throughtime.results.flags import flag_attributes
from throughtime.studies.record import DIVERGED

FACTORS = ("rule", "gain", "tau")
EFFECTS = [kept for size in (1, 2, 3) for kept in itertools.combinations(range(3), size)]
PARTS = (*("×".join(FACTORS[place] for place in kept) for kept in EFFECTS), "seed", "residual")
SUMS = {
    "circuit": ("gain", "tau", "gain×tau"),
    "rule×circuit": ("rule×gain", "rule×tau", "rule×gain×tau"),
}
SOURCES = (*PARTS, *SUMS)
"""Sources of variance: those that make up all of it, and sums of some of them."""
MEMBERS = np.array(
    [[part == name or part in SUMS.get(name, ()) for name in SOURCES] for part in PARTS], float
)
APART = (*FACTORS, "seed")
"""What two circuits whose distance is taken can differ in alone."""
OUTCOMES = {
    "score": "score at the end",
    "log_loss": "log10 of the held-out loss at the end",
    "participation_ratio": "participation ratio of the activity",
    "weight_change": "relative change of the recurrent weights",
}
ARMS = ("all_arms", "recurrent_arms")
"""All of them, and those that learn recurrent weights."""
SETTING = re.compile(r"(?:(?P<rule>.+)_)?gain=(?P<gain>[\d.]+)_tau=(?P<tau>[\d.]+)$")
RESAMPLES, CONFIDENCE, KEY = 1000, 0.95, 0
BOUNDS = "95 % of resampled seeds"
ONE = {"units": "1"}


class Shares(NamedTuple):
    """Decomposition of one outcome, one entry for each of :data:`SOURCES`.

    Attributes:
        sum_of_squares: those of :data:`PARTS` sum to that of all values about their mean.
        eta_squared: sum_of_squares over that.
        share: variance due to the source over that of all parts; near 0, and as often below, where it has no
            effect.
        lower, upper: percentile bounds of the share over resampled seeds.
        num_seeds: seeds with all values, which alone count.
    """

    sum_of_squares: np.ndarray
    eta_squared: np.ndarray
    share: np.ndarray
    lower: np.ndarray
    upper: np.ndarray
    num_seeds: int


def components(tree: xr.DataTree, distances: xr.Dataset | None = None) -> xr.Dataset:
    """Shares of variance of every outcome, and distances of circuits that differ in one thing alone.

    A run that diverged counts with the lowest score and the highest loss of its task, and with the measures
    of the last weights it kept; it has no distances. A seed that lacks a value somewhere is left out of that
    outcome (``num_seeds`` remain); with fewer than two all is NaN. Bounds are percentiles over resampled
    seeds, pairs of copies of one seed left out; with six to ten seeds they hold the truth in 80 to 95 % where
    seeds differ in the effect itself.

    Args:
        tree: the part ``initialisation`` of the study, whose circuits are named by gain and tau.
        distances: such as :func:`_rules_apart.every_seed` returns; by default ``/distances`` of the tree,
            which holds as many seeds as there was room for, often one. Then it has no bounds, and no distance
            of seeds.

    Returns:
        Dataset: ``sum_of_squares``, ``eta_squared``, ``share`` with its bounds (task, condition, metric,
        predictor); ``num_seeds`` (task, condition, metric); ``num_diverged`` (task, condition); ``distance``
        with its bounds, ``num_pairs`` (task, condition, predictor) and ``distance_of_seed`` (task, condition,
        predictor, seed), NaN for interactions. Conditions are the arms that take part, metrics the outcomes,
        predictors the sources of variance.
    """
    outcomes = tree["outcomes"].to_dataset()
    tasks, rules = labels(outcomes["task"]), labels(outcomes["rule"])
    kept = {name: [rule for rule in rules if name == ARMS[0] or rule != FLOOR] for name in ARMS}
    places = [[rules.index(rule) for rule in names] for names in kept.values()]
    apart = distances if distances is not None else _distances_of(tree)
    return xr.Dataset(
        _variables_of_shares(tree, places)
        | _variables_of_distances(apart, tasks, list(kept.values()), outcomes["seed"].values),
        {
            name: (name, range(len(names)), {**ONE, "long_name": text, **flag_attributes(names)})
            for name, names, text in (
                ("task", tasks, "task"),
                ("condition", ARMS, "arms"),
                ("metric", list(OUTCOMES), "outcome"),
                ("predictor", SOURCES, "source of variance"),
            )
        }
        | {"seed": ("seed", outcomes["seed"].values, {**ONE, "long_name": "seed"})},
        {"num_resamples": RESAMPLES, "confidence": CONFIDENCE, "resampling_seed": KEY},
    )


def _variables_of_shares(tree: xr.DataTree, places: list[list[int]]) -> dict[str, Any]:
    """Variables of :func:`components` over outcomes; ``places``: of the rules of each set of arms."""
    found = _outcomes(tree)
    diverged = _crossed(tree["outcomes/status"]) == DIVERGED
    dims = ("task", "condition", "metric", "predictor")
    every = [
        [[decompose(values[task][rules]) for values in found.values()] for rules in places]
        for task in range(len(diverged))
    ]

    def gathered(field: str) -> np.ndarray:
        return np.array([[[getattr(one, field) for one in row] for row in part] for part in every])

    lost = np.stack([diverged[:, rules].sum((1, 2, 3, 4)) for rules in places], 1)
    return {
        "sum_of_squares": (dims, gathered("sum_of_squares"), ONE | {"long_name": "sum of squares"}),
        "eta_squared": (dims, gathered("eta_squared"), ONE | {"long_name": "share of the sum of squares"}),
        "share": (dims, gathered("share"), ONE | {"long_name": "share of variance"}),
        "share_lower": (dims, gathered("lower"), ONE | {"long_name": f"lower bound, {BOUNDS}"}),
        "share_upper": (dims, gathered("upper"), ONE | {"long_name": f"upper bound, {BOUNDS}"}),
        "num_seeds": (dims[:3], gathered("num_seeds"), ONE | {"long_name": "seeds with all values"}),
        "num_diverged": (dims[:2], lost, ONE | {"long_name": "runs that diverged"}),
    }


def _variables_of_distances(
    data: xr.Dataset | None, tasks: list[str], kept: list[list[str]], seeds: np.ndarray
) -> dict[str, Any]:
    """Variables of :func:`components` from distances; ``kept``: the rules of each set of arms."""
    shape = (len(tasks), len(kept), len(SOURCES))
    mean, each = np.full((*shape, 3), np.nan), np.full((*shape, len(seeds)), np.nan)
    pairs = np.zeros(shape, np.int64)
    there = [] if data is None else labels(data["task"])
    for task, arms, source in itertools.product(range(shape[0]), range(shape[1]), APART):
        if data is not None and tasks[task] in there:
            at = (task, arms, SOURCES.index(source))
            one = data.isel(task=there.index(tasks[task]))
            matrix, pairs[at] = _by_seeds(one, source, seeds, kept[arms])
            mean[at], each[at] = _mean_distance(matrix, apart=source == "seed")
    dims, angle = ("task", "condition", "predictor"), {"units": "rad"}
    return {
        "distance": (dims, mean[..., 0], angle | {"long_name": "shape distance of circuits"}),
        "distance_lower": (dims, mean[..., 1], angle | {"long_name": f"lower bound, {BOUNDS}"}),
        "distance_upper": (dims, mean[..., 2], angle | {"long_name": f"upper bound, {BOUNDS}"}),
        "distance_of_seed": ((*dims, "seed"), each, angle | {"long_name": "mean over pairs of the seed"}),
        "num_pairs": (dims, pairs, ONE | {"long_name": "pairs of circuits"}),
    }


def decompose(values: np.ndarray) -> Shares:
    """Decompose one outcome over crossed rules, gains, time constants and seeds.

    With K cells (rules × circuits) and a(s) the effect as seed s alone gives it, the variance due to an
    effect is ⟨a(s) · a(t)⟩ / K over pairs of different seeds. What is left, interactions with the seed and
    noise, is the residual; its part in the means of seeds, residual / K, is taken off the seed's variance.

    Args:
        values: (rule, gain, tau, seed), NaN where there is none.

    Example:
        >>> values = np.arange(2.0)[:, None, None, None] + np.zeros((2, 3, 3, 4))
        >>> found = decompose(values)
        >>> SOURCES[int(found.share.argmax())], float(found.share.max()), float(found.sum_of_squares[0])
        ('rule', 1.0, 18.0)
    """
    kept = values[..., np.isfinite(values).all((0, 1, 2))]
    number, cells = kept.shape[-1], int(np.prod(kept.shape[:-1]))
    empty = np.full(len(SOURCES), np.nan)
    if number < 2 or cells < 2:
        return Shares(*(empty.copy() for _ in range(5)), number)
    shifted = kept - kept.mean()
    products = np.stack([_products(shifted, held) for held in ((), *EFFECTS)])
    same, all_pairs = products.trace(axis1=1, axis2=2), products.sum((1, 2))
    within = cells * (same - all_pairs / number)
    squares = np.array([*(cells / number * all_pairs[1:]), within[0], within[1:].sum()])
    total = squares.sum()
    squares = squares @ MEMBERS
    if total <= 1e-12 * max(1.0, float((kept**2).sum())):  # all are alike
        return Shares(np.zeros_like(empty), *(empty.copy() for _ in range(4)), number)
    drawn = np.random.default_rng(KEY).multinomial(number, np.full(number, 1 / number), RESAMPLES)
    weights = np.concatenate([np.ones((1, number)), drawn])
    shares = _shares(products, weights, cells) @ MEMBERS
    bounds = np.array([percentile_interval(one, CONFIDENCE) for one in shares[1:].T])
    return Shares(squares, squares / total, shares[0], *bounds.T, number)


def _products(values: np.ndarray, held: tuple[int, ...]) -> np.ndarray:
    """(seed, seed) mean product over cells of the effects of two seeds; ``held``: factors of the effect."""
    for axis in range(len(FACTORS)):
        mean = values.mean(axis, keepdims=True)
        values = values - mean if axis in held else mean
    rows = values.reshape(-1, values.shape[-1])
    return rows.T @ rows / len(rows)


def _shares(products: np.ndarray, weights: np.ndarray, cells: int) -> np.ndarray:
    """(resample, part) shares of variance; NaN where a single seed was drawn.

    Args:
        products: (effect, seed, seed), the mean first. weights: (resample, seed) how often a seed counts.
        cells: numbers of a seed.
    """
    pairs = weights[:, :, None] * weights[:, None] * (1 - np.eye(weights.shape[1]))
    total = pairs.sum((1, 2))
    pairs /= np.where(total > 0, total, np.nan)[:, None, None]
    apart = np.einsum("rst,est->re", pairs, products)
    alone = np.einsum("rst,ess->re", pairs, products)
    spread = alone - apart
    residual = spread[:, 1:].sum(1) * cells / (cells - 1)
    variance = np.column_stack([apart[:, 1:], spread[:, 0] - residual / cells, residual])
    return variance / variance.sum(1, keepdims=True)


def _outcomes(tree: xr.DataTree) -> dict[str, np.ndarray]:
    """Name of an outcome -> (task, rule, gain, tau, seed), NaN where there is none."""
    outcomes = tree["outcomes"].to_dataset()
    run = _crossed(outcomes["status"]) <= DIVERGED
    diverged = _crossed(outcomes["status"]) == DIVERGED
    with np.errstate(divide="ignore", invalid="ignore"):
        given = {
            "score": (_crossed(outcomes["final_score"]), np.min),
            "log_loss": (np.log10(_crossed(outcomes["final_loss"])), np.max),
        }
    found = {}
    for name, (values, worst) in given.items():
        known = run & ~diverged & np.isfinite(values)
        last = [
            worst(one[there]) if there.any() else np.nan for one, there in zip(values, known, strict=True)
        ]
        lost = np.where(run, np.asarray(last)[:, None, None, None, None], np.nan)
        found[name] = np.where(known, values, lost)
    empty = np.full(run.shape, np.nan)
    measures = tree["measures"].children if "measures" in tree.children else {}
    for name, measure, variable in (
        ("participation_ratio", "dimensionality", "participation_ratio"),
        ("weight_change", "weight_change", "relative_change"),
    ):
        found[name] = empty
        if measure in measures:
            array = measures[measure][variable]
            if "checkpoint" in array.dims:
                array = array.isel(checkpoint=-1)
            found[name] = np.where(run, _crossed(array), np.nan)
    return found


def _crossed(array: xr.DataArray) -> np.ndarray:
    """(task, rule, gain, tau, seed) of (task, circuit, rule, option, seed), in floats."""
    values = array.isel(option=0).transpose("task", "rule", "circuit", "seed").values.astype(float)
    settings = [_setting(name)[1:] for name in labels(array["circuit"])]
    gains, taus = (sorted(set(column)) for column in zip(*settings, strict=True))
    found = np.full((*values.shape[:2], len(gains), len(taus), values.shape[-1]), np.nan)
    for place, (gain, tau) in enumerate(settings):
        found[:, :, gains.index(gain), taus.index(tau)] = values[:, :, place]
    return found


def _setting(name: str) -> tuple[str, float, float]:
    """Rule (empty where it is not named), gain and tau of a label.

    Example:
        >>> _setting("symmetric-none_gain=0.8_tau=50")
        ('symmetric-none', 0.8, 50.0)
    """
    found = SETTING.match(name)
    if found is None:
        raise ValueError(f"circuit: {name!r}; expected a label such as gain=0.8_tau=50.")
    return found["rule"] or "", float(found["gain"]), float(found["tau"])


def _distances_of(tree: xr.DataTree) -> xr.Dataset | None:
    if "distances" not in tree.children or "shape_distance" not in tree["distances"].data_vars:
        return None
    return tree["distances"].to_dataset()


def _by_seeds(data: xr.Dataset, source: str, seeds: np.ndarray, rules: list[str]) -> tuple[np.ndarray, int]:
    """(seed, seed) mean distance of circuits that differ in one source alone, and the number of pairs."""
    columns = columns_of(labels(data["label"]), data["replicate"].values)
    taken = only(columns)[APART.index(source)]
    there = np.isin(columns[0], rules)
    values = data["shape_distance"].values
    taken &= there & there[:, None] & np.isfinite(values)
    found = np.full((len(seeds), len(seeds)), np.nan)
    for (row, one), (column, other) in itertools.product(enumerate(seeds), repeat=2):
        here = taken & (columns[3][:, None] == one) & (columns[3] == other)
        if here.any():
            found[row, column] = values[here].mean()
    return found, int(np.triu(taken).sum())


def columns_of(names: list[str], replicates: np.ndarray) -> list[np.ndarray]:
    """Rule, gain, tau and seed of every run."""
    return [*map(np.array, zip(*map(_setting, names), strict=True)), np.asarray(replicates)]


def only(columns: list[np.ndarray]) -> np.ndarray:
    """(source, run, run) whether two runs differ in one of :data:`APART`, and in no other."""
    differ = np.stack([column[:, None] != column for column in columns])
    return differ & (differ.sum(0) == 1)


def _mean_distance(matrix: np.ndarray, *, apart: bool) -> tuple[np.ndarray, np.ndarray]:
    """(3,) mean with its bounds, and (seed,) the mean of every seed.

    Args:
        matrix: (seed, seed). apart: whether it is of different seeds, or else of the same.
    """
    number = len(matrix)
    part = ~np.eye(number, dtype=bool) if apart else np.eye(number, dtype=bool)
    known = part & np.isfinite(matrix)
    values = np.where(known, matrix, 0.0)

    def over(weights: np.ndarray) -> np.ndarray:
        weight = weights[:, :, None] * weights[:, None] if apart else weights[:, :, None] * np.eye(number)
        total = (weight * known).sum((1, 2))
        return (weight * values).sum((1, 2)) / np.where(total > 0, total, np.nan)

    each = values.sum(1) / np.where(known.any(1), known.sum(1), np.nan)
    kept = np.flatnonzero(known.any(1))
    bounds = np.full(2, np.nan)
    if kept.size > 1:
        drawn = np.zeros((RESAMPLES, number))
        drawn[:, kept] = np.random.default_rng(KEY).multinomial(
            kept.size, np.full(kept.size, 1 / kept.size), RESAMPLES
        )
        bounds = percentile_interval(over(drawn), CONFIDENCE)
    return np.array([over(np.ones((1, number)))[0], *bounds]), each
