"""Options of the commands about experiments and studies; importing this module is cheap."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from tyro.conf import Positional, arg

from throughtime.cli.given import Given


@dataclass(frozen=True)
class Run:
    """Run an experiment: a Python file with main(quick: bool, out: Path) or study(quick: bool) -> Study.

    A study is run in DIR/NAME, or goes on where it was; exit status 1 if a cell failed or was not begun. The
    options below --out are for studies."""

    experiment: Annotated[Positional[str], arg(metavar="EXPERIMENT")]
    """Path of the file, or its name in the folder experiments."""
    quick: bool = False
    """A small version that shows that everything runs."""
    out: Annotated[Path, arg(metavar="DIR")] = Path("results")
    """Folder for what it writes."""
    scheduler: Annotated[str | None, arg(metavar="WHERE")] = None
    """serial, slurm, the address of a Dask scheduler or its scheduler file; by default workers here."""
    workers: Annotated[int | None, arg(metavar="N")] = None
    """Number of workers, of this machine (one a core by default) or of SLURM."""
    memory_limit: Annotated[str, arg(metavar="BYTES")] = "auto"
    """Memory of each worker of this machine, such as 4GB; by default its share."""
    retry_failed: bool = False
    """Try cells that failed once more."""
    limit: Annotated[float | None, arg(metavar="MINUTES")] = None
    """Begin no cell after so many minutes."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Import the file and call its main, or run its study."""
        from throughtime.cli.scripts import run_experiment

        return run_experiment(self, words)


@dataclass(frozen=True)
class Status:
    """Tell how far a study is: cells done, running and failed, time left, best scores; also while it runs."""

    study: Annotated[Positional[Path], arg(metavar="STUDY")]
    """Folder of a study."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Print it."""
        from throughtime.studies.status import Status as Standing

        print(Standing(self.study).text())
        return 0


@dataclass(frozen=True)
class Report:
    """Write a study as one page: what was run, outcomes, learning curves, distributions, failures.

    The page holds all that it needs, and asks no network for anything."""

    study: Annotated[Positional[Path], arg(metavar="STUDY")]
    """Folder of a study, or a combined record."""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """Where the page goes, as .html; report.html in the folder by default."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Write it and print its path."""
        from throughtime.cli.report import report

        return report(self)


@dataclass(frozen=True)
class Table:
    """Show the outcomes of a study: success, trials to criterion, scores, and differences between rules."""

    study: Annotated[Positional[Path], arg(metavar="STUDY")]
    """Folder of a study, or a combined record."""
    to: Literal["text", "csv", "latex"] = "text"
    """Layout: for a terminal; a column for each number; or a tabular with rules of booktabs."""
    metric: Literal["final_score", "final_loss", "trials_to_criterion"] = "final_score"
    """What rules are compared in."""
    reference: Annotated[str | None, arg(metavar="RULE")] = None
    """Rule that the others are compared with; bptt by default, or else the first."""
    test: Literal["sign-flip", "wilcoxon", "mann-whitney"] = "sign-flip"
    """Of pairs of seeds; mann-whitney takes seeds for independent."""
    family: Literal["task", "study"] = "task"
    """Comparisons that the correction of p values counts together."""
    out: Annotated[Path | None, arg(metavar="FILE")] = None
    """Write the table there, and print nothing of it."""
    overwrite: bool = False
    """Replace a file that is there already."""

    objects: ClassVar[tuple[str, ...]] = ()

    def run(self, given: Given, words: list[str]) -> int:
        """Print or write it."""
        from throughtime.cli.table import table

        return table(self)
