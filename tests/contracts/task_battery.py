"""What every task must satisfy. Each check takes a task and fails with an assertion.

A check looks at trials drawn by three compiled functions at most: the task with its scores, and the task
without noise at dt and at dt/2. The results are cached, so that all checks of one task share them.
"""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from scipy import stats

from throughtime import config, keys
from throughtime.tasks import Task, TruncatedExponential, Uniform
from throughtime.trial import Trial

NUM_TRIALS, NUM_PAIRED = 4096, 256
EPS = np.finfo(np.float32).eps


class Sample(NamedTuple):
    """Trials of one task with the scores of a perfect, a silent, a broken and a late subject."""

    trials: Trial
    scores: dict[str, dict[str, np.ndarray]]
    draw: Callable[[Any], Any]
    traces: list[int]


def _keys(num: int, purpose: str = "train", update: int = 0) -> jax.Array:
    return keys.trial_keys(keys.seed_key(0, "data"), purpose, update, num)


@functools.lru_cache(maxsize=1)
def sample(task: Task) -> Sample:
    """4096 trials of a task, scored."""
    traces: list[int] = []

    @jax.jit
    @jax.vmap
    def draw(key):
        traces.append(1)
        trial = task.trial(key)
        ideal = task.ideal(trial)
        subjects = {
            "ideal": ideal,
            "silent": jnp.zeros_like(ideal),
            "broken": jnp.full_like(ideal, jnp.nan),
            "late": jnp.concatenate([ideal[:1], ideal[:-1]]),
        }
        return trial, {name: task.score(outputs, trial) for name, outputs in subjects.items()}

    trials, scores = jax.tree.map(np.asarray, draw(_keys(NUM_TRIALS)))
    return Sample(trials, scores, draw, traces)


@functools.lru_cache(maxsize=2)
def quiet(task: Task, divide: int) -> Trial:
    """256 of the same trials without noise, at dt/divide."""
    other = dataclasses.replace(task, noise=0.0, dt=task.dt / divide)
    return jax.tree.map(np.asarray, jax.jit(jax.vmap(other.trial))(_keys(NUM_PAIRED)))


def shapes(task: Task) -> None:
    """1. Shapes and dtypes match the names."""
    trials, scores = sample(task)[:2]
    steps, num_in, num_out = task.num_steps, len(task.input_names), len(task.output_names)
    wanted = {"inputs": (steps, num_in), "targets": (steps, num_out), "mask": (steps, num_out)}
    for name, shape in wanted.items():
        array = getattr(trials, name)
        assert array.shape == (NUM_TRIALS, *shape), f"{name}: {array.shape[1:]}, expected {shape}"
        assert array.dtype == np.float32, f"{name}: {array.dtype}, expected float32"
        assert np.isfinite(array).all(), f"{name} is not finite"
    assert trials.valid.shape == (NUM_TRIALS, steps)
    assert trials.valid.dtype == np.bool_
    assert set(trials.epochs) == set(task.epoch_names)
    assert set(trials.conditions) == set(task.condition_names)
    assert all(edge.dtype == np.float32 for pair in trials.epochs.values() for edge in pair)
    for name, value in trials.conditions.items():
        assert value.shape == (NUM_TRIALS,), f"condition {name} is no scalar"
        assert value.dtype in (np.float32, np.int32, np.bool_), f"condition {name}: {value.dtype}"
    for names in (task.input_names, task.output_names, task.epoch_names, task.condition_names):
        assert len(set(names)) == len(names), f"names repeat: {names}"
    assert task.time.shape == (steps,)
    assert task.time[0] == task.dt / 2
    assert steps == np.ceil(task.duration / task.dt - 1e-6)
    assert scores["ideal"]["correct"].dtype == np.bool_
    assert all(score.shape == (NUM_TRIALS,) for score in scores["ideal"].values())


def bins(task: Task) -> None:
    """2. Without noise a trial is the pairwise average of the same trial at dt/2; noise has its variance."""
    coarse, fine = quiet(task, 1), quiet(task, 2)
    noisy = jax.tree.map(lambda array: array[:NUM_PAIRED], sample(task).trials)
    for other in (fine, noisy):
        for name, value in coarse.conditions.items():
            np.testing.assert_array_equal(value, other.conditions[name], err_msg=f"condition {name}")
        for name, value in coarse.epochs.items():
            np.testing.assert_array_equal(value, other.epochs[name], err_msg=f"epoch {name}")
    rounding = 8 * EPS * (1 + 2 * task.duration / task.dt)
    for name in ("inputs", "mask"):
        array = getattr(coarse, name)
        np.testing.assert_allclose(
            array, _paired(getattr(fine, name), task.num_steps), atol=rounding * max(1, np.abs(array).max())
        )
    halves = _paired(fine.valid[..., None].astype(float), task.num_steps)[..., 0]
    np.testing.assert_array_equal(coarse.valid, halves > 0)
    whole = (halves == 1)[..., None]
    error = np.abs(coarse.targets - _paired(fine.targets, task.num_steps)) * whole
    assert error.max() <= 0.01 * np.ptp(coarse.targets), f"targets differ by {error.max():.3g}"
    if task.noise:
        noise = noisy.inputs.astype(float) - coarse.inputs
        valid = coarse.valid[..., None]
        expected = task.noise * np.sqrt(200 / task.dt)
        spread = np.sqrt((noise**2).sum() / (valid.sum() * noise.shape[-1]))
        assert abs(spread / expected - 1) < 0.025, f"noise SD {spread:.4g}, expected {expected:.4g}"
        assert not (noise * ~valid).any(), "noise on padding"
        neighbours = (noise[:, 1:] * noise[:, :-1]).sum() / (noise**2).sum()
        assert abs(neighbours) < 0.02, f"neighbouring samples correlate: {neighbours:.3g}"


def _paired(array: np.ndarray, num_steps: int) -> np.ndarray:
    missing = 2 * num_steps - array.shape[1]
    padded = np.pad(array, ((0, 0), (0, missing), (0, 0)))
    return padded.reshape(len(array), num_steps, 2, -1).mean(2)


def repeats(task: Task) -> None:
    """3. Same key, same trial, bit for bit; other purposes and updates give others. No global state."""
    first, draw = sample(task).trials, sample(task).draw
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    try:
        again = jax.tree.map(np.asarray, draw(_keys(NUM_TRIALS))[0])
    finally:
        np.random.set_state(state)  # noqa: NPY002
    jax.tree.map(np.testing.assert_array_equal, first, again)
    for other in (_keys(NUM_TRIALS, "validation"), _keys(NUM_TRIALS, update=1)):
        assert not np.array_equal(first.inputs, draw(other)[0].inputs), "other keys give the same trials"
    assert not np.array_equal(first.inputs[::2], first.inputs[1::2]), "all trials are one"


def masks(task: Task) -> None:
    """4. The mask is finite, not negative, positive somewhere; nothing is on padding."""
    trials = sample(task).trials
    assert np.isfinite(trials.mask).all()
    assert (trials.mask >= 0).all()
    assert (trials.mask.sum((1, 2)) > 0).all(), "a trial bears no loss"
    padding = ~trials.valid[..., None]
    for name in ("inputs", "targets", "mask"):
        assert not (getattr(trials, name) * padding).any(), f"{name} on padding"


def ideal(task: Task) -> None:
    """5. A perfect subject is always right; its produced intervals are within 0.1 dt."""
    trials, scores = sample(task)[:2]
    assert scores["ideal"]["correct"].all(), f"ideal: {scores['ideal']['correct'].mean():.4f} correct"
    if "produced_interval" in scores["ideal"]:
        asked = ~trials.conditions["catch"]
        error = scores["ideal"]["produced_interval"] - trials.conditions["target_interval"]
        assert np.abs(error[asked]).max() <= 0.1 * task.dt, f"off by {np.abs(error[asked]).max():.3g} ms"


def silent(task: Task) -> None:
    """6. Zero outputs give ``silent_score``; NaN outputs are never correct."""
    scores, expected = sample(task).scores, task.silent_score
    found = scores["silent"]["correct"].mean()
    error = np.sqrt(expected * (1 - expected) / NUM_TRIALS)
    assert abs(found - expected) <= 4 * error, f"silent: {found:.4f}, expected {expected:.4f}"
    assert not scores["broken"]["correct"].any(), "NaN outputs are called correct"


def epochs(task: Task) -> None:
    """7. Epochs are ordered by onset and within the trial; absent ones are NaN."""
    trials = sample(task).trials
    start, end = trials.epochs["trial"]
    assert task.epoch_names[0] == "trial"
    assert (start == 0).all()
    assert end.max() <= task.duration * (1 + EPS)
    onsets = np.stack([trials.epochs[name][0] for name in task.epoch_names])
    for name in task.epoch_names:
        onset, offset = trials.epochs[name]
        absent = np.isnan(onset)
        np.testing.assert_array_equal(absent, np.isnan(offset), err_msg=name)
        good = (onset >= 0) & (onset <= offset) & (offset <= end)
        assert (good | absent).all(), f"epoch {name} leaves the trial"
    latest = np.fmax.accumulate(onsets, axis=0)
    assert not (onsets < latest).any(), "epochs are not in the order of their onsets"


def conditions(task: Task, probabilities: Mapping[str, Mapping[Any, float]] | None = None) -> None:
    """8. Conditions have their stated probabilities.

    ``probabilities`` (condition -> value -> probability) states them. Of the others, those named like a
    duration field have its distribution, ``catch`` its probability, and correct choices are balanced.
    """
    drawn = sample(task).trials.conditions
    stated = probabilities or {}
    for name, expected in stated.items():
        _chi_square(name, drawn[name], expected)
    if "correct_choice" in drawn and "correct_choice" not in stated:
        choices = len(getattr(task, "alternatives", (0, 1)))
        _chi_square("correct_choice", drawn["correct_choice"], dict.fromkeys(range(choices), 1 / choices))
        if choices == 2:
            assert abs(drawn["correct_choice"].mean() - 0.5) <= 0.031
    if "catch" in drawn:
        _chi_square("catch", drawn["catch"], {False: 1 - task.catch, True: task.catch})
    for name in (set(drawn) & set(task.duration_fields)) - set(stated):
        spread = getattr(task, name)
        if isinstance(spread, Uniform | TruncatedExponential):
            p = stats.kstest(drawn[name], functools.partial(_cumulative, spread)).pvalue
            assert p > 1e-4, f"{name} does not follow {spread} (p = {p:.2g})"
        else:
            values = spread if isinstance(spread, tuple) else (spread,)
            _chi_square(name, drawn[name], {v: values.count(v) / len(values) for v in values})
    for wanted in task.criterion:
        if wanted.group:
            counts = np.unique(np.stack([drawn[g] for g in wanted.group]), axis=1, return_counts=True)[1]
            rarest = counts.min() / NUM_TRIALS * wanted.trials
            assert rarest >= 80, f"{wanted.measure}: about {rarest:.0f} trials of the rarest group, not 100"


def _chi_square(name: str, values: np.ndarray, expected: Mapping[Any, float]) -> None:
    possible = {value: p for value, p in expected.items() if p > 0}
    counts = np.array([np.isclose(values, value, atol=1e-3).sum() for value in possible])
    assert counts.sum() == len(values), f"{name} takes values other than {list(possible)}"
    p = stats.chisquare(counts, len(values) * np.array(list(possible.values()))).pvalue
    assert len(possible) == 1 or p > 1e-4, f"{name}: counts {counts} against {possible} (p = {p:.2g})"


def _cumulative(spread: Uniform | TruncatedExponential, value: np.ndarray) -> np.ndarray:
    part = np.clip((value - spread.low) / (spread.high - spread.low), 0, 1)
    if isinstance(spread, Uniform):
        return part
    width = (spread.high - spread.low) / spread.scale
    return np.expm1(-part * width) / np.expm1(-width)


def late(task: Task) -> None:
    """9. Produced intervals are unbiased: outputs one bin later are produced dt later."""
    trials, scores = sample(task)[:2]
    if "produced_interval" not in scores["ideal"]:
        return
    asked = ~trials.conditions["catch"]
    shift = (scores["late"]["produced_interval"] - scores["ideal"]["produced_interval"])[asked]
    np.testing.assert_allclose(shift, task.dt, atol=8 * EPS * task.duration + 1e-4 * task.dt)


def traces(task: Task) -> None:
    """10. ``jit(vmap(trial))`` traces once for any keys."""
    drawn = sample(task)
    drawn.draw(_keys(NUM_TRIALS, "test"))
    assert len(drawn.traces) == 1, f"traced {len(drawn.traces)} times"


def declarations(task: Task) -> None:
    """11. Signature and criteria name what there is; a perfect subject meets those on scores."""
    trials, scores = sample(task)[:2]
    there = {**trials.conditions, **scores["ideal"]}
    for argument, name in task.signature.variables:
        assert name in there, f"signature: {argument} = {name!r} is neither a score nor a condition"
    assert isinstance(task.criterion, tuple)
    assert task.criterion
    for wanted in task.criterion:
        if wanted.measure in scores["ideal"]:
            for subject, learned in (("ideal", True), ("broken", False)):
                value = wanted.value(scores[subject], trials.conditions, {})
                assert wanted.met(value) == learned, f"{wanted.measure}: {subject} subject has {value:.3g}"
        else:
            assert wanted.measure in task.signature.parameters, f"criterion on unknown {wanted.measure!r}"


def round_trip(task: Task) -> None:
    """12. Written as JSON and read back, the task is equal, and so is its hash."""
    again = config.decode(config.encode(task))
    assert again == task
    assert hash(again) == hash(task)
    assert config.canonical(again) == config.canonical(task)


BATTERY: tuple[Callable[..., None], ...] = (
    shapes, bins, repeats, masks, ideal, silent, epochs, conditions, late, traces, declarations, round_trip,
)  # fmt: skip
CONSTRUCTOR_BATTERY: tuple[Callable[..., None], ...] = (shapes, ideal, silent, round_trip)
