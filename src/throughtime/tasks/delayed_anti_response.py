"""Delayed anti-response: look away from where a stimulus was shown."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, ClassVar, Self

from throughtime.tasks.delayed_response import DelayedResponse


@dataclass(frozen=True, kw_only=True)
class DelayedAntiResponse(DelayedResponse):
    """As :class:`DelayedResponse`, but the response is to the angle opposite the stimulus, ``angle`` + π.

    Epochs (fixation, stimulus, delay, response; ms), inputs, outputs, conditions (``target_angle`` is the
    opposite angle), score, criterion and signature are those of :class:`DelayedResponse`.

    Sources: Munoz and Everling (2004) Nature Reviews Neuroscience (the task in the laboratory). Yang,
    Joglekar, Song, Newsome and Wang (2019) Nature Neuroscience. Molano-Mazón et al. (2022) NeuroGym
    (:meth:`neurogym`).

    Example:
        >>> import jax
        >>> task = DelayedAntiResponse()
        >>> angles = jax.jit(task.trial)(jax.random.key(0)).conditions
        >>> round(abs(float(angles["target_angle"] - angles["angle"])), 5)
        3.14159
    """

    turn: ClassVar[float] = math.pi
    reference: ClassVar[str] = (
        "Yang et al. (2019) Nature Neuroscience (timings, rings); Molano-Mazón et al. (2022) NeuroGym. "
        "Departures: those of delayed-response."
    )

    @classmethod
    def neurogym(cls, **fields: Any) -> Self:
        """The timings of NeuroGym's AntiReach, without delay; rings and score are ours."""
        published: dict[str, Any] = {
            "fixation": 500.0, "stimulus": 500.0, "delay": 0.0, "response": 500.0,
        }  # fmt: skip
        return cls(**published | fields)
