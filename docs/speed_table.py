"""The table of the goals of speed, read off the record when the manual is built."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import xarray as xr
from markup import table

from throughtime.cli.scripts import imported
from throughtime.results import labels, load_tree

ROOT = Path(__file__).resolve().parent.parent


def speed_part() -> str:
    """Goals and what was measured; where one was missed, the count is bold."""
    tree = load_tree(ROOT / "evidence" / "bench.nc")
    with imported(ROOT / "figures" / "speed.py") as figure:
        found = figure.named(tree)
        families = figure.families(found)
    versions = ", ".join(f"{one} {tree.attrs[f'{one}_version']}" for one in ("jax", "numpy", "torch"))
    machine = f"Measured on {tree.attrs['cpu']}, {tree.attrs['cores_usable']} cores, with {versions}:"
    lines = [_line(words, found.isel(option=here)) for words, here in families]
    return "\n".join([machine, "", table(("what", "goal", "measured", "met"), lines)])


def _line(words: str, rows: xr.Dataset) -> tuple[str, str, str, str]:
    verdicts, sides = labels(rows["verdict"]), labels(rows["wanted_side"])
    number, of = verdicts.count("met"), len(verdicts)
    goal = ", ".join(f"{one:.3g}" for one in np.unique(rows["goal"].values))
    distances = np.unique(rows["tolerance"].values[np.isfinite(rows["tolerance"].values)])
    wish = (
        f"{goal} ± {distances[0]:g}" if distances.size else f"{'≤' if sides[0] == 'at_most' else '≥'} {goal}"
    )
    units = set(labels(rows["quantity"])) & {"seconds", "microseconds"}
    ends = rows["value"].values.min(), rows["value"].values.max()
    span = dict.fromkeys(f"{round(value, 6):.2g}" for value in ends)
    count = f"{number} of {of}"
    return words, " ".join([wish, *units]), " to ".join(span), count if number == of else f"**{count}**"
