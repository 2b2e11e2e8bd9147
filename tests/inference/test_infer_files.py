"""Requests from files: formats by name, by argument, and what comes back."""

from __future__ import annotations

import json

import pandas as pd
import pyarrow as pa
import pyarrow.csv
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

import airflow_batch_inference as abi
from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError, DataError

DATA = pd.DataFrame({"a": [1.0, 2.0], "b": [0.5, 0.0]})
TABLE = pa.Table.from_pandas(DATA, preserve_index=False)


def arrow_file(path):
    with pa.OSFile(str(path), "wb") as sink, pa.ipc.new_file(sink, TABLE.schema) as writer:
        writer.write_table(TABLE)


WRITERS = {
    ".arrow": arrow_file,
    ".feather": lambda path: pyarrow.feather.write_feather(TABLE, path),
    ".parquet": lambda path: pq.write_table(TABLE, path),
    ".json": lambda path: DATA.to_json(path, orient="records"),
    ".jsonl": lambda path: DATA.to_json(path, orient="records", lines=True),
    ".csv": lambda path: DATA.to_csv(path, index=False),
}
KINDS = {".arrow": "arrow", ".feather": "feather", ".parquet": "parquet", ".json": "pandas-records"} | {
    ".jsonl": "jsonl",
    ".csv": "csv",
}


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_is_told_by_its_name_or_by_the_argument(make_model, tmp_path, suffix):
    path = tmp_path / f"request{suffix}"
    WRITERS[suffix](path)
    found = abi.infer_from_file(make_model(), str(path), dataset=["in", "out"])
    assert isinstance(found, pa.Table if suffix in (".arrow", ".feather", ".parquet") else pd.DataFrame)
    columns = found.to_pydict() if isinstance(found, pa.Table) else found.to_dict("list")
    assert columns == {"in.a": [1.0, 2.0], "in.b": [0.5, 0.0], "out.predicted_label": [3.0, 4.0]}
    other = tmp_path / "request.data"
    path.rename(other)
    assert type(abi.infer_from_file(make_model(), str(other), KINDS[suffix])) is type(found)


@pytest.mark.parametrize("data", [DATA.to_dict("list"), DATA.to_dict("records")])
def test_custom_json_is_answered_by_what_it_holds(make_model, tmp_path, data):
    path = tmp_path / "request.json"
    path.write_text(json.dumps(data))
    found = abi.infer_from_file(make_model(), str(path), data_format="custom-json")
    assert type(found) is type(data)


@pytest.mark.parametrize(
    ("name", "content", "kind", "error", "words"),
    [
        ("request.xlsx", "x", None, DataError, "The format of .*request.xlsx is unknown"),
        ("request.json", "{", None, DataError, "is no JSON"),
        ("request.json", '{"a": [1]}', None, DataError, "holds no pandas records"),
        ("request.json", "[1]", None, DataError, "holds no pandas records"),
        ("request.csv", "a,b\n1,2", "exel", ConfigurationError, "data_format is 'exel'"),
        ("request.csv", "a,b\n1,2", "parquet", DataError, "request.csv cannot be read as parquet"),
    ],
)
def test_what_cannot_be_read_is_named(make_model, tmp_path, name, content, kind, error, words):
    path = tmp_path / name
    path.write_text(content)
    with pytest.raises(error, match=words):
        abi.infer_from_file(make_model(), str(path), kind)


def test_a_file_that_is_not_there(make_model, tmp_path):
    with pytest.raises(ArtifactNotFoundError):
        abi.infer_from_file(make_model(), str(tmp_path / "none.parquet"))
