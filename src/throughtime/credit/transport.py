"""How credit crosses a synapse on its way back: the matrix W̃ of ``m_t = Σ_g (W̃ᵍ)ᵀ δᵍ_{t+1}``."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import jax
import jax.numpy as jnp

from throughtime.credit.influence import Influence
from throughtime.credit.span import BLOCKS, KINDS, Span
from throughtime.credit.traces import Eligibility

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights
    from throughtime.credit.stepper import Stepper


EVERYTHING_ELSE = ("others' weights", "others' states", "future errors")
SQUARINGS = 12


def spectral_radius(matrix: Array) -> Array:
    """Largest size of an eigenvalue of ``matrix`` (…, n, n), as ``‖M^k‖^(1/k)`` with k = 4096.

    It is never below the true one, and above it by less than a per cent for matrices that are not close to
    defective. Products alone: it runs on every device.

    Example:
        >>> import jax.numpy as jnp
        >>> round(float(spectral_radius(jnp.array([[0.0, 2.0], [-2.0, 0.0]]))), 3)
        2.0
    """
    total = jnp.zeros(matrix.shape[:-2], matrix.dtype)
    for power in range(SQUARINGS + 1):
        size = jnp.sqrt(jnp.sum(matrix**2, axis=(-2, -1)))
        total = total + jnp.log(jnp.maximum(size, jnp.finfo(matrix.dtype).tiny)) / 2**power
        unit = matrix / jnp.maximum(size, jnp.finfo(matrix.dtype).tiny)[..., None, None]
        matrix = unit @ unit
    return jnp.exp(total)


@dataclass(frozen=True)
class Transport:
    """Base of all transports.

    Attributes of a class:
        exact: whether ``W̃ = W`` for all of the trial.
    """

    exact: ClassVar[bool] = False

    @property
    def signals(self) -> tuple[str, ...]:
        """What a synapse must sense for credit to cross others like this, beyond the error of its neuron."""
        return ()

    def init(self, circuit: Circuit, params: dict[str, Array], *, key: Array) -> dict[str, Array]:
        """Arrays the transport keeps in the rule's state; none by default."""
        return {}

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """W̃, ([gate,] unit, presynaptic_unit), or None where no credit crosses any synapse."""
        raise TypeError(f"{type(self).__name__} must define matrix(weights, state).")

    def forward(self, circuit: Circuit, decay: float) -> Stepper:
        """The same credit carried forward in time.

        Args:
            decay: κ of a leaky readout or an output filter.

        Raises:
            ValueError: where there is no such form.
        """
        raise ValueError(f"{type(self).__name__}: this transport has no form that runs forward in time.")

    @property
    def causal(self) -> bool:
        """Whether a trace that each synapse keeps by itself gives its credit, so that no future is needed."""
        return False

    @property
    def through_output(self) -> bool:
        """Whether credit travels back through outputs that are fed back into the circuit."""
        return False

    def span(self, dt: float) -> Span | None:
        """How far in time credit may travel; None for all of the trial."""
        return None


@dataclass(frozen=True)
class Exact(Transport):
    """``W̃ = W``: credit crosses each synapse backwards with the synapse's own weight."""

    exact: ClassVar[bool] = True

    @property
    def signals(self) -> tuple[str, ...]:
        """The weights and states of other neurons, and the errors to come."""
        return EVERYTHING_ELSE

    def forward(self, circuit: Circuit, decay: float) -> Stepper:
        """The influence of every synapse on every neuron."""
        return Influence(decay=decay)

    @property
    def through_output(self) -> bool:
        """True."""
        return True

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """The effective recurrent weights."""
        return weights.recurrent


@dataclass(frozen=True)
class NoTransport(Transport):
    """``W̃ = 0``: a neuron's credit never crosses a synapse; its own memory remains."""

    @property
    def causal(self) -> bool:
        """True."""
        return True

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """None: no product is made at all."""
        return None

    def forward(self, circuit: Circuit, decay: float) -> Stepper:
        """A trace for every synapse."""
        return Eligibility(decay=decay)


@dataclass(frozen=True)
class Diagonal(Transport):
    """``W̃ = diag(W)``: credit crosses only a neuron's synapse onto itself, where there is one.

    A neuron then needs no weight but its own. It is SnAp with n = 1.

    Source: Menick et al. 2021, ICLR.
    """

    @property
    def causal(self) -> bool:
        """True."""
        return True

    @property
    def signals(self) -> tuple[str, ...]:
        """The neuron's weight onto itself."""
        return ("self weight",)

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """The diagonals, ([gate,] unit): one number a neuron instead of a product."""
        return jnp.diagonal(weights.recurrent, axis1=-2, axis2=-1)

    def forward(self, circuit: Circuit, decay: float) -> Stepper:
        """A trace for every synapse, kept by the neuron's synapse onto itself too."""
        return Eligibility(decay=decay, diagonal=True)


@dataclass(frozen=True)
class RandomTransport(Transport):
    """``W̃ = R``, fixed and random, entries with the variance of the initial recurrent weights.

    Credit that crosses R time after time grows without bound where the reverse map of a linear circuit,
    ``(1−α) I + α Rᵀ``, has eigenvalues outside the unit circle. None of R outside it suffices against that.

    Attributes:
        max_radius: R of each gate is made smaller where its spectral radius is above this; None: R as drawn.
    """

    max_radius: float | None = None

    def __post_init__(self) -> None:
        if not (self.max_radius is None or (math.isfinite(self.max_radius) and self.max_radius > 0)):
            raise ValueError(
                f"RandomTransport: max_radius {self.max_radius!r} is not a positive number; use one below 1 "
                "for credit that dies out, or None."
            )

    @property
    def signals(self) -> tuple[str, ...]:
        """The states of other neurons and the errors to come; no weights, for R is the way's own."""
        return ("others' states", "future errors")

    @property
    def through_output(self) -> bool:
        """True."""
        return True

    def init(self, circuit: Circuit, params: dict[str, Array], *, key: Array) -> dict[str, Array]:
        """Draw R; it is the rule state's ``rule_transport``."""
        recurrent = circuit.weights(params).recurrent
        drawn = jnp.std(recurrent) * jax.random.normal(key, recurrent.shape, recurrent.dtype)
        if self.max_radius is not None:
            radius = spectral_radius(drawn)[..., None, None]
            drawn = drawn * jnp.minimum(1.0, self.max_radius / jnp.maximum(radius, 1e-12)).astype(drawn.dtype)
        return {"rule_transport": drawn}

    def forward(self, circuit: Circuit, decay: float) -> Stepper:
        """The influence of every synapse on every neuron, were R the weights."""
        return Influence(decay=decay)

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """The drawn R."""
        return state["rule_transport"]


@dataclass(frozen=True)
class Window(Transport):
    """``W̃ = W`` within a window of ``duration`` ms: truncated backpropagation through time.

    ``kind="blocks"`` cuts the trial into blocks of that length; no credit crosses from one block to the one
    before. ``kind="sliding"`` lets each error reach the drives of the last ``duration`` ms: K credits of
    different age travel, so a step costs K times as much.

    Attributes:
        duration: ms; K = duration / dt steps, rounded.
        kind: ``blocks`` or ``sliding``.

    Source: Williams & Peng 1990, Neural Comput. 2:490.

    Example:
        >>> Window(200.0).span(dt=20.0)
        Span(kind='blocks', steps=10)
    """

    duration: float = 200.0
    kind: str = BLOCKS

    def __post_init__(self) -> None:
        if not (math.isfinite(self.duration) and self.duration > 0):
            raise ValueError(f"Window: duration {self.duration!r} ms is not a positive number.")
        if self.kind not in KINDS:
            raise ValueError(f"Window: kind {self.kind!r} is not known; use {' or '.join(map(repr, KINDS))}.")

    @property
    def signals(self) -> tuple[str, ...]:
        """As exact transport, within the window."""
        return EVERYTHING_ELSE

    @property
    def through_output(self) -> bool:
        """True."""
        return True

    def matrix(self, weights: Weights, state: dict[str, Array]) -> Array | None:
        """The effective recurrent weights."""
        return weights.recurrent

    def span(self, dt: float) -> Span:
        """The window in steps.

        Raises:
            ValueError: for a window shorter than a step.
        """
        steps = round(self.duration / dt)
        if steps < 1:
            raise ValueError(
                f"Window: duration {self.duration:g} ms is shorter than dt {dt:g} ms; use at least dt."
            )
        return Span(self.kind, steps)
