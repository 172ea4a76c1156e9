"""A chaotic circuit learns to repeat its own trajectory, and to time with it (Laje & Buonomano 2013).

The committed record is ``evidence/innate_trajectory.nc``. A pulse starts a chaotic circuit, which takes a
rich trajectory once and, with noise or after a perturbation, never again. Recursive least squares on the
recurrent weights makes it return to the trajectory it took at first without noise; then a readout learns to
peak a chosen time after the pulse.

Published (R. Laje and D. V. Buonomano, Nat. Neurosci. 16:925; replication J. Vitay, ReScience 2(1)): 800 tanh
units, τ = 10 ms, steps of 1 ms, g = 1.5, connection probability 0.1, noise of SD 0.001 on the drive at every
step, 60 % of the units plastic, P = I at first, an update every 2 steps, 20 or 30 trials for the recurrent
weights, then 10 for the readout; a pulse of 50 ms and amplitude 5; a perturbation of 10 ms and amplitude
0.5, 500 ms after its onset. After 20 trials training has converged for few circuits, after 30 for nearly
all. Ten circuits for every delay of 0.25 to 8 s, 20 trials each: all are perfect below 4 s, then they get
worse, with a large variance.

The same by construction: all of that, input weights N(0, 1) and no synapse of a unit onto itself.

Departures, and why:

- Every trial starts from rest; in the replication, membranes start uniform in ±1. Noise alone leaves other
  states when the pulse comes 200 ms later: what the circuit has to be robust against is the same in kind.
- The innate trajectory is computed beside training and not recorded before, which is the same numbers.
- Synapses change by the rates that made the error, r(t − 1); the replication multiplies by r(t).
- One circuit of 800 units, at a delay of 2 s; the others have half as many units (time of computing). Delays
  up to 4 s, 20 trials for the recurrent weights everywhere; ``not_run`` in the record lists what is missing.
  Five test trials a circuit, published one.
- A perturbation that a short delay has no room for comes in the middle of the delay.

Cells are kept below ``--out``, so the command can be stopped at any time and goes on where it was.

Usage: ``python experiments/innate_trajectory.py [--out results] [--quick] [--limit MINUTES]``.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import xarray as xr
from _innate_measure import measure
from _study import Cell, Study, command_line, entry

from throughtime.results.flags import flag_attributes

NAME = "innate_trajectory"
DETAILS = ("rate", "answer", "wanted")
"""What is kept of the first circuit alone."""
WORDS = {
    "correlation": "correlation with the innate trajectory",
    "correlation_untrained": "correlation with the innate trajectory before training",
    "correlation_trained": "correlation with the innate trajectory after training",
    "r2": "squared correlation of output and target",
    "peak_time": "time of the peak since the onset of the pulse",
    "answer": "output",
    "wanted": "target",
    "rate": "rate",
}


@dataclass(frozen=True)
class Form:
    """The numbers of a form.

    Attributes:
        circuits: (units, delay in ms, seeds); the first is shown in detail, by its first seed.
        density: probability that a synapse exists.
        wait: ms before the pulse.
        recurrent_trials, readout_trials: trials of training; keep: trials after which to test in between.
        test_trials: trials with new noise for every test.
    """

    name: str
    circuits: tuple[tuple[int, float, tuple[int, ...]], ...]
    density: float = 0.1
    wait: float = 200.0
    recurrent_trials: int = 20
    readout_trials: int = 10
    keep: tuple[int, ...] = (5, 10, 15)
    test_trials: int = 5


FULL = Form(
    "full",
    circuits=(
        (800, 2000.0, (0,)),
        (800, 4000.0, (0, 1)),
        (400, 1000.0, (0, 1)),
        (400, 2000.0, (0, 1)),
        (400, 4000.0, (0, 1)),
    ),
)
QUICK = Form(
    "quick", circuits=((200, 500.0, (0,)), (100, 500.0, (0,))), recurrent_trials=4, readout_trials=4,
    keep=(2,), test_trials=2,
)  # fmt: skip
FORMS = {form.name: form for form in (FULL, QUICK)}


def cells(form: Form) -> Iterator[Cell]:
    """One circuit each."""
    for num_units, delay, seeds in form.circuits:
        for seed in seeds:
            declared = {
                "num_units": num_units, "delay": delay, "seed": seed, "density": form.density,
                "wait": form.wait, "recurrent_trials": form.recurrent_trials,
                "readout_trials": form.readout_trials, "keep": list(form.keep),
                "test_trials": form.test_trials,
            }  # fmt: skip
            yield Cell((f"{num_units}units", f"{delay:g}ms", f"seed{seed}"), declared)


def combine(found: Mapping[Cell, xr.Dataset]) -> dict[str, xr.Dataset]:
    """``/demonstration``, the first circuit in detail, and ``/circuits``, what each (draw) came to."""
    option = ("option", [0, 1], {"units": "1", **flag_attributes(["unperturbed", "perturbed"])})
    each = {
        cell: worded(data.drop_attrs(deep=False)).assign_coords(option=option) for cell, data in found.items()
    }
    first = next(iter(each.values()))
    block = ("block", [0, 1, 2], {"units": "1", **flag_attributes(["innate", "untrained", "trained"])})
    shown = first[[*DETAILS, "correlation_untrained", "correlation_trained", "r2"]].drop_vars(
        "update", errors="ignore"
    )
    kept = [data.drop_vars([*DETAILS, "time"]) for data in each.values()]
    whole = xr.concat(kept, "draw", coords="minimal", combine_attrs="override")
    units = {"num_units": "1", "delay": "ms", "seed_of_circuit": "1"}
    of_cells = {name: [cell.declared[name.removesuffix("_of_circuit")] for cell in each] for name in units}
    return {
        "/demonstration": shown.assign_coords(block=block),
        "/circuits": whole.assign(
            {
                name: ("draw", values, {"units": units[name], "long_name": name})
                for name, values in of_cells.items()
            }
        ).assign_coords(draw=("draw", range(len(each)), {"units": "1", "long_name": "circuit"})),
    }


def worded(data: xr.Dataset) -> xr.Dataset:
    """The dataset of a cell with words for its variables and numbers for its test trials."""
    for name, words in WORDS.items():
        data[name].attrs["long_name"] = words
    number = {"units": "1", "long_name": "trial"}
    return data.assign_coords(
        trial=("trial", range(data.sizes["trial"]), number),
        update=(
            "update",
            data["update"].values.astype(int),
            {"units": "1", "long_name": "trials of training"},
        ),
        unit=("unit", range(data.sizes["unit"]), {"units": "1", "long_name": "plastic unit"}),
        time=("time", data["time"].values, {"units": "ms", "long_name": "time"}),
    )


def study(form: Form | str = FULL) -> Study:
    """The study in a form."""
    chosen = FORMS[form] if isinstance(form, str) else form
    run = "; ".join(f"{n} units, {d:g} ms: {len(seeds)} run" for n, d, seeds in chosen.circuits)
    return Study(
        name=NAME,
        title="Innate trajectories, and timing with them",
        form=chosen.name,
        cells=lambda found: cells(chosen),
        measure=lambda cell: measure(cell.declared),
        combine=combine,
        declaration={"cells": {cell.name: dict(cell.declared) for cell in cells(chosen)}},
        not_run=(
            f"10 circuits of 800 units for every delay of 250 to 8000 ms ({run})",
            "30 trials for the recurrent weights, and the publication's handwriting",
        ),
    )


def report(tree: xr.DataTree) -> None:
    """Correlations before and after training, and how well every circuit times."""
    data = tree["circuits"].to_dataset()
    for draw in data["draw"].values:
        one = data.sel(draw=draw)
        before, after = (one[f"correlation_{when}"].mean("trial").values for when in ("untrained", "trained"))
        way = ", ".join(f"{value:.2f}" for value in one["correlation"].isel(option=1).values)
        print(
            f"{int(one['num_units'])} units, {float(one['delay']):g} ms, seed {int(one['seed_of_circuit'])}: "
            f"correlation {before[0]:.2f} -> {after[0]:.2f}, perturbed {before[1]:.2f} -> {after[1]:.2f} "
            f"(on the way {way}); r2 {one['r2'].isel(option=0).mean().item():.2f}, perturbed "
            f"{one['r2'].isel(option=1).mean().item():.2f}"
        )


main = entry(str(__doc__), study, report)

if __name__ == "__main__":
    sys.exit(command_line(str(__doc__), study, report))
