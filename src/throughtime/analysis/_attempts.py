"""A seed that an analysis refuses among others: NaN with a status instead of an end."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field

STATUS = Field((), "1", "how the computation ended")
FLAGS = {"flag_values": [0, 1], "flag_meanings": "computed refused"}


class Attempts:
    """Calls of an array function, of which some may be refused.

    The wrapped function returns what ``function`` does and a status: 0, or 1 with ``blank`` in its place.

    Example:
        >>> def root(x):
        ...     if x < 0:
        ...         raise ValueError(f"x: {x}; use 0 or more.")
        ...     return (x**0.5,)
        >>> attempts = Attempts(root, (np.nan,))
        >>> attempts(4.0), attempts(-1.0)
        ((2.0, 0), (nan, 1))
        >>> attempts.told(xr.Dataset()).attrs
        {'refusal': 'x: -1.0; use 0 or more.'}
    """

    def __init__(self, function: Callable[..., Sequence[Any]], blank: Sequence[Any]) -> None:
        self.function, self.blank = function, blank
        self.refusals: list[ValueError] = []
        self.calls = 0

    def __call__(self, *values: Any) -> tuple[Any, ...]:
        self.calls += 1
        try:
            return (*self.function(*values), 0)
        except ValueError as refusal:
            self.refusals.append(refusal)
            return (*self.blank, 1)

    def told(self, dataset: xr.Dataset) -> xr.Dataset:
        """``dataset`` with the first refusal as the attribute ``refusal`` and a meaning for each status.

        Raises:
            ValueError: that refusal, if every call was refused.
        """
        if self.refusals and len(self.refusals) == self.calls:
            raise self.refusals[0]
        if self.refusals:
            dataset.attrs["refusal"] = str(self.refusals[0])
        if "fit_status" in dataset:
            dataset["fit_status"].attrs = FLAGS | dataset["fit_status"].attrs
        return dataset


def blank(fields: dict[str, Field], sizes: dict[str, int], fill: dict[str, Any] | None = None) -> list[Any]:
    """NaN for each field (or its ``fill``) in the sizes of its dims.

    Example:
        >>> blank({"peak": Field(("unit",), "ms", "peak")}, {"unit": 2})
        [array([nan, nan])]
    """
    fill = fill or {}
    return [np.full([sizes[dim] for dim in f.dims], fill.get(name, np.nan)) for name, f in fields.items()]
