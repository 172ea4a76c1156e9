"""The reverse recursion over a record: credit sent back through A, b, c and W̃ as they were written down.

The same mathematics as :mod:`throughtime.credit.adjoint` and :mod:`throughtime.credit.relay`, which pull
credit through the functions of the dynamics and so run parts of the circuit again; here nothing is run.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp

from throughtime.credit.span import SLIDING
from throughtime.credit.stepper import fed, through

if TYPE_CHECKING:
    from jax import Array

    from throughtime.credit.record import Layout, Record
    from throughtime.credit.span import Span


def send_back_over_record(
    plan: Layout, steps: Record, feedback: Array, transport: Array | None, span: Span | None = None
) -> Array:
    """What each *use* of a synapse is credited with, ``δ_t p_tᵀ`` (time, drive, unit, slot).

    ::

        λ_t = c_t q_t + c_t W̃ᵀ δ_{t+1} + A_{t+1}ᵀ λ_{t+1},   δ_t = b_t λ_t,   q_t = F e_t + ρ_t

    Args:
        steps: the record; a leaky readout's errors filtered already.
        feedback: F, (unit, output); transport: W̃, (recurrent drive, unit, presynaptic_unit) or None.
        span: window on the way back, or None for all of the trial.
    """
    sliding = span is not None and span.kind == SLIDING
    ages = span.steps if span is not None and sliding else 1
    whole = jnp.ones(len(steps.valid), bool)
    linked = whole if span is None or sliding else span.linked(0, len(steps.valid))

    def step(older: Array, now: tuple[Record, Array]) -> tuple[Array, Array]:
        here, follows = now
        older = jnp.where(follows, older, 0)
        new = here.reading * (feedback @ here.error + here.direct)
        credit = jnp.concatenate([new[None], older]) if sliding else (older + new)[None]
        delta = jax.vmap(lambda one: through(one, here.enter))(credit)
        back = jax.vmap(lambda one, sent: one_step_back(plan, here, one, sent, transport))(credit, delta)
        back = jnp.where(here.valid, back, credit)
        return back[: ages - 1] if sliding else back[0], used(plan, here, delta.sum(0))

    shape = (ages - 1, *steps.reading.shape[1:]) if sliding else steps.reading.shape[1:]
    return jax.lax.scan(step, jnp.zeros(shape, steps.error.dtype), (steps, linked), reverse=True)[1]


def relay_over_record(
    plan: Layout, steps: Record, feedback: Array, transport: Array, gains: tuple[Array, Array] | None
) -> Array:
    """As :func:`send_back_over_record`, for credit that is relayed and kept by the receiver's memory.

    Args:
        gains: b̄ (variable, drive, unit) and c̄ (variable, unit) of neurons in between; None: one hop.
    """
    inward, outward = (jnp.zeros(()), jnp.zeros(())) if gains is None else gains

    def step(carry: tuple[Array, Array, Array, Array], now: Record) -> Any:
        whole, own, relayed, arrived = carry
        heard = now.reading * (feedback @ now.error + now.direct)
        whole, own = whole + heard, own + heard
        sent = through(own, now.enter)
        if gains is not None:
            relayed = relayed + outward * arrived
            sent = sent + through(relayed, inward)
        delta = through(whole, now.enter)
        arriving = jnp.einsum("gki,gk->i", transport, fed(plan, sent[None])[0])
        back = transposed(now.keep, whole) + now.sending * arriving
        ahead = (back, transposed(now.keep, own), transposed(now.keep, relayed), arriving)
        ahead = jax.tree.map(
            lambda new, old: jnp.where(now.valid, new, old), ahead, (whole, own, relayed, arrived)
        )
        return ahead, used(plan, now, delta)

    zero = jnp.zeros(steps.reading.shape[1:], steps.error.dtype)
    return jax.lax.scan(step, (zero, zero, zero, zero[0]), steps, reverse=True)[1]


def transposed(keep: Array, credit: Array) -> Array:
    """``Aᵀ λ``, (variable, unit)."""
    return jnp.einsum("vwi,vi->wi", keep, credit)


def one_step_back(plan: Layout, now: Record, credit: Array, drive: Array, transport: Array | None) -> Array:
    """Credit (variable, unit) of the state before a step, from that of the state and the drives after it."""
    kept = transposed(now.keep, credit)
    if transport is None:
        return kept
    return kept + now.sending * jnp.einsum("gki,gk->i", transport, fed(plan, drive[None])[0])


def used(plan: Layout, now: Record, drive: Array) -> Array:
    """``δ pᵀ`` (drive, unit, slot) of credit (drive, unit); 0 for a step that is no part of the trial."""
    product = drive[:, :, None] * now.sources
    product = product if plan.drives == 1 else jnp.where(plan.feeds[:, None, :], product, 0)
    return jnp.where(now.valid, product, 0)
