from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from tests.cli.conftest import Call
from throughtime import audit as audits
from throughtime.results import labels, load_tree


def test_the_table_is_printed_and_saved(call: Call, tmp_path: Path) -> None:
    path = tmp_path / "made" / "locality.nc"
    status, told, err = call("audit", "rflo", "force", "rotated-bptt", "--records", "1", "--out", path)
    assert (status, err) == (0, "")
    lines = told.splitlines()
    assert lines[0].split()[:3] == ["rule", "synapses", "senses"]
    assert lines[1].split() == ["rflo", "recurrent", "error", "B", "causal", "yes"]
    assert "others' states, output error" in lines[2]
    assert lines[3].split()[:2] == ["its", "inverse"]
    assert "not audited: a control" in lines[4]
    assert lines[6].endswith("(tt.spiking.learn): rflo")
    saved = load_tree(path)
    assert saved.attrs["kind"] == "study"
    found = saved["locality"].to_dataset()
    assert labels(found["rule"]) == ["rflo", "force"]
    assert labels(found["known"]) == ["causal", "causal"]
    assert labels(found["synapses"]) == ["recurrent", "readout"]
    senses = np.array(labels(found["signal"]))[found["senses"].values[0] == 1]
    assert senses.tolist() == ["error"]
    assert labels(found["as_declared"]) == ["true", "true"]


def test_a_rule_that_declares_something_else_ends_with_1(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    def sly(self: audits.Verdict, traits: object) -> tuple[str, ...]:
        return ("reads 'W_out' and does not declare it",)

    monkeypatch.setattr(audits.Verdict, "disagreements", sly)
    status, told, _ = call("audit", "rflo", "--records", "1")
    assert status == 1
    assert told.splitlines()[1].endswith("no")
    assert told.endswith("\nrflo reads 'W_out' and does not declare it\n")


def test_what_cannot_be_audited_is_refused(refused: Callable[..., str]) -> None:
    assert "unknown rule 'rlfo'; did you mean 'rflo'" in refused("audit", "rlfo")
    assert "expected a name ending in .nc" in refused("audit", "rflo", "--out", "table.csv")
    assert "records 0 is not a whole number" in refused("audit", "rflo", "--records", "0")
