"""``throughtime transfer``: integrate-and-fire neurons with the weights of a saved run."""

from __future__ import annotations

import shlex
import sys
import warnings
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

import throughtime.runtime  # noqa: F401  (settings JAX reads when it is imported)
from throughtime import measures, results, spiking
from throughtime.cli import output, text
from throughtime.results.flags import labels

if TYPE_CHECKING:
    import xarray as xr

    from throughtime.cli.options import Transfer

SUFFIX = "-spiking"
ASKED = (
    "inverse_lambdas", "num_trials", "fresh_trials", "loss_below", "accuracy_at_least", "peak", "kept_trials",
    "checkpoint", "target",
)  # fmt: skip


def transfer(options: Transfer, words: list[str]) -> int:
    """Transfer, print accuracies and rates, and save the copy.

    Raises:
        Refusal, ValueError: for a file that is no run, a circuit without a spiking counterpart, impossible
            options or output.
    """
    out = options.out or beside(options.result)
    output.check_suffix(out)
    output.check_folder(out, "--out")
    run = results.load(options.result)
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always", UserWarning)
        found = measures.transfer(
            run,
            command=shlex.join(["throughtime", *words]),
            neurons=spiking.LIF(noise=options.noise),
            **{name: getattr(options, name) for name in ASKED},
        )
    for one in told:
        if str(one.message).startswith("transfer: "):
            print(f"throughtime: {one.message}", file=sys.stderr)
    out.parent.mkdir(parents=True, exist_ok=True)
    replace = options.overwrite or out.resolve() == options.result.resolve()
    path = results.save(found.tree, out, overwrite=replace)
    data = found.tree["spiking/transfer"].to_dataset()
    print(f"{run!r}\n\n{report(data)}")
    print(f"saved: {path}")
    return int("transferred" not in labels(data["transfer_status"]))


def beside(result: Path) -> Path:
    """Where the copy goes by default: beside the run; a copy is its own place.

    Example:
        >>> beside(Path("results/x.nc")).name, beside(Path("results/x-spiking.nc")).name
        ('x-spiking.nc', 'x-spiking.nc')
    """
    stem = result.stem if result.stem.endswith(SUFFIX) else f"{result.stem}{SUFFIX}"
    return result.with_name(f"{stem}{result.suffix}")


def report(data: xr.Dataset) -> str:
    """How each seed ended, accuracies over 1/λ, and why seeds were refused."""
    head = [["", *(f"seed {int(seed)}" for seed in data["seed"])]]
    rows = [["", *labels(data["transfer_status"])]]
    for name, called in (
        ("rate_accuracy", "correct as rates"),
        ("rate_error", "error as rates"),
        ("best_inverse_lambda", "best 1/λ (Hz)"),
        ("final_accuracy", "correct as spikes"),
        ("final_mean_rate", "mean rate (Hz)"),
    ):
        rows.append([called, *map(text.number, data[name].values)])
    for index, value in enumerate(data["parameter"].values):
        accuracy = np.asarray(data["accuracy"].isel(parameter=index))
        rows.append([f"  correct at {value:g} Hz", *map(text.number, accuracy)])
    lines = [text.columns([*head, *rows])]
    if "refusal" in data.attrs:
        lines.append(text.wrapped(str(data.attrs["refusal"]), "refused: ", "  "))
    return "\n".join(lines)
