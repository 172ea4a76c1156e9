"""A circuit that learns by itself, as objects of Brian2: neurons, synapses, feedback, nobody above them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from throughtime.spiking import plasticity
from throughtime.spiking.plasticity import SCHEDULE, Pathway, Text

if TYPE_CHECKING:
    from numpy.typing import ArrayLike

    from throughtime.circuits import Circuit
    from throughtime.spiking.eprop_lif import SpikingCircuit

    Arrays = dict[str, np.ndarray]


class Sequence(NamedTuple):
    """Trials one after the other, without the steps that are padding.

    Attributes:
        inputs: (step, input + 1), the last channel is 1; noise: (step, unit) or None.
        targets: (step, output); gain: (step, output) ``2 m / Σ m``, the mask over its sum in the trial.
        begins, commits: (step,) 1 at the first and at the last step of a trial.
    """

    inputs: np.ndarray
    noise: np.ndarray | None
    targets: np.ndarray
    gain: np.ndarray
    begins: np.ndarray
    commits: np.ndarray


@dataclass(frozen=True)
class Form:
    """How the weights of one kind of synapse follow from free parameters, one number a synapse.

    Attributes:
        text: key of :data:`~throughtime.spiking.plasticity.FORMS`.
        free: (target, source) free parameters; side: the signs of the weights, where they are given.
        existing, plastic: (target, source) bool: which synapses there are, and which of them learn.
        size: (target, source) sizes of the weights, where only their signs learn.
    """

    text: str
    free: np.ndarray
    side: np.ndarray
    existing: np.ndarray
    plastic: np.ndarray
    size: np.ndarray | None = None


class Plan(NamedTuple):
    """What the objects are made from.

    Attributes:
        forms: by parameter, and ``feedback``. trained: names of the parameters that learn.
        units: equations of the units. times, constants: name -> their numbers (unit,), times in ms.
        decay: κ of the units' filter of what their synapses keep. leak: κ of the readout.
        pathway: the feedback. forget: ω a trial, of readout and feedback.
        learning_rate, online, names: as of :func:`throughtime.spiking.learn`.
    """

    circuit: Circuit | SpikingCircuit
    forms: dict[str, Form]
    trained: tuple[str, ...]
    units: Text
    times: dict[str, ArrayLike]
    constants: dict[str, ArrayLike]
    decay: float
    leak: float
    pathway: Pathway
    forget: float
    learning_rate: float
    online: bool
    names: Mapping[str, str]

    def called(self, name: str) -> str:
        """The name of an object of Brian2."""
        return self.names.get(name, f"throughtime_{name}")


@dataclass(frozen=True)
class Wired:
    """The objects.

    Attributes:
        network: a ``brian2.Network`` of all of them.
        synapses: by parameter, and ``feedback``; a kind of which there is none is left out.
        snapshots: free parameters (synapse,) by name, ``loss`` (output,) and, of units that
            spike, ``count`` (unit,), at the end of every trial.
    """

    network: Any
    synapses: dict[str, Any]
    snapshots: list[Arrays]


def wire(b2: Any, plan: Plan, sequence: Sequence) -> Wired:
    """Make all objects, each with an order.

    Args:
        b2: the module, from :func:`throughtime.spiking.brian.simulator`.
    """
    groups = _Groups(b2, plan, sequence)
    synapses = _synapses(groups, plan)
    snapshots: list[Arrays] = []
    ends = iter(sequence.commits)

    def record() -> None:
        if next(ends):
            kept = {name: np.array(synapses[name].parameter[:]) for name in plan.trained if name in synapses}
            told = {"loss": groups.outputs.loss[:]}
            if "count" in groups.units.variables:
                told["count"] = groups.units.count[:]
            snapshots.append({**kept, **{name: np.array(value) for name, value in told.items()}})

    when, order = SCHEDULE["record"]
    recorder = b2.NetworkOperation(
        record, clock=groups.clock, when=when, order=order, name=plan.called("record")
    )
    return Wired(b2.Network(*groups.objects, *synapses.values(), recorder), synapses, snapshots)


class _Groups:
    """Units, channels, outputs and relay, with what is run in each of them."""

    def __init__(self, b2: Any, plan: Plan, sequence: Sequence) -> None:
        circuit = plan.circuit
        self.b2, self.plan = b2, plan
        self.clock = b2.Clock(dt=circuit.dt * b2.ms, name=plan.called("clock"))
        self.objects: list[Any] = []
        self.signals = {
            name: b2.TimedArray(values, dt=circuit.dt * b2.ms, name=plan.called(name))
            for name, values in sequence._asdict().items()
            if values is not None
        }
        noisy, leak = sequence.noise is not None, plan.leak
        heard, senses = ("begins", "commits"), plan.pathway.mirrors
        noise = ("noise",) if noisy else ()
        self.units = self.make(
            "units", circuit.num_units, plan.units, "circuit", (*heard, *noise), plan.decay
        )
        self.channels = self.make(
            "channels", circuit.num_inputs + 1, plasticity.CHANNELS, "circuit", ("inputs",)
        )
        told = plasticity.outputs(leaky=leak > 0)
        self.outputs = self.make(
            "outputs", circuit.num_outputs, told, "outputs", (*heard, "gain", "targets"), leak
        )
        self.relay = self.make("relay", circuit.num_units, plasticity.relay(senses=senses), "relay")
        for name, value in plan.times.items():
            setattr(self.units, name, np.asarray(value) * b2.ms)
        for name, value in plan.constants.items():
            setattr(self.units, name, np.asarray(value))
        self.units.apical = b2.linked_var(self.relay, "told")
        if senses:
            self.relay.soma = b2.linked_var(self.units, "fired")

    def make(
        self, name: str, size: int, text: Text, place: str, reads: tuple[str, ...] = (), decay: float = 0.0
    ) -> Any:
        """One group, which can read the signals that are named, and no others."""
        group = self.b2.NeuronGroup(
            size,
            text.model,
            method="euler",
            namespace={**{one: self.signals[one] for one in reads}, "decay": decay},
            clock=self.clock,
            order=SCHEDULE[place][1],
            name=self.plan.called(name),
        )
        self.run(group, text)
        self.objects.append(group)
        return group

    def run(self, owner: Any, text: Text) -> None:
        """Run code of ``owner`` in its places."""
        for place, code in text.code.items():
            when, order = SCHEDULE[place]
            name = f"{owner.name}_{place}"
            owner.run_regularly(code, clock=self.clock, when=when, order=order, name=name)


def _synapses(groups: _Groups, plan: Plan) -> dict[str, Any]:
    """Synapses of every kind, connected where there are any."""
    leaky = plan.leak > 0
    onto_units = plasticity.eligibility(filters=plan.decay > 0)
    learning = {
        "recurrent": onto_units,
        "input": onto_units,
        "bias": onto_units,
        "readout": plasticity.delta("firing", leaky=leaky),
        "readout_bias": plasticity.delta("sent", leaky=leaky),
        "feedback": plasticity.mirrored(leaky=leaky),
    }
    units, channels, outputs, one = groups.units, groups.channels, groups.outputs, plan.circuit.num_inputs
    kinds = {
        "recurrent": (units, 0, "firing", units, "recurrent"),
        "input": (channels, 0, "sent", units, "external"),
        "bias": (channels, one, "sent", units, "bias"),
        "readout": (units, 0, "firing", outputs, "arriving"),
        "readout_bias": (channels, one, "sent", outputs, "offset"),
        "feedback": (outputs, 0, "error", groups.relay, "told"),
    }
    made = {}
    for name, (source, first, sent, target, into) in kinds.items():
        form = plan.forms[name]
        j, i = np.nonzero(form.existing)
        if not len(j):
            continue
        back = name == "feedback"
        learns = plan.pathway.mirrors and "readout" in plan.trained if back else name in plan.trained
        text = plasticity.synapse(
            into,
            sent,
            form.text,
            learning[name] if learns else None,
            online=plan.online and not (back and plan.pathway.forgets),
            partly=not form.plastic[j, i].all(),
            forgets=plan.forget > 0 and name in ("readout", "feedback"),
            scaled=form.size is not None,
        )
        space = {"learning_rate": plan.learning_rate} if text.code else {}
        synapses = groups.b2.Synapses(
            source,
            target,
            text.model,
            namespace={**space, "forget": plan.forget} if plan.forget else space,
            clock=groups.clock,
            order=SCHEDULE["circuit"][1],
            name=plan.called(name),
        )
        synapses.connect(i=first + i, j=j)
        values = {"parameter": form.free, "side": form.side, "plastic": form.plastic, "size": form.size}
        for variable, table in values.items():
            if variable in synapses.variables:
                setattr(synapses, variable, np.asarray(table, float)[j, i])
        groups.run(synapses, text)
        made[name] = synapses
    return made
