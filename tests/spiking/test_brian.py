"""Brian2 comes when it is called, and leaves the process and a user's own simulations as they were."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import throughtime
from throughtime import spiking
from throughtime.circuits import from_arrays
from throughtime.spiking.brian import NoBrian, library, simulator

SOURCE = Path(throughtime.__file__).parent

QUIET = """
import sys
import throughtime as tt
tt.spiking, tt.spiking.replicate, tt.spiking.source
assert "brian2" not in sys.modules
"""

HANDLERS = """
import logging, signal, sys, threading, warnings

def handlers():
    return sys.excepthook, warnings.showwarning, signal.getsignal(signal.SIGINT), signal.signal

from throughtime.spiking.brian import library
before, found = handlers(), []
if {threaded}:
    thread = threading.Thread(target=lambda: found.append(library()))
    thread.start(), thread.join()
else:
    found.append(library())
assert found == [sys.modules["brian2"]]
assert handlers() == before
with warnings.catch_warnings(record=True) as seen:
    warnings.simplefilter("always")
    warnings.warn("seen")
assert len(seen) == 1
logging.captureWarnings(True)  # a user's own wish is still heard
assert warnings.showwarning.__module__ == "logging"
"""

MISSING = """
import sys
sys.modules["brian2"] = None
import numpy as np
from throughtime import spiking
from throughtime.circuits import from_arrays
circuit, params = from_arrays([[0.5]], [[1.0]], [[1.0]], dt=20.0)
assert "brian2" in spiking.source(circuit, params)  # to write a program takes no Brian2
try:
    spiking.replicate(circuit, params, np.ones((2, 1)))
except ImportError as error:
    print(type(error).__name__, error)
"""


def python(code: str) -> str:
    environment = {**os.environ, "JAX_PLATFORMS": "cpu"}
    command = [sys.executable, "-W", "error", "-c", code]
    return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout


def replica() -> np.ndarray:
    rng = np.random.default_rng(0)
    weights = (rng.normal(size=(3, 3)), rng.normal(size=(3, 1)), rng.normal(size=(2, 3)))
    circuit, params = from_arrays(*weights, dt=20.0)
    found = spiking.replicate(circuit, params, np.random.default_rng(1).normal(size=(20, 1)))
    return np.hstack([found.rates, found.outputs])


def test_it_is_not_imported_before_it_is_needed() -> None:
    python(QUIET)


@pytest.mark.parametrize("threaded", [False, True])
def test_handlers_of_the_process_are_kept(threaded: bool) -> None:
    python(HANDLERS.format(threaded=threaded))


def test_without_brian2_the_message_says_what_to_install() -> None:
    said = python(MISSING)
    assert said.startswith("NoBrian throughtime.spiking needs Brian2, which cannot be imported here (")
    assert "pip install brian2" in said
    assert "numpy<2.4" in said


def test_a_brian2_that_breaks_while_it_is_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    class Old:
        def find_spec(self, name: str, *_: Any) -> None:
            if name == "brian2":
                raise AttributeError("module 'numpy' has no attribute 'trapz'")

    monkeypatch.delitem(sys.modules, "brian2", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Old(), *sys.meta_path])
    with pytest.raises(NoBrian, match=r"\(AttributeError: module 'numpy' has no attribute 'trapz'\)"):
        library()


def test_preferences_clock_and_device_are_restored() -> None:
    b2 = library()
    device = b2.all_devices["cpp_standalone"]
    before = (b2.prefs["codegen.target"], b2.prefs["core.stop_on_keyboard_interrupt"], b2.defaultclock.dt)
    try:
        b2.defaultclock.dt = 0.25 * b2.ms
        b2.set_device("cpp_standalone", build_on_run=False, directory="never")
        b2.prefs["codegen.target"] = "cython"
        expected = (device, False, {"directory": "never"}, "cython", 0.25)
        for fails in (False, True):
            with pytest.raises(KeyError) if fails else simulator(), simulator() as inner:
                assert b2.prefs["codegen.target"] == "numpy"
                assert not b2.prefs["core.stop_on_keyboard_interrupt"]
                assert b2.get_device() is not device
                inner.defaultclock.dt = 1 * b2.ms
                if fails:
                    raise KeyError
            found = b2.get_device()
            options = (found.build_on_run, found.build_options, b2.prefs["codegen.target"])
            assert (found, *options, float(b2.defaultclock.dt / b2.ms)) == expected
    finally:
        b2.prefs["codegen.target"] = before[0]
        b2.set_device("runtime")
        b2.defaultclock.dt = before[2]
    assert b2.prefs["core.stop_on_keyboard_interrupt"] == before[1]


def test_a_users_own_simulation_goes_on_as_if_nothing_had_been() -> None:
    """A user's objects take the names Brian2 gives by itself, and are in a run that is not over."""

    def simulation(between: Any) -> list[float]:
        group = b2.NeuronGroup(2, "dv/dt = -v/(10*ms) : 1", method="euler", name="neurongroup*")
        synapses = b2.Synapses(group, group, "w : 1", name="synapses*")
        synapses.connect()
        group.v = [1, 2]
        network = b2.Network(group, synapses)
        network.run(5 * b2.ms, namespace={})
        between()
        network.run(5 * b2.ms, namespace={})
        return [float(network.t / b2.ms), *map(float, group.v)]

    alone = replica()
    with simulator() as b2:
        found: list[np.ndarray] = []
        assert simulation(lambda: found.append(replica())) == simulation(lambda: None)
    np.testing.assert_array_equal(found[0], alone)


def test_no_file_imports_everything() -> None:
    texts = {path: path.read_text() for path in SOURCE.rglob("*.py")}
    assert len(texts) > 100
    assert not [path for path, text in texts.items() if re.search(r"^\s*(from .+ )?import \*", text, re.M)]


@pytest.mark.skipif("THROUGHTIME_SLOW" not in os.environ, reason="compiles: set THROUGHTIME_SLOW=1")
def test_compiled_code_says_the_same() -> None:
    rng = np.random.default_rng(0)
    circuit, params = from_arrays(rng.normal(size=(5, 5)), np.ones((5, 1)), np.ones((2, 5)), dt=20.0)
    inputs = rng.normal(size=(50, 1))
    one, other = (spiking.replicate(circuit, params, inputs, target=each) for each in ("numpy", "cython"))
    np.testing.assert_allclose(one.rates, other.rates, rtol=0, atol=1e-10)
    np.testing.assert_allclose(one.outputs, other.outputs, rtol=0, atol=1e-10)
