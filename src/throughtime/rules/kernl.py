"""Kernel RNN learning."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import jax.numpy as jnp

from throughtime.circuits.dynamics.membrane import Formed
from throughtime.credit.feedback import Feedback
from throughtime.credit.kernels import LearnedKernel
from throughtime.credit.record import layout
from throughtime.credit.transport import NoTransport, Transport
from throughtime.rules.base import Traits
from throughtime.rules.forward_rule import ForwardRule
from throughtime.rules.rtrl import refuse_output_feedback

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.stepper import Stepper
    from throughtime.rules.base import Params

LEAK = "leak"


@dataclass(frozen=True)
class KeRNL(ForwardRule):
    """Kernel RNN learning (KeRNL): influence as a learned reach A and a learned fading γ.

    ``∂s_k(t+Δt)/∂s_i(t)`` is taken to be ``A_ki (1−γ_i)^Δt``, so each synapse keeps one trace and each
    neuron gets one modulator::

        P ← (1−γ_i) P + b_i p_j,   share ((q ∘ c)ᵀ A)_i P_ij

    A and γ learn beside the task from a twin of the circuit with noise ζ on its states, by gradient descent
    of how badly ``A Ω`` predicts the twin's distance, ½‖A Ω − (s̃ − s)‖² with Ω the noise filtered by the
    kernel; see :class:`~throughtime.credit.kernels.LearnedKernel`. They persist from trial to trial; in a
    batch they move by the mean over trials, at every step.

    With A = I and γ the leak of the neuron, frozen, it is RFLO with the same feedback.

    ``predictor_step`` multiplies products of two numbers of the size of ζ: its effect is that of
    ``predictor_step · noise_sd²``. An influence that outlasts the kernel cannot be expressed; 1−γ below 0
    counts as 0. Own parameters of neurons get the same kernel on a trace of theirs, without what they do to
    the rates that synapses transmit.

    Attributes:
        feedback: ``symmetric``, or another pathway of the error.
        fading: first γ a step, in [0, 1], or ``"leak"``: α = dt/τ of each leaky unit.
        predictor_step: step of A and γ; noise_sd: standard deviation of ζ, in units of the state.
        frozen: whether A and γ stay as they are; there is no twin then.
        online, step_size: move the weights at every step; see
            :class:`~throughtime.rules.forward_rule.Forward`.

    Refused: neurons of more than one variable, output feedback; ``online=True`` with a leaky readout.

    Source: Roth, Kanitscheider & Fiete 2019, ICLR; defaults: Marschall, Cho & Savin 2020, J. Mach. Learn.
    Res. 21:135.

    Example:
        >>> KeRNL().traits.stochastic, KeRNL(frozen=True, fading="leak").traits.stochastic
        (True, False)
    """

    feedback: Feedback | str = "symmetric"
    transport: Transport = field(default=NoTransport(), init=False)
    fading: float | str = 0.8
    predictor_step: float = 5.0
    noise_sd: float = 1e-3
    frozen: bool = False

    def __post_init__(self) -> None:
        super().__post_init__()
        number = isinstance(self.fading, int | float) and 0 <= self.fading <= 1
        if not (number or self.fading == LEAK):
            raise ValueError(
                f"KeRNL: fading {self.fading!r} is neither a number between 0 and 1 nor {LEAK!r}, the "
                "leak of each unit."
            )
        for name in ("predictor_step", "noise_sd"):
            size = getattr(self, name)
            if not (math.isfinite(size) and size > 0):
                raise ValueError(
                    f"KeRNL: {name} {size!r} is not a positive number; use frozen=True for a kernel that "
                    "does not learn."
                )
        _ = self.pathway

    def stepper(self, circuit: Circuit) -> Stepper:
        """The traces under the kernel.

        Raises:
            ValueError: for neurons of several variables, a fed-back output, or no leak where one is asked
            for.
        """
        refuse_output_feedback(self, circuit)
        dynamics, count = circuit.dynamics, len(circuit.dynamics.state_names)
        if count > 1:
            raise ValueError(
                f"KeRNL: its kernel is one number for two neurons, and a neuron of {type(dynamics).__name__} "
                f"has {count} variables; use Leaky or GRU units, or another rule."
            )
        if self.fading == LEAK and not isinstance(dynamics, Formed):
            raise ValueError(
                f"KeRNL: {type(dynamics).__name__} has no fixed leak to take as fading; use a number "
                "between 0 and 1."
            )
        return LearnedKernel(predictor_step=self.predictor_step, noise_sd=self.noise_sd, frozen=self.frozen)

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """A = I and the first γ, beside what the feedback keeps."""
        state = super().init(circuit, params, key=key)
        plan, dtype = layout(circuit), params["bias"].dtype
        if isinstance(self.fading, str):
            assert isinstance(circuit.dynamics, Formed)
            fading = circuit.dynamics.alpha(params, plan.units, circuit.dt)
        else:
            fading = jnp.full(plan.units, self.fading, dtype)
        return {**state, "rule_kernel": jnp.eye(plan.units, dtype=dtype), "rule_fading": fading}

    @property
    def traits(self) -> Traits:
        """Biased and causal; a synapse reads errors and slopes of others through A, and A a noise."""
        noise = () if self.frozen else ("own noise",)
        return Traits(
            exact=False,
            online=True,
            stochastic=not self.frozen,
            displacement=self.online,
            additive=self.frozen,
            signals=(*self.pathway.signals, "others' states", *noise),
            forward_passes=1 if self.frozen else 2,
            time="O(n² + n m)",
            memory="O(n² + n m)",
        )
