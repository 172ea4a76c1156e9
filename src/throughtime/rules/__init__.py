"""Learning rules: ways in which credit travels back."""

from __future__ import annotations

import dataclasses
from typing import Any

from throughtime import runtime  # noqa: F401  (settings JAX reads when its backend starts)
from throughtime.registry import kebab, unknown
from throughtime.rules.adjoint_rule import AdjointRule
from throughtime.rules.base import Rule, Traits
from throughtime.rules.bptt import BPTT
from throughtime.rules.dni import DNI
from throughtime.rules.eprop import EProp
from throughtime.rules.evolution_strategy import EvolutionStrategy
from throughtime.rules.feedback_alignment import FeedbackAlignment
from throughtime.rules.force import Force
from throughtime.rules.full_force import FullForce
from throughtime.rules.innate_training import InnateTraining
from throughtime.rules.kernl import KeRNL
from throughtime.rules.kf_rtrl import KFRTRL
from throughtime.rules.mdgl import MDGL
from throughtime.rules.miconi import Miconi
from throughtime.rules.modprop import ModProp
from throughtime.rules.node_perturbation import NodePerturbation
from throughtime.rules.r_kf_rtrl import RKFRTRL
from throughtime.rules.random_transport import RandomTransport
from throughtime.rules.readout_only import ReadoutOnly
from throughtime.rules.reward_modulated_hebbian import RewardModulatedHebbian
from throughtime.rules.rflo import RFLO
from throughtime.rules.rotated_bptt import RotatedBPTT
from throughtime.rules.rtrl import RTRL
from throughtime.rules.snap import SnAp
from throughtime.rules.tbptt import TBPTT
from throughtime.rules.uoro import UORO
from throughtime.rules.weight_perturbation import WeightPerturbation

RULES: dict[str, type[Rule]] = {
    kebab(kind.__module__.rpartition(".")[2]): kind
    for kind in (
        BPTT,
        TBPTT,
        FeedbackAlignment,
        RandomTransport,
        RotatedBPTT,
        RTRL,
        SnAp,
        UORO,
        KFRTRL,
        RKFRTRL,
        DNI,
        KeRNL,
        ModProp,
        MDGL,
        EProp,
        RFLO,
        ReadoutOnly,
        NodePerturbation,
        WeightPerturbation,
        EvolutionStrategy,
        Miconi,
        Force,
        FullForce,
        InnateTraining,
        RewardModulatedHebbian,
    )
}

__all__ = [
    "BPTT",
    "DNI",
    "KFRTRL",
    "MDGL",
    "RFLO",
    "RKFRTRL",
    "RTRL",
    "TBPTT",
    "UORO",
    "AdjointRule",
    "EProp",
    "EvolutionStrategy",
    "FeedbackAlignment",
    "Force",
    "FullForce",
    "InnateTraining",
    "KeRNL",
    "Miconi",
    "ModProp",
    "NodePerturbation",
    "RandomTransport",
    "ReadoutOnly",
    "RewardModulatedHebbian",
    "RotatedBPTT",
    "Rule",
    "SnAp",
    "Traits",
    "WeightPerturbation",
    "get",
    "make",
    "names",
]


def names() -> tuple[str, ...]:
    """Registry names of all rules."""
    return tuple(RULES)


def get(name: str) -> type[Rule]:
    """The class of a registry name.

    Raises:
        ValueError: for an unknown name, with near names.
    """
    if name not in RULES:
        raise unknown("rule", name, RULES, "throughtime list rules")
    return RULES[name]


def make(name: str, **options: Any) -> Rule:
    """A rule by its registry name, with its options.

    Raises:
        ValueError: for an unknown name or option.

    Example:
        >>> make("bptt").traits.exact
        True
    """
    kind = get(name)
    known = {item.name for item in dataclasses.fields(kind) if item.init}
    for option in options:
        if option not in known:
            raise ValueError(
                f"rule {name!r} has no option {option!r}; it has {', '.join(sorted(known)) or 'none'}."
            )
    return kind(**options)
