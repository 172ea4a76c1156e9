"""
Gradients that vanish or explode
================================

The sensitivity of the last state to an earlier one shrinks or grows by about the same factor at every step
between them. In leaky units the gain of the recurrent weights and the time constant decide which; the forget
gate of an LSTM keeps it near one.
"""

# %%
# No training is needed: the norms are those of circuits as they are drawn.
import jax
import numpy as np
import xarray as xr

import throughtime as tt
from throughtime.circuits import LSTM, Dense, Leaky
from throughtime.plotting import style

dt, num_steps = 20.0, 100
kinds = {
    "no leak, gain 0.7": (Leaky(tau=dt), Dense(gain=0.7)),
    "no leak, gain 3": (Leaky(tau=dt), Dense(gain=3.0)),
    "τ = 10 steps, gain 0.7": (Leaky(tau=10 * dt), Dense(gain=0.7)),
    "LSTM, chrono": (LSTM(chrono=num_steps), Dense(gain=1.0)),
}
inputs = xr.DataArray(
    0.1 * np.random.default_rng(0).normal(size=(8, num_steps, 1)),
    dims=("trial", "time", "input"),
    coords={"time": (np.arange(num_steps) + 0.5) * dt},
)


def last_state(states):
    """A loss that hangs on the last state alone."""
    return sum((values[-1] ** 2).sum() for values in states.values())


norms = {}
for label, (dynamics, recurrent) in kinds.items():
    circuit = tt.circuits.Circuit(
        num_inputs=1, num_units=32, num_outputs=1, dt=dt, dynamics=dynamics, recurrent=recurrent
    )
    found = tt.analysis.gradient_norms(circuit, circuit.init(key=jax.random.key(0)), inputs, last_state)
    norms[label] = found["jacobian_norm"].median("trial")

# %%
# On a logarithmic axis a constant factor a step is a straight line.
with style.context():
    page = style.figure(style.COLUMN_MM * 1.2, 60.0)
    ax = page.subplots()
    lines = zip(norms.items(), style.CATEGORICAL, ("-", "--", "-.", ":"), strict=False)
    for (label, norm), color, line in lines:
        ax.plot(norm["lag"], norm, line, color=color, label=label)
    ax.set(
        yscale="log", ylim=(1e-10, 1e10), xlabel="lag (ms)", ylabel="norm of the Jacobian\nto the last state"
    )
    ax.legend(loc="lower left", fontsize=6)
