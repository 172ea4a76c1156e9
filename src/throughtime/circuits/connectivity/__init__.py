"""Who is connected to whom, and under which constraints."""

from throughtime.circuits.connectivity.base import Connectivity
from throughtime.circuits.connectivity.dale import Dale
from throughtime.circuits.connectivity.dense import Dense
from throughtime.circuits.connectivity.low_rank import LowRank
from throughtime.circuits.connectivity.multi_region import MultiRegion
from throughtime.circuits.connectivity.sparse import Sparse

__all__ = ["Connectivity", "Dale", "Dense", "LowRank", "MultiRegion", "Sparse"]
