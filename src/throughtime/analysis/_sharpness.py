"""Sharpness of losses as datasets; see :mod:`throughtime.analysis.arrays.sharpness`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import xarray as xr

from throughtime.analysis._blocks import blocks, with_update
from throughtime.analysis._named import Field, apply
from throughtime.analysis.arrays import sharpness as arrays

STATUS = ("computed", "not_finite", "not_converged")
FIELDS = {
    "eigenvalue": Field(("mode",), "1", "extreme eigenvalue of the Hessian"),
    "residual": Field(("mode",), "1", "distance of Hv from λv"),
    "trace": Field((), "1", "trace of the Hessian"),
    "trace_error": Field((), "1", "standard error of the trace"),
    "stability_limit": Field((), "1", "2/η, where gradient descent on a quadratic loss becomes unstable"),
    "num_params": Field((), "1", "parameters of the Hessian"),
    "fit_status": Field((), "1", "how the computation ended"),
}


def sharpness(
    loss: Callable[[Any], Any],
    params: xr.Dataset | Mapping[str, Any],
    *,
    seed: int,
    learning_rate: float | None = None,
    num_probes: int = 100,
    tolerance: float = 1e-8,
    max_iterations: int = 200,
    regularised: bool = False,
) -> xr.Dataset:
    """Extreme eigenvalues of the Hessian of a loss beside 2/η, and its trace, circuit by circuit.

    See :func:`throughtime.analysis.arrays.sharpness.sharpness`. To compare rules, ``loss`` is that of the
    task on the same batch of trials whatever a rule followed; the attribute ``regularised`` says whether
    penalties count in it.

    Args:
        loss: scalar of one circuit's parameters, a dict of float64 arrays by name, for JAX to trace.
        params: name -> array, all of which enter the Hessian; dims ``run``, ``seed`` and ``checkpoint`` tell
            circuits apart, and ``checkpoint_update`` among them is carried over.
        seed, learning_rate, num_probes, tolerance, max_iterations: see the array function.
        regularised: whether ``loss`` includes penalties.

    Returns:
        Dataset: ``eigenvalue, residual`` (…, mode), the largest and the smallest; ``trace, trace_error,
        stability_limit, num_params`` (…); ``fit_status`` (…): where parameters or loss are not finite
        eigenvalues, residuals and trace are NaN; an eigenvalue that did not converge is NaN.

    Raises:
        ValueError: as the array function.

    Example:
        >>> params = xr.Dataset({"a": ("checkpoint", [0.0, 1.0]), "b": ("checkpoint", [0.0, 1.0])})
        >>> found = sharpness(lambda p: (p["a"] * p["b"] - 1) ** 2 / 2, params, seed=0)
        >>> found.eigenvalue.values.round(9) + 0.0
        array([[ 1., -1.],
               [ 2.,  0.]])
    """
    given = blocks(params)
    measure = arrays.prepare(
        loss, seed=seed, learning_rate=learning_rate, num_probes=num_probes, tolerance=tolerance,
        max_iterations=max_iterations,
    )  # fmt: skip

    def one(*values: np.ndarray) -> tuple[object, ...]:
        own = dict(zip(given.names, values, strict=True))
        if given.leading and not arrays.is_finite(loss, own):
            size = sum(np.size(value) for value in values)
            pair, limit = np.full(2, np.nan), 2 / learning_rate if learning_rate else np.nan
            return pair, pair, np.nan, np.nan, limit, size, 1
        found = measure(own)
        return (*found[:-1], 0 if found.converged else 2)

    dataset = apply(
        one,
        given.arrays,
        given.core_dims,
        FIELDS,
        method="sharpness",
        parameters={
            "parameters": " ".join(given.names),
            "regularised": int(regularised),
            "seed": seed,
            "learning_rate": learning_rate,
            "num_probes": num_probes,
            "tolerance": tolerance,
        },
    )
    dataset["fit_status"] = dataset["fit_status"].astype(np.int8)
    dataset["fit_status"].attrs |= {"flag_values": [0, 1, 2], "flag_meanings": " ".join(STATUS)}
    dataset["mode"].attrs |= {"flag_values": [0, 1], "flag_meanings": "largest smallest"}
    return with_update(dataset, params)
