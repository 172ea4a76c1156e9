"""Results that never saw a circuit: plausible activity to draw figures from."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import xarray as xr


def _flags(names: Sequence[str]) -> dict:
    codes = list(range(len(names)))
    return {"flag_values": codes if len(codes) > 1 else 0, "flag_meanings": " ".join(names), "units": "1"}


def _coordinates(time, inputs, outputs, epochs, num_seeds, num_trials, num_units) -> dict:
    return {
        "seed": ("seed", np.arange(num_seeds), {"units": "1", "long_name": "seed"}),
        "trial": ("trial", np.arange(num_trials), {"units": "1", "long_name": "trial"}),
        "time": ("time", time, {"units": "ms", "long_name": "time"}),
        "unit": ("unit", np.arange(num_units), {"units": "1", "long_name": "unit"}),
        "input": ("input", np.arange(len(inputs)), _flags(inputs)),
        "output": ("output", np.arange(len(outputs)), _flags(outputs)),
        "epoch": ("epoch", np.arange(len(epochs)), _flags(epochs)),
    }


def training(generator, num_seeds: int, *, floor: float, diverge: bool = True) -> xr.Dataset:
    """Falling losses; one seed diverges, one exhausts its budget, the others reach the criterion."""
    update = np.arange(1, 61) * 25
    rate = 1 / generator.uniform(150, 350, num_seeds)[:, None]
    drop = np.exp(-update * rate)
    loss = (floor + (0.4 - floor) * drop) * np.exp(0.12 * generator.standard_normal(drop.shape))
    score = np.where(
        np.arange(60) % 2 == 1, 1 - 0.5 * drop + 0.01 * generator.standard_normal(drop.shape), np.nan
    )
    status = np.zeros(num_seeds, np.int8)
    first = np.nanargmax(np.where(np.isnan(score), -1, score) >= 0.95, axis=1)
    criterion = update[first]
    diverged = np.full(num_seeds, -1)
    for s in range(num_seeds):
        loss[s, first[s] + 1 :] = score[s, first[s] + 1 :] = np.nan
    if diverge and num_seeds > 2:
        status[-1], criterion[-1], diverged[-1] = 2, -1, update[20]
        loss[-1, 18:20] = [0.6, 3.0]
        loss[-1, 20:] = score[-1, 20:] = np.nan
    series = {"loss": loss, "score": np.clip(score, 0, 1)}
    return xr.Dataset(
        {k: (("seed", "update"), v, {"units": "1", "long_name": k}) for k, v in series.items()}
        | {
            "status": ("seed", status, {"units": "1", "long_name": "how training ended"}),
            "criterion_update": ("seed", criterion, {"units": "1", "long_name": "criterion"}),
            "diverged_update": ("seed", diverged, {"units": "1", "long_name": "diverged"}),
        },
        coords={
            "seed": ("seed", np.arange(num_seeds), {"units": "1"}),
            "update": ("update", update, {"units": "1", "long_name": "update"}),
        },
        attrs={},
    )


def _smooth(x: np.ndarray, tau: float, dt: float) -> np.ndarray:
    out, state = np.empty_like(x), np.zeros_like(x[..., 0, :])
    for k in range(x.shape[-2]):
        state = state + dt / tau * (x[..., k, :] - state)
        out[..., k, :] = state
    return out


def working_memory(num_seeds: int = 3, num_trials: int = 128, num_units: int = 40) -> xr.DataTree:
    """Delayed match to sample with stimulus-selective, slowly changing delay activity."""
    g = np.random.default_rng(1)
    dt, num_steps = 20.0, 255
    time = (np.arange(num_steps) + 0.5) * dt
    shape = (num_seeds, num_trials)
    sample, test = g.integers(0, 2, shape), g.integers(0, 2, shape)
    delay = g.uniform(500, 3000, shape)
    match = sample == test
    onset = np.stack([0 * delay, 100 + 0 * delay, 600 + 0 * delay, 600 + delay, 1100 + delay], -1)
    offset = np.concatenate([onset[..., 1:], onset[..., -1:] + 1000], -1)
    names = ["fixation", "sample", "delay", "test", "response"]
    onset = np.concatenate([0 * onset[..., :1], onset], -1)
    offset = np.concatenate([offset[..., -1:], offset], -1)

    def during(name):
        e = ["trial", *names].index(name)
        return ((time >= onset[..., e, None]) & (time < offset[..., e, None])).astype(float)

    valid = during("trial") > 0
    inputs = np.zeros((*shape, num_steps, 2))
    for which, epoch in ((sample, "sample"), (test, "test")):
        for channel in (0, 1):
            inputs[..., channel] += during(epoch) * (which == channel)[..., None]
    memory = during("sample") + during("delay") + during("test")
    sign = (2 * sample - 1)[..., None]
    test_drive = during("test") * (2 * test - 1)[..., None]
    decision = during("response") * (2 * match - 1)[..., None]
    since = np.clip(time - onset[..., 2, None], 0, None)
    latent = np.stack(
        [
            during("sample") * sign,
            memory * sign,
            memory * np.exp(-since / 700),
            memory * (1 - np.exp(-since / 1500)),
            test_drive,
            decision,
            during("response"),
        ],
        -1,
    )
    weights = (
        g.standard_normal((num_seeds, 7, num_units)) * np.array([0.7, 0.9, 0.8, 0.6, 0.8, 0.7, 0.5])[:, None]
    )
    drive = np.einsum("sktl,slu->sktu", latent, weights)
    rates = np.tanh(_smooth(drive, 80.0, dt)) + 0.03 * g.standard_normal((*shape, num_steps, num_units))
    lapse = g.random(shape) < 0.02 + 0.10 * np.clip((delay - 1800) / 1200, 0, 1)
    choice = np.where(lapse, ~match, match)
    noise = 0.04 * g.standard_normal((*shape, num_steps))
    output = _smooth((during("response") * (2 * choice - 1)[..., None])[..., None], 60.0, dt)[..., 0] + noise
    for array in (inputs, rates):
        array *= valid[..., None]
    sk = ("seed", "trial")
    evaluation = xr.Dataset(
        {
            "inputs": ((*sk, "time", "input"), inputs.astype("f4"), {"units": "1", "long_name": "input"}),
            "targets": ((*sk, "time", "output"), decision[..., None].astype("f4"), {"units": "1"}),
            "mask": ((*sk, "time", "output"), during("response")[..., None].astype("f4"), {"units": "1"}),
            "valid": ((*sk, "time"), valid.astype("i1"), {"units": "1"}),
            "outputs": (
                (*sk, "time", "output"),
                output[..., None].astype("f4"),
                {"units": "1", "long_name": "output"},
            ),
            "rates": ((*sk, "time", "unit"), rates.astype("f4"), {"units": "1", "long_name": "rate"}),
            "epoch_onset": ((*sk, "epoch"), onset, {"units": "ms"}),
            "epoch_offset": ((*sk, "epoch"), offset, {"units": "ms"}),
            "sample": (sk, sample, {"units": "1", "long_name": "sample"}),
            "test": (sk, test, {"units": "1", "long_name": "test"}),
            "delay": (sk, delay, {"units": "ms", "long_name": "delay"}),
            "match": (sk, match.astype("i1"), {"units": "1", "long_name": "match"}),
        },
        coords=_coordinates(
            time, ["stimulus_a", "stimulus_b"], ["choice"], ["trial", *names], *shape, num_units
        ),
    )
    behaviour = xr.Dataset(
        {
            "choice": (sk, choice.astype("i1"), {"units": "1"}),
            "correct": (sk, (choice == match).astype("i1"), {"units": "1", "long_name": "correct"}),
        },
        coords={name: evaluation[name] for name in sk},
    )
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"task": "delayed-match-to-sample", "rule": "bptt"}),
            "/training": training(g, num_seeds, floor=0.01),
            "/evaluation": evaluation,
            "/behaviour": behaviour,
        }
    )


def timing(num_seeds: int = 3, num_trials: int = 128, num_units: int = 40) -> xr.DataTree:
    """Cue-Set-Go with units that stretch, a few that keep absolute time, and scalar variability."""
    g = np.random.default_rng(2)
    dt, num_steps = 20.0, 118
    time = (np.arange(num_steps) + 0.5) * dt
    shape = (num_seeds, num_trials)
    interval = g.uniform(400, 1400, shape)
    cue = 0.2 + 0.3 * (interval - 400) / 1000
    onset_set = g.uniform(150, 250, shape)
    gain = 1 + 0.04 * g.standard_normal(shape)
    length = (0.94 * interval + 45) * gain + 8 * g.standard_normal(shape)
    produced = np.where(g.random(shape) < 0.02, np.nan, length)
    since = time - onset_set[..., None]
    phase = np.clip(since / length[..., None], 0, 1.2)
    goal = np.where(since > 0, np.clip(since / interval[..., None], 0, 1.2), 0)
    end = onset_set + 1.2 * interval + 300
    valid = time < end[..., None]
    inputs = np.stack([cue[..., None] + 0 * time, ((since > -dt / 2) & (since < 60)).astype(float)], -1)
    centre = g.uniform(-0.2, 1.2, (num_seeds, num_units))
    width = g.uniform(0.15, 0.6, (num_seeds, num_units))
    height = g.choice([-1, 1], (num_seeds, num_units)) * g.uniform(0.3, 1.0, (num_seeds, num_units))
    at = (phase[..., None] - centre[:, None, None]) / width[:, None, None]
    rates = height[:, None, None] * np.tanh(at)
    absolute = np.arange(num_units) % 8 == 7
    early = np.exp(-(((since[..., None] - 150) / 120) ** 2))
    rates = np.where(absolute, height[:, None, None] * early, rates)
    rates = _smooth(rates, 40.0, dt) + 0.03 * g.standard_normal(rates.shape)
    rates += 0.4 * (cue[..., None, None] - 0.35) * height[:, None, None]
    output = np.where(since > 0, phase, 0) + 0.02 * g.standard_normal(phase.shape)
    names = ["trial", "wait", "set", "production"]
    onset = np.stack([0 * interval, 0 * interval, onset_set, onset_set], -1)
    offset = np.stack([end, onset_set, onset_set + 60, onset_set + interval], -1)
    sk = ("seed", "trial")
    evaluation = xr.Dataset(
        {
            "inputs": ((*sk, "time", "input"), inputs.astype("f4"), {"units": "1", "long_name": "input"}),
            "targets": ((*sk, "time", "output"), goal[..., None].astype("f4"), {"units": "1"}),
            "mask": ((*sk, "time", "output"), valid[..., None].astype("f4"), {"units": "1"}),
            "valid": ((*sk, "time"), valid.astype("i1"), {"units": "1"}),
            "outputs": (
                (*sk, "time", "output"),
                output[..., None].astype("f4"),
                {"units": "1", "long_name": "output"},
            ),
            "rates": ((*sk, "time", "unit"), rates.astype("f4"), {"units": "1", "long_name": "rate"}),
            "epoch_onset": ((*sk, "epoch"), onset, {"units": "ms"}),
            "epoch_offset": ((*sk, "epoch"), offset, {"units": "ms"}),
            "interval": (sk, interval, {"units": "ms", "long_name": "interval"}),
            "cue": (sk, cue, {"units": "1", "long_name": "cue"}),
        },
        coords=_coordinates(time, ["cue", "set"], ["production"], names, *shape, num_units),
    )
    error = np.abs(produced - interval) / interval
    behaviour = xr.Dataset(
        {
            "produced_interval": (sk, produced, {"units": "ms", "long_name": "produced interval"}),
            "correct": (sk, (error < 0.15).astype("i1"), {"units": "1", "long_name": "correct"}),
        },
        coords={name: evaluation[name] for name in sk},
    )
    return xr.DataTree.from_dict(
        {
            "/": xr.Dataset(attrs={"task": "cue-set-go", "rule": "bptt"}),
            "/training": training(g, num_seeds, floor=0.002),
            "/evaluation": evaluation,
            "/behaviour": behaviour,
        }
    )
