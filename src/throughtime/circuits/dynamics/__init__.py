"""What one neuron does with its drive."""

from throughtime.circuits.dynamics.adaptive import Adaptive
from throughtime.circuits.dynamics.base import Dynamics, Equations, NumpyStep
from throughtime.circuits.dynamics.gru import GRU
from throughtime.circuits.dynamics.leaky import Leaky
from throughtime.circuits.dynamics.lstm import LSTM
from throughtime.circuits.dynamics.short_term_plasticity import ShortTermPlasticity

__all__ = ["GRU", "LSTM", "Adaptive", "Dynamics", "Equations", "Leaky", "NumpyStep", "ShortTermPlasticity"]
