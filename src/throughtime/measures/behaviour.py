"""Measures of what circuits do in held-out trials."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from throughtime import analysis
from throughtime.measures.base import Together

if TYPE_CHECKING:
    from throughtime.measures.material import Material


@dataclass(frozen=True)
class Behaviour(Together):
    """The behavioural curve that the task declares as its signature, with the circuit's noise on.

    Catch trials take no part, and a trial in which the circuit gave no answer counts as the fit of the
    signature has it.
    """

    def of_seeds(self, material: Material, seeds: list[int]) -> xr.Dataset:
        """See the analysis that the signature names."""
        signature = material.run.task.signature
        arguments = {name: material.condition(stored).sel(seed=seeds) for name, stored in signature.variables}
        use = xr.ones_like(next(iter(arguments.values())), dtype=bool)
        if "catch" in material.condition_names:
            use = use & ~material.condition("catch").sel(seed=seeds).astype(bool)
        given = {name for name, stored in signature.variables if stored in material.condition_names}
        for name in given:
            use = use & np.isfinite(arguments[name])
        found: xr.Dataset = getattr(analysis, signature.fit)(**arguments, where=use)
        return found.assign_attrs(signature=signature.fit)
