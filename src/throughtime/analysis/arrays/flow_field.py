"""Which credit a learning rule used, from how it changed the flow of activity."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays.checks import DegenerateError, finite

FLAT = 1e-10
"""Change of the flow, relative to the flow, below which it is rounding."""


class Flow(NamedTuple):
    """A linear map fitted to steps of activity.

    Attributes:
        matrix: (unit, unit) F. r_squared: share of the squared activity after a step that it explains.
        rank: dimensions that the activity fills; F is 0 on the others.
    """

    matrix: np.ndarray
    r_squared: float
    rank: int


class FlowField(NamedTuple):
    """Scores of two matrices by which errors could have been assigned to units; 1 at best, −1 at worst.

    Attributes:
        score_assumed, score_true: mean cosine of predicted and observed change of the flow.
        difference: score_assumed − score_true: above 0 for learning with the assumed matrix, as supervised
            learning does, below 0 for learning by the true decoder, as reinforcement learning does.
        relative_change: ‖ΔF‖/‖F‖ of the fitted flow.
        r_squared_before, r_squared_after: how well a linear flow describes activity.
        num_samples: steps the flow before learning was fitted to.
    """

    score_assumed: float
    score_true: float
    difference: float
    relative_change: float
    r_squared_before: float
    r_squared_after: float
    num_samples: int


def flow_field(
    before: np.ndarray,
    after: np.ndarray,
    outputs: np.ndarray,
    targets: np.ndarray,
    assumed: np.ndarray,
    true: np.ndarray,
    *,
    targets_after: np.ndarray,
    valid: np.ndarray | None = None,
    mask: np.ndarray | None = None,
    lag: int = 0,
) -> FlowField:
    """How well the change of a linear flow a_{t+1} ≈ F a_t is predicted by two ways to assign credit.

    F is fitted by least squares to trials before and to the same trials after learning; their difference is
    ΔF. A gradient step that assigns errors to units by a matrix M (output, unit) changes the flow along

        ΔF_M = Σ_t (Mᵀ e_t) a_tᵀ,   e_t = target_t − output_t,

    with activity and errors before learning. The score of M is the mean over samples of the cosine of
    ΔF_M a_t and ΔF a_t. Learning that assigns credit by an imperfect copy of the decoder scores higher for
    that copy, learning from reward, which needs none, for the decoder itself.

    Args:
        before, after: (trial, time, unit) activity in the same trials.
        outputs, targets: (trial, time, output) before learning.
        assumed, true: (output, unit) the copy and the decoder.
        targets_after: (trial, time, output), which must be the same as before.
        valid: (trial, time) bool, False on padding. mask: (trial, time, output) weights of the errors.
        lag: steps from activity to the error it is held to have caused; 0 in the definition.

    Raises:
        ValueError: for non-finite input, shapes that do not fit, other targets after learning, fewer steps
            than units, a flow without change, errors or a matrix that are all zero.

    Source: after Portes, Schmid & Murray 2022, NeurIPS; the equations are our operational definition.

    Example:
        >>> starts = np.random.default_rng(0).standard_normal((20, 1, 3))
        >>> old, decoder, other = 0.5 * np.eye(3), np.eye(3)[:1], np.eye(3)[1:2]
        >>> before = np.concatenate([starts, starts @ old.T], axis=1)
        >>> outputs, targets = before @ decoder.T, np.ones((20, 2, 1))
        >>> new = old + 0.01 * np.einsum("kto,ou,ktv->uv", targets - outputs, decoder, before)
        >>> after = np.concatenate([starts, starts @ new.T], axis=1)
        >>> found = flow_field(before, after, outputs, targets, other, decoder, targets_after=targets)
        >>> round(found.score_true, 6), round(abs(found.score_assumed), 6)
        (1.0, 0.0)
    """
    here = _valid(valid, np.shape(before)[:2])
    before, after = _trials("before", before, here), _trials("after", after, here)
    outputs, targets = _trials("outputs", outputs, here), _trials("targets", targets, here)
    targets_after = _trials("targets_after", targets_after, here)
    if after.shape != before.shape:
        raise ValueError(f"after: shape {after.shape}, before has {before.shape}; use the same units.")
    if outputs.shape != targets.shape:
        raise ValueError(f"outputs: shape {outputs.shape}, targets have {targets.shape}; use the same.")
    if targets_after.shape != targets.shape or not np.allclose(targets_after, targets):
        raise ValueError(
            "targets_after: not those before learning; a changed task changes the flow by itself, so compare "
            "the same trials of one task."
        )
    errors = targets - outputs
    if mask is not None:
        weights = _trials("mask", mask, here)
        if weights.shape != errors.shape:
            raise ValueError(f"mask: shape {weights.shape}, targets have {targets.shape}; use the same.")
        errors = errors * weights
    first, second = flow(before, valid=here), flow(after, valid=here)
    change = second.matrix - first.matrix
    size = float(np.linalg.norm(change) / np.linalg.norm(first.matrix))
    if not size > FLAT:
        raise DegenerateError("after: zero change of the flow from before; there is nothing to predict.")
    of_assumed, of_true = (
        score(name, change, credit, errors, before, valid=here, lag=lag)
        for name, credit in (("assumed", assumed), ("true", true))
    )
    return FlowField(
        score_assumed=of_assumed,
        score_true=of_true,
        difference=of_assumed - of_true,
        relative_change=size,
        r_squared_before=first.r_squared,
        r_squared_after=second.r_squared,
        num_samples=int((here[:, 1:] & here[:, :-1]).sum()),
    )


def flow(activity: np.ndarray, *, valid: np.ndarray | None = None) -> Flow:
    """Least-squares F of a_{t+1} ≈ F a_t over all steps within trials.

    Args:
        activity: (trial, time, unit). valid: (trial, time) bool.

    Raises:
        ValueError: for fewer steps than units, or activity that is all zero.

    Example:
        >>> turn = np.array([[0.0, -1.0], [1.0, 0.0]])
        >>> a = np.stack([np.linalg.matrix_power(turn, t) @ [1.0, 0.0] for t in range(4)])
        >>> flow(a[None]).matrix.round(9) + 0.0
        array([[ 0., -1.],
               [ 1.,  0.]])
    """
    here = _valid(valid, np.shape(activity)[:2])
    activity = _trials("activity", activity, here)
    both = here[:, :-1] & here[:, 1:]
    now, then = activity[:, :-1][both], activity[:, 1:][both]
    if len(now) < activity.shape[2]:
        raise ValueError(
            f"activity: {len(now)} steps of {activity.shape[2]} units; use at least as many steps as units."
        )
    total = float(np.sum(then**2))
    if not (total > 0 and now.any()):
        raise DegenerateError("activity: all 0 before or after every step; it has no flow.")
    transposed, _, rank, _ = np.linalg.lstsq(now, then, rcond=None)
    residual = float(np.sum((then - now @ transposed) ** 2))
    return Flow(transposed.T, 1 - residual / total, int(rank))


def score(
    name: str,
    change: np.ndarray,
    credit: np.ndarray,
    errors: np.ndarray,
    activity: np.ndarray,
    *,
    valid: np.ndarray | None = None,
    lag: int = 0,
) -> float:
    """Mean cosine of ΔF_M a_t and ΔF a_t over samples at which neither is 0; see :func:`flow_field`.

    Args:
        name: of the matrix, for messages. change: (unit, unit) ΔF. credit: (output, unit) M.
        errors: (trial, time, output). activity: (trial, time, unit). valid: (trial, time). lag: steps.

    Example:
        >>> a, errors = np.ones((1, 2, 2)), np.ones((1, 2, 1))
        >>> round(score("M", np.array([[1.0, 0.0], [0.0, 0.0]]), np.array([[3.0, 4.0]]), errors, a), 6)
        0.6
    """
    credit = finite(name, credit)
    if credit.shape != (errors.shape[2], activity.shape[2]):
        raise ValueError(
            f"{name}: shape {credit.shape}; expected (output, unit), here "
            f"{(errors.shape[2], activity.shape[2])}."
        )
    if not 0 <= lag < activity.shape[1]:
        raise ValueError(f"lag: {lag} steps in trials of {activity.shape[1]}; use 0 or a few.")
    here = _valid(valid, activity.shape[:2])
    both = here[:, : here.shape[1] - lag] & here[:, lag:]
    caused, cause = errors[:, lag:][both], activity[:, : here.shape[1] - lag][both]
    predicted = (caused @ credit).T @ cause
    if not predicted.any():
        raise DegenerateError(f"{name}: predicts no change of the flow; errors or matrix are all 0.")
    samples = activity[here]
    one, other = samples @ predicted.T, samples @ change.T
    sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
    return float(np.mean(np.sum(one * other, axis=1)[sizes > 0] / sizes[sizes > 0]))


def _trials(name: str, values: np.ndarray, here: np.ndarray) -> np.ndarray:
    """``values``, finite, and 0 on padding."""
    found = np.asarray(values, np.float64)
    if found.ndim != 3 or found.shape[:2] != here.shape:
        raise ValueError(
            f"{name}: shape {found.shape}; expected (trial, time, …) with the {here.shape[0]} trials and "
            f"{here.shape[1]} times of the activity before."
        )
    return finite(name, np.where(here[:, :, None], found, 0.0))


def _valid(valid: np.ndarray | None, shape: tuple[int, ...]) -> np.ndarray:
    if len(shape) != 2:
        raise ValueError(f"before: shape {shape}; expected (trial, time, unit).")
    here = np.ones(shape, bool) if valid is None else np.asarray(valid)
    if here.shape != shape or here.dtype != bool:
        raise ValueError(f"valid: {here.dtype} of shape {here.shape}; use booleans of shape {shape}.")
    return here
