"""What to cite: the publications that tasks, rules, parts of circuits and analyses rest on.

The bibliography is ``references.bib``. Which of its entries a member rests on is read off the source that its
docstring names, by authors and year, so that neither is written twice; see
:mod:`throughtime.references.sources`.
"""

from throughtime.references.bibliography import Entry, Mention, bibliography, mentions
from throughtime.references.citing import citation
from throughtime.references.sources import keys_of, keys_of_analysis, source_of

__all__ = [
    "Entry",
    "Mention",
    "bibliography",
    "citation",
    "keys_of",
    "keys_of_analysis",
    "mentions",
    "source_of",
]
