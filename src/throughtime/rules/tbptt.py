"""Truncated backpropagation through time."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from throughtime import keys
from throughtime.circuits.initial import broadcast
from throughtime.credit import blocks
from throughtime.credit.carried import circuit_state
from throughtime.credit.feedback import Feedback, Symmetric
from throughtime.credit.online import refuse
from throughtime.credit.span import BLOCKS
from throughtime.credit.transport import Transport, Window
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Traits

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial


@dataclass(frozen=True)
class TBPTT(AdjointRule):
    """Truncated backpropagation through time: exact credit within a window, none beyond it.

    Symmetric feedback ``F = W_outᵀ`` and ``W̃ = W`` within ``window`` ms. In ``blocks`` the trial is cut and
    no credit crosses a cut; ``sliding``, each error reaches the drives of the last ``window`` ms, at K times
    the cost of a step. A window as long as the trial is backpropagation through time.

    Attributes:
        window: ms.
        kind: ``blocks`` or ``sliding``.
        online, step_size: in blocks, move the weights at the end of every block; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Source: Williams & Peng 1990, Neural Comput. 2:490.

    Example:
        >>> rule = TBPTT(window=400.0)
        >>> rule.transport.span(dt=20.0).steps, rule.traits.exact
        (20, False)
    """

    window: float = 200.0
    kind: str = BLOCKS
    feedback: Feedback = field(default=Symmetric(), init=False)
    transport: Transport = field(default=Window(), init=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        object.__setattr__(self, "transport", Window(self.window, self.kind))
        if self.online and self.segment is not None:
            raise ValueError("TBPTT: online=True keeps one block in memory at a time; use segment=None.")

    @property
    def traits(self) -> Traits:
        """Exact within the window only; blocks can be learned from at each block's end."""
        in_blocks = self.kind == BLOCKS
        return Traits(
            exact=False,
            online=in_blocks,
            stochastic=False,
            displacement=self.online,
            signals=self.signals,
            time="O(n m + n²)" if in_blocks else "O(n m + K n²)",
            memory="O(n d T)",
        )

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
        """As every adjoint rule after the trial, or block by block within it; see :meth:`Rule.gradient`."""
        if not self.online:
            return super().gradient(
                circuit, params, state, trials, objective, key=key, carry=carry, update=update
            )
        refuse(circuit, objective)
        span = self.transport.span(circuit.dt)
        assert span is not None
        assert self.step_size is not None
        moved, info = blocks.displacement(
            circuit,
            params,
            trials,
            objective,
            length=span.steps,
            step_size=self.step_size,
            trained=self.trained_names(circuit, params),
            trial_keys=keys.of_batch(key, trials.inputs.shape[0]),
            initial=circuit_state(circuit, carry, trials.inputs.shape[0]),
        )
        return moved, state, info

    def initial_carry(
        self, circuit: Circuit, params: Params, state: dict[str, Array], num_trials: int
    ) -> Any:
        """States of the circuit alone: blocks carry no trace."""
        return broadcast(circuit.initial_state(params), num_trials)
