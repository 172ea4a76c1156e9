"""Combinations that cannot be trained, found by tracing one update of each without running it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from throughtime import training
from throughtime.comparison.study import Study as Shared
from throughtime.comparison.study import refuse_gradient
from throughtime.objectives import SquaredError
from throughtime.studies.plans import Combination, Labels, changed_task, combinations

if TYPE_CHECKING:
    from throughtime.studies.declaration import Study


def refusals(study: Study) -> dict[Labels, str]:
    """Labels of the combinations that are refused, and why.

    Raises:
        ValueError: for the first of them, unless the study skips them; and where no combination is left.
    """
    check_evaluations(study)
    found: dict[Labels, str] = {}
    traced: dict[Any, str] = {}
    everything = list(combinations(study))
    for one in everything:
        reason = refusal(one, traced)
        if reason and not study.skip_refused:
            raise ValueError(
                f"Study: {', '.join(one.labels)}: {reason} Name it in left_out, or leave out with the reason "
                "whatever is refused by skip_refused=True."
            )
        if reason:
            found[one.labels] = reason
    if len(found) == len(everything):
        first = f" {next(iter(found.values()))}" if found else ""
        raise ValueError(f"Study: no combination is left to run.{first}")
    return found


def refusal(one: Combination, traced: dict[Any, str]) -> str:
    """Why a combination cannot be trained; empty where nothing speaks against it.

    Args:
        traced: answers of rules to circuits and objectives, which combinations share.
    """
    try:
        circuit = one.circuit
        rule, settings = one.settings(step=1e-3 if one.tuned else None)
        if idle := without_effect(one):
            return (
                f"the option sets {', '.join(idle)}, which the rule does not obey: it makes its own steps, "
                "or has a batch size of its own. Set it in training, where it is meant for other rules."
            )
        training.configuration(one.task, circuit, rule, **settings)
        if one.tuned:
            Shared(one.task, circuit, one.common, one.match, None, False).refuse_params_by_seed()
    except (ValueError, TypeError) as error:
        return sentence(error)
    objective = settings.get("objective") or SquaredError()
    key = (one.task, circuit, rule, objective, settings["batch_size"])
    if key not in traced:
        try:
            refuse_gradient(one.task, circuit, rule, objective, settings["batch_size"])
            traced[key] = ""
        except ValueError as error:
            traced[key] = sentence(error)
        except Exception:  # no refusal: what fails here fails when it is run, and is recorded there
            traced[key] = ""
    return traced[key]


def check_evaluations(study: Study) -> None:
    """Refuse evaluations that no task of the study has, or whose values a task refuses.

    Raises:
        ValueError: naming the evaluation.
    """
    for label, fields in study.evaluations:
        if all(changed_task(task, fields) is None for _, task in study.tasks):
            names = ", ".join(name for name, _ in fields)
            raise ValueError(f"Study: evaluations: no task has all fields of {label!r} ({names}).")


def without_effect(one: Combination) -> list[str]:
    """Settings of the option that the rule's traits overrule: with others, training would be the same."""
    traits = one.rule.traits
    idle = {"optimizer", "clip", "learning_rate", "step_sizes"} if traits.displacement else set()
    if one.match == "updates" and traits.batch_size not in (None, one.common["batch_size"]):
        idle.add("batch_size")
    return sorted(idle & set(one.set_by_option))


def sentence(error: Exception) -> str:
    """The message of an error, with a full stop."""
    text = str(error).strip() or type(error).__name__
    return text if text.endswith((".", "!", "?")) else f"{text}."
