"""URIs are refused before they do harm; a name is one segment of a path, and no other folder's."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.storage.uris import (
    FoundUri,
    beginning_of,
    decode_segment,
    encode_segment,
    is_record_uri,
    is_task_uri,
    join_uri,
    normalize_uri,
    redact,
    task_folder,
    task_of,
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


LONG = [
    "a" * 249, "a" * 250, "a" * 248 + "b", "表" * 30, "表" * 31, "Ü" * 85, ":" * 90, "~" * 100, "." * 300, "%7E" * 90,
    "manual__" + "2013-04-08T00:00:00+00:00" * 9, "a" * 99 + ":" * 90, "a" * 98 + ":" * 90, "a" * 97 + "é" * 90,
]  # fmt: skip


def test_long_text_is_a_short_segment_of_its_own():
    segments = [encode_segment(value) for value in LONG]
    assert len(set(segments)) == len(LONG)
    for value, segment in zip(LONG, segments, strict=True):
        assert len(segment) <= 200
        assert re.fullmatch(r"[A-Za-z0-9_.~-]+", segment)
        assert encode_segment(value) == segment
        if "~~" in segment:
            assert decode_segment(segment) is None
            assert value.startswith(beginning_of(segment))
            assert len(beginning_of(segment)) >= 10
        else:
            assert decode_segment(segment) == value
    assert sum("~~" in segment for segment in segments) >= 12


@pytest.mark.parametrize(
    "value", ["a" * 200, ":" * 66 + "aa", "表" * 22 + "aa", "a~~b", "~~", "a" * 100 + "~~" + "0" * 32]
)
def test_text_that_fits_is_whole_and_never_taken_for_a_digest(value):
    assert decode_segment(encode_segment(value)) == value


@given(st.text(min_size=1, max_size=300), st.text(min_size=1, max_size=300))
def test_segments_of_any_two_texts_differ(one, other):
    try:
        segments = encode_segment(one), encode_segment(other)
    except UnicodeEncodeError:  # half of a surrogate pair is no text
        return
    assert (segments[0] == segments[1]) is (one == other)
    assert all(0 < len(segment) <= 200 and "/" not in segment for segment in segments)


def test_a_task_with_long_ids_is_known_again_by_another_of_its_run():
    one = TaskKey(dag_id="表" * 60, run_id="r:" * 100, task_id="drift", map_index=3)
    uri = join_uri(task_folder("s3://bucket/artifacts", one), "drift_results.json")
    assert len(uri) < 600
    assert task_of(uri) is None
    assert is_task_uri(uri)
    assert task_of(uri, like=TaskKey(dag_id=one.dag_id, run_id=one.run_id, task_id="gate")) == one
    assert task_of(uri, like=TaskKey(dag_id=one.dag_id, run_id="another", task_id="gate")) is None
    longest = TaskKey(dag_id="d" * 250, run_id="r" * 250, task_id="t" * 250)
    key = join_uri(task_folder("s3://bucket", longest), "data", "0" * 16, "part-00000-" + "0" * 80 + ".parquet")
    assert len(key) < 1024


def test_a_tasks_folder_is_its_own():
    tasks = [
        TaskKey(dag_id=d, run_id="r", task_id=t, map_index=i) for d in ("a", "a/b") for t in ("t", "b") for i in (-1, 0)
    ]
    assert len({task_folder("/root", task) for task in tasks}) == 8


@pytest.mark.parametrize("value", ["/data/x.json", "/data", None, ["/a"], "/data/-123.json", 5])
def test_other_uris_are_no_records(value):
    assert not is_record_uri(value)


def test_what_was_found_is_never_told_by_what_was_given():
    name = "s3://bucket/a?b=1"
    for _ in range(2):  # the second time it is remembered
        assert isinstance(normalize_uri(FoundUri(name)), FoundUri)
        with pytest.raises(ConfigurationError):
            normalize_uri(name)
