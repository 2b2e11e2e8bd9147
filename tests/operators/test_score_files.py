"""``@task.score`` with a function of files: the guarantees of scoring scripts, without a script."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pyarrow.csv as pc
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk import task

from airflow_batch_inference.exceptions import TooManyFailedItemsError
from airflow_batch_inference.operators import ErrorLimits, RowPolicy, ScriptSettings
from airflow_batch_inference.storage.store import Storage

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

LOCK = threading.Lock()


@pytest.fixture
def files(tmp_path):
    folder = tmp_path / "texts"
    folder.mkdir()
    for number in range(5):
        (folder / f"{number}.txt").write_text("x" * number)
    return folder


def operator_of(predictions):
    return predictions.operator


def output_of(uri):
    (part,) = Storage().read_record(uri).parts
    return pc.read_csv(part.uri.removeprefix("file://"))


def sizes(paths: list[Path], factor: int = 1):
    return [path.stat().st_size * factor for path in paths]


def names(paths: list[str]):
    return [path.rsplit("/", 1)[-1] for path in paths]


def held(paths: list[str]):
    with LOCK:
        return paths


def test_a_function_gets_paths_a_mini_batch_at_a_time_and_its_rows_come_in_the_files_order(runner, files):
    uri = runner(
        operator_of(task.score(dataset=str(files), settings=ScriptSettings(mini_batch_size=2))(sizes)(factor=10))
    )
    assert output_of(uri)["predicted_label"].to_pylist() == [0, 10, 20, 30, 40]
    record = Storage().read_record(uri)
    assert (record.items.files_in, record.items.mini_batches, record.model_flavor) == (5, 3, "function")
    assert runner.xcoms["sizes"]["items"] == 5


def test_it_may_take_text_instead(runner, files):
    uri = runner(operator_of(task.score(dataset=str(files))(names)()))
    assert output_of(uri)["predicted_label"].to_pylist() == [f"{number}.txt" for number in range(5)]


def test_a_function_that_always_raises_fails_with_its_own_line(runner, files):
    @task.score(dataset=str(files), limits=ErrorLimits(max_attempts=1))
    def broken(paths: list[str]):
        raise ValueError(f"cannot read {len(paths)} files")

    with pytest.raises(TooManyFailedItemsError, match="ValueError: cannot read 5 files"):
        runner(operator_of(broken()))


def test_options_of_rows_and_what_no_process_can_take_are_refused(runner, files):
    with pytest.raises(TypeError, match="rows"):
        runner(operator_of(task.score(dataset=str(files), rows=RowPolicy(alignment_check_rows=1))(sizes)()))
    with pytest.raises(AirflowFailException, match=r"cannot be handed to them .*Make what it holds"):
        runner(operator_of(task.score(dataset=str(files))(held)()))


def test_options_of_files_are_refused_for_a_function_of_rows(runner, batch):
    @task.score(dataset=str(batch), settings=ScriptSettings(mini_batch_size=3))
    def risk(rows: pd.DataFrame):
        return rows["a"]

    with pytest.raises(TypeError, match="settings"):
        risk()


def one_is_bad(paths: list[Path]):
    return [paths[0].read_text(encoding="ascii") for _ in paths]


def test_by_default_no_file_may_fail_and_with_a_threshold_that_many(runner, files):
    (files / "2.txt").write_bytes(b"\xff")
    asked = {"dataset": str(files), "settings": ScriptSettings(mini_batch_size=1)}
    with pytest.raises(TooManyFailedItemsError, match=r"1 files? failed, and 0 may"):
        runner(operator_of(task.score(**asked, limits=ErrorLimits(max_attempts=1))(one_is_bad)()))
    record = Storage().read_record(
        runner(operator_of(task.score(**asked, limits=ErrorLimits(max_attempts=1, error_threshold=1))(one_is_bad)()))
    )
    assert (record.items.files_succeeded, record.items.files_failed) == (4, 1)
