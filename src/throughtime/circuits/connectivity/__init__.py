"""Who is connected to whom, and under which constraints."""

from throughtime.circuits.connectivity.base import Connectivity
from throughtime.circuits.connectivity.dense import Dense

__all__ = ["Connectivity", "Dense"]
