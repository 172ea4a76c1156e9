"""The record of the tasks: tables over (task, condition, seed) that are filled a cell at a time.

``/trained`` (task, condition, seed) says how training ended at each value of the hardest parameter,
``/ceiling`` (task, condition, option, draw) what untrained circuits with a fitted readout reach, and
``/<task>`` (condition, seed, trial) how the trained circuits behaved on held-out trials: the variables of the
task's signature; ``/<probe>`` (seed, trial) likewise for a probe, with how training ended (seed,). What has
not been measured is NaN, or −2 where it is an integer.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr
from _task_settings import SEEDS

import throughtime as tt
from throughtime import runtime
from throughtime.analysis.fits import fit
from throughtime.results import labels, provenance
from throughtime.results.flags import encode_flags, flag_attributes
from throughtime.results.schema import units_of
from throughtime.tasks import Measured, durations
from throughtime.training.record import STATUS_MEANINGS

HEAD = '''\
"""What the tasks demand, as measured: written from ``evidence/tasks.nc`` by ``experiments/evidence.py``.

For every value of ``task.hardest``: ceiling, whether untrained circuits pass, whether trained ones do.
"""

from throughtime.tasks.hardest import Measured

# fmt: off
MEASURED: dict[str, tuple[Measured, ...]] = {'''
ABSENT = -2
STATUS = {"flag_values": [ABSENT, 0, 1, 2], "flag_meanings": " ".join(("not_run", *STATUS_MEANINGS))}
FLOATS = {  # name -> units, long name; (task, condition, seed)
    "score": ("1", "fraction correct at the last evaluation"),
    "loss": ("1", "training loss at the end"),
    "measure": ("1", "measure of the first criterion on trials of the test stream"),
    "training_time": ("ms", "time of training a seed, the compilation shared"),
}
INTEGERS = {
    "num_updates": "updates made; -2 if not run",
    "criterion_update": "update at which the criterion was first met; -1 if never, -2 if not run",
    "status": "how training ended; -2 if not run",
}
ONE = {"units": "1"}
PLACE = {"long_name": "place of the hash of the declaration among the hashes"}


def level_of(cell: Any) -> float:
    """The value of the hardest parameter as a number: its upper bound, or its place if it is no number."""
    value = tt.tasks.make(cell.name).hardest.values[cell.index]
    if isinstance(value, bool | str) or value is None:
        return float(cell.index)
    return float(durations.bounds(value)[1])


def word_of(cell: Any) -> str:
    """The value of the hardest parameter in a word, a range by its ends."""
    value = tt.tasks.make(cell.name).hardest.values[cell.index]
    if isinstance(value, bool | str) or value is None:
        return str(value)
    low, high = durations.bounds(value)
    return f"{low:g}" if low == high else f"{low:g}–{high:g}"


def per_trial(task: Any, evaluation: xr.Dataset) -> tuple[dict[str, xr.DataArray], dict[str, xr.DataArray]]:
    """Scores and conditions (seed, trial) under the names the task gives them."""
    found = {str(name): array for name, array in evaluation.items() if array.dims == ("seed", "trial")}
    conditions = {}
    for name in task.condition_names:
        stored = f"{name}_condition" if f"{name}_condition" in found else name
        conditions[name] = found.pop(stored)
    return {name.removesuffix("_score"): array for name, array in found.items()}, conditions


def behaviour(task: Any, evaluation: xr.Dataset) -> xr.Dataset:
    """The variables of the signature (seed, trial), NaN on catch trials; the first criterion's measure."""
    scores, conditions = per_trial(task, evaluation)
    found = {}
    for argument, name in task.signature.variables:
        values = (scores | conditions)[name].astype(np.float32)
        if "catch" in conditions:
            values = values.where(conditions["catch"] == 0)
        attrs = {"units": values.attrs.get("units", units_of(name)), "long_name": name.replace("_", " ")}
        found[argument] = xr.DataArray(values.values, dims=("seed", "trial"), attrs=attrs)
    first = task.criterion[0]
    measured = []
    for seed in range(evaluation.sizes["seed"]):
        of_seed = [
            {name: array.values[seed] for name, array in each.items()} for each in (scores, conditions)
        ]
        fitted = {} if first.measure in scores else fit(task.signature, *of_seed)
        measured.append(first.value(*of_seed, fitted))
    return xr.Dataset({**found, "measure": ("seed", np.array(measured))})


def labelled(behaviour: xr.Dataset, task: Any) -> None:
    """Attribute ``labels``: names of the values 0, 1, … of the variables that have names."""
    for argument, condition in task.signature.variables:
        if condition in task.condition_labels:
            behaviour[argument].attrs["labels"] = " ".join(task.condition_labels[condition])


class Record:
    """What has been measured: cell -> dataset, and how it stands in the file.

    Args:
        cells: all that belong to the record. found: those that are there.
    """

    def __init__(self, cells: Sequence[Any], found: dict[Any, xr.Dataset]) -> None:
        self.cells, self.found = tuple(cells), dict(found)

    @property
    def missing(self) -> list[str]:
        """Names of what has not been measured."""
        return [
            f"{cell.part} {cell.probe or f'{cell.name} {word_of(cell)}'}"
            for cell in self.cells
            if cell not in self.found
        ]

    def training(self, cell: Any, run: Any, seconds: float, evaluation: xr.Dataset) -> None:
        """Enter a trained cell: dataset (seed,) and its behaviour (seed, trial)."""
        training = run.tree["training"].to_dataset()
        last = {
            name: [(row[np.isfinite(row)].tolist() or [np.nan])[-1] for row in training[name].values]
            for name in ("score", "loss")
        }
        columns: dict[str, Any] = {name: training[name].values for name in INTEGERS}
        columns |= {"score": np.array(last["score"]), "loss": np.array(last["loss"])}
        columns["training_time"] = np.full(len(cell.seeds), 1000 * seconds / len(cell.seeds))
        table = xr.Dataset({name: ("seed", value) for name, value in columns.items()})
        self.found[cell] = table.merge(behaviour(cell.tested, evaluation))

    def ceiling(self, cell: Any, found: xr.Dataset, seconds: float) -> None:
        """Enter a ceiling: (option, seed) of the first measure, and whether all criteria hold."""
        measure = found["measure"].isel(parameter=0).drop_vars("parameter")
        self.found[cell] = (
            xr.Dataset(
                {"ceiling": measure, "ceiling_reached": found["reached"], "ceiling_time": 1000 * seconds}
            )
            .drop_vars(("option", "seed", "gain"))
            .rename(seed="draw")
        )

    # As it stands in the file.

    def tree(self) -> xr.DataTree:
        """All of it."""
        names = list(dict.fromkeys(cell.name for cell in self.cells))
        most = max(cell.index for cell in self.cells) + 1
        shape = (len(names), most)
        identity = np.full((2, *shape), -1)
        hashes: list[str] = []
        trained = {name: np.full((*shape, len(SEEDS)), np.nan) for name in FLOATS}
        trained |= {name: np.full((*shape, len(SEEDS)), ABSENT) for name in INTEGERS}
        gains = max((f.sizes["option"] for c, f in self.found.items() if c.part == "ceiling"), default=1)
        draws = max((f.sizes["draw"] for c, f in self.found.items() if c.part == "ceiling"), default=1)
        ceiling = np.full((*shape, gains, draws), np.nan)
        passed = np.full((*shape, gains, draws), ABSENT)
        took = np.full(shape, np.nan)
        level, own = np.full(shape, np.nan), np.full(len(names), 0)
        words = np.full(shape, "none", dtype=object)
        groups: dict[str, dict[int, xr.Dataset]] = {}
        probes = {}
        for cell in self.cells:
            if cell.probe:
                if cell in self.found:
                    probes[f"/{cell.probe}"] = self._probe(cell)
                continue
            row = names.index(cell.name), cell.index
            level[row], words[row] = level_of(cell), word_of(cell)
            if cell.own:
                own[row[0]] = cell.index
            data = self.found.get(cell)
            if data is None:
                continue
            identity[(int(cell.part == "ceiling"), *row)] = len(hashes)
            hashes.append(cell.identity)
            if cell.part == "ceiling":
                ceiling[row], passed[row] = data["ceiling"].values, data["ceiling_reached"].values
                took[row] = float(data["ceiling_time"])
                continue
            for name, values in trained.items():
                values[(*row, slice(len(cell.seeds)))] = data[name].values
            kept = data.drop_vars([*FLOATS, *INTEGERS])
            groups.setdefault(cell.name, {})[cell.index] = kept
        dims = ("task", "condition", "seed")
        tasks = ("task", np.arange(len(names)), ONE | flag_attributes(names))
        first = [tt.tasks.make(name).criterion[0] for name in names]
        harder = [tt.tasks.make(name).hardest for name in names]
        fields = [each.field if each.unit == "1" else f"{each.field} ({each.unit})" for each in harder]
        shared = {
            "task": tasks,
            "condition": (
                "condition",
                np.arange(most),
                ONE | {"long_name": "place among hardest.values"},
            ),
            "level": (dims[:2], level, ONE | {"long_name": "value of the hardest parameter (upper bound)"}),
            "value": (dims[:2], *_coded(words)),
            "hardest": ("task", *_coded(fields)),
            "criterion": ("task", *_coded([each.measure for each in first])),
            "bound": (
                "task",
                np.array([each.at_most if each.at_least is None else each.at_least for each in first]),
                ONE | {"long_name": "bound of the first criterion"},
            ),
            "upwards": (
                "task",
                np.array([each.at_least is not None for each in first]).astype(np.int8),
                ONE | {"long_name": "whether the bound is a lower one", **flag_attributes(["no", "yes"])},
            ),
            "own": ("task", own, ONE | {"long_name": "place of the task's own value"}),
        }
        flags = {"status": STATUS}
        sheets: dict[str, xr.Dataset] = {
            "/trained": xr.Dataset(
                {
                    name: (dims, trained[name], {"units": units, "long_name": text})
                    for name, (units, text) in FLOATS.items()
                }
                | {
                    name: (dims, trained[name], ONE | {"long_name": text} | flags.get(name, {}))
                    for name, text in INTEGERS.items()
                }
                | {"identity": (dims[:2], identity[0], ONE | PLACE)},
                shared | {"seed": ("seed", np.array(SEEDS), ONE)},
            ),
            "/ceiling": xr.Dataset(
                {
                    "ceiling": (
                        (*dims[:2], "option", "draw"), ceiling,
                        ONE | {"long_name": "measure of the first criterion, readout alone fitted"},
                    ),
                    "ceiling_reached": (
                        (*dims[:2], "option", "draw"), passed,
                        ONE | {"long_name": "whether all criteria hold; -2 if not run"},
                    ),
                    "ceiling_time": (("task", "condition"), took, {"units": "ms", "long_name": "time"}),
                    "identity": (dims[:2], identity[1], ONE | PLACE),
                },
                shared
                | {"option": ("option", np.arange(gains), ONE), "draw": ("draw", np.arange(draws), ONE)},
            ),
        }  # fmt: skip
        sheets |= probes
        for name, found in sorted(groups.items()):
            sheets[f"/{name}"] = self._behaviour(name, found)
        attrs = {
            **provenance.library_attributes("study"),
            "title": "What the tasks demand, and how leaky circuits learn them by BPTT",
            "form": "full",
            "run_id": "tasks",
            "hashes": " ".join(hashes),
            "device_kind": provenance.device_kind(),
            "num_cores": runtime.available_cores(),
            "not_run": "; ".join(self.missing),
        }
        return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **sheets})

    def _behaviour(self, name: str, found: dict[int, xr.Dataset]) -> xr.Dataset:
        """(condition, seed, trial); seeds that were not run are NaN."""
        parts = []
        for data in found.values():
            missing = len(SEEDS) - data.sizes["seed"]
            parts.append(data.pad(seed=(0, missing), constant_values=np.nan) if missing else data)
        joined = xr.concat(parts, "condition", combine_attrs="override")
        labelled(joined, tt.tasks.make(name))
        coords = {
            "condition": ("condition", np.array(list(found)), ONE),
            "seed": ("seed", np.array(SEEDS), ONE),
            "trial": ("trial", np.arange(joined.sizes["trial"]), ONE),
        }
        return joined.assign_coords(coords).assign_attrs(fit=tt.tasks.make(name).signature.fit)

    def _probe(self, cell: Any) -> xr.Dataset:
        """(seed, trial) and (seed,); its own hash in the attributes."""
        data = self.found[cell].copy()
        labelled(data, cell.tested)
        for name, (units, text) in FLOATS.items():
            data[name].attrs = {"units": units, "long_name": text}
        for name, text in INTEGERS.items():
            data[name].attrs = ONE | {"long_name": text} | (STATUS if name == "status" else {})
        coords = {
            "seed": ("seed", np.array(SEEDS), ONE), "trial": ("trial", np.arange(data.sizes["trial"]), ONE),
        }  # fmt: skip
        return data.assign_coords(coords).assign_attrs(
            fit=cell.task.signature.fit, task=cell.name, identity=cell.identity
        )

    @classmethod
    def read(cls, path: Path, cells: Sequence[Any]) -> Record:
        """The record in a file, without what has another declaration today."""
        if not path.exists():
            return cls(cells, {})
        tree = tt.results.load_tree(path)
        if "ceiling" not in tree.children:
            return cls(cells, {})
        hashes = str(tree.attrs["hashes"]).split()
        sheets = {part: tree[part].to_dataset() for part in ("trained", "ceiling")}
        known = labels(sheets["trained"]["task"])
        found = {}
        for cell in cells:
            if cell.probe:
                there = tree[cell.probe].to_dataset() if cell.probe in tree.children else None
                if there is not None and there.attrs["identity"] == cell.identity:
                    found[cell] = there.drop_vars(("seed", "trial"))
                continue
            sheet = sheets["ceiling" if cell.part == "ceiling" else "trained"]
            if cell.name not in known or cell.index >= sheet.sizes["condition"]:
                continue
            row = sheet.isel(task=known.index(cell.name), condition=cell.index)
            place = int(row["identity"])
            if place < 0 or hashes[place] != cell.identity:
                continue
            if cell.part == "ceiling":
                kept = ["ceiling", "ceiling_reached", "ceiling_time"]
                found[cell] = row[kept].reset_coords(drop=True).drop_vars(("option", "draw"))
            else:
                here = {"seed": slice(len(cell.seeds))}
                table = row[[*FLOATS, *INTEGERS]].isel(here).reset_coords(drop=True).drop_vars("seed")
                acts = tree[cell.name].to_dataset().sel(condition=cell.index).isel(here)
                found[cell] = table.merge(acts.reset_coords(drop=True).drop_vars(("seed", "trial")))
        return cls(cells, found)

    def write(self, path: Path) -> None:
        """Replace the file at one stroke."""
        path.parent.mkdir(exist_ok=True)
        tt.results.save(self.tree(), path, overwrite=True)

    # What it says.

    def reached(self, cell: Any) -> bool:
        """Whether all seeds of a trained cell met the criterion, or any circuit of a ceiling."""
        data = self.found[cell]
        if cell.part == "ceiling":
            return bool((data["ceiling_reached"] > 0).any())
        return bool((data["criterion_update"] >= 0).all())

    def line(self, cell: Any) -> str:
        """One cell in a line."""
        data = self.found[cell]
        if cell.part == "ceiling":
            best = data["ceiling"].mean("draw").values
            return f"ceiling by gain {np.array2string(best, precision=3)}, passes: {self.reached(cell)}"
        updates = data["criterion_update"].values.tolist()
        scores = np.array2string(data["score"].values, precision=3)
        seconds = float(data["training_time"].mean()) / 1000
        return f"criterion at {updates}, score {scores}, {seconds:.1f} s a seed"

    def measured(self) -> dict[str, list[Measured]]:
        """Task -> what was measured at each value of its hardest parameter."""
        found: dict[str, dict[int, Measured]] = {}
        for cell in self.cells:
            if cell.probe:
                continue
            row = found.setdefault(cell.name, {})
            before = row.get(cell.index, Measured(None, None, None))
            if cell not in self.found:
                row[cell.index] = before
            elif cell.part == "ceiling":
                means = self.found[cell]["ceiling"].mean("draw").values
                upwards = cell.task.criterion[0].at_least is not None
                finite = means[np.isfinite(means)]
                best = round(float(finite.max() if upwards else finite.min()), 4) if finite.size else None
                row[cell.index] = before._replace(ceiling=best, untrained=self.reached(cell))
            else:
                row[cell.index] = before._replace(trained=self.reached(cell))
        return {name: [row[index] for index in sorted(row)] for name, row in found.items()}

    def module(self) -> str:
        """Text of ``throughtime.tasks.measured``."""
        lines = []
        for name, row in self.measured().items():
            rows = [f"        Measured({each.ceiling!r}, {each.untrained}, {each.trained})," for each in row]
            lines += [f'    "{name}": (', *rows, "    ),"]
        return "\n".join([HEAD, *lines, "}", ""])

    def table(self) -> str:
        """Every task's own row."""
        lines = []
        for cell in self.cells:
            if cell.part == "trained":
                told = self.line(cell) if cell in self.found else "not run"
                lines.append(f"{cell.name:28s} {told}")
        return "\n".join(lines)


def _coded(names: Any) -> tuple[np.ndarray, dict[str, Any]]:
    codes, flags = encode_flags(np.asarray(names, dtype=str))
    return codes, ONE | flags
