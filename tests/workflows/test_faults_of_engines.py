"""The fault campaign, short form, by threads and worker processes; see :mod:`test_faults`."""

from __future__ import annotations

import pytest
from campaign import Campaign
from campaign_store import SEED, quick_retries  # noqa: F401  # a fixture

pytestmark = pytest.mark.timeout(1200)  # it takes minutes, and others may need the same cores


@pytest.mark.slow
@pytest.mark.parametrize(("means", "at_least"), [("threads", 20), ("processes", 3)])
def test_kills_while_several_score(tmp_path, means, at_least):
    result = Campaign(tmp_path, f"file://{tmp_path}/root", seed=SEED, means=means).kills(at_least=at_least)
    print(result)
    assert result.violations == []
    assert result.kills >= at_least
    assert result.resumed_parts > 0


@pytest.mark.slow
@pytest.mark.parametrize(("means", "at_least"), [("threads", 5), ("processes", 1)])
def test_stops_while_several_score(tmp_path, means, at_least):
    result = Campaign(tmp_path, f"file://{tmp_path}/root", seed=SEED, means=means).stops(at_least=at_least)
    print(result)
    assert result.violations == []
    assert result.slowest_stop_s < 5


@pytest.mark.slow
@pytest.mark.parametrize(("means", "times"), [("threads", 1), ("processes", 1)])
def test_crashes_of_the_models_native_code(tmp_path, means, times):
    result = Campaign(tmp_path, f"file://{tmp_path}/root", seed=SEED, means=means).crashes(times)
    print(result)
    assert result.violations == []
    assert result.crashes == times
