"""A circuit: linear synapses, plus the local dynamics of its neurons, plus a linear readout."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from throughtime import gaussian, keys
from throughtime.circuits import gates
from throughtime.circuits.connectivity import Connectivity, Dense
from throughtime.circuits.dynamics import Dynamics, Leaky
from throughtime.circuits.initial import Initial, Rest
from throughtime.circuits.readout import read_out
from throughtime.circuits.simulate import external_drive, fed_back_drive, unfold, whole_drive
from throughtime.config import LATER
from throughtime.frozen import FrozenArray

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits.dynamics.base import Params, State


class Weights(NamedTuple):
    """Effective arrays of a circuit, after every constraint.

    Attributes:
        recurrent: ([gate,] unit, presynaptic_unit).
        input: ([gate,] unit, input).
        bias: ([gate,] unit).
        readout: (output, unit); readout_bias: (output,).
        tau: (unit,) membrane time constant, ms.
        existing: (unit, presynaptic_unit) bool, which synapses exist.
        cell_types: (unit,) integer cell type.
        output_feedback: ([gate,] unit, output); of width 0 where no output is fed back.
    """

    recurrent: Array
    input: Array
    bias: Array
    readout: Array
    readout_bias: Array
    tau: Array
    existing: Array
    cell_types: Array
    output_feedback: Array


class Trajectory(NamedTuple):
    """What a circuit did in one trial: after each step its states, rates and outputs.

    Attributes:
        states: name -> (time, unit), state *after* each step.
        rates: (time, unit), what the readout reads.
        outputs: (time, output).
    """

    states: dict[str, Array]
    rates: Array
    outputs: Array


@dataclass(frozen=True)
class Circuit:
    """A recurrent circuit; parameters are kept apart, in a flat dict::

        u_t = W r_{t−1} + W_in x_t + b + σ √(2τ/dt) ξ_t
        s_t = local(s_{t−1}, u_t),   r_t = rate(s_t),   z_t = W_out r_t + b_out

    With ``output_feedback`` the drive also has ``W_fb z_{t−1}``, where z_0 is what the readout reads off the
    initial state; with ``readout_tau`` the readout has a leak, ``z_t = κ z_{t−1} + W_out r_t + b_out`` with
    κ = exp(−dt/readout_tau) and z_0 = 0.

    The noise is defined in continuous time: with ``noise_sd=σ`` the state of an isolated ``current``-form
    unit has standard deviation σ at every small dt (in state units); in the ``rate`` form the same noise
    passes through the activation; gated units take it on every drive.

    Attributes:
        num_inputs, num_units, num_outputs: sizes.
        dt: step, ms.
        dynamics: what a neuron does with its drive.
        recurrent: connectivity and initial weights.
        noise_sd: σ, in units of the state.
        input_mask: (unit, input) bool, which units an input channel reaches; all by default.
        readout_mask: (output, unit) bool, which units an output reads; all by default.
        non_negative: ``"input"`` and ``"readout"``, or one of them: these weights are ``|θ|``.
        fixed: names of parameters no rule may train, such as ``("input",)``.
        initial: state before the first step: ``Rest()``, ``Learned()``, ``Scattered(scale)`` or
            ``WarmUp(duration)``.
        output_feedback: whether each output is fed back into the circuit one step later, through weights
            W_fb of its own (parameter ``output_feedback``).
        output_feedback_gain: SD of the initial W_fb times √num_outputs.
        readout_tau: time constant of the readout's leak, ms; None: the readout has no memory.

    Masks and signs hold exactly after every update, and gradients are pulled back through them.

    Example:
        >>> import jax, jax.numpy as jnp
        >>> circuit = Circuit(num_inputs=2, num_units=8, num_outputs=1, dt=10.0)
        >>> params = circuit.init(key=jax.random.key(0))
        >>> circuit.run(params, jnp.ones((5, 2))).outputs.shape
        (5, 1)
    """

    num_inputs: int
    num_units: int
    num_outputs: int
    dt: float = 20.0
    dynamics: Dynamics = field(default_factory=Leaky)
    recurrent: Connectivity = field(default_factory=Dense)
    noise_sd: float = 0.0
    input_mask: FrozenArray | None = None
    readout_mask: FrozenArray | None = None
    non_negative: tuple[str, ...] = ()
    fixed: tuple[str, ...] = ()
    initial: Initial = field(default_factory=Rest)
    output_feedback: bool = field(default=False, metadata={LATER: True})
    output_feedback_gain: float = field(default=1.0, metadata={LATER: True})
    readout_tau: float | None = field(default=None, metadata={LATER: True})

    def __post_init__(self) -> None:
        for name in ("num_inputs", "num_units", "num_outputs"):
            value = getattr(self, name)
            if not (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
                raise ValueError(f"Circuit: {name} {value!r} is not a whole number >= 1.")
        if not (math.isfinite(self.dt) and self.dt > 0):
            raise ValueError(f"Circuit: dt {self.dt!r} ms is not a positive number.")
        if not (math.isfinite(self.noise_sd) and self.noise_sd >= 0):
            raise ValueError(f"Circuit: noise {self.noise_sd!r} is not a number >= 0.")
        self._check_outputs()
        self.dynamics.check(self.num_units, self.dt)
        self.recurrent.check(self.num_units, self.dynamics)
        for name, shape in (
            ("input_mask", (self.num_units, self.num_inputs)),
            ("readout_mask", (self.num_outputs, self.num_units)),
        ):
            self._check_mask(name, shape)
        for name in ("non_negative", "fixed"):
            given = getattr(self, name)
            object.__setattr__(self, name, (given,) if isinstance(given, str) else tuple(given))
        for name in self.non_negative:
            if name not in ("input", "readout"):
                raise ValueError(f"Circuit: non_negative {name!r} is not known; use 'input' or 'readout'.")
        unknown = sorted(set(self.fixed) - set(self.param_names)) if self.fixed else []
        if unknown:
            raise ValueError(
                f"Circuit: fixed {unknown} are no parameters of this circuit; "
                f"it has {list(self.param_names)}."
            )

    def _check_outputs(self) -> None:
        if not isinstance(self.output_feedback, bool):
            raise ValueError(f"Circuit: output_feedback {self.output_feedback!r} is neither True nor False.")
        gain, tau = self.output_feedback_gain, self.readout_tau
        if not (math.isfinite(gain) and gain >= 0):
            raise ValueError(f"Circuit: output_feedback_gain {gain!r} is not a number >= 0.")
        if gain != 1.0 and not self.output_feedback:
            raise ValueError(
                f"Circuit: output_feedback_gain {gain!r} scales weights that this circuit does not have; set "
                "output_feedback=True, or leave the gain out."
            )
        if tau is None:
            return
        if not (math.isfinite(tau) and tau > 0):
            raise ValueError(
                f"Circuit: readout_tau {tau!r} ms is not a positive number; use None for a readout without "
                "memory."
            )
        if self.output_feedback:
            raise ValueError(
                f"Circuit: readout_tau {tau:g} ms with output_feedback: the output fed back would be a state "
                "of its own, which a step from the neurons' state alone cannot know; use one of the two."
            )

    def _check_mask(self, name: str, shape: tuple[int, int]) -> None:
        mask = getattr(self, name)
        if mask is None:
            return
        values = np.asarray(mask)
        if values.shape != shape:
            raise ValueError(
                f"Circuit: {name} has shape {values.shape}, expected {shape}: one entry a synapse."
            )
        if not np.isin(values, (0, 1)).all():
            raise ValueError(f"Circuit: {name} has entries other than 0 and 1; True where a synapse exists.")
        object.__setattr__(self, name, FrozenArray(values.astype(bool)))

    @property
    def param_names(self) -> tuple[str, ...]:
        """Names of the parameters, in alphabetical order."""
        return tuple(sorted(jax.eval_shape(lambda key: self.init(key=key), jax.random.key(0))))

    @property
    def bptt_only(self) -> bool:
        """Whether only backpropagation through time trains it: its dynamics has no recursion of drives."""
        return self.dynamics.two_stage

    @property
    def untrained(self) -> tuple[str, ...]:
        """Parameters that no rule trains: ``fixed``, those the connectivity declares fixed, and a scattered
        initial state."""
        initial = self.initial.fixed_params(self)
        return tuple(dict.fromkeys((*self.fixed, *self.recurrent.fixed_params, *initial)))

    def init(self, *, key: Array) -> Params:
        """Draw initial parameters.

        Recurrent weights as the connectivity says, input weights N(0, 1/num_inputs), readout weights
        N(0, 1/num_units), biases as the dynamics says (0 for leaky units), plus the dynamics' own parameters
        and those of a learned or scattered initial state; weights of fed-back outputs
        N(0, output_feedback_gain²/num_outputs). Behind a mask a target's variance is 1 over the number of its
        sources.

        Returns:
            float32 arrays under at least ``recurrent``, ``input``, ``bias``, ``readout``, ``readout_bias``.
        """
        root = keys.stream(key, "init")
        part = [jax.random.fold_in(root, code) for code in range(6)]
        units, dynamics = self.num_units, self.dynamics
        num_gates, fed = dynamics.num_drives, len(dynamics.input_drives)
        in_shape = (units, self.num_inputs) if num_gates == 1 else (fed, units, self.num_inputs)
        return {
            **self.recurrent.init(units, len(dynamics.recurrent_drives), key=part[0]),
            "input": jax.random.normal(part[1], in_shape, jnp.float32)
            / _root_of_sources(self.input_mask, self.num_inputs),
            "bias": dynamics.init_bias(units),
            "readout": jax.random.normal(part[2], (self.num_outputs, units), jnp.float32)
            / _root_of_sources(self.readout_mask, units),
            "readout_bias": jnp.zeros(self.num_outputs, jnp.float32),
            **dynamics.init_params(units, key=part[3]),
            **self._init_output_feedback(part[4]),
            **self.initial.init_params(self, part[5]),
        }

    def _init_output_feedback(self, key: Array) -> Params:
        if not self.output_feedback:
            return {}
        scale = self.output_feedback_gain / math.sqrt(self.num_outputs)
        drawn = jax.random.normal(key, self._output_feedback_shape(self.num_outputs), jnp.float32)
        return {"output_feedback": scale * drawn}

    def _output_feedback_shape(self, outputs: int) -> tuple[int, ...]:
        fed = len(self.dynamics.input_drives)
        return (*((fed,) if self.dynamics.num_drives > 1 else ()), self.num_units, outputs)

    def weights(self, params: Params) -> Weights:
        """Effective weights, time constants, existing synapses and cell types of ``params``."""
        return Weights(
            recurrent=self.recurrent.weights(params),
            input=self._constrained("input", params["input"], self.input_mask),
            bias=params["bias"],
            readout=self._constrained("readout", params["readout"], self.readout_mask),
            readout_bias=params["readout_bias"],
            tau=self.dynamics.time_constant(params, self.num_units),
            existing=self.recurrent.existing(self.num_units),
            cell_types=self.recurrent.cell_types(self.num_units),
            output_feedback=(
                params["output_feedback"]
                if self.output_feedback
                else jnp.zeros(self._output_feedback_shape(0), jnp.asarray(params["bias"]).dtype)
            ),
        )

    def _constrained(self, name: str, free: Array, mask: FrozenArray | None) -> Array:
        weights = jnp.abs(free) if name in self.non_negative else free
        return weights if mask is None else jnp.where(mask.values, weights, 0.0)

    def initial_state(self, params: Params) -> State:
        """State before the first step, variables (unit,), in the precision of ``params``."""
        state = self.initial.base(self, params)
        steps = self.initial.num_warm_up_steps(self.dt)
        if steps == 0:
            return state
        weights = self.weights(params)
        drive = external_drive(self, weights, jnp.zeros((steps, self.num_inputs), weights.bias.dtype), None)
        states, _ = unfold(self, params, weights, drive, jnp.ones(steps, bool), state, batched=False)
        return {name: value[-1] for name, value in states.items()}

    def noise(self, key: Array, num_steps: int, first: Array | int = 0) -> Array:
        """Drive noise ``σ √(2τ/dt) ξ`` of one trial, (time, unit): private to each unit and step.

        The numbers depend on the trial's key, the step and the unit alone: padding changes no draw. A
        trainable τ enters with its configured value, so noise is a constant input to every derivative.

        Args:
            key: the trial's key.
            num_steps: number of steps; first: the first of them, an even number.

        Raises:
            ValueError: for an odd ``first``: numbers are drawn for two steps at a time.
        """
        if isinstance(first, int) and first % 2:
            raise ValueError(f"Circuit.noise: first {first} is odd; begin at an even step.")
        tau = self.dynamics.time_constant({}, self.num_units)
        scale = self.noise_sd * jnp.sqrt(2 * tau / self.dt)
        return gaussian.normal(keys.stream(key, "circuit"), num_steps, self.num_units, first) * scale

    def run(
        self,
        params: Params,
        inputs: Array,
        *,
        valid: Array | None = None,
        state: State | None = None,
        noise: Array | None = None,
    ) -> Trajectory:
        """Run one trial.

        Args:
            params: from :meth:`init`.
            inputs: (time, input).
            valid: (time,) bool; where False the state stands still. All True by default.
            state: state before the first step; :meth:`initial_state` by default. The outputs of a leaky
                readout start at 0 in either case.
            noise: (time, unit) drive noise from :meth:`noise`; none by default.

        Raises:
            ValueError: if the last axis of ``inputs`` is not ``num_inputs``.
        """
        inputs = jnp.asarray(inputs)
        if inputs.ndim != 2 or inputs.shape[1] != self.num_inputs:
            raise ValueError(
                f"Circuit.run: inputs have shape {inputs.shape}, expected (time, {self.num_inputs}); "
                "map a batch outside with jax.vmap."
            )
        weights = self.weights(params)
        state = self.initial_state(params) if state is None else state
        valid = jnp.ones(len(inputs), bool) if valid is None else valid
        drive = external_drive(self, weights, inputs.astype(params["bias"].dtype), noise)
        states, _ = unfold(self, params, weights, drive, valid, state, batched=False)
        rates = jax.vmap(lambda now: self.dynamics.readout(params, now))(states)
        return Trajectory(states, rates, read_out(self, weights, rates, valid))

    def step(self, params: Params, state: State, x: Array) -> State:
        """One noise-free step from ``state`` under input ``x`` (input,): the map that analyses study."""
        weights, dynamics = self.weights(params), self.dynamics
        if dynamics.two_stage:
            external = external_drive(self, weights, x, None)
            if self.output_feedback:
                external = gates.add(external, fed_back_drive(self, params, weights, state))
            return dynamics.advance(params, state, weights.recurrent, gates.joint(external), self.dt)
        drive = whole_drive(dynamics, weights._asdict(), dynamics.rate(params, state), x)
        if self.output_feedback:
            drive = gates.add(drive, fed_back_drive(self, params, weights, state))
        return dynamics.local(params, state, drive, self.dt)


def _root_of_sources(mask: FrozenArray | None, number: int) -> float | np.ndarray:
    """Root of the number of sources of each target, (target, 1), or of ``number`` where there is no mask."""
    if mask is None:
        return math.sqrt(number)
    return np.sqrt(np.maximum(mask.values.sum(1, keepdims=True), 1)).astype(np.float32)
