"""Random records: every array of a trial drawn by itself, so that none follows from another."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits import Circuit, Dense, Leaky
from throughtime.objectives import SquaredError
from throughtime.trial import Trial

if TYPE_CHECKING:
    from throughtime.rules import Rule

STEPS = 6
BETWEEN = {
    "steps.keep": (0.2, 0.9),
    "steps.enter": (0.2, 1.0),
    "steps.sending": (0.3, 1.0),
    "steps.reading": (0.3, 1.0),
    "steps.mask": (0.5, 1.5),
}
SMALL = {"steps.twin": 0.1, "steps.jolt": 0.1, "recurrent": 0.5}
KEPT = ("state.rule_types",)
"""What says which neuron is which: as the rule drew it."""


def small_circuit() -> Circuit:
    """Six neurons of one variable, two inputs and two outputs."""
    return Circuit(
        num_inputs=2,
        num_units=6,
        num_outputs=2,
        dt=40.0,
        dynamics=Leaky(tau=100.0),
        recurrent=Dense(gain=1.2),
    )


@dataclass(frozen=True)
class Template:
    """What all records of a rule on a circuit have in common.

    Attributes:
        rule, circuit: whose they are.
        evidence: one record with numbers in every place.
        state: of the rule, as drawn.
    """

    rule: Rule
    circuit: Circuit
    evidence: Any
    state: dict[str, Any]

    def parts(self, evidence: Any, state: Any) -> dict[str, Any]:
        """All real arrays by name, such as ``steps.error``, ``recurrent`` or ``state.rule_feedback``."""
        found = {f"steps.{name}": value for name, value in evidence.steps._asdict().items()}
        found |= {
            name: value for name, value in evidence._asdict().items() if name not in ("steps", "own", "key")
        }
        found |= {f"own.{name}": value for name, value in evidence.own.items()}
        found |= {f"state.{name}": value for name, value in state.items()}
        return {name: value for name, value in found.items() if real(value)}

    def whole(self, parts: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
        """The record and the rule's state with these real arrays."""

        def of(prefix: str, before: dict[str, Any]) -> dict[str, Any]:
            return {name: parts.get(prefix + name, value) for name, value in before.items()}

        steps = type(self.evidence.steps)(**of("steps.", self.evidence.steps._asdict()))
        found = of("", {**self.evidence._asdict(), "steps": steps})
        found |= {"steps": steps, "own": of("own.", self.evidence.own)}
        return type(self.evidence)(**found), of("state.", self.state)


def real(value: Any) -> bool:
    """Whether this is an array of real numbers, not empty."""
    return value is not None and jnp.issubdtype(value.dtype, jnp.floating) and value.size > 0


def template(rule: Rule, circuit: Circuit, seed: int) -> Template:
    """Sizes of the records of a rule on a circuit; nothing is run."""
    key = jax.random.key(seed)
    doubles = {name: jnp.asarray(value, float) for name, value in circuit.init(key=key).items()}
    state = {
        name: jnp.asarray(value, float) if jnp.issubdtype(value.dtype, jnp.floating) else value
        for name, value in rule.init(circuit, doubles, key=jax.random.fold_in(key, 1)).items()
    }
    outputs = jnp.zeros((STEPS, circuit.num_outputs))
    trial = Trial(
        jnp.zeros((STEPS, circuit.num_inputs)), outputs, jnp.ones_like(outputs), jnp.ones(STEPS, bool), {}, {}
    )

    def run(params: Any, state: Any) -> Any:
        return rule.evidence(circuit, params, state, trial, SquaredError(), key=key)

    shapes = jax.eval_shape(run, doubles, state)
    known = {
        "valid": trial.valid,
        "last": jnp.arange(STEPS) == STEPS - 1,
        "index": jnp.arange(STEPS),
    }
    empty = jax.tree.map(
        lambda leaf: (
            key if jnp.issubdtype(leaf.dtype, jax.dtypes.prng_key) else jnp.zeros(leaf.shape, leaf.dtype)
        ),
        shapes,
    )
    existing = circuit.weights(doubles).existing
    return Template(
        rule, circuit, empty._replace(steps=empty.steps._replace(**known), existing=existing), state
    )


def draw(given: Template, seed: int) -> dict[str, np.ndarray]:
    """All real arrays of one random record."""
    rng = np.random.default_rng(seed)
    drawn = {}
    for name, value in given.parts(given.evidence, given.state).items():
        if name in BETWEEN:
            drawn[name] = rng.uniform(*BETWEEN[name], value.shape)
        elif name.startswith("state."):
            moved = 0.1 * rng.standard_normal(value.shape) if value.ndim and name not in KEPT else 0.0
            drawn[name] = np.asarray(value) + moved
        else:
            drawn[name] = np.asarray(SMALL.get(name, 1.0) * rng.standard_normal(value.shape))
    return drawn
