"""The documentation's site: every page is in its navigation and in its words; nothing comes from elsewhere."""

from __future__ import annotations

import doctest
import importlib.util
import re
import subprocess

import pytest
import yaml
from document_blocks import DOCS, REPOSITORY

from airflow_batch_inference import exceptions
from airflow_batch_inference.exceptions import BatchInferenceError


def module(name, path):
    spec = importlib.util.spec_from_file_location(name, path)
    made = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(made)
    return made


BUILD = module("site_build", DOCS / "_site" / "build.py")


def rows(page):
    """Return the cells of a page's tables, row by row."""
    lines = [line for line in (DOCS / page).read_text().splitlines() if line.startswith("| ")]
    return [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]


def in_nav(entry):
    match entry:
        case str():
            yield entry
        case dict() | list():
            for each in entry.values() if isinstance(entry, dict) else entry:
                yield from in_nav(each)


def test_every_page_is_in_the_navigation_once():
    nav = list(in_nav(yaml.safe_load((REPOSITORY / "mkdocs.yml").read_text())["nav"]))
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")} | BUILD.GENERATED
    assert sorted(nav) == sorted(pages)


def test_every_decision_is_in_the_list_of_decisions():
    listed = set(re.findall(r"\((\d{4}-.*?\.md)\)", (DOCS / "adr" / "index.md").read_text()))
    assert listed == {path.name for path in (DOCS / "adr").glob("0*.md")}


def test_every_error_is_told_with_what_airflow_does():
    def family(cls):
        return [cls, *(found for child in cls.__subclasses__() for found in family(child))]

    tree = {cls.__name__: cls.retryable for cls in family(BatchInferenceError) if cls.__module__ == exceptions.__name__}
    told = {row[0].strip("`"): row[1] == "yes" for row in rows("errors.md") if row[0].startswith("`")}
    assert told == tree
    assert all(row[3] for row in rows("errors.md"))


def test_the_glossary_is_in_the_order_of_the_alphabet():
    words = [row[0] for row in rows("glossary.md")][1:]
    assert words == sorted(words)


def test_the_tested_versions_are_those_that_have_a_lock_file():
    locks = {path.stem.removeprefix("airflow-") for path in (REPOSITORY / "requirements").glob("airflow-*.txt")}
    assert set(re.findall(r"Airflow (\d\.\d\.\d)", (DOCS / "stability.md").read_text())) == locks


def test_links_lead_to_pages():
    assert doctest.testmod(BUILD).failed == 0
    with pytest.raises(ValueError, match="has no page on the site"):
        BUILD.page_of("../tests/conftest.py", source="docs/drift.md", page="drift.md")


def test_all_links_of_the_gathered_pages_lead_to_a_file_there(tmp_path):
    BUILD.gather(tmp_path / "docs")
    for page in (tmp_path / "docs").rglob("*.md"):
        text = re.sub(r"```.*?```", "", page.read_text(), flags=re.DOTALL)
        for target in BUILD._LINK.findall(text):
            assert (page.parent / target.partition("#")[0]).exists(), f"{page.name} links to {target}"


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://cdn.example/x.js"></script>'),
        ("b.html", '<link rel="stylesheet" href="//fonts.example/x.css">'),
        ("c.html", '<img src="http://images.example/x.png">'),
        ("d.html", '<style>@import "https://fonts.example/x.css";</style>'),
        ("e.css", "div { background: url(https://images.example/x.png) }"),
        ("f.html", '<pre class="mermaid">graph</pre>'),
    ],
)
def test_what_a_page_would_load_from_elsewhere_is_found(tmp_path, name, text):
    (tmp_path / name).write_text(text)
    assert [path.name for path, _ in BUILD.foreign_resources(tmp_path)] == [name]


def test_links_to_elsewhere_and_files_of_the_site_are_no_such_thing(tmp_path):
    link = '<link rel="canonical" href="https://x.example">'
    (tmp_path / "a.html").write_text(f'<a href="https://x.example">x</a><img src="a.png">{link}')
    (tmp_path / "a.css").write_text("div { background: url(data:image/svg+xml;x) }")
    assert list(BUILD.foreign_resources(tmp_path)) == []


@pytest.mark.slow
def test_the_site_is_built_without_a_warning():
    """With `make docs`'s environment, where it is there; `make docs` itself looks at the same things."""
    python = REPOSITORY / ".venv-docs" / "bin" / "python"
    if not python.exists():
        pytest.skip("make docs has not made .venv-docs")
    done = subprocess.run([python, DOCS / "_site" / "build.py"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "No issues found" in done.stdout + done.stderr
