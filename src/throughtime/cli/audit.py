"""``throughtime audit``: what the update of a synapse reads under each rule."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import xarray as xr

import throughtime.runtime  # noqa: F401  (settings JAX reads when it is imported)
from throughtime import config, results, rules
from throughtime.audit import SIGNALS, TIMES, Verdict, classes
from throughtime.audit import audit as find_out
from throughtime.circuits import Circuit
from throughtime.cli import output
from throughtime.results.flags import encode_flags, flag_attributes
from throughtime.results.provenance import library_attributes, strip_paths
from throughtime.spiking.planning import own_traces

if TYPE_CHECKING:
    from throughtime.cli.options import Audit

HEAD = ("rule", "synapses", "senses", "errors come through", "known", "as declared")
NOTHING = "nothing more"


def audit(options: Audit, words: list[str]) -> int:
    """Audit the rules, print the table, and save it if asked to; 1 where a rule does not do as it declares.

    Raises:
        Refusal, ValueError: for an unknown rule, or an impossible output.
    """
    if options.out is not None:
        output.check_suffix(options.out)
        output.check_folder(options.out, "--out")
    chosen = [rules.make(name) for name in options.rules or rules.names()]
    found: list[tuple[Verdict, bool]] = []
    rows: list[tuple[str, ...]] = [HEAD]
    amiss: list[str] = []
    for rule in chosen:
        if rule.exempt:
            rows.append((rule.name, "", f"not audited: {rule.exempt}", "", "", ""))
            continue
        verdict = find_out(rule, records=options.records)
        apart = verdict.disagreements(rule.traits)
        found.append((verdict, not apart))
        amiss += [f"{rule.name} {one}" for one in apart]
        rows.append((*row(verdict), "no" if apart else "yes"))
        for leaf, signals in verdict.learned.items():
            name = f"  its {leaf.removeprefix('rule_').replace('_', ' ')}"
            rows.append((name, "", ", ".join(signals) or NOTHING, "", "", ""))
    print(aligned(rows))
    print(in_brian([rule for rule in chosen if own_traces(Circuit(1, 1, 1), rule) is not None]), end="")
    print(*(f"\n{one}" for one in amiss), sep="", end="\n" if amiss else "")
    if options.out is not None and found:
        options.out.parent.mkdir(parents=True, exist_ok=True)
        tree = audit_tree(found, {"audit": {"records": options.records}}, words)
        print(f"saved: {results.save(tree, options.out, overwrite=options.overwrite)}")
    return int(bool(amiss))


def in_brian(found: Sequence[rules.Rule]) -> str:
    """A line on those of the rules that are synapses of Brian2 as well; "" without any."""
    names = ", ".join(rule.name for rule in found)
    told = "in Brian2, by synapses that name their two neurons, themselves and constants"
    return f"\n{told} (tt.spiking.learn): {names}\n" if names else ""


def row(verdict: Verdict) -> tuple[str, ...]:
    """A verdict as cells."""
    senses = ", ".join(verdict.signals) or NOTHING
    return verdict.rule, verdict.synapses, senses, verdict.error_path, verdict.time


def aligned(rows: Sequence[Sequence[str]]) -> str:
    """Rows as lines of left-aligned columns; a row of fewer cells may run on beyond its column.

    Example:
        >>> print(aligned([("rule", "known"), ("rflo", "causal")]))
        rule  known
        rflo  causal
    """
    full = [one for one in rows if all(one[3:])]
    widths = [max(len(cell) for cell in column) for column in zip(*full, strict=True)]
    widths[0] = max(len(one[0]) for one in rows)
    lines = ["  ".join(cell.ljust(width) for cell, width in zip(one, widths, strict=True)) for one in rows]
    return "\n".join(line.rstrip() for line in lines)


def audit_tree(
    found: Sequence[tuple[Verdict, bool]], settings: dict[str, Any], words: Sequence[str]
) -> xr.DataTree:
    """A tree of kind ``study`` with the verdicts in ``/locality``, one along ``rule`` for each.

    Args:
        found: verdicts, and whether each is what its rule declares.
    """
    digest = config.sha256(settings)
    attributes = {
        **library_attributes("study"),
        "run_id": digest[:16],
        "config": config.canonical(settings),
        "config_sha256": digest,
        "command": strip_paths(shlex.join(["throughtime", *words])),
    }
    return xr.DataTree.from_dict({"/": xr.Dataset(attrs=attributes), "/locality": audit_dataset(found)})


def audit_dataset(found: Sequence[tuple[Verdict, bool]]) -> xr.Dataset:
    """The verdicts as a dataset."""
    verdicts = [verdict for verdict, _ in found]

    def flags(dims: Any, values: Any, name: str) -> tuple[Any, ...]:
        codes, attributes = encode_flags(np.asarray(values))
        return dims, codes, {"units": "1", "long_name": name, **attributes}

    def among(values: list[str], names: Sequence[str], name: str) -> tuple[Any, ...]:
        codes = np.array([list(names).index(value) for value in values], np.int32)
        return "rule", codes, {"units": "1", "long_name": name, **flag_attributes(names)}

    def names(dim: str, known: Sequence[str], name: str) -> tuple[Any, ...]:
        attributes = {"units": "1", "long_name": name, **flag_attributes(known)}
        return dim, np.arange(len(known), dtype=np.int32), attributes

    senses = [[signal in verdict.signals for signal in SIGNALS] for verdict in verdicts]
    reads = [[kind in verdict.reads for kind in classes.KINDS] for verdict in verdicts]
    return xr.Dataset(
        {
            "senses": flags(("rule", "signal"), senses, "what a synapse must sense"),
            "reads": flags(("rule", "option"), reads, "what the update of a synapse reads"),
            "known": among([verdict.time for verdict in verdicts], TIMES, "when the update is known"),
            "synapses": flags("rule", [verdict.synapses for verdict in verdicts], "synapses audited"),
            "error_path": flags(
                "rule", [verdict.error_path for verdict in verdicts], "what errors come through"
            ),
            "as_declared": flags("rule", [same for _, same in found], "whether the rule declares the same"),
        },
        {
            "rule": names("rule", [verdict.rule for verdict in verdicts], "rule"),
            "signal": names("signal", SIGNALS, "signal beyond a synapse's own activities and weight"),
            "option": names("option", classes.KINDS, "part of a circuit, as seen from a synapse"),
        },
    )
