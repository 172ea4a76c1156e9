"""Influence as a product of two learned parts: how far it reaches, and how it fades.

The influence of neuron i's state on neuron k's state, Δt steps later, is taken to be ``A_ki (1−γ_i)^Δt``.
Then a synapse needs one trace of its own, and the shape of the influence can be learned from how a small
noise in all states spreads, without any task.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

import jax.numpy as jnp

from throughtime.credit.stepper import Share, Stepper, injected

if TYPE_CHECKING:
    from jax import Array

    from throughtime.credit.record import Layout, Record, Wiring

    RuleState = dict[str, Array]


class Kernel(NamedTuple):
    """What is carried with the learned kernel.

    Attributes:
        slots: (drive, unit, slot) P; own: (own, unit) and initial: (0 or 1, unit) the same by a neuron's own
            parameters and its state before the first step.
        noise: (unit,) Ω, the filtered noise; by_fading: (unit,) Γ = ∂Ω/∂γ.
    """

    slots: Array
    own: Array
    initial: Array
    noise: Array
    by_fading: Array


@dataclass(frozen=True)
class LearnedKernel(Stepper):
    """A trace for every synapse under a learned kernel ``A_ki (1−γ_i)^Δt``; one variable a neuron::

        P ← (1−γ_i) P + b_i p_j,   share ((q ∘ c)ᵀ A)_i P_ij

    A twin of the circuit gets noise ζ on its states, and the kernel learns to predict how far it is driven::

        Γ ← (1−γ) Γ − Ω,   then   Ω ← (1−γ) Ω + ζ,   err = A Ω − (s̃ − s)
        A ← A − η err Ωᵀ,   γ ← γ − η (Aᵀ err) ∘ Γ

    which is gradient descent of ½‖err‖²: Γ is the derivative of Ω by γ, so it takes in Ω before Ω moves. A
    negative ``1−γ`` counts as 0. All moves start from the values at the beginning of the step.

    State of the rule: ``rule_kernel`` A (unit, unit), ``rule_fading`` γ (unit,).

    Attributes:
        predictor_step: η; noise_sd: standard deviation of ζ; frozen: whether nothing is learned.
    """

    predictor_step: float = 5.0
    noise_sd: float = 1e-3
    frozen: bool = False

    @property
    def learns(self) -> bool:
        """Unless it is frozen."""
        return not self.frozen

    @property
    def twin_sd(self) -> float | None:
        """That of ζ, where anything is learned from it."""
        return None if self.frozen else self.noise_sd

    def begin(self, plan: Layout, state: RuleState, dtype: Any) -> Kernel:
        """No influence and no noise yet."""
        units = plan.units
        return Kernel(
            slots=jnp.zeros((plan.drives, units, plan.slots), dtype),
            own=jnp.zeros((len(plan.own), units), dtype),
            initial=jnp.ones((int(plan.learned_initial), units), dtype),
            noise=jnp.zeros(units, dtype),
            by_fading=jnp.zeros(units, dtype),
        )

    def from_given_state(self, memory: Kernel) -> Kernel:
        """Without the trace of a learned initial state."""
        return memory._replace(initial=jnp.zeros_like(memory.initial))

    def step(
        self, plan: Layout, state: RuleState, memory: Kernel, now: Record, wires: Wiring, key: Array
    ) -> tuple[RuleState, Kernel, Share]:
        """See :class:`~throughtime.credit.stepper.Stepper`."""
        kernel, fading = state["rule_kernel"], state["rule_fading"]
        kept = jnp.maximum(1 - fading, 0)
        memory = memory._replace(
            slots=kept[:, None] * memory.slots + injected(plan, now)[0],
            own=kept * memory.own + now.own_local[:, 0],
            initial=kept * memory.initial,
        )
        reaching = wires.feedback @ now.error + now.direct
        modulator = (reaching * now.reading[0]) @ kernel
        share = Share(
            slots=modulator[:, None] * memory.slots,
            own=modulator * memory.own + reaching * now.own_reading,
            initial=modulator * memory.initial,
        )
        # a warm-up is run without a twin
        if not self.frozen and now.jolt.shape[0]:
            begins = now.index == 0
            before = jnp.where(begins, 0, memory.noise)
            by_fading = kept * jnp.where(begins, 0, memory.by_fading) - before
            noise = kept * before + now.jolt[0]
            missed = kernel @ noise - (now.twin[0] + now.jolt[0])
            state = {
                **state,
                "rule_kernel": kernel - self.predictor_step * jnp.outer(missed, noise),
                "rule_fading": fading - self.predictor_step * (missed @ kernel) * by_fading,
            }
            memory = memory._replace(noise=noise, by_fading=by_fading)
        return state, memory, share
