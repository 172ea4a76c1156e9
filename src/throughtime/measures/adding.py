"""Measures of a run, added to a copy of it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, TypeAlias

import xarray as xr

from throughtime import config
from throughtime.measures.base import Measure
from throughtime.measures.material import Material
from throughtime.measures.registry import make
from throughtime.results import Run, content_sha256
from throughtime.results.content import local_datasets
from throughtime.results.provenance import library_attributes, strip_paths

Given: TypeAlias = str | Measure

GROUP = "analysis"
ADDED = ("/analysis", "/spiking")


def analyse(
    run: Run,
    measures: Iterable[Given] | Mapping[str, Mapping[str, Any]],
    *,
    num_trials: int = 64,
    checkpoint: int = -1,
    command: str | None = None,
) -> Run:
    """Measure trained circuits, and add what was found to a copy of the run.

    Every measure gets a group ``/analysis/<name>`` with a dim ``seed``, and says how it came about:
    ``method``, ``version``, its options as JSON (``params``), and the hash of the run it was taken from
    (``input_sha256``). Trials are those of the stream ``analysis``, which neither training nor tests see.
    Measures that the copy has already are kept; one that is asked for again takes the place of its old group.

    A measure that is not defined for this run (too few conditions, no timing task) leaves a group without
    variables, whose attribute ``refusal`` tells why; the others are computed all the same. A seed that
    diverged is NaN in each.

    Args:
        run: trained or loaded, or what this function returned before.
        measures: names (``tt.measures.names()``), measures with options (``tt.measures.make``), or names with
            their options.
        num_trials: trials a seed.
        checkpoint: which recorded weights, the final ones by default.
        command: the command line to cite.

    Returns:
        a run whose tree has the groups of ``run`` and of the measures; it is of kind ``analysis`` and names
        its ``parent_run``. The run itself is as it was.

    Raises:
        ValueError: for an unknown measure or option, a checkpoint there is not, or the same measure twice.

    Example:
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=40.0)
        >>> circuit = tt.circuits.for_task(task, num_units=8)
        >>> run = tt.train(task, circuit, tt.rules.make("bptt"), num_updates=2, batch_size=4, test_trials=0)
        >>> found = tt.analyse(run, ["dimensionality"], num_trials=4)
        >>> found.tree["analysis/dimensionality/participation_ratio"].dims
        ('seed',)
    """
    chosen = choose(measures)
    digest = taken_from(run)
    material = Material(run, checkpoint=checkpoint, num_trials=num_trials)
    run.params(run.seeds[0], checkpoint)  # refuses a checkpoint there is not
    groups = dict(local_datasets(run.tree))
    common = {"num_trials": num_trials, "checkpoint": checkpoint}
    for name, measure in chosen.items():
        try:
            found = measure(material)
        except ValueError as refusal:
            found = xr.Dataset(attrs={"method": name, "version": 1, "refusal": str(refusal)})
        options = {field.name: getattr(measure, field.name) for field in dataclasses.fields(measure)}  # type: ignore[arg-type]
        found.attrs["params"] = config.canonical({**common, **options})
        found.attrs["input_sha256"] = digest
        groups[f"/{GROUP}/{name}"] = found
    groups.setdefault(f"/{GROUP}", xr.Dataset())
    return copy_of(run, groups, command)


def taken_from(run: Run) -> str:
    """Hash of what a run holds but for groups that were added to it."""
    plain = {path: data for path, data in local_datasets(run.tree) if not path.startswith(ADDED)}
    return content_sha256(xr.DataTree.from_dict(plain))


def copy_of(run: Run, groups: dict[str, xr.Dataset], command: str | None) -> Run:
    """A run with these groups, of kind ``analysis``, which names the ``parent_run`` and the command."""
    attrs: dict[Any, Any] = dict(run.tree.attrs)
    attrs |= library_attributes(GROUP)
    attrs.setdefault("parent_run", attrs["run_id"])
    if command is not None:
        attrs["command"] = strip_paths(command)
    return Run(xr.DataTree.from_dict({**groups, "/": xr.Dataset(attrs=attrs)}))


def choose(measures: Iterable[Given] | Mapping[str, Mapping[str, Any]]) -> dict[str, Measure]:
    """Measures by name, in the order given.

    Raises:
        ValueError: for none, an unknown one, or one twice.

    Example:
        >>> choose({"pca": {"num_components": 2}})
        {'pca': PCA(num_components=2, epoch=None, soft_normalization=None)}
    """
    if isinstance(measures, str):
        raise ValueError(f"measures: expected several, got the text {measures!r}; write [{measures!r}].")
    if isinstance(measures, Mapping):
        made = [make(name, **options) for name, options in measures.items()]
    else:
        made = [make(one) if isinstance(one, str) else one for one in measures]
    found: dict[str, Measure] = {}
    for one in made:
        if not isinstance(one, Measure):
            raise ValueError(
                f"measures: {one!r} is no measure; give names or tt.measures.make(name, option=value)."
            )
        if one.named() in found:
            raise ValueError(f"measures: {one.named()!r} is there twice; a run holds one group of a name.")
        found[one.named()] = one
    if not found:
        raise ValueError("measures: none given; tt.measures.names() lists them.")
    return found


def refusals(run: Run) -> dict[str, str]:
    """Measures of a run that were refused for all seeds, and why."""
    children = run.tree[GROUP].children if GROUP in run.tree.children else {}
    return {
        str(name): str(node.attrs["refusal"])
        for name, node in children.items()
        if "refusal" in node.attrs and not node.data_vars
    }


__all__ = ["analyse", "choose", "refusals"]
