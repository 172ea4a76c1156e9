"""Perturbations: linear circuits whose propagator is known, lesions by hand, and runs that are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import xarray as xr

from throughtime import analysis, circuits
from throughtime.analysis.arrays.deviations import recovery_time_constant
from throughtime.analysis.arrays.perturb import lesions, pulses, resampled_weights, shuffled
from throughtime.analysis.arrays.simulator import simulator
from throughtime.circuits import Circuit
from throughtime.results import schema

RNG = np.random.default_rng(0)
SIZE, STEPS, TRIALS = 5, 40, 3
WEIGHTS = 0.8 * RNG.standard_normal((SIZE, SIZE)) / np.sqrt(SIZE)
INPUTS = RNG.standard_normal((TRIALS, STEPS, 2))
ENTRY, READOUT = RNG.standard_normal((SIZE, 2)), RNG.standard_normal(SIZE)
START, ALPHA = RNG.standard_normal(SIZE), 0.1
PROPAGATOR = np.eye(SIZE) + ALPHA * (WEIGHTS - np.eye(SIZE))


def linear(s, u, w):
    return s + ALPHA * (w @ s - s + jnp.asarray(ENTRY) @ u)


def tanh(s, u, w):
    return s + ALPHA * (w @ jnp.tanh(s) - s + jnp.asarray(ENTRY) @ u)


def last(states):
    return float((states[..., -1, :] @ READOUT).mean())


def runner(step=linear, measure=last):
    return simulator(step, START, INPUTS, measure, weights=WEIGHTS)


RUN = runner()
OPTIONS = {"dt": 2.0, "seed": 0, "num_random": 19}


def test_a_pulse_on_a_linear_circuit_is_propagated():
    directions = RNG.standard_normal((2, SIZE))
    found = pulses(RUN, directions, size=0.3, time=11.0, **OPTIONS)
    assert (found.deviation[:, :5] == 0).all()
    for direction, deviation, change in zip(directions, found.deviation, found.measure_change, strict=True):
        pulse = 0.3 * direction / np.linalg.norm(direction)
        wanted = [np.linalg.matrix_power(PROPAGATOR, k) @ pulse for k in range(STEPS - 5)]
        np.testing.assert_allclose(deviation[5:], np.linalg.norm(wanted, axis=1), atol=1e-13)
        assert change == pytest.approx(READOUT @ wanted[-1], abs=1e-12)
        # the deviation itself, not only its length
        push = np.zeros((STEPS, SIZE))
        push[5] = pulse
        moved = RUN(pulse=push)[0] - RUN()[0]
        np.testing.assert_allclose(moved[:, 5:], np.broadcast_to(wanted, moved[:, 5:].shape), atol=1e-13)
    assert found.measure == pytest.approx(last(RUN()[0]))


def test_recovery_is_the_time_constant_of_the_direction():
    """Symmetric weights: along an eigenvector of eigenvalue w the deviation decays as (1 + α(w − 1))ᵏ."""
    values, vectors = np.linalg.eigh(WEIGHTS + WEIGHTS.T)
    values = values / 2
    own = vectors @ np.diag(values) @ vectors.T
    run = simulator(linear, np.zeros(SIZE), INPUTS, last, weights=own)
    found = pulses(run, vectors.T, size=1e-3, time=0.0, **OPTIONS)
    np.testing.assert_allclose(found.recovery, -2.0 / np.log(1 + ALPHA * (values - 1)), rtol=1e-6)
    slow, fast = found.recovery.max(), found.recovery.min()
    assert ((found.null_recovery > 0.9 * fast) & (found.null_recovery < 1.1 * slow)).all()
    assert (found.null_deviation.lower <= found.null_deviation.value + 1e-18).all()
    assert (found.null_deviation.value <= found.null_deviation.upper + 1e-18).all()
    np.testing.assert_allclose(found.null_deviation.value[0], 1e-3)


def test_recovery_of_what_grows_stays_or_is_gone():
    steps = np.arange(30)
    assert recovery_time_constant(0.9**steps, 10.0) == pytest.approx(94.912, abs=1e-3)
    assert recovery_time_constant(1.1**steps, 10.0) == pytest.approx(-10 / np.log(1.1))
    assert recovery_time_constant(np.full(30, 0.7), 10.0) == np.inf
    assert recovery_time_constant(1.0 * (steps == 0), 10.0) == 0.0
    assert np.isnan(recovery_time_constant(np.zeros(30), 10.0))
    assert np.isnan(recovery_time_constant(np.full(30, np.nan), 10.0))
    # what is left below one per cent does not count
    assert recovery_time_constant(np.maximum(0.5**steps, 0.002), 10.0) == pytest.approx(10 / np.log(2))


def test_trials_that_ended_take_no_part():
    """States stand still after the end of a trial; what a pulse left of them there is no recovery."""
    valid = np.arange(STEPS) < np.array([40, 15, 25])[:, None]
    channels = np.concatenate([INPUTS, valid[..., None]], -1)

    def step(s, u, w):
        return jnp.where(u[-1] > 0, linear(s, u[:-1], w), s)

    run = simulator(step, START, channels, last, weights=WEIGHTS)
    direction, options = RNG.standard_normal((1, SIZE)), OPTIONS | {"size": 0.3, "time": 22.0}
    alone = pulses(RUN, direction, **options)
    found = pulses(run, direction, valid=valid, **options)
    np.testing.assert_allclose(found.deviation, alone.deviation, atol=1e-13)
    np.testing.assert_allclose(found.recovery, alone.recovery, rtol=1e-9)
    np.testing.assert_allclose(found.null_deviation.upper, alone.null_deviation.upper, atol=1e-13)
    still = pulses(run, direction, **options)
    assert still.recovery[0] > 2 * alone.recovery[0]
    cut = np.where(np.arange(STEPS) < 30, valid, False)
    short = pulses(run, direction, valid=cut, **options)
    np.testing.assert_allclose(short.deviation[:, :30], alone.deviation[:, :30], atol=1e-13)
    assert np.isnan(short.deviation[:, 30:]).all()
    assert np.isfinite(short.recovery).all()
    assert np.isfinite(short.null_deviation.value[:30]).all()
    sets = np.eye(SIZE, dtype=bool)[:1]
    wanted = (run(silenced=sets[0])[0] - run()[0])[:, :, 1:]
    squares = np.where(valid, (wanted**2).sum(-1), 0).sum(0) / valid.sum(0)
    lesioned = lesions(run, sets, seed=0, num_random=3, valid=valid)
    np.testing.assert_allclose(lesioned.deviation[0], np.sqrt(squares))
    drawn = resampled_weights(run, WEIGHTS, seed=0, num_random=3, valid=cut)
    assert np.isfinite(drawn.deviation.value).tolist() == (np.arange(STEPS) < 30).tolist()
    mapped = analysis.perturb(
        run, **OPTIONS, size=0.3, time=22.0, directions=xr.DataArray(direction, dims=("direction", "state")),
        valid=xr.DataArray(cut.T, dims=("time", "trial")),
    )  # fmt: skip
    np.testing.assert_allclose(mapped["pulse_deviation"], short.deviation)
    for bad, message in (
        (valid[:2], r"valid: bool of shape \(2, 40\); expected booleans \(3, 40\)"),
        (valid & (np.arange(STEPS) < 9), "time: no trial lasts until 22 ms"),
    ):
        with pytest.raises(ValueError, match=message):
            pulses(run, direction, valid=bad, **options)


@pytest.mark.parametrize("seed", range(3))
def test_random_directions_are_isotropic_and_of_the_same_size(seed):
    """In a linear circuit the mean square of their effects is the mean over all directions."""
    found = pulses(RUN, np.eye(SIZE), size=2.0, time=0.0, dt=2.0, seed=seed, num_random=200)
    np.testing.assert_allclose(found.null_deviation.value[0], 2.0)
    wanted = np.mean(np.square(found.measure_change))
    assert np.mean(np.square(found.null_measure_change)) == pytest.approx(wanted, rel=0.3)
    again = pulses(RUN, np.eye(SIZE), size=2.0, time=0.0, dt=2.0, seed=seed, num_random=200)
    np.testing.assert_array_equal(again.null_measure_change, found.null_measure_change)
    # a direction orthogonal to what the measure reads changes it least, its own direction most
    seen = np.linalg.matrix_power(PROPAGATOR, STEPS - 1).T @ READOUT
    blind = np.linalg.svd(seen[None])[2][1:2]
    both = pulses(RUN, np.stack([seen, blind[0]]), size=2.0, time=0.0, dt=2.0, seed=seed, num_random=199)
    np.testing.assert_allclose(both.p_value, [1 / 200, 1.0])


def test_lesions_are_circuits_without_the_units():
    run = runner(tanh)
    sets = np.zeros((2, SIZE), bool)
    sets[0, 1] = sets[1, [0, 3]] = True
    found = lesions(run, sets, seed=0, num_random=12)
    reference = run()[0]
    for silenced, deviation, change in zip(sets, found.deviation, found.measure_change, strict=True):
        left = ~silenced
        states = np.zeros((TRIALS, STEPS, SIZE))
        for trial in range(TRIALS):
            state = START * left
            for t in range(STEPS):
                rates = np.tanh(state) * left
                state = (state + ALPHA * (WEIGHTS @ rates - state + ENTRY @ INPUTS[trial, t])) * left
                states[trial, t] = state
        away = ((states - reference)[..., left] ** 2).sum(-1)
        np.testing.assert_allclose(deviation, np.sqrt(away.mean(0)), atol=1e-12)
        assert change == pytest.approx(last(states) - last(reference), abs=1e-12)
    assert found.null_measure_change.shape == (2, 12)
    single = [run(silenced=np.arange(SIZE) == k)[1] - found.measure for k in range(SIZE)]
    for change in found.null_measure_change[0]:
        assert np.abs(change - single).min() < 1e-12  # each a lesion of one unit
    assert found.null_deviation.value.shape == (2, STEPS)
    assert ((found.p_value > 0) & (found.p_value <= 1)).all()


def test_shuffled_weights_keep_signs_strengths_and_absent_synapses():
    weights = RNG.standard_normal((30, 30)) * (RNG.random((30, 30)) < 0.3)
    weights = np.abs(weights) * np.where(np.arange(30) < 20, 1, -1)
    drawn = shuffled(np.random.default_rng(1), weights)
    np.testing.assert_array_equal(np.sort(drawn, axis=0), np.sort(weights, axis=0))
    np.testing.assert_array_equal(drawn == 0, weights == 0)
    assert (drawn != weights).any()


def test_resampled_weights():
    found = resampled_weights(RUN, WEIGHTS, seed=3, num_random=8)
    drawn = shuffled(np.random.default_rng(3), WEIGHTS)
    states, value = RUN(weights=drawn)
    assert found.measure_change[0] == pytest.approx(value - found.measure, abs=1e-12)
    same = resampled_weights(RUN, WEIGHTS, seed=3, num_random=8, resample=lambda rng, w: w)
    np.testing.assert_allclose(same.deviation.upper, 0, atol=1e-12)
    np.testing.assert_allclose(same.measure_change, 0, atol=1e-12)
    deviation = np.sqrt(((states - RUN()[0]) ** 2).sum(-1).mean(0))
    assert (found.deviation.lower <= deviation.max()).all()
    with pytest.raises(ValueError, match=r"resample: returns shape \(2,\), weights have \(5, 5\)"):
        resampled_weights(RUN, WEIGHTS, seed=0, resample=lambda rng, w: w[0, :2])
    with pytest.raises(ValueError, match="weights: a run with them differs from one without"):
        resampled_weights(RUN, 2 * WEIGHTS, seed=0)


def test_a_run_that_diverges_is_nan_and_counts_as_extreme():
    def blows(s, u):
        return jnp.where(jnp.abs(s).max() > 1, jnp.inf * s, 0.5 * s)

    run = simulator(blows, np.full(2, 0.1), np.zeros((6, 1)), lambda s: float(s[-1].sum()))
    found = pulses(run, np.array([[1.0, 0.0], [1.0, 1.0]]), size=1.1, time=1.0, **OPTIONS)
    assert np.isnan(found.measure_change[0])
    assert np.isnan(found.deviation[0, 3:]).all()
    assert np.isnan(found.recovery[0])
    assert np.isnan(found.p_value[0])
    assert np.isfinite(found.deviation[1]).all()
    lost = ~np.isfinite(found.null_measure_change)
    assert 0 < lost.sum() < 19
    assert np.isfinite(found.null_deviation.value).all()
    assert found.p_value[1] >= (1 + lost.sum()) / 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"directions": np.zeros((1, SIZE))}, "directions: shape .*, smallest length 0; expected"),
        ({"directions": np.ones((1, 4))}, r"directions: shape \(1, 4\).* with 5 components"),
        ({"directions": np.full((1, SIZE), np.nan)}, "directions: 5 of 5 values are not finite"),
        ({"size": 0.0}, "size: 0.0; use a positive number"),
        ({"time": 78.0}, "time: 78 ms, the trial lasts 80 ms; put the pulse before its last step"),
        ({"time": -1.0}, "time: -1 ms"),
        ({"dt": 0.0}, "dt: 0.0 ms is not a positive number"),
        ({"num_random": 1}, "num_random: 1; draw at least 2"),
        ({"confidence": 1.0}, "confidence: 1.0 is not between 0 and 1"),
    ],
)
def test_refusals_of_pulses(change, message):
    given = {"directions": np.eye(SIZE)[:1], "size": 1.0, "time": 4.0, **OPTIONS} | change
    with pytest.raises(ValueError, match=message):
        pulses(RUN, given.pop("directions"), **given)


def test_refusals_of_simulations_and_lesions():
    noisy = np.random.default_rng(0)
    with pytest.raises(ValueError, match="simulate: two runs without a perturbation differ; fix"):
        pulses(lambda **_: (noisy.standard_normal((4, 2)), 0.0), np.eye(2), size=1.0, time=0.0, **OPTIONS)
    with pytest.raises(ValueError, match="simulate: states or measure are not finite"):
        lesions(lambda **_: (np.ones((4, 2)), np.nan), np.eye(2, dtype=bool), seed=0)
    with pytest.raises(ValueError, match=r"simulate: states of shape \(4,\); return"):
        lesions(lambda **_: (np.ones(4), 0.0), np.eye(2, dtype=bool), seed=0)
    for wrong in (np.ones((1, SIZE), bool), np.zeros((1, SIZE), bool), np.eye(SIZE), np.eye(SIZE)[0] > 0):
        with pytest.raises(ValueError, match=r"silenced: .*; expected booleans"):
            lesions(RUN, wrong, seed=0)
    with pytest.raises(ValueError, match=r"silenced: bool of shape .*a state of 5 components"):
        RUN(silenced=np.array([True, False, False]))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.ones(3)}, r"inputs: shape \(3,\); expected \(time, input\)"),
        ({"start": np.ones((2, SIZE))}, r"start: shape \(2, 5\); expected \(state,\), or one state for each"),
        ({"start": np.full(SIZE, np.nan)}, "start: 5 of 5 values are not finite"),
        ({"step": lambda s, u, w: s[:2]}, r"step: returns shape \(2,\) from a state of shape \(5,\)"),
        ({"step": lambda s, u, w: s.astype(jnp.float32)}, "step: returns float32"),
    ],
)
def test_refusals_of_the_simulator(change, message):
    given = {"step": linear, "start": np.ones(SIZE), "inputs": INPUTS} | change
    with pytest.raises(ValueError, match=message):
        simulator(given["step"], given["start"], given["inputs"], last, weights=WEIGHTS)


def test_refusals_of_a_run():
    with pytest.raises(ValueError, match=r"pulse: shape \(5,\); expected \(time, state\) = \(40, 5\)"):
        RUN(pulse=np.ones(SIZE))
    with pytest.raises(ValueError, match=r"weights: shape \(2, 2\), the simulator has \(5, 5\)"):
        RUN(weights=np.eye(2))
    bare = simulator(lambda s, u: s, np.ones(2), np.zeros((3, 1)), np.sum)
    with pytest.raises(ValueError, match=r"weights: shape .*, the simulator has none"):
        bare(weights=np.eye(2))


def test_dataset_over_seeds():
    runs = [RUN, runner(tanh)]
    directions = xr.DataArray(
        RNG.standard_normal((2, 3, SIZE)), {"seed": [4, 9]}, ("seed", "direction", "state")
    )
    silenced = xr.DataArray(np.eye(SIZE, dtype=bool)[:2], {"unit": np.arange(SIZE)}, ("lesion", "unit"))
    weights = xr.DataArray(WEIGHTS, dims=("unit", "presynaptic_unit"))
    options = {"dt": 2.0, "seed": 1, "num_random": 7}
    found = analysis.perturb(
        runs, directions=directions, size=0.5, time=10.0, silenced=silenced, weights=weights, **options
    )
    assert found.pulse_deviation.dims == ("seed", "direction", "time")
    assert found.lesion_deviation.dims == ("seed", "lesion", "time")
    assert found.weights_measure_change.dims == ("seed", "draw")
    np.testing.assert_array_equal(found["seed"], [4, 9])
    np.testing.assert_allclose(found["time"], 2.0 * np.arange(STEPS) + 1.0)
    rest = {name: value for name, value in options.items() if name != "dt"}
    for s, run in enumerate(runs):
        pulse = pulses(run, directions.values[s], size=0.5, time=10.0, **options)
        lesion = lesions(run, silenced.values, **rest)
        drawn = resampled_weights(run, WEIGHTS, **rest)
        for name, wanted in {
            "pulse_deviation": pulse.deviation,
            "pulse_recovery": pulse.recovery,
            "pulse_measure_change": pulse.measure_change,
            "pulse_p_value": pulse.p_value,
            "null_pulse_deviation": pulse.null_deviation.value,
            "null_pulse_deviation_lower": pulse.null_deviation.lower,
            "null_pulse_deviation_upper": pulse.null_deviation.upper,
            "null_pulse_recovery": pulse.null_recovery,
            "null_pulse_measure_change": pulse.null_measure_change,
            "lesion_deviation": lesion.deviation,
            "lesion_measure_change": lesion.measure_change,
            "lesion_p_value": lesion.p_value,
            "null_lesion_deviation_upper": lesion.null_deviation.upper,
            "null_lesion_measure_change": lesion.null_measure_change,
            "weights_deviation": drawn.deviation.value,
            "weights_measure_change": drawn.measure_change,
            "measure": pulse.measure,
        }.items():
            np.testing.assert_array_equal(found[name][s], wanted, err_msg=name)
    assert set(found.dims) <= schema.DIMS
    for array in found.variables.values():
        assert array.attrs["units"] in schema.UNITS
        assert array.attrs["long_name"]
    assert (found.fit_status == 0).all()
    one = analysis.perturb(RUN, silenced=silenced, dt=2.0, seed=1, num_random=7)
    assert one.lesion_deviation.dims == ("lesion", "time")
    assert "pulse_deviation" not in one
    broken = analysis.perturb(
        runs, directions=directions.where(directions["seed"] == 4), size=0.5, time=10.0, **options
    )
    assert broken.fit_status.values.tolist() == [0, 1]
    assert np.isnan(broken.pulse_deviation[1]).all()
    assert broken.attrs["refusal"].startswith("directions: 15 of 15 values are not finite")


def test_refusals_of_the_dataset():
    directions = xr.DataArray(np.eye(SIZE)[None], dims=("seed", "direction", "state"))
    with pytest.raises(ValueError, match="none given; ask for at least one kind"):
        analysis.perturb(RUN, dt=1.0, seed=0)
    with pytest.raises(ValueError, match="directions: not given, but size or time"):
        analysis.perturb(RUN, dt=1.0, seed=0, size=1.0)
    with pytest.raises(ValueError, match=r"size, time: 1.0, None; a pulse"):
        analysis.perturb(RUN, dt=1.0, seed=0, size=1.0, directions=directions)
    with pytest.raises(ValueError, match="directions: 1 seeds, 2 to simulate; pass a function for each"):
        analysis.perturb([RUN, RUN], dt=1.0, seed=0, size=1.0, time=1.0, directions=directions)
    with pytest.raises(ValueError, match=r"silenced: dims \('unit',\); expected"):
        analysis.perturb(RUN, dt=1.0, seed=0, silenced=xr.DataArray([True, False], dims="unit"))
    with pytest.raises(ValueError, match="simulate: an empty sequence"):
        analysis.perturb([], dt=1.0, seed=0, silenced=xr.DataArray([[True]], dims=("lesion", "unit")))


CIRCUITS = {
    "current": {},
    "adaptive": {"dynamics": circuits.Adaptive()},
    "gru": {"dynamics": circuits.GRU(), "readout_tau": 50.0},
    "fed_back": {"output_feedback": True, "dynamics": circuits.Leaky(form="rate")},
}


@pytest.mark.parametrize("name", CIRCUITS)
def test_a_circuit_as_a_simulator(name):
    circuit = Circuit(num_inputs=2, num_units=4, num_outputs=2, dt=20.0, **CIRCUITS[name])
    params = circuit.init(key=jax.random.key(0))
    inputs = xr.DataArray(RNG.standard_normal((3, 7, 2)), dims=("trial", "time", "input"))
    valid = xr.DataArray(np.arange(7) < np.array([7, 5, 7])[:, None], dims=("trial", "time"))
    seen = []

    def measure(outputs):
        seen.append(outputs)
        return -float(np.mean(outputs**2))

    run = analysis.circuit_simulator(circuit, params, inputs, measure, valid=valid)
    states, score = run()
    found = analysis.circuit_step(circuit, params)
    with jax.enable_x64(True):
        numbers = jax.tree.map(lambda x: np.asarray(x, np.float64), params)
        for k in range(3):
            told = circuit.run(numbers, inputs.values[k], valid=valid.values[k])
            wanted = np.concatenate([told.states[variable] for variable in found.names], axis=1)
            np.testing.assert_allclose(states[k], wanted, atol=1e-13)
            upto = int(valid[k].sum())  # a leak of the readout stands still afterwards
            np.testing.assert_allclose(seen[0][k, :upto], told.outputs[:upto], atol=1e-13)
    assert score == -float(np.mean(seen[0] ** 2))
    silenced = np.array([False, True, False, True])
    held = run(silenced=silenced)[0]
    assert (found.rates(held)[..., silenced] == 0).all()
    own = np.asarray(numbers["recurrent"])
    np.testing.assert_allclose(run(weights=own)[0], states, atol=1e-13)
    if own.ndim == 2:
        with jax.enable_x64(True):
            told = circuit.run(numbers | {"recurrent": 0.5 * own}, inputs.values[0])
        wanted = np.concatenate([told.states[variable] for variable in found.names], axis=1)
        np.testing.assert_allclose(run(weights=0.5 * own)[0][0], wanted, atol=1e-13)


def test_refusals_of_a_circuit_as_a_simulator():
    inputs = xr.DataArray(np.ones((3, 7, 1)), dims=("trial", "time", "input"))
    sizes = {"num_inputs": 1, "num_units": 4, "num_outputs": 1}
    dale = Circuit(**sizes, recurrent=circuits.Dale(), dynamics=circuits.Leaky(activation="relu"))
    params = dale.init(key=jax.random.key(0))
    run = analysis.circuit_simulator(dale, params, inputs, np.mean)
    own = np.asarray(dale.weights(params).recurrent, np.float64)
    np.testing.assert_allclose(run(weights=own)[0], run()[0], atol=1e-12)
    with pytest.raises(ValueError, match="weights: the circuit's connectivity turns these into others"):
        run(weights=-own)
    loud = Circuit(**sizes, dynamics=circuits.Leaky(activation="sigmoid"))
    run = analysis.circuit_simulator(loud, loud.init(key=jax.random.key(0)), inputs, np.mean)
    with pytest.raises(ValueError, match="silenced: rates of this circuit are not 0 at state 0"):
        run(silenced=np.array([True, False, False, False]))
    with pytest.raises(ValueError, match=r"inputs: dims \('trial', 'time'\); expected"):
        analysis.circuit_simulator(loud, loud.init(key=jax.random.key(0)), inputs[..., 0], np.mean)
    short = xr.DataArray(np.ones(6), dims="time")
    with pytest.raises(ValueError, match=r"valid: {'time': 6}; expected .* {'trial': 3, 'time': 7}"):
        analysis.circuit_simulator(loud, loud.init(key=jax.random.key(0)), inputs, np.mean, valid=short)
