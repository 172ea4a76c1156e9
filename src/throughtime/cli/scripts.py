"""``throughtime run`` and ``throughtime figure``: Python files outside the package, imported by path."""

from __future__ import annotations

import contextlib
import difflib
import importlib.util
import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

import throughtime
from throughtime.cli import output
from throughtime.cli.errors import Refusal

if TYPE_CHECKING:
    from throughtime.cli.options import Figure, Run


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


def run_experiment(options: Run) -> int:
    """Import the file, call ``main(quick=…, out=…)``; its exit status is what ``main`` returns.

    Raises:
        Refusal: if there is no such file, or no such ``main`` in it.
    """
    path = find("experiments", options.experiment)
    output.check_folder(options.out / "file", "--out")
    with imported(path) as module:
        main = getattr(module, "main", None)
        if not callable(main):
            raise Refusal(f"{path} has no main; an experiment defines main(quick: bool, out: Path).")
        try:
            inspect.signature(main).bind(quick=options.quick, out=options.out)
        except TypeError as error:
            found = f"main{inspect.signature(main)}"
            raise Refusal(f"{path}: expected main(quick: bool, out: Path), found {found}: {error}.") from None
        returned: Any = main(quick=options.quick, out=options.out)
    return returned if isinstance(returned, int) else 0


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
