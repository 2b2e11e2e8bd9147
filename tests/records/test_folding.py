"""A commit of many files stays small: its lists lie beside it, and every reader has them."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from publishing import put

from airflow_batch_inference.cli import main
from airflow_batch_inference.exceptions import ArtifactIntegrityError, ArtifactNotFoundError
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.leftovers import leftovers, sweep_job
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.ledger.commit import commit, commit_of, committed
from airflow_batch_inference.records import DataFile, Part, folding
from airflow_batch_inference.records.folding import fold, is_folded, list_uris
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.workflows.verify import verify

ROWS = 100
BAD = (13, 57)


@pytest.fixture
def small_commits(monkeypatch):
    monkeypatch.setattr(folding, "MOST_BYTES", 0)
    monkeypatch.setattr(folding, "_FEW", 1)
    monkeypatch.setattr(folding, "ITEMS_A_FILE", 4)


@pytest.fixture
def scored(bench, make_model, monkeypatch):
    """``scored()``: a set of ten parts over two files, with two rejected rows."""
    monkeypatch.setattr(plan, "_PART_ROWS", 10)
    for file, rows in (("1", range(60)), ("2", range(60, ROWS))):
        bench.write(f"in/{file}.parquet", {"a": np.array(rows, dtype=float), "b": np.ones(len(rows))})

    def answer(batch):
        values = batch.column("a").to_numpy()
        if np.isin(values, BAD).any():
            raise ValueError("no such leaf")
        return values

    def score(**options):
        model = make_model(answer=answer)
        return bench.score(str(bench.folder / "in"), model=model, policy=RowPolicy(error_threshold=2), **options)

    return score


def path_of(uri):
    return Path(uri.removeprefix("file://"))


def test_an_ordinary_commit_has_the_bytes_of_its_record(bench, scored):
    uri, record = scored()
    assert bench.storage.read_bytes(uri) == record.to_json()
    assert not list(bench.root.rglob("_lists"))


@pytest.mark.usefixtures("small_commits")
def test_a_commit_whose_lists_lie_beside_it_is_read_as_the_same_record(bench, scored):
    uri, record = scored()
    data = bench.storage.read_bytes(uri)
    assert is_folded(data)
    assert not re.search(rb"part-0000\d-", data)
    lists = json.loads(data)["lists"]
    assert [(each["field"], each["items"]) for each in lists] == [
        *(("parts", 4), ("parts", 4), ("parts", 2), ("quarantine", 2), ("dataset", 2), ("dataset_rows", 2)),
    ]
    assert bench.storage.read_record(uri) == record
    assert len(record.parts) == 10
    assert bench.storage.read_record(uri).to_json() == record.to_json()
    assert commit_of(record, bench.storage) == (1, uri)


@pytest.mark.usefixtures("small_commits")
def test_everybody_who_reads_a_prediction_set_has_its_parts(bench, scored, tmp_path, capsys):
    uri, _ = scored(passthrough_columns="all")
    again = bench.storage.read_record(uri)
    assert verify(uri, bench.storage, inputs=bench.storage).problems == []
    rows = open_dataset(uri, bench.storage).whole()
    assert rows["a"].to_pylist() == [float(row) for row in range(ROWS) if row not in BAD]
    target = put(bench, again, tmp_path / "published")
    files = [file.uri for file in bench.storage.list_files(target) if file.uri.endswith(".parquet")]
    assert sum(pq.read_metadata(path_of(file)).num_rows for file in files) == ROWS - len(BAD)
    main(["inspect", uri])
    assert "10 part(s) of parquet" in capsys.readouterr().out
    main(["verify", uri])
    assert "10 part(s) and 2 of rejects" in capsys.readouterr().out


@pytest.mark.usefixtures("small_commits")
def test_the_same_job_is_not_scored_again_and_another_one_is(bench, scored, make_model):
    uri, record = scored()
    again, same = scored(attempt="2")
    assert (again, same) == (uri, record)
    key, folder = record.job_key, bench.request("").destination.folder
    assert committed(folder, key, bench.storage) == (uri, record)
    assert commit(folder, record, bench.storage) == (uri, record)
    other, _ = scored(attempt="3", name="another")
    assert other.endswith("0000000002.json")
    assert len(list(bench.root.rglob("_lists/dataset-*.json"))) == 1  # the same list has the same name
    assert verify(uri, bench.storage, inputs=bench.storage).problems == []


@pytest.mark.usefixtures("small_commits")
@pytest.mark.parametrize("damage", ["changed", "cut", "gone"])
def test_a_list_that_is_not_the_one_that_was_committed_is_an_error(bench, scored, damage):
    uri, record = scored()
    path = next(bench.root.rglob("_lists/parts-*.json"))
    data = path.read_bytes()
    if damage == "gone":
        path.unlink()
    else:
        path.write_bytes(data[:-1] if damage == "cut" else data.replace(b'"rows":10', b'"rows":11'))
    with pytest.raises(
        ArtifactNotFoundError if damage == "gone" else ArtifactIntegrityError,
        match="Nothing lies at" if damage == "gone" else "is not the list that the commit",
    ):
        bench.storage.read_record(uri)
    before = bench.files()
    sweep_job(bench.request("").destination.folder, record.job_key, bench.storage)
    assert bench.files() == before


@pytest.mark.usefixtures("small_commits")
@pytest.mark.parametrize("lists", [None, [], "x", [{"field": "parts"}], [{"field": "name", "uri": 1}]])
def test_a_commit_that_names_its_lists_otherwise_is_damaged(bench, scored, lists):
    uri, _ = scored()
    document = json.loads(bench.storage.read_bytes(uri))
    text = json.dumps({**document, "lists": lists}, indent=1, sort_keys=True)
    path_of(uri).write_text(text)
    with pytest.raises(ArtifactIntegrityError):
        bench.storage.read_record(uri)


@pytest.mark.usefixtures("small_commits")
def test_lists_are_swept_when_no_commit_names_them_and_never_before(bench, scored):
    uri, _ = scored()
    named = list_uris(bench.storage.read_bytes(uri), where=uri)
    folder = bench.request("").destination.folder
    left = f"{folder}/_lists/parts-{'0' * 64}.json"
    bench.storage.put_new(left, b"[]")
    found = leftovers(str(bench.root), bench.storage, older_than_s=-1)
    assert [each.uri for each in found] == [left]
    assert all(bench.storage.exists(each) for each in named)


def test_a_commit_of_very_many_files_has_less_than_a_megabyte(bench, scored):
    _, record = scored()
    folder = record.parts[0].uri.partition("/data/")[0]
    count = 30_000
    parts = tuple(
        Part(uri=f"{folder}/data/k/part-{at:05d}-é.parquet", rows=1, size_bytes=1, sha256=f"{at:064x}")
        for at in range(count - len(BAD))
    )
    many = replace(
        record,
        parts=parts,
        rows_in=count,
        rows_out=len(parts),
        certificate=replace(record.certificate, rows_in=count, rows_out=len(parts)),
        dataset=tuple(DataFile(uri=f"s3://in/{at}", size_bytes=1, version="v") for at in range(count)),
        dataset_rows=(1,) * count,
        dataset_uris=tuple(f"s3://in/{at}" for at in range(count)),
    )
    stored = fold(many, folder)
    assert len(stored.commit) < 1_000_000
    assert len(stored.lists) == 3 + 3 + 3 + 1  # of rows, there are ten thousand ones three times
    uri, _ = commit(f"{folder}2", many, bench.storage)
    assert bench.storage.read_record(uri) == many


def test_up_to_the_limit_the_lists_are_in_the_commit(bench, scored, monkeypatch):
    _, record = scored()
    monkeypatch.setattr(folding, "_FEW", 1)
    for limit, has_lists in ((folding._estimate(record), False), (folding._estimate(record) - 1, True)):
        monkeypatch.setattr(folding, "MOST_BYTES", limit)
        stored = fold(record, "file:///t")
        assert bool(stored.lists) == is_folded(stored.commit) == has_lists
    assert folding._estimate(record) >= len(record.to_json()) - 6_000
