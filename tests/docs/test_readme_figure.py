"""The picture in the README is that of the committed record."""

from PIL import Image

from tests.docs.pages import ROOT
from throughtime.cli.scripts import imported


def test_it_names_the_record_it_was_drawn_from():
    with imported(ROOT / "docs" / "readme_figure.py") as script:
        with Image.open(script.PLACE) as picture:
            told = picture.text["Description"]
        assert told == f"evidence/rules_on_tasks.nc {script.record_hash(ROOT / 'evidence/rules_on_tasks.nc')}"
        assert f"docs/_static/{script.PLACE.name}" in (ROOT / "README.md").read_text()
