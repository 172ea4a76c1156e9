"""Credit told from the flow of activity, as datasets; see :mod:`throughtime.analysis.arrays.flow_field`."""

from __future__ import annotations

import numpy as np
import xarray as xr

from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import flow_field as arrays
from throughtime.analysis.arrays.checks import DegenerateError

STATUS = ("computed", "not_finite", "unchanged")
FIELDS = {
    "score_assumed": Field((), "1", "score of the assumed decoder"),
    "score_true": Field((), "1", "score of the true decoder"),
    "difference": Field((), "1", "score of the assumed less that of the true decoder"),
    "relative_change": Field((), "1", "change of the flow relative to the flow"),
    "r_squared_before": Field((), "1", "squared activity a linear flow explains before learning"),
    "r_squared_after": Field((), "1", "squared activity a linear flow explains after learning"),
    "num_samples": Field((), "1", "steps before learning"),
    "fit_status": Field((), "1", "how the computation ended"),
}
CORE = {
    "rates": ("trial", "time", "unit"),
    "outputs": ("trial", "time", "output"),
    "targets": ("trial", "time", "output"),
    "valid": ("trial", "time"),
    "mask": ("trial", "time", "output"),
}


def flow_field(
    before: xr.Dataset, after: xr.Dataset, *, assumed: xr.DataArray, true: xr.DataArray, lag: int = 0
) -> xr.Dataset:
    """Whether the flow of activity changed as an assumed decoder, or as the true one, would assign credit.

    See :func:`throughtime.analysis.arrays.flow_field.flow_field`. Seeds are compared one by one.

    Args:
        before, after: the same trials before and after learning, as ``tt.evaluate`` gives them for two
            checkpoints: ``rates`` (…, trial, time, unit), ``outputs, targets`` (…, trial, time, output), and
            where there are ``valid`` (…, trial, time) and ``mask`` (…, trial, time, output).
        assumed: (…, output, unit) the matrix by which learning would have assigned credit, such as the
            feedback weights of a rule. true: (…, output, unit) the readout weights.
        lag: steps from activity to the error it is held to have caused.

    Returns:
        Dataset of scalars (…): ``score_assumed, score_true``, their ``difference``, ``relative_change,
        r_squared_before, r_squared_after, num_samples``, and ``fit_status``: scores are NaN where something
        is not finite, and where the flow did not change or there are no errors.

    Raises:
        ValueError: as the array function, or for datasets that lack one of these.

    Example:
        >>> rng = np.random.default_rng(0)
        >>> rates = xr.DataArray(rng.standard_normal((9, 4, 3)), dims=("trial", "time", "unit"))
        >>> decoder = xr.DataArray(np.eye(3)[:1], dims=("output", "unit"))
        >>> before = xr.Dataset({"rates": rates, "outputs": rates.dot(decoder, "unit")})
        >>> before["targets"] = xr.ones_like(before.outputs)
        >>> after = before.assign(rates=rates + 0.1 * rng.standard_normal((9, 4, 3)))
        >>> bool(abs(flow_field(before, after, assumed=decoder, true=decoder).difference) < 1e-12)
        True
    """
    for name, data in (("before", before), ("after", after)):
        needed = ("rates", "outputs", "targets") if name == "before" else ("rates", "targets")
        missing = [each for each in needed if each not in data]
        if missing:
            raise ValueError(f"{name}: no {', '.join(missing)}; give what tt.evaluate returns.")
    given = [before["rates"], after["rates"], before["outputs"], before["targets"], after["targets"]]
    given += [assumed, true]
    core = [CORE[name] for name in ("rates", "rates", "outputs", "targets", "targets")]
    core += [("output", "unit"), ("output", "unit")]
    extra = [name for name in ("valid", "mask") if name in before]
    given += [before[name] for name in extra]
    core += [CORE[name] for name in extra]
    labels = ["before", "after", "outputs", "targets", "targets after", "assumed", "true", *extra]
    for label, array, dims in zip(labels, given, core, strict=True):
        if lacking := sorted(set(dims) - set(array.dims)):
            raise ValueError(f"{label}: dims {array.dims} lack {', '.join(lacking)}; name them so.")
    mapped = any(set(array.dims) > set(dims) for array, dims in zip(given, core, strict=True))

    def one(*values: np.ndarray) -> tuple[object, ...]:
        options = dict(zip(extra, values[7:], strict=True))
        here = options.pop("valid", None)
        here = None if here is None else here.astype(bool)
        if mapped and not _finite(values[:5], values[5:7], here):
            return (*[np.nan] * 6, 0, 1)
        rates, later, outputs, targets, targets_after, first, second = values[:7]
        try:
            found = arrays.flow_field(
                rates, later, outputs, targets, first, second, targets_after=targets_after, valid=here,
                lag=lag, **options,
            )  # fmt: skip
        except DegenerateError:
            if not mapped:
                raise
            return (*[np.nan] * 6, 0, 2)
        return (*found, 0)

    dataset = apply(
        one,
        [array.reset_coords(drop=True) for array in given],
        core,
        FIELDS,
        method="flow_field",
        parameters={"lag": lag},
    )
    dataset["fit_status"] = dataset["fit_status"].astype(np.int8)
    dataset["fit_status"].attrs |= {"flag_values": [0, 1, 2], "flag_meanings": " ".join(STATUS)}
    return dataset


def _finite(
    trials: tuple[np.ndarray, ...], matrices: tuple[np.ndarray, ...], here: np.ndarray | None
) -> bool:
    within = (each if here is None else each[here] for each in trials)
    return all(np.isfinite(each).all() for each in (*within, *matrices))
