"""What state a trial starts from: rest, a learned state, or where the circuit settles without input."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

if TYPE_CHECKING:
    from throughtime.circuits.circuit import Circuit
    from throughtime.circuits.dynamics.base import Params, State


@dataclass(frozen=True)
class Initial:
    """Base of all initial states; by itself the state the dynamics declares (zeros for leaky units)."""

    def init_params(self, circuit: Circuit) -> Params:
        """Trained parameters of the initial state; none by default."""
        return {}

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

    Example:
        >>> import jax
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=1, num_units=4, num_outputs=1, initial=Learned())
        >>> circuit.init(key=jax.random.key(0))["initial_current"].shape
        (4,)
    """

    def init_params(self, circuit: Circuit) -> Params:
        """One (unit,) array for each learned variable."""
        declared = circuit.dynamics.init_state(circuit.num_units)
        return {f"initial_{name}": declared[name] for name in circuit.dynamics.learned_states}

    def base(self, circuit: Circuit, params: Params) -> State:
        """The trained state."""
        declared = super().base(circuit, params)
        learned = {name: params[f"initial_{name}"] for name in circuit.dynamics.learned_states}
        return circuit.dynamics.admissible({**declared, **learned})


@dataclass(frozen=True)
class WarmUp(Initial):
    """Every trial starts where the circuit is after running without input and noise from rest.

    The warm-up is the same for all trials, so it is run once a batch; credit goes back through it.

    Attributes:
        duration: length of the warm-up, ms.

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
