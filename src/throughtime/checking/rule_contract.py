"""What every learning rule must keep to, whatever it computes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.checking import settings
from throughtime.checking.arrays import distance, norm
from throughtime.checking.report import Skipped, expect
from throughtime.checking.rule_subject import KEY, OTHER_KEY, Subject

if TYPE_CHECKING:
    from throughtime.trial import Trial

LEAST = 1e-3
NARROWER = ((np.float64, np.float32), (np.int64, np.int32), (np.uint64, np.uint32))


def contract(subject: Subject) -> str:
    """Shapes, finite numbers, a state like that of init, and info."""
    info = subject.live[1][2]
    expect(
        isinstance(info, dict) and {"loss", "losses", "carry"} <= set(info),
        expected="info with 'loss', 'losses' and 'carry'",
        found=f"{sorted(info) if isinstance(info, dict) else type(info).__name__}",
        remedy="add what is missing: mean and single losses of the trials, and the circuit's final state",
    )
    shapes = {"loss": (), "losses": (len(subject.trials.valid),)}
    for name, shape in shapes.items():
        expect(
            jnp.shape(info[name]) == shape and np.isfinite(np.asarray(info[name])).all(),
            expected=f"finite info[{name!r}] of shape {shape}",
            found=f"shape {jnp.shape(info[name])}",
            remedy="one number a trial, and their mean",
        )
    carry = info["carry"]
    for name in subject.circuit.dynamics.state_names:
        shape = (len(subject.trials.valid), subject.circuit.num_units)
        expect(
            isinstance(carry, dict) and name in carry and jnp.shape(carry[name]) == shape,
            expected=f"info['carry'][{name!r}] of shape {shape}",
            found=f"{type(carry).__name__}",
            remedy="return the state the circuit ends in, variables (trial, unit)",
        )
    return f"{len(subject.params)} parameters, {len(subject.first_state)} arrays of state"


def alive(subject: Subject) -> str:
    """Every parameter it trains has a gradient, and no other."""
    expect(
        subject.trained,
        expected=f"parameters among {', '.join(subject.params)}",
        found=f"trained {subject.traits.trained!r}",
        remedy="name parameters of the circuit, or 'everything'",
    )
    size = norm({name: subject.grads[name] for name in subject.trained})
    least = 0.0 if subject.traits.displacement else LEAST
    dead = [name for name in subject.trained if norm(subject.grads[name]) == 0]
    expect(
        size > least and not dead,
        expected="a gradient for every parameter the rule trains",
        found=f"zeros for {', '.join(dead)}" if dead else f"a norm of {size:.2g}",
        remedy="name in traits.trained what it trains",
    )
    moved = [name for name in subject.params if name not in subject.trained and norm(subject.grads[name]) > 0]
    expect(
        not moved,
        expected="zeros for parameters it does not train",
        found=f"a gradient of {', '.join(moved)}",
        remedy="return zeros for them, or name them in traits.trained",
    )
    return f"norm {size:.3g} over {', '.join(subject.trained)}"


def purity(subject: Subject) -> str:
    """Called twice, traced twice: the same program and the same bits."""
    again = subject.gradient(subject.params, subject.state, subject.trials, jax.random.key(KEY))
    for one, two in zip(jax.tree.leaves(subject.live[1]), jax.tree.leaves(again), strict=True):
        expect(
            np.array_equal(np.asarray(one), np.asarray(two), equal_nan=True),
            expected="the same bits for the same arguments",
            found="others",
            remedy="let nothing but the arguments decide",
        )

    def program() -> tuple[str, list[Any]]:
        def fresh(params: Any, state: Any, trials: Trial, key: Any) -> Any:
            return subject.rule.gradient(subject.circuit, params, state, trials, settings.OBJECTIVE, key=key)

        closed = jax.make_jaxpr(fresh)(subject.params, subject.state, subject.trials, jax.random.key(KEY))
        return re.sub(r"0x[0-9a-f]+", "", str(closed.jaxpr)), closed.consts

    (text, constants), (other_text, others) = program(), program()
    same = text == other_text and len(constants) == len(others)
    same = same and all(
        np.array_equal(np.asarray(one), np.asarray(two))
        for one, two in zip(constants, others, strict=True)
        if not jnp.issubdtype(one.dtype, jax.dtypes.prng_key)
    )
    expect(
        same,
        expected="one program, however often gradient is traced",
        found="programs that differ from one trace to the next",
        remedy="keep no counter, cache or random generator outside the rule's state; draw from the key",
    )
    return "same arguments, same bits"


def recompilation(subject: Subject) -> str:
    """New numbers of the same shapes compile nothing."""
    new_state = subject.live[1][1]
    before = subject.traced
    moved = jax.tree.map(lambda leaf: 1.01 * leaf, subject.params)
    subject.gradient(moved, new_state, subject.other_trials, jax.random.key(OTHER_KEY))
    expect(
        subject.traced == before,
        expected="one compilation for all batches of a shape",
        found=f"{subject.traced - before} more for the second update",
        remedy="keep shapes and dtypes of the state; make no Python decision by the value of an array",
    )
    return "the second update compiles nothing"


def padding(subject: Subject) -> str:
    """More steps that are not valid change nothing, whatever stands in them."""
    more = settings.padded(subject.trials, 3)
    grads, state, _ = subject.gradient(subject.params, subject.state, more, jax.random.key(KEY))
    wanted_state = subject.live[1][1]
    for what, found, wanted in (("gradient", grads, subject.grads), ("state", state, wanted_state)):
        gap = distance(found, wanted)
        expect(
            gap < 1e-9,
            expected=f"the same {what} with 3 more steps that are not valid, and garbage in them",
            found=f"a relative difference of {gap:.2g}",
            remedy="let traces and statistics stand still where trials.valid is False, and draw by step",
        )
    return "steps that are not valid change nothing"


def mean_of_trials(subject: Subject) -> str:
    """A trial's part in a batch of three is a third of its gradient alone."""
    traits = subject.traits
    if traits.displacement or not traits.additive or traits.batch_size is not None:
        raise Skipped("it declares that a batch is no mean of its trials.")
    key, alone = jax.random.key(KEY), []
    for trials in (subject.trials, subject.other_trials):
        one = jax.tree.map(lambda leaf: leaf[:1], trials)
        alone.append(subject.gradient(subject.params, subject.state, one, key)[0])
    other = subject.gradient(subject.params, subject.state, subject.other_trials, key)[0]
    count = len(subject.trials.valid)
    wanted = jax.tree.map(lambda one, two: (one - two) / count, *alone)
    found = jax.tree.map(lambda one, two: one - two, subject.grads, other)
    gap = norm(jax.tree.map(jnp.subtract, found, wanted)) / norm(wanted)
    ratio = norm(found) / norm(wanted)
    expect(
        gap < 1e-9,
        expected=f"a batch of {count} to give the mean of its trials' gradients",
        found=f"{ratio:.3g} times that part of a single trial (relative difference {gap:.2g})",
        remedy="divide by the number of trials, normalise each trial by its own mask, and draw trial i's "
        "numbers from fold_in(key, i)",
    )
    return f"a batch of {count} is the mean of its trials"


def single_precision(subject: Subject) -> str:
    """float32 gives what float64 gives."""

    def single(tree: Any) -> Any:
        less = {np.dtype(wide): np.dtype(narrow) for wide, narrow in NARROWER}
        return jax.tree.map(lambda leaf: leaf.astype(less.get(leaf.dtype, leaf.dtype)), tree)

    state, trials = single(subject.state), single(subject.trials)
    with jax.enable_x64(False):
        found = subject.compiled()(single(subject.params), state, trials, jax.random.key(KEY))[0]
    wrong = {name: str(leaf.dtype) for name, leaf in found.items() if leaf.dtype != jnp.float32}
    expect(
        not wrong,
        expected="float32 gradients of float32 parameters",
        found=f"{wrong}",
        remedy="take dtypes from the parameters",
    )
    expect(
        all(np.isfinite(np.asarray(leaf)).all() for leaf in found.values()),
        expected="finite gradients in float32",
        found="NaN or infinity",
        remedy="look for numbers that float32 does not hold",
    )
    if subject.traits.stochastic:
        return "float32 gradients; their draws are not those of float64"
    gap = norm(jax.tree.map(lambda one, two: np.asarray(one, float) - two, found, subject.grads))
    gap /= norm(subject.grads)
    limit = 1e-2 if subject.traits.displacement else 1e-4
    expect(
        gap < limit,
        expected=f"float32 within {limit:g} of float64",
        found=f"a relative difference of {gap:.2g}",
        remedy="look for a difference of large numbers",
    )
    return f"float32 within {gap:.1g} of float64"
