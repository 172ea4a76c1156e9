"""Circuits in Brian2: the same rates from an independent simulator, spiking circuits, rules in synapses.

Brian2 is imported when a function here is called, never before.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from throughtime.spiking.eprop_lif import SpikingCircuit, learn_spiking
    from throughtime.spiking.kernel import filtered
    from throughtime.spiking.learning import Learned, learn
    from throughtime.spiking.lif import LIF, Spikes, simulate
    from throughtime.spiking.program import source
    from throughtime.spiking.replica import Replica, replicate
    from throughtime.spiking.transferring import Trained, transfer

# name -> file, which has another name: a room's attribute is either the file or the function
_MEMBERS: dict[str, str] = {
    "Learned": "learning",
    "learn": "learning",
    "SpikingCircuit": "eprop_lif",
    "learn_spiking": "eprop_lif",
    "Replica": "replica",
    "replicate": "replica",
    "source": "program",
    "LIF": "lif",
    "Spikes": "lif",
    "simulate": "lif",
    "filtered": "kernel",
    "Trained": "transferring",
    "transfer": "transferring",
}

__all__ = [
    "LIF",
    "Learned",
    "Replica",
    "Spikes",
    "SpikingCircuit",
    "Trained",
    "filtered",
    "learn",
    "learn_spiking",
    "replicate",
    "simulate",
    "source",
    "transfer",
]


def __getattr__(name: str) -> Any:
    if name not in _MEMBERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}.")
    member = getattr(importlib.import_module(f"{__name__}.{_MEMBERS[name]}"), name)
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
