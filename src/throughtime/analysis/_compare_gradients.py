"""All measures of a rule's gradient beside the exact one, as one dataset."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._gradient_comparison import (
    DRAW,
    SEED,
    feedback_alignment,
    gradient_alignment,
    gradient_bias_variance,
    one_step_change,
)
from throughtime.analysis._named import describe
from throughtime.analysis.arrays.gradient_norms import steps_back

TIME = "time"
HessianProduct = Callable[[dict[str, np.ndarray]], Mapping[str, Any]]


def compare_gradients(
    draws: xr.Dataset,
    exact: xr.Dataset,
    *,
    product: HessianProduct | Sequence[HessianProduct] | None = None,
    learning_rate: float | None = None,
    measured: xr.DataArray | None = None,
    feedback: xr.DataArray | None = None,
    readout: xr.DataArray | None = None,
    lags: Sequence[float] = (),
    trajectory: str = "given parameters",
    confidence: float = 0.95,
    population: bool = False,
) -> xr.Dataset:
    """A rule's gradients beside the exact ones at the same weights: direction, bias, variance, effect.

    With draws ĝ_k, k = 1 … K, of mean ḡ and sample covariance Σ, the gradient g and the Hessian H::

        cosine = ⟨ĝ_k, g⟩/(‖ĝ_k‖‖g‖)          bias² = (‖ḡ − g‖² − tr Σ/K)/‖g‖²
        relative variance = tr Σ/‖g‖²          predicted change = mean_k( −η⟨g, ĝ_k⟩ + ½η² ĝ_kᵀHĝ_k )

    It is :func:`gradient_alignment`, :func:`gradient_bias_variance`, and where there is what they need,
    :func:`one_step_change` and :func:`feedback_alignment`. ``tt.compare_gradients`` draws the gradients of
    rules by itself; this function takes gradients from anywhere.

    A dim ``time`` in both arguments holds the shares of the steps of a trial. Everything is then measured on
    their sum, and the shares themselves in ``step_cosine``: the share of step t beside the exact share of
    step t. ``lagged_cosine`` sets the share of step t beside the exact one of t − lag, for gradients that
    know only a window of the past, as a mean over the steps where both are there and not zero.

    Args:
        draws: one variable a block, ([seed,] [draw,] [time,] …). A gradient without a dim ``draw`` is that of
            a rule without chance: its bias is what it is, and its variance 0.
        exact: the same blocks, ([seed,] [time,] …).
        product: v -> H v, dictionaries of arrays; one function a seed where there are seeds.
        learning_rate: η of the step. measured: ([seed,] [draw,]) changes of the loss by the steps made.
        feedback: (…, unit, output) weights that carry the error back. readout: (…, output, unit).
        lags: ms, increasing multiples of the spacing of ``time``.
        trajectory: where the gradients were taken, for the attributes, such as "checkpoints of BPTT".
        confidence: of the intervals. population: the draws are all that can occur.

    Returns:
        Dataset: ``cosine, norm_ratio`` ([seed,] [draw,] block); ``bias_squared, bias, mean_norm_squared,
        variance, relative_variance, signal_to_noise`` ([seed,] block), with ``…_lower`` and ``…_upper``;
        ``step_cosine`` (…, time, block) and ``lagged_cosine`` (…, lag, block); ``predicted_change,
        measured_change, best_step, best_change, slope, curvature`` ([seed]); ``feedback_cosine`` (…).

    Raises:
        ValueError: as these functions; for ``product`` without ``learning_rate`` or the reverse, ``feedback``
            without ``readout`` or the reverse, shares in one argument alone, or lags without shares.

    Source: Lillicrap et al. 2016, Nat. Commun. 7:13276 (alignment); the rest is our operational definition.

    Example:
        >>> g = xr.Dataset({"bias": ("unit", [3.0, 4.0])})
        >>> draws = xr.Dataset({"bias": (("draw", "unit"), [[6.0, 4.0], [3.0, 7.0], [3.0, 4.0]])})
        >>> found = compare_gradients(draws, g, population=True)
        >>> found.bias.values.round(4), found.relative_variance.values.round(4)
        (array([0.2828, 0.2828]), array([0.16, 0.16]))
    """
    _check(draws, exact, product, learning_rate, measured, feedback, readout, lags)
    shares = draws, exact
    if _has(exact, TIME):
        draws, exact = draws.sum(TIME), exact.sum(TIME)
    certain = not _has(draws, DRAW)
    together = draws.expand_dims(DRAW) if certain else draws
    parts = [
        gradient_alignment(draws, exact),
        gradient_bias_variance(together, exact, confidence=confidence, population=population or certain),
    ]
    if _has(shares[1], TIME):
        parts.append(_by_step(*shares, lags))
    if product is not None and learning_rate is not None:
        options = {"confidence": confidence, "population": population or certain}
        parts.append(_steps(draws, exact, product, learning_rate, measured, options))
    if feedback is not None:
        parts.append(feedback_alignment(xr.Dataset({"rule_feedback": feedback, "readout": readout})))
    dataset = xr.merge(parts, combine_attrs="override", compat="no_conflicts", join="outer")
    told = {
        "learning_rate": learning_rate,
        "trajectory": trajectory,
        "confidence": confidence,
        "population": int(population or certain),
    }
    return describe(dataset, "compare_gradients", told)


def _by_step(draws: xr.Dataset, exact: xr.Dataset, lags: Sequence[float]) -> xr.Dataset:
    """``step_cosine``, and with lags ``lagged_cosine``."""

    def cosines(back: int) -> xr.DataArray:
        count = exact.sizes[TIME] - back
        each = [
            gradient_alignment(draws.isel({TIME: step + back}), exact.isel({TIME: step}))["cosine"]
            for step in range(count)
        ]
        joined = xr.concat(each, TIME, coords="minimal", compat="override", join="exact")
        return joined.transpose(..., TIME, "block").drop_vars(TIME, errors="ignore")

    at_once = cosines(0)
    at_once.attrs = {"units": "1", "long_name": "cosine of a step's share with the exact share"}
    found = xr.Dataset({"step_cosine": at_once})
    if TIME in exact.coords:
        found = found.assign_coords({TIME: exact[TIME]})
    if len(lags):
        spacing = _spacing(exact)
        back = steps_back(np.asarray(lags, float), spacing, exact.sizes[TIME] - 1)
        means = [at_once.mean(TIME) if steps == 0 else cosines(int(steps)).mean(TIME) for steps in back]
        lagged = xr.concat(means, "lag", coords="minimal", compat="override", join="exact")
        lagged.attrs = {"units": "1", "long_name": "cosine of a step's share with an earlier exact share"}
        found["lagged_cosine"] = lagged.transpose(..., "lag", "block")
        attrs = {"units": "ms", "long_name": "steps back to the exact share"}
        found = found.assign_coords(lag=("lag", back * spacing, attrs))
    return found


def _steps(
    draws: xr.Dataset,
    exact: xr.Dataset,
    product: HessianProduct | Sequence[HessianProduct],
    learning_rate: float,
    measured: xr.DataArray | None,
    options: Mapping[str, Any],
) -> xr.Dataset:
    """What a step does, seed by seed."""
    if callable(product):
        return one_step_change(draws, exact, product, learning_rate, measured=measured, **options)
    each = []
    for seed, own in enumerate(product):
        pick = {SEED: seed}
        made = None if measured is None else measured.isel(pick, missing_dims="ignore")
        drawn = draws.isel(pick, missing_dims="ignore")
        each.append(one_step_change(drawn, exact.isel(pick), own, learning_rate, measured=made, **options))
    joined = xr.concat(each, SEED, coords="minimal", compat="override", join="exact")
    return joined.assign_coords({SEED: exact[SEED]}) if SEED in exact.coords else joined


def _has(dataset: xr.Dataset, dim: str) -> bool:
    return any(dim in block.dims for block in dataset.data_vars.values())


def _spacing(exact: xr.Dataset) -> float:
    time = exact[TIME].values if TIME in exact.coords else np.zeros(0)
    steps = np.diff(time)
    if not steps.size or not np.allclose(steps, steps.mean(), rtol=1e-6, atol=0):
        raise ValueError("lags: exact has no evenly spaced coordinate time; give it one, in ms.")
    return float(steps.mean())


def _check(
    draws: xr.Dataset,
    exact: xr.Dataset,
    product: Any,
    learning_rate: float | None,
    measured: xr.DataArray | None,
    feedback: xr.DataArray | None,
    readout: xr.DataArray | None,
    lags: Sequence[float],
) -> None:
    if (product is None) != (learning_rate is None):
        lacking = "product" if product is None else "learning_rate"
        raise ValueError(f"{lacking}: not given; what a step does needs product and learning_rate.")
    if measured is not None and product is None:
        raise ValueError("measured: given without product; the measured change is set beside the predicted.")
    if (feedback is None) != (readout is None):
        lacking = "feedback" if feedback is None else "readout"
        raise ValueError(f"{lacking}: not given; their cosine needs feedback and readout.")
    both = [all(TIME in block.dims for block in given.data_vars.values()) for given in (draws, exact)]
    if _has(draws, TIME) or _has(exact, TIME):
        if not all(both):
            raise ValueError(
                "draws: dim time must be in every block of draws and of exact, or in none; sum over it first."
            )
    elif len(lags):
        raise ValueError("lags: given for gradients without dim time; give the shares of the steps.")
    if product is None:
        return
    seeds = exact.sizes.get(SEED)
    found = None if callable(product) else len(product)
    if found != seeds:
        raise ValueError(
            f"product: {'one function' if found is None else f'{found} functions'} for "
            f"{'gradients without seeds' if seeds is None else f'{seeds} seeds'}; give one function, or a "
            "list with one a seed."
        )
