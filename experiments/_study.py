"""What all studies of this folder share: cells on disk, resumption, one small record, one command line.

A study declares its cells. A cell is one measurement that is kept in a file of its own; its identity is the
hash of everything that determines it, so a study can be stopped at any moment and goes on where it was, and
a cell whose declaration changes is measured again while no other is. The record is written when no cell is
missing. It carries the form it was made with (``full`` or ``quick``) and the hash of its declaration: a
figure cites a record of the full form alone.
"""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import xarray as xr

import throughtime as tt
from throughtime import atomic, config, runtime
from throughtime.results import provenance
from throughtime.results.plain import plain_attributes

ROOT = Path(__file__).resolve().parent.parent
FORMS = ("full", "quick")


@dataclass(frozen=True)
class Cell:
    """One measurement.

    Attributes:
        labels: what it is of, in words and numbers; unique within its study.
        declared: everything that determines it, as plain configuration.
    """

    labels: tuple[str | int | float, ...]
    declared: Mapping[str, Any] = field(hash=False)

    @property
    def name(self) -> str:
        """Its labels in one word."""
        return "-".join(map(str, self.labels))

    @property
    def identity(self) -> str:
        """Hash of labels, declaration and package version."""
        return config.sha256((self.labels, dict(self.declared), tt.__version__))


@dataclass(frozen=True)
class Study:
    """A study in one of its forms.

    Attributes:
        name: of its files; title: what its record is about.
        form: ``full`` or ``quick``.
        cells: its cells, in the order in which they are measured; a cell may need what was found before it.
        measure: the dataset of one cell.
        combine: groups of the record, path -> dataset, from all cells.
        not_run: names of what the declaration leaves out, for the record.
    """

    name: str
    title: str
    form: str
    cells: Callable[[Mapping[Cell, xr.Dataset]], Iterator[Cell]]
    measure: Callable[[Cell], xr.Dataset]
    combine: Callable[[Mapping[Cell, xr.Dataset]], Mapping[str, xr.Dataset]]
    declaration: Mapping[str, Any]
    not_run: tuple[str, ...] = ()

    @property
    def config(self) -> dict[str, Any]:
        """All that the record rests on, as plain configuration."""
        return {"study": self.name, "form": self.form, **self.declaration, "version": tt.__version__}

    @property
    def config_sha256(self) -> str:
        """Hash of :attr:`config`; a record whose hash differs is of another declaration."""
        return config.sha256(self.config)

    def record_path(self, out: Path) -> Path:
        """The committed record of the full form; one below ``out`` for others."""
        return (
            ROOT / "evidence" / f"{self.name}.nc"
            if self.form == "full"
            else out / f"{self.name}-{self.form}.nc"
        )

    def go_on(self, folder: Path, until: float = float("inf")) -> dict[Cell, xr.Dataset] | None:
        """Measure what is missing, and return all cells; None where the time was over before.

        Args:
            folder: where the files of the cells are.
            until: time of the monotonic clock after which nothing is started.
        """
        found: dict[Cell, xr.Dataset] = {}
        for cell in self.cells(found):
            data = read(cell, folder)
            if data is None:
                if time.monotonic() > until:
                    print(f"not run: {cell.name} and what comes after it")
                    return None
                print(f"{cell.name} …", flush=True)
                data = keep(cell, folder, self.measure)
                jax.clear_caches()  # hundreds of compiled programs exceed what one process may map
            found[cell] = data
        return found

    def record(self, found: Mapping[Cell, xr.Dataset]) -> xr.DataTree:
        """The record of all cells."""
        attrs = {
            **provenance.library_attributes("study"),
            "title": self.title,
            "form": self.form,
            "config": config.canonical(self.config),
            "config_sha256": self.config_sha256,
            "run_id": self.config_sha256[:16],
            "code_sha256": " ".join(sorted({str(data.attrs["code_sha256"]) for data in found.values()})),
            "device_kind": provenance.device_kind(),
            "num_cores": runtime.available_cores(),
            "seconds": float(sum(data.attrs["seconds"] for data in found.values())),
            "not_run": "; ".join(self.not_run),
        }
        return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attrs), **self.combine(found)})


def path_of(cell: Cell, folder: Path) -> Path:
    """File of a cell: its name and the beginning of its identity."""
    return folder / f"{cell.name}-{cell.identity[:12]}.nc"


def read(cell: Cell, folder: Path) -> xr.Dataset | None:
    """The cell, if it has been measured."""
    path = path_of(cell, folder)
    if not path.exists():
        return None
    with xr.open_dataset(io.BytesIO(path.read_bytes()), engine="h5netcdf", mask_and_scale=False) as stored:
        data = stored.load().drop_encoding()
    data.attrs = plain_attributes(data.attrs)
    for one in data.variables.values():
        one.attrs = plain_attributes(one.attrs)
    if data.attrs["identity"] != cell.identity:
        raise SystemExit(f"{path} is of another declaration; delete it.")
    return data


def keep(cell: Cell, folder: Path, measure: Callable[[Cell], xr.Dataset]) -> xr.Dataset:
    """Measure a cell and keep it: the file appears whole or not at all, and is never changed again."""
    folder.mkdir(parents=True, exist_ok=True)
    path = path_of(cell, folder)
    atomic.sweep(path)
    began = time.perf_counter()
    data = measure(cell)
    data.attrs = {
        "identity": cell.identity,
        "seconds": time.perf_counter() - began,
        "code_sha256": provenance.code_sha256(provenance.PACKAGE),
    }
    encoding = {str(name): {"_FillValue": None} for name in data.variables}
    atomic.write_bytes(path, bytes(data.to_netcdf(engine="h5netcdf", encoding=encoding)))
    return data


def entry(
    description: str, studies: Callable[[str], Study], report: Callable[[xr.DataTree], None]
) -> Callable[..., int]:
    """``main`` of an experiment, as ``throughtime run`` calls it; arguments as for :func:`command_line`."""

    def main(quick: bool = False, out: Path = Path("results"), limit: float = float("inf")) -> int:
        """Measure what is missing within ``limit`` minutes and write the record; 0 if nothing is missing."""
        given = ["--out", str(out), "--limit", str(limit), *(["--quick"] if quick else [])]
        return command_line(description, studies, report, given)

    return main


def command_line(
    description: str,
    studies: Callable[[str], Study],
    report: Callable[[xr.DataTree], None],
    arguments: list[str] | None = None,
) -> int:
    """The command of a study: ``[--out results] [--quick] [--limit MINUTES]``.

    Args:
        studies: the study of a form.
        report: prints what the record says.

    Returns:
        0 if nothing is missing.
    """
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument(
        "--out", type=Path, default=Path("results"), help="folder for cells and quick records"
    )
    parser.add_argument("--quick", action="store_true", help="a small form that shows that everything runs")
    parser.add_argument(
        "--limit", type=float, default=float("inf"), help="start no cell after so many minutes"
    )
    options = parser.parse_args(arguments)
    study = studies("quick" if options.quick else "full")
    began = time.monotonic()
    found = study.go_on(options.out / study.name / study.form, began + 60 * options.limit)
    if found is None:
        return 1
    path = study.record_path(options.out)
    path.parent.mkdir(parents=True, exist_ok=True)
    tree = study.record(found)
    tt.results.save(tree, path, overwrite=True)
    report(tree)
    print(f"record: {path}")
    for left in study.not_run:
        print(f"not run: {left}")
    if options.quick:
        print("The quick form shows that everything runs; it is too small to judge what is learned.")
    return 0
