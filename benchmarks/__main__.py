"""Measure the rows, print them beside their goals, write the record: ``python -m benchmarks --help``."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from benchmarks import child, report
from benchmarks.rows import Row, select
from benchmarks.timing import TOLERANCE

REPEATS, QUICK_REPEATS = 20, 5


def measure(rows: Sequence[Row], repeats: int) -> list[dict[str, Any]]:
    """Outcomes of all rows, printed as they come: one pinned process for each kind of case."""
    by_name = {row.name: row for row in rows}
    outcomes: dict[str, dict[str, Any]] = {}
    for cores, build in dict.fromkeys((row.case.cores, row.case.build) for row in rows):
        names = [row.name for row in rows if (row.case.cores, row.case.build) == (cores, build)]
        found: Any = ()
        if cores > len(child.usable_cores()):
            found = ({"name": n, "summary": None, "error": None, "note": "not run: one core"} for n in names)
        else:
            found = child.measured(names, cores, repeats)
        for outcome in found:
            outcomes[outcome["name"]] = outcome
            print(report.line(by_name[outcome["name"]], outcome), flush=True)
    return [outcomes[name] for name in by_name]


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmarks; 1 where a contender failed or was wrong, else 0: a missed goal is a result."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"fewer rows, {QUICK_REPEATS} repeats")
    parser.add_argument("--rows", metavar="PATTERN", help="only rows matching this regular expression")
    parser.add_argument("--repeats", type=int, help="rounds of each case")
    parser.add_argument("--out", type=Path, help="write the record to this netCDF file")
    parser.add_argument("--keep", action="store_true", help="other rows of the file at --out stay in it")
    parser.add_argument("--list", action="store_true", help="print the names of the rows and stop")
    options = parser.parse_args(arguments)
    try:
        rows = select(options.rows, options.quick)
        if options.keep and options.out is None:
            raise ValueError("--keep: expected --out with the file whose rows are kept.")
        if options.keep and options.out.exists():  # before anything is measured in vain
            report.check_alike(report.files.load(options.out).attrs, report.attributes(options.quick))
    except ValueError as problem:
        parser.error(str(problem))
    if options.list:
        print("\n".join(row.name for row in rows))
        return 0
    began = time.perf_counter()
    repeats = options.repeats or (QUICK_REPEATS if options.quick else REPEATS)
    print(f"{report.cpu_model()}, {len(child.usable_cores())} cores usable")
    print(", ".join(f"{name} {version}" for name, version in report.versions().items()))
    print(f"check: relative error of gradients against float64 NumPy; of 150 steps at most {TOLERANCE:g}\n")
    print(report.HEADER)
    outcomes = measure(rows, repeats)
    print(f"\n{time.perf_counter() - began:.0f} s")
    if options.out is not None:
        report.write(report.record(rows, outcomes, options.quick), options.out, options.keep)
        print(f"written: {options.out}")
    return int(any(outcome["note"].startswith(("aborted", "failed")) for outcome in outcomes))


if __name__ == "__main__":
    sys.exit(main())
