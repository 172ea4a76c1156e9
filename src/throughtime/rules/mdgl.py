"""Multidigraph learning: credit crosses one synapse, by modulators of cell types."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from throughtime.credit.feedback import Feedback
from throughtime.credit.record import layout
from throughtime.credit.relay import Relay
from throughtime.credit.sent_back import relay_over_record
from throughtime.credit.stepping import wires
from throughtime.credit.traces import Taps
from throughtime.credit.transport import Transport
from throughtime.credit.type_means import LOCAL, SIGN, TypeMeans
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit, Weights
    from throughtime.credit.adjoint import Transported
    from throughtime.credit.evidence import Evidence
    from throughtime.credit.record import Record
    from throughtime.credit.stepper import Stepper
    from throughtime.rules.base import Params, Rule


@dataclass(frozen=True)
class MDGL(AdjointRule):
    """Multidigraph learning (MDGL): e-prop, and credit across one synapse by modulators of cell types.

    Beside its own learning signal a neuron hears those of the neurons it reaches: each of these releases
    ``b_t c_t q_t``, and type means of the weights stand in for the weights themselves
    (:class:`~throughtime.credit.type_means.TypeMeans`). No credit crosses a second synapse.

    As published, what arrives is not kept: it meets the trace of the step before, ``receiver_memory=False``.
    One hop then lasts one step of whatever length, so its share of the gradient goes with dt and vanishes as
    dt does. With the receiver's memory it is the hop of the exact recursion, which a membrane prolongs.

    Attributes:
        feedback: ``random``, ``symmetric`` or another pathway.
        kind: ``local``: modulators reach only neurons with a synapse onto the releasing one; ``diffuse``:
            they reach all (NL-MDGL); ``exact``: the weights themselves, a control.
        types: ``sign`` or ``cell``, see :class:`~throughtime.credit.type_means.TypeMeans`.
        receiver_memory: whether the neuron's own memory keeps what arrives; then the rule is not causal.
        online, step_size: move the weights at every step, without the receiver's memory; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Source: Liu et al. 2021, PNAS 118:e2111821118.

    Example:
        >>> MDGL().traits.signals, MDGL(kind="exact").traits.signals
        (('error', 'type modulators'), ('error', "others' weights", "others' states"))
    """

    feedback: Feedback | str = "random"
    kind: str = LOCAL
    types: str = SIGN
    receiver_memory: bool = False
    transport: Transport = field(default=TypeMeans(), init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_memory(type(self).__name__, self.receiver_memory)
        object.__setattr__(self, "transport", TypeMeans(self.kind, self.types))

    def crossing(self, circuit: Circuit, params: Params, weights: Weights, state: Params) -> Transported:
        """One hop over the means."""
        matrix = self.transport.matrix(weights, state)
        assert matrix is not None
        return Relay(matrix, receiver_memory=self.receiver_memory)

    def stepper(self, circuit: Circuit) -> Stepper:
        """The traces of each synapse, of this step and of the step before."""
        refuse_leaky_readout(self, circuit)
        return Taps(taps=1)

    def on_record(self, circuit: Circuit, num_steps: int) -> Stepper | None:
        """Traces, or with the receiver's memory the relay back in time."""
        return None if self.receiver_memory else Taps(taps=1)

    def sent_back(self, circuit: Circuit, evidence: Evidence, steps: Record, state: Params) -> Array:
        """Credit of every use by the relay."""
        plan = layout(circuit)
        matrices = wires(plan, evidence.weights, state, self)
        assert matrices.transport is not None
        return relay_over_record(plan, steps, matrices.feedback, matrices.transport, None)

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


def refuse_leaky_readout(rule: Rule, circuit: Circuit) -> None:
    """Refuse a leaky readout within the trial: past traces would each need a filter of their own.

    Raises:
        ValueError: with the remedy.
    """
    if circuit.readout_tau is not None:
        raise ValueError(
            f"{type(rule).__name__}: online=True keeps no filter for a leaky readout beside past traces; use "
            "readout_tau=None, or online=False."
        )


def check_memory(name: str, receiver_memory: bool) -> None:
    """Refuse a choice of the receiver's memory that is none.

    Raises:
        ValueError: naming what was given.
    """
    if not isinstance(receiver_memory, bool):
        raise ValueError(f"{name}: receiver_memory {receiver_memory!r} is neither True nor False.")


def awaited(receiver_memory: bool) -> tuple[str, ...]:
    """What a receiver's memory must wait for: what arrives later meets the trace of now."""
    return ("future errors",) if receiver_memory else ()
