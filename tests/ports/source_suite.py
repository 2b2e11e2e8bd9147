"""What holds of every source, whoever made it."""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import InputChangedError
from airflow_batch_inference.formats.units import RowRange
from airflow_batch_inference.jobs.encoding import Decoder, Encoder, Handover
from airflow_batch_inference.jobs.plan import plan_parts, versions_of
from airflow_batch_inference.sources.cursor import Cursor
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.sources.dataset import Dataset


def rows_of(dataset: Dataset, ranges: Sequence[RowRange] | None = None, rows: int = 37) -> list[tuple[object, ...]]:
    """Return the label, the row's number and the values of each row."""
    cursor = Cursor()
    return [
        (*batch.locate(at), *values.values())
        for batch in dataset.mini_batches(rows, ranges=ranges, cursor=cursor)
        for at, values in enumerate(batch.table.to_pylist())
    ]


class SourceSuite:
    """A subclass gives the fixtures ``given`` (a dataset of at least 200 rows) and ``change`` (changes it, or None)."""

    @pytest.fixture
    def opened(self, given):
        return open_dataset(given, Storage())

    def test_it_is_the_same_however_often_it_is_opened(self, given, opened):
        again = open_dataset(given, Storage())
        assert again.identity == opened.identity
        assert again.schema.equals(opened.schema)
        assert rows_of(again) == rows_of(opened)

    def test_its_rows_are_numbered_from_0_in_each_split_and_counted_by_its_units(self, opened):
        found = rows_of(opened)
        expected = [
            (split.label, row)
            for split in opened.source.splits
            for row in range(sum(unit.rows for unit in split.units))
        ]
        assert [row[:2] for row in found] == expected
        assert len(found) >= 200
        assert opened.count_rows() == len(found)

    def test_any_run_of_rows_is_what_a_reading_of_all_gives(self, opened):
        whole = rows_of(opened)
        rng = np.random.default_rng(3)
        first = 0
        for at, split in enumerate(opened.source.splits):
            before = 0
            for unit in split.units:
                for _ in range(4):
                    skip = int(rng.integers(unit.rows)) if unit.divisible else 0
                    rows = int(rng.integers(1, unit.rows - skip + 1)) if unit.divisible else unit.rows
                    wanted = RowRange(at, unit.start, unit.stop, skip, before + skip, rows)
                    start = first + before + skip
                    assert rows_of(opened, [wanted]) == whole[start : start + rows]
                before += unit.rows
            first += before

    def test_its_parts_are_all_of_its_rows(self, opened):
        plans = plan_parts(opened.units)
        assert [row for plan in plans for row in rows_of(opened, plan.ranges)] == rows_of(opened)

    def test_columns_that_are_not_wanted_change_nothing(self, opened):
        whole = opened.whole()
        for name in opened.schema.names:
            assert opened.select([name]).whole().column(name).equals(whole.column(name))
        turned = list(reversed(opened.schema.names))
        assert opened.select(turned).whole().equals(whole.select(turned))

    def test_another_process_reads_the_same(self, opened):
        handover = Handover()
        text = Encoder(handover).encode(opened.for_transport())
        there = Decoder(pickle.loads(pickle.dumps(handover.objects))).decode(text, where="a pipe")
        assert rows_of(there) == rows_of(opened)
        assert there.identity == opened.identity

    def test_what_it_was_made_of_tells_it_from_others_and_does_not_change_by_itself(self, opened):
        assert len(set(opened.identity)) == len(opened.identity) >= 1
        opened.require_unchanged()
        for plan in plan_parts(opened.units):
            assert set(versions_of(opened, plan)) <= set(opened.identity)

    def test_a_change_is_another_source_and_noticed_by_who_reads(self, given, opened, change):
        if change is None:
            pytest.skip("nothing can change it")
        before = opened.identity
        change()
        assert open_dataset(given, Storage()).identity != before
        with pytest.raises(InputChangedError):
            opened.require_unchanged()

    def test_it_says_what_it_is(self, opened):
        assert opened.name
        assert opened.source.describe()
        assert opened.schema.equals(pa.schema(list(opened.schema)))
