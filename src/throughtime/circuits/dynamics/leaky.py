"""Leaky rate neurons, in the two forms the field uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp

from throughtime.circuits.dynamics.base import Equations, NumpyStep
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
        held_rates: (unit,) rates at which units are held whatever their state is, NaN for the others; None:
            none is held. In the rate form the state goes on, and what is transmitted and read is replaced.

    Source: the two forms and their relation: Miller & Fumarola 2012, Neural Comput. 24:25; units held at a
    rate: Miconi 2017, eLife 6:e20899.

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
        """``φ(v)`` in the current form, the state itself in the rate form; or the rate a unit is held at."""
        return self.firing(state)

    def relay_gains(self, params: Params, num_units: int, dt: float, slope: float) -> tuple[State, State]:
        """``(αμ, 1)`` in the rate form, ``(α, μ)`` in the current form, with the slope μ."""
        alpha = self.alpha(params, num_units, dt)
        entering, leaving = (slope * alpha, 1.0) if self.form == "rate" else (alpha, slope)
        return {self.form: entering}, {self.form: self.unheld(jnp.full(num_units, leaving, alpha.dtype))}

    def numpy_step(self, params: Params, num_units: int, dt: float) -> NumpyStep:
        """The leak."""
        step, firing, held = self.numpy_filtered()
        constants = {"alpha": self.numpy_alpha(params, num_units, dt), **held}
        return NumpyStep(step=(step,), rate=firing, readout=firing, constants=constants)

    def equations(self, params: Params, num_units: int, dt: float) -> Equations:
        """The leak."""
        return self.filtered_equations(params, num_units)
