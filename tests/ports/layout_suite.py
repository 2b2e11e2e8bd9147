"""What holds of every output layout, whoever made it."""

from __future__ import annotations

import pickle

import numpy as np
import pyarrow as pa
import pytest

from airflow_batch_inference.checks.checks import parse_checks
from airflow_batch_inference.jobs.output_layout import JobOutput, get_layout
from airflow_batch_inference.schema.inputs import InputPlan
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

DATA = {"a": [1.0, 2.0, 3.0, 4.0], "b": [0.0, 1.0, 0.0, 1.0], "key": ["w", "x", "y", "z"]}
SCORED = pa.table({**DATA, "risk": [0.1, 0.2, 0.3, 0.4], "b.risk": [0.5, 0.6, 0.7, 0.8]})
CHECKS = parse_checks({"high": "in.a > 3", "key": "in.key == 'w'"})


class LayoutSuite:
    """Subclasses give ``name``, the layout's, and perhaps ``arguments``."""

    @pytest.fixture
    def arguments(self):
        return {}

    @pytest.fixture
    def layout(self, name, arguments):
        challenger = get_layout(name).challenger_column("b", "risk")
        base = SCORED.rename_columns([*SCORED.column_names[:-1], challenger])
        output = JobOutput(
            base=base.schema,
            passthrough=len(DATA),
            checks=CHECKS,
            inputs=InputPlan(columns=("a", "b"), names=("a", "b"), types=(pa.float64(),) * 2, ignored=()),
            challengers=("b",),
            model_name="churn",
            model_sha256="5" * 64,
            digests=("5" * 64,),
            time_ms=1_767_225_600_000,
        )
        return get_layout(name).of(output, arguments)

    def test_tables_have_its_schema_and_all_rows(self, layout):
        base = SCORED.rename_columns(layout.base.names)
        layout.try_checks(base.schema)
        marked = layout.mark(base, base.columns[len(DATA) :])
        assert [list(marks) for marks in marked.by_check.values()] == [[0, 0, 0, 1], [1, 0, 0, 0]]
        found = layout.table(base, marked, (1, 2))
        assert found.schema.equals(layout.schema)
        assert found.num_rows == 4
        assert layout.table(base, marked, (1, 2)).equals(found)

    def test_what_it_writes_is_found_under_the_name_that_it_says(self, layout):
        written, base = layout.written_as, SCORED.rename_columns(layout.base.names)
        assert written.keys() <= set(layout.base.names)
        found = layout.table(base, layout.mark(base, base.columns[len(DATA) :]))
        for name, called in written.items():
            assert found.column(called).to_pylist() == base.column(name).to_pylist()

    def test_it_goes_to_other_processes(self, layout):
        again = pickle.loads(pickle.dumps(layout))
        assert again.schema.equals(layout.schema)
        assert again.written_as == layout.written_as

    def test_a_challenger_takes_no_name_of_the_champion_s(self, name):
        named = get_layout(name).challenger_column
        assert len({named("b", "risk"), named("c", "risk"), named("b", "odds"), "risk", "odds"}) == 5

    def test_a_job_is_scored_again_to_the_same_bytes_and_verified(self, bench, name, arguments):
        path = bench.write("day.parquet", {column: np.repeat(values, 50) for column, values in DATA.items()})
        options = {"layout": name, "layout_arguments": arguments, "checks": CHECKS, "time_ms": 18}
        uri, first = bench.score(path, attempt="1", rows_per_batch=7, **options)
        assert verify(uri, Storage(), inputs=Storage()).problems == []
        for file in bench.root.rglob("*"):
            if file.is_file():
                file.unlink()
        _, second = bench.score(path, attempt="2", rows_per_batch=64, **options)
        assert [part.sha256 for part in second.parts] == [part.sha256 for part in first.parts]
        assert [spec.name for spec in first.columns] == bench.output(second).column_names
        assert first.rows_out == 200

    def test_no_rows_make_an_empty_set_with_the_same_columns(self, bench, name, arguments):
        options = {"layout": name, "layout_arguments": arguments, "time_ms": 18, "on_empty": "succeed"}
        kinds = [("a", pa.float64()), ("b", pa.float64()), ("key", pa.string())]
        _, empty = bench.score(bench.write("none.parquet", pa.schema(kinds).empty_table()), **options)
        _, full = bench.score(bench.write("day.parquet", DATA), attempt="2", **options)
        assert empty.columns == full.columns
