"""A source of somebody else's: ``numbers:<n>`` is the numbers from 0 to n - 1, in two splits."""

from __future__ import annotations

from dataclasses import dataclass

import pyarrow as pa

from airflow_batch_inference.formats.units import Unit
from airflow_batch_inference.records import DataFile
from airflow_batch_inference.sources.base import Split
from airflow_batch_inference.sources.dataset import Dataset

SCHEMA = pa.schema({"a": pa.float64(), "b": pa.float64()})
UNIT_ROWS = 100


@dataclass(frozen=True)
class Numbers:
    count: int
    is_inline = False
    storage = None
    ranges = property(lambda self: [range(self.count // 2), range(self.count // 2, self.count)])

    @property
    def identity(self):
        return tuple(DataFile(uri=f"numbers:{r}", size_bytes=len(r), version="1") for r in self.ranges)

    @property
    def splits(self):
        return tuple(map(self.split, self.identity, self.ranges))

    def split(self, version, numbers):
        starts = range(0, len(numbers), UNIT_ROWS)
        units = [Unit(at, at + UNIT_ROWS, min(UNIT_ROWS, len(numbers) - at), 1_600, divisible=True) for at in starts]
        return Split(label=version.uri, units=tuple(units), columns=tuple(SCHEMA.names), version=version)

    def tables(self, split, columns, *, start, stop):
        numbers = self.ranges[split][start:stop]
        for at in range(0, len(numbers), 64):
            values = pa.array(numbers[at : at + 64], pa.float64())
            yield pa.table({"a": values, "b": pa.compute.negate(values)}).select(list(columns))

    def require_unchanged(self, splits):
        pass

    def for_transport(self):
        return self

    def describe(self):
        return "numbers"


class NumbersKind:
    def claims(self, dataset):
        return isinstance(dataset, str) and dataset.startswith("numbers:")

    def open(self, dataset, request):
        return Dataset(name=dataset, source=Numbers(int(dataset.removeprefix("numbers:"))), schema=SCHEMA)
