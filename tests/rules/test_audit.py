"""What a synapse reads, found out: updates from a record alone, and the audit of every rule."""

from __future__ import annotations

import dataclasses
from typing import ClassVar

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import random_params, random_trials, small_circuit
from tests.oracles import norm, relative
from throughtime import rules
from throughtime.audit import CAUSAL, DELAYED, FUTURE, audit, classes, constraints_mix
from throughtime.audit.drawn import draw, template
from throughtime.audit.drawn import small_circuit as audited_circuit
from throughtime.circuits import LowRank, WarmUp
from throughtime.credit.feedback import Symmetric
from throughtime.credit.record import layout
from throughtime.credit.stepper import Share
from throughtime.credit.stepping import effective
from throughtime.objectives import SquaredError
from throughtime.rules import RFLO, Rule

# options under which a rule computes its update in another way than by default
FURTHER = (
    ("mdgl", {"receiver_memory": True}),
    ("modprop", {"receiver_memory": False, "reach": 60.0}),
    ("tbptt", {"window": 80.0, "kind": "sliding"}),
    ("snap", {"n": 2}),
    ("dni", {"variant": "b"}),
    ("miconi", {"eligibility": "node"}),
)
# options that change what a synapse must sense
SENSING = (
    *FURTHER,
    ("mdgl", {"kind": "exact"}),
    ("mdgl", {"kind": "diffuse", "feedback": "symmetric"}),
    ("eprop", {"feedback": "random"}),
    ("rflo", {"feedback": "sign-concordant"}),
    ("kernl", {"frozen": True}),
    ("random-transport", {"feedback": "random"}),
)
AUDITED = tuple((name, {}) for name in rules.names() if not rules.make(name).exempt)


def named(cases):
    return {"argvalues": cases, "ids": [f"{name}{list(options.values()) or ''}" for name, options in cases]}


def computed(rule, circuit, params, state, trials):
    """The gradient of a batch of one, and the update from its record, in one compilation."""

    def both(params, state):
        key = jax.random.key(3)
        alone = jax.tree.map(lambda leaf: leaf[0], trials)
        grads, _, _ = rule.gradient(circuit, params, state, trials, SquaredError(), key=key)
        evidence = rule.evidence(circuit, params, state, alone, SquaredError(), key=key)
        return grads, rule.update_from_record(circuit, evidence, state)

    return jax.jit(both)(params, state)


@pytest.mark.parametrize(("name", "options"), **named((*AUDITED, *FURTHER)))
def test_the_update_from_a_record_is_that_of_the_gradient(name, options):
    rule = rules.make(name, **options)
    noise = 0.1 if rule.traits.displacement else 0.0  # without noise nothing leaves an innate trajectory
    with jax.enable_x64(True):
        circuit = small_circuit("current", noise=noise)
        params, trials = random_params(circuit), random_trials(num_trials=3)
        trials = jax.tree.map(lambda leaf: leaf[1:2], trials)
        assert not trials.valid.all(), "padding must be in the record"
        state = rule.init(circuit, params, key=jax.random.key(4))
        if "rule_baseline" in state:  # as after some trials
            seen = {"rule_baseline": state["rule_baseline"] + 0.7}
            counts = [one for one in state if one.endswith("_trials")]
            state = {**state, **seen, **{one: state[one] + 200 for one in counts}}

        grads, update = computed(rule, circuit, params, state, trials)
        found = {} if update.slots is None else effective(layout(circuit), circuit, update.slots)
        found |= {} if update.readout is None else {"readout": update.readout}
        wanted = {one: grads[one] for one in found}
    assert norm(wanted) > 1e-4
    live = {one: value for one, value in wanted.items() if norm(value) > 0}
    assert relative({one: found[one] for one in live}, live) < 1e-9
    assert all(norm(found[one]) == 0 for one in found if one not in live)
    moved = {one for one, value in grads.items() if norm(value) > 0} - {"readout_bias"}
    assert moved - set(live) <= {"readout"}, "an update by weights that the record did not give"


@pytest.mark.parametrize(("name", "options"), **named((*AUDITED, *SENSING)))
def test_rules_sense_what_they_declare(name, options):
    rule = rules.make(name, **options)
    verdict = audit(rule)
    assert verdict.disagreements(rule.traits) == ()
    assert ("future errors" in rule.traits.signals) == (verdict.time == FUTURE)
    if rule.traits.online:
        assert verdict.time == CAUSAL or name == "tbptt", "blocks await their end"
    if "scalar" in rule.traits.signals and not rule.traits.online:
        assert verdict.time == DELAYED
    pathway = getattr(rule, "pathway", None)
    if pathway is not None and verdict.synapses == "recurrent" and not rule.traits.displacement:
        named_path = "W_out" if isinstance(pathway, Symmetric) else "B"
        assert named_path in verdict.error_path
        assert ("W_out" in verdict.error_path) == ("W_out" in pathway.signals)
    if set(rule.traits.signals) <= {"error", "W_out", "self weight"}:
        others = {classes.OTHER_COLUMNS, classes.OTHER_ROWS, classes.RATES, classes.DERIVATIVES}
        assert not others & set(verdict.reads)
    assert not verdict.mixes


def test_what_learns_is_audited_too():
    learned = audit(rules.make("dni")).learned
    assert learned["rule_predictor"] == ("W_out", "others' states", "others' weights")
    assert audit(rules.make("dni", variant="b")).learned["rule_jacobian"] == ("others' states",)
    assert set(audit(rules.make("kernl")).learned) == {"rule_kernel", "rule_fading"}
    assert audit(rules.make("force")).learned == {"rule_inverse": ("others' states",)}
    assert audit(rules.make("rflo")).learned == {}
    assert audit(rules.make("rflo", feedback="adaptive")).learned == {"rule_feedback": ()}


@dataclasses.dataclass(frozen=True)
class Planted(RFLO):
    """RFLO with something hidden in it."""

    hidden: ClassVar = staticmethod(lambda terms, evidence: terms)

    def terms_from_record(self, circuit, evidence, state):
        terms, after = super().terms_from_record(circuit, evidence, state)
        return terms._replace(slots=self.hidden(terms.slots, evidence)), after


def a_neighbour(slots, evidence):
    return slots * (1 + evidence.steps.state[:, :, None, ::-1, None][:, 0])


def behind_a_stop(slots, evidence):
    return slots + 1e-3 * jax.lax.stop_gradient(evidence.steps.sources[:, 3])[:, None, None, None]


def the_readout(slots, evidence):
    return slots + evidence.readout.sum(0)[:, None]


def a_sign(slots, evidence):
    return slots * jnp.sign(evidence.readout[0])[:, None]


def the_future(slots, evidence):
    return slots * jnp.roll(evidence.steps.error, -1, axis=0).sum(-1)[:, None, None, None]


def the_sum_of_weights(slots, evidence):
    return slots * evidence.recurrent.sum()


def a_threshold(slots, evidence):
    return slots * (evidence.recurrent.sum(1) > 0)[:, None]


@pytest.mark.parametrize(
    ("hidden", "signal"),
    [
        (a_neighbour, "others' states"),
        (behind_a_stop, "others' states"),
        (the_readout, "W_out"),
        (a_sign, "W_out"),
        (the_future, "future errors"),
        (a_threshold, "others' weights"),
        (the_sum_of_weights, "type modulators"),
    ],
)
def test_planted_violations_are_reported(hidden, signal, monkeypatch):
    monkeypatch.setattr(Planted, "hidden", staticmethod(hidden))
    found = audit(Planted()).disagreements(Planted().traits)
    assert f"reads {signal!r} and does not declare it" in found


def test_a_declared_signal_that_is_not_read_is_reported():
    @dataclasses.dataclass(frozen=True)
    class Boastful(RFLO):
        @property
        def traits(self):
            return dataclasses.replace(super().traits, signals=("error", "scalar"))

    assert audit(Boastful()).disagreements(Boastful().traits) == ("declares 'scalar' and does not read it",)


def test_type_modulators_are_told_from_single_weights_and_states():
    typed = audit(rules.make("mdgl"))
    assert {classes.WEIGHTS, classes.DERIVATIVES, classes.ERRORS_OF_OTHERS} <= set(typed.reads)
    assert "type modulators" in typed.signals
    assert not {"others' weights", "others' states"} & set(typed.signals)
    single = audit(rules.make("mdgl", kind="exact"))
    assert {"others' weights", "others' states"} <= set(single.signals)


def test_low_rank_constraints_pass_an_update_on():
    circuit = audited_circuit()
    assert not constraints_mix(circuit, 0)
    assert constraints_mix(dataclasses.replace(circuit, recurrent=LowRank(rank=2)), 0)


def test_a_rule_with_an_update_alone_is_known_after_the_trial():
    @dataclasses.dataclass(frozen=True)
    class Late(Rule):
        def update_from_record(self, circuit, evidence, state):
            plan, steps = layout(circuit), evidence.steps
            slots = jnp.einsum("ti,tj->ij", steps.state[:, 0], steps.sources)
            return Share(slots[None] * jnp.ones((plan.drives, 1, 1)))

    found = audit(Late())
    assert (found.signals, found.time, found.rule) == ((), DELAYED, "late")


def test_what_cannot_be_audited_says_why():
    with pytest.raises(ValueError, match=r"rotated-bptt is not audited: a control .* no model of a synapse"):
        audit(rules.make("rotated-bptt"))
    with pytest.raises(TypeError, match=r"Rule must define update_from_record\(circuit, evidence, state\)"):
        audit(Rule())

    @dataclasses.dataclass(frozen=True)
    class Still(Rule):
        def update_from_record(self, circuit, evidence, state):
            return Share(readout=0 * evidence.readout)

    with pytest.raises(ValueError, match="still changes no synapse in 3 random records"):
        audit(Still())
    with pytest.raises(ValueError, match="records 0 is not a whole number >= 1"):
        audit(rules.make("rflo"), records=0)


@pytest.mark.parametrize(
    ("name", "options", "changes", "message"),
    [
        ("rflo", {}, {"initial": WarmUp(100.0)}, "runs the circuit before the trial"),
        ("node-perturbation", {}, {"output_feedback": True}, "a record of its drives does not tell apart"),
        (
            "weight-perturbation",
            {},
            {"recurrent": LowRank(rank=2)},
            "no weight 'recurrent' a parameter of its own",
        ),
        ("rtrl", {"online": True, "step_size": 0.1}, {"readout_tau": 40.0}, "no record of moving weights"),
    ],
)
def test_records_that_cannot_be_made_are_refused(name, options, changes, message):
    rule, circuit = rules.make(name, **options), dataclasses.replace(audited_circuit(), **changes)
    params = circuit.init(key=jax.random.key(0))
    trial = jax.tree.map(lambda leaf: leaf[0], random_trials(num_trials=1))
    trial = trial._replace(inputs=trial.inputs[:, :2])
    state = rule.init(circuit, params, key=jax.random.key(1))
    with pytest.raises(ValueError, match=message):
        rule.evidence(circuit, params, state, trial, SquaredError(), key=jax.random.key(2))


@pytest.mark.parametrize("name", ["rflo", "bptt"])
def test_padding_of_a_record_is_not_read(name):
    rule, circuit = rules.make(name), audited_circuit()
    with jax.enable_x64(True):
        given = template(rule, circuit, 0)
        parts = draw(given, 1)
        evidence, state = given.whole(parts)
        live = jnp.arange(len(evidence.steps.valid)) < 4

        def update(steps):
            return rule.update_from_record(circuit, evidence._replace(steps=steps), state).slots

        padded = evidence.steps._replace(valid=live)
        moved = {field: getattr(padded, field) + 3 * ~live[:, None] for field in ("sources", "read")}
        quiet = {field: jnp.where(live[:, None], getattr(padded, field), 0) for field in ("error", "direct")}
        wanted = update(padded._replace(**quiet))
        forward = name == "rflo"  # on the way back an error counts for the state that stands still
        found = update(padded._replace(**moved, **({} if forward else quiet)))
    assert relative(found, wanted) < 1e-12
    assert norm(wanted) > 1e-3


def test_a_leaky_readout_and_gates_are_in_the_record():
    from throughtime.circuits import GRU

    with jax.enable_x64(True):
        base = small_circuit("current", readout_tau=60.0)
        gated = dataclasses.replace(base, dynamics=GRU())
        for circuit, rule in ((gated, rules.make("bptt")), (base, rules.make("rflo"))):
            params, trials = random_params(circuit), random_trials(num_trials=2)
            trials = jax.tree.map(lambda leaf: leaf[1:2], trials)
            state = rule.init(circuit, params, key=jax.random.key(4))
            grads, update = computed(rule, circuit, params, state, trials)
            found = effective(layout(circuit), circuit, update.slots) | {"readout": update.readout}
            assert relative(found, {name: grads[name] for name in found}) < 1e-9
            assert np.isfinite(norm(found))
