"""Tables of a study in three layouts, which say the same."""

from __future__ import annotations

import csv
import io
import math
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
import xarray as xr

from tests.studies.synthetic import empty_study, synthetic_study
from throughtime.cli import main
from throughtime.results import ResultsError, files, labels
from throughtime.studies import statistics, table
from throughtime.studies.layouts import escaped, number
from throughtime.studies.record import FAILED, NOT_RUN, REFUSED

OPTIONS = {"num_resamples": 99}


@pytest.fixture(scope="module")
def tree() -> xr.DataTree:
    return synthetic_study(num_seeds=8, rules=("bptt", "rflo", "uoro", "force_2"))


@pytest.fixture(scope="module")
def text(tree: xr.DataTree) -> str:
    return table(tree, **OPTIONS)


@pytest.fixture(scope="module")
def values(tree: xr.DataTree) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(table(tree, "csv", **OPTIONS))))


def line(text: str, rule: str, which: int = 0) -> list[str]:
    """Words of a row, two spaces apart in the table."""
    found = [one for one in text.splitlines() if re.search(rf"(^|\s){rule}\s\s", one)]
    return re.split(r"\s{2,}", found[which].strip())


def test_a_row_says_what_statistics_found(tree, text):
    found = statistics(tree, metrics=["final_score"], **OPTIONS).isel(task=0, circuit=0, option=0, metric=0)
    words = line(text, "rflo")
    assert words[:2] == ["rflo", "8/8 [0.68, 1.00]"]
    trials = [float(found[f"median_trials{end}"][1]) for end in ("", "_lower", "_upper")]
    assert words[2] == f"{trials[0]:.0f} [{trials[1]:.0f}, {trials[2]:.0f}]"
    level = [number(float(found[f"mean{end}"][1])) for end in ("", "_lower", "_upper")]
    assert words[3] == f"{level[0]} [{level[1]}, {level[2]}]"
    apart = [number(float(found[f"mean_difference{end}"][0])) for end in ("", "_lower", "_upper")]
    assert words[4] == f"{apart[0]} [{apart[1]}, {apart[2]}]"
    assert words[5] == f"{number(float(found['p_holm'][0]), 2)} (0.0078)"


def test_labels_that_are_the_same_stand_above_and_repeated_ones_once(text):
    assert text.splitlines()[0] == "synthetic, circuit small, option default"
    assert text.count("cue-set-go") == text.count("decision") == 1
    assert text.splitlines()[2].split("  ")[0] == "task"
    two = table(synthetic_study(options=("slow", "fast"), circuits=("a", "b"), num_seeds=3), **OPTIONS)
    assert two.splitlines()[0] == "synthetic"
    assert two.count("cue-set-go") == 1
    assert len(re.findall(r"\bfast\b", two)) == 4, "once for each task and circuit"


def test_seeds_that_failed_are_counted_and_ranked_worst(text):
    words = line(text, "uoro")
    assert words[1] == "0/8 [0.00, 0.32]"
    assert words[2] == "> 6400"
    assert words[3].startswith("m 0.")
    assert "[-inf, " in words[3]
    assert words[4].startswith("m -0.")
    assert words[-1] == "1 diverged"
    assert line(text, "force_2")[-1] == "1 failed"
    assert line(text, "force_2", 1) == ["force_2", "-", "-", "-", "-", "8 refused"]


def test_a_p_that_is_refused_leaves_the_least_and_the_estimate():
    words = line(table(synthetic_study(num_seeds=4), **OPTIONS), "rflo")
    assert words[-1] == "- (0.12)"
    assert words[-2].startswith("-0.")


def test_every_number_stands_in_a_column_of_its_own(tree, values):
    found = statistics(tree, metrics=["final_score"], **OPTIONS)
    assert [(row["task"], row["rule"]) for row in values] == [
        (task, rule) for task in labels(found["task"]) for rule in labels(found["rule"])
    ]
    assert {row["reference"] for row in values} == {"bptt"}
    assert all("[" in name for name in list(values[0])[5:]), "units in the header"
    one = found.isel(task=0, circuit=0, option=0, metric=0)
    row = values[1]
    for name, expected in {
        "num_reached [seeds]": one["num_reached"][1],
        "success_rate_lower [1]": one["success_rate_lower"][1],
        "median_trials_to_criterion [trials]": one["median_trials"][1],
        "trial_budget [trials]": one["trial_budget"][1],
        "final_score [1]": one["mean"][1],
        "difference_upper [1]": one["mean_difference_upper"][0],
        "p [1]": one["p"][0],
        "p_holm [1]": one["p_holm"][0],
        "p_minimum [1]": one["p_minimum"][0],
    }.items():
        assert float(row[name]) == float(expected), name
    assert row["final_score_is [mean or median]"] == "mean"
    assert values[2]["final_score_is [mean or median]"] == "median"
    assert values[2]["difference_is [mean or median]"] == "median"
    assert values[2]["num_diverged [seeds]"] == "1"
    assert math.isinf(float(values[2]["median_trials_to_criterion [trials]"]))
    assert values[0]["difference [1]"] == values[0]["p [1]"] == "", "the reference itself"
    assert values[-1]["num_refused [seeds]"] == "8"
    assert values[-1]["final_score [1]"] == ""


def test_trials_have_units_of_their_own(tree):
    row = next(csv.DictReader(io.StringIO(table(tree, "csv", metric="trials_to_criterion", **OPTIONS))))
    assert "difference [trials]" in row
    assert "trials_to_criterion_lower [trials]" in row
    head = table(tree, metric="trials_to_criterion", **OPTIONS).splitlines()[2]
    assert head.count("trials to criterion") == 1


def test_latex_is_whole(tree):
    text = table(tree, "latex", **OPTIONS)
    body = [one for one in text.splitlines() if not one.startswith("%")]
    assert body[0] == r"\begin{tabular}{llllllllll}"
    assert [one for one in body if one.startswith("\\") and "&" not in one][1:] == [
        r"\toprule", r"\midrule", r"\midrule", r"\bottomrule", r"\end{tabular}",
    ]  # fmt: skip
    rows = [one for one in body if one.endswith(r"\\")]
    assert len(rows) == 1 + 8
    assert {len(re.findall(r"(?<!\\)&", one)) for one in rows} == {9}
    assert r"force\_2" in text
    assert "force_2" not in "".join(body)
    assert r"$-\infty$" in text
    assert "$>$ 6400" in text


def test_special_letters_are_escaped():
    assert escaped(r"a\b {c} & 5 % of $3 #1 x_y ~ ^") == (
        r"a\textbackslash{}b \{c\} \& 5 \% of \$3 \#1 x\_y \textasciitilde{} \textasciicircum{}"
    )
    assert escaped("m -0.5 [-inf, -1.2]") == r"m $-$0.5 {[}$-\infty$, $-$1.2{]}"
    assert escaped("kf-rtrl - x") == "kf-rtrl - x"


@pytest.mark.skipif(shutil.which("pdflatex") is None, reason="pdflatex is not installed")
def test_latex_compiles(tree, tmp_path: Path):
    text = (
        r"\documentclass{article}\usepackage{booktabs}\begin{document}"
        + "\n"
        + table(tree, "latex", **OPTIONS)
    )
    (tmp_path / "table.tex").write_text(text + r"\end{document}")
    subprocess.run(["pdflatex", "-halt-on-error", "table.tex"], cwd=tmp_path, check=True, capture_output=True)


@pytest.mark.parametrize("status", [FAILED, REFUSED, NOT_RUN])
def test_studies_of_which_nothing_came(status):
    words = {FAILED: "2 failed", REFUSED: "2 refused", NOT_RUN: "2 not run"}[status]
    assert table(empty_study(status), **OPTIONS).count(words) == 2
    for to in ("csv", "latex"):
        assert "rflo" in table(empty_study(status), to, **OPTIONS)


def test_one_rule_has_no_difference():
    text = table(synthetic_study(rules=("rflo",), num_seeds=3, tasks=("a",)), **OPTIONS)
    assert "difference" not in text
    assert "rule rflo" not in text.splitlines()[0], "a column of its own"


def test_lines_fit_and_seeds_that_are_no_pairs_are_told(tree):
    text = table(tree, test="mann-whitney", **OPTIONS)
    assert "seeds unpaired" in text
    assert max(map(len, text.split("\n\n")[-1].splitlines())) <= 100
    assert not np.any([one != one.rstrip() for one in text.splitlines()])


def test_what_is_refused(tree):
    with pytest.raises(ResultsError, match="unknown format 'pdf'; use one of text, csv, latex"):
        table(tree, "pdf")
    with pytest.raises(ResultsError, match=r"its rows are rules; compare circuits or options by statistics"):
        table(tree, across="option")
    with pytest.raises(ResultsError, match="'adam' is no rule of the study"):
        table(tree, reference="adam")


def test_the_command(tree, tmp_path, capsys):
    study = files.save(tree, tmp_path / "study.nc")
    assert main(["table", str(study)]) == 0
    assert capsys.readouterr().out == table(tree)
    out = tmp_path / "new" / "table.tex"
    words = ["table", str(study), "--to", "latex", "--reference", "rflo", "--out", str(out)]
    assert main(words) == 0
    assert capsys.readouterr().out == f"saved: {out}\n"
    assert out.read_text() == table(tree, "latex", reference="rflo")
    assert main(words) == 2
    assert "is there already; choose another name, or add --overwrite" in capsys.readouterr().err
    assert main([*words, "--overwrite"]) == 0
    capsys.readouterr()
    assert main(["table", str(tmp_path)]) == 2
    assert "holds no study.json" in capsys.readouterr().err
