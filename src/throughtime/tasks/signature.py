"""The curve that describes behaviour in a task, and the fit that summarises it."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Signature:
    """Declares a behavioural fit; tasks say which, ``throughtime.analysis`` does it.

    Attributes:
        fit: name of a function of ``throughtime.analysis``: ``"timing"``, ``"psychometric"``, ``"accuracy"``.
        variables: pairs (argument of that function, name of a score or condition of the task).
        parameters: the scalars it returns, which a criterion may name.
    """

    fit: str
    variables: tuple[tuple[str, str], ...]
    parameters: tuple[str, ...]
