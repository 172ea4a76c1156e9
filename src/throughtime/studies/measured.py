"""What was measured of the runs of a study, brought together: evaluations and measures."""

from __future__ import annotations

import json
from typing import Any

import h5py
import numpy as np
import xarray as xr

from throughtime.results.flags import flag_attributes, flag_table
from throughtime.studies import headers, record
from throughtime.studies.blocks import SEED, Blocks, Place, arrays
from throughtime.studies.headers import Header, Headers
from throughtime.studies.record import AXES
from throughtime.studies.sources import Sources

ABSENT = "not_measured"
OF_ONE_RUN = ("input_sha256", "refusal")


def evaluations(found: Sources) -> xr.Dataset | None:
    """Group ``/evaluations``; None where there are none."""
    names = [label for label, _ in found.study.evaluations]
    if not names or not found.measured:
        return None
    frame = found.frame
    values = {name: np.full((*frame.shape(), len(names)), np.nan) for name in ("score", "loss")}
    for at, (piece,) in found.measured.items():
        head = headers.read(piece.path, "evaluations")
        if head is None:
            continue
        rows = frame.seed_places(_coordinate(head, SEED))
        table = flag_table(head.coords["condition"].attrs)
        columns = [names.index(table[int(code)]) for code in _coordinate(head, "condition")]
        with h5py.File(piece.path, "r") as file:
            for name, array in values.items():
                array[at][np.ix_(rows, columns)] = file["evaluations"][name][()]
    return record.evaluations(frame, names, **values)


def measures(found: Sources, lazy: bool) -> tuple[dict[str, xr.Dataset], dict[str, str]]:
    """Groups ``/measures/<name>``, and why some of their variables are absent.

    Numbers of a run that was not measured are NaN, for which integers become floats; integers with flags get
    one more, ``not_measured``. A variable whose dims or coordinates differ between runs stays in their files.
    Runs that a measure is not defined for are named in the attribute ``refused``.
    """
    groups: dict[str, xr.Dataset] = {}
    lost: dict[str, str] = {}
    for name in sorted({one.named() for one in found.study.measures}):
        path = f"analysis/{name}"
        each = {at: headers.read(one.path, path, full=False) for at, (one,) in sorted(found.measured.items())}
        there = {at: head for at, head in each.items() if head is not None}
        if not there:
            continue
        groups[f"/measures/{name}"] = _together(found, name, there, lost, lazy)
        groups[f"/measures/{name}"].attrs = _common(found, there)
    return ({"/measures": xr.Dataset(), **groups} if groups else {}), lost


def _together(
    found: Sources, name: str, there: dict[Place, Headers], lost: dict[str, str], lazy: bool
) -> xr.Dataset:
    """What the runs have in common of one measure; ``lost`` is told what they do not."""
    frame = found.frame
    own: dict[str, Header] = {}
    whole: dict[Place, Headers] = {}
    blocks, told = [], []
    for one in dict.fromkeys(variable for head in there.values() for variable in head.variables):
        having = {at: head for at, head in there.items() if one in head.variables}
        at = next(iter(having))
        if at not in whole:
            read = headers.read(found.measured[at][0].path, f"analysis/{name}")
            whole[at] = read if read is not None else having[at]
        first = whole[at]
        coords = first.along(one)
        reason = _difference(found, having, one)
        clash = [c for c, header in coords.items() if not headers.same(header, own.get(c, header))]
        if reason or clash:
            lost[f"/measures/{name}/{one}"] = (
                reason or f"coordinate {clash[0]} is another in another variable"
            )
            continue
        own |= coords
        header = first.variables[one]
        sizes = dict(zip(header.dims, header.shape, strict=True))
        seeds = (SEED,) if SEED in sizes else ()
        dims = (*seeds, *(dim for dim in header.dims if dim != SEED))
        dtype, fill, attrs = _filled(header)
        told.append(((*AXES, *dims), attrs))
        blocks.append(
            Blocks(
                {at: found.measured[at] for at in having}, frame.seeds, f"analysis/{name}", one,
                frame.shape(seeds=False), tuple({**sizes, SEED: len(frame.seeds)}[dim] for dim in dims),
                dtype, fill, header.dims.index(SEED) if seeds else None,
            )
        )  # fmt: skip
    variables = {
        one.name: (dims, array, attrs)
        for one, array, (dims, attrs) in zip(blocks, arrays(blocks, lazy), told, strict=True)
    }
    more = {name: (header.dims, header.values, header.attrs) for name, header in own.items()}
    return xr.Dataset(variables, {**frame.coordinates(), **more})


def _filled(header: Header) -> tuple[Any, float, dict[str, Any]]:
    """dtype, fill and attributes of a variable that some runs may lack."""
    table = flag_table(header.attrs)
    if header.dtype.kind == "f" or not table:
        return header.dtype if header.dtype.kind == "f" else np.dtype(np.float64), np.nan, header.attrs
    code = max(table) + 1
    names = flag_attributes([*table.values(), ABSENT])["flag_meanings"]
    return header.dtype, code, header.attrs | {"flag_values": [*table, code], "flag_meanings": names}


def _difference(found: Sources, having: dict[Place, Headers], name: str) -> str:
    """Why a variable of the runs cannot stand in one array; empty if it can."""
    places = list(having)
    first = having[places[0]]
    if taken := sorted(set(AXES) & set(first.variables[name].dims)):
        return f"it has a dim {taken[0]}, which tells runs apart"
    for at in places[1:]:
        if difference := headers.difference(first, having[at], name):
            one, other = (", ".join(found.labels(place).values()) for place in (places[0], at))
            return f"{other} differs from {one}: {difference}"
    return ""


def _common(found: Sources, there: dict[Place, Headers]) -> dict[str, Any]:
    """Attributes that all agree in, and which runs the measure is not defined for."""
    first, *others = (head.attrs for head in there.values())
    attrs = {
        name: value
        for name, value in first.items()
        if name not in OF_ONE_RUN and all(one.get(name) == value for one in others)
    }
    refused = [
        {**found.labels(at), "reason": str(head.attrs["refusal"])}
        for at, head in there.items()
        if "refusal" in head.attrs
    ]
    return attrs | ({"refused": json.dumps(refused, sort_keys=True)} if refused else {})


def _coordinate(head: Headers, name: str) -> list[int]:
    values = head.coords[name].values
    return [] if values is None else [int(value) for value in values]
