"""The same circuits trained on the same trials with one rule after the other."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import xarray as xr

from throughtime import config, training
from throughtime.comparison.choice import Given, has_step_size, labelled, with_step
from throughtime.comparison.distances import told
from throughtime.comparison.learned import NUM_TRIALS
from throughtime.comparison.learned import learned as measured
from throughtime.comparison.nulls import NULLS, null_runs, reference
from throughtime.comparison.probe import Probe
from throughtime.comparison.study import Study, own_settings
from throughtime.comparison.summary import summary
from throughtime.comparison.tuning import GRID, Tuned, check_grid, tuning_seeds, untuned
from throughtime.results.provenance import library_attributes, member_name, strip_paths

if TYPE_CHECKING:
    import os

    from throughtime.circuits import Circuit
    from throughtime.rules import Rule


def compare(
    task: Any,
    circuit: Circuit,
    rules: Iterable[Given] | Mapping[str, str | Rule],
    *,
    seeds: int | Iterable[int] = range(1),
    num_updates: int = 2000,
    batch_size: int = 64,
    learning_rate: Any = 1e-3,
    controls: bool = True,
    match: str = "updates",
    stop: str = "budget",
    tune: bool = False,
    grid: Sequence[float] | Mapping[str, Sequence[float]] = GRID,
    tune_seeds: int | Iterable[int] | None = None,
    tune_updates: int | None = None,
    loss_levels: Sequence[float] | None = None,
    learned: bool = True,
    checkpoint: str | os.PathLike[str] | None = None,
    test_trials: int = 64,
    command: str | None = None,
    progress: bool | None = None,
    **settings: Any,
) -> xr.DataTree:
    """Train with several rules, everything else the same: task, initial weights, trials, optimiser,
    criterion.

    A rule that makes its own steps within the trial is applied as it is (``sgd``, learning rate 1, no
    clipping), and its option for the step takes the place of the learning rate. A rule for single trials
    takes the first trial of each batch.

    Args:
        task, circuit: as for :func:`throughtime.train`.
        rules: names, rules, or pairs (label, rule), or a dictionary by label.
        seeds: labels of the replicates, the same for every rule: pairs of runs share initial weights and
            trials.
        num_updates, batch_size, learning_rate: as for :func:`throughtime.train`.
        controls: train ``readout-only`` (the floor) and ``bptt`` (the exact gradient) too.
        match: ``"updates"``: every rule makes ``num_updates``. ``"trials"``: a rule with a batch size of its
            own makes as many more as it takes to see as many trials.
        stop: ``"budget"`` by default, so that all rules can be compared at the same update.
        tune: seek the step size of every rule on ``grid`` first; ``learning_rate`` is then not used, and
            ``params`` must be the same for all seeds.
        grid: step sizes, from small to large, or such a list by label, as many for every rule.
        tune_seeds: a number of seeds, or seeds that are none of ``seeds``; 3 by default.
        tune_updates: updates of each try; as many as ``num_updates`` by default.
        loss_levels: losses of the training curves at which the number of updates is compared; by default
            the median that each rule's curve ended at.
        learned: measure what the circuits came to be like at every checkpoint (``keep`` adds some), beside
            circuits of BPTT that differ by chance, which are trained for it, from other trials and from other
            weights; needs ``bptt`` among the rules for the distances. It costs two more trainings, and a few
            seconds a circuit.
        checkpoint: folder for the state of each training; the same call goes on from there.
        test_trials, command, progress: as for :func:`throughtime.train`.
        settings: further settings of :func:`throughtime.training.train`.

    Returns:
        ``xarray.DataTree`` of kind ``study``: one group a rule, which is the tree of its run
        (``tt.Run(tree["rflo"])``); ``/comparison``, see :mod:`throughtime.comparison.summary`; and
        ``/learned``, see :mod:`throughtime.comparison.learned`, with the runs it needs in ``/nulls``. Should
        ``/learned`` fail as a whole it is left out with a warning, and ``refused_learned`` of the tree's
        attributes tells why: what was trained is never lost.

    Raises:
        ValueError: for settings, rules or grids that cannot work, before anything is trained.

    Example:
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=50.0)
        >>> circuit = tt.circuits.for_task(task, num_units=6)
        >>> options = {"num_updates": 2, "batch_size": 2, "test_trials": 2, "learned": False}
        >>> tree = tt.compare(task, circuit, ["rflo"], controls=False, **options)
        >>> tree["comparison/final_loss"].dims
        ('rule', 'seed')
    """
    chosen = labelled(rules, controls)
    wishes = {
        **settings, "num_updates": num_updates, "batch_size": batch_size, "stop": stop,
    }  # fmt: skip
    defaults = training.configuration(task, circuit, chosen[next(iter(chosen))], **{
        **own_settings(chosen[next(iter(chosen))], wishes, match), "seeds": seeds
    })["training"]  # fmt: skip
    study = Study(task, circuit, wishes, match, checkpoint, progress)
    used = {seed for name in ("seeds", "init_seeds", "data_seeds", "rule_seeds") for seed in defaults[name]}
    grids = check_grid(grid, chosen) if tune else {}
    seeds_of_tuning = tuning_seeds(tune_seeds, used) if tune else ()
    if tune:
        study.refuse_params_by_seed()
    if tune_updates is not None:
        training.settings.count("tune_updates", tune_updates)
    labels = tuple(defaults["seeds"])
    for rule in chosen.values():
        study.refuse(rule, learning_rate, labels)
    found: dict[str, Tuned] = {}
    runs: dict[str, xr.DataTree] = {}
    steps: dict[str, Any] = {}
    width = max((len(sizes) for sizes in grids.values()), default=1)
    for label, rule in chosen.items():
        stepped, rate = rule, (1.0 if rule.traits.displacement else learning_rate)
        if tune and (has_step_size(rule) or not rule.traits.displacement):
            found[label] = study.tune(rule, label, grids[label], seeds_of_tuning, tune_updates)
            stepped, rate = with_step(rule, found[label].rate)
        else:
            found[label] = untuned(rule, learning_rate, width)
        chosen[label], steps[label] = stepped, rate
        runs[label] = study.run(stepped, label, rate, labels, test_trials=test_trials, command=command)
    asked = {
        "seeds": labels, "num_updates": num_updates, "batch_size": batch_size,
        "match": match, "stop": stop, "controls": controls, "tune": tune, "grid": grids,
        "tune_seeds": seeds_of_tuning, "tune_updates": (tune_updates or num_updates) if tune else None,
        "learned": learned,
        "loss_levels": None if loss_levels is None else tuple(map(float, loss_levels)),
    }  # fmt: skip
    data = summary(
        runs,
        found,
        held_out={name: study.final_losses(run, labels) for name, run in runs.items()},
        scale={name: study.scale(rule) for name, rule in chosen.items()},
        levels=loss_levels,
    )
    groups = {"/comparison": data}
    nulls: dict[str, xr.DataTree] = {}
    lost: dict[str, str] = {}
    if learned:
        goal = reference(chosen)
        try:  # whatever fails from here on, what was trained is returned
            if goal is not None:
                everything = {*used, *seeds_of_tuning}
                options = {"test_trials": 0, "command": command}
                nulls = null_runs(study, chosen[goal], steps[goal], labels, everything, **options)
            probe = Probe(
                task, circuit, study.objective, data_seed=defaults["data_seeds"][0], num_trials=NUM_TRIALS
            )
            groups["/learned"] = measured(runs, chosen, nulls, probe, key_seed=labels[0])
        except Exception as failure:
            lost["refused_learned"] = told(failure)
            warnings.warn(f"compare: no group /learned: {told(failure)}", RuntimeWarning, stacklevel=2)
        groups |= {f"/{NULLS}": xr.Dataset()} if nulls else {}
    attrs = _root(
        task, circuit, chosen, asked, {name: run.attrs["config_sha256"] for name, run in runs.items()}
    )
    attrs |= lost
    if command is not None:
        attrs["command"] = strip_paths(command)
    groups["/"] = xr.Dataset(attrs=attrs)
    for label, run in {**runs, **{f"{NULLS}/{name}": run for name, run in nulls.items()}}.items():
        for node in run.subtree:
            path = node.path.rstrip("/")
            groups[f"/{label}{path}"] = node.to_dataset(inherit=False)
    return xr.DataTree.from_dict(groups)


def _root(
    task: Any, circuit: Any, chosen: Mapping[str, Rule], asked: dict[str, Any], runs: dict[str, str]
) -> dict[str, Any]:
    settings = {"task": task, "circuit": circuit, "rules": dict(chosen), "comparison": asked, "runs": runs}
    digest = config.sha256(settings)
    return {
        **library_attributes("study"),
        "run_id": digest[:16],
        "task": member_name(task),
        "circuit": member_name(circuit),
        "config": config.canonical(settings),
        "config_sha256": digest,
    }
