"""Labels as integers that carry their names."""

from __future__ import annotations

from typing import Any

import numpy as np
import xarray as xr


def names_of(array: xr.DataArray) -> dict[Any, str]:
    """Codes of a flagged array -> names; empty without flags.

    Example:
        >>> names_of(xr.DataArray([1], attrs={"flag_values": [0, 1], "flag_meanings": "bptt rflo"}))
        {0: 'bptt', 1: 'rflo'}
    """
    codes = np.atleast_1d(array.attrs.get("flag_values", [])).tolist()
    return dict(zip(codes, str(array.attrs.get("flag_meanings", "")).split(), strict=False))


def coded(array: xr.DataArray) -> xr.DataArray:
    """Integer labels, named by ``flag_values`` and ``flag_meanings`` where they were text; numbers are kept.

    Example:
        >>> found = coded(xr.DataArray(["rflo", "bptt", "rflo"], dims="run"))
        >>> found.values.tolist(), found.attrs["flag_meanings"]
        ([1, 0, 1], 'bptt rflo')
    """
    named = {"units": "1", "long_name": str(array.name or "label")} | array.attrs
    if array.dtype.kind in "iuf":
        return array.assign_attrs(named)
    names, codes = np.unique(np.asarray(array.values).astype(str), return_inverse=True)
    flags = {
        "flag_values": list(range(names.size)) if names.size > 1 else 0,
        "flag_meanings": " ".join("_".join(name.split()) for name in names.tolist()),
    }
    return array.copy(data=codes.reshape(array.shape)).assign_attrs(named | flags)
