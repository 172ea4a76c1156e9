"""Small studies that tests declare and run."""

from __future__ import annotations

from typing import Any

import throughtime as tt
from throughtime.studies import Study

TRAINING = {"num_updates": 6, "batch_size": 2, "eval_every": 2, "log_every": 2, "keep": (2, 4)}


def small(**fields: Any) -> Study:
    """One task, one circuit, one rule, two seeds in two cells; ``fields`` go before."""
    told: dict[str, Any] = {
        "tasks": {"go": tt.tasks.make("cue-set-go", dt=50.0)},
        "circuits": {"small": {"num_units": 5}},
        "rules": ["rflo"],
        "seeds": 2,
        "seeds_per_cell": 1,
        "training": TRAINING,
        "test_trials": 4,
    }
    return Study("small", **{**told, **fields})
