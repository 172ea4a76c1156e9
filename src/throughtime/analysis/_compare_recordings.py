"""A circuit beside recordings, as datasets; see :mod:`throughtime.analysis.arrays.compare_recordings`."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import xarray as xr

from throughtime.analysis._attempts import STATUS as ATTEMPT
from throughtime.analysis._attempts import Attempts, blank
from throughtime.analysis._carry import carried
from throughtime.analysis._condition_means import condition_codes
from throughtime.analysis._labels import names_of
from throughtime.analysis._named import Field, apply
from throughtime.analysis._recordings import name_of
from throughtime.analysis.arrays import compare_recordings as arrays
from throughtime.analysis.arrays import held_out

LEADING = ("run", "seed", "checkpoint")
EACH, WHOLE, UNIT = ("predictor", "unit"), ("predictor",), ("unit",)
STATUS = {"flag_values": [0, 1, 2, 3], "flag_meanings": "scored too_few_trials no_variance unreliable"}
FIELDS = {
    "score": Field(EACH, "1", "share of variance predicted"),
    "ceiling": Field(UNIT, "1", "noise ceiling"),
    "normalized_score": Field(EACH, "1", "score over noise ceiling"),
    "lower": Field(EACH, "1", "lower end of the interval of the normalized score"),
    "upper": Field(EACH, "1", "upper end of the interval of the normalized score"),
    "population_score": Field(WHOLE, "1", "share of variance predicted, all units"),
    "population_ceiling": Field((), "1", "noise ceiling, all units"),
    "population_normalized_score": Field(WHOLE, "1", "score over noise ceiling, all units"),
    "population_lower": Field(WHOLE, "1", "lower end of its interval"),
    "population_upper": Field(WHOLE, "1", "upper end of its interval"),
    "advantage": Field(WHOLE, "1", "normalized score of the circuit above that of the predictor"),
    "advantage_lower": Field(WHOLE, "1", "lower end of the interval of the advantage"),
    "advantage_upper": Field(WHOLE, "1", "upper end of the interval of the advantage"),
    "penalty": Field(EACH, "1", "penalty chosen"),
    "num_trials": Field(UNIT, "1", "trials"),
    "num_conditions": Field(UNIT, "1", "conditions"),
    "unit_status": Field(UNIT, "1", "whether the unit is scored"),
}


def compare_recordings(
    recorded: xr.DataArray,
    circuit: xr.DataArray,
    *,
    condition: xr.DataArray | None = None,
    baselines: Mapping[str, xr.DataArray] | None = None,
    random_seed: int = 0,
    method: str = "ridge",
    num_folds: int = 5,
    penalties: tuple[float, ...] = held_out.PENALTIES,
    min_trials: int = 2,
    num_splits: int = 100,
    num_resamples: int = 1000,
    confidence: float = 0.95,
) -> xr.Dataset:
    """Held-out prediction of recorded units by a circuit and by baselines, for each seed of the circuit.

    See :func:`throughtime.analysis.arrays.compare_recordings.compare_recordings` for maps, folds, noise
    ceiling and intervals. Conditions are matched by what they are called: names or values of ``condition``
    are looked up in the coordinate of that name of ``circuit``, codes in the labels of its dim
    ``condition``. Times must be the same bins.

    Args:
        recorded: (trial, time, unit) rates as from :func:`throughtime.analysis.recordings`, NaN where
            missing; or averages (condition, time, unit), which have no noise ceiling.
        circuit: (…, condition, time, unit), without noise or averaged over trials
            (:func:`throughtime.analysis.condition_means`).
        condition: (trial,) what each recorded trial was; with trials only.
        baselines: name -> (…, condition, time, one more dim): the inputs alone, an untrained circuit.
        random_seed: of folds, halves and resamples.
        method, num_folds, penalties, min_trials, num_splits, num_resamples, confidence: see the array
            function.

    Returns:
        Dataset over (…) and ``predictor``, the circuit first: ``score, normalized_score, lower, upper,
        penalty`` (predictor, unit), ``population_score, population_normalized_score, population_lower,
        population_upper, advantage, advantage_lower, advantage_upper`` (predictor), ``ceiling, num_trials,
        num_conditions, unit_status`` (unit), ``population_ceiling, fit_status``. A seed that is refused
        among others (a diverged circuit) is NaN with ``fit_status`` 1; the first refusal is the attribute
        ``refusal``.

    Raises:
        ValueError: as the array function, if every seed is refused; for conditions or times that do not
            match.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> names = ("condition", "time", "unit")
        >>> circuit = xr.DataArray(rng.standard_normal((8, 10, 3)), dims=names)
        >>> recorded = xr.DataArray(circuit.values @ rng.standard_normal((3, 5)), dims=names)
        >>> found = compare_recordings(recorded, circuit, num_resamples=20)
        >>> found.population_score.values.round(3), float(found.population_ceiling)
        (array([1.]), nan)
    """
    repeats = "trial" in recorded.dims
    if repeats == (condition is None) or {*recorded.dims} != {
        "trial" if repeats else "condition",
        "time",
        "unit",
    }:
        raise ValueError(
            f"recorded: dims {recorded.dims}, condition {'absent' if condition is None else 'given'}; "
            "expected (trial, time, unit) with the condition of each trial, or averages (condition, time, "
            "unit) without."
        )
    given = {"circuit": circuit} | dict(baselines or {})
    features = [_feature(name, array, circuit) for name, array in given.items()]
    if condition is None:
        codes = _positions(recorded["condition"].rename(None).rename(condition="trial"), circuit)
        recorded = recorded.rename(condition="trial")
    else:
        codes = _positions(condition, circuit)
    _same_times(recorded, given)

    def one(activity: np.ndarray, code: np.ndarray, *predictors: np.ndarray) -> tuple[object, ...]:
        return tuple(
            arrays.compare_recordings(
                activity, code.astype(int), predictors, seed=random_seed, method=method, num_folds=num_folds,
                penalties=penalties, min_trials=min_trials if repeats else 1, num_splits=num_splits,
                num_resamples=num_resamples, confidence=confidence,
            )
        )  # fmt: skip

    bare = [
        array.transpose(..., "condition", "time", dim)
        for array, dim in zip(given.values(), features, strict=True)
    ]
    bare = [
        each.drop_vars([name for name in each.coords if name not in LEADING]).rename({dim: f"feature_{k}"})
        for k, (each, dim) in enumerate(zip(bare, features, strict=True))
    ]
    options = {
        "random_seed": random_seed,
        "map": method,
        "num_folds": num_folds,
        "min_trials": min_trials if repeats else 1,
        "num_splits": num_splits,
        "num_resamples": num_resamples,
        "confidence": confidence,
    }
    sizes = {"predictor": len(given), "unit": recorded.sizes["unit"]}
    fill = {"num_trials": 0, "num_conditions": 0, "unit_status": arrays.TOO_FEW}
    attempts = Attempts(one, blank(FIELDS, sizes, fill))
    dataset = apply(
        attempts,
        (recorded.reset_coords(drop=True).drop_vars(["time"], errors="ignore"), codes, *bare),
        [
            ("trial", "time", "unit"),
            ("trial",),
            *[("condition", "time", f"feature_{k}") for k in range(len(bare))],
        ],
        FIELDS | {"fit_status": ATTEMPT},
        method="compare_recordings",
        parameters=options,
    )
    dataset = attempts.told(dataset)
    dataset["unit_status"].attrs |= STATUS
    places = list(range(len(given)))
    names = " ".join("_".join(name.split()) for name in given)
    flags = {"flag_values": places if len(places) > 1 else 0, "flag_meanings": names}
    label = ("predictor", places, {"units": "1", "long_name": "predictor", **flags})
    return carried(
        dataset.assign_coords(predictor=label), recorded, circuit.drop_vars("unit", errors="ignore")
    )


def _feature(name: str, array: xr.DataArray, circuit: xr.DataArray) -> str:
    """The dim of an array that is neither condition nor time nor one of many circuits."""
    left = [str(dim) for dim in array.dims if dim not in ("condition", "time", *LEADING)]
    if not {"condition", "time"} <= set(array.dims) or len(left) != 1:
        raise ValueError(
            f"{name}: dims {array.dims}; expected (…, condition, time, unit or input): average over trials "
            "with condition_means(rates, condition), or rename trial to condition where each is one."
        )
    same = array.sizes["condition"] == circuit.sizes["condition"] and (
        "condition" not in array.coords
        or "condition" not in circuit.coords
        or array["condition"].equals(circuit["condition"])
    )
    if not same:
        raise ValueError(f"{name}: its conditions are not those of the circuit; give the same, in one order.")
    return left[0]


def _same_times(recorded: xr.DataArray, given: Mapping[str, xr.DataArray]) -> None:
    for name, array in given.items():
        both = "time" in recorded.coords and "time" in array.coords
        if array.sizes["time"] != recorded.sizes["time"] or (
            both and not np.allclose(array["time"].values, recorded["time"].values, rtol=1e-6)
        ):
            raise ValueError(
                f"{name}: its {array.sizes['time']} times are not the {recorded.sizes['time']} of the "
                "recordings; bin spikes with the circuit's dt, or take circuit.interp(time=recorded.time)."
            )


def _positions(condition: xr.DataArray, circuit: xr.DataArray) -> xr.DataArray:
    """Position in the circuit of the condition of each trial, −1 where a trial is left out."""
    codes, label = condition_codes(condition)
    name = name_of(condition)
    own = (
        circuit["condition"]
        if "condition" in circuit.coords
        else xr.DataArray(np.arange(circuit.sizes["condition"]), dims="condition")
    )
    named, known = names_of(label["condition"]), names_of(own)
    if name in label.coords:
        wanted = label[name].values
        own = circuit[name] if name in circuit.coords else own
        found = np.isclose(wanted[:, None], own.values.astype(float)[None, :], rtol=1e-6, atol=1e-9)
    elif named and known:
        wanted = np.array([named[value] for value in label["condition"].values])
        found = wanted[:, None] == np.array([known.get(value, "") for value in own.values])
    else:
        wanted = label["condition"].values
        found = wanted[:, None] == own.values
    if not found.any(1).all():
        raise ValueError(
            f"condition: {wanted[~found.any(1)].tolist()[:4]} are not among the circuit's conditions; give "
            f"it a coordinate {name!r} over condition with the same values, or codes that are its labels."
        )
    if (found.sum(1) > 1).any():
        raise ValueError(
            f"circuit: conditions repeat along its coordinate {name!r}; average over those first."
        )
    place = np.append(found.argmax(1), -1)
    return codes.copy(data=place[codes.values]).reset_coords(drop=True)
