"""Every dynamics with every connectivity through the contract battery."""

from __future__ import annotations

import jax
import numpy as np
import pytest

from throughtime import circuits
from throughtime.checking import circuits as battery
from throughtime.circuits import (
    GRU,
    LSTM,
    Adaptive,
    Dale,
    Dense,
    Leaky,
    LowRank,
    MultiRegion,
    ShortTermPlasticity,
    Sparse,
)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


PLASTIC = np.random.default_rng(0).uniform(size=(5, 5)) > 0.4
TAUS = [30.0, 60.0, 90.0, 150.0, 40.0]

# name -> (dynamics, and the same with rates that are never negative, or None where there is none)
DYNAMICS = {
    "leaky current": (Leaky(tau=TAUS), Leaky(tau=TAUS, activation="softplus")),
    "leaky rate": (
        Leaky(tau=60.0, form="rate", tau_range=(25.0, 200.0)),
        Leaky(tau=60.0, form="rate", activation="sigmoid", tau_range=(25.0, 200.0)),
    ),
    "vanilla": (Leaky(tau=20.0, form="rate"), Leaky(tau=20.0, form="rate", activation="softplus")),
    "adaptive": (
        Adaptive(tau=60.0, tau_adaptation=200.0),
        Adaptive(tau=60.0, tau_adaptation=200.0, activation="softplus"),
    ),
    "short-term plasticity": (ShortTermPlasticity(tau=60.0, activation="softplus"),) * 2,
    "gru": (GRU(), None),
    "gru reset before": (GRU(reset="before"), None),
    "lstm": (LSTM(), None),
}
CONNECTIVITY = {
    "dense": Dense(gain=1.2),
    "without self": Dense(gain=1.2, distribution="balanced", self_connections=False),
    "sparse": Sparse(density=0.6, plastic=PLASTIC),
    "dale": Dale(base=Sparse(density=0.8)),
    "low-rank": LowRank(rank=2),
    "low-rank on random": LowRank(rank=1, base=Dense(gain=0.8)),
    "multi-region": MultiRegion(sizes=(3, 2), names=("a", "b"), base=Dense(gain=1.2)),
}
NEEDS_POSITIVE = ("dale",)


def pair(dynamics: str, connectivity: str):
    plain, positive = DYNAMICS[dynamics]
    return battery.make(positive if connectivity in NEEDS_POSITIVE else plain, CONNECTIVITY[connectivity])


PAIRS = [
    (dynamics, connectivity)
    for dynamics in DYNAMICS
    for connectivity in CONNECTIVITY
    if not (connectivity in NEEDS_POSITIVE and DYNAMICS[dynamics][1] is None)
]


@pytest.mark.parametrize(("dynamics", "connectivity"), PAIRS)
def test_gradients(dynamics, connectivity):
    battery.check_gradients(pair(dynamics, connectivity))


@pytest.mark.parametrize("dynamics", DYNAMICS)
def test_a_batch_is_the_mean_of_its_trials(dynamics):
    battery.check_mean(pair(dynamics, "low-rank on random"))


@pytest.mark.parametrize(("dynamics", "connectivity"), PAIRS)
def test_constraints_and_configuration(dynamics, connectivity):
    circuit = pair(dynamics, connectivity)
    battery.check_constraints(circuit)
    battery.check_configuration(circuit)


@pytest.mark.parametrize("dynamics", DYNAMICS)
def test_steps(dynamics):
    battery.check_steps(pair(dynamics, "dense"))


@pytest.mark.parametrize("dynamics", [name for name in DYNAMICS if name[:2] in ("le", "ad", "sh")])
def test_halving_dt(dynamics):
    battery.check_halving_dt(pair(dynamics, "dense"))


@pytest.mark.parametrize("dynamics", [name for name, both in DYNAMICS.items() if both[1] is None])
def test_dales_law_is_refused_where_rates_can_be_negative(dynamics):
    with pytest.raises(ValueError, match="negative"):
        battery.make(DYNAMICS[dynamics][0], CONNECTIVITY["dale"])


def test_the_table_has_every_registered_member():
    assert {type(plain) for plain, _ in DYNAMICS.values()} == set(circuits.DYNAMICS.values())
    assert {type(one) for one in CONNECTIVITY.values()} == set(circuits.CONNECTIVITY.values())


def test_the_battery_can_fail(monkeypatch):
    from throughtime.credit import adjoint

    original = adjoint.send_back
    monkeypatch.setattr(adjoint, "send_back", lambda d, matrix, credit: 1.01 * original(d, matrix, credit))
    with pytest.raises(AssertionError, match=r"recurrent|bias|input"):
        battery.check_gradients(pair("leaky current", "dense"))
