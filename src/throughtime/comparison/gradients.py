"""The gradients of several rules on the same trials, beside the exact one."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np
import xarray as xr

from throughtime import config
from throughtime.analysis._gradient_comparison import block_coordinate, bounds, with_names
from throughtime.analysis.arrays.gradient_alignment import gradient_alignment
from throughtime.analysis.arrays.gradient_bias_variance import FEWEST, gradient_bias_variance
from throughtime.analysis.arrays.one_step_change import one_step_change
from throughtime.comparison.choice import Given, gradient_form, labelled
from throughtime.comparison.draws import draw, hessian_product, loss_and_gradient, losses_after
from throughtime.comparison.instants import instantaneous_alignment
from throughtime.comparison.warm import warmed
from throughtime.measures.loss import double
from throughtime.objectives import Objective, SquaredError
from throughtime.results.flags import flag_attributes
from throughtime.results.provenance import library_attributes
from throughtime.results.schema import attributes

if TYPE_CHECKING:
    from jax import Array

    from throughtime.circuits import Circuit
    from throughtime.rules import Rule
    from throughtime.trial import Trial

    Params = dict[str, Array]


def compare_gradients(
    circuit: Circuit,
    params: Mapping[str, Any],
    trials: Trial,
    rules: Iterable[Given] | Mapping[str, str | Rule],
    *,
    key: Array,
    draws: int = 32,
    objective: Objective | None = None,
    learning_rate: float = 1e-3,
    states: Mapping[str, Mapping[str, Any]] | None = None,
    instantaneous: bool = False,
    lags: Iterable[float] = (0.0,),
    confidence: float = 0.95,
) -> xr.Dataset:
    """Alignment, bias, variance and one-step change of the loss of several rules at the same weights.

    The exact gradient g and the Hessian are those of the loss itself, by automatic differentiation of
    ``circuit.run``, whatever the rules do. Everything is computed in float64 at frozen weights.

    * Noise of the circuit is left out: it shares a trial's key with the draws of a rule, and these alone are
      to vary.
    * A rule without chance is drawn once: its bias is what it is and its variance 0. A rule with chance is
      drawn ``draws`` times; its fixed feedback weights stay the same. ``cosine`` and ``norm_ratio`` are means
      over draws.
    * A rule that gives zeros until it has seen trials (a running mean of the loss) first goes through the
      batch with other keys, weights standing still, as often as it takes (``warm_up_passes``).
    * A rule that moves the weights within the trial is compared by the gradient it would give after it, or,
      where it has none, by its displacement, with its own step in place of ``learning_rate``. A rule for
      single trials goes through the trials one by one, and the mean counts.

    Args:
        circuit, params: a circuit and one set of parameters, new or trained.
        trials: batch, leaves (trial, …), the same for every rule.
        rules: names, rules, or pairs (label, rule).
        key: of the rules' states and draws.
        draws: K, of rules with chance.
        objective: loss of one trial; masked squared error by default.
        learning_rate: η of the step whose effect on the loss is predicted and measured.
        states: label -> state of the rule, for rules with a past (learned predictors, adapted feedback);
            drawn anew by default, and then warmed up where the rule waits for trials.
        instantaneous: align the share of every step too, for rules that run forward in time; NaN for the
            others, and where a rule, or the exact one, cannot run so on this circuit: the attribute
            ``without_steps`` tells which and why.
        lags: ms, of ``lagged_cosine``.
        confidence: of the intervals over draws.

    Returns:
        Dataset over ``rule`` and ``block`` (the parameters that can be trained, then ``all``): ``cosine,
        norm_ratio, bias, bias_squared, mean_norm_squared, variance, relative_variance, signal_to_noise``;
        over ``rule``: ``predicted_change, measured_change, best_step, best_change, slope, curvature,
        learning_rate, num_draws, warm_up_passes, displacement``; ``loss``. Estimates have ``…_lower`` and
        ``…_upper``. With ``instantaneous``: ``step_cosine`` (rule, time, block) and ``lagged_cosine`` (rule,
        lag, block), see :mod:`throughtime.comparison.instants`.

    Raises:
        ValueError: for fewer than 3 draws, an objective with a penalty on vanishing gradients, states of no
            rule given, or a rule that refuses the circuit.

    Example:
        >>> import jax
        >>> import throughtime as tt
        >>> task = tt.tasks.make("cue-set-go", dt=50.0)
        >>> circuit = tt.circuits.for_task(task, num_units=6)
        >>> params = circuit.init(key=jax.random.key(0))
        >>> trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(1), 2))
        >>> found = tt.compare_gradients(circuit, params, trials, ["bptt"], key=jax.random.key(2))
        >>> float(found.cosine.isel(rule=0, block=-1).round(6))
        1.0
    """
    chosen = labelled(rules)
    objective = SquaredError() if objective is None else objective
    given_states = {} if states is None else dict(states)
    _check(draws, objective, chosen, given_states)
    quiet = dataclasses.replace(circuit, noise_sd=0.0)
    with jax.enable_x64(True):
        free, batch = double(dict(params)), double(trials)
        first, exact = loss_and_gradient(quiet, objective, free, batch)
        names = tuple(name for name in free if name not in circuit.untrained)
        true = {name: np.asarray(exact[name]) for name in names}
        product = partial(hessian_product, quiet, objective, free, batch)
        each: list[dict[str, Any]] = []
        states_met, told = {}, {}
        for label, rule in chosen.items():
            form, keys = gradient_form(rule), jax.random.fold_in(key, 1)
            count, passes = draws if form.traits.stochastic else 1, 0
            drawing = partial(draw, quiet, form, objective, count, free)
            if label in given_states:
                state = double(dict(given_states[label]))
                drawn = drawing(state, batch, keys)
            else:
                state = form.init(quiet, free, key=jax.random.fold_in(key, 0))
                drawn = drawing(state, batch, keys)
                if state and not all(np.any(drawn[name]) for name in names):
                    other = jax.random.fold_in(key, 2)
                    state, passes = warmed(quiet, form, objective, free, state, batch, other)
                    drawn = drawing(state, batch, keys) if passes else drawn
            states_met[label] = state
            drawn = {name: drawn[name] for name in names}
            eta = 1.0 if form.traits.displacement else learning_rate
            after = losses_after(quiet, objective, free, batch, drawn, jnp.asarray(eta))
            changes = np.asarray(after - first)
            one = _measures(drawn, true, product, eta, changes, confidence, not form.traits.stochastic)
            one["learning_rate"], one["num_draws"], one["warm_up_passes"] = eta, count, passes
            one["displacement"] = int(form.traits.displacement)
            each.append(one)
        dataset = _dataset(chosen, (*names, "all"), each)
        dataset["loss"] = ((), float(first), attributes("loss", long_name="loss"))
        if instantaneous:
            forms = {label: gradient_form(rule) for label, rule in chosen.items()}
            steps = instantaneous_alignment(
                quiet,
                free,
                batch,
                forms,
                key=key,
                objective=objective,
                states=states_met,
                lags=tuple(lags),
                names=names,
            )
            told = dict(steps.attrs)
            dataset = xr.merge([dataset, steps.assign_coords(dataset.coords)], combine_attrs="drop_conflicts")
    dataset.attrs = {
        **library_attributes("analysis"),
        "method": "compare_gradients",
        "config": config.canonical({"circuit": circuit, "rules": chosen, "objective": objective}),
        "num_trials": int(trials.inputs.shape[0]),
        "confidence": float(confidence),
        "circuit_noise": "off",
        "rule_states": "as given, else new and warmed up on the same trials with other keys",
        "trajectory": "given parameters",
        "dtype": "float64",
        **told,
    }
    return dataset


def _check(draws: int, objective: Objective, chosen: Mapping[str, Rule], states: Mapping[str, Any]) -> None:
    if isinstance(draws, bool) or not isinstance(draws, int) or draws < FEWEST:
        raise ValueError(f"compare_gradients: draws {draws!r} is not a whole number >= {FEWEST}.")
    if objective.vanishing > 0:
        raise ValueError(
            "compare_gradients: a penalty on vanishing gradients is taken by exact rules alone, so there is "
            "nothing to compare; leave it out of the objective."
        )
    unknown = sorted(set(states) - set(chosen))
    if unknown:
        raise ValueError(f"compare_gradients: states of {unknown}; the rules are {sorted(chosen)}.")


def _measures(
    drawn: Params,
    true: Mapping[str, np.ndarray],
    product: Callable[[dict[str, np.ndarray]], Mapping[str, Any]],
    eta: float,
    changes: np.ndarray,
    confidence: float,
    certain: bool,
) -> dict[str, Any]:
    """All measures of one rule: by block (block,), or for all."""
    steps = {name: np.asarray(value) for name, value in drawn.items()}
    aligned = gradient_alignment(steps, true)
    spread = gradient_bias_variance(steps, true, confidence=confidence, population=certain)
    step = one_step_change(
        steps, true, product, eta, measured=changes, confidence=confidence, population=certain
    )
    estimates = {name: getattr(spread, name) for name in spread._fields if name != "blocks"}
    changed = {"predicted_change": step.predicted, "measured_change": step.measured}
    return {
        "cosine": aligned.cosine.mean(0),
        "norm_ratio": aligned.norm_ratio.mean(0),
        **bounds(estimates),
        **bounds(changed),
        **{name: getattr(step, name) for name in ("best_step", "best_change", "slope", "curvature")},
    }


def _dataset(chosen: Mapping[str, Rule], blocks: tuple[str, ...], each: list[dict[str, Any]]) -> xr.Dataset:
    def dims(value: Any) -> tuple[str, ...]:
        return ("rule", "block") if np.ndim(value) == 1 else ("rule",)

    variables = {
        name: (dims(value), np.stack([one[name] for one in each])) for name, value in each[0].items()
    }
    dataset = with_names(
        xr.Dataset(variables, {"block": block_coordinate(blocks), "rule": rule_coordinate(chosen)})
    )
    dataset["displacement"] = dataset["displacement"].astype(np.int8)
    dataset["displacement"].attrs |= flag_attributes(["gradient", "displacement"])
    return dataset


def rule_coordinate(labels: Iterable[str]) -> xr.DataArray:
    """Integers that name the rules in their ``flag_meanings``."""
    names = list(labels)
    return xr.DataArray(
        np.arange(len(names)), dims="rule", attrs=attributes("rule", **flag_attributes(names))
    )
