"""full-FORCE: recurrent weights learn what driving a second circuit with the wanted output brings about."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from throughtime.credit.companion import TEACHING, Taught, frozen_copy
from throughtime.rules.base import Traits
from throughtime.rules.within_trial import LeastSquaresRule

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper
    from throughtime.rules.base import Params


@dataclass(frozen=True)
class FullForce(LeastSquaresRule):
    """full-FORCE: a second circuit, driven by the wanted output, tells each neuron what it should receive.

    The second circuit is a frozen copy of the first as it was when training began, with the same inputs,
    without noise, and with the targets y as a further input through fixed random weights U. The recurrent
    weights W of the first learn by recursive least squares to bring what arrives there through recurrence and
    from the targets together, its readout to give the output::

        e_t = W r_{t−1} − (W₀ r*_{t−1} + U y_t),   W ← W − e_t kᵀ,   k = P r_{t−1} / (1 + r_{t−1}ᵀ P r_{t−1})

    and the readout as in ``force``, with its own P. Unlike there all recurrent weights change, and no output
    is fed back. The targets drive the second circuit at every valid step, masked or not, and the recurrent
    weights learn at every one of them; the readout learns with the weights of the mask. Least squares run
    over the plastic recurrent synapses of a neuron; neurons with the same sources share one P. In the
    published program W starts from zeros; here from the circuit's weights, W₀.

    Attributes:
        ridge: a; P = I/a at first.
        every: steps from one update to the next; published 2 (there at random, on average).
        teaching_gain: U is uniform between −teaching_gain and +teaching_gain.

    Source: DePasquale, Cueva, Rajan, Escola & Abbott 2018, PLoS ONE 13:e0191527.

    Example:
        >>> import jax
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=20, num_outputs=2)
        >>> state = FullForce().init(circuit, circuit.init(key=jax.random.key(0)), key=jax.random.key(1))
        >>> state["rule_teaching"].shape, state["rule_recurrent_inverse"].shape
        ((20, 2), (1, 20, 20))
    """

    every: int = 2
    teaching_gain: float = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        self.refuse_number("teaching_gain")

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """Both P before the first trial, the second circuit, and the weights of its teaching signal."""
        shape = (circuit.num_units, circuit.num_outputs)
        teaching = jax.random.uniform(key, shape, jnp.float32, -self.teaching_gain, self.teaching_gain)
        return {
            **super().init(circuit, params, key=key),
            **self.readout_inverse(circuit, params),
            **self.recurrent_inverse(circuit, params),
            **frozen_copy(params),
            TEACHING: teaching.astype(params["bias"].dtype),
        }

    def stepper(self, circuit: Circuit) -> Stepper:
        """Least squares towards the drive of the second circuit.

        Raises:
            ValueError: for fed-back outputs, several drives a unit, constrained recurrent weights, a leaky
                readout or one whose weights have a sign.
        """
        self.refuse_signs(circuit)
        self.refuse_for_companion(circuit)
        return Taught(circuit=circuit, every=self.every)

    @property
    def traits(self) -> Traits:
        """A neuron's own error, and the activity of all its sources."""
        return Traits(
            exact=False,
            online=True,
            stochastic=False,
            displacement=True,
            signals=("error", "others' states"),
            trained=("recurrent", "readout"),
            batch_size=1,
            forward_passes=2,
            time="O(n²)",
            memory="O(n²)",
        )
