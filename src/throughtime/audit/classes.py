"""Which part of a circuit a number of a record belongs to, as seen from a synapse."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterator

PRE, POST = "presynaptic rate", "postsynaptic state"
OWN_WEIGHT, SELF_WEIGHT, WEIGHTS = "own weight", "self weight", "others' weights"
RATES, DERIVATIVES = "others' rates", "others' derivatives"
OWN_ERROR, ERRORS_OF_OTHERS = "error at the neuron", "errors at other neurons"
ERRORS, OUTPUT_ERROR = "errors of the outputs", "error of its output"
OWN_COLUMN, OTHER_COLUMNS = "readout of the neuron", "readout of other neurons"
OWN_ROW, OTHER_ROWS = "feedback to the neuron", "feedback to other neurons"
SCALAR, OWN_NOISE, OTHERS_NOISE = "scalar", "own noise", "others' noise"
MASK = "when it counts"
KINDS = (
    PRE, POST, OWN_WEIGHT, SELF_WEIGHT, WEIGHTS, RATES, DERIVATIVES, OWN_ERROR, ERRORS_OF_OTHERS, ERRORS,
    OUTPUT_ERROR, OWN_COLUMN, OTHER_COLUMNS, OWN_ROW, OTHER_ROWS, SCALAR, OWN_NOISE, OTHERS_NOISE, MASK,
)  # fmt: skip

# array -> what it is of the neuron that owns it, and of another
OF_A_UNIT = {
    **dict.fromkeys(
        (
            "steps.keep", "steps.enter", "steps.sending", "steps.reading", "steps.own_local",
            "steps.own_sending", "steps.own_reading",
        ),
        (POST, DERIVATIVES),
    ),
    **dict.fromkeys(("steps.state", "steps.read", "initial"), (POST, RATES)),
    **dict.fromkeys(("steps.direct", "steps.unit_error"), (OWN_ERROR, ERRORS_OF_OTHERS)),
    **dict.fromkeys(("steps.twin", "steps.jolt"), (OWN_NOISE, RATES)),
    "noise": (OWN_NOISE, OTHERS_NOISE),
}  # fmt: skip
OF_AN_OUTPUT = ("steps.error", "steps.targets", "steps.output")
OF_EVERYBODY = ("scalar", "steps.scalar")


def of_recurrent(name: str, index: tuple[int, ...], read: np.ndarray) -> Iterator[str]:
    """Classes of one number for the recurrent synapses that read it.

    Args:
        name: of its array; index: its place there.
        read: (unit, presynaptic unit) bool, which updates moved; the diagonal is not looked at.
    """
    units, columns = read.shape
    read = read & ~np.eye(units, columns, dtype=bool)
    if name in OF_EVERYBODY:
        yield SCALAR
    elif name == "steps.mask":
        yield MASK
    elif name in OF_AN_OUTPUT:
        yield ERRORS
    elif name in OF_A_UNIT or name.startswith("own."):
        own, other = OF_A_UNIT.get(name, (POST, DERIVATIVES))
        yield from by_owner(read, index[-1], own, other, pre=name == "steps.read")
    elif name == "steps.sources":
        yield from by_owner(read, index[-1], POST, RATES, pre=True)
    elif name == "recurrent":
        row, column = index[-2:]
        itself = np.zeros_like(read)
        itself[row, column] = row != column
        if (read & itself).any():
            yield OWN_WEIGHT
        rest = read & ~itself
        if row == column:
            yield from by_owner(rest, row, SELF_WEIGHT, WEIGHTS)
        elif rest.any():
            yield WEIGHTS
    elif name == "readout":
        yield from by_owner(read, index[-1], OWN_COLUMN, OTHER_COLUMNS)
    elif name == "state.rule_feedback":
        yield from by_owner(read, index[0], OWN_ROW, OTHER_ROWS)
    elif name == "shift":
        of_itself = np.zeros_like(read)
        if index[-1] < columns:
            of_itself[index[-2], index[-1]] = True
        yield from both(read, of_itself, OWN_NOISE, OTHERS_NOISE)


def of_readout(name: str, index: tuple[int, ...], read: np.ndarray) -> Iterator[str]:
    """Classes of one number for the readout synapses that read it; ``read`` is (output, unit)."""
    if name in OF_EVERYBODY:
        yield SCALAR
    elif name == "steps.mask":
        yield MASK
    elif name in OF_AN_OUTPUT:
        post = name == "steps.output"
        yield from by_owner(read, index[-1], *((POST, RATES) if post else (OUTPUT_ERROR, ERRORS)))
    elif name in ("steps.read", "steps.sources"):
        yield from by_owner(read.T, index[-1], PRE, RATES)
    elif name in ("steps.direct", "steps.unit_error"):
        yield ERRORS_OF_OTHERS
    elif name in OF_A_UNIT or name.startswith("own."):
        yield OF_A_UNIT.get(name, (POST, DERIVATIVES))[1]
    elif name == "readout":
        own = np.zeros_like(read)
        own[index] = True
        yield from both(read, own, OWN_WEIGHT, WEIGHTS)
    elif name == "recurrent":
        yield WEIGHTS
    elif name == "state.rule_feedback":
        yield OTHER_ROWS
    elif name == "shift":
        yield OTHERS_NOISE


def both(read: np.ndarray, mine: np.ndarray, own: str, other: str) -> Iterator[str]:
    """``own`` where reads are among those of ``mine``, ``other`` where they are elsewhere."""
    if (read & mine).any():
        yield own
    if (read & ~mine).any():
        yield other


def by_owner(read: np.ndarray, owner: int, own: str, other: str, *, pre: bool = False) -> Iterator[str]:
    """``own`` where synapses of the owner read, ``other`` where those of others do.

    Args:
        read: (owner, …) bool; owner: it may lie beyond them, as an input does.
        pre: whether the columns of ``read`` are owners too, who send.
    """
    rows = np.arange(len(read)) == owner
    if read[rows].any():
        yield own
    rest = read & ~rows[:, None]
    if pre and owner < read.shape[1]:
        if rest[:, owner].any():
            yield PRE
        rest = rest & (np.arange(read.shape[1]) != owner)
    if rest.any():
        yield other
