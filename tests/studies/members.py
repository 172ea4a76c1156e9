"""Members that a user's module might define, one of which cannot work."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.studies import constants
from throughtime.rules import BPTT


@dataclass(frozen=True)
class Breaks(BPTT):
    """Raises when it is traced, with a path of this machine in its message."""

    def gradient(self, *args: Any, **options: Any) -> Any:
        """No gradient."""
        raise RuntimeError(f"no gradient today, see {constants.PLACE}")


@dataclass(frozen=True)
class Same(BPTT):
    """Backpropagation through time under another name."""
