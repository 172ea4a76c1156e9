"""Circuits to measure distances against: how far apart do two circuits end that only chance tells apart?

Rules that share initial weights and trials can leave circuits alike although they learn in different ways,
most of all when weights hardly move. So the distance of a rule's circuit from that of BPTT is read beside the
distances of four others: the circuit before training, one whose readout alone was trained, one that BPTT
trained from the same weights on other trials, and one it trained from other weights on the same trials. Those
weights are drawn anew, also where the comparison begins with weights of the caller's own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

from throughtime import rules

if TYPE_CHECKING:
    import xarray as xr

    from throughtime.comparison.study import Study
    from throughtime.rules import Rule

OTHER_TRIALS, OTHER_WEIGHTS = "other-trials", "other-weights"
NULLS = "nulls"
"""Group of their runs."""
FIRST_NULL_SEED = 20_000


def reference(chosen: Mapping[str, Rule], kind: str = "bptt") -> str | None:
    """Label of the first rule of a kind, exact BPTT by default; None where none is compared.

    Example:
        >>> reference({"mine": rules.make("rflo"), "exact": rules.make("bptt")})
        'exact'
    """
    return next((label for label, rule in chosen.items() if type(rule) is rules.get(kind)), None)


def null_runs(
    study: Study, rule: Rule, learning_rate: Any, labels: tuple[int, ...], used: Iterable[int], **options: Any
) -> dict[str, xr.DataTree]:
    """Runs of the reference from the same weights on other trials, and from other weights on the same trials.

    Args:
        study: what is the same for all rules. rule, learning_rate: the reference, as it was trained.
        labels: of the seeds. used: all seeds of the comparison, which none of the others may be.
        options: of :meth:`Study.run`.

    Returns:
        ``other-trials`` and ``other-weights``, trees of runs with the seeds' own labels.
    """
    others = tuple(free_seeds(len(labels), used))
    found = {}
    for name, change in (
        (OTHER_TRIALS, {"data_seeds": others}),
        (OTHER_WEIGHTS, {"init_seeds": others, "params": None}),
    ):
        found[name] = study.run(rule, f"null-{name}", learning_rate, labels, changes=change, **options)
    return found


def free_seeds(count: int, used: Iterable[int]) -> list[int]:
    """Seeds from 20 000 on that are not used.

    Example:
        >>> free_seeds(2, [20_000, 5])
        [20001, 20002]
    """
    taken = set(used)
    candidates = (seed for seed in range(FIRST_NULL_SEED, 2**31) if seed not in taken)
    return [next(candidates) for _ in range(count)]
