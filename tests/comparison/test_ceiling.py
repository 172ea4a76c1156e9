"""The reservoir ceiling: ridge regression as scikit-learn does it, and judged as training judges."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.linear_model import Ridge

import throughtime as tt
from throughtime import keys
from throughtime.comparison import ceiling

TASK = tt.tasks.make("delayed-match-to-sample", fixation=50.0, sample=100.0, delay=(50.0, 100.0), test=100.0,
                     response=100.0, dt=50.0, report="channels", fixation_output=True)  # fmt: skip
NUM, UNITS = 48, 5


def moments(circuit, params, purpose, num):
    """Rates, targets and loss weights of all samples, in plain NumPy from one run a trial."""
    each = keys.trial_keys(keys.seed_key(jnp.uint32(3), "data"), purpose, 0, num)
    trials = jax.jit(jax.vmap(TASK.trial))(each)
    rates = jax.vmap(lambda x, v: circuit.run(params, x, valid=v).rates)(trials.inputs, trials.valid)
    weights = np.asarray(trials.mask / trials.mask.sum((1, 2), keepdims=True), float)[..., 0]
    flat = np.asarray(rates, float).reshape(-1, UNITS), np.asarray(trials.targets, float).reshape(-1, 3)
    return *flat, weights.reshape(-1)


def test_the_readout_is_that_of_ridge_regression_with_the_loss_as_weights():
    circuit = tt.circuits.for_task(TASK, num_units=UNITS)
    params = circuit.init(key=jax.random.key(1))
    stacked = {name: value[None] for name, value in params.items()}
    found = ceiling.fit_readouts(TASK, circuit, stacked, jnp.array([3], jnp.uint32), NUM)
    rates, targets, weights = moments(circuit, params, "train", NUM)
    others = moments(circuit, params, "analysis", NUM // 4)
    size = (weights[:, None] * rates**2).sum() / UNITS
    best = None
    for strength in ceiling.STRENGTHS:
        fit = Ridge(alpha=strength * size).fit(rates, targets, sample_weight=weights)
        error = (others[2][:, None] * (fit.predict(others[0]) - others[1]) ** 2).sum()
        if best is None or error < best[0]:
            best = error, fit
    assert np.abs(best[1].coef_).max() > 0.1
    np.testing.assert_allclose(found["readout"][0], best[1].coef_, rtol=2e-3, atol=2e-3)
    np.testing.assert_allclose(found["readout_bias"][0], best[1].intercept_, rtol=2e-3, atol=2e-3)


def test_outputs_with_other_loss_weights_are_fitted_apart():
    assert ceiling.alike(TASK) == ((0, 1, 2),)

    class Uneven:
        output_names = ("a", "b", "c")

        def trial(self, key):
            trial = TASK.trial(key)
            return trial._replace(mask=trial.mask * jnp.array([1.0, 2.0, 1.0]))

    assert ceiling.alike(Uneven()) == ((0, 2), (1,))


def test_recurrent_weights_raise_the_ceiling_of_a_timed_response():
    task = tt.tasks.make("cue-set-go", dt=50.0, interval=(400.0, 600.0, 800.0), hold=100.0)
    settings = {"num_units": 40, "gains": (0.0, 1.2), "seeds": 2, "num_trials": 128}
    found = tt.reservoir_ceiling(task, **settings)
    assert found["measure"].dims == ("option", "seed", "parameter")
    assert found["parameter"].attrs["flag_meanings"] == "correct absolute_error slope"
    assert found["gain"].values.tolist() == [0.0, 1.2]
    correct, error, slope = found["measure"].transpose("parameter", ...).values
    assert correct[0].max() < correct[1].min()
    assert (found["reached"] == ((correct >= 0.9) & (error <= 0.1) & (slope >= 0.5))).all()
    again = tt.reservoir_ceiling(task, **settings)
    np.testing.assert_array_equal(found["measure"], again["measure"])


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"gains": ()}, "gains"),
        ({"gains": (-1.0,)}, "gains"),
        ({"num_trials": 3}, "num_trials"),
        ({"seeds": ()}, "seeds"),
    ],
)
def test_it_refuses_what_cannot_work(given, message):
    with pytest.raises(ValueError, match=message):
        tt.reservoir_ceiling(TASK, **given)


@dataclass(frozen=True, kw_only=True)
class JudgedTwice(tt.tasks.DelayedMatchToSample):
    """Judged by one evaluation, and by the mean of two."""

    @property
    def criterion(self):
        once = tt.tasks.Criterion("margin", at_least=0.0, trials=64)
        return (once, dataclasses.replace(once, validations=2))


def test_a_criterion_that_asks_for_several_evaluations_gets_them(monkeypatch):
    seen = []
    true = ceiling.validate

    def spied(plan, num_trials, params, data_seeds, update):
        scores, conditions = true(plan, num_trials, params, data_seeds, update)
        seen.append(np.asarray(scores["margin"]).mean(1))
        return scores, conditions

    monkeypatch.setattr(ceiling, "validate", spied)
    fields = {name: getattr(TASK, name) for name in ("fixation", "sample", "delay", "test", "response", "dt")}
    found = tt.reservoir_ceiling(
        JudgedTwice(**fields), num_units=UNITS, gains=(1.0,), seeds=2, num_trials=NUM
    )["measure"].isel(option=0)
    first, second = seen
    assert np.abs(first - second).max() > 1e-3
    np.testing.assert_allclose(found.isel(parameter=0), first, rtol=1e-5)
    np.testing.assert_allclose(found.isel(parameter=1), (first + second) / 2, rtol=1e-5)
