"""A Parquet footer that contradicts itself is refused in words, by tasks and by pages: Arrow would end the process."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
READ = """
import sys
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.plugin.preview import first_rows
from airflow_batch_inference.storage.store import Storage
for path in sys.argv[1:]:
    print(first_rows("file://" + path, None, 5, Storage()))
    try:
        print(list(open_dataset(path, Storage()).mini_batches(10)))
    except DataError as error:
        print(error, flush=True)
"""
_OPTIONAL, _REQUIRED = b"\x25\x02", b"\x25\x00"


def test_counts_of_levels_that_are_not_the_columns_end_no_process(tmp_path):
    table = pa.table({"key": ["a", "b", "c"], "odd": [{"p": 1}, None, {"p": None}]})
    pq.write_table(table, tmp_path / "x.parquet", compression="none")
    data = (tmp_path / "x.parquet").read_bytes()
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    paths = []
    for place in range(footer, len(data) - 8):
        if data[place : place + 2] == _OPTIONAL:
            paths.append(str(tmp_path / f"{place}.parquet"))
            (tmp_path / f"{place}.parquet").write_bytes(data[:place] + _REQUIRED + data[place + 2 :])
    assert len(paths) == 2
    done = subprocess.run([sys.executable, "-c", READ, *paths], capture_output=True, text=True, timeout=99, check=False)
    assert done.returncode == 0, done.stderr[-500:]
    for path in paths:
        assert f"file://{path} cannot be read: Definition level histogram size mismatch" in done.stdout
    assert done.stdout.count("\nNone\n") + done.stdout.startswith("None\n") == len(paths)  # no page shows it


def test_a_footer_whose_numbers_of_rows_differ_is_refused(tmp_path):
    path = tmp_path / "x.parquet"
    pq.write_table(pa.table({"key": range(1000)}), path, row_group_size=500)
    data = path.read_bytes()
    length = int.from_bytes(data[-8:-4], "little")
    footer = data[-8 - length : -8]
    rows = b"\x16\xd0\x0f"  # field by field: 1,000 rows
    assert footer.count(rows) == 1
    path.write_bytes(data[: -8 - length] + footer.replace(rows, b"\x16\xd2\x0f") + data[-8:])
    with pytest.raises(DataError, match=r"row groups have 1,000 rows, and it says that it has 1,001"):
        open_dataset(str(path), STORE)
