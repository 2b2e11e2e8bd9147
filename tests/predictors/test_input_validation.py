"""Values that do not fit meet the fate that their column's policy says, and all others are scored."""

from __future__ import annotations

import logging
import pickle
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from bench import with_record
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_batch_inference.exceptions import ConfigurationError, SignatureMismatchError, TooManyRejectedRowsError
from airflow_batch_inference.jobs.request import RowPolicy
from airflow_batch_inference.predictors.input_validation import make_input_validation, policies
from airflow_batch_inference.records import ColumnContract, ColumnSpec
from airflow_batch_inference.schema.inputs import plan_inputs
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.score import score_dataset
from airflow_batch_inference.workflows.verify import verify

ANY = RowPolicy(error_threshold=-1)
AGE = ColumnContract(name="a", type="int64", minimum=18.0, maximum=97.0, categories=None, null_fraction=0.0)


def sum_of(batch):
    """The fake's prediction, a + 2 b, with 1000 for a missing a: one that tells what the model was given."""
    values = batch.column("a").to_pandas().fillna(1000).astype(float).to_numpy()
    return values + 2 * batch.column("b").to_numpy()


@pytest.fixture
def score(bench, make_model):
    """A function that scores a table with these policies and this contract."""

    def run(table, on_mismatch, contract=(), policy=None, kind="double", **changes):
        model = make_model(answer=sum_of, inputs=(ColumnSpec(name="a", type=kind), ColumnSpec(name="b", type="double")))
        source = table if isinstance(table, (str, dict)) else bench.write("in.parquet", table)
        request = bench.request(source, model=model, on_mismatch=on_mismatch, policy=policy, alignment_check_rows=2)
        request = replace(with_record(request, contract=tuple(contract)), **changes)
        return score_dataset(request, storage=bench.storage)[1]

    return run


def rejects(record):
    return [row for part in record.quarantine for row in pq.read_table(part.uri.removeprefix("file://")).to_pylist()]


def numbers(a, kind=None):
    return pa.table({"a": pa.array(a, kind), "b": [1.0] * len(a)})


def test_a_policy_goes_to_its_column_and_the_star_to_all_others():
    words = {"petal length": "null", "*": "fail"}
    assert policies(words, ["petal_length", "b"], is_tolerant=False) == {"petal_length": "null", "b": "fail"}
    assert policies({}, ["a"], is_tolerant=False) == {"a": "cast"}


@pytest.mark.parametrize(
    ("words", "match"),
    [
        ({"*": "quarantene"}, r"'quarantene'; it must be one of .* \(did you mean 'quarantine'\?\)"),
        (
            {"agee": "null"},
            r"names 'agee', which is not an input of the model \(did you mean 'age'\?\)\. There are: age",
        ),
        ({"age": "quarantine"}, r"no row may be rejected\. Say how many may be, with error_threshold"),
    ],
)
def test_a_word_a_column_or_a_quarantine_without_a_budget_is_refused(words, match):
    with pytest.raises(ConfigurationError, match=match):
        policies(words, ["age"], is_tolerant=False)


@pytest.mark.parametrize("policy", [None, ANY])
def test_fail_ends_the_task_whatever_may_be_rejected(score, bench, policy):
    with pytest.raises(
        SignatureMismatchError,
        match=r"Column 'a' of file://.*in\.parquet, row 2 \(from 0\): a is 214; the training sample has 18 to 97",
    ):
        score(numbers([18, 97, 214, 300]), {"a": "fail"}, [AGE], policy)
    assert bench.visible() == []


def test_a_type_that_does_not_fit_fails_too_where_casts_would_have_rejected_it(score):
    table = numbers([1, 2**53 + 1])
    assert score(table, {}, policy=ANY).rows_rejected == 1
    with pytest.raises(SignatureMismatchError, match=r"row 1 .*: a is 9007199254740993; it cannot become double"):
        score(table, {"*": "fail"}, policy=ANY)


def test_null_gives_the_model_a_null_and_keeps_the_value_in_the_output(score, bench, caplog):
    table = numbers([18, 214, 40, -3])
    with caplog.at_level(logging.WARNING):
        record = score(table, {"a": "null"}, [replace(AGE, null_fraction=0.5)])
    output = bench.output(record)
    assert output.column("a").to_pylist() == [18, 214, 40, -3]
    assert output.column("predicted_label").to_pylist() == [20, 1002, 42, 1002]
    assert record.nulled == {"a": 2}
    assert "2 values of column 'a' did not fit and became null for the model" in caplog.text


def test_text_that_is_no_number_becomes_null_and_the_rest_the_numbers_that_it_stands_for(score, bench):
    record = score(numbers(["18", " 19.5", "n/a", None, "1e999x"]), {"a": "null"})
    output = bench.output(record)
    assert output.column("a").to_pylist() == [18, 19.5, None, None, None]
    assert output.column("predicted_label").to_pylist() == [20, 21.5, 1002, 1002, 1002]
    assert record.nulled == {"a": 2}
    checked = verify(bench_commit(bench), Storage(), inputs=Storage())
    assert checked.problems == []
    assert any("in input order" in check for check in checked.checks)


def bench_commit(bench):
    (commit,) = bench.root.rglob("_commits/*.json")
    return f"file://{commit}"


def test_a_csv_file_of_text_goes_with_one_of_numbers_where_text_becomes_null(score, bench):
    folder = bench.folder / "in"
    folder.mkdir()
    (folder / "1.csv").write_text("a,b\n18,1\n")
    (folder / "2.csv").write_text("a,b\nunknown,1\n20,1\n")
    record = score(str(folder), {"a": "null"})
    assert bench.output(record).column("predicted_label").to_pylist() == [20, 1002, 22]


def test_a_null_where_training_had_none_is_no_further_null(score):
    assert score(numbers([None, float("nan"), 20.0]), {"a": "null"}, [AGE]).nulled == {}


def test_quarantine_sets_the_rows_aside_and_scores_the_rest(score, bench):
    table = numbers([18, 214, None, 97])
    record = score(table, {"a": "quarantine"}, [AGE], ANY)
    assert bench.output(record).column("a").to_pylist() == [18, 97]
    assert [(row["_row"], row["_stage"]) for row in rejects(record)] == [(1, "schema"), (2, "schema")]
    assert "a is 214; the training sample has 18 to 97" in rejects(record)[0]["_error"]
    assert "a is null; the training sample has no null" in rejects(record)[1]["_error"]
    assert (record.rows_in, record.rows_out, record.rows_rejected) == (4, 2, 2)


def test_more_rows_than_may_be_rejected_end_the_task(score, bench):
    with pytest.raises(TooManyRejectedRowsError, match=r"2 in this part, where 1 were left.*a is 300"):
        score(numbers([18, 214, 300, 97]), {"a": "quarantine"}, [AGE], RowPolicy(error_threshold=1))
    assert bench.visible() == []


def test_the_model_is_called_once_a_mini_batch_however_many_rows_are_set_aside(bench, make_model):
    model = make_model(inputs=(ColumnSpec(name="a", type="double"), ColumnSpec(name="b", type="double")))
    values = np.where(np.arange(10_000) % 10 == 0, 500, 20)
    source = bench.write("in.parquet", numbers(values))
    request = bench.request(source, model=model, on_mismatch={"a": "quarantine"}, policy=ANY)
    request = replace(with_record(request, contract=(AGE,)), rows_per_batch=5_000)
    _, record = score_dataset(request, storage=bench.storage)
    assert record.rows_rejected == 1_000
    assert [call[0].num_rows for call in model.calls[-2:]] == [4_500, 4_500]
    assert len(model.calls) == 3  # one for the types


def test_lines_that_cannot_be_read_go_before_values_that_do_not_fit(score, bench):
    (bench.folder / "in.csv").write_text("a,b\n18,1\n19\n214,1\n20,1\n")
    record = score(str(bench.folder / "in.csv"), {"a": "quarantine"}, [AGE], ANY)
    assert [(row["_row"], row["_stage"]) for row in rejects(record)] == [(1, "read"), (2, "schema")]
    assert bench.output(record).column("a").to_pylist() == [18, 20]


def test_a_screen_goes_to_worker_processes_and_is_none_where_nothing_could_be_wrong():
    table = numbers([18, 214])
    plan = plan_inputs(table.schema, inputs=None, n_features=2, where="the batch")

    def validation(words, contract):
        return make_input_validation(plan, words, contract, table.schema, has_names=True)

    made = validation({"a": "null", "b": "cast"}, [AGE])
    assert pickle.loads(pickle.dumps(made)) == made
    assert made.nulled(table) == {"a": 1}
    assert validation({"a": "cast", "b": "cast"}, [AGE]) is None
    assert validation({"a": "fail", "b": "fail"}, []) is None  # positions take any type


def test_a_contract_binds_no_column_that_is_cast(score):
    record = score(numbers([18, 214, None]), {"b": "fail"}, [AGE])
    assert (record.rows_out, record.nulled) == (3, {})


def test_a_column_of_another_kind_than_in_training_is_refused_before_the_first_row(score):
    trained = replace(AGE, type="string", minimum=None, maximum=None, categories=("18",))
    with pytest.raises(SignatureMismatchError, match="'a' holds int64, but the training sample has string"):
        score(numbers([18]), {"a": "fail"}, [trained], kind="any")


def test_a_model_without_names_has_its_contract_by_position(bench, make_model):
    model = make_model(inputs=None, answer=lambda batch: np.zeros(batch.num_rows))
    source = bench.write("in.parquet", pa.table({"x": [18, 214], "y": [0.0, 0.0]}))
    request = bench.request(source, model=model, on_mismatch={"x": "fail"})
    other = replace(AGE, name="b", minimum=0.0, maximum=0.0, type="double")
    request = with_record(request, contract=(AGE, other))
    with pytest.raises(SignatureMismatchError, match="x is 214"):
        score_dataset(request, storage=bench.storage)


def test_a_policy_for_a_column_is_no_mistake_where_there_is_no_file(bench, make_model):
    (bench.folder / "nothing").mkdir()
    model = make_model(inputs=None, n_features=None)
    _, record = bench.score(str(bench.folder / "nothing"), model=model, on_empty="succeed", on_mismatch={"x": "fail"})
    assert record.rows_out == 0


def test_a_secret_value_is_never_shown(score):
    policy = RowPolicy(error_threshold=-1, redact_columns=("a",))
    (row,) = rejects(score(numbers([18, 21499]), {"a": "quarantine"}, [AGE], policy))
    assert "21499" not in str(row)
    with pytest.raises(SignatureMismatchError, match="a value that is not shown") as failure:
        score(numbers([18, 21499]), {"a": "fail"}, [AGE], policy)
    assert "21499" not in str(failure.value)


def test_policies_and_contract_are_part_of_the_jobs_key(score):
    rows = {"a": [18, 20], "b": [1.0, 1.0]}
    asked = [({}, ()), ({"a": "fail"}, ()), ({"a": "fail"}, [AGE]), ({"a": "null"}, [AGE])]
    keys = [score(rows, words, contract).job_key for words, contract in asked]
    assert len(set(keys)) == 4
    assert score(rows, {}, [AGE]).job_key == keys[0]  # it binds no column that is cast
    assert score(rows, {}, kind="int64").job_key != keys[0]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.lists(st.one_of(st.none(), st.sampled_from([17, 18, 97, 98])), min_size=1, max_size=40),
    rows=st.integers(1, 40),
    word=st.sampled_from(["null", "quarantine"]),
)
def test_a_rows_fate_does_not_depend_on_its_mini_batch(bench, make_model, values, rows, word):
    model = make_model(answer=sum_of)
    request = bench.request(
        {"a": [*values, 18], "b": [1.0] * (len(values) + 1)}, model=model, on_mismatch={"a": word}, policy=ANY
    )
    request = replace(
        with_record(request, contract=(AGE,)),
        rows_per_batch=rows,
        destination=replace(request.destination, batch_id=f"{values} {rows} {word}"),
    )
    _, record = score_dataset(request, storage=bench.storage)
    fits = [value is not None and 18 <= value <= 97 for value in [*values, 18]]
    if word == "quarantine":
        assert sorted(row["_row"] for row in rejects(record)) == [at for at, fit in enumerate(fits) if not fit]
    else:
        expected = [value + 2 if fit else 1002 for value, fit in zip([*values, 18], fits, strict=True)]
        assert bench.output(record).column("predicted_label").to_pylist() == expected
        assert record.nulled.get("a", 0) == sum(value in (17, 98) for value in values)
