"""``throughtime train``: everything that can be refused is, before the first update."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

from throughtime import config, training
from throughtime.cli import build, given, output
from throughtime.cli.errors import Refusal
from throughtime.training import settings, shaping
from throughtime.training.plan import Clip

if TYPE_CHECKING:
    from throughtime.cli.given import Given
    from throughtime.cli.train_options import Train, Training
    from throughtime.results import Run

# option -> (object, field) it is short for
SHORT = {
    "tau": ("dynamics", "tau"),
    "activation": ("dynamics", "activation"),
    "form": ("dynamics", "form"),
    "gain": ("recurrent", "gain"),
    "rate_penalty": ("rate-penalty", "strength"),
    "weight_penalty": ("weight-penalty", "strength"),
    "vanishing_gradient": ("vanishing-gradient", "strength"),
}


def train(options: Train, fields: Given, words: list[str]) -> int:
    """Train, save, and print the summary.

    Raises:
        Refusal, ValueError: for wishes that cannot be met.
        KeyboardInterrupt: saying how to go on.
    """
    wishes = settings_of(options)
    task, circuit, wishes["objective"] = objects_of(options, fields)
    rule = build.rule(options.rule, fields.get("rule", {}))
    settings.check_carry(options.carry_state, circuit)
    settings.check_trained(rule, circuit)
    shaping.resolve(task, wishes["curriculum"])
    output.check_suffix(options.out)
    output.check_folder(options.out, "--out")
    _check_checkpoint(options)
    _check_result(options, {"task": task, "circuit": circuit, "rule": rule}, wishes)
    run = _train(options, task, circuit, rule, wishes, shlex.join(["throughtime", *words]))
    options.out.parent.mkdir(parents=True, exist_ok=True)
    path = run.save(options.out, overwrite=options.overwrite)
    print(run.summary())
    print(f"saved: {path}")
    return 0


def objects_of(options: Training, fields: Given) -> tuple[Any, Any, Any]:
    """Task, circuit and objective that the options ask for.

    Raises:
        Refusal, ValueError: for names and fields there are not, and settings they refuse.
    """
    for name, (owner, field) in SHORT.items():
        if (text := getattr(options, name)) is not None:
            given.add(fields, owner, field, text)
    objective = build.objective(options.objective, fields)
    task = build.task(options.task, fields.get("task", {}))
    circuit = build.circuit(
        task,
        num_units=options.num_units,
        noise=options.noise,
        dynamics=options.dynamics,
        recurrent=options.recurrent,
        initial=options.initial,
        fixed=options.fixed,
        fields=fields,
        output_feedback=options.output_feedback,
        output_feedback_gain=options.output_feedback_gain,
        readout_tau=options.readout_tau,
    )
    return task, circuit, objective


def settings_of(options: Training) -> dict[str, Any]:
    """Settings of :func:`throughtime.training.train` that the options ask for.

    Raises:
        Refusal: for texts that are no numbers, or clipping without a norm.
        ValueError: for numbers training refuses.
    """
    if options.clip is None and options.clip_by != "global":
        raise Refusal(f"--clip-by: {options.clip_by} needs a norm to clip at; give --clip NORM.")
    wishes: dict[str, Any] = {
        name: getattr(options, name)
        for name in (
            "num_updates", "batch_size", "learning_rate", "optimizer", "stop", "eval_every", "log_every",
            "carry_state",
        )
    }  # fmt: skip
    for name in ("num_updates", "batch_size", "eval_every", "log_every"):
        settings.count(name, wishes[name])
    settings.count("test_trials", options.test_trials, 0)
    settings.describe_optimizer(options.optimizer)
    settings.rates(options.learning_rate, 1)
    seeds = numbers("--seeds", options.seeds, "a number of seeds such as 4, or seeds such as 0,3,7")
    wishes["seeds"] = settings.seed_list("seeds", range(seeds) if isinstance(seeds, int) else seeds)
    for name in ("init_seeds", "data_seeds", "rule_seeds"):
        if (text := getattr(options, name)) is not None:
            option = f"--{name.replace('_', '-')}"
            found = numbers(option, text, "one seed such as 5, or one for each such as 5,6,7")
            wishes[name] = settings.seed_list(name, found, len(wishes["seeds"]))
    if options.keep is not None:
        kept = numbers("--keep", options.keep, "updates such as 100,200")
        wishes["keep"] = (kept,) if isinstance(kept, int) else kept
    wishes["curriculum"] = build.curriculum(options.curriculum)
    wishes["clip"] = None if options.clip is None else Clip(options.clip, options.clip_by)
    wishes["step_sizes"] = build.step_sizes(options.step_sizes)
    return wishes


def numbers(option: str, text: str, expected: str) -> int | tuple[int, ...]:
    """A whole number, or several separated by commas.

    Raises:
        Refusal: otherwise.

    Example:
        >>> numbers("--seeds", "4", ""), numbers("--seeds", "3,", ""), numbers("--seeds", "0, 3", "")
        (4, (3,), (0, 3))
    """
    parts = [part.strip() for part in text.split(",")]
    if len(parts) > 1 and not parts[-1]:
        parts.pop()
    if not all(part.isascii() and part.isdigit() for part in parts):
        raise Refusal(f"{option}: expected {expected}; found {text!r}.")
    return tuple(map(int, parts)) if "," in text else int(parts[0])


def _check_checkpoint(options: Train) -> None:
    if options.checkpoint is None:
        return
    if options.checkpoint.absolute() == options.out.absolute():
        raise Refusal(f"--checkpoint: {options.checkpoint} is also --out; give each a file of its own.")
    if options.checkpoint.is_dir():
        raise Refusal(
            f"--checkpoint: expected a file, found the folder {options.checkpoint}; name a file in it."
        )
    output.check_folder(options.checkpoint, "--checkpoint")
    options.checkpoint.parent.mkdir(parents=True, exist_ok=True)


def _check_result(options: Train, objects: dict[str, Any], wishes: dict[str, Any]) -> None:
    """Refuse to train for a file that is there, saying whether it is the same run."""
    there = output.saved_at(options.out)
    if options.overwrite or not options.out.exists():
        return
    if there is not None and _same(there, objects, wishes):
        run_id = there.tree.attrs["run_id"]
        raise Refusal(
            f"--out: {options.out} already holds the same configuration (run {run_id}), so nothing is "
            f"trained; see it with throughtime show {options.out}, or give --overwrite."
        )
    raise Refusal(
        f"--out: {options.out} exists and holds another result; choose another name, or replace it with "
        "--overwrite."
    )


def _same(run: Run, objects: dict[str, Any], wishes: dict[str, Any]) -> bool:
    """Whether a saved run has the configuration that is asked for."""
    asked = training.configuration(**objects, **wishes)
    return bool(run.tree.attrs["config_sha256"] == config.sha256(asked))


def _train(options: Train, task: Any, circuit: Any, rule: Any, wishes: dict[str, Any], command: str) -> Run:
    from throughtime import api

    try:
        return api.train(
            task,
            circuit,
            rule,
            test_trials=options.test_trials,
            checkpoint=options.checkpoint,
            progress=False if options.quiet else None,
            command=command,
            **wishes,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_resume(options.checkpoint)) from None


def _how_to_resume(checkpoint: Path | None) -> str:
    if checkpoint is None:
        return "nothing was saved; with --checkpoint FILE the same command would go on where it stopped."
    if not checkpoint.exists():
        return f"before the first evaluation, so {checkpoint} was not written yet; start again."
    return f"the state of training is in {checkpoint}: give the same command again to go on from there."
