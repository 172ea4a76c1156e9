"""How far the circuits of a study came to be from each other: a matrix for each task that is complete."""

from __future__ import annotations

import itertools
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

from throughtime import config
from throughtime.results import files
from throughtime.results.errors import ResultsError
from throughtime.results.flags import flag_attributes
from throughtime.results.formats import ENGINE
from throughtime.results.provenance import library_attributes
from throughtime.results.schema import attributes
from throughtime.studies.record import AXES, DIVERGED, STATUSES
from throughtime.studies.sources import Sources

if TYPE_CHECKING:
    from throughtime.comparison.probe import Activity, Probe

# measure of the study -> (most circuits of a matrix, units, long_name)
MEASURES: dict[str, tuple[int, str, str]] = {
    "cka": (60, "1", "1 − CKA"),
    "shape_distance": (60, "rad", "shape distance"),
    "dsa": (24, "rad", "dissimilarity of dynamics"),
}
ROOM = "distances"
RESTARTS = 10

Circuit = tuple[int, int, int, int]
"""Places along circuit, rule and option, and the number of the seed."""


def distances(found: Sources) -> xr.Dataset | None:
    """Group ``/distances``; None where the study declares no measure of similarity, or no task is complete.

    Every circuit of a task runs, without noise and with its final weights, in the same held-out trials (as
    many as the study's ``measure_trials``); distances are between what they do there, at up to 16 times of a
    trial. As many seeds take part, the first ones, as there is room for in a matrix of 60 circuits (24 for
    ``dsa``). A matrix is kept in the folder, and computed again when a run has changed.

    Returns:
        Dataset: ``cka``, ``shape_distance``, ``dsa`` (task, run, other_run), those that are declared, NaN for
        a circuit that diverged, was not trained or has no part in the measure; ``label``, with names, and
        ``replicate`` (run): the seed.

    Raises:
        ResultsError: where there is no room for one seed of each, or circuits cannot be run.
    """
    names = [name for name in MEASURES if name in {one.named() for one in found.study.measures}]
    tasks = [task for task in range(len(found.frame.names["task"])) if _complete(found, task)]
    if not names or not tasks:
        return None
    parts = {name: _circuits(found, MEASURES[name][0]) for name in names}
    names = [name for name in names if parts[name]]
    if not names:
        raise ResultsError(
            "circuits, rules and options are more than a matrix has room for, with one seed each"
        )
    circuits = max(parts.values(), key=len)
    shape = (len(found.frame.names["task"]), len(circuits), len(circuits))
    values = {name: np.full(shape, np.nan) for name in names}
    for task in tasks:
        files_of = {name: _kept(found, task, name, parts[name]) for name in names}
        matrices = {name: _read(path) for name, path in files_of.items()}
        missing = [name for name in names if matrices[name] is None]
        if missing:
            try:
                probe, activity = _activities(found, task, circuits)
                for name in missing:
                    matrices[name] = _matrix(name, [activity[one] for one in parts[name]], probe)
            except FileNotFoundError:
                raise
            except Exception as failure:  # what was trained is combined all the same
                raise ResultsError(f"{type(failure).__name__}: {failure}") from failure
            for name in missing:
                _write(files_of[name], matrices[name], name)
        for name in names:
            at = [circuits.index(one) for one in parts[name]]
            values[name][task][np.ix_(at, at)] = matrices[name]
    return _dataset(found, values, circuits)


def _complete(found: Sources, task: int) -> bool:
    """Whether all runs of a task that can be run are merged, two circuits at least."""
    places = [at for at in np.ndindex(*found.frame.shape(seeds=False)) if at[0] == task]
    wanted = [at for at in places if at not in found.refused and at not in found.left_out]
    circuits = sum(at in found.merged for at in wanted) * len(found.frame.seeds)
    return circuits > 1 and all(at in found.merged for at in wanted)


def _circuits(found: Sources, most: int) -> list[Circuit]:
    """Circuits of a matrix: rules side by side, then circuits and options, each with its first seeds."""
    frame = found.frame
    groups = [
        (circuit, rule, option)
        for rule, circuit, option in itertools.product(
            *(range(len(frame.names[axis])) for axis in ("rule", "circuit", "option"))
        )
    ]
    seeds = frame.seeds[: most // len(groups)]
    return [(*group, seed) for group in groups for seed in seeds]


def _labels(found: Sources, circuits: list[Circuit]) -> list[str]:
    """Rule of every circuit, with its circuit and option where these differ in the study."""
    names = found.frame.names
    shown = ["rule", *(axis for axis in ("circuit", "option") if len(names[axis]) > 1)]
    texts = []
    for circuit, rule, option, _ in circuits:
        place = {"circuit": circuit, "rule": rule, "option": option}
        texts.append("_".join(names[axis][place[axis]] for axis in shown))
    return texts


def _dataset(found: Sources, values: dict[str, np.ndarray], circuits: list[Circuit]) -> xr.Dataset:
    texts = _labels(found, circuits)
    unique = list(dict.fromkeys(texts))
    index = np.arange(len(circuits))
    variables: dict[str, Any] = {
        name: (
            ("task", "run", "other_run"), array, {"units": MEASURES[name][1], "long_name": MEASURES[name][2]}
        )
        for name, array in values.items()
    }  # fmt: skip
    codes = np.array([unique.index(text) for text in texts], np.int32)
    variables["label"] = ("run", codes, attributes("label", **flag_attributes(unique)))
    seeds = np.array([seed for *_, seed in circuits], np.int64)
    variables["replicate"] = ("run", seeds, {"units": "1", "long_name": "seed"})
    return xr.Dataset(
        variables,
        {
            "task": found.frame.coordinates(seeds=False)["task"],
            "run": ("run", index, attributes("run", long_name="circuit")),
            "other_run": ("other_run", index, attributes("other_run", long_name="other circuit")),
        },
    )


def _activities(
    found: Sources, task: int, circuits: list[Circuit]
) -> tuple[Probe, dict[Circuit, Activity | None]]:
    """What every circuit does in the trials of the task; None for one that is not there."""
    from throughtime import results
    from throughtime.comparison.probe import Probe
    from throughtime.objectives import SquaredError
    from throughtime.studies.plans import combinations

    every = {
        found.frame.place(**dict(zip(AXES, one.labels, strict=True))): one
        for one in combinations(found.study)
    }
    activity: dict[Circuit, Activity | None] = dict.fromkeys(circuits)
    probe = None
    for circuit, rule, option in dict.fromkeys(one[:3] for one in circuits):
        at = (task, circuit, rule, option)
        if at not in found.merged:
            continue
        one = every[at]
        (piece,) = found.trained[at]
        tree = _checkpoints(piece.path)
        objective = one.common.get("objective") or SquaredError()
        own = Probe(
            one.task,
            one.circuit,
            objective,
            data_seed=found.frame.seeds[0],
            num_trials=found.study.measure_trials,
        )
        probe = own if probe is None else probe
        lost = _diverged(found, at)
        for seed in [seed for *group, seed in circuits if tuple(group) == at[1:]]:
            if seed not in lost:
                activity[circuit, rule, option, seed] = own.activity(results.params_of(tree, seed))
    if probe is None:
        raise ResultsError("no run of the task is there")
    return probe, activity


def _checkpoints(path: Path) -> xr.DataTree:
    """The weights of a run alone."""
    with xr.open_dataset(
        path, group="checkpoints", engine=ENGINE, mask_and_scale=False, decode_times=False
    ) as data:
        return xr.DataTree.from_dict({"/checkpoints": data.load()})


def _diverged(found: Sources, at: tuple[int, ...]) -> set[int]:
    return {
        seed
        for place, one in found.of_kind("train")
        if place == at
        for seed, status in zip(one["seeds"], one["status"], strict=True)
        if status == STATUSES[DIVERGED]
    }


def _matrix(name: str, activity: list[Activity | None], probe: Probe) -> np.ndarray:
    """Distances (circuit, circuit); NaN where one is not there or the measure is not defined."""
    from throughtime.analysis.arrays.blas import single_threaded
    from throughtime.analysis.arrays.distance_matrix import distance_matrix
    from throughtime.analysis.arrays.dsa import compare_operators
    from throughtime.comparison.distances import RANK, dynamics

    trial, time = probe.samples
    there = [k for k, one in enumerate(activity) if one is not None and np.isfinite(one.rates).all()]
    matrix = np.full((len(activity), len(activity)), np.nan)
    if len(there) < 2:
        return matrix
    chosen: Any = [activity[k] for k in there]
    options: dict[str, Any] = {"measure": name}
    if name == "dsa":
        rank = min(len(dynamics(one, probe, RANK).operator) for one in chosen)
        systems = [dynamics(one, probe, rank).operator for one in chosen]
        options["measure"] = lambda a, b: compare_operators(a, b, seed=0, n_restarts=RESTARTS).dsa
    else:
        systems = [one.rates[trial, time] for one in chosen]
    with warnings.catch_warnings(), single_threaded():  # many small decompositions
        warnings.simplefilter("ignore", UserWarning)  # of starts of dsa that disagree
        try:
            matrix[np.ix_(there, there)] = distance_matrix(systems, **options).distance
        except ValueError:  # refused for every pair
            return matrix
    return matrix


def _kept(found: Sources, task: int, name: str, part: list[Circuit]) -> Path:
    """File of a matrix, named by all that it depends on."""
    runs = sorted(
        ("-".join(found.labels(at).values()), one["content_sha256"])
        for at, one in found.of_kind("train")
        if at[0] == task
    )
    told = {"measure": name, "trials": found.study.measure_trials, "circuits": part, "runs": runs}
    digest = config.sha256(told)
    return found.path / ROOM / f"{found.frame.names['task'][task]}-{name}-{digest[:12]}.nc"


def _read(path: Path) -> np.ndarray | None:
    if not path.is_file():
        return None
    try:
        return np.asarray(files.load(path)["distances"].to_dataset()["distance"].values)
    except (ResultsError, KeyError):
        return None


def _write(path: Path, matrix: np.ndarray | None, name: str) -> None:
    """Keep a matrix; where the folder is closed it is computed again next time."""
    if matrix is None:
        return
    index = np.arange(len(matrix))
    _, units, long_name = MEASURES[name]
    data = xr.Dataset(
        {"distance": (("run", "other_run"), matrix, {"units": units, "long_name": long_name})},
        {dim: (dim, index, attributes(dim)) for dim in ("run", "other_run")},
    )
    tree = xr.DataTree.from_dict({"/": xr.Dataset(attrs=library_attributes("analysis")), "/distances": data})
    try:
        path.parent.mkdir(exist_ok=True)
        files.save(tree, path, overwrite=True)
    except (OSError, ResultsError):
        return
