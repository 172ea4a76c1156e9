"""The orthogonal change of coordinates that takes one linear map nearest to another."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np


class Search(NamedTuple):
    """Where the search came to.

    Attributes:
        rotations: (start, r, r) C at the end of each start.
        converged: (start,) whether the gradient vanished there.
    """

    rotations: np.ndarray
    converged: np.ndarray


def search(
    a: np.ndarray, b: np.ndarray, starts: np.ndarray, *, max_iterations: int, tolerance: float
) -> Search:
    """Local maxima of f(C) = tr(AᵀCBCᵀ) over orthogonal C, all starts at once, none of which ever falls.

    With c = ‖A‖₂‖B‖₂ the function f + c‖C‖² is convex, so C ← polar(ACBᵀ + AᵀCB + 2cC), which maximises its
    tangent, cannot lower f; there is no step size. The step is taken from a point extrapolated along the last
    one (Nesterov's momentum), which saves nine iterations in ten, and anew without it where f fell. A start
    ends where the gradient along the orthogonal group, ‖CᵀG − GᵀC‖ with G = ACBᵀ + AᵀCB, is below
    ``tolerance`` ‖A‖‖B‖; those that have ended take no further part.

    Args:
        a, b: (r, r). starts: (start, r, r) orthogonal.
        max_iterations: after which a start ends unconverged. tolerance: of the gradient.
    """
    shift = 2 * np.linalg.norm(a, 2) * np.linalg.norm(b, 2)
    least = tolerance * np.linalg.norm(a) * np.linalg.norm(b)
    found, converged = starts.copy(), np.zeros(len(starts), bool)
    moving = np.arange(len(starts))
    c, gradient = starts, _gradient(a, b, starts)
    before, gradient_before, age = c, gradient, np.zeros(len(starts))
    for iteration in range(max_iterations + 1):
        inner = c.transpose(0, 2, 1) @ gradient
        going = np.linalg.norm(inner - inner.transpose(0, 2, 1), axis=(1, 2)) > least
        found[moving], converged[moving[~going]] = c, True
        moving = moving[going]
        if not moving.size or iteration == max_iterations:
            break
        c, gradient, before, gradient_before, age = (
            each[going] for each in (c, gradient, before, gradient_before, age)
        )
        momentum = (age / (age + 3))[:, None, None]
        ahead, gradient_ahead = (
            c + momentum * (c - before),
            gradient + momentum * (gradient - gradient_before),
        )
        step = polar(gradient_ahead + shift * ahead)
        gradient_step = _gradient(a, b, step)
        fell = (_value(step, gradient_step) < _value(c, gradient)) & (age > 0)
        if fell.any():
            step[fell] = polar(gradient[fell] + shift * c[fell])
            gradient_step[fell] = _gradient(a, b, step[fell])
        before, gradient_before, c, gradient = c, gradient, step, gradient_step
        age = np.where(fell, 0, age) + 1
    return Search(found, converged)


def aligned_eigenvectors(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The orthogonal C that takes matched eigenvectors of B to those of A; exact where A = CBCᵀ.

    Eigenvectors have free phases. Gram matrices G of unit eigenvectors differ by them alone, so they are the
    leading eigenvector of G_A ∘ conj(G_B) without its diagonal, up to one phase for all, which makes M = V_A
    diag(d/|d|) V_B⁻¹ real. Eigenvectors orthogonal to all others keep the phase they have.
    """
    from scipy.optimize import linear_sum_assignment

    value_a, left = np.linalg.eig(a)
    value_b, right = np.linalg.eig(b)
    match = linear_sum_assignment(np.abs(value_a[:, None] - value_b[None]) ** 2)[1]
    right = right[:, match]
    product = (left.conj().T @ left) * (right.conj().T @ right).conj()
    np.fill_diagonal(product, 0)
    phase = np.linalg.eigh(product)[1][:, -1]
    size = np.abs(phase)
    there = (size > 1e-8) & (np.abs(product).max() > 1e-8)
    phase = np.where(there, phase / np.where(there, size, 1), 1)
    mapped = left * phase @ np.linalg.pinv(right)
    turn = np.exp(-0.5j * np.angle((mapped**2).sum()))
    return polar((turn * mapped).real)


def haar(size: int, count: int, seed: int) -> np.ndarray:
    """(count, size, size) orthogonal matrices, uniformly distributed, every other one of determinant −1."""
    rng = np.random.default_rng(seed)
    found = np.empty((count, size, size))
    for index in range(count):
        q, r = np.linalg.qr(rng.standard_normal((size, size)))
        q = q * np.sign(np.diag(r))
        if (np.linalg.det(q) > 0) != (index % 2 == 0):
            q[:, 0] *= -1
        found[index] = q
    return found


def polar(matrix: np.ndarray) -> np.ndarray:
    """The nearest orthogonal matrix, of one or of each of a stack."""
    left, _, right = np.linalg.svd(matrix)
    return np.asarray(left @ right)


def _gradient(a: np.ndarray, b: np.ndarray, c: np.ndarray) -> np.ndarray:
    return a @ c @ b.T + a.T @ c @ b


def _value(c: np.ndarray, gradient: np.ndarray) -> np.ndarray:
    return 0.5 * np.einsum("sij,sij->s", c, gradient)
