"""What the study of online rules declares: streams, rules, numbers of its forms, and the cells they make."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from _study import Cell

import throughtime as tt
from throughtime.circuits import Dense, Leaky
from throughtime.objectives import CrossEntropy, SquaredError

STEP = 20.0
"""ms; one step of every circuit here."""
STEP_SIZE = 1e-4
"""Published step of plain gradient descent, the same for every rule, on the loss of one time step."""
WINDOW = 10
"""Published truncation, steps."""
CUTS = {"tbptt-sliding": 10}
"""Parts of a trial after which a rule moves the weights that cannot do so within it; fewer overshoot."""
FROZEN = 1e-30
"""A step size so small that no weight moves in single precision."""


@dataclass(frozen=True)
class Stream:
    """One endless task, cut in trials whose states are carried over.

    Attributes:
        task: name, variant and options of the task; ``length`` counts slots.
        tau: time constant of the units, ms: α = STEP / tau.
        objective: its loss.
        predictor_step: published step of the predictor of ``dni``.
        half: whether the published loss of a time step is half the sum of squares over outputs.
    """

    task: tuple[str, str | None, Mapping[str, Any]]
    tau: float
    objective: Any
    predictor_step: float
    half: bool = False


STREAMS = {
    "add-1": Stream(("add-task", None, {"report": "logits"}), STEP, CrossEntropy(), 0.05),
    "mimic-1": Stream(("mimic-task", None, {}), STEP, SquaredError(), 1e-3, half=True),
    "add-0.5": Stream(("add-task", "leaky", {"report": "logits"}), 2 * STEP, CrossEntropy(), 0.05),
    "mimic-0.5": Stream(("mimic-task", "leaky", {}), 2 * STEP, SquaredError(), 1e-3, half=True),
}
RULES = (
    "readout-only",
    "tbptt-sliding",
    "tbptt-blocks",
    "kf-rtrl",
    "r-kf-rtrl",
    "uoro",
    "dni",
    "snap-1",
    "kernl",
    "rflo",
    "rflo-random",
)
ALIGNED = RULES[1:]
"""Rules whose gradients are compared with the exact one: all that give the recurrent weights one."""
LEARNED = ("dni", "kernl")
"""Rules with a past: predictors that learn."""


@dataclass(frozen=True)
class Form:
    """The numbers of one form of the study.

    Attributes:
        num_units: of every circuit. steps: of a trial, after each of which the stream goes on.
        streams: stream -> updates (trials) and seeds of a training.
        rules: rules that are trained on all streams. rtrl: seeds of ``rtrl``, on ``add-1`` alone.
        log_every: updates between two rows of the learning curves.
        kept: updates after which gradients are compared on ``add-1``, beside the first and the last;
            aligned: rules that are; align_seeds; align_trials of ``steps`` steps; draws of rules with chance;
            settle: updates in which predictors learn beside frozen weights first.
    """

    name: str
    num_units: int = 32
    steps: int = 1000
    streams: Mapping[str, tuple[int, int]] = field(
        default_factory=lambda: {
            "add-1": (1000, 5),
            "mimic-1": (500, 3),
            "add-0.5": (1000, 5),
            "mimic-0.5": (500, 3),
        },
        hash=False,
    )
    rules: tuple[str, ...] = RULES
    rtrl: int = 1
    log_every: int = 10
    kept: tuple[int, ...] = (10, 100)
    aligned: tuple[str, ...] = ALIGNED
    align_seeds: int = 3
    align_trials: int = 4
    draws: int = 8
    settle: int = 50


FULL = Form("full")
QUICK = Form(
    "quick", steps=400, streams={"add-1": (60, 2), "mimic-1": (20, 2)},
    rules=("readout-only", "tbptt-blocks", "kf-rtrl", "rflo"), rtrl=0, log_every=2, kept=(10,),
    aligned=("kf-rtrl", "rflo"), align_seeds=1, align_trials=2, draws=3, settle=5,
)  # fmt: skip
NOT_RUN = (
    "20 seeds: 5 on Add, 3 on Mimic",
    "1e6 steps on Mimic: 5e5",
    "rtrl but for 1 seed on Add with α = 1; tbptt with a sliding window of 10 steps stands for exact rules",
    "dni with a learned Jacobian",
    "instantaneous alignment, and alignment along trajectories of other rules and on Mimic",
)


def task_of(name: str, steps: int) -> Any:
    """The task of a stream, in trials of so many steps."""
    task, variant, options = STREAMS[name].task
    kind = tt.tasks.get(task)
    make = kind if variant is None else getattr(kind, variant)
    made = make(**options)
    return dataclasses.replace(made, length=round(steps * STEP / made.slot))


def circuit_of(name: str, task: Any, num_units: int) -> Any:
    """Published circuit: leaky tanh units in the rate form, orthogonal weights, biases 0."""
    dynamics = Leaky(tau=STREAMS[name].tau, form="rate")
    recurrent = Dense(distribution="orthogonal")
    return tt.circuits.for_task(task, num_units, dynamics=dynamics, recurrent=recurrent)


def counted(name: str, task: Any) -> int:
    """What the loss of one trial is divided by: steps that count, times outputs where those are averaged."""
    skipped = task.settling if STREAMS[name].half else task.longest_lag
    steps = round((task.length - skipped) * task.slot / STEP)
    return steps * len(task.output_names) if STREAMS[name].half else steps


def step_size(name: str, task: Any) -> float:
    """η on the loss of a trial that moves weights as the published one does on the loss of a step."""
    return STEP_SIZE * counted(name, task) / (2 if STREAMS[name].half else 1)


def rule_of(label: str, name: str, task: Any) -> tuple[Any, float]:
    """A rule of the table for a stream, and the learning rate of its training."""
    size = step_size(name, task)
    window = WINDOW * STEP
    if label == "tbptt-sliding":
        return tt.rules.make("tbptt", window=window, kind="sliding"), size
    registered, options = {
        "tbptt-blocks": ("tbptt", {"window": window}),
        "snap-1": ("snap", {"n": 1}),
        "rflo": ("rflo", {"feedback": "symmetric"}),
        "rflo-random": ("rflo", {}),
        # predictions are of credit in the loss of a trial: Θ starts as small against it as published
        "dni": (
            "dni",
            {"predictor_step": STREAMS[name].predictor_step, "initial_scale": STEP_SIZE / size},
        ),
    }.get(label, (label, {}))
    return tt.rules.make(registered, online=True, step_size=size, **options), 1.0


def training(form: Form, name: str, label: str, num_seeds: int, **more: Any) -> dict[str, Any]:
    """Declaration of one training: arguments of ``throughtime.training.train``, and ``cuts`` of a trial."""
    cuts = CUTS.get(label, 1)
    task, updates = task_of(name, form.steps // cuts), cuts * form.streams[name][0]
    rule, rate = rule_of(label, name, task)
    if cuts > 1:
        more["cuts"] = cuts
    return {
        "task": task, "circuit": circuit_of(name, task, form.num_units), "rule": rule,
        "objective": STREAMS[name].objective, "seeds": tuple(range(num_seeds)), "num_updates": updates,
        "batch_size": 1, "learning_rate": rate, "optimizer": "sgd", "stop": "budget", "carry_state": True,
        "eval_every": updates, "log_every": cuts * form.log_every, **more,
    }  # fmt: skip


def cells(form: Form) -> Iterator[Cell]:
    """All cells of a form, in the order in which they are measured."""
    for name, (_, num_seeds) in form.streams.items():
        for label in form.rules:
            yield Cell((name, label), training(form, name, label, num_seeds))
    along = training(form, "add-1", "tbptt-blocks", form.align_seeds, keep=form.kept)
    rules = {label: rule_of(label, "add-1", along["task"])[0] for label in form.aligned}
    measured = {"num_trials": form.align_trials, "draws": form.draws, "settle": form.settle}
    yield Cell(("alignment", "add-1"), {"along": along, "rules": rules, **measured})
    if form.rtrl:
        yield Cell(("add-1", "rtrl"), training(form, "add-1", "rtrl", form.rtrl))


def declaration(form: Form) -> dict[str, Any]:
    """All that a record of this form rests on, as plain configuration."""
    return {"cells": {cell.name: dict(cell.declared) for cell in cells(form)}}


def levels(name: str) -> dict[str, float]:
    """Least losses of circuits that know neither lag, the first or both; nothing where there are none."""
    task = task_of(name, 1000)
    if not hasattr(task, "levels"):
        return {}
    return {known: task.levels[known]["cross_entropy"] for known in ("neither", "first_lag", "both")}
