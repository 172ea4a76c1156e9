"""``throughtime compare``: several rules, one file."""

from __future__ import annotations

import ast
import re
import shlex
from typing import TYPE_CHECKING, Any

from throughtime import comparison, results
from throughtime.cli import build, output, text, train
from throughtime.cli.errors import Refusal
from throughtime.results import labels

if TYPE_CHECKING:
    import xarray as xr

    from throughtime.cli.given import Given
    from throughtime.cli.train_options import Compare
    from throughtime.rules import Rule

NAMED = re.compile(r"(?:([\w.+-]+)=)?([\w-]+)(?:\((.*)\))?", re.DOTALL)


def compare(options: Compare, fields: Given, words: list[str]) -> int:
    """Tune if asked to, train with every rule, save, and print the table.

    Raises:
        Refusal, ValueError: for wishes that cannot be met.
        KeyboardInterrupt: saying how to go on.
    """
    wishes = train.settings_of(options)
    rules = [rule_of(word) for word in options.rules]
    if not options.tune and (options.grid is not None or options.tune_updates is not None):
        raise Refusal("--grid, --tune-updates: are for tuning; give --tune, or leave them out.")
    if options.tune:
        wishes |= {
            "tune": True,
            "tune_updates": options.tune_updates,
            "tune_seeds": train.numbers(
                "--tune-seeds", options.tune_seeds, "a number of seeds such as 3, or seeds such as 70,71"
            ),
            "grid": comparison.GRID if options.grid is None else sizes("--grid", options.grid),
        }
    task, circuit, wishes["objective"] = train.objects_of(options, fields)
    output.check_suffix(options.out)
    output.check_folder(options.out, "--out")
    output.saved_at(options.out)
    if options.out.exists() and not options.overwrite:
        raise Refusal(
            f"--out: {options.out} exists; see what it holds with throughtime show {options.out}, choose "
            "another name, or replace it with --overwrite."
        )
    if options.checkpoint is not None:
        output.check_folder(options.checkpoint / "state", "--checkpoint")
        options.checkpoint.mkdir(parents=True, exist_ok=True)
    try:
        tree = comparison.compare(
            task,
            circuit,
            rules,
            controls=not options.no_controls,
            learned=not options.no_learned,
            match=options.match,
            checkpoint=options.checkpoint,
            test_trials=options.test_trials,
            progress=False if options.quiet else None,
            command=shlex.join(["throughtime", *words]),
            **wishes,
        )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(_how_to_resume(options)) from None
    options.out.parent.mkdir(parents=True, exist_ok=True)
    path = results.save(tree, options.out, overwrite=options.overwrite)
    print(table(tree["comparison"].to_dataset()))
    print(f"saved: {path}")
    return 0


def rule_of(word: str) -> tuple[str, Rule]:
    """Label and rule from ``[LABEL=]NAME[(option=value, …)]``.

    Raises:
        Refusal: for another form, and options there are not.
        ValueError: for an unknown name, and options the rule refuses.

    Example:
        >>> rule_of("aligned=eprop(feedback=symmetric)")[0], rule_of("snap(n=2)")[1].n
        ('aligned', 2)
    """
    label, name, options = named_options("--rules", word)
    return label or name, build.rule(name, options)


def named_options(option: str, word: str) -> tuple[str | None, str, dict[str, str]]:
    """Label (or None), name and options of a word ``[LABEL=]NAME[(option=value, …)]``.

    Raises:
        Refusal: for another form; ``option`` is where the word was given.

    Example:
        >>> named_options("--rules", "two=snap(n=2)")
        ('two', 'snap', {'n': '2'})
    """
    match = NAMED.fullmatch(word.strip())
    if match is None:
        raise Refusal(f"{option}: expected [LABEL=]NAME or [LABEL=]NAME(option=value), found {word!r}.")
    return match[1], match[2], {} if match[3] is None else _options(option, word, match[3])


def _options(option: str, word: str, given: str) -> dict[str, str]:
    source = f"given({given})"
    try:
        call = ast.parse(source, mode="eval").body
    except SyntaxError:
        call = None
    if not isinstance(call, ast.Call) or call.args or any(one.arg is None for one in call.keywords):
        raise Refusal(
            f"{option}: expected options as in {word.partition('(')[0]}(name=value), found {word!r}."
        )
    return {str(one.arg): _text(ast.get_source_segment(source, one.value) or "") for one in call.keywords}


def _text(source: str) -> str:
    """A value as other options have it: without the quotes of Python."""
    return source[1:-1] if source[:1] in "'\"" and source[:1] == source[-1:] else source


def sizes(option: str, given: str) -> tuple[float, ...]:
    """Numbers separated by commas.

    Raises:
        Refusal: otherwise.

    Example:
        >>> sizes("--grid", "1e-3, 1e-2")
        (0.001, 0.01)
    """
    try:
        return tuple(float(part) for part in given.split(",") if part.strip())
    except ValueError:
        raise Refusal(f"{option}: expected numbers such as 1e-4,1e-3,1e-2; found {given!r}.") from None


def table(data: xr.Dataset) -> str:
    """One line a rule: step size, medians of loss and score (diverged seeds worst), and how seeds ended."""
    rows: list[list[Any]] = [["rule", "step", "loss", "score", "criterion", "diverged", "edge"]]
    count = data.sizes["seed"]
    for index, label in enumerate(labels(data["rule"])):
        one = data.isel(rule=index)
        loss = float(one["final_loss"].fillna(float("inf")).median())
        score = float(one["final_score"].fillna(float("-inf")).median())
        rows.append(
            [
                label,
                *map(text.number, (float(one["learning_rate"]), loss, score)),
                f"{int(one['num_criterion'])}/{count}",
                f"{int(one['num_diverged'])}/{count}",
                "yes" if int(one["at_edge"]) else "no",
            ]
        )
    return text.columns(rows)


def _how_to_resume(options: Compare) -> str:
    if options.checkpoint is None:
        return "nothing was saved; with --checkpoint DIR the same command would go on where it stopped."
    return f"states are in {options.checkpoint}: give the same command again to go on from there."
