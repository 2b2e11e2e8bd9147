"""What is encoded is what is decoded, and nothing but data is ever made of a text."""

from __future__ import annotations

import enum
import importlib
import json
import math
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import NamedTuple

import fsspec
import numpy as np
import pyarrow as pa
import pytest
from installed_package import install

from airflow_batch_inference.exceptions import (
    ArtifactIntegrityError,
    ConfigurationError,
    EnvironmentMismatchError,
    NotDescribableError,
)
from airflow_batch_inference.formats.units import Unit
from airflow_batch_inference.jobs.encoding import Decoder, Encoder, Handover
from airflow_batch_inference.jobs.request import RowPolicy, ScoringOptions
from airflow_batch_inference.records import ColumnSpec
from airflow_batch_inference.storage.store import Storage

KINDS = [
    None,
    True,
    -(2**70),
    0.1,
    'ä\n"',
    "\ud800",
    (1, ("a", None)),
    [1, [2]],
    {"a": 1, "b": {"c": (1,)}},
    {1: "a", "b": 2},
    {"$": "schema", "value": "os:system"},
    frozenset({"a", "b"}),
    {3, 1},
    (),
    {},
    pa.schema([pa.field("a", pa.list_(pa.float32()), nullable=False)], metadata={"k": "v"}),
    pa.struct([("x", pa.dictionary(pa.int8(), pa.string())), ("t", pa.timestamp("us", "Europe/Berlin"))]),
    pa.decimal128(30, 3),
    Unit(0, None, 7, 8, divisible=True),
    ScoringOptions(predict_kwargs={"a": [1, math.inf]}, passthrough_columns=("x",), on_mismatch={"*": "null"}),
    RowPolicy(max_rejected_fraction=0.1),
    (ColumnSpec(name="a", type="double"),),
    tuple(range(100)),
    (1, True, None, "a", -(2**70)) * 20,
    (1, True) * 50,
    (0.5, -0.0) * 50,
    (0.5, math.inf, 1) * 40,
    ((),) * 100,
    tuple((at,) * (at % 3) for at in range(100)),
    tuple((ColumnSpec(name=str(at), type="double"),) * (at % 3) for at in range(100)),
    tuple(Unit(at, None if at % 2 else at, 7, 8, divisible=bool(at % 3)) for at in range(100)),
    (pa.schema([("a", pa.int8())]), pa.schema([("b", pa.int8())])) * 50,
    tuple({"a": (at, [at])} for at in range(100)),
    tuple([at, str(at)] for at in range(100)),
    list(range(100)),
    [[[at]] for at in range(100)],
    {f"s3://a/{at}": [at, f"v{at}"] for at in range(100)},
    {(at, "$"): at for at in range(100)},
    {"$": 1, **{f"k{at}": None for at in range(100)}},
    tuple(RowPolicy() for _ in range(100)),
    (ColumnSpec(name="a", type="double"), None) * 50,
]


@pytest.mark.parametrize("value", KINDS, ids=lambda value: type(value).__name__)
def test_what_is_encoded_is_what_is_decoded(value):
    text = Encoder().encode(value)
    found = Decoder().decode(text, where="here")
    assert found == value
    assert type(found) is type(value)
    assert Encoder().encode(found) == text


def test_numbers_that_json_does_not_have_are_kept():
    found = Decoder().decode(Encoder().encode((math.nan, math.inf, -math.inf, -0.0)), where="here")
    assert math.isnan(found[0])
    assert found[1:3] == (math.inf, -math.inf)
    assert math.copysign(1, found[3]) == -1


@dataclass
class Own:
    """Of no package that has an entry point."""

    value: int


def test_a_schema_stands_in_a_text_once():
    first, second = pa.schema([pa.field("a", pa.int8())]), pa.schema([pa.field("a", pa.int8(), nullable=False)])
    value = (first, [second, {"x": first}], second, pa.int8())
    encoder, decoder = Encoder(), Decoder()
    text = encoder.encode(value)
    assert text == encoder.encode(value)
    assert text.count("/////") == 3
    for _ in range(2):
        found = decoder.decode(text, where="here")
        assert found == value
        assert found[0].field("a").nullable
        assert not found[2].field("a").nullable
    with pytest.raises(ArtifactIntegrityError, match="here is no description"):
        decoder.decode('{"$": "schema", "value": 0}', where="here")


class Word(enum.StrEnum):
    """Text that is more than text."""

    ONE = "one"


class Pair(NamedTuple):
    """A tuple that is more than a tuple."""

    first: int


NO_FORM = [object(), Own(1), print, 1j, Unit, pa.array([1]), Word.ONE, np.str_("a"), np.float64(1), Pair(1), date.min]


@pytest.mark.parametrize("value", NO_FORM, ids=range(len(NO_FORM)))
def test_what_has_no_form_is_refused(value):
    with pytest.raises(NotDescribableError, match="which only this process can have"):
        Encoder().encode({"model": value})


@pytest.mark.parametrize(
    "text",
    [
        '{"$": "os:system", "value": "true"}',
        '{"$": "subprocess:Popen", "args": "true"}',
        '{"$": "airflow_batch_inference.predictors.function:by_value", "value": 1, "function": 2}',
        '{"$": "airflow_batch_inference.jobs.encoding:Encoder.encode", "value": 1}',
        '{"$": "airflow_batch_inference.jobs.plan:_Packer.__init__.__globals__"}',
        '{"$": "airflow_batch_inference.formats.units:Unit", "start": 1}',
        '{"$": "airflow_batch_inference.formats.units:Unit", "stray": 1}',
        '{"$": "airflow_batch_inference.nowhere:Unit"}',
        '{"$": "airflow_batch_inference/../x:Unit"}',
        '{"$": "unknown", "value": 1}',
        '{"$": "schema", "value": "AAAA"}',
        '{"$": "schema", "value": 3}',
        '{"$": 3}',
        '{"$": "float", "value": "x"}',
        '{"$": "table"}',
        "[1",
        "[" * 100_000,
    ],
    ids=lambda text: text[:60],
)
def test_a_text_makes_nothing_but_data(text):
    with pytest.raises(ArtifactIntegrityError, match="here is no description of a job"):
        Decoder().decode(text, where="here")


@pytest.mark.parametrize("value", NO_FORM[1:], ids=range(1, len(NO_FORM)))
def test_what_has_no_form_is_handed_over_where_that_is_allowed(value):
    encoder = Encoder(hands_over="all")
    text = encoder.encode({"model": value})
    assert Decoder(encoder.handover.objects).decode(text, where="here")["model"] is value
    with pytest.raises(ConfigurationError, match="has a object that was not handed to this process"):
        Decoder().decode(text, where="here")


@pytest.mark.parametrize("value", [b"code", pa.table({"a": [1]}), Storage(filesystem_for=print)], ids=range(3))
def test_what_others_would_have_to_be_handed_is_refused_where_the_text_is_for_them(value):
    assert Encoder().encode(value)
    with pytest.raises(NotDescribableError, match="which only this process can have"):
        Encoder(hands_over="nothing").encode(value)


def test_what_json_cannot_hold_is_refused():
    endless = {}
    endless["a"] = endless
    for value in (10**5000, endless):
        with pytest.raises(NotDescribableError, match="a value that no description can have"):
            Encoder().encode(value)


def test_an_object_of_another_package_is_read_by_the_same_version_alone(monkeypatch, tmp_path):
    toy = Path(__file__).parent.parent / "ports" / "toy_source.py"
    install(monkeypatch, tmp_path, "airflow_batch_inference.sources", "numbers", toy, attribute="NumbersKind")
    value = importlib.import_module("toy_source").Numbers(7)
    text = Encoder().encode(value)
    assert json.loads(text) == {"$": "toy_source:Numbers@1", "count": 7}
    assert Decoder().decode(text, where="here") == value
    for other in ("@2", ""):
        with pytest.raises(
            EnvironmentMismatchError, match=r"planned with toy_source:Numbers of version .* has .*@1\. "
        ):
            Decoder().decode(text.replace("@1", other), where="here")


def test_no_key_of_a_store_is_in_a_text():
    fs = fsspec.filesystem("memory", key="hunter2", token="hunter2")
    storage = Storage(filesystem_for=lambda protocol: fs, roots=("memory://a",))
    handover = Handover()
    text = Encoder(handover).encode((storage, storage))
    assert "hunter2" not in text
    first, second = Decoder(handover.objects).decode(text, where="here")
    assert first is second is storage
    with pytest.raises(ConfigurationError, match=r"made by hand.*conn_id"):
        Decoder().decode(text, where="here")


def test_a_store_of_the_environment_is_reached_anywhere_within_its_roots():
    storage = Storage(roots=("file:///data",), max_memory=5)
    found = Decoder().decode(Encoder().encode(storage), where="here")
    assert (found.roots, found.max_memory, found.known_origin) == (("file:///data",), 5, "environment")
    with pytest.raises(ConfigurationError, match="lies outside"):
        found.filesystem("/etc/passwd")


def test_a_store_of_a_connection_is_named_by_it(monkeypatch):
    from airflow_batch_inference.operators.stores import storage_for

    text = Encoder().encode(storage_for("lake"))
    assert json.loads(text)["origin"] == "airflow:lake"
    assert Decoder().decode(text, where="here").known_origin == "airflow:lake"


def test_a_table_is_handed_over_or_stored(tmp_path):
    table = pa.table({"a": [1, 2]})
    handover = Handover()
    text = Encoder(handover).encode(table)
    assert Decoder(handover.objects).decode(text, where="here") is table
    with pytest.raises(ConfigurationError, match="has a table that was not handed to this process"):
        Decoder().decode(text, where="here")
    kept = {}
    text = Encoder(put_table=lambda given: kept.setdefault("uri", given) and "uri").encode(table)
    assert Decoder(read_table=kept.__getitem__).decode(text, where="here").equals(table)
