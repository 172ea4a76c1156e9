from __future__ import annotations

from itertools import pairwise

import jax
import numpy as np
import pytest

from benchmarks import floor, library, reference, scan
from benchmarks.eager_torch import as_circuit
from benchmarks.workload import Workload
from throughtime.circuits import to_torch

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


@pytest.mark.parametrize(("form", "noise"), [("rate", True), ("lstm", False), ("gru", False)])
def test_the_reference_has_the_slopes_of_its_loss(form, noise):
    work = workload(form, noise)
    wanted = reference.solve(work).grads
    rng = np.random.default_rng(0)
    for name, value in work.params.items():
        direction = rng.normal(size=value.shape)
        losses = []
        for sign in (1, -1):
            moved = workload(form, noise)
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


@pytest.mark.parametrize("form", ["rate", "lstm", "gru"])
def test_a_layer_of_torch_computes_the_gradient(form):
    pytest.importorskip("torch")
    from benchmarks import eager_torch

    work = workload(form, tau=20.0)
    wanted = reference.solve(work).grads
    run, named = eager_torch.layer(work)
    grads = named(run())
    assert grads.keys() == wanted.keys()
    assert reference.relative_error(grads, wanted) < TOLERANCE


def test_what_no_layer_of_torch_computes_is_refused():
    pytest.importorskip("torch")
    from benchmarks import eager_torch

    with pytest.raises(ValueError, match="expected the rate form with tau = dt"):
        eager_torch.layer(workload("current"))
    with pytest.raises(ValueError, match="layers have no noise"):
        eager_torch.layer(workload("lstm", noise=True))


@pytest.mark.parametrize("form", ["lstm", "gru"])
def test_slopes_of_a_layer_are_put_in_the_circuits_order(form):
    """Without torch: what ``to_torch`` writes comes back."""
    work = workload(form)
    rng = np.random.default_rng(0)
    params = {name: rng.normal(size=value.shape) for name, value in work.params.items()}
    layer = to_torch(work.circuit, params)
    found = as_circuit(work, {**layer, **{name: params[name] for name in ("readout", "readout_bias")}})
    assert found.keys() == params.keys()
    assert reference.relative_error(found, params) < 1e-6


@pytest.mark.parametrize("segment", [None, "sqrt"])
@pytest.mark.parametrize("form", ["lstm", "gru"])
def test_gated_contenders_compute_the_gradient(form, segment):
    work = workload(form)
    wanted = reference.solve(work).grads
    assert reference.relative_error(library.gradient(work, segment)(), wanted) < TOLERANCE
    if segment is None:
        grads = scan.gradient(work)(work.params, *work.arrays.values(), jax.random.key(0))
        assert grads.keys() == wanted.keys()
        assert reference.relative_error(grads, wanted) < TOLERANCE


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


@pytest.mark.parametrize("form", ["current", "lstm", "gru"])
def test_the_last_product_of_the_floor_is_the_recurrent_gradient(form):
    work = workload(form)
    wanted = reference.solve(work)
    grad = floor.products(np.asarray(work.params["recurrent"]), wanted.sent, wanted.credit)()
    assert reference.relative_error({"recurrent": grad}, wanted.grads) < TOLERANCE


@pytest.mark.parametrize("gates", [1, 3])
def test_the_floor_makes_six_b_t_n_squared_operations_for_every_gate(gates, monkeypatch):
    trials, steps, units = 5, 12, 8
    made = []
    multiply = np.matmul

    def counting(a, b, out):
        made.append(2 * a.shape[0] * a.shape[1] * b.shape[1])
        return multiply(a, b, out=out)

    weights = np.zeros((units, units) if gates == 1 else (gates, units, units))
    sent, credit = np.zeros((steps, trials, units)), np.zeros((steps, trials, gates * units))
    run = floor.products(weights, sent, credit)
    monkeypatch.setattr(np, "matmul", counting)
    assert run().shape == weights.shape
    assert len(made) == 2 * steps + 1
    assert sum(made) == floor.flop(trials, steps, units, gates) == 6 * trials * steps * gates * units**2


def test_relative_error_sees_a_wrong_array():
    wanted = {"a": np.ones(4), "b": np.ones(4)}
    assert reference.relative_error({"a": 1.5 * np.ones(4)}, wanted) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="nothing to compare"):
        reference.relative_error({}, wanted)
