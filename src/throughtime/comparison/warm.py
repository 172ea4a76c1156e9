"""States of rules that first have to see trials: what they are like once they have."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.rules import Rule
    from throughtime.trial import Trial

    Params = dict[str, Array]

MOST_PASSES = 120


def warmed(
    circuit: Circuit, rule: Rule, objective: Objective, params: Params, state: Any, trials: Trial, key: Array
) -> tuple[Any, int]:
    """The state at which the rule first gives every parameter it trains a gradient, weights standing still.

    A rule may begin without an expectation (a running mean of the loss) and give zeros until it has one. It
    goes through the batch, with other keys every time, until no parameter's gradient is zero; where some
    always are (a rule does not reach a learned initial state), until as many are not as ever in 120 passes.
    A state that a pass leaves as it was is as good as it gets.

    Args:
        state: new, from ``rule.init``.

    Returns:
        the state, and how many passes it has seen: 0 where nothing was waited for.

    Example:
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=50.0)
        >>> circuit = tt.circuits.for_task(task, num_units=6)
        >>> params = circuit.init(key=jax.random.key(0))
        >>> trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(1), 2))
        >>> rule, loss = tt.rules.make("node-perturbation"), tt.objectives.SquaredError()
        >>> state = rule.init(circuit, params, key=jax.random.key(2))
        >>> warmed(circuit, rule, loss, params, state, trials, jax.random.key(3))[1]
        1
    """
    if not state:
        return state, 0
    wanted = rule.traits.trained
    names = params if isinstance(wanted, str) else wanted
    expected = sum(name in params and name not in circuit.untrained for name in names)
    best, best_state, best_passes = -1, state, 0
    for passes in range(MOST_PASSES + 1):
        reached, after = _pass(
            circuit, rule, objective, params, state, trials, jax.random.fold_in(key, passes)
        )
        count = sum(bool(each) for name, each in reached.items() if name in names)
        if count > best:
            best, best_state, best_passes = count, state, passes
        same = all(np.array_equal(after[name], state[name], equal_nan=True) for name in state)
        if best >= expected or same:
            break
        state = after
    return best_state, best_passes


@partial(jax.jit, static_argnums=(0, 1, 2))
def _pass(
    circuit: Any, rule: Any, objective: Any, params: Params, state: Any, trials: Trial, key: Array
) -> tuple[dict[str, Array], Any]:
    """Which trained parameters the batch gives a gradient, and the state after it."""

    def batch(state: Any, trials: Trial, key: Array) -> tuple[Any, Params]:
        grads, after, _ = rule.gradient(circuit, params, state, trials, objective, key=key)
        return after, {name: jnp.any(value != 0) for name, value in grads.items()}

    if rule.traits.batch_size == 1:

        def alone(state: Any, both: tuple[Trial, Array]) -> tuple[Any, Params]:
            trial, number = both
            return batch(state, jax.tree.map(lambda leaf: leaf[None], trial), jax.random.fold_in(key, number))

        after, each = jax.lax.scan(alone, state, (trials, jnp.arange(trials.inputs.shape[0])))
        found = {name: value.any(0) for name, value in each.items()}
    else:
        after, found = batch(state, trials, key)
    return {name: value for name, value in found.items() if name not in circuit.untrained}, after
