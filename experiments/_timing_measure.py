"""One cell of the study of low-rank timing: circuits trained on four intervals, then asked for others."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import numpy as np
import xarray as xr

import throughtime as tt
from throughtime import training
from throughtime.circuits import Circuit, Dense, Leaky, Learned, LowRank
from throughtime.results.flags import flag_attributes
from throughtime.tasks import Uniform
from throughtime.training.record import STATUS_MEANINGS

TRAINED = (800.0, 1550.0)
"""Shortest and longest interval of training, ms."""
BLOCKS = {"below": (0.0, 800.0), "inside": TRAINED, "near": (1550.0, 1925.0), "above": (1550.0, 2300.0)}
"""Parts of the range of tested intervals, ms; ``near`` is the lower half of ``above``."""
ANSWERED = 0.5
"""Share of trials with a response that an interval needs to enter a slope."""
FEWEST = 3
"""Intervals that a slope needs."""
TOLERANCE = 0.15
"""Largest relative error of a correct test trial."""
SHOWN = (650.0, 800.0, 1175.0, 1550.0, 1925.0, 2300.0)
"""Intervals whose outputs are kept, ms."""
SHOWN_MS = 40.0
"""Spacing of samples of outputs that are kept."""


def parts_of(declared: Mapping[str, Any]) -> tuple[Any, Circuit]:
    """Task and circuit of a cell; rank 0 stands for full rank."""
    task = tt.tasks.CueSetGo.beiran(
        dt=declared["dt"],
        wait=Uniform(*declared["wait"]),
        tolerance=declared["tolerance"],
        cue_duration=declared["cue_duration"],
    )
    rank = declared["rank"]
    recurrent = (
        LowRank(rank=rank, initial_overlap=declared["initial_overlap"])
        if rank
        else Dense(gain=declared["gain"])
    )
    circuit = tt.circuits.for_task(
        task,
        declared["num_units"],
        dynamics=Leaky(tau=declared["tau"]),
        recurrent=recurrent,
        noise=declared["noise"],
        initial=Learned(),
        fixed=("bias", "readout_bias"),
    )
    return task, circuit


def probe_of(task: Any, declared: Mapping[str, Any]) -> Any:
    """The task with all intervals of the test, Set always at the same time, and room for late responses."""
    wait = sum(declared["wait"]) / 2
    return dataclasses.replace(
        task,
        interval=tuple(declared["intervals"]),
        wait=wait,
        catch=0.0,
        tolerance=TOLERANCE,
        trial_end=wait + declared["longest_response"],
    )


def medians(produced: np.ndarray, asked: np.ndarray, intervals: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Median produced interval of trials with a response, and their share, both (interval,); NaN without."""
    middle, share = np.full((2, len(intervals)), np.nan)
    for place, interval in enumerate(intervals):
        one = produced[np.isclose(asked, interval)]
        answered = one[np.isfinite(one)]
        if one.size:
            share[place] = answered.size / one.size
        if answered.size:
            middle[place] = np.median(answered)
    return middle, share


def slope(produced: np.ndarray, share: np.ndarray, intervals: np.ndarray, ends: tuple[float, float]) -> float:
    """Least-squares slope of produced (interval,) on asked intervals between ``ends``, both of them included.

    Intervals with responses in less than half of the trials are left out; NaN where fewer than three stay.
    """
    used = (intervals >= ends[0]) & (intervals <= ends[1]) & (share >= ANSWERED)
    if used.sum() < FEWEST:
        return np.nan
    return float(np.polyfit(intervals[used], produced[used], 1)[0])


def inside(intervals: np.ndarray, name: str) -> np.ndarray:
    """Which intervals belong to a part of the range; the ends of the trained range do so to it alone."""
    low, high = BLOCKS[name]
    if name == "inside":
        return np.asarray((intervals >= low) & (intervals <= high))
    return np.asarray((intervals > low) & ((intervals < high) if name == "below" else (intervals <= high)))


def reach(produced: np.ndarray, share: np.ndarray, intervals: np.ndarray) -> float:
    """Longest interval up to which, from the longest trained one on, all are produced within 15 %, in ms.

    An interval counts if half of its trials or more have a response. If that fails at the first of them, the
    longest trained interval is returned.
    """
    longest = TRAINED[1]
    for place in np.flatnonzero(intervals >= TRAINED[1]):
        close = abs(produced[place] / intervals[place] - 1) <= TOLERANCE
        if not (share[place] >= ANSWERED and close):
            break
        longest = float(intervals[place])
    return longest


def growth(produced: np.ndarray, share: np.ndarray, intervals: np.ndarray) -> tuple[float, float, float]:
    """How what is produced grows from the longest trained interval on, where half of the trials are answered.

    Returns:
        1 where each interval is longer than the one before, else 0; R² of a line against the asked intervals,
        through those produced, and through one over them. Without four intervals, or where all are the same:
        0 and NaN.
    """
    used = (intervals >= TRAINED[1]) & (share >= ANSWERED)
    found, asked = produced[used].astype(float), intervals[used]
    if len(found) <= FEWEST or not np.ptp(found):
        return 0.0, np.nan, np.nan
    straight, speed = (float(np.corrcoef(asked, values)[0, 1] ** 2) for values in (found, 1 / found))
    return float((np.diff(found) > 0).all()), straight, speed


def judged(
    produced: np.ndarray, correct: np.ndarray, asked: np.ndarray, intervals: np.ndarray
) -> dict[str, Any]:
    """All that is kept of the test trials (trial,) of one circuit."""
    middle, share = medians(produced, asked, intervals)
    at = {name: np.isin(np.round(asked), np.round(intervals[inside(intervals, name)])) for name in BLOCKS}
    return {
        "produced": middle,
        "share": share,
        "slope": np.array([slope(middle, share, intervals, ends) for ends in BLOCKS.values()]),
        "responded": np.array([np.isfinite(produced[here]).mean() for here in at.values()]),
        "correct": np.array([correct[here].mean() for here in at.values()]),
        "longest": reach(middle, share, intervals),
    }


def measure(declared: Mapping[str, Any]) -> xr.Dataset:
    """Train the seeds of a cell and test them.

    Returns:
        ``produced``, ``share`` (seed, condition); ``slope``, ``responded``, ``correct`` (seed, block);
        ``longest``, ``criterion_update``, ``num_updates``, ``ended``, ``loss`` (seed,); ``answer`` (trial,
        time), mean outputs of the first seed at some intervals, time since Set.
    """
    task, circuit = parts_of(declared)
    every = declared["eval_every"]
    record = training.train(
        task, circuit, tt.rules.make("bptt"), seeds=declared["seeds"], num_updates=declared["num_updates"],
        batch_size=declared["batch_size"], learning_rate=declared["learning_rate"], clip=declared["clip"],
        stop=declared["stop"], eval_every=every, log_every=every, progress=False,
    )  # fmt: skip
    probe, intervals = probe_of(task, declared), np.asarray(declared["intervals"], float)
    found: list[dict[str, Any]] = []
    for place, seed in enumerate(record.seeds):
        params = {name: value[place : place + 1, -1] for name, value in record.params.items()}
        seen = training.evaluate(probe, circuit, params, seeds=[seed], num_trials=declared["test_trials"])
        asked = seen.conditions["interval"][0].astype(float)
        one = judged(
            seen.scores["produced_interval"][0].astype(float), seen.scores["correct"][0], asked, intervals
        )
        if not place:
            outputs, time = seen.outputs[0, ..., 0], task.dt * (0.5 + np.arange(seen.outputs.shape[2]))
            answer = np.stack(
                [outputs[np.isclose(asked, interval)].mean(0) for interval in declared["shown"]]
            )
        found.append(one)
    last = [curve[np.isfinite(curve)][-1:] for curve in record.curves["loss"]]
    thinned = slice(None, None, max(1, round(SHOWN_MS / task.dt)))
    words = {name: {"units": "1", "long_name": long_name} for name, long_name in WORDS.items()}
    milliseconds = {"produced": "ms", "longest": "ms"}
    data: dict[str, Any] = {
        name: (
            dims,
            np.stack([one[name] for one in found]),
            words[name] | {"units": milliseconds.get(name, "1")},
        )
        for name, dims in DIMS_OF.items()
    }
    data |= {
        "criterion_update": ("seed", record.criterion_update, words["criterion_update"]),
        "num_updates": ("seed", record.num_updates, words["num_updates"]),
        "ended": ("seed", record.status, words["ended"] | flag_attributes(STATUS_MEANINGS)),
        "loss": ("seed", [one[0] if len(one) else np.nan for one in last], words["loss"]),
        "answer": (("trial", "time"), answer[:, thinned], words["answer"]),
    }
    one: dict[str, Any] = {"units": "1"}
    coords = {
        "seed": ("seed", record.seeds, one | {"long_name": "seed"}),
        "condition": ("condition", intervals, {"units": "ms", "long_name": "asked interval"}),
        "block": ("block", range(len(BLOCKS)), one | flag_attributes(list(BLOCKS))),
        "trial": ("trial", list(declared["shown"]), {"units": "ms", "long_name": "asked interval"}),
        "time": (
            "time",
            (time - sum(declared["wait"]) / 2)[thinned],
            {"units": "ms", "long_name": "time since Set"},
        ),
    }
    return xr.Dataset(data, coords)


DIMS_OF = {
    "produced": ("seed", "condition"),
    "share": ("seed", "condition"),
    "slope": ("seed", "block"),
    "responded": ("seed", "block"),
    "correct": ("seed", "block"),
    "longest": ("seed",),
}
WORDS = {
    "produced": "produced interval, median of trials with a response",
    "share": "share of trials with a response",
    "slope": "slope of produced on asked intervals",
    "responded": "share of trials with a response",
    "correct": "share of trials within 15 % of the asked interval",
    "longest": "longest interval up to which all above the trained ones are within 15 %",
    "criterion_update": "update at which the criterion was first met, -1 if never",
    "num_updates": "updates made",
    "ended": "how training ended",
    "loss": "training loss of the last updates",
    "answer": "mean output of the first seed",
}
