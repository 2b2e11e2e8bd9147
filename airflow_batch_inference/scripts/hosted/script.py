"""A Python file with ``init()``, ``run(mini_batch)`` and perhaps ``shutdown()``, loaded once and called.

Invariants: the script runs unmodified, as a module of its own name with its folder first on the path; and what it
raises is told with its own lines.
"""

from __future__ import annotations

import hashlib
import importlib.util
import os
import sys
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_MOST_TEXT = 20_000


class ScriptFault(Exception):  # noqa: N818  # one that the job's errors are made of
    """The script cannot be used; the message says why, with its own lines."""

    def __init__(self, message: str, *, kind: str = "script") -> None:
        super().__init__(message)
        self.kind = kind


class Script:
    """A scoring script."""

    def __init__(self, path: str, folder: str, sha256: str, arguments: Sequence[str] = ()) -> None:
        """Keep what it is: its file, the folder of its code, the file's digest, and what stands in ``sys.argv``."""
        self.path = path
        self.folder = folder
        self.sha256 = sha256
        self.arguments = list(arguments)
        self.run: Callable[[list[str]], Any] | None = None
        self._module: Any = None

    def init(self) -> None:
        """Load the file and call its ``init()``.

        Raises
        ------
        ScriptFault
            It has no such functions, or raised, or was changed (its kind is then ``changed``).
        """
        sys.argv = [self.path, *self.arguments]
        sys.path.insert(0, self.folder)
        self._module = self._loaded()
        init, self.run = self._function("init"), self._function("run")
        self._call("init() of {} raised {}", init, "init")

    def shutdown(self) -> None:
        """Call its ``shutdown()``, where it has one.

        Raises
        ------
        ScriptFault
            It raised.
        """
        found = getattr(self._module, "shutdown", None)
        if callable(found):
            self._call("shutdown() of {} raised {}", found, "shutdown")

    def _loaded(self) -> Any:  # noqa: ANN401  # a module
        """Execute the file as a module of its own name."""
        with open(self.path, "rb") as file:  # noqa: PTH123  # as Python 3.8 is quickest to start with
            source = file.read()
        if hashlib.sha256(source).hexdigest() != self.sha256:
            message = f"{self.path} was changed since the job began. Run the task again."
            raise ScriptFault(message, kind="changed")
        stem = os.path.splitext(os.path.basename(self.path))[0]  # noqa: PTH119, PTH122
        name = stem if stem.isidentifier() and stem not in sys.modules else "scoring_script"
        spec = importlib.util.spec_from_file_location(name, self.path)
        if spec is None:
            message = f"{self.path} is no Python file; its name must end with .py."
            raise ScriptFault(message)
        module = importlib.util.module_from_spec(spec)
        sys.modules[name] = module  # classes of the script find their module when they are unpickled

        def execute() -> None:
            exec(compile(source, self.path, "exec"), vars(module))  # noqa: S102  # the DAG author's own script

        self._call("{} could not be loaded: {}", execute, "load")
        return module

    def _function(self, name: str) -> Callable[..., Any]:
        found = getattr(self._module, name, None)
        if not callable(found):
            defined = sorted(
                each for each, value in vars(self._module).items() if callable(value) and not each.startswith("_")
            )
            message = (
                f"{self.path} defines no function {name}(); a scoring script has init() and run(mini_batch). It "
                f"defines: {', '.join(defined) or 'nothing that can be called'}."
            )
            raise ScriptFault(message)
        return found  # type: ignore[no-any-return]  # it is callable

    def _call(self, what: str, function: Callable[[], object], kind: str) -> None:
        try:
            function()
        except BaseException as error:
            found = described(error, self.folder)
            place = f" ({found['place']})" if found["place"] else ""
            message = f"{what.format(self.path, found['error'] + place)}\n{found['traceback']}"
            raise ScriptFault(message, kind=kind) from error


def described(error: BaseException, folder: str) -> dict[str, Any]:
    """Describe what a script raised: its text, the last place in the script's own code, and the frames there."""
    found = traceback.TracebackException.from_exception(error)
    text = "".join(found.format_exception_only()).strip()[:_MOST_TEXT]
    for each in _chain(found):
        _keep_own(each, folder)
    last = found.stack[-1] if found.stack else None
    return {
        "error": text,
        "place": None if last is None else f"{os.path.basename(last.filename)}:{last.lineno}",  # noqa: PTH119
        "traceback": "".join(found.format())[-_MOST_TEXT:],
    }


def _chain(found: traceback.TracebackException) -> Iterator[traceback.TracebackException]:
    """Yield an exception, and those that it came from."""
    seen: set[int] = set()
    left: list[traceback.TracebackException | None] = [found]
    while left:
        each = left.pop()
        if each is not None and id(each) not in seen:
            seen.add(id(each))
            yield each
            left += [each.__cause__, each.__context__]


def _keep_own(found: traceback.TracebackException, folder: str) -> None:
    inside = str(folder).rstrip("/") + "/"
    own = [frame for frame in found.stack if frame.filename.startswith(inside)]
    found.stack = traceback.StackSummary.from_list(own)


class Openings:
    """Counts how often each file below a folder was opened to be written anew (0: only to be added to), by Python."""

    def __init__(self) -> None:
        """Count nothing yet."""
        self._folder: str | None = None
        self._counts: dict[str, int] = {}

    def watch(self, folder: str) -> None:
        """Count from now on; Python has no way to end it, so that it is done once in a process."""
        if self._folder is None:
            sys.addaudithook(self._note)
        self._folder = os.path.join(os.path.abspath(folder), "")  # noqa: PTH100, PTH118

    def add(self, counts: dict[str, int]) -> None:
        """Take in what another process has counted."""
        for name, number in counts.items():
            self._counts[name] = self._counts.get(name, 0) + number

    def taken(self) -> dict[str, int]:
        """Return the counts since the last call, by the path below the folder."""
        found, self._counts = self._counts, {}
        return found

    def _note(self, event: str, arguments: tuple[Any, ...]) -> None:
        if event != "open" or self._folder is None or not isinstance(arguments[2], int):
            return
        path, _, flags = arguments
        if flags & (os.O_WRONLY | os.O_RDWR) and isinstance(path, (str, bytes)):
            name = os.path.abspath(os.fsdecode(path))  # noqa: PTH100
            if name.startswith(self._folder):
                self.add({name[len(self._folder) :]: 1 if flags & os.O_TRUNC else 0})


openings = Openings()
