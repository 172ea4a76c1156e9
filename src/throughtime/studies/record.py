"""The combined record of a study: its groups, and what stands in them where nothing was run.

Kind ``study``; the root holds attributes only. Over (task, circuit, rule, option) and often seed:

- ``/outcomes``: how every seed ended, and what it scored;
- ``/curves``: the curves of training, with a dim ``update``;
- ``/evaluations``: held-out scores in other conditions than those of training, with a dim ``condition``;
- ``/tuning``: step sizes that were tried, with a dim ``parameter``;
- ``/measures/<name>``: what each measure of the study found;
- ``/distances``: how far circuits are from each other, where the study measures similarity.

The four labels are integers with ``flag_meanings``. A group that the files do not have, or that cannot be
brought together, is absent; ``not_combined`` of the root tells why.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import xarray as xr

from throughtime import config
from throughtime.results.errors import ResultsError
from throughtime.results.flags import flag_attributes
from throughtime.results.provenance import library_attributes
from throughtime.results.schema import attributes

AXES = ("task", "circuit", "rule", "option")
STATUSES = ("criterion_reached", "budget_exhausted", "diverged", "failed", "refused", "not_run")
"""How a seed ended. The first three are those of training; ``failed``: its cell raised an error; ``refused``:
the combination cannot be trained; ``not_run``: not yet, or left out of the study."""
REACHED, EXHAUSTED, DIVERGED, FAILED, REFUSED, NOT_RUN = range(6)
NEVER = -1

# name -> (dtype, what stands where nothing was run, units, long_name)
OUTCOMES: dict[str, tuple[type, float, str, str]] = {
    "status": (np.int8, NOT_RUN, "1", "how the seed ended"),
    "criterion_update": (np.int64, NEVER, "1", "update at which the criterion was first met, -1 if never"),
    "diverged_update": (np.int64, NEVER, "1", "first update with a non-finite loss or gradient, -1 if none"),
    "num_updates": (np.int64, 0, "1", "updates made"),
    "trials_seen": (np.int64, 0, "1", "trials seen"),
    "forward_passes": (np.int64, 0, "1", "forward passes through a trial"),
    "final_loss": (np.float64, np.nan, "1", "loss on held-out trials at the end"),
    "final_score": (np.float64, np.nan, "1", "score at the end"),
    "wall_time": (np.float64, np.nan, "ms", "wall time of training, shared among the seeds of a cell"),
}
CURVES = ("loss", "score", "gradient_norm", "clipped_fraction")


@dataclass(frozen=True)
class Frame:
    """The grid that all groups of a record have in common.

    Attributes:
        names: axis (task, circuit, rule, option) -> its labels in order.
        seeds: numbers of the seeds.

    Example:
        >>> frame = Frame({axis: ("a", "b") if axis == "rule" else ("one",) for axis in AXES}, (0, 1, 2))
        >>> frame.shape(), frame.place(task="one", circuit="one", rule="b", option="one")
        ((1, 1, 2, 1, 3), (0, 0, 1, 0))
    """

    names: Mapping[str, tuple[str, ...]]
    seeds: tuple[int, ...]

    def shape(self, seeds: bool = True) -> tuple[int, ...]:
        """Sizes of the four axes, and of the seeds."""
        sizes = tuple(len(self.names[axis]) for axis in AXES)
        return (*sizes, len(self.seeds)) if seeds else sizes

    def place(self, **labels: str) -> tuple[int, ...]:
        """Indices of one combination."""
        return tuple(self.names[axis].index(labels[axis]) for axis in AXES)

    def seed_places(self, seeds: Iterable[int]) -> list[int]:
        """Indices of some seeds.

        Raises:
            ResultsError: for a seed that the study does not have.
        """
        at = {seed: place for place, seed in enumerate(self.seeds)}
        wanted = [int(seed) for seed in seeds]
        if unknown := sorted(set(wanted) - set(at)):
            raise ResultsError(
                f"combine: a file has seeds {unknown}, the study has {list(self.seeds)}; it is of another."
            )
        return [at[seed] for seed in wanted]

    def coordinates(self, seeds: bool = True) -> dict[str, Any]:
        """Coordinates of the axes, and of the seeds."""
        found: dict[str, Any] = {
            axis: (axis, np.arange(len(names)), attributes(axis, **flag_attributes(names)))
            for axis, names in ((axis, self.names[axis]) for axis in AXES)
        }
        if seeds:
            found["seed"] = ("seed", np.asarray(self.seeds, np.int64), attributes("seed"))
        return found

    def empty(self, name: str) -> np.ndarray:
        """An outcome of which nothing was run."""
        dtype, fill, _, _ = OUTCOMES[name]
        return np.full(self.shape(), fill, dtype)


def outcomes(
    frame: Frame,
    values: Mapping[str, np.ndarray],
    learning_rate: np.ndarray,
    complete: np.ndarray | None = None,
) -> xr.Dataset:
    """Group ``/outcomes``.

    Args:
        frame: the grid.
        values: every name of :data:`OUTCOMES` -> (task, circuit, rule, option, seed).
        learning_rate: (task, circuit, rule, option) step size of training, chosen or given; NaN without one.
        complete: whether all seeds of a run are done and merged; by default where none is missing.
    """
    status = np.asarray(values["status"])
    merged = (status < FAILED).all(-1) if complete is None else complete
    variables: dict[str, Any] = {}
    for name, (dtype, _, units, long_name) in OUTCOMES.items():
        flags = flag_attributes(STATUSES) if name == "status" else {}
        attrs = {"units": units, "long_name": long_name, **flags}
        variables[name] = ((*AXES, "seed"), np.asarray(values[name]).astype(dtype), attrs)
    variables["learning_rate"] = (AXES, learning_rate, attributes("learning_rate", long_name="step size"))
    told = attributes("complete", long_name="whether the run is complete", **flag_attributes(["no", "yes"]))
    variables["complete"] = (AXES, merged.astype(np.int8), told)
    return xr.Dataset(variables, frame.coordinates())


def curves(frame: Frame, update: np.ndarray, values: Mapping[str, Any]) -> xr.Dataset:
    """Group ``/curves``.

    Args:
        frame: the grid.
        update: (update,) updates made at the end of each block.
        values: name -> (task, circuit, rule, option, seed, update), NaN where a seed had ended or nothing was
            measured; NumPy or Dask arrays.
    """
    dims = (*AXES, "seed", "update")
    coords = {**frame.coordinates(), "update": ("update", update, attributes("update"))}
    return xr.Dataset({name: (dims, array, attributes(name)) for name, array in values.items()}, coords)


def evaluations(
    frame: Frame, conditions: Sequence[str], score: np.ndarray, loss: np.ndarray | None = None
) -> xr.Dataset:
    """Group ``/evaluations``.

    Args:
        frame: the grid.
        conditions: labels of the evaluations.
        score, loss: (task, circuit, rule, option, seed, condition), NaN where there is none.
    """
    condition = (
        "condition",
        np.arange(len(conditions)),
        attributes("condition", long_name="evaluation", **flag_attributes(conditions)),
    )
    dims = (*AXES, "seed", "condition")
    variables = {"score": (dims, score, attributes("score"))}
    if loss is not None:
        variables["loss"] = (dims, loss, attributes("loss", long_name="loss on held-out trials"))
    return xr.Dataset(variables, {**frame.coordinates(), "condition": condition})


def tuning(frame: Frame, rate: np.ndarray, loss: np.ndarray, num_diverged: np.ndarray) -> xr.Dataset:
    """Group ``/tuning``.

    Args:
        frame: the grid.
        rate, loss, num_diverged: (task, circuit, rule, option, parameter) step sizes tried, the held-out
            loss that each ended with on tuning seeds (infinite where one diverged), and how many diverged;
            NaN, NaN and −1 where nothing was tried.
    """
    dims = (*AXES, "parameter")
    parameter = (
        "parameter", np.arange(rate.shape[-1]), {"units": "1", "long_name": "place of the step size"}
    )  # fmt: skip
    named = {
        "rate": (rate, "step size tried"),
        "loss": (loss, "loss on held-out trials of tuning seeds at the end"),
        "num_diverged": (np.asarray(num_diverged), "tuning seeds that diverged, -1 where none was tried"),
    }
    variables = {
        name: (dims, array, {"units": "1", "long_name": text}) for name, (array, text) in named.items()
    }
    return xr.Dataset(variables, {**frame.coordinates(seeds=False), "parameter": parameter})


def root(
    declaration: Any,
    *,
    name: str,
    status: np.ndarray,
    runs: Sequence[Mapping[str, Any]] = (),
    failures: Sequence[Mapping[str, Any]] = (),
    refused: Sequence[Mapping[str, Any]] = (),
    not_run: Sequence[Mapping[str, Any]] = (),
    not_combined: Mapping[str, str] | None = None,
    **more: Any,
) -> dict[str, Any]:
    """Attributes of the root.

    Args:
        declaration: the study, or its plain JSON; ``config`` is its canonical text.
        name: of the study.
        status: of every seed, for the counts ``num_seeds_<status>``.
        runs: task, circuit, rule, option and run_id of each run.
        failures, refused, not_run: task, circuit, rule, option, seeds and reason.
        not_combined: group -> why it is absent.
        more: further attributes.
    """
    digest = config.sha256(declaration)
    counts = np.bincount(np.asarray(status).ravel().astype(int), minlength=len(STATUSES))
    return {
        **library_attributes("study"),
        "name": name,
        "run_id": digest[:16],
        "config": config.canonical(declaration),
        "config_sha256": digest,
        "runs": json.dumps(list(runs), sort_keys=True),
        "num_runs": len(runs),
        **{f"num_seeds_{one}": int(count) for one, count in zip(STATUSES, counts, strict=True)},
        "failures": json.dumps(list(failures), sort_keys=True),
        "refused": json.dumps(list(refused), sort_keys=True),
        "not_run": json.dumps(list(not_run), sort_keys=True),
        "not_combined": json.dumps(dict(not_combined or {}), sort_keys=True),
        **more,
    }


def tree(attrs: Mapping[str, Any], groups: Mapping[str, xr.Dataset]) -> xr.DataTree:
    """The record: root attributes and groups by path."""
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=dict(attrs)), **groups})


def frame_of(record: xr.DataTree) -> Frame:
    """The grid of a combined record.

    Raises:
        ResultsError: for a record of another kind.

    Example:
        >>> frame_of(xr.DataTree())
        Traceback (most recent call last):
        throughtime.results.errors.ResultsError: study: expected the combined record of a study, ...
    """
    from throughtime.results.flags import labels

    if record.attrs.get("kind") != "study" or "outcomes" not in record.children:
        raise ResultsError(
            f"study: expected the combined record of a study, found kind {record.attrs.get('kind')!r} with "
            f"groups {', '.join(sorted(map(str, record.children))) or 'none'}; combine(folder) makes one."
        )
    found = record["outcomes"].to_dataset()
    names = {axis: tuple(labels(found[axis])) for axis in AXES}
    return Frame(names, tuple(int(seed) for seed in found["seed"].values))
