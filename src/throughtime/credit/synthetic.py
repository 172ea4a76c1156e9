"""Credit that is predicted: a linear map learns to say what the reverse recursion would bring back.

A prediction of the credit of a state, ``ĉ_t = Θ f_t`` from the features ``f_t = [r_t; y*_t; 1]``, is right
where it agrees with itself over one step,

    ĉ_t = c_t q_t + J_{t+1}ᵀ ĉ_{t+1},   J_{t+1} = ∂s_{t+1}/∂s_t,   ĉ_{T+1} = 0

which is the recursion of the exact credit λ_t. Going forward in time, the right side is known one step late.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp

from throughtime.credit.stepper import Share, Stepper, fed, through

if TYPE_CHECKING:
    from jax import Array

    from throughtime.credit.record import Layout, Record, Wiring

    RuleState = dict[str, Array]


class Awaited(NamedTuple):
    """The step before, whose prediction waits for its target.

    Attributes:
        features: (feature,) f; immediate: (variable, unit) c q; state: (variable, unit) s.
        waiting: () 1 where there is such a step, else 0: before a trial, and after its last step.
        opening: () 1 before the first step from the circuit's own initial state, else 0.
    """

    features: Array
    immediate: Array
    state: Array
    waiting: Array
    opening: Array


def by_slot(plan: Layout, drive: Array, sources: Array) -> Array:
    """``δ pᵀ``, (drive, unit, slot), of credit (drive, unit); 0 for slots that do not feed a drive."""
    product = drive[:, :, None] * sources
    return product if plan.drives == 1 else jnp.where(plan.feeds[:, None, :], product, 0)


@dataclass(frozen=True)
class Synthetic(Stepper):
    """Predicted credit ``ĉ_t = Θ [r_t; y*_t; 1]``, and Θ learning from what the next step predicts.

    The share of a step is ``(ĉ_t b_t) p_tᵀ``. Once the step after it is known, its target is, and ``Θ ← Θ −
    η (Θ f_t − target_t) f_tᵀ``; in the target ĉ comes from a copy of Θ that is refreshed every few steps.
    All that is learned moves at the end of a step, from where it was at its beginning.

    State of the rule: ``rule_predictor`` Θ and ``rule_predictor_copy``, (variable, unit, feature);
    ``rule_predictor_age`` () steps since the copy was made; with ``learned_jacobian`` also
    ``rule_jacobian`` (variable, unit, variable, unit), the linear map Ĵ that replaces J: ``Ĵ ← Ĵ − η_J (Ĵ
    s_{t−1} − s_t) s_{t−1}ᵀ``.

    Own parameters get ``Σ ĉ_t ∂local/∂π`` and what π does to the rates; with Ĵ, which does not tell
    synapses from neurons, what π does to the rates that synapses transmit is left out.

    Attributes:
        predictor_step: η; jacobian_step: η_J. refresh: steps a copy of Θ is used.
        frozen: whether nothing is learned; learned_jacobian: Ĵ in place of J.
    """

    predictor_step: float = 1e-3
    jacobian_step: float = 1e-3
    refresh: int = 5
    frozen: bool = False
    learned_jacobian: bool = False

    @property
    def learns(self) -> bool:
        """Unless it is frozen."""
        return not self.frozen

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> Awaited:
        """Nothing waits."""
        features, shape = plan.units + plan.outputs + 1, (len(plan.variables), plan.units)
        return Awaited(
            features=jnp.zeros(features, dtype),
            immediate=jnp.zeros(shape, dtype),
            state=jnp.zeros(shape, dtype),
            waiting=jnp.zeros((), dtype),
            opening=jnp.ones((), dtype),
        )

    def from_given_state(self, memory: Awaited) -> Awaited:
        """No credit for the state before the first step."""
        return memory._replace(opening=jnp.zeros_like(memory.opening))

    def step(
        self, plan: Layout, state: RuleState, memory: Awaited, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Awaited, Share]:
        """See :class:`~throughtime.credit.stepper.Stepper`."""
        assert now.state is not None
        features = jnp.concatenate([now.read, now.targets, jnp.ones(1, now.read.dtype)])
        reaching = wires.feedback @ now.error + now.direct
        immediate = now.reading * reaching
        predicted = state["rule_predictor"] @ features
        arriving, back = self.one_step_back(plan, state, now, wires, predicted)
        share = Share(
            slots=by_slot(plan, through(predicted, now.enter), now.sources),
            own=through(predicted, jnp.swapaxes(now.own_local, 0, 1))
            + now.own_reading * reaching
            + now.own_sending * arriving,
            initial=memory.opening * back if plan.learned_initial else None,
        )
        if not self.frozen:
            _, expected = self.one_step_back(plan, state, now, wires, state["rule_predictor_copy"] @ features)
            target = memory.immediate + expected
            state = self.learned(state, memory, now, features, immediate, target)
        ended = now.last.astype(features.dtype)
        memory = Awaited(features, immediate, now.state, 1 - ended, jnp.zeros_like(memory.opening))
        return state, memory, share

    def one_step_back(
        self, plan: Layout, state: RuleState, now: Record, wires: Wiring, credit: Array
    ) -> tuple[Array, Array]:
        """``J_tᵀ ĉ_t``, credit (variable, unit) of the state before the step.

        Returns:
            m_{t−1} (unit,), the credit that arrived through synapses (0 with Ĵ, which has none apart), and
            all of it, (variable, unit).
        """
        if self.learned_jacobian:
            return jnp.zeros_like(credit[0]), jnp.einsum("vk,vkwi->wi", credit, state["rule_jacobian"])
        drive = through(credit, fed(plan, now.enter))
        arriving = jnp.einsum("gki,gk->i", wires.recurrent, drive)
        kept = through(credit, now.keep)
        return arriving, now.sending * arriving + kept

    def learned(
        self, state: RuleState, memory: Awaited, now: Record, features: Array, immediate: Array, target: Array
    ) -> RuleState:
        """The rule's state after the step: one regression step of Θ for each target that it made known."""
        predictor = state["rule_predictor"]

        def slope(features: Array, target: Array, counts: Array) -> Array:
            return counts * (predictor @ features - target)[..., None] * features

        ending = now.last.astype(features.dtype)
        change = slope(memory.features, target, memory.waiting) + slope(features, immediate, ending)
        moved = predictor - self.predictor_step * change
        age = state["rule_predictor_age"] + 1
        due = age >= self.refresh
        after = {
            **state,
            "rule_predictor": moved,
            "rule_predictor_copy": jnp.where(due, moved, state["rule_predictor_copy"]),
            "rule_predictor_age": jnp.where(due, 0, age),
        }
        if self.learned_jacobian:
            assert now.state is not None
            jacobian = state["rule_jacobian"]
            missed = jnp.einsum("vkwi,wi->vk", jacobian, memory.state) - now.state
            outer = missed[:, :, None, None] * memory.state
            after["rule_jacobian"] = jacobian - self.jacobian_step * memory.waiting * outer
        return after
