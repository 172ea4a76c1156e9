"""Every option of every command, as dataclasses that tyro parses; importing this module is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro
from tyro.conf import Positional, arg, subcommand

from throughtime.cli import given
from throughtime.cli.given import Given
from throughtime.cli.study_options import Report, Run, Status, Table
from throughtime.cli.train_options import Compare, Train
from throughtime.registry import kebab

DESCRIPTION = """Train recurrent circuits on tasks of systems neuroscience, and look at what they learned.

throughtime COMMAND --help tells the options of a command, throughtime --version the version."""

Kind = Literal["tasks", "rules", "circuits", "measures", "experiments", "figures"]
Result = Annotated[Positional[Path], arg(metavar="RESULT")]


@dataclass(frozen=True)
class List:
    """List tasks, rules, parts of circuits, measures, experiments or figures; with NAME, all about one."""

    kind: Positional[Kind]
    """What to list."""
    name: Annotated[Positional[str | None], arg(metavar="[NAME]")] = None
    """One of them: its description, fields and defaults."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Print the table."""
        from throughtime.cli.listing import show_list

        return show_list(self)


@dataclass(frozen=True)
class Evaluate:
    """Test a saved run on held-out trials: scores of every seed, by condition, and the fit of its behaviour.

    --task.FIELD VALUE changes the task, such as --task.delay 4000; its channels and dt must stay."""

    result: Result
    """A saved run."""
    num_trials: int = 256
    """Trials per seed."""
    checkpoint: int = -1
    """Which of the recorded weights; -1 the final ones, 0 the initial ones."""
    purpose: Literal["test", "validation", "analysis"] = "test"
    """Which stream of held-out trials."""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """Save the trials with everything recorded, as .nc or .zarr."""
    overwrite: bool = False
    """Replace a result that is there already."""

    objects: ClassVar[tuple[str, ...]] = ("task",)

    def run(self, given: Given, words: list[str]) -> int:
        """Evaluate, print and save."""
        from throughtime.cli.evaluate import evaluate

        return evaluate(self, given, words)


@dataclass(frozen=True)
class Analyse:
    """Measure what the circuits of a saved run are like, and save a copy of the run with the measures in it.

    Exit status 1 if a measure is not defined for the run; the file tells why."""

    result: Result
    """A saved run, or such a copy."""
    measures: Annotated[tuple[str, ...], arg(metavar="NAME …")]
    """Names, or NAME(option=value,…): see throughtime list measures."""
    num_trials: int = 64
    """Trials per seed."""
    checkpoint: int = -1
    """Which of the recorded weights; -1 the final ones, 0 the initial ones."""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """Where the copy goes, as .nc or .zarr; RESULT-analysis by default."""
    overwrite: bool = False
    """Replace a result that is there already."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Measure, print and save."""
        from throughtime.cli.analyse import analyse

        return analyse(self, words)


@dataclass(frozen=True)
class Transfer:
    """Give circuits of a saved run integrate-and-fire neurons for units, and save a copy with what they do.

    Exit status 1 if no seed does its task in spikes as well as asked."""

    result: Result
    """A saved run of leaky units in the current form, or a copy of it with measures."""
    inverse_lambdas: Annotated[tuple[float, ...], arg(metavar="HZ …")] = tuple(map(float, range(20, 80, 5)))
    """Values of 1/λ to try, the firing rate in Hz that a rate of 1 stands for."""
    num_trials: int = 100
    """Trials per seed for each of them."""
    fresh_trials: int = 100
    """Further trials per seed with the best."""
    loss_below: float = 7.0
    """What the root of a trial's summed squared error has to be below in the rate circuit."""
    accuracy_at_least: float = 0.95
    """Share of correct trials that the rate circuit must, and the spikes should, reach."""
    peak: float | None = None
    """For a choice reported by sign: what the output has to exceed once for a trial to be correct."""
    noise: float = 0.0
    """SD of what is added to the voltages in each step, in mV."""
    kept_trials: int = 4
    """Fresh trials whose spikes are saved."""
    checkpoint: int = -1
    """Which of the recorded weights; -1 the final ones, 0 the initial ones."""
    target: Literal["numpy", "cython"] = "numpy"
    """What Brian2 makes code for."""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """Where the copy goes, as .nc or .zarr; RESULT-spiking by default."""
    overwrite: bool = False
    """Replace a result that is there already."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Transfer, print and save."""
        from throughtime.cli.transfer import transfer

        return transfer(self, words)


@dataclass(frozen=True)
class Show:
    """Show what a results file holds: configuration, versions, how each seed ended, groups."""

    result: Result
    """Any results file."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Print it."""
        from throughtime.cli.show import show

        return show(self)


@dataclass(frozen=True)
class Cite:
    """Print BibTeX of every task, rule, part of a circuit and analysis that results were made with.

    Comments before the entries tell what each is cited for."""

    results: Annotated[Positional[tuple[Path, ...]], arg(metavar="RESULT …")]
    """Results files, and folders of studies."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Print it."""
        from throughtime.cli.cite import cite

        return cite(self)


@dataclass(frozen=True)
class ShowTask:
    """Draw a task: one trial of each condition, its inputs, targets and the outputs of a perfect subject.

    --task.FIELD VALUE changes the task, such as --task.delay 4000."""

    task: Annotated[Positional[str], arg(metavar="NAME[:VARIANT]")]
    """Task, with one of its published settings if wanted: see throughtime list tasks."""
    variant: Annotated[str | None, arg(metavar="NAME")] = None
    """The published settings, in place of :VARIANT."""
    by: Annotated[str | None, arg(metavar="A,B,…")] = None
    """Conditions to show trials by; the main ones by default."""
    most: int = 8
    """Trials at most."""
    seed: int = 0
    """Seed of the trials."""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """Picture, as .png, .svg or .pdf; by default NAME.png here."""

    objects: ClassVar[tuple[str, ...]] = ("task",)

    def run(self, given: Given, words: list[str]) -> int:
        """Draw it and print the path."""
        from throughtime.cli.show_task import show_task

        return show_task(self, given)


@dataclass(frozen=True)
class Export:
    """Write one trained circuit, or the outcomes of a study, as files that do without throughtime."""

    result: Result
    """A saved run; or the folder of a study, or its combined record."""
    to: Annotated[str, arg(metavar="FORMAT")]
    """Of a run: numpy (forward.py, which imports NumPy alone) or brian2 (brian2_model.py), with weights.npz.
    Of a study: csv (outcomes, curves, what is lost), netcdf or zarr (all that was found, in one file)."""
    out: Annotated[Path, arg(metavar="DIR")]
    """Folder for the files."""
    seed: Annotated[int | None, arg(metavar="SEED")] = None
    """Which seed; may be left out where the run has only one."""
    checkpoint: int = -1
    """Which of the recorded weights; -1 the final ones, 0 the initial ones."""
    overwrite: bool = False
    """Replace files that are there already."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Write the files."""
        from throughtime.cli.export import export

        return export(self)


@dataclass(frozen=True)
class Audit:
    """Find out what a synapse must sense under each rule, and compare with what the rule declares.

    Exit status 1 if a rule reads what it does not declare, or the other way round."""

    rules: Annotated[Positional[tuple[str, ...]], arg(metavar="[RULE ...]")] = ()
    """Names of rules; by default all."""
    records: int = 3
    """Random records that each rule is shown."""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """Save the table, as .nc or .zarr."""
    overwrite: bool = False
    """Replace a result that is there already."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Audit, print and save."""
        from throughtime.cli.audit import audit

        return audit(self, words)


@dataclass(frozen=True)
class Figure:
    """Draw a figure from its record and write it as PDF and PNG."""

    name: Annotated[Positional[str], arg(metavar="NAME")]
    """Name of a file in the folder figures: see throughtime list figures."""
    result: Annotated[Positional[Path | None], arg(metavar="[RESULT]")] = None
    """Results file to draw; by default the one the figure names."""
    out: Annotated[Path, arg(metavar="DIR")] = Path("figures/output")
    """Folder for the two files."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Draw it and print the paths."""
        from throughtime.cli.scripts import draw_figure

        return draw_figure(self)


@dataclass(frozen=True)
class Check:
    """Check a rule, a task, a circuit or a part of one, or an analysis of your own: one line a check.

    Exit status 1 if a check failed; each says what was expected, what came and what to do."""

    member: Annotated[Positional[str], arg(metavar="FILE.py:NAME")]
    """A file and the class or object in it."""
    only: tuple[str, ...] = ()
    """Names of the checks to run; all by default."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Check it and print the report."""
        from throughtime.cli.check import check

        return check(self)


Command = (
    List
    | Train
    | Compare
    | Evaluate
    | Analyse
    | Transfer
    | Show
    | Cite
    | ShowTask
    | Export
    | Run
    | Status
    | Report
    | Table
    | Figure
    | Audit
    | Check
)
COMMANDS: Any = (
    Annotated[List, subcommand("list")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Compare, subcommand("compare")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Analyse, subcommand("analyse")]
    | Annotated[Transfer, subcommand("transfer")]
    | Annotated[Show, subcommand("show")]
    | Annotated[Cite, subcommand("cite")]
    | Annotated[ShowTask, subcommand("show-task")]
    | Annotated[Export, subcommand("export")]
    | Annotated[Run, subcommand("run")]
    | Annotated[Status, subcommand("status")]
    | Annotated[Report, subcommand("report")]
    | Annotated[Table, subcommand("table")]
    | Annotated[Figure, subcommand("figure")]
    | Annotated[Audit, subcommand("audit")]
    | Annotated[Check, subcommand("check")]
)


def parse(words: list[str]) -> tuple[Command, Given]:
    """The command that ``words`` ask for, and the fields of objects given with it.

    Raises:
        Refusal: for fields of an object the command does not take.
        SystemExit: after help (0) or for words that are no option of ours (2), both told by tyro.

    Example:
        >>> command, fields = parse(["evaluate", "x.nc", "--task.delay", "U(500,3000)", "--num-trials", "8"])
        >>> command.num_trials, fields["task"]
        (8, {'delay': 'U(500,3000)'})
    """
    rest, fields = given.split(words)
    command: Command = tyro.cli(
        COMMANDS,
        prog="throughtime",
        description=DESCRIPTION,
        args=rest,
        config=(tyro.conf.FlagCreatePairsOff,),
    )
    given.refuse_others(kebab(type(command).__name__), fields, command.objects)
    return command, fields
