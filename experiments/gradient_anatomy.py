"""What happens to gradients on their way back in time, and what is learned at long lags.

The committed record is ``evidence/gradient_anatomy.nc``. Before training, norms of ∂h_T/∂h_t and ∂L/∂h_t
over lag for vanilla, leaky and gated circuits. Then an exploding circuit trained with and without clipping.
Then circuits trained on ``copy-memory`` and ``adding-problem`` at growing lags, with the same norms after
training. Last, time and peak memory of a gradient against the length of a trial, with and without segments.

Each measurement is kept in a small file of its own below ``--out``, so the command can be stopped at any
time and resumed; the record is written when nothing is missing. ``--quick`` shows that everything runs: few
updates and short lags, with a record of its own below ``--out``.

Usage: ``python experiments/gradient_anatomy.py [--out results] [--quick] [--limit MINUTES]``.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jax
import xarray as xr
from _anatomy_plan import FULL, QUICK, Cell, Form, cells
from _anatomy_record import combine, measure
from _study import read

import throughtime as tt
from throughtime.results.flags import labels

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "evidence" / "gradient_anatomy.nc"


class Study:
    """The cells of a form, those there already and those still to be measured.

    Args:
        form: which numbers.
        folder: where the files of the cells are.
    """

    def __init__(self, form: Form, folder: Path) -> None:
        self.form, self.folder = form, folder
        self.found: dict[Cell, xr.Dataset] = {}
        self.measured = 0

    def cells(self) -> Iterator[Cell]:
        """All cells; those of training can be named once the pilot is there."""
        return cells(self.form, self.rate)

    def rate(self, task: str, circuit: str) -> float:
        """Learning rate that the pilot chose."""
        for cell, data in self.found.items():
            if cell.part == "pilot" and cell.labels == (task, circuit):
                return float(data["learning_rate"])
        raise LookupError(f"gradient_anatomy: the pilot of {circuit} on {task} is not there.")

    def go_on(self, until: float = float("inf")) -> bool:
        """Measure what is missing; whether all is there.

        Args:
            until: time of the monotonic clock after which nothing is started.
        """
        for cell in self.cells():
            data = read(cell, self.folder)
            if data is None:
                if time.monotonic() > until:
                    print(f"not run: {cell.name} and what comes after it")
                    return False
                print(f"{cell.name} …", flush=True)
                data = measure(cell, self.folder)
                jax.clear_caches()  # hundreds of compiled programs exceed what one process may map
                self.measured += 1
            self.found[cell] = data
        return True

    def save(self, path: Path) -> Path:
        """Write the record."""
        path.parent.mkdir(parents=True, exist_ok=True)
        return tt.results.save(combine(self.form, self.found), path, overwrite=True)


def report(path: Path) -> None:
    """The scores of the record, as a table of medians over seeds."""
    trained = tt.results.load_tree(path)["trained"].to_dataset()
    lags = trained["condition"].values
    for index, task in enumerate(labels(trained["task"])):
        measure = next(name for name, one in trained.data_vars.items() if one.attrs.get("task") == index)
        print(f"\n{task}: {measure}, median of {trained.sizes['seed']} seeds (seeds at criterion)")
        print(f"{'lag, slots':18s}" + "".join(f"{lag:>14d}" for lag in lags))
        for option, circuit in enumerate(labels(trained["option"])):
            row = trained.isel(option=option)
            median = row[measure].median("seed").values
            reached = (row["criterion_update"].isel(task=index) >= 0).sum("seed").values
            cellular = zip(median, reached, strict=True)
            print(f"{circuit:18s}" + "".join(f"{value:10.4f} ({count})" for value, count in cellular))
    diverged = int((trained["status"] == 2).sum())
    print(f"\n{diverged} of {trained['status'].size} trainings diverged.")


def main(quick: bool = False, out: Path = Path("results"), limit: float = float("inf")) -> int:
    """Measure what is missing within ``limit`` minutes and write the record; 0 if nothing is missing."""
    began = time.monotonic()
    form = QUICK if quick else FULL
    study = Study(form, Path(out) / "gradient_anatomy" / form.name)
    if not study.go_on(began + 60 * limit):
        return 1
    path = study.save(Path(out) / "gradient_anatomy-quick.nc" if quick else RECORD)
    report(path)
    print(f"{study.measured} cells measured in {time.monotonic() - began:.0f} s; record: {path}")
    if quick:
        print("Everything ran; the updates are too few to judge what is learned.")
    return 0


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="folder for cells and quick records"
    )
    parser.add_argument("--quick", action="store_true", help="short lags and few updates: shows that it runs")
    parser.add_argument(
        "--limit", type=float, default=float("inf"), help="start no cell after so many minutes"
    )
    options = parser.parse_args()
    sys.exit(main(options.quick, options.out, options.limit))
