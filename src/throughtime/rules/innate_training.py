"""Innate training: a chaotic circuit learns to repeat a trajectory of its own."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughtime.credit.companion import Innate, frozen_copy
from throughtime.rules.base import Traits
from throughtime.rules.within_trial import LeastSquaresRule

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper
    from throughtime.rules.base import Params


@dataclass(frozen=True)
class InnateTraining(LeastSquaresRule):
    """Innate training: recurrent weights learn to reproduce the circuit's own noise-free trajectory.

    An untrained chaotic circuit takes a rich trajectory once, but noise soon drives it off. Here each plastic
    neuron learns, by recursive least squares over its plastic recurrent synapses with sources p = r_{t−1}, to
    fire as the untrained circuit does without noise::

        e_i = r_i − r_i*,   k_i = P_i p_i / (1 + p_iᵀ P_i p_i)
        W_i ← W_i − e_i k_iᵀ,   P_i ← P_i − k_i (P_i p_i)ᵀ

    r* is the rate in a frozen copy of the circuit as it was when training began, which runs beside on the
    same inputs without noise: the same as a trajectory recorded before training. Which synapses exist and
    which neurons are plastic, the circuit says: ``Sparse(density=0.1, plastic_units=0.6)`` as published.
    Memory is Σ_i k_i² for neurons of k_i plastic synapses; neurons with the same sources share one P.

    Only recurrent weights are trained. Train the readout after them, with the rule ``force`` on this circuit,
    which has no output feedback, and the parameters found here. Published programs multiply by rates after
    the step, r_t; here by those that made the error, r_{t−1}, the two are one step of 1 ms apart there.

    Attributes:
        ridge: a; P_i = I/a at first.
        every: steps from one update to the next.
        window: (start, stop) in ms after the start of the trial, within which weights move; None: the steps
            where the mask of an output is positive, for the task ``delayed-pulse`` from the pulse's end to
            the trial's, as published.

    Source: Laje & Buonomano 2013, Nat. Neurosci. 16:925; replication: Vitay 2016, ReScience 2(1).

    Example:
        >>> import jax
        >>> from throughtime.circuits import Circuit, Sparse
        >>> recurrent = Sparse(density=0.5, plastic_units=0.6)
        >>> circuit = Circuit(num_inputs=1, num_units=20, num_outputs=1, recurrent=recurrent)
        >>> rule = InnateTraining(window=(50.0, 250.0))
        >>> state = rule.init(circuit, circuit.init(key=jax.random.key(0)), key=jax.random.key(1))
        >>> state["rule_recurrent_inverse"].shape[0]
        12
    """

    every: int = 2
    window: tuple[float, float] | None = None

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.window is None:
            return
        window = tuple(self.window) if isinstance(self.window, tuple | list) else ()
        real = all(isinstance(edge, int | float) and math.isfinite(edge) for edge in window)
        if not (len(window) == 2 and real and 0 <= window[0] < window[1]):
            raise ValueError(
                f"InnateTraining: window {self.window!r} is not (start, stop) in ms with 0 <= start < stop; "
                "use None for where the mask is positive."
            )
        object.__setattr__(self, "window", window)

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """P before the first trial, and the parameters that the innate trajectory comes from."""
        drawn = super().init(circuit, params, key=key)
        return {**drawn, **self.recurrent_inverse(circuit, params), **frozen_copy(params)}

    def stepper(self, circuit: Circuit) -> Stepper:
        """Least squares towards the innate rates.

        Raises:
            ValueError: for fed-back outputs, several drives a unit, or constrained recurrent weights.
        """
        self.refuse_leaky_readout(circuit)
        self.refuse_for_companion(circuit)
        return Innate(circuit=circuit, every=self.every, window=self.window)

    @property
    def traits(self) -> Traits:
        """A neuron's own error, and the activity of all its sources."""
        return Traits(
            exact=False,
            online=True,
            stochastic=False,
            displacement=True,
            signals=("error", "others' states"),
            trained=("recurrent",),
            batch_size=1,
            forward_passes=2,
            time="O(n³)",
            memory="O(n³)",
        )
