from __future__ import annotations

import json
import subprocess
from pathlib import Path

import numpy as np
import pytest

from tests.results.records import ToyTask, example_tree, training_record
from throughtime.config import canonical, sha256
from throughtime.results import provenance, run_tree
from throughtime.results.schema import REQUIRED, REQUIRED_OF_RUN


def test_root_attributes(tree):
    attrs, record = tree.attrs, training_record()
    assert set(REQUIRED + REQUIRED_OF_RUN) <= set(attrs)
    assert attrs["config"] == canonical(record.config)
    assert attrs["config_sha256"] == sha256(record.config)
    assert attrs["run_id"] == attrs["config_sha256"][:16]
    assert (attrs["task"], attrs["circuit"], attrs["rule"]) == ("toy-task", "toy-circuit", "kf-rtrl")
    assert attrs["dtype"] == "float32"
    assert attrs["numpy_version"] == np.__version__
    assert json.loads(attrs["init_sha256"]) == {"1": "bb", "3": "aa", "7": "cc"}
    assert attrs["created_at"].endswith("+00:00")
    assert attrs["command"] == "throughtime train"
    assert "command" not in run_tree(training_record()).attrs


def test_the_same_configuration_has_the_same_id():
    one, two = example_tree().attrs, example_tree().attrs
    assert one["run_id"] == two["run_id"]
    assert one["code_sha256"] == two["code_sha256"]
    config = {**training_record().config, "task": ToyTask(dt=10.0)}
    assert example_tree(config=config).attrs["run_id"] != one["run_id"]


@pytest.mark.parametrize(
    ("command", "stripped"),
    [
        ("throughtime train --seeds 4", "throughtime train --seeds 4"),
        ("/usr/bin/python /home/me/run.py results/x.nc", "python run.py results/x.nc"),
        ("run '--out=/home/my name/x.nc'", "run --out=x.nc"),
        ("run ~/x.py a=/tmp/b,/tmp/c", "run x.py a=b,c"),
        (r"run 'C:\Users\me\x.py'", "run x.py"),
        ("run --scheduler tcp://node7:8786", "run --scheduler tcp://..."),
        ("run 'unclosed /home/me/x", "run ''\"'\"'unclosed' x"),
    ],
)
def test_command_holds_no_path_and_no_host(command, stripped):
    assert provenance.strip_paths(command) == stripped


def test_no_attribute_holds_this_folder(tree):
    here = str(Path(__file__).resolve().parents[2])
    assert here not in json.dumps(tree.attrs)


def git(folder: Path, *arguments: str) -> str:
    who = ["-c", "user.name=a", "-c", "user.email=a@b", "-c", "commit.gpgsign=false"]
    done = subprocess.run(
        ["git", "-C", str(folder), *who, *arguments], check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    package = tmp_path.resolve() / "src" / "throughtime"
    package.mkdir(parents=True)
    (package / "__init__.py").write_text("")
    git(tmp_path, "init", "-q")
    git(tmp_path, "add", ".")
    git(tmp_path, "commit", "-q", "-m", "first")
    return package


def state(package: Path) -> dict[str, object]:
    provenance.git_state.cache_clear()
    return provenance.git_state(package)


def test_git_state_of_a_checkout(checkout):
    commit = git(checkout, "rev-parse", "HEAD")
    assert state(checkout) == {"git_commit": commit, "git_dirty": 0}
    (checkout.parents[1] / "notes.txt").write_text("untracked, outside the package")
    assert state(checkout)["git_dirty"] == 0
    (checkout / "new.py").write_text("")
    assert state(checkout)["git_dirty"] == 1
    (checkout / "new.py").unlink()
    (checkout / "__init__.py").write_text("changed = True")
    assert state(checkout)["git_dirty"] == 1


def test_another_projects_checkout_is_not_ours(checkout):
    installed = checkout.parents[1] / "venv" / "src" / "throughtime"
    installed.mkdir(parents=True)
    assert state(installed) == {}


def test_variables_of_a_hook_do_not_lead_elsewhere(checkout, monkeypatch, tmp_path_factory):
    expected = state(checkout)
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    git(elsewhere, "init", "-q")
    monkeypatch.setenv("GIT_DIR", str(elsewhere / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(elsewhere))
    assert state(checkout) == expected


def test_outside_any_checkout_the_keys_are_absent(tmp_path, monkeypatch):
    assert state(tmp_path) == {}
    monkeypatch.setenv("PATH", "")
    assert state(provenance.PACKAGE) == {}  # nor without git
    provenance.git_state.cache_clear()


def test_code_hash_follows_the_sources(checkout):
    def digest() -> str:
        provenance.code_sha256.cache_clear()
        return provenance.code_sha256(checkout)

    first = digest()
    (checkout / "data.txt").write_text("no code")
    assert digest() == first
    (checkout / "a.py").write_text("x = 1")
    second = digest()
    (checkout / "a.py").rename(checkout / "b.py")
    assert len({first, second, digest()}) == 3
    provenance.code_sha256.cache_clear()


def test_deterministic_on_a_cpu_or_when_xla_is_told(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)
    assert provenance.is_deterministic("cpu")
    assert not provenance.is_deterministic("NVIDIA H200")
    monkeypatch.setenv("XLA_FLAGS", "--xla_gpu_deterministic_ops=true")
    assert provenance.is_deterministic("NVIDIA H200")


def test_device_is_unknown_without_jax(monkeypatch):
    monkeypatch.delitem(provenance.sys.modules, "jax", raising=False)
    assert provenance.device_kind() == "unknown"


def test_a_library_that_is_not_installed_has_no_version():
    assert provenance._version("no-such-library-anywhere") == "unknown"
