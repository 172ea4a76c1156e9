"""``throughtime export``: a trained circuit, or a study, for those who do not have throughtime."""

from __future__ import annotations

from typing import TYPE_CHECKING

import throughtime.runtime  # noqa: F401  (settings JAX reads when it is imported)
from throughtime import results
from throughtime.cli import output
from throughtime.cli.errors import Refusal
from throughtime.results.export import EXPORTS

if TYPE_CHECKING:
    from throughtime.cli.options import Export


def export(options: Export) -> int:
    """Write the files and print where they are.

    Raises:
        Refusal, ValueError: for a format there is not, a file that is no run, a seed or checkpoint it does
            not have, or files that are there already.
    """
    from throughtime.studies.export import EXPORTS as OF_STUDIES

    if options.to in OF_STUDIES:
        return _study(options)
    if options.to not in EXPORTS:
        raise Refusal(
            f"--to: expected {' or '.join(EXPORTS)} for a run, {', '.join(OF_STUDIES)} for a study, found "
            f"{options.to!r}."
        )
    output.check_folder(options.out / "weights.npz", "--out")
    written = EXPORTS[options.to](
        results.load(options.result),
        options.out,
        seed=options.seed,
        checkpoint=options.checkpoint,
        overwrite=options.overwrite,
    )
    print(f"saved: {written}")
    return 0


def _study(options: Export) -> int:
    """Write what was found of a study."""
    from throughtime import studies

    if options.seed is not None or options.checkpoint != -1:
        raise Refusal(f"--to {options.to}: a study is written whole; leave out --seed and --checkpoint.")
    output.check_folder(options.out / "outcomes.csv", "--out")
    for path in studies.export(options.result, options.out, to=options.to, overwrite=options.overwrite):
        print(f"saved: {path}")
    return 0
