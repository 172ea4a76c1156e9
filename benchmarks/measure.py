"""Measuring the rows of one case: build, compare with the reference, then time in turn."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from benchmarks.rows import Row
from benchmarks.timing import Contender, Found, Samples, Summary, interleave


@dataclasses.dataclass(frozen=True)
class Outcome:
    """What became of one row.

    Attributes:
        name: of the row.
        summary: times or the number found, or None where there is none.
        error: largest relative error of the two contenders against the reference; None where not compared.
        note: why there is none.
    """

    name: str
    summary: Summary | None = None
    error: float | None = None
    note: str = ""


def measure(rows: Sequence[Row], repeats: int) -> list[Outcome]:
    """Outcomes of rows that share one case; a contender that fails or is wrong spoils its rows only."""
    names = dict.fromkeys(name for row in rows for name in (row.top, row.bottom) if name)
    contenders: dict[str, Contender] = {}
    found: dict[str, Found] = {}
    errors: dict[str, float] = {}
    notes: dict[str, str] = {}
    try:
        builders = rows[0].case.build(**dict(rows[0].case.options))
    except Exception as problem:
        note = f"failed: {type(problem).__name__}: {problem}".splitlines()[0]
        return [Outcome(row.name, note=note) for row in rows]
    for name in names:
        try:
            built = builders[name]()
            if isinstance(built, Found):
                found[name] = built
                continue
            if built.error is not None:
                errors[name] = built.error()
            built.run()
        except ModuleNotFoundError as problem:
            notes[name] = f"not run: {problem.name} not installed"
        except Exception as problem:  # whatever it is, other rows go on and this one says so
            notes[name] = f"failed: {type(problem).__name__}: {problem}".splitlines()[0]
        else:
            error, allowed = errors.get(name, 0.0), built.tolerance
            if error <= allowed:
                contenders[name] = built
            else:
                notes[name] = f"aborted: {name} is off the reference by {error:.1e} > {allowed:g}"
    samples = interleave(contenders, repeats) if contenders else None
    return [_outcome(row, samples, found, errors, notes) for row in rows]


def _outcome(
    row: Row,
    samples: Samples | None,
    found: dict[str, Found],
    errors: dict[str, float],
    notes: dict[str, str],
) -> Outcome:
    both = [name for name in (row.top, row.bottom) if name]
    error = max((errors[name] for name in both if name in errors), default=None)
    note = next((notes[name] for name in both if name in notes), "")
    if note:
        return Outcome(row.name, None, error, note)
    if row.top in found:
        return Outcome(row.name, found[row.top].summary())
    assert samples is not None
    return Outcome(row.name, samples.compare(row.top, row.bottom), error)
