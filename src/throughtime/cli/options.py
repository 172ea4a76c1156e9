"""Every option of every command, as dataclasses that tyro parses; importing this module is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, ClassVar, Literal

import tyro
from tyro.conf import Positional, arg, subcommand

from throughtime.cli import given
from throughtime.cli.given import Given

DESCRIPTION = """Train recurrent circuits on tasks of systems neuroscience, and look at what they learned.

throughtime COMMAND --help tells the options of a command, throughtime --version the version."""

Kind = Literal["tasks", "rules", "circuits", "experiments", "figures"]
Result = Annotated[Positional[Path], arg(metavar="RESULT")]


@dataclass(frozen=True)
class List:
    """List tasks, rules, parts of circuits, experiments or figures; with NAME, all about one."""

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
class Train:
    """Train a circuit on a task with a learning rule, and save the run.

    Fields of the objects are options too: --task.FIELD VALUE, --rule.FIELD VALUE, --dynamics.FIELD VALUE,
    --recurrent.FIELD VALUE; throughtime list tasks NAME tells the fields of a task. Durations are written in
    ms as 700, as 300,500,700 (equally likely), as U(500,3000) or as TE(330,80,1500) (scale, low, high).
    """

    task: Annotated[str, arg(metavar="NAME[:VARIANT]")]
    """Task to learn, with one of its published settings if wanted: see throughtime list tasks."""
    out: Annotated[Path, arg(metavar="FILE")]
    """Where the run is saved: .nc (netCDF4) or .zarr."""
    rule: Annotated[str, arg(metavar="NAME")] = "bptt"
    """Learning rule: see throughtime list rules."""
    seeds: Annotated[str, arg(metavar="N|A,B,…")] = "1"
    """Number of seeds (4 means 0, 1, 2, 3), or the seeds themselves (0,3,7; one alone: 3,)."""
    num_units: int = 128
    """Recurrent units."""
    noise: float = 0.0
    """SD of the drive noise, in units of the state."""
    dynamics: Annotated[str, arg(metavar="NAME")] = "leaky"
    """Dynamics of a unit: see throughtime list circuits."""
    recurrent: Annotated[str, arg(metavar="NAME")] = "dense"
    """Recurrent connectivity: see throughtime list circuits."""
    tau: Annotated[str | None, arg(metavar="MS")] = None
    """Short for --dynamics.tau."""
    activation: Annotated[str | None, arg(metavar="NAME")] = None
    """Short for --dynamics.activation."""
    form: Annotated[str | None, arg(metavar="current|rate")] = None
    """Short for --dynamics.form."""
    gain: Annotated[str | None, arg(metavar="NUMBER")] = None
    """Short for --recurrent.gain."""
    num_updates: int = 2000
    """Budget of updates."""
    batch_size: int = 64
    """Trials per update."""
    learning_rate: float = 1e-3
    """Step size of the optimiser."""
    optimizer: Annotated[str, arg(metavar="NAME")] = "adam"
    """adam, adamw, momentum, nesterov, rmsprop or sgd."""
    clip: Annotated[float | None, arg(metavar="NORM")] = None
    """Largest norm of the gradient; no clipping by default."""
    clip_by: Literal["global", "block"] = "global"
    """One norm over all parameters, or each parameter array by its own."""
    stop: Literal["criterion", "budget"] = "criterion"
    """End when every seed meets the task's criterion, or when the budget is spent."""
    eval_every: int = 100
    """Updates between evaluations on held-out trials, and between checkpoints."""
    log_every: int = 20
    """Updates between two rows of the learning curves."""
    keep: Annotated[str | None, arg(metavar="A,B,…")] = None
    """Updates whose weights are kept beside the initial and the final ones."""
    checkpoint: Annotated[Path | None, arg(metavar="FILE")] = None
    """File for the state of training; the same command goes on from it after an interruption."""
    init_seeds: Annotated[str | None, arg(metavar="N|A,B,…")] = None
    """Seed of the initial weights: one number for all seeds, or one for each."""
    data_seeds: Annotated[str | None, arg(metavar="N|A,B,…")] = None
    """Seed of the trials: one number for all seeds, or one for each."""
    rule_seeds: Annotated[str | None, arg(metavar="N|A,B,…")] = None
    """Seed of the rule's own draws: one number for all seeds, or one for each."""
    test_trials: int = 64
    """Test trials per seed recorded with the final weights; 0 for none."""
    overwrite: bool = False
    """Replace a result that is there already."""
    quiet: bool = False
    """No progress bar."""

    objects: ClassVar[tuple[str, ...]] = ("task", "rule", "dynamics", "recurrent")

    def run(self, given: Given, words: list[str]) -> int:
        """Train and save."""
        from throughtime.cli.train import train

        return train(self, given, words)


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
class Run:
    """Run an experiment: a Python file with main(quick: bool, out: Path)."""

    experiment: Annotated[Positional[str], arg(metavar="EXPERIMENT")]
    """Path of the file, or its name in the folder experiments."""
    quick: bool = False
    """A small version that shows that everything runs."""
    out: Annotated[Path, arg(metavar="DIR")] = Path("results")
    """Folder for what it writes."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Import the file and call its main."""
        from throughtime.cli.scripts import run_experiment

        return run_experiment(self)


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


Command = List | Train | Evaluate | Show | Run | Figure
COMMANDS: Any = (
    Annotated[List, subcommand("list")]
    | Annotated[Train, subcommand("train")]
    | Annotated[Evaluate, subcommand("evaluate")]
    | Annotated[Show, subcommand("show")]
    | Annotated[Run, subcommand("run")]
    | Annotated[Figure, subcommand("figure")]
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
    given.refuse_others(type(command).__name__.lower(), fields, command.objects)
    return command, fields
