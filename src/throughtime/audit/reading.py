"""Changing one number of a record after the other, and looking which updates move."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.audit.drawn import STEPS, Template, draw

if TYPE_CHECKING:
    from throughtime.circuits import Circuit

CHANGE, TOLERANCE = 1e-2, 1e-12
STILL = 1e-9
"""What counts as standing still where means or sums are kept, which is to rounding only."""
FLIPPED = ("recurrent", "readout", "scalar", "steps.scalar", "steps.error", "steps.targets", "steps.output")
"""Changed by as much as turns their sign too: a threshold or a sign reads nothing of a small change."""


class Computed(NamedTuple):
    """What a rule makes of one record, or of many with a leading axis.

    Attributes:
        slots: (time, drive, unit, presynaptic unit); readout: (time, output, unit); of time 1 where a rule
            knows only their sum.
        state: name -> the rule's state after the trial, of the arrays that the trial changed.
    """

    slots: Any
    readout: Any
    state: dict[str, Any]


class Looked(NamedTuple):
    """What was seen of one record.

    Attributes:
        read: name of an array -> (number, …) bool, which updates moved; keys are targets: ``slots`` (unit,
            presynaptic unit), ``readout`` (output, unit) and names of learned arrays.
        early: whether what was known before a step moved with that step, for ``slots`` and ``readout``.
        base: what the record as it is gives.
        by_type: whether other neurons' weights, and their states, act through their types' means alone.
    """

    read: dict[str, dict[str, np.ndarray]]
    early: dict[str, bool]
    base: Computed
    by_type: tuple[bool, bool]


def computation(given: Template) -> Any:
    """The rule as a function of the real arrays of a record; and whether it knows its update step by step."""
    rule, circuit = given.rule, given.circuit
    units, step_by_step = circuit.num_units, []

    def of(parts: dict[str, Any]) -> Computed:
        evidence, state = given.whole(parts)
        told = rule.terms_from_record(circuit, evidence, state)
        step_by_step.append(told is not None)
        if told is None:
            share, after = rule.update_from_record(circuit, evidence, state), state
            share = jax.tree.map(lambda leaf: leaf[None], share)
        else:
            share, after = told
        none = jnp.zeros(())
        slots = none if share.slots is None else share.slots[..., :units]
        readout = none if share.readout is None else share.readout
        changed = {name: value for name, value in after.items() if f"state.{name}" in parts and value.ndim}
        return Computed(slots, readout, changed)

    return of, step_by_step


class Rows(NamedTuple):
    """Changed records: each is the record with some numbers of one array replaced.

    Attributes:
        parts: name -> (row, …), all arrays of every row; entries: (row, array name, place) of single changes.
        means: rows with type means of the weights kept; sums: (row compared with, row, two units) with the
            sum that a type releases kept.
    """

    parts: dict[str, np.ndarray]
    entries: list[tuple[int, str, tuple[int, ...]]]
    means: list[int]
    sums: list[tuple[int, int, tuple[int, int]]]


def changed_records(parts: dict[str, np.ndarray], types: np.ndarray, existing: np.ndarray, seed: int) -> Rows:
    """The record itself in row 0, and all its changes."""
    rng, rows, entries = np.random.default_rng(seed), [parts], []
    for name, value in parts.items():
        for place in np.ndindex(value.shape):
            steps = [CHANGE]
            if name in FLIPPED:
                steps.append(-2 * value[place] - np.sign(value[place]))
            for step in steps:
                moved = np.array(value)
                moved[place] += step
                entries.append((len(rows), name, place))
                rows.append({**parts, name: moved})
    means = []
    for _ in range(2):
        along = rng.standard_normal(existing.shape) * existing
        for block in blocks(types, existing):
            along[block] -= along[block].mean()
        means.append(len(rows))
        rows.append({**parts, "recurrent": parts["recurrent"] + along})
    sums = []
    quiet = parts["steps.error"].copy()
    quiet[-1] = 0
    base = len(rows)
    rows.append({**parts, "steps.error": quiet})
    released = np.einsum("vgk,vk->gk", parts["steps.enter"][-1], parts["steps.reading"][-1])
    released = released * parts["steps.direct"][-1]
    for one in range(len(types)):
        for other in range(one):
            if types[one] == types[other]:
                enter = parts["steps.enter"].copy()
                enter[-1, :, :, one] *= 1.1
                enter[-1, :, :, other] *= 1 - 0.1 * released[:, one] / released[:, other]
                sums.append((base, len(rows), (one, other)))
                rows.append({**rows[base], "steps.enter": enter})
    return Rows({name: np.stack([row[name] for row in rows]) for name in parts}, entries, means, sums)


def blocks(types: np.ndarray, existing: np.ndarray) -> list[np.ndarray]:
    """Existing pairs of each two types, (unit, presynaptic_unit) bool."""
    pairs = [
        (types[:, None] == one) & (types == other) & existing for one in set(types) for other in set(types)
    ]
    return [pair for pair in pairs if pair.any()]


def unit_types(circuit: Circuit, state: dict[str, Any]) -> np.ndarray:
    """Type of every unit: as the rule tells them, or two halves."""
    if "rule_types" in state:
        return np.argmax(np.asarray(state["rule_types"]), axis=1)
    return np.arange(circuit.num_units) * 2 // circuit.num_units


def look(given: Template, function: Any, seed: int) -> Looked:
    """One random record, looked at from all sides.

    Args:
        function: :func:`computation`, for many records at once.
    """
    parts = draw(given, seed)
    existing = np.asarray(given.evidence.existing)
    types = unit_types(given.circuit, given.state)
    rows = changed_records(parts, types, existing, seed)
    done = jax.tree.map(np.asarray, function(rows.parts))
    learned = {
        name: value for name, value in done.state.items() if np.any(value[0] != parts[f"state.{name}"])
    }
    done = done._replace(state=learned)
    base = jax.tree.map(lambda leaf: leaf[0], done)
    targets = {"slots": done.slots, "readout": done.readout}
    sums = {name: values.sum(1) for name, values in targets.items() if values.ndim > 2}
    if "slots" in sums:
        sums["slots"] = np.moveaxis(sums["slots"], 1, -1)  # gates of a synapse move together
    each = sums | done.state
    order = np.array([row for row, _, _ in rows.entries])
    read = {name: moved(values[order], values[0], gates=name == "slots") for name, values in each.items()}
    early = {}
    times = np.array([place[0] if name.startswith("steps.") else 0 for _, name, place in rows.entries])
    for name in sums:
        partial = targets[name].cumsum(1)
        if partial.shape[1] == STEPS:
            before = np.arange(STEPS) < times[:, None]
            size = np.abs(partial[0, -1])
            apart = np.abs(partial[order] - partial[0]) > TOLERANCE * size
            early[name] = bool((apart & before.reshape(*before.shape, *(1,) * (apart.ndim - 2))).any())
    by_name: dict[str, dict[str, np.ndarray]] = {}
    for target, values in read.items():
        by_name[target] = collected(rows, values)
    return Looked(by_name, early, base, by_type(rows, sums))


def collected(rows: Rows, values: np.ndarray) -> dict[str, np.ndarray]:
    """Array name -> (place …, target …) bool, whether any change of that number moved the target."""
    found: dict[str, np.ndarray] = {}
    for (_, name, place), value in zip(rows.entries, values, strict=True):
        if name not in found:
            found[name] = np.zeros((*rows.parts[name].shape[1:], *value.shape), bool)
        found[name][place] |= value
    return found


def moved(
    values: np.ndarray, base: np.ndarray, *, gates: bool = False, tolerance: float = TOLERANCE
) -> np.ndarray:
    """Where ``values`` (row, …) differ from ``base`` (…) by more than the tolerance of its size there."""
    apart, size = np.abs(values - base), np.abs(base)
    if gates:
        apart, size = apart.max(-1), size.max(-1)
    return apart > tolerance * size


def by_type(rows: Rows, sums: dict[str, np.ndarray]) -> tuple[bool, bool]:
    """Whether updates stand still with the means of types kept, and with the sums that types release."""
    if "slots" not in sums:
        return False, False
    slots = sums["slots"]
    means = not moved(slots[rows.means], slots[0], gates=True, tolerance=STILL).any()
    still = True
    for base, row, pair in rows.sums:
        others = np.setdiff1d(np.arange(slots.shape[1]), pair)
        still &= not moved(slots[row][None], slots[base], gates=True, tolerance=STILL)[0][others].any()
    return means, still


def follows(given: Template, seed: int) -> bool | None:
    """Whether each weight of a learned feedback moves with its own readout synapse alone.

    Returns:
        None for feedback that an update does not change.
    """
    rule, circuit = given.rule, given.circuit
    if "rule_feedback" not in given.state:
        return None
    before = {name: jnp.asarray(one, float) for name, one in circuit.init(key=jax.random.key(seed)).items()}
    after = {**before, "readout": 1.1 * before["readout"] + 0.1}

    def moved_to(old: Any, new: Any) -> Any:
        ends = {**before, "readout": old}, {**after, "readout": new}
        return rule.after_update(circuit, *ends, given.state)[1]["rule_feedback"].T

    base = moved_to(before["readout"], after["readout"])
    if np.array_equal(base, given.state["rule_feedback"].T):
        return None
    size, shape = base.size, base.shape
    each = CHANGE * jnp.eye(size).reshape(size, *shape)
    apart = jnp.stack(
        [
            jax.vmap(lambda one: moved_to(before["readout"] + one, after["readout"]))(each),
            jax.vmap(lambda one: moved_to(before["readout"], after["readout"] + one))(each),
        ]
    )
    far = jnp.abs(apart - base) > TOLERANCE * jnp.abs(base)
    read = np.asarray(far).reshape(2, size, size).any(0)
    return not bool((read & ~np.eye(size, dtype=bool)).any())
