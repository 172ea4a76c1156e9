"""The linear map that best tells the next state of a system from the present one."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays.checks import finite

RANK_TOLERANCE = 1e-10


class LinearOperator(NamedTuple):
    """A fit of trajectories by linear dynamics in ``r`` coordinates.

    Attributes:
        operator: (r, r) A. input_operator: (r, input) B; (r, 0) without inputs.
        basis: (r, embedded) orthogonal rows, of length 1 unless whitened; coordinates: (s − mean) @ basis.T.
        explained: share of the variance of s_{t+1} about its mean that the fit tells.
    """

    operator: np.ndarray
    input_operator: np.ndarray
    basis: np.ndarray
    explained: float


def linear_operator(
    activity: np.ndarray,
    *,
    num_delays: int = 1,
    rank: int | None = None,
    ridge: float = 0.0,
    whiten: bool = False,
    inputs: np.ndarray | None = None,
    name: str = "activity",
) -> LinearOperator:
    """Least-squares A (and B) of s_{t+1} = A s_t + B u_t + ε in the leading ``rank`` principal components.

    s_t stacks the activity of the last ``num_delays`` bins of a trial; transitions never cross trials. States
    are centred on their mean over all samples, and the fit has an intercept, so that the origin is no
    assumption. With ``ridge`` μ, A = S′Sᵀ(SSᵀ + μI)⁻¹.

    Args:
        activity: (trial, time, unit), or (time, unit) of one trial. A trial ends where a sample is NaN.
        num_delays: bins in a state; 1 where states are observed whole.
        rank: principal components kept; None for all that have variance.
        ridge: penalty μ on A and B, in squared units of the activity (a number once whitened).
        whiten: divide every component by its standard deviation. A then does not change under invertible maps
            of the state, where it otherwise turns with rotations and changes under other maps.
        inputs: (trial, time, input) acting from one bin to the next: bin t's input leads to s_t.

    Raises:
        ValueError: for too few transitions, a rank there is not, or a fit that data do not determine.

    Source: dynamic mode decomposition, Schmid 2010, J. Fluid Mech. 656:5; with control, Proctor et al. 2016,
    SIAM J. Appl. Dyn. Syst. 15:142.

    Example:
        >>> states = [np.array([1.0, 2.0])]
        >>> for _ in range(6):
        ...     states.append(np.array([[0.9, 0.2], [0.0, 0.5]]) @ states[-1])
        >>> found = linear_operator(np.array(states))
        >>> np.sort(np.linalg.eigvals(found.operator)).round(9)
        array([0.5, 0.9])
    """
    if not ridge >= 0:
        raise ValueError(f"ridge: {ridge}; use 0 or more.")
    now, after, told = _transitions(name, activity, num_delays, inputs)
    centre = now.mean(0)
    _, singular, right = np.linalg.svd(now - centre, full_matrices=False)
    full = int((singular > RANK_TOLERANCE * max(singular[0], 1e-300)).sum())
    kept = full if rank is None else rank
    if not 1 <= kept <= full:
        raise ValueError(
            f"{name}: rank {kept} where states vary along {full} directions; use a rank from 1 to {full}, or "
            "more delays."
        )
    basis = right[:kept]
    if whiten:
        basis = basis * (np.sqrt(len(now)) / singular[:kept, None])
    here, next_one = (now - centre) @ basis.T, (after - centre) @ basis.T
    regressors = np.concatenate([here, told], axis=1)
    mean_x, mean_y = regressors.mean(0), next_one.mean(0)
    x, y = regressors - mean_x, next_one - mean_y
    if len(x) <= x.shape[1] + 1:  # the intercept takes one
        raise ValueError(
            f"{name}: {len(x)} transitions for {x.shape[1]} regressors; use more samples or a lower rank."
        )
    gram = x.T @ x + ridge * np.eye(x.shape[1])
    scale = np.sqrt(np.maximum(np.diag(gram), 1e-300))
    if np.linalg.matrix_rank(gram / np.outer(scale, scale), tol=RANK_TOLERANCE, hermitian=True) < len(gram):
        raise ValueError(
            f"{name}: states and inputs do not determine the fit (their covariance is singular); use a lower "
            "rank, a ridge > 0, or inputs that vary by themselves."
        )
    found = np.linalg.solve(gram, x.T @ y).T
    total = float((y**2).sum())
    rest = float(((y - x @ found.T) ** 2).sum())
    return LinearOperator(found[:, :kept], found[:, kept:], basis, 1 - rest / total if total > 0 else np.nan)


def _transitions(
    name: str, activity: np.ndarray, num_delays: int, inputs: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """States (sample, embedded) and those one bin later, and the inputs (sample, input) in between."""
    array = np.asarray(activity, np.float64)
    array = array[None] if array.ndim == 2 else array
    if array.ndim != 3:
        raise ValueError(f"{name}: shape {np.shape(activity)}; expected (trial, time, unit) or (time, unit).")
    if num_delays < 1 or array.shape[1] <= num_delays:
        raise ValueError(
            f"num_delays: {num_delays} with {array.shape[1]} bins a trial; use 1 to {array.shape[1] - 1}."
        )
    if np.isinf(array).any():
        finite(name, array)
    told = np.zeros((*array.shape[:2], 0)) if inputs is None else np.asarray(inputs, np.float64)
    told = told[None] if told.ndim == 2 else told
    if told.shape[:2] != array.shape[:2]:
        raise ValueError(
            f"inputs: trials and bins {told.shape[:2]}, {name} has {array.shape[:2]}; pass the same ones."
        )
    count = array.shape[1] - num_delays + 1
    stacked = np.concatenate(
        [array[:, num_delays - 1 - lag : num_delays - 1 - lag + count] for lag in range(num_delays)], axis=2
    )
    now, after, there = stacked[:, :-1], stacked[:, 1:], told[:, num_delays:]
    sound = np.isfinite(now).all(2) & np.isfinite(after).all(2) & np.isfinite(there).all(2)
    if int(sound.sum()) < 2:
        raise ValueError(f"{name}: {int(sound.sum())} transitions without NaN; use at least 2.")
    return now[sound], after[sound], there[sound]
