"""How each task is trained for the evidence: one circuit and one recipe, and why a task departs from it.

The recipe is a leaky circuit of 128 units, gain 1.2, drive noise 0.05, Adam with a learning rate of 1e-3,
gradients clipped at a norm of 1, batches of 64 trials. A departure stands in :data:`DEPARTURES`, with its
reason.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import throughtime as tt
from throughtime.circuits import Dense, Leaky
from throughtime.objectives import CrossEntropy
from throughtime.tasks import Criterion, Shaping, durations

SEEDS = (0, 1, 2)
ELSEWHERE = (0, 1)
"""Seeds at values of the hardest parameter other than the task's own."""


LEAKY, DENSE = Leaky(), Dense(gain=1.2)


@dataclass(frozen=True)
class Recipe:
    """How one task is trained.

    Attributes:
        num_units, dynamics, recurrent, noise: of the circuit; more: further fields of it.
        settings: of ``train``, in place of those of :data:`COMMON`.
        shaping: stages of the hardest parameter; those below the task's own value are used.
    """

    num_units: int = 128
    dynamics: Any = LEAKY
    recurrent: Any = DENSE
    noise: float = 0.05
    more: dict[str, Any] = field(default_factory=dict)
    settings: dict[str, Any] = field(default_factory=dict)
    shaping: Shaping | None = None


COMMON: dict[str, Any] = {
    "num_updates": 2000, "batch_size": 64, "learning_rate": 1e-3, "clip": 1.0, "eval_every": 50,
}  # fmt: skip

# A unit that forgets within 100 ms cannot hold a number over 2 s at first, and no gradient tells it to: units
# that integrate (time constant 1 s, each onto itself, rectified) can.
INTEGRATING = Recipe(
    dynamics=Leaky(tau=1000.0, activation="relu", form="rate"),
    recurrent=Dense(distribution="identity"),
    noise=0.0,
)

# Tasks published for circuits without a membrane (a step forgets all but what the synapses return).
VANILLA = Recipe(dynamics=Leaky(tau=20.0, form="rate"), recurrent=Dense(distribution="orthogonal"), noise=0.0)
SYMBOLS = CrossEntropy()

DEPARTURES: dict[str, Recipe] = {
    "add-task": VANILLA,
    "copy-memory": dataclasses.replace(
        VANILLA,
        settings={"objective": SYMBOLS, "num_updates": 4000},
        shaping=Shaping("blank", (1, 5, 10, 20), until=Criterion("symbol_accuracy", at_least=0.95)),
    ),
    "mimic-task": dataclasses.replace(VANILLA, settings={"learning_rate": 3e-3, "num_updates": 4000}),
    "adding-problem": dataclasses.replace(INTEGRATING, settings={"num_updates": 4000}),
}


def recipe_of(name: str) -> Recipe:
    """Recipe of a task."""
    return DEPARTURES.get(name, Recipe())


def declare(name: str, task: Any) -> dict[str, Any]:
    """Circuit, rule and settings for ``task``, which is the task ``name`` in one of its forms."""
    recipe = recipe_of(name)
    circuit = tt.circuits.for_task(
        task, recipe.num_units, dynamics=recipe.dynamics, recurrent=recipe.recurrent, noise=recipe.noise,
        **recipe.more,
    )  # fmt: skip
    declared = {"circuit": circuit, "rule": tt.rules.make("bptt"), **COMMON, **recipe.settings}
    shaping = recipe.shaping
    if shaping is not None:
        end = durations.bounds(getattr(task, shaping.field))[1]
        values = tuple(value for value in shaping.values if durations.bounds(value)[1] < end)
        if values:
            declared["curriculum"] = dataclasses.replace(shaping, values=values)
    return declared
