"""Corrections of p-values against their definitions."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_batch_inference.drift.corrections import CORRECTIONS, adjusted


def test_holms_correction_worked_out_by_hand():
    # Ascending .005, .01, .03, .04 times 4, 3, 2, 1: .02, .03, .06, .04, and none may be less than one before it.
    assert adjusted([0.01, 0.04, 0.03, 0.005], "holm") == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert adjusted([0.01, 0.04, 0.03, 0.005], "bonferroni") == pytest.approx([0.04, 0.16, 0.12, 0.02])
    assert adjusted([0.5, 0.9], "holm") == [1.0, 1.0]


@pytest.mark.parametrize("correction", CORRECTIONS)
def test_a_single_p_value_needs_no_correction_and_none_gives_none(correction):
    assert adjusted([0.03], correction) == [0.03]
    assert adjusted([], correction) == []


P_VALUES = st.lists(st.floats(0, 1) | st.sampled_from([0.0, 0.01, 0.05, 1.0]), min_size=1, max_size=12)


@given(P_VALUES, st.floats(0.001, 0.5))
@settings(max_examples=50)
def test_holms_correction_rejects_what_stepping_down_rejects(p, level):
    # Holm 1979: go through them ascending, and stop at the first that is not below level / (number left).
    rejected = set()
    for rank, index in enumerate(sorted(range(len(p)), key=p.__getitem__)):
        if not (len(p) - rank) * p[index] < level:
            break
        rejected.add(index)
    found = {index for index, value in enumerate(adjusted(p, "holm")) if value < level}
    assert found == rejected


@given(P_VALUES)
@settings(max_examples=50)
def test_a_corrected_p_value_lies_between_its_own_and_bonferronis(p):
    holm, bonferroni = adjusted(p, "holm"), adjusted(p, "bonferroni")
    assert all(own <= one <= other <= 1 for own, one, other in zip(p, holm, bonferroni, strict=True))
    order = sorted(range(len(p)), key=p.__getitem__)
    assert [holm[index] for index in order] == sorted(holm)
