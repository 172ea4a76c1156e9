"""Gated recurrent units, with the reset after or before the synapses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from throughtime.circuits.dynamics.base import Dynamics, NumpyStep
from throughtime.circuits.dynamics.lstm import check_number

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Params, State

RESETS = ("after", "before")


@dataclass(frozen=True)
class GRU(Dynamics):
    """Gated recurrent units: an update gate ζ keeps the state, a reset gate silences its own past.

    σ is the logistic function; a drive is what arrives through synapses, inputs, bias and noise.

    ``reset="after"`` (the recurrent drive is reset; as in cuDNN and PyTorch), four drives, in the order reset
    ρ, update z, candidate-recurrent c (no inputs), candidate-input k (no recurrent synapses)::

        h' = ζ h + (1−ζ) tanh(k + σ(ρ) c),   ζ = σ(z)

    ``reset="before"`` (what synapses transmit is reset; the original), three drives, reset, update and
    candidate; such a step needs the synapses twice, so only exact rules can train it::

        h' = ζ h + (1−ζ) tanh(k + W_c (σ(ρ) ∘ h)),   ζ = σ(z)

    Synapses transmit h. One variable ``hidden`` (h). Gates act once a step, whatever dt is. A bias stands on
    every drive, and circuit noise enters each: with the reset after, the candidate receives it twice, once
    as it is and once through the reset gate.

    Attributes:
        reset: ``after`` or ``before``.
        update_bias: initial bias of the update gate; above 0 a new circuit remembers for longer.
        tau: reference time constant in ms that scales the circuit's drive noise, and does nothing else.

    Source: Cho et al. 2014, EMNLP, 1724 (reset before; ζ is their z, and PyTorch's); the reset after the
    synapses as in ``torch.nn.GRU``.

    Example:
        >>> import jax.numpy as jnp
        >>> keep = jnp.array([[0.0], [50.0], [9.0], [9.0]])  # an open update gate keeps the state
        >>> float(GRU().local({}, {"hidden": jnp.ones(1)}, keep, dt=20.0)["hidden"][0])
        1.0
    """

    reset: str = "after"
    update_bias: float = 0.0
    tau: float = 100.0

    def __post_init__(self) -> None:
        if self.reset not in RESETS:
            raise ValueError(f"GRU: reset {self.reset!r} is not known; use 'after' or 'before'.")
        check_number("GRU", "update_bias", self.update_bias)
        check_number("GRU", "tau", self.tau, positive=True)

    @property
    def state_names(self) -> tuple[str, ...]:
        """``("hidden",)``."""
        return ("hidden",)

    @property
    def two_stage(self) -> bool:
        """True with the reset before the synapses."""
        return self.reset == "before"

    @property
    def num_drives(self) -> int:
        """Four with the reset after the synapses, three with the reset before."""
        return 3 if self.two_stage else 4

    @property
    def recurrent_drives(self) -> tuple[int, ...]:
        """Reset, update and the (recurrent) candidate."""
        return (0, 1, 2)

    @property
    def input_drives(self) -> tuple[int, ...]:
        """Reset, update and the (input) candidate."""
        return (0, 1, 2) if self.two_stage else (0, 1, 3)

    def init_bias(self, num_units: int) -> Array:
        """``update_bias`` at the update gate, zeros elsewhere."""
        return jnp.zeros((self.num_drives, num_units), jnp.float32).at[1].set(self.update_bias)

    def local(self, params: Params, state: State, drive: Array, dt: float) -> State:
        """One step with the reset after the synapses."""
        if self.two_stage:
            raise TypeError("GRU: with reset='before' a step is no function of drives; use advance(...).")
        reset, update = jax.nn.sigmoid(drive[0]), jax.nn.sigmoid(drive[1])
        return {"hidden": update * state["hidden"] + (1 - update) * jnp.tanh(drive[3] + reset * drive[2])}

    def advance(self, params: Params, state: State, recurrent: Array, external: Array, dt: float) -> State:
        """One step with the reset before the synapses; shapes as in :meth:`Dynamics.advance`."""
        if not self.two_stage:
            return super().advance(params, state, recurrent, external, dt)
        hidden = state["hidden"]
        reset, update = jax.nn.sigmoid(external[:2] + recurrent[:2] @ hidden)
        candidate = jnp.tanh(external[2] + recurrent[2] @ (reset * hidden))
        return {"hidden": update * hidden + (1 - update) * candidate}

    def rate(self, params: Params, state: State) -> Array:
        """``h``."""
        return state["hidden"]

    def time_constant(self, params: Params, num_units: int) -> Array:
        """The reference ``tau`` of every unit, ms."""
        return jnp.full(num_units, self.tau, jnp.float32)

    def numpy_step(self, params: Params, num_units: int, dt: float) -> NumpyStep:
        """Gates and hidden state, for either reset."""
        gates, candidate = "drive[:2]", "drive[3] + reset * drive[2]"
        if self.two_stage:
            gates, candidate = f"{gates} + W[:2] @ hidden", "drive[2] + W[2] @ (reset * hidden)"
        step = (
            f"reset, update = sigmoid({gates})",
            f"hidden = update * hidden + (1 - update) * np.tanh({candidate})",
        )
        return NumpyStep(step, rate="hidden", readout="hidden", constants={})
