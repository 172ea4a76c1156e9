"""What happens in a trial of one of the tasks of Yang et al. (2019): epochs, stimuli, right response."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from throughtime.tasks import durations
from throughtime.tasks.base import Epochs
from throughtime.tasks.draw import DURATIONS, Draw
from throughtime.tasks.yang_rules import NAMES, NUMBERS, RULES

CIRCLE = np.float32(2 * np.pi)
MEAN, SHARE = (0.8, 1.2), (0.1, 0.4)
"""Ranges of the mean strength m of two bumps, and of the part by which a ring has more or less."""
NUM_DIRECTIONS = 10
"""Directions of the category tasks, 0.1π, 0.3π … 1.9π."""


class Row(NamedTuple):
    """Numbers of the task drawn, see :class:`~throughtime.tasks.yang_rules.YangRule`, and which it is."""

    turn: Array
    held: Array
    fixed: Array
    single: Array
    compared: Array
    matched: Array
    together: Array
    ring1: Array
    ring2: Array
    attended: Array
    split: Array
    categories: Array
    respond_if: Array
    near: Array
    far: Array
    delayed: Array
    paused: Array
    rule: Array


class Stimuli(NamedTuple):
    """Angles () and strengths (ring,) of both stimuli, and what follows from them."""

    angle: Array
    strength: Array
    second_angle: Array
    second_strength: Array
    target_angle: Array
    coherence: Array
    ring: Array


class Windows(NamedTuple):
    """When things are shown: (onset, offset) of fixation and both stimuli, and the epochs."""

    fixation: tuple[Array, Array]
    stimulus: tuple[Array, Array]
    second_stimulus: tuple[Array, Array]
    epochs: Epochs


def row(tasks: Sequence[Any], index: Array) -> Row:
    """Numbers of ``tasks[index]``."""
    table = []
    for task in tasks:
        rule = RULES[task.name]
        numbers = [getattr(rule, name) for name in NUMBERS]
        there = [task.delay is not None, task.second_delay is not None]
        table.append([*numbers, *rule.apart, *there, NAMES.index(task.name)])
    return Row(*jnp.asarray(np.array(table, np.float32))[index])


def windows(tasks: Sequence[Any], index: Array, draw: Draw, of: Row) -> Windows:
    """Durations of ``tasks[index]``, one after the other; what a task does not have takes no time."""

    def lasts(name: str) -> Array:
        u = jax.random.uniform(draw.key(DURATIONS, name), (), jnp.float32)
        return _among([getattr(task, name) for task in tasks], index, u, 0.0)

    start = jnp.zeros((), jnp.float32)
    on = lasts("fixation")
    off = on + lasts("stimulus")
    again = off + lasts("delay")
    over = again + lasts("second_stimulus")
    go = over + lasts("second_delay")
    end = go + lasts("response")
    stimulus = on, jnp.where(of.held > 0, end, off)
    second = jnp.where(of.matched > 0, go, again), jnp.where(of.matched > 0, end, over)
    epochs = {
        "trial": (start, end),
        "fixation": (start, on),
        "stimulus": stimulus,
        "delay": _if(of.delayed, off, again),
        "second_stimulus": _if(1 - jnp.maximum(of.single, of.together), *second),
        "second_delay": _if(of.paused, over, go),
        "response": (go, end),
    }
    second = jnp.where(of.together > 0, on, second[0]), jnp.where(of.together > 0, off, second[1])
    return Windows((start, jnp.where(of.fixed > 0, end, go)), stimulus, second, epochs)


def stimuli(tasks: Sequence[Any], index: Array, draw: Draw, of: Row) -> Stimuli:
    """Directions and strengths of both stimuli, and the direction to respond to (NaN to hold fixation)."""
    compared, matched, categories = of.compared > 0, of.matched > 0, of.categories > 0
    place = draw.index("direction", NUM_DIRECTIONS, (2,))
    direction = (2 * place + 1) * np.float32(np.pi / NUM_DIRECTIONS)
    side = 2 * place < NUM_DIRECTIONS
    match = jnp.where(categories, side[0] == side[1], draw.coin("match", 0.5))
    angle = jnp.where(categories, direction[0], CIRCLE * draw.uniform("angle"))
    away = of.near + (of.far - of.near) * draw.uniform("apart")
    away = jnp.where(matched & match, 0.0, away)
    second_angle = jnp.where(categories, direction[1], jnp.mod(angle + away, CIRCLE))

    c = _among([task.coherence for task in tasks], index, draw.uniform("coherence", (2,)), jnp.nan)
    mean = MEAN[0] + (MEAN[1] - MEAN[0]) * draw.uniform("strength", (2,))
    sign = 1.0 - 2.0 * draw.index("weaker", 2, (2,))
    pair = mean + jnp.where(compared, c, 0.0) * sign * np.array(
        [[1.0], [-1.0]], np.float32
    )  # (stimulus, ring)
    share = SHARE[0] + (SHARE[1] - SHARE[0]) * draw.uniform("share", (2,))
    part = (1.0 - 2.0 * draw.index("less", 2, (2,))) * share
    divided = pair[:, :1] * (1 + part[:, None] * np.array([1.0, -1.0], np.float32))
    pair = jnp.where(of.split > 0, divided, pair) * jnp.stack([of.ring1, of.ring2])
    ring = draw.index("ring", 2, (2,))
    lone = (ring[:, None] == np.arange(2)) * jnp.stack([jnp.ones(()), of.matched])[:, None]
    strength = jnp.where(compared, pair, lone)

    attends = of.attended > 0
    stronger = jnp.where(attends, sign[1], sign[0]) > 0
    chosen = jnp.where(stronger, angle, second_angle)
    response = jnp.where(match == (of.respond_if > 0), second_angle, jnp.nan)
    simple = jnp.mod(angle + of.turn, CIRCLE)
    return Stimuli(
        angle=angle,
        strength=strength[0],
        second_angle=second_angle,
        second_strength=strength[1],
        target_angle=jnp.where(compared, chosen, jnp.where(matched, response, simple)),
        coherence=jnp.where(attends, c[1], c[0]),
        ring=jnp.where(of.split > 0, jnp.nan, jnp.where(compared, of.attended, ring[0])),
    )


def _among(values: Sequence[Any], index: Array, u: Array, absent: Any) -> Array:
    """The quantile ``u`` of ``values[index]``; ``absent`` where that is None."""
    distinct = list(dict.fromkeys(values))
    found = [
        jnp.full(jnp.shape(u), absent, jnp.float32) if value is None else durations.quantile(value, u)
        for value in distinct
    ]
    places = np.array([distinct.index(value) for value in values])
    return jnp.stack(found)[jnp.asarray(places)[index]] if len(found) > 1 else found[0]


def _if(there: Array, onset: Array, offset: Array) -> tuple[Array, Array]:
    """An epoch, or none."""
    return jnp.where(there > 0, onset, jnp.nan), jnp.where(there > 0, offset, jnp.nan)
