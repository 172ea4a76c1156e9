"""What every analysis must be: a documented, pure function from named arrays to a dataset.

What it should find is its author's to know. An analysis may carry the answer it must give, as an attribute
``known_answer``: a function without arguments that returns the arguments of a call and what must come out,
``((rates,), {"mean_rate": 2.0})``; the checks then call the analysis with them.
"""

from __future__ import annotations

import copy
import inspect
from collections.abc import Callable
from typing import Any

import numpy as np
import xarray as xr

from throughtime.checking.report import Skipped, expect

Analysis = Callable[..., Any]


def documentation(analysis: Analysis) -> str:
    """It has a docstring, and every argument and the result a type."""
    name = analysis.__name__
    expect(
        bool(inspect.getdoc(analysis)),
        expected=f"a docstring of {name}",
        found="none",
        remedy="say what is computed, from which dims, in which units",
    )
    signature = inspect.signature(analysis)
    bare = [each.name for each in signature.parameters.values() if each.annotation is each.empty]
    expect(
        not bare,
        expected="a type for every argument",
        found=f"none for {', '.join(bare)}",
        remedy="annotate arguments, such as rates: xr.DataArray",
    )
    returned = signature.return_annotation
    expect(
        "Dataset" in str(returned),
        expected="a result annotated as xr.Dataset",
        found="no annotation" if returned is signature.empty else str(returned),
        remedy="return a dataset with one named variable for each thing found",
    )
    return f"{name}{signature}"


def known_answer(analysis: Analysis) -> str:
    """It gives the answer that is known."""
    _, wanted, found = _called(analysis)
    for name, value in wanted.items():
        expect(
            name in found.data_vars,
            expected=f"a variable {name!r}",
            found=", ".join(map(str, found.data_vars)) or "none",
            remedy="name it so, or mend the known answer",
        )
        array = np.asarray(found[name])
        expect(
            array.shape == np.shape(value)
            and np.allclose(array, value, rtol=1e-6, atol=1e-9, equal_nan=True),
            expected=f"{name} = {value}",
            found=f"{array}",
            remedy="mend the computation, or the known answer",
        )
    return ", ".join(wanted)


def dataset(analysis: Analysis) -> str:
    """Its result is a dataset with named dims, whose variables have units and long names."""
    found = _called(analysis)[2]
    for name, array in found.data_vars.items():
        lacking = [item for item in ("units", "long_name") if item not in array.attrs]
        expect(
            not lacking,
            expected=f"units and long_name of {name!r}",
            found=f"no {' and no '.join(lacking)}",
            remedy="set attrs; '1' is the unit of a plain number",
        )
        nameless = [str(dim) for dim in array.dims if str(dim).startswith("dim_")]
        expect(
            not nameless,
            expected=f"named dims of {name!r}",
            found=", ".join(nameless),
            remedy="give dims the names of the data, such as seed, trial, time, unit",
        )
    return f"{len(found.data_vars)} variables over {', '.join(map(str, found.dims)) or 'no dims'}"


def purity(analysis: Analysis) -> str:
    """Called twice it gives the same, and leaves its arguments and NumPy's global generator as they were."""
    arguments, _, found = _called(analysis)
    first = found.copy(deep=True)
    before, generator = copy.deepcopy(arguments), np.random.get_state()  # noqa: NPY002
    again = analysis(*arguments)
    now = np.random.get_state()  # noqa: NPY002
    expect(
        all(_same(one, two) for one, two in zip(before, arguments, strict=True)),
        expected="arguments that are left as they were",
        found="changed ones",
        remedy="work on a copy",
    )
    expect(
        np.array_equal(generator[1], now[1]) and generator[2:] == now[2:],  # type: ignore[index]
        expected="no use of NumPy's global generator",
        found="draws from it",
        remedy="use np.random.default_rng(seed)",
    )
    expect(
        first.identical(again),
        expected="the same result for the same arguments",
        found="another one",
        remedy="take a generator or a seed as an argument",
    )
    return "same arguments, same result"


def _same(one: Any, two: Any) -> bool:
    if isinstance(one, xr.DataArray | xr.Dataset):
        return bool(one.identical(two))
    return np.array_equal(one, two) if isinstance(one, np.ndarray) else bool(one == two)


def _called(analysis: Analysis) -> tuple[tuple[Any, ...], dict[str, Any], xr.Dataset]:
    """Arguments and answer that are known, and what a call gives."""
    known, name = getattr(analysis, "known_answer", None), analysis.__name__
    if known is None:
        raise Skipped(
            f"{name} carries no known answer; set {name}.known_answer to a function that returns "
            '((argument, …), {"variable": value}).'
        )
    arguments, wanted = known()
    found = analysis(*arguments)
    expect(
        isinstance(found, xr.Dataset),
        expected="an xr.Dataset",
        found=type(found).__name__,
        remedy="return a dataset with one named variable for each thing found",
    )
    return arguments, wanted, found


BATTERY = (documentation, known_answer, dataset, purity)
