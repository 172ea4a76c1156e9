"""The bibliography of the package, and where a text mentions one of its entries by authors and year."""

from __future__ import annotations

import functools
import re
import unicodedata
from collections.abc import Iterator, Mapping
from importlib.resources import files
from typing import NamedTuple

FILE = "references.bib"
LETTERS = {"oe": "oe", "ae": "ae", "o": "o", "l": "l", "ss": "ss", "i": "i"}
"""LaTeX commands for letters, and how these are written without them."""
DISTINGUISHING = ("number", "volume", "eprint")

_NAME = r"(?:de )?[A-Z]\w*(?:-[A-Z]\w+)*"
_MENTION = re.compile(
    rf"(?P<names>{_NAME}(?:,? (?:and |& )?{_NAME})*?)(?P<others> et al\.)?(?:['’]s)?,? "
    r"\(?(?P<year>1[89]\d\d|20\d\d)(?![\d:]|\.\d)"
)


class Entry(NamedTuple):
    """One publication: its BibTeX as it stands in the file, and what was read off it.

    Attributes:
        key: such as ``murray2019``. kind: ``article``, ``inproceedings``, ….
        fields: name -> value, LaTeX commands kept.
        text: the whole entry.
    """

    key: str
    kind: str
    fields: Mapping[str, str]
    text: str

    @property
    def surnames(self) -> tuple[str, ...]:
        """Family names of the authors without accents, in order; the last may be ``others``."""
        names = re.split(r"\s+and\s+", self.fields["author"])
        return tuple(plain(name.partition(",")[0]) for name in names)

    @property
    def short(self) -> str:
        """Authors and year as a text mentions them.

        Example:
            >>> bibliography()["beiran2023"].short, bibliography()["sussillo2013"].short
            ('Beiran et al. 2023', 'Sussillo & Barak 2013')
        """
        names = " & ".join(self.surnames)
        if len(self.surnames) > 2 or "others" in self.surnames:
            names = f"{self.surnames[0]} et al."
        return f"{names} {self.fields['year']}"


class Mention(NamedTuple):
    """One place of a text that names authors and a year.

    Attributes:
        words: the names and the year as they stand there, without accents.
        keys: of the entries that are meant; none where the bibliography has no such entry.
        rest: what follows, up to the next mention.
    """

    words: str
    keys: tuple[str, ...]
    rest: str


@functools.cache
def bibliography() -> Mapping[str, Entry]:
    """All entries by key, sorted.

    Raises:
        ValueError: for a file that is not as BibTeX has it, or a key that is there twice.

    Example:
        >>> bibliography()["murray2019"].fields["journal"]
        'eLife'
    """
    return parsed(files(__package__).joinpath(FILE).read_text(encoding="utf-8"))


def parsed(text: str) -> dict[str, Entry]:
    """Entries of a BibTeX file, one after the other and nothing between them, by key and sorted.

    Raises:
        ValueError: for braces that do not match, what is no entry or field, or a key that is there twice.

    Example:
        >>> found = parsed("@article{a2000,\\n  author = {Ada, A.},\\n  year = {2000},\\n}\\n")
        >>> found["a2000"].fields
        {'author': 'Ada, A.', 'year': '2000'}
    """
    found: dict[str, Entry] = {}
    at = 0
    while text[at:].strip():
        head = re.compile(r"\s*(?P<entry>@(?P<kind>\w+)\{(?P<key>[\w-]+),)").match(text, at)
        if head is None:
            raise ValueError(f"bibliography: expected an entry @kind{{key, …}}, found {text[at:][:60]!r}.")
        end = _closing(text, text.index("{", head.start("entry")))
        if head["key"] in found:
            raise ValueError(f"bibliography: key {head['key']!r} is there twice; give one another letter.")
        fields = dict(_fields(text[head.end() : end - 1], head["key"]))
        found[head["key"]] = Entry(head["key"], head["kind"], fields, text[head.start("entry") : end])
        at = end
    return dict(sorted(found.items()))


def _closing(text: str, start: int) -> int:
    """Place after the brace that closes the one at ``start``."""
    depth = 0
    for match in re.compile(r"[{}]").finditer(text, start):
        depth += 1 if match[0] == "{" else -1
        if depth == 0:
            return match.end()
    raise ValueError(f"bibliography: the brace of {text[start:][:40]!r} is never closed.")


def _fields(body: str, key: str) -> Iterator[tuple[str, str]]:
    at = 0
    while body[at:].strip():
        head = re.compile(r"\s*(\w+) = \{").match(body, at)
        if head is None:
            raise ValueError(f"bibliography: {key}: expected name = {{value}}, found {body[at:][:40]!r}.")
        end = _closing(body, head.end() - 1)
        yield head[1], " ".join(body[head.end() : end - 1].split())
        comma = re.compile(r"\s*,?").match(body, end)
        at = comma.end() if comma else end


def plain(text: str) -> str:
    r"""A text without accents, LaTeX braces and line breaks.

    Example:
        >>> plain(r"Molano-Maz{\'o}n"), plain("Züge"), plain(r"S{\"u}mb{\"u}l"), plain(r"{\'S}wirszcz")
        ('Molano-Mazon', 'Zuge', 'Sumbul', 'Swirszcz')
    """
    text = re.sub(r"\\([a-z]+)(?![A-Za-z])\s*", lambda found: LETTERS.get(found[1], ""), text)
    text = re.sub(r"\\[^A-Za-z\s&%$#_]", "", text)
    text = re.sub(r"[{}\\]", "", text)
    bare = (one for one in unicodedata.normalize("NFKD", text) if not unicodedata.combining(one))
    return " ".join("".join(bare).split())


def mentions(text: str) -> list[Mention]:
    """Where a text names authors and a year, in order.

    All authors are named, or the first with "et al."; of several works by the same authors in a year those
    are meant whose volume, number or preprint number stands there too.

    Example:
        >>> [one.keys for one in mentions("Murray 2019, eLife 8; after Bellec et al. (2020); Doe 1999")]
        [('murray2019',), ('bellec2020',), ()]
    """
    text = plain(text)
    places = list(_MENTION.finditer(text))
    ends = [*(place.start() for place in places), len(text)][1:]
    found = []
    for place, end in zip(places, ends, strict=True):
        rest = text[place.end() : end]
        names = re.split(r",? (?:and |& )?(?=[A-Z]|de )", _joined(place["names"]))
        keys = _meant([name.replace("~", " ") for name in names], place["others"] is not None, place["year"])
        if len(keys) > 1:
            keys = tuple(key for key in keys if _told_apart(bibliography()[key], rest)) or keys
        found.append(Mention(place[0], keys, rest))
    return found


def _joined(names: str) -> str:
    return names.replace("de ", "de~")


def _meant(names: list[str], others: bool, year: str) -> tuple[str, ...]:
    """Entries of these authors; words before the first author may look like names."""
    for first in range(len(names)):
        wanted = tuple(names[first:])
        keys = tuple(
            key
            for key, entry in bibliography().items()
            if entry.fields["year"] == year
            and (entry.surnames[: len(wanted)] if others else entry.surnames) == wanted
            and len(entry.surnames) > (len(wanted) if others else 0)
        )
        if keys:
            return keys
    return ()


def _told_apart(entry: Entry, rest: str) -> bool:
    """Whether a number of the entry stands in what follows its mention."""
    numbers = [entry.fields[name] for name in DISTINGUISHING if name in entry.fields]
    return any(re.search(rf"(?<![\d.]){re.escape(number)}(?!\d)", rest) for number in numbers)
