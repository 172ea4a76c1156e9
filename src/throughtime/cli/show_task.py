"""``throughtime show-task``: a task as a picture."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from throughtime.cli import build, output
from throughtime.cli.errors import Refusal

if TYPE_CHECKING:
    from throughtime.cli.given import Given
    from throughtime.cli.options import ShowTask

SUFFIXES = (".png", ".svg", ".pdf")
DPI = 200


def show_task(options: ShowTask, fields: Given) -> int:
    """Draw one trial of each condition, write the picture, and print where.

    Raises:
        Refusal, ValueError: for names, fields and conditions there are not, and files that cannot be written.
    """
    named = _named(options)
    out = Path(f"{named.replace(':', '-')}.png") if options.out is None else options.out
    if out.suffix not in SUFFIXES:
        raise Refusal(f"--out: expected a name ending in {' or '.join(SUFFIXES)}, found {str(out)!r}.")
    if options.most < 1:
        raise Refusal(f"--most: expected at least 1, found {options.most}.")
    if not 0 <= options.seed < 2**32:
        raise Refusal(f"--seed: expected a whole number from 0 to 2³² − 1, found {options.seed}.")
    task = build.task(named, fields.get("task", {}), given_as="show-task")
    output.check_folder(out, "--out")

    from throughtime import plotting, results

    by = None if options.by is None else [name.strip() for name in options.by.split(",") if name.strip()]
    examples = results.example_trials(task, by, most=options.most, seed=options.seed)
    changed = ", ".join(f"{name} {value}" for name, value in fields.get("task", {}).items())
    with plotting.style.context():
        drawn = plotting.trials_by_condition(examples, title=f"{named}, {changed}" if changed else named)
        out.parent.mkdir(parents=True, exist_ok=True)
        drawn.savefig(out, dpi=DPI)
    shown = examples.attrs["by"].replace(" ", ", ")
    count = examples.sizes["trial"]
    print(f"{count} trial{'s' if count != 1 else ''}{f', by {shown}' if shown else ''}")
    print(f"saved: {out}")
    return 0


def _named(options: ShowTask) -> str:
    if options.variant is None:
        return options.task
    if ":" in options.task:
        raise Refusal(f"--variant: {options.task} names one already; give it once.")
    return f"{options.task}:{options.variant}"
