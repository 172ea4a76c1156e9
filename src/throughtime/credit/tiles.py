"""Walking a batch in tiles of trials, on one core or on all of them, with the same bits either way.

The rows of a batch are independent until their gradients are added. A tile of about 16 trials keeps its
states in a core's cache for all time steps. Per-tile results are stacked and added in tile order, and the
tile size does not depend on the number of cores, so neither do the bits of the sum.
"""

from __future__ import annotations

import contextlib
import contextvars
from collections.abc import Callable, Iterator
from typing import Any

import jax
import jax.numpy as jnp

TILE = 16
AXIS = "core"
_cores: contextvars.ContextVar[int] = contextvars.ContextVar("cores sharing the tiles", default=1)


@contextlib.contextmanager
def shared_by(cores: int) -> Iterator[None]:
    """Within this context (at trace time, inside ``jax.shard_map`` over ``core``), tiles are shared."""
    token = _cores.set(cores)
    try:
        yield
    finally:
        _cores.reset(token)


def tile_shape(num_trials: int, cores: int = 1) -> tuple[int, int]:
    """Number of tiles and trials a tile for a batch; the tile size depends on the batch alone.

    Example:
        >>> tile_shape(64), tile_shape(37), tile_shape(5), tile_shape(37, cores=2)
        ((4, 16), (3, 13), (1, 5), (4, 13))
    """
    if jax.default_backend() != "cpu":
        return 1, num_trials
    tiles = -(-num_trials // TILE)
    size = -(-num_trials // tiles)
    return -(-tiles // cores) * cores, size


def map_tiles(function: Callable[[Any, Any], Any], batch: Any) -> Any:
    """Apply ``function(tile, weight)`` to every tile of ``batch`` and stack the results (tile, …).

    Args:
        function: gets a tile, the same record with (trial in tile, …), and ``weight`` (trial in tile,): 1
            for a trial of the batch, 0 for one that only fills up the last tile. Results must weigh
            accordingly.
        batch: a pytree whose leaves all have the leading axis trial.
    """
    num_trials = jax.tree.leaves(batch)[0].shape[0]
    cores = _cores.get()
    tiles, size = tile_shape(num_trials, cores)
    position = jnp.arange(tiles * size)
    index = jnp.minimum(position, num_trials - 1).reshape(tiles, size)
    weight = (position < num_trials).astype(jnp.float32).reshape(tiles, size)
    filled = tiles * size != num_trials

    def cut(leaf: Any) -> Any:
        return leaf[index] if filled else leaf.reshape(tiles, size, *leaf.shape[1:])

    pieces = (jax.tree.map(cut, batch), weight)
    if cores > 1:
        share = tiles // cores
        start = jax.lax.axis_index(AXIS) * share
        pieces = jax.tree.map(lambda leaf: jax.lax.dynamic_slice_in_dim(leaf, start, share), pieces)
    if tiles == 1:
        results = jax.tree.map(lambda leaf: leaf[None], function(*jax.tree.map(lambda leaf: leaf[0], pieces)))
    else:
        results = jax.lax.map(lambda piece: function(*piece), pieces)
    if cores > 1:
        results = jax.tree.map(lambda leaf: jax.lax.all_gather(leaf, AXIS, tiled=True), results)
    return results


def join(stacked: Any, num_trials: int) -> Any:
    """Undo the tiling of per-trial results: (tile, trial in tile, …) back to (trial, …)."""
    return jax.tree.map(
        lambda leaf: leaf.reshape(leaf.shape[0] * leaf.shape[1], *leaf.shape[2:])[:num_trials], stacked
    )
