"""The contract of Azure ML's batch deployments in scripts: each numbered case of its conformance list."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest

from airflow_batch_inference.exceptions import ScriptError, TooManyFailedItemsError

ECHO = """
def run(mini_batch):
    note("run", mini_batch)
    return [Path(path).read_text().strip() for path in mini_batch]
"""


@pytest.mark.parametrize(("files", "sizes"), [(100, [10] * 10), (23, [10, 10, 3])])
def test_1_run_is_called_once_for_ten_files_each(bench, files, sizes):
    bench.write_files(files)
    _, record = bench.run(bench.script(ECHO))
    calls = bench.calls()
    assert sorted(map(len, calls), reverse=True) == sizes
    assert sorted(name for names in calls for name in names) == [f"{i:03d}.txt" for i in range(files)]
    assert bench.output(record).decode().split() == ["predicted_label", *map(str, range(files))]


def test_2_init_runs_once_in_each_worker_process(bench):
    bench.write_files(40)
    slow = ECHO + "    # each process gets some\n"
    script = bench.script(slow.replace("note(", "time.sleep(0.1); note(", 1))
    bench.run(script, mini_batch_size=2, max_concurrency_per_instance=2)
    inits = [process for _, process, _ in bench.notes("init")]
    assert len(inits) == len(set(inits)) == 2
    assert {process for _, process, _ in bench.notes("run")} == set(inits)


FEWER = """
def run(mini_batch):
    note("run", mini_batch)
    return [os.path.basename(path) for path in mini_batch][:8]
"""


def test_3_eight_elements_for_ten_files_are_two_errors_and_one_is_tolerated_less(bench):
    bench.write_files(10)
    with pytest.raises(TooManyFailedItemsError, match=r"2 files failed, and 1 may \(error_threshold\)") as raised:
        bench.run(bench.script(FEWER), error_threshold=1)
    assert "run() returned 8 elements for 10 files" in str(raised.value)
    assert bench.committed() == []


def test_3_eight_elements_for_ten_files_pass_a_threshold_of_two_and_are_written(bench):
    bench.write_files(10)
    _, record = bench.run(bench.script(FEWER), error_threshold=2)
    assert (record.items.files_failed, record.items.mini_batches_failed, record.rows_out) == (2, 1, 8)
    assert bench.output(record).decode().split() == ["predicted_label", *(f"{i:03d}.txt" for i in range(8))]


def test_3_twenty_rows_for_ten_files_are_no_error(bench):
    bench.write_files(10)
    script = bench.script("""
        def run(mini_batch):
            return [number for path in mini_batch for number in (1, 2)]
    """)
    _, record = bench.run(script, error_threshold=0)
    assert (record.items.files_failed, record.rows_out) == (0, 20)


RAISES = """
def run(mini_batch):
    note("run", mini_batch)
    if any(path.endswith("005.txt") for path in mini_batch):
        raise ValueError("no such image")
    return [Path(path).read_text().strip() for path in mini_batch]
"""


def test_4_a_mini_batch_that_always_raises_is_tried_three_times_and_then_its_files_are_errors(bench):
    bench.write_files(6)
    _, record = bench.run(bench.script(RAISES), mini_batch_size=2)
    assert sum("005.txt" in names for names in bench.calls()) == 3
    assert (record.items.files_failed, record.items.mini_batches_failed) == (2, 1)
    assert bench.output(record).decode().split() == ["predicted_label", "0", "1", "2", "3"]
    (failed,) = [entry for entry in bench.mini_batches(record) if entry["outcome"] == "failed"]
    assert [failure["attempt"] for failure in failed["failures"]] == [1, 2, 3]
    assert failed["failures"][0]["error"] == "ValueError: no such image"
    assert failed["failures"][0]["place"].startswith("score.py:")


def test_4_a_mini_batch_that_passes_on_its_third_attempt_counts_no_error_and_its_rows_once(bench):
    bench.write_files(4)
    script = bench.script("""
        def run(mini_batch):
            note("run", mini_batch)
            if once("first") or once("second"):
                raise OSError("the service is away")
            return [os.path.basename(path) for path in mini_batch]
    """)
    _, record = bench.run(script, error_threshold=0)
    assert len(bench.calls()) == 3
    assert record.items.files_failed == 0
    assert bench.output(record).decode().split() == ["predicted_label", "000.txt", "001.txt", "002.txt", "003.txt"]
    (entry,) = bench.mini_batches(record)
    assert (entry["outcome"], entry["attempts"], len(entry["failures"])) == ("succeeded", 3, 2)


def test_5_a_call_that_takes_too_long_is_killed_counted_and_tried_again_in_a_fresh_process(bench):
    bench.write_files(2)
    script = bench.script("""
        def run(mini_batch):
            note("run", mini_batch)
            if once("slow"):
                time.sleep(3600)
            return [1 for _ in mini_batch]
    """)
    _, record = bench.run(script, mini_batch_timeout_s=0.5)
    assert len(bench.notes("init")) == 2
    assert len({process for _, process, _ in bench.notes("run")}) == 2
    (entry,) = bench.mini_batches(record)
    assert (entry["attempts"], entry["failures"][0]["kind"]) == (2, "timeout")
    assert "longer than 0.5 s" in entry["failures"][0]["error"]


def test_6_a_job_without_a_single_success_fails_although_all_errors_are_ignored(bench):
    bench.write_files(3)
    with pytest.raises(TooManyFailedItemsError, match="Not one of 2 mini-batches") as raised:
        bench.run(
            bench.script("def run(mini_batch):\n    raise RuntimeError('no')"), mini_batch_size=2, error_threshold=-1
        )
    assert "RuntimeError: no" in str(raised.value)
    assert bench.committed() == []


def test_7_append_row_without_a_header_has_the_bytes_of_to_csv(bench):
    bench.write_files(5)
    script = bench.script("""
        import pandas as pd

        def run(mini_batch):
            return pd.DataFrame(
                {"file": [os.path.basename(path) for path in mini_batch],
                 "score": [int(Path(path).read_text()) / 3 for path in mini_batch],
                 "note": ['a "quoted", text\\nof two lines' for _ in mini_batch]},
                index=[7 for _ in mini_batch])
    """)
    _, record = bench.run(script, mini_batch_size=2, header=False)
    expected = "".join(
        pd.DataFrame({"file": [f"{i:03d}.txt"], "score": [i / 3], "note": ['a "quoted", text\nof two lines']})
        .to_csv(header=False, index=False)
        for i in range(5)
    )  # fmt: skip
    assert bench.output(record).decode() == expected
    assert [column.name for column in record.columns] == ["file", "score", "note"]


def test_7_summary_only_makes_the_files_that_the_script_wrote_the_output_and_counts_what_it_returned(bench):
    bench.write_files(4)
    script = bench.script("""
        def run(mini_batch):
            for path in mini_batch:
                folder = Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "by", Path(path).stem)
                folder.mkdir(parents=True)
                (folder / "result.bin").write_bytes(Path(path).read_bytes() * 2)
            return mini_batch
    """)
    _, record = bench.run(script, mini_batch_size=2, output_action="summary_only", max_concurrency_per_instance=2)
    assert bench.written(record) == {f"by/{i:03d}/result.bin": f"{i}\n{i}\n".encode() for i in range(4)}
    assert (record.rows_out, record.items.returned, record.columns) == (4, 4, ())


@pytest.mark.parametrize(
    ("returned", "named"),
    [("None", "returned None"), ("'text'", "a str"), ("{'a': 1}", "a dict"), ("(n for n in [1])", "a generator"),
     ("Path('x')", "pathlib.PosixPath")],
)  # fmt: skip
def test_8_what_no_script_may_return_fails_its_mini_batch_and_the_type_is_named(bench, returned, named):
    bench.write_files(2)
    script = bench.script(f"def run(mini_batch):\n    return {returned} if mini_batch[0].endswith('000.txt') else [1]")
    _, record = bench.run(script, mini_batch_size=1, max_attempts=1)
    failed, _ = bench.mini_batches(record)
    assert named in failed["failures"][0]["error"]
    assert failed["files_failed"] == 1


@pytest.mark.parametrize(
    ("returned", "columns"),
    [("[1.5, 2.5]", {"predicted_label": [1.5, 2.5]}),
     ("(True, False)", {"predicted_label": [True, False]}),
     ("np.array([3, 4])", {"predicted_label": [3, 4]}),
     ("np.array([[3, 4], [5, 6]])", {"predicted_label_0": [3, 5], "predicted_label_1": [4, 6]}),
     ("pd.Series(['x', 'y'], name='risk', index=[9, 9])", {"risk": ["x", "y"]}),
     ("pd.Series(['x', 'y'])", {"predicted_label": ["x", "y"]}),
     ("[{'file': 'a', 'n': 1}, {'file': 'b', 'n': 2}]", {"file": ["a", "b"], "n": [1, 2]}),
     ("[('a', 1), ('b', 2)]", {"predicted_label_0": ["a", "b"], "predicted_label_1": [1, 2]})],
)  # fmt: skip
def test_7_every_kind_of_answer_becomes_a_table(bench, returned, columns):
    bench.write_files(2)
    script = bench.script(f"import numpy as np, pandas as pd\ndef run(mini_batch):\n    return {returned}")
    _, record = bench.run(script, output_file_name="out.parquet")
    table = pq.read_table(record.parts[0].uri.removeprefix("file://"))
    assert table.to_pydict() == columns
    assert [column.name for column in record.columns] == list(columns)


def test_the_order_of_the_rows_is_that_of_the_input_whichever_mini_batch_ends_first(bench):
    bench.write_files(6)
    script = bench.script("""
        def run(mini_batch):
            time.sleep(0.3 if mini_batch[0].endswith("000.txt") else 0)
            return [os.path.basename(path) for path in mini_batch]
    """)
    _, record = bench.run(script, mini_batch_size=1, max_concurrency_per_instance=2)
    assert bench.output(record).decode().split()[1:] == [f"{i:03d}.txt" for i in range(6)]


def test_a_folder_is_its_own_files_sorted_and_hidden_ones_are_passed_over(bench):
    bench.write_files(3)
    for name in ("_SUCCESS", ".hidden", "sub/below.txt"):
        (bench.input / name).parent.mkdir(exist_ok=True)
        (bench.input / name).write_text("9")
    bench.run(bench.script(ECHO))
    assert bench.calls() == [["000.txt", "001.txt", "002.txt"]]
    bench.forget()
    bench.run(bench.script(ECHO), recursive=True)
    assert bench.calls() == [["000.txt", "001.txt", "002.txt", "below.txt"]]


def test_files_of_one_name_in_two_folders_never_replace_each_other(bench):
    for folder in ("a", "b"):
        (bench.input / folder).mkdir(parents=True)
        (bench.input / folder / "x.csv").write_text(folder)
    keyed = bench.script("""
        def run(mini_batch):
            for path in mini_batch:
                target = Path(os.environ["AZUREML_BI_OUTPUT_PATH"], Path(path).parent.name, "x.csv")
                target.parent.mkdir(exist_ok=True)
                target.write_text(Path(path).read_text())
            return mini_batch
    """)
    arguments = {"mini_batch_size": 1, "output_action": "summary_only", "recursive": True}
    _, record = bench.run(keyed, **arguments)
    assert bench.written(record) == {"a/x.csv": b"a", "b/x.csv": b"b"}
    bench.forget()
    flat = bench.script("""
        def run(mini_batch):
            Path(os.environ["AZUREML_BI_OUTPUT_PATH"], "x.csv").write_text("mine")
            return mini_batch
    """)
    with pytest.raises(ScriptError, match=r"Both mini-batch . .*/x.csv\) and mini-batch . .*/x.csv\) wrote x.csv"):
        bench.run(flat, **arguments)
    assert bench.committed() == []


def test_the_cause_is_told_with_the_file_the_attempt_and_the_scripts_own_lines(bench, caplog):
    bench.write_files(2)
    script = bench.script("""
        import json

        def parse(text):
            return json.loads(text)

        def run(mini_batch):
            return [parse("{" + Path(path).read_text()) for path in mini_batch]
    """)
    with pytest.raises(TooManyFailedItemsError) as raised:
        bench.run(script, error_threshold=0)
    message = str(raised.value)
    assert f"mini-batch 0 ({bench.input.as_uri()}/000.txt, {bench.input.as_uri()}/001.txt), attempt 3" in message
    assert "JSONDecodeError" in message
    assert "return json.loads(text)" in message
    assert "decoder.py" not in message
    assert "mini_batches-" in message
    (told,) = bench.root.rglob("mini_batches-*.jsonl")
    assert f"file://{told}" in message


def test_a_process_that_is_killed_or_ends_itself_is_an_attempt(bench):
    bench.write_files(2)
    script = bench.script("""
        def run(mini_batch):
            note("run", mini_batch)
            if once("segfault"):
                os.kill(os.getpid(), signal.SIGSEGV)
            if once("exit"):
                os._exit(3)
            return [1 for _ in mini_batch]
    """)
    _, record = bench.run(script)
    (entry,) = bench.mini_batches(record)
    assert [failure["error"] for failure in entry["failures"]] == [
        "the worker process ended (SIGSEGV)", "the worker process ended (exit status 3)",
    ]  # fmt: skip
    assert record.items.files_failed == 0
    assert len(bench.notes("init")) == 3


def test_an_exception_leaves_the_process_as_it_is(bench):
    bench.write_files(2)
    script = bench.script("""
        def run(mini_batch):
            note("run", mini_batch)
            if once("raise"):
                sys.exit("as some scripts do")
            return [1 for _ in mini_batch]
    """)
    bench.run(script)
    assert len(bench.notes("init")) == 1
    assert len(bench.notes("run")) == 2


@pytest.mark.parametrize(
    ("limits", "says"),
    [({"mini_batch_error_threshold": 1}, r"2 mini-batches failed, and 1 may \(mini_batch_error_threshold\)"),
     ({"allowed_failed_percent": 39}, r"2 of 5 mini-batches failed, and 39 % may \(allowed_failed_percent\)"),
     ({"error_threshold": 3}, r"4 files failed, and 3 may \(error_threshold\)")],
)  # fmt: skip
def test_each_limit_holds(bench, limits, says):
    bench.write_files(10)
    script = bench.script("""
        def run(mini_batch):
            if any(path.endswith(("003.txt", "006.txt")) for path in mini_batch):
                raise ValueError("no")
            return [1 for _ in mini_batch]
    """)
    (name,) = limits
    with pytest.raises(TooManyFailedItemsError, match=says):
        bench.run(script, mini_batch_size=2, max_attempts=1, **limits)
    _, record = bench.run(script, mini_batch_size=2, max_attempts=1, **{name: limits[name] + 1})
    assert record.items.files_failed == 4


def test_a_threshold_that_is_exceeded_ends_the_job_early(bench):
    bench.write_files(20)
    script = bench.script("""
        def run(mini_batch):
            note("run", mini_batch)
            raise ValueError("no")
    """)
    with pytest.raises(TooManyFailedItemsError):
        bench.run(script, mini_batch_size=1, max_attempts=1, error_threshold=2)
    assert len(bench.calls()) <= 5
