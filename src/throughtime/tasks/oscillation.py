"""Period and amplitude of an output that oscillates, by least squares over a grid of frequencies."""

from __future__ import annotations

import functools
import math
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

SLOWEST, FASTEST = 0.5, 2.0
"""Frequencies that are tried, in units of the one asked for."""
EXPLAINED = 0.5
"""Share of the variance of an output that the fit explains where there is a period."""
POINTS_PER_PEAK = 32
"""Grid points per inverse number of cycles, about the width of a peak of the power: periods are then within
0.1 % (0.2 % where a trial shows a single cycle of a sine, whose peak is not symmetric)."""


class _Basis(NamedTuple):
    """Tables of one grid of frequencies.

    Attributes:
        ratio: (frequency,) in units of the one asked for.
        power: (frequency, function, time) orthonormal functions, each without a mean.
        lowest: (frequency, 2, time) from an output to sine and cosine of its lowest harmonic.
    """

    ratio: np.ndarray
    power: np.ndarray
    lowest: np.ndarray


def period_and_amplitude(
    output: Array, dt: float, period: float, harmonics: tuple[int, ...]
) -> tuple[Array, Array]:
    """Period of an oscillation and the amplitude of its lowest harmonic.

    Fitted is y(t) = c + Σₖ aₖ sin(2πkft) + bₖ cos(2πkft) with k in ``harmonics``, by least squares, at
    frequencies f between half and twice 1/``period``. The period is 1/f where the fit explains most
    (between points of the grid, the peak of a parabola), whatever phase, offset and amplitudes are.

    Args:
        output: (time,), one sample a bin, at bin centres.
        dt: bin, ms.
        period: about which to look, ms.
        harmonics: multiples of the frequency that the oscillation has.

    Returns:
        The period, ms (NaN if the output is constant, if the fit explains less than half of its variance or
        explains most at an end of the range), and the amplitude √(a² + b²) of the lowest harmonic.

    Example:
        >>> time = np.arange(0.5, 80) * 20.0
        >>> slow = 3 + 0.7 * np.cos(2 * np.pi * time / 900.0)
        >>> period, amplitude = period_and_amplitude(jnp.asarray(slow), 20.0, 800.0, (1,))
        >>> round(float(period)), round(float(amplitude), 2)
        (900, 0.7)
    """
    basis = _basis(len(output), dt, period, harmonics)
    centred = output - output.mean()
    power = jnp.square(jnp.matmul(basis.power, centred, precision="highest")).sum(1)
    best = jnp.argmax(power)
    inner = jnp.clip(best, 1, len(basis.ratio) - 2)
    near = inner + np.array([-1, 0, 1])
    before, at, after = power[near]
    bend = before - 2 * at + after
    shift = jnp.where(bend < 0, 0.5 * (before - after) / jnp.where(bend < 0, bend, -1), 0)
    ratio = jnp.asarray(basis.ratio)[inner] + shift * float(basis.ratio[1] - basis.ratio[0])
    found = (best == inner) & (at > EXPLAINED * jnp.square(centred).sum())
    lowest = jnp.matmul(jnp.asarray(basis.lowest)[near], centred, precision="highest")
    below, there, above = jnp.linalg.norm(lowest, axis=1)
    amplitude = there + shift * ((above - below) + shift * (above - 2 * there + below)) / 2
    return jnp.where(found, period / ratio, jnp.nan), amplitude


@functools.lru_cache(maxsize=8)
def _basis(num_steps: int, dt: float, period: float, harmonics: tuple[int, ...]) -> _Basis:
    cycles = num_steps * dt / period
    thirds = math.ceil(POINTS_PER_PEAK / 2 * cycles * max(harmonics))
    ratio = np.linspace(SLOWEST, FASTEST, 3 * thirds + 1)  # 1 is one of them
    phase = 2 * np.pi * ratio[:, None] * (np.arange(num_steps) + 0.5) * dt / period
    waves = [wave(k * phase) for k in harmonics for wave in (np.sin, np.cos)]
    functions = np.stack([np.ones_like(phase), *waves], axis=-1)
    orthonormal, _ = np.linalg.qr(functions)
    return _Basis(
        ratio.astype(np.float32),
        orthonormal[..., 1:].swapaxes(1, 2).astype(np.float32),
        np.linalg.pinv(functions)[:, 1:3].astype(np.float32),
    )
