"""The one kind of error this room raises."""

from __future__ import annotations


class ResultsError(ValueError):
    """A results file or tree is not what it should be; the message says what to do."""
