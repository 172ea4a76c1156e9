"""What each run of a study came to over its seeds: success, trials to criterion, and how well it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis.arrays import replicates
from throughtime.analysis.arrays.paired_statistics import median_interval
from throughtime.results.errors import ResultsError
from throughtime.results.flags import flag_attributes
from throughtime.results.schema import attributes
from throughtime.studies import survival
from throughtime.studies.record import AXES, DIVERGED, FAILED, NOT_RUN, REACHED, REFUSED, Frame, frame_of

# metric -> (whether more is better, long_name)
METRICS: dict[str, tuple[bool, str]] = {
    "final_score": (True, "score at the end"),
    "final_loss": (False, "loss on held-out trials at the end"),
    "trials_to_criterion": (False, "trials to criterion"),
}


@dataclass(frozen=True)
class Outcomes:
    """Group ``/outcomes`` of a record as arrays over (task, circuit, rule, option, seed).

    Attributes:
        frame: names of the labels, and the seeds.
        status: codes.
        values: metric -> numbers, NaN for a seed that failed at it: diverged, raised an error, or never
            reached the criterion.
        measured: metric -> whether it means anything for a run (task, circuit, rule, option).
        trials_seen: trials until the end of training.
    """

    frame: Frame
    status: np.ndarray
    values: dict[str, np.ndarray]
    measured: dict[str, np.ndarray]
    trials_seen: np.ndarray

    @property
    def run(self) -> np.ndarray:
        """Which seeds were run: trained to an end, diverged or failed."""
        return np.asarray(self.status < REFUSED)

    @property
    def lost(self) -> np.ndarray:
        """Which seeds diverged or failed."""
        return np.asarray((self.status == DIVERGED) | (self.status == FAILED))

    def times(self, place: tuple[Any, ...]) -> tuple[np.ndarray, np.ndarray]:
        """Trials to criterion of the seeds of one run that were run, and whether each is a lower bound."""
        there = self.run[place]
        each = (self.values["trials_to_criterion"], self.trials_seen, self.lost)
        return survival.times(*(array[place][there] for array in each))


def outcomes_of(record: xr.DataTree, metrics: Sequence[str] = tuple(METRICS)) -> Outcomes:
    """What the seeds of a combined record came to.

    A seed reached the criterion where its status says so: one that reached it and diverged later did not.

    Raises:
        ResultsError: for a record of another kind, or an unknown metric.
    """
    if unknown := [name for name in metrics if name not in METRICS]:
        raise ResultsError(f"metrics: unknown {unknown[0]!r}; use some of {', '.join(METRICS)}.")
    frame = frame_of(record)
    found = record["outcomes"].to_dataset().transpose(*AXES, "seed", ...)
    status = found["status"].values
    trials, updates = (found[name].values.astype(float) for name in ("trials_seen", "num_updates"))
    per_update = np.divide(trials, updates, out=np.zeros(trials.shape), where=updates > 0)
    reached = status == REACHED
    values = {"trials_to_criterion": np.where(reached, found["criterion_update"].values * per_update, np.nan)}
    lost = (status == DIVERGED) | (status == FAILED)
    for name in ("final_score", "final_loss"):
        array = found[name].values.astype(float)
        values[name] = np.where(np.isfinite(array) & ~lost, array, np.nan)
    run = status < REFUSED
    measured = {name: (run & (lost | np.isfinite(array))).any(-1) for name, array in values.items()}
    measured["trials_to_criterion"] = run.any(-1)
    return Outcomes(frame, status, values, measured, trials)


def levels(
    found: Outcomes, metrics: Sequence[str], confidence: float, num_resamples: int, seed: int
) -> dict[str, Any]:
    """Variables of every run: counts, success and trials to criterion, and levels of each metric.

    Returns:
        name -> (dims, array, attributes) for ``xarray.Dataset``.
    """
    shape = found.frame.shape(seeds=False)
    run = found.run
    names = {
        "num_seeds": (run, "seeds that were run"),
        "num_reached": (found.status == REACHED, "seeds that reached the criterion"),
        "num_diverged": (found.status == DIVERGED, "seeds that diverged"),
        "num_failed": (found.status == FAILED, "seeds whose cell failed"),
        "num_refused": (found.status == REFUSED, "seeds that were refused"),
        "num_not_run": (found.status == NOT_RUN, "seeds that were not run"),
    }
    counts = {name: array.sum(-1).astype(np.int64) for name, (array, _) in names.items()}
    variables: dict[str, Any] = {
        name: (AXES, counts[name], {"units": "1", "long_name": text}) for name, (_, text) in names.items()
    }
    rate, trials = np.full((3, *shape), np.nan), np.full((3, *shape), np.nan)
    level = np.full((6, len(metrics), *shape), np.nan)
    budget = np.where(run & ~found.lost, found.trials_seen, 0).max(-1).astype(np.int64)
    for place in np.ndindex(*shape):
        number = int(counts["num_seeds"][place])
        if not number:
            continue
        rate[(slice(None), *place)] = success(int(counts["num_reached"][place]), number, confidence)
        trials[(slice(None), *place)] = survival.median(*found.times(place), confidence)
        for index, name in enumerate(metrics):
            if found.measured[name][place]:
                values = found.values[name][place][run[place]]
                worst = -np.inf if METRICS[name][0] else np.inf
                level[(slice(None), index, *place)] = _level(values, worst, confidence, num_resamples, seed)
    for name, text, array in (
        ("success_rate", "share of seeds that reached the criterion", rate),
        ("median_trials", "median trials to criterion, infinite where it was not reached", trials),
    ):
        for end, values in zip(("", "lower", "upper"), array, strict=True):
            words = f"{end} bound of the {text}" if end else text
            variables["_".join(filter(None, (name, end)))] = (
                AXES,
                values,
                {"units": "1", "long_name": words},
            )
    variables["trial_budget"] = (
        AXES, budget, {"units": "1", "long_name": "most trials that a seed was trained on, 0 if none"}
    )  # fmt: skip
    texts = {
        "mean": "mean over seeds, NaN where one failed",
        "mean_lower": "lower bound of the mean",
        "mean_upper": "upper bound of the mean",
        "median": "median over seeds, failed ones worst",
        "median_lower": "lower bound of the median",
        "median_upper": "upper bound of the median",
    }
    for values, (name, text) in zip(level, texts.items(), strict=True):
        variables[name] = (("metric", *AXES), values, {"units": "1", "long_name": text})
    return variables


def success(reached: int, number: int, confidence: float) -> tuple[float, float, float]:
    """Share of successes with the score interval of Wilson (1927, JASA).

    Example:
        >>> [round(value, 3) for value in success(8, 10, 0.95)]
        [0.8, 0.49, 0.943]
    """
    from scipy.stats import binomtest

    interval = binomtest(reached, number).proportion_ci(confidence, method="wilson")
    return reached / number, float(interval.low), float(interval.high)


def metric_coordinate(metrics: Sequence[str]) -> tuple[str, np.ndarray, dict[str, Any]]:
    """Coordinate of the dim ``metric``."""
    return "metric", np.arange(len(metrics)), attributes("metric", **flag_attributes(metrics))


def _level(
    values: np.ndarray, worst: float, confidence: float, num_resamples: int, seed: int
) -> tuple[float, ...]:
    failed = np.isnan(values)
    ranked = np.where(failed, worst, values)
    interval = np.full(2, np.nan)
    if not failed.any() and values.size >= replicates.MIN_SEEDS:
        interval = replicates.bca_interval((values,), np.mean, confidence, num_resamples, seed)
    mean = np.nan if failed.any() else values.mean()
    return (mean, *interval, replicates.median(ranked), *median_interval(ranked, confidence))
