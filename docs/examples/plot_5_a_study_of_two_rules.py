"""
A study of two rules
====================

Backpropagation through time and RFLO train the same circuits: same initial weights, same trials, same
optimiser. A study declares what is trained; its folder keeps one file a run and goes on where it was
interrupted.
"""

# %%
# The folder of this example is a temporary one. A study of weeks is declared in the same way and run on as
# many machines as there are.
import tempfile

import throughtime as tt
from throughtime.plotting import style

study = tt.Study(
    "two-rules",
    tasks={"cue-set-go": tt.tasks.make("cue-set-go", dt=50.0)},
    circuits={"leaky": {"num_units": 24, "noise": 0.05}},
    rules=["bptt", "rflo"],
    seeds=6,
    training={"num_updates": 120, "batch_size": 16, "learning_rate": 3e-3, "eval_every": 20},
    test_trials=4,
)
with tempfile.TemporaryDirectory() as folder:
    study.run(folder, scheduler="serial", progress=False)
    record = tt.studies.combine(folder).load()

# %%
# Rules are compared seed by seed, with the exact gradient as the reference. Six seeds are the fewest that an
# exact test can work with.
print(tt.studies.table(record, num_resamples=999))

# %%
# A thin line a seed, a thick one for the median.
curves = record["curves"].to_dataset().isel(task=0, circuit=0, option=0)
with style.context():
    page = style.figure(style.COLUMN_MM * 1.2, 60.0)
    ax = page.subplots()
    colours = (style.INK, style.VERMILLION)
    for index, name in enumerate(tt.results.labels(curves["rule"])):
        loss = curves["loss"].isel(rule=index).dropna("update", how="all")
        ax.plot(loss["update"], loss.transpose("update", "seed"), color=colours[index], lw=0.4, alpha=0.5)
        ax.plot(
            loss["update"], loss.median("seed"), "-" if index == 0 else "--", color=colours[index], label=name
        )
    ax.set(yscale="log", xlabel="update", ylabel="loss")
    ax.legend()
