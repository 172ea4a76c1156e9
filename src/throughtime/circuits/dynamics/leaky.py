"""Leaky rate neurons, in the two forms the field uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughtime.circuits.dynamics.base import NumpyStep
from throughtime.circuits.dynamics.membrane import Formed

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Params, State


@dataclass(frozen=True)
class Leaky(Formed):
    """Leaky units, stepped by forward Euler with ``α = dt/τ``.

    ``form="current"``: ``τ dv/dt = −v + u``, transmitted rate ``r = φ(v)``; one variable ``current``.
    ``form="rate"``: ``τ dr/dt = −r + φ(u)``; one variable ``rate``.

    Here ``u = W r + W_in x + b + noise`` is the drive. With ``α = 1`` both are the discrete "vanilla"
    circuit.

    Attributes:
        tau: time constant in ms, one number or one per unit; never below the circuit's dt.
        activation: ``tanh``, ``relu``, ``softplus``, ``sigmoid`` or ``retanh``.
        form: ``current`` or ``rate``.
        tau_range: (low, high) in ms, within which each unit's tau is trained, starting from ``tau``:
            ``τ = low · (high/low)^σ(θ)`` with the parameter θ = ``tau_logit``; None: not trained.

    Source: the two forms and their relation: Miller & Fumarola 2012, Neural Comput. 24:25.

    Example:
        >>> import jax.numpy as jnp
        >>> units = Leaky(tau=100.0, activation="relu", form="rate")
        >>> state = units.local({}, units.init_state(2), jnp.array([1.0, -1.0]), dt=20.0)
        >>> [round(float(r), 3) for r in units.rate({}, state)]
        [0.2, 0.0]
        >>> trained = Leaky(tau=100.0, tau_range=(20.0, 500.0))
        >>> [float(tau) for tau in trained.time_constant({"tau_logit": jnp.array([-1e9, 1e9])}, 2)]
        [20.0, 500.0]
    """

    @property
    def state_names(self) -> tuple[str, ...]:
        """``("current",)`` or ``("rate",)``."""
        return (self.form,)

    def local(self, params: Params, state: State, drive: Array, dt: float) -> State:
        """One Euler step of the leak."""
        return {self.form: self.filtered(params, state, drive, dt)}

    def rate(self, params: Params, state: State) -> Array:
        """``φ(v)`` in the current form, the state itself in the rate form."""
        return self.firing(state)

    def numpy_step(self, params: Params, num_units: int, dt: float) -> NumpyStep:
        """The leak."""
        step, firing = self.numpy_filtered()
        alpha = self.numpy_alpha(params, num_units, dt)
        return NumpyStep(step=(step,), rate=firing, readout=firing, constants={"alpha": alpha})
