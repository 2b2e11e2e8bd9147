"""What scores a mini-batch in a worker process: a user's script, loaded once.

What must not be relaxed: the script runs unmodified, as a module of its own with its folder first on the path; and
what it raises while it is loaded reaches the user with its own lines.
"""

from __future__ import annotations

import hashlib
import importlib.util
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ScriptError
from airflow_batch_inference.scripts.failures import failure_of

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from types import ModuleType


class Runner(Protocol):
    """Scores mini-batches of files; goes to the worker processes by pickle."""

    @property
    def folder(self) -> str:
        """Where its code lies: tracebacks show those frames only."""

    @property
    def fatal(self) -> tuple[type[BaseException], ...]:
        """What ends the job at once when :meth:`run` raises it; all else fails one attempt."""

    @property
    def one_each(self) -> bool:
        """Whether fewer elements than files are errors."""

    def init(self) -> None:
        """Get ready, once in each process.

        Raises
        ------
        BatchInferenceError
            It cannot: the job fails.
        """

    def run(self, paths: Sequence[str], names: Sequence[str]) -> object:
        """Score some files, given by their local paths and by their paths within the dataset."""


@dataclass(slots=True)
class ScriptRunner:
    """A Python file with ``init()`` and ``run(mini_batch)``.

    Attributes
    ----------
    path
        Of the file.
    folder
        Of its code, which comes first in ``sys.path``.
    sha256
        Of the file's bytes, as they were when the job began.
    """

    path: str
    folder: str
    sha256: str
    fatal: tuple[type[BaseException], ...] = ()
    one_each: bool = True
    _run: Callable[[list[str]], object] | None = field(default=None, init=False, repr=False)

    def init(self) -> None:
        """Load the script and call its ``init()``.

        Raises
        ------
        ScriptError
            It has no such functions, or raised.
        ArtifactIntegrityError
            The file was changed since the job began.
        """
        sys.argv = [self.path]
        sys.path.insert(0, self.folder)
        module = self._load()
        init, self._run = (self._function(module, name) for name in ("init", "run"))
        self._call("init() of {} raised {}", init)

    def run(self, paths: Sequence[str], names: Sequence[str]) -> object:  # noqa: ARG002  # scripts know paths only
        """Call the script's ``run()``."""
        if self._run is None:
            message = "run() was called before init()"
            raise RuntimeError(message)
        return self._run(list(paths))

    def _load(self) -> ModuleType:
        """Execute the file as a module of its own name."""
        path = Path(self.path)
        source = path.read_bytes()
        if hashlib.sha256(source).hexdigest() != self.sha256:
            message = f"{path} was changed since the job began. Run the task again."
            raise ArtifactIntegrityError(message)
        name = path.stem if path.stem.isidentifier() and path.stem not in sys.modules else "scoring_script"
        spec = importlib.util.spec_from_file_location(name, path)
        if spec is None:
            message = f"{path} is no Python file; its name must end with .py."
            raise ScriptError(message)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # classes of the script find their module when they are unpickled

        def execute() -> None:
            exec(compile(source, str(path), "exec"), vars(module))  # noqa: S102  # the DAG author's own script

        self._call("{} could not be loaded: {}", execute)
        return module

    def _function(self, module: ModuleType, name: str) -> Callable[..., Any]:
        found = getattr(module, name, None)
        if not callable(found):
            defined = sorted(
                each for each, value in vars(module).items() if callable(value) and not each.startswith("_")
            )
            message = (
                f"{self.path} defines no function {name}(); a scoring script has init() and run(mini_batch). It "
                f"defines: {', '.join(defined) or 'nothing that can be called'}."
            )
            raise ScriptError(message)
        return found  # type: ignore[no-any-return]  # it is callable

    def _call(self, what: str, function: Callable[[], object]) -> None:
        try:
            function()
        except BaseException as error:
            found = failure_of(error, self.folder)
            message = f"{what.format(self.path, found)}\n{found.traceback}"
            raise ScriptError(message) from error
