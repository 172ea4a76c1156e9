"""Leaky rate neurons, in the two forms the field uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from throughtime.circuits.activations import NON_NEGATIVE, activation
from throughtime.circuits.dynamics.base import Dynamics, check_tau
from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Params, State

FORMS = ("current", "rate")


@dataclass(frozen=True)
class Leaky(Dynamics):
    """Leaky units, stepped by forward Euler with ``α = dt/τ``.

    ``form="current"``: ``τ dv/dt = −v + u``, transmitted rate ``r = φ(v)``; one variable ``current``.
    ``form="rate"``: ``τ dr/dt = −r + φ(u)``; one variable ``rate``.

    Here ``u = W r + W_in x + b + noise`` is the drive. With ``α = 1`` both are the discrete "vanilla"
    circuit.

    Attributes:
        tau: time constant in ms, one number or one per unit; never below the circuit's dt.
        activation: ``tanh``, ``relu``, ``softplus``, ``sigmoid`` or ``retanh``.
        form: ``current`` or ``rate``.

    Source: the two forms and their relation: Miller & Fumarola 2012, Neural Comput. 24:25.

    Example:
        >>> import jax.numpy as jnp
        >>> units = Leaky(tau=100.0, activation="relu", form="rate")
        >>> state = units.local({}, units.init_state(2), jnp.array([1.0, -1.0]), dt=20.0)
        >>> [round(float(r), 3) for r in units.rate({}, state)]
        [0.2, 0.0]
    """

    tau: float | FrozenArray = 100.0
    activation: str = "tanh"
    form: str = "current"

    def __post_init__(self) -> None:
        activation(self.activation)
        if self.form not in FORMS:
            raise ValueError(f"Leaky: form {self.form!r} is not known; use 'current' or 'rate'.")
        if isinstance(self.tau, np.ndarray | list | tuple):
            object.__setattr__(self, "tau", FrozenArray(self.tau))

    @property
    def state_names(self) -> tuple[str, ...]:
        """``("current",)`` or ``("rate",)``."""
        return (self.form,)

    @property
    def non_negative(self) -> bool:
        """True for relu, softplus, sigmoid and retanh."""
        return self.activation in NON_NEGATIVE

    def check(self, num_units: int, dt: float) -> None:
        """Refuse tau below dt, or of another length than the number of units."""
        check_tau("Leaky", self.tau, num_units, dt)

    def local(self, params: Params, state: State, drive: Array, dt: float) -> State:
        """One Euler step of the leak."""
        past = state[self.form]
        alpha = jnp.asarray(dt / np.asarray(self.tau, float), past.dtype)
        arriving = activation(self.activation)(drive) if self.form == "rate" else drive
        return {self.form: (1 - alpha) * past + alpha * arriving}

    def rate(self, params: Params, state: State) -> Array:
        """``φ(v)`` in the current form, the state itself in the rate form."""
        value = state[self.form]
        return activation(self.activation)(value) if self.form == "current" else value

    def time_constant(self, params: Params, num_units: int) -> Array:
        """``tau`` of every unit, ms."""
        return jnp.broadcast_to(jnp.asarray(np.asarray(self.tau, np.float32)), (num_units,))
