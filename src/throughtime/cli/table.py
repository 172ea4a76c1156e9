"""``throughtime table``: the outcomes of a study, for a terminal, a spreadsheet or a paper."""

from __future__ import annotations

from typing import TYPE_CHECKING

import throughtime.runtime  # noqa: F401  (settings JAX reads when it is imported)
from throughtime import atomic, studies
from throughtime.cli import output
from throughtime.cli.errors import Refusal
from throughtime.studies.combine import open_record

if TYPE_CHECKING:
    from throughtime.cli.study_options import Table


def table(options: Table) -> int:
    """Print the table, or write it and print where it is.

    Raises:
        Refusal, ValueError: for a folder without a study, what statistics refuse, or a file that is there
            already.
    """
    if options.out is not None:
        output.check_folder(options.out, "--out")
        if options.out.exists() and not options.overwrite:
            raise Refusal(f"--out: {options.out} is there already; choose another name, or add --overwrite.")
    text = studies.table(
        open_record(options.study),
        options.to,
        metric=options.metric,
        reference=options.reference,
        test=options.test,
        family=options.family,
    )
    if options.out is None:
        print(text, end="")
        return 0
    options.out.parent.mkdir(parents=True, exist_ok=True)
    atomic.write_bytes(options.out, text.encode())
    print(f"saved: {options.out}")
    return 0
