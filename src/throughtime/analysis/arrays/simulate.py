"""How analyses that interfere with a circuit ask for its runs."""

from __future__ import annotations

from typing import Protocol

import numpy as np


class Simulate(Protocol):
    """What :func:`~throughtime.analysis.arrays.perturb.pulses` and its like call, again and again.

    The same arguments give the same numbers: noise, if there is any, is drawn once. One's own function needs
    only those of the arguments that the analysis uses.
    """

    def __call__(
        self,
        *,
        pulse: np.ndarray | None = None,
        silenced: np.ndarray | None = None,
        weights: np.ndarray | None = None,
        basis: np.ndarray | None = None,
    ) -> tuple[np.ndarray, float]:
        """States (…, time, state) after each step, and the measure of how well the task was done.

        Args:
            pulse: (time, state) added to the state after each step.
            silenced: (unit,) boolean, units that are silent throughout.
            weights: recurrent weights in place of the circuit's own.
            basis: (state, dimension) orthonormal; after each step the state is projected onto its span.
        """


def components(silenced: np.ndarray, size: int) -> np.ndarray:
    """Boolean (state,) of the components of a state that belong to silenced units (unit,).

    Example:
        >>> components(np.array([True, False]), 4)  # two variables a unit
        array([ True, False,  True, False])
    """
    silenced = np.asarray(silenced)
    if silenced.ndim != 1 or silenced.dtype != bool or not silenced.size or size % silenced.size:
        raise ValueError(
            f"silenced: {silenced.dtype} of shape {silenced.shape}; expected a boolean for each unit of a "
            f"state of {size} components."
        )
    return np.tile(silenced, size // silenced.size)
