"""What training and evaluation hand over: plain records of NumPy arrays with documented axes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

CRITERION_REACHED, BUDGET_EXHAUSTED, DIVERGED = 0, 1, 2
STATUS_MEANINGS = ("criterion_reached", "budget_exhausted", "diverged")
NEVER = -1


@dataclass
class TrainingRecord:
    """Everything one call of the update loop found, for all its seeds.

    ``S`` seeds, ``L`` logged blocks of updates, ``C`` checkpoints.

    Attributes:
        config: configuration of the run: ``task``, ``circuit``, ``rule``, ``objective`` (frozen
            dataclasses) and ``training`` (a dict of plain values, seeds included).
        seeds: (S,) labels of the seeds.
        update: (L,) number of updates made at the end of each logged block.
        curves: name -> (S, L) float64: ``loss``, ``score``, ``gradient_norm``, ``clipped_fraction``,
            ``learning_rate``; NaN where nothing was measured and after a seed's ``num_updates``.
        status: (S,) 0 criterion reached, 1 budget exhausted, 2 diverged.
        criterion_update: (S,) update at which the criterion was first met, −1 if never.
        diverged_update: (S,) first update with a non-finite loss or gradient, −1 if none.
        num_updates, trials_seen, forward_passes: (S,) what each seed used.
        checkpoint_update: (S, C) updates made at each checkpoint; the first is 0, the last is final.
        params: name -> (S, C, …) free parameters, as ``circuit.init`` returns them.
        weights: name -> (S, C, …) effective arrays, as ``circuit.weights`` names them: ``recurrent``,
            ``input``, ``bias``, ``readout``, ``readout_bias``, ``tau`` (ms), and ``output_feedback`` where
            outputs are fed back.
        rule_state: name -> (S, C, …) arrays of the rule that belong in the file, such as ``rule_feedback``.
        init_sha256, data_sha256: seed label -> hash of the initial parameters and of the first trials.
        stage: (S, L) stage of the curriculum in which the updates of each block were made; stage_update:
            (S, stage) updates made when each stage began, −1 if never. None without a curriculum.
    """

    config: dict[str, Any]
    seeds: np.ndarray
    update: np.ndarray
    curves: dict[str, np.ndarray]
    status: np.ndarray
    criterion_update: np.ndarray
    diverged_update: np.ndarray
    num_updates: np.ndarray
    trials_seen: np.ndarray
    forward_passes: np.ndarray
    checkpoint_update: np.ndarray
    params: dict[str, np.ndarray]
    weights: dict[str, np.ndarray]
    rule_state: dict[str, np.ndarray] = field(default_factory=dict)
    init_sha256: dict[str, str] = field(default_factory=dict)
    data_sha256: dict[str, str] = field(default_factory=dict)
    stage: np.ndarray | None = None
    stage_update: np.ndarray | None = None


@dataclass
class EvaluationRecord:
    """Held-out trials of trained circuits, ``S`` seeds × ``K`` trials × ``T`` samples.

    Attributes:
        dt: sample length, ms.
        seeds: (S,) labels of the seeds.
        inputs, targets, mask: (S, K, T, channel); valid: (S, K, T) bool.
        outputs: (S, K, T, output).
        rates: (S, K, T, unit).
        states: name -> (S, K, T, unit), the variables of the neuron.
        epochs: name -> (S, K, 2) onset and offset in ms, NaN where absent.
        conditions: name -> (S, K).
        scores: name -> (S, K), what ``task.score`` returns.
        input_names, output_names: channel names.
        circuit: the circuit that was run, or None; it tells types and regions of units.
    """

    dt: float
    seeds: np.ndarray
    inputs: np.ndarray
    targets: np.ndarray
    mask: np.ndarray
    valid: np.ndarray
    outputs: np.ndarray
    rates: np.ndarray
    states: dict[str, np.ndarray]
    epochs: dict[str, np.ndarray]
    conditions: dict[str, np.ndarray]
    scores: dict[str, np.ndarray]
    input_names: tuple[str, ...]
    output_names: tuple[str, ...]
    circuit: Any = None
