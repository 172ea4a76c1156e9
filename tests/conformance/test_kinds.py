"""Rows 2, 12, 18 and 22 over kinds of circuits: warm-ups, leaky readouts, fed-back outputs, constraints.

Weights that move by next to nothing within the trial show, divided by the step size, the gradient with
weights that stand still; and both must be exact where the rule is.
"""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import random_params
from tests.oracles import norm, relative
from tests.rules import test_perturbation as perturbation
from tests.rules import test_rank_one as rank_one
from throughtime.checking import settings
from throughtime.circuits import (
    GRU,
    LSTM,
    Adaptive,
    Circuit,
    Dale,
    Dense,
    Leaky,
    Learned,
    LowRank,
    ShortTermPlasticity,
    Sparse,
    WarmUp,
)
from throughtime.credit import perturb, stepping
from throughtime.frozen import FrozenArray
from throughtime.rules import BPTT, DNI, KFRTRL, MDGL, RFLO, RTRL, TBPTT, UORO, EProp, KeRNL

ETA = 1e-7
KEY = jax.random.key(7)
FIRING = Leaky(tau=60.0, activation="softplus")
TAUS = FrozenArray(np.linspace(25.0, 90.0, 4))


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def made(dynamics=None, recurrent=None, **fields):
    return Circuit(
        num_inputs=2, num_units=4, num_outputs=2, dt=20.0, dynamics=dynamics or Leaky(tau=TAUS),
        recurrent=recurrent or Dense(gain=1.2), **fields,
    )  # fmt: skip


SPREAD = Leaky(tau=60.0, form="rate", tau_range=(25.0, 200.0))
DALE, RANK = Dale(base=Sparse(density=0.8)), LowRank(rank=2)
AFTER, WITHIN = RTRL(), RTRL(online=True, step_size=ETA)
EXACT = {
    "rate, warm-up, leaky readout": (
        made(SPREAD, initial=WarmUp(60.0), readout_tau=50.0),
        (AFTER, WITHIN),
    ),
    "lstm, warm-up, leaky readout": (made(LSTM(), initial=WarmUp(40.0), readout_tau=50.0), (AFTER,)),
    "gru, learned start": (made(GRU(), initial=Learned()), (WITHIN,)),
    "adaptive, learned start, leaky readout": (
        made(Adaptive(tau=60.0, tau_adaptation=200.0), initial=Learned(), readout_tau=50.0),
        (WITHIN,),
    ),
    "plasticity": (made(ShortTermPlasticity(tau=60.0, activation="softplus")), (WITHIN,)),
    "Dale, signs of the readout": (
        made(
            FIRING,
            DALE,
            non_negative=("readout",),
            readout_mask=FrozenArray([[1, 1, 0, 1], [0, 1, 1, 1]]),
        ),
        (AFTER,),
    ),
    "low rank": (made(recurrent=RANK), (AFTER,)),
}
MOVING = {
    "warm-up, eprop of a filter": (made(initial=WarmUp(60.0)), EProp(kappa=0.6)),
    "warm-up, kernl": (made(initial=WarmUp(40.0)), KeRNL()),
    "warm-up, fed-back output, rflo": (made(output_feedback=True, initial=WarmUp(40.0)), RFLO()),
    "Dale, fed-back output, blocks": (made(FIRING, DALE, output_feedback=True), TBPTT(window=40.0)),
    "low rank, mdgl": (made(recurrent=RANK), MDGL()),
    "learned start, dni": (made(initial=Learned()), DNI()),
}


def params_of(circuit):
    """Every parameter away from the value it begins with."""
    params, rng = settings.params_of(circuit), np.random.default_rng(1)
    moved = {name: 0.4 * rng.normal(size=4) for name in params if name.startswith("initial_")}
    return {name: value + moved.get(name, 0) for name, value in params.items()}


def found_by(circuit, rules):
    """Gradients, or displacements over η, of several rules on the same trials: one compilation."""
    params, trials = params_of(circuit), settings.trials_of(circuit, 2, 5)

    def one(rule, params):
        state = rule.init(circuit, params, key=jax.random.key(1))
        grads = rule.gradient(circuit, params, state, trials, settings.OBJECTIVE, key=KEY)[0]
        return jax.tree.map(lambda leaf: leaf / (rule.step_size or 1), grads)

    return jax.jit(lambda params: [one(rule, params) for rule in rules])(params)


def alive(circuit, grads):
    return all(norm(grads[name]) > 1e-3 for name in circuit.param_names)


@pytest.mark.parametrize("name", EXACT)
def test_rtrl_after_or_within_the_trial_is_bptt(name):
    circuit, rules = EXACT[name]
    exact, *each = found_by(circuit, (BPTT(), *rules))
    assert alive(circuit, exact)
    for rule, found in zip(rules, each, strict=True):
        assert relative(found, exact) < (1e-5 if rule.online else 1e-9), rule


@pytest.mark.parametrize("name", MOVING)
def test_moves_of_next_to_nothing_are_the_gradient(name):
    circuit, rule = MOVING[name]
    wanted, moved = found_by(circuit, (rule, dataclasses.replace(rule, online=True, step_size=ETA)))
    assert alive(circuit, wanted)
    assert relative(moved, wanted) < 1e-5


@pytest.mark.parametrize("rule", [UORO(), KFRTRL()], ids=["uoro", "kf-rtrl"])
def test_drawn_factors_are_right_on_average_after_a_warm_up_into_a_leaky_readout(rule):
    circuit = rank_one.circuit_of(rank_one.leaky("current"), initial=WarmUp(40.0), readout_tau=60.0)
    params, trials = rank_one.params_of(circuit), rank_one.trials_of(circuit, 2)
    draws = jax.random.split(jax.random.key(5), 2000)

    def one(key):
        return rule.gradient(circuit, params, {}, trials, settings.OBJECTIVE, key=key)[0]

    found = jax.jit(jax.vmap(one))(draws)
    assert rank_one.deviation(found, rank_one.exact(circuit, 2)[0]) < rank_one.WITHIN


def without_pull_back(circuit, params, grads, own):
    """Gradients by effective weights taken for those of the free parameters."""
    mixed = {**grads, **own}
    return {name: mixed.get(name, jnp.zeros_like(value)) for name, value in params.items()}


def test_a_forgotten_pull_back_of_what_runs_forward_is_seen(monkeypatch):
    circuit, rules = EXACT["Dale, signs of the readout"]
    monkeypatch.setattr(stepping, "pull_back", without_pull_back)
    exact, found = found_by(circuit, (BPTT(), *rules))
    assert relative(found["recurrent"], exact["recurrent"]) > 1e-2
    assert relative(found["bias"], exact["bias"]) < 1e-9


PERTURBED = {
    "Dale": dataclasses.replace(
        perturbation.tiny(Leaky(tau=60.0, activation="softplus")), recurrent=Dale(excitatory=0.5)
    ),
    "low rank": dataclasses.replace(perturbation.tiny(), recurrent=LowRank(rank=1)),
}


def by_noise(name):
    """The mean over all signs of small noise on the drives, and the gradient."""
    circuit = PERTURBED[name]
    params = random_params(circuit)
    if name == "Dale":  # weights are of |θ|: numbers of the other sign are the same weights
        params["recurrent"] = params["recurrent"] * jnp.array([[1.0, -1.0], [-1.0, 1.0]])
    wanted = perturbation.bptt(circuit, params, perturbation.one_trial(2))
    return perturbation.enumerated(circuit, params, 2, outputs=False)(1e-3), wanted


@pytest.mark.parametrize("name", PERTURBED)
def test_estimates_from_noise_are_pulled_back(name):
    mean, wanted = by_noise(name)
    assert all(norm(leaf) > 1e-3 for leaf in wanted.values())
    assert relative(mean, wanted) < 1e-4


def test_a_forgotten_pull_back_of_estimates_from_noise_is_seen(monkeypatch):
    monkeypatch.setattr(perturb, "pull_back", without_pull_back)
    mean, wanted = by_noise("Dale")
    assert relative(mean["recurrent"], wanted["recurrent"]) > 1e-2
    assert relative(mean["bias"], wanted["bias"]) < 1e-4
