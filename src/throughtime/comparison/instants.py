"""Alignment within the trial: the share of every step beside the exact one.

Rules that run forward in time give each step a share: its credit to the *loss* of that step. The exact share
of the same kind is real-time recurrent learning's, and ``step_cosine`` compares the two. Backpropagation
gives each step the credit of a *use*: what the synapse did at that step for all later losses. Two exact rules
need not agree at a single step, only in the sum over the trial; ``lagged_cosine`` therefore compares the
share of step t with the credit of the use at t − lag, averaged over the steps where both are there.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from throughtime import keys, rules
from throughtime.circuits import gates
from throughtime.circuits.initial import broadcast
from throughtime.circuits.simulate import forward
from throughtime.credit import recorded
from throughtime.credit.adjoint import by_sources, initial_output_gradients, pull_back, send_credit
from throughtime.credit.batch import differentiate
from throughtime.results.schema import attributes
from throughtime.rules.forward_rule import Forward

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.objectives import Objective
    from throughtime.rules import Rule
    from throughtime.trial import Trial

    Params = dict[str, Array]


def instantaneous_alignment(
    circuit: Circuit,
    params: Params,
    trials: Trial,
    forms: Mapping[str, Rule],
    *,
    key: Array,
    objective: Objective,
    states: Mapping[str, Any],
    lags: tuple[float, ...],
    names: tuple[str, ...],
) -> xr.Dataset:
    """Cosines step by step of rules that run forward in time; NaN for those that do not, or not on this
    circuit.

    Args:
        forms: label -> rule that gives a gradient after the trial. names: blocks, to which all is added.
        lags: ms, whole numbers of steps from 0 to the last step.
        states: label -> state of the rule, for all of them.
        key, objective: as in :func:`throughtime.comparison.compare_gradients`.

    Returns:
        Dataset: ``step_cosine`` (rule, time, block), ``lagged_cosine`` (rule, lag, block). The attribute
        ``without_steps`` has a line for every rule without them: why. Where the exact rule cannot run forward
        (output fed back), ``step_cosine`` is NaN for all, and a line of its own says so.

    Raises:
        ValueError: for a lag that is no such number.
    """
    num_steps = trials.inputs.shape[1]
    steps = _steps(lags, circuit.dt, num_steps)
    reasons: list[str] = []
    reference = rules.make("rtrl")
    assert isinstance(reference, Forward)
    losses = None
    if (why := why_not_forward(reference, circuit)) is None:
        losses = _flat(_shares(circuit, reference, objective, params, {}, trials, key), names)
    else:
        reasons.append(f"step_cosine: the exact shares are missing. {why}")
    uses = _flat(_uses(circuit, objective, params, trials), names)
    shape = (num_steps, len(names) + 1)
    at_once, lagged = [], []
    for label, rule in forms.items():
        if (why := why_not_forward(rule, circuit)) is not None:
            reasons.append(f"{label}: {why}")
            at_once.append(np.full(shape, np.nan))
            lagged.append(np.full((len(steps), shape[1]), np.nan))
            continue
        assert isinstance(rule, Forward)
        own = jax.random.fold_in(jax.random.fold_in(key, 1), 0)
        shares = _flat(_shares(circuit, rule, objective, params, states[label], trials, own), names)
        at_once.append(np.full(shape, np.nan) if losses is None else _cosines(shares, losses))
        lagged.append(np.stack([_mean(_cosines(*_apart(shares, uses, lag))) for lag in steps]))
    return xr.Dataset(
        {
            "step_cosine": (
                ("rule", "time", "block"),
                np.stack(at_once),
                attributes("step_cosine", long_name="cosine of a step's share with the exact share"),
            ),
            "lagged_cosine": (
                ("rule", "lag", "block"),
                np.stack(lagged),
                attributes(
                    "lagged_cosine", long_name="cosine of a step's share with the credit of an earlier use"
                ),
            ),
        },
        {
            "time": ("time", (np.arange(num_steps) + 0.5) * circuit.dt, attributes("time")),
            "lag": ("lag", steps * circuit.dt, {"units": "ms", "long_name": "steps back to the use"}),
        },
        {"without_steps": "\n".join(reasons)} if reasons else {},
    )


def why_not_forward(rule: Rule, circuit: Circuit) -> str | None:
    """Why a rule gives no share of every step on this circuit; None: it does.

    Example:
        >>> from throughtime.circuits import Circuit
        >>> circuit = Circuit(num_inputs=2, num_units=4, num_outputs=1, dt=20.0)
        >>> why_not_forward(rules.make("rflo"), circuit), why_not_forward(rules.make("bptt"), circuit)
        (None, 'it does not run forward in time.')
    """
    if rule.traits.displacement:
        return "it gives a displacement, and no gradient."
    if not (isinstance(rule, Forward) and rule.traits.online):
        return "it does not run forward in time."
    try:
        rule.stepper(circuit)
    except ValueError as refusal:
        return str(refusal)
    return None


def _steps(lags: tuple[float, ...], dt: float, num_steps: int) -> np.ndarray:
    values = np.asarray(lags, float)
    counts = np.rint(values / dt).astype(int)
    sound = (
        values.ndim == 1 and values.size and np.allclose(values, counts * dt) and (np.diff(counts) > 0).all()
    )
    if not (sound and counts[0] >= 0 and counts[-1] < num_steps):
        raise ValueError(
            f"compare_gradients: lags {lags!r} ms; expected increasing multiples of dt ({dt:g} ms) from 0 to "
            f"{(num_steps - 1) * dt:g}."
        )
    return counts


@partial(jax.jit, static_argnums=(0, 1, 2))
def _shares(
    circuit: Any, rule: Any, objective: Any, params: Params, state: Any, trials: Trial, key: Array
) -> Params:
    """Shares of all steps (time, …), the mean over trials."""
    each = keys.of_batch(key, trials.inputs.shape[0])
    grads, _, _ = recorded.gradient(
        circuit, params, trials, objective, rule.stepper(circuit), rule, state, trial_keys=each, by_step=True
    )
    wanted = rule.traits.trained
    return {
        name: value if isinstance(wanted, str) or name in wanted else jnp.zeros_like(value)
        for name, value in grads.items()
    }


@partial(jax.jit, static_argnums=(0, 1))
def _uses(circuit: Any, objective: Any, params: Params, trials: Trial) -> Params:
    """Exact credit of the use at every step (time, …), the mean over trials.

    A use of the readout whose output is fed back has credit for what it does to the circuit too; that of the
    output before the first step counts with the first.
    """
    weights, number, dynamics = circuit.weights(params), trials.inputs.shape[0], circuit.dynamics
    before = broadcast(circuit.initial_state(params), number)
    keys = jax.random.split(jax.random.key(0), number)
    unfolded, outputs = forward(circuit, params, weights, trials, keys, before)
    share = jnp.full(number, 1 / number, params["bias"].dtype)
    _, errors, direct = differentiate(objective, trials, unfolded, outputs, share)
    errors = recorded.readout_errors(circuit, unfolded, errors)
    fed = weights.output_feedback if circuit.output_feedback else None
    credit = send_credit(
        circuit, params, unfolded, errors, weights.readout.T, weights.recurrent, direct, output_feedback=fed
    )
    errors = errors if credit.fed_back is None else errors + credit.fed_back

    def one(delta: Any, sent: Array, inputs: Array, error: Array, read: Array, begun: Params) -> Params:
        each = gates.by_drive(delta, dynamics.recurrent_drives, dynamics.num_drives) if several else (delta,)

        def onto(drives: tuple[int, ...], source: Array) -> Array:
            made = [each[drive].T @ source for drive in drives]
            return jnp.stack(made) if several else made[0]

        bias = [part.sum(0) for part in each]
        grads = {
            "recurrent": onto(dynamics.recurrent_drives, sent),
            **by_sources(circuit, onto(dynamics.input_drives, inputs)),
            "bias": jnp.stack(bias) if several else bias[0],
            "readout": error.T @ read,
            "readout_bias": error.sum(0),
        }
        grads = {name: value + begun[name] if name in begun else value for name, value in grads.items()}
        return pull_back(circuit, params, grads, {})

    several = dynamics.num_drives > 1
    first = {} if fed is None else initial_output_gradients(circuit, params, before, credit.arriving, fed)
    begun = {
        name: jnp.zeros((len(errors), *value.shape), value.dtype).at[0].set(value)
        for name, value in first.items()
    }
    return jax.vmap(one)(credit.drive, unfolded.sent, unfolded.inputs, errors, unfolded.read, begun)


def _flat(each: Params, names: tuple[str, ...]) -> list[np.ndarray]:
    """Blocks (time, entry), the last all of them."""
    blocks = [np.asarray(each[name]).reshape(len(each[name]), -1) for name in names]
    return [*blocks, np.concatenate(blocks, axis=1)]


def _cosines(first: list[np.ndarray], second: list[np.ndarray]) -> np.ndarray:
    """(time, block); NaN where either is zero."""
    found = []
    for one, other in zip(first, second, strict=True):
        sizes = np.linalg.norm(one, axis=1) * np.linalg.norm(other, axis=1)
        with np.errstate(divide="ignore", invalid="ignore"):
            found.append(np.where(sizes > 0, (one * other).sum(1) / sizes, np.nan))
    return np.stack(found, axis=1)


def _apart(
    shares: list[np.ndarray], uses: list[np.ndarray], lag: int
) -> tuple[list[np.ndarray], list[np.ndarray]]:
    return [one[lag:] for one in shares], [one[: len(one) - lag] for one in uses]


def _mean(values: np.ndarray) -> np.ndarray:
    """Mean over steps of the numbers there are, (block,)."""
    there = np.isfinite(values)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(there, values, 0).sum(0) / there.sum(0)
