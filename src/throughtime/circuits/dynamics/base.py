"""The contract of a dynamics: what one neuron does with its drive."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from jax import Array
    from numpy.typing import ArrayLike

    State = dict[str, Array]
    Params = dict[str, Array]


class NumpyStep(NamedTuple):
    """One step of a dynamics as plain NumPy, for a forward pass that needs nothing else.

    The code may read the state variables under their names, ``drive`` ([gate,] unit), the ``constants``,
    ``np`` and ``sigmoid``. For a two-stage dynamics ``drive`` lacks the recurrent part, and ``W`` ([gate,]
    unit, presynaptic_unit) may be read.

    Attributes:
        step: lines that give the state variables their next values.
        rate: expression of what synapses transmit, (unit,).
        readout: expression of what the readout reads, (unit,).
        constants: name -> number or (unit,) array.
    """

    step: tuple[str, ...]
    rate: str
    readout: str
    constants: dict[str, ArrayLike]


class Equations(NamedTuple):
    """A dynamics as differential equations in the language of Brian2, for a simulator other than ours.

    One step of forward Euler, all variables at once, is one step of the circuit. Equations may read
    ``drive``, the ``times``, the ``constants`` and each other. State variables go by their own names.

    Attributes:
        lines: equations; what a step of Euler does not change is a parameter, ``"x : 1"``.
        sent: name of what synapses transmit; read: name of what the readout reads.
        after: statements carried out after the step of Euler, with its new values.
        times: name -> time constants (unit,) in ms; constants: name -> numbers (unit,) without unit.
    """

    lines: tuple[str, ...]
    sent: str
    read: str
    times: dict[str, ArrayLike]
    constants: dict[str, ArrayLike]
    after: tuple[str, ...] = ()


@dataclass(frozen=True)
class Dynamics:
    """Base of all neuron dynamics; every method is elementwise over units.

    A neuron has a state of one or more variables. At each step it receives one drive per gate and
    returns its next state: ``s_t = local(s_{t−1}, u_t)``, and synapses transmit ``r_t = rate(s_t)``.
    Nothing in here may mix neurons: that is the synapses' part, and what lets credit be sent back
    through any dynamics by the same recursion.

    Attributes of a subclass:
        state_names: names of the variables of one neuron.
        num_drives: number of drives (gates) a neuron receives. With one, ``drive`` is (unit,); with
            more, (gate, unit).
        recurrent_drives, input_drives: which drives the recurrent and the input weights feed.
    """

    @property
    def state_names(self) -> tuple[str, ...]:
        """Names of the state variables of one neuron."""
        raise TypeError(f"{type(self).__name__} must define state_names.")

    @property
    def num_drives(self) -> int:
        """Number of drives a neuron receives at each step."""
        return 1

    @property
    def recurrent_drives(self) -> tuple[int, ...]:
        """Indices of the drives fed by recurrent weights."""
        return tuple(range(self.num_drives))

    @property
    def input_drives(self) -> tuple[int, ...]:
        """Indices of the drives fed by input weights."""
        return tuple(range(self.num_drives))

    def init_params(self, num_units: int, *, key: Array) -> Params:
        """Trainable parameters of the neurons themselves, each (unit,); none by default."""
        return {}

    def init_bias(self, num_units: int) -> Array:
        """Initial bias of every drive, ([gate,] unit): zeros by default."""
        import jax.numpy as jnp

        return jnp.zeros(num_units if self.num_drives == 1 else (self.num_drives, num_units), jnp.float32)

    def init_state(self, num_units: int) -> State:
        """State before the first step: zeros, one (unit,) array per variable."""
        import jax.numpy as jnp

        return {name: jnp.zeros(num_units, jnp.float32) for name in self.state_names}

    @property
    def learned_states(self) -> tuple[str, ...]:
        """Variables whose initial value a circuit may learn: all, unless some are bounded resources."""
        return self.state_names

    def admissible(self, state: State) -> State:
        """A learned initial state brought to where the dynamics can be; as it is by default."""
        return state

    def local(self, params: Params, state: State, drive: Array, dt: float) -> State:
        """Next state from the present one and the drive; ``dt`` in ms."""
        raise TypeError(f"{type(self).__name__} must define local(params, state, drive, dt).")

    @property
    def two_stage(self) -> bool:
        """Whether a step needs the synapses twice, so that it is no ``local`` function of drives.

        Such a dynamics defines :meth:`advance` in place of :meth:`local`; no reverse recursion of credit
        exists for it, and only rules that are exact can train it.
        """
        return False

    def advance(self, params: Params, state: State, recurrent: Array, external: Array, dt: float) -> State:
        """Next state of a two-stage dynamics.

        Args:
            recurrent: effective recurrent weights (gate, unit, presynaptic_unit).
            external: drive from inputs, bias and noise (gate, unit).
        """
        raise TypeError(f"{type(self).__name__} has one stage: use local(params, state, drive, dt).")

    def rate(self, params: Params, state: State) -> Array:
        """What recurrent synapses transmit, (unit,)."""
        raise TypeError(f"{type(self).__name__} must define rate(params, state).")

    def readout(self, params: Params, state: State) -> Array:
        """What the readout reads, (unit,); the rate unless a dynamics says otherwise."""
        return self.rate(params, state)

    def time_constant(self, params: Params, num_units: int) -> Array:
        """Membrane time constant of each unit, (unit,), in ms."""
        raise TypeError(f"{type(self).__name__} must define time_constant(params, num_units).")

    def relay_gains(self, params: Params, num_units: int, dt: float, slope: float) -> tuple[State, State]:
        """Derivatives ``∂s/∂u`` and ``∂r/∂s`` of a neuron whose activation has one constant slope.

        Credit that is relayed over several neurons (:mod:`throughtime.credit.relay`) gets these from the
        neurons in between, whatever their state.

        Returns:
            variables ([gate,] unit) and variables (unit,); a variable that is left out counts 0.

        Raises:
            ValueError: unless a dynamics defines it.
        """
        raise ValueError(
            f"{type(self).__name__} does not say what it is with an activation of constant slope, which "
            "relayed credit needs; use Leaky or Adaptive units, a rule of one hop such as mdgl, or define "
            "relay_gains(params, num_units, dt, slope)."
        )

    @property
    def non_negative(self) -> bool:
        """Whether rates can never be negative (Dale's law needs that)."""
        return False

    def check(self, num_units: int, dt: float) -> None:
        """Refuse a number of units or a step length this dynamics cannot run at."""

    def numpy_step(self, params: Params, num_units: int, dt: float) -> NumpyStep:
        """What :meth:`local` and :meth:`rate` do, as plain NumPy; needed only to export a circuit.

        Raises:
            ValueError: unless a dynamics defines it.
        """
        raise ValueError(
            f"{type(self).__name__} does not say what it does in plain NumPy; define "
            "numpy_step(params, num_units, dt)."
        )

    def equations(self, params: Params, num_units: int, dt: float) -> Equations:
        """What :meth:`local` and :meth:`rate` do, as differential equations; needed only for Brian2.

        Raises:
            ValueError: unless a dynamics defines it.
        """
        name = type(self).__name__
        if self.num_drives > 1:
            raise ValueError(
                f"{name} units have {self.num_drives} drives, which multiply each other from step to step "
                "and have no differential equation for Brian2; use leaky, adaptive or plastic units, or "
                "export the circuit to NumPy."
            )
        raise ValueError(
            f"{name} does not say what it is as differential equations; define "
            "equations(params, num_units, dt)."
        )


def check_tau(owner: str, tau: float | FrozenArray, num_units: int, dt: float) -> None:
    """Refuse time constants of the wrong shape or below the step length.

    Raises:
        ValueError: naming the class, the value found and the remedy.
    """
    import numpy as np

    values = np.asarray(tau.values if isinstance(tau, FrozenArray) else tau, float)
    if values.ndim and values.shape != (num_units,):
        raise ValueError(
            f"{owner}: tau has shape {values.shape}; use one number (ms) or one per unit, ({num_units},)."
        )
    if not np.isfinite(values).all() or values.min() < dt:
        raise ValueError(
            f"{owner}: tau {values.min():g} ms is below dt {dt:g} ms, where Euler steps overshoot; "
            f"use tau >= dt, or a task with a smaller dt."
        )
