"""Decoupled neural interfaces: synthetic gradients for a recurrent circuit."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax
import jax.numpy as jnp

from throughtime.credit.feedback import Feedback, resolve
from throughtime.credit.record import layout
from throughtime.credit.synthetic import Synthetic
from throughtime.credit.transport import NoTransport, Transport
from throughtime.rules.base import Traits
from throughtime.rules.forward_rule import ForwardRule
from throughtime.rules.rtrl import refuse_output_feedback

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper
    from throughtime.rules.base import Params

PUBLISHED = "published"
VARIANTS = {"a": "symmetric", "b": "random"}


@dataclass(frozen=True)
class DNI(ForwardRule):
    """Decoupled neural interfaces (DNI): a linear map learns to predict the credit that lies in the future.

    ``ĉ_t = Θ [r_t; y*_t; 1]`` predicts λ_t, the credit of the state, from rates and targets; the gradient
    is ``Σ_t (ĉ_t b_t) p_tᵀ``, known at every step. One step later ĉ_t has a target and Θ a regression step
    towards it::

        target_t = c_t q_t + J_{t+1}ᵀ ĉ_{t+1},   ĉ_{T+1} = 0,   Θ ← Θ − η (Θ f_t − target_t) f_tᵀ

    with ĉ of the target from a copy of Θ refreshed every ``refresh`` steps. The exact credit is a fixed
    point. Θ persists from trial to trial; in a batch it moves by the mean over trials, at every step.

    Variant ``b`` knows no weights: a linear map Ĵ that learns to predict the next state from the present one
    replaces J, and the error comes through random feedback. Ĵ starts at 0.

    A call of the rule is a trial, in a stream too: ``ĉ_{T+1} = 0`` at its end, as the exact credit of its
    loss is, and the last step waits for no target from the next call. Few long calls predict further than
    many short ones.

    Units of the predictor. Θ is in units of credit, and errors are those of a trial's mean loss, so they
    are proportional to 1/(sum of the mask). The regression is linear: ``predictor_step`` times ‖f‖² is the
    fraction of the miss that one step removes, whatever the size of the errors, and must stay below 2. What
    does not scale is where Θ starts, ``initial_scale · N(0, 1/features)``: in long trials far above the
    credit it will predict, until about ``1/(predictor_step · ‖f‖²)`` steps have passed; a smaller
    ``initial_scale`` shortens that.

    Attributes:
        variant: ``a``, or ``b`` without weights.
        feedback: ``published`` (symmetric for variant a, random for b), or a pathway of the error.
        predictor_step: η (published: 1e-3; on the Add task 0.05).
        jacobian_step: step of Ĵ in variant b (published: 1e-3; on the Add task 0.01).
        refresh: steps that a copy of Θ is used.
        initial_scale: factor of the first Θ, at least 0.
        frozen: whether Θ and Ĵ stay as they are.
        online, step_size: move the weights at every step; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Refused: output feedback, and a warm-up (what weights do before a trial is credited by no prediction in
    it). With a leaky readout the errors are filtered after the trial, so ``online=True`` is refused there.

    Source: Jaderberg et al. 2017, ICML; Czarnecki et al. 2017, ICML; this form: Marschall, Cho & Savin 2020,
    J. Mach. Learn. Res. 21:135.

    Example:
        >>> DNI().traits.signals, DNI(variant="b").traits.signals
        (('W_out', "others' weights", "others' states"), ('error', "others' states"))
    """

    variant: str = "a"
    feedback: Feedback | str = PUBLISHED
    transport: Transport = field(default=NoTransport(), init=False)
    predictor_step: float = 1e-3
    jacobian_step: float = 1e-3
    refresh: int = 5
    initial_scale: float = 1.0
    frozen: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.variant not in VARIANTS:
            raise ValueError(
                f"DNI: variant {self.variant!r} is not known; use {' or '.join(map(repr, VARIANTS))}."
            )
        for name in ("predictor_step", "jacobian_step"):
            size = getattr(self, name)
            if not (math.isfinite(size) and size > 0):
                raise ValueError(
                    f"DNI: {name} {size!r} is not a positive number; use frozen=True to let nothing that "
                    "predicts learn."
                )
        if not (isinstance(self.refresh, int) and not isinstance(self.refresh, bool) and self.refresh >= 1):
            raise ValueError(f"DNI: refresh {self.refresh!r} is not a whole number >= 1 of steps.")
        if not (math.isfinite(self.initial_scale) and self.initial_scale >= 0):
            raise ValueError(f"DNI: initial_scale {self.initial_scale!r} is not a number >= 0.")
        _ = self.pathway

    @property
    def pathway(self) -> Feedback:
        """The feedback of the variant, or the one that was given."""
        return resolve(VARIANTS[self.variant] if self.feedback == PUBLISHED else self.feedback)

    @property
    def learned_jacobian(self) -> bool:
        """Whether a learned map replaces the Jacobian."""
        return self.variant == "b"

    def stepper(self, circuit: Circuit) -> Stepper:
        """The predictor.

        Raises:
            ValueError: for a circuit whose output is fed back, or that warms up before the trial.
        """
        refuse_output_feedback(self, circuit)
        if circuit.initial.num_warm_up_steps(circuit.dt):
            raise ValueError(
                f"DNI: {circuit.initial!r} runs the weights before the trial, where no prediction credits "
                "them; use Rest() or Learned(), or the rule bptt."
            )
        return Synthetic(
            predictor_step=self.predictor_step,
            jacobian_step=self.jacobian_step,
            refresh=self.refresh,
            frozen=self.frozen,
            learned_jacobian=self.learned_jacobian,
        )

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """Draw Θ and what the feedback keeps; Ĵ is 0."""
        plan, dtype = layout(circuit), params["bias"].dtype
        features, variables = plan.units + plan.outputs + 1, len(plan.variables)
        shape = (variables, plan.units, features)
        drawn = jax.random.normal(jax.random.fold_in(key, 2), shape, dtype) / math.sqrt(features)
        predictor = self.initial_scale * drawn
        state = {
            **super().init(circuit, params, key=key),
            "rule_predictor": predictor,
            "rule_predictor_copy": predictor,
            "rule_predictor_age": jnp.zeros((), dtype),
        }
        if self.learned_jacobian:
            state["rule_jacobian"] = jnp.zeros((variables, plan.units) * 2, dtype)
        return state

    @property
    def traits(self) -> Traits:
        """Biased and causal; a synapse reads a prediction made from the rates of all neurons."""
        weights = () if self.learned_jacobian else ("others' weights",)
        return Traits(
            exact=False,
            online=True,
            stochastic=False,
            displacement=self.online,
            additive=self.frozen,
            signals=(*self.pathway.signals, *weights, "others' states"),
            time="O(n² d² + n m d)" if self.learned_jacobian else "O(n² d + n m d)",
            memory="O(n² d²)" if self.learned_jacobian else "O(n² d)",
        )
