"""Learning rules side by side: the gradients they give, and what circuits trained with them learn.

:func:`compare_gradients` puts the gradients of several rules on the same trials beside the exact one;
:func:`compare` trains the same circuits on the same trials with each rule. :func:`reservoir_ceiling` says how
far a task gets without any of that, by fitting a readout alone.
"""

from throughtime.comparison.ceiling import reservoir_ceiling
from throughtime.comparison.choice import CONTROLS
from throughtime.comparison.gradients import compare_gradients
from throughtime.comparison.runs import compare
from throughtime.comparison.tuning import GRID

__all__ = ["CONTROLS", "GRID", "compare", "compare_gradients", "reservoir_ceiling"]
