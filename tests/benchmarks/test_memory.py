"""Peak memory of a gradient, as the system and as XLA tell it."""

from __future__ import annotations

import sys

import numpy as np
import pytest
import xarray as xr

from benchmarks import cases, memory
from benchmarks.timing import Found


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux tells the peak")
def test_the_peak_is_what_xla_plans_and_far_less_in_segments():
    found = memory.measure((1600,), num_units=64, num_trials=16, repeats=0)
    assert found.peak_memory.dims == ("option", "num_steps")
    assert [found[name].units for name in memory.VARIABLES] == ["ms", "byte", "byte"]
    assert np.isnan(found.gradient_time).all()
    peak, planned = ({o: float(found[f"{which}_memory"].sel(option=o)[0]) for o in memory.OPTIONS}
                     for which in ("peak", "planned"))  # fmt: skip
    assert planned["whole"] > 3 * 4 * 16 * 64 * 1600  # at least three arrays of all states
    assert 0.9 < peak["whole"] / planned["whole"] < 1.4
    assert peak["sqrt"] < 0.2 * peak["whole"]


def test_time_is_measured_on_request_and_a_process_that_fails_says_why():
    found = memory.measure((60,), num_units=4, num_trials=2, options={"whole": None}, repeats=1)
    assert found.gradient_time.item() > 0
    with pytest.raises(RuntimeError, match=r"memory of 60 steps, segment 70: .*longer than the trial"):
        memory.measure((60,), num_units=4, num_trials=2, options={"too long": 70}, repeats=1)


def test_the_case_turns_the_table_into_exponents(monkeypatch):
    asked = []

    def measured(num_steps, **options):
        asked.append(options)
        steps = np.array(num_steps, float)
        curves = {"peak_memory": [steps, steps**0.5], "planned_memory": [2 * steps**0.9, steps**0.4]}
        variables = {name: (("option", "num_steps"), rows) for name, rows in curves.items()}
        return xr.Dataset(variables, {"option": ["whole", "sqrt"], "num_steps": list(num_steps)})

    monkeypatch.setattr(memory, "measure", measured)
    builders = cases.memory((100, 1000), num_units=8)
    found = {name: build() for name, build in builders.items()}
    assert all(isinstance(one, Found) for one in found.values())
    values = {name: one.value for name, one in found.items()}
    wanted = {"whole peak": 1.0, "sqrt peak": 0.5, "whole planned": 0.9, "sqrt planned": 0.4}
    wanted |= {"whole T=100": 100, "whole T=1000": 1000, "sqrt T=100": 10, "sqrt T=1000": 1000**0.5}
    assert values == pytest.approx(wanted)
    assert len(asked) == 1
