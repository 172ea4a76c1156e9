"""``throughtime show``: what a results file holds."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from throughtime import results
from throughtime.cli import text
from throughtime.results.content import local_datasets

if TYPE_CHECKING:
    import xarray as xr

    from throughtime.cli.options import Show

HIDDEN = ("config", "init_sha256", "data_sha256")


def show(options: Show) -> int:
    """Print configuration, provenance, how each seed ended and the groups.

    Raises:
        ValueError: for what is no results file.
    """
    tree = results.load_tree(options.result)
    print(describe(tree))
    return 0


def describe(tree: xr.DataTree) -> str:
    """A results tree as text."""
    attrs = {str(name): value for name, value in tree.attrs.items()}
    parts = []
    if "config" in attrs:
        parts.append("configuration\n" + configuration(json.loads(attrs["config"])))
    shown = [f"{name} = {value}" for name, value in sorted(attrs.items()) if name not in HIDDEN]
    parts.append("origin\n" + "\n".join(text.wrapped(line, "  ", "      ") for line in shown))
    parts.append("groups\n" + "\n".join(_group(path, group) for path, group in local_datasets(tree) if group))
    if attrs.get("kind") == "run":
        parts.insert(0, results.Run(tree).summary())
    else:
        parts.insert(0, f"{attrs.get('kind')} {attrs.get('run_id', '')}".rstrip())
    return "\n\n".join(parts)


def configuration(config: dict[str, Any]) -> str:
    """Entries of a configuration, one a paragraph; objects as ``Name(field=value, …)``.

    Example:
        >>> print(configuration({"rule": {"class": "a.b:BPTT", "steps": 3}, "training": {"stop": "budget"}}))
          rule = BPTT(steps=3)
          training: stop=budget
    """
    lines = []
    for name, value in config.items():
        if isinstance(value, dict) and "class" not in value:
            line = f"{name}: " + ", ".join(f"{key}={render(item)}" for key, item in value.items())
        else:
            line = f"{name} = {render(value)}"
        lines.append(text.wrapped(line, "  ", "      "))
    return "\n".join(lines)


def render(value: Any) -> str:
    """One entry of a configuration's JSON."""
    if isinstance(value, list):
        return f"({', '.join(map(render, value))})"
    if isinstance(value, dict) and "class" in value:
        fields = ", ".join(f"{key}={render(item)}" for key, item in value.items() if key != "class")
        return f"{value['class'].rpartition(':')[2]}({fields})"
    if isinstance(value, dict) and "array" in value:
        return f"array of {value['dtype']} {tuple(value['shape'])}"
    return f"{value:g}" if isinstance(value, float) else str(value)


def _group(path: str, group: xr.Dataset) -> str:
    sizes = ", ".join(f"{name} {size}" for name, size in group.sizes.items())
    variables = ", ".join(map(str, group.data_vars)) or "attributes only"
    return text.wrapped(f"{path} ({sizes}): {variables}", "  ", "      ")
