"""Builds the documentation's site: gathers the pages, lets the generator make them, and looks the result through.

The documents are read on a code host too, where ``../dags/…`` is a link to a file; here it becomes a link to a page.

Invariants: a page loads nothing from another host (the build fails where one would), and a link that leads out of the
documents has a page here or is an error, never a dead end.

The generator is one line of ``main``: it reads ``mkdocs.yml``, and what it is given is plain Markdown.
"""

from __future__ import annotations

import ast
import posixpath
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

REPOSITORY = Path(__file__).resolve().parents[2]
GATHERED, SITE = REPOSITORY / "build" / "docs", REPOSITORY / "build" / "site"

TAKEN_IN = {
    "benchmarks.md": "benchmarks/README.md",
    "changelog.md": "CHANGELOG.md",
    "contributing.md": "CONTRIBUTING.md",
}
"""Page to the file of the repository that it is."""

EXAMPLES = "examples.md"
GENERATED = {*TAKEN_IN, EXAMPLES}

_PAGES = {
    **{source: page for page, source in TAKEN_IN.items()},
    "README.md": "index.md",
    "docs/adr/": "adr/index.md",
    "requirements/": "contributing.md#dependencies",
    "airflow_batch_inference/drift/metrics/distances.py": "reference/drift.md#metrics",
    "airflow_batch_inference/drift/significance.py": "reference/drift.md#significance",
    "airflow_batch_inference/drift/metrics/base.py": "reference/drift.md#metric",
    "airflow_batch_inference/drift/rules/base.py": "reference/drift.md#rule",
}
"""File of the repository to the page (and its heading) that shows it."""

_LINK = re.compile(r"(?<=\]\()(?!https?:|#|mailto:)([^)\s]+)(?=\))")
_ROW = re.compile(r"^\|.*$", re.MULTILINE)
_ROLE = re.compile(r":(?:class|meth|func|mod|attr|data):<code>~?([^<]*)</code>")
_LOADING = {("link", "href"), ("img", "src"), ("script", "src"), ("iframe", "src"), ("source", "src"), ("use", "href")}
_STYLE_URL = re.compile(r"""(?:url\(\s*|@import\s+)["']?((?:https?:)?//[^"')\s]+)""")


def gather(target: Path) -> None:
    """Copy the documents, and the files of the repository that are pages too, with links from page to page."""
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(REPOSITORY / "docs", target, ignore=shutil.ignore_patterns("_site"))
    sources = {path.relative_to(target).as_posix(): None for path in target.rglob("*.md")} | TAKEN_IN
    for page, source in sources.items():
        taken = source or f"docs/{page}"
        text = (REPOSITORY / taken).read_text()
        linked = _LINK.sub(lambda found, at=(taken, page): page_of(found[1], source=at[0], page=at[1]), text)
        (target / page).write_text(_ROW.sub(lambda found: plain_pipes(found[0]), linked))
    (target / EXAMPLES).write_text(examples())


def page_of(target: str, *, source: str, page: str) -> str:
    """Return where a link in a file of the repository leads on the site, seen from a page.

    Examples
    --------
    >>> page_of("../dags/batch_inference_basic.py", source="docs/drift.md", page="drift.md")
    'examples.md#batch_inference_basic'
    >>> page_of("../docs/adr/0004-order-of-tasks.md", source="benchmarks/README.md", page="benchmarks.md")
    'adr/0004-order-of-tasks.md'
    >>> page_of("types.md#lists", source="docs/flavors.md", page="flavors.md")
    'types.md#lists'
    """
    path, _, anchor = target.partition("#")
    there = posixpath.normpath(posixpath.join(posixpath.dirname(source), path)) + ("/" if path.endswith("/") else "")
    if there in _PAGES:
        there, _, known = _PAGES[there].partition("#")
        anchor = anchor or known
    elif there.startswith("dags/"):
        there, anchor = EXAMPLES, Path(there).stem
    elif there.startswith("docs/"):
        there = there.removeprefix("docs/")
    else:
        message = f"{source} links to {target}, which has no page on the site. Give it one in docs/_site/build.py."
        raise ValueError(message)
    return posixpath.relpath(there, posixpath.dirname(page) or ".") + (f"#{anchor}" if anchor else "")


def plain_pipes(row: str) -> str:
    r"""Return a table's row whose pipes in code are not escaped: code hosts want it, and the generator would show it.

    Examples
    --------
    >>> print(plain_pipes(r"| `a \| b` | x \| y |"))
    | `a | b` | x \| y |
    """
    return re.sub(r"`[^`]*`", lambda code: code[0].replace("\\|", "|"), row)


def examples() -> str:
    """Return the page of the example DAGs: each with its first sentence and its code."""
    parts = [
        "# Example DAGs",
        "With `[core] load_examples = True` Airflow's UI shows them. They make their model and batches themselves.",
    ]
    for path in sorted((REPOSITORY / "dags").glob("*.py")):
        code = path.read_text()
        parts += [f"## `{path.stem}` {{ #{path.stem} }}", ast.get_docstring(ast.parse(code)) or ""]
        parts += [f'```python title="dags/{path.name}"\n{code.strip()}\n```']
    return "\n\n".join(parts)


def polish(site: Path) -> None:
    """Show the roles of docstrings as code, by their last names, and drop the sign of a literal block."""
    for path in site.rglob("*.html"):
        html = path.read_text()
        plain = _ROLE.sub(lambda found: f"<code>{found[1].rsplit('.', 1)[-1]}</code>", html).replace("<p>::</p>", "")
        if plain != html:
            path.write_text(plain)


class _Resources(HTMLParser):
    """Collects what a page makes a browser fetch."""

    def __init__(self) -> None:
        super().__init__()
        self.urls: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag == "link" and given.get("rel") in ("canonical", "next", "prev"):
            return  # told, not fetched
        self.urls += [value for name, value in attrs if value and (tag, name) in _LOADING]
        if "mermaid" in (given.get("class") or "").split():
            self.urls.append("https://mermaid (the theme fetches its code where a page has such a diagram)")


def foreign_resources(site: Path) -> Iterator[tuple[Path, str]]:
    """Yield each page or style sheet of a built site with what it would fetch from another host."""
    for path in sorted([*site.rglob("*.html"), *site.rglob("*.css")]):
        text = path.read_text()
        urls = _STYLE_URL.findall(text)
        if path.suffix == ".html":
            resources = _Resources()
            resources.feed(text)
            urls += resources.urls
        for url in urls:
            if re.match(r"(?:https?:)?//", url):
                yield path, url


def main() -> int:
    """Build the site; return the exit status."""
    gather(GATHERED)
    command = [sys.executable, "-m", "zensical", "build", "--clean", "--strict", "--config-file", "mkdocs.yml"]
    built = subprocess.run(command, cwd=REPOSITORY, check=False)
    if built.returncode:
        return built.returncode
    polish(SITE)
    found = [f"{path.relative_to(SITE)}: {url}" for path, url in foreign_resources(SITE)]
    if found:
        sys.stderr.write(f"{len(found)} thing(s) would be loaded from elsewhere; ship them with the site:\n")
        sys.stderr.write("\n".join(found[:20]) + "\n")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main())
