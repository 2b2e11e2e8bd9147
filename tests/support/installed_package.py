"""A package with one entry point, installed for a test."""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def install(
    monkeypatch: pytest.MonkeyPatch, site: Path, group: str, name: str, module: Path, *, attribute: str
) -> None:
    """Put a module into a folder on the path, and register what it holds.

    Parameters
    ----------
    site
        An empty folder, which becomes the package's place.
    group, name
        The entry point's.
    module
        The file that is installed.
    attribute
        What it holds under the entry point.
    """
    info = site / f"{module.stem}-1.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {module.stem}\nVersion: 1\n")
    (info / "entry_points.txt").write_text(f"[{group}]\n{name} = {module.stem}:{attribute}\n")
    (site / module.name).write_text(module.read_text())
    monkeypatch.syspath_prepend(site)
    monkeypatch.delitem(sys.modules, module.stem, raising=False)
    importlib.invalidate_caches()
