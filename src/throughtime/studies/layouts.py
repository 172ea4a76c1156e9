"""Rows of a table as text, as CSV, and as LaTeX."""

from __future__ import annotations

import csv
import io
import math
import textwrap
from collections.abc import Callable, Sequence
from typing import NamedTuple

from throughtime.studies.rows import ORDER, Interval, Row

MEDIAN = "m"
TRIALS = "trials_to_criterion"
NOTHING = "-"
WIDTH = 100
"""Of what stands below a table."""


class Heading(NamedTuple):
    """What a table is about.

    Attributes:
        study: its name. metric: name of the quantity. meaning: the same in words.
        reference: rule that the others are compared with; None where there is only one.
        confidence: of all intervals. paired: whether seeds are pairs.
    """

    study: str
    metric: str
    meaning: str
    reference: str | None
    confidence: float
    paired: bool


def number(value: float, digits: int = 3) -> str:
    """A number with so many significant digits, and all of its digits before the point.

    Example:
        >>> [number(value) for value in (0.98765, 12345.6, 1.5e-7, -0.5, 0.0, math.inf, math.nan)]
        ['0.988', '12346', '1.50e-07', '-0.500', '0.00', 'inf', '-']
    """
    if math.isnan(value):
        return NOTHING
    if math.isfinite(value) and abs(value) >= 10 ** (digits - 1):
        return f"{value:.0f}"
    return f"{value:#.{digits}g}"


def interval(values: Interval) -> str:
    """An estimate with its interval.

    Example:
        >>> interval((0.5, 0.25, 0.75)), interval((1.0, math.nan, math.nan)), interval((math.nan,) * 3)
        ('0.500 [0.250, 0.750]', '1.00', '-')
    """
    value, low, high = values
    ends = "" if math.isnan(low) or math.isnan(high) else f" [{number(low)}, {number(high)}]"
    return f"{number(value)}{ends}"


def cells(row: Row, heading: Heading) -> tuple[str, ...]:
    """Success, trials, level, difference, p and what was lost of one row, in words."""
    nothing = not row.seeds
    success = (
        NOTHING if nothing else f"{row.reached}/{row.seeds} [{row.success[1]:.2f}, {row.success[2]:.2f}]"
    )
    level = f"{MEDIAN} {interval(row.level)}" if row.ranked else interval(row.level)
    if heading.metric == TRIALS:  # their median stands before
        level = ""
    difference = "" if row.difference is None else interval(row.difference)
    if row.difference_ranked and difference != NOTHING:
        difference = f"{MEDIAN} {difference}"
    known = row.difference is not None and not math.isnan(row.p_minimum)
    p = f"{number(row.p_holm, 2)} ({number(row.p_minimum, 2)})" if known else ""
    return success, trials(row), level, difference, p, lost(row)


def trials(row: Row) -> str:
    """Median of trials to criterion; more than the budget where it was not reached."""
    if math.isinf(row.trials[0]):
        return f"> {row.budget}" if row.budget else "never"
    value, low, high = (f"{one:.0f}" for one in row.trials)
    return NOTHING if math.isnan(row.trials[0]) else f"{value} [{low}, {high}]"


def lost(row: Row) -> str:
    """Seeds that did not train to an end, in words."""
    named = {
        "diverged": row.diverged, "failed": row.failed, "refused": row.refused, "not run": row.not_run
    }  # fmt: skip
    return ", ".join(f"{count} {name}" for name, count in named.items() if count)


def titles(heading: Heading) -> tuple[str, ...]:
    """Titles of the columns of numbers."""
    against = "" if heading.reference is None else f"difference to {heading.reference}"
    return "reached", "trials to criterion", heading.meaning, against, "p (least)", "lost"


def notes(heading: Heading) -> tuple[str, ...]:
    """What the columns mean, in sentences."""
    share = f"{100 * heading.confidence:g} %"
    found = [
        f"reached: seeds that met the criterion, of those run, with Wilson's {share} interval.",
        "trials to criterion: Kaplan-Meier median; > budget where fewer than half of the seeds reached it.",
    ]
    if heading.metric != TRIALS:
        found.append(f"{heading.meaning}: mean over seeds with its bootstrap interval.")
    found.append(f"{MEDIAN}: median with its interval, where a seed failed; failed seeds are ranked worst.")
    if heading.reference is not None:
        how = "seed by seed" if heading.paired else "seeds unpaired"
        found.append(
            f"difference to {heading.reference}: {how}; p adjusted by Holm's method within the family, in "
            "brackets the least that so many seeds can give; - where none could be significant."
        )
    return tuple(found)


def text(rows: Sequence[Row], heading: Heading) -> str:
    """For a terminal: labels that are the same in all rows stand above, repeated ones are left out."""
    shown = [axis for axis in range(len(ORDER)) if axis == 3 or len({row.labels[axis] for row in rows}) > 1]
    fixed = [f"{ORDER[axis]} {rows[0].labels[axis]}" for axis in range(len(ORDER)) if axis not in shown]
    lines = [(*(ORDER[axis] for axis in shown), *titles(heading))]
    before: tuple[str, ...] = ()
    for row in rows:
        names = [row.labels[axis] for axis in shown]
        new = next((k for k, name in enumerate(names) if tuple(names[: k + 1]) != before[: k + 1]), 0)
        lines.append((*("" if k < new else name for k, name in enumerate(names)), *cells(row, heading)))
        before = tuple(names)
    kept = [k for k in range(len(lines[0])) if any(line[k] for line in lines[1:])]
    widths = [max(len(line[k]) for line in lines) for k in kept]
    table = [
        "  ".join(line[k].ljust(w) for k, w in zip(kept, widths, strict=True)).rstrip() for line in lines
    ]
    table.insert(1, "  ".join("-" * width for width in widths))
    top = ", ".join([heading.study, *fixed])
    told = [textwrap.fill(note, WIDTH, subsequent_indent="  ") for note in notes(heading)]
    return "\n".join([top, "", *table, "", *told]) + "\n"


COLUMNS: tuple[tuple[str, Callable[[Row], object]], ...] = (
    ("num_reached [seeds]", lambda row: row.reached),
    ("num_run [seeds]", lambda row: row.seeds),
    ("success_rate [1]", lambda row: row.success[0]),
    ("success_rate_lower [1]", lambda row: row.success[1]),
    ("success_rate_upper [1]", lambda row: row.success[2]),
    ("median_trials_to_criterion [trials]", lambda row: row.trials[0]),
    ("median_trials_to_criterion_lower [trials]", lambda row: row.trials[1]),
    ("median_trials_to_criterion_upper [trials]", lambda row: row.trials[2]),
    ("trial_budget [trials]", lambda row: row.budget),
    ("{metric} [1]", lambda row: row.level[0]),
    ("{metric}_lower [1]", lambda row: row.level[1]),
    ("{metric}_upper [1]", lambda row: row.level[2]),
    ("{metric}_is [mean or median]", lambda row: "median" if row.ranked else "mean"),
    ("difference [1]", lambda row: _of(row.difference, 0)),
    ("difference_lower [1]", lambda row: _of(row.difference, 1)),
    ("difference_upper [1]", lambda row: _of(row.difference, 2)),
    ("difference_is [mean or median]", lambda row: _kind(row)),
    ("p [1]", lambda row: row.p),
    ("p_holm [1]", lambda row: row.p_holm),
    ("p_minimum [1]", lambda row: row.p_minimum),
    ("num_diverged [seeds]", lambda row: row.diverged),
    ("num_failed [seeds]", lambda row: row.failed),
    ("num_refused [seeds]", lambda row: row.refused),
    ("num_not_run [seeds]", lambda row: row.not_run),
)


def comma_separated(rows: Sequence[Row], heading: Heading) -> str:
    """CSV (RFC 4180): a row of names with units, then numbers in full; empty where there is none."""
    units = {TRIALS: "trials"}.get(heading.metric, "1")
    names = [
        name.replace("[1]", f"[{units}]").format(metric=heading.metric)
        if name.startswith(("{metric}", "difference"))
        else name
        for name, _ in COLUMNS
    ]
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\r\n")
    writer.writerow([*ORDER, "reference", *names])
    for row in rows:
        values = [get(row) for _, get in COLUMNS]
        plain = ["" if isinstance(one, float) and math.isnan(one) else one for one in values]
        writer.writerow([*row.labels, heading.reference or "", *plain])
    return file.getvalue()


def latex(rows: Sequence[Row], heading: Heading) -> str:
    """A ``tabular`` with rules of booktabs; what the columns mean stands in comments."""
    names = [*ORDER, *titles(heading)]
    lines = [tuple(map(escaped, [*row.labels, *cells(row, heading)])) for row in rows]
    kept = [k for k in range(len(names)) if k < len(ORDER) or any(line[k] for line in lines)]
    body = []
    for before, line in zip([None, *rows], zip(rows, lines, strict=True), strict=False):
        row, columns = line
        if before is not None and before.labels[0] != row.labels[0]:
            body.append(r"\midrule")
        body.append(" & ".join(columns[k] for k in kept) + r" \\")
    return "\n".join(
        [
            *(f"% {note}" for note in (heading.study, *notes(heading), r"needs \usepackage{booktabs}")),
            rf"\begin{{tabular}}{{{'l' * len(kept)}}}",
            r"\toprule",
            " & ".join(escaped(names[k]) for k in kept) + r" \\",
            r"\midrule",
            *body,
            r"\bottomrule",
            r"\end{tabular}",
            "",
        ]
    )


SPECIAL = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#",
    "_": r"\_", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "<": "$<$", ">": "$>$", "|": "$|$",
    "[": "{[}", "]": "{]}",
}  # fmt: skip


def escaped(text: str) -> str:
    """Text for LaTeX; numbers below zero and infinite ones in mathematics.

    Example:
        >>> escaped("a_b & 5 %"), escaped("-0.5 [-inf, 1]"), escaped("kf-rtrl")
        ('a\\\\_b \\\\& 5 \\\\%', '$-$0.5 {[}$-\\\\infty$, 1{]}', 'kf-rtrl')
    """
    words = []
    for word in text.split(" "):
        core = word.strip("[](),")
        plain = "".join(SPECIAL.get(letter, letter) for letter in word)
        if core.lstrip("-") == "inf":
            plain = plain.replace(core, f"${core.replace('inf', chr(92) + 'infty')}$")
        elif core.startswith("-") and len(core) > 1 and (core[1].isdigit() or core[1] == "."):
            plain = plain.replace("-", "$-$", 1)
        words.append(plain)
    return " ".join(words)


LAYOUTS: dict[str, Callable[[Sequence[Row], Heading], str]] = {
    "text": text,
    "csv": comma_separated,
    "latex": latex,
}


def _of(values: Interval | None, place: int) -> float:
    return math.nan if values is None else values[place]


def _kind(row: Row) -> str:
    if row.difference is None or math.isnan(row.difference[0]):
        return ""
    return "median" if row.difference_ranked else "mean"
