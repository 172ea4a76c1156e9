"""The report of a study: one self-contained page that needs no network.

:func:`render` makes it from the combined record alone, :func:`write` puts it into the study's folder.
"""

from __future__ import annotations

from throughtime.studies.report.page import render
from throughtime.studies.report.write import write

__all__ = ["render", "write"]
