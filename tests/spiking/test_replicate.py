"""Brian2 says the same of a circuit as ``circuit.run`` does, step by step."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from tests.results.circuits import circuit_of
from tests.results.records import INPUTS
from throughtime import spiking
from throughtime.analysis.arrays.lyapunov_spectrum import lyapunov_spectrum
from throughtime.circuits import (
    ACTIVATIONS,
    GRU,
    LSTM,
    Adaptive,
    Circuit,
    Dale,
    Dense,
    Dynamics,
    Equations,
    Leaky,
    Learned,
    LowRank,
    ShortTermPlasticity,
    Sparse,
    WarmUp,
    for_task,
    from_arrays,
)
from throughtime.circuits.activations import EQUATION
from throughtime.spiking import replica

TOLERANCE = 1e-10
FORMS = ("current", "rate")
UNITS = 20
TAUS = tuple(np.linspace(30.3, 150.0, UNITS))
EVERY_SECOND = np.arange(UNITS) % 2 == 0


def double(params: dict[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value, float) for name, value in params.items()}


def drawn(circuit: Circuit, seed: int = 0) -> dict[str, np.ndarray]:
    """Initial parameters in float64, every one of them moved away from its first value."""
    rng = np.random.default_rng(seed)
    first = double(circuit.init(key=jax.random.key(seed)))
    return {
        name: value + 0.4 * rng.normal(size=value.shape) / circuit.num_units for name, value in first.items()
    }


def largest(circuit: Circuit, params: dict[str, Any], inputs: Any, **given: Any) -> float:
    """Largest difference of any state, rate or output from that of the library in float64."""
    with jax.enable_x64(True):
        path = circuit.run(double(params), inputs, **given)
        expected = jax.tree.map(np.asarray, path)  # outside this block JAX would compare in float32
    found = spiking.replicate(circuit, params, inputs, **given)
    assert expected.rates.dtype == found.rates.dtype == np.float64
    assert np.ptp(expected.rates, axis=0).max() > 0.01, "the circuit must do something"
    assert found.states.keys() == expected.states.keys()
    pairs = [(found.states[name], expected.states[name]) for name in found.states]
    pairs += [(found.rates, expected.rates), (found.outputs, expected.outputs)]
    for one, other in pairs:
        assert one.shape == other.shape
    return max(float(np.abs(one - other).max()) for one, other in pairs)


def white(steps: int, channels: int = INPUTS, seed: int = 1) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(steps, channels))


def small(dynamics: Dynamics | None = None, **fields: Any) -> Circuit:
    units = Leaky(tau=(30.0, 60.1, 90.0, 150.0, 40.0)) if dynamics is None else dynamics
    return Circuit(**{"num_inputs": INPUTS, "num_units": 5, "num_outputs": 2, "dynamics": units, **fields})


# Whole trials of tasks: task, fields of its circuit, and whether noise is replayed
TRIALS: dict[str, tuple[dict[str, Any], bool]] = {
    "go-no-go": (
        {
            "dynamics": Leaky(tau=30.0, activation="sigmoid", tau_range=(20.0, 50.0)),
            "recurrent": Dale(base=Sparse(density=0.3)),
            "non_negative": ("input",),
        },
        False,
    ),
    "contextual-integration": (
        {
            "dynamics": Leaky(tau=TAUS, activation="relu", form="rate"),
            "recurrent": Dale(base=Dense(gain=0.5)),
            "input_mask": np.repeat(EVERY_SECOND[:, None], 6, axis=1),
            "readout_mask": np.stack([EVERY_SECOND, ~EVERY_SECOND]),
            "initial": WarmUp(100.0),
        },
        True,
    ),
    "sine-generation": (
        {"dynamics": Leaky(tau=TAUS, activation="tanh"), "output_feedback": True, "initial": Learned()},
        False,
    ),
    "flip-flop": (
        {
            "dynamics": Leaky(tau=TAUS, activation="softplus", form="rate"),
            "recurrent": LowRank(rank=2, base=Dense(gain=0.5)),
            "readout_tau": 60.0,
        },
        False,
    ),
}


@pytest.mark.parametrize("name", TRIALS)
def test_whole_trials_of_tasks(name: str) -> None:
    fields, noisy = TRIALS[name]
    task = tt.tasks.make(name)
    circuit = for_task(task, UNITS, noise=0.1, **fields)
    trial = jax.jit(task.trial)(jax.random.key(3))
    noise = circuit.noise(jax.random.key(4), len(trial.inputs)) if noisy else None
    assert largest(circuit, drawn(circuit), trial.inputs, valid=trial.valid, noise=noise) < TOLERANCE


def test_a_whole_trial_of_a_trained_circuit() -> None:
    task, bptt = tt.tasks.make("delayed-response"), tt.rules.make("bptt")
    circuit = for_task(task, UNITS, dynamics=Leaky(tau=TAUS, activation="retanh"), noise=0.05)
    params = circuit.init(key=jax.random.key(0))
    trials = jax.jit(jax.vmap(task.trial))(jax.random.split(jax.random.key(1), 4))
    losses = []
    for update in range(30):
        grads, info = tt.gradient(circuit, params, trials, bptt, key=jax.random.key(update))
        params = {name: value - 0.3 * grads[name] for name, value in params.items()}
        losses.append(float(info["loss"]))
    assert losses[-1] < 0.7 * losses[0]
    trial = jax.tree.map(lambda leaf: leaf[0], trials)
    noise = circuit.noise(jax.random.key(5), len(trial.inputs))
    for replayed in (None, noise):
        assert largest(circuit, params, trial.inputs, valid=trial.valid, noise=replayed) < TOLERANCE


@pytest.mark.parametrize("form", FORMS)
def test_a_thousand_steps_with_time_constants_of_every_unit(form: str) -> None:
    circuit = Circuit(INPUTS, UNITS, 2, dynamics=Leaky(tau=TAUS, form=form), recurrent=Dense(gain=1.2))
    assert largest(circuit, drawn(circuit), white(1000)) < TOLERANCE


def test_chaos_is_followed_as_long_as_it_can_be() -> None:
    units, rng = 40, np.random.default_rng(1)
    weights, start = 5 * rng.normal(size=(units, units)) / np.sqrt(units), rng.normal(size=units)
    with jax.enable_x64(True):
        circuit, params = from_arrays(weights, np.ones((units, 1)), np.ones((1, units)), dt=20.0, tau=50.0)

        def step(state: jax.Array) -> jax.Array:
            return circuit.step(params, {"current": state}, jnp.zeros(1))["current"]

        found = lyapunov_spectrum(step, start, dt=20.0, num_steps=1500, burn_in=500, num_exponents=1)
        assert found.exponent[0] > 1e-3, "the circuit must be chaotic"
        horizon = int(np.log(1e5) / found.exponent[0] / circuit.dt)
        inputs = np.zeros((4 * horizon, 1))
        path = np.asarray(circuit.run(params, inputs, state={"current": start}).rates)
    rates = spiking.replicate(circuit, params, inputs, state={"current": start}).rates
    apart = np.abs(rates - path).max(1)
    assert horizon > 100
    assert apart[:horizon].max() < TOLERANCE
    assert apart.max() > 1e-3, "two simulations part in the end"


def test_every_activation_has_an_equation() -> None:
    assert set(EQUATION) == set(ACTIVATIONS)


# In the rate form Brian2 puts the activation into the differential equation and rewrites it
REWRITTEN = [(name, "rate") for name in ACTIVATIONS]


@pytest.mark.parametrize(("activation", "form"), [*REWRITTEN, ("relu", "current"), ("softplus", "current")])
def test_every_activation(activation: str, form: str) -> None:
    circuit = small(Leaky(tau=50.0, activation=activation, form=form))
    inputs = white(60)
    inputs[::7] *= 2000  # where exp overflows
    scale = 1e4 if activation in ("relu", "softplus") else 1
    assert largest(circuit, drawn(circuit), inputs) < TOLERANCE * scale


CONSTRAINED = (
    "regions, Dale",
    "adaptive, warm-up",
    "leaky readout, held rates, scattered",
    "leaky readout, held rates, plasticity",
)


@pytest.mark.parametrize("case", CONSTRAINED)
def test_constraints_initial_states_and_readouts(case: str) -> None:
    circuit = circuit_of(case)
    assert largest(circuit, drawn(circuit), white(40)) < TOLERANCE


HELD = (0.5, *[np.nan] * 4)


@pytest.mark.parametrize(
    "dynamics",
    [
        Adaptive(
            tau_adaptation=(100.0, 200.0, 300.0, 77.7, 10.0), strength=(0.0, 1, 2, 3, 4), held_rates=HELD
        ),
        ShortTermPlasticity(activation="softplus", form="rate", facilitating=0.4, held_rates=HELD),
        Leaky(form="rate", held_rates=HELD),
    ],
    ids=lambda dynamics: type(dynamics).__name__,
)
def test_other_units_with_padding_before_between_and_behind(dynamics: Dynamics) -> None:
    circuit = small(dynamics, output_feedback=True, dt=1 / 3)
    valid = np.random.default_rng(5).uniform(size=300) > 0.2
    valid[:3] = valid[-20:] = False
    state = {name: np.linspace(0.1, 0.9, 5) for name in dynamics.state_names}
    given = {"valid": valid, "state": state, "noise": white(300, 5, seed=6)}
    params = {name: 0.4 * value for name, value in drawn(circuit).items()}
    assert largest(circuit, params, white(300), **given) < TOLERANCE


def test_steps_stand_still_on_padding_of_a_leaky_readout() -> None:
    circuit = small(readout_tau=100.0)
    valid = np.arange(50) % 3 > 0
    assert largest(circuit, drawn(circuit), white(50), valid=valid) < TOLERANCE


@pytest.mark.parametrize("dt", [1 / 3, 0.7, 1e-3])
def test_every_input_arrives_at_its_own_step(dt: float) -> None:
    steps = 1000
    circuit, params = from_arrays([[0.0]], [[1.0]], [[1.0]], dt=dt, tau=dt, activation="relu")
    found = spiking.replicate(circuit, params, np.arange(steps)[:, None])  # α = 1: the state is the input
    np.testing.assert_allclose(found.states["current"][:, 0], np.arange(steps), rtol=1e-12)


MISTAKES = {
    "the readout reads the old rates": ("order=10", "order=-10"),
    "samples of the step behind": ('when="start"', 'when="end"'),
    "another integrator": ('method="euler"', 'method="exponential_euler"'),
    "transposed weights": ("connect(i=source, j=target)", "connect(i=target, j=source)"),
    "the current comes back": ("recurrent_post = w*firing_pre", "recurrent_post = w*current_pre"),
}


@pytest.mark.parametrize("mistake", MISTAKES)
def test_the_comparison_sees(mistake: str, monkeypatch: pytest.MonkeyPatch) -> None:
    old, new = MISTAKES[mistake]
    right: Callable[..., str] = replica.network

    def wrong(*arguments: Any) -> str:
        text = right(*arguments)
        assert old in text
        return text.replace(old, new)

    monkeypatch.setattr(replica, "network", wrong)
    circuit = small(num_outputs=5)
    assert largest(circuit, drawn(circuit), white(30)) > 1e-4


@dataclass(frozen=True)
class CubicLeak(Leaky):
    """``τ dv/dt = −v³ + u``, ``r = tanh v``: a dynamics of somebody else's."""

    def local(self, params: Any, state: Any, drive: Any, dt: float) -> Any:
        past = state["current"]
        return {"current": past + dt / self.tau * (drive - past**3)}

    def equations(self, params: Any, num_units: int, dt: float) -> Equations:
        return Equations(
            lines=("dcurrent/dt = (drive - current**3)/tau : 1", "firing = tanh(current) : 1"),
            sent="firing",
            read="firing",
            times={"tau": self.tau},
            constants={},
        )


def test_a_dynamics_of_ones_own() -> None:
    circuit = small(CubicLeak(tau=100.0))
    assert largest(circuit, drawn(circuit), white(60)) < TOLERANCE


@dataclass(frozen=True)
class Silent(Leaky):
    """A dynamics that does not tell its equations."""

    equations = Dynamics.equations


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"inputs": np.zeros((2, 4, INPUTS))}, r"shape \(2, 4, 2\), expected \(time, 2\); give one trial"),
        ({"inputs": np.zeros((4, 3))}, r"shape \(4, 3\), expected \(time, 2\)"),
        ({"noise": np.zeros((4, 3))}, r"noise has shape \(4, 3\), expected \(4, 5\); draw it"),
        ({"valid": np.ones(3)}, r"valid has shape \(3,\), expected \(4,\)"),
        ({"valid": np.zeros(4)}, "no step of the trial is valid"),
        ({"state": {"rate": np.zeros(5)}}, r"state has .*'rate': \(5,\).*expected current, each of shape"),
        ({"state": {"current": np.zeros(4)}}, r"'current': \(4,\).*expected current, each of shape \(5,\)"),
        ({"target": "fortran"}, "target 'fortran' is not known; use one of numpy, cython"),
    ],
    ids=str,
)
def test_what_is_refused(change: dict[str, Any], message: str) -> None:
    circuit = small()
    given = {"inputs": np.zeros((4, INPUTS)), **change}
    with pytest.raises(ValueError, match=message):
        spiking.replicate(circuit, drawn(circuit), **given)


@pytest.mark.parametrize(
    ("dynamics", "message"),
    [
        (GRU(), "GRU units have 4 drives, .* no differential equation for Brian2; .* export .* to NumPy"),
        (LSTM(), "LSTM units have 4 drives"),
        (Silent(), r"Silent does not say .* define equations\(params, num_units, dt\)"),
    ],
)
def test_units_without_equations(dynamics: Dynamics, message: str) -> None:
    circuit = small(dynamics)
    with pytest.raises(ValueError, match=message):
        spiking.replicate(circuit, circuit.init(key=jax.random.key(0)), np.zeros((4, INPUTS)))
