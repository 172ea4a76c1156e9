"""The locality audit: what the update of a synapse reads, found out instead of declared.

A rule computes its update from a record of a trial in which everything is an array of its own
(:meth:`throughtime.rules.base.Rule.update_from_record`). Each number of random records is changed by
0.01, and the synapses whose update then moves read it. A derivative would not do: what a rule reads behind
a stop of the gradient has none. From which synapses read which numbers follows what a synapse must sense
beyond its own two activities and its own weight, and when: a rule is causal if what it has added up by a
step stands still when the record after that step is changed.

Modulators are judged twice: ``error at the neuron`` is one that is given, as the derivative of a penalty is;
``errors of the outputs`` and the matrix they come through tell how a rule makes it itself.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import numpy as np

from throughtime.audit import classes
from throughtime.audit.drawn import small_circuit, template
from throughtime.audit.reading import Looked, computation, follows, look

if TYPE_CHECKING:
    from throughtime.circuits import Circuit
    from throughtime.rules import Rule, Traits

SIGNALS = (
    "error", "W_out", "future errors", "self weight", "others' states", "others' weights", "type modulators",
    "scalar", "own noise", "output error",
)  # fmt: skip
"""What the update of a synapse may read beyond its own two activities and its own weight."""
TIMES = ("causal", "future", "delayed")
"""When what an update reads is known: at each step, only later, or at the end of the trial."""
CAUSAL, FUTURE, DELAYED = TIMES
RECURRENT, READOUT = "recurrent", "readout"


@dataclass(frozen=True)
class Verdict:
    """What an audit found.

    Attributes:
        rule: name of the rule.
        synapses: ``recurrent``, or ``readout`` for a rule that changes no others.
        reads: what the update of a synapse reads, from :data:`throughtime.audit.classes.KINDS`.
        signals: what it must sense beyond its own activities and weight, from :data:`SIGNALS`.
        error_path: ``W_out``, ``B``, both or ``none``: what the errors of the outputs come through.
        time: ``causal``, ``future`` or ``delayed`` (known once the trial is over).
        learned: array of the rule's state that a trial changes -> what its change must sense. Feedback that
            moves with the readout senses nothing but what the readout synapse of the same two neurons does.
        mixes: whether constraints pass an update on to other synapses, as a weight of low rank does.
    """

    rule: str
    synapses: str
    reads: tuple[str, ...]
    signals: tuple[str, ...]
    error_path: str
    time: str
    learned: dict[str, tuple[str, ...]]
    mixes: bool

    def disagreements(self, traits: Traits) -> tuple[str, ...]:
        """What a rule declares and does not sense, and what it senses undeclared; empty where both agree."""
        found, declared = set(self.signals), set(traits.signals)
        undeclared = [f"reads {signal!r} and does not declare it" for signal in sorted(found - declared)]
        return (
            *undeclared,
            *(f"declares {signal!r} and does not read it" for signal in sorted(declared - found)),
        )


def audit(rule: Rule, circuit: Circuit | None = None, *, records: int = 3, seed: int = 0) -> Verdict:
    """Find out what the update of a synapse reads.

    Args:
        rule: any rule that defines ``update_from_record``.
        circuit: on which; by default six leaky neurons with two outputs.
        records: random records; seed: of them.

    Raises:
        ValueError: for a rule that is no model of a synapse, and for one that changes no synapse.

    Example:
        >>> from throughtime import rules
        >>> found = audit(rules.make("rflo"))
        >>> found.signals, found.error_path, found.time
        (('error',), 'B', 'causal')
    """
    if rule.exempt:
        raise ValueError(f"audit: {rule.name} is not audited: {rule.exempt}; audit another rule.")
    if records < 1:
        raise ValueError(f"audit: records {records!r} is not a whole number >= 1; use 3.")
    circuit = small_circuit() if circuit is None else circuit
    with jax.enable_x64(True):
        given = template(rule, circuit, seed)
        one, step_by_step = computation(given)
        together = jax.jit(jax.vmap(one))
        seen = [look(given, together, seed + index) for index in range(records)]
        mixes, followed = constraints_mix(circuit, seed), follows(given, seed)
    verdict = judged(rule.name, seen, step_by_step=step_by_step[0], mixes=mixes)
    if followed is None:
        return verdict
    learned = {**verdict.learned, "rule_feedback": () if followed else ("W_out",)}
    return dataclasses.replace(verdict, learned=learned)


def judged(name: str, seen: list[Looked], *, step_by_step: bool, mixes: bool) -> Verdict:
    """The verdict on what was seen of several records."""
    live = [
        target
        for target in ("slots", "readout")
        if any(np.any(getattr(one.base, target)) for one in seen) and target in seen[0].read
    ]
    if not live:
        raise ValueError(
            f"audit: {name} changes no synapse in {len(seen)} random records; more of them, or another "
            "circuit, may show what it does."
        )
    target = live[0]
    recurrent = target == "slots"
    kinds = kinds_of([one.read[target] for one in seen], recurrent=recurrent)
    time = FUTURE if any(one.early.get(target) for one in seen) else CAUSAL
    if not step_by_step and time == CAUSAL:
        time = DELAYED
    through = tuple(all(one.by_type[index] for one in seen) for index in range(2))
    learned = {
        leaf: signals_of(
            kinds_of([as_matrix(one.read[leaf], one.base.state[leaf].shape, seen) for one in seen])
        )
        for leaf in seen[0].base.state
        if len(unit_axes(seen[0].base.state[leaf].shape, units_of(seen)))
    }
    paths = {"W_out": {classes.OWN_COLUMN, classes.OTHER_COLUMNS}, "B": {classes.OWN_ROW, classes.OTHER_ROWS}}
    return Verdict(
        rule=name,
        synapses=RECURRENT if recurrent else READOUT,
        reads=tuple(kind for kind in classes.KINDS if kind in kinds),
        signals=signals_of(kinds, future=time == FUTURE, means=through[0], sums=through[1]),
        error_path=" and ".join(path for path, those in paths.items() if kinds & those) or "none",
        time=time,
        learned=learned,
        mixes=mixes,
    )


def kinds_of(seen: list[dict[str, np.ndarray]], *, recurrent: bool = True) -> set[str]:
    """Classes of all numbers that were read."""
    found: set[str] = set()
    classify = classes.of_recurrent if recurrent else classes.of_readout
    for name in seen[0]:
        read = np.any([one[name] for one in seen], axis=0)
        places = read.any((-1, -2))
        for place in np.argwhere(places):
            index = tuple(int(number) for number in place)
            found.update(classify(name, index, read[index]))
    return found


def signals_of(
    kinds: set[str], *, future: bool = False, means: bool = False, sums: bool = False
) -> tuple[str, ...]:
    """What must be sensed for these classes to be read, in the words of traits.

    Args:
        means: whether weights of others act through means of types alone; sums: whether their derivatives and
            errors do through what each type releases.
    """
    has = kinds.intersection
    typed = means and classes.WEIGHTS in kinds
    found = set()
    if has({classes.OWN_COLUMN, classes.OTHER_COLUMNS}):
        found.add("W_out")
    elif has({classes.ERRORS, classes.OWN_ERROR, classes.ERRORS_OF_OTHERS}):
        found.add("error")
    if classes.WEIGHTS in kinds:
        found.add("type modulators" if typed else "others' weights")
    elif classes.SELF_WEIGHT in kinds:
        found.add("self weight")
    of_others = {classes.DERIVATIVES, classes.ERRORS_OF_OTHERS}
    if has({classes.RATES, classes.OTHERS_NOISE}) or (has(of_others) and not (typed and sums)):
        found.add("others' states")
    plain = {
        classes.SCALAR: "scalar",
        classes.OWN_NOISE: "own noise",
        classes.OUTPUT_ERROR: "output error",
    }
    found |= {signal for kind, signal in plain.items() if kind in kinds}
    if future:
        found.add("future errors")
    return tuple(signal for signal in SIGNALS if signal in found)


def units_of(seen: list[Looked]) -> int:
    """Units of the records."""
    return int(seen[0].base.readout.shape[-1] if seen[0].base.readout.ndim else seen[0].base.slots.shape[-1])


def unit_axes(shape: tuple[int, ...], units: int) -> list[int]:
    """The first two axes of a learned array that count units; fewer where there are fewer."""
    return [axis for axis, size in enumerate(shape) if size == units][:2]


def as_matrix(
    read: dict[str, np.ndarray], shape: tuple[int, ...], seen: list[Looked]
) -> dict[str, np.ndarray]:
    """Reads of a learned array by (unit, unit); with one axis of units, by the last of n + 1 columns."""
    units = units_of(seen)
    axes = unit_axes(shape, units)
    found = {}
    for name, values in read.items():
        front = values.ndim - len(shape)
        rest = tuple(front + axis for axis in range(len(shape)) if axis not in axes)
        matrix = np.asarray(values.any(rest))
        if len(axes) == 1:
            wide = np.zeros((*matrix.shape, units + 1), bool)
            wide[..., -1] = matrix
            matrix = wide
        found[name] = matrix
    return found


def constraints_mix(circuit: Circuit, seed: int) -> bool:
    """Whether a gradient by one recurrent weight, pulled back through the constraints, moves others too."""
    params = circuit.init(key=jax.random.key(seed))

    def recurrent(free: dict[str, jax.Array]) -> jax.Array:
        return circuit.weights(free).recurrent

    @jax.jit
    def largest(params: dict[str, jax.Array]) -> jax.Array:
        weights, pull = jax.vjp(recurrent, params)

        def others(index: jax.Array) -> jax.Array:
            one = jax.nn.one_hot(index, weights.size, dtype=weights.dtype).reshape(weights.shape)
            _, change = jax.jvp(recurrent, (params,), pull(one))
            return jax.numpy.abs(change.reshape(-1).at[index].set(0)).max()

        return jax.vmap(others)(jax.numpy.arange(weights.size)).max()

    return bool(largest(params) > 0)


__all__ = ["SIGNALS", "TIMES", "Verdict", "audit"]
