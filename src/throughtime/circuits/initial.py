"""What state a trial starts from: rest, a learned or drawn state, or where the circuit settles by itself."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.circuit import Circuit
    from throughtime.circuits.dynamics.base import Params, State


@dataclass(frozen=True)
class Initial:
    """Base of all initial states; by itself the state the dynamics declares (zeros for leaky units)."""

    def init_params(self, circuit: Circuit, key: Array | None = None) -> Params:
        """Parameters of the initial state; none by default.

        Args:
            key: for those that are drawn; key 0 where none is given.
        """
        return {}

    def fixed_params(self, circuit: Circuit) -> tuple[str, ...]:
        """Names of those of them that no rule trains; none by default."""
        return ()

    def base(self, circuit: Circuit, params: Params) -> State:
        """State before the first step, or before the warm-up: variables (unit,)."""
        dtype = params["bias"].dtype
        return {
            name: value.astype(dtype)
            for name, value in circuit.dynamics.init_state(circuit.num_units).items()
        }

    def num_warm_up_steps(self, dt: float) -> int:
        """Steps without input or noise between :meth:`base` and the first step of a trial."""
        return 0

    def pull_back(self, circuit: Circuit, params: Params, credit: State) -> Params:
        """Gradient by :meth:`init_params` from ``credit``, that by :meth:`base` summed over trials."""
        own = {name: params[name] for name in self.init_params(circuit)}
        if not own:
            return {}
        _, pull = jax.vjp(lambda changed: self.base(circuit, {**params, **changed}), own)
        (grads,) = pull(credit)
        return grads


@dataclass(frozen=True)
class Rest(Initial):
    """Every trial starts from the state the dynamics declares: zeros for leaky and gated units.

    Source: common practice.

    Example:
        >>> Rest().num_warm_up_steps(dt=20.0)
        0
    """


@dataclass(frozen=True)
class Learned(Initial):
    """Every trial starts from a trained state, parameters ``initial_<variable>`` (unit,) of the circuit.

    They begin at the state the dynamics declares, and stay where it can be (rates that are never negative
    start from the absolute value). Variables the dynamics keeps for itself
    (``learned_states`` leaves them out, such as synaptic resources) start as declared.

    Source: common practice.

    Example:
        >>> import jax
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=4, num_outputs=1, initial=Learned())
        >>> circuit.init(key=jax.random.key(0))["initial_current"].shape
        (4,)
    """

    def init_params(self, circuit: Circuit, key: Array | None = None) -> Params:
        """One (unit,) array for each learned variable."""
        declared = circuit.dynamics.init_state(circuit.num_units)
        return {f"initial_{name}": declared[name] for name in circuit.dynamics.learned_states}

    def base(self, circuit: Circuit, params: Params) -> State:
        """The trained state."""
        declared = super().base(circuit, params)
        learned = {name: params[f"initial_{name}"] for name in circuit.dynamics.learned_states}
        return circuit.dynamics.admissible({**declared, **learned})


@dataclass(frozen=True)
class Scattered(Learned):
    """Every trial starts from the same random state, drawn once with the weights and never trained.

    Parameters ``initial_<variable>`` (unit,) of the circuit, as in :class:`Learned`, but in
    ``circuit.untrained``: the state the dynamics declares plus independent numbers for every unit.

    Attributes:
        scale: ``uniform``: half the width, numbers in [−scale, scale]; ``normal``: the SD.
        distribution: ``uniform`` or ``normal``.

    Source: Miconi 2017, eLife 6:e20899, whose currents start in [−0.1, 0.1].

    Example:
        >>> import jax
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=4, num_outputs=1, initial=Scattered(0.1))
        >>> state = circuit.init(key=jax.random.key(0))["initial_current"]
        >>> circuit.untrained, state.shape, bool((abs(state) <= 0.1).all())
        (('initial_current',), (4,), True)
    """

    scale: float = 0.1
    distribution: str = "uniform"

    def __post_init__(self) -> None:
        if not (math.isfinite(self.scale) and self.scale > 0):
            raise ValueError(
                f"Scattered: scale {self.scale!r} is not a positive number; use Rest() for no scatter."
            )
        if self.distribution not in DISTRIBUTIONS:
            raise ValueError(
                f"Scattered: distribution {self.distribution!r} is not known; use 'uniform' or 'normal'."
            )

    def init_params(self, circuit: Circuit, key: Array | None = None) -> Params:
        """The declared state with the drawn numbers added, (unit,) for each variable."""
        root = jax.random.key(0) if key is None else key
        draw = DISTRIBUTIONS[self.distribution]
        return {
            name: declared + self.scale * draw(jax.random.fold_in(root, index), declared.shape)
            for index, (name, declared) in enumerate(super().init_params(circuit).items())
        }

    def fixed_params(self, circuit: Circuit) -> tuple[str, ...]:
        """All of them."""
        return tuple(super().init_params(circuit))


def _uniform(key: Array, shape: tuple[int, ...]) -> Array:
    return jax.random.uniform(key, shape, jnp.float32, -1.0, 1.0)


def _normal(key: Array, shape: tuple[int, ...]) -> Array:
    return jax.random.normal(key, shape, jnp.float32)


DISTRIBUTIONS = {"uniform": _uniform, "normal": _normal}


@dataclass(frozen=True)
class WarmUp(Initial):
    """Every trial starts where the circuit is after running without input and noise from rest.

    The warm-up is the same for all trials, so it is run once a batch; credit goes back through it.

    Attributes:
        duration: length of the warm-up, ms.

    Source: of this library.

    Example:
        >>> WarmUp(500.0).num_warm_up_steps(dt=20.0)
        25
    """

    duration: float = 500.0

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise ValueError(
                f"WarmUp: duration {self.duration!r} ms is not a positive number; use Rest() for none."
            )

    def num_warm_up_steps(self, dt: float) -> int:
        """``duration / dt``, rounded up."""
        return math.ceil(self.duration / dt - 1e-9)


def broadcast(state: State, num_trials: int) -> State:
    """The same state for every trial, variables (trial, unit)."""
    return {name: jnp.broadcast_to(value, (num_trials, *value.shape)) for name, value in state.items()}
