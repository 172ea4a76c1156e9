"""The ensemble script on the CPU, at tiny sizes."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks import gpu

ROOT = Path(__file__).resolve().parent.parent.parent
ABSENT = ("xarray", "tyro", "matplotlib", "h5netcdf", "zarr", "sklearn", "tqdm", "pandas")


def test_it_runs_where_only_jax_and_optax_are_installed(tmp_path):
    code = (
        f"import sys; sys.modules.update(dict.fromkeys({ABSENT}));"  # an import of these now fails
        f"sys.path.insert(0, {str(ROOT / 'benchmarks')!r});"
        "import gpu; sys.exit(gpu.main(sys.argv[1:]))"
    )
    out = tmp_path / "results" / "gpu.json"
    done = subprocess.run(
        [sys.executable, "-c", code, "--quick", "--out", str(out)],
        env={**os.environ, "JAX_PLATFORMS": "cpu"}, cwd=tmp_path, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert {"device_kind", "platform", "versions", "gradient_error", "rows"} <= found.keys()
    assert found["gradient_error"] < gpu.TOLERANCE
    assert [(row["num_units"], row["num_seeds"]) for row in found["rows"]] == [(8, 1), (8, 3)]
    for row in found["rows"]:
        assert row["segment"] is None
        assert row["seed_update_seconds"] == pytest.approx(row["update_seconds"] / row["num_seeds"])
        assert row["ratio_to_products"] > 0
        assert row["eager_ratio"] > 0
        assert row["planned_bytes"] > 0


def test_an_ensemble_that_does_not_fit_takes_segments_or_is_left_out(monkeypatch):
    sizes = gpu.Sizes(2, 8, 4, 40)
    need = {segment: gpu.ensemble(sizes, segment, *gpu.draw(sizes))[1] for segment in (None, "sqrt")}
    assert need["sqrt"] < need[None]
    monkeypatch.setattr(gpu, "device_memory", lambda: {"limit": (need["sqrt"] + 1) / gpu.SPARE})
    row = gpu.measure(sizes, eager_seconds=1.0, repeats=1)
    assert row["segment"] == "sqrt"
    assert row["update_seconds"] > 0
    assert " sqrt " in gpu.line(row)
    monkeypatch.setattr(gpu, "device_memory", lambda: {"limit": need["sqrt"] / 2})
    row = gpu.measure(sizes, eager_seconds=1.0, repeats=1)
    assert "update_seconds" not in row
    assert row["note"].startswith("left out: needs ")
    assert "left out" in gpu.line(row)


def test_a_wrong_gradient_stops_it(monkeypatch):
    right = gpu.gradient
    monkeypatch.setattr(gpu, "gradient", lambda *a: {name: 1.01 * value for name, value in right(*a).items()})
    with pytest.raises(RuntimeError, match=r"off the eager loop's by 1\.0e-02"):
        gpu.check()
