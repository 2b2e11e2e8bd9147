"""Whatever a task has pushed or written, a page is drawn, in little memory."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from datetime import timedelta

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from airflow_runs import DAG, RUN, START

from airflow_batch_inference.plugin import preview
from airflow_batch_inference.plugin.html import duration, number, share, size, text
from airflow_batch_inference.plugin.runs import KEYS
from airflow_batch_inference.storage.store import Storage

DEEP = [1]
for _ in range(300):
    DEEP = [DEEP]
ODD = [
    "many",
    "",
    None,
    True,
    float("nan"),
    float("inf"),
    -1,
    0,
    2**70,
    10**400,
    -1e308,
    [],
    [1, "two", None],
    {"rows": {"nested": [1]}},
    {},
    DEEP,
    "<script>alert(1)</script>\x00\x1b[31m\u202e",
    "9" * 5_000,
    "file:///nowhere/prediction_set-" + "0" * 64 + ".json",
    "\ud800",
]


@pytest.mark.parametrize("value", ODD, ids=range(len(ODD)))
def test_every_page_is_drawn_whatever_a_key_holds(viewer, runs, root, value):
    good = {"rows": 5, "batch_id": "b", "drift_status": "NO_DRIFT", "drift_metric": 0.1, "model_sha256": "a" * 64}
    runs.add()
    runs.add(run_id="all", at=START + timedelta(minutes=1))
    runs.task("odd-all", dict.fromkeys(KEYS, value), run_id="all", operator="PredictOperator")
    for key in KEYS:
        runs.task(f"odd-{key}", good | {key: value}, operator="PredictOperator")
    pages = [("overview", {}), ("dag", {}), ("run", {"run_id": RUN}), ("run", {"run_id": "all"})]
    pages += [("task", {"run_id": RUN, "task_id": f"odd-{key}"}) for key in KEYS]
    pages += [(page, {"run_id": "all", "task_id": "odd-all"}) for page in ("task", "report")]
    for page, place in pages:
        answer = viewer.get(f"/batch-inference/{page}", params={"dag_id": DAG, **place})
        assert answer.status_code == (404 if page == "report" else 200)
        assert "</html>" in answer.text
        assert "This page cannot be shown" not in answer.text
        assert "<script" not in answer.text
        assert len(answer.content) < 120_000


def test_a_page_that_cannot_be_drawn_all_the_same_says_so(viewer, runs, root, monkeypatch):
    runs.add()

    def fail(*_, **__):
        raise OverflowError

    monkeypatch.setattr("airflow_batch_inference.plugin.run_page.render", fail)
    answer = viewer.get("/batch-inference/run", params={"dag_id": DAG, "run_id": RUN})
    assert answer.status_code == 200
    assert "This page cannot be shown" in answer.text
    assert "OverflowError" in answer.text


@pytest.mark.parametrize("value", [*ODD, 10**5000], ids=range(len(ODD) + 1))
def test_numbers_and_texts_of_a_page_are_made_of_anything(value):
    for make in (number, text, duration, size):
        assert isinstance(make(value), str)
    assert share(value, 10).endswith(" %")
    assert share(1, value).endswith(" %")


PREVIEW = """
import resource, sys
from airflow_batch_inference.plugin.preview import first_rows
from airflow_batch_inference.storage.store import Storage
import pyarrow.parquet, pyarrow.compute
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
resource.setrlimit(resource.RLIMIT_AS, (used + (600 << 20), used + (600 << 20)))
for path in sys.argv[1:]:
    print(first_rows(path, None, 10, Storage()), flush=True)
"""


def previews(*paths):
    """Read the first rows of files in a process that may take 600 MiB for it."""
    done = subprocess.run(
        [sys.executable, "-c", PREVIEW, *map(str, paths)], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr[-800:]
    return [line for line in done.stdout.splitlines() if line.startswith(("Preview(", "None"))]


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def varint(number):
    found = bytearray()
    while number > 127:
        found.append(number & 127 | 128)
        number >>= 7
    return bytes([*found, number])


def zeros(many, name="x"):
    """A list of so many zeros in one row: some hundred bytes."""
    values = pa.array(np.zeros(many, dtype=np.int64))
    return parquet(pa.table({name: pa.LargeListArray.from_arrays([0, many], values), "y": [1]}), compression="zstd")


def test_a_list_of_zeros_of_few_bytes_is_left_out_of_a_page(tmp_path):
    (tmp_path / "zeros.parquet").write_bytes(zeros(1 << 24))
    assert (tmp_path / "zeros.parquet").stat().st_size < 20_000
    (shown,) = previews(tmp_path / "zeros.parquet")
    assert "left_out=('x',)" in shown
    assert "rows=((1,),)" in shown


def test_a_footer_that_lies_about_its_pages_is_not_believed(tmp_path):
    """The same file, whose footer says 1 value where the pages have 2^24."""
    content = bytearray(zeros(1 << 24))
    told = varint(2 << 24)
    length = int.from_bytes(content[-8:-4], "little")
    footer = bytes(content[-8 - length : -8])
    assert told in footer
    lying = footer.replace(told, b"\x82\x80\x80\x80\x00"[: len(told) - 1].ljust(len(told) - 1, b"\x80") + b"\x00")
    (tmp_path / "lies.parquet").write_bytes(bytes(content[: -8 - length]) + lying + bytes(content[-8:]))
    chunk = pq.read_metadata(tmp_path / "lies.parquet").row_group(0).column(0)
    assert chunk.num_values < 1 << 20
    (shown,) = previews(tmp_path / "lies.parquet")
    assert "left_out=('x',)" in shown or shown == "None"


def test_long_values_that_stand_once_in_a_file_are_held_once(tmp_path):
    """Text, bytes, and text within lists and structs: 10 rows of 30 MB."""
    long = "x" * (30 << 20)
    kinds = {
        "text": pa.array([long] * 10),
        "bytes": pa.array([long.encode()] * 10),
        "list": pa.array([[long, "y"]] * 10),
        "struct": pa.array([{"a": long}] * 10),
    }
    for name, values in kinds.items():
        (tmp_path / f"{name}.parquet").write_bytes(parquet(pa.table({"x": values}), compression="zstd"))
    shown = previews(*(tmp_path / f"{name}.parquet" for name in kinds))
    assert [each.startswith("Preview(columns=('x',)") for each in shown] == [True] * 4
    assert all(len(each) < 60_000 for each in shown)
    assert "(31,457,280 bytes)" in shown[1]


def arrow(table, **options):
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
        writer.write_table(table)
    return sink.getvalue().to_pybytes()


def test_an_arrow_batch_of_few_bytes_that_unpacks_to_many_is_left_out_of_a_page(tmp_path):
    table = pa.table({"x": np.zeros(1 << 24), "y": np.zeros(1 << 24, dtype=np.int8)})
    (tmp_path / "x.arrow").write_bytes(arrow(table, compression="zstd"))
    assert (tmp_path / "x.arrow").stat().st_size < 100_000
    (shown,) = previews(tmp_path / "x.arrow")
    assert "columns=('y',)" in shown
    assert "left_out=('x',)" in shown


def test_an_arrow_file_with_offsets_that_lead_elsewhere_shows_nothing_of_it(tmp_path):
    offsets = pa.py_buffer(np.array([0, 5_000_000, 3], dtype=np.int32))
    bad = pa.Array.from_buffers(pa.string(), 2, [None, offsets, pa.py_buffer(b"abc")])
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, pa.schema([("x", pa.string())])) as writer:
        writer.write_batch(pa.record_batch([bad], names=["x"]))
    (tmp_path / "x.arrow").write_bytes(sink.getvalue().to_pybytes())
    assert previews(tmp_path / "x.arrow") == ["None"]


def test_too_little_memory_leaves_the_page_whole(tmp_path, monkeypatch):
    (tmp_path / "x.jsonl").write_text(json.dumps({"x": 1}) + "\n")

    def full(_):
        raise MemoryError

    monkeypatch.setattr(preview, "_document", full)
    assert preview.first_rows(str(tmp_path / "x.jsonl"), None, 5, Storage()) is None
