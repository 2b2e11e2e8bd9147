"""What is measured of classes."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_batch_inference.evaluation.classification import ClassifiedRows, evaluate_classes


@pytest.mark.parametrize(
    ("names", "expected"), [(("10", "100"), 22.5), (("low", "high"), None)], ids=["numbers", "words"]
)
def test_a_distance_between_classes_is_that_of_their_own_numbers(names, expected):
    rows = ClassifiedRows(actual=np.array([0, 1, 1, 0]), predicted=np.array([0, 1, 0, 0]), names=names, known=2)
    wanted = ["mean_absolute_error", "hamming_loss"]
    found = evaluate_classes(rows, label_column="y", rows_without_label=0, wanted=wanted)
    assert found.metrics == {"mean_absolute_error": expected, "hamming_loss": 0.25}
    assert ("no numbers" in found.undefined.get("mean_absolute_error", "")) == (expected is None)
