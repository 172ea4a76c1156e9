"""Recursive least squares within the trial: an error is nearly gone after the very step that made it.

For weights w of a linear neuron with sources p, error e before the update and weight m of the step in the
loss::

    k = m P p / (1 + m pᵀ P p),   w ← w − e k,   P ← P − k (P p)ᵀ,   P = I/a at the start

keep w at the minimum of ``Σ m (w·p − y)² + a ‖w − w_0‖²`` over all steps so far, and P the inverse of ``a I +
Σ m p pᵀ``; the error that is left after the update is ``e / (1 + m pᵀ P p)``. A step with m = 0 changes
nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.circuits.connectivity.nested import static
from throughtime.credit.stepper import Share, Stepper

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.record import Layout, Record, Wiring

    RuleState = dict[str, Array]

READOUT_INVERSE, RECURRENT_INVERSE = "rule_inverse", "rule_recurrent_inverse"


def advance(inverse: Array, sources: Array, weight: Array) -> tuple[Array, Array]:
    """One step of recursive least squares for several sets of sources.

    Args:
        inverse: P, (set, source, source); sources: p, (set, source); weight: m ≥ 0, (set,).

    Returns:
        P after the step, exactly as symmetric as before, and the gains k (set, source).

    Example:
        >>> import jax.numpy as jnp
        >>> inverse, gain = advance(jnp.eye(2)[None], jnp.array([[1.0, 0.0]]), jnp.ones(1))
        >>> inverse[0].tolist(), gain[0].round(6).tolist()
        ([[0.5, 0.0], [0.0, 1.0]], [0.5, 0.0])
    """
    reached = jnp.einsum("sij,sj->si", inverse, sources)
    root = jnp.sqrt(weight / (1 + weight * (sources * reached).sum(-1)))[:, None]
    part = root * reached
    return inverse - part[:, :, None] * part[:, None, :], root * part


class Table(NamedTuple):
    """Recurrent synapses that least squares moves; units with the same plastic sources share one P.

    Attributes:
        units: (row,) units with plastic synapses; sets: (row,) which set of sources each has.
        sources: (set, source) presynaptic units, padded with 0; live: (set, source) bool, False on padding.
    """

    units: np.ndarray
    sets: np.ndarray
    sources: np.ndarray
    live: np.ndarray

    def activity(self, rates: Array) -> Array:
        """What the synapses of each set transmit, (set, source), of rates (unit,)."""
        return jnp.where(self.live, rates[self.sources], 0)

    def slots(self, plan: Layout, errors: Array, gains: Array) -> Array:
        """``e k`` of errors (unit,) and gains (set, source), by presynaptic slots (drive, unit, slot)."""
        moves = errors[self.units, None] * gains[self.sets]
        empty = jnp.zeros((1, plan.units, plan.slots), errors.dtype)
        return empty.at[0, self.units[:, None], self.sources[self.sets]].add(moves)


@lru_cache(maxsize=64)
def table(circuit: Circuit) -> Table:
    """The plastic recurrent synapses of a circuit: those whose weight moves one for one with its parameter.

    Raises:
        ValueError: for a circuit without any, or with recurrent weights that are more than masked parameters.

    Example:
        >>> from throughtime.circuits import Circuit, Sparse
        >>> recurrent = Sparse(density=0.5, plastic_units=0.5)
        >>> found = table(Circuit(num_inputs=1, num_units=10, num_outputs=1, recurrent=recurrent))
        >>> len(found.units), found.sources.shape == found.live.shape
        (5, True)
    """
    with jax.ensure_compile_time_eval():
        params = circuit.init(key=jax.random.key(0))
        slopes = [_slopes(circuit, params, sign) for sign in (1.0, -1.0)]
    if "recurrent" in circuit.untrained or not all(slope.any() for slope in slopes):
        raise ValueError(
            f"least squares: {circuit.recurrent} has no recurrent weights that are parameters of their own "
            "and may move; use Dense or Sparse, and leave 'recurrent' out of fixed."
        )
    plastic = slopes[0] == 1
    if not all(np.array_equal(slope, plastic * 1.0) for slope in slopes):
        raise ValueError(
            f"least squares: {circuit.recurrent} constrains its weights by more than which synapses exist, "
            "and a sign would stop the least-squares solution; use Dense or Sparse."
        )
    plastic = plastic & static(circuit.recurrent, "existing", circuit.num_units)
    units = np.flatnonzero(plastic.any(1))
    kinds, sets = np.unique(plastic[units], axis=0, return_inverse=True)
    counts = kinds.sum(1)
    live = np.arange(counts.max()) < counts[:, None]
    sources = np.zeros(live.shape, int)
    sources[live] = np.nonzero(kinds)[1]
    return Table(units.astype(np.int32), sets.reshape(-1).astype(np.int32), sources.astype(np.int32), live)


def _slopes(circuit: Circuit, params: Any, sign: float) -> np.ndarray:
    if "recurrent" not in params:
        return np.zeros(1)

    def total(free: Array) -> Array:
        return circuit.recurrent.weights({**params, "recurrent": free}).sum()

    return np.asarray(jax.grad(total)(sign * params["recurrent"]))


def first_inverse(sets: int, size: int, ridge: float, dtype: Any) -> Array:
    """``I/a`` for every set, (set, source, source)."""
    return jnp.broadcast_to(jnp.eye(size, dtype=dtype) / ridge, (sets, size, size))


@dataclass(frozen=True)
class LeastSquares(Stepper):
    """Base: moves weights by least squares every so many steps of the trial.

    Attributes:
        circuit: the circuit that learns.
        every: steps from one update to the next; the first is the first step of the trial.
    """

    circuit: Circuit = field(kw_only=True)
    every: int = field(default=1, kw_only=True)

    @property
    def learns(self) -> bool:
        """P persists from trial to trial."""
        return True

    def due(self, now: Record) -> Array:
        """Whether this step has an update."""
        return now.index % self.every == 0

    def readout(self, state: RuleState, now: Record) -> tuple[RuleState, Array]:
        """Least squares for the readout: the new state and (output, unit) what the weights lose.

        Every output has a P of its own, since masks may give outputs other steps and other units.
        """
        assert now.mask is not None
        assert now.output is not None
        sources = jnp.broadcast_to(now.read, (len(now.mask), len(now.read)))
        if self.circuit.readout_mask is not None:
            sources = jnp.where(self.circuit.readout_mask.values, sources, 0)
        inverse, gains = advance(state[READOUT_INVERSE], sources, now.mask)
        error = now.output - now.targets
        return {**state, READOUT_INVERSE: inverse}, error[:, None] * gains

    def idle(self, plan: Layout, state: RuleState, now: Record) -> tuple[RuleState, Share]:
        """Nothing moves."""
        dtype = now.error.dtype
        return state, Share(
            slots=jnp.zeros((plan.drives, plan.units, plan.slots), dtype),
            readout=jnp.zeros((plan.outputs, plan.units), dtype),
            readout_bias=jnp.zeros(plan.outputs, dtype),
        )


@dataclass(frozen=True)
class ReadoutLeastSquares(LeastSquares):
    """Least squares for the readout alone: FORCE where the output is fed back."""

    def step(
        self, plan: Layout, state: RuleState, memory: Any, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Any, Share]:
        """See :class:`~throughtime.credit.stepper.Stepper`."""
        nothing = self.idle(plan, state, now)

        def move() -> tuple[RuleState, Share]:
            changed, lost = self.readout(state, now)
            return changed, nothing[1]._replace(readout=lost)

        assert now.mask is not None
        changed, share = jax.lax.cond(self.due(now) & (now.mask > 0).any(), move, lambda: nothing)
        return changed, memory, share
