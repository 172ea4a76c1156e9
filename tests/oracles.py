"""Independent truths: finite differences, a BPTT in plain NumPy, and an autodiff of a separate scan."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax.flatten_util import ravel_pytree


def finite_differences(loss: Callable[[Any], Any], at: Any, h: float = 1e-6) -> Any:
    """Central differences ``(L(θ + h e) − L(θ − h e)) / 2h`` by every number of a pytree, in float64."""
    flat, rebuild = ravel_pytree(at)
    assert flat.dtype == jnp.float64, "finite differences need float64"

    @jax.jit
    def slope(direction: Any) -> Any:
        return (loss(rebuild(flat + h * direction)) - loss(rebuild(flat - h * direction))) / (2 * h)

    return rebuild(jax.lax.map(slope, jnp.eye(flat.size, dtype=flat.dtype), batch_size=64))


PHI = {
    "tanh": (np.tanh, lambda x: 1 - np.tanh(x) ** 2),
    "relu": (lambda x: np.maximum(x, 0), lambda x: (x > 0) * 1.0),
    "softplus": (lambda x: np.logaddexp(0, x), lambda x: 1 / (1 + np.exp(-x))),
    "sigmoid": (lambda x: 1 / (1 + np.exp(-x)), lambda x: np.exp(-x) / (1 + np.exp(-x)) ** 2),
    "retanh": (lambda x: np.maximum(np.tanh(x), 0), lambda x: (x > 0) * (1 - np.tanh(x) ** 2)),
}


def numpy_bptt(
    form: str,
    activation: str,
    alpha: Any,
    p: dict[str, np.ndarray],
    inputs: np.ndarray,
    targets: np.ndarray,
    mask: np.ndarray,
    noise: np.ndarray | None = None,
) -> tuple[float, dict[str, np.ndarray]]:
    """Loss ``Σ m (z − y)² / Σ m`` of one trial and its gradient by backpropagation through time.

    One trial, one step at a time, as in a textbook: no tiles, no JAX.
    """
    phi, dphi = PHI[activation]
    W, W_in, b, W_out, b_out = (p[name] for name in ("recurrent", "input", "bias", "readout", "readout_bias"))
    steps, units = len(inputs), len(b)
    s, u, r, z = (np.zeros((steps + 1, n)) for n in (units, units, units, len(b_out)))
    if form == "current":
        r[0] = phi(s[0])
    for t in range(1, steps + 1):
        u[t] = W @ r[t - 1] + W_in @ inputs[t - 1] + b + (0 if noise is None else noise[t - 1])
        if form == "current":
            s[t] = (1 - alpha) * s[t - 1] + alpha * u[t]
            r[t] = phi(s[t])
        else:
            s[t] = (1 - alpha) * s[t - 1] + alpha * phi(u[t])
            r[t] = s[t]
        z[t] = W_out @ r[t] + b_out
    error = 2 * mask * (z[1:] - targets) / mask.sum()
    grads = {name: np.zeros_like(value) for name, value in p.items()}
    credit = np.zeros(units)  # ∂L/∂s_{t+1} carried back by the leak
    delta = np.zeros(units)  # ∂L/∂u_{t+1}
    for t in range(steps, 0, -1):
        reaching = W_out.T @ error[t - 1] + W.T @ delta
        if form == "current":
            total = reaching * dphi(s[t]) + (1 - alpha) * credit
            delta = alpha * total
        else:
            total = reaching + (1 - alpha) * credit
            delta = alpha * dphi(u[t]) * total
        credit = total
        grads["recurrent"] += np.outer(delta, r[t - 1])
        grads["input"] += np.outer(delta, inputs[t - 1])
        grads["bias"] += delta
        grads["readout"] += np.outer(error[t - 1], r[t])
        grads["readout_bias"] += error[t - 1]
    return float((mask * (z[1:] - targets) ** 2).sum() / mask.sum()), grads


def scan_loss(
    form: str, phi: Callable[[Any], Any], alpha: Any, p: Any, trials: Any, noise: Any, start: Any
) -> Any:
    """Mean masked squared error of a batch by a scan that shares no code with the library; for ``jax.grad``.

    Args:
        noise: (trial, time, unit); start: (trial, unit) state before the first step.
    """

    def one(inputs: Any, targets: Any, mask: Any, valid: Any, noise: Any, start: Any) -> Any:
        def step(s: Any, now: Any) -> Any:
            x, xi, live = now
            r = phi(s) if form == "current" else s
            u = jnp.dot(p["recurrent"], r) + jnp.dot(p["input"], x) + p["bias"] + xi
            new = s + alpha * (-s + (u if form == "current" else phi(u)))
            s = jnp.where(live, new, s)
            return s, jnp.dot(p["readout"], phi(s) if form == "current" else s) + p["readout_bias"]

        _, z = jax.lax.scan(step, start, (inputs, noise, valid))
        return jnp.sum(mask * (z - targets) ** 2) / jnp.sum(mask)

    return jnp.mean(jax.vmap(one)(trials.inputs, trials.targets, trials.mask, trials.valid, noise, start))


def relative(found: Any, wanted: Any) -> float:
    """Largest over the leaves of ``‖found − wanted‖ / max(‖wanted‖, 1e-12)``."""
    pairs = zip(jax.tree.leaves(found), jax.tree.leaves(wanted), strict=True)
    return max(
        float(np.linalg.norm(np.asarray(f) - np.asarray(w)) / max(np.linalg.norm(np.asarray(w)), 1e-12))
        for f, w in pairs
    )


def norm(tree: Any) -> float:
    """Euclidean norm over all leaves."""
    return float(np.sqrt(sum(np.sum(np.asarray(leaf, float) ** 2) for leaf in jax.tree.leaves(tree))))
