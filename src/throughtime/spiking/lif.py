"""Leaky integrate-and-fire neurons in the place of a rate circuit's units."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from throughtime.spiking import lif_network

SEVERAL = 1e-6  # of a step: how far from a whole number of steps a duration may be


@dataclass(frozen=True, kw_only=True)
class LIF:
    """Constants of a network of leaky integrate-and-fire neurons; times in ms, voltages in mV.

    For a unit i with drive ``u = W_in x + b`` and the time constant τ_i that it had in the rate circuit::

        τ_m dv/dt = −v + v_bias + I + u      v ≥ threshold: spike, then v = reset for the refractory time
        dI/dt = −I/τ_i + h
        dh/dt = −h/τ_r                       each spike of unit j: h += λ W_ij/(τ_r τ_i)

    All by forward Euler. What a unit sends out is its own train of spikes behind the same filter, see
    :func:`throughtime.spiking.filtered`. A neuron that spikes in step n is integrated again in step
    n + refractory/dt. Input and bias act as currents, and are not scaled.

    Attributes:
        dt: step.
        tau_membrane: τ_m. tau_rise: τ_r; with 0, I itself jumps by λ W_ij/τ_i (one exponential).
        threshold, reset: of v. bias: v_bias, by default at the threshold: any lasting drive makes it fire.
        refractory: a whole number of steps; 0 for none.
        noise: SD of what is added to v in each step.
        start: (low, high), between which v is drawn before the first step.

    The defaults are those of Kim et al. In their public program the filters decay by exponentials, v also has
    noise of 0.1 mV a step, and begins anywhere up to 30 mV, where most neurons spike at once.

    Source: Kim, Li and Sejnowski (2019) Proceedings of the National Academy of Sciences 116:22811.

    Example:
        >>> LIF(refractory=0.0).refractory_steps, LIF().refractory_steps
        (0, 40)
    """

    dt: float = 0.05
    tau_membrane: float = 10.0
    tau_rise: float = 2.0
    threshold: float = -40.0
    reset: float = -65.0
    bias: float = -40.0
    refractory: float = 2.0
    noise: float = 0.0
    start: tuple[float, float] = (-65.0, -40.0)

    def __post_init__(self) -> None:
        object.__setattr__(self, "start", tuple(self.start))
        numbers = {name: value for name, value in vars(self).items() if name != "start"}
        for name, value in {**numbers, "start[0]": self.start[0], "start[1]": self.start[1]}.items():
            if not math.isfinite(value):
                raise ValueError(f"LIF: {name} {value!r} is not a finite number.")
        for name in ("dt", "tau_membrane"):
            if numbers[name] <= 0:
                raise ValueError(f"LIF: {name} {numbers[name]!r} ms is not a positive number.")
        for name in ("tau_rise", "refractory", "noise"):
            if numbers[name] < 0:
                raise ValueError(f"LIF: {name} {numbers[name]!r} is below 0.")
        for name in ("tau_membrane", "tau_rise"):
            if 0 < numbers[name] < self.dt:
                raise ValueError(
                    f"LIF: {name} {numbers[name]:g} ms is below dt {self.dt:g} ms; use a smaller dt."
                )
        if self.reset >= self.threshold:
            raise ValueError(
                f"LIF: reset {self.reset:g} mV has to lie below the threshold, {self.threshold:g} mV."
            )
        if self.start[0] > self.start[1]:
            raise ValueError(f"LIF: start {self.start!r} mV has to be (low, high).")
        self.steps_of("refractory", self.refractory)

    @property
    def refractory_steps(self) -> int:
        """Steps from a spike to the first step in which v is integrated again."""
        return self.steps_of("refractory", self.refractory)

    def steps_of(self, name: str, duration: float) -> int:
        """Number of steps in ``duration`` (ms).

        Raises:
            ValueError: where it is not a whole number.
        """
        steps = round(duration / self.dt)
        if abs(duration / self.dt - steps) > SEVERAL:
            raise ValueError(
                f"LIF: {name} {duration:g} ms is not a multiple of the step of {self.dt:g} ms; "
                "change it, or the dt of the LIF neurons."
            )
        return steps


class Spikes(NamedTuple):
    """All spikes, one entry each, ordered by replica, then step, then unit.

    Attributes:
        replica, unit: which neuron. step: in which step v reached the threshold; 0 is the first.
    """

    replica: np.ndarray
    unit: np.ndarray
    step: np.ndarray


def simulate(
    neurons: LIF,
    *,
    recurrent: np.ndarray,
    drive: np.ndarray,
    tau: np.ndarray,
    scale: np.ndarray,
    bin_width: float,
    trial: np.ndarray | None = None,
    start: np.ndarray | None = None,
    current: np.ndarray | None = None,
    target: str = "numpy",
    seed: int = 0,
) -> Spikes:
    """Spikes of many replicas of one network in Brian2, each with a drive and a λ of its own.

    Args:
        neurons: constants.
        recurrent: W, (unit, presynaptic_unit), those of the rate circuit.
        drive: W_in x + b, (trial, time, unit), mV; held over each bin of time.
        tau: τ_i, (unit,), ms.
        scale: λ of each replica, (replica,), ms: a neuron that fires at 1/λ acts like a unit of rate 1.
        bin_width: of the drive, ms, a whole number of steps.
        trial: (replica,) which trial's drive and start a replica has; replica k has those of trial k by
            default.
        start: v before the first step, (trial, unit), mV; the reset by default.
        current: I before the first step, (unit,), mV; 0 by default.
        target: for which Brian2 makes code, ``numpy`` or ``cython``. The latter takes half the time, once it
            is compiled.
        seed: of the noise.

    Raises:
        ValueError: for shapes that do not fit, a bin that is not a whole number of steps, a τ_i below a step.

    Example:
        >>> one = {"recurrent": np.zeros((1, 1)), "tau": np.array([50.0]), "scale": np.ones(1)}
        >>> spikes = simulate(LIF(), **one, drive=np.full((1, 12, 1), 5.0), bin_width=5.0)
        >>> np.diff(spikes.step) * LIF().dt  # 2 + 10 ln 6 = 19.918 ms, but for the finite step
        array([19.85, 19.85])
    """
    W, given, tau, scale = (np.asarray(each, float) for each in (recurrent, drive, tau, scale))
    trial = np.arange(len(given)) if trial is None else np.asarray(trial)
    start = np.full((len(given), len(W)), neurons.reset) if start is None else np.asarray(start, float)
    current = np.zeros(len(W)) if current is None else np.asarray(current, float)
    _check(neurons, W, given, tau, scale, trial, start, current)
    per_bin = neurons.steps_of("bin_width", bin_width)
    if per_bin < 1:
        raise ValueError(f"spiking: bin_width {bin_width!r} ms is no positive number.")
    found = []
    for index, block in enumerate(lif_network.blocks(len(scale), len(W), int(np.count_nonzero(W)))):
        trials, row = np.unique(trial[block], return_inverse=True)
        replica, unit, step = lif_network.spikes_of(
            neurons, W, given[trials], tau, scale[block], per_bin, row, start[trials], current, target,
            (seed, index),
        )  # fmt: skip
        found.append((block.start + replica, unit, step))
    return Spikes(*(np.concatenate(each) for each in zip(*found, strict=True)))


def _check(
    neurons: LIF,
    W: np.ndarray,
    drive: np.ndarray,
    tau: np.ndarray,
    scale: np.ndarray,
    trial: np.ndarray,
    start: np.ndarray,
    current: np.ndarray,
) -> None:
    units = len(W)
    if drive.ndim != 3 or not drive.size:
        raise ValueError(f"spiking: drive has shape {drive.shape}, expected (trial, time, unit).")
    expected = {
        "recurrent": (W, (units, units)),
        "drive": (drive, (*drive.shape[:2], units)),
        "tau": (tau, (units,)),
        "start": (start, (len(drive), units)),
        "current": (current, (units,)),
        "scale": (scale, (len(trial),)),
    }
    for name, (array, shape) in expected.items():
        if array.shape != shape:
            raise ValueError(f"spiking: {name} has shape {array.shape}, expected {shape}.")
        if not np.isfinite(array).all():
            raise ValueError(f"spiking: {name} has entries that are not finite.")
    if not ((trial >= 0) & (trial < len(drive))).all():
        raise ValueError(f"spiking: trial has entries outside 0 … {len(drive) - 1}, the trials of drive.")
    if tau.min() < neurons.dt:
        raise ValueError(f"spiking: tau of {tau.min():g} ms is below the step of {neurons.dt:g} ms.")
