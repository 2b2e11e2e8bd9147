"""An output with Wallaroo's columns: ``time``, ``in.<field>``, ``out.<output>``, ``check_failures`` and the rest.

Invariants: the order is that of :mod:`.result_columns`; each output of a model is one column; and challengers' columns
stand in groups of their own, ``out_<name>``.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar

import pyarrow as pa

from airflow_batch_inference.compat.wallaroo.provenance import Provenance, marks_column, pipeline_version
from airflow_batch_inference.compat.wallaroo.result_columns import (
    ANOMALY,
    INPUT,
    OUTPUT,
    ColumnChoice,
    Leaf,
    leaves,
    require_different,
)
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs.output_layout import CHECKS, JobOutput, OutputLayout
from airflow_batch_inference.predictors.nesting import nested

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Self

    from airflow_batch_inference.checks.checks import Marked

BESIDE = "out_"
"""Begins the groups of challengers' columns."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultLayout(OutputLayout):
    """The layout ``wallaroo``; its arguments are the fields of :class:`.result_columns.ColumnChoice`.

    Attributes
    ----------
    leaves
        The columns.
    separator
        Within their names; None: the fields of a parent are one column.
    provenance
        What ``time`` and ``metadata.*`` say.
    """

    leaves: tuple[Leaf, ...]
    separator: str | None
    provenance: Provenance
    is_whole: ClassVar[bool] = True

    @classmethod
    def of(cls, output: JobOutput, arguments: Mapping[str, Any]) -> Self:
        """See :class:`~airflow_batch_inference.jobs.output_layout.OutputLayout`."""
        choice = ColumnChoice.of_arguments(arguments)
        made = [_made(name, output) for name in output.made]
        found = choice.of(
            leaves(
                output.passed,
                [leaf.name for leaf in made if leaf.group == OUTPUT],
                [check.name for check in output.checks],
                beside=[leaf for leaf in made if leaf.group != OUTPUT],
            )
        )
        require_different([leaf.named(choice.separator or ".") for leaf in found])
        return cls(output=output, leaves=found, separator=choice.separator, provenance=_provenance(output))

    @classmethod
    def input_fields(cls, arguments: Mapping[str, Any]) -> tuple[str, ...]:
        """See :class:`~airflow_batch_inference.jobs.output_layout.OutputLayout`."""
        choice, parent = ColumnChoice.of_arguments(arguments), f"{INPUT}."
        named = [name for name in (*choice.include, *choice.exclude) if name.startswith(parent)]
        return tuple(name.removeprefix(parent) for name in named if name != f"{parent}*")

    @staticmethod
    def challenger_column(challenger: str, output: str) -> str:
        """See :class:`~airflow_batch_inference.jobs.output_layout.OutputLayout`.

        Examples
        --------
        >>> ResultLayout.challenger_column("b", "risk")
        'out_b.risk'
        """
        return f"{BESIDE}{challenger}.{output}"

    @property
    def written_as(self) -> dict[str, str]:
        """See :class:`~airflow_batch_inference.jobs.output_layout.OutputLayout`."""
        own = [Leaf(INPUT, name) for name in self.output.passed] + [
            _made(name, self.output) for name in self.output.made
        ]
        there, separator = set(self.leaves), self.separator or "."
        return {name: leaf.named(separator) for name, leaf in zip(self.base.names, own, strict=True) if leaf in there}

    def checked_as(self, made: str) -> str:
        """See :class:`~airflow_batch_inference.jobs.output_layout.OutputLayout`."""
        return _made(made, self.output).path

    def table(self, base: pa.Table, marked: Marked, elapsed: Sequence[int] = (0, 0)) -> pa.Table:
        """See :class:`~airflow_batch_inference.jobs.output_layout.OutputLayout`."""
        columns = {leaf: self._column(leaf, base, marked, elapsed) for leaf in self.leaves}
        if self.separator is None:
            return pa.table(nested({(leaf.group, leaf.name): values for leaf, values in columns.items()}))
        return pa.table(list(columns.values()), names=[leaf.named(self.separator) for leaf in columns])

    def _column(
        self, leaf: Leaf, base: pa.Table, marked: Marked, elapsed: Sequence[int]
    ) -> pa.Array | pa.ChunkedArray | None:
        if leaf.group in (INPUT, OUTPUT):
            return base.column(leaf.name)
        if leaf.group in _groups(self.output):
            return base.column(leaf.path)
        if leaf.group == ANOMALY or leaf.name == CHECKS:
            return marks_column(leaf, marked)
        return self.provenance.column(leaf, base.num_rows, elapsed)


def _groups(output: JobOutput) -> tuple[str, ...]:
    return tuple(f"{BESIDE}{name}" for name in output.challengers)


def _made(name: str, output: JobOutput) -> Leaf:
    """Return the place of what a model made: a challenger's columns have a group of their own."""
    group, dot, field = name.partition(".")
    return Leaf(group, field) if dot and group in _groups(output) else Leaf(OUTPUT, name)


def _provenance(output: JobOutput) -> Provenance:
    if output.time_ms is None:
        message = "layout is 'wallaroo', whose column time needs a time of the run; this run has none."
        raise ConfigurationError(message)
    return Provenance(
        time_ms=output.time_ms,
        model_name=output.model_name,
        model_sha=output.model_sha256,
        version=pipeline_version(output.digests, output.checks),
    )
