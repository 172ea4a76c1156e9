"""How sharply a loss curves at its parameters: extreme eigenvalues and trace of the Hessian."""

from __future__ import annotations

import contextlib
import inspect
import math
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree

from throughtime.analysis.arrays.checks import finite

DENSE_BELOW = 100
NUM_VECTORS = 64  # of Lanczos iterations before a restart


class Sharpness(NamedTuple):
    """Curvature of a loss of ``n`` parameters; residuals and eigenvalues are each (2,).

    Attributes:
        eigenvalue: largest and smallest, with their signs.
        residual: ‖Hv − λv‖ of each, with ‖v‖ = 1.
        trace: of the Hessian. trace_error: standard error of its estimate; 0 where it is exact.
        stability_limit: 2/η; NaN without a learning rate.
        num_params: n.
        converged: whether both eigenvalues were found; one that was not is NaN, as is its residual.
    """

    eigenvalue: np.ndarray
    residual: np.ndarray
    trace: float
    trace_error: float
    stability_limit: float
    num_params: int
    converged: bool


def sharpness(
    loss: Callable[[Any], Any],
    params: Any,
    *,
    seed: int,
    learning_rate: float | None = None,
    num_probes: int = 100,
    tolerance: float = 1e-8,
    max_iterations: int = 200,
    num_vectors: int = NUM_VECTORS,
) -> Sharpness:
    """Extreme eigenvalues and trace of the Hessian H of a loss, at all its parameters as one vector θ.

    Gradient descent θ ← θ − η∇L on a quadratic loss shrinks along an eigenvector of eigenvalue λ > 0 while
    λ < 2/η and grows beyond; along negative ones it always leaves. Below 100 parameters H is computed and all
    its eigenvalues with it. Above, products of H with vectors, the derivative of ∇L(θ + εv) by ε, are all
    that is needed: the two ends of the spectrum come from Lanczos iterations, and the trace is the mean of
    zᵀHz over random signs z, an unbiased estimate of variance 2 Σ_{i≠j} H_ij².

    Args:
        loss: scalar of parameters in the structure of ``params``, traceable by JAX: float64 in and out, on a
            fixed batch.
        params: array, or dict or other pytree of arrays; they are taken to float64.
        seed: of probes and of the first Lanczos vector.
        learning_rate: η.
        num_probes: of the trace, at least 2.
        tolerance: of the residuals, relative to the eigenvalue largest in size.
        max_iterations: restarts of Lanczos iterations, each of up to ``num_vectors`` products. Eigenvalues
            that crowd together at one end need many.
        num_vectors: kept between restarts; fewer make a rough answer cheaper, and a sharp one dearer.

    Raises:
        ValueError: for non-finite or no parameters, a loss that is not one finite float64 number, a learning
            rate that is not positive, or fewer than 2 probes.

    Source: products, Pearlmutter 1994, Neural Comput. 6:147; trace, Hutchinson 1989, Commun. Stat. Simul.
        Comput. 18:1059; 2/η, Cohen et al. 2021, ICLR.

    Example:
        >>> def loss(p):
        ...     return (p["a"] * p["b"] - 1) ** 2 / 2
        >>> found = sharpness(loss, {"a": 0.0, "b": 0.0}, seed=0, learning_rate=0.5)
        >>> found.eigenvalue.round(9), round(found.trace, 9), found.stability_limit
        (array([ 1., -1.]), 0.0, 4.0)
    """
    return prepare(
        loss, seed=seed, learning_rate=learning_rate, num_probes=num_probes, tolerance=tolerance,
        max_iterations=max_iterations,
        num_vectors=num_vectors,
    )(params)  # fmt: skip


def prepare(
    loss: Callable[[Any], Any],
    *,
    seed: int,
    learning_rate: float | None = None,
    num_probes: int = 100,
    tolerance: float = 1e-8,
    max_iterations: int = 200,
    num_vectors: int = NUM_VECTORS,
) -> Callable[[Any], Sharpness]:
    """:func:`sharpness` of many parameters of one structure: a function of these, compiled once."""
    if learning_rate is not None and not (math.isfinite(learning_rate) and learning_rate > 0):
        raise ValueError(f"learning_rate: {learning_rate!r} is not a number > 0.")
    if num_probes < 2:
        raise ValueError(f"num_probes: {num_probes}; use at least 2, so that the trace has an error.")
    limit = math.nan if learning_rate is None else 2 / learning_rate
    value, dense, product = jax.jit(loss), jax.jit(_hessian(loss)), jax.jit(_product(loss))

    def one(params: Any) -> Sharpness:
        with jax.enable_x64(True):
            double = jax.tree.map(lambda leaf: jnp.asarray(finite("params", leaf)), params)
            size = sum(leaf.size for leaf in jax.tree.leaves(double))
            if not size:
                raise ValueError("params: no parameters; pass those the loss is a function of.")
            _check(loss, value, double)
            if size < DENSE_BELOW:
                found = _dense(np.asarray(dense(double)))
            else:
                found = _iterate(
                    lambda v: np.asarray(product(double, jnp.asarray(v))), size, seed, num_probes, tolerance,
                    max_iterations, num_vectors,
                )  # fmt: skip
        eigenvalue, residual, trace, error = found
        converged = bool(np.isfinite(eigenvalue).all())
        return Sharpness(eigenvalue, residual, trace, error, limit, size, converged)

    return one


def _hessian(loss: Callable[[Any], Any]) -> Callable[[Any], jax.Array]:
    def hessian(params: Any) -> jax.Array:
        theta, rebuild = ravel_pytree(params)
        return jax.hessian(lambda flat: loss(rebuild(flat)))(theta)

    return hessian


def _product(loss: Callable[[Any], Any]) -> Callable[[Any, jax.Array], jax.Array]:
    def product(params: Any, v: jax.Array) -> jax.Array:
        theta, rebuild = ravel_pytree(params)
        return jax.jvp(jax.grad(lambda flat: loss(rebuild(flat))), (theta,), (v,))[1]

    return product


def is_finite(loss: Callable[[Any], Any], params: Any) -> bool:
    """Whether all parameters and the loss at them are finite.

    Example:
        >>> is_finite(jnp.sum, np.ones(3)), is_finite(jnp.sum, np.array([np.nan]))
        (True, False)
    """
    leaves = [np.asarray(leaf, np.float64) for leaf in jax.tree.leaves(params)]
    if not all(np.isfinite(leaf).all() for leaf in leaves):
        return False
    with jax.enable_x64(True):
        double = jax.tree.map(lambda leaf: jnp.asarray(leaf, jnp.float64), params)
        return bool(np.isfinite(jax.jit(loss)(double)))


def _dense(hessian: np.ndarray) -> tuple[np.ndarray, np.ndarray, float, float]:
    trace = float(np.trace(hessian))
    if not np.isfinite(hessian).all():
        return np.full(2, np.nan), np.full(2, np.nan), trace, 0.0
    values, vectors = np.linalg.eigh((hessian + hessian.T) / 2)
    values, vectors = values[[-1, 0]], vectors[:, [-1, 0]]
    residual = np.linalg.norm(hessian @ vectors - values * vectors, axis=0)
    return values, residual, trace, 0.0


def _iterate(
    product: Callable[[np.ndarray], np.ndarray],
    size: int,
    seed: int,
    num_probes: int,
    tolerance: float,
    max_iterations: int,
    num_vectors: int,
) -> tuple[np.ndarray, np.ndarray, float, float]:
    """The same from products with vectors."""
    from scipy.sparse.linalg import ArpackError, LinearOperator, eigsh

    rng = np.random.default_rng(seed)
    probes = rng.choice([-1.0, 1.0], (num_probes, size))
    samples = np.array([probe @ product(probe) for probe in probes])
    trace, error = float(samples.mean()), float(samples.std(ddof=1) / math.sqrt(num_probes))
    start, nothing = rng.standard_normal(size), np.full(2, np.nan)
    ahead = product(start)
    if not np.isfinite(ahead).all():
        return nothing, nothing, trace, error
    if not ahead.any():  # H is 0, for almost every start, and gives Lanczos iterations nothing to go on
        return np.zeros(2), np.zeros(2), trace, error

    def lanczos(shift: float, **options: Any) -> tuple[np.ndarray, np.ndarray]:
        operator = LinearOperator(
            (size, size), matvec=lambda v: product(v.ravel()) + shift * v.ravel(), dtype=np.float64
        )
        if "rng" in inspect.signature(eigsh).parameters:  # of SciPy 1.17; used where vectors run out
            options["rng"] = rng
        return eigsh(operator, v0=start, ncv=min(size, num_vectors), maxiter=max_iterations, **options)

    # An eigenvalue counts as converged when its residual is small beside itself, which one near 0 hardly ever
    # is; shifted by twice the largest, both are measured by that.
    try:
        shift = 2 * float(np.abs(lanczos(0.0, k=1, which="LM", tol=1e-2)[0][0]))
    except ArpackError:
        return nothing, nothing, trace, error
    try:
        values, vectors = lanczos(shift, k=2, which="BE", tol=tolerance)
        vectors = vectors[:, np.argsort(values)[::-1]]
    except ArpackError:  # one end may be found without the other
        vectors = np.full((size, 2), np.nan)
        for column, which in enumerate(("LA", "SA")):
            with contextlib.suppress(ArpackError):
                vectors[:, column] = lanczos(shift, k=1, which=which, tol=tolerance)[1][:, 0]
    ahead = np.stack([product(vector) for vector in vectors.T], axis=1)
    values = np.sum(vectors * ahead, axis=0)  # loses no digits to the shift
    return values, np.linalg.norm(ahead - values * vectors, axis=0), trace, error


def _check(loss: Callable[[Any], Any], value: Callable[[Any], Any], params: Any) -> None:
    """Refuse a loss of another shape or precision before anything is compiled, and one that is not finite."""
    told = jax.eval_shape(loss, params)
    if jnp.shape(told) != () or told.dtype != jnp.float64:
        raise ValueError(
            f"loss: returns {told.dtype} of shape {jnp.shape(told)}; return one float64 number, and drop "
            "casts to less."
        )
    finite("loss", value(params), "the Hessian is not defined there; drop these parameters")
