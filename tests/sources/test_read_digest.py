"""Other rows give another digest, whatever their type; the same ones the same, however a reader cuts them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.sources.read_digest import ReadDigest

COLUMNS = {
    "double": pa.array([1.5, -0.0, None, float("nan")]),
    "float": pa.array([1.5, 2.5, None, 4.5], pa.float32()),
    "half": pa.array(np.array([1.5, 2.5, 3.5, 4.5], np.float16)),
    "int8": pa.array([1, 2, None, -4], pa.int8()),
    "uint64": pa.array([1, 2, None, 2**64 - 1], pa.uint64()),
    "bool": pa.array([True, False, None, True]),
    "string": pa.array(["ab", "c", None, ""]),
    "large string": pa.array(["ab", "c", None, ""], pa.large_string()),
    "binary": pa.array([b"ab", b"c", None, b""]),
    "timestamp": pa.array([datetime(2026, 1, day, tzinfo=UTC) for day in (1, 2, 3, 4)]),
    "date": pa.array([date(2026, 1, day) for day in (1, 2, 3, 4)]),
    "decimal": pa.array([Decimal("1.5"), None, Decimal("2.5"), Decimal("3.5")]),
    "list": pa.array([[1.0, 2.0], None, [], [3.0]]),
    "struct": pa.array([{"a": 1, "b": "x"}, None, {"a": 2, "b": None}, {"a": 3, "b": "y"}]),
    "null": pa.nulls(4),
}


def digest(*tables):
    found = ReadDigest()
    for table in tables:
        found.add(table)
    return found.hexdigest()


@pytest.mark.parametrize("kind", COLUMNS)
def test_rows_have_one_digest_however_they_lie_in_memory(kind):
    values = COLUMNS[kind]
    table = pa.table({"x": values})
    cut = pa.chunked_array([values.slice(0, 1), values.slice(1, 0), values.slice(1)])
    shifted = pa.concat_arrays([values, values]).slice(4)
    assert digest(table) == digest(pa.table({"x": cut})) == digest(pa.table({"x": shifted}))
    empty = pa.table({"x": pa.chunked_array([], values.type)})
    assert digest(empty) == digest(table.slice(0, 0))


@pytest.mark.parametrize("kind", [kind for kind in COLUMNS if kind != "null"])
def test_each_change_of_a_row_gives_another_digest(kind):
    values = COLUMNS[kind]
    known = digest(pa.table({"x": values}))
    others = [
        values.take(pa.array([1, 0, 2, 3])),
        values.take(pa.array([0, 1, 3, 2])),
        values.take(pa.array([0, 0, 2, 3])),
        values.take(pa.array([0, 1, 2, None])),
        values.slice(0, 3),
        pa.concat_arrays([values, values.slice(0, 1)]),
    ]
    others = [other for other in others if not other.equals(values)]
    digests = [digest(pa.table({"x": other})) for other in others]
    assert known not in digests
    assert len(set(digests)) == len(digests)


def test_a_null_is_no_zero_and_text_that_is_cut_otherwise_is_other_text():
    assert digest(pa.table({"x": pa.array([0.0, None])})) != digest(pa.table({"x": pa.array([None, 0.0])}))
    assert digest(pa.table({"x": pa.array([0.0, None])})) != digest(pa.table({"x": pa.array([0.0, 0.0])}))
    assert digest(pa.table({"x": ["ab", "c"]})) != digest(pa.table({"x": ["a", "bc"]}))
    assert digest(pa.table({"x": ["", None]})) != digest(pa.table({"x": ["", ""]}))


def test_one_bit_of_a_million_rows_is_seen():
    values = np.random.default_rng(5).normal(size=100_000)
    known = digest(pa.table({"x": values}))
    for row, bit in ((0, 0), (77_777, 63), (99_999, 31)):
        changed = values.copy()
        changed.view(np.uint64)[row] ^= np.uint64(1) << np.uint64(bit)
        assert digest(pa.table({"x": changed})) != known


def test_columns_that_are_exchanged_are_seen():
    a, b = np.arange(5.0), np.arange(5.0) + 1
    assert digest(pa.table({"x": a, "y": b})) != digest(pa.table({"x": b, "y": a}))
