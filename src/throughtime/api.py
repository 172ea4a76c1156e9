"""The functions people call first: train, evaluate, gradient."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from throughtime import results, rules, training
from throughtime.objectives import Objective, SquaredError, add_weight_penalty

if TYPE_CHECKING:
    import xarray as xr
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.results import Run
    from throughtime.rules import Rule
    from throughtime.trial import Trial


def train(
    task: Any,
    circuit: Circuit,
    rule: Rule,
    *,
    test_trials: int = 64,
    command: str | None = None,
    **settings: Any,
) -> Run:
    """Train a circuit on a task with a rule, once for every seed, and record it.

    Args:
        task: from :func:`throughtime.tasks.make`.
        circuit: from :func:`throughtime.circuits.for_task`.
        rule: from :func:`throughtime.rules.make`, or a name of :func:`throughtime.rules.names`.
        test_trials: test trials per seed recorded with the final weights, in group ``/evaluation`` of the
            tree; 0 for none.
        command: the command line to cite in the record.
        settings: see :func:`throughtime.training.train`: ``seeds``, ``num_updates``, ``batch_size``,
            ``learning_rate``, ``objective``, ``optimizer``, ``clip``, ``step_sizes``, ``stop``,
            ``eval_every``, ``log_every``, ``keep``, ``checkpoint``, ``init_seeds``, ``data_seeds``,
            ``rule_seeds``, ``params``, ``carry_state``, ``curriculum``, ``progress``.

    Returns:
        a :class:`throughtime.results.Run`; its ``tree`` is an ``xarray.DataTree``.

    Raises:
        ValueError: for settings that cannot work, before anything is compiled.

    Example:
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=40.0)
        >>> circuit = tt.circuits.for_task(task, num_units=8)
        >>> run = tt.train(task, circuit, "bptt", num_updates=2, batch_size=4, test_trials=4)
        >>> run.tree["training/loss"].dims
        ('seed', 'update')
    """
    record = training.train(task, circuit, _made(rule), **settings)
    evaluation = None
    if test_trials:
        final = {name: array[:, -1] for name, array in record.params.items()}
        evaluation = training.evaluate(
            task,
            circuit,
            final,
            seeds=record.seeds,
            data_seeds=record.config["training"]["data_seeds"],
            num_trials=test_trials,
            carry_state=record.config["training"]["carry_state"],
        )
    return results.Run(results.run_tree(record, evaluation, command=command))


def evaluate(
    run: Run,
    num_trials: int = 256,
    *,
    task: Any = None,
    checkpoint: int = -1,
    purpose: str = "test",
    update: int = 0,
    noise: bool = True,
) -> xr.Dataset:
    """Run held-out trials of every seed of a run, with the circuit's noise on.

    Args:
        run: a trained or loaded run.
        num_trials: trials per seed.
        task: another task with the same channels and dt, such as
            ``dataclasses.replace(run.task, delay=4000.0)``.
        checkpoint: which recorded weights, the final ones by default.
        purpose: ``"test"``, ``"validation"`` or ``"analysis"``: none shares a trial with training.
        update: index of the block of trials.
        noise: whether the circuit's noise is on; the trials are the same without it.

    Returns:
        Dataset with inputs, targets, outputs, rates and states (seed, trial, time, …), epochs, conditions
        and scores.

    Example:
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=40.0)
        >>> circuit = tt.circuits.for_task(task, num_units=8)
        >>> run = tt.train(task, circuit, tt.rules.make("bptt"), num_updates=2, batch_size=4, test_trials=0)
        >>> evaluate(run, num_trials=4).sizes["trial"]
        4
    """
    each = [run.params(seed, checkpoint) for seed in run.seeds]
    record = training.evaluate(
        run.task if task is None else task,
        run.circuit if noise else dataclasses.replace(run.circuit, noise_sd=0.0),
        {name: np.stack([one[name] for one in each]) for name in each[0]},
        seeds=run.seeds,
        data_seeds=run.config["training"]["data_seeds"],
        num_trials=num_trials,
        purpose=purpose,
        update=update,
        carry_state=bool(run.config["training"].get("carry_state", False)),
    )
    return results.evaluation_dataset(record)


def gradient(
    circuit: Circuit,
    params: dict[str, Array],
    trials: Trial,
    rule: Rule,
    *,
    key: Array,
    objective: Objective | Callable[..., Any] | None = None,
    state: dict[str, Array] | None = None,
) -> tuple[dict[str, Array], dict[str, Any]]:
    """Gradient that ``rule`` assigns to one batch of trials.

    Args:
        circuit, params: a circuit and its parameters.
        trials: batch, leaves (trial, …); ``jax.vmap(task.trial)(keys)``.
        rule: any rule, or a name of one.
        key: key of the batch: circuit noise, and the rule's state if none is given.
        objective: loss of one trial; masked squared error by default.
        state: state of the rule; drawn from ``key`` by default.

    Returns:
        gradients with the structure of ``params``, and ``info`` with the ``loss`` and the rule's new
        ``state``.

    A rule that compares the loss with what it was before has nothing to compare with in a new state, and its
    first gradients are zero: ``node-perturbation`` with its running mean for one batch, ``miconi`` for its
    first ``warm_up`` trials. Give it the state that the call before returned.

    Example:
        >>> import jax
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=40.0)
        >>> circuit = tt.circuits.for_task(task, num_units=8)
        >>> params = circuit.init(key=jax.random.key(0))
        >>> trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(1), 4))
        >>> rule = tt.rules.make("node-perturbation")
        >>> first, info = gradient(circuit, params, trials, rule, key=jax.random.key(2))
        >>> then, _ = gradient(circuit, params, trials, rule, key=jax.random.key(3), state=info["state"])
        >>> bool(first["recurrent"].any()), bool(then["recurrent"].any())
        (False, True)
    """
    rule = _made(rule)
    if state is None:
        state = rule.init(circuit, params, key=key)
    objective = SquaredError() if objective is None else objective
    grads, state, info = _gradient(circuit, rule, objective, params, state, trials, key)
    return grads, {**info, "state": state}


def _made(rule: Any) -> Any:
    return rules.make(rule) if isinstance(rule, str) else rule


def _compute(circuit: Any, rule: Any, objective: Any, params: Any, state: Any, trials: Any, key: Any) -> Any:
    grads, state, info = rule.gradient(circuit, params, state, trials, objective, key=key)
    grads, info = add_weight_penalty(circuit, objective, params, grads, info)
    return grads, state, info


_gradient = jax.jit(_compute, static_argnums=(0, 1, 2))

__all__ = ["evaluate", "gradient", "train"]
