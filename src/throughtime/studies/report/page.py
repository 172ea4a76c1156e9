"""One self-contained page about a study."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2
import xarray as xr
from bokeh.resources import Resources
from markupsafe import Markup

from throughtime.plotting import style
from throughtime.results import content_sha256
from throughtime.studies.report import origin, outcomes, troubles
from throughtime.studies.report.contents import DASHES, Contents, Series, dashed_rules, read
from throughtime.studies.report.numbers import count
from throughtime.studies.report.sections import sections

HERE = Path(__file__).parent
MOST_TROUBLES = 500
DASH_ARRAYS = {"solid": "", "dashed": "6 3", "dotted": "2 2.5", "dotdash": "2 3 6 3"}


def render(tree: xr.DataTree) -> str:
    """The page of a combined record, as HTML that needs nothing else and no network.

    What is shown comes from the record alone: the same record gives the same bytes.

    Args:
        tree: of kind ``study``, as ``tt.studies.combine`` makes it.

    Raises:
        ResultsError: for another kind of record.
    """
    contents = read(tree)
    environment = jinja2.Environment(
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        loader=jinja2.FileSystemLoader(HERE),
    )
    environment.globals |= {"swatch": _swatch, "places": _places}
    figures = sections(contents)
    library = "\n".join(Resources(mode="inline", components=["bokeh"], log_level="warn").js_raw)
    script = (HERE / "page.js").read_text(encoding="utf-8")
    listed = troubles.troubles(contents)
    statuses = troubles.counted(contents)
    total = max(1, contents.status.size)
    titles = [("outcomes", "Outcomes"), *((one.anchor, one.title) for one in figures)]
    titles += [("failures", f"Failures and gaps ({count(len(listed))})"), ("origin", "What was run")]
    return environment.get_template("page.html").render(
        name=contents.name,
        policy=_policy(library, script),
        version=tree.attrs.get("creation_library_version", ""),
        css=Markup((HERE / "page.css").read_text(encoding="utf-8")),
        sentence=origin.sentence(contents),
        brief=origin.brief(contents),
        counts=[(name, count(number), _share(number / total)) for name, number, _ in statuses],
        sections=titles,
        filters=_filters(contents),
        outcomes=outcomes.table(contents),
        figures=figures,
        troubles=listed[:MOST_TROUBLES],
        troubles_left=count(len(listed) - MOST_TROUBLES) if len(listed) > MOST_TROUBLES else "",
        shown=["task", "rule", *(axis for axis in ("circuit", "option") if axis in contents.varied())],
        facts=origin.facts(contents),
        configuration=origin.configuration(contents),
        citation=origin.citation(contents),
        content=content_sha256(tree)[:12],
        library=Markup(library),
        script=Markup(script),
    )


def _filters(contents: Contents) -> list[tuple[str, list[dict[str, Any]]]]:
    """Axes that can be filtered, with their labels and looks."""
    found = []
    for axis in contents.varied():
        entries = enumerate(contents.names[axis])
        told = [{"label": label, "place": at, "look": _look(contents, axis, at)} for at, label in entries]
        found.append((axis, told))
    return found


def _look(contents: Contents, axis: str, place: int) -> dict[str, str] | None:
    """How lines of a label are drawn, as far as that is the same for all of them."""
    first = next(series for series in contents.series if axis == "task" or getattr(series, axis) == place)
    by_rule = dashed_rules(contents.names)
    if axis == "rule":
        return {"color": first.color, "dash": first.dash if by_rule else DASHES[0]}
    varied = [name for name in ("circuit", "option") if name in contents.varied()]
    return {"color": style.GREY, "dash": first.dash} if varied == [axis] and not by_rule else None


def _swatch(look: Series | Mapping[str, str]) -> Markup:
    """A short line in the look of a series."""
    color, dash = (look.color, look.dash) if isinstance(look, Series) else (look["color"], look["dash"])
    pattern = Markup(' stroke-dasharray="{}"').format(DASH_ARRAYS[dash]) if DASH_ARRAYS[dash] else Markup("")
    return Markup(
        '<svg class="swatch" viewBox="0 0 26 10" aria-hidden="true"><line x1="1" y1="5" x2="25" y2="5" '
        'stroke="{}" stroke-width="3"{}/></svg>'
    ).format(color, pattern)


def _places(places: Mapping[str, int]) -> Markup:
    """Attributes by which filters find an element."""
    words = [Markup('data-{}="{}"').format(axis, place) for axis, place in places.items() if place >= 0]
    return Markup(" ").join(words)


def _policy(*scripts: str) -> str:
    """What a browser may do with the page: run these scripts, and ask nothing of any network."""
    hashes = " ".join(
        f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"
        for script in scripts
    )
    return (
        f"default-src 'none'; script-src {hashes}; style-src 'unsafe-inline'; img-src data: blob:; "
        "font-src data:; base-uri 'none'; form-action 'none'"
    )


def _share(value: float) -> str:
    return f"{100 * value:.0f} %" if value >= 0.01 else "< 1 %"
