"""What is asked of a request: which columns its answer has, and what becomes of bad rows."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.compat.wallaroo.result_columns import EVERYTHING, OUTPUT, ColumnChoice, require_different
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.nesting import nested

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from airflow_batch_inference.compat.wallaroo.result_columns import Leaf
    from airflow_batch_inference.inference.forms import Column
    from airflow_batch_inference.inference.scored import OnError

_DEFAULT = (EVERYTHING,)


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What is asked of a request.

    Attributes
    ----------
    columns
        Which columns its answer has.
    on_error
        ``raise``: the first bad row is an error; ``null``: it has nulls, and its error in the column ``error``.
    is_bare
        Whether the answer holds the model's outputs alone, under their own names.
    """

    columns: ColumnChoice
    on_error: OnError
    is_bare: bool = False

    @classmethod
    def of(
        cls,
        *,
        dataset: str | Sequence[str] | None = None,
        dataset_exclude: str | Sequence[str] | None = None,
        dataset_separator: str | None = ".",
        on_error: str = "raise",
    ) -> Asked:
        """Check the arguments.

        Raises
        ------
        ConfigurationError
            One of them can never work.
        """
        if on_error not in ("raise", "null"):
            message = f"on_error is {on_error!r}; it must be 'raise' or 'null'."
            raise ConfigurationError(message)
        if dataset_separator is not None and not (isinstance(dataset_separator, str) and dataset_separator):
            found = "empty" if dataset_separator == "" else repr(dataset_separator)
            message = f"dataset_separator is {found}: give '.' or another text, or None for one column a parent."
            raise ConfigurationError(message)
        if dataset_separator is not None and dataset_separator.lower() in ("none", "null"):
            message = f"dataset_separator is the text {dataset_separator!r}: give None for one column a parent, or '.'."
            raise ConfigurationError(message)
        choice = ColumnChoice(
            include=_names("dataset", dataset) or _DEFAULT,
            exclude=_names("dataset_exclude", dataset_exclude),
            separator=dataset_separator,
        )
        return cls(columns=choice, on_error="null" if on_error == "null" else "raise")

    @property
    def is_default(self) -> bool:
        """Whether no columns were chosen."""
        return self.columns.include == _DEFAULT and not self.columns.exclude

    def bare(self) -> Asked:
        """Ask for the model's outputs alone.

        Raises
        ------
        ConfigurationError
            Others were chosen.
        """
        chosen = [*self.columns.include, *self.columns.exclude]
        if not self.is_default and any(name.partition(".")[0] != OUTPUT for name in chosen):
            message = (
                f"The answer to an array holds what the model returns and nothing else, but dataset={chosen} was asked "
                "for. Leave it out, or give a data frame, an Arrow table or a structured array."
            )
            raise ConfigurationError(message)
        return replace(self.outputs() if self.is_default else self, on_error="raise", is_bare=True)

    def outputs(self) -> Asked:
        """Ask for the model's outputs, under their own names."""
        return replace(self, columns=replace(self.columns, include=(OUTPUT,)), is_bare=True)

    def named(self, values: Mapping[Leaf, Column], table: pa.Table) -> dict[str, Column]:
        """Return an answer's columns by the names that they are to have.

        Parameters
        ----------
        values
            Each column, or the name of the field that it is.
        table
            The request's fields.

        Raises
        ------
        ConfigurationError
            Two would have one name.
        """
        if self.columns.separator is None and not self.is_bare:
            return dict(
                nested(
                    {
                        (leaf.group, leaf.name): table.column(column) if isinstance(column, str) else column
                        for leaf, column in values.items()
                    }
                )
            )
        separator = self.columns.separator or "."
        names = [leaf.name if self.is_bare else leaf.named(separator) for leaf in values]
        require_different(names)
        return dict(zip(names, values.values(), strict=True))


def _names(argument: str, given: object) -> tuple[str, ...]:
    names = () if given is None else (given,) if isinstance(given, str) else given
    if not isinstance(names, (list, tuple, set, frozenset)) or not all(isinstance(name, str) for name in names):
        message = f"{argument} is {given!r}; it must be a name such as 'out', or a list of names."
        raise ConfigurationError(message)
    return tuple(names)
