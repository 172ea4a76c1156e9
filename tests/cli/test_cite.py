"""``throughtime cite``: what to cite for files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import throughtime as tt
from tests.cli.conftest import Call


def test_a_run_and_a_copy_of_it_are_cited_as_by_the_library(
    trained: Path, tmp_path: Path, call: Call
) -> None:
    copy = tt.load(trained).save(tmp_path / "copy.zarr")
    status, told, err = call("cite", trained, copy)
    assert (status, err) == (0, "")
    assert told == tt.citation(tt.load(trained)) + "\n"
    comments, _, entries = told.partition("\n\n")
    assert comments.split("\n") == [
        "% task cue-set-go: beiran2023; wang2018",
        "% rule bptt: werbos1990",
        "% dynamics leaky: miconi2017; miller2012",
        "% connectivity dense: sompolinsky1988",
        "% no publication: initial state rest; objective squared-error",
        f"% throughtime {tt.__version__}: throughtime",
    ]
    assert entries.count("\n@") == 6


def test_what_cannot_be_cited_is_refused(trained: Path, tmp_path: Path, refused: Callable[..., str]) -> None:
    assert "there is no" in refused("cite", tmp_path / "none.nc")
    assert "holds no study.json" in refused("cite", trained, tmp_path)
    assert "nothing given" in refused("cite")
