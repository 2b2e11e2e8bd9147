"""Many values in columns: small, as they were, and refused where a text was made up."""

from __future__ import annotations

import json

import pytest

from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.formats.units import RowRange
from airflow_batch_inference.jobs.encoding import Decoder, Encoder
from airflow_batch_inference.jobs.plan import PartPlan
from airflow_batch_inference.records import DataFile

PLANS = tuple(
    PartPlan(index=at, ranges=(RowRange(at, 0, 1, 0, 0, 1_000),), rows=1_000, size_bytes=80_000) for at in range(1_000)
)


def test_what_parts_have_in_common_stands_in_the_text_once():
    text = Encoder().encode(PLANS)
    assert len(text) < 12 * len(PLANS)
    assert Decoder().decode(text, where="here") == PLANS


def test_parts_of_several_ranges_come_back():
    plans = tuple(
        PartPlan(
            index=at, ranges=tuple(RowRange(at, 0, None, 0, 7, row) for row in range(at % 4)), rows=at, size_bytes=1
        )
        for at in range(200)
    )
    assert Decoder().decode(Encoder().encode(plans), where="here") == plans


def test_a_value_that_is_shared_is_shared_again():
    file = DataFile(uri="s3://a/b", size_bytes=1, version="v")
    found = Decoder().decode(Encoder().encode((file,) * 100), where="here")
    assert found == (file,) * 100
    assert len({id(each) for each in found}) == 1


@pytest.mark.parametrize(
    "column",
    [
        {},
        None,
        {"plain": [{"$": "float", "value": "nan"}]},
        {"plain": 5},
        {"one": 1, "n": 10**15},
        {"one": 1, "n": -1},
        {"lengths": {"plain": [1]}, "items": {"plain": [1, 2]}},
        {"class": "os:system", "n": 1, "fields": {}},
        {"class": "airflow_batch_inference.formats.units:Unit", "n": 1, "fields": {}},
        {"class": "airflow_batch_inference.jobs.request:RowPolicy", "n": 2, "fields": {"allow_nan": {"plain": [True]}}},
    ],
)
def test_a_text_that_was_made_up_is_refused(column):
    with pytest.raises(ArtifactIntegrityError, match="here is no description of a job"):
        Decoder().decode(json.dumps({"$": "many", "value": column}), where="here")
