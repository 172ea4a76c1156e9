"""Parts of the manual that are read off the package when it is built: tables, pictures, API pages."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import textwrap
import typing
from pathlib import Path
from typing import Any

from glances import analyses_part, rules_glance_part, tasks_glance_part
from markup import fields, first_sentence, literal, table
from reference import api_pages
from rules_table import rules_part as rules_on_tasks_part
from rules_table import varied_part
from speed_table import speed_part

import throughtime as tt
from throughtime.cli import text as text_of
from throughtime.plotting import style
from throughtime.registry import kebab
from throughtime.results import labels, schema

ROOT = Path(__file__).resolve().parent.parent
FIGURES = {
    "working_memory": "results/demo-delayed-match-to-sample.nc",
    "timing": "results/demo-cue-set-go.nc",
    "gradient_anatomy": "evidence/gradient_anatomy.nc",
    "locality": "evidence/locality.nc",
    "online_rules": "evidence/online_rules.nc",
    "periodic_output": "evidence/periodic_output.nc",
    "evidence_accumulation": "evidence/evidence_accumulation.nc",
    "reward_learning": "evidence/reward_learning.nc",
    "innate_trajectory": "evidence/innate_trajectory.nc",
    "learned_dynamics": "evidence/learned_dynamics.nc",
    "low_rank_timing": "evidence/low_rank_timing.nc",
    "recorded_data": "evidence/recorded_data.nc",
    "rate_to_spikes": "evidence/rate_to_spikes.nc",
    "rules_on_tasks": "evidence/rules_on_tasks.nc",
    "alignment": "evidence/rules_on_tasks.nc",
    "learned_circuits": "evidence/rules_on_tasks.nc",
    "initialisation": "evidence/rules_on_tasks.nc",
    "speed": "evidence/bench.nc",
    "task_demands": "evidence/tasks.nc",
    "task_signatures": "evidence/tasks.nc",
}


def write_all(folder: Path) -> None:
    """Write everything below ``folder``."""
    parts, api = folder / "parts", folder / "api"
    for each in (parts, api):
        each.mkdir(parents=True, exist_ok=True)
    written = {
        parts / "tasks.md": tasks_part(),
        parts / "demands.md": demands_part(),
        parts / "tasks-at-a-glance.md": tasks_glance_part(),
        parts / "rules.md": rules_part(),
        parts / "rules-at-a-glance.md": rules_glance_part(),
        parts / "analyses.md": analyses_part(),
        parts / "measures.md": measures_part(),
        parts / "dynamics.md": members_part(tt.circuits.DYNAMICS),
        parts / "connectivity.md": members_part(tt.circuits.CONNECTIVITY),
        parts / "lags.md": lags_part(),
        parts / "speed.md": speed_part(),
        parts / "rules-on-tasks.md": rules_on_tasks_part(),
        parts / "rules-varied.md": varied_part(),
        parts / "variables.md": variables_part(),
        parts / "options.md": options_part(),
        parts / "figures.md": figures_part(folder),
        **{api / f"{room}.md": text for room, text in api_pages().items()},
    }
    for path, text in written.items():
        if not path.exists() or path.read_text() != text:
            path.write_text(text)
    for name in tt.tasks.names():
        picture(tt.tasks.make(name), folder, name)


def tasks_part() -> str:
    """All tasks: what they are, channels, criterion, fields, variants."""
    text = []
    for name in tt.tasks.names():
        task = tt.tasks.make(name)
        kind = type(task)
        facts = [
            ("class", f"{{py:class}}`~{kind.__module__}.{kind.__name__}`"),
            ("inputs", f"`{text_of.channels(task.input_names)}`"),
            ("outputs", f"`{text_of.channels(task.output_names)}`"),
            ("epochs", ", ".join(f"`{one}`" for one in task.epoch_names)),
            ("conditions", ", ".join(f"`{one}`" for one in task.condition_names)),
            ("longest trial", f"{task.duration:g} ms, {task.num_steps} bins of {task.dt:g} ms"),
            ("learned when", "; ".join(one.words for one in task.criterion)),
            ("silent circuit", f"{task.silent_score:.0%} correct"),
            *shaping_facts(task),
            ("source", task.reference),
        ]
        text += [f"### {name}", "", first_sentence(kind), ""]
        text += [
            f"![Trials of {name}: inputs, and the output of a perfect subject](generated/{name}.svg)",
            "",
        ]
        text += [table(("", ""), facts), ""]
        variants = [(f"`{one}`", first_sentence(getattr(kind, one))) for one in task.variants]
        text += [table(("variant", "settings"), variants), ""] if variants else []
        text += [f"Fields of `{name}` and their defaults:", "", table(("field", "default"), fields(kind)), ""]
    return "\n".join(text)


def shaping_facts(task: Any) -> list[tuple[str, str]]:
    """The stages a task was trained in, where it declares them."""
    shaping = task.shaping
    if shaping is None:
        return []
    until = shaping.until
    bound = f"≥ {until.at_least:g}" if until.at_most is None else f"≤ {until.at_most:g}"
    values = ", ".join(f"`{value!r}`" for value in shaping.values)
    return [("published shaping", f"`{shaping.field}` {values}, each until `{until.measure}` {bound}")]


def demands_part() -> str:
    """Ceiling and training of every task at every value of its hardest parameter."""
    marks = {True: "passes", False: "fails", None: "not run"}
    rows = []
    for name in tt.tasks.names():
        task = tt.tasks.make(name)
        for value, found in zip(task.hardest.values, task.measured, strict=False):
            ceiling = "not run" if found.ceiling is None else f"{found.ceiling:.3g}, {marks[found.untrained]}"
            rows.append(
                (
                    f"`{name}`",
                    f"`{task.hardest.field}` = {tt.tasks.durations.show(value)}",
                    f"`{task.criterion[0].measure}`",
                    ceiling,
                    marks[found.trained],
                    "yes" if found.demanding else "",
                )
            )
    return table(("task", "parameter", "measure", "fitted readout", "trained by BPTT", "demanding"), rows)


def rules_part() -> str:
    """All rules: what they declare."""
    text = []
    for name in tt.rules.names():
        rule, traits = tt.rules.make(name), tt.rules.make(name).traits
        trained = traits.trained if isinstance(traits.trained, str) else ", ".join(traits.trained)
        rows = [
            ("class", f"{{py:class}}`~{type(rule).__module__}.{type(rule).__name__}`"),
            *(
                (one, "yes" if getattr(traits, one) else "no")
                for one in ("exact", "online", "stochastic", "displacement")
            ),
            ("a synapse must sense", ", ".join(traits.signals)),
            ("trains", trained),
            ("time per step and trial", f"{traits.time}"),
            ("memory per trial", f"{traits.memory}"),
            *((f"option {one}", value) for one, value in fields(type(rule))),
        ]
        text += [f"### {name}", "", first_sentence(type(rule)), "", table(("", ""), rows), ""]
    return "\n".join(text)


def measures_part() -> str:
    """All measures of a run: what they are, with their options."""
    rows = []
    for name in tt.measures.names():
        kind = tt.measures.get(name)
        options = ", ".join(f"{one} = {value}" for one, value in fields(kind))
        rows.append(
            (f"{{py:class}}`{name} <{kind.__module__}.{kind.__name__}>`", first_sentence(kind), options)
        )
    return table(("measure", "what it is", "options"), rows)


def members_part(members: dict[str, Any]) -> str:
    """Parts of circuits with their fields."""
    rows = [
        (
            f"`{name}`",
            f"{{py:class}}`~{kind.__module__}.{kind.__name__}`",
            first_sentence(kind),
            ", ".join(f"{one} = {value}" for one, value in fields(kind)),
        )
        for name, kind in members.items()
    ]
    return table(("name", "class", "what it is", "fields"), rows)


def lags_part() -> str:
    """Seeds at criterion, and the median of the measure, of every circuit at every lag of the record."""
    trained = tt.results.load_tree(ROOT / "evidence" / "gradient_anatomy.nc")["trained"].to_dataset()
    tasks, circuits = labels(trained["task"]), labels(trained["option"])
    text = []
    for index, task in enumerate(tasks):
        name = next(str(one) for one, array in trained.data_vars.items() if array.attrs.get("task") == index)
        median = trained[name].median("seed").values
        reached = (trained["criterion_update"].isel(task=index) >= 0).sum("seed").values
        rows = [
            (f"`{circuit}`", *(f"{value:.3f} ({count})" for value, count in zip(*both, strict=True)))
            for circuit, *both in zip(circuits, median, reached, strict=True)
        ]
        head = (name.replace("_", " "), *(f"{lag} slots" for lag in trained["condition"].values))
        text += [f"`{task}`, median of {trained.sizes['seed']} seeds (seeds at the criterion):", ""]
        text += [table(head, rows), ""]
    return "\n".join(text)


def variables_part() -> str:
    """The vocabulary of a results file."""
    rows = [(f"`{name}`", units, meaning) for name, (units, meaning) in schema.VARIABLES.items()]
    return table(("name", "units", "meaning"), rows)


def options_part() -> str:
    """Options of the commands, from the dataclasses that parse them."""
    from throughtime.cli import options

    text = []
    for kind in typing.get_args(options.Command):
        notes = option_notes(kind)
        rows = []
        for field in dataclasses.fields(kind):
            positional = "Positional" in str(field.type) or str(field.type) == "Result"
            name = field.name.upper() if positional else f"--{field.name.replace('_', '-')}"
            needed = field.default is dataclasses.MISSING
            default = "needed" if needed else "" if field.default is None else f"`{field.default}`"
            rows.append((f"`{name}`", default, literal(" ".join(notes.get(field.name, "").split()))))
        command = kebab(kind.__name__)
        text += [f"### throughtime {command}", "", literal(inspect.getdoc(kind) or ""), ""]
        text += [table(("option", "default", "meaning"), rows), ""]
    return "\n".join(text)


def option_notes(kind: type) -> dict[str, str]:
    """The string that follows each field of a dataclass in its source, or in that of a base."""
    notes = {}
    for one in reversed([base for base in kind.__mro__ if dataclasses.is_dataclass(base)]):
        [definition] = ast.parse(textwrap.dedent(inspect.getsource(one))).body
        assert isinstance(definition, ast.ClassDef)
        for before, after in zip(definition.body, definition.body[1:], strict=False):
            if isinstance(before, ast.AnnAssign) and isinstance(before.target, ast.Name):
                told = isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant)
                notes[before.target.id] = str(after.value.value) if told else ""
    return notes


def picture(task: Any, folder: Path, name: str) -> None:
    """One trial of each main condition of a task, as a perfect subject answers it."""
    with style.context():
        drawn = tt.plotting.trials_by_condition(tt.results.example_trials(task))
        drawn.savefig(folder / f"{name}.svg", metadata={"Date": None})


def figures_part(folder: Path) -> str:
    """The figures, drawn from their records where these are there."""
    text = []
    for name, record in FIGURES.items():
        script = ROOT / "figures" / f"{name}.py"
        title, _, rest = (inspect.cleandoc(_docstring(script))).partition("\n")
        legend = rest.split("\n\n")[-1].replace("\n", " ")
        title = title.rstrip(".")
        text += [f"### {title}", ""]
        if (ROOT / record).exists():
            _draw(script, ROOT / record, folder / f"{name}.svg")
            text += [f"![{title}](generated/{name}.svg)", ""]
        else:
            text += [
                f"(`make {'demo' if record.startswith('results/') else 'evidence'}` writes `{record}`; built "
                "after that, the manual shows the figure here.)",
                "",
            ]
        text += [legend, "", f"`throughtime figure {name}` or `python figures/{name}.py` draws it again.", ""]
    return "\n".join(text)


def _docstring(path: Path) -> str:
    return ast.get_docstring(ast.parse(path.read_text())) or ""


def _draw(script: Path, record: Path, target: Path) -> None:
    from throughtime.cli.scripts import imported

    with imported(script) as module, style.context():
        module.draw(record).savefig(target, metadata={"Date": None})
