"""E-prop where it was published: circuits of leaky integrate-and-fire units that learn inside Brian2."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime import keys
from throughtime.credit.feedback import Feedback, resolve
from throughtime.spiking.learning import Learned, carry_out, checked
from throughtime.spiking.planning import fed_back, pathway_of, rule_state, sequence_of
from throughtime.spiking.plasticity import HEARD, TRAINED, Text
from throughtime.spiking.wired import Form, Plan

if TYPE_CHECKING:
    from jax import Array

    from throughtime.trial import Trial

    Params = dict[str, Any]

SYNAPSES = tuple(name for name in TRAINED if name != "bias")


@dataclass(frozen=True)
class SpikingCircuit:
    """Leaky integrate-and-fire units in steps, with a leaky readout of their spikes::

        v_t = a v_{t−1} + Σ W s_{t−1} + Σ W_in x_t − θ s_{t−1}
        s_t = 1 if v_t > θ and the unit is not refractory, else 0
        z_t = κ z_{t−1} + Σ W_out s_t + b_out

    with v the voltage, s the spikes (0 or 1), x the inputs, z the outputs, ``a = exp(−dt/tau)`` and ``κ =
    exp(−dt/readout_tau)``. Voltages have no unit. A unit has no synapse onto itself.

    Attributes:
        num_inputs, num_units, num_outputs: sizes.
        dt: step, ms. tau: membrane time constant, ms. readout_tau: that of the readout, ms, or None.
        threshold: θ. refractory: time without spikes after each, ms, a whole number of steps.
        gamma: γ, size of the pseudo-derivative.

    Raises:
        ValueError: for sizes, times or numbers that no such circuit has.

    Source: Bellec et al. 2020, Nat. Commun. 11:3625.

    Example:
        >>> import jax
        >>> circuit = SpikingCircuit(num_inputs=2, num_units=8, num_outputs=1)
        >>> {name: value.shape for name, value in circuit.init(key=jax.random.key(0)).items()}
        {'recurrent': (8, 8), 'input': (8, 2), 'readout': (1, 8), 'readout_bias': (1,)}
    """

    num_inputs: int
    num_units: int
    num_outputs: int
    dt: float = 1.0
    tau: float = 20.0
    threshold: float = 0.6
    refractory: float = 5.0
    readout_tau: float | None = 20.0
    gamma: float = 0.3

    def __post_init__(self) -> None:
        for name in ("num_inputs", "num_units", "num_outputs"):
            value = getattr(self, name)
            if not (isinstance(value, int) and not isinstance(value, bool) and value >= 1):
                raise ValueError(f"SpikingCircuit: {name} {value!r} is not a whole number >= 1.")
        for name in ("dt", "tau", "threshold", "gamma", "readout_tau"):
            value = getattr(self, name)
            if not ((name == "readout_tau" and value is None) or (math.isfinite(value) and value > 0)):
                raise ValueError(f"SpikingCircuit: {name} {value!r} is not a positive number.")
        steps = self.refractory / self.dt
        if not (steps >= 0 and math.isclose(steps, round(steps), abs_tol=1e-6)):
            raise ValueError(
                f"SpikingCircuit: refractory {self.refractory!r} ms is no whole number >= 0 of steps of "
                f"{self.dt:g} ms."
            )

    @property
    def num_refractory_steps(self) -> int:
        """Steps without a spike after each."""
        return round(self.refractory / self.dt)

    def init(self, *, key: Array) -> dict[str, Array]:
        """Draw weights N(0, 1/number of sources), without self-connections, and a readout bias of 0."""
        part = jax.random.split(keys.stream(key, "init"), 3)
        units = self.num_units
        recurrent = jax.random.normal(part[0], (units, units)) / math.sqrt(units)
        return {
            "recurrent": jnp.where(jnp.eye(units, dtype=bool), 0.0, recurrent),
            "input": jax.random.normal(part[1], (units, self.num_inputs)) / math.sqrt(self.num_inputs),
            "readout": jax.random.normal(part[2], (self.num_outputs, units)) / math.sqrt(units),
            "readout_bias": jnp.zeros(self.num_outputs),
        }


def learn_spiking(
    circuit: SpikingCircuit,
    params: Params,
    trials: Trial,
    *,
    learning_rate: float,
    feedback: Feedback | str = "random",
    state: Params | None = None,
    key: Array | None = None,
    online: bool = False,
    target: str = "numpy",
    names: Mapping[str, str] | None = None,
) -> Learned:
    """Train a circuit of spiking units by e-prop, all of it inside Brian2.

    A synapse from j to i keeps the spikes that have come, as the membrane does, times how near the membrane
    is to its threshold, through the filter of the readout::

        P ← a P + s_j,   ψ_i = (γ/θ) max(0, 1 − |v_i − θ|/θ),   f ← κ f + ψ_i P,   Δw = −η L_i f

    with s_j the spike of the step before (for inputs, the input of this step), ψ the pseudo-derivative, 0
    where the unit is refractory, ``L = B e`` the learning signal and η the learning rate. Errors, feedback,
    readout and what a synapse may name are those of :func:`~throughtime.spiking.learn`.

    Args:
        circuit, params: spiking units, and their parameters ``recurrent``, ``input``, ``readout`` and
            ``readout_bias``.
        trials: leaves (trial, …), presented one after the other, each from rest. Spikes of input neurons are
            inputs of 0 and 1.
        feedback: ``random``, ``symmetric``, ``sign-concordant`` or ``adaptive``.
        state: the feedback's numbers, ``{"rule_feedback": (unit, output)}``; drawn with ``key`` by default.
        learning_rate, key, online, target, names: as of :func:`~throughtime.spiking.learn`.

    Returns:
        with ``spike_counts`` (trial, unit).

    Raises:
        ValueError: for parameters of another circuit, and as :func:`~throughtime.spiking.learn`.

    Source: Bellec et al. 2020, Nat. Commun. 11:3625.

    Example:
        >>> import jax
        >>> import throughtime as tt
        >>> task = tt.tasks.make("go-no-go", dt=40.0)
        >>> circuit = SpikingCircuit(1, 4, 1, dt=40.0, tau=100.0, refractory=0.0, readout_tau=None)
        >>> params = circuit.init(key=jax.random.key(0))
        >>> trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(1), 2))
        >>> learned = learn_spiking(circuit, params, trials, learning_rate=0.01, key=jax.random.key(2))
        >>> learned.spike_counts.shape, learned.identifiers["feedback"]
        ((2, 4), ('error_pre', 'parameter', 'weight'))
    """
    chosen, numbers = resolve(feedback), _numbers(circuit, params)
    pathway, forget = pathway_of(chosen, SYNAPSES)
    state = rule_state(chosen, circuit, params, state, key)
    forms = {name: _form(name, value) for name, value in numbers.items()}
    forms["bias"] = _form("recurrent", np.zeros((1, 1)))
    kappa = 0.0 if circuit.readout_tau is None else math.exp(-circuit.dt / circuit.readout_tau)
    each = np.ones(circuit.num_units)
    plan = Plan(
        circuit=circuit,
        forms={**forms, "feedback": fed_back(forms["readout"], state, pathway.drawn)},
        trained=SYNAPSES,
        units=spiking_units(filters=kappa > 0, shows=pathway.mirrors),
        times={},
        constants={
            "alpha": math.exp(-circuit.dt / circuit.tau) * each,
            "threshold": circuit.threshold * each,
            "gamma": circuit.gamma * each,
            "rest": circuit.num_refractory_steps * each,
        },
        decay=kappa,
        leak=kappa,
        pathway=pathway,
        forget=forget,
        learning_rate=checked(learning_rate),
        online=online,
        names=names or {},
    )
    return carry_out(plan, params, state, sequence_of(circuit, trials), target)


def spiking_units(*, filters: bool, shows: bool) -> Text:
    """Integrate-and-fire units. Their synapses are told what those of units with rates are told.

    ``firing`` is 1 in a step with a spike; ``waiting`` counts the steps a unit is still refractory.
    """
    names = (
        *(
            "v",
            "recurrent",
            "external",
            "bias",
            "begin",
            "commit",
            "sent",
            "signal",
            "keep",
            "enter",
            "reading",
        ),
        *(
            "firing",
            "waiting",
            "able",
            "count",
            *(["hold"] if filters else []),
            *(["fired"] if shows else []),
        ),
    )
    lines = [
        *(f"{name} : 1 (constant)" for name in ("alpha", "threshold", "gamma", "rest")),
        *(f"{name} : 1" for name in names),
        "apical : 1 (linked)",
    ]
    remember = [
        *HEARD,
        *(f"{name} = (1 - begin)*{name}" for name in ("v", "firing", "waiting", "count")),
        "sent = firing",
    ]
    spike = [
        "v = alpha*v + recurrent + external - threshold*firing",
        "able = int(waiting < 0.5)",
        "firing = int(v > threshold)*able",
        "waiting = clip(waiting - 1, 0, inf) + rest*firing",
        "count = count + firing",
    ]
    derive = [
        "signal = apical",
        "keep = (1 - begin)*alpha",
        "enter = 1",
        "reading = able*gamma/threshold*clip(1 - abs(v - threshold)/threshold, 0, inf)",
        *(["hold = (1 - begin)*decay"] if filters else []),
        *(["fired = firing"] if shows else []),
    ]
    code = {"remember": remember, "spike": spike, "derive": derive}
    return Text("\n".join(lines), {place: "\n".join(each) for place, each in code.items()})


def _numbers(circuit: SpikingCircuit, params: Params) -> dict[str, np.ndarray]:
    """Parameters in float64.

    Raises:
        ValueError: for others than those of the circuit.
    """
    expected = {name: leaf.shape for name, leaf in jax.eval_shape(_drawn(circuit), jax.random.key(0)).items()}
    found = {name: np.shape(value) for name, value in params.items()}
    if found != expected:
        raise ValueError(
            f"learn_spiking: params have shapes {found}, expected {expected}; use circuit.init(key=...)."
        )
    return {name: np.asarray(value, float) for name, value in params.items()}


def _drawn(circuit: SpikingCircuit) -> Any:
    return lambda key: circuit.init(key=key)


def _form(name: str, value: np.ndarray) -> Form:
    """Free weights, between different units."""
    table = value.reshape(len(value), -1)
    existing = ~np.eye(len(value), dtype=bool) if name == "recurrent" else np.ones(table.shape, bool)
    return Form("free", table, np.zeros(table.shape), existing, existing)
