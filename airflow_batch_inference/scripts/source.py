"""The user's script, its code and its model, as they are when a job begins.

What must not be relaxed: what is hashed is what runs; and whoever gives a scoring script lets it run: no format is
checked and no trust is asked, neither of the script nor of the model files that it opens.
"""

from __future__ import annotations

import contextlib
import hashlib
import posixpath
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.model_copy import private_copy, tree_digest
from airflow_batch_inference.records import ScriptSource
from airflow_batch_inference.scripts.runner import ScriptRunner
from airflow_batch_inference.storage import sha256_of_bytes
from airflow_batch_inference.uris import join_uri, normalize_uri, redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_batch_inference.scripts.runner import Runner
    from airflow_batch_inference.storage import Storage

_MOST_FILES = 10_000
_MODEL_FOLDER = "model"


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What scores, ready to go to worker processes, and what the record says of it.

    Attributes
    ----------
    key
        All that determines what it returns; of plain JSON types.
    environment
        What the worker processes get beyond the user's own variables.
    require_unchanged
        Raises where the code is not what it was.
    """

    runner: Runner
    key: dict[str, Any]
    model_uri: str
    model_sha256: str
    model_flavor: str
    model_record_uri: str | None = None
    script: ScriptSource | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    require_unchanged: Callable[[], None] = lambda: None


@dataclass(frozen=True, slots=True, kw_only=True)
class UserScript:
    """A scoring script as it is asked for.

    Attributes
    ----------
    script
        URI or path of the Python file; relative to ``code``, where that is given.
    code
        Folder of its modules, which comes first in ``sys.path``; None: the script's own folder.
    storage
        Reaches both.
    model_uri
        File or folder that the script finds by ``AZUREML_MODEL_DIR``; None: it needs none.
    model_sha256
        The digest that the model must have; None: any.
    model_record_uri
        Of the record that named the model.
    model_storage
        Reaches the model.
    """

    script: str
    code: str | None
    storage: Storage
    model_uri: str | None = None
    model_sha256: str | None = None
    model_record_uri: str | None = None
    model_storage: Storage | None = None

    @contextlib.contextmanager
    def opened(self, scratch: Path) -> Iterator[Opened]:
        """Find the script and copy the model, for as long as the block lasts.

        Parameters
        ----------
        scratch
            A private folder, for code that is not on the local disk.

        Raises
        ------
        ArtifactNotFoundError
            There is no such script, code or model.
        ConfigurationError
            The script lies outside of the code, or its path is relative without it.
        ArtifactIntegrityError
            The model is empty, or not the one that its record names.
        """
        script, code = self._uris()
        digest = sha256_of_bytes(self.storage.read_bytes(script))
        code_digest = None if code is None else self._code_digest(code)
        path, folder = self._local(script, code, scratch)
        runner = ScriptRunner(path=str(path), folder=str(folder), sha256=digest)
        source = ScriptSource(uri=script, sha256=digest, code_uri=code, code_sha256=code_digest)

        def require_unchanged() -> None:
            if code is not None and self._code_digest(code) != code_digest:
                message = f"{code} was changed since the job began. Run the task again."
                raise ArtifactIntegrityError(message)

        with self._model() as (model_folder, model_digest):
            yield Opened(
                runner=runner,
                key={"script": digest, "code": code_digest, "name": posixpath.basename(script), "model": model_digest},
                model_uri=script if self.model_uri is None else normalize_uri(self.model_uri),
                model_sha256=model_digest or digest,
                model_flavor="script",
                model_record_uri=self.model_record_uri,
                script=source,
                environment={} if model_folder is None else {"AZUREML_MODEL_DIR": str(model_folder)},
                require_unchanged=require_unchanged,
            )

    def _uris(self) -> tuple[str, str | None]:
        """Return the canonical URIs of the script and of its code."""
        if self.code is None:
            return normalize_uri(self.script), None
        code = normalize_uri(self.code)
        is_relative = "://" not in self.script and not self.script.startswith("/")
        script = normalize_uri(join_uri(code, self.script) if is_relative else self.script)
        if not script.startswith(f"{code}/"):
            message = f"scoring_script is {redact(script)}, which does not lie in code ({redact(code)}). Move it there."
            raise ConfigurationError(message)
        return script, code

    def _code_files(self, code: str) -> list[tuple[str, str]]:
        """Return path and URI of the code's files; what Python and version control put beside it is none of it."""
        found = []
        # Not looked into: a virtual environment beside the script has links of its own.
        for entry in self.storage.tree(code, enter=lambda name: not name.startswith(".") and name != "__pycache__"):
            name = entry.uri.removeprefix(f"{code}/")
            parts = name.split("/")
            if not any(part.startswith(".") or part == "__pycache__" for part in parts) and not name.endswith(".pyc"):
                found.append((name, self.storage.taken(entry).uri))
        if len(found) > _MOST_FILES:
            message = (
                f"code is {redact(code)}, which holds {len(found)} files; {_MOST_FILES} may be. Give the code alone."
            )
            raise ConfigurationError(message)
        return found

    def _code_digest(self, code: str) -> str:
        names = self._code_files(code)
        return tree_digest([(name, hashlib.sha256(self.storage.read_bytes(uri)).hexdigest()) for name, uri in names])

    def _local(self, script: str, code: str | None, scratch: Path) -> tuple[Path, Path]:
        """Return the local paths of the script and of its code, copied where they lie elsewhere."""
        name = posixpath.basename(script) if code is None else script.removeprefix(f"{code}/")
        if script.startswith("file://"):
            path = Path(script.removeprefix("file://"))
            return path, path.parent if code is None else Path(code.removeprefix("file://"))
        for relative, uri in [(name, script)] if code is None else self._code_files(code):
            target = scratch.joinpath("code", *relative.split("/"))
            target.parent.mkdir(parents=True, exist_ok=True)
            self.storage.copy_to_local(uri, target)
        return scratch / "code" / name, scratch / "code"

    @contextlib.contextmanager
    def _model(self) -> Iterator[tuple[Path | None, str | None]]:
        """Copy the model once, and give the folder that the script is told, and the model's digest."""
        if self.model_uri is None:
            yield None, None
            return
        with private_copy(self.model_uri, self.model_storage or self.storage) as copy:
            if self.model_sha256 not in (None, copy.sha256):
                message = (
                    f"{redact(self.model_uri)} was replaced since its record was made: its SHA-256 is {copy.sha256}, "
                    f"the record says {self.model_sha256}. Run the task that loads the model again."
                )
                raise ArtifactIntegrityError(message)
            is_content = copy.path.is_dir() and copy.path.name != _MODEL_FOLDER
            yield copy.path if is_content else copy.path.parent, copy.sha256
