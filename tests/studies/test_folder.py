"""Files of a study: whole or not at all, never replaced, rebuilt where they were lost."""

from __future__ import annotations

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.processes import as_users_compile
from tests.studies.examples import small
from throughtime import results
from throughtime.comparison.tuning import Tuned
from throughtime.studies import Cell, CodeError, Folder, StorageError, Study, Tuning, files, folder
from throughtime.studies.failures import storage_error, told, without_paths
from throughtime.studies.plans import combinations
from throughtime.studies.tuned import tuning_tree


@pytest.fixture(scope="module")
def study() -> Study:
    return small(rules=["rflo", "eprop"], tuning=Tuning(grid=(0.1, 1.0), seeds=1))


@pytest.fixture
def place(study: Study, tmp_path: Path) -> Folder:
    found = Folder(tmp_path / "study")
    found.declare(study)
    return found


def tune_tree(study: Study, cell: Cell, losses: tuple[float, float] = (2.0, 1.0)) -> xr.DataTree:
    """What a cell that tunes would write, without training."""
    one = next(one for one in combinations(study) if one.labels == cell.labels)
    found = Tuned(np.array([0.1, 1.0]), np.array(losses), np.array([0, 0]), int(np.argmin(losses)))
    tree = tuning_tree(found, one, study.tuning, "throughtime run /home/me/x.py")
    tree.attrs |= {"seconds": 1.5, "cell": cell.identity}
    return tree


def names(place: Folder) -> list[str]:
    return sorted(str(path.relative_to(place.path)) for path in place.path.rglob("*") if path.is_file())


def test_a_declaration_is_read_back_and_goes_to_history_when_it_changes(place: Folder, study: Study) -> None:
    assert place.study() == study
    assert list(place.declared().cells.values()) == list(study.cells())
    content = (place.path / "study.json").read_bytes()
    place.declare(study)
    assert (place.path / "study.json").read_bytes() == content
    tune = study.cells()[0]
    place.write_part(tune, tune_tree(study, tune))
    wider = dataclasses.replace(study, rules=["rflo", "eprop", "bptt"])
    place.declare(wider)
    assert place.study() == wider
    assert tune.identity in place.summaries()
    assert len(place.pending()) == len(wider.cells()) - 1
    assert json.loads((place.path / "history" / f"{study.identity[:12]}.json").read_bytes())["study"]
    narrower = dataclasses.replace(study, rules=["bptt"])
    place.declare(narrower)
    assert tune.identity not in place.declared().cells
    assert place.declared(tune.identity).study == wider  # a worker that was sent it before can still do it
    with pytest.raises(ValueError, match="no cell 000 is declared in study"):
        place.declared("000")


def test_what_was_refused_is_written_down_and_not_sought_again(tmp_path: Path, monkeypatch) -> None:
    other = small(circuits={"small": {"num_units": 5}, "odd": {"num_units": 5, "odd": 1}}, skip_refused=True)
    place = Folder(tmp_path / "study")
    place.declare(other)

    def never(study: Study) -> dict:
        raise AssertionError("sought again")

    monkeypatch.setattr("throughtime.studies.refusals.refusals", never)
    folder._declared.cache_clear()
    assert [labels[1] for labels in place.study().refused] == ["odd"]
    again = dataclasses.replace(other)
    place.declare(again)
    assert len(again.cells()) == 2


def test_what_cannot_be_read_is_refused(place: Folder, tmp_path: Path, monkeypatch) -> None:
    with pytest.raises(ValueError, match=r"holds no study\.json"):
        Folder(tmp_path / "nothing").study()
    monkeypatch.setattr(folder, "numbers_sha256", lambda kind: "other")
    with pytest.raises(CodeError, match="other code, or other versions"):
        place.declared("000")
    monkeypatch.undo()
    content = json.loads((place.path / "study.json").read_bytes())
    (place.path / "study.json").write_text(json.dumps({**content, "format": 99}))
    with pytest.raises(ValueError, match="format 99, this throughtime knows 1"):
        place.study()


def test_a_part_and_its_summary_and_the_summary_that_was_lost(place: Folder, study: Study) -> None:
    cell = study.cells()[0]
    summary = place.write_part(cell, tune_tree(study, cell))
    assert summary["identity"] == cell.identity
    assert summary["rule"] == "rflo"
    assert (summary["step_size"], summary["losses"], summary["seconds"]) == (1.0, (2.0, 1.0), 1.5)
    tree = results.load_tree(place.part_path(cell))
    assert summary["content_sha256"] == results.content_sha256(tree)
    assert summary["bytes"] == place.part_path(cell).stat().st_size
    assert tree.attrs["command"] == "throughtime run x.py"
    assert place.summaries() == {cell.identity: summary}
    for damage in ("remove", "empty", "half"):
        path = place.path / "cells" / f"{cell.name}.json"
        if damage == "remove":
            path.unlink()
        else:
            path.write_bytes(path.read_bytes()[: 0 if damage == "empty" else 100])
        assert place.summaries() == {cell.identity: summary}
        path.unlink()
        assert place.summary(cell) == summary
    place.part_path(cell).unlink()
    (place.path / "cells" / f"{cell.name}.json").unlink()
    assert place.summaries() == {}
    assert place.summary(cell) is None


def test_infinite_and_missing_losses_survive_the_summary(place: Folder, study: Study) -> None:
    cell = study.cells()[0]
    summary = place.write_part(cell, tune_tree(study, cell, (np.inf, np.inf)))
    assert summary["losses"] == (np.inf, np.inf)
    assert place.summary(cell) == summary


def test_a_part_of_other_content_is_never_overwritten(place: Folder, study: Study, caplog) -> None:
    cell = study.cells()[0]
    first = place.write_part(cell, tune_tree(study, cell))
    content = place.part_path(cell).read_bytes()
    assert place.write_part(cell, tune_tree(study, cell)) == first
    assert not caplog.messages
    again = place.write_part(cell, tune_tree(study, cell, (1.0, 2.0)))
    assert again["step_size"] == first["step_size"] == 1.0
    assert place.part_path(cell).read_bytes() == content
    assert "other numbers; the file stays as it was" in caplog.text
    assert not [name for name in names(place) if ".part" in name]


WRITER = """
import sys
import numpy as np
from pathlib import Path
import xarray as xr
from throughtime import results
from throughtime.studies import files
from throughtime.results.provenance import library_attributes

me, room = sys.argv[1], Path(sys.argv[2])
trees = []
for added in (0, int(me)):  # the same content from both, and another from each
    values = ("parameter", np.arange(2000.0) + added, {"units": "1"})
    index = ("parameter", np.arange(2000), {"units": "1"})
    trees.append(xr.DataTree.from_dict({
        "/": xr.Dataset(attrs=library_attributes("analysis") | {"me": me}),
        "/tuning": xr.Dataset({"loss": values}, {"parameter": index}),
    }))
(room / f"ready{me}").touch()
while len(list(room.glob("ready*"))) < 2:
    pass
won = [files.write_once(trees[number % 2], room / f"{number}.nc") for number in range(12)]
print("".join(str(int(one)) for one in won))
"""


def test_two_processes_that_write_the_same_part(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WRITER]
    writers = [
        subprocess.Popen(
            [*command, me, str(tmp_path)],
            stdout=subprocess.PIPE,
            text=True,
            env=as_users_compile(),
        )
        for me in "12"
    ]
    won = [writer.communicate(timeout=60)[0].strip() for writer in writers]
    assert [writer.returncode for writer in writers] == [0, 0]
    for number, (one, two) in enumerate(zip(*won, strict=True)):
        assert int(one) + int(two) == 1
        tree = results.load_tree(tmp_path / f"{number}.nc")
        assert tree.attrs["me"] == ("1" if one == "1" else "2")
        assert float(tree["tuning/loss"][0]) == (int(tree.attrs["me"]) if number % 2 else 0)
    assert sorted(path.name for path in tmp_path.glob(".*")) == []


def test_without_links_a_part_is_renamed(place: Folder, study: Study, monkeypatch) -> None:
    cell = study.cells()[0]

    def no_links(*paths: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", no_links)
    place.write_part(cell, tune_tree(study, cell))
    assert results.load_tree(place.part_path(cell)).attrs["cell"] == cell.identity


def test_leftovers_are_swept(place: Folder, study: Study) -> None:
    cell, other = study.cells()[:2]
    for room, name in (
        ("cells", f".{cell.name}.aa.part.nc"),
        ("cells", f".{cell.name}.json.bb.part"),
        ("running", f".{cell.name}.json.cc.part"),
        ("cells", f".{other.name}.dd.part.nc"),
    ):
        (place.path / room / name).write_bytes(b"half")
    scratch = place.begin(cell)
    (scratch / "state.npz").write_bytes(b"half")
    place.write_part(cell, tune_tree(study, cell))
    place.end(cell, scratch, done=True)
    assert [name for name in names(place) if cell.name not in name] == [
        f"cells/.{other.name}.dd.part.nc",
        "study.json",
    ]
    assert [name for name in names(place) if cell.name in name] == [
        f"cells/{cell.name}.json",
        f"cells/{cell.name}.nc",
    ]
    place.declare(study)
    assert f"cells/.{other.name}.dd.part.nc" in names(place)  # its writer may be at work
    old = time.time() - 2 * files.OLD_SECONDS
    os.utime(place.path / "cells" / f".{other.name}.dd.part.nc", (old, old))
    stale = place.path / "scratch" / f"{cell.name}.abcd"
    stale.mkdir()
    (stale / "state.npz").write_bytes(b"half")
    place.declare(study)
    assert f"cells/.{other.name}.dd.part.nc" not in names(place)
    assert not stale.exists()


def test_a_state_that_a_killed_process_left_is_taken_over(place: Folder, study: Study) -> None:
    cell = study.cells()[0]
    for number in range(2):
        left = place.begin(cell)
        np.savez(left / "state.npz", number=number)
        os.utime(left / "state.npz", (number + 1000.0, number + 1000.0))
    damaged = place.begin(cell)
    (damaged / "state.npz").write_bytes(b"half")
    own = place.begin(cell)
    assert int(np.load(own / "state.npz")["number"]) == 1
    assert list(place.running()) == [cell.identity]
    place.end(cell, own, done=False)
    assert place.running() == {}
    assert (own / "state.npz").exists()


def test_failures_are_told_without_paths_and_forgotten_when_the_cell_is_done(
    place: Folder, study: Study
) -> None:
    tune, other = study.cells()[:2]
    train = next(cell for cell in study.cells() if cell.needs == (tune.identity,))
    try:
        raise KeyError("/home/somebody/secret/file.txt is gone")
    except KeyError as error:
        record = place.fail(tune, error)
    assert (record["type"], record["message"], record["attempts"]) == ("KeyError", "'file.txt is gone'", 1)
    assert "test_folder.py" in record["traceback"]
    assert "/home" not in record["traceback"]
    assert str(Path(__file__).parent.parent) not in record["traceback"]
    assert place.fail(tune, ValueError())["attempts"] == 2
    assert place.failures()[tune.identity]["message"] == "ValueError"
    pending = {cell.identity for cell in place.pending()}
    assert other.identity in pending
    assert not {tune.identity, train.identity} & pending  # and what needs it is not to be had either
    assert {tune.identity, train.identity} < {cell.identity for cell in place.pending(retry_failed=True)}
    place.write_part(tune, tune_tree(study, tune))
    assert place.failures() == {}


def test_a_full_disk_and_a_closed_folder_stop_a_study_whatever_wraps_them() -> None:
    for number, remedy in ((28, "free space"), (13, "ask for the right"), (30, "ask for the right")):
        try:
            try:
                raise OSError(number, os.strerror(number), "/data/somebody/study/cells/x.nc")
            except OSError as error:
                raise results.ResultsError("save: it failed") from error
        except results.ResultsError as error:
            found = storage_error(error)
        assert isinstance(found, StorageError)
        assert remedy in str(found)
        assert os.strerror(number) in str(found)
        assert "/data" not in str(found)
        assert storage_error(found) is found
    closed = PermissionError(13, "Permission denied", "/data/other/list.txt")
    assert storage_error(closed) is not None
    assert storage_error(closed, Path("/data/somebody/study")) is None  # a file of the rule's own
    assert storage_error(closed, Path("/data/other")) is not None
    assert storage_error(OSError(28, "No space left"), Path("/data/other")) is not None
    assert storage_error(OSError(2, "No such file")) is None
    assert storage_error(ValueError("other")) is None
    with pytest.raises(ValueError, match="other"), files.storage():
        raise ValueError("other")


def test_a_folder_that_cannot_be_made_says_so(study: Study, tmp_path: Path) -> None:
    closed = Path("/proc/nowhere")
    with pytest.raises((StorageError, FileNotFoundError)):
        Folder(closed).declare(study)
    assert without_paths("at ~/x/y.py and C:/a") == "at y.py and C:/a"
    assert told(ValueError("x"))["type"] == "ValueError"
