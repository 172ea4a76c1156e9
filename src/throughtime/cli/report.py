"""``throughtime report``: a study as one page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from throughtime.cli import output
from throughtime.cli.errors import Refusal

if TYPE_CHECKING:
    from throughtime.cli.study_options import Report


def report(options: Report) -> int:
    """Write the page and print its path.

    Raises:
        Refusal, ValueError: for what is no study, or a page that cannot be written.
    """
    if options.out is not None:
        if options.out.suffix not in (".html", ".htm"):
            raise Refusal(
                f"--out: expected a name ending in .html, found {str(options.out)!r}; use "
                f"{options.out.with_suffix('.html') if options.out.name else 'report.html'}."
            )
        output.check_folder(options.out, "--out")
    from throughtime.studies.report import write

    written = write(options.study, options.out)
    print(f"saved: {written}")
    return 0
