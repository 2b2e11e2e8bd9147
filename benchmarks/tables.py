"""The tables that the benchmarks score: narrow, wide and mixed, made from a seed in chunks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import numpy as np
    import pyarrow as pa

CITIES, PLANS, COUNTRIES, CHANNELS = 300, 5, 60, 12
_WORDS = ("late", "paid", "called", "moved", "waits", "asked", "new", "old", "store", "home", "gift", "return")
_NOTES = 20_000
_DAY_US = 86_400_000_000
_FIRST_DAY = 18_262  # 1 January 2020, in days since 1970


@dataclass(frozen=True, slots=True)
class Table:
    """A kind of table.

    Attributes
    ----------
    name
        What ``--tables`` takes.
    block
        Makes so many rows from a generator; the first is the number of the block's first row.
    chunk
        Rows that are made at once.
    keys
        The columns that name a row, as some contenders change the order.
    most
        So many rows are the most that are compared, unless all were asked for; None: any number.
    """

    name: str
    block: Callable[[int, int, np.random.Generator], pa.Table]
    chunk: int
    keys: tuple[str, ...]
    most: int | None = None

    def make(self, folder: Path, rows: int, seed: int = 0) -> Path:
        """Write so many rows as one Parquet file, with row groups of up to a chunk."""
        import numpy as np
        import pyarrow as pa
        import pyarrow.parquet as pq

        path = folder / f"{self.name}-{rows}.parquet"
        if path.exists():
            return path
        rng = np.random.default_rng(seed)
        schema = self.block(0, 1, np.random.default_rng(seed)).schema
        # As pandas and Arrow write by default, but for floats, which no dictionary makes smaller.
        small = [field.name for field in schema if not pa.types.is_floating(field.type)] or False
        with pq.ParquetWriter(path, schema, use_dictionary=small) as writer:
            for start in range(0, rows, self.chunk):
                writer.write_table(self.block(start, min(self.chunk, rows - start), rng))
        return path


def names(features: int) -> list[str]:
    """Return what the features of a table of numbers are called."""
    return [f"f{number:02d}" for number in range(features)]


def _numbers(features: int, dtype: str) -> Callable[[int, int, np.random.Generator], pa.Table]:
    def block(_start: int, rows: int, rng: np.random.Generator) -> pa.Table:
        import numpy as np
        import pyarrow as pa

        if dtype == "float64":
            return pa.table(list(rng.normal(size=(features, rows))), names(features))
        return pa.table(list(rng.standard_normal((features, rows), dtype=np.float32)), names(features))

    return block


def _mixed(start: int, rows: int, rng: np.random.Generator) -> pa.Table:
    """Return strings, dictionaries, times and numbers, one in fifty of most of them missing."""
    import numpy as np
    import pyarrow as pa

    def missing(values: np.ndarray, kind: pa.DataType | None = None) -> pa.Array:
        return pa.array(values, kind, mask=rng.random(rows) < 0.02)

    def chosen(what: str, number: int) -> pa.DictionaryArray:
        return pa.DictionaryArray.from_arrays(
            missing(rng.integers(0, number, rows, np.int32)), [f"{what} {place:03d}" for place in range(number)]
        )

    notes = pa.array([" ".join(np.take(_WORDS, places)) for places in _note_words()])
    day = rng.integers(_FIRST_DAY, _FIRST_DAY + 2_000, rows)
    return pa.table(
        {
            "id": pa.array(np.arange(start, start + rows)),
            "created": pa.array(day * _DAY_US + rng.integers(0, _DAY_US, rows), pa.timestamp("us", "UTC")),
            "last_seen": missing(day * _DAY_US + rng.integers(0, 90 * _DAY_US, rows), pa.timestamp("us")),
            "born": missing((day - rng.integers(6_000, 30_000, rows)).astype(np.int32), pa.date32()),
            "note": notes.take(missing(rng.integers(0, _NOTES, rows))),
            "country": chosen("country", COUNTRIES).cast(pa.string()),
            "channel": chosen("channel", CHANNELS).cast(pa.string()),
            "city": chosen("city", CITIES),
            "plan": chosen("plan", PLANS),
            "is_member": pa.array(rng.random(rows) < 0.3),
            "visits": pa.array(rng.poisson(4, rows)),
            "age": missing(rng.integers(18, 95, rows).astype(np.float64)),
            "income": missing(rng.lognormal(10, 1, rows)),
            "spent": missing(rng.gamma(2, 50, rows)),
            "score": missing(rng.standard_normal(rows, dtype=np.float32)),
            "balance": pa.array(rng.normal(0, 1_000, rows)),
        }
    )


def _note_words() -> np.ndarray:
    """Return the words of each note, the same for all blocks."""
    import numpy as np

    return np.random.default_rng(2).integers(0, len(_WORDS), (_NOTES, 6))


NARROW = Table("narrow", _numbers(20, "float64"), 500_000, ("f00", "f01"))
WIDE = Table("wide", _numbers(500, "float32"), 50_000, ("f00", "f01"), most=1_000_000)
MIXED = Table("mixed", _mixed, 250_000, ("id",))
TABLES = {table.name: table for table in (NARROW, WIDE, MIXED)}
