"""A published output is checked again offline, and every kind of damage is found."""

from __future__ import annotations

import os
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.cli import main
from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.workflows.verify import verify

ROWS = 1000
BAD = (13, 500)


@pytest.fixture
def committed(bench, make_model, monkeypatch):
    """A set of five parts over two files, with two rejected rows."""
    monkeypatch.setattr("airflow_batch_inference.jobs.plan._PART_ROWS", 250)

    def answer(batch):
        values = batch.column("a").to_numpy()
        if np.isin(values, BAD).any():
            raise ValueError("no such leaf")
        return values

    for file, rows in (("1", range(600)), ("2", range(600, ROWS))):
        bench.write(f"in/{file}.parquet", {"a": np.array(rows, dtype=float), "b": np.ones(len(rows))})
    model = make_model(answer=answer)
    return bench.score(str(bench.folder / "in"), model=model, policy=RowPolicy(error_threshold=2))


def test_a_set_that_holds_is_said_to_hold_and_why(bench, committed):
    found = verify(committed[0], bench.storage, inputs=bench.storage)
    assert found.problems == []
    assert found.checks == [
        "5 part(s) and 2 of rejects have their digests and rows",
        "1,000 rows in = 998 out + 2 rejected, each once",
        "998 output rows have the columns of their input rows, in input order",
    ]


@pytest.mark.parametrize("which", ["data", "quarantine"])
@pytest.mark.parametrize("damage", ["flipped", "cut", "gone", "exchanged"])
def test_damaged_files_are_found(bench, committed, which, damage):
    uri, record = committed
    path = Path((record.parts if which == "data" else record.quarantine)[0].uri.removeprefix("file://"))
    content = bytearray(path.read_bytes())
    if damage == "flipped":
        content[len(content) // 2] ^= 1
    path.write_bytes(content[:-5] if damage == "cut" else content)
    if damage == "gone":
        path.unlink()
    if damage == "exchanged":
        other = (record.parts if which == "data" else record.quarantine)[1].uri.removeprefix("file://")
        path.write_bytes(Path(other).read_bytes())
    found = verify(uri, bench.storage)
    assert len(found.problems) == 1
    assert path.name in found.problems[0]


def test_a_commit_whose_numbers_were_changed_is_refused(bench, committed):
    uri, _ = committed
    path = Path(uri.removeprefix("file://"))
    path.write_text(path.read_text().replace('"rows_out": 998', '"rows_out": 999'))
    with pytest.raises(ArtifactIntegrityError, match="is not a valid PredictionSetRecord"):
        verify(uri, bench.storage)


def test_other_rejected_rows_than_the_certificates_are_found(bench, committed):
    uri, record = committed
    part = record.quarantine[0]
    path = Path(part.uri.removeprefix("file://"))
    table = pq.read_table(path)
    pq.write_table(table.set_column(1, "_row", [[14]]), path)
    commit = Path(uri.removeprefix("file://"))
    from airflow_batch_inference.storage.digests import sha256_of

    text = commit.read_text().replace(part.sha256, sha256_of(path))
    commit.write_text(text)
    assert verify(uri, bench.storage).problems == [
        "the certificate's hash of the rejected rows is not that of the quarantine"
    ]


def test_an_input_that_was_only_touched_is_compared_and_said_to_be_touched(bench, committed):
    path = bench.folder / "in" / "2.parquet"
    time.sleep(0.02)
    path.chmod(0o600)
    found = verify(committed[0], bench.storage, inputs=bench.storage)
    assert found.problems == []
    assert any("2.parquet was touched since it was scored" in check for check in found.checks)
    # Other rows in its place, with the same size and time: touched it seems, but its columns are not the output's.
    status = path.stat()
    other = pq.read_table(path)
    other = other.set_column(0, other.column_names[0], pc.add(other.column(0), 1.0))
    pq.write_table(other, path)
    assert path.stat().st_size == status.st_size
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
    found = verify(committed[0], bench.storage, inputs=bench.storage)
    assert ["differ" in problem for problem in found.problems] == [True]


def test_an_input_that_was_changed_since_is_said_to_be_changed(bench, committed):
    bench.write("in/2.parquet", {"a": np.zeros(400), "b": np.ones(400)})
    found = verify(committed[0], bench.storage, inputs=bench.storage)
    assert [problem.split("/")[-1] for problem in found.problems] == [
        "2.parquet was changed since it was scored: it cannot be compared"
    ]


def test_an_output_whose_rows_are_not_its_inputs_rows_is_found(bench, committed):
    uri, record = committed
    part = record.parts[1]
    path = Path(part.uri.removeprefix("file://"))
    table = pq.read_table(path)
    pq.write_table(table.take(np.arange(table.num_rows)[::-1]), path)
    from airflow_batch_inference.storage.digests import sha256_of

    commit = Path(uri.removeprefix("file://"))
    text = commit.read_text().replace(part.sha256, sha256_of(path))
    commit.write_text(text)
    (problem,) = verify(uri, bench.storage, inputs=bench.storage).problems
    assert "the output's columns differ from those of the input" in problem


def test_the_record_of_something_else_is_refused(bench):
    from airflow_batch_inference.records import StatisticsRecord

    uri = bench.storage.put_record(str(bench.root), "x", StatisticsRecord(rows=0, source=(), columns=(), skipped={}))
    with pytest.raises(ConfigurationError, match="is a statistics record, not the commit of a prediction set"):
        verify(uri, bench.storage)


def test_the_command_line_prints_what_holds_and_fails_where_something_does_not(bench, committed, capsys):
    uri, record = committed
    main(["verify", uri, "--inputs"])
    assert "ok       1,000 rows in = 998 out + 2 rejected, each once" in capsys.readouterr().out
    Path(record.parts[0].uri.removeprefix("file://")).unlink()
    with pytest.raises(SystemExit) as ended:
        main(["verify", uri])
    assert ended.value.code == 1
    assert "PROBLEM  Nothing lies at" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="ArtifactNotFoundError"):
        main(["verify", f"{uri}.not"])


def test_nan_in_a_column_that_is_passed_on_is_no_difference(bench):
    table = {"a": [1.0, 2.0], "b": [1.0, 2.0], "c": [float("nan"), None]}
    uri, _ = bench.score(bench.write("nan.parquet", pa.table(table)))
    assert verify(uri, bench.storage, inputs=bench.storage).problems == []
