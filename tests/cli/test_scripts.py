"""Experiments and figures: Python files outside the package."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cli.conftest import Call

EXPERIMENT = '''"""Counts to three.

More about it.
"""

from dataclasses import dataclass
from pathlib import Path

import beside

@dataclass(frozen=True)
class Study:
    name: str = "a"

def main(quick: bool = False, out: Path = Path("results")) -> int:
    out.mkdir(parents=True, exist_ok=True)
    (out / "found.txt").write_text(f"{quick} {Study()} {beside.VALUE}")
    return 3
'''
FIGURE = '''"""A line."""

from matplotlib.figure import Figure

NAME = "drawn-line"
RECORDS = "results/line.nc"

def draw(source=RECORDS):
    tree = source
    page = Figure()
    page.subplots().plot(tree["training"]["loss"].values[0], tree["training"]["update"].values)
    return page
'''


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with experiments and figures of its own, which is the current one."""
    for kind in ("experiments", "figures", "results"):
        (tmp_path / kind).mkdir()
    (tmp_path / "experiments" / "count_three.py").write_text(EXPERIMENT)
    (tmp_path / "experiments" / "beside.py").write_text("VALUE = 5\n")
    (tmp_path / "experiments" / "no_main.py").write_text("import beside\n")
    (tmp_path / "experiments" / "other_main.py").write_text("def main(quick):\n    pass\n")
    (tmp_path / "experiments" / "faulty.py").write_text(
        "def main(quick, out):\n    raise ValueError('mine')\n"
    )
    (tmp_path / "experiments" / "leaves.py").write_text(
        "def main(quick, out):\n    raise SystemExit('bye')\n"
    )
    (tmp_path / "figures" / "a_line.py").write_text(FIGURE)
    (tmp_path / "figures" / "no_draw.py").write_text("x = 1\n")
    monkeypatch.chdir(tmp_path)
    yield tmp_path  # type: ignore[misc]
    sys.modules.pop("beside", None)


@pytest.mark.parametrize("name", ["count-three", "count_three", "experiments/count_three.py"])
def test_an_experiment_is_run(name: str, place: Path, call: Call) -> None:
    path = list(sys.path)
    assert call("run", name, "--quick", "--out", place / "there")[0] == 3
    assert (place / "there" / "found.txt").read_text() == "True Study(name='a') 5"
    assert call("run", name)[0] == 3
    assert (place / "results" / "found.txt").read_text().startswith("False")
    assert sys.path == path
    assert "count_three" not in sys.modules


def test_experiments_that_cannot_be_run(place: Path, refused: Callable[..., str]) -> None:
    assert "did you mean count_three?" in refused("run", "count-tree")
    assert "there is no experiment 'experiments/zzz.py'" in refused("run", "experiments/zzz.py")
    assert "an experiment defines main(quick: bool, out: Path)" in refused("run", "no_main")
    assert "found main(quick)" in refused("run", "other-main")
    (place / "file").write_text("")
    assert "is a file" in refused("run", "count-three", "--out", place / "file" / "there")


def test_faults_of_an_experiment_keep_their_traceback(place: Path, call: Call) -> None:
    with pytest.raises(ValueError, match="mine"):
        call("run", "faulty")
    assert call("run", "leaves") == (1, "", "bye\n")


def test_a_figure_is_drawn(trained: Path, place: Path, call: Call) -> None:
    for name, words in (("a-line", [trained, "--out", place / "there"]), ("a_line", [trained])):
        status, told, err = call("figure", name, *words)
        assert (status, err) == (0, "")
        folder = place / "there" if len(words) > 1 else Path("figures/output")
        written = [folder / "drawn-line.pdf", folder / "drawn-line.png"]
        assert told.split() == [str(path) for path in written]
        assert [path.read_bytes()[:4] for path in written] == [b"%PDF", b"\x89PNG"]


def test_a_figure_finds_its_record(
    trained: Path, place: Path, call: Call, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "there is no results/line.nc" in call("figure", "a-line")[2]
    (place / "results" / "line.nc").write_bytes(trained.read_bytes())
    assert call("figure", "a-line")[0] == 0
    (place / "elsewhere").mkdir()
    monkeypatch.chdir(place / "elsewhere")
    assert call("figure", "../figures/a_line.py")[0] == 0


def test_figures_that_cannot_be_drawn(trained: Path, place: Path, refused: Callable[..., str]) -> None:
    assert "did you mean a_line" in refused("figure", "a-lime")
    assert "a figure defines draw(source)" in refused("figure", "no-draw")
    assert "there is no nothing.nc" in refused("figure", "a-line", "nothing.nc")
    foreign = place / "foreign.nc"
    foreign.write_text("no")
    assert "is no results file" in refused("figure", "a-line", foreign)
    message = refused("figure", "working-memory", trained)  # of the checkout; the run is of timing
    assert "does not hold what it draws" in message
    assert "results/demo-delayed-match-to-sample.nc" in message


def test_listings_of_files(place: Path, call: Call) -> None:
    status, told, err = call("list", "experiments")
    assert (status, err) == (0, "")
    assert re.search(r"^count_three +Counts to three\.$", told, re.MULTILINE)
    assert "More about it" not in told
    assert call("list", "experiments", "count-three")[1] == "Counts to three.\n\nMore about it.\n"
    listed = call("list", "figures")[1]
    assert "a_line" in listed
    assert "working_memory" in listed
