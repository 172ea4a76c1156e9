"""Tables that put all members of a kind side by side, read off what they declare."""

from __future__ import annotations

from markup import first_sentence, table

import throughtime as tt
from throughtime.rules.base import EVERYTHING

CHANCE, TRIAL = "draws", "one trial"


def tasks_glance_part() -> str:
    """All tasks: size, and the values at which weights inside the circuit must learn."""
    rows = []
    for name in tt.tasks.names():
        task = tt.tasks.make(name)
        shown = "; ".join(tt.tasks.durations.show(value) for value in task.demanding)
        rows.append(
            (
                f"[`{name}`](tasks.md#{name})",
                f"{len(task.input_names)} → {len(task.output_names)}",
                f"{task.duration:g}",
                f"{task.num_steps}",
                f"`{task.hardest.field}` = {shown}" if task.demanding else "no value known",
            )
        )
    return table(("task", "channels", "trial, ms", "steps", "demanding at"), rows)


def rules_glance_part() -> str:
    """All rules: what they train, need and cost."""
    rows = []
    for name in tt.rules.names():
        traits = tt.rules.make(name).traits
        marks = [
            "exact" if traits.exact else "",
            "online" if traits.online else "",
            CHANCE if traits.stochastic else "",
            "own steps" if traits.displacement else "",
            TRIAL if traits.batch_size == 1 else "",
        ]
        trained = "all" if traits.trained == EVERYTHING else ", ".join(traits.trained)
        rows.append(
            (
                f"[`{name}`](rules.md#{name})",
                ", ".join(mark for mark in marks if mark),
                trained.replace("_", " "),
                ", ".join(traits.signals),
                f"{traits.forward_passes}",
                traits.time,
            )
        )
    head = ("rule", "traits", "trains", "a synapse must sense", "forward runs", "time")
    return table(head, rows)


def analyses_part() -> str:
    """All analyses: what they are, and whether a measure and a panel of that name exist."""
    rows = []
    for name in sorted(tt.analysis.__all__):
        member = getattr(tt.analysis, name)
        link = f"{{py:func}}`{name} <{member.__module__}.{name}>`"
        if member.__module__.rpartition(".")[2].startswith("_"):
            link = f"{{py:func}}`{name} <throughtime.analysis.{name}>`"
        rows.append(
            (
                link,
                first_sentence(member),
                "yes" if name in tt.measures.names() else "",
                "yes" if name in tt.plotting.__all__ else "",
            )
        )
    return table(("analysis", "what it is", "measure", "panel"), rows)
