"""What tuning found, as a results tree."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import xarray as xr

from throughtime import config
from throughtime.results.provenance import device_kind, library_attributes, member_name, strip_paths
from throughtime.results.schema import attributes

if TYPE_CHECKING:
    from throughtime.comparison.tuning import Tuned
    from throughtime.studies.declaration import Tuning
    from throughtime.studies.plans import Combination


def tuning_tree(found: Tuned, one: Combination, tuning: Tuning, command: str | None = None) -> xr.DataTree:
    """Group ``/tuning``: ``step_size``, ``loss`` (mean over tuning seeds, held-out trials, infinite where one
    diverged) and ``num_diverged`` (parameter); the attribute ``best`` is the index of the size chosen.
    """
    dims = ("parameter",)
    variables = {
        "step_size": (dims, found.rates, attributes("step_size")),
        "loss": (dims, found.losses, attributes("loss", long_name="loss on held-out trials")),
        "num_diverged": (
            dims,
            found.num_diverged,
            attributes("num_diverged", long_name="seeds that diverged"),
        ),
    }
    index = np.arange(len(found.rates))
    coords = {"parameter": ("parameter", index, attributes("parameter", long_name="index of the step size"))}
    settings = {
        "task": one.task, "circuit": one.circuit, "rule": one.rule, "tuning": tuning, "training": one.wishes,
        "match": one.match,
    }  # fmt: skip
    digest = config.sha256(settings)
    attrs = {
        **library_attributes("analysis"),
        "run_id": digest[:16],
        "task": member_name(one.task),
        "circuit": member_name(one.circuit),
        "rule": member_name(one.rule),
        "config": config.canonical(settings),
        "config_sha256": digest,
        "device_kind": device_kind(),
    }
    if command is not None:
        attrs["command"] = strip_paths(command)
    about = {"best": found.best, "at_edge": int(found.at_edge)}
    groups = {"/": xr.Dataset(attrs=attrs), "/tuning": xr.Dataset(variables, coords, about)}
    return xr.DataTree.from_dict(groups)
