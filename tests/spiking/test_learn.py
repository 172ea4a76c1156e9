"""Rules as synapses of Brian2 change weights as the rules of this library do, and read nothing else."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import throughtime as tt
from throughtime.circuits import Adaptive, Circuit, Dale, Dense, Leaky, LowRank, Sparse, WarmUp
from throughtime.credit.feedback import AdaptiveFeedback, Feedback
from throughtime.frozen import FrozenArray
from throughtime.objectives import SquaredError
from throughtime.spiking import planning, plasticity, wired
from throughtime.spiking.brian import simulator
from throughtime.spiking.learning import identifiers
from throughtime.training import update as updates
from throughtime.training.plan import Plan
from throughtime.trial import Trial

UNITS, INPUTS, OUTPUTS, STEPS = 20, 3, 2, 200
RATE = 0.1
NUMBER, STEP = 30, 0.06


def circuit_of(form: str, activation: str = "tanh", **fields: Any) -> Circuit:
    tau = FrozenArray(np.linspace(25.0, 150.0, UNITS))
    fields = {"recurrent": Dense(gain=1.2), **fields}
    dynamics = Leaky(tau=tau, activation=activation, form=form, held_rates=fields.pop("held_rates", None))
    return Circuit(INPUTS, UNITS, OUTPUTS, dt=20.0, dynamics=dynamics, **fields)


def masked(rng: Any, *shape: int) -> FrozenArray:
    return FrozenArray(rng.uniform(size=shape) < 0.7)


def constrained(form: str, **fields: Any) -> Circuit:
    rng = np.random.default_rng(5)
    return circuit_of(
        form,
        "sigmoid",
        recurrent=Dale(base=Sparse(density=0.5, plastic_units=0.6)),
        input_mask=masked(rng, UNITS, INPUTS),
        readout_mask=masked(rng, OUTPUTS, UNITS),
        non_negative=("input", "readout"),
        **fields,
    )


HELD = FrozenArray(np.where(np.arange(UNITS) < 2, 0.5, np.nan))
CASES = {
    "rflo, rate": ("rflo", {}, circuit_of("rate")),
    "rflo, current, noise": ("rflo", {}, circuit_of("current", "softplus", noise_sd=0.1)),
    "e-prop, current": ("eprop", {}, circuit_of("current")),
    "e-prop, current, leaky readout": ("eprop", {}, circuit_of("current", "retanh", readout_tau=100.0)),
    "e-prop, current, filter": ("eprop", {"kappa": 0.8, "feedback": "random"}, circuit_of("current", "relu")),
    "e-prop, rate, constrained": ("eprop", {}, constrained("rate", readout_tau=100.0)),
    "sign-concordant, held": (
        "eprop", {"feedback": "sign-concordant"}, circuit_of("current", held_rates=HELD, fixed=("input",)),
    ),
}  # fmt: skip


def params_of(circuit: Circuit) -> dict[str, Any]:
    """Drawn parameters with biases, in float64 under x64."""
    rng = np.random.default_rng(0)
    params = circuit.init(key=jax.random.key(0))
    given = {"bias", "readout_bias"}
    return {
        name: jnp.asarray(
            np.asarray(value, float) + (0.3 * rng.normal(size=value.shape) if name in given else 0)
        )
        for name, value in params.items()
    }


def trials_of(*lengths: int) -> Trial:
    """Trials of these lengths with a ragged mask."""
    rng, steps = np.random.default_rng(1), max(lengths)
    valid = np.arange(steps) < np.array(lengths)[:, None]
    mask = rng.uniform(size=(len(lengths), steps, OUTPUTS)) * (
        rng.uniform(size=(len(lengths), steps, 1)) > 0.3
    )
    mask[:, 1] = 1.0
    inputs = rng.normal(size=(len(lengths), steps, INPUTS))
    targets = rng.normal(size=(len(lengths), steps, OUTPUTS))
    return Trial(*map(jnp.asarray, (inputs, targets, mask, valid)), {}, {})


def in_brian(case: str, online: bool, **options: Any) -> tt.spiking.Learned:
    name, chosen, circuit = CASES[case]
    rule, params = tt.rules.make(name, **chosen), params_of(circuit)
    key = jax.random.key(3)
    return tt.spiking.learn(
        circuit, params, trials_of(STEPS), rule, learning_rate=RATE, online=online, key=key, **options
    )  # fmt: skip


def in_library(case: str, online: bool) -> tuple[dict[str, np.ndarray], float]:
    """Changes and loss, by the gradient after the trial or the displacement within it."""
    name, chosen, circuit = CASES[case]
    within = {"online": True, "step_size": RATE} if online else {}
    rule = tt.rules.make(name, **chosen, **within)
    params = params_of(circuit)
    back, info = tt.gradient(circuit, params, trials_of(STEPS), rule, key=jax.random.key(3))
    return {name: -np.asarray(value) * (1 if online else RATE) for name, value in back.items()}, float(
        info["loss"]
    )


def distance(learned: tt.spiking.Learned, changes: dict[str, np.ndarray]) -> float:
    """Largest difference, by the largest entry of each parameter's change."""
    pairs = [(learned.changes[name][0], changes[name]) for name in learned.changes]
    assert all(np.abs(ours).max() > 1e-4 for _, ours in pairs)
    return max(float(np.abs(one - ours).max() / np.abs(ours).max()) for one, ours in pairs)


@pytest.mark.parametrize("online", [False, True], ids=["summed", "online"])
@pytest.mark.parametrize("case", CASES)
def test_weights_change_as_by_the_trace_form(case: str, online: bool) -> None:
    with jax.enable_x64(True):
        learned = in_brian(case, online)
        changes, loss = in_library(case, online)
    fixed = {"input"} if "held" in case else set()
    assert set(learned.changes) == set(plasticity.TRAINED) - fixed
    assert distance(learned, changes) < 1e-10
    assert learned.losses == pytest.approx([loss], rel=1e-12)
    before = params_of(CASES[case][2])
    for name, change in learned.changes.items():
        np.testing.assert_allclose(learned.params[name] - before[name], change[0], atol=1e-6)


def test_names_of_objects_change_no_bit() -> None:
    given = ["units", "channels", "outputs", "relay", "feedback", *plasticity.TRAINED, "clock", "record"]
    letters = dict(zip(sorted(given), "abcdefghijklmnop", strict=False))
    turned = dict(zip(sorted(given, reverse=True), "abcdefghijklmnop", strict=False))
    with jax.enable_x64(True):
        one, other = (
            in_brian(
                "e-prop, current", True, names={name: f"{letter}_other" for name, letter in names.items()}
            )
            for names in (letters, turned)
        )
    for name, value in one.params.items():
        assert np.array_equal(value, other.params[name])


@pytest.mark.parametrize("case", ["rflo, rate", "e-prop, current"])
def test_a_trace_of_the_new_presynaptic_rate_is_found_out(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The control: one step too late, and all that comes of it is wrong."""
    units = planning.units

    def late(*args: Any, **options: Any) -> plasticity.Text:
        text = units(*args, **options)
        return text._replace(code={**text.code, "derive": text.code["derive"] + "\nsent = firing"})

    monkeypatch.setattr(planning, "units", late)
    with jax.enable_x64(True):
        assert distance(in_brian(case, False), in_library(case, False)[0]) > 1e-3


class TestLocality:
    """What synapses read, from their code and from what Brian2 has compiled."""

    def allowed(self, synapses: Any, name: str) -> bool:
        own = {"weight", "parameter", "side", "size", "plastic", "trace", "filtered", "change", "first"}
        if name in synapses.namespace:
            return isinstance(synapses.namespace[name], float)
        for side, group in (("_pre", synapses.source), ("_post", synapses.target)):
            if name.endswith(side):
                return name.removesuffix(side) in group.variables
        return name in own and name in synapses.variables

    @pytest.mark.parametrize("case", ["rflo, rate", "e-prop, rate, constrained", "sign-concordant, held"])
    @pytest.mark.parametrize("online", [False, True], ids=["summed", "online"])
    def test_a_synapse_names_its_two_neurons_itself_and_constants(self, case: str, online: bool) -> None:
        name, chosen, circuit = CASES[case]
        rule, trials, key = tt.rules.make(name, **chosen), trials_of(3), jax.random.key(3)
        options = {"learning_rate": RATE, "online": online, "names": {}}
        with jax.enable_x64(True):
            plan, _ = planning.plan_of(circuit, params_of(circuit), rule, None, key, **options)
            sequence = planning.sequence_of(circuit, trials)
        with simulator() as b2:
            made = wired.wire(b2, plan, sequence)
            made.network.run(3 * circuit.dt * b2.ms, namespace={})
            self.check(b2, made)
        if plan.pathway.mirrors:  # the feedback has followed the readout, to the bit
            back, ahead = (made.synapses[name] for name in ("feedback", "readout"))
            pairs = dict(zip(zip(ahead.j[:], ahead.i[:], strict=True), ahead.parameter[:], strict=True))
            assert pairs == dict(zip(zip(back.i[:], back.j[:], strict=True), back.parameter[:], strict=True))
            assert (ahead.parameter[:] != plan.forms["readout"].free[ahead.j[:], ahead.i[:]]).any()

    def check(self, b2: Any, made: wired.Wired) -> None:
        for name, synapses in made.synapses.items():
            read = identifiers(synapses)
            assert all(self.allowed(synapses, one) for one in read), (name, read)
            assert any(one.endswith("_pre") for one in read)
            assert not any(
                isinstance(one, b2.core.variables.LinkedVariable) for one in synapses.variables.values()
            )
            owners = {synapses.name, synapses.source.name, synapses.target.name, "throughtime_clock"}
            for part in synapses.contained_objects:
                for variable in part.codeobj.variables.values() if hasattr(part, "codeobj") else ():
                    assert not isinstance(variable, b2.TimedArray)
                    assert getattr(getattr(variable, "owner", None), "name", "throughtime_clock") in owners
        operations = [one for one in made.network.objects if isinstance(one, b2.NetworkOperation)]
        assert [one.name for one in operations] == ["throughtime_record"]


@pytest.fixture(scope="module")
def trained() -> tuple[tt.spiking.Learned, dict[str, np.ndarray], np.ndarray]:
    task = tt.tasks.make("sine-generation", dt=40.0, num_periods=1.0)
    circuit = tt.circuits.for_task(task, num_units=UNITS, dynamics=Leaky(form="rate"))
    plan = Plan(task, circuit, tt.rules.make("rflo"), SquaredError(), "sgd", None, batch_size=1, cores=1)
    update = jax.jit(updates.one_update, static_argnums=0)
    with jax.enable_x64(True):
        given = jax.tree.map(lambda leaf: leaf[None], params_of(circuit))
        begun = jax.tree.map(lambda leaf: leaf[0], updates.start(plan, [0], [0], [0], given))
        state, course, trials, losses = begun, [], [], []
        for number in range(NUMBER):
            trial, key = updates.make_trials(task, 1, state.data_seed, number)
            trials.append(trial)
            _, info = tt.gradient(circuit, state.params, trial, plan.rule, key=key, state=state.rule)
            losses.append(float(info["loss"]))
            state, _ = update(plan, state, number, jnp.asarray(STEP))
            course.append(state.params)
        batch = jax.tree.map(lambda *leaves: jnp.concatenate(leaves), *trials)
        learned = tt.spiking.learn(circuit, begun.params, batch, "rflo", learning_rate=STEP, state=begun.rule)
    return learned, jax.tree.map(lambda *leaves: np.stack(leaves), *course), np.array(losses)


class TestTraining:
    """Thirty trials by Brian2 alone, and by the update of this library with the same numbers."""

    def test_losses_are_those_of_the_library(self, trained: Any) -> None:
        learned, _, losses = trained
        np.testing.assert_allclose(learned.losses, losses, rtol=1e-8)

    def test_so_are_the_weights_after_each_trial(self, trained: Any) -> None:
        learned, course, _ = trained
        for name, change in learned.changes.items():
            np.testing.assert_allclose(change[1:], np.diff(course[name], axis=0), atol=1e-12)
            np.testing.assert_allclose(learned.params[name], course[name][-1], atol=1e-10)

    def test_losses_go_down(self, trained: Any) -> None:
        assert trained[0].losses[-5:].mean() < 0.5 * trained[0].losses[:5].mean()


@pytest.mark.parametrize("online", [False, True], ids=["summed", "online"])
def test_adaptive_feedback_over_trials_of_unlike_lengths(online: bool) -> None:
    """Its synapses and those of the readout forget at each trial's end, as after an update."""
    circuit, lengths = circuit_of("rate", "sigmoid", readout_tau=60.0), (9, 6, 1 + 2, 8)
    within = {"online": True, "step_size": RATE} if online else {}
    adaptive = AdaptiveFeedback(decay=0.05)
    rule = tt.rules.make("eprop", feedback=adaptive, **within)
    with jax.enable_x64(True):
        trials, params = trials_of(*lengths), params_of(circuit)
        state = given = rule.init(circuit, params, key=jax.random.key(4))
        course = [params]
        for index in range(len(lengths)):
            one = jax.tree.map(lambda leaf, index=index: leaf[index : index + 1], trials)
            back, info = tt.gradient(circuit, params, one, rule, key=jax.random.key(0), state=state)
            size = 1 if online else RATE
            after = {name: value - size * back[name] for name, value in params.items()}
            params, state = rule.after_update(circuit, params, after, info["state"])
            course.append(params)
        plain = tt.rules.make("eprop", feedback=adaptive)
        learned = tt.spiking.learn(
            circuit, course[0], trials, plain, learning_rate=RATE, online=online, state=given
        )
    np.testing.assert_allclose(learned.state["rule_feedback"], state["rule_feedback"], atol=1e-12)
    for name, changes in learned.changes.items():
        expected = np.diff(np.stack([one[name] for one in course]), axis=0)
        np.testing.assert_allclose(changes, expected, atol=1e-12)
        assert np.abs(expected[1:]).max() > 1e-4


def test_no_two_that_touch_each_other_tie() -> None:
    """Within a slot of one order names decide; there all parts must be of groups that do not meet."""
    circuit = circuit_of("current")
    with jax.enable_x64(True):
        options = {"learning_rate": RATE, "online": True, "names": {}}
        plan, _ = planning.plan_of(circuit, params_of(circuit), tt.rules.make("eprop"), None, None, **options)
        sequence = planning.sequence_of(circuit, trials_of(2))
    with simulator() as b2:
        made = wired.wire(b2, plan, sequence)
        parts = [part for one in made.network.objects for part in one.contained_objects]
        moments: dict[tuple[str, int], set[str]] = {}
        for part in parts:
            name = part.name.removeprefix("throughtime_")
            moments.setdefault((part.when, part.order), set()).add(name)
    for moment, names in moments.items():
        if len(names) > 1 and moment[0] != "start":
            sums = all("summed" in name for name in names)
            learn = all(name.endswith("_learn") for name in names)
            assert sums or learn or all("stateupdater" in name for name in names), (moment, names)
    assert moments[("groups", -1)] == {f"{name}_summed_variable_{into}_post" for name, into in (
        ("recurrent", "recurrent"), ("input", "external"), ("bias", "bias"),
    )}  # fmt: skip


class Doubled(Dense):
    """Weights that are twice their parameter."""

    def weights(self, params: Any) -> Any:
        return 2 * super().weights(params)


@dataclasses.dataclass(frozen=True)
class Foreign(Feedback):
    """A pathway of the user's own."""

    def matrix(self, weights: Any, state: Any) -> Any:
        return -weights.readout.T


BASE = circuit_of("current")
FACTORS = dataclasses.replace(BASE, recurrent=LowRank(rank=2))
ONE = trials_of(3)
TAUS = dataclasses.replace(BASE, dynamics=Leaky(tau=100.0, tau_range=(50.0, 200.0)))


@pytest.mark.parametrize(
    ("circuit", "rule", "options", "message"),
    [
        (BASE, "rflo", {"learning_rate": 0}, "learning_rate 0 is not a positive number"),
        (dataclasses.replace(BASE, dynamics=Adaptive()), "rflo", {}, "Adaptive has no equations of traces"),
        (dataclasses.replace(BASE, output_feedback=True), "rflo", {}, "output_feedback=False"),
        (dataclasses.replace(BASE, initial=WarmUp(100.0)), "rflo", {}, "traces of a warm-up"),
        (BASE, "bptt", {}, "BPTT needs more than each synapse's own trace"),
        (BASE, tt.rules.make("snap"), {}, "SnAp needs more than each synapse's own trace"),
        (BASE, tt.rules.make("rflo", online=True, step_size=0.1), {}, "has a step_size of its own"),
        (FACTORS, "rflo", {}, r"left, right would learn too.*set fixed=\('left', 'right'\)"),
        (TAUS, "rflo", {}, "tau_logit would learn too"),
        (dataclasses.replace(BASE, recurrent=Doubled()), "rflo", {}, "do not follow from one number"),
        (BASE, tt.rules.make("eprop", feedback=Foreign()), {}, "feedback Foreign is not written as synapses"),
        (dataclasses.replace(BASE, fixed=("readout",)), tt.rules.make("eprop", feedback="adaptive"), {},
         "adaptive feedback follows the changes"),
        (BASE, "rflo", {"key": None}, "drawn at random; give a key"),
        (BASE, "rflo", {"state": {"rule_feedback": np.ones((2, 2))}}, r"state has .* expected"),
        (dataclasses.replace(BASE, noise_sd=0.1), "eprop", {"key": None}, "the circuit has noise"),
        (BASE, "rflo", {"trials": ONE._replace(inputs=np.ones((3, 2)))}, r"inputs have shape \(3, 2\)"),
        (BASE, "rflo", {"trials": ONE._replace(mask=np.zeros((1, 3, OUTPUTS)))}, "trial 0 has no valid"),
    ],
)  # fmt: skip
def test_what_is_refused(circuit: Circuit, rule: Any, options: dict[str, Any], message: str) -> None:
    given = {"trials": ONE, "learning_rate": RATE, "key": jax.random.key(0), **options}
    params = circuit.init(key=jax.random.key(0))
    with pytest.raises(ValueError, match=message):
        tt.spiking.learn(circuit, params, given.pop("trials"), rule, **given)
