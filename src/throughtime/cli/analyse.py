"""``throughtime analyse``: measures of a saved run, added to a copy of it."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING

import throughtime.runtime  # noqa: F401  (settings JAX reads when it is imported)
from throughtime import measures, results
from throughtime.cli import output, text
from throughtime.cli.compare import named_options
from throughtime.cli.errors import Refusal
from throughtime.cli.given import read
from throughtime.measures.adding import GROUP, refusals

if TYPE_CHECKING:
    import xarray as xr

    from throughtime.cli.options import Analyse
    from throughtime.measures import Measure
    from throughtime.results import Run

SUFFIX = f"-{GROUP}"


def analyse(options: Analyse, words: list[str]) -> int:
    """Measure, print what is one number a seed, and save the copy.

    Raises:
        Refusal, ValueError: for a file that is no run, unknown measures or options, an impossible output.
    """
    chosen = [measure_of(word) for word in options.measures]
    out = options.out or beside(options.result)
    output.check_suffix(out)
    output.check_folder(out, "--out")
    run = results.load(options.result)
    found = measures.analyse(
        run,
        chosen,
        num_trials=options.num_trials,
        checkpoint=options.checkpoint,
        command=shlex.join(["throughtime", *words]),
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    replace = options.overwrite or out.resolve() == options.result.resolve()
    path = results.save(found.tree, out, overwrite=replace)
    print(report(found, [one.named() for one in chosen]))
    print(f"saved: {path}")
    return int(any(one.named() in refusals(found) for one in chosen))


def measure_of(word: str) -> Measure:
    """The measure that ``NAME`` or ``NAME(option=value, …)`` asks for.

    Raises:
        Refusal: for another form, and options there are not.
        ValueError: for an unknown name.

    Example:
        >>> measure_of("pca(num_components=3, epoch=delay)")
        PCA(num_components=3, epoch='delay', soft_normalization=None)
    """
    label, name, given = named_options("--measures", word)
    if label is not None:
        raise Refusal(f"--measures: expected NAME or NAME(option=value), found {word!r}.")
    kind = measures.get(name)
    return measures.make(name, **read(kind, "measure", given, f"throughtime list measures {kind.named()}"))


def beside(result: Path) -> Path:
    """Where the copy goes by default: beside the run; a copy is its own place.

    Example:
        >>> beside(Path("results/x.nc")).name, beside(Path("results/x-analysis.nc")).name
        ('x-analysis.nc', 'x-analysis.nc')
    """
    stem = result.stem if result.stem.endswith(SUFFIX) else f"{result.stem}{SUFFIX}"
    return result.with_name(f"{stem}{result.suffix}")


def report(run: Run, names: list[str]) -> str:
    """Every variable of the measures that is one number a seed, and the shapes of the others."""
    refused = refusals(run)
    lines = [f"{run!r}"]
    for name in names:
        lines.append("")
        if name in refused:
            lines.append(f"{name}: refused: {refused[name]}")
            continue
        data = run.tree[f"{GROUP}/{name}"].to_dataset()
        lines += [text.columns([[name, *(f"seed {seed}" for seed in run.seeds)], *_rows(data)])]
        shaped = [
            f"{key} ({', '.join(map(str, values.dims))})"
            for key, values in data.data_vars.items()
            if values.dims != ("seed",)
        ]
        if shaped:
            lines.append(text.wrapped(", ".join(shaped), "  also ", "       "))
        if "refusal" in data.attrs:
            lines.append(f"  a seed was refused: {data.attrs['refusal']}")
    return "\n".join(lines)


def _rows(data: xr.Dataset) -> list[list[str]]:
    return [
        [_labelled(str(name), str(values.attrs.get("units", "1"))), *map(text.number, values.values)]
        for name, values in data.data_vars.items()
        if values.dims == ("seed",) and name != "seed_status"
    ]


def _labelled(name: str, units: str) -> str:
    return name if units == "1" else f"{name} ({units})"
