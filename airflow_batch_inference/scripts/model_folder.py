"""Where a script finds its model: in the folder that holds the model, or in the model's own.

Some scripts expect the name of the model's folder below it (``DIR/heart-classifier/model.pkl``); others take it for the
folder itself (``DIR/model.pkl``).

Invariants: it is one of the two, never a mixture, in which ``glob(DIR/*/*.pkl)`` could find a file that is none of the
model's; which one is first is read from the script, and the other is tried only where the first one fails.
"""

from __future__ import annotations

import ast
import itertools
import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.scripts.contracts import model_variables, told
from airflow_batch_inference.scripts.settings import MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_USUAL = "model"
_LISTING = frozenset({"listdir", "iterdir", "scandir", "glob", "iglob"})
_MOST_SHOWN = 20
_MOST_LOOKED_AT = 10_000
_OTHER_CAUSES = re.compile(
    r"\A[^\n]*(?:could not be loaded: (?:ModuleNotFound|Import|Syntax|Indentation|Tab)Error|raised (?:ModuleNotFound|"
    r"Import)Error|defines no function|is no Python file)"
)
_NOT_THERE = re.compile(r"FileNotFound|NotADirectory|IsADirectory|IndexError|StopIteration|[Nn]o such file|not exist")


@dataclass(slots=True)
class ModelFolder:
    """The folders that a script may be told of, and which of them it is.

    Attributes
    ----------
    choices
        The likelier one first; none where there is no model.
    model
        The model's private copy.
    """

    choices: tuple[str, ...] = ()
    model: Path | None = None
    at: int = 0
    _is_settled: bool = False
    _errors: list[str] = field(default_factory=list)

    @property
    def variables(self) -> dict[str, str]:
        """What the worker processes get."""
        return dict.fromkeys(model_variables(), self.choices[self.at]) if self.choices else {}

    def filled(self, arguments: Sequence[str]) -> tuple[str, ...]:
        """Put the model's path into the arguments of a script.

        Raises
        ------
        ConfigurationError
            There is no model.
        """
        if self.model is None and any(MODEL in each for each in arguments):
            message = f"program_arguments has {MODEL}, the path of the model, and there is none. Give model=."
            raise ConfigurationError(message)
        return tuple(each.replace(MODEL, str(self.model)) for each in arguments)

    def settle(self) -> None:
        """Keep what it is, as something has succeeded with it."""
        self._is_settled = True

    def turn(self, error: str) -> bool:
        """Take the other folder after an error of ``init()``; False where that has failed too, or cannot help."""
        if self.at or len(self.choices) < 2 or self._is_settled or _OTHER_CAUSES.match(error):
            return False
        self._errors.append(error)
        self.at = 1
        return True

    def turn_for_run(self, error: str) -> bool:
        """Take the other folder after an error of ``run()`` that names this one; and go back if it is none either."""
        if self._is_settled or len(self.choices) < 2 or self.choices[self.at] not in error:
            return False
        self.at, self._is_settled = 1 - self.at, self.at == 1
        return True

    def explained(self, error: str) -> str:
        """Return an error of ``init()`` with what the folder held, and with what the other one led to."""
        if self.model is None or not self.choices or _OTHER_CAUSES.match(error):
            return error
        errors = [*self._errors, error]
        shown = next((at for at, each in enumerate(errors) if not _NOT_THERE.search(each)), 0)
        text = f"{errors[shown].rstrip()}\n{told(model_variables())} held: {_held(Path(self.choices[shown]))}."
        if len(errors) > 1:
            other = errors[1 - shown].partition("\n")[0].rstrip(".")
            text += f" It was tried as {_held(Path(self.choices[1 - shown]), 3)} as well: {other}."
        return text


def _held(folder: Path, most: int = _MOST_SHOWN) -> str:
    """List some files below a folder."""
    walk = (each.relative_to(folder).as_posix() for each in sorted(folder.rglob("*")) if each.is_file())
    names = list(itertools.islice(walk, _MOST_LOOKED_AT))
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def model_folder(model: Path, sources: Iterable[str]) -> ModelFolder:
    """Return what the folder of a model's private copy may be.

    Parameters
    ----------
    model
        The copy, alone in its folder.
    sources
        The text of the script, and of its modules.
    """
    holder = str(model.parent)
    if not model.is_dir():
        return ModelFolder((holder,), model)
    is_named = model.name == _USUAL or any(_keeps_name(source, model.name) for source in sources)
    return ModelFolder((holder, str(model)) if is_named else (str(model), holder), model)


def _keeps_name(source: str, name: str) -> bool:
    """Say whether a script looks for the model in a folder of its name: it says the name, or looks into any folder."""
    try:
        tree = ast.parse(source)
    except (SyntaxError, ValueError):  # it is said where it is loaded
        return False
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) < _MOST_LOOKED_AT:
            parts = node.value.split("/")
            if name in parts or "*" in parts[:-1]:
                return True
        elif _is_first_of_listing(node):
            return True
    return False


def _is_first_of_listing(node: ast.AST) -> bool:
    """Say whether it is ``os.listdir(…)[0]``, ``next(path.iterdir())`` and the like: the one folder that there is."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "next":
        inner: ast.AST | None = node.args[0] if node.args else None
    else:
        inner = node.value if isinstance(node, ast.Subscript) else None
    while isinstance(inner, ast.Call):
        called = inner.func
        name = called.attr if isinstance(called, ast.Attribute) else getattr(called, "id", "")
        if name in _LISTING:
            return not any(
                isinstance(each, ast.Constant) and isinstance(each.value, str) and each.value not in ("*", "*/")
                for each in inner.args
            )
        inner = inner.args[0] if inner.args else None  # list(…), sorted(…)
    return False
