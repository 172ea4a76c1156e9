"""ModProp: credit is relayed over any number of synapses."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.credit.adjoint import own_names
from throughtime.credit.feedback import Feedback
from throughtime.credit.record import layout
from throughtime.credit.relay import Relay
from throughtime.credit.sent_back import relay_over_record
from throughtime.credit.stepping import wires
from throughtime.credit.traces import Taps
from throughtime.credit.transport import Transport, spectral_radius
from throughtime.credit.type_means import DIFFUSE, SIGN, TypeMeans
from throughtime.frozen import FrozenArray
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits
from throughtime.rules.mdgl import awaited, check_memory, refuse_leaky_readout

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights
    from throughtime.credit.adjoint import Transported
    from throughtime.credit.evidence import Evidence
    from throughtime.credit.record import Record
    from throughtime.credit.stepper import Stepper
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial


@dataclass(frozen=True)
class ModProp(AdjointRule):
    """ModProp: e-prop, and credit relayed over any number of synapses by modulators of cell types.

    The two ends of a path keep their own derivatives; every neuron in between passes on what it hears with
    one constant gain, that of an activation of slope μ, whatever its state (:mod:`throughtime.credit.relay`).
    With μ = 0 it is :class:`~throughtime.rules.MDGL` with the receiver's memory; with a linear activation of
    slope μ and exact weights it is backpropagation through time.

    ``info["spectral_radius"]`` is that of the relay, ``(1−α) I + αμ W̃ᵀ`` (``αμ W̃ᵀ`` without the receiver's
    memory). Above 1 relayed credit grows with every step; μ must be tuned below that.

    Without the receiver's memory a path of S synapses lasts S steps, and ``reach`` = S dt bounds it: a bank
    of S taps on the trace of each synapse, which needs no future. That is another gradient than the recursion
    wherever there is a leak, and its hops last as long as a step does.

    Attributes:
        feedback: ``random``, ``symmetric`` or another pathway.
        mu: constant slope of the activation in between, at least 0.
        kind: ``diffuse``, ``local`` or ``exact``; types: ``sign`` or ``cell``; as in MDGL.
        receiver_memory: whether what arrives is kept by each neuron's own memory.
        reach: ms, without the receiver's memory the longest path; None: no limit.
        online, step_size: move the weights at every step, within ``reach``; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Source: Liu et al. 2022, NeurIPS 35, arXiv:2206.01338.

    Example:
        >>> ModProp(receiver_memory=False, reach=60.0).hops(dt=20.0)
        3
    """

    feedback: Feedback | str = "random"
    mu: float = 0.25
    kind: str = DIFFUSE
    types: str = SIGN
    receiver_memory: bool = True
    reach: float | None = None
    transport: Transport = field(default=TypeMeans(DIFFUSE), init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_memory(type(self).__name__, self.receiver_memory)
        object.__setattr__(self, "transport", TypeMeans(self.kind, self.types))
        if not (math.isfinite(self.mu) and self.mu >= 0):
            raise ValueError(f"ModProp: mu {self.mu!r} is not a number >= 0; use 0.25 and tune it.")
        if self.reach is None:
            return
        if not (math.isfinite(self.reach) and self.reach > 0):
            raise ValueError(
                f"ModProp: reach {self.reach!r} ms is not a positive number; use None for no limit."
            )
        if self.receiver_memory:
            raise ValueError(
                f"ModProp: reach {self.reach:g} ms counts hops of one step each, and with the receiver's "
                "memory a hop has no such length; use receiver_memory=False, or reach=None."
            )

    def hops(self, dt: float) -> int | None:
        """S, synapses a path may cross.

        Raises:
            ValueError: for a reach shorter than a step.
        """
        if self.reach is None:
            return None
        steps = round(self.reach / dt)
        if steps < 1:
            raise ValueError(
                f"ModProp: reach {self.reach:g} ms is shorter than dt {dt:g} ms; use at least dt."
            )
        return steps

    def crossing(self, circuit: Circuit, params: Params, weights: Weights, state: Params) -> Transported:
        """Any number of hops over the means, or as many as ``reach`` allows."""
        matrix = self.transport.matrix(weights, state)
        assert matrix is not None
        gains = circuit.dynamics.relay_gains(params, circuit.num_units, circuit.dt, self.mu)
        return Relay(matrix, gains, self.receiver_memory, self.hops(circuit.dt))

    def stepper(self, circuit: Circuit) -> Stepper:
        """A bank of S taps on the trace of each synapse.

        Raises:
            ValueError: for a reach without limit, a leaky readout, or time constants that are trained.
        """
        refuse_leaky_readout(self, circuit)
        hops = self.hops(circuit.dt)
        if hops is None:
            raise ValueError(
                "ModProp: online=True keeps the traces of the last reach ms, which needs a limit; set reach."
            )
        if own := own_names(circuit):
            raise ValueError(
                f"ModProp: online=True needs gains that stay, and {', '.join(own)} of the neurons is "
                "trained; leave tau_range out, or use online=False."
            )
        with jax.ensure_compile_time_eval():
            by_drive, by_rate = circuit.dynamics.relay_gains(
                {"bias": jnp.zeros(1, float)}, circuit.num_units, circuit.dt, self.mu
            )
            gain = sum(
                np.asarray(by_drive[name]) * np.asarray(by_rate[name]) for name in by_drive if name in by_rate
            )
        return Taps(taps=hops, gain=FrozenArray(np.broadcast_to(gain, (circuit.num_units,))))

    def on_record(self, circuit: Circuit, num_steps: int) -> Stepper | None:
        """Taps for all hops a trial has room for, or with the receiver's memory the relay back in time."""
        if self.receiver_memory:
            return None
        if self.reach is None:
            return dataclasses.replace(self, reach=max(num_steps - 1, 1) * circuit.dt).stepper(circuit)
        return self.stepper(circuit)

    def sent_back(self, circuit: Circuit, evidence: Evidence, steps: Record, state: Params) -> Array:
        """Credit of every use by the relay."""
        plan = layout(circuit)
        matrices = wires(plan, evidence.weights, state, self)
        known = {**evidence.own, "bias": jnp.zeros(plan.units, steps.error.dtype)}
        entering, leaving = circuit.dynamics.relay_gains(known, plan.units, circuit.dt, self.mu)
        none = jnp.zeros(plan.units, steps.error.dtype)
        inward = jnp.stack([jnp.atleast_2d(entering.get(name, none)) for name in plan.variables])
        outward = jnp.stack([leaving.get(name, none) for name in plan.variables])
        assert matrices.transport is not None
        return relay_over_record(plan, steps, matrices.feedback, matrices.transport, (inward, outward))

    def gradient(
        self,
        circuit: Circuit,
        params: Params,
        state: dict[str, Array],
        trials: Trial,
        objective: Objective,
        *,
        key: Array,
        carry: Any = None,
        update: Any = 0,
    ) -> tuple[Params, dict[str, Array], dict[str, Any]]:
        """As :meth:`Rule.gradient`, with ``spectral_radius`` in ``info``."""
        grads, state, info = super().gradient(
            circuit, params, state, trials, objective, key=key, carry=carry, update=update
        )
        return grads, state, {**info, "spectral_radius": self.relay_radius(circuit, params, state)}

    def relay_radius(self, circuit: Circuit, params: Params, state: dict[str, Array]) -> Array:
        """Spectral radius of the relay from one step to the step before."""
        weights = circuit.weights(params)
        matrix = self.transport.matrix(weights, state)
        assert matrix is not None
        alpha = (circuit.dt / weights.tau).astype(matrix.dtype)
        way = matrix.T * (self.mu * alpha)
        if self.receiver_memory:
            way = way + jnp.diag(1 - alpha)
        return spectral_radius(way)

    @property
    def traits(self) -> Traits:
        """Causal without the receiver's memory; biased."""
        return Traits(
            exact=False,
            online=not self.receiver_memory,
            stochastic=False,
            displacement=self.online,
            signals=(*self.signals, *awaited(self.receiver_memory)),
            time="O(n m + n²)",
            memory="O(n d T)",
        )
