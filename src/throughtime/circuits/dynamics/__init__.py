"""What one neuron does with its drive."""

from throughtime.circuits.dynamics.base import Dynamics
from throughtime.circuits.dynamics.leaky import Leaky

__all__ = ["Dynamics", "Leaky"]
