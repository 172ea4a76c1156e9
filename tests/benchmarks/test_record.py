"""The committed record of speed: it can be read, and says of each row what its goal says."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest

from benchmarks.rows import table
from throughtime.cli.scripts import imported
from throughtime.results import labels, load_tree, validate

RECORD = Path(__file__).resolve().parents[2] / "evidence" / "bench.nc"
WORDS = {None: "none", True: "met", False: "not_met"}


@pytest.fixture(scope="module")
def tree():
    return load_tree(RECORD)


def test_it_is_a_sound_results_file_of_known_rows_and_names_the_machine(tree):
    assert validate(tree) == []
    known = {row.name.replace(" ", "_") for row in table()}
    found = set(labels(tree["rows"]["option"]))
    assert found <= known, "rows that are no more: measure again (make bench OUT=evidence)"
    assert len(found) > 130
    assert tree.attrs["cpu"]
    assert tree.attrs["quick"] == 0


def test_goals_and_verdicts_are_those_of_the_rows(tree):
    rows = tree["rows"].to_dataset()
    by_name = {row.name.replace(" ", "_"): row for row in table()}
    facts = zip(labels(rows["option"]), labels(rows["verdict"]), rows["value"].values, strict=True)
    for place, (name, verdict, value) in enumerate(facts):
        row = by_name[name]
        assert np.isfinite(value), name
        assert verdict == WORDS[row.met(float(value))], name
        np.testing.assert_equal(rows["goal"].values[place], np.nan if row.goal is None else row.goal)


def test_every_gradient_that_was_compared_is_right(tree):
    error = tree["rows"]["gradient_error"].values
    assert np.nanmax(error) < 1e-3
    assert np.isfinite(error).sum() > 60


def test_the_table_of_the_manual_counts_as_the_record_does(tree):
    with imported(RECORD.parents[1] / "docs" / "speed_table.py") as module:
        text = module.speed_part()
    verdicts = labels(tree["rows"]["verdict"])
    counts = re.findall(r"(\d+) of (\d+)", text)
    assert sum(int(met) for met, _ in counts) == verdicts.count("met")
    assert sum(int(of) for _, of in counts) == len(verdicts) - verdicts.count("none")
    bold = re.findall(r"\*\*(\d+ of \d+)\*\*", text)
    assert bold == [f"{met} of {of}" for met, of in counts if met != of]
    assert bold, "goals that were missed are shown"
    assert tree.attrs["cpu"] in text


def test_the_table_of_the_gpu_is_that_of_its_record():
    root = RECORD.parents[1]
    found = json.loads((root / "evidence" / "gpu.json").read_text())
    assert found["platform"] == "gpu"
    assert found["gradient_error"] < 1e-5
    lines = [
        f"| {row['num_units']} | {row['num_seeds']} | {1e3 * row['update_seconds']:.3g} "
        f"| {row['ratio_to_products']:.2f} | {1e6 * row['seed_update_seconds']:.0f} "
        f"| {row['eager_ratio']:.0f}× |"
        for row in found["rows"]
    ]
    assert "\n".join(lines) in (root / "docs" / "performance.md").read_text()
