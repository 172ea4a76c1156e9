"""What the study of gradients declares: circuits, tasks, numbers of its forms, and the cells they make.

A cell is one measurement that is kept in a file of its own. Its identity is the hash of everything that
determines it, so a cell whose declaration changes is measured again and no other is.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import throughtime as tt
from throughtime import config
from throughtime.circuits import GRU, LSTM, Dense, Leaky
from throughtime.objectives import CrossEntropy, SquaredError

SLOT = 20.0
"""ms; one step of every circuit here, so that a vanilla circuit has tau = dt."""

VANILLA = Leaky(tau=SLOT, form="rate")
RECTIFIED = Leaky(tau=SLOT, form="rate", activation="relu")
CHRONO = "chrono"

# name -> neurons, recurrent weights; an LSTM's "chrono" biases are set for the steps of the task
CIRCUITS: dict[str, tuple[Any, Dense]] = {
    **{f"vanilla-{gain:g}": (VANILLA, Dense(gain=gain)) for gain in (0.5, 1.0, 1.5, 2.0, 3.0)},
    "relu-1.6": (RECTIFIED, Dense(gain=1.6)),
    "relu-identity": (RECTIFIED, Dense(distribution="identity")),
    "orthogonal": (VANILLA, Dense(distribution="orthogonal")),
    "leaky-100": (Leaky(tau=5 * SLOT, form="rate"), Dense()),
    "leaky-500": (Leaky(tau=25 * SLOT, form="rate"), Dense()),
    "lstm": (LSTM(forget_bias=1.0), Dense()),
    "lstm-chrono": (CHRONO, Dense()),
    "gru": (GRU(), Dense()),
    "gru-bias-2": (GRU(update_bias=2.0), Dense()),
}
TRAINED = ("vanilla-1", "orthogonal", "leaky-500", "lstm-chrono", "gru")
EXPLODING = "relu-1.6"
OPTIMIZERS = {"sgd": 1e-2, "adam": 3e-3}
CLIP = 1.0
STEPS_BACK = (0, 1, 2, 5, 10, 20, 50, 100, 150, 200, 300, 400, 500)
"""Lags of the gradient norms of trained circuits, in steps, beside those of the tasks."""

# name -> template, the field that is its lag, the objective
TASKS: dict[str, tuple[Any, str, Any]] = {
    "copy-memory": (tt.tasks.make("copy-memory", num_symbols=3, slot=SLOT, dt=SLOT), "blank", CrossEntropy()),
    "adding-problem": (tt.tasks.make("adding-problem", slot=SLOT, dt=SLOT), "length", SquaredError()),
}


@dataclass(frozen=True)
class Form:
    """The numbers of one form of the study.

    Attributes:
        num_units: units of every circuit. batch_size: trials an update.
        untrained: circuits measured before training, on ``copy-memory`` with a blank of ``blank`` slots,
            drawn with ``untrained_seeds`` and ``untrained_trials`` trials each.
        trained: circuits that are trained, with ``seeds``, at ``lags`` (slots), for at most ``num_updates``;
            gradient norms are measured on ``norm_trials`` trials, scores on ``test_trials``.
        pilot_rates, pilot_lag, pilot_seeds, pilot_updates: each circuit's learning rate is the one with the
            lowest loss in a pilot on seeds of its own.
        clip_lag, clip_updates: ``adding-problem`` of that length, for the runs with and without clipping.
        memory_steps: steps of the trials whose gradients' time and memory are measured, on circuits of
            ``memory_units`` units and ``memory_trials`` trials, timed ``memory_repeats`` times.
    """

    name: str
    num_units: int = 64
    batch_size: int = 32
    untrained: tuple[str, ...] = tuple(CIRCUITS)
    blank: int = 200
    untrained_seeds: tuple[int, ...] = tuple(range(5))
    untrained_trials: int = 4
    trained: tuple[str, ...] = TRAINED
    lags: tuple[int, ...] = (20, 50, 100, 200, 500)
    seeds: tuple[int, ...] = tuple(range(4))
    num_updates: int = 2000
    eval_every: int = 100
    norm_trials: int = 2
    test_trials: int = 512
    pilot_rates: tuple[float, ...] = (1e-3, 3e-3, 1e-2)
    pilot_lag: int = 20
    pilot_seeds: tuple[int, ...] = (1000, 1001)
    pilot_updates: int = 1500
    clip_lag: int = 50
    clip_updates: int = 600
    memory_steps: tuple[int, ...] = (125, 250, 500, 1000, 2000, 4000, 8000)
    memory_units: int = 128
    memory_trials: int = 16
    memory_repeats: int = 5


FULL = Form("full")
QUICK = Form(
    "quick", num_units=32, batch_size=16, blank=30, untrained_seeds=(0,), untrained_trials=2,
    trained=("vanilla-1", "gru"), lags=(10, 20), seeds=(0,), num_updates=200, eval_every=50,
    norm_trials=1, test_trials=64, pilot_rates=(3e-3, 1e-2), pilot_lag=10, pilot_seeds=(1000,),
    pilot_updates=50, clip_lag=30, clip_updates=100, memory_steps=(100, 400), memory_repeats=1,
)  # fmt: skip


@dataclass(frozen=True)
class Cell:
    """One measurement.

    Attributes:
        part: ``untrained``, ``clipping``, ``pilot``, ``trained`` or ``memory``.
        labels: what it is of, in words and numbers: its place in the record.
        declared: everything that determines it.
    """

    part: str
    labels: tuple[str | int, ...]
    declared: dict[str, Any] = dataclasses.field(hash=False)

    @property
    def name(self) -> str:
        """Part and labels."""
        return "-".join(map(str, (self.part, *self.labels)))

    @property
    def identity(self) -> str:
        """Hash of part, declaration and package version."""
        return config.sha256((self.part, self.declared, tt.__version__))


def task_of(name: str, lag: int) -> Any:
    """A task whose lag is so many slots."""
    template, field, _ = TASKS[name]
    return dataclasses.replace(template, **{field: lag})


def circuit_of(name: str, task: Any, num_units: int) -> Any:
    """A circuit of the table, for a task."""
    dynamics, recurrent = CIRCUITS[name]
    dynamics = LSTM(chrono=float(task.num_steps)) if dynamics == CHRONO else dynamics
    return tt.circuits.for_task(task, num_units, dynamics=dynamics, recurrent=recurrent)


def declaration(form: Form) -> dict[str, Any]:
    """All that a record of this form rests on, as plain configuration."""
    return {
        "study": "gradient anatomy",
        "form": form,
        "circuits": CIRCUITS,
        "tasks": TASKS,
        "rule": tt.rules.make("bptt"),
        "clipping": {"circuit": EXPLODING, "optimizers": OPTIMIZERS, "clip": CLIP},
        "steps_back": STEPS_BACK,
        "version": tt.__version__,
    }


def cells(form: Form, rate_of: Callable[[str, str], float]) -> Iterator[Cell]:
    """All cells of a form, in the order in which they are measured.

    Args:
        rate_of: learning rate of a task's name and a circuit's name; asked after the pilot cells.
    """
    yield from untrained_cells(form)
    yield from clipping_cells(form)
    yield from pilot_cells(form)
    yield from trained_cells(form, rate_of)
    for steps in form.memory_steps:
        sizes = {"num_units": form.memory_units, "num_trials": form.memory_trials}
        yield Cell("memory", (steps,), {"num_steps": steps, **sizes, "repeats": form.memory_repeats})


def untrained_cells(form: Form) -> Iterator[Cell]:
    """Gradient norms of circuits as they are drawn; lags are multiples of 10 steps, and a few short ones."""
    task, objective = task_of("copy-memory", form.blank), TASKS["copy-memory"][2]
    back = sorted({1, 2, 5, *range(0, task.num_steps, 10)})
    for name in form.untrained:
        declared = {
            "task": task, "circuit": circuit_of(name, task, form.num_units), "objective": objective,
            "seeds": form.untrained_seeds, "trials": form.untrained_trials, "back": back,
        }  # fmt: skip
        yield Cell("untrained", (name,), declared)


def clipping_cells(form: Form) -> Iterator[Cell]:
    """An exploding circuit with and without clipping, under two optimisers."""
    task = task_of("adding-problem", form.clip_lag)
    for optimizer, rate in OPTIMIZERS.items():
        for clip in (None, CLIP):
            settings = {
                "seeds": form.seeds, "num_updates": form.clip_updates, "batch_size": form.batch_size,
                "learning_rate": rate, "optimizer": optimizer, "clip": clip, "stop": "budget",
                "eval_every": form.clip_updates, "log_every": 1, "objective": TASKS["adding-problem"][2],
            }  # fmt: skip
            circuit = circuit_of(EXPLODING, task, form.num_units)
            words = "unclipped" if clip is None else "clipped"
            yield Cell("clipping", (f"{optimizer}-{words}",), {"task": task, "circuit": circuit, **settings})


def training(form: Form, task: str, circuit: str, lag: int, **settings: Any) -> dict[str, Any]:
    """Declaration of one training."""
    made = task_of(task, lag)
    return {
        "task": made, "circuit": circuit_of(circuit, made, form.num_units), "objective": TASKS[task][2],
        "batch_size": form.batch_size, "clip": CLIP, **settings,
    }  # fmt: skip


def pilot_cells(form: Form) -> Iterator[Cell]:
    """A short training of every task and circuit at each learning rate, on seeds of its own."""
    updates = form.pilot_updates
    settings = {"seeds": form.pilot_seeds, "num_updates": updates, "stop": "budget", "eval_every": updates}
    for task in TASKS:
        for circuit in form.trained:
            declared = training(form, task, circuit, form.pilot_lag, **settings, log_every=updates // 10)
            yield Cell("pilot", (task, circuit), {**declared, "rates": form.pilot_rates})


def trained_cells(form: Form, rate_of: Callable[[str, str], float]) -> Iterator[Cell]:
    """Every circuit on every task at every lag, at the learning rate of its pilot."""
    settings = {
        "seeds": form.seeds, "num_updates": form.num_updates, "stop": "criterion",
        "eval_every": form.eval_every, "log_every": form.eval_every // 2,
    }  # fmt: skip
    back = tuple(sorted({*STEPS_BACK, *form.lags}))
    measured = {"norm_trials": form.norm_trials, "test_trials": form.test_trials, "back": back}
    for lag in form.lags:
        for task in TASKS:
            for circuit in form.trained:
                settings["learning_rate"] = rate_of(task, circuit)
                declared = training(form, task, circuit, lag, **settings)
                yield Cell("trained", (task, circuit, lag), {**declared, **measured})
