"""Seeds as an ensemble over cores: one compilation, the same bits whatever the number of cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
from jax.sharding import Mesh, PartitionSpec

from throughtime.credit import tiles

GROUP = 4
"""Seeds that advance together, always as many: a seed's bits depend neither on the others nor on cores."""


def usable_cores() -> int:
    """CPU devices JAX started with; 1 where the backend is an accelerator."""
    return jax.local_device_count() if jax.default_backend() == "cpu" else 1


def over_seeds(
    function: Callable[..., Any], cores: int, states: Any, *shared: Any, side_by_side: bool = False
) -> Any:
    """``function(state, *shared)`` for every seed, results stacked on a leading axis seed.

    On a CPU, seeds run one after another on each core (batched matrix products of several circuits are
    slower there). With a number of seeds the cores divide, each core has seeds of its own and they never
    wait for each other; otherwise all cores share the tiles of each seed's batch. On an accelerator the
    seeds are one ``vmap``.

    Args:
        states: pytree whose leaves have a leading axis seed.
        shared: pytrees every seed gets whole.
        side_by_side: whether the seeds of a core advance together, ``GROUP`` at a time: for small circuits
            that take one trial at a time, whose steps cost less than starting them.
    """

    def one_after_another(states: Any, *shared: Any) -> Any:
        if side_by_side:
            together = jax.vmap(function, in_axes=(0, *(None for _ in shared)))
            return in_groups(lambda group: together(group, *shared), states)
        return jax.lax.map(lambda state: function(state, *shared), states)

    if jax.default_backend() != "cpu":
        return jax.vmap(function, in_axes=(0, *(None for _ in shared)))(states, *shared)
    if cores == 1:
        return one_after_another(states, *shared)
    mesh = Mesh(jax.devices()[:cores], (tiles.AXIS,))
    whole = PartitionSpec()
    number = jax.tree.leaves(states)[0].shape[0]
    if side_by_side and number > 1 and number % cores:
        filled = over_seeds(function, cores, filled_up(states, cores), *shared, side_by_side=True)
        return jax.tree.map(lambda leaf: leaf[:number], filled)
    if number % cores == 0:
        split = PartitionSpec(tiles.AXIS)
        specs = (split, *(whole for _ in shared))
        return jax.shard_map(one_after_another, mesh=mesh, in_specs=specs, out_specs=split, check_vma=False)(
            states, *shared
        )

    def together(states: Any, *shared: Any) -> Any:
        with tiles.shared_by(cores):
            return one_after_another(states, *shared)

    return jax.shard_map(together, mesh=mesh, in_specs=whole, out_specs=whole, check_vma=False)(
        states, *shared
    )


def filled_up(states: Any, multiple: int) -> Any:
    """States with the last one repeated until their number is a multiple of ``multiple``."""
    number = jax.tree.leaves(states)[0].shape[0]
    index = jnp.minimum(jnp.arange(-(-number // multiple) * multiple), number - 1)
    return jax.tree.map(lambda leaf: leaf[index], states)


def in_groups(together: Callable[[Any], Any], states: Any) -> Any:
    """``together`` over groups of ``GROUP`` seeds, the last one filled up with copies of the last seed."""
    number = jax.tree.leaves(states)[0].shape[0]
    groups = jax.tree.map(
        lambda leaf: leaf.reshape(leaf.shape[0] // GROUP, GROUP, *leaf.shape[1:]), filled_up(states, GROUP)
    )
    found = jax.lax.map(together, groups)
    return jax.tree.map(lambda leaf: leaf.reshape(leaf.shape[0] * GROUP, *leaf.shape[2:])[:number], found)
