"""Outputs of one mini-batch that replace each other are told and counted, in the worker's Python and in another."""

from __future__ import annotations

import sys
from dataclasses import replace

import pytest

from airflow_batch_inference.exceptions import TooManyFailedItemsError
from airflow_batch_inference.scripts.job import run_script
from airflow_batch_inference.scripts.source import OwnPython

BY_STEM = """
def run(mini_batch):
    note("run", mini_batch)
    for path in mini_batch:
        Path(os.environ["AZUREML_BI_OUTPUT_PATH"], Path(path).stem + ".out").write_text(Path(path).read_text())
    return mini_batch
"""


def write(bench, *names):
    for name in names:
        path = bench.input / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(name)


@pytest.mark.parametrize("action", ["summary_only", "append_row"])
def test_two_inputs_of_one_stem_are_an_error_where_one_output_is_left(bench, action):
    write(bench, "a/x.csv", "b/x.csv", "c/y.csv")
    _, record = bench.run(bench.script(BY_STEM), recursive=True, output_action=action)
    assert (record.items.files_failed, record.items.mini_batches_failed, record.items.returned) == (1, 1, 3)
    (entry,) = bench.mini_batches(record)
    assert entry["failures"][0]["kind"] == "overwritten"
    assert "a/x.csv, b/x.csv share the stem x, and left only x.out" in entry["failures"][0]["error"]
    assert len(bench.calls()) == 1  # another attempt would do the same


def test_a_limit_counts_them(bench):
    write(bench, "a/x.csv", "b/x.csv", "c/y.csv")
    with pytest.raises(TooManyFailedItemsError, match=r"1 files failed, and 0 may.*share the stem x"):
        bench.run(bench.script(BY_STEM), recursive=True, output_action="summary_only", error_threshold=0)


def test_one_name_that_is_written_anew_for_each_file_loses_all_but_the_last(bench):
    write(bench, "a.csv", "b.csv", "c.csv")
    script = bench.script(BY_STEM.replace('Path(path).stem + ".out"', '"predictions.csv"'))
    _, record = bench.run(script, output_action="summary_only")
    assert record.items.files_failed == 2
    assert "wrote predictions.csv anew 3 times" in bench.mini_batches(record)[0]["failures"][0]["error"]


def test_they_are_seen_in_another_python_too(bench):
    write(bench, "a.csv", "b.csv", "c.csv")
    request = bench.request(bench.script(BY_STEM.replace('Path(path).stem + ".out"', '"predictions.csv"')),
                            output_action="summary_only")  # fmt: skip
    own = OwnPython(python=sys.executable, requirements=None, environments=bench.folder, storage=bench.storage,
                    variables=request.settings.environment_variables)  # fmt: skip
    _, record = run_script(replace(request, scorer=replace(request.scorer, own_python=own)), storage=bench.storage)
    assert record.items.files_failed == 2


@pytest.mark.parametrize("name", ["all.txt", "x.txt"])
def test_one_file_for_all_is_right_however_it_is_written(bench, name):
    write(bench, "a/x.csv", "b/x.csv", "c/y.csv")
    script = bench.script("""
        def run(mini_batch):
            name = Path(os.environ["AZUREML_BI_OUTPUT_PATH"], os.environ["NAME"])
            for path in mini_batch:
                with open(name, "a") as file:
                    file.write(path)
            return mini_batch
    """)
    _, record = bench.run(
        script, recursive=True, output_action="summary_only", error_threshold=0, environment={"NAME": name}
    )
    assert (record.items.files_failed, len(record.parts)) == (0, 1)


def test_what_is_written_as_its_text_is_warned_of(bench, capfd):
    write(bench, "a.csv", "b.csv")
    script = bench.script("def run(mini_batch):\n    return [{'a': {'b': 1}} for _ in mini_batch]")
    _, record = bench.run(script, mini_batch_size=1)
    assert bench.output(record) == b"a\n{'b': 1}\n{'b': 1}\n"
    out = capfd.readouterr().out
    assert out.count("returned a dict in the column a, which goes into CSV as its text") == 1
