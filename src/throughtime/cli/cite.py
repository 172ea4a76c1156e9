"""``throughtime cite``: BibTeX of what results were made with."""

from __future__ import annotations

from typing import TYPE_CHECKING

import throughtime.runtime  # noqa: F401  (settings JAX reads when it is imported)
from throughtime import references

if TYPE_CHECKING:
    from throughtime.cli.options import Cite


def cite(options: Cite) -> int:
    """Print the entries.

    Raises:
        ValueError: for what is no results file and no folder of a study.
    """
    print(references.citation(*options.results))
    return 0
