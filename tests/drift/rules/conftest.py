"""What the tests of the rules compare."""

from __future__ import annotations

import numpy as np
import pytest


@pytest.fixture
def rng():
    return np.random.default_rng(11)


@pytest.fixture
def one(compare):
    """Return the only column of a comparison of two columns."""

    def one(reference, current, **rule):
        (column,) = compare({"x": reference}, {"x": current}, **rule).columns
        return column

    return one


@pytest.fixture(scope="session")
def by_mlrun(compare):
    """``compare`` under MLRun's rule."""

    def by_mlrun(reference, current, **options):
        result = compare(reference, current, name="mlrun", **options)
        assert result.drift_metric == result.metrics.get("mlrun_drift")
        return result

    return by_mlrun
