"""The documentation says what is there: links, commands, members, metadata, and nothing private."""

from __future__ import annotations

import ast
import importlib.util
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.docs.pages import ROOT, anchors, fenced, label, links, pages
from throughtime import analysis, circuits, measures, rules, tasks

PAGES = pages()
MANUAL = [page for page in PAGES if page.parent.name == "docs"]
GENERATED = {"generated/api/analysis.md", "gallery/index.rst"}  # pages that exist once the manual is built
TEXT = (".py", ".md", ".cff", ".toml", ".css", ".lock", ".txt", ".sh", "Makefile")


@pytest.mark.parametrize("page", PAGES, ids=label)
def test_local_links_resolve(page):
    text = page.read_text()
    for target in links(text):
        path, _, anchor = target.partition("#")
        if path in GENERATED:
            continue
        found = (page.parent / path).resolve() if path else page
        assert found.exists(), f"{label(page)} links to {target}, which is not there"
        if anchor:
            assert anchor in anchors(found.read_text()), f"{label(page)}: no heading for {target}"


def test_there_are_links():
    assert sum(len(links(page.read_text())) for page in PAGES) > 20


def command_lines(page: Path) -> list[list[str]]:
    """Every ``throughtime …`` line of the console blocks of a page, as words."""
    blocks = fenced(page.read_text(), "console")
    lines = [line for _, block in blocks for line in block.replace("\\\n", " ").splitlines()]
    return [shlex.split(line, comments=True)[1:] for line in lines if line.startswith("throughtime ")]


@pytest.mark.parametrize("name", ["README.md", "docs/command-line.md"])
def test_commands_are_those_of_the_command_line(name, capsys):
    if importlib.util.find_spec("throughtime.cli") is None:
        pytest.skip("the command line is not installed")
    from throughtime.cli import build, given, main
    from throughtime.cli.options import parse
    from throughtime.cli.train import settings_of

    assert main(["--help"]) == 0
    offered = capsys.readouterr().out
    lines = command_lines(ROOT / name)
    assert {words[0] for words in lines} >= {"list", "train", "show", "evaluate", "figure", "run"}
    for words in lines:
        assert re.search(rf"\b{words[0]}\b", offered), words[0]
        command, fields = parse(words)
        if words[0] == "train":
            settings_of(command)
            build.task(command.task, fields.get("task", {}))
        if words[0] == "evaluate":
            task = tasks.get("delayed-match-to-sample")
            given.read(task, "task", fields.get("task", {}), "")


def test_console_blocks_name_targets_of_the_makefile():
    known = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = {
        word
        for page in PAGES
        for _, block in fenced(page.read_text(), "console")
        for word in re.findall(r"^make ([a-z]+)", block, re.MULTILINE)
    }
    named |= {word for page in PAGES for word in re.findall(r"`make ([a-z]+)`", page.read_text())}
    assert {"demo", "test"} <= named <= known


@pytest.mark.parametrize(
    ("page", "members"),
    [
        ("tasks", tasks.names()),
        ("rules", rules.names()),
        ("circuits", [name for names in circuits.names().values() for name in names]),
        ("analyses", analysis.__all__),
        ("taking-apart", measures.names()),
    ],
)
def test_every_member_has_a_row(page, members):
    rows = [line for line in (ROOT / "docs" / f"{page}.md").read_text().splitlines() if line.startswith("|")]
    for name in members:
        assert any(f"`{name}`" in row for row in rows), f"docs/{page}.md has no row for {name}"


@pytest.mark.parametrize("page", MANUAL, ids=label)
def test_every_page_is_in_the_contents_and_opens_with_a_sentence(page):
    text = page.read_text()
    assert re.match(r"# .+\n\n[A-Z`].+", text), "a title, then what the page gives"
    if page.stem != "index":
        contents = "".join(block for _, block in fenced((ROOT / "docs/index.md").read_text(), "{toctree}"))
        assert re.search(rf"^{page.stem}$", contents, re.MULTILINE), "not in the contents"


def test_code_named_in_the_prose_exists():
    """``tt.room.name`` and ``throughtime.room.name`` in backticks can be imported."""
    import throughtime

    for page in PAGES:
        for path in set(re.findall(r"`(?:tt|throughtime)\.([a-z_.]+[A-Za-z_]*)[`(]", page.read_text())):
            found = throughtime
            for part in path.split("."):
                try:
                    found = getattr(found, part)
                except AttributeError:
                    found = importlib.import_module(f"{found.__name__}.{part}")


def test_files_named_in_the_guide_exist():
    guide = (ROOT / "CONTRIBUTING.md").read_text()
    examples = ("delayed_report", "cubic_leak", "no_autapses", "own_memory", "sparseness")
    named = set(re.findall(r"`((?:src|tests|docs|experiments|benchmarks)/[\w./-]+)`", guide))
    named = {path for path in named if not path.startswith("docs/_build")}  # made by `make docs`
    assert len(named) > 10
    for path in named:
        if not any(example in path for example in examples):
            assert (ROOT / path).exists(), path


def test_citation_file_agrees_with_the_project():
    import tomllib

    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    text = (ROOT / "CITATION.cff").read_text()
    facts = dict(re.findall(r"^([a-z-]+): (.+)$", text, re.MULTILINE))
    assert facts["cff-version"] == "1.2.0"
    assert facts["title"] == project["name"]
    assert facts["version"] == project["version"]
    assert facts["license"] == project["license"]
    assert f"- name: {project['authors'][0]['name']}" in text


def texts() -> list[Path]:
    """Text files of the repository that git knows or would take."""
    listed = subprocess.run(
        ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode:  # an unpacked archive
        skipped = {".git", ".venv", "results", "__pycache__", "_build", "generated"}
        found = [Path(folder) / name for folder, _, names in os.walk(ROOT) for name in names]
        found = [path for path in found if not skipped & set(path.relative_to(ROOT).parts)]
    else:
        found = [ROOT / name for name in listed.stdout.split("\0") if name]
    return [path for path in found if path.name.endswith(TEXT) and path.is_file() and path != Path(__file__)]


ABSOLUTE = re.compile(r"(?<![\w.:/-])/(?:home|root|work|tmp|Users|mnt|opt|srv)/[\w.-]+")
HOSTS = re.compile(r"https?://(?!127\.0\.0\.1|localhost)[\w.-]+", re.IGNORECASE)
KNOWN_HOSTS = {
    "https://xarray.dev", "https://keepachangelog.com", "https://semver.org", "https://docs.astral.sh",
    "http://www.apache.org",
}  # fmt: skip
PRIVATE = re.compile(r"(?<!\")\b(?:sessions?|assistant|sandbox|prompt(?:ed|s)?|chatbot)\b", re.IGNORECASE)
OF_TESTS = re.compile(r"^tests/")  # tests write such paths on purpose, to see that they are left out


def test_no_machine_no_host_no_diary():
    problems = []
    for path in texts():
        name, text = label(path), path.read_text()
        for pattern in (ABSOLUTE, HOSTS, PRIVATE):
            for match in pattern.finditer(text):
                if pattern is ABSOLUTE and (OF_TESTS.match(name) or "strip_paths(" in text):
                    continue
                if pattern is HOSTS and (match[0].lower() in KNOWN_HOSTS or OF_TESTS.match(name)):
                    continue
                problems.append(f"{name}: {match[0]}")
    assert not problems, "\n".join(problems)


def test_the_search_would_find_them():
    assert ABSOLUTE.search("see /home/me/x.py")
    assert PRIVATE.search("in this " + "Session")
    assert HOSTS.search("index at https://pypi.example.org/simple")
    assert len(texts()) > 100


def test_generated_parts_read_the_package(monkeypatch):
    pytest.importorskip("matplotlib")
    monkeypatch.syspath_prepend(ROOT / "docs")
    path = ROOT / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    text = module.tasks_part()
    for name in tasks.names():
        assert f"### {name}" in text
        assert tasks.get(name).reference in text
        for variant in tasks.get(name).variants:
            assert f"| `{variant}` |" in text
    assert all(f"### {name}" in module.rules_part() for name in rules.names())
    assert all(f"`{name} <" in module.measures_part() for name in measures.names())
    assert all(f"[`{name}`](tasks.md#{name})" in module.tasks_glance_part() for name in tasks.names())
    assert all(f"[`{name}`](rules.md#{name})" in module.rules_glance_part() for name in rules.names())
    assert all(f"`{name} <" in module.analyses_part() for name in analysis.__all__)
    assert "`--num-updates`" in module.options_part()
    assert "### throughtime analyse" in module.options_part()
    assert "tt_unknown" not in module.variables_part()
    api = module.api_pages()
    for source in (ROOT / "src" / "throughtime").rglob("*.py"):
        parts = source.relative_to(ROOT / "src").with_suffix("").parts
        if "cli" in parts or any(part.startswith("_") for part in parts):
            continue
        assert any(f"automodule:: {'.'.join(parts)}\n" in page for page in api.values()), source
        assert ast.get_docstring(ast.parse(source.read_text())), f"{source.name} has no docstring"
