"""Everything that is measured of one rule's circuit at one checkpoint."""

from __future__ import annotations

import hashlib
from functools import cached_property
from typing import TYPE_CHECKING, Any

import jax
import numpy as np

from throughtime import keys
from throughtime.analysis.arrays import kernel_alignment, sharpness
from throughtime.analysis.arrays.dimensionality import participation_ratio
from throughtime.analysis.arrays.weight_change import spectrum
from throughtime.comparison.distances import distances, told
from throughtime.comparison.gradients import compare_gradients
from throughtime.comparison.probe import PURPOSE

if TYPE_CHECKING:
    from throughtime.comparison.probe import Activity, Probe
    from throughtime.results import Run
    from throughtime.rules import Rule

DRAWS = 8
NUM_PROBES = 2  # of the Hessian's trace, which is not used
TOLERANCE, NUM_VECTORS = 1e-2, 20  # of its extreme eigenvalues, whose spread over seeds is larger
CURVATURE_TRIALS = 16


class Inspection:
    """Measures of circuits in the trials of a probe; what can be compiled once is.

    Args:
        probe: the trials.

    Attributes:
        refusals: part of the measures -> why it was not defined, the first time.
    """

    def __init__(self, probe: Probe) -> None:
        self.probe = probe
        self.refusals: dict[str, str] = {}
        self._known: dict[bytes, dict[str, float]] = {}

    def __call__(
        self,
        run: Run,
        rule: Rule,
        seed: int,
        checkpoint: int,
        *,
        start: dict[str, Any],
        end: Activity | None,
        key_seed: int,
    ) -> dict[str, float]:
        """Name -> value, without what is not defined there.

        Args:
            run, rule: of the circuit. seed, checkpoint: which.
            start: parameters before training. end: what the circuit trained by BPTT does.
            key_seed: of the rule's draws.
        """
        params = self.probe.numbers(run.params(seed, checkpoint))
        if not all(np.isfinite(value).all() for value in params.values()):
            return {}
        activity, first = self.probe.activity(params), self.probe.activity(start)
        found = {"held_out_loss": activity.loss, "fraction_correct": activity.fraction_correct}
        if not np.isfinite(activity.rates).all() or not np.isfinite(activity.loss):
            return found
        parts = {
            "distances": lambda: {} if end is None else distances(end, activity, self.probe, self.refusals),
            "geometry": lambda: self._geometry(activity, first),
            "curvature": lambda: self._once(params, self._curvature),
            "tangent kernel": lambda: self._tangent(params, start),
            "weights": lambda: self._weights(params, start),
            "alignment": lambda: self._alignment(run, rule, seed, checkpoint, params, key_seed),
        }
        for name, part in parts.items():
            try:
                found |= part()
            except Exception as failure:  # of one measure: neither the others nor the trainings are lost
                self.refusals.setdefault(name, told(failure))
        return found

    def _geometry(self, activity: Activity, first: Activity) -> dict[str, float]:
        trial, time = self.probe.samples
        samples = activity.rates[trial, time]
        variance = np.linalg.svd(samples - samples.mean(0), compute_uv=False) ** 2
        each = np.arange(len(self.probe.decision))
        now, then = (one.rates[each, self.probe.decision] for one in (activity, first))
        aligned = kernel_alignment.kernel_alignment(now, then) if now.any() and then.any() else None
        return {
            "participation_ratio": float(participation_ratio(variance)) if variance.sum() > 0 else np.nan,
            "representation_alignment": np.nan if aligned is None else aligned.alignment,
        }

    def _once(self, params: dict[str, Any], measure: Any) -> dict[str, float]:
        """What does not depend on the rule: rules that share initial weights share it too."""
        key = b"".join(name.encode() + np.asarray(value).tobytes() for name, value in sorted(params.items()))
        digest = hashlib.sha256(key).digest()
        if digest not in self._known:
            self._known[digest] = measure(params)
        return self._known[digest]

    @cached_property
    def _sharp(self) -> Any:
        return sharpness.prepare(
            self.probe.loss_of(CURVATURE_TRIALS), seed=0, num_probes=NUM_PROBES, tolerance=TOLERANCE,
            num_vectors=NUM_VECTORS,
        )  # fmt: skip

    def _curvature(self, params: dict[str, Any]) -> dict[str, float]:
        largest, smallest = self._sharp(params).eigenvalue
        return {"sharpness": float(largest), "most_negative_curvature": float(smallest)}

    @cached_property
    def _derive(self) -> Any:
        return kernel_alignment.prepare(self.probe.decision_output)

    def _tangent(self, params: dict[str, Any], start: dict[str, Any]) -> dict[str, float]:
        index = np.arange(self.probe.num_tangent_trials, dtype=float)
        now, then = (
            rows.reshape(-1, rows.shape[-1])
            for rows in (self._derive(each, index) for each in (params, start))
        )
        if not (now.any() and then.any()):
            return {}
        return {"tangent_alignment": kernel_alignment.kernel_alignment(now, then).alignment}

    def _weights(self, params: dict[str, Any], start: dict[str, Any]) -> dict[str, float]:
        with jax.enable_x64(True):
            after, before = (
                np.asarray(self.probe.circuit.weights(each).recurrent, float) for each in (params, start)
            )
        change = (after - before).reshape(-1, after.shape[-1])
        size = np.linalg.norm(before)
        found = {"weight_change": float(np.linalg.norm(change) / size) if size > 0 else np.nan}
        if change.any():
            ranks = spectrum(np.linalg.svd(change, compute_uv=False))
            found |= {"effective_rank": float(ranks.effective_rank), "stable_rank": float(ranks.stable_rank)}
        return found

    def _alignment(
        self, run: Run, rule: Rule, seed: int, checkpoint: int, params: dict[str, Any], key_seed: int
    ) -> dict[str, float]:
        state = run.rule_state(seed, checkpoint)
        compared = compare_gradients(
            self.probe.circuit,
            params,
            self.probe.trials,
            {"rule": rule},
            key=keys.trial_key(keys.seed_key(key_seed, "rule"), PURPOSE, 0, 0),
            draws=DRAWS,
            objective=self.probe.objective,
            states={"rule": state} if state and _seen(state) else None,
        )
        return {"alignment": float(compared["cosine"].isel(rule=0, block=-1))}


def _seen(state: dict[str, Any]) -> bool:
    """Whether the numbers of a state are sound; one of a rule that diverged is drawn anew."""
    return all(np.isfinite(np.asarray(value, float)).all() for value in state.values())
