"""What a function takes as its mini-batch, told by the annotation of its first parameter.

Invariants: a DAG is parsed without pandas or pyarrow, so nothing is imported here: an annotation that is text (``from
__future__ import annotations``) is read as text, also where its module is imported for type checkers only.
"""

from __future__ import annotations

import inspect
import types
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args, get_origin

from airflow_batch_inference.exceptions import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable

Form: TypeAlias = Literal["pandas", "arrow", "texts", "paths"]
"""``texts`` and ``paths`` are lists of files, by their paths as text or as :class:`pathlib.Path`."""

_ACCEPTED = "pandas.DataFrame, pyarrow.Table, list[str] or list[Path]"
_BY_NAME: dict[str, Form] = {
    "pandas.DataFrame": "pandas",
    "pd.DataFrame": "pandas",
    "DataFrame": "pandas",
    "pyarrow.Table": "arrow",
    "pa.Table": "arrow",
    "Table": "arrow",
}
_BY_ITEM: dict[str, Form] = {"str": "texts", "Path": "paths", "pathlib.Path": "paths"}


def form_of(function: Callable[..., object]) -> Form:
    """Return what a function takes as its mini-batch: a data frame, an Arrow table, or paths of files.

    Raises
    ------
    ConfigurationError
        It has no parameter for it, no annotation, or another one; or it is a coroutine.

    Examples
    --------
    >>> def risk(batch: "pd.DataFrame", factor: float): ...
    >>> form_of(risk)
    'pandas'
    """
    name = getattr(function, "__name__", str(function))
    parameter = batch_parameter(function)
    annotation = parameter.annotation
    if annotation is inspect.Parameter.empty:
        message = f"@task.score: the parameter {parameter.name!r} of {name} has no annotation; it must be {_ACCEPTED}."
        raise ConfigurationError(message)
    spelled = annotation if isinstance(annotation, str) else _spelled(annotation)
    form = _form(spelled.replace(" ", "").strip("\"'"), getattr(function, "__globals__", {}))
    if form is None:
        message = f"@task.score: the parameter {parameter.name!r} of {name} is a {spelled}; it must be {_ACCEPTED}."
        raise ConfigurationError(message)
    return form


def batch_parameter(function: Callable[..., object]) -> inspect.Parameter:
    """Return the parameter that the mini-batch is given to.

    Raises
    ------
    ConfigurationError
        There is none, or the function is a coroutine.
    """
    if inspect.iscoroutinefunction(function):
        name = getattr(function, "__name__", str(function))
        message = f"@task.score: {name} is a coroutine. Write a plain function from a mini-batch to predictions."
        raise ConfigurationError(message)
    parameters = list(inspect.signature(function).parameters.values())
    kinds = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if not parameters or parameters[0].kind not in kinds:
        name = getattr(function, "__name__", str(function))
        message = (
            f"@task.score: {name} has no first parameter for the mini-batch. Give it one, such as batch: pd.DataFrame."
        )
        raise ConfigurationError(message)
    return parameters[0]


def _spelled(annotation: Any) -> str:  # noqa: ANN401  # whatever stands there
    """Return an annotation as it would be written, a class by its full name."""
    if get_origin(annotation) is list:
        return f"list[{', '.join(map(_spelled, get_args(annotation)))}]"
    if isinstance(annotation, type) and not isinstance(annotation, types.GenericAlias):
        module = annotation.__module__.partition(".")[0]
        return annotation.__name__ if module in ("builtins", "pathlib") else f"{module}.{annotation.__name__}"
    return str(annotation)


def _form(text: str, names: dict[str, Any]) -> Form | None:
    """Return the form that an annotation's text means; ``names`` are those that the function's file knows."""
    if text.startswith(("list[", "List[", "typing.List[")) and text.endswith("]"):
        return _BY_ITEM.get(text.partition("[")[2][:-1])
    root, dot, rest = text.partition(".")
    known = names.get(root)
    if isinstance(known, types.ModuleType):
        text = f"{known.__name__}{dot}{rest}"
    elif isinstance(known, type) and not dot:
        text = _spelled(known)
    return _BY_NAME.get(text)
