"""What the tasks demand, as measured: written from ``evidence/tasks.nc`` by ``experiments/evidence.py``.

For every value of ``task.hardest``: ceiling, whether untrained circuits pass, whether trained ones do.
"""

from throughtime.tasks.hardest import Measured

# fmt: off
MEASURED: dict[str, tuple[Measured, ...]] = {
}
