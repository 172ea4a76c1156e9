"""From what members say of their sources to keys, and back."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Iterator
from typing import Any

import pytest

from throughtime import analysis, circuits, measures, objectives, rules, tasks
from throughtime.credit import feedback, transport, type_means
from throughtime.references import bibliography, keys_of, keys_of_analysis, mentions, source_of
from throughtime.references.sources import ELSEWHERE, OURS, documents_of, nearest
from throughtime.spiking import LIF

PARTS = {**circuits.DYNAMICS, **circuits.CONNECTIVITY, **circuits.INITIAL}
TOOLS = {
    "align", "circuit_simulator", "circuit_step", "complete", "condition_means", "equal_trials",
    "example_seed", "levels", "recordings", "warp",
}  # fmt: skip
"""Members of the room that bring data into a form, and measure nothing."""

RULES = {
    "bptt": {"werbos1990"},
    "tbptt": {"williams1990"},
    "feedback-alignment": {"lillicrap2016", "murray2019"},
    "random-transport": {"lillicrap2016"},
    "rotated-bptt": set(),
    "rtrl": {"williams1989"},
    "snap": {"menick2021"},
    "uoro": {"tallec2018uoro"},
    "kf-rtrl": {"mujika2018"},
    "r-kf-rtrl": {"marschall2020"},
    "dni": {"jaderberg2017", "czarnecki2017", "marschall2020"},
    "kernl": {"roth2019", "marschall2020"},
    "modprop": {"liu2022"},
    "mdgl": {"liu2021"},
    "eprop": {"bellec2020"},
    "rflo": {"murray2019"},
    "readout-only": {"widrow1960", "jaeger2001echo"},
    "node-perturbation": {"fiete2006"},
    "weight-perturbation": {"zuge2023", "jabri1992"},
    "evolution-strategy": {"salimans2017"},
    "miconi": {"miconi2017"},
    "force": {"sussillo2009"},
    "full-force": {"depasquale2018"},
    "innate-training": {"laje2013", "vitay2016"},
    "reward-modulated-hebbian": {"hoerzer2014"},
}
SETTINGS = {
    ("delayed-match-to-sample", None): {"valente2022"},
    ("delayed-match-to-sample", "lint"): {"valente2022"},
    ("delayed-match-to-sample", "masse"): {"masse2019"},
    ("delayed-match-to-sample", "miconi"): {"miconi2017"},
    ("delayed-match-to-sample", "neurogym"): {"molanomazon2022"},
    ("contextual-integration", None): {"mante2013", "song2016"},
    ("contextual-integration", "kim"): {"mante2013", "kim2019"},
    ("contextual-integration", "mante"): {"mante2013"},
    ("flip-flop", None): {"sussillo2013", "golub2018"},
    ("flip-flop", "ctdb"): {"sussillo2013", "golub2018", "versteeg2025"},
    ("perceptual-decision", None): {"song2016", "roitman2002"},
    ("perceptual-decision", "variable_duration"): {"song2016", "roitman2002", "kiani2008"},
    ("perceptual-decision", "lint"): {"valente2022", "roitman2002"},
    ("sequence-memory", None): {"xie2022"},
    ("sequence-memory", "averbeck_lee"): {"averbeck2007", "marton2020"},
    ("sine-generation", "murray"): {"murray2019"},
    ("go-no-go", None): {"kim2019"},
    ("go-no-go", "neurogym"): {"kim2019", "molanomazon2022", "zhang2019"},
    ("nback", None): {"wan2022", "kirchner1958"},
    ("yang-tasks", "all"): {"yang2019"},
}


def classes() -> Iterator[type]:
    """All classes that have a kind, registered or an option of one that is."""
    yield from (tasks.get(name) for name in tasks.names())
    yield from rules.RULES.values()
    yield from PARTS.values()
    yield LIF
    for room in (objectives, feedback, transport, type_means):
        yield from (one for one in vars(room).values() if getattr(one, "__module__", "") == room.__name__)


def texts() -> Iterator[tuple[str, str]]:
    """What members say of their sources: whose words, and the words."""
    for kind in classes():
        yield kind.__name__, source_of(kind)
    for name in tasks.names():
        kind = tasks.get(name)
        yield f"{name} reference", kind.reference
        yield from ((f"{name}:{one}", inspect.getdoc(getattr(kind, one)) or "") for one in kind.variants)
    for method in (*analysis.__all__, *ELSEWHERE):
        yield from ((method, text) for text in documents_of(method) or ())


@functools.cache
def cited() -> set[str]:
    """Keys of all members."""
    of_classes = {key for kind in classes() for key in keys_of(kind)}
    return of_classes | {
        key for one in (*analysis.__all__, *ELSEWHERE) for key in keys_of_analysis(one) or ()
    }


def declared(text: str) -> bool:
    return any(words in text for words in OURS)


@pytest.mark.parametrize("name", [*tasks.names(), *rules.names(), *PARTS])
def test_a_registered_class_has_a_publication_or_says_that_it_is_ours(name: str) -> None:
    rooms: dict[str, Any] = {**{one: tasks.get(one) for one in tasks.names()}, **rules.RULES, **PARTS}
    kind = rooms[name]
    assert source_of(kind)
    assert keys_of(kind) or declared(source_of(kind))


@pytest.mark.parametrize("method", sorted({*analysis.__all__, *ELSEWHERE} - TOOLS))
def test_an_analysis_has_a_publication_or_says_that_it_is_ours(method: str) -> None:
    found = documents_of(method)
    assert found
    assert keys_of_analysis(method) or declared(" ".join(found)) or method == "distance_matrix"


def test_a_measure_is_the_analysis_of_its_name() -> None:
    assert set(measures.names()) - {"behaviour"} <= set(analysis.__all__)
    assert {tasks.make(name).signature.fit for name in tasks.names()} <= set(analysis.__all__)


def test_every_publication_that_is_named_is_in_the_bibliography() -> None:
    lost = {(where, one.words) for where, text in texts() for one in mentions(text) if not one.keys}
    assert not lost


def test_no_entry_is_there_for_nothing() -> None:
    assert set(bibliography()) - cited() == set()


@pytest.mark.parametrize("name", tasks.names())
def test_the_reference_of_a_task_names_no_more_than_its_source(name: str) -> None:
    kind = tasks.get(name)
    told = {key for one in mentions(kind.reference) for key in one.keys}
    assert told <= set(keys_of(kind))
    assert set(keys_of(kind())) <= set(keys_of(kind))


def test_rules() -> None:
    assert {name: set(keys_of(kind)) for name, kind in rules.RULES.items()} == RULES


@pytest.mark.parametrize(("name", "variant"), SETTINGS)
def test_settings_of_tasks(name: str, variant: str | None) -> None:
    assert set(keys_of(tasks.make(name, variant))) == SETTINGS[name, variant]


def test_a_changed_field_leaves_the_settings_it_came_from() -> None:
    changed = tasks.make("delayed-match-to-sample", "masse", delay=700.0, noise=0.5)
    assert keys_of(changed) == ("masse2019",)
    assert keys_of(tasks.make("delayed-match-to-sample", delay=700.0)) == ("valente2022",)


def test_settings_that_are_equally_near_all_count() -> None:
    between = tasks.make("delayed-response", fixation=tasks.make("delayed-response", "neurogym").fixation)
    assert nearest(between) == {"the default"}
    changed = {name: getattr(tasks.make("dual-delayed-match", "masse"), name) for name in ("dt",)}
    halfway = tasks.make("dual-delayed-match", **changed)
    assert nearest(halfway) == {"the default", "masse"}


def test_parts_of_circuits_and_options() -> None:
    assert set(keys_of(circuits.Leaky)) == {"miller2012", "miconi2017"}
    assert set(keys_of(circuits.Adaptive)) == {"benda2003", "bellec2018", "bellec2020"}
    assert set(keys_of(circuits.LSTM())) >= {"hochreiter1997", "tallec2018warp"}
    assert "tallec2018uoro" not in keys_of(circuits.LSTM)
    assert set(keys_of(feedback.AdaptiveFeedback())) == {"kolen1994", "bellec2020"}


def test_analyses_and_what_is_none() -> None:
    assert keys_of_analysis("transfer") == ("kim2019", "stimberg2019")
    assert keys_of_analysis("dsa") == ("ostrow2023",)
    assert keys_of_analysis("levels") == ()
    assert keys_of_analysis("home-made") is None


def test_short_names_are_found_again() -> None:
    for key, entry in bibliography().items():
        [one] = mentions(entry.short)
        assert key in one.keys
