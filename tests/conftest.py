"""Settings every test process starts with: two CPU devices, and the compilation cache of this machine."""

from __future__ import annotations

import os

os.environ.setdefault("THROUGHTIME_CORES", "2")
os.environ.setdefault("MPLBACKEND", "Agg")
