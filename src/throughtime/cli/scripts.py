"""``throughtime run`` and ``throughtime figure``: Python files outside the package, imported by path."""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import inspect
import shlex
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import throughtime
from throughtime.cli import output
from throughtime.cli.errors import Refusal

if TYPE_CHECKING:
    from throughtime.cli.options import Figure
    from throughtime.cli.study_options import Run

FOR_STUDIES = {
    "scheduler": None,
    "workers": None,
    "memory_limit": "auto",
    "retry_failed": False,
    "limit": None,
}


def folders(kind: str) -> list[Path]:
    """Folders that may hold experiments or figures: of the current folder, then of the checkout."""
    found = [Path.cwd() / kind]
    root = Path(throughtime.__file__).resolve().parents[2]
    if (root / "src" / "throughtime").is_dir() and root != Path.cwd().resolve():
        found.append(root / kind)
    return [folder for folder in found if folder.is_dir()]


def files(kind: str) -> dict[str, Path]:
    """Name -> file of every experiment or figure; those of the current folder come first."""
    found: dict[str, Path] = {}
    for folder in folders(kind):
        for path in sorted(folder.glob("*.py")):
            if not path.name.startswith("_"):
                found.setdefault(path.stem, path)
    return found


def find(kind: str, name: str) -> Path:
    """File of an experiment or figure: a path, or a name with dashes or underscores.

    Args:
        kind: ``experiments`` or ``figures``.
        name: what the user wrote.

    Raises:
        Refusal: if there is none, with near names.
    """
    path = Path(name)
    if path.suffix == ".py" and path.is_file():
        return path
    known = files(kind)
    wanted = (
        path.name.removesuffix(".py").replace("-", "_") if path.suffix == ".py" else name.replace("-", "_")
    )
    by_name = {stem.replace("-", "_"): file for stem, file in known.items()}
    if path.parent == Path() and wanted in by_name:
        return by_name[wanted]
    near = difflib.get_close_matches(wanted, known, n=3, cutoff=0.5)
    hint = f"did you mean {' or '.join(near)}?" if near else f"see throughtime list {kind}."
    raise Refusal(f"there is no {kind.removesuffix('s')} {name!r}; {hint}")


@contextlib.contextmanager
def imported(path: Path) -> Iterator[ModuleType]:
    """The module in a file, with its folder on the path as when Python runs it."""
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None, path
    assert spec.loader is not None, path
    module = importlib.util.module_from_spec(spec)
    before = sys.modules.get(path.stem)
    sys.modules[path.stem] = module  # where its dataclasses are looked up
    sys.path.insert(0, str(path.resolve().parent))
    try:
        spec.loader.exec_module(module)
        yield module
    finally:
        sys.path.remove(str(path.resolve().parent))
        if before is None:
            sys.modules.pop(path.stem, None)
        else:
            sys.modules[path.stem] = before


def run_experiment(options: Run, words: list[str]) -> int:
    """Import the file; call ``main(quick=…, out=…)``, or run the study that ``study(quick=…)`` makes.

    The exit status is what ``main`` returns, or 1 for a study that is not complete.

    Raises:
        Refusal: if there is no such file, no such function in it, or options for a study without one; and
            where a study cannot go on.
        ValueError: as ``Study.run``.
    """
    path = find("experiments", options.experiment)
    output.check_folder(options.out / "file", "--out")
    with imported(path) as module:
        main = getattr(module, "main", None)
        if not callable(main) and hasattr(module, "study"):
            return _run_study(module.study, options, words)
        if not callable(main):
            raise Refusal(
                f"{path} has no main; an experiment defines main(quick: bool, out: Path), or "
                "study(quick: bool) -> Study."
            )
        if given := [name for name in FOR_STUDIES if getattr(options, name) != FOR_STUDIES[name]]:
            raise Refusal(
                f"--{given[0].replace('_', '-')} is for studies, but {path} has a main; leave it out, or "
                "define study(quick: bool) -> Study in its place."
            )
        try:
            inspect.signature(main).bind(quick=options.quick, out=options.out)
        except TypeError as error:
            found = f"main{inspect.signature(main)}"
            raise Refusal(f"{path}: expected main(quick: bool, out: Path), found {found}: {error}.") from None
        returned: Any = main(quick=options.quick, out=options.out)
    return returned if isinstance(returned, int) else 0


def _run_study(study: Any, options: Run, words: list[str]) -> int:
    from throughtime.studies import script
    from throughtime.studies.failures import CodeError, SchedulerError, StorageError

    wishes = script.Wishes(
        out=options.out,
        quick=options.quick,
        scheduler=options.scheduler,
        workers=options.workers,
        memory_limit=options.memory_limit,
        retry_failed=options.retry_failed,
        limit_minutes=options.limit,
    )
    try:
        return script.run(study, wishes, shlex.join(["throughtime", *words]))
    except (StorageError, CodeError, SchedulerError) as error:
        raise Refusal(getattr(error, "strerror", None) or str(error)) from error
    except KeyboardInterrupt:
        raise KeyboardInterrupt("the same command goes on where the study was.") from None


def draw_figure(options: Figure) -> int:
    """Import the figure, draw it, write PDF and PNG.

    Raises:
        Refusal: if there is no such figure, or the result lacks what it draws.
        ValueError: for what is no results file.
    """
    path = find("figures", options.name)
    output.check_folder(options.out / "file", "--out")
    with imported(path) as module:
        if not callable(getattr(module, "draw", None)):
            raise Refusal(f"{path} has no draw; a figure defines draw(source) -> Figure, NAME and RECORDS.")
        from throughtime.plotting import style
        from throughtime.results import load_tree

        source = _default_record(module, path) if options.result is None else options.result
        tree = load_tree(source) if isinstance(source, str | Path) else source
        try:
            drawn = module.draw(tree)
        except KeyError as error:
            records = getattr(module, "RECORDS", "those its docstring names")
            raise Refusal(
                f"figure {path.stem}: {source} does not hold what it draws ({error.args[0]}); give it "
                f"results such as {records}."
            ) from error
        for written in style.save(drawn, options.out, getattr(module, "NAME", path.stem)):
            print(written)
    return 0


def _default_record(module: ModuleType, path: Path) -> Any:
    """The record a figure names, in the current folder or beside the folder of the figure."""
    record = getattr(module, "RECORDS", None)
    if record is None:
        raise Refusal(f"figure {path.stem} names no record; give one: throughtime figure {path.stem} RESULT.")
    beside = path.resolve().parent.parent / str(record)
    return beside if isinstance(record, str) and not Path(record).exists() and beside.exists() else record
