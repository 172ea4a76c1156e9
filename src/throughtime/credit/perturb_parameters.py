"""Gradients from noise on the parameters: runs with shifted weights, and how much the loss moved.

With ε of mean 0 and variance 1, independent for every number of the free parameters θ::

    ĝ = (L(θ + σε) − L(θ))/σ · ε                     one trial, ε of its own
    ĝ = ½ (L(θ + σε) − L(θ − σε))/σ · ε              an antithetic pair, for a batch

The mean of either is the gradient of the loss averaged over the noise, O(σ²) from that of the loss. Nothing
of the circuit is looked into, so any parameter of any circuit can be shifted: time constants, factors of low
rank, a learned initial state. A number that no weight depends on, such as one behind a mask, and what the
circuit keeps fixed, is not shifted and gets 0.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
from jax.flatten_util import ravel_pytree

from throughtime import gaussian, keys
from throughtime.credit import tiles
from throughtime.credit.perturb import GAUSSIAN, SIGNS
from throughtime.trial import judged

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    State = dict[str, Array]
    Params = dict[str, Array]


def free_numbers(circuit: Circuit, params: Params) -> Params:
    """1 for every number that is shifted, 0 for one that no weight depends on or that stays fixed.

    A weight depends on a number if the derivative of a random combination of all weights by it is not 0. A
    parameter that no weight at all depends on (of the dynamics, of the initial state) is shifted whole.
    """

    def combined(free: Params) -> Array:
        total = jnp.zeros(())
        for code, one in enumerate(circuit.weights(free)):
            if jnp.issubdtype(one.dtype, jnp.floating):
                total += jnp.sum(jax.random.normal(jax.random.key(code), one.shape, one.dtype) * one)
        return total

    slopes = jax.grad(combined)(params)
    shifted = {}
    for name, slope in slopes.items():
        whole = jnp.ones_like(params[name])
        used = jnp.where((slope != 0) | ~jnp.any(slope != 0), whole, 0)
        shifted[name] = jnp.zeros_like(whole) if name in circuit.untrained else used
    return shifted


def draw(key: Array, numbers: Params, distribution: str = GAUSSIAN) -> Params:
    """ε of every free number, 0 elsewhere.

    Args:
        numbers: from :func:`free_numbers`.
        distribution: ``gaussian`` or ``signs`` (±1).
    """
    flat, rebuild = ravel_pytree(numbers)
    values = gaussian.normal(key, 2, -(-flat.size // 2)).ravel()[: flat.size]
    values = jnp.sign(values) if distribution == SIGNS else values
    return rebuild(values.astype(flat.dtype) * flat)


def shift(params: Params, by: Params, factor: Any) -> Params:
    """``params + factor · by``."""
    return jax.tree.map(lambda one, other: one + factor * other, params, by)


def run_one(
    circuit: Circuit, params: Params, objective: Objective, trial: Trial, key: Array, start: State | None
) -> tuple[Array, State]:
    """Loss, with penalties on rates, and final state of one trial under ``params``.

    Args:
        key: key of the trial, from which its circuit noise comes: the same for whatever parameters.
        start: state before the first step, variables (unit,), or None for the circuit's own.
    """
    noise = circuit.noise(key, trial.inputs.shape[0]) if circuit.noise_sd > 0 else None
    path = circuit.run(params, trial.inputs, valid=trial.valid, state=start, noise=noise)
    loss = objective(path.outputs, judged(trial))
    if objective.has_penalty:
        loss = loss + objective.penalty(path, trial.valid)
    return loss, {name: value[-1] for name, value in path.states.items()}


def by_trial(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    objective: Objective,
    *,
    trial_keys: Array,
    sigma: float,
    distribution: str = GAUSSIAN,
    initial: State | None = None,
    noise: Params | None = None,
) -> tuple[Params, dict[str, Any]]:
    """Mean over trials of ``(L(θ + σε) − L(θ))/σ · ε``, ε for each trial from its key.

    Args:
        trials: batch of trials, leaves (trial, …); trial_keys: (trial,).
        initial: state before the first step, variables (trial, unit); the circuit's own by default.
        noise: ε with a leading axis trial, in place of that drawn from the keys.

    Returns:
        gradients with the structure of ``params``, and ``info`` of the run without noise: ``loss``,
        ``losses`` (trial,), ``carry``; and ``shifted_losses`` (trial,).
    """
    num_trials = trials.inputs.shape[0]
    numbers = free_numbers(circuit, params)

    def one_tile(piece: Any, weight: Array) -> Any:
        batch, keys_here, start, epsilon = piece
        share = weight.astype(params["bias"].dtype) / num_trials
        if epsilon is None:
            streams = jax.vmap(lambda key: keys.stream(key, "rule"))(keys_here)
            epsilon = jax.vmap(lambda key: draw(key, numbers, distribution))(streams)

        def losses_of(params: Params, axis: int | None) -> tuple[Array, State]:
            def one(params: Params, trial: Trial, key: Array, start: State | None) -> tuple[Array, State]:
                return run_one(circuit, params, objective, trial, key, start)

            return jax.vmap(one, (axis, 0, 0, 0))(params, batch, keys_here, start)

        moved, _ = losses_of(shift(params, epsilon, sigma), 0)
        losses, final = losses_of(params, None)
        factor = share * (moved - losses) / sigma
        return jax.tree.map(lambda leaf: jnp.tensordot(factor, leaf, 1), epsilon), (losses, moved, final)

    grads, per_trial = tiles.map_tiles(one_tile, (trials, trial_keys, initial, noise))
    losses, moved, final = tiles.join(per_trial, num_trials)
    info = {"loss": losses.mean(), "losses": losses, "shifted_losses": moved, "carry": final}
    return jax.tree.map(lambda leaf: leaf.sum(0), grads), info


def by_pairs(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    objective: Objective,
    *,
    trial_keys: Array,
    sigma: float,
    num_pairs: int,
    direction: Callable[[Array], Params],
    rank_shaping: bool = False,
    initial: State | None = None,
) -> tuple[Params, dict[str, Any]]:
    """Mean over antithetic pairs of ``½ (L(θ + σε) − L(θ − σε))/σ · ε``, L the loss of the batch.

    Args:
        direction: ε of a pair by its index.
        rank_shaping: put the ranks of the losses among all runs, spread over [−½, ½], in place of the losses.

    Returns:
        gradients with the structure of ``params``, and ``info``: ``loss``, ``losses`` (trial,) and ``carry``
        are means over all runs, ``pair_losses`` is (pair, 2).
    """
    num_trials = trials.inputs.shape[0]

    def everywhere(params: Params) -> tuple[Array, State]:
        def one_tile(piece: Any, weight: Array) -> Any:
            def one(trial: Trial, key: Array, start: State | None) -> tuple[Array, State]:
                return run_one(circuit, params, objective, trial, key, start)

            return jax.vmap(one)(*piece)

        return tiles.join(tiles.map_tiles(one_tile, (trials, trial_keys, initial)), num_trials)

    def pair(index: Array) -> tuple[Array, Array, State]:
        epsilon = direction(index)
        (up, after_up), (down, after_down) = (
            everywhere(shift(params, epsilon, step)) for step in (sigma, -sigma)
        )
        middle = jax.tree.map(lambda one, other: (one + other) / 2, (up, after_up), (down, after_down))
        return jnp.stack([up.mean(), down.mean()]), *middle

    indices = jnp.arange(num_pairs)
    both, losses, final = jax.lax.map(pair, indices)
    worth = centred_ranks(both) if rank_shaping else both
    factors = (worth[:, 0] - worth[:, 1]) / (2 * sigma * num_pairs)

    def add(total: Params, now: tuple[Array, Array]) -> tuple[Params, None]:
        index, factor = now
        return shift(total, direction(index), factor), None

    grads, _ = jax.lax.scan(add, jax.tree.map(jnp.zeros_like, params), (indices, factors))
    losses, final = jax.tree.map(lambda leaf: leaf.mean(0), (losses, final))
    return grads, {"loss": losses.mean(), "losses": losses, "pair_losses": both, "carry": final}


def centred_ranks(values: Array) -> Array:
    """Ranks of all values, spread evenly over [−½, ½]; the smallest gets −½.

    Example:
        >>> centred_ranks(jnp.array([[3.0, 9.0], [-1.0, 8.0], [4.0, 2.0]])[:, :1]).tolist()
        [[0.0], [-0.5], [0.5]]
    """
    order = jnp.argsort(jnp.argsort(values.ravel())).reshape(values.shape)
    return (order / (values.size - 1) - 0.5).astype(values.dtype)
