"""The user's script, its code and its model, as they are when a job begins.

Invariants: what is hashed is what runs; and whoever gives a scoring script lets it run: no format is checked and no
trust is asked, neither of the script nor of the model files that it opens.
"""

from __future__ import annotations

import contextlib
import posixpath
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.models.local_copy import private_copy, tree_digest
from airflow_batch_inference.records import ScriptSource
from airflow_batch_inference.scripts.advice import Place
from airflow_batch_inference.scripts.environment import Requirements, environment_of
from airflow_batch_inference.scripts.hosted_runner import HostedRunner
from airflow_batch_inference.scripts.interpreter import ask, find_python
from airflow_batch_inference.scripts.model_folder import ModelFolder, model_folder
from airflow_batch_inference.scripts.runner import ScriptRunner
from airflow_batch_inference.storage.digests import sha256_of_bytes
from airflow_batch_inference.storage.uris import join_uri, normalize_uri
from airflow_batch_inference.wording.uris import redact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_batch_inference.records import DataFile
    from airflow_batch_inference.scripts.interpreter import Interpreter
    from airflow_batch_inference.scripts.runner import Runner
    from airflow_batch_inference.storage.store import Storage

_MOST_FILES = 10_000
_LARGEST_MODULE = 1 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Opened:
    """What scores, ready to go to worker processes, and what the record says of it.

    Attributes
    ----------
    key
        All that determines what it returns; of plain JSON types.
    model_folder
        What the script is told of its model.
    versions
        Of the Python that it runs in, where that is not the worker's.
    require_unchanged
        Raises where the code is not what it was.
    code
        The files of code that lies on the local disk, and is run from there.
    """

    runner: Runner
    key: dict[str, Any]
    model_uri: str
    model_sha256: str
    model_flavor: str
    model_record_uri: str | None = None
    script: ScriptSource | None = None
    model_folder: ModelFolder = field(default_factory=ModelFolder)
    versions: Mapping[str, str] = field(default_factory=dict)
    require_unchanged: Callable[[], None] = lambda: None
    code: tuple[DataFile, ...] = ()


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
        File or folder that the script finds by an environment variable (:mod:`.contracts`); None: it needs none.
    model_sha256
        The digest that the model must have; None: any.
    model_record_uri
        Of the record that named the model.
    model_storage
        Reaches the model.
    own_python
        The interpreter that the script runs in; None: the worker's.
    """

    script: str
    code: str | None
    storage: Storage
    model_uri: str | None = None
    model_sha256: str | None = None
    model_record_uri: str | None = None
    model_storage: Storage | None = None
    own_python: OwnPython | None = None

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
        files = self._run_in_place(code)
        code_digest = None if code is None else self._code_digest(code)
        path, folder = self._local(script, code, scratch)
        interpreter = None if self.own_python is None else self.own_python.interpreter()
        runner = self._runner(str(path), str(folder), digest, interpreter)
        key: dict[str, Any] = {"script": digest, "code": code_digest, "name": posixpath.basename(script)}
        if interpreter is not None:
            key["python"] = interpreter.key
        source = ScriptSource(uri=script, sha256=digest, code_uri=code, code_sha256=code_digest)

        def require_unchanged() -> None:
            if code is not None and self._code_digest(code) != code_digest:
                message = f"{code} was changed since the job began. Run the task again."
                raise ArtifactIntegrityError(message)

        with self._model() as (model, model_digest):
            yield Opened(
                runner=runner,
                key={**key, "model": model_digest},
                model_uri=script if self.model_uri is None else normalize_uri(self.model_uri),
                model_sha256=model_digest or digest,
                model_flavor="script",
                model_record_uri=self.model_record_uri,
                script=source,
                model_folder=ModelFolder() if model is None else model_folder(model, _sources(path, folder, code)),
                versions={} if interpreter is None else {"python": interpreter.version},
                require_unchanged=require_unchanged,
                code=files,
            )

    def _runner(self, path: str, folder: str, digest: str, interpreter: Interpreter | None) -> Runner:
        if self.own_python is None or interpreter is None:
            return ScriptRunner(path=path, folder=folder, sha256=digest)
        return HostedRunner(path=path, folder=folder, sha256=digest, place=self.own_python.place(interpreter))

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

    def _run_in_place(self, code: str | None) -> tuple[DataFile, ...]:
        """Return the versions of the code's files, from before they are hashed; remote code is copied."""
        if code is None or not code.startswith("file://"):
            return ()
        return tuple(self.storage.settled([self.storage.stat(uri) for _, uri in self._code_files(code)]))

    def _code_digest(self, code: str) -> str:
        names = self._code_files(code)
        return tree_digest([(name, self.storage.sha256_at(uri)[0]) for name, uri in names])  # large files may lie there

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
        """Copy the model once, and give the copy and its digest."""
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
            yield copy.path, copy.sha256


def _sources(script: Path, folder: Path, code: str | None) -> Iterator[str]:
    """Yield the text of the script and of its modules, as far as there is code that is theirs alone."""
    modules = sorted(folder.rglob("*.py"))[:_MOST_FILES] if code is not None else []
    for path in (script, *modules):
        with contextlib.suppress(OSError, UnicodeDecodeError):
            if path.is_file() and path.stat().st_size <= _LARGEST_MODULE:  # a pipe would never end
                yield path.read_text(encoding="utf-8")


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPython:
    """The interpreter that a script is to have for itself.

    Attributes
    ----------
    python
        Its path or its program's name; with requirements, the one that the environment is made with (None: this one).
    requirements
        URI of a requirements file, or its lines; None: the interpreter is taken as it is.
    environments
        The folder in which environments are kept.
    variables
        The user's environment variables.
    storage
        Reaches the requirements file.
    raise_if_stopped
        Called several times a second while an environment is built; raises to stop.
    """

    python: str | None
    requirements: str | tuple[str, ...] | None
    environments: Path
    variables: Mapping[str, str]
    storage: Storage
    raise_if_stopped: Callable[[], None] = lambda: None

    def interpreter(self) -> Interpreter:
        """Return it, as it is now; an environment is built where it is not there.

        Raises
        ------
        ConfigurationError
            There is no such interpreter, or it is none, or too old; or the requirements can never work.
        WorkerError
            They cannot be installed.
        """
        base = ask(find_python(self.python or sys.executable), self.variables)
        if self.requirements is None:
            return base
        return ask(environment_of(self._required(), base, self.environments, self.raise_if_stopped), self.variables)

    def place(self, interpreter: Interpreter) -> Place:
        """Return what messages say of it."""
        return Place(interpreter.path, "python" if self.requirements is None else "requirements")

    def _required(self) -> Requirements:
        if isinstance(self.requirements, tuple):
            return Requirements(lines=self.requirements, name="requirements")
        uri = normalize_uri(str(self.requirements))
        try:
            lines = tuple(self.storage.read_bytes(uri).decode("utf-8-sig").splitlines())
        except UnicodeDecodeError as error:
            message = f"requirements is {redact(uri)}, which is no UTF-8 text. Give a requirements file."
            raise ConfigurationError(message) from error
        local = Path(uri.removeprefix("file://")) if uri.startswith("file://") else None
        return Requirements(lines=lines, name=redact(uri) if local is None else str(local), path=local)
