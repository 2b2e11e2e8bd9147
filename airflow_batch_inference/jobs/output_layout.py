"""The output of a scoring job in another layout than "the input's columns, then the predictions".

With checks it has ``check_failures`` at its end; as Wallaroo's it has the columns of
:mod:`~airflow_batch_inference.jobs.result_columns`. Invariants: all but ``metadata.elapsed`` depends on
the job alone, so that a part that is scored again has the same bytes.
"""

from __future__ import annotations

import uuid
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from airflow_batch_inference.checks.checks import Check, Marked, columns_read, mark
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.jobs.result_columns import (
    ANOMALY,
    CHECKS,
    ELAPSED,
    INPUT,
    LAST_MODEL,
    METADATA,
    OUTPUT,
    TIME,
    VERSION,
    ColumnChoice,
    Leaf,
    leaves,
    require_different,
)
from airflow_batch_inference.predictors.nesting import nested
from airflow_batch_inference.records import fingerprint
from airflow_batch_inference.schema.casts import cast
from airflow_batch_inference.schema.column_types import is_number, is_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.schema.inputs import InputPlan

MODEL_TYPE = pa.struct([("model_name", pa.string()), ("model_sha", pa.string())])
ELAPSED_TYPE = pa.list_(pa.int64())
TIME_TYPE = pa.timestamp("ms")
BESIDE = "out_"
"""Begins the groups of challengers' columns."""
_NAMESPACE = uuid.uuid5(uuid.NAMESPACE_DNS, "airflow-batch-inference")


@dataclass(frozen=True, slots=True, kw_only=True)
class Provenance:
    """What ``time`` and ``metadata.*`` say.

    Attributes
    ----------
    time_ms
        Milliseconds since 1970 in UTC: one value for all rows.
    model_name, model_sha
        Of the last model; no digest where it came from no file.
    version
        Of the models and checks together, a UUID.
    """

    time_ms: int
    model_name: str
    model_sha: str | None
    version: str

    def column(self, leaf: Leaf, rows: int, elapsed: Sequence[int]) -> pa.Array | None:
        """Return one of these columns; None for another one.

        Parameters
        ----------
        leaf
            Which one.
        rows
            Its length.
        elapsed
            Nanoseconds: of reading the input, then of each step.
        """
        values: dict[Leaf, tuple[object, pa.DataType]] = {
            Leaf("", TIME): (self.time_ms, TIME_TYPE),
            Leaf(METADATA, ELAPSED, is_default=False): (list(elapsed), ELAPSED_TYPE),
            Leaf(METADATA, LAST_MODEL, is_default=False): (
                {"model_name": self.model_name, "model_sha": self.model_sha},
                MODEL_TYPE,
            ),
            Leaf(METADATA, VERSION, is_default=False): (self.version, pa.string()),
        }
        if leaf not in values:
            return None
        value, kind = values[leaf]
        return pa.repeat(pa.scalar(value, kind), rows) if rows else pa.array([], kind)


def pipeline_version(digests: Iterable[str], checks: Iterable[Check]) -> str:
    """Return the UUID (version 5) that models and checks have together.

    Examples
    --------
    >>> pipeline_version(["a" * 64], ()) == pipeline_version(["b" * 64], ())
    False
    """
    return str(uuid.uuid5(_NAMESPACE, fingerprint([list(digests), [asdict(check) for check in checks]])))


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputLayout:
    """How the rows of a job are written.

    Attributes
    ----------
    base
        The ordinary output: passed-through columns, then predictions.
    passthrough
        How many of them are passed through.
    checks
        Validation checks.
    leaves
        The columns, where they are Wallaroo's; None: the ordinary ones and ``check_failures``.
    separator
        Within their names; None: the fields of a parent are one column.
    provenance
        What ``time`` and ``metadata.*`` say.
    inputs
        Which columns the model takes; checks may read them though they are not passed through.
    beside
        The groups of challengers' columns, as Wallaroo has them.
    """

    base: pa.Schema
    passthrough: int
    checks: tuple[Check, ...]
    leaves: tuple[Leaf, ...] | None
    separator: str | None
    provenance: Provenance | None
    inputs: InputPlan
    beside: tuple[str, ...] = ()

    @property
    def schema(self) -> pa.Schema:
        """The output's."""
        return self.table(self.base.empty_table(), Marked({c.name: np.zeros(0, bool) for c in self.checks}, 0)).schema

    @property
    def written_as(self) -> dict[str, str]:
        """Ordinary column to the name that it is written under, where it is written; with a dot where it is nested."""
        if self.leaves is None:
            return {name: name for name in self.base.names}
        names = self.base.names
        own = [Leaf(INPUT, name) for name in names[: self.passthrough]] + [
            _made(name, self.beside) for name in names[self.passthrough :]
        ]
        there = set(self.leaves)
        separator = self.separator or "."
        return {name: leaf.named(separator) for name, leaf in zip(names, own, strict=True) if leaf in there}

    def mark(self, table: pa.Table, predicted: Sequence[pa.Array]) -> Marked:
        """Evaluate the checks on scored rows."""
        rows = table.num_rows
        if not rows:
            return Marked({check.name: np.zeros(0, dtype=bool) for check in self.checks}, 0)
        kinds = dict(zip(self.inputs.columns, self.inputs.types, strict=True))
        labels = self.base.names[self.passthrough :]
        columns: dict[str, pa.Array | pa.ChunkedArray] = {
            _made(name, self.beside).path: values for name, values in zip(labels, predicted, strict=True)
        }
        wanted = columns_read(self.checks)
        for name in table.column_names:
            if f"{INPUT}.{name}" in wanted:
                columns[f"{INPUT}.{name}"] = as_number(table.column(name), kinds.get(name), name)
        return mark(self.checks, columns, rows)

    def table(self, base: pa.Table, marked: Marked, elapsed: Sequence[int] = (0, 0)) -> pa.Table:
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
        if self.leaves is None:
            return base.append_column(CHECKS, marked.failures)
        columns = {leaf: self._column(leaf, base, marked, elapsed) for leaf in self.leaves}
        if self.separator is None:
            return pa.table(nested({(leaf.group, leaf.name): values for leaf, values in columns.items()}))
        return pa.table(list(columns.values()), names=[leaf.named(self.separator) for leaf in columns])

    def _column(self, leaf: Leaf, base: pa.Table, marked: Marked, elapsed: Sequence[int]) -> pa.Array | pa.ChunkedArray:
        if leaf.group in (INPUT, OUTPUT):
            return base.column(leaf.name)
        if leaf.group in self.beside:
            return base.column(leaf.path)
        if leaf.group == ANOMALY or leaf.name == CHECKS:
            return marks_column(leaf, marked)
        return self.provenance.column(leaf, base.num_rows, elapsed) if self.provenance else None


def _made(name: str, beside: Sequence[str]) -> Leaf:
    """Return the place of what a model made: a challenger's columns have a group of their own, which ``beside`` has."""
    group, dot, output = name.partition(".")
    return Leaf(group, output) if dot and group in beside else Leaf(OUTPUT, name)


def marks_column(leaf: Leaf, marked: Marked) -> pa.Array:
    """Return ``check_failures``, ``anomaly.count`` or ``anomaly.<check>``."""
    return pa.array(marked.by_check[leaf.name]) if leaf.name in marked.by_check and leaf.group else marked.failures


def as_number(values: pa.ChunkedArray, kind: pa.DataType | None, name: str) -> pa.ChunkedArray:
    """Return text that the model takes as numbers as those numbers; other values as they are."""
    is_parsed = kind is not None and is_number(kind) and is_text(values.type)
    return cast(values, kind, name) if is_parsed else values


def make_output_layout(
    request: ScoringRequest,
    base: pa.Schema,
    passthrough: Sequence[str],
    inputs: InputPlan,
    there: pa.Schema,
) -> OutputLayout | None:
    """Return the layout that a job asks for; None for the ordinary output.

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
    options = request.options
    is_wallaroo = options.output_schema == "wallaroo"
    if not is_wallaroo and not options.checks:
        return None
    found = None
    choice = options.result_columns or ColumnChoice()
    beside = _groups_of_challengers(request) if is_wallaroo else ()
    if is_wallaroo:
        made = [_made(name, beside) for name in base.names[len(passthrough) :]]
        outputs = [leaf.name for leaf in made if leaf.group == OUTPUT]
        others = [leaf for leaf in made if leaf.group != OUTPUT]
        found = choice.of(leaves(passthrough, outputs, [check.name for check in options.checks], beside=others))
        require_different([leaf.named(choice.separator or ".") for leaf in found])
    elif CHECKS in base.names:
        message = (
            f"The output has a column {CHECKS!r} of its own, and checks would add another one. Leave it out with "
            "drop_columns, or rename it."
        )
        raise ConfigurationError(message)
    layout = OutputLayout(
        base=base,
        passthrough=len(passthrough),
        checks=options.checks,
        leaves=found,
        separator=choice.separator,
        provenance=_provenance(request) if is_wallaroo else None,
        inputs=inputs,
        beside=beside,
    )
    _try_checks(layout, there)
    return layout


def _groups_of_challengers(request: ScoringRequest) -> tuple[str, ...]:
    return tuple(f"{BESIDE}{name}" for name in request.models.challenger_names)


def _provenance(request: ScoringRequest) -> Provenance:
    time_ms, last = request.options.time_ms, request.models.output_model.record
    if time_ms is None:
        message = "output_schema is 'wallaroo', whose column time needs a time of the run; this run has none."
        raise ConfigurationError(message)
    digests = [source.record.sha256 for source in request.models.sources()]
    return Provenance(
        time_ms=time_ms,
        model_name=last.name,
        model_sha=last.sha256,
        version=pipeline_version(digests, request.options.checks),
    )


def _try_checks(layout: OutputLayout, there: pa.Schema) -> None:
    """Evaluate the checks on no rows: names and types are then known to be right before the first row is scored."""
    kinds = dict(zip(layout.inputs.columns, layout.inputs.types, strict=True))
    columns = {
        f"{INPUT}.{field.name}": as_number(pa.chunked_array([], field.type), kinds.get(field.name), field.name)
        for field in there
    }
    for field in list(layout.base)[layout.passthrough :]:
        columns[_made(field.name, layout.beside).path] = pa.chunked_array([], field.type)
    mark(layout.checks, columns, 0)
