import subprocess
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest

from throughtime import analysis
from throughtime.analysis.fits import FITS, fit

TIMING = SimpleNamespace(
    fit="timing", variables=(("interval", "target_interval"), ("produced", "produced_interval"))
)
ACCURACY = SimpleNamespace(fit="accuracy", variables=(("level", "delay"), ("correct", "correct")))
PSYCHOMETRIC = SimpleNamespace(
    fit="psychometric", variables=(("stimulus", "coherence"), ("choice", "choice"))
)
CIRCULAR = SimpleNamespace(fit="circular_error", variables=(("level", "delay"), ("error", "error")))
MATCHES = ("matches", "hits", "repeated", "repeated_false_alarms", "new", "new_false_alarms")
REPETITION = SimpleNamespace(fit="repetition", variables=tuple(zip(MATCHES, MATCHES, strict=True)))
ITEMS = ("level", "targets", "hits", "lures", "false_alarms")
DETECTION = SimpleNamespace(fit="detection", variables=tuple(zip(ITEMS, ITEMS, strict=True)))
CATEGORY = SimpleNamespace(
    fit="category", variables=(("distance", "distance"), ("same", "match"), ("choice", "choice"))
)
SERIAL = SimpleNamespace(
    fit="serial_position",
    variables=(("length", "length"), *((f"item_{k}", f"item_correct_{k}") for k in (1, 2, 3))),
)
TIMING_BY = SimpleNamespace(fit="timing_by", variables=(*TIMING.variables, ("group", "prior")))
FRACTIONAL = SimpleNamespace(
    fit="fractional_loss",
    variables=(("level", "delay"), ("excess", "excess"), ("reference", "reference")),
)
PSYCHOMETRIC_BY = SimpleNamespace(
    fit="psychometric_by", variables=(*PSYCHOMETRIC.variables, ("group", "modality"))
)
STIMULI = ("first", "second", "context", "choice")
CONTEXTUAL = SimpleNamespace(fit="contextual", variables=tuple(zip(STIMULI, STIMULI, strict=True)))
CHRONOMETRIC = SimpleNamespace(
    fit="chronometric", variables=(("stimulus", "coherence"), ("reaction_time", "reaction_time"))
)
SCALING = SimpleNamespace(
    fit="temporal_scaling",
    variables=(("speed", "speed"), ("scale", "scale"), *((f"peak_{k}", f"peak_{k}_time") for k in (1, 2, 3))),
)
BEATS = ("asynchrony", "produced", "squared_error", "successive_error")
SYNCHRONIZATION = SimpleNamespace(
    fit="synchronization",
    variables=(("period", "target_period"), *zip(BEATS, BEATS, strict=True)),
)
RNG = np.random.default_rng(0)
N = 512
INTERVAL = RNG.uniform(400, 1400, N)
COHERENCE = RNG.uniform(-1, 1, N)
CASES = {
    "timing": (TIMING, {"produced_interval": 0.7 * INTERVAL}, {"target_interval": INTERVAL}),
    "timing_by": (
        TIMING_BY,
        {"produced_interval": 0.7 * INTERVAL},
        {"target_interval": INTERVAL, "prior": np.arange(N) % 3},
    ),
    "synchronization": (
        SYNCHRONIZATION,
        {
            "asynchrony": COHERENCE,
            "produced": 0.9 * INTERVAL,
            "squared_error": 0.01 + COHERENCE**2,
            "successive_error": 0.005 + COHERENCE**3,
        },
        {"target_period": INTERVAL},
    ),
    "temporal_scaling": (
        SCALING,
        {"scale": INTERVAL / 900, **{f"peak_{k}_time": k * INTERVAL / 4 for k in (1, 2, 3)}},
        {"speed": np.arange(N) % 3 + 1},
    ),
    "accuracy": (ACCURACY, {"correct": INTERVAL < 900}, {"delay": INTERVAL}),
    "circular_error": (CIRCULAR, {"error": COHERENCE}, {"delay": INTERVAL}),
    "fractional_loss": (
        FRACTIONAL,
        {"excess": np.abs(COHERENCE), "reference": np.ones(N)},
        {"delay": INTERVAL},
    ),
    "category": (
        CATEGORY,
        {"choice": COHERENCE > 0},
        {"distance": np.arange(N) % 5, "match": np.arange(N) % 2},
    ),
    "detection": (
        DETECTION,
        {"hits": np.arange(N) % 3, "false_alarms": np.arange(N) % 2},
        {"level": np.arange(N) % 4, "targets": np.full(N, 3), "lures": np.full(N, 3)},
    ),
    "repetition": (
        REPETITION,
        {
            "hits": np.arange(N) % 2,
            "repeated_false_alarms": np.arange(N) % 3 == 0,
            "new_false_alarms": np.zeros(N),
        },
        {name: np.ones(N) for name in MATCHES[::2]},
    ),
    "serial_position": (
        SERIAL,
        {f"item_correct_{k}": np.arange(N) % (k + 1) > 0 for k in (1, 2, 3)},
        {"length": np.arange(N) % 3 + 1},
    ),
    "psychometric": (
        PSYCHOMETRIC,
        {"choice": RNG.random(N) < 0.5 + 0.45 * COHERENCE},
        {"coherence": COHERENCE},
    ),
    "psychometric_by": (
        PSYCHOMETRIC_BY,
        {"choice": RNG.random(N) < 0.5 + 0.45 * COHERENCE},
        {"coherence": COHERENCE, "modality": np.arange(N) % 3},
    ),
    "contextual": (
        CONTEXTUAL,
        {"choice": RNG.random(N) < 0.5 + 0.45 * COHERENCE},
        {"first": COHERENCE, "second": RNG.permutation(COHERENCE), "context": np.arange(N) % 2},
    ),
    "chronometric": (CHRONOMETRIC, {"reaction_time": 900 - INTERVAL / 2}, {"coherence": COHERENCE}),
}


def test_every_fit_has_a_case():
    assert set(CASES) == set(FITS)


@pytest.mark.parametrize("name", CASES)
def test_returns_finite_floats_quickly(name):
    parameters = fit(*CASES[name])
    assert all(type(value) is float for value in parameters.values())
    took = []
    for _ in range(20):
        start = time.process_time()
        fit(*CASES[name])
        took.append(time.process_time() - start)
    assert min(took) < 5e-3


def test_values():
    assert fit(*CASES["timing"])["slope"] == pytest.approx(0.7)
    assert fit(*CASES["accuracy"])["overall"] == np.mean(INTERVAL < 900)
    assert abs(fit(*CASES["psychometric"])["mu"]) < 0.1


def test_catch_trials_are_dropped():
    produced, catch = 0.7 * INTERVAL, np.zeros(N, bool)
    catch[:100] = True
    produced[:100] = 5000 - INTERVAL[:100]
    conditions = {"target_interval": INTERVAL, "catch": catch}
    assert fit(TIMING, {"produced_interval": produced}, conditions)["slope"] == pytest.approx(0.7)


@pytest.mark.parametrize("name", CASES)
@pytest.mark.parametrize("fill", [np.nan, np.inf, 0.0, 1.0])
@pytest.mark.parametrize("size", [0, 1, 2, N])
def test_never_raises_for_data(name, fill, size):
    signature, scores, conditions = CASES[name]
    scores = {key: np.full(size, fill) for key in scores}
    parameters = fit(signature, scores, {key: values[:size] for key, values in conditions.items()})
    assert set(parameters) == set(fit(*CASES[name]))
    flat = {key: np.full(size, 1.0) for key in conditions}
    fit(signature, scores, flat)


def test_nothing_produced_is_nan():
    parameters = fit(TIMING, {"produced_interval": np.full(N, np.nan)}, {"target_interval": INTERVAL})
    assert np.isnan(parameters["slope"])
    assert parameters["fraction_missing"] == 1


@pytest.mark.parametrize(
    ("signature", "message"),
    [
        (SimpleNamespace(fit="tming", variables=()), "signature.fit: unknown 'tming'; use one of timing"),
        (
            SimpleNamespace(fit="timing", variables=(("interval", "t"),)),
            "'timing' takes interval, produced; found interval",
        ),
        (
            SimpleNamespace(fit="accuracy", variables=(("level", "dlay"), ("correct", "correct"))),
            "no score or condition 'dlay'; there are correct, delay",
        ),
    ],
)
def test_mistakes_of_the_task_are_refused(signature, message):
    with pytest.raises(ValueError, match=message):
        fit(signature, {"correct": np.ones(3)}, {"delay": np.ones(3)})


def test_array_functions_import_neither_xarray_nor_matplotlib_nor_sklearn():
    code = (
        "import sys, importlib, pathlib, throughtime.analysis.fits, throughtime.analysis.arrays as a\n"
        "paths = sorted(p for p in pathlib.Path(a.__path__[0]).glob('[a-z]*.py'))\n"
        "with_jax = [p for p in paths if '\\nimport jax' in p.read_text()]  # they take a step or a loss\n"
        "load = lambda p: importlib.import_module(a.__name__ + '.' + p.stem)\n"
        "plain = [load(p) for p in paths if p not in with_jax]\n"
        "print([m for m in ('xarray', 'matplotlib', 'sklearn', 'jax') if m in sys.modules])\n"
        "others = [load(p) for p in with_jax]\n"
        "print(len(plain) > 30, len(others) > 3)\n"
        "print([m for m in ('xarray', 'matplotlib', 'sklearn') if m in sys.modules])"
    )
    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert shown.stdout.split("\n") == ["[]", "True True", "[]", ""]


def test_names_are_functions_whatever_was_imported_first():
    for name in analysis.__all__:
        assert callable(getattr(analysis, name))
        assert name in dir(analysis)
    with pytest.raises(AttributeError, match="has no attribute 'timming'; it has accuracy"):
        analysis.timming
