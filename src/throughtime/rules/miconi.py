"""Reward-modulated Hebbian learning from sparse perturbations, the reward coming at the trial's end."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime import keys
from throughtime.credit import hebbian, perturb, tiles, tried
from throughtime.credit.adjoint import over_steps
from throughtime.credit.carried import circuit_state
from throughtime.credit.expectation import RunningMean
from throughtime.credit.record import layout
from throughtime.credit.stepper import Share
from throughtime.rules.base import Traits
from throughtime.rules.perturbation import PerturbationRule, names_of

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.credit.evidence import Evidence
    from throughtime.objectives import Objective
    from throughtime.rules.base import Params
    from throughtime.trial import Trial

CUBIC, NODE = ELIGIBILITIES = ("cubic", "node")
COUNT = "rule_num_trials"


@dataclass(frozen=True)
class Miconi(PerturbationRule):
    """Reward-modulated Hebbian rule for delayed rewards: sparse perturbations, a cubic trace, one scalar.

    Now and then a neuron's drive is hit. Over the trial each synapse sums the cube of presynaptic rate times
    the fluctuation of the postsynaptic membrane about its running average,
    ``H_ij = Σ_t [r_j(t−1)(v_i(t) − v̄_i)]³`` with ``v̄ ← keep v̄ + (1 − keep) v``, and at its end the gradient
    is ``R̄ (R − R̄) H`` with the trial's loss R and its running mean R̄ for trials of this kind (both averages
    as they were before). It trains recurrent weights only, of circuits with a membrane variable (``current``
    form); as published a chosen unit is the output, so the readout stays fixed. H is no estimate of a
    gradient: the rule is biased, and the size of its steps has no meaning of its own.

    Published numbers are the defaults, at dt = 1 ms. The published optimiser, 0.1 times the gradient clipped
    to ±3e-4 number by number, is ``optimizer="sgd", learning_rate=0.1, clip=Clip(3e-3, by="value")`` (for
    ``node`` 0.001 and ``Clip(0.3, by="value")``); there a batch is one trial, the objective the mean absolute
    error, and trial types take turns. In a batch all trials use R̄ from its start. In the publication v̄ goes
    on from trial to trial; here it starts at each trial's initial v.

    Attributes:
        probability: of a perturbation, per unit and ms.
        amplitude: a perturbation adds ``amplitude · U(−1, 1)`` to the drive, which dt/τ then scales.
        eligibility: ``cubic``, or ``node``: ``H_ij = Σ_t r_j(t−1) ξ_i(t)`` with the perturbation ξ itself,
            which is node perturbation.
        keep: part of v̄ left after one step.
        settle: ms at the start of a trial that enter no sum; perturbations begin one step later.
        averaging: part of R̄ that one further trial of its kind leaves; R̄ starts from 0.
        condition: name or names of the trials' conditions that make a kind, such as ``("sample", "test")``;
            None: one kind.
        num_conditions: values of each of them, whole numbers from 0.
        warm_up: first trials, which only set R̄.

    Source: Miconi 2017, eLife 6:e20899, and its published program (order of the averages, starts, number of
    first trials).

    Example:
        >>> rule = Miconi(condition=("sample", "test"))
        >>> rule.traits.trained, rule.mean.num_kinds
        (('recurrent',), 4)
    """

    probability: float = 0.003
    amplitude: float = 16.0
    eligibility: str = CUBIC
    keep: float = 0.05
    settle: float = 3.0
    averaging: float = 0.75
    condition: str | tuple[str, ...] | None = None
    num_conditions: int = 2
    warm_up: int = 101

    def __post_init__(self) -> None:
        self.refuse_unless_in("eligibility", ELIGIBILITIES)
        for name in ("probability", "amplitude"):
            self.refuse_number(name)
        self.refuse_number("num_conditions", whole=True)
        for name in ("keep", "averaging"):
            if not (math.isfinite(getattr(self, name)) and 0 <= getattr(self, name) < 1):
                raise ValueError(f"Miconi: {name} {getattr(self, name)!r} does not lie within [0, 1).")
        if not (math.isfinite(self.settle) and self.settle >= 0):
            raise ValueError(f"Miconi: settle {self.settle!r} ms is not a number >= 0.")
        if not (isinstance(self.warm_up, int) and not isinstance(self.warm_up, bool) and self.warm_up >= 0):
            raise ValueError(f"Miconi: warm_up {self.warm_up!r} is not a whole number of trials >= 0.")

    @property
    def traits(self) -> Traits:
        """A scalar at the trial's end; the variant also senses its own perturbations."""
        return Traits(
            exact=False,
            online=False,
            stochastic=True,
            displacement=False,
            signals=("scalar",) if self.eligibility == CUBIC else ("scalar", "own noise"),
            trained=("recurrent",),
            time="O(n²)",
            memory="O(n²)",
        )

    @property
    def mean(self) -> RunningMean:
        """The running means R̄ of this rule."""
        names = names_of(self.condition)
        return RunningMean("Miconi", names, self.num_conditions, keep=self.averaging, from_zero=True)

    def init(self, circuit: Circuit, params: Params, *, key: Array) -> dict[str, Array]:
        """R̄ = 0 for every kind, and no trials."""
        return {**self.mean.init(params["bias"].dtype), COUNT: jnp.zeros((), jnp.int32)}

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
        """Run the perturbed trials, sum the traces; see :meth:`Rule.gradient`.

        ``loss`` and ``losses`` are those of the perturbed runs.

        Raises:
            ValueError: for a circuit without a membrane variable or without free recurrent weights, for a
                penalty on vanishing gradients, or unknown conditions.
        """
        self.refuse(circuit, params, objective, carry)
        kinds = self.mean.kinds(trials)
        usual, _ = self.mean.of(state, kinds)
        weights, num_trials = circuit.weights(params), trials.inputs.shape[0]
        initial = circuit_state(circuit, carry, num_trials)
        before = perturb.warm_up_steps(circuit, initial)
        settle, dtype = round(self.settle / circuit.dt), params["bias"].dtype

        def one_tile(piece: Any, weight: Array) -> Any:
            batch, keys_here, start, expected = piece
            xi = jax.vmap(lambda key: self.perturbations(circuit, key, trials.inputs.shape[1]))(keys_here)
            valid = jnp.swapaxes(batch.valid, 0, 1)
            xi = jnp.where(valid[..., None], jnp.swapaxes(xi, 0, 1).astype(dtype), 0)
            added = jnp.pad(xi, ((before, 0), (0, 0), (0, 0)))
            unfolded = perturb.run(circuit, params, weights, batch, keys_here, start, added)
            losses, _, _ = perturb.finish(circuit, weights, objective, batch, unfolded, before)
            share = weight.astype(dtype) / num_trials * expected * (losses - expected)
            sent = unfolded.sent[before + settle :]
            if self.eligibility == CUBIC:
                v = unfolded.states["current"]
                start_v = v[before - 1] if before else unfolded.initial["current"]
                each = hebbian.fluctuations(v[before:], start_v, valid, self.keep)[settle:]
                total = hebbian.cubic_trace(share, each, sent)
            else:
                total = over_steps(share[:, None] * xi[settle:], sent)
            final = {name: value[-1] for name, value in unfolded.states.items()}
            return total, (losses, final)

        pieces = (trials, keys.of_batch(key, trials.inputs.shape[0]), initial, usual)
        by_tile, per_trial = tiles.map_tiles(one_tile, pieces)
        losses, final = tiles.join(per_trial, num_trials)
        _, pull = jax.vjp(lambda free: circuit.weights(free).recurrent, params)
        (grads,) = pull(jnp.where(state[COUNT] < self.warm_up, 0, by_tile.sum(0)))
        grads = {name: one if name == "recurrent" else jnp.zeros_like(one) for name, one in grads.items()}
        state = {**state, **self.mean.after(state, kinds, losses), COUNT: state[COUNT] + num_trials}
        info = {"loss": losses.mean(), "losses": losses, "expected": usual, "carry": final}
        return grads, state, info

    def perturbations(self, circuit: Circuit, key: Array, num_steps: int) -> Array:
        """Perturbations of the drive in the trial of ``key``, (time, unit)."""
        return hebbian.sparse_perturbations(
            key,
            num_steps,
            circuit.num_units,
            probability=self.probability * circuit.dt,
            amplitude=self.amplitude,
            quiet=round(self.settle / circuit.dt) + 1,
        )

    def refuse(self, circuit: Circuit, params: Params, objective: Objective, carry: Any) -> None:
        """Refuse what the rule is not defined for, with the reason.

        Raises:
            ValueError: naming the remedy.
        """
        self.refuse_common(circuit, objective, carry)
        dynamics = circuit.dynamics
        if dynamics.num_drives != 1 or "current" not in dynamics.state_names:
            raise ValueError(
                f"Miconi: {type(dynamics).__name__}, with {', '.join(dynamics.state_names)}, has no membrane "
                "variable that the drive moves by dt/τ and whose fluctuations the rule needs; use "
                "form='current'."
            )
        if "recurrent" not in params:
            raise ValueError(
                "Miconi: a synapse changes by its own activity, and this connectivity has no parameter "
                "'recurrent' with one number a synapse; use Dense, Sparse or Dale."
            )
        if self.probability * circuit.dt > 1:
            raise ValueError(
                f"Miconi: probability {self.probability:g} per ms is above 1 in a step of {circuit.dt:g} ms; "
                "use a lower one."
            )

    def evidence(
        self,
        circuit: Circuit,
        params: Params,
        state: dict[str, Array],
        trial: Trial,
        objective: Objective,
        *,
        key: Array,
    ) -> Evidence:
        """The perturbed run, ``noise`` ξ, and ``scalar`` R̄ (R − R̄), 0 in the first trials."""
        self.refuse(circuit, params, objective, None)
        key = jax.random.fold_in(key, 0)
        xi = self.perturbations(circuit, key, len(trial.valid)).astype(params["bias"].dtype)
        xi = jnp.where(trial.valid[:, None], xi, 0)[:, None]
        found, loss = tried.of_noisy_run(circuit, params, trial, objective, key, xi)
        usual, _ = self.mean.of(state, self.mean.kinds(jax.tree.map(lambda leaf: leaf[None], trial)))
        scalar = jnp.where(state[COUNT] < self.warm_up, 0, usual[0] * (loss - usual[0]))
        return found._replace(noise=xi, scalar=scalar)

    def update_from_record(self, circuit: Circuit, evidence: Evidence, state: dict[str, Array]) -> Share:
        """``R̄ (R − R̄) H``, of recurrent weights alone."""
        assert evidence.noise is not None
        assert evidence.scalar is not None
        assert evidence.steps.state is not None
        plan, steps = layout(circuit), evidence.steps
        settle, which = round(self.settle / circuit.dt), plan.variables.index("current")
        sent = steps.sources[settle:, None, : plan.units]
        if self.eligibility == CUBIC:
            v, valid = evidence.steps.state[:, which], steps.valid[:, None]
            each = hebbian.fluctuations(v[:, None], evidence.initial[which][None], valid, self.keep)
            total = hebbian.cubic_trace(evidence.scalar[None], each[settle:], sent)
        else:
            total = over_steps(evidence.scalar * evidence.noise[settle:], sent)
        slots = jnp.zeros((plan.drives, plan.units, plan.slots), total.dtype)
        return Share(slots.at[0, :, : plan.units].set(total), readout=0 * evidence.readout)
