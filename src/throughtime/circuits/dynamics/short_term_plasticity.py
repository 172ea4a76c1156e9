"""Neurons whose synapses facilitate or depress with use."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

import jax.numpy as jnp
import numpy as np

from throughtime.circuits.activations import NON_NEGATIVE
from throughtime.circuits.dynamics.base import Equations, NumpyStep
from throughtime.circuits.dynamics.membrane import Formed
from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Params, State

MS_PER_S = 1000.0


class Resources(NamedTuple):
    """Numbers of each unit's outgoing synapses: U, and the time constants of u and x in ms."""

    release: np.ndarray
    tau_u: np.ndarray
    tau_x: np.ndarray


@dataclass(frozen=True)
class ShortTermPlasticity(Formed):
    """Leaky units whose outgoing synapses have resources x that firing spends and a utilisation u it raises.

    With the rate r (``φ(v)`` in the current form, the state itself in the rate form) one step is that of
    :class:`Leaky` followed, with the new rate, by ::

        x' = x + dt ((1−x)/τ_x − u x r),   u' = u + dt ((U−u)/τ_u + U (1−u) r)

    both kept within [0, 1]. Synapses transmit ``u x r``, the readout reads ``r``. Variables: ``current`` or
    ``rate``, ``available`` (x, first 1) and ``utilisation`` (u, first U). **One unit of rate is one spike per
    second**, so the products have dt in s: at rates well below 1/(U τ) the synapses stay as they are at rest.
    At a constant rate u = U (1 + τ_u r)/(1 + U τ_u r) and x = 1/(1 + u τ_x r).

    Attributes:
        tau: membrane time constant in ms, one number or one per unit; never below the circuit's dt.
        activation: ``relu``, ``softplus``, ``sigmoid`` or ``retanh``: rates must not be negative.
        form: ``current`` or ``rate``, as in :class:`Leaky`.
        facilitating: fraction of units whose synapses facilitate, spread evenly over the units (half: every
            other one), or a bool per unit; those of the others depress.
        facilitation, depression: (U, τ_u, τ_x) of either kind of synapse, times in ms.
        tau_range: (low, high) in ms, within which each unit's tau is trained; see :class:`Leaky`.
        held_rates: (unit,) rates >= 0 at which units are held, NaN for the others; see :class:`Leaky`. A held
            unit's synapses are used at the rate it is held at.

    Source: Tsodyks, Pawelzik & Markram 1998, Neural Comput. 10:821; as a store of working memory Mongillo,
    Barak & Tsodyks 2008, Science 319:1543; in trained circuits, and the constants, Masse et al. 2019, Nat.
    Neurosci. 22:1159 (whose rectification also covers the leak: ``r' = [(1−α) r + α u]₊``).

    Example:
        >>> units = ShortTermPlasticity(facilitating=0.5)
        >>> [round(float(u), 2) for u in units.init_state(4)["utilisation"]]
        [0.15, 0.45, 0.15, 0.45]
    """

    activation: str = "relu"
    facilitating: float | FrozenArray = 0.5
    facilitation: tuple[float, float, float] = (0.15, 1500.0, 200.0)
    depression: tuple[float, float, float] = (0.45, 200.0, 1500.0)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.activation not in NON_NEGATIVE:
            raise ValueError(
                f"ShortTermPlasticity: {self.activation} can be negative, and a negative rate would refill "
                f"synapses; use one of {', '.join(sorted(NON_NEGATIVE))}."
            )
        if not self.non_negative:
            raise ValueError(
                "ShortTermPlasticity: held_rates has a negative rate, which would refill synapses; use rates "
                ">= 0, and NaN for units that are not held."
            )
        for name in ("facilitation", "depression"):
            values = tuple(map(float, getattr(self, name)))
            if len(values) != 3 or not (0 < values[0] <= 1 and all(0 < tau < math.inf for tau in values[1:])):
                raise ValueError(
                    f"ShortTermPlasticity: {name} {values} is not (U, tau_u, tau_x) with 0 < U <= 1 and "
                    "times > 0 ms."
                )
            object.__setattr__(self, name, values)
        given = np.asarray(self.facilitating)
        if given.ndim and np.isin(given, (0, 1)).all():
            object.__setattr__(self, "facilitating", FrozenArray(given.astype(bool)))
        elif given.ndim or not 0 <= given <= 1:
            raise ValueError(
                f"ShortTermPlasticity: facilitating {self.facilitating!r} is not a fraction from 0 to 1 or "
                "one bool per unit."
            )

    @property
    def state_names(self) -> tuple[str, ...]:
        """``("current" or "rate", "available", "utilisation")``."""
        return (self.form, "available", "utilisation")

    @property
    def learned_states(self) -> tuple[str, ...]:
        """The current or the rate: synapses start each trial at rest."""
        return (self.form,)

    def check(self, num_units: int, dt: float) -> None:
        """Refuse time constants below dt, and fields of another length than the number of units."""
        super().check(num_units, dt)
        shape = np.shape(self.facilitating)
        if shape not in ((), (num_units,)):
            raise ValueError(
                f"ShortTermPlasticity: facilitating has shape {shape}; use a fraction or one bool per unit, "
                f"({num_units},)."
            )
        shortest = min(*self.facilitation[1:], *self.depression[1:])
        if shortest < dt:
            raise ValueError(
                f"ShortTermPlasticity: a synaptic time constant of {shortest:g} ms is below dt {dt:g} ms, "
                "where Euler steps overshoot; use a longer one, or a task with a smaller dt."
            )

    def facilitates(self, num_units: int) -> np.ndarray:
        """Whose synapses facilitate, (unit,) bool."""
        if isinstance(self.facilitating, FrozenArray):
            return self.facilitating.values
        before = np.ceil(np.round(np.arange(num_units + 1) * self.facilitating, 9))
        return np.diff(before) > 0

    def resources(self, num_units: int) -> Resources:
        """U, τ_u and τ_x of every unit."""
        kinds = np.where(
            self.facilitates(num_units), *np.array([self.facilitation, self.depression])[:, :, None]
        )
        return Resources(*kinds)

    def init_state(self, num_units: int) -> State:
        """At rest: full resources, utilisation U."""
        release = jnp.asarray(self.resources(num_units).release, jnp.float32)
        return {
            self.form: jnp.zeros_like(release),
            "available": jnp.ones_like(release),
            "utilisation": release,
        }

    def local(self, params: Params, state: State, drive: Array, dt: float) -> State:
        """One Euler step of the leak, then one of the synapses with the new rate."""
        past, x, u = (state[name] for name in self.state_names)
        release, tau_u, tau_x = (jnp.asarray(each, past.dtype) for each in self.resources(past.shape[-1]))
        after = {self.form: self.filtered(params, state, drive, dt)}
        spikes = dt / MS_PER_S * self.firing(after)
        return {
            **after,
            "available": _within(x + dt / tau_x * (1 - x) - u * x * spikes),
            "utilisation": _within(u + dt / tau_u * (release - u) + release * (1 - u) * spikes),
        }

    def rate(self, params: Params, state: State) -> Array:
        """What arrives behind the synapses, ``u x r``."""
        return state["utilisation"] * state["available"] * self.firing(state)

    def readout(self, params: Params, state: State) -> Array:
        """The rate ``r`` itself."""
        return self.firing(state)

    def numpy_step(self, params: Params, num_units: int, dt: float) -> NumpyStep:
        """The leak, then the synapses with the new rate."""
        step, read, held = self.numpy_filtered()
        release, tau_u, tau_x = self.resources(num_units)
        return NumpyStep(
            step=(
                step,
                f"spikes = {dt / MS_PER_S!r} * {read}",
                "spent = utilisation * available * spikes",
                "raised = release * (1 - utilisation) * spikes",
                "available = np.clip(available + alpha_x * (1 - available) - spent, 0, 1)",
                "utilisation = np.clip(utilisation + alpha_u * (release - utilisation) + raised, 0, 1)",
            ),
            rate=f"utilisation * available * {read}",
            readout=read,
            constants={
                "alpha": self.numpy_alpha(params, num_units, dt),
                "alpha_u": dt / tau_u,
                "alpha_x": dt / tau_x,
                "release": release,
                **held,
            },
        )

    def equations(self, params: Params, num_units: int, dt: float) -> Equations:
        """The leak; the synapses follow with the new rate."""
        leak = self.filtered_equations(params, num_units)
        release, tau_u, tau_x = self.resources(num_units)
        return leak._replace(
            lines=(
                *leak.lines,
                "sent = utilisation*available*firing : 1",
                "available : 1",
                "utilisation : 1",
            ),
            sent="sent",
            after=(
                "spikes = firing*dt/second",
                "spent = utilisation*available*spikes",
                "raised = release*(1 - utilisation)*spikes",
                "available = clip(available + dt/tau_x*(1 - available) - spent, 0, 1)",
                "utilisation = clip(utilisation + dt/tau_u*(release - utilisation) + raised, 0, 1)",
            ),
            times={**leak.times, "tau_x": tau_x, "tau_u": tau_u},
            constants={**leak.constants, "release": release},
        )


def _within(value: Array) -> Array:
    """``value`` kept within [0, 1]; at the bounds themselves, where synapses rest, its slope is 1."""
    return jnp.where(value < 0, 0.0, jnp.where(value > 1, 1.0, value)).astype(value.dtype)
