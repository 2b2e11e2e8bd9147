"""JSON that is nested too deep or has too many fields is refused by line, before a parser sees it; all else is read."""

from __future__ import annotations

import gzip
import json
import random
import resource
import subprocess
import sys

import pyarrow as pa
import pytest

from airflow_batch_inference.exceptions import BatchInferenceError, DataError
from airflow_batch_inference.formats.json.limits import MOST_FIELDS, MOST_LEVELS, deep_line, has_many_fields, is_deep
from airflow_batch_inference.inference.files import read_request
from airflow_batch_inference.records import decode_record
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
READ = """
import sys
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.exceptions import DataError
from airflow_batch_inference.storage.store import Storage
for path in sys.argv[2:]:
    try:
        opened = open_dataset(path, Storage(), tolerant=sys.argv[1] == "tolerant")
        rows = sum(batch.table.num_rows for batch in opened.mini_batches(1000))
        broken = sum(len(batch.broken) for batch in opened.mini_batches(1000))
        print("read", rows, broken, flush=True)
    except DataError as error:
        print("refused", str(error)[:600].replace("\\n", " "), flush=True)
"""


def nested(levels, kind="object", inner=b"1"):
    opens, closes = {"object": (b'{"a":', b"}"), "list": (b"[", b"]"), "both": (b'[{"b":', b"}]")}[kind]
    number = levels - 1 if kind != "both" else (levels - 1) // 2
    return b'{"x":' + opens * number + inner + closes * number + b"}"


def read_in_a_child(*paths, how="strict", memory=3 << 30, seconds=120):
    """Open and read datasets in a process of its own, with limits of memory and time; return what is said of each."""

    def limit():
        resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
        resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))

    command = [sys.executable, "-c", READ, how, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, preexec_fn=limit, timeout=2 * seconds, check=False)
    assert done.returncode == 0, (done.returncode, done.stdout, done.stderr[-500:])
    said = done.stdout.splitlines()
    assert len(said) == len(paths)
    return said


def test_a_line_that_is_nested_too_deep_is_refused_by_file_and_line(tmp_path):
    paths = []
    for kind in ("object", "list", "both"):
        for levels in (MOST_LEVELS + 2, 10_000, 200_000):
            paths.append(tmp_path / f"{kind}-{levels}.jsonl")
            deep = nested(levels, kind)
            paths[-1].write_bytes(b'{"x": 1}\n\n{"x": 2}\n' + deep + b'\n{"x": 3}\n')
    for path, said in zip(paths, read_in_a_child(*paths), strict=True):
        assert said.startswith("refused")
        assert path.name in said
        assert "line 4" in said
        assert f"nested more than {MOST_LEVELS} levels deep" in said


def test_such_a_line_is_set_aside_where_rows_may_be(tmp_path):
    content = b'{"x": 1}\n' + nested(100_000) + b"\n" + b"[" * 100_000 + b'\n{"x": 3}\n'
    (tmp_path / "deep.jsonl").write_bytes(content)
    (tmp_path / "deep.jsonl.gz").write_bytes(gzip.compress(content))
    assert read_in_a_child(*tmp_path.iterdir(), how="tolerant") == ["read 4 2"] * 2


def test_a_row_of_a_json_list_that_is_nested_too_deep_is_refused_by_row(tmp_path):
    for levels in (MOST_LEVELS + 2, 900, 5_000, 200_000):
        (tmp_path / f"{levels}.json").write_bytes(b'[{"x": 1}, {"x": 2},\n' + nested(levels) + b"]")
    for said in read_in_a_child(*tmp_path.iterdir()):
        assert said.startswith("refused")
        assert "ow 2 (from 0)" in said
        assert f"nested more than {MOST_LEVELS} levels deep" in said


@pytest.mark.parametrize("kind", ["object", "list", "both"])
def test_what_is_nested_as_deep_as_may_be_is_read(tmp_path, kind):
    path = tmp_path / "x.jsonl"
    path.write_bytes(nested(MOST_LEVELS, kind) + b"\n")
    (batch,) = open_dataset(str(path), STORE).mini_batches(10)
    value = batch.table.column("x")[0].as_py()
    levels = 1
    while isinstance(value, (dict, list)):
        levels += 1
        value = next(iter(value.values())) if isinstance(value, dict) else value[0]
    assert value == 1
    assert levels == (MOST_LEVELS if kind != "both" else 2 * ((MOST_LEVELS - 1) // 2) + 1)


def _levels(text):
    """Count levels slowly, character by character, as a parser does."""
    depth = most = 0
    quoted = escaped = False
    for byte in text.decode():
        if quoted:
            quoted, escaped = escaped or byte != '"', byte == "\\" and not escaped
        elif byte == '"':
            quoted = True
        else:
            depth += (byte in "[{") - (byte in "]}")
            most = max(most, depth)
    return most


def _made_up(rng, levels):
    text = rng.choice(['"]]]]"', '"{[\\"}"', "1", '"\\\\"', "[]", "{}", '[[1, 2], {"z": []}]'])
    for _ in range(levels):
        more = rng.choice(["", '"[[[": 0, ', '"}": "]", ', '"q\\"": {}, '])
        text = rng.choice([f"[{text}]", f'[{{"k": 1}}, {text}]', f'{{{more}"a": {text}}}'])
    return text.encode()


def test_levels_are_counted_as_a_slow_counter_counts_them():
    rng = random.Random(17)
    for _ in range(400):
        line = b'{"x": ' + _made_up(rng, rng.choice([2, 20, 40, 61, 62, 63, 64, 65, 80])) + b"}"
        assert is_deep(line) is (_levels(line) > MOST_LEVELS)
        block = b'{"x": {"y": [1]}}\n' * rng.randrange(200) + line + b'\n{"x": 1}\n' * rng.randrange(3)
        place = block.index(line)
        assert deep_line(block) == (block[:place].count(b"\n") if is_deep(line) else None)


def test_brackets_in_text_are_no_levels(tmp_path):
    rows = [{"x": "[" * 500, "y": 'a"{' * 300}, {"x": "\\" * 99 + "{" * 99, "y": None}]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    (batch,) = open_dataset(str(path), STORE).mini_batches(10)
    assert batch.table.to_pylist() == rows


def test_too_many_different_fields_are_refused(tmp_path):
    made = {
        "line": [json.dumps({f"key-{i}": i for i in range(MOST_FIELDS + 1)})],
        "lines": [f'{{"key-{i}": 1}}' for i in range(100_000)],
        "inner": [f'{{"x": [{{"k{i}": 1}}]}}' for i in range(100_000)],
        "product": [json.dumps({f"a{i}": {f"b{j}": 1 for j in range(160)} for i in range(160)})],
    }
    paths = [tmp_path / f"{name}.jsonl" for name in made]
    for path, lines in zip(paths, made.values(), strict=True):
        path.write_text('{"x": []}\n' + "\n".join(lines) + "\n")
    for path, said in zip(paths, read_in_a_child(*paths, memory=2 << 30), strict=True):
        assert said.startswith("refused")
        assert path.name in said
        assert "line" in said
        assert "different fields" in said


def test_many_different_fields_with_few_a_line_are_refused_where_nearly_all_would_be_null(tmp_path):
    path = tmp_path / "sparse.jsonl"
    path.write_text("".join(f'{{"k{i % 5000}": {i}}}\n' for i in range(100_000)))
    assert "lines have 5,000 different fields, of which each line has few" in read_in_a_child(path, memory=2 << 30)[0]


def test_many_fields_are_read_as_they_are_written(tmp_path):
    """In pieces of few lines, which is seen in the values if they do not fit together."""
    rng = random.Random(3)
    names = [f"f{i}" for i in range(3000)]
    rows = [{name: rng.choice([1, 2.5, 7]) for name in rng.sample(names, 400)} | {"n": i} for i in range(60)]
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    opened = open_dataset(str(path), STORE)
    found = [row for batch in opened.mini_batches(7) for row in batch.table.to_pylist()]
    assert [{name: value for name, value in row.items() if value is not None} for row in found] == rows
    seen = dict.fromkeys(name for row in rows for name in row)
    assert opened.schema.names == list(seen)
    assert opened.schema.field("n").type == pa.int64()


def test_types_are_the_same_however_many_lines_go_to_the_parser_at_once(tmp_path):
    """A new type or field in any line is seen, and makes the type that pyarrow gives for the whole."""
    rng = random.Random(5)
    rows = [{"a": i, "t": "2024-01-01", "s": {"p": 1}, "l": [1]} for i in range(4000)]
    for name, value in [("a", 0.5), ("new", "x"), ("s", {"q": True}), ("l", [0.25]), ("n", None), ("s", None)]:
        rows[rng.randrange(1500, 4000)][name] = value
    path = tmp_path / "x.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    schema = open_dataset(str(path), STORE).schema
    assert {field.name: str(field.type) for field in schema} == {
        "a": "double",
        "t": "string",
        "s": "struct<p: int64, q: bool>",
        "l": "list<item: double>",
        "new": "string",
        "n": "null",
    }


def test_fields_are_counted_by_where_they_stand():
    same = [{"a": i, "b": {"a": i}} for i in range(MOST_FIELDS)]
    assert not has_many_fields(json.dumps({"rows": same}).encode())
    assert has_many_fields(json.dumps({"rows": [{f"k{i}": 1} for i in range(MOST_FIELDS + 1)]}).encode())
    assert not has_many_fields(b'{"a":1' + b":" * MOST_FIELDS * 2)


@pytest.mark.parametrize("levels", [3_000, 200_000])
def test_other_json_that_is_nested_too_deep_is_a_clear_error(tmp_path, levels):
    path = tmp_path / "request.json"
    path.write_bytes(b"[" * levels + b"]" * levels)
    with pytest.raises(DataError, match="nested too deep"):
        read_request(str(path), "custom-json", STORE)
    with pytest.raises(BatchInferenceError, match="is not a record"):
        decode_record(b'{"kind": ' + b"[" * levels + b"]" * levels + b"}", where="x")


# -- nulls where an object must begin ---------------------------------------------------------------------------------

_LONG = (b'{"a": 1, "b": "' + b"x" * 2000 + b'"}\n') * 700
_NULLS = {
    "first": b'null\n{"a": 2}\n',
    "alone": b"null",
    "last, without an end": b'{"a": 1}\nnull',
    "several on a line": b' null{"a": 1}\n',
    "behind a return": b'{"a": 1}\r\tnull\r{"a": 2}\r',
    "where the parser begins anew": b'{"a": [\n' + b"1,\n" * 3000 + b"null]}",
    "in a later block": _LONG + b"null\n" + _LONG + b"null\n",
}


def test_a_line_that_begins_with_null_is_refused_or_set_aside_and_ends_no_process(tmp_path):
    paths = [tmp_path / f"{name}.jsonl" for name in _NULLS]
    for path in paths:
        path.write_bytes(_NULLS[path.stem])
    for mode in ("strict", "tolerant"):
        done = subprocess.run(
            [sys.executable, "-c", READ, mode, *map(str, paths)],
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr[-500:]
        assert len(done.stdout.splitlines()) == len(_NULLS)
        if mode == "strict":
            assert all(path.name in line for path, line in zip(paths, done.stdout.splitlines(), strict=True))


def test_a_null_line_is_a_broken_row_where_rows_may_be_set_aside(tmp_path):
    path = tmp_path / "x.jsonl"
    path.write_bytes(b'null\n{"a": 2}\n')
    (batch,) = open_dataset(str(path), STORE, tolerant=True).mini_batches(10)
    assert batch.table.column("a").to_pylist() == [None, 2]
    with pytest.raises(DataError, match=r"line 1, row 0 .*: it is null, and no object"):
        open_dataset(str(path), STORE)


def test_nulls_on_lines_of_their_own_within_a_list_of_objects_are_values(tmp_path):
    path = tmp_path / "x.json"
    path.write_bytes(b'[{"a": [\n1,\n  null\n],\r"b":\nnull}]\n')
    (batch,) = open_dataset(str(path), STORE).mini_batches(10)
    assert batch.table.to_pylist() == [{"a": [1, None], "b": None}]
