"""How a circuit moves near a state: eigenvalues, time constants, selection vectors, non-normality."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import numpy as np
import scipy.linalg

from throughtime.analysis.arrays import checks, steps
from throughtime.analysis.arrays.blas import single_threaded

ROUNDING = 1e-13
"""Change of a mode within a step below which float64 tells it from none no longer."""
ILL_CONDITIONED = 1e8


class JacobianSpectrum(NamedTuple):
    """Spectra at ``point`` states; modes are ordered by size of the step's eigenvalue, largest first.

    Attributes:
        step_eig: (point, mode) complex, eigenvalues of J_step.
        cont_eig: (point, mode) complex, 1/ms, eigenvalues of J_cont.
        time_constant: (point, mode) ms, −1/Re λ_cont; infinite at 0, negative where a mode grows.
        time_constant_step: (point, mode) ms, −dt/ln|λ_step|; likewise.
        frequency: (point, mode) Hz, 1000·arg(λ_step)/(2π dt).
        right: (point, mode, state) complex, right eigenvectors of length 1, their largest entry positive.
        left: (point, mode, state) complex, selection vectors.
        eigenvector_condition: (point,) condition number of the matrix of right eigenvectors.
        henrici: (point,) 1/ms, departure of J_cont from normality.
        numerical_abscissa: (point,) 1/ms, largest rate at which the length of a deviation can grow.
    """

    step_eig: np.ndarray
    cont_eig: np.ndarray
    time_constant: np.ndarray
    time_constant_step: np.ndarray
    frequency: np.ndarray
    right: np.ndarray
    left: np.ndarray
    eigenvector_condition: np.ndarray
    henrici: np.ndarray
    numerical_abscissa: np.ndarray


def jacobian_spectrum(
    step: steps.Step, states: np.ndarray, *, dt: float, inputs: np.ndarray | None = None
) -> JacobianSpectrum:
    """Eigenvalues and eigenvectors of the Jacobian of a step at given states, such as fixed points.

        J_step = ∂step/∂s,   J_cont = (J_step − I)/dt,   J r_k = λ_k r_k,   l_kᵀ J = λ_k l_kᵀ,   l_kᵀ r_k = 1

    l_k is the selection vector of mode k: a deviation δ from a fixed point excites that mode by l_kᵀδ,
    whatever the angle between δ and r_k. A mode has two time constants: that of the continuous circuit, as
    one Euler step shows it, and that of the sequence of steps itself; they agree as dt goes to 0. Henrici's
    departure √(‖J‖_F² − Σ|λ|²), of J_cont, is 0 for normal matrices. The numerical abscissa is the largest
    eigenvalue of (J_cont + J_contᵀ)/2: above 0, deviations may grow at first though all modes decay.

    Args:
        step: next state from a state (state,), or from a state and an input (input,), noise-free, for JAX to
            trace, float64 in and out; parameters are bound by closure.
        states: (point, state). dt: ms.
        inputs: (input,), or (point, input) for an input of each state, where ``step`` takes one.

    Raises:
        ValueError: for non-finite or no states, dt that is not positive, inputs that are missing or of other
            points, a step that returns another shape or float32, or whose Jacobian is not finite at a state.

    Warns:
        UserWarning: where the condition number of the eigenvectors is above 1e8: the matrix is all but
            defective, and single eigenvectors mean little.

    Source: selection vectors, after Mante et al. 2013, Nature 503:78; departure from normality, Henrici 1962,
        Numer. Math. 4:24; numerical abscissa, Trefethen & Embree 2005, Spectra and Pseudospectra, Princeton.

    Example:
        >>> weights = np.array([[1.0, 1.0], [0.0, 0.0]])  # unit 1 holds what unit 2 passes on; tau = 10 ms
        >>> found = jacobian_spectrum(lambda s: s + 0.1 * (weights @ s - s), np.zeros((1, 2)), dt=1.0)
        >>> found.time_constant.round(9)[0], found.left[0, 0].real.round(9)
        (array([inf, 10.]), array([1., 1.]))
    """
    return prepare(step, dt=dt)(states, inputs)


def prepare(step: steps.Step, *, dt: float) -> Callable[..., JacobianSpectrum]:
    """:func:`jacobian_spectrum` at many states, and under many inputs: a function of both, compiled once."""
    dt, jacobians = steps.step_size(dt), prepare_jacobians(step)

    def measure(states: np.ndarray, inputs: np.ndarray | None = None) -> JacobianSpectrum:
        return spectrum(jacobians(states, inputs), dt=dt)

    return measure


def prepare_jacobians(step: steps.Step, *, among_others: bool = False) -> Callable[..., np.ndarray]:
    """Jacobians (point, state, state) of a step: a function of states and inputs, compiled once.

    One that is not finite is refused, unless ``among_others``.
    """
    transposed = steps.value_and_transposed_jacobian

    @jax.jit
    def jacobian_at(state: jax.Array, u: Any) -> jax.Array:
        return transposed(lambda s: step(s) if u is None else step(s, u))(state)[1].T

    def jacobians(states: np.ndarray, inputs: np.ndarray | None = None) -> np.ndarray:
        states = steps.states("states", states)
        given = _inputs(inputs, len(states))
        steps.refuse(steps.two_arguments(step, given[0]), states[0], given[0])
        with jax.enable_x64(True):
            jacobian = np.stack([np.asarray(jacobian_at(*each)) for each in zip(states, given, strict=True)])
        bad = np.flatnonzero(~np.isfinite(jacobian).all((1, 2)))
        if bad.size and not among_others:
            raise ValueError(
                f"states: the Jacobian of step is not finite at {bad.size} of {len(states)}, first at "
                f"{bad[0]}; leave these out."
            )
        return jacobian

    return jacobians


def spectrum(jacobian: np.ndarray, *, dt: float) -> JacobianSpectrum:
    """:func:`jacobian_spectrum` of Jacobians (point, state, state) of a step.

    Example:
        >>> found = spectrum(np.array([[[0.0, 5.0], [0.0, -1.0]]]), dt=1.0)
        >>> found.henrici.round(9), found.numerical_abscissa.round(9)
        (array([5.]), array([1.04950976]))
    """
    continuous = (jacobian - np.eye(jacobian.shape[1])) / dt
    with single_threaded():
        values, right = np.linalg.eig(jacobian)
        order = np.lexsort((-values.imag, -values.real, -np.abs(values)))
        values = np.take_along_axis(values, order, 1).astype(complex)
        right = _turned(np.take_along_axis(right, order[:, None, :], 2))
        condition = np.array([np.linalg.cond(each) for each in right])
        left = np.stack([_inverse(each) for each in right])
        symmetric = (continuous + continuous.transpose(0, 2, 1)) / 2
        abscissa = np.linalg.eigvalsh(symmetric)[:, -1]
        henrici = np.array([_departure(each) for each in continuous])
    if (bad := condition > ILL_CONDITIONED).any():
        warnings.warn(
            f"eigenvectors have a condition number of {condition.max():.1e} > 1e8 at {int(bad.sum())} of "
            f"{bad.size} states; single eigenvectors and selection vectors mean little there.",
            stacklevel=2,
        )
    rates = (values - 1) / dt
    with np.errstate(divide="ignore"):
        logarithm = np.log(np.abs(values))
    return JacobianSpectrum(
        step_eig=values,
        cont_eig=rates,
        time_constant=_time_constant(rates.real * dt, dt),
        time_constant_step=_time_constant(logarithm, dt),
        frequency=1000 * np.angle(values) / (2 * np.pi * dt),
        right=right.transpose(0, 2, 1),
        left=left,
        eigenvector_condition=condition,
        henrici=henrici,
        numerical_abscissa=abscissa,
    )


def _inputs(inputs: np.ndarray | None, count: int) -> list[np.ndarray | None]:
    """The input of each state."""
    if inputs is None or np.ndim(inputs) != 2:
        return [steps.constant_input(inputs)] * count
    if len(inputs) != count:
        raise ValueError(f"inputs: {len(inputs)} of them for {count} states; pass one, or one each.")
    return list(checks.finite("inputs", inputs))


def _time_constant(change: np.ndarray, dt: float) -> np.ndarray:
    """−dt over the relative change within a step, infinite where that is rounding."""
    none = np.abs(change) <= ROUNDING
    return np.where(none, np.inf, -dt / np.where(none, 1.0, change))


def _departure(matrix: np.ndarray) -> float:
    """√(‖matrix‖_F² − Σ|λ|²) without the difference: what a Schur form has above its diagonal."""
    return float(np.linalg.norm(np.triu(scipy.linalg.schur(matrix, output="complex")[0], 1)))


def _turned(vectors: np.ndarray) -> np.ndarray:
    """Eigenvectors, the columns, as complex ones with their largest entry real and positive."""
    largest = np.take_along_axis(vectors, np.abs(vectors).argmax(1)[:, None, :], 1)
    return vectors * (np.conj(largest) / np.abs(largest)).astype(complex)


def _inverse(matrix: np.ndarray) -> np.ndarray:
    """Inverse, NaN where there is none."""
    try:
        return np.asarray(np.linalg.inv(matrix))
    except np.linalg.LinAlgError:
        return np.full_like(matrix, np.nan)
