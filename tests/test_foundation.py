"""Rooms everything stands on: frozen arrays, configuration as JSON, keys, registry, atomic files, set-up."""

from __future__ import annotations

import dataclasses
import json
import os
import pickle
import subprocess
import sys

import jax
import numpy as np
import pytest

import throughtime as tt
from throughtime import atomic, config, keys, registry, runtime
from throughtime.circuits import Circuit, Dense, Leaky
from throughtime.frozen import FrozenArray
from throughtime.training import Clip


def test_frozen_arrays_are_equal_by_content_and_cannot_change():
    one, other = FrozenArray([1.0, 2.0]), FrozenArray(np.array([1.0, 2.0]))
    assert one == other
    assert hash(one) == hash(other)
    assert one != FrozenArray([1, 2]), "another dtype is another array"
    assert one != FrozenArray([[1.0, 2.0]])
    assert one != FrozenArray([1.0, 2.5])
    with pytest.raises(AttributeError, match="immutable"):
        one.values = np.zeros(2)
    with pytest.raises(ValueError, match="read-only"):
        one.values[0] = 5
    source = np.zeros(2)
    kept = FrozenArray(source)
    source[0] = 1
    assert kept.values[0] == 0
    assert pickle.loads(pickle.dumps(one)) == one
    with pytest.raises(ValueError, match="boolean or real array"):
        FrozenArray(["a"])


CIRCUIT = Circuit(2, 3, 1, dt=10.0, dynamics=Leaky(tau=[20.0, 30.0, 40.0]), recurrent=Dense(1.5))


@pytest.mark.parametrize(
    "value", [CIRCUIT, Clip(1.0, by="block"), (1, 2.5, None, "ü", True), {"a": (float("inf"),)}]
)
def test_configuration_round_trip(value):
    text = config.canonical(value)
    assert config.decode(json.loads(text)) == value
    assert config.canonical(config.decode(json.loads(text))) == text


def test_configuration_hash_tells_configurations_apart():
    assert config.sha256(CIRCUIT) == config.sha256(dataclasses.replace(CIRCUIT))
    assert config.sha256(CIRCUIT) != config.sha256(dataclasses.replace(CIRCUIT, noise_sd=0.1))
    mask = [FrozenArray(np.eye(2)), FrozenArray(np.ones((2, 2)))]
    assert config.sha256(mask[0]) != config.sha256(mask[1])


def test_configuration_refuses_what_it_cannot_rebuild():
    with pytest.raises(TypeError, match="cannot write a function as JSON"):
        config.encode(lambda: 0)
    with pytest.raises(ValueError, match="cannot be found; import or install"):
        config.decode({"class": "no.such.module:Thing"})
    with pytest.raises(ValueError, match="is not a configuration dataclass"):
        config.decode({"class": "os:system", "command": "true"})


def test_streams_and_seeds_do_not_meet():
    root = jax.random.key(0)
    found = {tuple(np.asarray(jax.random.key_data(keys.stream(root, name)))) for name in keys.STREAMS}
    assert len(found) == len(keys.STREAMS)
    roles = {tuple(np.asarray(jax.random.key_data(keys.seed_key(0, role)))) for role in keys.SEEDS}
    assert len(roles) == 3
    assert keys.PURPOSES == {"train": 0, "validation": 1, "test": 2, "analysis": 3, "transfer": 4}, (
        "never renumbered"
    )


def test_circuit_noise_does_not_reuse_the_draws_of_the_task():
    key = keys.trial_key(keys.seed_key(0, "data"), "train", 0, 0)
    quiet, noisy = (tt.tasks.make("cue-set-go", noise=sd).trial(key).inputs for sd in (0.0, 1.0))
    drawn = np.asarray(noisy - quiet)[:, 0]
    circuit = Circuit(2, 8, 1, dynamics=Leaky(), noise_sd=1.0)
    noise = np.asarray(circuit.noise(key, len(drawn)))
    live = drawn != 0
    correlations = [np.corrcoef(drawn[live], noise[live, unit])[0, 1] for unit in range(8)]
    assert np.abs(correlations).max() < 0.5


def test_registry_names_and_near_names():
    assert registry.kebab("DelayedMatchToSample") == "delayed-match-to-sample"
    assert (
        str(registry.unknown("rule", "bpt", ["bptt"], "there")) == "unknown rule 'bpt'; did you mean 'bptt'?"
    )
    assert str(registry.unknown("rule", "zzz", ["bptt"], "there")) == "unknown rule 'zzz'; see there."


def test_atomic_writing_leaves_old_or_new(tmp_path, monkeypatch):
    path = tmp_path / "file"
    atomic.write_bytes(path, b"old")
    (tmp_path / "plain").write_bytes(b"")
    assert path.stat().st_mode == (tmp_path / "plain").stat().st_mode
    (tmp_path / "plain").unlink()

    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(OSError, match="No space"):
        atomic.write_bytes(path, b"new")
    assert path.read_bytes() == b"old"
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def python(code: str, **environment: str) -> str:
    """Output of a fresh interpreter."""
    inherited = {k: v for k, v in os.environ.items() if not k.startswith(("XLA_", "JAX_", "THROUGHTIME_"))}
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        check=True,
        env={**inherited, **environment},
    )
    return done.stdout.strip()


def test_importing_the_package_imports_nothing_heavy():
    heavy = "('jax', 'xarray', 'matplotlib', 'brian2', 'optax', 'scipy', 'sklearn', 'numpy')"
    assert python(f"import sys, throughtime; print([m for m in {heavy} if m in sys.modules])") == "[]"


SET_UP = (
    "import throughtime.runtime, jax, os; "
    "print(jax.local_device_count(), jax.config.jax_compilation_cache_dir, os.environ['XLA_FLAGS'])"
)


def test_one_device_a_core_and_a_user_s_settings_stand():
    flag = "--xla_cpu_multi_thread_eigen"
    assert python(SET_UP, THROUGHTIME_CORES="3", THROUGHTIME_CACHE="off") == f"3 None {flag}=false"
    own = {"JAX_NUM_CPU_DEVICES": "1", "XLA_FLAGS": f"{flag}=true"}
    assert python(SET_UP, THROUGHTIME_CACHE="/tmp/a", **own) == f"1 /tmp/a {flag}=true"
    assert python(SET_UP, JAX_COMPILATION_CACHE_DIR="/tmp/b", **own) == f"1 /tmp/b {flag}=true"


def test_cores_must_be_a_number(monkeypatch):
    monkeypatch.setenv("THROUGHTIME_CORES", "many")
    with pytest.raises(ValueError, match="expected a positive whole number, got 'many'"):
        runtime.available_cores()


def test_the_jaxlib_that_is_quadratic_in_time_is_refused(monkeypatch):
    import jaxlib

    monkeypatch.setattr(jaxlib, "__version__", "0.11.1")
    with pytest.raises(ImportError, match=r"jaxlib 0\.11\.1 takes time quadratic"):
        runtime._prepare()


def test_public_names():
    assert set(dir(tt)) == set(tt.__all__)
    for name in tt.__all__:
        assert getattr(tt, name) is not None
    with pytest.raises(AttributeError, match="no attribute 'trian'"):
        _ = tt.trian


def test_a_younger_field_stands_in_the_configuration_only_where_it_is_used():
    plain, fed_back = (Circuit(1, 3, 1, output_feedback=used) for used in (False, True))
    assert "output_feedback" not in config.encode(plain)
    assert config.encode(fed_back)["output_feedback"] is True
    for circuit in (plain, fed_back):
        assert config.decode(config.encode(circuit)) == circuit
    assert config.sha256(plain) != config.sha256(fed_back)
