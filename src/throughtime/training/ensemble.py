"""Seeds as an ensemble over cores: one compilation, the same bits whatever the number of cores."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
from jax.sharding import Mesh, PartitionSpec

from throughtime.credit import tiles


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
        side_by_side: whether the seeds of a core advance together (one ``vmap``): for small circuits that
            take one trial at a time, whose steps cost less than starting them.
    """

    def one_after_another(states: Any, *shared: Any) -> Any:
        if side_by_side:
            return jax.vmap(function, in_axes=(0, *(None for _ in shared)))(states, *shared)
        return jax.lax.map(lambda state: function(state, *shared), states)

    if jax.default_backend() != "cpu":
        return jax.vmap(function, in_axes=(0, *(None for _ in shared)))(states, *shared)
    if cores == 1:
        return one_after_another(states, *shared)
    mesh = Mesh(jax.devices()[:cores], (tiles.AXIS,))
    whole = PartitionSpec()
    if jax.tree.leaves(states)[0].shape[0] % cores == 0:
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
