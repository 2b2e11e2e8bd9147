"""Count what keeps the structure of the package small: ``python tools/structure.py`` says what is too large.

Held are: files a folder, lines a file and a function, arguments of a constructor, cycles of imports (those for types
count too), folders of tests that mirror no folder of the package, and the names of other platforms outside of their
places.
"""

from __future__ import annotations

import ast
import re
import sys
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAME = "airflow_batch_inference"
MOST = {"files a folder": 25, "lines a file": 400, "lines a function": 80, "arguments of a constructor": 18}
PLATFORMS = re.compile(r"wallaroo|azure|mlrun", re.IGNORECASE)
OF_A_CLOUD = re.compile(r"\bAZURE_[A-Z_]*")
"""Environment variables of a cloud's accounts: clients of its stores read them wherever they run, so that they are the
contract of a store and of no platform that models run on. What such a platform sets is written without that ``_``."""
AT_HOME = ("compat/", "operators/", "decorators/", "cli/", "drift/rules/mlrun.py")
"""Where other platforms may be named: their own folder, and the faces that users see."""
OWN_TESTS = ("dags", "data", "ports", "stack", "support")
"""Folders of tests that mirror nothing: whole DAGs, the ports' suites, services, helpers."""


def measure() -> dict[str, Counter[str]]:
    """Return what is over its limit, by kind and place."""
    found: dict[str, Counter[str]] = {kind: Counter() for kind in MOST}
    package = ROOT / NAME
    sources = sorted(package.rglob("*.py"))
    for folder in {path.parent for path in sources}:
        found["files a folder"][str(folder.relative_to(ROOT))] = len(list(folder.glob("*.py")))
    for path in [*sources, *sorted((ROOT / "tests").rglob("*.py"))]:
        where = str(path.relative_to(ROOT))
        text = path.read_text(encoding="utf-8")
        found["lines a file"][where] = text.count("\n")
        if path in sources:
            _measure_functions(where, ast.parse(text), found)
    return {
        kind: Counter({where: size for where, size in sizes.items() if size > MOST[kind]})
        for kind, sizes in found.items()
    }


def _measure_functions(where: str, tree: ast.Module, found: dict[str, Counter[str]]) -> None:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.end_lineno is not None:
            place = f"{where}:{node.name}"
            found["lines a function"][place] = _lines(node)
        if isinstance(node, ast.ClassDef):
            for method in node.body:
                if isinstance(method, ast.FunctionDef) and method.name == "__init__":
                    given = method.args
                    count = len(given.args) + len(given.posonlyargs) + len(given.kwonlyargs) - 1
                    found["arguments of a constructor"][f"{where}:{node.name}"] = count


def _lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Return how long a function is without its docstring."""
    first = node.body[0]
    is_documented = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    docstring = (first.end_lineno or 0) - first.lineno + 1 if is_documented else 0
    return (node.end_lineno or 0) - node.lineno + 1 - docstring


def imports() -> dict[str, set[str]]:
    """Return which modules each module of the package imports, for types as well."""
    modules = {_module(path): path for path in (ROOT / NAME).rglob("*.py")}
    return {module: set(_imported(path, modules)) - {module} for module, path in modules.items()}


def _module(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def _imported(path: Path, modules: dict[str, Path]) -> list[str]:
    names = []
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == NAME:
            for alias in node.names:
                whole = f"{node.module}.{alias.name}"
                names.append(whole if whole in modules else node.module)
    return [name for name in names if name in modules and name != NAME]


def cycles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return groups of modules that import each other (Tarjan's strongly connected components)."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    found: list[list[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for other in sorted(graph[node]):
            if other not in index:
                visit(other)
                low[node] = min(low[node], low[other])
            elif other in stack:
                low[node] = min(low[node], index[other])
        if low[node] == index[node]:
            at = stack.index(node)
            if len(stack) - at > 1:
                found.append(sorted(stack[at:]))
            del stack[at:]

    sys.setrecursionlimit(10_000)
    for node in sorted(graph):
        if node not in index:
            visit(node)
    return found


def strangers() -> list[str]:
    """Return the modules outside of their places that name other platforms."""
    found = []
    for path in sorted((ROOT / NAME).rglob("*.py")):
        where = str(path.relative_to(ROOT / NAME))
        if not where.startswith(AT_HOME) and PLATFORMS.search(own_words(path.read_text(encoding="utf-8"))):
            found.append(where)
    return found


def own_words(text: str) -> str:
    """Return a module's text without the places where it may name another platform.

    They are the table of a registry (``Registry(built_in=…)``: by such strings the lower layers reach ``compat/``
    without knowing it), imports from ``compat/`` (only what lies above it may have them), and the environment variables
    of a cloud.
    """
    lines = text.encode().splitlines(keepends=True)
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{NAME}.compat."):
            _blank(lines, node)
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "Registry":
            for keyword in node.keywords:
                if keyword.arg == "built_in":
                    _blank(lines, keyword.value)
    return OF_A_CLOUD.sub("", b"".join(lines).decode())


def _blank(lines: list[bytes], node: ast.stmt | ast.expr) -> None:
    """Take a node's text out of its lines; columns count bytes."""
    first, last = node.lineno - 1, (node.end_lineno or node.lineno) - 1
    end = lines[last][node.end_col_offset :]
    lines[first] = lines[first][: node.col_offset] + end
    lines[first + 1 : last + 1] = [b""] * (last - first)


def unmirrored() -> list[str]:
    """Return the folders of tests that mirror no folder of the package."""
    folders = {path.parent.relative_to(ROOT / "tests") for path in (ROOT / "tests").rglob("test_*.py")}
    return sorted(
        str(folder)
        for folder in folders
        if folder.parts and folder.parts[0] not in OWN_TESTS and not (ROOT / NAME / folder).is_dir()
    )


def main() -> int:
    """Print what is over a limit."""
    found = {kind: [f"{place}: {size}" for place, size in sizes.items()] for kind, sizes in measure().items()}
    found["cycle of imports"] = [" ".join(group) for group in cycles(imports())]
    found["name of another platform"] = strangers()
    found["folder of tests that mirrors nothing"] = unmirrored()
    limits = {kind: f" (at most {most})" for kind, most in MOST.items()}
    problems = [f"{kind}{limits.get(kind, '')}: {text}" for kind, texts in found.items() for text in sorted(texts)]
    print("\n".join(problems) or "The structure holds.")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
