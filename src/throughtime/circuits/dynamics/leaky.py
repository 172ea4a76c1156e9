"""Leaky rate neurons, in the two forms the field uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from throughtime.circuits.activations import activation, numpy_activation
from throughtime.circuits.dynamics.base import NumpyStep
from throughtime.circuits.dynamics.membrane import Membrane, check_form, reflected

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Params, State


@dataclass(frozen=True)
class Leaky(Membrane):
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

    form: str = "current"

    def __post_init__(self) -> None:
        super().__post_init__()
        check_form("Leaky", self.form)

    @property
    def state_names(self) -> tuple[str, ...]:
        """``("current",)`` or ``("rate",)``."""
        return (self.form,)

    def admissible(self, state: State) -> State:
        """A rate that activations keep from being negative starts from its absolute value."""
        return reflected(state, "rate") if self.form == "rate" and self.non_negative else state

    def local(self, params: Params, state: State, drive: Array, dt: float) -> State:
        """One Euler step of the leak."""
        arriving = activation(self.activation)(drive) if self.form == "rate" else drive
        return {self.form: self.leak(params, state[self.form], arriving, dt)}

    def rate(self, params: Params, state: State) -> Array:
        """``φ(v)`` in the current form, the state itself in the rate form."""
        value = state[self.form]
        return activation(self.activation)(value) if self.form == "current" else value

    def numpy_step(self, params: Params, num_units: int, dt: float) -> NumpyStep:
        """The leak."""
        rate = self.form == "rate"
        arriving = numpy_activation(self.activation, "drive") if rate else "drive"
        sent = self.form if rate else numpy_activation(self.activation, self.form)
        return NumpyStep(
            step=(f"{self.form} = (1 - alpha) * {self.form} + alpha * {arriving}",),
            rate=sent,
            readout=sent,
            constants={"alpha": self.numpy_alpha(params, num_units, dt)},
        )
