"""Many requests: order, joining, errors in their places, time, re-tries, streams."""

from __future__ import annotations

import itertools
import threading
import time

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import airflow_batch_inference as abi
from airflow_batch_inference.exceptions import ConfigurationError, PredictionError, TooManyRejectedRowsError
from airflow_batch_inference.flavors.base import LoadedModel

COLUMNS = {"dataset_exclude": ["time"]}


def frames(number, rows=4, start=0):
    values = np.arange(start, start + number * rows, dtype=float).reshape(number, rows)
    return [pd.DataFrame({"a": row, "b": row / 2}) for row in values]


def as_frame(answer):
    if isinstance(answer, pa.Table):
        return answer.to_pandas()
    return pd.DataFrame(answer)


# Joining


@settings(max_examples=40, deadline=None)
@given(st.lists(st.integers(0, 7), min_size=1, max_size=12), st.sampled_from(["frame", "table", "columns"]))
def test_any_cut_gives_the_answers_of_one_request(tree, sizes, form):
    rng = np.random.default_rng(sum(sizes))
    whole = pd.DataFrame({"a": rng.normal(size=sum(sizes)), "b": rng.normal(size=sum(sizes))})
    edges = np.cumsum([0, *sizes])
    made = {
        "frame": lambda part: part,
        "table": lambda part: pa.Table.from_pandas(part, preserve_index=False),
        "columns": lambda part: part.to_dict("list"),
    }[form]
    pipeline = abi.Pipeline(tree, checks={"high": "out.predicted_label > 0.1 or in.a < -1"})
    found = pipeline.parallel_infer([made(whole[a:b]) for a, b in itertools.pairwise(edges)], **COLUMNS)
    expected = pipeline.infer(whole, on_error="null", **COLUMNS)
    assert [len(as_frame(each)) for each in found] == sizes
    for each, (a, b) in zip(found, itertools.pairwise(edges), strict=True):
        part = as_frame(each)
        assert list(part) == list(expected)
        for name in ("in.a", "out.predicted_label", "check_failures"):
            assert part[name].tolist() == expected[name][a:b].tolist()


def test_neighbours_of_one_schema_are_scored_in_one_call(make_model):
    model = make_model()
    found = abi.parallel_infer(model, frames(50), num_parallel=1, timeout=600)
    assert len(found) == 50
    assert model.sizes[0] == 4  # the first tells how long one takes
    assert len(model.sizes) == 2
    assert found[7]["out.predicted_label"].tolist() == [84.0, 87.0, 90.0, 93.0]


def test_an_answer_is_that_of_the_request_alone(make_model):
    pipeline = abi.Pipeline(make_model())
    items = [frame.set_axis([f"r{number}{row}" for row in range(4)]) for number, frame in enumerate(frames(6))]
    for item, found in zip(items, pipeline.parallel_infer(items, on_error="raise"), strict=True):
        alone = pipeline.infer(item)
        pd.testing.assert_frame_equal(found.drop(columns="time"), alone.drop(columns="time"))


def test_what_one_lacks_changes_no_other(make_model, fake_answers):
    def answer(batch):
        if 5.0 in batch.column("a").to_pylist():
            raise ValueError("five")
        return np.arange(batch.num_rows)

    found = abi.parallel_infer(make_model(answer=answer), frames(4))
    assert [each["out.predicted_label"].dtype for each in found] == ["int64", "Int64", "int64", "int64"]
    assert found[1]["out.predicted_label"].isna().tolist() == [False, True, False, False]
    assert found[1]["error"].iloc[1].startswith("The model's predict failed on item 1, row 1 (from 0)")
    assert [each["error"].isna().all() for each in found] == [True, False, True, True]


def test_values_that_do_not_fit_are_told_by_their_item(make_model):
    items = [pa.table({"a": [str(number), "x"], "b": [1.0, 2.0]}) for number in range(5)]
    found = abi.parallel_infer(make_model(), items)
    for number, each in enumerate(found):
        assert each["out.predicted_label"].to_pylist() == [2.0 * number + 2, None]
        assert f"of item {number}, row 1" in each["error"][1].as_py()


def test_integers_are_not_made_doubles_by_a_neighbour(make_model):
    seen = set()

    def answer(batch):
        seen.update(map(str, batch.schema.types))
        return np.zeros(batch.num_rows)

    model = make_model(answer=answer, inputs=None, feature_names=None, n_features=1)
    items = [{"a": [270]}, {"a": [0.5]}, pd.DataFrame({"a": [1]}), pd.DataFrame({"a": [0.5]}), {"a": [3]}]
    objects = [pd.DataFrame({"a": pd.Series([value], dtype=object)}) for value in (1, 0.5, 2)]
    found = abi.parallel_infer(model, [*items, *objects])
    assert not [each for each in found if isinstance(each, Exception)]
    assert seen == {"int64", "double"}
    assert [type(each["in.a"][0]).__name__ for each in found if isinstance(each, dict)] == ["int", "float", "int"]


def test_requests_of_different_forms_and_schemas_keep_their_places(make_model):
    frame = frames(1)[0]
    items = [
        frame, pa.Table.from_pandas(frame), frame.to_dict("list"), frame.to_dict("records"), frame.assign(c=1),
        frame[:0], frame.astype("float32"), frame.rename(columns={"a": "x"}), 7, frame,
    ]  # fmt: skip
    found = abi.parallel_infer(make_model(), items)
    assert [type(each).__name__ for each in found] == [
        "DataFrame", "Table", "dict", "list", "DataFrame", "DataFrame", "DataFrame", "SignatureMismatchError",
        "TypeError", "DataFrame",
    ]  # fmt: skip
    assert "in.c" in found[4]
    assert len(found[5]) == 0


def test_wide_requests_are_not_joined_beyond_some_megabytes(make_model):
    class Wide(LoadedModel):
        versions: dict = {}  # noqa: RUF012  # a fake
        sizes: list = []  # noqa: RUF012  # a fake

        def predict(self, batch, *, method="predict", kwargs=None):
            self.sizes.append(batch.nbytes)
            return np.zeros(batch.num_rows)

    items = [pd.DataFrame(np.zeros((500, 1000)))] * 12  # 4 MB each
    assert len(abi.parallel_infer(Wide(), items)) == 12
    assert max(Wide.sizes) <= 16 << 20


# Errors


def test_a_failing_item_has_its_own_error_and_others_their_answers(make_model, fake_answers):
    fails_on, _ = fake_answers
    model = make_model(answer=fails_on(5.0))
    found = abi.parallel_infer(model, frames(5), on_error="raise")
    assert [type(each).__name__ for each in found] == ["DataFrame", "PredictionError", *["DataFrame"] * 3]
    assert "item 1" in str(found[1])


def test_an_item_without_a_good_row_is_an_error(make_model, fake_answers):
    fails_on, _ = fake_answers
    items = frames(3)
    items[1] = pd.DataFrame({"a": [9.5], "b": [1.0]})
    found = abi.parallel_infer(make_model(answer=fails_on(9.5)), items)
    assert isinstance(found[1], TooManyRejectedRowsError)
    assert not isinstance(found[0], Exception)
    text = [pa.table({"a": ["1"], "b": [1.0]}), pa.table({"a": ["x"], "b": [1.0]}), pa.table({"a": ["2"], "b": [1.0]})]
    found = abi.parallel_infer(make_model(), text)
    assert [isinstance(each, Exception) for each in found] == [False, True, False]


def test_all_may_fail_and_nothing_is_raised(make_model):
    def answer(batch):
        raise ValueError("never")

    found = abi.parallel_infer(make_model(answer=answer), frames(9))
    assert all(isinstance(each, TooManyRejectedRowsError) for each in found)


def test_what_ends_the_program_ends_the_call(make_model):
    def answer(batch):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        abi.parallel_infer(make_model(answer=answer), frames(2))


@pytest.mark.parametrize(("retries", "calls"), [(0, 1), (2, 3)])
def test_retries_counts_retries(make_model, retries, calls):
    def answer(batch):
        raise ValueError("never")

    model = make_model(answer=answer)
    (found,) = abi.parallel_infer(model, frames(1), retries=retries, on_error="raise")
    assert isinstance(found, PredictionError)
    assert len(model.sizes) == calls


def test_a_retry_that_works_is_the_answer(make_model):
    calls = itertools.count()

    def answer(batch):
        if next(calls) < 2:
            raise OSError("the network was away")
        return np.zeros(batch.num_rows)

    (found,) = abi.parallel_infer(make_model(answer=answer), frames(1), retries=2)
    assert found["out.predicted_label"].tolist() == [0.0] * 4


# Time


def test_an_item_that_hangs_is_a_timeout_and_the_others_are_scored(make_model, fake_answers):
    _, hangs_on = fake_answers
    started = time.monotonic()
    found = abi.parallel_infer(make_model(answer=hangs_on(5.0, 5)), frames(4), timeout=0.4)
    assert [type(each).__name__ for each in found] == ["DataFrame", "TimeoutError", "DataFrame", "DataFrame"]
    assert str(found[1]) == "item 1 was not scored within 0.4 s."
    assert time.monotonic() - started < 4


def test_a_model_that_never_comes_back_is_not_called_for_ever(make_model):
    gate = threading.Event()

    def answer(batch):
        gate.wait(60)
        return np.zeros(batch.num_rows)

    model = make_model(answer=answer)
    try:
        found = abi.parallel_infer(model, frames(40), timeout=0.05)
    finally:
        gate.set()
    assert all(isinstance(each, TimeoutError) for each in found)
    assert len(model.sizes) <= 12
    assert "no more are begun" in str(found[-1])


def test_calls_run_side_by_side(make_model):
    meeting = threading.Barrier(2, timeout=20)
    calls = itertools.count()

    def answer(batch):
        if next(calls):  # the first item is alone
            meeting.wait()
        return np.zeros(batch.num_rows)

    items = [frame.assign(**{f"c{number}": 1}) for number, frame in enumerate(frames(3))]
    found = abi.parallel_infer(make_model(answer=answer), items, num_parallel=2)
    assert not [each for each in found if isinstance(each, Exception)]


# Streams


def test_a_generator_is_taken_as_it_is_needed(make_model):
    taken = []

    def source():
        for number in itertools.count():
            taken.append(number)
            yield pd.DataFrame({"a": np.zeros(50_000), "b": np.zeros(50_000)})

    stream = abi.infer_stream(make_model(), source())
    for _ in range(5):
        assert len(next(stream)) == 50_000
    stream.close()
    assert len(taken) < 20


def test_an_error_of_the_source_comes_after_the_answers_before_it(make_model):
    def source():
        yield from frames(3)
        raise ValueError("the source is broken")

    found = []
    with pytest.raises(ValueError, match="the source is broken"):
        found.extend(abi.infer_stream(make_model(), source()))
    assert len(found) == 3


def test_no_item_at_all(make_model):
    assert abi.parallel_infer(make_model(), []) == []
    assert abi.parallel_infer(make_model(), iter(())) == []


def test_threads_end_with_the_stream(make_model):
    before = set(threading.enumerate())
    abi.parallel_infer(make_model(), frames(10))
    stream = abi.infer_stream(make_model(), frames(10))
    next(stream)
    stream.close()
    deadline = time.monotonic() + 10
    while set(threading.enumerate()) - before:
        assert time.monotonic() < deadline
        time.sleep(0.01)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"timeout": 0}, "timeout is 0"),
        ({"timeout": "soon"}, "timeout is 'soon'"),
        ({"num_parallel": 0}, "num_parallel is 0"),
        ({"retries": -1}, "retries is -1"),
        ({"retries": True}, "retries is True"),
        ({"on_error": "skip"}, "on_error is 'skip'"),
    ],
)
def test_arguments_that_can_never_work_are_refused_at_once(make_model, options, words):
    with pytest.raises(ConfigurationError, match=words):
        abi.parallel_infer(make_model(), frames(1), **options)
