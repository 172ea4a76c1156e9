"""Every experiment can be run by its file and by ``throughtime run``."""

from __future__ import annotations

import inspect
from pathlib import Path

import pytest

from throughtime.cli.scripts import imported

FOLDER = Path(__file__).resolve().parents[2] / "experiments"
OWN_OPTIONS = {"evidence"}
"""Experiments with parts and no quick form, run by their file alone."""
NAMES = sorted(path.stem for path in FOLDER.glob("[!_]*.py") if path.stem not in OWN_OPTIONS)


@pytest.mark.parametrize("name", NAMES)
def test_an_experiment_runs_in_a_quick_form_into_a_folder(name, tmp_path):
    with imported(FOLDER / f"{name}.py") as script:
        inspect.signature(script.main).bind(quick=True, out=tmp_path)
        assert "--quick" in (script.__doc__ or ""), "usage is said"
