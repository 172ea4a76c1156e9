"""Claims about speed, computed from the record of the benchmarks."""

from __future__ import annotations

import functools
import re

from tests.docs.pages import ROOT
from throughtime.results import labels, load_tree


@functools.cache
def rows():
    """Value and verdict of every row."""
    data = load_tree(ROOT / "evidence" / "bench.nc")["rows"].to_dataset()
    names = [name.replace("_", " ") for name in labels(data["option"])]
    return dict(zip(names, zip(data["value"].values, labels(data["verdict"]), strict=True), strict=True))


def page(*path):
    return " ".join(ROOT.joinpath(*path).read_text().split())


def test_the_readme_tells_how_long_an_eager_loop_takes():
    eager = [value for name, (value, _) in rows().items() if name.startswith("eager torch / BPTT")]
    words = f"An eager PyTorch loop takes {min(eager):.1f} to {max(eager):.1f} times as long"
    assert words in page("README.md")


def test_the_page_tells_what_missed_its_goal():
    missed = {name: value for name, (value, verdict) in rows().items() if verdict == "not_met"}
    trials = {
        name.split("N=128 ")[1]: missed.pop(name) for name in list(missed) if name.startswith("64 trials")
    }
    told = page("docs", "performance.md")
    numbers = dict(zip(("five", "six", "seven", "eight", "nine"), range(5, 10), strict=True))
    (number,) = re.findall(r"trials of (\w+) tasks cost more than 5 % of a gradient", told)
    assert numbers[number] == len(trials)
    for name in sorted(trials, key=trials.get)[-3:]:
        assert re.search(rf"`{name}`(?:, which runs a teacher,)? {100 * trials[name]:.0f} %", told), name
    for name in list(missed):
        if name.startswith("eager torch"):
            del missed[name]
    assert set(missed) == {
        "grad of scan / BPTT N=64 current", "grad of scan / BPTT N=64 rate", "grad of scan / BPTT N=128 rate",
        "grad of scan / BPTT N=64 GRU", "snap / BPTT N=64", "snap / BPTT N=128",
        "exponent in N of time, trace form of rtrl",
    }  # fmt: skip
