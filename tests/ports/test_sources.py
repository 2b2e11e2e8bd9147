"""Every source passes the suite of its port, and one of somebody else's as well; a job scores both alike."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.feather as feather
import pyarrow.parquet as pq
import pytest
from installed_package import install
from source_suite import SourceSuite

from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.sources import registry
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset

TOY = Path(__file__).with_name("toy_source.py")
_RNG = np.random.default_rng(5)
TABLE = pa.table({"a": _RNG.normal(size=300), "b": np.arange(300.0), "word": _RNG.choice(list("xyz"), 300)})
WRITE = {
    "parquet": lambda table, path: pq.write_table(table, path, row_group_size=70),
    "arrow": lambda table, path: feather.write_feather(table, path, chunksize=70),
    "csv": lambda table, path: table.to_pandas().to_csv(path, index=False),
    "jsonl": lambda table, path: table.to_pandas().to_json(path, orient="records", lines=True, double_precision=15),
}


class TestFiles(SourceSuite):
    @pytest.fixture(params=WRITE)
    def files(self, request, tmp_path):
        (tmp_path / "day=2").mkdir()
        paths = [tmp_path / f"0.{request.param}", tmp_path / "day=2" / f"1.{request.param}"]
        for at, path in enumerate(paths):
            WRITE[request.param](TABLE.slice(150 * at, 150), path)
        return paths, WRITE[request.param]

    @pytest.fixture
    def given(self, files, tmp_path):
        return str(tmp_path)

    @pytest.fixture
    def change(self, files):
        (_, path), write = files
        return lambda: write(TABLE.slice(0, 149), path)


class TestInline(SourceSuite):
    @pytest.fixture(params=["columns", "records", "frame", "table"])
    def given(self, request):
        made = {
            "columns": lambda: TABLE.to_pydict(),
            "records": lambda: TABLE.to_pylist(),
            "frame": lambda: pd.DataFrame(TABLE.to_pydict()),
            "table": lambda: TABLE,
        }
        return made[request.param]()

    @pytest.fixture
    def change(self):
        return None


class TestToy(SourceSuite):
    @pytest.fixture
    def given(self, monkeypatch, tmp_path):
        install(monkeypatch, tmp_path / "site", registry.GROUP, "numbers", TOY, attribute="NumbersKind")
        return "numbers:450"

    @pytest.fixture
    def change(self):
        return None

    @pytest.mark.parametrize("workers", [1, 2])
    def test_a_job_scores_it_as_it_scores_files(self, given, bench, workers):
        request = bench.request(given)
        _, record = score_dataset(request, storage=bench.storage, resources=Resources(max_workers=workers))
        numbers = np.arange(450.0)
        files = bench.write("in.parquet", {"a": numbers, "b": -numbers})
        _, other = score_dataset(bench.request(files), storage=bench.storage)
        assert bench.output(record).equals(bench.output(other))
        assert record.certificate.rows_in == record.certificate.rows_out == 450
        assert [file.uri for file in record.dataset] == ["numbers:range(0, 225)", "numbers:range(225, 450)"]
        assert score_dataset(request, storage=bench.storage)[1].parts == record.parts


def test_the_toy_is_short():
    assert len(TOY.read_text().splitlines()) < 60


def test_a_dataset_of_no_kind_is_refused():
    with pytest.raises(Exception, match="dataset is a int; give a URI"):
        registry.open_dataset(3, Storage())
