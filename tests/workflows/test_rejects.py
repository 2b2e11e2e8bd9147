"""Rejected rows are counted as parts come, and the message names rows that could not be scored."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from airflow_batch_inference.exceptions import TooManyRejectedRowsError
from airflow_batch_inference.records import Rejection
from airflow_batch_inference.workflows.rejects import RejectedRows

SPEC = SimpleNamespace(
    request=SimpleNamespace(policy=SimpleNamespace(most=lambda rows: rows // 10)), plans=[SimpleNamespace(rows=10)] * 2
)


def receipt(name, rejected, *stages):
    """A part with so many rejected rows, of which those of the stage ``check`` were set aside."""
    rejections = [Rejection(uri=name, row=row, stage=stage, error="bad") for row, stage in enumerate(stages)]
    quarantine = SimpleNamespace(uri=f"{name}-rejects") if rejected else None
    aside = stages.count("check")
    return SimpleNamespace(
        quarantine=quarantine, rows_rejected=rejected, rows_set_aside=aside, rejections=tuple(rejections)
    )


def test_rows_that_a_check_has_set_aside_are_neither_counted_nor_named():
    rejected = RejectedRows(SPEC, [receipt("a", 0), receipt("b", 2, "check", "check")])
    assert rejected.left() == 2
    rejected.add(receipt("c", 3, "check", "predict", "schema"))
    assert rejected.left() == 0
    rejected.require_allowed()
    rejected.add(receipt("d", 1, "read"))
    told = (
        r"3 rows were rejected, and 2 may be .* lie in c-rejects, d-rejects\. First: c row 1 \(predict\): bad; c row 2"
    )
    with pytest.raises(TooManyRejectedRowsError, match=told):
        rejected.require_allowed()
