"""csv_options: each is strict, and files read with them hold what pandas reads with the same."""

from __future__ import annotations

import codecs
import gzip
import json

import pandas as pd
import pytest
from pandas._libs.parsers import STR_NA_VALUES

from airflow_batch_inference.exceptions import ConfigurationError, DataError
from airflow_batch_inference.formats.csv.options import NULL_WORDS, given_options, parse_csv_options
from airflow_batch_inference.records import ColumnSpec, CsvOptions, ReadOptions
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
GERMAN = 'Name\tBetrag\tMenge\nMüller\t1.234,56\t3\nGröße "XL"\t-7,5\t<NA>\nÄrger\t12.000.000\t1.000\n'


def opened(path, types=None, names=None, **options):
    specs = tuple(ColumnSpec(name=name, type=kind) for name, kind in (types or {}).items())
    reading = ReadOptions(csv=parse_csv_options(options), types=specs)
    return open_dataset(str(path), STORE, reading=reading, model_names=names)


def read(path, **options):
    return opened(path, **options).whole()


def written(tmp_path, content, name="x.csv"):
    path = tmp_path / name
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return path


def test_null_words_are_those_of_pandas():
    assert set(NULL_WORDS) == STR_NA_VALUES


@pytest.mark.parametrize(
    ("key", "meant"),
    [("sep", "separator"), ("seperator", "separator"), ("na_values", "null_words"), ("quotechar", "quote")],
)
def test_a_word_that_is_not_known_gets_the_one_that_is_meant(key, meant):
    with pytest.raises(ConfigurationError, match=rf"the key '{key}', which is not known \(did you mean '{meant}'\?\)"):
        parse_csv_options({key: ";"})


@pytest.mark.parametrize(
    "options",
    [
        {"separator": ""},
        {"separator": ";;"},
        {"separator": "a"},
        {"separator": "\n"},
        {"separator": 5},
        {"separator": "§"},
        {"decimal": "1"},
        {"quote": "''"},
        {"encoding": "klingon"},
        {"encoding": 8},
        {"header": "perhaps"},
        {"header": 2},
        {"names": []},
        {"names": ["a", "a"]},
        {"names": [1, 2]},
        {"null_words": 5},
        {"decimal": ",", "thousands": ","},
        {"separator": '"'},
    ],
)
def test_a_value_that_can_never_work_is_refused(options):
    with pytest.raises(ConfigurationError, match="csv_options has"):
        parse_csv_options(options)


def test_what_was_said_is_plain_json_and_can_be_said_again():
    options = parse_csv_options({"separator": "\\t", "header": "false", "names": ["a"], "encoding": "LATIN1"})
    said = json.loads(json.dumps(given_options(options)))
    assert said == {"separator": "\t", "header": False, "names": ["a"], "encoding": "iso8859-1"}
    assert parse_csv_options(said) == options
    assert given_options(CsvOptions()) == {}


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
def test_a_tab_separated_latin_1_file_with_german_numbers_is_what_pandas_reads(tmp_path, name):
    content = GERMAN.encode("latin-1")
    path = written(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name)
    found = read(path, separator="\t", encoding="latin-1", decimal=",", thousands=".")
    expected = pd.read_csv(path, sep="\t", encoding="latin-1", decimal=",", thousands=".")
    assert found.to_pydict()["Name"] == expected["Name"].tolist()
    assert found.column("Betrag").to_pylist() == expected["Betrag"].tolist() == [1234.56, -7.5, 12e6]
    assert found.column("Menge").to_pylist() == [3, None, 1000]


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-32", "cp1252", "shift_jis", "utf-8-sig"])
def test_each_encoding_of_python_is_read(tmp_path, encoding):
    word = "Zoë" if encoding == "cp1252" else "ソ"  # whose second byte is a backslash in Shift JIS
    path = written(tmp_path, f'a,b\n1,"{word}, ""x"""\n2,y\n'.encode(encoding))
    expected = pd.read_csv(path, encoding=encoding)
    assert read(path, encoding=encoding).to_pydict() == expected.to_dict("list")


def test_a_long_file_of_one_byte_letters_is_cut_and_one_of_two_bytes_is_not(tmp_path):
    text = "a;b\n" + "".join(f"{row};Zoë{row}\n" for row in range(200_000))
    for encoding, units in (("latin-1", True), ("utf-16", False)):
        path = written(tmp_path, text.encode(encoding))
        dataset = opened(path, separator=";", encoding=encoding)
        assert (len(dataset.units[0]) > 1) == units
        table = dataset.whole()
        assert table.column("b").to_pylist() == [f"Zoë{row}" for row in range(200_000)]
        assert table.column("a").to_pylist() == list(range(200_000))


@pytest.mark.parametrize("rows", [3, 200_000])
def test_a_spark_file_with_backslashes_before_quotes_is_read_with_that_escape(tmp_path, rows):
    path = written(tmp_path, 'id,what\n0,"5\\" pipe"\n1,"a\\\\"\n' + '2,"x\\", \\"y"\n' * (rows - 2))
    found = read(path, escape="\\").column("what").to_pylist()
    assert found == pd.read_csv(path, escapechar="\\", quotechar='"')["what"].tolist()
    assert found[:3] == ['5" pipe', "a\\", 'x", "y']


def test_quotes_may_be_others_or_none(tmp_path):
    path = written(tmp_path, "a,b\n'x,y',5\" pipe\n")
    assert read(path, quote="'").to_pylist() == [{"a": "x,y", "b": '5" pipe'}]
    path = written(tmp_path, 'a;b\n"x;2\n"y";3\n')
    expected = pd.read_csv(path, sep=";", quoting=3)
    assert read(path, separator=";", quote="").to_pydict() == expected.to_dict("list")


def test_null_words_take_the_place_of_the_usual_ones(tmp_path):
    path = written(tmp_path, "a,b\n-,NA\n5,x\n,y\n")
    assert read(path, null_words=["-"]).to_pydict() == {"a": [None, 5, None], "b": ["NA", "x", "y"]}


@pytest.mark.parametrize(
    ("texts", "options", "expected"),
    [
        (["1,234.5", "2"], {"thousands": ","}, [1234.5, 2.0]),
        (["1'234", "-5"], {"thousands": "'"}, [1234, -5]),
        (["1 234,5", "2,25"], {"thousands": " ", "decimal": ","}, [1234.5, 2.25]),
        (["1\u00a0234,5", "2,25"], {"thousands": "\u00a0", "decimal": ","}, [1234.5, 2.25]),
        (["1.5", "2.000"], {"thousands": ".", "decimal": ","}, ["1.5", "2.000"]),
        (["12.34", "1"], {"thousands": ".", "decimal": ","}, ["12.34", "1"]),
        (["007", "1.000"], {"thousands": ".", "decimal": ","}, ["007", "1.000"]),
        (["1.000", "x"], {"thousands": ".", "decimal": ","}, ["1.000", "x"]),
        (["true", "false"], {"thousands": "'"}, [True, False]),
        (["1,5e3", "2"], {"thousands": ".", "decimal": ","}, [1500.0, 2.0]),
    ],
)
def test_a_mark_of_thousands_counts_between_groups_of_three_digits_only(tmp_path, texts, options, expected):
    path = written(tmp_path, "a\tb\n" + "".join(f'"{text}"\tx\n' for text in texts))
    assert read(path, separator="\t", **options).column("a").to_pylist() == expected


def test_numbers_with_a_decimal_comma_are_numbers(tmp_path):
    path = written(tmp_path, "a;b\n1,5;2\n-0,25;3\n")
    assert read(path, separator=";", decimal=",").to_pydict() == {"a": [1.5, -0.25], "b": [2, 3]}


def test_a_tsv_file_is_separated_by_tabs(tmp_path):
    path = written(tmp_path, "a\tb\n1,5\tx\n", "x.tsv")
    assert read(path).to_pylist() == [{"a": "1,5", "b": "x"}]


@pytest.mark.parametrize(("mark", "said"), [(";", '";"'), ("\t", '"\\t"'), ("|", '"|"')])
def test_a_header_of_one_cell_with_other_separators_in_it_is_refused_with_the_option(tmp_path, mark, said):
    path = written(tmp_path, f"a{mark}b\n1{mark}2\n")
    with pytest.raises(DataError) as excinfo:
        read(path)
    assert f'csv_options={{"separator": {said}}}' in str(excinfo.value)
    assert read(path, separator=mark).to_pylist() == [{"a": 1, "b": 2}]
    assert read(path, separator=",").to_pydict() == {f"a{mark}b": [f"1{mark}2"]}


def test_the_other_way_round_too(tmp_path):
    path = written(tmp_path, "a,b\n1,2\n")
    with pytest.raises(DataError, match=r'csv_options=\{"separator": ","\}'):
        read(path, separator=";")


@pytest.mark.parametrize("name", ["x.csv", "x.csv.gz"])
@pytest.mark.parametrize(
    "rows",
    [
        '1,"5\\" pipe"\n',
        '1,"say \\"hi\\" now"\n',
        '1,"a\\", \\"b"\n',
        '1,"5\\""\n2,"6\\""\n',
        '1,"5\\""\n',
        '1,"\\"a\\""\n',
    ],
)
def test_backslashes_before_quotes_are_refused_with_the_option(tmp_path, name, rows):
    content = ("id,what\n" + rows).encode()
    path = written(tmp_path, gzip.compress(content) if name.endswith("gz") else content, name)
    with pytest.raises(DataError) as excinfo:
        read(path)
    assert 'csv_options={"escape": "\\\\"}' in str(excinfo.value)


def test_backslashes_that_mean_nothing_are_text(tmp_path):
    frame = pd.DataFrame({"a": ["C:\\temp\\", '{"x": "say \\"hi\\""}', "\\", 'x\\",y'], "b": [1, 2, 3, 4]})
    frame.to_csv(tmp_path / "x.csv", index=False)
    assert read(tmp_path / "x.csv").to_pydict() == frame.to_dict("list")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("a,b\n1,2\n".encode("utf-16"), "utf-16"),
        (codecs.BOM_UTF16_BE + "a,b\n1,2\n".encode("utf-16-be"), "utf-16"),
        ("a,b\n1,2\n".encode("utf-16-le"), "utf-16-le"),
        ("a,b\n1,2\n".encode("utf-16-be"), "utf-16-be"),
    ],
)
def test_utf_16_is_refused_with_the_option_that_reads_it(tmp_path, content, said):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=f'csv_options={{"encoding": "{said}"}}'):
        read(path)
    assert read(path, encoding=said).to_pylist() == [{"a": 1, "b": 2}]


@pytest.mark.parametrize(
    "content", [b"a,b\n1,caf\xe9\n", b"caf\xe9,b\n1,2\n", b"a,b\n" + b"1,x\n" * 50_000 + b"2,\xfc\n"]
)
def test_bytes_that_are_no_utf_8_are_refused_with_the_option(tmp_path, content):
    path = written(tmp_path, content)
    with pytest.raises(DataError, match=r"x\.csv is not valid UTF-8 text .*csv_options.*encoding"):
        read(path)
    assert read(path, encoding="latin-1").num_rows == content.count(b"\n") - 1


def test_bytes_that_are_not_of_the_encoding_that_was_said_are_refused(tmp_path):
    with pytest.raises(DataError, match="is not ascii, as csv_options says"):
        read(written(tmp_path, "a,b\n1,é\n"), encoding="ascii")


@pytest.mark.parametrize("header", ["a,b", '"a","b"'])
def test_the_byte_order_mark_of_utf_8_is_no_part_of_the_first_name(tmp_path, header):
    path = written(tmp_path, codecs.BOM_UTF8 + header.encode() + b"\n" + b'1,"x"\n' * 100_000)
    dataset = opened(path)
    assert dataset.schema.names == ["a", "b"]
    assert len(dataset.units[0]) > 1
    assert dataset.whole().num_rows == 100_000


def test_the_options_that_read_a_dataset_again_give_the_same_rows(tmp_path):
    path = written(tmp_path, "007;1,5;2024-01-01\n008;2,5;2024-01-02\n")
    options = parse_csv_options({"separator": ";", "decimal": ",", "names": ["a", "b", "c"]})
    first = open_dataset(str(path), STORE, reading=ReadOptions(csv=options))
    again = open_dataset(str(path), STORE, reading=first.options)
    assert again.whole().equals(first.whole())
    assert first.whole().to_pydict() == {"a": ["007", "008"], "b": [1.5, 2.5], "c": ["2024-01-01", "2024-01-02"]}
