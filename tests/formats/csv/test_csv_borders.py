"""A CSV file is cut between records, or not at all; and its ranges hold its rows, each once."""

from __future__ import annotations

import csv
import io
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_inference.formats.csv import borders as module
from airflow_batch_inference.formats.csv.borders import csv_borders
from airflow_batch_inference.formats.units import RowRange
from airflow_batch_inference.sources.cursor import Cursor
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage


def borders(text, every_rows=1):
    found = csv_borders(io.BytesIO(text.encode()), every_rows=every_rows)
    return None if found is None else [(border.offset, border.records) for border in found]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a,b\n1,2\n3,4\n", [(4, 1), (8, 2), (12, 3)]),
        ("a,b\n1,2\n3,4", [(4, 1), (8, 2), (11, 3)]),
        ("a,b\r\n1,2\r\n", [(5, 1), (10, 2)]),
        ("a,b\n\n1,2\n\n\n3,4\n", [(4, 1), (9, 2), (15, 3)]),
        ('a,b\n"x\ny",2\n3,4\n', [(4, 1), (12, 2), (16, 3)]),
        ('a,b\n"x""\ny",2\n', [(4, 1), (14, 2)]),
        ('"a\nb",c\n1,2\n', [(8, 1), (12, 2)]),
        ("a\n", [(2, 1)]),
        ("a", None),
        ("", None),
        ('a,b\n5" pipe,2\n', None),
        ('a,b\n"x"y,2\n', None),
        ('a,b\n"never closed,2\n', None),
        ("a,b\r1,2\r", None),
        ("a,b\n1,x\ry\n", None),
        ("a,b\n1,2\r", None),
    ],
)
def test_where_records_end(text, expected):
    assert borders(text) == expected


CELLS = st.text(st.sampled_from('ab",\n\r é0'), max_size=4)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(st.tuples(CELLS, CELLS), max_size=12),
    block=st.integers(1, 40),
    every=st.integers(1, 5),
    ends=st.sampled_from(["\n", "\r\n"]),
    last=st.booleans(),
)
def test_whatever_a_csv_writer_writes_is_cut_between_its_records(rows, block, every, ends, last):
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=ends).writerows([("k", "v"), *[(f"n{k}", v) for k, v in rows]])
    data = text.getvalue().encode()
    if not last:
        data = data.removesuffix(ends.encode())
    whole, module._BLOCK_BYTES = module._BLOCK_BYTES, block
    try:
        found = csv_borders(io.BytesIO(data), every_rows=every)
    finally:
        module._BLOCK_BYTES = whole
    if found is None:
        assert not rows or b"\r" in data.replace(b"\r\n", b"")  # a header without a line end; a return alone
        return
    assert found[-1].offset == len(data)
    assert found[-1].records == len(rows) + 1
    for left, right in zip([None, *found], found, strict=False):
        piece = data[left.offset if left else 0 : right.offset].decode()
        records = [record for record in csv.reader(io.StringIO(piece, newline="")) if record]
        assert len(records) == right.records - (left.records if left else 0)


@settings(max_examples=30, deadline=None)
@given(cuts=st.lists(st.integers(0, 5000), max_size=6), every=st.integers(50, 3000))
@pytest.mark.parametrize("suffix", ["csv", "jsonl", "parquet", "arrow"])
def test_ranges_of_any_format_hold_the_rows_of_the_file(tmp_path_factory, suffix, cuts, every):
    import pyarrow as pa
    import pyarrow.csv as pa_csv
    import pyarrow.parquet as pq

    folder = tmp_path_factory.mktemp("ranges")
    table = pa.table(
        {"n": list(range(5000)), "text": [f'row "{i}",\n' if i % 7 == 0 else f"t{i}" for i in range(5000)]}
    )
    path = folder / f"data.{suffix}"
    if suffix == "csv":
        pa_csv.write_csv(table, path)
    elif suffix == "parquet":
        pq.write_table(table, path, row_group_size=every)
    elif suffix == "arrow":
        with pa.ipc.new_file(str(path), table.schema) as writer:
            writer.write_table(table, max_chunksize=every)
    else:
        import json

        path.write_text("".join(json.dumps(row) + "\n" for row in table.to_pylist()))
    dataset = open_dataset(str(path), Storage())
    (units,) = dataset.units
    assert sum(unit.rows for unit in units) == 5000
    ranges, first = [], 0
    for unit in units:
        whole = RowRange(0, unit.start, unit.stop, 0, first, unit.rows)
        inside = sorted({cut for cut in cuts if 0 < cut < unit.rows}) if unit.divisible else []
        for start, stop in zip([0, *inside], [*inside, unit.rows], strict=True):
            ranges.append(replace(whole, skip=start, first_row=first + start, rows=stop - start))
        first += unit.rows
    cursor = Cursor()
    batches = [batch for each in ranges for batch in dataset.mini_batches(512, ranges=[each], cursor=cursor)]
    assert [n for batch in batches for n in batch.table.column("n").to_pylist()] == list(range(5000))
    places = [(o.first_row, o.rows) for batch in batches for o in batch.origins]
    assert [first for first, _ in places] == [0, *(first + rows for first, rows in places)][:-1]
    shuffled = [batch for each in reversed(ranges) for batch in dataset.mini_batches(512, ranges=[each], cursor=cursor)]
    assert sorted(n for batch in shuffled for n in batch.table.column("n").to_pylist()) == list(range(5000))
