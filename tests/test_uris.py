"""URIs are refused before they do harm; a name is one segment of a path, and no other folder's."""

from __future__ import annotations

import pytest

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.uris import (
    decode_segment,
    encode_segment,
    is_record_uri,
    normalize_uri,
    redact,
    task_folder,
)


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("/data/x", "file:///data/x"),
        ("file:///data//x/", "file:///data/x"),
        ("file:///data/./x", "file:///data/x"),
        ("local:///data/x", "file:///data/x"),
        ("S3://Bucket/Key/", "s3://Bucket/Key"),
        ("/data/with blank/ä%20.csv", "file:///data/with blank/ä%20.csv"),
        ("/data/part-?.csv", "file:///data/part-?.csv"),
    ],
)
def test_uris_have_one_form(uri, expected):
    assert normalize_uri(uri) == expected
    assert normalize_uri(expected) == expected


@pytest.mark.parametrize(
    "uri",
    [
        "",
        "   ",
        None,
        7,
        "relative/path",
        "~/data",
        "../data",
        "/data/../etc/passwd",
        "/data/%2e%2e/etc",
        "/data/%252e%252e/etc",
        "s3://bucket/a/../../b",
        "file://host/data",
        "file:data",
        "/data/\0x",
        "C:\\data",
        "s3://bucket\\key",
        "s3://user:secret@bucket/key",
        "s3://conn@bucket/key",
        "s3://bucket/key?X-Amz-Signature=secret",
        "simplecache::s3://bucket/key",
        "zip://x.csv::/data/x.zip",
    ],
)
def test_hostile_uris_are_refused_without_repeating_a_secret(uri):
    with pytest.raises(ConfigurationError) as excinfo:
        normalize_uri(uri)
    assert "secret" not in str(excinfo.value)


def test_messages_hide_credentials():
    assert redact("s3://user:secret@bucket/key?sig=secret") == "s3://…@bucket/key?…"


@pytest.mark.parametrize("value", ["", ".", "..", "a/b", "a b", "manual__2026-01-01T00:00:00+00:00", "ä", "%2F"])
def test_any_text_is_one_harmless_segment(value):
    segment = encode_segment(value)
    assert segment not in (".", "..")
    assert "/" not in segment
    assert decode_segment(segment) == value


def test_a_tasks_folder_is_its_own():
    tasks = [
        TaskKey(dag_id=d, run_id="r", task_id=t, map_index=i) for d in ("a", "a/b") for t in ("t", "b") for i in (-1, 0)
    ]
    assert len({task_folder("/root", task) for task in tasks}) == 8


@pytest.mark.parametrize("value", ["/data/x.json", "/data", None, ["/a"], "/data/-123.json", 5])
def test_other_uris_are_no_records(value):
    assert not is_record_uri(value)
