"""What a script's job puts out: the table, its columns and format, and the files that the script wrote itself."""

from __future__ import annotations

import json

import pytest
from script_bench import ECHO, names

from airflow_batch_inference.exceptions import (
    EmptyDatasetError,
    ScriptError,
)


def test_no_files_are_an_error_or_an_empty_set_as_asked(bench):
    bench.input.mkdir()
    script = bench.script(ECHO)
    with pytest.raises(EmptyDatasetError, match="recursive=True"):
        bench.run(script)
    for attempt, (name, size) in enumerate((("out.csv", 0), ("out.parquet", None), ("out.arrow", None))):
        _, record = bench.run(script, on_empty="succeed", output_file_name=name, attempt=str(attempt))
        assert (record.rows_out, record.items.files_in, record.items.mini_batches) == (0, 0, 0)
        assert size in (None, len(bench.output(record)))
    assert bench.notes() == []


def test_a_file_of_no_bytes_is_an_item_as_any_other(bench):
    bench.write_files(2)
    (bench.input / "000.txt").write_bytes(b"")
    _, record = bench.run(bench.script(ECHO))
    assert names(record, bench) == ["000.txt", "001.txt"]


def test_other_columns_in_one_mini_batch_fail_the_job_and_both_are_named(bench):
    bench.write_files(2)
    script = bench.script("""
        import pandas as pd

        def run(mini_batch):
            return pd.DataFrame({"a" if mini_batch[0].endswith("000.txt") else "b": [1]})
    """)
    with pytest.raises(ScriptError, match=r"(?s)the columns [ab] for mini-batch \d .* but [ab] for mini-batch \d "):
        bench.run(script, mini_batch_size=1)
    _, record = bench.run(script, mini_batch_size=1, header=False)
    assert bench.output(record) == b"1\n1\n"


def test_types_of_mini_batches_are_united_and_what_cannot_be_is_an_error(bench):
    import pyarrow.parquet as pq

    bench.write_files(2)
    body = """
        def run(mini_batch):
            return [{0} if mini_batch[0].endswith("000.txt") else {1}]
    """
    united = bench.script(body.format("1", "2.5"))
    _, record = bench.run(united, mini_batch_size=1, output_file_name="out.parquet")
    table = pq.read_table(record.parts[0].uri.removeprefix("file://"))
    assert (str(table.schema.field(0).type), table.column(0).to_pylist()) == ("double", [1.0, 2.5])
    other = bench.script(body.format("1", "'text'"))
    with pytest.raises(ScriptError, match="has other types than before"):
        bench.run(other, mini_batch_size=1, output_file_name="out.parquet", attempt="2")


@pytest.mark.parametrize("suffix", [".jsonl", ".arrow", ".txt"])
def test_the_file_names_suffix_is_the_format(bench, suffix):
    bench.write_files(2)
    _, record = bench.run(bench.script(ECHO), output_file_name=f"out{suffix}")
    expected = {".jsonl": "jsonl", ".arrow": "arrow", ".txt": "csv"}[suffix]
    assert (record.output_format, record.parts[0].name) == (expected, f"out{suffix}")
    if suffix == ".jsonl":
        lines = bench.output(record).splitlines()
        assert [json.loads(line) for line in lines] == [{"predicted_label": f"00{i}.txt"} for i in range(2)]


def test_files_beside_the_table_are_output_too(bench):
    bench.write_files(2)
    script = bench.script("""
        def run(mini_batch):
            Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "log.txt").write_text("seen")
            return [1, 2]
    """)
    _, record = bench.run(script)
    assert bench.written(record) == {"predictions.csv": b"predicted_label\n1\n2\n", "log.txt": b"seen"}
    clash = bench.script("""
        def run(mini_batch):
            Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "predictions.csv").write_text("mine")
            return [1, 2]
    """)
    with pytest.raises(ScriptError, match="output_file_name"):
        bench.run(clash, attempt="2")


def test_what_a_failed_attempt_wrote_is_not_output(bench):
    bench.write_files(1)
    script = bench.script("""
        def run(mini_batch):
            out = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
            assert not list(out.iterdir())
            if once("raise"):
                (out / "half.bin").write_text("half")
                raise ValueError("no")
            if once("die"):
                (out / "quarter.bin").write_text("quarter")
                os._exit(1)
            (out / "whole.bin").write_text("whole")
            return mini_batch
    """)
    _, record = bench.run(script, output_action="summary_only")
    assert bench.written(record) == {"whole.bin": b"whole"}


def test_what_init_writes_is_no_output_and_is_warned_of(bench, capfd):
    bench.write_files(1)
    script = bench.script("""
        def init():
            Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "cache.bin").write_text("cache")

        def run(mini_batch):
            assert Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "cache.bin").exists()
            return mini_batch
    """)
    _, record = bench.run(script, output_action="summary_only")
    assert record.parts == ()
    assert "init() wrote 1 file(s)" in capfd.readouterr().out


def test_names_of_files_may_hold_anything_that_a_path_may(bench):
    bench.input.mkdir()
    odd = ["a b.txt", "a%20b.txt", "a#b.txt", "a?b=c.txt", "a*b[1].txt", "\u00e9\u4e2d.txt", "a;b.txt"]
    for name in odd:
        (bench.input / name).write_text("1")
    script = bench.script("""
        def run(mini_batch):
            for path in mini_batch:
                Path(os.environ["AZUREML_BI_OUTPUT_PATH"], os.path.basename(path)).write_text(Path(path).read_text())
            return mini_batch
    """)
    _, record = bench.run(script, output_action="summary_only", mini_batch_size=2)
    assert sorted(bench.written(record)) == sorted(odd)
