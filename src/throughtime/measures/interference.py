"""Measures of a circuit that is interfered with: pulses, lesions, other weights, few ranks.

All runs are of the same held-out trials, without the circuit's noise. How well the task is done is
1 − L/L₀, where L is the run's loss without penalties and L₀ that of outputs that stay 0: 1 where the loss is
0, 0 for a circuit that does as well as a silent one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from throughtime import analysis
from throughtime.analysis.arrays.simulate import Simulate
from throughtime.measures.base import BySeed
from throughtime.measures.loss import double

if TYPE_CHECKING:
    from throughtime.measures.material import Material

KINDS = ("pulses", "lesions", "weights")
TASK_MEASURE = "1 - loss / loss of silent outputs"


def simulate(material: Material, seed: int, num_trials: int) -> Simulate:
    """Runs of one seed's circuit; see :func:`throughtime.analysis.circuit_simulator`."""
    batch = material.batch(seed, min(num_trials, material.num_trials))
    return analysis.circuit_simulator(
        material.circuit,
        material.params(seed),
        xr.DataArray(np.asarray(batch.inputs), dims=("trial", "time", "input")),
        performance(material.objective, batch),
        valid=valid(material, seed, num_trials),
    )


def valid(material: Material, seed: int, num_trials: int) -> xr.DataArray:
    """(trial, time): whether the trials of :func:`simulate` go on."""
    batch = material.batch(seed, min(num_trials, material.num_trials))
    return xr.DataArray(np.asarray(batch.valid, bool), dims=("trial", "time"))


def performance(objective: Any, trials: Any) -> Callable[[np.ndarray], float]:
    """The function outputs (trial, time, output) → 1 − L/L₀.

    Raises:
        ValueError: where silent outputs have no loss.

    Example:
        >>> from throughtime.objectives import SquaredError
        >>> from throughtime.trial import Trial
        >>> ones = np.ones((2, 3, 1))
        >>> told = performance(SquaredError(), Trial(ones, ones, ones, ones[..., 0] > 0, {}, {}))
        >>> told(0.5 * ones), told(0 * ones)
        (0.75, 0.0)
    """

    @jax.jit
    def loss(outputs: Any) -> Any:
        return jnp.mean(jax.vmap(objective)(outputs, trials))

    def of(outputs: np.ndarray) -> float:
        with jax.enable_x64(True):
            return float(loss(jnp.asarray(outputs, jnp.float64)))

    silent = of(np.zeros(np.shape(trials.targets)))
    if not silent > 0:
        raise ValueError(
            f"objective: the loss of silent outputs is {silent:g}, so no share of it can be told; analyse a "
            "run whose trials ask for an output other than 0."
        )
    return lambda outputs: 1.0 - of(outputs) / silent


def recurrent_weights(material: Material, seed: int) -> np.ndarray:
    """Effective recurrent weights in float64."""
    with jax.enable_x64(True):
        return np.asarray(material.circuit.weights(double(material.params(seed))).recurrent, np.float64)


@dataclass(frozen=True)
class Perturb(BySeed):
    """What pulses, lesions and shuffled weights do to activity and to the loss, beside chance.

    Pulses go along the leading principal components of the states of an epoch. Lesions silence a share of
    the units: first those whose rates vary most in that epoch, then the next ones. Weights change places
    among the targets of a unit. A kind that the circuit does not allow (lesions where a silenced unit would
    not be silent, other weights where the connectivity constrains them) is left out, and an attribute
    ``refused_<kind>`` tells why.

    Attributes:
        kinds: of ``pulses``, ``lesions`` and ``weights``.
        epoch: the longest but the whole trial by default; the pulse comes where most trials are in it.
        size: of the pulse, in mean distances of the epoch's states from their centre.
        num_directions: directions of pulses. num_lesions: equal groups of units.
        num_trials: trials, the first ones.
        num_random: random directions, lesions and shuffled weights, of each.
    """

    kinds: tuple[str, ...] = KINDS
    epoch: str | None = None
    size: float = 0.5
    num_directions: int = 3
    num_lesions: int = 4
    num_trials: int = 16
    num_random: int = 49

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.perturb`."""
        strange = sorted(set(self.kinds) - set(KINDS))
        if strange or not self.kinds:
            raise ValueError(f"kinds: {list(self.kinds)}; choose of {', '.join(KINDS)}.")
        run = simulate(material, seed, self.num_trials)
        going = valid(material, seed, self.num_trials)
        found, refusals = [], {}
        for kind in dict.fromkeys(self.kinds):
            asked = getattr(self, f"_{kind}")
            try:
                found.append(
                    analysis.perturb(
                        run, dt=float(material.circuit.dt), seed=0, num_random=self.num_random,
                        valid=going, **asked(material, seed),
                    )
                )  # fmt: skip
            except ValueError as refusal:
                refusals[kind] = refusal
        if not found:
            raise next(iter(refusals.values()))
        merged = xr.merge(found, combine_attrs="drop_conflicts", compat="equals", join="exact")
        told: dict[str, Any] = {f"refused_{kind}": str(refusal) for kind, refusal in refusals.items()}
        return merged.assign_attrs(task_measure=TASK_MEASURE, **told)

    def _pulses(self, material: Material, seed: int) -> dict[str, Any]:
        step = material.step(seed)
        vectors = step.vectors(material.quiet["states"].sel(seed=seed))
        inside = material.within(self.epoch).sel(seed=seed)
        states = vectors.where(inside)
        away = states - states.mean(("trial", "time"))
        count = min(self.num_directions, states.sizes["state"])
        axes = analysis.pca(states.rename(state="unit"), num_components=count)["components"]
        labels = {"units": "1", "long_name": "principal component of the states"}
        directions = xr.DataArray(
            axes.transpose("component", "unit").values,
            {"direction": ("direction", np.arange(count), labels)},
            ("direction", "state"),
        )
        share = inside.sum("trial").values
        most = np.flatnonzero(share == share.max())
        return {
            "directions": directions,
            "size": self.size * float(np.sqrt((away**2).sum("state", skipna=False).mean())),
            "time": float(material.trials["time"].values[most[len(most) // 2]]),
        }

    def _lesions(self, material: Material, seed: int) -> dict[str, Any]:
        rates = material.rates_within(self.epoch).sel(seed=seed)
        order = np.argsort(-rates.var(("trial", "time")).values, kind="stable")
        if not 2 <= self.num_lesions <= len(order):
            raise ValueError(f"num_lesions: {self.num_lesions} of {len(order)} units; use from 2 to all.")
        silenced = np.zeros((self.num_lesions, len(order)), bool)
        for row, units in zip(silenced, np.array_split(order, self.num_lesions), strict=True):
            row[units] = True
        labels = {"units": "1", "long_name": "group of units, those that vary most first"}
        number = {"lesion": ("lesion", np.arange(self.num_lesions), labels)}
        return {"silenced": xr.DataArray(silenced, number, ("lesion", "unit"))}

    def _weights(self, material: Material, seed: int) -> dict[str, Any]:
        own = recurrent_weights(material, seed)
        if own.ndim != 2:
            raise ValueError(
                f"circuit: recurrent weights of {len(own)} drives; units with one can be shuffled."
            )
        return {"weights": xr.DataArray(own, dims=("unit", "presynaptic_unit"))}


@dataclass(frozen=True)
class LowrankView(BySeed):
    """Leading singular vectors of the recurrent weights, and what the task keeps when others are dropped.

    Defined for circuits of one variable a unit, of which weights may be replaced (no masks, signs, factors).

    Attributes:
        change: of the change since checkpoint 0 in place of the weights themselves.
        ranks: that are kept; 0 to 10 by default.
        num_trials: trials, the first ones.
    """

    change: bool = False
    ranks: tuple[int, ...] = ()
    num_trials: int = 16

    def of_seed(self, material: Material, seed: int) -> xr.Dataset:
        """See :func:`throughtime.analysis.lowrank_view`."""
        own = recurrent_weights(material, seed)
        step = material.step(seed)
        if own.ndim != 2 or len(step.names) > 1:
            raise ValueError(
                f"circuit: units have {len(step.names)} variables ({', '.join(step.names)}) and recurrent "
                f"weights shape {own.shape}; the view is of units with one variable and one drive."
            )
        square = ("unit", "presynaptic_unit")
        with jax.enable_x64(True):
            weights = material.circuit.weights(double(material.params(seed)))
            of_inputs, bias, readout = (
                np.asarray(each, np.float64) for each in (weights.input, weights.bias, weights.readout)
            )
        run = simulate(material, seed, self.num_trials)
        reached = run()[1]
        if not reached > 0:
            raise ValueError(
                f"run: with {TASK_MEASURE} of {reached:.3g} the circuit does no better than a silent one, so "
                "no share of that is kept; train it longer."
            )
        before = recurrent_weights(material.at(0), seed) if self.change else None
        found = analysis.lowrank_view(
            xr.DataArray(own, dims=square),
            run,
            before=None if before is None else xr.DataArray(before, dims=square),
            input_weights=xr.DataArray(of_inputs, dims=("unit", "input")),
            readout=xr.DataArray(readout, dims=("output", "unit")),
            bias=xr.DataArray(bias, dims="unit"),
            start=xr.DataArray(step.start, dims="unit"),
            ranks=self.ranks or None,
        )
        return found.assign_attrs(task_measure=TASK_MEASURE)
