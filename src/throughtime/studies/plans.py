"""From a declaration to pieces of work: what each cell trains, what it needs, and what names it."""

from __future__ import annotations

import dataclasses
import itertools
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from throughtime import config
from throughtime.comparison.choice import has_step_size, with_step
from throughtime.comparison.study import own_settings
from throughtime.studies.code import classes_in, members_sha256, numbers_sha256
from throughtime.studies.declaration import AXES, CircuitPlan

if TYPE_CHECKING:
    from throughtime.studies.declaration import Pairs, Study

Labels = tuple[str, str, str, str]
BY_SEED = ("init_seeds", "data_seeds", "rule_seeds")


@dataclass(frozen=True)
class Cell:
    """One piece of work, and one file.

    Attributes:
        kind: ``"tune"`` (a combination with all step sizes and tuning seeds), ``"train"`` (a combination with
            some of its seeds) or ``"measure"`` (of a run that is complete).
        task, circuit, rule, option: labels.
        seeds: those it is about.
        identity: SHA-256 (hex) of its configuration, its labels and the code that its numbers depend on.
        needs: identities of the cells that must be done before.
    """

    kind: str
    task: str
    circuit: str
    rule: str
    option: str
    seeds: tuple[int, ...]
    identity: str
    needs: tuple[str, ...] = ()

    @property
    def labels(self) -> Labels:
        """Task, circuit, rule and option."""
        return self.task, self.circuit, self.rule, self.option

    @property
    def name(self) -> str:
        """Name of its files: kind, labels and the beginning of the identity."""
        return "-".join((self.kind, *self.labels, self.identity[:12]))


@dataclass(frozen=True)
class RunPlan:
    """One task × circuit × rule × option with all its seeds: the cells that make it and the file they become.

    Attributes:
        task, circuit, rule, option: labels. seeds: all seeds of the study.
        identity: SHA-256 (hex) over the identities of its cells.
        cells: those that train, in the order of their seeds.
        tune: the cell that seeks the step size, or None. measure: the one that measures the run, or None.
    """

    task: str
    circuit: str
    rule: str
    option: str
    seeds: tuple[int, ...]
    identity: str
    cells: tuple[Cell, ...]
    tune: Cell | None = None
    measure: Cell | None = None

    @property
    def labels(self) -> Labels:
        """Task, circuit, rule and option."""
        return self.task, self.circuit, self.rule, self.option

    @property
    def name(self) -> str:
        """Labels and the beginning of the identity."""
        return "-".join((*self.labels, self.identity[:12]))


@dataclass(frozen=True)
class Combination:
    """One task × circuit × rule × option as objects.

    Attributes:
        labels: of the four.
        task, circuit, rule: objects; a circuit that is planned is made for the task when it is asked for.
        wishes: settings of ``tt.train``, the option's before those of all.
        match: see :class:`~throughtime.studies.declaration.Study`.
        seeds: all seeds of the study.
        tuned: whether its step size is sought.
        set_by_option: names of the settings that the option makes.
    """

    labels: Labels
    task: Any
    planned: Any
    rule: Any
    wishes: Pairs
    match: str
    seeds: tuple[int, ...]
    tuned: bool
    set_by_option: tuple[str, ...] = ()

    @property
    def circuit(self) -> Any:
        """The circuit.

        Raises:
            ValueError: where the circuit cannot be made for the task.
        """
        return self.planned.make(self.task) if isinstance(self.planned, CircuitPlan) else self.planned

    @property
    def common(self) -> dict[str, Any]:
        """Settings of ``tt.train`` as they were wished, without seeds."""
        wishes = {"num_updates": 2000, "batch_size": 64, **dict(self.wishes)}
        if wishes.get("params") is not None:
            wishes["params"] = dict(wishes["params"])
        return wishes

    def settings(
        self, seeds: tuple[int, ...] | None = None, step: float | None = None
    ) -> tuple[Any, dict[str, Any]]:
        """The rule, and the settings that ``tt.train`` is given for some of the seeds.

        Args:
            seeds: all by default.
            step: the step size that was found, where one is sought.
        """
        chosen = self.seeds if seeds is None else seeds
        rule, settings = self.rule, own_settings(self.rule, self.common, self.match)
        if step is not None:
            rule, settings["learning_rate"] = with_step(self.rule, step)
        settings |= self.numbers(chosen)
        if settings.get("params") is not None:
            settings["params"] = self._of_seeds(
                settings["params"], [self.seeds.index(seed) for seed in chosen]
            )
        return rule, {**settings, "seeds": chosen}

    @property
    def by_seed(self) -> dict[str, tuple[int, ...]]:
        """Settings that give every seed a number of its own."""
        return {
            name: value
            for name, value in self.wishes
            if name in BY_SEED and isinstance(value, tuple) and len(value) == len(self.seeds)
        }

    def numbers(self, seeds: tuple[int, ...]) -> dict[str, tuple[int, ...]]:
        """The same for some of the seeds."""
        where = [self.seeds.index(seed) for seed in seeds]
        return {name: tuple(value[index] for index in where) for name, value in self.by_seed.items()}

    def _of_seeds(self, params: Mapping[str, Any], where: list[int]) -> dict[str, Any]:
        """Given parameters, those with a leading axis seed cut to some seeds."""
        import jax
        import numpy as np

        like = jax.eval_shape(lambda key: self.circuit.init(key=key), jax.random.key(0))
        arrays = {name: np.asarray(value) for name, value in params.items()}
        return {
            name: array[where] if name in like and array.ndim > len(like[name].shape) else array
            for name, array in arrays.items()
        }


def combinations(study: Study) -> Iterator[Combination]:
    """All combinations that are not left out."""
    parts = (study.tasks, study.circuits, study.rules, study.options)
    out = [dict(one) for one in study.left_out]
    for (task, one), (circuit, two), (rule, three), (option, four) in itertools.product(*parts):
        labels = (task, circuit, rule, option)
        told = dict(zip(AXES, labels, strict=True))
        if any(one_out.items() <= told.items() for one_out in out):
            continue
        tuned = study.tuning is not None and (has_step_size(three) or not three.traits.displacement)
        own = tuple(name for name, _ in four)
        yield Combination(labels, one, two, three, wishes(study, four), study.match, study.seeds, tuned, own)


def wishes(study: Study, option: Pairs) -> Pairs:
    """Settings of ``tt.train`` for an option, sorted."""
    return tuple(sorted({**dict(study.training), **dict(option)}.items()))


def changed_task(task: Any, fields: tuple[tuple[str, Any], ...]) -> Any:
    """The task of an evaluation; None where the task has not all of the fields.

    Raises:
        ValueError: where the task refuses the values, or has then other channels or another step.
    """
    known = {field.name for field in dataclasses.fields(task)}
    if not {name for name, _ in fields} <= known:
        return None
    changed = dataclasses.replace(task, **dict(fields))
    for name in ("input_names", "output_names", "dt"):
        if getattr(changed, name) != getattr(task, name):
            raise ValueError(
                f"Study: evaluations: {dict(fields)} gives the task other {name} than {getattr(task, name)}; "
                "circuits are evaluated with the channels and the step that they were trained with."
            )
    return changed


def plans(study: Study, refused: Mapping[Labels, str]) -> tuple[RunPlan, ...]:
    """The runs of a study.

    Args:
        refused: combinations that cannot be trained.
    """
    namer = Namer(study)
    return tuple(namer.run(one) for one in combinations(study) if one.labels not in refused)


class Namer:
    """Gives cells their identities; what several share is hashed once."""

    def __init__(self, study: Study) -> None:
        self.study = study
        self.train = {"code": numbers_sha256(), "test_trials": study.test_trials, "match": study.match}
        self.known: dict[int, tuple[str, set[str]]] = {}
        size = study.seeds_per_cell or len(study.seeds)
        self.chunks = [study.seeds[first : first + size] for first in range(0, len(study.seeds), size)]

    def digest(self, value: Any) -> tuple[str, set[str]]:
        """Hash of a part of the study, and the classes it is made of."""
        if id(value) not in self.known:
            encoded = config.encode(value)
            self.known[id(value)] = config.sha256(encoded), classes_in(encoded)
        return self.known[id(value)]

    def run(self, one: Combination) -> RunPlan:
        """One run with its cells."""
        study = self.study
        members = [self.digest(part) for part in (one.task, one.planned, one.rule)]
        same = config.encode(tuple(pair for pair in one.wishes if pair[0] not in one.by_seed))
        classes = set().union(classes_in(same), *(used for _, used in members))
        common = {
            **self.train,
            "labels": one.labels,
            "members": [digest for digest, _ in members],
            "settings": same,
            "modules": members_sha256(classes),
        }
        tune = None
        if one.tuned and study.tuning is not None:
            grid = study.tuning.grids(label for label, _ in study.rules)[one.labels[2]]
            tries = [grid, study.tuning.seeds, study.tuning.num_updates]
            tune = self.cell("tune", one, study.tuning.seeds, {**common, "tries": tries})
        needs = () if tune is None else (tune.identity,)
        cells = tuple(
            self.cell("train", one, chunk, {**common, "by_seed": one.numbers(chunk)}, needs)
            for chunk in self.chunks
        )
        identities = tuple(cell.identity for cell in cells)
        measure = None
        if study.measures or study.evaluations:
            wanted = {
                "code": numbers_sha256("measure"),
                "measures": self.digest(study.measures)[0],
                "modules": members_sha256(self.digest(study.measures)[1]),
                "measure_trials": study.measure_trials,
                "evaluations": self.digest(study.evaluations)[0],
            }
            measure = self.cell("measure", one, one.seeds, wanted, identities)
        return RunPlan(*one.labels, one.seeds, config.sha256(identities), cells, tune, measure)

    def cell(
        self, kind: str, one: Combination, seeds: tuple[int, ...], told: Any, needs: tuple[str, ...] = ()
    ) -> Cell:
        """A cell with its identity."""
        identity = config.sha256({**told, "kind": kind, "seeds": seeds, "needs": needs})
        return Cell(kind, *one.labels, seeds, identity, needs)
