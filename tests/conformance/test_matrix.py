"""Every rule on every kind of circuit: taken with gradients of the right shapes, or refused with a reason."""

from __future__ import annotations

import jax
import pytest

from throughtime import rules
from throughtime.checking import settings
from throughtime.checking.report import Failed
from throughtime.checking.rules import takes
from throughtime.rules import BPTT

RESET, FED_BACK, LEAKY = "GRU, reset before", "a fed-back output", "a leaky readout"
TRAINED, RATE = "trained time constants", "leaky units in the rate form"
COMPANION = ("GRU", RESET, "LSTM", "Dale", "low rank", LEAKY, FED_BACK)
REFUSED = {
    "bptt": (),
    "rotated-bptt": (),
    "readout-only": (),
    "weight-perturbation": (),
    "evolution-strategy": (),
    "rtrl": (RESET, FED_BACK),
    "uoro": (RESET, FED_BACK),
    "kf-rtrl": (TRAINED, RESET, FED_BACK),
    "r-kf-rtrl": (TRAINED, RESET, FED_BACK),
    "dni": (RESET, FED_BACK),
    "kernl": ("adaptation", "short-term plasticity", RESET, "LSTM", FED_BACK),
    "modprop": ("short-term plasticity", "GRU", RESET, "LSTM"),
    "miconi": (RATE, TRAINED, "GRU", RESET, "LSTM", "low rank"),
    "force": (RESET, LEAKY),
    "full-force": COMPANION,
    "innate-training": COMPANION,
    "reward-modulated-hebbian": (RESET, LEAKY),
}
OTHERWISE = (RESET,)
"""Of rules that are not in the table: no form without exact transport reaches that reset gate."""


@pytest.mark.parametrize("name", rules.names())
def test_kinds_that_are_refused(name):
    with jax.enable_x64(True):
        kinds = settings.kinds_of_circuits()
        refused = tuple(kind for kind, circuit in kinds.items() if not takes(rules.make(name), circuit, kind))
    assert refused == REFUSED.get(name, OTHERWISE)


class Nameless(BPTT):
    """Refuses without a reason."""

    def gradient(self, *arguments, **options):
        raise ValueError("no")


class Faulty(BPTT):
    """Ends in another error."""

    def gradient(self, *arguments, **options):
        return {}["lost"]


@pytest.mark.parametrize(("rule", "message"), [(Nameless(), "refused with a reason"), (Faulty(), "KeyError")])
def test_a_refusal_without_reason_is_none(rule, message):
    with pytest.raises(Failed, match=message):
        takes(rule, settings.circuit_of())
