"""No mini-batch's output replaces another's, and one that fits nothing before it is named with what it does not fit."""

from __future__ import annotations

import pytest

from airflow_batch_inference.exceptions import ScriptError
from airflow_batch_inference.records import ColumnSpec, DataFile, MiniBatchReceipt, Part
from airflow_batch_inference.scripts.output_consistency import Agreement
from airflow_batch_inference.scripts.plan import MiniBatch, named_items
from airflow_batch_inference.scripts.processes.outcome import Outcome
from airflow_batch_inference.scripts.settings import ScriptSettings


def outcome(index, *, written=(), columns=("a",), returned=1):
    files = [DataFile(uri=f"file:///in/{index}.txt", size_bytes=1, version="")]
    receipt = MiniBatchReceipt(
        job_key="k",
        index=index,
        items=1,
        file_hash="0",
        returned=returned,
        columns=tuple(ColumnSpec(name=name, type="int64") for name in columns),
        rows=None,
        written=tuple(Part(uri=f"file:///{name}", rows=0, size_bytes=1, sha256="", name=name) for name in written),
        attempts=1,
        seconds=0.1,
    )
    return Outcome(batch=MiniBatch(index, named_items(files)), receipt=receipt)


@pytest.mark.parametrize(
    ("first", "second", "named"),
    [(["x"], ["x"], "wrote x to"), (["a/b"], ["a"], "wrote a to"), (["a"], ["a/b"], "wrote a/b below a"),
     (["a"], ["a/b/c"], "wrote a/b/c below a"), (["predictions.csv"], [], "output_file_name")],
)  # fmt: skip
def test_a_path_belongs_to_one_mini_batch_and_no_file_is_a_folder_too(first, second, named):
    agreement = Agreement(ScriptSettings())
    with pytest.raises(ScriptError, match=named):  # noqa: PT012  # the first alone may be one too many
        agreement.note(outcome(0, written=first))
        agreement.note(outcome(1, written=second))


def test_files_of_one_folder_and_of_one_name_go_together():
    agreement = Agreement(ScriptSettings(output_action="summary_only"))
    agreement.note(outcome(0, written=["a/x", "a/y", "predictions.csv"]))
    agreement.note(outcome(1, written=["b/x", "a/z"]))


def test_columns_are_those_of_the_first_mini_batch_that_returned_something():
    agreement = Agreement(ScriptSettings())
    agreement.note(outcome(0, columns=["other"], returned=0))
    agreement.note(outcome(1, columns=["a", "b"]))
    agreement.note(Outcome(batch=outcome(2).batch, receipt=None))
    with pytest.raises(ScriptError, match=r"columns b, a for mini-batch 3 .* but a, b for mini-batch 1 "):
        agreement.note(outcome(3, columns=["b", "a"]))
