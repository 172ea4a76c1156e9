"""Training: the only update loop, over an ensemble of seeds, resumable to the bit."""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from throughtime import atomic
from throughtime import config as canonical
from throughtime.objectives import Objective
from throughtime.training.finish import finish
from throughtime.training.history import History
from throughtime.training.plan import Clip
from throughtime.training.prepare import Job, prepare
from throughtime.training.record import NEVER, TrainingRecord
from throughtime.training.update import MEASURES, advance, start, validate


def train(
    task: Any,
    circuit: Any,
    rule: Any,
    *,
    seeds: int | Iterable[int] = range(1),
    num_updates: int = 2000,
    batch_size: int = 64,
    learning_rate: float | Sequence[float] | Callable[[Any], Any] = 1e-3,
    objective: Objective | None = None,
    optimizer: Any = "adam",
    clip: float | Clip | None = None,
    step_sizes: Mapping[str, float] | None = None,
    stop: str = "criterion",
    eval_every: int = 100,
    log_every: int = 20,
    keep: Iterable[int] = (),
    checkpoint: str | os.PathLike[str] | None = None,
    init_seeds: int | Iterable[int] | None = None,
    data_seeds: int | Iterable[int] | None = None,
    rule_seeds: int | Iterable[int] | None = None,
    params: dict[str, Any] | None = None,
    carry_state: bool = False,
    curriculum: Any = None,
    progress: bool | None = None,
) -> TrainingRecord:
    """Train ``circuit`` on ``task`` with ``rule``, once for every seed.

    Args:
        seeds: labels of the replicates; each sets the seeds of initial weights, trials and rule by
            separate folds. A number n is ``range(n)``.
        num_updates: budget of updates.
        batch_size: trials per update.
        learning_rate: a number, one per update, or an optax schedule.
        objective: loss of one trial; masked squared error by default.
        optimizer: ``adam``, ``adamw``, ``momentum``, ``nesterov``, ``rmsprop``, ``sgd``, or an optax
            transformation with unit learning rate.
        clip: a number (global norm), a :class:`Clip`, or None.
        step_sizes: parameters with step sizes of their own in place of ``learning_rate``, such as
            ``{"readout": 0.1, "readout_bias": 0.1}``; with 0 they stay as they are.
        stop: ``"criterion"``: a seed that meets the task's criterion stops changing, and training ends when
            all have; ``"budget"``: the crossing is recorded and training goes on.
        eval_every: updates between evaluations on held-out trials.
        log_every: updates between two rows of the curves; each row is the mean since the last.
        keep: updates whose weights are kept beside the initial and the final ones.
        checkpoint: file that receives the whole state at every evaluation; if it exists, the run is
            resumed from it and ends with the same bits.
        init_seeds, data_seeds, rule_seeds: one number for all or one per seed, in place of ``seeds``.
        params: initial parameters for every seed, or with a leading axis seed, in place of drawn ones.
        carry_state: start each trial in the state in which the trial before it, in the same row of the batch,
            ended: a stream cut into trials. Held-out trials then start where another held-out trial ended.
        curriculum: train easier versions of the task first: a ``throughtime.tasks.Shaping``; ``"published"``
            for the one the task declares; or None. Each seed goes on to the next stage at the evaluation at
            which it has done with the one before, with its optimiser and the state of its rule as they are.
            The task's own criteria count in the last stage only.
        progress: show a progress bar; by default only on a terminal.

    Raises:
        ValueError: for settings that cannot work, before anything is compiled.
    """
    job = prepare(
        task, circuit, rule, seeds=seeds, num_updates=num_updates, batch_size=batch_size,
        learning_rate=learning_rate, objective=objective, optimizer=optimizer, clip=clip,
        step_sizes=step_sizes, stop=stop,
        eval_every=eval_every, log_every=log_every, keep=keep, init_seeds=init_seeds, data_seeds=data_seeds,
        rule_seeds=rule_seeds, params=params, carry_state=carry_state, curriculum=curriculum,
    )  # fmt: skip
    history = History.begin(start(job.plan, *job.seeds, job.params), len(job.stages))
    path, identity = (None if checkpoint is None else Path(checkpoint)), canonical.sha256(job.config)
    if path is not None:
        if not path.parent.is_dir():
            raise ValueError(f"train: the folder of checkpoint {path} does not exist; create it first.")
        atomic.sweep(path)
        if path.exists():
            history = History.load(path, identity, history)

    def save() -> None:
        if path is not None:
            history.save(path, identity)

    show = sys.stderr.isatty() if progress is None else progress
    with tqdm(total=len(job.rates), initial=history.made, disable=not show, unit="update") as bar:
        run_updates(job, history, save, bar)
    return finish(job, history)


def configuration(task: Any, circuit: Any, rule: Any, **wishes: Any) -> dict[str, Any]:
    """The configuration a call of :func:`train` with these arguments would record, without training.

    Its hash (``throughtime.config.sha256``) is the ``config_sha256`` of the run's file.
    """
    known = inspect.signature(train).parameters.values()
    defaults = {one.name: one.default for one in known if one.kind is one.KEYWORD_ONLY}
    for name in ("checkpoint", "progress"):
        del defaults[name]
    return prepare(task, circuit, rule, **{**defaults, **wishes}).config


def run_updates(job: Job, history: History, save: Callable[[], None], bar: Any) -> None:
    """Updates, evaluations and checkpoints until every seed is done or the budget is spent."""
    rates, num_updates = job.rates, len(job.rates)
    rows = (job.eval_every, job.log_every)
    while history.made < num_updates and history.states.active.any():
        first = history.made
        marks = [num_updates, *(-(-(first + 1) // every) * every for every in rows), *job.kept]
        last = min(mark for mark in marks if mark > first)
        padded = np.zeros(job.log_every, np.float32)
        padded[: last - first] = rates[first:last]
        history.measures.append(advance_seeds(job, history, first, last - first, padded))
        history.update.append(last)
        history.stages.append(history.stage.copy())
        evaluated = last % job.eval_every == 0 or last == num_updates
        history.scores.append(judge_seeds(job, history) if evaluated else np.full(len(history.stage), np.nan))
        if last in job.kept:
            history.keep()
        if evaluated:
            save()
        bar.update(last - first)
        if not bar.disable:
            loss, score = history.measures[-1][:, 0], history.scores[-1]
            shown = {"loss": f"{np.nanmean(loss):.4f}" if np.isfinite(loss).any() else "nan"}
            if np.isfinite(score).any():
                shown["score"] = f"{np.nanmean(score):.3f}"
            if len(job.stages) > 1:
                shown["stage"] = f"{history.stage.min() + 1}/{len(job.stages)}"
            bar.set_postfix(shown)


def advance_seeds(job: Job, history: History, first: int, count: int, rates: np.ndarray) -> np.ndarray:
    """``count`` updates of every active seed, each in its stage; the measures, (seed, measure).

    All seeds pass through the program of each stage, those of other stages as inactive ones: its shapes, and
    so a seed's bits, do not depend on where the others are.
    """
    states = history.states
    measures = np.full((len(history.stage), len(MEASURES)), np.nan)
    for number in np.unique(history.stage[states.active]):
        here = history.stage == number
        some = states._replace(active=states.active & here)
        after, found = advance(job.stages[number].plan, some, first, count, rates)
        after = jax.tree.map(np.asarray, after)
        states = after._replace(active=np.where(here, after.active, states.active))
        measures = np.where(here[:, None], np.asarray(found, np.float64), measures)
    history.states = states
    return measures


def judge_seeds(job: Job, history: History) -> np.ndarray:
    """Evaluate every active seed on held-out trials of its stage; its fraction correct, (seed,).

    A seed that has done with its stage goes on to the next one, unless the budget is spent.
    """
    states, stage = history.states, history.stage.copy()
    correct = np.full(len(stage), np.nan)
    values = np.full((len(stage), max(one.judge.num_criteria for one in job.stages)), np.nan)
    history.judged.append(values)
    done = np.zeros(len(stage), bool)
    for number in np.unique(stage[states.active]):
        plan, judge = job.stages[number]
        found = validate(
            plan, judge.num_trials, states.params, states.data_seed, np.int32(history.made), judge.needs_loss
        )
        scores, conditions = jax.tree.map(np.asarray, found)
        for seed in np.flatnonzero(states.active & (stage == number)):
            one = [{name: array[seed] for name, array in each.items()} for each in (scores, conditions)]
            values[seed, : judge.num_criteria] = judge.values(*one)
            counted = ~one[1]["catch"].astype(bool) if "catch" in one[1] else slice(None)
            correct[seed] = one[0]["correct"][counted].mean()
            began = history.stage_update[seed, number] // job.eval_every
            if not judge.met(np.array(history.judged)[began:, seed]):
                continue
            if number < len(job.stages) - 1:
                if history.made < len(job.rates):
                    history.stage[seed] = number + 1
                    history.stage_update[seed, number + 1] = history.made
                continue
            done[seed] = True
            if history.criterion_update[seed] == NEVER:
                history.criterion_update[seed] = history.made
    if job.stop == "criterion":
        history.states = states._replace(active=states.active & ~done)
    return correct
