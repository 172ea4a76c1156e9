"""Evidence of trials in which something was tried: noise on drives, or shifted weights, and how it went."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime import keys
from throughtime.circuits import gates
from throughtime.circuits.simulate import Unfolded
from throughtime.credit import perturb, perturb_parameters
from throughtime.credit.evidence import Evidence, batch_of_one, by_slots, of_run, of_unfolded
from throughtime.credit.record import layout
from throughtime.credit.stepper import Share

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    Params = dict[str, Array]


def of_noisy_run(
    circuit: Circuit,
    params: Params,
    trial: Trial,
    objective: Objective,
    key: Array,
    added: Array,
    pushed: Array | None = None,
) -> tuple[Evidence, Array]:
    """Run one trial with something added to its drives.

    Args:
        key: of the trial; added: (time, drive, unit); pushed: (time, output), added to the outputs, or None.

    Returns:
        evidence without its noise and scalar, and the loss.

    Raises:
        ValueError: for a circuit that warms up, or whose output is fed back.
    """
    if circuit.output_feedback:
        raise ValueError(
            "evidence: with output_feedback noise of the outputs acts through the circuit, which a record of "
            "its drives does not tell apart; use output_feedback=False."
        )
    weights, batch, each = circuit.weights(params), batch_of_one(trial), key[None]
    parts = jnp.moveaxis(added, 1, 0)[:, :, None]
    drive: Any = parts[0] if circuit.dynamics.num_drives == 1 else gates.Gates(tuple(parts))
    unfolded: Unfolded = perturb.run(circuit, params, weights, batch, each, None, drive)
    pushed = None if pushed is None else pushed[:, None]
    losses, outputs, _ = perturb.finish(circuit, weights, objective, batch, unfolded, 0, pushed)
    return of_unfolded(circuit, params, trial, objective, unfolded, outputs, key), losses[0]


def loss_of(circuit: Circuit, params: Params, trial: Trial, objective: Objective, key: Array) -> Array:
    """Loss of the trial without anything added, with the circuit noise of its key."""
    return perturb_parameters.run_one(circuit, params, objective, trial, key, None)[0]


def node_noise(circuit: Circuit, trial: Trial, key: Array, distribution: str) -> tuple[Array, Array]:
    """ξ (time, drive, unit) and η (time, output) of a trial, 0 where it is not valid."""
    drawn = perturb.draw(circuit, key, len(trial.valid), distribution)
    live = trial.valid[:, None]
    return jnp.where(live[..., None], drawn.drive, 0), jnp.where(live, drawn.output[1:], 0)


def refuse_shared(circuit: Circuit, params: Params) -> None:
    """Refuse weights that are more than parameters of their own.

    Raises:
        ValueError: naming one and the remedy.
    """
    weights = circuit.weights(params)
    for name in ("recurrent", "input", "bias"):
        if name not in params or params[name].shape != getattr(weights, name).shape:
            raise ValueError(
                f"evidence: {circuit.recurrent} gives no weight {name!r} a parameter of its own, so a shift "
                "of parameters is no shift of synapses; use Dense or Sparse."
            )


def of_shifts(
    circuit: Circuit,
    params: Params,
    trial: Trial,
    objective: Objective,
    key: Array,
    shifts: Params,
    scalar: Array,
) -> Evidence:
    """Evidence of a run as the weights are, and of tries with shifted ones.

    Args:
        shifts: ε of every free parameter, leaves (try, …); scalar: (try,) what they made of the loss.
    """
    plan = layout(circuit)
    each = jax.vmap(lambda one: by_slots(plan, one["recurrent"], one["input"], one["bias"]))(shifts)
    found = of_run(circuit, params, trial, objective, key)
    return found._replace(shift=each, scalar=scalar)


def one_shift(
    circuit: Circuit,
    params: Params,
    trial: Trial,
    objective: Objective,
    key: Array,
    sigma: float,
    distribution: str,
) -> Evidence:
    """Evidence of a trial run twice, with shifted weights and as they are: ``scalar = L(θ + σε) − L(θ)``."""
    refuse_shared(circuit, params)
    numbers = perturb_parameters.free_numbers(circuit, params)
    epsilon = perturb_parameters.draw(keys.stream(key, "rule"), numbers, distribution)
    moved = perturb_parameters.shift(params, epsilon, sigma)
    rise = loss_of(circuit, moved, trial, objective, key) - loss_of(circuit, params, trial, objective, key)
    return of_shifts(circuit, params, trial, objective, key, batch_of_one(epsilon), rise[None])


def pairs_of_shifts(
    circuit: Circuit,
    params: Params,
    trial: Trial,
    objective: Objective,
    key: Array,
    root: Array,
    *,
    sigma: float,
    num_pairs: int,
    distribution: str,
    rank_shaping: bool,
) -> Evidence:
    """Evidence of pairs of opposite shifts: ``scalar = ½ [L(θ + σε) − L(θ − σε)]``, of losses or their ranks.

    Args:
        key: of the trial; root: key of the shifts.
    """
    refuse_shared(circuit, params)
    numbers = perturb_parameters.free_numbers(circuit, params)

    def pair(index: Array) -> tuple[Params, Array]:
        epsilon = perturb_parameters.draw(jax.random.fold_in(root, index), numbers, distribution)
        sides = [perturb_parameters.shift(params, epsilon, step) for step in (sigma, -sigma)]
        return epsilon, jnp.stack([loss_of(circuit, side, trial, objective, key) for side in sides])

    shifts, both = jax.lax.map(pair, jnp.arange(num_pairs))
    worth = perturb_parameters.centred_ranks(both) if rank_shaping else both
    return of_shifts(circuit, params, trial, objective, key, shifts, (worth[:, 0] - worth[:, 1]) / 2)


def by_shifts(evidence: Evidence, sigma: float) -> Share:
    """The mean over tries of ``scalar ε/σ``."""
    assert evidence.shift is not None
    assert evidence.scalar is not None
    return Share(jnp.tensordot(evidence.scalar, evidence.shift, 1) / (sigma * len(evidence.shift)))
