"""Random keys: four integers rebuild any trial, and no stream of randomness reuses another's draws.

A trial's key is ``fold_in(fold_in(fold_in(key(seed), purpose), update), trial)``. Whoever draws from it
(task, circuit, rule) first folds in the code of its own stream. Codes are never renumbered.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import jax

import throughtime.runtime  # noqa: F401  (settings JAX reads when its backend starts)

if TYPE_CHECKING:
    from jax import Array
    from jax.typing import ArrayLike

PURPOSES = {"train": 0, "validation": 1, "test": 2, "analysis": 3, "transfer": 4}
STREAMS = {"task": 0x7461, "circuit": 0x6369, "rule": 0x7275, "init": 0x696E, "spiking": 0x7370}
SEEDS = {"init": 0, "data": 1, "rule": 2}


def seed_key(seed: ArrayLike, role: str) -> Array:
    """Root key of one of the three seeds of a run: ``"init"``, ``"data"`` or ``"rule"``.

    The roles are separate folds of the number, so ``seeds=range(n)`` can set all three from one.
    """
    return jax.random.fold_in(jax.random.key(seed), SEEDS[role])


def trial_key(root: Array, purpose: str, update: ArrayLike, trial: ArrayLike) -> Array:
    """Key of one trial under ``root``; ``purpose`` keeps training and held-out trials disjoint."""
    key = jax.random.fold_in(root, PURPOSES[purpose])
    return jax.random.fold_in(jax.random.fold_in(key, update), trial)


def trial_keys(root: Array, purpose: str, update: ArrayLike, num_trials: int) -> Array:
    """Keys (trial,) of trials ``0 … num_trials − 1`` of one update."""
    return of_batch(jax.random.fold_in(jax.random.fold_in(root, PURPOSES[purpose]), update), num_trials)


def of_batch(key: Array, num_trials: int) -> Array:
    """Keys (trial,) of the trials of one batch, ``fold_in(key, trial)``."""
    return jax.vmap(jax.random.fold_in, (None, 0))(key, jax.numpy.arange(num_trials))


_rule_seed: contextvars.ContextVar[Any] = contextvars.ContextVar("seed of the rule's draws", default=None)


@contextlib.contextmanager
def rule_draws(seed: Any) -> Iterator[None]:
    """Within this context (at trace time) the stream ``"rule"`` also depends on ``seed``, and no other does.

    The trials and the circuit noise of a run come from one seed, what its rule tries from another.
    """
    token = _rule_seed.set(seed)
    try:
        yield
    finally:
        _rule_seed.reset(token)


def stream(key: Array, name: str) -> Array:
    """Key of one stream (``"task"``, ``"circuit"``, ``"rule"``, ``"init"``, ``"spiking"``) within ``key``."""
    folded, seed = jax.random.fold_in(key, STREAMS[name]), _rule_seed.get()
    return folded if name != "rule" or seed is None else jax.random.fold_in(folded, seed)
