"""Records are strict on the way in and canonical on the way out."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, asdict, replace

import pytest

from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.records import (
    CatalogEntry,
    CategoricalStatistics,
    Certificate,
    ModelRecord,
    NumericStatistics,
    Part,
    PredictionSetRecord,
    StatisticsRecord,
    TaskKey,
    decode_record,
    fingerprint,
)

TASK = TaskKey(dag_id="d", run_id="r", task_id="t")
ENTRY = CatalogEntry(
    name="prediction", artifact_kind="x", uri="file:///x", tag="", task=TASK, batch_id=None, logged_at="2026"
)
PARTS = tuple(Part(uri=f"file:///{rows}", rows=rows, size_bytes=1, sha256="0") for rows in (2, 3))
REJECTS = Part(uri="file:///q", rows=1, size_bytes=1, sha256="0")
CERTIFICATE = Certificate(
    rows_in=6, rows_out=5, rows_rejected=1, row_hash_in="00000000000000ff", row_hash_out="00000000000000f0",
    row_hash_rejected="000000000000000f",
)  # fmt: skip
PREDICTIONS = PredictionSetRecord(
    name="prediction", batch_id="b", job_key="k", task=TASK, model_uri="m", model_sha256="0", model_flavor="f",
    model_record_uri=None, baseline_uri=None, profile_uri=None, dataset=(), dataset_uris=(), output_format="parquet",
    columns=(), feature_columns=(), label_columns=(), dataset_rows=(), rows_in=6, rows_out=5, rows_rejected=1,
    kept=True, parts=PARTS, quarantine=(REJECTS,), certificate=CERTIFICATE, try_id="1", seconds={}, versions={},
)  # fmt: skip
STATISTICS = StatisticsRecord(
    rows=1,
    source=(),
    columns=(
        NumericStatistics(
            name="n", type="double", rows=1, missing=0, inf=0, mean=0.1, std=None, min=0.1, q25=0.1, q50=0.1, q75=0.1,
            max=0.1, edges=(0.0, 1.0), counts=(1,),
        ),
        CategoricalStatistics(name="c", type="string", rows=1, missing=0, counts=(("ä", 1),), other=0, distinct=1),
    ),
    skipped={},
)  # fmt: skip


@pytest.mark.parametrize("record", [ENTRY, PREDICTIONS, STATISTICS])
def test_a_record_comes_back_as_it_was_and_always_as_the_same_bytes(record):
    again = decode_record(record.to_json(), where="the test")
    assert again == record
    assert again.to_json() == record.to_json()


@pytest.mark.parametrize(
    "change",
    [
        {"unknown": 1},
        {"schema_version": 2},
        {"name": 7},
        {"name": None},
        {"task": {"dag_id": "d"}},
        {"task": {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": "0"}},
    ],
)
def test_what_is_not_exactly_the_schema_is_refused_with_its_place(change):
    with pytest.raises(ArtifactIntegrityError, match=r"file:///there.* is not a valid CatalogEntry"):
        CatalogEntry.from_json(json.dumps(ENTRY.to_dict() | change), where="file:///there")


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"kind": "other"}', b"\xff", b'"model"'])
def test_what_is_no_record_is_refused(data):
    with pytest.raises(ArtifactIntegrityError, match="is not a record"):
        decode_record(data, where="file:///there")


@pytest.mark.parametrize("change", [{"rows_in": 5}, {"rows_out": 4}, {"parts": PARTS[:1]}, {"quarantine": ()}])
def test_rows_that_do_not_add_up_are_refused(change):
    with pytest.raises(ValueError, match="do not add up"):
        replace(PREDICTIONS, **change)
    with pytest.raises(ArtifactIntegrityError, match="do not add up"):
        PredictionSetRecord.from_dict(PREDICTIONS.to_dict() | json.loads(json.dumps(change, default=asdict)))


@pytest.mark.parametrize("change", [{"rows_out": 6}, {"row_hash_out": "00000000000000f1"}, {"row_hash_in": "0f"}])
def test_a_certificate_whose_rows_or_hashes_do_not_add_up_is_refused(change):
    with pytest.raises(ValueError, match=r"rows (went in|that came out)"):
        replace(CERTIFICATE, **change)


def test_a_record_never_holds_a_nan():
    bad = replace(STATISTICS.columns[0], mean=float("nan"))
    with pytest.raises(ValueError, match="not JSON compliant"):
        replace(STATISTICS, columns=(bad,)).to_json()
    with pytest.raises(ArtifactIntegrityError, match="finite number"):
        StatisticsRecord.from_json(STATISTICS.to_json().replace(b'"mean": 0.1', b'"mean": NaN'), where="the test")


def test_a_record_cannot_be_changed():
    with pytest.raises(FrozenInstanceError):
        ENTRY.name = "other"


def test_fingerprints_tell_values_apart_and_ignore_the_order_of_keys():
    assert fingerprint({"a": 1, "b": [2, "ü"]}) == fingerprint({"b": [2, "ü"], "a": 1})
    assert len({fingerprint(value) for value in (1, "1", [1], {"1": 1}, None, 1.5)}) == 6


def test_a_models_record_names_why_it_is_trusted():
    document = {"trust": "because"}
    with pytest.raises(ArtifactIntegrityError):
        ModelRecord.from_dict(document)
