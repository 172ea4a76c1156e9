"""Long short-term memory."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits.dynamics.base import Dynamics, NumpyStep

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Params, State

FORGET, INPUT, OUTPUT, CANDIDATE = range(4)


@dataclass(frozen=True)
class LSTM(Dynamics):
    """Long short-term memory units: gates open and close the way into, within and out of a memory cell.

    Four drives, in the order forget f, input i, output o, candidate g; σ is the logistic function::

        c' = σ(f) c + σ(i) tanh(g),   h' = σ(o) tanh(c')

    Synapses transmit h. Variables: ``cell`` (c), ``hidden`` (h). Gates act once a step, whatever dt is:
    unlike leaky units, these have no time constant in ms.

    Attributes:
        forget_bias: initial bias of the forget gate; 1 lets a new circuit remember.
        tau: reference time constant in ms that scales the circuit's drive noise, and does nothing else.
        chrono: longest time lag T > 2 in steps to be prepared for: forget biases start at ln q, with q spread
            evenly over (1, T−1) from unit to unit, and input biases at −ln q, in place of ``forget_bias``.

    Source: Hochreiter & Schmidhuber 1997, Neural Comput. 9:1735, with the forget gate of Gers, Schmidhuber &
    Cummins 2000, Neural Comput. 12:2451; biases: Jozefowicz, Zaremba & Sutskever 2015, ICML (PMLR 37:2342);
    chrono: Tallec & Ollivier 2018, ICLR (arXiv 1804.11188), who draw q at random.

    Example:
        >>> import jax.numpy as jnp
        >>> units = LSTM()
        >>> keep = jnp.array([[50.0], [-50.0], [50.0], [3.0]])  # forget nothing, let nothing in, show all
        >>> state = units.local({}, {"cell": jnp.ones(1), "hidden": jnp.zeros(1)}, keep, dt=20.0)
        >>> float(state["cell"][0])
        1.0
    """

    forget_bias: float = 1.0
    tau: float = 100.0
    chrono: float | None = None

    def __post_init__(self) -> None:
        check_number("LSTM", "forget_bias", self.forget_bias)
        check_number("LSTM", "tau", self.tau, positive=True)
        if self.chrono is not None and not (math.isfinite(self.chrono) and self.chrono > 2):
            raise ValueError(
                f"LSTM: chrono {self.chrono!r} is not a number of steps > 2; use None for no lag."
            )

    @property
    def state_names(self) -> tuple[str, ...]:
        """``("cell", "hidden")``."""
        return ("cell", "hidden")

    @property
    def num_drives(self) -> int:
        """Forget, input, output, candidate."""
        return 4

    def init_bias(self, num_units: int) -> Array:
        """``forget_bias`` at the forget gate and zeros elsewhere, or those of ``chrono``."""
        bias = np.zeros((4, num_units), np.float32)
        if self.chrono is None:
            bias[FORGET] = self.forget_bias
        else:
            spread = 1 + (self.chrono - 2) * (np.arange(num_units) + 0.5) / num_units
            bias[FORGET], bias[INPUT] = np.log(spread), -np.log(spread)
        return jnp.asarray(bias)

    def local(self, params: Params, state: State, drive: Array, dt: float) -> State:
        """Cell and hidden state after one step."""
        forget, enter, leave = (jax.nn.sigmoid(drive[gate]) for gate in (FORGET, INPUT, OUTPUT))
        cell = forget * state["cell"] + enter * jnp.tanh(drive[CANDIDATE])
        return {"cell": cell, "hidden": leave * jnp.tanh(cell)}

    def rate(self, params: Params, state: State) -> Array:
        """``h``."""
        return state["hidden"]

    def time_constant(self, params: Params, num_units: int) -> Array:
        """The reference ``tau`` of every unit, ms."""
        return jnp.full(num_units, self.tau, jnp.float32)

    def numpy_step(self, params: Params, num_units: int, dt: float) -> NumpyStep:
        """Gates, cell and hidden state."""
        step = (
            "forget, enter, leave = sigmoid(drive[:3])",
            "cell = forget * cell + enter * np.tanh(drive[3])",
            "hidden = leave * np.tanh(cell)",
        )
        return NumpyStep(step, rate="hidden", readout="hidden", constants={})


def check_number(owner: str, name: str, value: float, *, positive: bool = False) -> None:
    """Refuse what is no finite number, or none above 0."""
    if not math.isfinite(value) or (positive and value <= 0):
        raise ValueError(
            f"{owner}: {name} {value!r} is not a {'number > 0, in ms' if positive else 'finite number'}."
        )
