"""``throughtime check``: right members pass, and members that are wrong on purpose are told what is wrong."""

from __future__ import annotations

import textwrap

import pytest

from throughtime import checking

HEADER = """
from dataclasses import dataclass
import jax, jax.numpy as jnp, numpy as np
import xarray as xr
import throughtime as tt
from throughtime.rules import BPTT, RFLO, Traits
CALLS = []
"""


def rule(name: str, change: str, base: str = "BPTT", traits: str = "") -> str:
    """Source of a rule that does what ``base`` does, and then ``change`` to ``grads`` and ``info``."""
    declared = "" if not traits else f"""
            @property
            def traits(self):
                import dataclasses
                return dataclasses.replace(super().traits, {traits})
    """  # fmt: skip
    return textwrap.dedent(f'''
        @dataclass(frozen=True)
        class {name}({base}):
            """{name}.

            Source: a mistake on purpose.
            """
            {textwrap.indent(textwrap.dedent(declared), " " * 12).strip()}

            def gradient(self, circuit, params, state, trials, objective, *, key, carry=None, update=0):
                grads, state, info = super().gradient(
                    circuit, params, state, trials, objective, key=key, carry=carry, update=update)
                {change}
                return grads, state, info
    ''')


# name -> (source, check that must fail, what its message must tell)
WRONG = {
    "SignFlipped": (
        rule("SignFlipped", 'grads = {**grads, "input": grads["input"].at[:, 0].multiply(-1)}'),
        "exactness",
        "input off by",
    ),
    "ForgetsValid": (
        rule("ForgetsValid", 'grads["bias"] += trials.inputs.mean()', traits="exact=False"),
        "padding",
        "3 more steps that are not valid",
    ),
    "ClaimsExact": (rule("ClaimsExact", "", "RFLO", "exact=True"), "exactness", "or declare exact=False"),
    "HidesExact": (rule("HidesExact", "", traits="exact=False"), "exactness", "declare exact=True"),
    "Sums": (
        rule("Sums", "grads = jax.tree.map(lambda g: len(trials.valid) * g, grads)", traits="exact=False"),
        "mean-of-trials",
        "3 times that part of a single trial",
    ),
    "Counts": (
        rule("Counts", 'CALLS.append(1); grads = {**grads, "bias": grads["bias"] * len(CALLS)}'),
        "purity",
        "differ from one trace to the next",
    ),
    "DrawsGlobally": (
        rule("DrawsGlobally", 'grads = {**grads, "bias": grads["bias"] + np.random.normal()}'),
        "purity",
        "draw from the key",
    ),
    "Draws": (
        rule("Draws", 'grads["bias"] += jax.random.normal(key)', traits="exact=False"),
        "draws",
        "declare stochastic=True",
    ),
    "DrawsNot": (rule("DrawsNot", "", "RFLO", "stochastic=True"), "draws", "declare stochastic=False"),
    "Shapeless": (
        rule("Shapeless", 'grads = {name: value for name, value in grads.items() if name != "bias"}'),
        "contract",
        "a gradient of 'bias'",
    ),
    "NotANumber": (
        rule("NotANumber", 'grads = {**grads, "bias": grads["bias"] / 0}'), "contract", "NaN or infinity"
    ),
    "Lossless": (rule("Lossless", 'info.pop("losses")'), "contract", "'losses'"),
    "WrongLoss": (rule("WrongLoss", 'info["loss"] = 2 * info["loss"]'), "loss", "as circuit.run gives"),
    "Dead": (rule("Dead", 'grads = {**grads, "bias": 0 * grads["bias"]}'), "alive", "zeros for bias"),
    "TrainsMore": (
        rule("TrainsMore", "", "RFLO", 'trained=("readout",)'), "alive", "a gradient of recurrent, input"
    ),
    "Double": (
        rule("Double", "grads = jax.tree.map(lambda leaf: leaf.astype('float64'), grads)"),
        "single-precision",
        "float",
    ),
    "Grows": (
        rule("Grows", 'state = {**state, "more": jnp.ones(3)}'), "contract", "a state like that from init"
    ),
    "Breaks": (rule("Breaks", "raise KeyError('lost')"), "circuits", "KeyError"),
    "Coarse": (
        rule("Coarse", "grads = jax.tree.map(lambda g: g * trials.valid.shape[1], grads)", "RFLO"),
        "halving-dt",
        "keep windows",
    ),
    "Vocabulary": (rule("Vocabulary", "", "RFLO", 'signals=("telepathy",)'), "declaration", "'telepathy'"),
    "Unaware": (rule("Unaware", "", "RFLO", "signals=()"), "locality", "reads 'error' and does not"),
}  # fmt: skip


@pytest.fixture(scope="module")
def wrong(tmp_path_factory):
    """A file of rules that are wrong on purpose, and what it defines."""
    path = tmp_path_factory.mktemp("check") / "wrong_rules.py"
    path.write_text(HEADER + "".join(source for source, _, _ in WRONG.values()))
    from throughtime.cli.scripts import imported

    with imported(path) as module:
        yield path, module


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_on_purpose_is_found(name, wrong):
    _, check, message = WRONG[name]
    (finding,) = checking.check(getattr(wrong[1], name), only=[check])
    assert finding.status == "FAILED", finding
    assert message in finding.detail, finding


def test_report_of_a_wrong_rule(wrong, call):
    status, out, err = call("check", f"{wrong[0]}:ClaimsExact", "--only", "declaration", "exactness", "draws")
    lines = " ".join(out.split())
    assert (status, err) == (1, "")
    assert out.startswith("rule ClaimsExact\n  ok       declaration: exact, online; senses error\n")
    assert (
        "FAILED exactness: expected the gradient of the loss, to 1e-5 of finite differences; found" in lines
    )
    assert lines.endswith("ok draws: no draws of its own 2 ok, 1 failed, 0 skipped"), "nothing is lost"


RIGHT = '''
@dataclass(frozen=True)
class Mine(tt.rules.AdjointRule):
    """Own memory and a random error."""

    feedback: object = "random"
    transport: object = tt.rules.make("rflo").transport

    @property
    def traits(self):
        return Traits(exact=False, online=True, stochastic=False, displacement=False, signals=("error",))

def mean_rate(rates: xr.DataArray) -> xr.Dataset:
    """Mean rate of each trial, (…, unit) to (…)."""
    found = rates.mean("unit").rename("mean_rate")
    return found.assign_attrs(units="1", long_name="mean rate").to_dataset()

RATES = xr.DataArray(np.array([[1.0, 3.0]]), dims=("trial", "unit"))
mean_rate.known_answer = lambda: ((RATES,), {"mean_rate": [2.0]})

def unknown(rates: xr.DataArray) -> xr.Dataset:
    """Nothing is known of it."""
    return rates.to_dataset(name="it")

def bare(rates):
    rates *= 2
    return rates.mean("unit").to_dataset(name="mean_rate")

bare.known_answer = lambda: ((RATES.copy(),), {"mean_rate": [2.0]})

class Other: pass
class NeedsMore(Mine):
    def __init__(self, more): pass

@dataclass(frozen=True)
class Slanted(tt.circuits.Leaky):
    """Leaky units whose rates forget their configuration."""
    def rate(self, params, state):
        import jax
        return jax.lax.stop_gradient(super().rate(params, state))

TASK = tt.tasks.make("cue-set-go", dt=40.0)
@dataclass(frozen=True, kw_only=True)
class Garbled(type(TASK)):
    """Outputs are judged late."""
    def score(self, outputs, trial):
        return {**super().score(outputs, trial), "correct": jnp.array(True)}
LATE = Garbled(dt=40.0)
BIG = tt.circuits.Circuit(num_inputs=1, num_units=64, num_outputs=1)
'''


@pytest.fixture(scope="module")
def right(tmp_path_factory):
    """A file with members of every kind."""
    path = tmp_path_factory.mktemp("check") / "members.py"
    path.write_text(HEADER + RIGHT)
    return path


def test_a_rule_of_ones_own_meets_the_whole_battery(right, call):
    status, out, _ = call("check", f"{right}:Mine")
    assert status == 0, out
    assert "13 ok, 0 failed, 1 skipped" in out or "14 ok, 0 failed, 0 skipped" in out


def test_other_kinds(right, call):
    for name, kind, only, passed in (
        ("TASK", "task", ("shapes", "masks", "ideal", "round-trip"), 4),
        ("mean_rate", "analysis", (), 4),
    ):
        status, out, _ = call("check", f"{right}:{name}", *(("--only", *only) if only else ()))
        assert out.startswith(f"{kind} {name}\n")
        assert f"{passed} ok, 0 failed" in out, out
        assert status == 0
    status, out, _ = call("check", f"{right}:unknown")
    assert (status, "1 ok, 0 failed, 3 skipped" in out) == (0, True)


def test_other_kinds_that_are_wrong(right, call):
    status, out, _ = call("check", f"{right}:bare")
    lines = " ".join(out.split())
    assert status == 1
    assert "FAILED documentation: expected a docstring of bare; found none" in lines
    assert "FAILED known-answer: expected mean_rate = [2.0]; found [4.]" in lines
    assert "FAILED dataset: expected units and long_name of 'mean_rate'" in lines
    status, out, _ = call("check", f"{right}:Slanted", "--only", "gradients", "steps")
    lines = " ".join(out.split())
    assert status == 1
    assert "finite differences are off by" in lines
    assert "(checked: Exact, alive, and compiled once for any values)" in lines
    assert "1 ok, 1 failed" in lines
    status, out, _ = call("check", f"{right}:LATE", "--only", "silent")
    assert status == 1
    assert "(checked: Zero outputs give ``silent_score``; NaN outputs are never correct)" in " ".join(
        out.split()
    )


def test_refusals(right, refused, tmp_path):
    assert "expected FILE.py:NAME, found 'rflo'" in refused("check", "rflo")
    assert "there is no file" in refused("check", f"{tmp_path}/nowhere.py:Mine")
    assert "has no 'Yours'; it has" in refused("check", f"{right}:Yours")
    assert "expected a rule, a task, a circuit" in refused("check", f"{right}:Other")


def test_what_cannot_be_checked():
    with pytest.raises(
        ValueError, match=r"RotatedBPTT needs|there is no check 'speed'; there are declaration"
    ):
        checking.check(rules_class(), only=["speed"])


def rules_class():
    from throughtime.rules import RotatedBPTT

    return RotatedBPTT


def test_classes_and_circuits_that_are_refused(right):
    from throughtime.cli.scripts import imported

    with imported(right) as module:
        with pytest.raises(ValueError, match=r"NeedsMore needs arguments .*; name an object instead"):
            checking.check(module.NeedsMore)
        with pytest.raises(ValueError, match="64 units are many for finite differences"):
            checking.check(module.BIG)
