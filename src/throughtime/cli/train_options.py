"""Every option of ``throughtime train`` and ``throughtime compare``; importing this module is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import arg

from throughtime.cli.given import OBJECTS, Given


@dataclass(frozen=True, kw_only=True)
class Training:
    """Options of every command that trains."""

    task: Annotated[str, arg(metavar="NAME[:VARIANT]")]
    """Task to learn, with one of its published settings if wanted: see throughtime list tasks."""
    out: Annotated[Path, arg(metavar="FILE")]
    """Where the run is saved: .nc (netCDF4) or .zarr."""
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
    initial: Annotated[str, arg(metavar="NAME")] = "rest"
    """State in which trials start: see throughtime list circuits."""
    fixed: Annotated[str | None, arg(metavar="A,B,…")] = None
    """Parameters that do not learn, such as input,readout."""
    output_feedback: bool = False
    """Feed each output back into the circuit one step later."""
    output_feedback_gain: float = 1.0
    """SD of the initial weights of fed-back outputs, times the root of the number of outputs."""
    readout_tau: float | None = None
    """Time constant of a leaky readout, ms; without one the readout has no memory."""
    tau: Annotated[str | None, arg(metavar="MS")] = None
    """Short for --dynamics.tau."""
    activation: Annotated[str | None, arg(metavar="NAME")] = None
    """Short for --dynamics.activation."""
    form: Annotated[str | None, arg(metavar="current|rate")] = None
    """Short for --dynamics.form."""
    gain: Annotated[str | None, arg(metavar="NUMBER")] = None
    """Short for --recurrent.gain."""
    objective: Annotated[str, arg(metavar="NAME")] = "squared-error"
    """Loss: squared-error or cross-entropy."""
    rate_penalty: Annotated[str | None, arg(metavar="STRENGTH")] = None
    """Add strength · mean r² to the loss (--rate-penalty.power 1: |r|); short for --rate-penalty.strength."""
    weight_penalty: Annotated[str | None, arg(metavar="STRENGTH")] = None
    """Add strength · Σ w² to the loss (--weight-penalty.power 1: |w|) over recurrent, input and readout
    weights, or those in --weight-penalty.of; short for --weight-penalty.strength."""
    vanishing_gradient: Annotated[str | None, arg(metavar="STRENGTH")] = None
    """Add a penalty on gradients that vanish or explode; short for --vanishing-gradient.strength."""
    num_updates: int = 2000
    """Budget of updates."""
    batch_size: int = 64
    """Trials per update."""
    learning_rate: float = 1e-3
    """Step size of the optimiser."""
    optimizer: Annotated[str, arg(metavar="NAME")] = "adam"
    """adam, adamw, momentum, nesterov, rmsprop or sgd."""
    clip: Annotated[float | None, arg(metavar="NORM")] = None
    """Largest norm of the gradient, or size of its numbers; no clipping by default."""
    clip_by: Literal["global", "block", "value"] = "global"
    """One norm over all parameters, each parameter array by its own, or number by number."""
    step_sizes: Annotated[str | None, arg(metavar="NAME=SIZE,…")] = None
    """Parameters with step sizes of their own in place of the learning rate: readout=0.1,readout_bias=0.1."""
    carry_state: bool = False
    """Start each trial in the state in which the one before it ended."""
    curriculum: Annotated[str | None, arg(metavar="published|Shaping(…)")] = None
    """Easier versions of the task first: published, as the task declares it; or stages of your own, such as
    "Shaping(delay, (500, 1000), Criterion(correct, at_least=0.9))"."""
    stop: Literal["criterion", "budget"] = "criterion"
    """End when every seed meets the task's criterion, or when the budget is spent."""
    eval_every: int = 100
    """Updates between evaluations on held-out trials, and between checkpoints."""
    log_every: int = 20
    """Updates between two rows of the learning curves."""
    keep: Annotated[str | None, arg(metavar="A,B,…")] = None
    """Updates whose weights are kept beside the initial and the final ones."""
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


@dataclass(frozen=True, kw_only=True)
class Train(Training):
    """Train a circuit on a task with a learning rule, and save the run.

    Fields of the objects are options too: --task.FIELD VALUE, --rule.FIELD VALUE, --dynamics.FIELD VALUE,
    --recurrent.FIELD VALUE, --initial.FIELD VALUE; throughtime list tasks NAME tells the fields of a task.
    Durations are written in ms as 700, as 300,500,700 (equally likely), as U(500,3000) or as
    TE(330,80,1500) (scale, low, high); objects within objects as in --recurrent.base "Sparse(0.2)".
    """

    rule: Annotated[str, arg(metavar="NAME")] = "bptt"
    """Learning rule: see throughtime list rules."""
    checkpoint: Annotated[Path | None, arg(metavar="FILE")] = None
    """File for the state of training; the same command goes on from it after an interruption."""

    objects: ClassVar[tuple[str, ...]] = OBJECTS

    def run(self, given: Given, words: list[str]) -> int:
        """Train and save."""
        from throughtime.cli.train import train

        return train(self, given, words)


@dataclass(frozen=True, kw_only=True)
class Compare(Training):
    """Train the same circuits on the same trials with several learning rules, and save all runs in one file.

    Fields of the objects are options too, as in throughtime train: --task.FIELD VALUE, --dynamics.FIELD
    VALUE and so on. Options of a rule are written behind its name, and a label before it: --rules bptt
    "aligned=eprop(feedback=symmetric)" "slow=rtrl(online=True, step_size=1e-3)".
    """

    rules: Annotated[tuple[str, ...], arg(metavar="[LABEL=]NAME[(…)]")]
    """Learning rules, one or more: see throughtime list rules."""
    stop: Literal["criterion", "budget"] = "budget"
    """End when the budget is spent, or when every seed meets the task's criterion."""
    no_controls: bool = False
    """Leave out the controls, readout-only and bptt, where they are not among the rules."""
    no_learned: bool = False
    """Do not measure what the circuits came to be like, which takes two more trainings with bptt."""
    match: Literal["updates", "trials"] = "updates"
    """As many updates for every rule; or as many trials, for rules that take one at a time."""
    tune: bool = False
    """Seek the step size of every rule on a grid first; --learning-rate is then not used."""
    grid: Annotated[str | None, arg(metavar="A,B,…")] = None
    """Step sizes to try, from small to large; 1e-4,3e-4,1e-3,3e-3,1e-2 by default."""
    tune_seeds: Annotated[str, arg(metavar="N|A,B,…")] = "3"
    """Number of seeds to tune on, counted from 10000, or the seeds themselves; none of --seeds."""
    tune_updates: int | None = None
    """Updates of each try; as many as --num-updates by default."""
    checkpoint: Annotated[Path | None, arg(metavar="DIR")] = None
    """Folder for the states of all trainings; the same command goes on from there after an interruption."""

    objects: ClassVar[tuple[str, ...]] = tuple(name for name in OBJECTS if name != "rule")

    def run(self, given: Given, words: list[str]) -> int:
        """Train and save."""
        from throughtime.cli.compare import compare

        return compare(self, given, words)
