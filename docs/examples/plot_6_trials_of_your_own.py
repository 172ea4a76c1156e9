"""
Trials of your own
==================

Trials that were recorded, or made by any other program, become a task: arrays of inputs and targets, of
unequal length if need be. Here the target is the running sum of clicks on two sides.
"""

# %%
# 200 trials of 40 to 80 bins; what is known of each trial becomes a condition.
import numpy as np

import throughtime as tt
from throughtime.plotting import style

rng = np.random.default_rng(0)
lengths = rng.integers(40, 80, 200)
rates = rng.choice([0.05, 0.15, 0.25], 200)
clicks = [rng.uniform(size=(n, 2)) < (rate, 0.3 - rate) for n, rate in zip(lengths, rates, strict=True)]
inputs = [each.astype(float) for each in clicks]
targets = [(each[:, :1] - each[:, 1:]).cumsum(0) / 10 for each in inputs]
task = tt.tasks.from_arrays(
    inputs,
    targets,
    dt=20.0,
    conditions={"left_rate": rates},
    input_names=("left", "right"),
    output_names=("sum",),
)
seen, unseen = task.split(held_out=0.25)
circuit = tt.circuits.for_task(seen, num_units=32)
run = tt.train(
    seen, circuit, "bptt", num_updates=300, batch_size=16, learning_rate=3e-3, eval_every=25, test_trials=0
)
print(run.summary())

# %%
# Trials that training has not seen are a task of their own.
data = tt.evaluate(run, num_trials=50, task=unseen).isel(seed=0)
print("normalised squared error:", round(float(data["nmse"].mean()), 3))
with style.context():
    page = style.figure(style.PAGE_MM, 45.0)
    axes = page.subplots(1, 3, sharey=True)
    for ax, trial in zip(axes, (0, 1, 2), strict=True):
        one = data.isel(trial=trial, output=0)
        one = one.isel(time=one["valid"].values.astype(bool))
        ax.plot(one["time"], one["targets"], color=style.INK, lw=1.6, alpha=0.4, label="target")
        ax.plot(one["time"], one["outputs"], color=style.VERMILLION, ls="--", label="output")
        ax.set(xlabel="time (ms)")
    axes[0].set(ylabel="sum of clicks / 10")
    axes[0].legend()
