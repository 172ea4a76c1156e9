"""
Train a circuit and look
========================

A circuit learns to produce the interval that a cue asks for. What it learned is in its record: the curves of
training, held-out trials, and the interval it produces against the one that was asked for.
"""

# %%
# Task, circuit and rule are three objects. Times are in ms; two seeds are trained side by side.
import throughtime as tt
from throughtime.plotting import style

task = tt.tasks.make("cue-set-go", dt=40.0)
circuit = tt.circuits.for_task(task, num_units=64, noise=0.05)
run = tt.train(
    task, circuit, "bptt", seeds=range(2), num_updates=400, batch_size=32, learning_rate=3e-3, eval_every=20,
    test_trials=256,
)  # fmt: skip
print(run.summary())

# %%
# The group ``/evaluation`` holds 256 trials of each seed that training has not seen. An analysis takes named
# arrays from it, and a panel draws what the analysis returns.
data = run.tree["evaluation"].to_dataset()
timing = tt.analysis.timing(data["target_interval"], data["produced_interval"])
print("slope of produced on asked interval:", timing["slope"].values.round(2))

with style.context():
    page = style.figure(style.PAGE_MM, 60.0)
    left, right = page.subfigures(1, 2)
    tt.plotting.learning_curve(run.tree["training"].to_dataset(), left.subplots())
    tt.plotting.produced_interval(timing, right.subplots())
    style.heading(left, "a", "Training")
    style.heading(right, "b", "What was learned")
