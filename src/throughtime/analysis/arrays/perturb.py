"""What a circuit does when it is interfered with: pulses on its state, lesions, resampled weights."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from throughtime.analysis.arrays import checks, deviations
from throughtime.analysis.arrays.blocks import Estimate
from throughtime.analysis.arrays.simulate import Simulate, components

Resample = Callable[[np.random.Generator, np.ndarray], np.ndarray]


class Pulses(NamedTuple):
    """Pulses along ``direction`` directions, beside ``draw`` random ones of the same size.

    Attributes:
        deviation: (direction, time). recovery: (direction,) ms. measure_change: (direction,).
        p_value: (direction,) of a change of the measure as large, either way, under random directions.
        null_deviation: mean and bounds over draws, each (time,).
        null_recovery: (draw,) ms. null_measure_change: (draw,).
        measure: without a perturbation.
    """

    deviation: np.ndarray
    recovery: np.ndarray
    measure_change: np.ndarray
    p_value: np.ndarray
    null_deviation: Estimate
    null_recovery: np.ndarray
    null_measure_change: np.ndarray
    measure: float


class Lesions(NamedTuple):
    """Lesions of ``lesion`` sets of units, beside random sets of as many units.

    Attributes:
        deviation: (lesion, time) of the units that are left. measure_change: (lesion,).
        p_value: (lesion,) as for pulses.
        null_deviation: mean and bounds over draws, each (lesion, time).
        null_measure_change: (lesion, draw).
        measure: without a perturbation.
    """

    deviation: np.ndarray
    measure_change: np.ndarray
    p_value: np.ndarray
    null_deviation: Estimate
    null_measure_change: np.ndarray
    measure: float


class Resampled(NamedTuple):
    """Weights drawn anew ``draw`` times.

    Attributes:
        deviation: mean and bounds over draws, each (time,). measure_change: (draw,).
        measure: with the weights as they are.
    """

    deviation: Estimate
    measure_change: np.ndarray
    measure: float


def pulses(
    simulate: Simulate,
    directions: np.ndarray,
    *,
    size: float,
    time: float,
    dt: float,
    seed: int,
    num_random: int = 99,
    confidence: float = 0.95,
    valid: np.ndarray | None = None,
) -> Pulses:
    """Response to a pulse on the state, s_k → s_k + size · direction, once, beside random directions.

        deviation_t = (mean over trials of ‖s′_t − s_t‖₂²)^½,   deviation_t ≈ deviation_k exp(−(t − k) dt/τ)

    s′ is the run with the pulse, s the one without, and all else is the same in both. τ, the recovery time
    constant, is from a straight line through ln deviation, by least squares from the pulse until no more than
    1 % of it is left; it is 0 where nothing is left after a step, infinite where nothing is lost, negative
    where the deviation grows. In a linear circuit the deviation is the propagator times the pulse. Random
    directions are isotropic in the whole state space; p counts, among these and the direction itself, those
    that change the measure as much, and a run that diverged as one of them.

    Args:
        simulate: runs the circuit; see :class:`~throughtime.analysis.arrays.simulate.Simulate`.
        directions: (direction, state), of any length above 0; brought to length ``size``.
        size: of the pulse, in units of the state. time: of the pulse, ms; it falls on the state at the end of
            the step that contains this time. dt: ms.
        seed: of the random directions. num_random: how many. confidence: of the bounds of the null.
        valid: (…, time) booleans, False after the end of a trial: such samples take no part in deviations,
            which are NaN at times when no trial goes on. All by default.

    Raises:
        ValueError: for directions that are not finite, of length 0 or of another state; a size that is not
            positive; a pulse outside the trial or in its last step; a simulation that diverges without a
            pulse, or is not the same twice.

    Source: operational definition. Frozen-noise perturbation, as in Laje & Buonomano 2013, Nat. Neurosci.
        16:925.

    Example:
        >>> from throughtime.analysis.arrays.simulator import simulator
        >>> run = simulator(lambda s, u: 0.5 * s, np.ones(2), np.zeros((6, 1)), lambda s: s[-1].sum())
        >>> found = pulses(run, np.array([[3.0, 0.0]]), size=1.0, time=2.0, dt=1.0, seed=0, num_random=9)
        >>> found.deviation[0], found.recovery.round(3), found.measure_change
        (array([0.   , 0.   , 1.   , 0.5  , 0.25 , 0.125]), array([1.443]), array([0.125]))
    """
    dt = checks.duration("dt", dt)
    size = deviations.positive("size", size)
    reference, measure = deviations.twice(simulate)
    valid, there = deviations.counted_times(valid, reference)
    directions = np.atleast_2d(checks.finite("directions", directions))
    num_steps, num_states = reference.shape[-2:]
    lengths = np.linalg.norm(directions, axis=-1)
    if directions.ndim != 2 or directions.shape[1] != num_states or not (lengths > 0).all():
        raise ValueError(
            f"directions: shape {directions.shape}, smallest length {lengths.min(initial=np.inf):g}; "
            f"expected (direction, state) with {num_states} components, of a length above 0."
        )
    place = int(np.floor(time / dt + 1e-9))
    if not 0 <= place < num_steps - 1:
        raise ValueError(
            f"time: {time:g} ms, the trial lasts {num_steps * dt:g} ms; put the pulse before its last step."
        )
    random = np.random.default_rng(seed).standard_normal((deviations.enough(num_random), num_states))
    unit = directions / lengths[:, None]
    isotropic = random / np.linalg.norm(random, axis=1, keepdims=True)

    if not there[place:].any():
        raise ValueError(f"time: no trial lasts until {time:g} ms; put the pulse where one is valid.")

    def run(direction: np.ndarray) -> tuple[np.ndarray, float]:
        pulse = np.zeros((num_steps, num_states))
        pulse[place] = size * direction
        return simulate(pulse=pulse)

    asked = deviations.compared(map(run, unit), reference, measure, valid=valid)
    null = deviations.compared(map(run, isotropic), reference, measure, valid=valid)
    after = there & (np.arange(num_steps) >= place)
    return Pulses(
        deviation=asked.deviation,
        recovery=deviations.recoveries(asked.deviation[:, after], dt),
        measure_change=asked.measure_change,
        p_value=deviations.p_value(asked.measure_change, null.measure_change),
        null_deviation=deviations.bounds(null.deviation, confidence, there),
        null_recovery=deviations.recoveries(null.deviation[:, after], dt),
        null_measure_change=null.measure_change,
        measure=measure,
    )


def lesions(
    simulate: Simulate,
    silenced: np.ndarray,
    *,
    seed: int,
    num_random: int = 99,
    confidence: float = 0.95,
    valid: np.ndarray | None = None,
) -> Lesions:
    """Effect of silencing sets of units throughout, beside random sets of as many units.

    Args:
        simulate: runs the circuit. silenced: (lesion, unit) boolean, at least one unit a lesion and not all.
        seed, num_random, confidence, valid: see :func:`pulses`; random sets are drawn from all units.

    Raises:
        ValueError: for ``silenced`` of another kind, or a simulation that diverges or is not the same twice.

    Example:
        >>> from throughtime.analysis.arrays.simulator import simulator
        >>> run = simulator(lambda s, u: u, np.zeros(2), np.ones((3, 2)), lambda s: s[-1] @ [2.0, 1.0])
        >>> lesions(run, np.array([[True, False]]), seed=0, num_random=9).measure_change
        array([-2.])
    """
    reference, measure = deviations.twice(simulate)
    valid, there = deviations.counted_times(valid, reference)
    silenced = np.asarray(silenced)
    counts = np.atleast_1d(silenced.sum(-1))
    sound = silenced.dtype == bool and silenced.ndim == 2
    if not sound or not ((counts > 0) & (counts < silenced.shape[1])).all():
        raise ValueError(
            f"silenced: {silenced.dtype} of shape {silenced.shape}, {counts.tolist()[:4]} units each; "
            "expected booleans (lesion, unit), in each some units but not all."
        )
    rng, num_units, size = np.random.default_rng(seed), silenced.shape[1], reference.shape[-1]

    def runs(sets: np.ndarray) -> deviations.Runs:
        left = np.stack([~components(each, size) for each in sets])
        found = (simulate(silenced=each) for each in sets)
        return deviations.compared(found, reference, measure, left, valid)

    asked = runs(silenced)
    draws = []
    for count in counts:
        order = rng.permuted(np.tile(np.arange(num_units), (deviations.enough(num_random), 1)), axis=1)
        draws.append(runs(order < count))
    changes = np.stack([draw.measure_change for draw in draws])
    bounds = [deviations.bounds(draw.deviation, confidence, there) for draw in draws]
    return Lesions(
        deviation=asked.deviation,
        measure_change=asked.measure_change,
        p_value=np.array(
            [deviations.p_value(a, n) for a, n in zip(asked.measure_change, changes, strict=True)]
        ),
        null_deviation=Estimate(*(np.stack(each) for each in zip(*bounds, strict=True))),
        null_measure_change=changes,
        measure=measure,
    )


def shuffled(rng: np.random.Generator, weights: np.ndarray) -> np.ndarray:
    """Weights whose values other than 0 have changed places among the targets of the same source.

    Each column keeps its values, so that a unit stays excitatory or inhibitory and as strong, and which
    synapses exist stays as it is.

    Example:
        >>> shuffled(np.random.default_rng(0), np.array([[0.0, 1.0], [2.0, 3.0], [4.0, 0.0]])).sum(0)
        array([6., 4.])
    """
    changed = np.array(weights)
    for column in np.moveaxis(changed, -1, 0):
        there = column != 0
        column[there] = rng.permutation(column[there])
    return changed


def resampled_weights(
    simulate: Simulate,
    weights: np.ndarray,
    *,
    seed: int,
    num_random: int = 99,
    confidence: float = 0.95,
    valid: np.ndarray | None = None,
    resample: Resample = shuffled,
) -> Resampled:
    """Effect of drawing the recurrent weights anew: what their distribution does without their arrangement.

    Args:
        simulate: runs the circuit, with its own weights or others.
        weights: its own, (…, unit, presynaptic_unit).
        resample: new weights from a generator and ``weights``; by default :func:`shuffled`.
        seed, num_random, confidence, valid: see :func:`pulses`.

    Raises:
        ValueError: for weights that are not finite, a ``resample`` that changes their shape, or a simulation
            that diverges, is not the same twice, or is not that of ``weights``.

    Example:
        >>> from throughtime.analysis.arrays.simulator import simulator
        >>> own = np.array([[0.0, 0.5], [0.0, 0.0]])
        >>> run = simulator(lambda s, u, w: w @ s + u, np.zeros(2), np.ones((3, 2)), np.sum, weights=own)
        >>> resampled_weights(run, own, seed=0, num_random=2).measure_change  # nowhere else to go
        array([0., 0.])
    """
    weights = checks.finite("weights", weights)
    reference, measure = deviations.twice(simulate)
    valid, there = deviations.counted_times(valid, reference)
    deviations.refuse_other_weights(simulate, weights, reference)
    rng = np.random.default_rng(seed)

    def run(_: int) -> tuple[np.ndarray, float]:
        drawn = resample(rng, weights)
        if np.shape(drawn) != weights.shape:
            raise ValueError(f"resample: returns shape {np.shape(drawn)}, weights have {weights.shape}.")
        return simulate(weights=drawn)

    draws = map(run, range(deviations.enough(num_random)))
    found = deviations.compared(draws, reference, measure, valid=valid)
    return Resampled(deviations.bounds(found.deviation, confidence, there), found.measure_change, measure)
