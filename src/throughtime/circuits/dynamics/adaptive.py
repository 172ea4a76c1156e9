"""Leaky neurons whose firing weakens itself: an adaptation current with a time constant of its own."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from throughtime.circuits.activations import activation, equation_activation, numpy_activation
from throughtime.circuits.dynamics.base import Equations, NumpyStep
from throughtime.circuits.dynamics.membrane import Membrane, per_unit
from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Params, State


@dataclass(frozen=True)
class Adaptive(Membrane):
    """Leaky units in the current form with a slow current that follows their own rate and opposes it.

    ``τ dv/dt = −v + u − β a`` and ``τ_a da/dt = −a + r``, transmitted rate ``r = φ(v)``. A step is::

        v' = (1−α) v + α (u − β a),   a' = ρ a + (1−ρ) φ(v),   α = dt/τ,   ρ = exp(−dt/τ_a)

    with v and a on the right as they were before the step. Variables: ``current`` (v), ``adaptation`` (a, in
    units of the rate). The adaptation remembers for τ_a what the membrane forgets within τ.

    Attributes:
        tau: membrane time constant in ms, one number or one per unit; never below the circuit's dt.
        activation: ``tanh``, ``relu``, ``softplus``, ``sigmoid`` or ``retanh``.
        tau_adaptation: time constant τ_a of the adaptation in ms, one number or one per unit.
        strength: β >= 0, drive taken away per unit of rate, one number or one per unit; 0: no adaptation.
        tau_range: (low, high) in ms, within which each unit's tau is trained; see :class:`Leaky`.
        held_rates: (unit,) rates at which units are held, NaN for the others; see :class:`Leaky`. A held
            unit's adaptation follows the rate it is held at.

    Source: firing-rate adaptation: Benda & Herz 2003, Neural Comput. 15:2523; adapting neurons as the memory
    of trained circuits: Bellec et al. 2018, NeurIPS 31:787; Bellec et al. 2020, Nat. Commun.
    11:3625.

    Example:
        >>> import jax.numpy as jnp
        >>> units = Adaptive(activation="relu", strength=3.0)
        >>> steady = {"current": jnp.ones(1), "adaptation": jnp.ones(1)}  # v = a = u / (1 + β)
        >>> float(units.local({}, steady, jnp.array([4.0]), dt=20.0)["current"][0])
        1.0
    """

    tau_adaptation: float | FrozenArray = 500.0
    strength: float | FrozenArray = 1.0

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, positive in (("tau_adaptation", True), ("strength", False)):
            value = per_unit(getattr(self, name))
            object.__setattr__(self, name, value)
            least = float(np.min(np.asarray(value, float)))
            if not np.isfinite(np.asarray(value, float)).all() or least < 0 or (positive and least == 0):
                raise ValueError(
                    f"Adaptive: {name} {least:g} is not a number {'> 0, in ms' if positive else '>= 0'}."
                )

    @property
    def state_names(self) -> tuple[str, ...]:
        """``("current", "adaptation")``."""
        return ("current", "adaptation")

    def check(self, num_units: int, dt: float) -> None:
        """Refuse tau below dt, and fields of another length than the number of units."""
        super().check(num_units, dt)
        for name in ("tau_adaptation", "strength"):
            shape = np.shape(getattr(self, name))
            if shape not in ((), (num_units,)):
                raise ValueError(
                    f"Adaptive: {name} has shape {shape}; use one number or one per unit, ({num_units},)."
                )

    def local(self, params: Params, state: State, drive: Array, dt: float) -> State:
        """One step of the leak and of the adaptation."""
        past, adaptation = state["current"], state["adaptation"]
        beta = jnp.asarray(np.asarray(self.strength, float), past.dtype)
        rho = jnp.asarray(np.exp(-dt / np.asarray(self.tau_adaptation, float)), past.dtype)
        return {
            "current": self.leak(params, past, drive - beta * adaptation, dt),
            "adaptation": rho * adaptation + (1 - rho) * self.rate(params, state),
        }

    def rate(self, params: Params, state: State) -> Array:
        """``φ(v)``, or the rate a unit is held at."""
        return self.held(activation(self.activation)(state["current"]))

    def relay_gains(self, params: Params, num_units: int, dt: float, slope: float) -> tuple[State, State]:
        """``(α, μ)`` for the current, with the slope μ; the adaptation neither hears nor speaks by itself."""
        alpha = self.alpha(params, num_units, dt)
        return {"current": alpha}, {"current": self.unheld(jnp.full(num_units, slope, alpha.dtype))}

    def numpy_step(self, params: Params, num_units: int, dt: float) -> NumpyStep:
        """The adaptation from the rate before the step, and the leak."""
        rate, held = self.numpy_held(numpy_activation(self.activation, "current"))
        return NumpyStep(
            step=(
                "opposed = drive - beta * adaptation",
                f"adaptation = rho * adaptation + (1 - rho) * {rate}",
                "current = (1 - alpha) * current + alpha * opposed",
            ),
            rate=rate,
            readout=rate,
            constants={
                "alpha": self.numpy_alpha(params, num_units, dt),
                "beta": np.asarray(self.strength, float),
                "rho": np.exp(-dt / np.asarray(self.tau_adaptation, float)),
                **held,
            },
        )

    def equations(self, params: Params, num_units: int, dt: float) -> Equations:
        """The leak, and the adaptation with the time constant dt/(1−ρ), of which a step of Euler is ρ."""
        line, held = self.firing_equation(equation_activation(self.activation, "current"))
        rho = np.exp(-dt / np.asarray(self.tau_adaptation, float))
        return Equations(
            lines=(
                "dcurrent/dt = (-current + drive - beta*adaptation)/tau : 1",
                "dadaptation/dt = (-adaptation + firing)/tau_adaptation : 1",
                line,
            ),
            sent="firing",
            read="firing",
            times={"tau": self.taus(params, num_units), "tau_adaptation": dt / (1 - rho)},
            constants={"beta": np.asarray(self.strength, float), **held},
        )
