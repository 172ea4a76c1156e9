"""What a rule held comes back from the record bit for bit, and serves the rule again."""

import jax
import numpy as np
import pytest

import throughtime as tt
from throughtime import results


@pytest.mark.parametrize("rule", ["rflo", "node-perturbation", "bptt"])
def test_state_of_a_rule_comes_back(rule):
    task = tt.tasks.make("cue-set-go", dt=50.0)
    circuit = tt.circuits.for_task(task, num_units=5)
    chosen = tt.rules.make(rule)
    run = tt.train(task, circuit, chosen, seeds=2, num_updates=2, batch_size=2, test_trials=0)
    state = run.rule_state(1)
    wanted = jax.eval_shape(
        lambda key: chosen.init(circuit, circuit.init(key=key), key=key), jax.random.key(0)
    )
    assert set(state) == set(wanted)
    for name, like in wanted.items():
        assert state[name].shape == like.shape
        assert state[name].dtype == like.dtype
    if state:
        trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(1), 2))
        found = tt.gradient(circuit, run.params(1), trials, chosen, key=jax.random.key(2), state=state)
        assert np.isfinite(found[1]["loss"])
    if rule == "rflo":
        stored = run.tree["checkpoints/rule_feedback"].sel(seed=1).values
        np.testing.assert_array_equal(state["rule_feedback"], stored[-1])
    with pytest.raises(results.ResultsError, match="the run holds no 'rule_predictor'"):
        results.rule_state_of(run.tree, ["rule_predictor"], 0)
