"""What leaky neurons share: a membrane time constant, given or trained, and an activation."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits.activations import NON_NEGATIVE, activation, equation_activation, numpy_activation
from throughtime.circuits.dynamics.base import Dynamics, Equations, check_tau
from throughtime.config import LATER
from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from jax import Array
    from numpy.typing import ArrayLike

    from throughtime.circuits.dynamics.base import Params, State

FORMS = ("current", "rate")


def per_unit(value: float | FrozenArray) -> float | FrozenArray:
    """A number as it is; a list, tuple or array as one that a configuration can hold."""
    return FrozenArray(value) if isinstance(value, np.ndarray | list | tuple) else value


@dataclass(frozen=True)
class Membrane(Dynamics):
    """Base of leaky neurons, ``τ dv/dt = −v + …``, stepped by forward Euler with ``α = dt/τ``.

    With a ``tau_range`` each unit's time constant is trained within it: ``τ = low · (high/low)^σ(θ)``, where
    θ is the unit's own parameter ``tau_logit`` and σ the logistic function. The bounds hold exactly, whatever
    an update does to θ. Circuit noise keeps the scale of the configured ``tau``.

    Attributes:
        tau: time constant in ms, one number or one per unit; never below the circuit's dt.
        activation: ``tanh``, ``relu``, ``softplus``, ``sigmoid`` or ``retanh``.
        tau_range: (low, high) in ms, within which each unit's tau is trained, starting from ``tau``; None:
            not trained.
        held_rates: (unit,) rates at which units are held whatever their state is, NaN for the others; None:
            none is held. A held rate is what everything downstream of the unit sees (synapses, readout, its
            own adaptation and synaptic resources); the unit's state goes on beneath it, without effect.
    """

    tau: float | FrozenArray = 100.0
    activation: str = "tanh"
    tau_range: tuple[float, float] | None = field(default=None, kw_only=True)
    held_rates: FrozenArray | None = field(default=None, kw_only=True, metadata={LATER: True})

    def __post_init__(self) -> None:
        activation(self.activation)
        object.__setattr__(self, "tau", per_unit(self.tau))
        if self.tau_range is not None:
            object.__setattr__(self, "tau_range", self._checked_range(self.tau_range))
        if self.held_rates is not None:
            held = FrozenArray(np.asarray(self.held_rates, float))
            if np.isinf(held.values).any():
                raise ValueError(
                    f"{type(self).__name__}: held_rates has infinite rates; use a number for a unit that is "
                    "held and NaN for one that is not."
                )
            object.__setattr__(self, "held_rates", held)

    def _checked_range(self, given: tuple[float, float]) -> tuple[float, float]:
        name, values = type(self).__name__, tuple(map(float, np.ravel(given)))
        if len(values) != 2 or not 0 < values[0] < values[1] < math.inf:
            raise ValueError(f"{name}: tau_range {given!r} is not (low, high) with 0 < low < high, in ms.")
        low, high = values
        tau = np.asarray(self.tau, float)
        outside = tau[~((low < tau) & (tau < high))]
        if outside.size:
            raise ValueError(
                f"{name}: tau {outside.flat[0]:g} ms, where training starts, does not lie strictly inside "
                f"tau_range ({low:g}, {high:g}) ms; move one of them."
            )
        return low, high

    @property
    def non_negative(self) -> bool:
        """True for relu, softplus, sigmoid and retanh, unless a unit is held at a negative rate."""
        held = np.zeros(0) if self.held_rates is None else self.held_rates.values
        return self.activation in NON_NEGATIVE and not (held < 0).any()

    def check(self, num_units: int, dt: float) -> None:
        """Refuse tau below dt, and tau or held rates of another length than the number of units."""
        name = type(self).__name__
        if self.held_rates is not None and self.held_rates.shape != (num_units,):
            raise ValueError(
                f"{name}: held_rates has shape {self.held_rates.shape}, expected ({num_units},): one rate a "
                "unit, NaN where it is not held."
            )
        check_tau(name, self.tau, num_units, dt)
        if self.tau_range is not None and self.tau_range[0] < dt:
            raise ValueError(
                f"{name}: tau_range begins at {self.tau_range[0]:g} ms, below dt {dt:g} ms, where Euler "
                "steps overshoot; use a low end >= dt, or a task with a smaller dt."
            )

    def init_params(self, num_units: int, *, key: Array) -> Params:
        """``tau_logit`` (unit,) of ``tau``, where it is trained."""
        if self.tau_range is None:
            return {}
        low, high = self.tau_range
        part = np.log(np.asarray(self.tau, float) / low) / math.log(high / low)
        logit = np.broadcast_to(np.log(part) - np.log1p(-part), (num_units,))
        return {"tau_logit": jnp.asarray(logit, jnp.float32)}

    def time_constant(self, params: Params, num_units: int) -> Array:
        """Time constant of every unit, ms; without ``tau_logit`` in ``params`` the configured ``tau``."""
        if self.tau_range is None or "tau_logit" not in params:
            return jnp.broadcast_to(jnp.asarray(np.asarray(self.tau, np.float32)), (num_units,))
        low, high = self.tau_range
        return jnp.clip(low * (high / low) ** jax.nn.sigmoid(params["tau_logit"]), low, high)

    def held(self, rate: Array) -> Array:
        """``rate`` (…, unit), with those of held units in place of their own."""
        if self.held_rates is None:
            return rate
        fixed = self.held_rates.values
        return jnp.where(np.isnan(fixed), rate, jnp.asarray(np.nan_to_num(fixed), rate.dtype))

    def unheld(self, slopes: Array) -> Array:
        """Slopes of rates (unit,), which are 0 for units that are held."""
        if self.held_rates is None:
            return slopes
        return jnp.where(np.isnan(self.held_rates.values), slopes, 0)

    def numpy_held(self, rate: str) -> tuple[str, dict[str, ArrayLike]]:
        """:meth:`held` as an expression, and its constant, for :meth:`numpy_step`."""
        if self.held_rates is None:
            return rate, {}
        return f"np.where(np.isnan(held), {rate}, held)", {"held": self.held_rates.values}

    def leak(self, params: Params, past: Array, arriving: Array, dt: float) -> Array:
        """One Euler step, ``(1−α) past + α arriving``."""
        if self.tau_range is None:
            alpha = jnp.asarray(dt / np.asarray(self.tau, float), past.dtype)
        else:
            alpha = (dt / self.time_constant(params, past.shape[-1])).astype(past.dtype)
        return (1 - alpha) * past + alpha * arriving

    def alpha(self, params: Params, num_units: int, dt: float) -> Array:
        """``α = dt/τ`` of every unit, in the precision of ``params``."""
        dtype = params["bias"].dtype
        if self.tau_range is None:
            return jnp.broadcast_to(jnp.asarray(dt / np.asarray(self.tau, float), dtype), (num_units,))
        return (dt / self.time_constant(params, num_units)).astype(dtype)

    def taus(self, params: Params, num_units: int) -> np.ndarray:
        """Time constant of every unit in float64, ms; a trained one in the precision it was trained in."""
        tau = self.tau if self.tau_range is None else self.time_constant(params, num_units)
        return np.broadcast_to(np.asarray(tau, float), (num_units,))

    def numpy_alpha(self, params: Params, num_units: int, dt: float) -> np.ndarray:
        """``α = dt/τ`` of every unit, for :meth:`numpy_step`."""
        return dt / self.taus(params, num_units)

    def firing_equation(self, rate: str) -> tuple[str, dict[str, ArrayLike]]:
        """The line that holds ``firing`` to ``rate`` or to what a unit is held at, and its constants."""
        if self.held_rates is None:
            return f"firing = {rate} : 1", {}
        held = self.held_rates.values
        line = f"firing = ({rate})*free + held : 1"
        return line, {"free": np.isnan(held).astype(float), "held": np.nan_to_num(held)}


@dataclass(frozen=True)
class Formed(Membrane):
    """Base of leaky neurons in either form, with the variable ``current`` (v) or ``rate`` (r).

    Attributes:
        form: ``current``: the drive is filtered and the rate is ``φ(v)``; ``rate``: ``φ`` of the drive is.
    """

    form: str = "current"

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.form not in FORMS:
            raise ValueError(
                f"{type(self).__name__}: form {self.form!r} is not known; use 'current' or 'rate'."
            )

    def admissible(self, state: State) -> State:
        """A rate that the activation keeps from being negative starts from its absolute value."""
        if not (self.form == "rate" and self.activation in NON_NEGATIVE):
            return state
        value = state["rate"]
        return {**state, "rate": jnp.where(value < 0, -value, value)}  # the slope at 0 is 1

    def filtered(self, params: Params, state: State, drive: Array, dt: float) -> Array:
        """The variable after one step of the leak."""
        arriving = activation(self.activation)(drive) if self.form == "rate" else drive
        return self.leak(params, state[self.form], arriving, dt)

    def firing(self, state: State) -> Array:
        """``φ(v)`` in the current form, the variable itself in the rate form, or what a unit is held at."""
        value = state[self.form]
        return self.held(activation(self.activation)(value) if self.form == "current" else value)

    def numpy_filtered(self) -> tuple[str, str, dict[str, ArrayLike]]:
        """The step of the leak, the rate, and its constants, for :meth:`numpy_step`."""
        rate = self.form == "rate"
        arriving = numpy_activation(self.activation, "drive") if rate else "drive"
        firing = self.form if rate else numpy_activation(self.activation, self.form)
        step = f"{self.form} = (1 - alpha) * {self.form} + alpha * {arriving}"
        return step, *self.numpy_held(firing)

    def filtered_equations(self, params: Params, num_units: int) -> Equations:
        """The leak and the rate, for :meth:`equations`."""
        rate = self.form == "rate"
        arriving = equation_activation(self.activation, "drive") if rate else "drive"
        line, held = self.firing_equation(
            self.form if rate else equation_activation(self.activation, self.form)
        )
        return Equations(
            lines=(f"d{self.form}/dt = (-{self.form} + {arriving})/tau : 1", line),
            sent="firing",
            read="firing",
            times={"tau": self.taus(params, num_units)},
            constants=held,
        )
