"""Where trials start and what padding may not do: the same in every form of a rule."""

from __future__ import annotations

from types import SimpleNamespace

import jax
import jax.numpy as jnp
import pytest

from tests.credit.forms import (
    OBJECTIVE,
    TRIALS,
    UNITS,
    circuit_of,
    compute,
    online,
    params_of,
    per_step,
    trials_of,
)
from tests.oracles import norm, relative
from throughtime.circuits import Learned, WarmUp
from throughtime.credit.record import layout
from throughtime.rules import (
    BPTT,
    DNI,
    KFRTRL,
    MDGL,
    RFLO,
    RKFRTRL,
    RTRL,
    TBPTT,
    UORO,
    EProp,
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


# ---- a warm-up and the filter of the outputs


def test_rtrl_is_bptt_where_a_warm_up_meets_a_leaky_readout():
    circuit = circuit_of(initial=WarmUp(60.0), readout_tau=50.0)
    params = params_of(circuit)
    wanted = compute(circuit, BPTT(), params, trials_of())[0]
    assert norm(wanted["bias"]) > 1e-2
    assert relative(compute(circuit, RTRL(), params, trials_of())[0], wanted) < 1e-9
    moved = per_step(compute(circuit, online(RTRL()), params, trials_of())[0])
    assert relative(moved, wanted) < 1e-5


@pytest.mark.parametrize(("rule", "tau"), [(EProp(kappa=0.6), None), (EProp(), 50.0)], ids=["kappa", "leak"])
def test_both_forms_filter_alike_after_a_warm_up(rule, tau):
    circuit = circuit_of(initial=WarmUp(60.0), readout_tau=tau)
    params = params_of(circuit)
    wanted = compute(circuit, rule, params, trials_of())[0]
    moved = per_step(compute(circuit, online(rule), params, trials_of())[0])
    assert norm(wanted["recurrent"]) > 1e-2
    assert relative(moved, wanted) < 1e-5


@pytest.mark.parametrize("rule", [UORO(), KFRTRL(), RKFRTRL()], ids=lambda rule: rule.name)
def test_random_factors_forget_the_readout_and_nothing_else(rule):
    circuit = circuit_of(readout_tau=50.0)
    stepper = rule.stepper(circuit)
    begun = stepper.begin(layout(circuit), {}, jnp.float64)
    full = jax.tree.map(lambda leaf: leaf + 1.0, begun)
    forgotten = stepper.forget_readout(full)
    assert norm(forgotten.filtered) == 0 < norm(full.filtered)
    kept = [name for name in full._fields if "filtered" not in name]
    assert all(getattr(forgotten, name) is getattr(full, name) for name in kept)


# ---- blocks and the output before the first step


@pytest.mark.parametrize("initial", [None, WarmUp(60.0)], ids=["rest", "warm"])
def test_blocks_with_small_steps_are_the_gradient_where_the_output_is_fed_back(initial):
    fields = {} if initial is None else {"initial": initial}
    circuit = circuit_of(output_feedback=True, **fields)
    params, rule = params_of(circuit), TBPTT(window=80.0)
    wanted = compute(circuit, rule, params, trials_of())[0]
    moved = per_step(compute(circuit, online(rule), params, trials_of())[0])
    assert norm(wanted["readout_bias"]) > 1e-2
    assert relative(moved, wanted) < 1e-5


# ---- given states


def test_a_given_state_trains_no_learned_one():
    circuit = circuit_of(initial=Learned())
    params, states = params_of(circuit), {"current": jnp.full((TRIALS, UNITS), 0.2)}
    found, wanted, relayed = (
        compute(circuit, rule, params, trials_of(), carry=states)[0]
        for rule in (RTRL(), BPTT(), online(MDGL()))
    )
    assert relative(found, wanted) < 1e-9
    for grads in (found, wanted, relayed):
        assert norm(grads["initial_current"]) == 0 < norm(grads["recurrent"])


@pytest.mark.parametrize(
    "rule", [UORO(), UORO(start="normal"), DNI(), KeRNL()], ids=["uoro", "normal", "dni", "kernl"]
)
def test_what_is_carried_from_a_given_state_has_no_part_of_a_learned_one(rule):
    circuit = circuit_of(initial=Learned())
    params, plan = params_of(circuit), layout(circuit)
    state = rule.init(circuit, params, key=jax.random.key(11))
    stepper = rule.stepper(circuit)
    own = stepper.begin(plan, state, jnp.float64)
    given = stepper.from_given_state(own)
    if isinstance(rule, UORO):
        now = SimpleNamespace(sources=jnp.zeros(plan.slots))
        own, given = (stepper.started(plan, state, each, now, jax.random.key(3)) for each in (own, given))
        assert (norm(given.slots) > 0) == (rule.start == "normal")
        assert float(given.begun) == 1
    part = "opening" if isinstance(rule, DNI) else "initial"
    assert norm(getattr(given, part)) == 0 < norm(getattr(own, part))


@pytest.mark.parametrize("rule", [RTRL(), online(RFLO()), BPTT()], ids=str)
def test_a_leaky_readout_carries_nothing_over(rule):
    circuit = circuit_of(readout_tau=50.0)
    params = params_of(circuit)
    _, state, info = compute(circuit, rule, params, trials_of())
    with pytest.raises(ValueError, match="carry: the outputs of a readout with readout_tau 50 ms"):
        rule.gradient(
            circuit, params, state, trials_of(), OBJECTIVE, key=jax.random.key(0), carry=info["carry"]
        )


# ---- padding


PADDED = {
    "bptt": BPTT(),
    "bptt in segments": BPTT(segment=4),
    "rtrl": RTRL(),
    "eprop, online": EProp(online=True, step_size=0.1),
    "tbptt, online": TBPTT(window=60.0, online=True, step_size=0.1),
    "readout": ReadoutOnly(),
    "node": NodePerturbation(baseline="noise-free"),
    "weight": WeightPerturbation(),
    "miconi": Miconi(warm_up=0),
}


@pytest.mark.parametrize("name", PADDED)
def test_a_mask_on_padding_counts_nowhere(name):
    rule, circuit = PADDED[name], circuit_of()
    params = params_of(circuit)
    dirty = trials_of(mask=trials_of().mask + 1.0 * ~trials_of().valid[..., None])
    state = rule.init(circuit, params, key=jax.random.key(11))
    if isinstance(rule, Miconi):
        _, state, _ = compute(circuit, rule, params, trials_of(), state=state)
    wanted, found = (compute(circuit, rule, params, t, state=state) for t in (trials_of(), dirty))
    assert norm(wanted[0]) > 1e-4
    assert relative(found, wanted) < 1e-12
