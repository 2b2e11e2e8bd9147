"""Rows that are made from sets of categories, of which most words are zero."""

from __future__ import annotations

import numpy as np
import pytest

from airflow_batch_inference.flavors.forests.forest import CATEGORY_NAN_OUT, Forest
from airflow_batch_inference.trees import probes

TOP = 2_000_000


def forest(codes, splits):
    """Return trees of one split by the same set."""
    words = np.zeros(TOP // 32 + 1, dtype=np.uint32)
    np.bitwise_or.at(words, codes // 32, np.uint32(1) << (codes % 32).astype(np.uint32))
    roots = np.arange(splits) * 3
    nothing = np.full(3 * splits, -1)
    left, right = nothing.copy(), nothing.copy()
    left[roots], right[roots] = roots + 1, roots + 2
    return Forest(left=left, right=right, feature=np.zeros(3 * splits, dtype=int),
                  rule=np.where(left < 0, 0, CATEGORY_NAN_OUT), threshold=np.zeros(3 * splits),
                  value=np.zeros(3 * splits), roots=roots, groups=np.zeros(splits, dtype=int), width=1, outputs=1,
                  sets=[words])  # fmt: skip


def test_a_set_of_large_codes_is_looked_through_once(monkeypatch):
    codes = np.unique(np.random.default_rng(0).integers(TOP, size=300))
    asked, codes_of = [], probes._codes_of
    monkeypatch.setattr(probes, "_codes_of", lambda words: asked.append(len(words)) or codes_of(words))
    rows = probes.probe_rows(forest(codes, 100), infinite=False, missing=True)[:, 0]

    asks = rows[-256:]
    assert len(asked) == 2
    assert np.isin(asks, codes).any()
    assert (~np.isin(asks, codes) & (asks < TOP)).any()
    assert np.nanmax(rows) <= 32 * (TOP // 32 + 1) + 1


@pytest.mark.parametrize("codes", [np.arange(64), np.empty(0, dtype=int), np.array([0, 63]), np.arange(1, 62, 2)])
def test_each_number_outside_of_a_set_is_found_once(codes):
    others = np.setdiff1d(np.arange(64), codes)
    before = codes - np.arange(len(codes))
    assert [probes._outside(before, place) for place in range(64 - len(codes))] == others.tolist()


def test_many_inputs_get_fewer_rows(monkeypatch):
    trees = forest(np.arange(3), 500)
    many = probes.probe_rows(trees, infinite=False, missing=True)
    monkeypatch.setattr(probes, "_MOST_NUMBERS", 260)
    few = probes.probe_rows(trees, infinite=False, missing=True)
    assert len(few) < len(many)
