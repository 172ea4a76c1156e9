"""What a run has found so far, kept on the host and written to disk so that it can be resumed to the bit."""

from __future__ import annotations

import io
import zipfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import jax
import numpy as np

from throughtime import atomic
from throughtime.training.plan import SeedState
from throughtime.training.record import NEVER

FORMAT = "throughtime training state 4"
LISTED = ("measures", "scores", "judged", "stages")
SINGLE = ("criterion_update", "stage", "stage_update")


@dataclass
class History:
    """Host side of a run of ``S`` seeds.

    Attributes:
        states: states of all seeds, as NumPy arrays.
        update: updates made at each logged block.
        measures: per block, (S, measure); scores: per block, (S,), NaN where none was judged.
        judged: per evaluation, (S, criterion).
        criterion_update: (S,), −1 until the criterion is met.
        stage: (S,), stage of the curriculum each seed is in.
        stage_update: (S, stage), updates made when the stage began, −1 until then.
        stages: per block, (S,), the stage its updates were made in.
        snapshots: kept checkpoints: updates made (S,), parameters and rule state (S, …).
    """

    states: SeedState
    criterion_update: np.ndarray
    stage: np.ndarray
    stage_update: np.ndarray
    update: list[int] = field(default_factory=list)
    measures: list[np.ndarray] = field(default_factory=list)
    scores: list[np.ndarray] = field(default_factory=list)
    judged: list[np.ndarray] = field(default_factory=list)
    stages: list[np.ndarray] = field(default_factory=list)
    snapshots: list[tuple[np.ndarray, dict[str, np.ndarray], dict[str, np.ndarray]]] = field(
        default_factory=list
    )

    @classmethod
    def begin(cls, states: SeedState, num_stages: int = 1) -> History:
        """History before the first update; the initial weights are its first checkpoint."""
        states = jax.tree.map(np.asarray, states)
        count = len(states.data_seed)
        began = np.full((count, num_stages), NEVER, np.int64)
        began[:, 0] = 0
        history = cls(states, np.full(count, NEVER, np.int64), np.zeros(count, np.int64), began)
        history.keep()
        return history

    @property
    def made(self) -> int:
        """Updates made so far."""
        return self.update[-1] if self.update else 0

    def keep(self) -> None:
        """Add the present weights to the checkpoints."""
        params, rule = (
            {name: np.asarray(leaf) for name, leaf in tree.items()}
            for tree in (self.states.params, self.states.rule)
        )
        self.snapshots.append((np.array(self.states.num_updates, np.int64), params, rule))

    def save(self, path: Path, identity: str) -> None:
        """Write everything to ``path`` atomically; ``identity`` names the run it belongs to."""
        arrays: dict[str, Any] = {"format": np.array(FORMAT), "identity": np.array(identity)}
        for name in ("update", *LISTED, *SINGLE):
            arrays[f"history/{name}"] = np.array(getattr(self, name))
        trees = [("states", self.states), *((f"snapshot/{i}", kept) for i, kept in enumerate(self.snapshots))]
        for prefix, tree in trees:
            for index, leaf in enumerate(jax.tree.leaves(tree)):
                arrays[f"{prefix}/{index}"] = leaf
        buffer = io.BytesIO()
        np.savez(buffer, **arrays)
        atomic.write_bytes(path, buffer.getvalue())

    @classmethod
    def load(cls, path: Path, identity: str, like: History) -> History:
        """Read back what :meth:`save` wrote; ``like`` gives the structure (a fresh history of the same run).

        Raises:
            ValueError: if the file is no training state, or belongs to another run.
        """
        try:
            with path.open("rb") as content, np.load(content) as file:
                arrays = dict(file)
        except (ValueError, OSError, EOFError, zipfile.BadZipFile) as error:
            raise ValueError(
                f"checkpoint {path}: not a readable training state; delete it to start anew."
            ) from error
        if str(arrays.get("format")) != FORMAT:
            raise ValueError(
                f"checkpoint {path}: not a training state of this version; delete it to start anew."
            )
        if str(arrays["identity"]) != identity:
            raise ValueError(
                f"checkpoint {path}: it belongs to a run with another configuration; "
                "give this run a file of its own, or delete that one."
            )

        def rebuild(prefix: str, tree: Any) -> Any:
            structure: Any = jax.tree.structure(tree)
            return structure.unflatten([arrays[f"{prefix}/{index}"] for index in range(structure.num_leaves)])

        history = cls(rebuild("states", like.states), *(arrays[f"history/{name}"] for name in SINGLE))
        history.update = [int(made) for made in arrays["history/update"]]
        for name in LISTED:
            setattr(history, name, list(arrays[f"history/{name}"]))
        count = len({name.split("/")[1] for name in arrays if name.startswith("snapshot/")})
        history.snapshots = [rebuild(f"snapshot/{index}", like.snapshots[0]) for index in range(count)]
        return history
