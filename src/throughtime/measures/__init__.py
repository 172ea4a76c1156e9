"""What a trained circuit is like: every analysis, brought to a run.

:mod:`throughtime.analysis` takes arrays, datasets and steps; a measure here knows where in a run they are.
:func:`analyse` adds the results to a copy of the run. A measure is a frozen dataclass with its options;
``tt.measures.names()`` lists them. :func:`transfer` adds spiking circuits with the run's weights.
"""

from __future__ import annotations

from throughtime.measures.adding import analyse
from throughtime.measures.base import Measure
from throughtime.measures.material import Material
from throughtime.measures.registry import MEASURES, get, make, names
from throughtime.measures.spikes import transfer

__all__ = ["MEASURES", "Material", "Measure", "analyse", "get", "make", "names", "transfer"]
