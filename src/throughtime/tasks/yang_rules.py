"""The table of the 20 tasks of Yang et al. (2019): what differs between them, as numbers."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

from throughtime.tasks.durations import Duration, Uniform

ONSETS, ITEMS, DELAYS = (200.0, 400.0, 600.0), (200.0, 400.0, 600.0), (200.0, 400.0, 800.0, 1600.0)
FINE, COARSE = (0.01, 0.02, 0.04, 0.08), (0.08, 0.16, 0.32)
QUARTERS, APART = (0.5 * math.pi, 1.5 * math.pi), (math.pi / 9, 17 * math.pi / 9)


@dataclass(frozen=True, kw_only=True)
class YangRule:
    """One task.

    Attributes:
        fixation, stimulus, delay, second_stimulus, second_delay: published durations, ms; None if there is
            no such epoch.
        coherence: half differences c of the strengths of two bumps; None if there is nothing to compare.
        graded: condition against which accuracy is shown.
        hardest, harder: field that makes the task harder, and its values from easy to hard.
        turn: angle from the stimulus to the target.
        held: whether the first stimulus stays to the end of the trial.
        fixed: whether the fixation input stays on, so that a stimulus is the go.
        single, compared, matched: 1 for one of the three kinds: one bump; two bumps whose strengths are
            compared; two bumps whose directions are.
        together: whether both bumps are shown at once.
        ring1, ring2: rings on which compared bumps are shown. attended: the ring that counts, 0 or 1.
        split: whether each strength is divided between the rings, so that only their sum counts.
        categories: whether directions match that lie on the same side of 0 and π.
        respond_if: 1 to respond to a match, 0 to a non-match.
        apart: range of the angle between two bumps (of those that do not match).
    """

    fixation: Duration = ONSETS
    stimulus: Duration | None = None
    delay: Duration | None = None
    second_stimulus: Duration | None = None
    second_delay: Duration | None = None
    coherence: tuple[float, ...] | None = None
    graded: str = "angle"
    hardest: str = "delay"
    harder: tuple[Any, ...] = tuple(tuple(c * d for d in DELAYS) for c in (0.5, 1.0, 2.0))
    turn: float = 0.0
    held: float = 0.0
    fixed: float = 0.0
    single: float = 0.0
    compared: float = 0.0
    matched: float = 0.0
    together: float = 0.0
    ring1: float = 0.0
    ring2: float = 0.0
    attended: float = 0.0
    split: float = 0.0
    categories: float = 0.0
    respond_if: float = 0.0
    apart: tuple[float, float] = (0.0, 0.0)


def _stretched(low: float, high: float) -> tuple[Uniform, ...]:
    return tuple(Uniform(c * low, c * high) for c in (0.5, 1.0, 2.0))


GO = YangRule(
    fixation=Uniform(300.0, 700.0), stimulus=Uniform(500.0, 1500.0), single=1.0, held=1.0,
    hardest="stimulus", harder=_stretched(500.0, 1500.0),
)  # fmt: skip
REACT = YangRule(
    fixation=Uniform(500.0, 2500.0), single=1.0, held=1.0, fixed=1.0,
    hardest="fixation", harder=_stretched(500.0, 2500.0),
)  # fmt: skip
DELAY = YangRule(fixation=(300.0, 500.0, 700.0), stimulus=ITEMS, delay=DELAYS, single=1.0, graded="delay")
DECISION = YangRule(
    fixation=Uniform(100.0, 400.0), stimulus=(400.0, 800.0, 1600.0), compared=1.0, together=1.0,
    apart=QUARTERS, coherence=FINE, graded="coherence", hardest="coherence",
    harder=((0.08, 0.16), FINE, (0.01, 0.02)),
)  # fmt: skip
SEQUENCE = YangRule(
    stimulus=ITEMS, delay=DELAYS, second_stimulus=ITEMS, second_delay=Uniform(100.0, 300.0), compared=1.0,
    apart=QUARTERS, coherence=COARSE, graded="coherence", hardest="coherence",
    harder=((0.32, 0.64), COARSE, (0.08, 0.16)),
)  # fmt: skip
MATCH = YangRule(stimulus=ITEMS, delay=DELAYS, matched=1.0, fixed=1.0, apart=APART, graded="delay")


def _rings(of: YangRule, ring1: float, ring2: float, attended: float = 0.0, split: float = 0.0) -> YangRule:
    return replace(of, ring1=ring1, ring2=ring2, attended=attended, split=split)


RULES: dict[str, YangRule] = {
    "fdgo": GO,
    "reactgo": REACT,
    "delaygo": DELAY,
    "fdanti": replace(GO, turn=math.pi),
    "reactanti": replace(REACT, turn=math.pi),
    "delayanti": replace(DELAY, turn=math.pi),
    "dm1": _rings(DECISION, 1.0, 0.0),
    "dm2": _rings(DECISION, 0.0, 1.0, attended=1.0),
    "contextdm1": _rings(DECISION, 1.0, 1.0),
    "contextdm2": _rings(DECISION, 1.0, 1.0, attended=1.0),
    "multidm": _rings(DECISION, 1.0, 1.0, split=1.0),
    "delaydm1": _rings(SEQUENCE, 1.0, 0.0),
    "delaydm2": _rings(SEQUENCE, 0.0, 1.0, attended=1.0),
    "contextdelaydm1": _rings(SEQUENCE, 1.0, 1.0),
    "contextdelaydm2": _rings(SEQUENCE, 1.0, 1.0, attended=1.0),
    "multidelaydm": _rings(SEQUENCE, 1.0, 1.0, split=1.0),
    "dmsgo": replace(MATCH, respond_if=1.0),
    "dmsnogo": MATCH,
    "dmcgo": replace(MATCH, respond_if=1.0, categories=1.0, apart=(0.0, 0.0)),
    "dmcnogo": replace(MATCH, categories=1.0, apart=(0.0, 0.0)),
}
NAMES = tuple(RULES)
"""In the order of the rule inputs."""
EPOCHS = ("fixation", "stimulus", "delay", "second_stimulus", "second_delay")
NUMBERS = (
    "turn", "held", "fixed", "single", "compared", "matched", "together", "ring1", "ring2", "attended",
    "split", "categories", "respond_if",
)  # fmt: skip
WEIGHTS = {"contextdm1": 5.0, "contextdm2": 5.0}
"""How often a task is drawn in the mixture of all, in units of the others."""
