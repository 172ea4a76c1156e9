"""What kind of neuron each unit is and in which region it lies, as coordinates of the units."""

from __future__ import annotations

from typing import Any

import numpy as np

from throughtime.results.flags import flag_attributes
from throughtime.results.schema import attributes

# coordinate -> (method of a connectivity that gives the integers, property that names them)
LABELS = {"cell_type": ("cell_types", "cell_type_names"), "unit_region": ("regions", "region_names")}


def unit_coordinates(circuit: Any) -> dict[str, tuple[str, np.ndarray, dict[str, object]]]:
    """Coordinates ``cell_type`` and ``unit_region`` of a circuit's units, where its connectivity names them.

    Args:
        circuit: with ``num_units`` and a connectivity ``recurrent``; anything else has no labels.

    Returns:
        Name -> (dim, integers, attributes with flags), for ``xarray.Dataset``.

    Example:
        >>> from throughtime.circuits import Circuit
        >>> unit_coordinates(Circuit(num_inputs=1, num_units=4, num_outputs=1))
        {}
    """
    recurrent = getattr(circuit, "recurrent", None)
    coordinates = {}
    for name, (integers, meanings) in LABELS.items():
        names = getattr(recurrent, meanings, ())
        if names:
            codes = np.asarray(getattr(recurrent, integers)(circuit.num_units), np.int32)
            coordinates[name] = ("unit", codes, attributes(name, **flag_attributes(names)))
    return coordinates
