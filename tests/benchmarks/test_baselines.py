from __future__ import annotations

from itertools import pairwise

import jax
import numpy as np
import pytest

from benchmarks import floor, library, reference, scan
from benchmarks.workload import Workload

CASES = [(form, noise) for form in ("current", "rate") for noise in (False, True)]
TOLERANCE = 1e-5


def workload(form: str = "current", noise: bool = False, **sizes: float) -> Workload:
    small = {"num_units": 8, "num_trials": 5, "num_steps": 60}
    return Workload(**{"form": form, "noise": noise, **small, **sizes})


@pytest.fixture(scope="module", params=CASES, ids=lambda case: f"{case[0]}-{'noise' if case[1] else 'quiet'}")
def solved(request):
    work = workload(*request.param)
    return work, reference.solve(work)


def test_the_trials_of_a_workload_fill_its_steps():
    trials, _ = workload().batch
    assert trials.inputs.shape == (5, 60, 2)
    assert trials.valid.all()
    assert (trials.mask.sum((1, 2)) > 0).all()

    work = workload("rate", noise=True)
    wanted = reference.solve(work).grads
    rng = np.random.default_rng(0)
    for name, value in work.params.items():
        direction = rng.normal(size=value.shape)
        losses = []
        for sign in (1, -1):
            moved = workload("rate", noise=True)
            moved.__dict__["params"] = {
                **work.params,
                name: np.asarray(value, float) + sign * 1e-5 * direction,
            }
            losses.append(reference.solve(moved).loss)
        found = (losses[0] - losses[1]) / 2e-5
        assert found == pytest.approx((wanted[name] * direction).sum(), rel=1e-6)


def test_the_library_computes_the_gradient(solved):
    work, wanted = solved
    grads = library.gradient(work)()
    assert grads.keys() == wanted.grads.keys()
    assert reference.relative_error(grads, wanted.grads) < TOLERANCE


def test_the_update_has_the_loss_and_norm_of_the_reference(solved):
    work, wanted = solved
    measures = library.first_measures(work)
    norm = np.sqrt(sum((grad**2).sum() for grad in wanted.grads.values()))
    assert measures["loss"] == pytest.approx(wanted.loss, rel=TOLERANCE)
    assert measures["norm"] == pytest.approx(norm, rel=TOLERANCE)


def test_the_scan_computes_the_gradient(solved):
    work, wanted = solved
    grads = scan.gradient(work)(work.params, *work.arrays.values(), work.drawn_noise)
    assert grads.keys() == wanted.grads.keys()
    assert reference.relative_error(grads, wanted.grads) < TOLERANCE


def test_torch_computes_the_gradient(solved):
    pytest.importorskip("torch")
    from benchmarks import eager_torch

    work, wanted = solved
    grads = eager_torch.gradient(work)(work.drawn_noise)
    assert grads.keys() == wanted.grads.keys()
    assert reference.relative_error(grads, wanted.grads) < TOLERANCE


def test_the_vanilla_module_of_torch_computes_the_gradient():
    pytest.importorskip("torch")
    from benchmarks import eager_torch

    work = workload("rate", tau=20.0)
    grads = eager_torch.vanilla(work)()
    assert reference.relative_error(grads, reference.solve(work).grads) < TOLERANCE
    with pytest.raises(ValueError, match="expected the rate form with tau = dt"):
        eager_torch.vanilla(workload("current"))


def test_a_baseline_given_a_key_draws_noise_of_the_circuits_size():
    work = workload("rate", noise=True)
    compiled, quiet = scan.gradient(work), scan.gradient(workload("rate"))
    arguments = (work.params, *work.arrays.values())
    first, again, other = (compiled(*arguments, jax.random.key(seed)) for seed in (0, 0, 1))
    silent = quiet(*arguments, jax.random.key(0))
    assert reference.relative_error(first, again) == 0
    assert all(reference.relative_error(a, b) > 1e-3 for a, b in pairwise((first, other, silent)))
    drawn = workload("rate", noise=True, num_units=64).drawn_noise
    assert drawn.std() == pytest.approx(work.noise_scale, rel=0.02)


def test_the_last_product_of_the_floor_is_the_recurrent_gradient(solved):
    work, wanted = solved
    grad = floor.products(np.asarray(work.params["recurrent"]), wanted.sent, wanted.credit)()
    assert reference.relative_error({"recurrent": grad}, wanted.grads) < TOLERANCE


def test_the_floor_makes_six_b_t_n_squared_operations(monkeypatch):
    trials, steps, units = 5, 12, 8
    made = []
    multiply = np.matmul

    def counting(a, b, out):
        made.append(2 * a.shape[0] * a.shape[1] * b.shape[1])
        return multiply(a, b, out=out)

    run = floor.products(np.eye(units), *np.zeros((2, steps, trials, units)))
    monkeypatch.setattr(np, "matmul", counting)
    run()
    assert len(made) == 2 * steps + 1
    assert sum(made) == floor.flop(trials, steps, units) == 6 * trials * steps * units**2


def test_relative_error_sees_a_wrong_array():
    wanted = {"a": np.ones(4), "b": np.ones(4)}
    assert reference.relative_error({"a": 1.5 * np.ones(4)}, wanted) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="nothing to compare"):
        reference.relative_error({}, wanted)
