"""BibTeX of what results were made with."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

import xarray as xr

import throughtime
from throughtime import config
from throughtime.references.bibliography import bibliography
from throughtime.references.used import Used, members_of, used_in
from throughtime.results import Run, files

KINDS = (
    "task", "rule", "circuit", "dynamics", "connectivity", "initial state", "feedback", "transport",
    "neurons", "objective", "penalty", "analysis",
)  # fmt: skip
NOTHING = "% nothing tells which tasks, rules, circuits or analyses this was made with: cite them by hand"
PACKAGE = {"title": "throughtime", "author": "throughtime developers"}


def citation(*results: Any) -> str:
    """BibTeX of every task, rule, part of a circuit and analysis that results were made with.

    Lines that begin with % tell what each publication is cited for, which members have none, and what is to
    be cited by hand: members of your own whose source is not in the bibliography. BibTeX reads past them.
    Of a task with published variants those are cited whose settings it is nearest to. Measures that were
    refused are left out. The package itself is cited in the version that wrote the results.

    Args:
        results: runs, results trees or datasets, files of them (of runs, comparisons, analyses, records of
            studies), folders of studies, or configuration objects such as a task or a ``tt.Study``.

    Returns:
        Comments, then one entry for each publication, sorted by their keys.

    Raises:
        ValueError: for nothing, for what is none of these, for files that cannot be read, and where Python
            was started with ``-OO``, which leaves out the docstrings that name the sources.

    Example:
        >>> import throughtime as tt
        >>> text = tt.citation(tt.rules.make("rflo"))
        >>> print(text.partition("\\n\\n")[0])
        % rule rflo: murray2019
        % feedback random: lillicrap2016
        % throughtime 0.1.0: throughtime
        >>> print(text.split("\\n\\n")[2])
        @article{murray2019,
          author = {Murray, James M.},
          title = {Local online learning in recurrent networks with random feedback},
          journal = {eLife}, year = {2019}, volume = {8}, pages = {e43299}, doi = {10.7554/eLife.43299},
        }
    """
    if not results:
        raise ValueError("citation: nothing given; give runs, their files, or the folder of a study.")
    if __doc__ is None:
        raise ValueError(
            "citation: docstrings name the sources, and -OO leaves them out; start Python without it."
        )
    found: set[Used] = set()
    versions: set[str] = set()
    for one in results:
        tree = _tree(one)
        if tree is None:
            found |= set(members_of(config.encode(one)))
            versions.add(throughtime.__version__)
        else:
            found |= used_in(tree)
            versions.add(str(tree.attrs.get("creation_library_version", throughtime.__version__)))
            tree.close()
    entries = {key: bibliography()[key].text for one in found for key in one.keys}
    entries["throughtime"] = _package(sorted(versions))
    lines = [*(_comments(found) or [NOTHING]), f"% throughtime {', '.join(sorted(versions))}: throughtime"]
    return "\n\n".join(["\n".join(lines), *(entries[key] for key in sorted(entries))])


def _tree(given: Any) -> xr.DataTree | None:
    """The tree of what was given; None for a configuration object."""
    if isinstance(given, Run):
        return given.tree
    if isinstance(given, xr.DataTree):
        return given
    if isinstance(given, xr.Dataset):
        return xr.DataTree(given)
    if isinstance(given, str | os.PathLike):
        path = Path(given)
        if path.is_dir() and path.suffix != ".zarr":
            from throughtime.studies.combine import open_record

            return open_record(path)
        return files.open_lazily(path)
    if dataclasses.is_dataclass(given) and not isinstance(given, type):
        return None
    raise ValueError(
        f"citation: expected a run, a results tree, a file, the folder of a study or a configuration object, "
        f"got {type(given).__name__}; give what tt.train, tt.compare or tt.results.load_tree returned."
    )


def _comments(found: set[Used]) -> list[str]:
    ordered = sorted(found, key=lambda one: (KINDS.index(one.kind), one))
    merged: dict[str, set[str]] = {}
    for one in ordered:
        merged.setdefault(f"{one.kind} {one.name}", set()).update(one.keys)
    lines = [f"% {what}: {'; '.join(sorted(keys))}" for what, keys in merged.items() if keys]
    by_hand = {f"{one.kind} {one.name}": one.by_hand for one in ordered if one.by_hand}
    bare = [what for what, keys in merged.items() if not keys and what not in by_hand]
    if bare:
        lines.append(f"% no publication: {'; '.join(bare)}")
    return lines + [f"% to be cited by hand: {what} ({_plain(told)})" for what, told in by_hand.items()]


def _plain(text: str) -> str:
    """A text without what begins an entry, or a new line."""
    return " ".join(text.replace("@", "(at)").split())


def _package(versions: list[str]) -> str:
    return "\n".join([
        "@misc{throughtime,",
        f"  author = {{{{{PACKAGE['author']}}}}},",
        f"  title = {{{PACKAGE['title']}}},",
        f"  note = {{Version {', '.join(versions)}}},",
        "}",
    ])  # fmt: skip
