"""A secret in a URI, in any argument of any operator: refused, and in no error, log, record, XCom or template."""

from __future__ import annotations

import inspect
import json
import logging
from types import SimpleNamespace

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException
from airflow.sdk._shared.secrets_masker import redact as masked
from airflow.sdk.bases.operator import ExecutorSafeguard
from secret_forms import FORMS, SCHEMELESS, WITH_SCHEME, S, leaks

from airflow_batch_inference import operators as module
from airflow_batch_inference.decorators.score import ScoreFilesOperator, ScoreRowsOperator
from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.operators import (
    Challengers,
    EarlierEvaluation,
    GoldenSet,
    LoadModelOperator,
    LogArtifactsOperator,
    MlflowModel,
    PredictOperator,
    Processes,
    ScriptEnvironment,
    Trust,
)
from airflow_batch_inference.operators.base import _DATA, _FREE, push, texts_in, translated_errors

REQUIRED = {
    "DriftAnalysisOperator": {"dataset": "/data/in"},
    "DriftGateOperator": {"drift": "/data/drift"},
    "EvaluateModelOperator": {"model": "/data/m.txt", "dataset": "/data/in", "label_columns": "y"},
    "LoadModelOperator": {"model_uri": "/data/m.txt"},
    "LogArtifactsOperator": {"artifacts": ["/data/x"]},
    "PredictOperator": {"model": "/data/m.txt", "dataset": "/data/in"},
    "PreflightOperator": {"model": "/data/m.txt", "dataset": "/data/in"},
    "ScoringScriptOperator": {"scoring_script": "/data/s.py", "dataset": "/data/in"},
}
NAMES = sorted(kind.__name__ for kind in module.OPERATORS)
IN_GROUPS = [
    ("PredictOperator", "compare", lambda form: Challengers({"next": form})),
    ("PreflightOperator", "compare", lambda form: Challengers({"next": [form]})),
    ("EvaluateModelOperator", "compare", EarlierEvaluation),
    ("LoadModelOperator", "trust", lambda form: Trust(verify_signature={"signature": form, "public_key": "/k"})),
    ("LoadModelOperator", "model_uri", MlflowModel),
    ("LoadModelOperator", "model_uri", lambda form: MlflowModel("models:/m/1", tracking_uri=form)),
    ("LoadModelOperator", "golden_set", GoldenSet),
    ("ScoringScriptOperator", "environment", ScriptEnvironment),
]
"""Groups with an argument that takes a URI or a path."""
URIS = {
    *("artifact_root", "artifacts", "baseline", "code", "dataset", "drift", "model", "model_uri", "publish_to"),
    *("sample_set", "scoring_script"),
}
"""Arguments that take URIs or paths: what has no scheme is one there, too."""
ARGUMENTS = sorted(
    {(name, argument) for name in NAMES for argument in getattr(module, name).template_fields}
    | {(name, "artifact_conn_id") for name in NAMES}
)


def with_value(name, argument, form):
    operator = getattr(module, name)(task_id="t", **REQUIRED[name])
    object.__setattr__(operator, argument, form)
    return operator


def said_of(error):
    """All that a log shows of an error: its text, its notes, and those that it comes from, hidden ones too."""
    seen, left = [], [error]
    while left:
        each = left.pop()
        if each is None or each in seen:
            continue
        seen.append(each)
        left += [each.__cause__, each.__context__]
    return "\n".join(f"{each} {each.args!r} {getattr(each, '__notes__', '')}" for each in seen)


def test_there_are_a_hundred_forms_and_each_has_a_secret():
    assert len(FORMS) >= 100
    assert all(leaks(form) for form in FORMS)


def test_every_argument_that_takes_a_uri_is_among_those_that_are_tried():
    """By what the operators' documentation and annotations say: whatever speaks of a URI, a path or a folder."""
    known = {argument for _, argument in ARGUMENTS}
    for name in NAMES:
        operator = getattr(module, name)
        kinds = [kind for kind in operator.__mro__ if "airflow_batch" in kind.__module__]
        own = [vars(kind)["__init__"] for kind in kinds if "__init__" in vars(kind)]
        parameters = {name: told for each in own for name, told in inspect.signature(each).parameters.items()}
        templated = set(operator.template_fields)
        assert templated <= set(parameters) | {"artifact_root"}
        for parameter, told in parameters.items():
            is_place = "PathLike" in str(told.annotation) or parameter.endswith(("_uri", "_root", "_to"))
            if is_place:
                assert parameter in templated, f"{name}.{parameter} takes a place and is no template: nobody checks it"
                assert parameter in URIS & known


@pytest.mark.parametrize(("name", "argument"), ARGUMENTS)
def test_a_secret_in_a_uri_is_refused_in_every_argument_and_comes_through_nowhere(
    runner, caplog, tmp_path, monkeypatch, name, argument
):
    caplog.set_level(logging.DEBUG)
    monkeypatch.setenv("AIRFLOW__BATCH_INFERENCE__ARTIFACT_ROOT", str(tmp_path / "artifacts"))
    operator = with_value(name, argument, "")
    sentinel = {f"{type(operator).__name__}__sentinel": ExecutorSafeguard.sentinel_value}
    monkeypatch.setattr(type(operator), "perform", lambda *_: None)  # what is not refused goes on
    shapes = [str, lambda form: [form], lambda form: json.dumps([form])]
    if argument not in _DATA:
        shapes += [lambda form: {"a": form}, lambda form: {"a": {form: [1]}}]
    every = 1 if argument in ("dataset", "model_uri", "publish_to") else 3
    for place, form in enumerate(WITH_SCHEME[ARGUMENTS.index((name, argument)) % every :: every]):
        if argument in _FREE:
            continue
        object.__setattr__(operator, argument, shapes[place % len(shapes)](form))
        with pytest.raises(AirflowFailException, match="ConfigurationError") as error:
            operator.execute({}, **sentinel)
        assert not leaks(said_of(error.value)), form
    assert not leaks(caplog.text)


@pytest.mark.parametrize(("name", "argument"), [each for each in ARGUMENTS if each[1] in URIS])
def test_what_has_no_scheme_is_refused_where_a_uri_is_taken(runner, caplog, tmp_path, name, argument):
    caplog.set_level(logging.DEBUG)
    for form in SCHEMELESS:
        operator = with_value(name, argument, form)
        with pytest.raises(Exception) as error:  # noqa: PT011  # whatever comes first
            runner(operator)
        assert not leaks(said_of(error.value)), form
    kept = [path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()]
    assert not any(leaks(each.decode("utf-8", "replace")) for each in kept)
    assert not leaks(caplog.text)
    assert not leaks(json.dumps(runner.xcoms, default=str))


@pytest.mark.parametrize(("name", "argument", "group"), IN_GROUPS)
def test_a_secret_within_a_group_is_refused_as_well(monkeypatch, name, argument, group):
    operator = with_value(name, argument, None)
    sentinel = {f"{type(operator).__name__}__sentinel": ExecutorSafeguard.sentinel_value}
    monkeypatch.setattr(type(operator), "perform", lambda *_: None)
    for form in WITH_SCHEME[::3]:
        object.__setattr__(operator, argument, group(form))
        with pytest.raises(AirflowFailException, match="ConfigurationError") as error:
            operator.execute({}, **sentinel)
        assert not leaks(said_of(error.value)), form


@pytest.mark.parametrize("form", [f"s3://user:{S}@host/x", f"https://host/x?token={S}", f"jdbc:x;password={S}"])
def test_what_goes_to_a_users_code_is_taken_and_hidden_where_airflow_shows_it(form):
    operator = PredictOperator(
        task_id="t",
        model="/data/m.txt",
        dataset="/data",
        engine=Processes(environment_variables={"DATABASE": form, "PLAIN": "x"}),
    )
    operator.render_template_fields({"ti": SimpleNamespace(), "params": {}})
    assert operator.engine.environment_variables["DATABASE"] == form
    if not form.startswith("jdbc"):
        assert not leaks(str(masked(operator.engine.environment_variables)))
    operator.require_no_secrets()


def test_the_values_of_rows_are_no_arguments():
    rows = [{"url": f"https://a.org/?token={S}", "a": 1}]
    assert list(texts_in(rows, in_rows=False)) == []
    operator = PredictOperator(task_id="t", model="/data/m.txt", dataset=rows)
    operator.require_no_secrets()


def test_a_librarys_error_keeps_its_class_and_loses_the_secret():
    class OddError(Exception):
        def __str__(self):
            return f"cannot reach https://user:{S}@host/x"

    for error in (
        OSError(5, f"no s3://user:{S}@host/x", f"https://host/x?sig={S}"),
        FileNotFoundError(f"https://host/x?sig={S}"),
        ValueError(f"Max retries with url: https://host/x?sig={S} (caused by y)"),
        OddError(),
        KeyError(f"s3://{S}@host"),
        ExceptionGroup("two", [ValueError(f"s3://user:{S}@host"), OddError()]),
    ):
        error.add_note(f"asked for https://host/x?sig={S}")
        error.__context__ = LookupError(f"first: s3://user:{S}@host/x")
        with pytest.raises(type(error)) as found, translated_errors():
            raise error
        assert not leaks(said_of(found.value))


def test_the_cause_of_a_package_error_loses_the_secret_too():
    def fail():
        error = ConnectionError(f"https://host/x?sig={S}")
        message = f"Nothing at s3://user:{S}@host/x ({error})"
        raise ArtifactNotFoundError(message) from error

    with pytest.raises(ArtifactNotFoundError, match="Nothing at s3://…@host/x") as found, translated_errors():
        fail()
    assert isinstance(found.value.__cause__, ConnectionError)
    assert not leaks(said_of(found.value))


def test_an_xcom_keeps_uris_that_others_read_and_no_login():
    pushed = {}
    ti = SimpleNamespace(xcom_push=lambda key, value: pushed.update({key: value}))
    push({"ti": ti}, {"uri": "file:///data/a@b?#;.json", "told": f"s3://user:{S}@host/x failed", "rows": 7})
    assert pushed == {"uri": "file:///data/a@b?#;.json", "told": "s3://…@host/x failed", "rows": 7}


def test_operators_of_the_decorator_check_theirs_as_well():
    for kind in (ScoreRowsOperator, ScoreFilesOperator):
        assert kind.require_no_secrets is PredictOperator.require_no_secrets
        assert set(kind.template_fields) >= {"dataset", "artifact_root"}


def test_a_dag_file_with_a_secret_in_a_relative_path_fails_without_it():
    for operator, argument in ((LoadModelOperator, "model_uri"), (LogArtifactsOperator, "publish_to")):
        needed = REQUIRED[operator.__name__]
        with pytest.raises(Exception, match="Path\\(__file__\\)") as error:
            operator(task_id="t", **{**needed, argument: f"in/x?token={S}.csv"})
        assert not leaks(said_of(error.value))


@pytest.mark.parametrize(("name", "argument"), [("LoadModelOperator", "model_uri"), ("PredictOperator", "dataset")])
def test_a_literal_is_refused_when_the_dag_is_parsed_and_a_template_when_it_runs(name, argument):
    for form in WITH_SCHEME:
        with pytest.raises(ConfigurationError, match=argument) as error:
            getattr(module, name)(task_id="t", **{**REQUIRED[name], argument: form})
        assert not leaks(said_of(error.value)), form
    getattr(module, name)(task_id="t", **{**REQUIRED[name], argument: "s3://{{ conn.lake.login }}:x@bucket/in"})
