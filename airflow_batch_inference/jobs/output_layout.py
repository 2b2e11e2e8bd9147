"""How the rows of a scoring job are written: the port of output layouts, and how a job finds the one that it asks for.

The ordinary layout has the input's columns, then the predictions, and with checks ``check_failures`` at its end. Others
are classes of their own (:mod:`.layout_registry`).

Invariants: what a layout writes depends on the job alone, but for the times that it is told, so that a part that is
scored again has the same bytes; and no layout is imported before it is asked for.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pyarrow as pa

from airflow_batch_inference.checks.checks import Check, Marked, columns_read, mark
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs.layout_registry import LAYOUTS
from airflow_batch_inference.predictors.challengers.names import challenger_column
from airflow_batch_inference.schema.casts import cast
from airflow_batch_inference.schema.column_types import is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.schema.inputs import InputPlan

CHECKS = "check_failures"
"""The column that counts how many checks hold for a row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class JobOutput:
    """What a job writes, and of what it is made.

    Attributes
    ----------
    base
        The ordinary output: passed-through columns, then predictions, then what is added to them.
    passthrough
        How many of them are passed through.
    checks
        Validation checks.
    inputs
        Which columns the model takes; checks may read them though they are not passed through.
    challengers
        The names of the challengers, whose columns are among the last ones.
    model_name, model_sha256
        Of the model that makes the predictions; no digest where it came from no file.
    digests
        Of all models.
    time_ms
        The run's time, in milliseconds since 1970 in UTC; None: it has none.
    """

    base: pa.Schema
    passthrough: int
    checks: tuple[Check, ...]
    inputs: InputPlan
    challengers: tuple[str, ...] = ()
    model_name: str = ""
    model_sha256: str | None = None
    digests: tuple[str, ...] = ()
    time_ms: int | None = None

    @property
    def passed(self) -> list[str]:
        """The columns that are passed through."""
        return list(self.base.names[: self.passthrough])

    @property
    def made(self) -> list[str]:
        """The columns that models have made."""
        return list(self.base.names[self.passthrough :])


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLayout:
    """The ordinary layout, and what others override of it. It goes to other processes.

    Attributes
    ----------
    output
        What the job writes.
    version
        Another one where the same arguments and rows give other bytes than before: it is part of the job's key.
    is_whole
        Whether each output of a model is one column, of lists where a row has several values.
    """

    output: JobOutput
    version: ClassVar[str] = "1"
    is_whole: ClassVar[bool] = False

    @classmethod
    def of(cls, output: JobOutput, arguments: Mapping[str, Any]) -> Self:  # noqa: ARG003  # others take some
        """Return the layout of a job.

        Parameters
        ----------
        output
            What the job writes.
        arguments
            What was given with the layout's name, of plain JSON types.

        Raises
        ------
        ConfigurationError
            An argument can never work, it names what is not there, or two columns would have one name.
        """
        if CHECKS in output.base.names:
            message = (
                f"The output has a column {CHECKS!r} of its own, and checks would add another one. Leave it out with "
                "drop_columns, or rename it."
            )
            raise ConfigurationError(message)
        return cls(output=output)

    @classmethod
    def input_fields(cls, arguments: Mapping[str, Any]) -> tuple[str, ...]:  # noqa: ARG003
        """Return the fields of the input that the arguments name: a dataset without files is taken to have them."""
        return ()

    @staticmethod
    def challenger_column(challenger: str, output: str) -> str:
        """Return what an output of a challenger is called among the ordinary columns."""
        return challenger_column(challenger, output)

    @property
    def base(self) -> pa.Schema:
        """The ordinary output."""
        return self.output.base

    @property
    def checks(self) -> tuple[Check, ...]:
        """Validation checks."""
        return self.output.checks

    @property
    def schema(self) -> pa.Schema:
        """The output's."""
        return self.table(self.base.empty_table(), Marked({c.name: np.zeros(0, bool) for c in self.checks}, 0)).schema

    @property
    def written_as(self) -> dict[str, str]:
        """Ordinary column to the name that it is written under, where it is written; with a dot where it is nested."""
        return {name: name for name in self.base.names}

    def checked_as(self, made: str) -> str:
        """Return what checks call a column that a model has made."""
        return f"out.{made}"

    def table(self, base: pa.Table, marked: Marked, elapsed: Sequence[int] = (0, 0)) -> pa.Table:  # noqa: ARG002
        """Return rows as they are written.

        Parameters
        ----------
        base
            The ordinary columns.
        marked
            What the checks say of these rows.
        elapsed
            Nanoseconds: of reading these rows, then of each step.
        """
        return base.append_column(CHECKS, marked.failures)

    def mark(self, table: pa.Table, predicted: Sequence[pa.Array]) -> Marked:
        """Evaluate the checks on scored rows."""
        rows = table.num_rows
        if not rows:
            return Marked({check.name: np.zeros(0, dtype=bool) for check in self.checks}, 0)
        columns: dict[str, pa.Array | pa.ChunkedArray] = {
            self.checked_as(name): values for name, values in zip(self.output.made, predicted, strict=True)
        }
        wanted, kinds = columns_read(self.checks), self._kinds()
        for name in table.column_names:
            if f"in.{name}" in wanted:
                columns[f"in.{name}"] = as_number(table.column(name), kinds.get(name), name)
        return mark(self.checks, columns, rows)

    def try_checks(self, there: pa.Schema) -> None:
        """Evaluate the checks on no rows: names and types are then known to be right before the first row is scored.

        Raises
        ------
        ConfigurationError
            A check names what is not there, or compares what cannot be compared.
        """
        kinds = self._kinds()
        columns = {
            f"in.{field.name}": as_number(pa.chunked_array([], field.type), kinds.get(field.name), field.name)
            for field in there
        }
        for field in list(self.base)[self.output.passthrough :]:
            columns[self.checked_as(field.name)] = pa.chunked_array([], field.type)
        mark(self.checks, columns, 0)

    def _kinds(self) -> dict[str, pa.DataType]:
        inputs = self.output.inputs
        return dict(zip(inputs.columns, inputs.types, strict=True))


def get_layout(name: str | None) -> type[OutputLayout]:
    """Return a layout by its name; the ordinary one for None.

    Raises
    ------
    ConfigurationError
        There is none of that name, or it cannot be imported.

    Examples
    --------
    >>> get_layout(None).challenger_column("b", "risk")
    'b.risk'
    """
    layout: type[OutputLayout] = OutputLayout if name is None else LAYOUTS.load(name)
    return layout


def make_output_layout(
    request: ScoringRequest,
    base: pa.Schema,
    passthrough: Sequence[str],
    inputs: InputPlan,
    there: pa.Schema,
) -> OutputLayout | None:
    """Return the layout that a job asks for; None for the ordinary output without checks.

    Parameters
    ----------
    request
        What is asked for.
    base, passthrough, inputs
        The ordinary output, its passed-through columns, and the model's inputs.
    there
        All columns that are read.

    Raises
    ------
    ConfigurationError
        A check or a column that is asked for names what is not there, or two columns would have one name.
    """
    options, last = request.options, request.models.output_model.record
    if options.layout is None and not options.checks:
        return None
    output = JobOutput(
        base=base,
        passthrough=len(passthrough),
        checks=options.checks,
        inputs=inputs,
        challengers=request.models.challenger_names,
        model_name=last.name,
        model_sha256=last.sha256,
        digests=tuple(source.record.sha256 for source in request.models.sources()),
        time_ms=options.time_ms,
    )
    layout = get_layout(options.layout).of(output, options.layout_arguments)
    layout.try_checks(there)
    return layout


def as_number(values: pa.ChunkedArray, kind: pa.DataType | None, name: str) -> pa.ChunkedArray:
    """Return text that the model takes as numbers as those numbers; other values as they are."""
    is_parsed = kind is not None and is_number(kind) and is_text(values.type)
    return cast(values, kind, name) if is_parsed else values
