"""A study: which tasks, circuits, rules and options are trained on how many seeds, said before it is run."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from throughtime import circuits as circuit_room
from throughtime import config, measures, rules, tasks, training
from throughtime.comparison.choice import registry_name
from throughtime.comparison.study import MATCHES
from throughtime.comparison.tuning import GRID, check_grid, tuning_seeds
from throughtime.results.provenance import member_name
from throughtime.studies.plain import Pairs, check_label, labelled, pairs

if TYPE_CHECKING:
    import os

    from throughtime.circuits import Circuit
    from throughtime.studies.plans import Cell, RunPlan

OWN = ("seeds", "checkpoint", "progress", "command", "test_trials")
AXES = ("task", "circuit", "rule", "option")


@dataclass(frozen=True)
class CircuitPlan:
    """A circuit that is made for each task of a study: what ``tt.circuits.for_task`` is given.

    Attributes:
        num_units, dynamics, recurrent, noise: as for ``for_task``.
        fields: further fields of a circuit by name.

    Example:
        >>> task = tasks.make("cue-set-go", dt=40.0)
        >>> CircuitPlan(num_units=8, noise=0.1).make(task).num_inputs == len(task.input_names)
        True
    """

    num_units: int = 128
    dynamics: Any = None
    recurrent: Any = None
    noise: float = 0.0
    fields: Any = ()

    def __post_init__(self) -> None:
        object.__setattr__(self, "fields", pairs(self.fields, "fields of a circuit"))

    def make(self, task: Any) -> Circuit:
        """The circuit for one task.

        Raises:
            ValueError: for what a circuit refuses.
        """
        given = {name: getattr(self, name) for name in ("num_units", "dynamics", "recurrent", "noise")}
        try:
            return circuit_room.for_task(task, **given, **dict(self.fields))
        except TypeError as error:
            raise ValueError(f"CircuitPlan: {error}.") from error


@dataclass(frozen=True)
class Tuning:
    """A step size sought for every task × circuit × rule × option, on seeds that the study never sees.

    Attributes:
        grid: step sizes from small to large, the same for all or by label of the rule, as many for each.
        seeds: seeds to try on, or a number of them, counted from 10 000.
        num_updates: updates of each try; as many as in training by default.

    Example:
        >>> Tuning(grid=[1e-3, 1e-2], seeds=2).seeds
        (10000, 10001)
    """

    grid: Any = GRID
    seeds: Any = 3
    num_updates: int | None = None

    def __post_init__(self) -> None:
        by_label = isinstance(self.grid, Mapping) or (
            bool(self.grid) and all(isinstance(one, tuple) and isinstance(one[0], str) for one in self.grid)
        )
        grid = pairs(self.grid, "grid") if by_label else tuple(map(float, self.grid))
        object.__setattr__(self, "grid", grid)
        object.__setattr__(self, "seeds", tuning_seeds(self.seeds, ()))
        if self.num_updates is not None:
            training.settings.count("num_updates", self.num_updates)

    def grids(self, labels: Iterable[str]) -> dict[str, tuple[float, ...]]:
        """Step sizes for each rule.

        Raises:
            ValueError: unless there are as many for each, two at least, positive and increasing.
        """
        by_label = bool(self.grid) and isinstance(self.grid[0], tuple)
        return check_grid(dict(self.grid) if by_label else self.grid, labels)


@dataclass(frozen=True)
class Study:
    """Every task with every circuit, rule and option, on the same seeds.

    What is given is checked and made immutable; :meth:`cells` says what will be computed. The whole object is
    plain JSON (``throughtime.config.encode``), which another process makes a study from again.

    Attributes:
        name: of the study, a word.
        tasks: names, tasks, or a dictionary of them by label.
        circuits: circuits by label: :class:`CircuitPlan`, its fields as a dictionary, or a circuit (which
            fits tasks with its channels and step).
        rules: names, rules, or a dictionary of them by label.
        options: label -> settings of ``tt.train`` that go before those of ``training``.
        seeds: labels of the replicates, the same everywhere: results are paired by seed. A number n is
            ``range(n)``.
        seeds_per_cell: seeds that are trained together as one piece of work; all by default.
        training: settings of ``tt.train`` for all.
        tuning: how step sizes are sought, or None.
        match: ``"updates"`` or ``"trials"``, as in ``tt.compare``: whether a rule with a batch size of its
            own makes as many updates as the others or sees as many trials.
        measures: what is measured of every run (``tt.measures``): names, measures, or names with options.
        measure_trials, test_trials: trials a seed for measures, and for tests at the end of training.
        evaluations: label -> changed fields of the task, for a held-out score in other conditions than those
            of training.
        left_out: combinations that are not run, such as ``{"task": "a", "rule": "uoro"}``: each stands for
            all that agree with it.
        skip_refused: leave out combinations that a rule, circuit or task refuses, with the reason, where
            these otherwise stop the whole study.

    Raises:
        ValueError: naming what cannot work and the remedy.

    Example:
        >>> study = Study(
        ...     "first",
        ...     tasks={"go": tasks.make("cue-set-go", dt=50.0)},
        ...     circuits={"small": {"num_units": 6}},
        ...     rules=["bptt", "rflo"],
        ...     seeds=4,
        ...     seeds_per_cell=2,
        ...     training={"num_updates": 2, "batch_size": 2},
        ... )
        >>> [(cell.rule, cell.seeds) for cell in study.cells()]
        [('bptt', (0, 1)), ('bptt', (2, 3)), ('rflo', (0, 1)), ('rflo', (2, 3))]
        >>> config.decode(config.encode(study)) == study
        True
    """

    name: str
    tasks: Any
    circuits: Any
    rules: Any
    options: Any = (("default", ()),)
    seeds: Any = 10
    seeds_per_cell: int | None = None
    training: Any = ()
    tuning: Tuning | None = None
    match: str = "updates"
    measures: Any = ()
    measure_trials: int = 64
    test_trials: int = 64
    evaluations: Any = ()
    left_out: Any = ()
    skip_refused: bool = False

    def __post_init__(self) -> None:
        check_label(self.name, "name")
        count = training.settings.count
        self._set(
            tasks=labelled(self.tasks, "tasks", _task, member_name),
            circuits=labelled(self.circuits, "circuits", _circuit, None),
            rules=labelled(self.rules, "rules", _rule, registry_name),
            options=labelled(self.options, "options", lambda one: pairs(one, "options"), None),
            training=pairs(self.training, "training"),
            seeds=training.settings.labels(self.seeds),
            measures=_measures(self.measures),
            left_out=tuple(pairs(one, "left_out") for one in self.left_out),
        )
        if self.evaluations:
            made = labelled(self.evaluations, "evaluations", lambda one: pairs(one, "evaluations"), None)
            self._set(evaluations=made)
        if self.seeds_per_cell is not None:
            count("seeds_per_cell", self.seeds_per_cell)
        count("measure_trials", self.measure_trials)
        count("test_trials", self.test_trials, 0)
        if self.match not in MATCHES:
            raise ValueError(f"Study: match {self.match!r} is not known; use 'updates' or 'trials'.")
        self._check_settings()
        self._check_left_out()
        self._check_tuning()
        try:
            config.canonical(self)
        except TypeError as error:
            raise ValueError(
                f"Study: it cannot be written down for other processes: {error} A schedule is a number for "
                "each update; an optimiser of your own has no place in a study."
            ) from error

    @property
    def config(self) -> str:
        """Canonical JSON of the declaration."""
        return config.canonical(self)

    @functools.cached_property
    def identity(self) -> str:
        """SHA-256 (hex) of the declaration and of the code that its numbers depend on."""
        from throughtime.studies.code import numbers_sha256

        return config.sha256({"study": self, "code": numbers_sha256()})

    @functools.cached_property
    def refused(self) -> dict[tuple[str, str, str, str], str]:
        """Labels of the combinations that cannot be trained, and why; found by tracing, without running."""
        from throughtime.studies.refusals import refusals

        return refusals(self)

    @functools.cached_property
    def _plan(self) -> tuple[RunPlan, ...]:
        from throughtime.studies.plans import plans

        return plans(self, self.refused)

    def runs(self) -> tuple[RunPlan, ...]:
        """What each combination will become: one file, merged of its cells.

        Raises:
            ValueError: for combinations that cannot be trained, unless ``skip_refused``.
        """
        return self._plan

    def cells(self) -> tuple[Cell, ...]:
        """Pieces of work: those that others need come first.

        Raises:
            ValueError: as :meth:`runs`.
        """
        runs = self.runs()
        tunes = [run.tune for run in runs if run.tune is not None]
        last = [run.measure for run in runs if run.measure is not None]
        return (*tunes, *(cell for run in runs for cell in run.cells), *last)

    def _set(self, **values: Any) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def _check_settings(self) -> None:
        for where, given in (("training", self.training), *self.options):
            for name, _ in given:
                if name in OWN:
                    raise ValueError(
                        f"Study: {where} has {name!r}, which a study sets itself; its fields are "
                        f"{', '.join(field.name for field in dataclasses.fields(self))}."
                    )
                if self.tuning is not None and name == "learning_rate":
                    raise ValueError(
                        f"Study: {where} has a learning_rate, but tuning seeks one; leave out one of the two."
                    )

    def _check_left_out(self) -> None:
        for given in self.left_out:
            for axis, label in given:
                known = [name for name, _ in getattr(self, f"{axis}s")] if axis in AXES else None
                if known is None or label not in known:
                    raise ValueError(
                        f"Study: left_out: there is no {axis} {label!r}; expected "
                        f"{', '.join(AXES) if known is None else ', '.join(known)}."
                    )

    def _check_tuning(self) -> None:
        if self.tuning is None:
            return
        used = set(self.seeds)
        for _, given in (("training", self.training), *self.options):
            for name, value in given:
                if name in ("init_seeds", "data_seeds", "rule_seeds") and value is not None:
                    used.update(value if isinstance(value, tuple) else (value,))
        tuning_seeds(self.tuning.seeds, used)
        self.tuning.grids(label for label, _ in self.rules)

    def run(self, folder: str | os.PathLike[str], **settings: Any) -> Any:
        """Run what is not yet done; see :func:`throughtime.studies.execution.run_study`."""
        from throughtime.studies.execution import run_study

        return run_study(self, folder, **settings)


def _task(given: Any) -> Any:
    task = tasks.make(given) if isinstance(given, str) else given
    if not (hasattr(task, "trial") and dataclasses.is_dataclass(task)):
        raise ValueError(f"Study: tasks: {given!r} is no task; give names, or tasks from tt.tasks.make.")
    return task


def _circuit(given: Any) -> Any:
    if isinstance(given, Mapping):
        known = {field.name for field in dataclasses.fields(CircuitPlan)} - {"fields"}
        plain = {name: value for name, value in given.items() if name in known}
        further = {name: value for name, value in given.items() if name not in known}
        return CircuitPlan(**plain, fields=further)
    if not isinstance(given, CircuitPlan | circuit_room.Circuit):
        raise ValueError(
            f"Study: circuits: {given!r} is no circuit; give CircuitPlan(num_units=64), {{'num_units': 64}} "
            "or a circuit."
        )
    return given


def _rule(given: Any) -> Any:
    rule = rules.make(given) if isinstance(given, str) else given
    if not isinstance(rule, rules.Rule):
        raise ValueError(f"Study: rules: {given!r} is no rule; give names such as 'rflo', or rules.")
    return rule


def _measures(given: Any) -> tuple[Any, ...]:
    if not given:
        return ()
    return tuple(measures.adding.choose(given).values())


__all__ = ["AXES", "CircuitPlan", "Pairs", "Study", "Tuning"]
