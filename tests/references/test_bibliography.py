"""The bibliography: a file that BibTeX reads, and where texts name its entries."""

from __future__ import annotations

import re
from importlib.resources import files

import pytest

from throughtime.references import bibliography, mentions
from throughtime.references.bibliography import parsed, plain

NEEDED = {
    "article": {"journal"},
    "inproceedings": {"booktitle"},
    "incollection": {"booktitle"},
    "book": {"publisher"},
    "techreport": {"institution"},
    "misc": set(),
}
NUMERIC = {"year": r"\d{4}", "doi": r"10\.\d{4,}/\S+", "eprint": r"\d{4}\.\d{5}"}


def raw() -> str:
    return files("throughtime.references").joinpath("references.bib").read_text(encoding="utf-8")


def strict(text: str) -> dict[str, tuple[str, dict[str, str]]]:
    """Entries by a second way, character by character: key -> kind and fields."""
    found: dict[str, tuple[str, dict[str, str]]] = {}
    at = 0

    def upto(stop: str) -> str:
        nonlocal at
        begin = at
        while text[at] not in stop:
            at += 1
        at += 1
        return text[begin : at - 1].strip()

    def value() -> str:
        nonlocal at
        depth, begin = 1, at
        while depth:
            depth += {"{": 1, "}": -1}.get(text[at], 0)
            at += 1
        return text[begin : at - 1]

    while at < len(text.rstrip()):
        assert upto("@") == "", text[at : at + 40]
        kind, key = upto("{"), upto(",")
        assert key not in found, key
        fields: dict[str, str] = {}
        while True:
            name = upto("=}")
            if text[at - 1] == "}":
                assert name == ""
                break
            assert name.isalpha(), (key, name)
            assert name not in fields
            assert upto("{") == ""
            fields[name] = " ".join(value().split())
            assert upto(",") == "", (key, name)
        found[key] = (kind, fields)
    return found


def test_the_file_is_strict_bibtex_and_read_as_such() -> None:
    text = raw()
    assert text.isascii()
    found = strict(text)
    assert found == {key: (entry.kind, dict(entry.fields)) for key, entry in bibliography().items()}
    assert list(re.findall(r"^@\w+\{([^,]+),", text, re.MULTILINE)) == sorted(found)
    assert "".join(entry.text + "\n" for entry in bibliography().values()) == text


@pytest.mark.parametrize("key", bibliography())
def test_an_entry_is_whole(key: str) -> None:
    entry = bibliography()[key]
    assert NEEDED[entry.kind] | {"author", "title", "year"} <= set(entry.fields)
    assert all(entry.fields.values())
    for name, pattern in NUMERIC.items():
        assert re.fullmatch(pattern, entry.fields.get(name, "")) or name not in entry.fields
    first = entry.surnames[0].replace(" ", "").replace("-", "").lower()
    assert re.fullmatch(rf"{first}{entry.fields['year']}[a-z]*", key)
    names = entry.fields["author"].split(" and ")
    assert all(re.fullmatch(r"[^,]+, [^,]+", name) for name in names if name != "others")
    pages = re.fullmatch(r"(\d+)--(\d+)(\.e\d+)?", entry.fields.get("pages", ""))
    assert pages is None or int(pages[1]) < int(pages[2])


def test_dois_and_titles_are_there_once() -> None:
    for name in ("doi", "title", "eprint"):
        values = [one.fields[name].lower() for one in bibliography().values() if name in one.fields]
        # a replication has the title of what it replicates, after [Re]
        assert len(values) == len(set(values))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("@article{a2000,\n  year = {2000},\n", "never closed"),
        ("stray text\n", "expected an entry"),
        ("@article{a2000,\n  year 2000,\n}\n", "expected name = {value}"),
        ("@misc{a2000,\n}\n@misc{a2000,\n}\n", "there twice"),
    ],
)
def test_what_is_no_bibtex_is_refused(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parsed(text)


@pytest.mark.parametrize(
    ("text", "keys"),
    [
        ("Murray 2019, eLife 8:e43299", ["murray2019"]),
        ("after Murray et al. 2014, Nat. Neurosci.", ["murray2014"]),
        ("Molano-Mazón et al. (2022) NeuroGym", ["molanomazon2022"]),
        ("debiased HSIC, Song et al. 2012; in CKA, Nguyen et al. 2021", ["song2012", "nguyen2021"]),
        (
            "Roitman and Shadlen (2002) J 22:9475 and Kiani, Hanks and Shadlen (2008)",
            ["roitman2002", "kiani2008"],
        ),
        ("majorisation, de Leeuw 1977", ["deleeuw1977"]),
        ("The task is Kirchner's (1958)", ["kirchner1958"]),
        ("Green & Swets 1966.", ["green1966"]),
        ("fixed recurrence: Jaeger 2001, GMD Report 148.", ["jaeger2001echo"]),
        ("Jaeger 2001, GMD Report 152; White, Lee & Sompolinsky 2004", ["jaeger2001memory", "white2004"]),
        ("Tallec & Ollivier 2018, ICLR (arXiv 1702.05043)", ["tallec2018uoro"]),
        ("Züge, Klos & Memmesheimer 2023, Phys. Rev. X", ["zuge2023"]),
    ],
)
def test_mentions(text: str, keys: list[str]) -> None:
    assert [key for one in mentions(text) for key in one.keys] == keys


@pytest.mark.parametrize(
    "text",
    [
        "Murray et al. 2019, eLife",  # one author
        "Bellec 2020, Nat. Commun.",  # many authors
        "Song & Wang 2016",  # one is missing
        "Shadlen 2010",  # not the first
        "Murray 2018",
    ],
)
def test_other_authors_or_years_are_no_mention(text: str) -> None:
    assert [one.keys for one in mentions(text)] == [()]


def test_numbers_are_no_years() -> None:
    assert (
        mentions("Nat. Neurosci. 16:1925; Laje, 1700 steps; bioRxiv 2020.12.18; see Figure 2 of 1999:3") == []
    )
    assert mentions("") == []


def test_works_that_nothing_tells_apart_are_all_meant() -> None:
    [one] = mentions("Tallec & Ollivier 2018, ICLR")
    assert set(one.keys) == {"tallec2018uoro", "tallec2018warp"}


def test_plain_text() -> None:
    assert plain(r"{\'A}d{\'a}m \& S{\o}ren,  Stra{\ss}e") == "Adam & Soren, Strasse"
