"""What run() may return, as rows; and what it may not."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ConfigurationError, ScriptError
from airflow_batch_inference.scripts.run_result import as_frame, complex_values, count_elements, write_rows

CELLS = st.one_of(st.integers(-(2**40), 2**40), st.floats(allow_nan=False), st.text(max_size=8))


@given(st.lists(CELLS, max_size=20))
def test_each_element_of_a_list_is_one_row_in_its_order(values):
    frame = as_frame(values)
    assert count_elements(values) == len(frame) == len(values)
    assert frame["predicted_label"].tolist() == values


@given(st.lists(st.text(alphabet="ab,\"\n'", max_size=5), min_size=1, max_size=12), st.integers(1, 5))
def test_pieces_of_csv_put_together_are_the_whole(values, size):
    import tempfile
    from pathlib import Path

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "piece")
        whole = b""
        for start in range(0, len(values), size):
            write_rows(as_frame(values[start : start + size]), path, "csv", has_header=True)
            whole += path.read_bytes()
    assert whole.decode() == pd.DataFrame(values).to_csv(header=False, index=False)


@pytest.mark.parametrize("value", [None, "text", b"x", {"a": 1}, {1, 2}, 3, range(3), iter([1]), object()])
def test_other_types_are_refused_by_name(value):
    with pytest.raises(ScriptError, match="None" if value is None else type(value).__name__):
        count_elements(value)


@pytest.mark.parametrize("value", [np.array(3), np.zeros((2, 2, 2))])
def test_arrays_have_one_or_two_dimensions(value):
    with pytest.raises(ScriptError, match="dimensions"):
        count_elements(value)


@pytest.mark.parametrize(
    ("rows", "texts"),
    [([[1, 2], [3]], ["[1, 2]", "[3]"]),
     ([[1], 2], ["[1]", 2]),
     ([np.array([1, 2]), 3], ["[1, 2]", 3]),
     ([(np.float64(0.5), "a"), 3], ["(0.5, 'a')", 3]),
     ([["x"], ["y", "z"], []], ["['x']", "['y', 'z']", "[]"])],
)  # fmt: skip
def test_elements_of_several_lengths_are_written_as_their_text(rows, texts):
    notes = []
    frame = as_frame(rows, note=notes.append)
    assert list(frame) == ["predicted_label"]
    assert frame["predicted_label"].tolist() == texts
    assert "several lengths" in notes[0]


def test_elements_of_several_lengths_are_refused_where_columns_are_named():
    with pytest.raises(ScriptError, match="several lengths"):
        as_frame([[1, 2], [3]], ["a", "b"])


class Own:
    def __str__(self):
        return "own"


@pytest.mark.parametrize(
    ("rows", "named"),
    [([{"a": 1, "b": {"c": 2}}], r"a dict in the column b.*\{'c': 2\}"),
     ([{"a": [1, 2]}], "a list in the column a"),
     ([Own(), 1], "Own in the column predicted_label"),
     ([[1, np.array([1, 2])]], "numpy.ndarray in the column predicted_label_1"),
     (np.array([Own()], dtype=object), "Own in the column")],
)  # fmt: skip
def test_complex_values_are_named(rows, named):
    import re

    assert re.search(named, complex_values(as_frame(rows)))


def test_plain_values_of_all_kinds_are_not_complex():
    import datetime as dt
    import decimal
    import uuid

    values = [1, "a", None, 0.5, True, np.float32(1), np.datetime64("2020-01-01"), dt.date(2020, 1, 1), pd.NaT,
              pd.NA, pd.Timestamp("2020"), pd.Timedelta(1), pd.Period("2020"), decimal.Decimal(1), uuid.UUID(int=1),
              b"x"]  # fmt: skip
    assert complex_values(as_frame(values)) is None


def test_names_are_given_to_what_has_none():
    assert list(as_frame([1, 2], ["risk"])) == ["risk"]
    assert list(as_frame(np.zeros((2, 2)), ["a", "b"])) == ["a", "b"]
    assert list(as_frame(pd.Series([1], name="own"), ["risk"])) == ["own"]
    assert list(as_frame(pd.DataFrame({"own": [1]}), ["risk"])) == ["own"]
    with pytest.raises(ConfigurationError, match=r"label_columns names 1 column\(s\) \(risk\), but run\(\) returned 2"):
        as_frame(np.zeros((2, 2)), ["risk"])


def test_two_columns_of_one_name_are_refused_but_without_a_header(tmp_path):
    frame = pd.DataFrame([[1, 2]], columns=["a", "a"])
    with pytest.raises(ScriptError, match="two columns named 'a'"):
        write_rows(frame, tmp_path / "x", "csv", has_header=True)
    write_rows(frame, tmp_path / "x", "csv", has_header=False)
    assert (tmp_path / "x").read_bytes() == b"1,2\n"


def test_values_of_several_types_go_into_csv_and_into_no_table(tmp_path):
    frame = as_frame([1, "a"])
    (column,) = write_rows(frame, tmp_path / "x", "csv", has_header=True)
    assert (column.name, column.type) == ("predicted_label", "string")
    with pytest.raises(ScriptError, match=r"cannot be written as a table.*\.csv"):
        write_rows(frame, tmp_path / "x", "parquet", has_header=True)


def test_names_that_are_no_text_become_text(tmp_path):
    columns = write_rows(pd.DataFrame([[1, 2.5]]), tmp_path / "x", "parquet", has_header=True)
    assert [(column.name, column.type) for column in columns] == [("0", "int64"), ("1", "double")]
