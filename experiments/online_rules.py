"""Online learning rules on two endless tasks (Marschall, Cho & Savin 2020, J. Mach. Learn. Res. 21:135).

The committed record is ``evidence/online_rules.nc``. Circuits of 32 tanh units learn Add (a sum of inputs
shown two fixed times ago) and Mimic (the outputs of a random circuit with the same inputs), each with α = 1
and with α = 0.5, from one stream without trials, by plain gradient descent at every step.

Published: W random orthogonal, W_in ~ N(0, 1/num_inputs), W_out ~ N(0, 1/n), biases 0, all of them trained;
step 1e-4 for every rule; 10⁶ steps, 20 seeds; truncation after 10 steps; ``kernl`` and ``dni`` with the steps
of their predictors as given there. Published floors of Add: .6616 nats knowing neither lag, .5192 the first,
.4544 both.

The same by construction: all of that but the numbers of seeds and of Mimic's steps, and the floors, which
follow from the task. The loss of a trial is divided by what counts in it; the step size is multiplied by as
much. For squared errors the published step is on half their sum over outputs.

Departures, and why:

- The stream is cut in trials of 1000 steps with states and traces carried over. The first steps of each (9 of
  Add, 10 of Mimic; twice as long with α = 0.5) do not count: their targets would reach back before the trial.
- Feedback of ``rflo`` is W_outᵀ here, so that all rules differ in the recurrent credit alone; ``rflo-random``
  is the rule with its random feedback. ``snap-1`` was not in the publication.
- ``tbptt-sliding`` credits each error to the last 10 steps. It cannot move the weights at every step: its
  trials have 100 steps, after which they move by as much as in 100 steps together. (After 1000 steps at a
  time Mimic overshoots at first and is then learned faster than by any rule at every step.) ``tbptt-blocks``
  moves them at the end of every 10 steps; of its errors only the last of a block can reach 9 steps back.
- Alignment is of gradients summed over trials of 1000 steps at frozen weights, along the trajectory of
  ``tbptt-blocks``; the publication aligns single steps.
- Fewer seeds, and fewer steps of Mimic; the record names all that is left out.

Cells are kept below ``--out``, so the command can be stopped at any time and goes on where it was.

Usage: ``python experiments/online_rules.py [--out results] [--quick] [--limit MINUTES]``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping

import numpy as np
import xarray as xr
from _online_measure import measure
from _online_plan import FULL, NOT_RUN, QUICK, Form, cells, declaration, levels
from _study import Cell, Study, command_line, entry

from throughtime.results.flags import flag_attributes, labels

NAME = "online_rules"
FORMS = {form.name: form for form in (FULL, QUICK)}
LAST = 0.1
"""Part of a learning curve whose mean is the final loss."""
KNOWN = ("neither", "first_lag", "both")


def combine(form: Form, found: Mapping[Cell, xr.Dataset]) -> dict[str, xr.Dataset]:
    """The groups ``/trained`` (task, option, seed, update) and ``/alignment``; what was not run is NaN."""
    curves = {cell.labels: data for cell, data in found.items() if cell.labels[0] != "alignment"}
    streams = list(form.streams)
    rules = list(dict.fromkeys(str(label) for _, label in curves))
    seeds = np.arange(max(data.sizes["seed"] for data in curves.values()))
    rows = np.unique(np.concatenate([data["update"].values for data in curves.values()]))
    loss = np.full((len(streams), len(rules), len(seeds), len(rows)), np.nan, np.float32)
    final = np.full(loss.shape[:3], np.nan, np.float32)
    counts = np.zeros((2, *loss.shape[:2]), np.int32)
    for (stream, rule), data in curves.items():
        place = streams.index(str(stream)), rules.index(str(rule))
        own = np.searchsorted(rows, data["update"].values)
        diverged = data["diverged_at"].values > 0
        loss[place][: len(diverged), own] = data["loss"].values
        last = data["loss"].values[:, data["update"].values > (1 - LAST) * rows[own[-1]]].mean(1)
        final[place][: len(diverged)] = np.where(diverged, np.inf, last)
        counts[(slice(None), *place)] = len(diverged), diverged.sum()
    floors = np.array([[levels(name).get(known, np.nan) for known in KNOWN] for name in streams])
    words = {"units": "1"}
    coords = {
        "task": ("task", range(len(streams)), words | flag_attributes(streams)),
        "option": ("option", range(len(rules)), words | flag_attributes(rules)),
        "seed": ("seed", seeds, words | {"long_name": "seed"}),
        "update": ("update", rows, words | {"long_name": "trials of the stream"}),
        "condition": ("condition", range(len(KNOWN)), words | flag_attributes(list(KNOWN))),
    }
    dims = ("task", "option", "seed", "update")
    trained = xr.Dataset(
        {
            "loss": (dims, loss, words | {"long_name": "loss of a step, mean since the last row"}),
            "final_loss": (dims[:3], final, words | {"long_name": "loss of the last tenth, inf: diverged"}),
            "num_seeds": (dims[:2], counts[0], words | {"long_name": "seeds that were run"}),
            "num_diverged": (dims[:2], counts[1], words | {"long_name": "of them, diverged"}),
            "floor": (
                ("task", "condition"),
                floors,
                words | {"long_name": "least loss knowing the lags"},
            ),
            "num_steps": ((), form.steps, words | {"long_name": "steps of a trial"}),
        },
        coords,
    )
    aligned = next(data for cell, data in found.items() if cell.labels[0] == "alignment")
    return {"/trained": trained, "/alignment": aligned.drop_attrs(deep=False).reindex(seed=seeds)}


def study(form: Form | str = FULL) -> Study:
    """The study in a form."""
    chosen = FORMS[form] if isinstance(form, str) else form
    return Study(
        name=NAME,
        title="Online learning rules on Add and Mimic",
        form=chosen.name,
        cells=lambda found: cells(chosen),
        measure=measure,
        combine=lambda found: combine(chosen, found),
        declaration=declaration(chosen),
        not_run=NOT_RUN if chosen is FULL else (),
    )


def report(tree: xr.DataTree) -> None:
    """Final losses: median over seeds, smallest and largest; then alignment over the trajectory."""
    trained, aligned = tree["trained"].to_dataset(), tree["alignment"].to_dataset()
    for task, stream in enumerate(labels(trained["task"])):
        print(f"\n{stream}: loss of the last tenth, median (smallest, largest), seeds, diverged")
        for option, rule in enumerate(labels(trained["option"])):
            one = trained.isel(task=task, option=option)
            number = int(one["num_seeds"])
            if number:
                values = np.sort(one["final_loss"].values[:number])
                print(
                    f"{rule:14s} {np.median(values):.4f} ({values[0]:.4f}, {values[-1]:.4f})"
                    f"{number:4d}{int(one['num_diverged']):4d}"
                )
    print("\ncosine with the exact gradient after so many trials:", *aligned["checkpoint"].values)
    for option, rule in enumerate(labels(aligned["option"])):
        mean = aligned["cosine"].isel(option=option).mean("seed").values
        print(f"{rule:14s}", *(f"{value:7.3f}" for value in mean))


main = entry(str(__doc__), study, report)

if __name__ == "__main__":
    sys.exit(command_line(str(__doc__), study, report))
