"""Distances between labels beside those within; see :mod:`throughtime.analysis.arrays.group_distances`."""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._labels import names_of
from throughtime.analysis._named import describe
from throughtime.analysis.arrays import group_distances as arrays
from throughtime.analysis.arrays.holm import holm
from throughtime.analysis.arrays.replicates import STATUS_MEANINGS, TOO_FEW

KEPT = ("distance", "label", "replicate", "status")
DISTANCES = {
    "between_distance": "mean distance between labels",
    "within_distance": "mean distance within labels",
    "within_first": "mean distance within the first label",
    "within_second": "mean distance within the second label",
    "within_lower": "2.5 % of distances within labels",
    "within_upper": "97.5 % of distances within labels",
    "excess": "distance between labels beyond that within",
    "matched_distance": "mean distance between labels at the same seed",
}
NUMBERS = {
    "p": "p value, labels exchanged",
    "p_minimum": "smallest p value that can occur",
    "p_status": "whether there is a p value",
    "num_first": "circuits of the first label",
    "num_second": "circuits of the second label",
    "paired": "whether circuits of the same seed are paired",
}


def group_distances(
    matrix: xr.Dataset,
    *,
    paired: bool | None = None,
    seed: int = 0,
    num_permutations: int = 10_000,
    level: float = 0.05,
    family_size: int | None = None,
) -> xr.Dataset:
    """Are circuits of two labels (rules, tasks) farther apart than seeds of one label are? For each pair.

    See :func:`throughtime.analysis.arrays.group_distances.group_distances`. Circuits that were refused are
    left out and counted.

    Args:
        matrix: what :func:`distance_matrix` returns.
        paired: whether circuits of the same seed belong together (same initial weights and trials), so that
            their distances are left out and labels exchanged seed by seed; seeds that are not there under
            both labels then take no part. If not given, labels with the same seeds are paired.
        seed: of random relabellings. num_permutations: above which they are random.
        level: at which p must be able to lie. family_size: comparisons, if more than these.

    Returns:
        ``matrix`` with, over ``pair`` (with the codes ``first`` and ``second``): ``between_distance,
        within_distance, within_first, within_second, within_lower, within_upper, excess``,
        ``matched_distance``, ``p, p_holm, p_minimum, p_status``, ``num_first, num_second, paired``.

    Raises:
        ValueError: for a single label, a family smaller than the pairs, or seeds that do not pair.

    Example:
        >>> from throughtime.analysis import distance_matrix
        >>> rng = np.random.default_rng(0)
        >>> shapes = rng.standard_normal((2, 1, 30, 4)) + 0.3 * rng.standard_normal((2, 4, 30, 4))
        >>> rates = xr.DataArray(shapes, dims=("rule", "seed", "trial", "unit"))
        >>> found = group_distances(distance_matrix(rates))
        >>> found.p_minimum.values, bool(found.excess[0] > 0)  # four pairs of seeds are too few for a p
        (array([0.125]), True)
    """
    matrix = matrix[[name for name in KEPT if name in matrix]]
    distance, label = matrix["distance"].values, matrix["label"].values
    codes = list(dict.fromkeys(label.tolist()))
    pairs = list(combinations(codes, 2))
    if not pairs:
        raise ValueError("matrix: all circuits have one label; give at least two to compare.")
    size = len(pairs) if family_size is None else family_size
    if size < len(pairs):
        raise ValueError(
            f"family_size: {size} with {len(pairs)} pairs; declare the family at least as large."
        )
    there = np.isfinite(distance).sum(1) > 1
    replicate = matrix["replicate"].values
    rows = []
    for first, second in pairs:
        kept = np.flatnonzero(there & np.isin(label, (first, second)))
        sides = [np.sort(replicate[label == code]).tolist() for code in (first, second)]
        both = sides[0] == sides[1] and len(set(sides[0])) == len(sides[0]) if paired is None else paired
        if both:
            kept = _common(kept, label, replicate, (first, second))
        block, is_second = distance[np.ix_(kept, kept)], label[kept] == second
        counts = (int((~is_second).sum()), int(is_second.sum()))
        if min(counts) < 2:
            rows.append(_too_few(block, is_second, counts) | {"paired": int(both)})
            continue
        found = arrays.group_distances(
            block, is_second, replicate=replicate[kept] if both else None, seed=seed,
            num_permutations=num_permutations, level=level, family_size=size,
        )  # fmt: skip
        rows.append(found._asdict() | {"paired": int(both)})
    own = dict(matrix["distance"].attrs)
    dataset = matrix.copy()
    for name, long_name in (DISTANCES | NUMBERS).items():
        units = own.get("units", "1") if name in DISTANCES else "1"
        values = np.array([row[name] for row in rows])
        dataset[name] = ("pair", values, {"units": units, "long_name": long_name})
    for name in ("p_status", "paired"):
        dataset[name] = dataset[name].astype(np.int8)
    meanings = " ".join(STATUS_MEANINGS)
    dataset["p_status"].attrs |= {"flag_values": list(range(len(STATUS_MEANINGS))), "flag_meanings": meanings}
    adjusted = holm(dataset["p"].values, family_size=size)
    dataset["p_holm"] = ("pair", adjusted, {"units": "1", "long_name": "p value, Holm-adjusted"})
    dataset = dataset.assign_coords(_coordinates(pairs, matrix["label"]))
    told = {key: value for key, value in matrix.attrs.items() if key == "measure"}
    options = {"seed": seed, "num_permutations": num_permutations, "level": level}
    return describe(dataset, "group_distances", told | options | {"family_size": size})


def _common(kept: np.ndarray, label: np.ndarray, replicate: np.ndarray, both: tuple[int, int]) -> np.ndarray:
    """Circuits whose seed is there under both labels."""
    shared = set.intersection(*(set(replicate[kept[label[kept] == code]].tolist()) for code in both))
    return kept[np.isin(replicate[kept], sorted(shared))]


def _too_few(block: np.ndarray, second: np.ndarray, counts: tuple[int, int]) -> dict[str, Any]:
    """What is left where a label has fewer than two circuits."""
    row: dict[str, Any] = dict.fromkeys((*DISTANCES, "p", "p_minimum"), np.nan)
    if min(counts):
        row["between_distance"] = float(block[np.ix_(~second, second)].mean())
    return row | {"p_status": TOO_FEW, "num_first": counts[0], "num_second": counts[1]}


def _coordinates(pairs: list[tuple[int, int]], label: xr.DataArray) -> dict[str, Any]:
    names = names_of(label)
    flags = {key: label.attrs[key] for key in ("flag_values", "flag_meanings") if key in label.attrs}
    meanings = [f"{names.get(a, a)}_–_{names.get(b, b)}" for a, b in pairs]
    named = {
        "flag_values": list(range(len(pairs))) if len(pairs) > 1 else 0,
        "flag_meanings": " ".join(meanings),
    }
    sides = np.array(pairs, np.int32)
    return {
        "pair": ("pair", np.arange(len(pairs)), {"units": "1", "long_name": "pair of labels"} | named),
        "first": ("pair", sides[:, 0], {"units": "1", "long_name": "first label"} | flags),
        "second": ("pair", sides[:, 1], {"units": "1", "long_name": "second label"} | flags),
    }
