"""The gradient as users compile it, in float32, against the textbook in NumPy."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np

import throughtime as tt
from tests.factories import random_params, random_trials, small_circuit
from tests.oracles import numpy_bptt, relative
from tests.processes import as_users_compile

ROOT = Path(__file__).parents[2]


def distances() -> dict[str, float]:
    """Relative distance from the textbook for both forms, with three tiles of trials."""
    found = {}
    for form in ("current", "rate"):
        circuit, trials = small_circuit(form), random_trials(num_trials=37, num_steps=40)
        trials = trials._replace(valid=np.ones_like(trials.valid))
        params = random_params(circuit)
        grads, _ = tt.gradient(circuit, params, trials, tt.rules.make("bptt"), key=jax.random.key(0))
        alpha = circuit.dt / np.asarray(circuit.dynamics.tau)
        plain = {name: np.asarray(value, float) for name, value in params.items()}
        arrays = [np.asarray(leaf, float) for leaf in (trials.inputs, trials.targets, trials.mask)]
        each = [numpy_bptt(form, "tanh", alpha, plain, *(leaf[i] for leaf in arrays))[1] for i in range(37)]
        wanted = {name: np.mean([one[name] for one in each], axis=0) for name in plain}
        found[form] = relative(grads, wanted)
    return found


def test_fully_optimised_gradient_is_the_textbook_s():
    done = subprocess.run(
        [sys.executable, "-m", "tests.credit.test_optimised"],
        check=True, capture_output=True, text=True, cwd=ROOT, env=as_users_compile(),
    )  # fmt: skip
    found = json.loads(done.stdout)
    assert set(found) == {"current", "rate"}
    assert max(found.values()) < 1e-5
    assert min(found.values()) > 0, "float32 and float64 differ in rounding at least"


if __name__ == "__main__":
    sys.stdout.write(json.dumps(distances()))
