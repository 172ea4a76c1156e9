"""Every option of ``throughtime train``; importing this module is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import arg

from throughtime.cli.given import OBJECTS, Given


@dataclass(frozen=True)
class Train:
    """Train a circuit on a task with a learning rule, and save the run.

    Fields of the objects are options too: --task.FIELD VALUE, --rule.FIELD VALUE, --dynamics.FIELD VALUE,
    --recurrent.FIELD VALUE, --initial.FIELD VALUE; throughtime list tasks NAME tells the fields of a task.
    Durations are written in ms as 700, as 300,500,700 (equally likely), as U(500,3000) or as
    TE(330,80,1500) (scale, low, high); objects within objects as in --recurrent.base "Sparse(0.2)".
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
    initial: Annotated[str, arg(metavar="NAME")] = "rest"
    """State in which trials start: see throughtime list circuits."""
    fixed: Annotated[str | None, arg(metavar="A,B,…")] = None
    """Parameters that do not learn, such as input,readout."""
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
    """Largest norm of the gradient; no clipping by default."""
    clip_by: Literal["global", "block"] = "global"
    """One norm over all parameters, or each parameter array by its own."""
    carry_state: bool = False
    """Start each trial in the state in which the one before it ended."""
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

    objects: ClassVar[tuple[str, ...]] = OBJECTS

    def run(self, given: Given, words: list[str]) -> int:
        """Train and save."""
        from throughtime.cli.train import train

        return train(self, given, words)
