"""Whether the kernel gives the bits that a model's own library gives."""

from __future__ import annotations

import warnings
from unittest import mock

import numpy as np

from airflow_batch_inference.flavors.registry import trees_of
from airflow_batch_inference.trees import ensemble
from airflow_batch_inference.trees.compiled import apply_link
from airflow_batch_inference.trees.scorer import TreeScorer, ask, first_difference


def scorer_of(model):
    """Return a model's packed trees, and what they were read as."""
    source = trees_of(model).read(apply_link)
    return TreeScorer.of(source), source


def difference(model, batch=None):
    """Compare on rows made from the model's trees, and on a mini-batch; say where they differ, None: nowhere.

    Trees that are small enough for masks are walked, too.
    """
    for most in (ensemble.MOST_MASKED_LEAVES, 0):
        with mock.patch.object(ensemble, "MOST_MASKED_LEAVES", most):
            found = difference_of_way(model, batch)
        if found is not None:
            return f"{found} (trees of up to {most} leaves by masks)"
    return None


def difference_of_way(model, batch):
    """Compare what the packing chooses."""
    scorer, source = scorer_of(model)
    methods = trees_of(model).methods
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)  # the library's own checks of very large numbers overflow
        found = scorer.difference(source, methods)
        if found is not None or batch is None:
            return found
        return difference_on(scorer, batch, methods)


def difference_on(scorer, batch, methods):
    """Compare on a mini-batch alone."""
    expected = {name: np.asarray(values) for name, values in ask(scorer.reference, batch, methods).items()}
    mine = scorer.score(batch, methods)
    return "only the library can score it" if mine is None else first_difference(mine, expected)
