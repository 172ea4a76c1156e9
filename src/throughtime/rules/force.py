"""FORCE: least squares for the readout while its output is fed back."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughtime.credit.least_squares import ReadoutLeastSquares
from throughtime.rules.base import Traits
from throughtime.rules.within_trial import LeastSquaresRule

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper
    from throughtime.rules.base import Params


@dataclass(frozen=True)
class Force(LeastSquaresRule):
    """FORCE: recursive least squares keeps the output at its target while it is fed back.

    At every step, with rates r and the error ``e = z − y`` before the update::

        k = P r / (1 + rᵀ P r),   W_out ← W_out − e kᵀ,   P ← P − k (P r)ᵀ,   P = I/a at first

    From the first steps on the output is nearly the target, so what a circuit with ``output_feedback=True``
    feeds back is nearly what it will be after learning, and feedback suppresses chaos. On a circuit without
    output feedback this is recursive least squares for a reservoir. The weights are at every time the ridge
    solution over all steps so far, around those before the first trial.

    A step counts with the weight of its mask, as in the loss. P persists from trial to trial. Trained are the
    readout weights; its bias stays, as published readouts have none. Trials come one at a time.

    Attributes:
        ridge: a; 1 as published, between 1 and 100: the larger, the slower and safer.
        every: steps from one update to the next; published 1 or 2.

    Source: Sussillo & Abbott 2009, Neuron 63:544.

    Example:
        >>> Force().traits.trained, Force().traits.batch_size
        (('readout',), 1)
    """

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """P before the first trial."""
        return {**super().init(circuit, params, key=key), **self.readout_inverse(circuit, params)}

    def stepper(self, circuit: Circuit) -> Stepper:
        """Least squares for the readout.

        Raises:
            ValueError: for a leaky readout or one whose weights have a sign.
        """
        self.refuse_signs(circuit)
        return ReadoutLeastSquares(circuit=circuit, every=self.every)

    @property
    def traits(self) -> Traits:
        """An output's own error, and the activity of all that it reads."""
        return Traits(
            exact=False,
            online=True,
            stochastic=False,
            displacement=True,
            signals=("output error", "others' states"),
            trained=("readout",),
            batch_size=1,
            time="O(n²)",
            memory="O(n²)",
        )
