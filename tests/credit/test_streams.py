"""What a rule carries from call to call, and what it refuses to go on from."""

from __future__ import annotations

import jax
import jax.numpy as jnp
import pytest

from tests.credit.forms import (
    OBJECTIVE,
    SUMMED,
    TRIALS,
    UNITS,
    circuit_of,
    compute,
    online,
    params_of,
    trials_of,
    whole_steps,
)
from tests.oracles import relative
from throughtime.credit.carried import CARRIED
from throughtime.rules import (
    BPTT,
    DNI,
    RFLO,
    RTRL,
    TBPTT,
    UORO,
    EvolutionStrategy,
    KeRNL,
    Miconi,
    NodePerturbation,
    ReadoutOnly,
    WeightPerturbation,
)


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def stream(rule, cuts, carry=True):
    """Gradients, states and carries of calls that go on from one to the next."""
    circuit = circuit_of()
    params = params_of(circuit)
    state = rule.init(circuit, params, key=jax.random.key(11))
    goes_on = rule.initial_carry(circuit, params, state, TRIALS)
    total = jax.tree.map(jnp.zeros_like, params)
    for first, last in cuts:
        grads, state, info = compute(
            circuit, rule, params, whole_steps(first, last), carry=goes_on, state=state, objective=SUMMED
        )
        total = jax.tree.map(jnp.add, total, grads)
        goes_on = info["carry"] if carry else {n: v for n, v in info["carry"].items() if n != CARRIED}
    return total, state


def test_traces_go_on_from_call_to_call():
    whole, parts = stream(RTRL(), [(0, 8)])[0], stream(RTRL(), [(0, 4), (4, 8)])[0]
    assert relative(parts, whole) < 1e-12
    assert relative(stream(RTRL(), [(0, 4), (4, 8)], carry=False)[0]["recurrent"], whole["recurrent"]) > 1e-2


def test_dni_takes_the_end_of_a_call_for_the_end_of_a_trial():
    """No target crosses from call to call, so one long call is not two short ones: the second starts anew."""
    rule = DNI(predictor_step=0.05)
    _, whole = stream(rule, [(0, 8)])
    grads, parts = stream(rule, [(0, 4), (4, 8)])
    assert relative(parts["rule_predictor"], whole["rule_predictor"]) > 1e-4
    afresh, anew = stream(rule, [(0, 4), (4, 8)], carry=False)
    assert relative(parts, anew) < 1e-12
    assert relative(grads, afresh) < 1e-12


GOING_ON = {
    "bptt": BPTT(),
    "tbptt, online": online(TBPTT(window=80.0)),
    "readout": ReadoutOnly(),
    "weight": WeightPerturbation(),
    "node": NodePerturbation(),
    "evolution": EvolutionStrategy(num_pairs=2),
    "miconi": Miconi(),
}


@pytest.mark.parametrize("name", GOING_ON)
def test_rules_without_traces_go_on_from_the_states_alone(name):
    rule, circuit = GOING_ON[name], circuit_of()
    params = params_of(circuit)
    carry = {"current": jnp.full((TRIALS, UNITS), 0.2)}
    state = rule.init(circuit, params, key=jax.random.key(11))

    def found(carry):
        key = jax.random.key(7)
        return rule.gradient(circuit, params, state, trials_of(), OBJECTIVE, key=key, carry=carry)

    alone, with_traces = (jax.eval_shape(found, each) for each in (carry, {**carry, CARRIED: (1.0,)}))
    assert with_traces == alone
    if isinstance(rule, BPTT):
        assert relative(found({**carry, CARRIED: (1.0,)}), found(carry)) == 0


def test_traces_of_another_rule_are_refused():
    circuit = circuit_of()
    params = params_of(circuit)
    carry = compute(circuit, RTRL(), params, trials_of())[2]["carry"]
    for rule in (online(RFLO()), UORO(), KeRNL()):
        state = rule.init(circuit, params, key=jax.random.key(11))
        with pytest.raises(
            ValueError, match=r"carry: expected the traces of \w+, .* alone \(leave 'credit' out\)"
        ):
            rule.gradient(circuit, params, state, trials_of(), OBJECTIVE, key=jax.random.key(0), carry=carry)
    fewer = jax.tree.map(lambda leaf: leaf[:, :-1], carry[CARRIED])
    with pytest.raises(ValueError, match="carry: expected the traces of Influence"):
        RTRL().gradient(
            circuit, params, {}, trials_of(), OBJECTIVE, key=jax.random.key(0),
            carry={**carry, CARRIED: fewer},
        )  # fmt: skip


@pytest.mark.parametrize(
    ("carry", "found"),
    [
        ((1, 2), r"expected states by name \(current\), got tuple"),
        ({"rate": jnp.zeros((2, 4))}, r"expected current \(2, 4\) \(trial, unit\), got rate \(2, 4\)"),
        ({"current": jnp.zeros((3, 4))}, r"got current \(3, 4\); carry on with the same circuit"),
        ({CARRIED: ()}, "got no states"),
    ],
)
@pytest.mark.parametrize("rule", [BPTT(), RTRL()], ids=lambda rule: rule.name)
def test_states_of_another_circuit_are_refused(rule, carry, found):
    circuit = circuit_of()
    with pytest.raises(ValueError, match=found):
        rule.gradient(
            circuit, params_of(circuit), {}, trials_of(), OBJECTIVE, key=jax.random.key(0), carry=carry
        )
