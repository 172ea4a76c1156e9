"""
The same rates in Brian2
========================

A circuit is a set of differential equations too. Brian2 reads them as text, knows nothing of how the circuit
was computed here, and gives the same rates.
"""

# %%
# A leaky circuit with random weights and a pulse as input.
import jax
import numpy as np

import throughtime as tt
from throughtime.circuits import Dense, Leaky
from throughtime.plotting import style

circuit = tt.circuits.Circuit(
    num_inputs=1, num_units=24, num_outputs=1, dt=5.0, dynamics=Leaky(tau=50.0), recurrent=Dense(gain=1.6)
)
params = circuit.init(key=jax.random.key(0))
inputs = np.zeros((80, 1))
inputs[10:20] = 2.0
ours = circuit.run(params, inputs)

# %%
# ``tt.spiking.source`` prints the program that Brian2 runs.
theirs = tt.spiking.replicate(circuit, params, inputs)
text = tt.spiking.source(circuit)
print(text[text.index("UNITS") : text.index("def run")])

# %%
# Lines are the rates computed here, circles every fourth step of those that Brian2 computed.
time = (np.arange(80) + 0.5) * circuit.dt
with style.context():
    page = style.figure(style.COLUMN_MM * 1.2, 60.0)
    ax = page.subplots()
    for unit, color in enumerate(style.CATEGORICAL[:5]):
        lines = ax.plot(time, ours.rates[:, unit], color=color, lw=0.8)
        circles = ax.plot(time[::4], theirs.rates[::4, unit], "o", color=color, ms=2.5, mfc="none")
    ax.legend([*lines, *circles], ["here", "Brian2"])
    ax.set(xlabel="time (ms)", ylabel="rate")
