"""Packed arrays come back whole, or not at all."""

from __future__ import annotations

import base64
import zlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from airflow_batch_inference.drift.packing import pack, unpack_counts, unpack_numbers
from airflow_batch_inference.exceptions import ArtifactIntegrityError


@given(arrays(np.int64, st.integers(0, 50), elements=st.integers(-(2**63), 2**63 - 1)))
@settings(max_examples=40)
def test_counts_come_back_bit_by_bit(values):
    np.testing.assert_array_equal(unpack_counts(pack(values)), values)


@given(arrays(np.float64, st.integers(0, 50), elements=st.floats(width=64)))
@settings(max_examples=40)
def test_numbers_come_back_bit_by_bit_with_nan_and_infinities(values):
    assert unpack_numbers(pack(values)).tobytes() == values.tobytes()


def test_the_byte_order_of_a_machine_does_not_matter():
    values = np.array([1, 2, 3])
    assert pack(values.astype(">i8")) == pack(values.astype("<i8"))
    # Little-endian, whatever machine runs this: 1, 2 and 3 with seven zero bytes each.
    assert zlib.decompress(base64.b64decode(pack(values))) == b"".join(bytes([i, *[0] * 7]) for i in (1, 2, 3))


def test_what_was_unpacked_can_be_added_to():
    values = unpack_counts(pack(np.array([1, 2])))
    values += 1
    assert values.tolist() == [2, 3]


@pytest.mark.parametrize(
    "damage",
    [
        lambda text: text[:-5],
        lambda text: text[: len(text) // 2],
        lambda text: "*" + text[1:],
        lambda text: "",
        lambda text: base64.b64encode(b"not compressed").decode(),
        lambda text: base64.b64encode(zlib.compress(b"12345")).decode(),
    ],
)
def test_a_damaged_text_is_an_error_and_no_shorter_array(damage):
    text = damage(pack(np.arange(100)))
    for unpack in (unpack_counts, unpack_numbers):
        with pytest.raises(ArtifactIntegrityError, match="Run the task that wrote it again"):
            unpack(text)


def test_a_column_of_mostly_empty_bins_takes_little_room():
    counts = np.zeros(1000, np.int64)
    counts[::100] = 7
    assert len(pack(counts)) < 200


def test_a_text_that_unpacks_to_far_more_than_it_holds_is_refused_before_it_does():
    text = base64.b64encode(zlib.compress(bytes(80 << 20), 9)).decode()
    assert len(text) < 200_000
    with pytest.raises(ArtifactIntegrityError, match="more than 67,108,864 bytes"):
        unpack_numbers(text)
