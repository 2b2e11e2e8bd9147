"""What PredictOperator adds to the engine: arguments, mapped tasks, rejects by XCom, the fence, the retry policy."""

from __future__ import annotations

import pandas as pd
import pyarrow.parquet as pq
import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from grouped import grouped

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError, WorkerError
from airflow_batch_inference.operators import LoadModelOperator, PredictOperator, Processes, RowPolicy
from airflow_batch_inference.operators.arguments import byte_size, optional_whole_number, whole_number
from airflow_batch_inference.operators.base import fence_of
from airflow_batch_inference.records import PredictionSetRecord
from airflow_batch_inference.storage.store import Storage


@pytest.fixture
def model(runner, model_file, digest):
    return runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest))


def read(uri):
    record = Storage().read_record(uri)
    assert isinstance(record, PredictionSetRecord)
    return record


def test_mapped_tasks_write_into_folders_of_their_own(runner, model, batch):
    uris = [
        runner(PredictOperator(task_id="predict", model=model, dataset=str(batch / name)), map_index=index)
        for index, name in enumerate(["1.parquet", "2.parquet"])
    ]
    assert ["map_index=0" in uris[0], "map_index=1" in uris[1]] == [True, True]
    assert [read(uri).rows_out for uri in uris] == [150, 250]


def test_expand_takes_a_dataset_for_each_mapped_task():
    mapped = PredictOperator.partial(task_id="predict", model="/m.txt").expand(dataset=["/1", "/2"])
    assert mapped.operator_class is PredictOperator


def test_rejects_are_counted_by_xcom_and_limits_may_be_templates(runner, tmp_path, model):
    path = tmp_path / "large.parquet"
    frame = pd.DataFrame({"a": pd.array([1, 2**60 + 1, 3], dtype="Int64"), "b": [0.0, 1.0, 2.0]})
    frame.to_parquet(path)
    runner.params = {"limit": 1}
    operator = PredictOperator(
        task_id="predict",
        model=model,
        dataset=str(path),
        rows=RowPolicy(error_threshold="{{ params.limit }}", redact_columns="['b']"),
    )
    record = read(runner(operator))
    assert (runner.xcoms["predict"]["rows"], runner.xcoms["predict"]["rows_rejected"]) == (2, 1)
    (reject,) = pq.read_table(record.quarantine[0].uri.removeprefix("file://")).to_pylist()
    assert (reject["_row"], reject["_stage"], len(reject["b"])) == (1, "schema", 64)


@pytest.mark.parametrize(
    ("argument", "value"),
    [
        ("error_threshold", -2),
        ("error_threshold", "some"),
        ("max_rejected_fraction", 1.5),
        ("allow_nan", "maybe"),
        ("alignment_check_rows", -1),
        ("max_workers", 0),
        ("max_workers", 1.5),
        ("max_memory", "lots"),
        ("max_memory", 0),
        ("mini_batch_timeout_s", 0),
        ("isolate", "perhaps"),
    ],
)
def test_arguments_that_can_never_work_are_named(runner, model, batch, argument, value):
    def predict(given):
        groups = grouped({argument: given}, rows=RowPolicy, engine=Processes)
        return PredictOperator(task_id="predict", model=model, dataset=str(batch), **groups)

    with pytest.raises(ConfigurationError, match=argument):
        predict(value)
    runner.params = {"value": value}
    with pytest.raises(AirflowFailException, match=argument):
        runner(predict("{{ params.value }}"))


def test_sizes_and_whole_numbers():
    assert [byte_size("m", text) for text in ("1", "1kB", "1 KiB", "2GiB", "1.5m", 7)] == [
        *(1, 1000, 1024, 2 << 30, 1_500_000, 7)
    ]
    assert (whole_number("n", "3", low=1), optional_whole_number("n", "None", low=1)) == (3, None)
    with pytest.raises(ConfigurationError, match="whole number of at least 1"):
        whole_number("n", 1.5, low=1)


def test_isolate_scores_in_a_worker_process(runner, model, batch):
    alone = read(runner(PredictOperator(task_id="alone", model=model, dataset=str(batch))))
    isolated = read(
        runner(PredictOperator(task_id="isolated", model=model, dataset=str(batch), engine=Processes(isolate=True)))
    )
    columns = [pq.read_table(each.parts[0].uri.removeprefix("file://")) for each in (alone, isolated)]
    assert columns[0].equals(columns[1])


def test_a_try_that_is_over_is_refused_by_the_task_state_store(runner, model, batch):
    class Store:
        def set(self, key, value):
            raise RuntimeError("this task instance is not running")

    class Context(dict):
        pass

    operator = PredictOperator(task_id="zombie", model=model, dataset=str(batch))
    plain = fence_of(Context(ti=None))
    plain()  # before Airflow 3.3 there is no such store
    original = operator.perform
    operator.perform = lambda context: original(Context(context, task_state_store=Store()))
    with pytest.raises(RuntimeError, match="not running"):
        runner(operator)
    assert not list(runner.root.rglob("task_id=zombie/**/_commits/*.json"))


def test_the_retry_policy_knows_what_passes_by_itself():
    airflow_sdk = pytest.importorskip("airflow.sdk")
    if not hasattr(airflow_sdk, "ExceptionRetryPolicy"):
        pytest.skip("this Airflow is older than 3.3, which brought retry policies")
    from airflow_batch_inference.operators.retry import batch_inference_retry_policy

    policy = batch_inference_retry_policy()

    def action(error):
        return policy.evaluate(error, try_number=1, max_tries=3).action.value

    retried = [ArtifactNotFoundError("x"), WorkerError("x"), ConnectionResetError(), TimeoutError(), MemoryError()]
    assert [action(error) for error in retried] == ["retry"] * len(retried)
    assert [action(error) for error in (PermissionError(), TypeError())] == ["fail", "fail"]
    assert action(RuntimeError()) == "default"
    assert type(policy).deserialize(policy.serialize()).evaluate(TypeError(), 1, 3).action.value == "fail"
