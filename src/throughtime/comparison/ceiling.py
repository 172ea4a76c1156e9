"""How far a task gets with recurrent weights that never learn: the reservoir ceiling."""

from __future__ import annotations

from collections.abc import Iterable
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from throughtime import circuits, keys, rules
from throughtime.circuits.simulate import forward
from throughtime.credit import tiles
from throughtime.objectives import SquaredError
from throughtime.results.flags import flag_attributes
from throughtime.training import settings
from throughtime.training.criterion import Judge
from throughtime.training.ensemble import over_seeds, usable_cores
from throughtime.training.plan import Plan
from throughtime.training.update import validate

STRENGTHS = (1e-7, 1e-5, 1e-3)
"""Ridge penalties that are tried, in units of the mean square of a rate."""


def reservoir_ceiling(
    task: Any,
    *,
    num_units: int = 128,
    gains: Iterable[float] = (0.8, 1.2, 1.5),
    noise: float = 0.05,
    seeds: int | Iterable[int] = range(2),
    num_trials: int = 1024,
) -> xr.Dataset:
    """The criterion measures of circuits whose readout alone is fitted, by ridge regression.

    With rates ``r`` and loss weights m (mask over its sum, as in training) the readout ``(W_out, b_out)``
    minimises ``Σ m (y − W_out r − b_out)² + ρ ‖W_out‖²`` over training trials. ρ is the one of
    :data:`STRENGTHS` with the least error on trials of their own; the fitted circuit is judged on further
    trials, by the criteria of the task. Recurrent and input weights stay as they were drawn.

    A task that this ceiling passes says nothing about learning recurrent weights.

    Args:
        task: from :func:`throughtime.tasks.make`.
        num_units, noise: of the circuit, leaky with dense weights; gains: of its recurrent weights.
        seeds: labels of the replicates, as in ``train``.
        num_trials: to fit the readout; a quarter as many choose ρ.

    Returns:
        Dataset: ``measure`` (option, seed, parameter), the value of each criterion's measure, whose names are
        the flags of ``parameter``; ``reached`` (option, seed), whether all criteria hold; coordinate ``gain``
        (option,).

    Raises:
        ValueError: for settings that cannot work.

    Example:
        >>> import throughtime as tt
        >>> task = tt.tasks.make("delayed-match-to-sample", delay=100.0, response=100.0, dt=50.0)
        >>> found = reservoir_ceiling(task, num_units=8, gains=(0.8,), seeds=1, num_trials=64)
        >>> found["measure"].dims, bool(found["measure"].min() > 0.4)
        (('option', 'seed', 'parameter'), True)
    """
    gains, labels = tuple(float(gain) for gain in gains), settings.labels(seeds)
    num_trials = settings.count("num_trials", num_trials, 16)
    if not gains or min(gains) < 0:
        raise ValueError(f"reservoir_ceiling: gains {gains}: expected one or more numbers >= 0.")
    drawn = [
        circuits.for_task(task, num_units=num_units, recurrent=circuits.Dense(gain=gain), noise=noise).init(
            key=keys.seed_key(seed, "init")
        )
        for gain in gains
        for seed in labels
    ]
    circuit = circuits.for_task(task, num_units=num_units, noise=noise)
    params = {name: jnp.stack([one[name] for one in drawn]) for name in drawn[0]}
    numbers = jnp.asarray(labels * len(gains), jnp.uint32)
    fitted = fit_readouts(task, circuit, params, numbers, num_trials)
    plan = Plan(task, circuit, rules.make("bptt"), SquaredError(), "adam", None, 64, usable_cores())
    values = _judged(Judge(task), plan, params | fitted, numbers)
    met = [all(c.met(v) for c, v in zip(task.criterion, row, strict=True)) for row in values]
    shape = (len(gains), len(labels))
    measures = [criterion.measure for criterion in task.criterion]
    units = {"units": "1"}
    return xr.Dataset(
        {
            "measure": (
                ("option", "seed", "parameter"), values.reshape(*shape, -1),
                units | {"long_name": "measure of the criterion"},
            ),
            "reached": (
                ("option", "seed"), np.reshape(met, shape).astype(np.int8),
                units | {"long_name": "whether all criteria hold", **flag_attributes(["no", "yes"])},
            ),
        },
        {
            "option": ("option", np.arange(len(gains)), units),
            "gain": ("option", np.array(gains), units | {"long_name": "gain of the recurrent weights"}),
            "seed": ("seed", np.array(labels), units),
            "parameter": ("parameter", np.arange(len(measures)), units | flag_attributes(measures)),
        },
    )  # fmt: skip


def _judged(judge: Judge, plan: Plan, params: dict[str, Any], data_seeds: Any) -> np.ndarray:
    """Measures of the criteria (seed, criterion), each the mean of as many evaluations as it asks for."""
    often = [criterion.validations for criterion in plan.task.criterion]
    rows = []
    for update in range(max(often)):
        found = validate(plan, judge.num_trials, params, data_seeds, np.int32(update))
        scores, conditions = jax.tree.map(np.asarray, found)
        rows.append([
            judge.values(
                *({name: array[index] for name, array in each.items()} for each in (scores, conditions))
            )
            for index in range(len(data_seeds))
        ])  # fmt: skip
    found_values = np.array(rows)
    return np.stack([found_values[:number, :, k].mean(0) for k, number in enumerate(often)], axis=1)


def fit_readouts(
    task: Any, circuit: Any, params: dict[str, Any], data_seeds: Any, num_trials: int
) -> dict[str, Any]:
    """Readouts fitted by ridge regression, ``readout`` (seed, output, unit) and ``readout_bias``.

    Args:
        params: name -> (seed, …), of circuits that are run as they are; data_seeds: (seed,).
        num_trials: as in :func:`reservoir_ceiling`.
    """
    groups = alike(task)
    moments = [
        jax.tree.map(
            lambda leaf: np.asarray(leaf, np.float64).sum(1),
            _moments(task, circuit, groups, number, purpose, params, data_seeds),
        )
        for number, purpose in ((num_trials, "train"), (-(-num_trials // 4), "analysis"))
    ]
    num_outputs, num_units = len(task.output_names), circuit.num_units
    weights = np.zeros((len(data_seeds), num_outputs, num_units + 1))
    for of_group, (fit, choose) in enumerate(zip(*moments, strict=True)):
        for seed in range(len(data_seeds)):
            weights[seed, list(groups[of_group])] = _ridge(
                *(array[seed] for array in fit), *(array[seed] for array in choose)
            )
    found = jnp.asarray(weights, jnp.float32)
    return {"readout": found[..., :-1], "readout_bias": found[..., -1]}


def alike(task: Any) -> tuple[tuple[int, ...], ...]:
    """Outputs that bear the same loss weights on every trial, together."""
    each = keys.trial_keys(keys.seed_key(0, "data"), "train", 0, 64)
    masks = np.asarray(jax.jit(jax.vmap(task.trial))(each).mask)
    groups: list[list[int]] = []
    for output in range(masks.shape[-1]):
        for group in groups:
            if np.array_equal(masks[..., group[0]], masks[..., output]):
                group.append(output)
                break
        else:
            groups.append([output])
    return tuple(map(tuple, groups))


@partial(jax.jit, static_argnums=(0, 1, 2, 3, 4))
def _moments(
    task: Any, circuit: Any, groups: Any, num_trials: int, purpose: str, params: Any, data_seeds: Any
) -> Any:
    """Σ m r rᵀ, Σ m r yᵀ and Σ m y² of each group, (seed, tile, …); the last entry of r is 1."""

    def one(state: Any) -> Any:
        params, data_seed = state
        weights = circuit.weights(params)
        each = keys.trial_keys(keys.seed_key(data_seed, "data"), purpose, jnp.int32(0), num_trials)

        def tile(each: Any, weight: Any) -> Any:
            trials = jax.vmap(task.trial)(each)
            unfolded, _ = forward(circuit, params, weights, trials, each)
            rates = jnp.concatenate([unfolded.read, jnp.ones_like(unfolded.read[..., :1])], -1)
            share = trials.mask / trials.mask.sum((1, 2), keepdims=True) * weight[:, None, None]
            targets = jnp.swapaxes(trials.targets, 0, 1)
            found = []
            for group in groups:
                mask = jnp.swapaxes(share[..., group[0]], 0, 1)[..., None]
                wanted = targets[..., list(group)]
                left = (mask * rates).reshape(-1, rates.shape[-1])
                right = wanted.reshape(-1, len(group))
                found.append((
                    left.T @ rates.reshape(left.shape), left.T @ right,
                    (mask.reshape(-1, 1) * right**2).sum(0),
                ))  # fmt: skip
            return found

        return tiles.map_tiles(tile, each)

    return over_seeds(one, usable_cores(), (params, data_seeds))


def _ridge(
    gram: np.ndarray, cross: np.ndarray, _: np.ndarray,
    gram_other: np.ndarray, cross_other: np.ndarray, power_other: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Weights (output, unit + 1) with the least squared error on the other trials."""
    penalised = np.ones(len(gram))
    penalised[-1] = 0
    size = np.trace(gram[:-1, :-1]) / max(1, len(gram) - 1)
    best, least = np.zeros_like(cross), np.inf
    for strength in STRENGTHS:
        weights = np.linalg.solve(gram + np.diag(strength * size * penalised + 1e-12), cross)
        error = (
            power_other - 2 * (weights * cross_other).sum(0) + (weights * (gram_other @ weights)).sum(0)
        ).sum()
        if error < least:
            best, least = weights, error
    return best.T
