"""What stands in a report, read as a browser would: elements, texts, and the numbers of its figures."""

from __future__ import annotations

import base64
import gzip
import json
import re
from dataclasses import dataclass, field
from html.parser import HTMLParser
from typing import Any

import numpy as np

VOID = frozenset({"meta", "img", "input", "br", "link", "line", "base", "embed", "source", "track", "hr"})


@dataclass
class Element:
    """An element: its name, attributes, and text with that of everything inside."""

    name: str
    attributes: dict[str, str]
    within: tuple[str, ...]
    text: str = ""
    hidden: bool = field(default=False)


class Parsed(HTMLParser):
    """All elements of a page in order."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.elements: list[Element] = []
        self._open: list[Element] = []
        self.feed(page)
        self.close()
        assert not self._open, [element.name for element in self._open]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        within = tuple(element.name for element in self._open)
        element = Element(tag, {name: value or "" for name, value in attrs}, within)
        self.elements.append(element)
        if tag not in VOID:
            self._open.append(element)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append(Element(tag, {name: value or "" for name, value in attrs}, ()))

    def handle_endtag(self, tag: str) -> None:
        names = [element.name for element in self._open]
        assert names[-1:] == [tag], f"</{tag}> within {names}"
        self._open.pop()

    def handle_data(self, data: str) -> None:
        for element in self._open:
            element.text += data

    def all(self, name: str, **attributes: str) -> list[Element]:
        """Elements with a name and attributes; ``kind`` is one of the words of ``class``."""
        kind = attributes.pop("kind", None)
        return [
            element
            for element in self.elements
            if element.name == name
            and (kind is None or kind in element.attributes.get("class", "").split())
            and all(element.attributes.get(key) == value for key, value in attributes.items())
        ]

    def table(self, section: str) -> list[list[str]]:
        """Texts of the cells of the rows of a section's table."""
        rows: list[list[str]] = []
        inside = False
        for element in self.elements:
            if element.name == "section":
                inside = element.attributes.get("id") == section
            elif inside and element.name == "tr":
                rows.append([])
            elif inside and element.name in ("td", "th"):
                rows[-1].append(re.sub(r"[ \n]+", " ", element.text).strip(" "))
        return rows


def figures(page: Parsed) -> list[dict[str, Any]]:
    """The JSON of every figure, in order."""
    return [json.loads(script.text) for script in page.all("script", type="application/json")]


def columns(figure: dict[str, Any], name: str) -> dict[str, Any]:
    """Columns of the source behind the renderer of that name; empty if there is none."""
    for renderer in figure["doc"]["roots"][0]["attributes"]["renderers"]:
        attributes = renderer["attributes"]
        if attributes.get("name") == name:
            return {
                key: plain(value) for key, value in attributes["data_source"]["attributes"]["data"]["entries"]
            }
    return {}


def plain(value: Any) -> Any:
    """A value of Bokeh's JSON as lists, numbers and arrays."""
    if isinstance(value, dict) and value.get("type") == "ndarray":
        array = value["array"]
        if isinstance(array, dict):
            content = gzip.decompress(base64.b64decode(array["data"]))
            return np.frombuffer(content, np.dtype(value["dtype"])).reshape(value["shape"])
        return np.asarray(array, dtype=value["dtype"]).reshape(value["shape"])
    if isinstance(value, dict) and value.get("type") == "number":
        return float(value["value"])
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value
