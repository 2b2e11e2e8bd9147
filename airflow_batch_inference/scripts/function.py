"""A plain Python function from a list of files to predictions, in the place of a scoring script.

Invariants: it goes to the worker processes by its value, so that what is hashed is what runs.
"""

from __future__ import annotations

import contextlib
import inspect
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import cloudpickle  # type: ignore[import-untyped]  # it has no annotations

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.function import FLAVOR, by_value
from airflow_batch_inference.predictors.function_digest import function_digest
from airflow_batch_inference.scripts.advice import Place
from airflow_batch_inference.scripts.source import Opened

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from airflow_batch_inference.scripts.settings import ScriptSettings
    from airflow_batch_inference.storage.store import Storage


@dataclass(slots=True)
class FunctionRunner:
    """Calls a function with the files of a mini-batch.

    Attributes
    ----------
    data
        The function with its arguments.
    folder
        Of the file that it stands in.
    """

    data: bytes
    folder: str
    fatal: ClassVar[tuple[type[BaseException], ...]] = ()
    one_each: bool = True
    storages: tuple[Storage, ...] = ()
    place: Place = field(default_factory=Place)
    _function: FileFunction | None = field(default=None, init=False, repr=False)

    def init(self, settings: ScriptSettings) -> None:  # noqa: ARG002  # it has no script
        """Load the function; the bytes were made by this very task."""
        self._function = cloudpickle.loads(self.data)

    def run(self, paths: Sequence[str], names: Sequence[str]) -> object:  # noqa: ARG002  # it knows paths only
        """Call it."""
        if self._function is None:
            message = "run() was called before init()"
            raise RuntimeError(message)
        return self._function.call(paths)

    def shutdown(self) -> None:
        """Have nothing to clean up."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FileFunction:
    """A function of files, with its arguments.

    Attributes
    ----------
    function
        Takes a list of files, then ``args`` and ``kwargs``.
    as_paths
        Whether the files are :class:`pathlib.Path`, and not text.
    where
        Whose it is: the DAG and the task.
    """

    function: Callable[..., object]
    as_paths: bool
    where: str
    args: tuple[Any, ...] = ()
    kwargs: Mapping[str, Any] = field(default_factory=dict)

    def call(self, paths: Sequence[str]) -> object:
        """Score some files, given by their local paths."""
        given = [Path(path) for path in paths] if self.as_paths else list(paths)
        return self.function(given, *self.args, **self.kwargs)

    @contextlib.contextmanager
    def opened(self, scratch: Path) -> Iterator[Opened]:  # noqa: ARG002  # it needs no folder
        """Give what scores in the worker processes.

        Raises
        ------
        ConfigurationError
            Something of it cannot be handed to another process.
        """
        try:
            data = by_value(self, self.function)
        except Exception as error:
            message = (
                f"{self.where} scores files in worker processes, and cannot be handed to them ({type(error).__name__}: "
                f"{error}). Make what it holds, such as a connection or a lock, within the function."
            )
            raise ConfigurationError(message) from error
        digest = function_digest(self.function, self.args, self.kwargs)
        yield Opened(
            runner=FunctionRunner(data, str(Path(inspect.getsourcefile(self.function) or ".").parent)),
            key={"function": digest, "as_paths": self.as_paths},
            model_uri=f"{FLAVOR}:{self.where}",
            model_sha256=digest,
            model_flavor=FLAVOR,
        )
