"""Choice probability against stimulus strength."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks

PARAMETERS = ("mu", "sigma", "guess", "lapse")
MIN_LEVELS = 4
MAX_RATE = 0.1
MAX_STEPS = 200


class Psychometric(NamedTuple):
    """Maximum-likelihood parameters in the order μ, σ, γ, λ; ``L`` distinct stimuli.

    Attributes:
        mu: point of subjective equality, in stimulus units. sigma: SD of the noise, in stimulus units.
        guess, lapse: γ and λ.
        interval: (4, 2) bootstrap interval of each parameter; NaN if ``num_resamples`` is 0.
        on_bound: (4,) −1 or +1 where a free parameter lies on its lower or upper bound, else 0.
        log_likelihood: of the fit, binomial constant left out.
        stimulus: (L,) distinct stimuli. fraction: (L,) fraction chosen. num_trials: (L,) trials.
    """

    mu: float
    sigma: float
    guess: float
    lapse: float
    interval: np.ndarray
    on_bound: np.ndarray
    log_likelihood: float
    stimulus: np.ndarray
    fraction: np.ndarray
    num_trials: np.ndarray


def curve(
    stimulus: np.ndarray, mu: float, sigma: float, guess: float = 0.0, lapse: float = 0.0
) -> np.ndarray:
    """P = γ + (1 − γ − λ) Φ((x − μ)/σ).

    Example:
        >>> curve(np.array([0.0]), 0.0, 1.0, guess=0.1, lapse=0.1)
        array([0.5])
    """
    from scipy.special import ndtr

    return guess + (1 - guess - lapse) * ndtr((np.asarray(stimulus) - mu) / sigma)


def psychometric(
    stimulus: np.ndarray,
    choice: np.ndarray,
    *,
    guess: float | None = None,
    lapse: float | None = None,
    confidence: float = 0.95,
    num_resamples: int = 200,
    seed: int = 0,
) -> Psychometric:
    """Fit P = γ + (1 − γ − λ) Φ((x − μ)/σ) by binomial maximum likelihood.

    γ and λ are free in [0, 0.1] or fixed (Wichmann and Hill 2001, Perception & Psychophysics). σ is bounded
    below by a hundredth of the smallest step between stimuli and above by ten times their range: a
    choice without errors has no σ, and the fit says so in ``on_bound``. Intervals are percentile bootstrap
    intervals over trials.

    Args:
        stimulus: (trial,) signed strength. choice: (trial,) 0 or 1.
        guess, lapse: None to fit, a number in [0, 0.5) to fix.
        confidence: coverage. num_resamples: bootstrap draws, 0 for none. seed: of the bootstrap.

    Raises:
        ValueError: for fewer than 4 distinct stimuli, non-finite stimuli, choices that are not 0 or 1,
            choices that never vary, unequal lengths or a rate outside [0, 0.5).

    Example:
        >>> x = np.repeat([-2.0, -1.0, 1.0, 2.0], 4)
        >>> choice = np.array([0, 0, 0, 0, 1, 0, 0, 0, 1, 1, 1, 0, 1, 1, 1, 1])
        >>> result = psychometric(x, choice, guess=0.0, lapse=0.0, num_resamples=0)
        >>> abs(result.mu) < 1e-6, 1.0 < result.sigma < 1.4
        (True, True)
    """
    stimulus = checks.vector("stimulus", checks.finite("stimulus", stimulus))
    choice = checks.binary("choice", choice)
    checks.same_length(stimulus=stimulus, choice=choice)
    checks.fraction("confidence", confidence)
    for name, rate in (("guess", guess), ("lapse", lapse)):
        if rate is not None and not 0 <= rate < 0.5:
            raise ValueError(f"{name}: {rate} is not in [0, 0.5); use None to fit it.")
    levels = np.unique(stimulus).size
    if levels < MIN_LEVELS:
        raise ValueError(f"stimulus: {levels} distinct levels; a fit needs at least {MIN_LEVELS}.")
    if choice.min() == choice.max():
        raise ValueError(f"choice: every choice is {choice[0]:g}; a curve needs trials of both kinds.")
    return estimate(stimulus, choice, guess, lapse, confidence, num_resamples, seed)


def estimate(
    stimulus: np.ndarray,
    choice: np.ndarray,
    guess: float | None = None,
    lapse: float | None = None,
    confidence: float = 0.95,
    num_resamples: int = 0,
    seed: int = 0,
) -> Psychometric:
    """:func:`psychometric` without its refusals: NaN parameters where there is no curve to fit."""
    levels, index = np.unique(stimulus, return_inverse=True)
    count = np.bincount(index, minlength=levels.size).astype(float)
    chosen = np.bincount(index, weights=choice, minlength=levels.size)
    fit, on_bound, height = fit_counts(levels, chosen, count, guess, lapse)
    interval = np.full((4, 2), np.nan)
    if num_resamples and np.isfinite(fit[0]):
        generator = np.random.default_rng(seed)
        cells = np.concatenate([chosen, count - chosen])
        draws = generator.multinomial(int(count.sum()), cells / cells.sum(), size=num_resamples)
        yes, no = draws[:, : levels.size], draws[:, levels.size :]
        fits = np.array(
            [fit_counts(levels, k, k + m, guess, lapse, fit)[0] for k, m in zip(yes, no, strict=True)]
        )
        tails = [(1 - confidence) / 2, (1 + confidence) / 2]
        interval = np.nanquantile(fits, tails, axis=0).T
    with np.errstate(invalid="ignore"):
        fraction = chosen / count
    return Psychometric(
        mu=float(fit[0]),
        sigma=float(fit[1]),
        guess=float(fit[2]),
        lapse=float(fit[3]),
        interval=interval,
        on_bound=on_bound,
        log_likelihood=height,
        stimulus=levels,
        fraction=fraction,
        num_trials=count.astype(int),
    )


def fit_counts(
    levels: np.ndarray,
    chosen: np.ndarray,
    count: np.ndarray,
    guess: float | None = None,
    lapse: float | None = None,
    start: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray, float]:
    """Parameters (4,), bounds reached (4,) and log likelihood from counts at distinct stimuli.

    ``chosen`` may be fractional (expected counts). Fisher scoring in μ, log σ, γ, λ with Levenberg's
    damping; parameters that a step would push across a bound stay on it.
    """
    from scipy.special import ndtr

    nothing = np.full(4, np.nan), np.zeros(4, dtype=np.int8), np.nan
    levels, chosen, count = levels[count > 0], chosen[count > 0], count[count > 0]
    total, hits = count.sum(), chosen.sum()
    if levels.size < 2 or not 0 < hits < total:
        return nothing
    centre, width = (levels[0] + levels[-1]) / 2, levels[-1] - levels[0]
    x = (levels - centre) / width
    step = float(np.diff(x).min())
    rates = [0.01 if rate is None else rate for rate in (guess, lapse)]
    low = np.array([-1.5, np.log(max(step, 1e-6) * 0.01), *(0.0 if r is None else r for r in (guess, lapse))])
    high = np.array([1.5, np.log(10.0), *(MAX_RATE if r is None else r for r in (guess, lapse))])

    def model(theta: np.ndarray) -> tuple[float, np.ndarray, np.ndarray]:
        """Loss, its gradient and the Fisher information, per trial."""
        sigma, span = np.exp(theta[1]), 1 - theta[2] - theta[3]
        z = (x - theta[0]) / sigma
        cumulative = ndtr(z)
        slope = span * np.exp(-0.5 * z**2) / np.sqrt(2 * np.pi)
        p = np.clip(theta[2] + span * cumulative, 1e-12, 1 - 1e-12)
        value = -(chosen * np.log(p) + (count - chosen) * np.log1p(-p)).sum() / total
        jacobian = np.stack([-slope / sigma, -slope * z, 1 - cumulative, -cumulative])
        weight = count / (p * (1 - p) * total)
        fisher = np.einsum("il,jl,l->ij", jacobian, jacobian, weight)
        return value, jacobian @ (weight * (p - chosen / count)), fisher

    if start is None:
        theta = np.array([np.clip(0.5 - hits / total, -0.5, 0.5), np.log(0.2), *rates])
    else:
        theta = np.array([(start[0] - centre) / width, np.log(start[1] / width), *start[2:]])
    theta = np.clip(theta, low, high)
    value, gradient, fisher = model(theta)
    damping = 1e-3
    for _ in range(MAX_STEPS):
        free = ~(((theta <= low) & (gradient >= 0)) | ((theta >= high) & (gradient <= 0)))
        inner = np.diag(fisher)[free]
        curved = fisher[np.ix_(free, free)] + np.diag(damping * inner + 1e-12)
        move = np.zeros(4)
        move[free] = -np.linalg.solve(curved, gradient[free])
        move[:2] = np.clip(move[:2], -1.0, 1.0)
        trial = np.clip(theta + move, low, high)
        found = model(trial)
        if found[0] <= value:
            done = np.abs(trial - theta).max() < 1e-9
            theta, (value, gradient, fisher) = trial, found
            damping /= 5
            if done:
                break
        else:
            damping *= 5
            if damping > 1e9:
                break
    near = 1e-6 * (high - low)
    on_bound = ((theta >= high - near).astype(np.int8) - (theta <= low + near)) * (high > low)
    fit = np.array([centre + width * theta[0], width * np.exp(theta[1]), theta[2], theta[3]])
    return fit, on_bound.astype(np.int8), float(-value * total)
