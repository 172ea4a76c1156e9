"""
Where learning rules point
==========================

Every rule gives a gradient at the same weights on the same trials. Its cosine with the exact gradient tells
how much of the way down it points; the readout is next to the error, so there most rules are exact.
"""

# %%
# Rules are names, or pairs of a label and a rule with its options. ``draws`` repeats those that contain
# chance.
import jax

import throughtime as tt
from throughtime.plotting import style

task = tt.tasks.make("cue-set-go", dt=50.0)
circuit = tt.circuits.for_task(task, num_units=16)
params = circuit.init(key=jax.random.key(0))
trials = jax.vmap(task.trial)(jax.random.split(jax.random.key(1), 8))
rules = [
    "snap",
    ("eprop-symmetric", "eprop"),
    ("eprop-random", tt.rules.make("eprop", feedback="random")),
    "feedback-alignment",
    "random-transport",
    "node-perturbation",
]
found = tt.compare_gradients(circuit, params, trials, rules, key=jax.random.key(2), draws=8)

# %%
# One row a rule, and one point for each block of parameters. Of node perturbation these are means of eight
# draws, each of which points almost anywhere.
blocks = tt.results.labels(found["block"])
with style.context():
    page = style.figure(style.COLUMN_MM * 1.3, 70.0)
    ax = page.subplots()
    shown = {"recurrent": style.BLUE, "input": style.VERMILLION, "readout": style.GREEN}
    for (block, colour), marker in zip(shown.items(), "osD", strict=True):
        cosine = found["cosine"].isel(block=blocks.index(block))
        ax.plot(cosine, range(cosine.sizes["rule"]), marker, color=colour, label=f"{block} weights")
    ax.set_yticks(range(found.sizes["rule"]), tt.results.labels(found["rule"]))
    ax.invert_yaxis()
    ax.axvline(0.0, color=style.GREY, lw=0.6)
    ax.set(xlim=(-0.4, 1.05), xlabel="cosine with the exact gradient")
    ax.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=3, handletextpad=0.1, columnspacing=1.0)
