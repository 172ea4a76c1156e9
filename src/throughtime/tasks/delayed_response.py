"""Delayed response: look where a stimulus was shown before the delay."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Self

import jax.numpy as jnp
import numpy as np

from throughtime.tasks.base import Plan
from throughtime.tasks.durations import Duration
from throughtime.tasks.hardest import Hardest
from throughtime.tasks.ring import NUM_RING, Ring
from throughtime.tasks.signature import Signature
from throughtime.tasks.tuning import bump

if TYPE_CHECKING:
    from throughtime.tasks.draw import Draw


@dataclass(frozen=True, kw_only=True)
class DelayedResponse(Ring):
    """A stimulus appears at some angle; after a delay, when fixation goes off, the response is to that angle.

    Also known as the oculomotor delayed response or memory-guided saccade task.

    Epochs: fixation, stimulus, delay, response; times in ms. Inputs: ``fixation`` (1 until the response),
    ``ring_00`` … ``ring_31`` (the bump of the stimulus while shown). Outputs: see :class:`Ring`. Conditions:
    ``angle`` of the stimulus (rad, uniform), ``target_angle`` (the same), ``delay`` (ms).

    Score: fraction of responses within 36° of the target after fixation was held; criterion 0.95. Signature:
    the variance of the angular error against delay, about linear where a bump of activity diffuses.

    Attributes:
        fixation, stimulus, delay: epochs, ms.

    Sources: Funahashi, Bruce and Goldman-Rakic (1989) Journal of Neurophysiology. Yang, Joglekar, Song,
    Newsome and Wang (2019) Nature Neuroscience. Molano-Mazón et al. (2022) NeuroGym (:meth:`neurogym`).

    Example:
        >>> import jax
        >>> task = DelayedResponse()
        >>> trial = jax.jit(task.trial)(jax.random.key(0))
        >>> trial.inputs.shape, trial.targets.shape
        ((170, 33), (170, 33))
        >>> bool(task.score(task.ideal(trial), trial)["correct"])
        True
    """

    fixation: Duration = (300.0, 500.0, 700.0)
    stimulus: Duration = (200.0, 400.0, 600.0)
    delay: Duration = (200.0, 400.0, 800.0, 1600.0)

    variants: ClassVar[tuple[str, ...]] = ("neurogym",)
    duration_fields: ClassVar[tuple[str, ...]] = ("fixation", "stimulus", "delay", "response")
    may_vanish: ClassVar[tuple[str, ...]] = ("fixation", "delay")
    epoch_names: ClassVar[tuple[str, ...]] = ("trial", *duration_fields)
    condition_names: ClassVar[tuple[str, ...]] = ("angle", "target_angle", "delay")
    turn: ClassVar[float] = 0.0
    reference: ClassVar[str] = (
        "Funahashi et al. (1989) Journal of Neurophysiology; Yang et al. (2019) Nature Neuroscience "
        "(timings, rings); Molano-Mazón et al. (2022) NeuroGym. Departures: the decision is the mean output "
        "of the response epoch, not its last step; one ring; the loss weights all outputs and epochs alike."
    )

    @classmethod
    def neurogym(cls, **fields: Any) -> Self:
        """The timings of NeuroGym's ReachingDelayResponse, without fixation; rings and score are ours."""
        published: dict[str, Any] = {
            "fixation": 0.0, "stimulus": 500.0, "delay": (0.0, 1000.0, 2000.0), "response": 500.0,
        }  # fmt: skip
        return cls(**published | fields)

    @property
    def signature(self) -> Signature:
        """Spread of the angular error against delay."""
        return Signature(
            "circular_error",
            (("level", "delay"), ("error", "angular_error")),
            ("slope", "intercept", "sd", "bias", "fraction_missing"),
        )

    @property
    def hardest(self) -> Hardest:
        """Longer delays: the published ones times ½, 1, 2 and 4."""
        published = (200.0, 400.0, 800.0, 1600.0)
        return Hardest("delay", tuple(tuple(c * d for d in published) for c in (0.5, 1.0, 2.0, 4.0)))

    def plan(self, draw: Draw) -> Plan:
        """Angle and epochs of one trial."""
        line, epochs = self.timeline, self.successive(draw)
        angle = np.float32(2 * math.pi) * draw.uniform("angle")
        target = jnp.mod(angle + np.float32(self.turn), np.float32(2 * math.pi))
        fixation = np.eye(1, 1 + NUM_RING, dtype=np.float32)[0]
        seen = jnp.concatenate([np.zeros(1, np.float32), bump(angle, NUM_RING)])
        inputs = line.box(0.0, epochs["response"][0])[:, None] * fixation
        inputs = inputs + line.box(*epochs["stimulus"])[:, None] * seen
        delay = epochs["delay"][1] - epochs["delay"][0]
        conditions = {"angle": angle, "target_angle": target, "delay": delay}
        return Plan(inputs, *self.answer(epochs, target), epochs, conditions)
