"""Segments of a trial: the same gradient to rounding, whatever the length, and less memory."""

from __future__ import annotations

import dataclasses

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from tests.factories import random_params, random_trials, small_circuit
from tests.oracles import norm, relative
from throughtime.circuits import GRU, LSTM, ShortTermPlasticity, WarmUp
from throughtime.credit.batch import segment_length
from throughtime.credit.transport import Exact, NoTransport, Window
from throughtime.objectives import Objective, RatePenalty, SquaredError, VanishingGradient
from throughtime.rules import BPTT, AdjointRule

LOSS = SquaredError()


@pytest.fixture(autouse=True)
def _float64():
    with jax.enable_x64(True):
        yield


def compute(circuit, rule, objective, params, trials, carry=None):
    state = rule.init(circuit, params, key=jax.random.key(1))
    grads, _, info = rule.gradient(
        circuit, params, state, trials, objective, key=jax.random.key(7), carry=carry
    )
    return grads, info


run = jax.jit(compute, static_argnums=(0, 1, 2))


@pytest.mark.parametrize("segment", [2, 5, "sqrt"])
def test_segments_give_the_gradient_of_the_whole_trial(segment):
    circuit, trials = small_circuit("current", noise=0.1), random_trials(num_steps=11)
    params = random_params(circuit)
    objective = LOSS + RatePenalty(0.3)
    whole = run(circuit, BPTT(), objective, params, trials)
    parts = run(circuit, BPTT(segment=segment), objective, params, trials)
    assert norm(whole[0]["recurrent"]) > 1e-3
    # noise is drawn in float32 and may round differently in another program
    assert relative(parts, whole) < 1e-7
    quiet = dataclasses.replace(circuit, noise_sd=0.0)
    exact, cut = (run(quiet, rule, objective, params, trials) for rule in (BPTT(), BPTT(segment=segment)))
    assert relative(cut, exact) < 1e-12
    assert relative(exact[0], whole[0]) > 1e-3, "the noise of a segment must be the trial's"


@pytest.mark.parametrize(
    "transport", [NoTransport(), Window(60.0), Window(60.0, "sliding")], ids=["none", "blocks", "sliding"]
)
def test_segments_do_not_change_another_rule_either(transport):
    circuit = small_circuit("rate", initial=WarmUp(100.0))
    params, trials = random_params(circuit), random_trials(num_steps=11)
    whole = run(circuit, AdjointRule(transport=transport), LOSS, params, trials)
    parts = run(circuit, AdjointRule(transport=transport, segment=4), LOSS, params, trials)
    assert norm(whole[0]["recurrent"]) > 1e-3
    assert relative(parts, whole) < 1e-12


@pytest.mark.parametrize(
    "dynamics", [GRU(), LSTM(), ShortTermPlasticity(activation="softplus", tau_range=(25.0, 300.0))], ids=repr
)
@pytest.mark.parametrize("transport", [Exact(), Window(60.0, "sliding")], ids=["exact", "sliding"])
def test_segments_and_a_warm_up_of_gates_and_of_a_separate_readout(dynamics, transport):
    """The warm-up is compared with a longer trial whose first steps are silent, segments with the whole."""
    plain = dataclasses.replace(small_circuit("rate"), dynamics=dynamics)
    warm, params = dataclasses.replace(plain, initial=WarmUp(80.0)), random_params(plain)
    trials, rule = random_trials(num_steps=11), AdjointRule(transport=transport)

    def before(leaf, fill):
        return jnp.concatenate([jnp.full((len(leaf), 4, *leaf.shape[2:]), fill, leaf.dtype), leaf], 1)

    fills = zip((*trials[:3], trials.valid), (0, 0, 0, True), strict=True)
    longer = trials._replace(
        **dict(zip(trials._fields, (before(leaf, fill) for leaf, fill in fills), strict=False))
    )
    whole, wanted = run(warm, rule, LOSS, params, trials), run(plain, rule, LOSS, params, longer)
    cut = run(warm, dataclasses.replace(rule, segment=4), LOSS, params, trials)
    assert norm(wanted[0]["recurrent"]) > 1e-3
    assert relative(whole[0], wanted[0]) < 1e-11
    assert relative(cut, whole) < 1e-11


def test_memory_grows_with_the_root_of_the_number_of_steps():
    """Bytes XLA sets aside for the compiled gradient, beside its arguments."""
    circuit = dataclasses.replace(small_circuit("current"), num_units=64, dynamics=BARE, num_inputs=1)
    circuit = dataclasses.replace(circuit, num_outputs=1)
    params = jax.eval_shape(lambda key: circuit.init(key=key), jax.random.key(0))

    def bytes_of(segment, steps):
        shape = jax.ShapeDtypeStruct
        trial = type(random_trials())(
            shape((8, steps, 1), jnp.float32), shape((8, steps, 1), jnp.float32),
            shape((8, steps, 1), jnp.float32), shape((8, steps), bool), {}, {},
        )  # fmt: skip
        lowered = run.lower(circuit, BPTT(segment=segment), LOSS, params, trial)
        return lowered.compile().memory_analysis().temp_size_in_bytes

    whole = [bytes_of(None, steps) for steps in (250, 4000)]
    parts = [bytes_of("sqrt", steps) for steps in (250, 4000)]
    exponents = [np.log(many / few) / np.log(16) for few, many in (whole, parts)]
    assert exponents[0] > 0.9
    assert exponents[1] < 0.65
    assert parts[1] < 0.2 * whole[1]


def test_length_of_a_segment():
    assert segment_length(None, 100) is None
    assert segment_length(7, 100) == 8
    assert all(segment_length("sqrt", steps) % 2 == 0 for steps in range(1, 60))
    with pytest.raises(
        ValueError, match=r"12 steps are longer than the trial of 11; use a segment of about 4"
    ):
        compute(small_circuit("rate"), BPTT(segment=12), LOSS, random_params(small_circuit("rate")),
                random_trials(num_steps=11))  # fmt: skip
    for wrong in (0, -3, True, 2.5, "root"):
        with pytest.raises(ValueError, match="is not a whole number >= 1, 'sqrt' or None"):
            BPTT(segment=wrong)


@dataclasses.dataclass(frozen=True)
class LastRates(SquaredError):
    """A penalty that is no sum over steps."""

    def penalty(self, trajectory, valid=None, num_valid=None):
        return jnp.sum(trajectory.rates[-1] ** 2)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (LastRates(), "the penalty of LastRates may read the whole trajectory"),
        (LOSS + VanishingGradient(0.1), "needs the states of the whole trial"),
    ],
)
def test_terms_that_need_the_whole_trial_are_refused(objective: Objective, message):
    circuit = small_circuit("rate")
    with pytest.raises(ValueError, match=message):
        compute(circuit, BPTT(segment=4), objective, random_params(circuit), random_trials(num_steps=11))


BARE = dataclasses.replace(small_circuit("current").dynamics, tau=100.0)
