"""The error tree: documented, drawn, and mapped to what Airflow does."""

from __future__ import annotations

import pytest
from airflow.providers.common.compat.sdk import AirflowFailException

from airflow_batch_inference import exceptions
from airflow_batch_inference.exceptions import (
    BatchInferenceError,
    CheckFailedError,
    DriftDetectedError,
    EvaluationFailedError,
)
from airflow_batch_inference.operators.base import translated_errors


def family(cls):
    return [cls, *(found for child in cls.__subclasses__() for found in family(child))]


VERDICTS = {CheckFailedError, DriftDetectedError, EvaluationFailedError}
TREE = [cls for cls in family(BatchInferenceError) if cls.__module__ == exceptions.__name__]


def test_there_is_no_error_outside_of_the_tree():
    defined = {value for value in vars(exceptions).values() if isinstance(value, type) and issubclass(value, Exception)}
    assert defined == set(TREE)
    assert len(TREE) == 31


@pytest.mark.parametrize("cls", TREE)
def test_each_class_is_documented_drawn_and_declares_what_a_retry_does(cls):
    assert cls.__doc__
    assert cls.__name__ in exceptions.__doc__
    assert isinstance(vars(cls)["retryable"], bool)


@pytest.mark.parametrize("cls", TREE)
def test_airflow_retries_what_a_retry_can_mend_and_nothing_else(cls):
    with pytest.raises(Exception, match="what went wrong") as excinfo, translated_errors():
        raise cls("what went wrong")
    if cls.retryable:
        assert excinfo.type is cls
    else:
        assert excinfo.type is AirflowFailException
        assert str(excinfo.value) == f"{cls.__name__}: what went wrong"
        assert excinfo.value.__cause__ is None, "the message says all that this package knows"


@pytest.mark.parametrize("cls", [cls for cls in TREE if not cls.retryable])
def test_only_what_a_framework_raised_is_shown_with_its_traceback(cls):
    def fail():
        raise cls("what went wrong") from KeyError("inside")

    with pytest.raises(AirflowFailException) as excinfo, translated_errors():
        fail()
    assert excinfo.value.__suppress_context__
    assert isinstance(excinfo.value.__cause__, type(None) if cls in VERDICTS else KeyError)


@pytest.mark.parametrize("error", [OSError(28, "No space left"), TimeoutError("slow"), MemoryError("full")])
def test_the_systems_own_errors_go_through_as_they_are(error):
    with pytest.raises(type(error)) as excinfo, translated_errors():
        raise error
    assert excinfo.value is error
