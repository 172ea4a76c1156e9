"""Comparisons of gradients as datasets.

See :mod:`throughtime.analysis.arrays.gradient_alignment`,
:mod:`~throughtime.analysis.arrays.gradient_bias_variance` and
:mod:`~throughtime.analysis.arrays.one_step_change`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._named import describe
from throughtime.analysis.arrays import gradient_alignment as alignment
from throughtime.analysis.arrays import gradient_bias_variance as spread
from throughtime.analysis.arrays import one_step_change as change
from throughtime.analysis.arrays.blocks import Estimate

DRAW, SEED = "draw", "seed"
LONG_NAMES = {
    "bias": "bias relative to the gradient",
    "bias_squared": "squared bias",
    "mean_norm_squared": "squared norm of the mean gradient",
    "variance": "variance",
    "relative_variance": "variance relative to the squared gradient",
    "signal_to_noise": "squared gradient relative to the variance",
    "predicted_change": "predicted change of the loss by one step",
    "measured_change": "measured change of the loss by one step",
}


def gradient_alignment(estimates: xr.Dataset, exact: xr.Dataset) -> xr.Dataset:
    """Cosine and norm ratio of gradients, block by block, for all, and seed by seed.

    See :func:`throughtime.analysis.arrays.gradient_alignment.gradient_alignment`.

    Args:
        estimates: one variable a block, ([seed,] [draw,] …). exact: the same blocks, ([seed,] …).

    Returns:
        Dataset: ``cosine, norm_ratio`` ([seed,] [draw,] block); ``block`` names itself in ``flag_meanings``,
        the last is all blocks together.

    Raises:
        ValueError: as the array function.

    Example:
        >>> g = xr.Dataset({"bias": ("unit", [3.0, 4.0])})
        >>> found = gradient_alignment(xr.Dataset({"bias": (("draw", "unit"), [[3.0, 4.0], [4.0, -3.0]])}), g)
        >>> found.cosine.dims, found.cosine.values[:, -1]
        (('draw', 'block'), array([1., 0.]))
    """
    drawn = any(DRAW in block.dims for block in estimates.data_vars.values())

    def one(estimates: Mapping[str, Any], exact: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        found = alignment.gradient_alignment(estimates, exact)
        return found.blocks, {"cosine": found.cosine, "norm_ratio": found.norm_ratio}

    dims = (DRAW, "block") if drawn else ("block",)
    dataset = _by_seed(one, estimates, exact, dims)
    dataset["cosine"].attrs["long_name"] = "cosine with the gradient"
    dataset["norm_ratio"].attrs["long_name"] = "norm relative to the gradient"
    if drawn and DRAW in estimates.coords:
        dataset = dataset.assign_coords({DRAW: estimates[DRAW]})
    return describe(dataset, "gradient_alignment", {})


def gradient_bias_variance(
    draws: xr.Dataset, exact: xr.Dataset, *, confidence: float = 0.95, population: bool = False
) -> xr.Dataset:
    """Bias and variance of draws of a gradient, block by block, for all, and seed by seed.

    See :func:`throughtime.analysis.arrays.gradient_bias_variance.gradient_bias_variance`.

    Args:
        draws: one variable a block, ([seed,] draw, …). exact: the same blocks, ([seed,] …).
        confidence, population: see the array function.

    Returns:
        Dataset: ``bias_squared, mean_norm_squared, variance, relative_variance, signal_to_noise, bias``
        ([seed,] block), each with ``…_lower`` and ``…_upper``.

    Raises:
        ValueError: as the array function.

    Example:
        >>> g = xr.Dataset({"bias": ("unit", [3.0, 4.0])})
        >>> draws = xr.Dataset({"bias": (("draw", "unit"), [[6.0, 4.0], [3.0, 7.0], [3.0, 4.0]])})
        >>> gradient_bias_variance(draws, g, population=True).bias_squared.values
        array([2., 2.])
    """

    def one(draws: Mapping[str, Any], exact: Mapping[str, Any]) -> tuple[Any, dict[str, Any]]:
        found = spread.gradient_bias_variance(draws, exact, confidence=confidence, population=population)
        named = {name: getattr(found, name) for name in found._fields if name != "blocks"}
        return found.blocks, bounds(named)

    dataset = _by_seed(one, draws, exact, ("block",))
    options = {"confidence": confidence, "population": int(population)}
    return describe(with_names(dataset), "gradient_bias_variance", options)


def one_step_change(
    draws: xr.Dataset,
    exact: xr.Dataset,
    hessian_product: Callable[[dict[str, np.ndarray]], Mapping[str, Any]],
    learning_rate: float,
    *,
    measured: xr.DataArray | None = None,
    confidence: float = 0.95,
    population: bool = False,
) -> xr.Dataset:
    """Change of the loss by one step along a rule's gradient, predicted to second order and measured.

    See :func:`throughtime.analysis.arrays.one_step_change.one_step_change`; one circuit, hence one seed, a
    call.

    Args:
        draws: one variable a block, ([draw,] …). exact: the same blocks, (…).
        hessian_product: v -> H v, dictionaries of arrays. learning_rate: η.
        measured: (draw,) changes the steps made. confidence, population: see the array function.

    Returns:
        Dataset of scalars: ``predicted_change`` and ``measured_change`` with ``…_lower`` and ``…_upper``,
        ``best_step, best_change, slope, curvature``.

    Raises:
        ValueError: as the array function.

    Example:
        >>> g = xr.Dataset({"bias": ("unit", [2.0])})
        >>> found = one_step_change(g, g, lambda v: {"bias": 4 * v["bias"]}, 0.1, population=True)
        >>> round(float(found.predicted_change), 3), float(found.best_step)
        (-0.32, 0.25)
    """
    found = change.one_step_change(
        _arrays(draws, exact),
        _arrays(exact, exact),
        hessian_product,
        learning_rate,
        measured=None if measured is None else measured.values,
        confidence=confidence,
        population=population,
    )
    named = bounds({"predicted_change": found.predicted, "measured_change": found.measured})
    named |= {name: getattr(found, name) for name in ("best_step", "best_change", "slope", "curvature")}
    dataset = xr.Dataset({name: ((), value, {"units": "1"}) for name, value in named.items()})
    options = {"learning_rate": learning_rate, "confidence": confidence, "population": int(population)}
    return describe(with_names(dataset), "one_step_change", options)


def feedback_alignment(data: xr.Dataset | xr.DataTree) -> xr.Dataset:
    """Cosine of a rule's feedback weights with the readout weights over training.

    See :func:`throughtime.analysis.arrays.gradient_alignment.feedback_alignment`.

    Args:
        data: ``rule_feedback`` (…, unit, output) and ``readout`` (…, output, unit); the tree of a run has
            them in its group ``/checkpoints``, one for each kept update.

    Returns:
        Dataset: ``feedback_cosine`` (…), usually (seed, checkpoint), with the updates of the checkpoints.

    Raises:
        ValueError: for a rule without feedback weights of its own.

    Source: Lillicrap et al. 2016, Nat. Commun. 7:13276.

    Example:
        >>> data = xr.Dataset({"rule_feedback": (("unit", "output"), [[1.0], [1.0]])})
        >>> data["readout"] = (("output", "unit"), [[2.0, 0.0]])
        >>> round(float(feedback_alignment(data).feedback_cosine), 4)
        0.7071
    """
    if isinstance(data, xr.DataTree):
        data = (
            data.children["checkpoints"].to_dataset() if "checkpoints" in data.children else data.to_dataset()
        )
    missing = [name for name in ("rule_feedback", "readout") if name not in data]
    if missing:
        raise ValueError(
            f"data: no {' and no '.join(missing)}; give the tree of a run whose rule has feedback weights "
            "of its own, such as rflo."
        )
    cosine = xr.apply_ufunc(
        alignment.feedback_alignment,
        data["rule_feedback"],
        data["readout"],
        input_core_dims=[["unit", "output"], ["output", "unit"]],
    )
    dataset = cosine.rename("feedback_cosine").to_dataset()
    dataset["feedback_cosine"].attrs = {"units": "1", "long_name": "cosine of feedback and readout weights"}
    if "checkpoint_update" in data:
        dataset["checkpoint_update"] = data["checkpoint_update"]
    return describe(dataset, "feedback_alignment", {})


def bounds(estimates: Mapping[str, Estimate]) -> dict[str, Any]:
    """``name``, ``name_lower`` and ``name_upper`` of every estimate."""
    return {
        f"{name}{end}": value
        for name, estimate in estimates.items()
        for end, value in zip(("", "_lower", "_upper"), estimate, strict=True)
    }


def with_names(dataset: xr.Dataset) -> xr.Dataset:
    """The dataset with units and long names on its variables."""
    for name, variable in dataset.data_vars.items():
        base, end = str(name), ""
        for suffix, told in (("_lower", ", lower bound"), ("_upper", ", upper bound")):
            if base.endswith(suffix):
                base, end = base.removesuffix(suffix), told
        variable.attrs = {"units": "1", "long_name": LONG_NAMES.get(base, base.replace("_", " ")) + end}
    return dataset


def block_coordinate(names: tuple[str, ...]) -> xr.DataArray:
    """Integers that name the blocks in their ``flag_meanings``."""
    codes = list(range(len(names)))
    attrs = {"units": "1", "long_name": "block of parameters"}
    flags = {"flag_values": codes if len(codes) > 1 else 0, "flag_meanings": " ".join(names)}
    return xr.DataArray(codes, dims="block", attrs={**attrs, **flags})


def _arrays(given: xr.Dataset, exact: xr.Dataset) -> dict[str, np.ndarray]:
    """Blocks as arrays, their draws first and the rest in the order the gradient has them."""
    found = {}
    for name, block in given.data_vars.items():
        order = exact[name].dims if name in exact else block.dims
        lead = [dim for dim in (DRAW,) if dim in block.dims and dim not in order]
        found[str(name)] = block.transpose(*lead, *order).values
    return found


def _by_seed(
    function: Callable[..., tuple[tuple[str, ...], dict[str, Any]]],
    estimates: xr.Dataset,
    exact: xr.Dataset,
    dims: tuple[str, ...],
) -> xr.Dataset:
    """``function`` of the blocks of every seed; of all, where there is no dim seed."""
    seeds = range(exact.sizes[SEED]) if SEED in exact.dims else [None]
    found = []
    for seed in seeds:
        pick = {} if seed is None else {SEED: seed}
        true = exact.isel(pick)
        found.append(
            function(_arrays(estimates.isel(pick, missing_dims="ignore"), true), _arrays(true, true))
        )
    names, first = found[0]
    lead = (SEED,) if SEED in exact.dims else ()
    variables = {
        name: (
            (*lead, *dims),
            np.stack([one[name] for _, one in found]) if lead else first[name],
            {"units": "1"},
        )
        for name in first
    }
    coords: dict[str, Any] = {"block": block_coordinate(names)}
    if lead and SEED in exact.coords:
        coords[SEED] = exact[SEED]
    return xr.Dataset(variables, coords)
