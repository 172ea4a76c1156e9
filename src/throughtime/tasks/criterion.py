"""When a task counts as learned; judged on the host, on held-out trials."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np


@dataclass(frozen=True)
class Criterion:
    """A bound on one measure of behaviour.

    Attributes:
        measure: name of a score of the task (averaged over trials) or of a parameter of its signature's fit.
        at_least, at_most: the bound; exactly one is given.
        group: conditions whose combinations are judged apart.
        reduce: over the groups, their ``"mean"`` or the ``"worst"`` (lowest for ``at_least``, highest for
            ``at_most``).
        validations: consecutive evaluations whose values are averaged.
        trials: trials of one evaluation; with groups, enough for 100 of the rarest.

    Raises:
        ValueError: unless exactly one bound is given and the other fields make sense together.

    Example:
        >>> learned = Criterion("correct", at_least=0.95)
        >>> learned.met(learned.value({"correct": np.array([True, True, False])}, {}, {}))
        False
    """

    measure: str
    at_least: float | None = None
    at_most: float | None = None
    group: tuple[str, ...] = ()
    reduce: Literal["mean", "worst"] = "mean"
    validations: int = 1
    trials: int = 512

    def __post_init__(self) -> None:
        object.__setattr__(self, "group", tuple(self.group))
        if (self.at_least is None) == (self.at_most is None):
            raise ValueError(f"Criterion: measure {self.measure!r}: give either at_least or at_most.")
        if self.reduce not in ("mean", "worst"):
            raise ValueError(f"Criterion: reduce {self.reduce!r}: expected 'mean' or 'worst'.")
        if self.reduce == "worst" and not self.group:
            raise ValueError("Criterion: reduce 'worst': there are no groups; name conditions in group.")
        for name in ("validations", "trials"):
            if getattr(self, name) < 1:
                raise ValueError(f"Criterion: {name} {getattr(self, name)}: expected at least 1.")

    @property
    def words(self) -> str:
        """The bound in words.

        Example:
            >>> Criterion("correct", at_least=0.85, group=("pair",), reduce="worst", validations=5).words
            'correct ≥ 0.85 in the worst pair (mean of 5 evaluations)'
        """
        bound = f"≥ {self.at_least:g}" if self.at_least is not None else f"≤ {self.at_most:g}"
        where = ""
        if self.group:
            names = " and ".join(self.group)
            where = f" in the worst {names}" if self.reduce == "worst" else f" (each {names} counting alike)"
        often = f" (mean of {self.validations} evaluations)" if self.validations > 1 else ""
        return f"{self.measure} {bound}{where}{often}"

    def value(
        self, scores: Mapping[str, Any], conditions: Mapping[str, Any], fitted: Mapping[str, float]
    ) -> float:
        """The measure of one evaluation; catch trials (condition ``catch``) do not count.

        Args:
            scores: name -> (trial,), as the task's ``score`` returns them.
            conditions: name -> (trial,).
            fitted: name -> parameter of the signature's fit.

        Returns:
            The value; NaN when a counted trial has NaN or none counts.

        Raises:
            ValueError: for a measure that is neither in ``scores`` nor in ``fitted``, an unknown group, or
                groups for what is fitted.
        """
        if self.measure not in scores:
            if self.measure in fitted:
                if self.group:
                    raise ValueError(
                        f"Criterion: group {self.group[0]!r}: {self.measure!r} is fitted to all trials at "
                        "once; leave group out."
                    )
                return float(fitted[self.measure])
            known = ", ".join(sorted({*scores, *fitted}))
            raise ValueError(f"Criterion: measure {self.measure!r}: expected one of {known}.")
        if unknown := [name for name in self.group if name not in conditions]:
            known = ", ".join(sorted(conditions)) or "none"
            raise ValueError(f"Criterion: group {unknown[0]!r}: no such condition; there are {known}.")
        values = np.asarray(scores[self.measure], dtype=np.float64)
        counted = ~np.asarray(conditions.get("catch", np.zeros(values.shape)), dtype=bool)
        values = values[counted]
        if not values.size:
            return float("nan")
        if not self.group:
            return float(values.mean())
        columns = [np.unique(np.asarray(conditions[g])[counted], return_inverse=True)[1] for g in self.group]
        _, members = np.unique(np.stack(columns, axis=1), axis=0, return_inverse=True)
        members = members.reshape(-1)
        means = np.bincount(members, weights=values) / np.bincount(members)
        if self.reduce == "mean":
            return float(means.mean())
        return float(means.min() if self.at_least is not None else means.max())

    def met(self, value: float) -> bool:
        """Whether ``value`` satisfies the bound; NaN never does."""
        if self.at_least is not None:
            return bool(value >= self.at_least)
        return bool(value <= self.at_most)  # type: ignore[operator]
