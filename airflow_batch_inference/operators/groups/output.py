"""What the columns of an output are, where they are not the input's and then the predictions."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.exceptions import ConfigurationError, require_one_of
from airflow_batch_inference.operators.arguments import mapping, names, optional_text
from airflow_batch_inference.operators.groups.base import ArgumentGroup

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_EVERYTHING = ("*",)


def _columns(name: str, value: object) -> tuple[str, ...]:
    return names(name, value) or _EVERYTHING


def _exclude(name: str, value: object) -> tuple[str, ...]:
    return names(name, value) or ()


def _separator(name: str, value: object) -> str | None:
    if value == "":
        message = (
            f"{name} is empty: the names of columns could not be told apart. Give '.' or another text, or None for one "
            "column a parent."
        )
        raise ConfigurationError(message)
    return None if optional_text(value) is None else str(value)


def _layout_name(name: str, value: object) -> str:
    from airflow_batch_inference.jobs.layout_registry import layout_names

    require_one_of(name, value, layout_names())
    return str(value)


@dataclass(frozen=True, kw_only=True)
class Layout(ArgumentGroup):
    """An output layout by its name: one that another package registers.

    :param name: the entry point's. (templated)
    :param arguments: what the layout takes, of plain JSON types. (templated)
    """

    name: str = field(kw_only=False)
    arguments: Mapping[str, Any] | None = None

    parsers: ClassVar[Mapping[str, Any]] = {"name": _layout_name, "arguments": mapping}

    def asked(self) -> tuple[str, dict[str, Any]]:
        """Return the layout's name, and its arguments."""
        return self.parse("name"), dict(self.parse("arguments"))


@dataclass(frozen=True, kw_only=True)
class WallarooLayout(ArgumentGroup):
    """Wallaroo's columns: ``time``, ``in.<field>``, ``out.<output>`` and ``check_failures``.

    :param columns: which of them, as its ``dataset``: ``*``, ``in``, ``out.<output>``, ``anomaly``, ``metadata``, …;
        None: ``*``. (templated)
    :param exclude: which of them not, as its ``dataset_exclude``. (templated)
    :param separator: between ``in`` and the field, as its ``dataset_separator``; None: the columns ``in`` and ``out``
        hold their fields (not in CSV). (templated)
    """

    columns: str | Sequence[str] | None = field(default=None, kw_only=False)
    exclude: str | Sequence[str] | None = None
    separator: str | None = "."

    parsers: ClassVar[Mapping[str, Any]] = {"columns": _columns, "exclude": _exclude, "separator": _separator}

    def asked(self) -> tuple[str, dict[str, Any]]:
        """Return the layout's name, and its arguments."""
        given = self.parse_all()
        columns, exclude = list(given["columns"]), list(given["exclude"])
        return "wallaroo", {"include": columns, "exclude": exclude, "separator": given["separator"]}


def require_layout(layout: object) -> Layout | WallarooLayout | None:
    """Return the layout that an argument means; None: the ordinary one.

    Raises
    ------
    ConfigurationError
        It is none.
    """
    if layout is None or isinstance(layout, (Layout, WallarooLayout)):
        return layout
    if isinstance(layout, str):
        return Layout(layout)
    message = f"layout is {layout!r}; it must be WallarooLayout(…), Layout(…), or the name of one."
    raise ConfigurationError(message)
