"""What scores a mini-batch in a worker process: a user's script, loaded once.

Invariants: the script runs unmodified, as a module of its own with its folder first on the path; and what it raises
while it is loaded reaches the user with its own lines.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, ClassVar, Protocol

from airflow_batch_inference.exceptions import ArtifactIntegrityError, ScriptError
from airflow_batch_inference.scripts.advice import Place, advice_on
from airflow_batch_inference.scripts.hosted.script import Script, ScriptFault

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.scripts.settings import ScriptSettings
    from airflow_batch_inference.storage.store import Storage


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

    @property
    def storages(self) -> tuple[Storage, ...]:
        """What it reads itself, beyond the files that it is given."""

    @property
    def place(self) -> Place:
        """The Python that it runs in."""

    def init(self, settings: ScriptSettings) -> None:
        """Get ready, once in each process.

        Raises
        ------
        BatchInferenceError
            It cannot: the job fails.
        """

    def run(self, paths: Sequence[str], names: Sequence[str]) -> object:
        """Score some files, given by their local paths and by their paths within the dataset."""

    def shutdown(self) -> None:
        """Clean up, once in each process that has come to its end.

        Raises
        ------
        ScriptError
            It cannot, which changes nothing.
        """


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
    fatal: ClassVar[tuple[type[BaseException], ...]] = ()
    one_each: bool = True
    storages: tuple[Storage, ...] = ()
    place: Place = field(default_factory=Place)
    _script: Script | None = field(default=None, init=False, repr=False)

    def init(self, settings: ScriptSettings) -> None:
        """Load the script and call its ``init()``.

        Raises
        ------
        ScriptError
            It has no such functions, or raised.
        ArtifactIntegrityError
            The file was changed since the job began.
        """
        self._script = Script(self.path, self.folder, self.sha256, settings.program_arguments)
        try:
            self._script.init()
        except ScriptFault as fault:
            raise error_of(str(fault), fault.kind, self.place) from fault.__cause__

    def run(self, paths: Sequence[str], names: Sequence[str]) -> object:  # noqa: ARG002  # scripts know paths only
        """Call the script's ``run()``."""
        if self._script is None or self._script.run is None:
            message = "run() was called before init()"
            raise RuntimeError(message)
        return self._script.run(list(paths))

    def shutdown(self) -> None:
        """Call the script's ``shutdown()``, where it has one.

        Raises
        ------
        ScriptError
            It raised.
        """
        try:
            if self._script is not None:
                self._script.shutdown()
        except ScriptFault as fault:
            raise error_of(str(fault), fault.kind, self.place) from fault.__cause__


def error_of(fault: str, kind: str, place: Place) -> ScriptError | ArtifactIntegrityError:
    """Return the error of a script that cannot be used, with what to do."""
    if kind == "changed":
        return ArtifactIntegrityError(fault)
    first, _, lines = fault.partition("\n")
    advice = advice_on(first, lines, place)
    return ScriptError(f"{first}.{advice}\n{lines}" if advice else fault)
