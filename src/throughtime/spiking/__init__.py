"""Circuits in Brian2: the same rates from an independent simulator, spiking circuits, rules in synapses.

Brian2 is imported when a function here is called, never before.
"""

from __future__ import annotations

import importlib
from typing import Any

_MEMBERS: dict[str, str] = {}

__all__: list[str] = []


def __getattr__(name: str) -> Any:
    if name not in _MEMBERS:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}; it has {', '.join(__all__)}.")
    member = getattr(importlib.import_module(f"{__name__}.{_MEMBERS[name]}"), name)
    globals()[name] = member
    return member


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
