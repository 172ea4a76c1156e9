"""Whether a learning rule is what it says it is; finite differences and the audit judge."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import jax
import jax.numpy as jnp
import numpy as np

from throughtime.audit import SIGNALS, audit
from throughtime.checking import settings
from throughtime.checking.arrays import distance, norm
from throughtime.checking.report import Skipped, expect
from throughtime.checking.rule_subject import INIT_KEY, KEY, OTHER_KEY, Subject
from throughtime.rules.base import EVERYTHING
from throughtime.trial import Trial

if TYPE_CHECKING:
    from throughtime.rules import Rule


def declaration(subject: Subject) -> str:
    """A frozen dataclass with a docstring and traits in the vocabulary."""
    rule, kind = subject.rule, type(subject.rule)
    parameters = getattr(kind, "__dataclass_params__", None)
    expect(
        parameters is not None and parameters.frozen and "__dataclass_params__" in vars(kind),
        expected=f"{kind.__name__} to be a frozen dataclass",
        found="none" if "__dataclass_params__" not in vars(kind) else "one that is not frozen",
        remedy="decorate it with @dataclass(frozen=True)",
    )
    expect(
        hash(rule) == hash(dataclasses.replace(rule)) and rule == dataclasses.replace(rule),
        expected="equal rules to be equal and to have one hash",
        found="two that differ",
        remedy="use plain values, tuples and tt.FrozenArray as fields",
    )
    expect(
        bool(vars(kind).get("__doc__")) and not str(kind.__doc__).startswith(f"{kind.__name__}("),
        expected=f"a docstring of {kind.__name__}",
        found="none",
        remedy="say what the rule does and where it comes from",
    )
    unknown = [name for name in subject.traits.signals if name not in SIGNALS]
    expect(
        not unknown,
        expected=f"signals from {', '.join(map(repr, SIGNALS))}",
        found=", ".join(map(repr, unknown)),
        remedy="say in these words what a synapse must sense",
    )
    wanted = subject.traits.trained
    expect(
        wanted == EVERYTHING or not isinstance(wanted, str),
        expected="trained to be 'everything' or a tuple of names",
        found=repr(wanted),
        remedy="write ('recurrent', …)",
    )
    traits = subject.traits
    facts = [name for name in ("exact", "online", "stochastic", "displacement") if getattr(traits, name)]
    senses = ", ".join(traits.signals) or "nothing else"
    return f"{', '.join(facts) or 'neither exact nor online'}; senses {senses}"


def loss(subject: Subject) -> str:
    """The loss it reports is that of the circuit."""
    if subject.traits.displacement or subject.traits.stochastic:
        raise Skipped("its runs are not those of a circuit that stands still.")
    wanted, found = subject.reference[0], subject.live[1][2]
    gap = max(distance(found["losses"], wanted), distance(found["loss"], wanted.mean()))
    expect(
        gap < 1e-6,
        expected=f"a mean loss of {float(wanted.mean()):.6g}, as circuit.run gives",
        found=f"{float(found['loss']):.6g}",
        remedy="run each trial with its mask, its valid steps and circuit.noise(fold_in(key, trial), steps)",
    )
    return f"{float(found['loss']):.4g}, as circuit.run gives"


def exactness(subject: Subject) -> str:
    """Exact: finite differences. Not exact: something else than the gradient."""
    wanted, traits = subject.reference[1], subject.traits
    if traits.displacement:
        return _small_steps(subject) if traits.exact else _skip("a displacement that claims no gradient.")
    scale = norm(wanted)
    gaps = {
        name: norm(np.asarray(subject.grads[name]) - np.asarray(wanted[name]))
        / max(norm(wanted[name]), 1e-3 * scale)
        for name in subject.params
    }
    worst = max(gaps, key=lambda name: gaps[name])
    if traits.exact:
        wrong = ", ".join(f"{name} off by {gap:.2g}" for name, gap in gaps.items() if gap > 1e-5)
        expect(
            gaps[worst] < 1e-5,
            expected="the gradient of the loss, to 1e-5 of finite differences",
            found=f"{wrong} (relative)",
            remedy="mend the gradient of these parameters, or declare exact=False",
        )
        return f"finite differences agree to {gaps[worst]:.1g}"
    off = distance(subject.grads, wanted)
    expect(
        off > 0.01,
        expected="another gradient than that of the loss, for traits say exact=False",
        found=f"a relative difference of {off:.2g}",
        remedy="declare exact=True; or see that no differentiation of a whole run makes it exact by accident",
    )
    return f"relative difference {off:.2g} from the gradient"


def _skip(reason: str) -> str:
    raise Skipped(reason)


def _small_steps(subject: Subject) -> str:
    """Displacement/η tends to the gradient, its error halving with η."""
    wanted, errors = subject.reference[1], []
    for size in (2e-4, 1e-4):
        other = dataclasses.replace(subject.rule, **{subject.rule.tuned_option: size})
        moved = Subject(other, subject.circuit).grads
        each = {name: np.asarray(moved[name]) / size for name in subject.trained}
        errors.append(distance(each, {name: wanted[name] for name in subject.trained}))
    expect(
        errors[0] < 0.05 and 1.5 < errors[0] / errors[1] < 2.5,
        expected="displacement / step size to tend to the gradient as the step size is halved",
        found=f"relative errors {errors[0]:.2g} and {errors[1]:.2g}",
        remedy="mend the gradient, or declare exact=False",
    )
    return f"displacement / step size tends to the gradient (error {errors[1]:.1g} at 1e-4)"


def draws(subject: Subject) -> str:
    """Another key gives another gradient if and only if it is declared stochastic."""
    other = subject.gradient(subject.params, subject.state, subject.trials, jax.random.key(OTHER_KEY))[0]
    moved = distance(other, subject.grads)
    if subject.traits.stochastic:
        expect(
            moved > 1e-6,
            expected="another gradient for another key, for traits say stochastic=True",
            found="the same",
            remedy="draw from keys.stream(fold_in(key, trial), 'rule'), or declare stochastic=False",
        )
        return "another key, another gradient"
    expect(
        moved < 1e-9,
        expected="the same gradient for another key, for traits say stochastic=False",
        found=f"a relative difference of {moved:.2g} under the same circuit noise",
        remedy="declare stochastic=True",
    )
    return "no draws of its own"


def halving_dt(subject: Subject) -> str:
    """At fixed duration, inputs and loss, gradients converge as the step is halved."""
    traits = subject.traits
    if traits.displacement or traits.stochastic:
        raise Skipped("only for deterministic gradients.")
    found = halved_gradients(subject.rule)
    ratio = norm(jax.tree.map(jnp.subtract, found[0], found[1])) / max(
        norm(jax.tree.map(jnp.subtract, found[1], found[2])), 1e-12
    )
    expect(
        1.6 < ratio < 2.5,
        expected="differences of gradients to halve as dt is halved, a ratio of about 2",
        found=f"{ratio:.3g}",
        remedy="keep windows, delays and time constants in ms, and scale no term by the number of steps",
    )
    return f"differences halve with dt (ratio {ratio:.2f})"


def halved_gradients(rule: Rule, dt: float = 4.0, duration: float = 240.0) -> list[dict[str, Any]]:
    """Gradients of one trial at dt, dt/2, dt/4: smooth inputs and targets, a loss that is an integral."""
    first = settings.circuit_of(dt=dt)
    params = settings.params_of(first)
    params["recurrent"] = 0.6 * params["recurrent"]
    state = rule.init(first, params, key=jax.random.key(INIT_KEY))
    found = []
    for divide in (1, 2, 4):
        circuit = dataclasses.replace(first, dt=dt / divide)
        time = (np.arange(round(duration / circuit.dt)) + 0.5) * circuit.dt / duration
        phases = np.arange(circuit.num_inputs) + 1.0
        inputs = np.sin(2 * np.pi * phases * time[:, None] / 2 + phases)
        targets = np.cos(2 * np.pi * time[:, None] + np.arange(circuit.num_outputs))
        mask = np.ones_like(targets)
        one = [jnp.asarray(array)[None] for array in (inputs, targets, mask)]
        trials = Trial(one[0], one[1], one[2], jnp.ones((1, len(time)), bool), {}, {})

        def compute(params: Any, state: Any, trials: Trial, circuit: Any = circuit) -> Any:
            return rule.gradient(circuit, params, state, trials, settings.OBJECTIVE, key=jax.random.key(KEY))[
                0
            ]

        found.append(jax.jit(compute)(params, state, trials))
    return found


def locality(subject: Subject) -> str:
    """What a synapse reads is what the rule says it senses."""
    rule = subject.rule
    if rule.exempt:
        raise Skipped(f"not audited: {rule.exempt}.")
    try:
        verdict = audit(rule)
    except TypeError as error:
        if "update_from_record" not in str(error):
            raise
        raise Skipped("not audited: it defines no update_from_record(circuit, evidence, state).") from None
    wrong = verdict.disagreements(subject.traits)
    expect(
        not wrong,
        expected=f"a synapse to read what traits.signals say, {', '.join(subject.traits.signals)}",
        found="; ".join(wrong),
        remedy="declare what it reads, or read less",
    )
    return f"reads what it declares; {verdict.time}"
