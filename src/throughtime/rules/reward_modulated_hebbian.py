"""Reward-modulated Hebbian learning: the readout explores, and keeps what made it better than before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax.numpy as jnp

from throughtime.credit.exploring import DISTRIBUTIONS, TIME, ExploringReadout
from throughtime.rules.base import Traits
from throughtime.rules.within_trial import WithinTrial

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper
    from throughtime.rules.base import Params


@dataclass(frozen=True)
class RewardModulatedHebbian(WithinTrial):
    """Reward-modulated Hebbian rule: exploration noise on the output, and one global bit that says "better".

    The output ``z = W_out r + b_out + ξ`` is judged, and fed back, with its noise. At every step::

        ΔW_out = η_t M_t (z_t − z̄_t) r_tᵀ,   η_t = η_0 / (1 + t/T),   M_t = 1 if R_t > R̄_t else 0

    with the performance ``R_t = −Σ m (z_t − y_t)²`` over the outputs, weighted by the mask m, and running
    means z̄ and R̄ that contain the step itself. No synapse needs an error: only its own two activities, the
    running mean of one of them, and whether the circuit does better than it did just now. Published for
    circuits with ``output_feedback=True``.

    Steps of mask 0 tell nothing: they move no weight, R̄ or t. The means begin anew with each trial, t goes
    on. In a batch the moves of its trials at one step are averaged. Exploration may also come from the units:
    noise of the circuit (``noise_sd``) acts on z through the rates, and with ``amplitude=0`` it is all there
    is. The noise is new at every step, so ``keep`` is a number per step and not a time; η is for steps of 1
    ms.

    Attributes:
        rate: η_0. decay_time: T, ms spent learning.
        keep: part of a running mean left after one step.
        amplitude: half width of uniform noise on each output, or SD of Gaussian noise.
        distribution: ``uniform`` or ``gaussian``.

    Source: Hoerzer, Legenstein & Maass 2014, Cereb. Cortex 24:677. Defaults from programs after it.

    Example:
        >>> RewardModulatedHebbian().traits.signals, RewardModulatedHebbian().traits.displacement
        (('scalar',), True)
    """

    tuned_option: ClassVar[str] = "rate"

    rate: float = 5e-4
    decay_time: float = 2e4
    keep: float = 0.8
    amplitude: float = 0.5
    distribution: str = DISTRIBUTIONS[0]

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_number("rate")
        self.refuse_number("decay_time")
        self.refuse_number("keep", strictly=False)
        self.refuse_number("amplitude", strictly=False)
        if self.keep >= 1:
            raise ValueError(f"RewardModulatedHebbian: keep {self.keep!r} does not lie within [0, 1).")
        if self.distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"RewardModulatedHebbian: distribution {self.distribution!r} is not known; use "
                f"{' or '.join(DISTRIBUTIONS)}."
            )

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """No time spent learning yet."""
        return {**super().init(circuit, params, key=key), TIME: jnp.zeros((), params["bias"].dtype)}

    def stepper(self, circuit: Circuit) -> Stepper:
        """The exploring readout.

        Raises:
            ValueError: for a leaky readout, or a circuit in which nothing explores.
        """
        self.refuse_leaky_readout(circuit)
        if self.amplitude == 0 and circuit.noise_sd == 0:
            raise ValueError(
                "RewardModulatedHebbian: amplitude 0 on a circuit without noise leaves nothing to explore "
                "with; use amplitude > 0, or a circuit with noise_sd > 0."
            )
        return ExploringReadout(
            dt=circuit.dt,
            rate=self.rate,
            decay_time=self.decay_time,
            keep=self.keep,
            amplitude=self.amplitude,
            distribution=self.distribution,
        )

    @property
    def traits(self) -> Traits:
        """One global bit at every step."""
        return Traits(
            exact=False,
            online=True,
            stochastic=True,
            displacement=True,
            signals=("scalar",),
            trained=("readout",),
            time="O(n)",
            memory="O(n)",
        )
