"""The cells of the study of recorded data: recordings, circuits, what either encodes, and how both compare.

Times are ms from the onset of the stimulus, in bins that are the same for recordings and circuits.
Conditions are signed coherence × choice, coded 2 · level + choice with levels in the order of the
coherences.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr
from _decision_recordings import coherences, simulate
from _task_settings import declare

import throughtime as tt
from throughtime import training
from throughtime.analysis.arrays.recordings import means_by_condition
from throughtime.results.flags import flag_attributes

TASK = "perceptual-decision"
WINDOW = (-80.0, 1080.0)
BIN = 40.0
STRENGTHS = (0.032, 0.064, 0.128, 0.256, 0.512)
LEVELS = np.array([*(-strength for strength in STRENGTHS[::-1]), *STRENGTHS])
CHOICES = (-1, 1)
NUM_CONDITIONS = 2 * LEVELS.size
EPOCHS = {"trial": WINDOW, "stimulus": (0.0, 800.0), "after": (800.0, WINDOW[1])}
"""Parts of the trial that are compared; ms, ends as the task and the recordings have them."""
LATE = (400.0, 800.0)
"""Part of the stimulus in which selectivity is judged, ms."""
MIN_TRIALS = 5
"""Trials that an average needs at least, of recordings and of circuits."""
ONE = {"units": "1"}
CENTRES = WINDOW[0] + BIN * (np.arange(round((WINDOW[1] - WINDOW[0]) / BIN)) + 0.5)


def axes() -> dict[str, Any]:
    """Coordinates of conditions and of time."""
    code = np.arange(NUM_CONDITIONS)
    return {
        "condition": ("condition", code, {**ONE, "long_name": "signed coherence and choice"}),
        "coherence": ("condition", LEVELS[code // 2], {**ONE, "long_name": "signed coherence"}),
        "chosen": ("condition", np.array(CHOICES)[code % 2], {**ONE, "long_name": "choice, + is right"}),
        "time": ("time", CENTRES, {"units": "ms", "long_name": "time from stimulus onset"}),
    }


def between(begin: float, end: float) -> np.ndarray:
    """Positions of the bins between two times."""
    return np.flatnonzero(np.abs(CENTRES - (begin + end) / 2) < (end - begin) / 2)


def codes(coherence: np.ndarray, choice: np.ndarray) -> np.ndarray:
    """Condition of each trial: ``coherence`` signed, ``choice`` 1 for right."""
    level = np.abs(np.asarray(coherence)[:, None] - LEVELS).argmin(1)
    return 2 * level + np.asarray(choice).astype(int)


def recording(declared: Mapping[str, Any]) -> xr.Dataset:
    """One recording: simulated spikes, as rates in the bins of the study.

    Returns:
        ``rates`` (trial, time, unit), NaN where the unit was not held; (trial,) ``stimulus``, the signed
        coherence, and ``choice``, 1 for right.
    """
    seed = declared["seed"]
    found = simulate(coherences(declared["num_trials"], seed), seed=seed, share_lost=declared["share_lost"])
    since = found.spike_time - found.stimulus[0]
    inside = (since >= WINDOW[0]) & (since < WINDOW[1])
    columns = {"spike_time": since, "trial": found.trial, "unit": found.unit}
    num_trials, num_units = found.held.shape
    rates = tt.analysis.recordings(
        xr.Dataset({name: ("spike", values[inside]) for name, values in columns.items()}),
        dt=BIN,
        duration=WINDOW[1] - WINDOW[0],
        start=WINDOW[0],
        recorded=xr.DataArray(
            found.held, coords={"trial": np.arange(num_trials), "unit": np.arange(num_units)}
        ),
        min_trials=MIN_TRIALS,
        min_spikes=1,
    )["rates"]
    return xr.Dataset(
        {
            "rates": rates.astype(np.float32).assign_attrs(rates.attrs),
            "stimulus": ("trial", found.coherence, {**ONE, "long_name": "signed coherence"}),
            "choice": ("trial", found.choice, {**ONE, "long_name": "choice"}),
        }
    )


def binned(activity: np.ndarray, dt: float, onset: float) -> np.ndarray:
    """(trial, time, unit) of a task's steps as means of the bins of the study."""
    first, every = round((onset + WINDOW[0]) / dt), round(BIN / dt)
    if abs(every * dt - BIN) > 1e-6 or first < 0 or first + every * CENTRES.size > activity.shape[1]:
        raise ValueError(f"trials of {activity.shape[1]} steps of {dt} ms do not fill the bins.")
    inside = activity[:, first : first + every * CENTRES.size]
    return inside.reshape(len(activity), CENTRES.size, every, -1).mean(2)


def observed(task: Any, circuit: Any, params: Mapping[str, np.ndarray], seed: int, num_trials: int) -> Any:
    """Held-out trials of one seed."""
    one = {name: value[None] for name, value in params.items()}
    return training.evaluate(task, circuit, one, seeds=[seed], num_trials=num_trials)


def circuits(declared: Mapping[str, Any]) -> xr.Dataset:
    """Circuits trained until the criterion, and what they do in the bins of the study.

    The untrained circuit gets the same trials, and its activity is averaged over the same ones: those in
    which the trained circuit chose likewise.

    Returns:
        Averages ``activity, untrained_activity`` (seed, condition, time, unit) and ``inputs`` (seed,
        condition, time, input); ``stimulus, choice`` (seed, trial); ``score`` (seed, condition, time,
        parameter) on the axes of choice and coherence; ``criterion_update`` (seed,).
    """
    task = tt.tasks.make(TASK)
    settings = declare(TASK, task) | declared["settings"]
    circuit, rule = settings.pop("circuit"), settings.pop("rule")
    record = training.train(task, circuit, rule, seeds=declared["seeds"], progress=False, **settings)
    parts = []
    for place, seed in enumerate(declared["seeds"]):
        before, after = (
            {name: value[place, checkpoint] for name, value in record.params.items()}
            for checkpoint in (0, -1)
        )
        seen = observed(task, circuit, after, seed, declared["num_trials"])
        naive = observed(task, circuit, before, seed, declared["num_trials"])
        if not np.array_equal(seen.inputs, naive.inputs):
            raise ValueError("the untrained circuit did not get the same trials.")
        coherence = task.gain * seen.conditions["coherence"][0] / 100
        choice = seen.scores["choice"][0].astype(int)
        code, onset = codes(coherence, choice), float(seen.epochs["stimulus"][0, 0, 0])
        rates = binned(seen.rates[0], task.dt, onset)
        means = [
            means_by_condition(each, code, NUM_CONDITIONS, min_trials=MIN_TRIALS)[0]
            for each in (
                rates,
                binned(naive.rates[0], task.dt, onset),
                binned(seen.inputs[0], task.dt, onset),
            )
        ]
        dims = (("condition", "time", "unit"), ("condition", "time", "unit"), ("condition", "time", "input"))
        names = ("activity", "untrained_activity", "inputs")
        first = slice(declared["num_shown"])
        trials = xr.DataArray(rates[first], dims=("trial", "time", "unit"), coords={"time": axes()["time"]})
        parts.append(
            xr.Dataset(
                {
                    name: (dim, np.float32(mean), ONE)
                    for name, dim, mean in zip(names, dims, means, strict=True)
                }
                | {
                    "stimulus": ("trial", np.float32(coherence), {**ONE, "long_name": "signed coherence"}),
                    "choice": ("trial", choice.astype(np.int8), {**ONE, "long_name": "choice"}),
                    "criterion_update": ((), record.criterion_update[place], ONE),
                    "score": axes_of(trials, coherence[first], choice[first])["score"],
                },
                axes(),
            )
        )
    return xr.concat(parts, xr.DataArray(declared["seeds"], dims="seed", attrs=ONE, name="seed"))


def axes_of(rates: xr.DataArray, coherence: np.ndarray, choice: np.ndarray) -> xr.Dataset:
    """Axes of choice and of coherence, and the averages of all conditions on them (NaN: few trials)."""
    code = codes(coherence, choice)
    enough = np.bincount(code, minlength=NUM_CONDITIONS)[code] >= MIN_TRIALS
    found = tt.analysis.tdr(
        rates,
        {
            "choice": xr.DataArray(np.array(CHOICES)[choice], dims="trial"),
            "coherence": xr.DataArray(coherence / LEVELS.max(), dims="trial"),
        },
        condition=xr.DataArray(code, dims="trial"),
        where=xr.DataArray(enough, dims="trial"),
    )
    return found.reindex(condition=np.arange(NUM_CONDITIONS))


def coding(declared: Mapping[str, Any], recorded: xr.Dataset) -> xr.Dataset:
    """What one recording encodes, in the units that were held in all of its trials.

    Returns:
        ``participation_ratio`` (time,) of trials at one time, corrected for their number; ``score``
        (condition, time, parameter) and ``coefficient_norm`` (parameter, time) on the axes of choice and
        coherence; ``accuracy`` (time_train, time_test) of decoders of the choice, on as many trials of
        either, and ``null_maximum``, which 95 % of shuffled choices exceed at no pair of times;
        ``class_share`` (option,) of the units by their selectivity; ``example_rate`` (condition, time) of
        the unit that weighs most on the axis of choice; ``num_units, num_complete_units``.
    """
    rates = recorded["rates"].astype(np.float64).assign_attrs(recorded["rates"].attrs)
    whole = tt.analysis.complete(rates)
    stimulus, choice = recorded["stimulus"].values, recorded["choice"].values
    shape = tt.analysis.dimensionality(whole, sample_dims=("trial",))
    targeted = axes_of(whole, stimulus, choice)
    unit = int(targeted["unit"][int(targeted["axis"].isel(parameter=0).argmax("unit"))])
    equal = tt.analysis.equal_trials(whole, recorded["choice"], random_seed=declared["seed"])
    decoded = tt.analysis.decode(
        equal, equal["choice"], num_shuffles=declared["num_shuffles"], random_seed=declared["seed"]
    )
    shown = averages(rates, conditions_of(recorded)).sel(unit=unit, drop=True)
    return xr.Dataset(
        {
            "participation_ratio": shape["participation_ratio_corrected"],
            "score": targeted["score"],
            "coefficient_norm": targeted["coefficient_norm"],
            "accuracy": decoded["accuracy"],
            "null_maximum": decoded["null_maximum"],
            "class_share": classes(whole, stimulus, choice),
            "example_rate": shown.assign_attrs(units="Hz", long_name="rate"),
            "num_units": ((), rates.sizes["unit"], {**ONE, "long_name": "units"}),
            "num_complete_units": ((), whole.sizes["unit"], {**ONE, "long_name": "units held in all trials"}),
        }
    ).assign_coords(axes())


def classes(rates: xr.DataArray, stimulus: np.ndarray, choice: np.ndarray) -> xr.DataArray:
    """Shares of units by their selectivity for choice and for strength of evidence, in the second half of it.

    Of correct trials alone, as many of each choice and strength.
    """
    strength = np.abs(np.abs(stimulus)[:, None] - STRENGTHS).argmin(1)
    code = np.where((stimulus > 0) == (choice == 1), choice * len(STRENGTHS) + strength, -1)
    late = rates.isel(time=between(*LATE))
    equal = tt.analysis.equal_trials(late, xr.DataArray(code, dims="trial", name="cell"), random_seed=0)
    factors = {"choice": equal["cell"] // len(STRENGTHS), "strength": equal["cell"] % len(STRENGTHS)}
    bare = {name: xr.DataArray(each.values, dims="trial") for name, each in factors.items()}
    return tt.analysis.selectivity(equal.mean("time"), bare)["class_share"]


def conditions_of(recorded: xr.Dataset) -> xr.DataArray:
    """Condition of each trial of a recording."""
    return xr.DataArray(codes(recorded["stimulus"].values, recorded["choice"].values), dims="trial")


def averages(rates: xr.DataArray, code: xr.DataArray) -> xr.DataArray:
    """Averages over the trials of each condition that each unit has, NaN where they are few."""
    found = tt.analysis.condition_means(rates.astype(np.float64), code, min_trials=MIN_TRIALS)
    return found["rates"].reindex(condition=np.arange(NUM_CONDITIONS))


def comparison(
    declared: Mapping[str, Any], recorded: xr.Dataset, other: xr.Dataset, trained: xr.Dataset
) -> xr.Dataset:
    """How well circuits predict a recording, and how well others do who know less, or as much.

    ``inputs``: the averages of what circuits saw. ``untrained``: circuits before the first update. ``time``:
    nothing but the time within the trial, so what all conditions share. ``another_recording``: units of
    another recording, all that were held in each of its trials.

    Returns:
        What :func:`throughtime.analysis.compare_recordings` returns of the population, (epoch, seed,
        predictor), each epoch compared by itself; of the units, over the whole trial, ``normalized_score``
        (seed, predictor, unit) and ``ceiling, unit_status`` (unit).
    """
    same = {name: each for name, each in axes().items() if name != "coherence" and name != "chosen"}
    feature = {"unit": "component", "input": "component"}

    def given(array: xr.DataArray) -> xr.DataArray:
        dims = [feature.get(str(dim), str(dim)) for dim in array.dims]
        seeds = {"seed": trained["seed"]} if "seed" in array.dims else {}
        return xr.DataArray(array.values.astype(np.float64), dims=dims, coords=same | seeds)

    sister = averages(tt.analysis.complete(other["rates"]), conditions_of(other))
    clock = np.broadcast_to(np.eye(CENTRES.size), (NUM_CONDITIONS, CENTRES.size, CENTRES.size))
    baselines = {
        "inputs": given(trained["inputs"]),
        "untrained": given(trained["untrained_activity"]),
        "time": given(xr.DataArray(clock, dims=("condition", "time", "unit"))),
        "another_recording": given(sister),
    }
    circuit, recorded_rates = given(trained["activity"]), recorded["rates"].astype(np.float64)
    found = []
    for begin, end in EPOCHS.values():
        inside = between(begin, end)
        found.append(
            tt.analysis.compare_recordings(
                recorded_rates.isel(time=inside),
                circuit.rename(component="unit").isel(time=inside),
                condition=conditions_of(recorded),
                baselines={name: each.isel(time=inside) for name, each in baselines.items()},
                min_trials=MIN_TRIALS,
                num_splits=declared["num_splits"],
                num_resamples=declared["num_resamples"],
                random_seed=declared["seed"],
            )
        )
    whole = [str(name) for name in found[0] if str(name).startswith(("population_", "advantage"))]
    epoch = xr.DataArray(
        np.arange(len(EPOCHS)), dims="epoch", name="epoch", attrs={**ONE, **flag_attributes(list(EPOCHS))}
    )
    units = found[0][["normalized_score", "ceiling", "unit_status"]]
    units = units.assign({name: units[name].isel(seed=0, drop=True) for name in ("ceiling", "unit_status")})
    return xr.concat([each[whole] for each in found], epoch, combine_attrs="override").merge(units)
