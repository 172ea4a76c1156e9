"""A run: its tree, and the questions people ask of it."""

from __future__ import annotations

import functools
import json
import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from throughtime.config import decode
from throughtime.results import files
from throughtime.results.checkpoints import params_of, rule_state_of
from throughtime.results.errors import ResultsError
from throughtime.results.flags import labels
from throughtime.training.record import DIVERGED


class Run:
    """One task × circuit × rule × options with all its seeds.

    Args:
        tree: the run's ``xarray.DataTree``, with a group ``/training``.

    Raises:
        ResultsError: for a tree that is no run, such as a study or an analysis.
    """

    def __init__(self, tree: xr.DataTree) -> None:
        if "config" not in tree.attrs or "training" not in tree.children:
            runs = sorted(str(name) for name, child in tree.children.items() if "training" in child.children)
            hint = f" Runs are in its groups: Run(tree[{runs[0]!r}])." if runs else ""
            raise ResultsError(
                f"Run: expected the tree of a run, got kind {tree.attrs.get('kind')!r} with groups "
                f"{sorted(map(str, tree.children))}; open other results files with results.load_tree.{hint}"
            )
        self.tree = tree

    def save(self, path: str | os.PathLike[str], overwrite: bool = False) -> Path:
        """Write the run to ``….nc`` or ``….zarr``; see :func:`throughtime.results.save`."""
        return files.save(self.tree, path, overwrite=overwrite)

    @functools.cached_property
    def config(self) -> dict[str, Any]:
        """The configuration with its objects: ``task``, ``circuit``, ``rule``, … and ``training``.

        Raises:
            ValueError: where the module that defines one of the classes cannot be imported.
        """
        config: dict[str, Any] = decode(json.loads(self.tree.attrs["config"]))
        return config

    @property
    def task(self) -> Any:
        """The task the circuits were trained on."""
        return self.config["task"]

    @property
    def circuit(self) -> Any:
        """The circuit that was trained; its numbers are :meth:`params`."""
        return self.config["circuit"]

    @property
    def rule(self) -> Any:
        """The learning rule."""
        return self.config["rule"]

    @property
    def seeds(self) -> list[int]:
        """Labels of the seeds."""
        return [int(seed) for seed in self._training["seed"].values]

    @property
    def status(self) -> dict[int, str]:
        """Seed -> how its training ended: criterion_reached, budget_exhausted or diverged."""
        return dict(zip(self.seeds, labels(self._training["status"]), strict=True))

    def params(self, seed: int, checkpoint: int = -1) -> dict[str, np.ndarray]:
        """Free parameters of one seed, bit for bit; see :func:`throughtime.results.params_of`."""
        return params_of(self.tree, seed, checkpoint)

    def rule_state(self, seed: int, checkpoint: int = -1) -> dict[str, np.ndarray]:
        """What the rule of one seed held, bit for bit; see :func:`throughtime.results.rule_state_of`."""
        import jax

        def begun(key: Any) -> Any:
            return self.rule.init(self.circuit, self.circuit.init(key=key), key=key)

        names = jax.eval_shape(begun, jax.random.key(0))
        return rule_state_of(self.tree, names, seed, checkpoint)

    def summary(self) -> str:
        """A table in plain text: seed, status, criterion update, updates, final loss and score.

        Final is the last measured value; a diverged seed has none. With a curriculum also the stage each seed
        came to, as ``2 of 3``.
        """
        training = self._training
        shaped = "stage_update" in training
        head = ("seed", "status", *(("stage",) if shaped else ()), "criterion", "updates", "loss", "score")
        rows: list[tuple[str, ...]] = [head]
        for index, (seed, status) in enumerate(self.status.items()):
            criterion = int(training["criterion_update"][index])
            diverged = int(training["status"][index]) == DIVERGED
            final = [math.nan if diverged else _last(training, name, index) for name in ("loss", "score")]
            rows.append(
                (
                    str(seed),
                    status,
                    *((_stage(training["stage_update"].values[index]),) if shaped else ()),
                    "never" if criterion < 0 else str(criterion),
                    str(int(training["num_updates"][index])),
                    *(f"{value:.4g}" for value in final),
                )
            )
        widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
        lines = ["  ".join(cell.rjust(w) for cell, w in zip(row, widths, strict=True)) for row in rows]
        return "\n".join([self._title(), *lines])

    @property
    def _training(self) -> xr.Dataset:
        return self.tree.children["training"].to_dataset()

    def _title(self) -> str:
        attrs = self.tree.attrs
        return f"{attrs['task']}, {attrs['circuit']}, {attrs['rule']} ({attrs['run_id']})"

    def __repr__(self) -> str:
        return f"<Run {self._title()}: {len(self.seeds)} seeds>"

    def _repr_html_(self) -> str:
        return str(self.tree._repr_html_())


def load(path: str | os.PathLike[str]) -> Run:
    """Read a run from a file written by :meth:`Run.save`.

    Raises:
        ResultsError: for what :func:`throughtime.results.load_tree` refuses, and for a file of another kind.
    """
    return Run(files.load(path))


def save(run: Run | xr.DataTree, path: str | os.PathLike[str], *, overwrite: bool = False) -> Path:
    """Write a run, or the tree of any other result; see :func:`throughtime.results.files.save`."""
    return files.save(run.tree if isinstance(run, Run) else run, path, overwrite=overwrite)


def _stage(began: np.ndarray) -> str:
    return f"{int((began >= 0).sum())} of {began.size}"


def _last(training: xr.Dataset, name: str, index: int) -> float:
    values = training[name].values[index] if name in training else np.zeros(0)
    measured = values[np.isfinite(values)]
    return float(measured[-1]) if measured.size else math.nan
