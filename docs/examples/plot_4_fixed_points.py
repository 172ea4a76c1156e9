"""
Fixed points of a memory
========================

Two bits, each set and reset by pulses of its own, are held in four states where the trained circuit stands
still. Between them lie points that are unstable, which decide where a pulse leads.
"""

# %%
# A circuit learns to hold two bits.
import numpy as np
import xarray as xr

import throughtime as tt
from throughtime.plotting import style

task = tt.tasks.make("flip-flop", bits=2, pulse_probability=0.2)
circuit = tt.circuits.for_task(task, num_units=32, dynamics=tt.circuits.Leaky(tau=40.0))
run = tt.train(
    task,
    circuit,
    "bptt",
    num_updates=600,
    batch_size=32,
    learning_rate=5e-3,
    clip=1.0,
    eval_every=50,
    test_trials=32,
)
print(run.summary())

# %%
# The noise-free step of the circuit without input is searched for states that it leaves where they are, from
# states near those that held-out trials went through.
data = run.tree["evaluation"].to_dataset().isel(seed=0)
states = data["states"].isel(state=0)  # leaky units have one variable
visited = states.transpose("trial", "time", "unit").values.reshape(-1, circuit.num_units)
rng = np.random.default_rng(0)
near = visited[rng.choice(len(visited), 256, replace=False)] + 0.5 * rng.normal(size=(256, circuit.num_units))
step = tt.analysis.circuit_step(circuit, run.params(0))
found = tt.analysis.fixed_points(
    step.step,
    xr.DataArray(near, dims=("start", "state")),
    alpha=step.alpha,
    inputs=xr.DataArray(np.zeros(2), dims="input"),
)
number, counts = np.unique(found["n_unstable"].values, return_counts=True)
print("points by number of unstable directions:", dict(zip(number.tolist(), counts.tolist(), strict=True)))

# %%
# Trajectories of held-out trials in grey, on their first two principal components. The four stable points are
# the four contents of the memory.
principal = tt.analysis.pca(states.astype(float), num_components=2)
with style.context():
    page = style.figure(style.COLUMN_MM, 75.0)
    tt.plotting.fixed_points(found, page.subplots(), principal=principal)
