"""One reverse recursion over the trial: credit of every drive, and from it every gradient.

With ``e_t = ∂L/∂z_t`` the error of the outputs, from the last step down::

    q_t = F e_t + ρ_t                        error that reaches the neuron (ρ: penalties on rates)
    m_t = Σ_g (W̃ᵍ)ᵀ δᵍ_{t+1}                 credit arriving through synapses
    λ_t = c_t (q_t + m_t) + A_{t+1}ᵀ λ_{t+1}   credit of the neuron's own state
    δᵍ_t = bᵍ_t λ_t                           credit of the drive

where ``A = ∂s_t/∂s_{t−1}``, ``b = ∂s_t/∂u_t``, ``c = ∂r_t/∂s_t`` are elementwise and come from the
dynamics by automatic differentiation. Then ``∂W = Σ δ_t r_{t−1}ᵀ``, ``∂W_in = Σ δ_t x_tᵀ``, ``∂b = Σ δ_t``,
``∂W_out = Σ e_t r_tᵀ``, ``∂b_out = Σ e_t``. With ``F = W_outᵀ`` and ``W̃ = W`` this is backpropagation
through time; another F (feedback) or W̃ (transport) makes another learning rule.

The loops store states and drives only; the weight gradient is one product over all steps and trials
after them, instead of one N² update a step.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime.circuits.simulate import forward, masked_local, send_back, separate_readout
from throughtime.credit import tiles

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.circuits.simulate import Unfolded
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    State = dict[str, Array]
    Params = dict[str, Array]

UNROLLED_OUTPUTS = 4


class Credit(NamedTuple):
    """Result of the recursion.

    Attributes:
        drive: δ, (time, trial, [gate,] unit).
        initial: λ_0, credit of the initial state, variables (trial, unit).
        own: gradients of the dynamics' own parameters, summed over trials.
    """

    drive: Array
    initial: State
    own: Params


def own_names(circuit: Circuit) -> tuple[str, ...]:
    """Names of the parameters that belong to the dynamics itself."""
    drawn = jax.eval_shape(
        lambda key: circuit.dynamics.init_params(circuit.num_units, key=key), jax.random.key(0)
    )
    return tuple(drawn)


def send_credit(
    circuit: Circuit,
    params: Params,
    unfolded: Unfolded,
    errors: Array,
    feedback: Array,
    transport: Array | None,
    direct: Array | None = None,
) -> Credit:
    """The reverse recursion over one tile.

    Args:
        errors: e, (time, trial, output).
        feedback: F, (unit, output).
        transport: W̃, ([gate,] unit, presynaptic_unit), or None for no transport.
        direct: ρ, (time, trial, unit) derivative of a penalty by rates, or None.
    """
    dynamics = circuit.dynamics
    own = {name: params[name] for name in own_names(circuit)}
    readout = separate_readout(circuit)

    def local(own: Params, state: State, drive: Array, valid: Array) -> State:
        def one(state: State, drive: Array, valid: Array) -> State:
            return masked_local(circuit, {**params, **own}, state, drive, valid)

        return jax.vmap(one)(state, drive, valid)

    def rate(own: Params, state: State) -> Array:
        return jax.vmap(lambda one: dynamics.rate({**params, **own}, one))(state)

    def read(own: Params, state: State) -> Array:
        assert readout is not None
        return jax.vmap(lambda one: readout({**params, **own}, one))(state)

    def through_synapses(delta: Array) -> Array | None:
        return None if transport is None else send_back(dynamics, dynamics.recurrent_drives, transport, delta)

    few = (
        direct is None and errors.shape[-1] <= UNROLLED_OUTPUTS
    )  # cheaper inside the loop, without a product
    injected = errors if few else errors @ feedback.T + (0 if direct is None else direct)

    def reach(now: Array) -> Array:
        if not few:
            return now
        return jnp.sum(jnp.stack([now[:, k : k + 1] * feedback[:, k] for k in range(now.shape[1])]), axis=0)

    def step(carry: tuple[Array, State, Params], now: Any) -> tuple[tuple[Array, State, Params], Array]:
        delta, kept, total = carry
        error, before, after, drive, valid = now
        arriving = through_synapses(delta)
        reaching = reach(error)
        if readout is None:
            credits = [(rate, reaching if arriving is None else reaching + arriving)]
        else:
            credits = [(read, reaching)] + ([] if arriving is None else [(rate, arriving)])
        for function, credit in credits:
            _, pull = jax.vjp(function, own, after)
            own_part, state_part = pull(credit)
            kept = jax.tree.map(jnp.add, kept, state_part)
            total = jax.tree.map(jnp.add, total, own_part)
        _, pull = jax.vjp(lambda own, state, drive: local(own, state, drive, valid), own, before, drive)
        own_part, kept, delta = pull(kept)
        return (delta, kept, jax.tree.map(jnp.add, total, own_part)), delta

    before = jax.tree.map(
        lambda first, rest: jnp.concatenate([first[None], rest[:-1]]), unfolded.initial, unfolded.states
    )
    start = (
        jnp.zeros_like(unfolded.drives[0]),
        jax.tree.map(jnp.zeros_like, unfolded.initial),
        jax.tree.map(jnp.zeros_like, own),
    )
    sequence = (injected, before, unfolded.states, unfolded.drives, unfolded.valid)
    (delta, kept, total), deltas = jax.lax.scan(step, start, sequence, reverse=True)
    arriving = through_synapses(delta)
    if arriving is not None:
        _, pull = jax.vjp(rate, own, unfolded.initial)
        own_part, state_part = pull(arriving)
        kept = jax.tree.map(jnp.add, kept, state_part)
        total = jax.tree.map(jnp.add, total, own_part)
    return Credit(deltas, kept, total)


def effective_gradients(circuit: Circuit, unfolded: Unfolded, credit: Credit, errors: Array) -> Params:
    """Gradients by effective weights: one product over (time × trial) for each array."""
    dynamics, delta = circuit.dynamics, credit.drive

    def product(drives: tuple[int, ...], sources: Array) -> Array:
        if dynamics.num_drives == 1:
            return jnp.einsum("tbi,tbj->ij", delta, sources)
        fed = delta if drives == tuple(range(dynamics.num_drives)) else delta[..., jnp.array(drives), :]
        return jnp.einsum("tbgi,tbj->gij", fed, sources)

    return {
        "recurrent": product(dynamics.recurrent_drives, unfolded.sent),
        "input": product(dynamics.input_drives, unfolded.inputs),
        "bias": delta.sum((0, 1)),
        "readout": jnp.einsum("tbo,tbi->oi", errors, unfolded.read),
        "readout_bias": errors.sum((0, 1)),
    }


def pull_back(circuit: Circuit, params: Params, effective: Params, own: Params) -> Params:
    """Gradients by free parameters from gradients by effective weights, through the constraints."""
    names = ("recurrent", "input", "bias", "readout", "readout_bias")

    def constrained(free: Params) -> Params:
        weights = circuit.weights(free)
        return {name: getattr(weights, name) for name in names}

    _, pull = jax.vjp(constrained, params)
    (grads,) = pull(effective)
    return {name: grads[name] + own[name] if name in own else grads[name] for name in params}


def gradient(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    objective: Objective,
    *,
    feedback: Array,
    transport: Array | None,
    trial_keys: Array,
    initial: State | None = None,
) -> tuple[Params, dict[str, Any]]:
    """Gradient of the batch objective (mean over trials) by every parameter, for one choice of F and W̃.

    Args:
        trials: batch of trials, leaves (trial, …).
        feedback: F, (unit, output); transport: W̃ or None. See the module's recursion.
        trial_keys: (trial,) keys from which each trial's circuit noise is drawn.
        initial: state before the first step, variables (trial, unit); the circuit's own by default.

    Returns:
        gradients with the structure of ``params``, and ``info``: ``loss`` (scalar), ``losses`` (trial,),
        ``initial_state`` gradient of the loss by the initial state, variables (trial, unit), and
        ``carry``, the final state, variables (trial, unit).
    """
    weights = circuit.weights(params)
    num_trials = trials.inputs.shape[0]
    dtype = params["bias"].dtype

    def one_tile(piece: tuple[Trial, Array, State | None], weight: Array) -> Any:
        batch, keys, start = piece
        share = weight.astype(dtype) / num_trials
        unfolded, outputs = forward(circuit, params, weights, batch, keys, start)
        losses, errors, direct = differentiate(objective, batch, unfolded, outputs, share)
        credit = send_credit(circuit, params, unfolded, errors, feedback, transport, direct)
        grads = effective_gradients(circuit, unfolded, credit, errors)
        final = {name: state[-1] for name, state in unfolded.states.items()}
        return grads, credit.own, (losses, credit.initial, final)

    grads, own, per_trial = tiles.map_tiles(one_tile, (trials, trial_keys, initial))
    grads, own = jax.tree.map(lambda leaf: leaf.sum(0), (grads, own))
    losses, initial_gradient, final = tiles.join(per_trial, num_trials)
    info = {"loss": losses.mean(), "losses": losses, "initial_state": initial_gradient, "carry": final}
    return pull_back(circuit, params, grads, own), info


def differentiate(
    objective: Objective, batch: Trial, unfolded: Unfolded, outputs: Array, share: Array
) -> tuple[Array, Array, Array | None]:
    """Losses (trial,), errors ``e`` (time, trial, output), and ρ (time, trial, unit) of a penalty."""
    from throughtime.circuits import Trajectory

    def weighted(outputs: Array, rates: Array) -> tuple[Array, Array]:
        losses = jax.vmap(objective, in_axes=(1, 0))(outputs, batch)
        if objective.has_penalty:
            trajectory = Trajectory(unfolded.states, rates, outputs)
            losses = losses + jax.vmap(objective.penalty, in_axes=1)(trajectory, unfolded.valid)
        return jnp.sum(share * losses), losses

    wanted = (0, 1) if objective.has_penalty else 0
    (_, losses), slopes = jax.value_and_grad(weighted, wanted, has_aux=True)(outputs, unfolded.read)
    return (losses, slopes[0], slopes[1]) if objective.has_penalty else (losses, slopes, None)
