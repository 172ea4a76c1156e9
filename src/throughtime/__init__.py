"""Train rate-based recurrent circuits by backpropagation through time and by plausible rules; compare them.

Importing the package imports neither JAX, nor xarray, nor matplotlib; each room is loaded when first used.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

__all__ = [
    "FrozenArray",
    "Run",
    "Study",
    "Trial",
    "__version__",
    "analyse",
    "analysis",
    "circuits",
    "citation",
    "compare",
    "compare_gradients",
    "comparison",
    "credit",
    "evaluate",
    "gradient",
    "load",
    "measures",
    "objectives",
    "plotting",
    "references",
    "reservoir_ceiling",
    "results",
    "rules",
    "spiking",
    "studies",
    "tasks",
    "train",
    "training",
    "transfer",
]

_ROOMS = (
    "analysis",
    "circuits",
    "comparison",
    "credit",
    "measures",
    "objectives",
    "plotting",
    "references",
    "results",
    "rules",
    "spiking",
    "studies",
    "tasks",
    "training",
)
_NAMES = {
    "analyse": "throughtime.measures",
    "transfer": "throughtime.measures",
    "train": "throughtime.api",
    "evaluate": "throughtime.api",
    "gradient": "throughtime.api",
    "compare": "throughtime.comparison",
    "compare_gradients": "throughtime.comparison",
    "reservoir_ceiling": "throughtime.comparison",
    "citation": "throughtime.references",
    "load": "throughtime.results",
    "Run": "throughtime.results",
    "Study": "throughtime.studies",
    "Trial": "throughtime.trial",
    "FrozenArray": "throughtime.frozen",
}

if TYPE_CHECKING:
    from throughtime import (
        analysis,
        circuits,
        comparison,
        credit,
        measures,
        objectives,
        plotting,
        references,
        results,
        rules,
        spiking,
        studies,
        tasks,
        training,
    )
    from throughtime.api import evaluate, gradient, train
    from throughtime.comparison import compare, compare_gradients, reservoir_ceiling
    from throughtime.frozen import FrozenArray
    from throughtime.measures import analyse, transfer
    from throughtime.references import citation
    from throughtime.results import Run, load
    from throughtime.studies import Study
    from throughtime.trial import Trial


def __getattr__(name: str) -> Any:
    if name in _ROOMS:
        return importlib.import_module(f"throughtime.{name}")
    if name in _NAMES:
        return getattr(importlib.import_module(_NAMES[name]), name)
    raise AttributeError(f"module 'throughtime' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted(__all__)
