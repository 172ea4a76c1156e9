"""The first figure of the README, drawn small from its record.

    python docs/readme_figure.py

Writes ``docs/_static/rules_on_tasks.png``. It is kept in the repository for those who read the README without
building anything; it names the record that it was drawn from by its hash.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from throughtime.cli.scripts import imported
from throughtime.plotting import style

ROOT = Path(__file__).resolve().parent.parent
PLACE = ROOT / "docs" / "_static" / "rules_on_tasks.png"
DPI = 130


def record_hash(path: Path) -> str:
    """SHA-256 (hex) of the bytes of a record."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def main() -> None:
    """Draw it."""
    with imported(ROOT / "figures" / "rules_on_tasks.py") as script:
        source = ROOT / script.RECORDS
        page = script.draw(source)
    with style.context():
        page.savefig(PLACE, dpi=DPI, metadata={"Description": f"{script.RECORDS} {record_hash(source)}"})


if __name__ == "__main__":
    main()
