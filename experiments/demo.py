"""The main job, end to end: train a circuit on a task of working memory and one on a task of timing,
record both, draw both.

Usage: ``python experiments/demo.py [--out results] [--quick]``, or ``make demo``.
"""

from __future__ import annotations

import argparse
import importlib.util
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType
from typing import Any

import throughtime as tt
from throughtime.plotting import style

ROOT = Path(__file__).resolve().parent.parent
SEEDS = (0, 1)


@dataclass(frozen=True)
class Part:
    """One task of the demonstration: what is trained, and the figure that shows it."""

    task: str
    figure: str
    num_units: int
    learning_rate: float
    num_updates: int
    eval_every: int
    noise: float = 0.05


PARTS = (
    Part("delayed-match-to-sample", "working_memory", 64, 3e-4, 1500, eval_every=20),
    Part("cue-set-go", "timing", 64, 1e-3, 2000, eval_every=20),
)


def figure_module(name: str) -> ModuleType:
    """The figure script of that name, from ``figures/``."""
    spec = importlib.util.spec_from_file_location(name, ROOT / "figures" / f"{name}.py")
    if spec is None or spec.loader is None:
        raise SystemExit(f"demo: figures/{name}.py cannot be found.")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def train(part: Part, quick: bool) -> Any:
    """Train every seed until the task's criterion, and record held-out trials."""
    task = tt.tasks.make(part.task)
    circuit = tt.circuits.for_task(
        task,
        num_units=part.num_units,
        dynamics=tt.circuits.Leaky(tau=100.0, activation="tanh", form="current"),
        recurrent=tt.circuits.Dense(gain=1.2),
        noise=part.noise,
    )
    return tt.train(
        task,
        circuit,
        tt.rules.make("bptt"),
        seeds=SEEDS,
        num_updates=40 if quick else part.num_updates,
        batch_size=64,
        learning_rate=part.learning_rate,
        clip=1.0,
        stop="criterion",
        eval_every=part.eval_every,
        log_every=5,
        test_trials=32 if quick else 256,
        command="python experiments/demo.py",
    )


def main(quick: bool = False, out: Path = Path("results")) -> int:
    """Run both parts; 0 if every seed reached its task's criterion."""
    out.mkdir(parents=True, exist_ok=True)
    reached = True
    for part in PARTS:
        began = time.perf_counter()
        run = train(part, quick)
        path = run.save(out / f"demo-{part.task}.nc", overwrite=True)
        print(f"\n{part.task}: trained in {time.perf_counter() - began:.0f} s, saved to {path}")
        print(run.summary())
        module = figure_module(part.figure)
        for drawn in style.save(module.draw(path), out, f"demo-{part.figure}".replace("_", "-")):
            print(f"figure: {drawn}")
        reached = reached and set(run.status.values()) == {"criterion_reached"}
    if quick:
        print("\nEverything ran; 40 updates are too few to judge what is learned.")
    else:
        print("\nEvery seed reached its criterion." if reached else "\nNot every seed reached its criterion.")
    return 0 if reached or quick else 1


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path("results"), help="folder for records and figures")
    parser.add_argument("--quick", action="store_true", help="40 updates only: shows that everything runs")
    options = parser.parse_args()
    sys.exit(main(options.quick, options.out))
