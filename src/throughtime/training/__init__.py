"""The update loop, and what it records."""

from throughtime import runtime  # noqa: F401  (settings JAX reads when its backend starts)
from throughtime.training.evaluation import evaluate
from throughtime.training.loop import configuration, train
from throughtime.training.plan import OPTIMIZERS, Clip
from throughtime.training.record import EvaluationRecord, TrainingRecord

__all__ = ["OPTIMIZERS", "Clip", "EvaluationRecord", "TrainingRecord", "configuration", "evaluate", "train"]
