"""Calls as Wallaroo's users write them: by position and by name, awaited and not, in time and not."""

from __future__ import annotations

import asyncio
import inspect
import json
import time

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import airflow_batch_inference as abi
from airflow_batch_inference.exceptions import ConfigurationError

COLUMNS = ["time", "in.a", "in.b", "out.predicted_label", "check_failures"]


@pytest.fixture
def pipeline(make_model):
    return abi.Pipeline(make_model())


def test_infer_by_position_as_by_name(pipeline, frame):
    by_position = pipeline.infer(frame, 15, ["*"], ["in"], "_")
    by_name = pipeline.infer(frame, timeout=15, dataset=["*"], dataset_exclude=["in"], dataset_separator="_")
    assert list(by_position) == list(by_name) == ["time", "out_predicted_label", "check_failures"]
    assert list(pipeline.infer(frame, 15.0, None, None, ".")) == COLUMNS


@pytest.mark.parametrize("dataset", [["meta"], ["metadata"], "meta", ["meta.*"], "metadata.*"])
def test_metadata_has_two_names_there(pipeline, frame, dataset):
    names = ["metadata.elapsed", "metadata.last_model", "metadata.pipeline_version"]
    assert list(pipeline.infer(frame, dataset=dataset)) == names
    leaf = pipeline.infer(frame, dataset=["*", "metadata.elapsed"], dataset_exclude=dataset)
    assert list(leaf) == [*COLUMNS, "metadata.elapsed"]


def test_infer_from_file_by_position_and_by_name(pipeline, frame, tmp_path):
    path = tmp_path / "request.df.json"
    frame.to_json(path, orient="records")
    found = pipeline.infer_from_file(path, timeout=20, dataset=["out"])
    assert found["out.predicted_label"].tolist() == [3.0, 3.0, 6.0]
    assert list(pipeline.infer_from_file(str(path), "pandas-records", 20, ["time", "out"])) == [COLUMNS[0], COLUMNS[3]]


def test_a_request_that_takes_too_long_is_a_timeout_and_the_pipeline_goes_on(make_model, fake_answers, frame):
    _, hangs_on = fake_answers
    pipeline = abi.Pipeline(make_model(hangs_on(3.0, 5)))
    started = time.monotonic()
    with pytest.raises(TimeoutError, match=r"not scored within 0.1 s. Raise timeout"):
        pipeline.infer(frame, timeout=0.1)
    assert time.monotonic() - started < 2
    assert len(pipeline.infer(frame.iloc[:2], timeout=5)) == 2


def test_an_error_within_the_time_is_that_error(make_model, fake_answers, frame):
    fails_on, _ = fake_answers
    with pytest.raises(Exception, match=r"cannot score 3.0"):
        abi.Pipeline(make_model(fails_on(3.0))).infer(frame, timeout=5)


@pytest.mark.parametrize("timeout", [0, -1, "15", True, float("inf")])
def test_a_time_that_is_none_is_refused(pipeline, frame, timeout):
    with pytest.raises(ConfigurationError, match="timeout is"):
        pipeline.infer(frame, timeout=timeout)


def test_calls_that_never_come_back_are_not_begun_for_ever(make_model, fake_answers, frame):
    _, hangs_on = fake_answers
    pipeline = abi.Pipeline(make_model(hangs_on(3.0, 8)))
    for _ in range(8):
        with pytest.raises(TimeoutError, match="within"):
            pipeline.infer(frame, timeout=0.01)
    with pytest.raises(TimeoutError, match="8 calls of the model have not come back"):
        pipeline.infer(frame.iloc[:1], timeout=5)


# Many requests, awaited and not.
def test_parallel_infer_is_called_as_there(pipeline, frame):
    async def main():
        found = await pipeline.parallel_infer(tensor_list=[frame, frame * 2], timeout=20, num_parallel=2, retries=2)
        return found, pipeline.parallel_infer([frame])

    found, not_awaited = asyncio.run(main())
    assert [each["out.predicted_label"].tolist() for each in found] == [[3.0, 3.0, 6.0], [6.0, 6.0, 12.0]]
    assert isinstance(found, list)
    assert isinstance(not_awaited, list)
    assert list(not_awaited[0]) == [*COLUMNS, "error"]
    by_position = pipeline.parallel_infer([frame], 20, 2, 2, ["out"], None, "_")
    assert list(by_position[0]) == ["out_predicted_label", "error"]


def test_answers_are_a_list_in_every_way(pipeline, frame):
    found = pipeline.parallel_infer([frame.to_dict("records")] * 2, dataset=["out"], on_error="raise")
    assert json.loads(json.dumps(found)) == [[{"out.predicted_label": value} for value in (3.0, 3.0, 6.0)]] * 2
    assert found[0:1] == found[:1]
    assert len(found) == len(list(found)) == 2
    assert inspect.isawaitable(found)


def test_several_calls_are_gathered(pipeline, frame):
    async def main():
        calls = [pipeline.parallel_infer([frame * factor]) for factor in (1, 2)]
        return await asyncio.gather(*calls)

    first, second = asyncio.run(main())
    assert first[0]["out.predicted_label"].tolist() == [3.0, 3.0, 6.0]
    assert second[0]["out.predicted_label"].tolist() == [6.0, 6.0, 12.0]


def test_the_functions_take_the_same(make_model, frame, tmp_path):
    model = make_model()
    assert list(abi.infer(model, frame, 15, ["out"], checks={"x": "in.a > 1"})) == ["out.predicted_label"]
    path = tmp_path / "request.json"
    frame.to_json(path, orient="records")
    assert list(abi.infer_from_file(model, path, None, 15, dataset=["out"])) == ["out.predicted_label"]

    async def main():
        return await abi.parallel_infer(model, tensor_list=[frame], timeout=20, num_parallel=2, retries=2)

    assert len(asyncio.run(main())) == 1
    assert len(list(abi.infer_stream(model, [frame, frame], 15, 1))) == 2


def test_none_is_the_default_everywhere(pipeline, frame):
    found = pipeline.parallel_infer([frame], timeout=None, num_parallel=None, retries=None, dataset=None)
    assert list(found[0]) == [*COLUMNS, "error"]


# One frame, in pieces.
FORMS = {
    "pandas": lambda frame: frame,
    "polars": pl.from_pandas,
    "table": lambda frame: pa.Table.from_pandas(frame, preserve_index=False),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("batch_size", [1, 2, 3, 100, None])
def test_one_frame_is_answered_as_infer_answers_it(pipeline, frame, form, batch_size):
    data = FORMS[form](frame)
    expected = pipeline.infer(data, dataset=["in", "out"], on_error="null")
    found = pipeline.parallel_infer(data, batch_size=batch_size, dataset=["in", "out"])
    assert type(found) is type(expected)
    assert found.equals(expected)

    async def main():
        return await pipeline.parallel_infer(tensor_list=data, batch_size=batch_size, dataset=["in", "out"])

    assert asyncio.run(main()).equals(expected)


def test_a_piece_that_fails_costs_its_rows_and_no_type(make_model, fake_answers):
    _, hangs_on = fake_answers
    frame = pd.DataFrame({"a": [1.0, 2.0, 9.0, 4.0], "b": [0.0] * 4, "n": [1, 2, 3, 4]}, index=list("wxyz"))
    pipeline = abi.Pipeline(make_model(lambda batch: hangs_on(9.0, 1)(batch).astype(np.int64)))
    found = pipeline.parallel_infer(frame, batch_size=1, timeout=0.3)
    assert found["out.predicted_label"].tolist() == [2, 4, pd.NA, 8]
    assert str(found["out.predicted_label"].dtype) == "Int64"
    assert found["in.n"].dtype == np.int64
    assert found.index.tolist() == list("wxyz")
    assert found["error"].isna().tolist() == [True, True, False, True]
    assert "within 0.3 s" in found["error"]["y"]
    assert found["time"].nunique() == 1


def test_where_every_piece_fails_the_errors_are_the_answer(make_model, fake_answers, frame):
    fails_on, _ = fake_answers
    pipeline = abi.Pipeline(make_model(fails_on(1.0)))
    found = pipeline.parallel_infer(frame.assign(a=1.0), batch_size=2)
    assert list(found) == ["in.a", "in.b", "error"]
    assert found["error"].str.contains("cannot score 1.0").all()
    with pytest.raises(Exception, match=r"cannot score 1.0"):
        pipeline.parallel_infer(frame.assign(a=1.0), batch_size=2, on_error="raise")


def test_in_an_event_loop_the_answer_to_a_frame_says_that_it_is_to_be_awaited(pipeline, frame):
    async def main():
        found = pipeline.parallel_infer(frame)
        assert "await pipeline.parallel_infer" in repr(found)
        with pytest.raises(AttributeError, match="no 'head' yet: write 'await"):
            found.head()
        return await found

    assert len(asyncio.run(main())) == 3


def test_the_loop_goes_on_while_one_frame_is_scored(make_model, fake_answers, frame):
    _, hangs_on = fake_answers
    pipeline = abi.Pipeline(make_model(hangs_on(3.0, 0.3)))

    async def main():
        ticks = 0
        call = asyncio.ensure_future(pipeline.parallel_infer(frame))
        while not call.done():
            ticks += 1
            await asyncio.sleep(0.02)
        return ticks, await call

    ticks, found = asyncio.run(main())
    assert ticks > 3
    assert len(found) == 3


def test_rows_of_a_call_may_be_limited(make_model, frame):
    model = make_model()
    found = abi.Pipeline(model).parallel_infer([frame] * 20, batch_size=6)
    assert len(found) == 20
    assert max(model.sizes) == 6


@pytest.mark.parametrize("data", [{"a": [1.0]}, "text", pd.Series([1.0]), np.float64(1)])
def test_what_is_one_request_and_no_frame_is_refused(pipeline, data):
    with pytest.raises(TypeError):
        pipeline.parallel_infer(data)


# Arguments by another name.
@pytest.mark.parametrize(
    ("call", "arguments", "words"),
    [
        ("infer", {"datset": ["out"]}, r"Pipeline.infer\(\) has no argument 'datset' \(did you mean 'dataset'\?\). It"),
        ("infer", {"tensor": 1}, r"no argument 'tensor' \(it is called 'data' here\)"),
        ("infer", {"retries": 1}, "It takes: data, timeout, dataset"),
        ("infer_from_file", {"filename": "x"}, r"\(it is called 'path' here\)"),
        ("infer_from_file", {"dataset_seperator": "_"}, "did you mean 'dataset_separator'"),
        ("parallel_infer", {"tensor": []}, "it is called 'tensor_list' here"),
        ("parallel_infer", {"num_paralel": 2}, "did you mean 'num_parallel'"),
        ("infer_stream", {"timout": 2}, "did you mean 'timeout'"),
    ],
)
def test_an_argument_that_is_not_there_is_named_with_a_guess(pipeline, make_model, frame, call, arguments, words):
    first = {} if set(arguments) & {"tensor", "filename"} else None
    with pytest.raises(TypeError, match=words):
        getattr(pipeline, call)(*([] if first is not None else [frame]), **arguments)
    with pytest.raises(TypeError, match="has no argument"):
        getattr(abi, call)(make_model(), frame, **arguments)


def test_an_argument_of_a_pipeline_is_guessed_too(make_model, frame):
    with pytest.raises(TypeError, match=r"Pipeline\(\) has no argument 'cheks' \(did you mean 'checks'\?\)"):
        abi.Pipeline(make_model(), cheks={})
    with pytest.raises(TypeError, match=r"infer\(\) has no argument 'cheks' \(did you mean 'checks'\?\)"):
        abi.infer(make_model(), frame, cheks={})


# Custom JSON.
@pytest.mark.parametrize(
    ("content", "expected"),
    [
        ({"a": [1.0, 2.0], "b": [0.5, 0.0]}, {"predicted_label": [3.0, 4.0]}),
        ([{"a": 1.0, "b": 0.5}, {"b": 0.0, "a": 2.0}], [{"predicted_label": 3.0}, {"predicted_label": 4.0}]),
        ([[1.0, 0.5], [2.0, 0.0]], [{"predicted_label": 3.0}, {"predicted_label": 4.0}]),
    ],
)
def test_custom_json_is_answered_in_the_model_s_own_form(pipeline, tmp_path, content, expected):
    path = tmp_path / "request.json"
    path.write_text(json.dumps(content))
    assert pipeline.infer_from_file(path, data_format="custom-json") == expected
    chosen = pipeline.infer_from_file(path, "custom-json", dataset=["in.a", "out"])
    assert list(chosen if isinstance(chosen, dict) else chosen[0]) == ["in.a", "out.predicted_label"]


def test_a_bad_row_of_custom_json_has_its_error(pipeline, tmp_path):
    path = tmp_path / "request.json"
    path.write_text(json.dumps([{"a": 1.0, "b": 0.5}, {"a": "x", "b": 0.0}]))
    good, bad = pipeline.infer_from_file(path, "custom-json", on_error="null")
    assert good == {"predicted_label": 3.0, "error": None}
    assert bad["predicted_label"] is None
    assert "'x'" in bad["error"]


@pytest.mark.parametrize("content", [5, "text", [1, 2], [[1.0, 2.0], {"a": 1}], None])
def test_other_custom_json_is_refused(pipeline, tmp_path, content):
    path = tmp_path / "request.json"
    path.write_text(json.dumps(content))
    with pytest.raises(TypeError, match="Custom JSON must hold"):
        pipeline.infer_from_file(path, data_format="custom-json")
