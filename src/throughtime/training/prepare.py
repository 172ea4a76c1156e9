"""From what a user asks for to what will be run: checked, complete, and named by its configuration."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from throughtime.objectives import SquaredError
from throughtime.training import settings
from throughtime.training.ensemble import usable_cores
from throughtime.training.finish import hash_arrays
from throughtime.training.plan import Plan
from throughtime.training.shaping import Stage, resolve, stages


class Job(NamedTuple):
    """A run before it starts.

    Attributes:
        plan: what is compiled for the task.
        stages: what is trained one after the other, see ``throughtime.training.shaping``; ``plan`` last.
        labels: labels of the seeds.
        seeds: numbers of initial weights, of trials and of the rule, for every label.
        rates: (update,) learning rates.
        stop, eval_every, log_every, kept: see ``train``.
        params: given initial parameters, name -> (seed, …), or None.
        config: the configuration that is recorded.
    """

    plan: Plan
    stages: tuple[Stage, ...]
    labels: tuple[int, ...]
    seeds: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]
    rates: np.ndarray
    stop: str
    eval_every: int
    log_every: int
    kept: tuple[int, ...]
    params: dict[str, np.ndarray] | None
    config: dict[str, Any]


def prepare(
    task: Any,
    circuit: Any,
    rule: Any,
    *,
    seeds: Any,
    num_updates: Any,
    batch_size: Any,
    learning_rate: Any,
    objective: Any,
    optimizer: Any,
    clip: Any,
    step_sizes: Any,
    stop: Any,
    eval_every: Any,
    log_every: Any,
    keep: Any,
    init_seeds: Any,
    data_seeds: Any,
    rule_seeds: Any,
    params: Any,
    carry_state: Any,
    curriculum: Any,
) -> Job:
    """Check every wish, see ``train`` for their meaning.

    Raises:
        ValueError: for settings that cannot work.
    """
    settings.check_fit(task, circuit)
    labels = settings.labels(seeds)
    init, data, drawn = (
        labels if wish is None else settings.seed_list(f"{name}_seeds", wish, len(labels))
        for name, wish in (("init", init_seeds), ("data", data_seeds), ("rule", rule_seeds))
    )
    num_updates = settings.count("num_updates", num_updates)
    batch_size = settings.count("batch_size", batch_size)
    eval_every, log_every = settings.count("eval_every", eval_every), settings.count("log_every", log_every)
    kept = tuple(sorted({settings.count("keep", update, 0) for update in keep} - {0}))
    if stop not in settings.STOPS:
        raise ValueError(f"train: stop {stop!r} is not known; use 'criterion' or 'budget'.")
    clip = settings.clipping(clip)
    settings.obey_rule(rule, batch_size, optimizer, clip, learning_rate)
    rates = settings.rates(learning_rate, num_updates)
    objective = SquaredError() if objective is None else objective
    settings.check_carry(carry_state, circuit)
    settings.check_trained(rule, circuit)
    sizes = settings.own_steps(step_sizes, rule, circuit)
    shaping = resolve(task, curriculum)
    plan = Plan(
        task, circuit, rule, objective, optimizer, clip, batch_size, usable_cores(), carry_state, sizes
    )
    config: dict[str, Any] = {
        "task": task,
        "circuit": circuit,
        "rule": rule,
        "objective": objective,
        "training": {
            "seeds": labels,
            "init_seeds": init,
            "data_seeds": data,
            "rule_seeds": drawn,
            "num_updates": num_updates,
            "batch_size": batch_size,
            "learning_rate": settings.describe_rates(rates),
            "optimizer": settings.describe_optimizer(optimizer),
            "clip": clip,
            "stop": stop,
            "eval_every": eval_every,
            "log_every": log_every,
            "keep": kept,
            "carry_state": carry_state,
            "initial_params": None if params is None else hash_arrays(params),
        },
    }
    # Left out where there are none, so that old configurations keep their hashes.
    if sizes:
        config["training"]["step_sizes"] = dict(sizes)
    if shaping is not None:
        config["training"]["curriculum"] = shaping
    return Job(
        plan=plan,
        stages=stages(plan, shaping),
        labels=labels,
        seeds=(init, data, drawn),
        rates=rates,
        stop=stop,
        eval_every=eval_every,
        log_every=log_every,
        kept=kept,
        params=None if params is None else settings.initial_params(params, circuit, len(labels)),
        config=config,
    )
