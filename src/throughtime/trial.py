"""The record of one trial: what goes into a circuit, what should come out, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from jax import Array


class Trial(NamedTuple):
    """One trial of a task; a batch is the same record with a leading axis.

    Sample ``k`` stands for the bin ``[k·dt, (k+1)·dt)``; the output of sample ``k`` is read after the
    circuit has received input ``k``.

    Attributes:
        inputs: (time, input) float32, dimensionless drive; zero where not ``valid``.
        targets: (time, output) float32; zero where not ``valid``.
        mask: (time, output) float32, non-negative loss weight; positive only where ``valid``.
        valid: (time,) bool; False on padding after the end of the trial.
        epochs: name -> (onset, offset), float32 in ms; (nan, nan) for an absent epoch.
        conditions: name -> scalar.
    """

    inputs: Array
    targets: Array
    mask: Array
    valid: Array
    epochs: dict[str, tuple[Array, Array]]
    conditions: dict[str, Array]


def judged(trials: Trial) -> Trial:
    """A trial, or a batch, whose mask is 0 on padding whatever it was there: no loss where nothing happens.

    Example:
        >>> import numpy as np
        >>> mask, valid = np.ones((3, 1), np.float32), np.array([True, True, False])
        >>> judged(Trial(mask, mask, mask, valid, {}, {})).mask[:, 0].tolist()
        [1.0, 1.0, 0.0]
    """
    return trials._replace(mask=trials.mask * trials.valid[..., None])
