"""What every learning rule must do, tried on small circuits in float64.

One subject is one rule. Its gradient is compiled a few times and all checks share what came out; finite
differences of the loss judge what it says about itself.
"""

from __future__ import annotations

from throughtime.checking.rule_circuits import circuits, takes
from throughtime.checking.rule_claims import declaration, draws, exactness, halving_dt, locality, loss
from throughtime.checking.rule_contract import (
    alive,
    contract,
    mean_of_trials,
    padding,
    purity,
    recompilation,
    single_precision,
)
from throughtime.checking.rule_subject import Subject

__all__ = ["BATTERY", "Subject", "takes"]

BATTERY = (
    declaration, contract, alive, loss, exactness, draws, purity, recompilation, padding, mean_of_trials,
    single_precision, circuits, halving_dt, locality,
)  # fmt: skip
