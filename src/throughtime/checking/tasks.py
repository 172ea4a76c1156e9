"""What every task must satisfy. Each check takes a task and raises what it misses.

A check looks at trials drawn by three compiled functions at most: the task with its scores, and the task
without noise at dt and at dt/2. The results are cached, so that all checks of one task share them.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np

from throughtime import config
from throughtime.checking.report import require
from throughtime.checking.task_conditions import conditions
from throughtime.checking.task_sample import NUM_PAIRED, keys_of, num_trials, quiet, sample
from throughtime.tasks import Task

EPS = np.finfo(np.float32).eps


def shapes(task: Task) -> None:
    """1. Shapes and dtypes match the names."""
    trials, scores = sample(task)[:2]
    steps, num_in, num_out = task.num_steps, len(task.input_names), len(task.output_names)
    num = num_trials(task)
    wanted = {"inputs": (steps, num_in), "targets": (steps, num_out), "mask": (steps, num_out)}
    for name, shape in wanted.items():
        array = getattr(trials, name)
        require(array.shape == (num, *shape), f"{name}: {array.shape[1:]}, expected {shape}")
        require(array.dtype == np.float32, f"{name}: {array.dtype}, expected float32")
        require(np.isfinite(array).all(), f"{name} is not finite")
    require(trials.valid.shape == (num, steps), f"valid: {trials.valid.shape[1:]}, expected {(steps,)}")
    require(trials.valid.dtype == np.bool_, f"valid: {trials.valid.dtype}, expected bool")
    require(
        set(trials.epochs) == set(task.epoch_names),
        f"epochs of a trial: {sorted(trials.epochs)}, expected {sorted(task.epoch_names)}",
    )
    require(
        set(trials.conditions) == set(task.condition_names),
        f"conditions of a trial: {sorted(trials.conditions)}, expected {sorted(task.condition_names)}",
    )
    require(
        all(edge.dtype == np.float32 for pair in trials.epochs.values() for edge in pair),
        "expected edges of epochs in float32",
    )
    for name, value in trials.conditions.items():
        require(value.shape == (num,), f"condition {name} is no scalar")
        require(value.dtype in (np.float32, np.int32, np.bool_), f"condition {name}: {value.dtype}")
    for names in (task.input_names, task.output_names, task.epoch_names, task.condition_names):
        require(len(set(names)) == len(names), f"names repeat: {names}")
    require(task.time.shape == (steps,), f"time: {task.time.shape}, expected {(steps,)}")
    require(
        task.time[0] == task.dt / 2,
        f"time begins at {task.time[0]}, expected the middle of the first bin, {task.dt / 2}",
    )
    require(
        steps == np.ceil(task.duration / task.dt - 1e-6),
        f"num_steps: {steps}, expected duration / dt rounded up",
    )
    require(
        scores["ideal"]["correct"].dtype == np.bool_,
        f"score correct: {scores['ideal']['correct'].dtype}, expected bool",
    )
    require(
        all(score.shape == (num,) for score in scores["ideal"].values()),
        "expected every score to be one number a trial",
    )


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
    require(error.max() <= 0.01 * np.ptp(coarse.targets), f"targets differ by {error.max():.3g}")
    if task.noise:
        noise = noisy.inputs.astype(float) - coarse.inputs
        valid = coarse.valid[..., None]
        expected = task.noise * np.sqrt(200 / task.dt)
        spread = np.sqrt((noise**2).sum() / (valid.sum() * noise.shape[-1]))
        require(abs(spread / expected - 1) < 0.025, f"noise SD {spread:.4g}, expected {expected:.4g}")
        require(not (noise * ~valid).any(), "noise on padding")
        neighbours = (noise[:, 1:] * noise[:, :-1]).sum() / (noise**2).sum()
        require(abs(neighbours) < 0.02, f"neighbouring samples correlate: {neighbours:.3g}")


def _paired(array: np.ndarray, num_steps: int) -> np.ndarray:
    missing = 2 * num_steps - array.shape[1]
    padded = np.pad(array, ((0, 0), (0, missing), (0, 0)))
    return padded.reshape(len(array), num_steps, 2, -1).mean(2)


def repeats(task: Task) -> None:
    """3. Same key, same trial, bit for bit; other purposes and updates give others. No global state."""
    first, draw, num = sample(task).trials, sample(task).draw, num_trials(task)
    again, others = num // 2, (num - num // 2) // 2
    streams = (keys_of(num)[:again], keys_of(others, "validation"), keys_of(num - again - others, update=1))
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(1)  # noqa: NPY002
    try:
        drawn = jax.tree.map(np.asarray, draw(jnp.concatenate(streams))[0])
    finally:
        np.random.set_state(state)  # noqa: NPY002
    jax.tree.map(lambda old, new: np.testing.assert_array_equal(old[:again], new[:again]), first, drawn)
    for begin, end in ((again, again + others), (again + others, num)):
        same = np.array_equal(first.inputs[: end - begin], drawn.inputs[begin:end])
        require(not same, "other keys give the same trials")
    require(not np.array_equal(first.inputs[::2], first.inputs[1::2]), "all trials are one")


def masks(task: Task) -> None:
    """4. The mask is finite, not negative, positive somewhere; nothing is on padding."""
    trials = sample(task).trials
    require(np.isfinite(trials.mask).all(), "the mask is not finite")
    require((trials.mask >= 0).all(), "the mask is negative somewhere")
    require((trials.mask.sum((1, 2)) > 0).all(), "a trial bears no loss")
    padding = ~trials.valid[..., None]
    for name in ("inputs", "targets", "mask"):
        require(not (getattr(trials, name) * padding).any(), f"{name} on padding")


def ideal(task: Task) -> None:
    """5. A perfect subject is always right; its produced intervals are within 0.1 dt."""
    trials, scores = sample(task)[:2]
    require(scores["ideal"]["correct"].all(), f"ideal: {scores['ideal']['correct'].mean():.4f} correct")
    if "produced_interval" in scores["ideal"]:
        asked = ~trials.conditions["catch"]
        error = scores["ideal"]["produced_interval"] - trials.conditions["target_interval"]
        require(np.abs(error[asked]).max() <= 0.1 * task.dt, f"off by {np.abs(error[asked]).max():.3g} ms")


def silent(task: Task) -> None:
    """6. Zero outputs give ``silent_score``; NaN outputs are never correct."""
    scores, expected = sample(task).scores, task.silent_score
    found = scores["silent"]["correct"].mean()
    error = np.sqrt(expected * (1 - expected) / len(scores["silent"]["correct"]))
    require(abs(found - expected) <= 4 * error, f"silent: {found:.4f}, expected {expected:.4f}")
    require(not scores["broken"]["correct"].any(), "NaN outputs are called correct")


def epochs(task: Task) -> None:
    """7. Epochs are ordered by onset and within the trial; absent ones are NaN."""
    trials = sample(task).trials
    start, end = trials.epochs["trial"]
    require(task.epoch_names[0] == "trial", f"the first epoch is {task.epoch_names[0]!r}, expected trial")
    require((start == 0).all(), "the epoch trial does not begin at 0")
    require(
        end.max() <= task.duration * (1 + EPS),
        f"a trial ends at {end.max()} ms, after its duration of {task.duration}",
    )
    onsets = np.stack([trials.epochs[name][0] for name in task.epoch_names])
    for name in task.epoch_names:
        onset, offset = trials.epochs[name]
        absent = np.isnan(onset)
        np.testing.assert_array_equal(absent, np.isnan(offset), err_msg=name)
        good = (onset >= 0) & (onset <= offset) & (offset <= end)
        require((good | absent).all(), f"epoch {name} leaves the trial")
    latest = np.fmax.accumulate(onsets, axis=0)
    require(not (onsets < latest).any(), "epochs are not in the order of their onsets")


def late(task: Task) -> None:
    """9. Produced intervals are unbiased: outputs one bin later are produced dt later."""
    trials, scores = sample(task)[:2]
    if "produced_interval" not in scores["ideal"]:
        return
    asked = ~trials.conditions["catch"]
    shift = (scores["late"]["produced_interval"] - scores["ideal"]["produced_interval"])[asked]
    np.testing.assert_allclose(shift, task.dt, atol=float(8 * EPS * task.duration + 1e-4 * task.dt))


def traces(task: Task) -> None:
    """10. ``jit(vmap(trial))`` traces once for any keys."""
    drawn = sample(task)
    drawn.draw(keys_of(num_trials(task), "test"))
    require(len(drawn.traces) == 1, f"traced {len(drawn.traces)} times")


def declarations(task: Task) -> None:
    """11. Signature and criteria name what there is; a perfect subject meets those on scores."""
    trials, scores = sample(task)[:2]
    there = {**trials.conditions, **scores["ideal"]}
    for argument, name in task.signature.variables:
        require(name in there, f"signature: {argument} = {name!r} is neither a score nor a condition")
    require(
        isinstance(task.criterion, tuple), f"criterion: {type(task.criterion).__name__}, expected a tuple"
    )
    require(task.criterion, "criterion: empty, expected at least one Criterion")
    for wanted in task.criterion:
        if wanted.measure in scores["ideal"]:
            for subject, learned in (("ideal", True), ("broken", False)):
                value = wanted.value(scores[subject], trials.conditions, {})
                require(wanted.met(value) == learned, f"{wanted.measure}: {subject} subject has {value:.3g}")
        else:
            require(wanted.measure in task.signature.parameters, f"criterion on unknown {wanted.measure!r}")


def harder(task: Task) -> None:
    """12. Every value of the hardest parameter gives a task with the same channels."""
    if task.hardest is None:
        return
    made = [dataclasses.replace(task, **{task.hardest.field: value}) for value in task.hardest.values]
    for other, value in zip(made, task.hardest.values, strict=True):
        for names in ("input_names", "output_names", "dt"):
            require(
                getattr(other, names) == getattr(task, names),
                f"hardest: {task.hardest.field} {value!r} gives other {names}",
            )


def round_trip(task: Task) -> None:
    """13. Written as JSON and read back, the task is equal, and so is its hash."""
    again = config.decode(config.encode(task))
    require(again == task, f"read back: {again}, expected {task}")
    require(hash(again) == hash(task), "read back, the task has another hash")
    require(
        config.canonical(again) == config.canonical(task),
        "read back, the task is written otherwise",
    )


BATTERY: tuple[Callable[..., None], ...] = (
    shapes, bins, repeats, masks, ideal, silent, epochs, conditions, late, traces, declarations, harder,
    round_trip,
)  # fmt: skip
CONSTRUCTOR_BATTERY: tuple[Callable[..., None], ...] = (shapes, ideal, silent, harder, round_trip)
