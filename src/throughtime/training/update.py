"""The only update: trials from keys, gradient by the rule, clipping, optimiser; many on the device."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import optax

from throughtime import keys
from throughtime.circuits.simulate import forward
from throughtime.credit import tiles
from throughtime.objectives import add_weight_penalty
from throughtime.training.criterion import LOSS
from throughtime.training.ensemble import over_seeds
from throughtime.training.plan import Plan, SeedState
from throughtime.trial import judged

if TYPE_CHECKING:
    from jax import Array

MEASURES = ("loss", "gradient_norm", "clipped_fraction", "learning_rate")


def start(plan: Plan, init_seeds: Any, data_seeds: Any, rule_seeds: Any, given: Any = None) -> SeedState:
    """States of all seeds before the first update; ``given`` parameters (seed, …) replace the drawn ones.

    Each seed is drawn by a program of its own, so that its bits do not depend on the other seeds.
    """
    states = []
    for index, (init_seed, data_seed, rule_seed) in enumerate(
        zip(init_seeds, data_seeds, rule_seeds, strict=True)
    ):
        if given is None:
            params = plan.circuit.init(key=keys.seed_key(init_seed, "init"))
        else:
            params = {name: jnp.asarray(value[index]) for name, value in given.items()}
        states.append(_start(plan, params, jnp.uint32(data_seed), jnp.uint32(rule_seed)))
    return jax.tree.map(lambda *leaves: np.stack(leaves), *states)


@partial(jax.jit, static_argnames="plan")
def _start(plan: Plan, params: Any, data_seed: Array, rule_seed: Array) -> SeedState:
    rule_key = keys.stream(keys.seed_key(rule_seed, "rule"), "rule")
    rule = plan.rule.init(plan.circuit, params, key=rule_key)
    carry = plan.rule.initial_carry(plan.circuit, params, rule, plan.batch_size) if plan.carry_state else {}
    return SeedState(
        params=params,
        optimizer=plan.transformation().init(plan.trained(params)),
        rule=rule,
        data_seed=data_seed,
        rule_seed=rule_seed,
        carry=carry,
        active=jnp.array(True),
        num_updates=jnp.array(0, jnp.int32),
        diverged_update=jnp.array(-1, jnp.int32),
    )


def make_trials(task: Any, batch_size: int, data_seed: Array, update: Array) -> tuple[Any, Array]:
    """Training trials of one update, and the key their streams fold from."""
    key = jax.random.fold_in(keys.seed_key(data_seed, "data"), keys.PURPOSES["train"])
    key = jax.random.fold_in(key, update)
    each = keys.of_batch(key, batch_size)
    return jax.vmap(task.trial)(each), key


def one_update(plan: Plan, state: SeedState, update: Array, learning_rate: Array) -> tuple[SeedState, Array]:
    """One update of one seed, and its measures in the order of ``MEASURES``."""
    trials, key = make_trials(plan.task, plan.batch_size, state.data_seed, update)
    with keys.rule_draws(state.rule_seed):
        grads, rule_state, info = plan.rule.gradient(
            plan.circuit, state.params, state.rule, trials, plan.objective, key=key,
            carry=state.carry if plan.carry_state else None, update=update,
        )  # fmt: skip
    grads, info = add_weight_penalty(plan.circuit, plan.objective, state.params, grads, info)
    grads = plan.trained(grads)
    norm = optax.tree.norm(grads)
    finite = jnp.isfinite(norm) & jnp.isfinite(info["loss"])
    clipped, fraction = (grads, jnp.zeros(())) if plan.clip is None else plan.clip(grads)
    moves, optimizer = plan.transformation().update(clipped, state.optimizer, plan.trained(state.params))
    sizes = dict(plan.step_sizes)
    moved = {name: state.params[name] + sizes.get(name, learning_rate) * move for name, move in moves.items()}
    params, rule_state = plan.rule.after_update(
        plan.circuit, state.params, {**state.params, **moved}, rule_state
    )
    after = state._replace(
        params=params,
        optimizer=optimizer,
        rule=rule_state,
        carry=info["carry"] if plan.carry_state else {},
        num_updates=update + 1,
    )
    failed = state._replace(active=jnp.array(False), diverged_update=update + 1)
    after = jax.tree.map(lambda good, bad: jnp.where(finite, good, bad), after, failed)
    return after, jnp.stack([info["loss"], norm, fraction, learning_rate]).astype(jnp.float32)


@partial(jax.jit, static_argnames="plan")
def advance(
    plan: Plan, states: SeedState, first: Array, count: Array, rates: Array
) -> tuple[SeedState, Array]:
    """Updates ``first … first + count − 1`` of every active seed, without leaving the device.

    Args:
        rates: (update,) learning rates, at least ``count`` of them.

    Returns:
        new states, and the mean of each measure over the updates each seed made, (seed, measure): NaN for
        a seed that made none; a non-finite loss shows in the mean.
    """

    def one(state: SeedState, first: Array, count: Array, rates: Array) -> tuple[SeedState, Array]:
        def body(index: Array, carry: tuple[SeedState, Array, Array]) -> tuple[SeedState, Array, Array]:
            state, total, made = carry

            def work(state: SeedState) -> tuple[SeedState, Array, Array]:
                after, measures = one_update(plan, state, first + index, rates[index])
                return after, total + measures, made + 1

            return jax.lax.cond(state.active, work, lambda state: (state, total, made), state)

        zero = (state, jnp.zeros(len(MEASURES), jnp.float32), jnp.zeros((), jnp.int32))
        state, total, made = jax.lax.fori_loop(0, count, body, zero)
        return state, total / jnp.where(made > 0, made, jnp.nan)

    return over_seeds(one, plan.cores, states, first, count, rates, side_by_side=plan.side_by_side)


@partial(jax.jit, static_argnames=("plan", "num_trials", "with_loss"))
def validate(
    plan: Plan, num_trials: int, params: Any, data_seeds: Array, update: Array, with_loss: bool = False
) -> tuple[Any, Any]:
    """Scores and conditions of held-out trials, name -> (seed, trial); circuit noise on.

    ``with_loss`` adds the score ``loss``, the objective without its penalties.
    """

    def one(state: tuple[Any, Array], update: Array) -> tuple[Any, Any]:
        params, data_seed = state
        weights = plan.circuit.weights(params)
        root = keys.seed_key(data_seed, "data")

        def tile(both: tuple[Array, Array | None], weight: Array) -> tuple[Any, Any]:
            each, previous = both
            trials = jax.vmap(plan.task.trial)(each)
            start = None if previous is None else after_trials(plan.task, plan.circuit, params, previous)
            _, outputs = forward(plan.circuit, params, weights, trials, each, start)
            scores = jax.vmap(plan.task.score, in_axes=(1, 0))(outputs, trials)
            if with_loss:
                scores = {**scores, LOSS: jax.vmap(plan.objective, in_axes=(1, 0))(outputs, judged(trials))}
            return scores, trials.conditions

        held_out = held_out_keys(root, "validation", update, num_trials, plan.carry_state)
        return tiles.join(tiles.map_tiles(tile, held_out), num_trials)

    return over_seeds(one, plan.cores, (params, data_seeds), update)


def held_out_keys(
    root: Array, purpose: str, update: Any, num_trials: int, carry_state: bool
) -> tuple[Array, Array | None]:
    """Keys of held-out trials, and of the trial before each where states are carried over."""
    if not carry_state:
        return keys.trial_keys(root, purpose, update, num_trials), None
    both = keys.trial_keys(root, purpose, update, 2 * num_trials)
    return both[:num_trials], both[num_trials:]


def after_trials(task: Any, circuit: Any, params: Any, each: Array) -> dict[str, Array]:
    """State at the end of the trials of these keys, variables (trial, unit)."""
    unfolded, _ = forward(circuit, params, circuit.weights(params), jax.vmap(task.trial)(each), each)
    return {name: states[-1] for name, states in unfolded.states.items()}
