"""Rows that came with the request itself: inline records, arrays, data frames and Arrow tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_batch_inference.formats.units import Unit
from airflow_batch_inference.records import DataFile
from airflow_batch_inference.sources.base import Split
from airflow_batch_inference.sources.dataset import Dataset
from airflow_batch_inference.sources.digest import digest_of
from airflow_batch_inference.sources.inline import inline_table, is_inline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    import pyarrow as pa

    from airflow_batch_inference.sources.kinds import OpenRequest

INLINE = "the inline dataset"


@dataclass(frozen=True, slots=True)
class TableSource:
    """A table in memory, which is one split; see :class:`~airflow_batch_inference.sources.base.Source`."""

    table: pa.Table

    @property
    def is_inline(self) -> bool:
        """Yes."""
        return True

    @property
    def storage(self) -> None:
        """Nothing."""

    @property
    def splits(self) -> tuple[Split, ...]:
        """The table, of one unit."""
        unit = Unit(0, None, self.table.num_rows, self.table.nbytes, divisible=True)
        return (Split(label=INLINE, units=(unit,), columns=tuple(self.table.schema.names)),)

    @property
    def identity(self) -> tuple[DataFile, ...]:
        """The table's digest."""
        digest = digest_of(self.table)
        return (DataFile(uri=f"inline:{digest}", size_bytes=self.table.nbytes, version=digest),)

    def tables(self, split: int, columns: Sequence[str], *, start: int, stop: int | None) -> Iterator[pa.Table]:  # noqa: ARG002  # there is one split of one unit
        """Yield the table."""
        yield self.table.select(list(columns))

    def require_unchanged(self, splits: Iterable[int]) -> None:
        """Do nothing: nobody can change it."""

    def for_transport(self) -> TableSource:
        """Return it as it is."""
        return self

    def describe(self) -> str:
        """Return what it is."""
        return "inline"


class InlineKind:
    """Lists, dicts, arrays, data frames and tables."""

    def claims(self, dataset: object) -> bool:
        """Take what is no URI."""
        return is_inline(dataset)

    def open(self, dataset: object, request: OpenRequest) -> Dataset:
        """Make one table of it.

        Raises
        ------
        ConfigurationError, DataError
            It is no table.
        """
        table = inline_table(
            dataset,
            feature_columns=request.feature_columns,
            dropped=request.dropped_positions,
            model_names=request.model_names,
            is_scored=request.is_scored,
        )
        return Dataset(name=INLINE, source=TableSource(table), schema=table.schema)
