"""Criteria that are published as an error among successful trials alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import jax.numpy as jnp

if TYPE_CHECKING:
    from jax import Array

    from throughtime.trial import Trial


def error_if_successful(error: Array, success: Array, finite: Array, bound: float) -> Array:
    """``error`` of a successful trial, ``bound`` of one that failed, 1 of one that is not finite.

    Failures then neither help nor hurt: the mean over all trials is at most ``bound`` exactly if the mean
    over the successful ones is.

    Example:
        >>> yes, no = jnp.asarray(True), jnp.asarray(False)
        >>> error = jnp.asarray(0.01)
        >>> [round(float(error_if_successful(error, won, yes, 0.025)), 3) for won in (yes, no)]
        [0.01, 0.025]
    """
    return jnp.where(finite, jnp.where(success, error, bound), 1.0).astype(jnp.float32)


def where_it_counts(outputs: Array, trial: Trial, rest: float) -> Array:
    """``outputs`` (time, output), and ``rest`` where they bear no loss; what is not finite stays."""
    outputs = jnp.asarray(outputs)
    return jnp.where((trial.mask > 0) | ~jnp.isfinite(outputs), outputs, rest)
