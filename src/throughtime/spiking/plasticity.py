"""Local rules as text: what neurons and synapses keep, what each synapse may name, and when it is done.

Here is no call of Brian2, only equations for it. A synapse names variables of the neuron before it
(``…_pre``), of the neuron behind it (``…_post``), its own, and constants.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from throughtime.credit.feedback import (
    AdaptiveFeedback,
    Feedback,
    RandomFeedback,
    SignConcordant,
    Symmetric,
)

if TYPE_CHECKING:
    from throughtime.circuits import Equations, Leaky

SCHEDULE: dict[str, tuple[str, int]] = {
    "remember": ("start", 0),
    "circuit": ("groups", 0),
    "spike": ("groups", 1),
    "outputs": ("groups", 10),
    "judge": ("groups", 11),
    "relay": ("groups", 20),
    "derive": ("end", 0),
    "sense": ("end", 1),
    "learn": ("end", 2),
    "record": ("end", 4),
}
"""Slot and order of everything done in a step. The sums into a group come at the group's order less one, so
no two sums tie and none waits for a name: Brian2 breaks ties within a slot by the names of objects."""

SLOPE = {
    "tanh": "1 - tanh({})**2",
    "relu": "int({} > 0)",
    "softplus": "0.5*(1 + tanh(0.5*({})))",
    "sigmoid": "0.25*(1 - tanh(0.5*({}))**2)",
    "retanh": "int({0} > 0)*(1 - tanh({0})**2)",
}
"""φ′ in the language of Brian2's equations; at a kink it is the slope from the left, 0."""


class Text(NamedTuple):
    """Equations of a group or a synapse.

    Attributes:
        model: variables. code: what is run at each step, by name of its place in :data:`SCHEDULE`.
    """

    model: str
    code: dict[str, str]


HEARD = ("begin = begins(t)", "commit = commits(t)")


def units(dynamics: Leaky, equations: Equations, *, noisy: bool, filters: bool, shows: bool) -> Text:
    """The units of a leaky circuit, and what each tells its synapses.

    ``begin`` and ``commit`` are 1 at the first and the last step of a trial. ``sent`` is the rate before the
    step; ``keep``, ``enter`` and ``reading`` are the derivatives of the unit's state by its state before and
    by its drive, and of its rate by its state; ``signal`` is its learning signal.

    Args:
        equations: of the dynamics, which the other variables are added to.
        noisy: whether the drive has noise. filters: whether its synapses filter what they keep (``hold``).
        shows: whether it shows its apical compartment the rate after the step (``fired``).
    """
    state, slope = dynamics.form, SLOPE[dynamics.activation]
    heard = "*free" if "free" in equations.constants else ""
    if state == "current":
        enter, reading = "alpha", f"({slope.format(state)}){heard}"
    else:
        enter, reading = f"alpha*({slope.format('drive')})", f"1{heard}"
    lines = [
        *equations.lines,
        f"drive = recurrent + external + bias{' + noise(t, i)' if noisy else ''} : 1",
        *(f"{name} : second (constant)" for name in equations.times),
        *(f"{name} : 1 (constant)" for name in ("alpha", "initial", *equations.constants)),
        "apical : 1 (linked)",
        *(f"{name} : 1" for name in ("recurrent", "external", "bias", "begin", "commit", "sent", "signal")),
        *(f"{name} : 1" for name in ("keep", "enter", "reading")),
    ]
    derive = ["signal = apical", "keep = (1 - begin)*(1 - alpha)", f"enter = {enter}", f"reading = {reading}"]
    if filters:
        lines.append("hold : 1")
        derive.append("hold = (1 - begin)*decay")
    if shows:
        lines.append("fired : 1")
        derive.append(f"fired = {equations.read}")
    begin = f"{state} = begin*initial + (1 - begin)*{state}"
    remember = [*HEARD, begin, f"sent = {equations.sent}"]
    return Text("\n".join(lines), {"remember": "\n".join(remember), "derive": "\n".join(derive)})


CHANNELS = Text("sent : 1", {"remember": "sent = inputs(t, i)"})
"""Input channels, and one more that is always 1, from which the biases come."""


def outputs(*, leaky: bool) -> Text:
    """The outputs ``z = κ z + W_out r + b_out`` with their errors, and the loss of the trial so far."""
    names = ("arriving", "offset", "output", "error", "loss", "begin", "commit", *(["hold"] if leaky else []))
    judge = [
        *(["hold = (1 - begin)*decay"] if leaky else []),
        f"output = {'hold*output + ' if leaky else ''}arriving + offset",
        "error = gain(t, i)*(output - targets(t, i))",
        "loss = (1 - begin)*loss + 0.5*gain(t, i)*(output - targets(t, i))**2",
    ]
    model = "\n".join(f"{name} : 1" for name in names)
    return Text(model, {"remember": "\n".join(HEARD), "judge": "\n".join(judge)})


def relay(*, senses: bool) -> Text:
    """Where feedback arrives, one compartment a unit: the unit hears it once all of it has come.

    Args:
        senses: whether the compartment knows the rate of its unit, as feedback that learns needs to.
    """
    if not senses:
        return Text("told : 1", {})
    return Text("told : 1\nsoma : 1 (linked)\nfired : 1", {"sense": "fired = soma"})


@dataclass(frozen=True)
class Learning:
    """How a synapse learns; texts are expressions.

    Attributes:
        trace: next value of ``trace``, or "" for a synapse that keeps none.
        present: what this step adds to what the error multiplies.
        hold: factor by which the sum of these decays, or "" where there is no such sum.
        teacher: the error. clock: side of the synapse that tells of the trial, ``pre`` or ``post``.
    """

    trace: str
    present: str
    hold: str
    teacher: str
    clock: str = "post"


def eligibility(*, filters: bool) -> Learning:
    """Synapses onto units: a trace of their own use, times the learning signal of their unit."""
    return Learning(
        trace="keep_post*trace + enter_post*sent_pre",
        present="reading_post*trace",
        hold="hold_post" if filters else "",
        teacher="signal_post",
    )


def delta(source: str, *, leaky: bool) -> Learning:
    """Synapses onto outputs: what they have read, through the readout's leak, times their output's error.

    Args:
        source: variable of what comes before them, ``firing`` of units or ``sent`` of the channel that is 1.
    """
    return Learning("", f"{source}_pre", "hold_post" if leaky else "", "error_post")


def mirrored(*, leaky: bool) -> Learning:
    """Feedback synapses that make the readout's changes: the same two activities, seen from the other end."""
    return Learning("", "fired_post", "hold_pre" if leaky else "", "error_pre", clock="pre")


def synapse(
    into: str,
    source: str,
    form: str,
    learning: Learning | None,
    *,
    online: bool = False,
    partly: bool = False,
    forgets: bool = False,
    scaled: bool = False,
) -> Text:
    """Equations of one kind of synapse.

    Args:
        into: variable of the target that the weighted activities add up to; source: that of the source.
        form: the weight as an expression in its own ``parameter``: a key of :data:`FORMS`.
        learning: how it learns, None for not at all.
        online: whether it moves at every step, or by the sum of all steps at the trial's last.
        partly: whether only those with ``plastic = 1`` learn.
        forgets: whether it loses the share ``forget`` of what it was when the trial began.
        scaled: whether the weight has the sign of the form alone, and the constant ``size``.

    Example:
        >>> own = eligibility(filters=False)
        >>> print(synapse("recurrent", "firing", "free", own, online=True).code["learn"])
        trace = keep_post*trace + enter_post*sent_pre
        parameter -= learning_rate*signal_post*(reading_post*trace)
        <BLANKLINE>
    """
    effective, slope = FORMS[form]
    lines = [f"weight = {f'size*sign({effective})' if scaled else effective} : 1", "parameter : 1"]
    lines += ["side : 1 (constant)"] if "side" in effective else []
    lines += ["size : 1 (constant)"] if scaled else []
    lines += [f"{into}_post = weight*{source}_pre : 1 (summed)"]
    if learning is None:
        return Text("\n".join(lines), {})
    begin, commit = f"begin_{learning.clock}", f"commit_{learning.clock}"
    code, used = [], learning.present
    if learning.trace:
        lines.append("trace : 1")
        code.append(f"trace = {learning.trace}")
    if learning.hold:
        lines.append("filtered : 1")
        code.append(f"filtered = {learning.hold}*filtered + {used}")
        used = "filtered"
    share = f"learning_rate*{learning.teacher}*({used}){slope}"
    if partly:
        lines.append("plastic : 1 (constant)")
        share += "*plastic"
    if online and not forgets:
        code.append(f"parameter -= {share}")
    elif online:
        lines.append("first : 1")
        code.append(f"first = {begin}*parameter + (1 - {begin})*first")
        code.append(f"parameter -= {share} + {commit}*forget*first")
    else:
        lines.append("change : 1")
        code.append(f"change = (1 - {begin})*change - {share}")
        code.append(f"parameter += {commit}*{'(change - forget*parameter)' if forgets else 'change'}")
    return Text("\n".join(lines), {"learn": "\n".join(code) + "\n"})


FORMS = {"free": ("parameter", ""), "rectified": ("side*abs(parameter)", "*side*sign(parameter)")}
"""A weight and its slope by its own free parameter: as it is, or the size with a sign that is given."""


@dataclass(frozen=True)
class Pathway:
    """A feedback as synapses of their own from outputs to units.

    Attributes:
        drawn: whether its numbers are ``rule_feedback`` of the rule's state; or the readout's at first.
        mirrors: whether it makes the readout's changes too, by its own two activities.
        forgets: whether it, and the readout, forget a share a trial. scaled: see :func:`synapse`.
    """

    drawn: bool
    mirrors: bool
    forgets: bool = False
    scaled: bool = False


PATHWAYS: dict[type[Feedback], Pathway] = {
    Symmetric: Pathway(drawn=False, mirrors=True),
    RandomFeedback: Pathway(drawn=True, mirrors=False),
    SignConcordant: Pathway(drawn=False, mirrors=True, scaled=True),
    AdaptiveFeedback: Pathway(drawn=True, mirrors=True, forgets=True),
}
"""No synapse here reads the readout's weights. What is said to be symmetric starts with their numbers, which
is transport, and stays equal to them because both ends of the pathway make the same change."""

TRAINED = ("recurrent", "input", "bias", "readout", "readout_bias")
