"""Gradients from noise on the neurons: a forward run, and one number a trial that tells how it went.

The drive of every gate and the outputs carry small independent noise, ``u + σ ξ_t`` and ``z + σ_z η_t``, and
a trial's loss L is compared with what was to be expected, L̄. Then::

    ĝ_W = (L − L̄)/σ Σ_t ξ_t p_tᵀ,    ĝ_Wout = (L − L̄)/σ_z Σ_t η_t r_tᵀ

with the presynaptic slots ``p_t = [r_{t−1}; x_t; 1]`` and the rates of the *noisy* run. No derivative of a
neuron enters: the noise is on the drive, of which the synapses are linear. (Noise added to the *state* would
ask for a factor ∂local/∂u.) With any L̄ that does not depend on the noise the mean of ĝ is the gradient of the
loss averaged over the noise, which differs from that of the loss by O(σ²).

Steps of a warm-up carry noise as well. What the noise says nothing of, time constants and the initial state,
gets no estimate here.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, NamedTuple

import jax
import jax.numpy as jnp

from throughtime import gaussian, keys
from throughtime.circuits import gates
from throughtime.circuits.circuit import Trajectory
from throughtime.circuits.initial import broadcast
from throughtime.circuits.readout import leaky, leaky_back, read_out, readout_decay
from throughtime.circuits.simulate import Unfolded, apply_synapses, unfold_tile
from throughtime.credit import tiles
from throughtime.credit.adjoint import Arriving, Credit, effective_gradients, pull_back
from throughtime.trial import judged

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.circuits.circuit import Weights
    from throughtime.objectives import Objective
    from throughtime.trial import Trial

    State = dict[str, Array]
    Params = dict[str, Array]

GAUSSIAN, SIGNS = DISTRIBUTIONS = ("gaussian", "signs")


class Noise(NamedTuple):
    """Independent noise of mean 0 and variance 1 for every place that is perturbed.

    The steps are those of the warm-up, if the trial begins with one, and then those of the trial.

    Attributes:
        drive: ξ, ([trial,] step, drive, unit).
        output: η, ([trial,] 1 + step, output); the first is for the output before the first step, which only
            a circuit with fed-back output has.
    """

    drive: Array
    output: Array


def draw(circuit: Circuit, key: Array, num_steps: int, distribution: str = GAUSSIAN) -> Noise:
    """Noise of one trial from its key; a number depends on key, step and place, not on the number of steps.

    Args:
        num_steps: warm-up and trial together.
        distribution: ``gaussian`` or ``signs`` (±1).
    """
    root = keys.stream(key, "rule")
    places = (circuit.dynamics.num_drives, circuit.num_units)

    def standard(code: int, steps: int, shape: tuple[int, ...]) -> Array:
        values = gaussian.normal(jax.random.fold_in(root, code), steps, math.prod(shape))
        values = jnp.sign(values) if distribution == SIGNS else values
        return values.reshape(steps, *shape)

    return Noise(standard(0, num_steps, places), standard(1, num_steps + 1, (circuit.num_outputs,)))


def by_gate(dynamics: Any, values: Array) -> Any:
    """``values`` (trial, step, drive, unit) as a drive: (step, trial, unit), one such array a gate."""
    each = jnp.moveaxis(values, (2, 1), (0, 1))
    return each[0] if dynamics.num_drives == 1 else gates.Gates(tuple(each))


def warm_up_steps(circuit: Circuit, initial: State | None) -> int:
    """Steps before the first one of a trial that starts from ``initial``, or from the circuit's own state."""
    return circuit.initial.num_warm_up_steps(circuit.dt) if initial is None else 0


def run(
    circuit: Circuit,
    params: Params,
    weights: Weights,
    batch: Trial,
    trial_keys: Array,
    initial: State | None,
    added: Any = None,
) -> Unfolded:
    """Run a tile of trials, each with a warm-up of its own, with the circuit noise of their keys.

    Args:
        initial: state before the first step, variables (trial, unit), or None.
        added: further drive of every step, warm-up included.
    """
    dtype = params["bias"].dtype
    num_trials, num_steps = batch.inputs.shape[:2]
    before = warm_up_steps(circuit, initial)
    inputs = jnp.swapaxes(batch.inputs, 0, 1).astype(dtype)
    valid = jnp.swapaxes(batch.valid, 0, 1)
    noise = None
    if circuit.noise_sd > 0:
        noise = jax.vmap(lambda key: circuit.noise(key, num_steps), out_axes=1)(trial_keys)
    if before:
        early = ((before, 0), (0, 0), (0, 0))
        inputs, valid = jnp.pad(inputs, early), jnp.pad(valid, early[:2], constant_values=True)
        noise = None if noise is None else jnp.pad(noise, early)
    start = broadcast(circuit.initial.base(circuit, params), num_trials) if initial is None else initial
    return unfold_tile(circuit, params, weights, inputs, valid, start, noise, added)


def finish(
    circuit: Circuit,
    weights: Weights,
    objective: Objective,
    batch: Trial,
    unfolded: Unfolded,
    before: int,
    pushed: Array | None = None,
) -> tuple[Array, Array, Array]:
    """Losses (trial,) with their penalties on rates, outputs, and ``valid``, of the trials without warm-up.

    Args:
        before: steps of the warm-up.
        pushed: noise that arrives at the outputs beside what the readout weights bring, (time, trial,
            output).
    """
    batch = judged(batch)
    states, read, valid = jax.tree.map(
        lambda leaf: leaf[before:], (unfolded.states, unfolded.read, unfolded.valid)
    )
    outputs = read_out(circuit, weights, read, valid)
    if pushed is not None:
        filtered = circuit.readout_tau is not None
        outputs = outputs + (leaky(pushed, valid, readout_decay(circuit)) if filtered else pushed)
    losses = jax.vmap(objective, in_axes=(1, 0))(outputs, batch)
    if objective.has_penalty:
        path = Trajectory(states, read, outputs)
        losses = losses + jax.vmap(objective.penalty, in_axes=(1, 1))(path, valid)
    return losses, outputs, valid


def gradient(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    objective: Objective,
    *,
    trial_keys: Array,
    sigma: float,
    readout_sigma: float | None,
    expected: Array | None,
    known: Array | None = None,
    initial: State | None = None,
    distribution: str = GAUSSIAN,
    noise: Noise | None = None,
) -> tuple[Params, dict[str, Any]]:
    """Estimate by every parameter, the mean over trials.

    Args:
        trials: batch of trials, leaves (trial, …).
        trial_keys: (trial,) keys from which circuit noise and perturbations are drawn.
        sigma: σ, in units of the drive.
        readout_sigma: σ_z, in units of the outputs; None: no noise there, and the readout gets the exact
            gradient of what it does directly, ``Σ e_t r_tᵀ``.
        expected: L̄, (trial,); None: the loss of a second run without ξ and η, its circuit noise the same.
        known: (trial,) bool, False where nothing was to be expected yet: such a trial changes nothing but,
            with an exact readout, the readout.
        initial: state before the first step, variables (trial, unit); the circuit's own by default.
        noise: perturbations with a leading axis trial, in place of those drawn from the keys.

    Returns:
        gradients with the structure of ``params``, and ``info``: ``loss``, ``losses`` (trial,) of the noisy
        run, ``expected`` (trial,), ``carry``, its final state.
    """
    trials = judged(trials)
    weights, dynamics = circuit.weights(params), circuit.dynamics
    num_trials, num_steps = trials.inputs.shape[:2]
    before = warm_up_steps(circuit, initial)
    dtype = params["bias"].dtype

    def judge(batch: Trial, unfolded: Unfolded, pushed: Array | None = None) -> tuple[Array, Array, Array]:
        return finish(circuit, weights, objective, batch, unfolded, before, pushed)

    def one_tile(piece: Any, weight: Array) -> Any:
        batch, keys_here, start, usual, counted, given = piece
        share = weight.astype(dtype) / num_trials
        if given is None:
            given = jax.vmap(lambda key: draw(circuit, key, before + num_steps, distribution))(keys_here)
        given = jax.tree.map(lambda leaf: leaf.astype(dtype), given)
        valid = jnp.pad(
            jnp.swapaxes(batch.valid, 0, 1), ((before, 0), (0, 0)), constant_values=True
        )  # of the warm-up too
        xi = jax.tree.map(lambda leaf: leaf * valid[..., None], by_gate(dynamics, given.drive))
        added, eta = jax.tree.map(lambda leaf: sigma * leaf, xi), None
        if readout_sigma is not None:
            eta = jnp.swapaxes(given.output, 0, 1) * perturbed_outputs(circuit, valid, before)[..., None]
            if circuit.output_feedback:
                fed = apply_synapses(
                    dynamics, dynamics.input_drives, weights.output_feedback, readout_sigma * eta[:-1]
                )
                added = gates.add(added, fed)
        unfolded = run(circuit, params, weights, batch, keys_here, start, added)
        pushed = None if eta is None or readout_sigma is None else readout_sigma * eta[1 + before :]
        losses, outputs, late = judge(batch, unfolded, pushed)
        if usual is None:
            usual, _, _ = judge(batch, run(circuit, params, weights, batch, keys_here, start))
        surprise = share * (losses - usual)
        surprise = surprise if counted is None else jnp.where(counted, surprise, 0)
        credit = jax.tree.map(lambda leaf: surprise[:, None] / sigma * leaf, xi)
        if eta is None or readout_sigma is None:
            exact = jax.grad(lambda z: jnp.sum(share * jax.vmap(objective, in_axes=(1, 0))(z, batch)))
            errors = exact(outputs)
            if circuit.readout_tau is not None:
                errors = leaky_back(errors, late, readout_decay(circuit))
            errors = jnp.pad(errors, ((before, 0), (0, 0), (0, 0)))
            grads = weight_estimates(circuit, unfolded, credit, errors)
        else:
            errors = surprise[:, None] / readout_sigma * eta
            if circuit.output_feedback:
                seen = unfolded.inputs.at[..., circuit.num_inputs :].add(readout_sigma * eta[:-1])
                unfolded = unfolded._replace(inputs=seen)
            grads = weight_estimates(circuit, unfolded, credit, errors[1:])
            if circuit.output_feedback:
                first = dynamics.readout(params, unfolded.initial)
                grads["readout"] = grads["readout"] + errors[0].T @ first
                grads["readout_bias"] = grads["readout_bias"] + errors[0].sum(0)
        final = {name: state[-1] for name, state in unfolded.states.items()}
        return grads, (losses, usual, final)

    pieces = (trials, trial_keys, initial, expected, known, noise)
    grads, per_trial = tiles.map_tiles(one_tile, pieces)
    grads = jax.tree.map(lambda leaf: leaf.sum(0), grads)
    losses, usual, final = tiles.join(per_trial, num_trials)
    info = {"loss": losses.mean(), "losses": losses, "expected": usual, "carry": final}
    return pull_back(circuit, params, grads, {}), info


def perturbed_outputs(circuit: Circuit, valid: Array, before: int) -> Array:
    """Where an output's noise can matter, (1 + step, trial): judged, or fed back to a live step.

    Args:
        valid: (step, trial), warm-up included; before: steps of the warm-up.
    """
    none = jnp.zeros_like(valid[:1])
    if circuit.output_feedback:
        return jnp.concatenate([none, valid]) | jnp.concatenate([valid, none])
    judged = jnp.arange(len(valid))[:, None] >= before
    return jnp.concatenate([none, valid & judged])


def weight_estimates(circuit: Circuit, unfolded: Unfolded, drive: Any, errors: Array) -> Params:
    """Gradients by effective weights from credit of every drive and errors of the outputs."""
    joined = gates.join(drive, circuit.dynamics.recurrent_drives)
    return effective_gradients(circuit, unfolded, Credit(joined, None, Arriving(None, {}), {}), errors)
