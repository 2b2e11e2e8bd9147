"""Each model of the suite, saved once a session."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest
from suite import CASES, digest_of, load

if TYPE_CHECKING:
    from pathlib import Path

    from cases import Case, Saved

    from airflow_batch_inference.flavors.base import LoadedModel


class Library:
    """Saves a case's model when it is first asked for."""

    def __init__(self, folder: Path):
        self._folder = folder
        self._saved: dict[str, Saved] = {}
        self._loaded: dict[str, LoadedModel] = {}

    def saved(self, name: str) -> Saved:
        if name not in self._saved:
            folder = self._folder / name
            folder.mkdir()
            self._saved[name] = CASES[name].save(folder)
        return self._saved[name]

    def model(self, name: str) -> LoadedModel:
        """Return the model as this process loads it."""
        if name not in self._loaded:
            saved = self.saved(name)
            self._loaded[name] = load(saved, sha256=digest_of(saved.path)).model
        return self._loaded[name]


@dataclass(frozen=True)
class Subject:
    """A case with its saved model, and the model loaded from there."""

    case: Case
    saved: Saved
    model: LoadedModel


@pytest.fixture(scope="session")
def library(tmp_path_factory) -> Library:
    return Library(tmp_path_factory.mktemp("library"))


@pytest.fixture(scope="session", params=CASES)
def subject(request, library) -> Subject:
    name = request.param
    return Subject(CASES[name], library.saved(name), library.model(name))
