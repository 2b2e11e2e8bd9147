"""The fault campaign, short form: each operation of the artifact store fails in turn; see :mod:`test_faults`."""

from __future__ import annotations

import pytest
from campaign import Campaign
from campaign_store import SEED, quick_retries, s3  # noqa: F401  # fixtures
from faulty_stores import FaultyFileSystem, FaultyS3

pytestmark = pytest.mark.timeout(1200)  # it takes minutes, and others may need the same cores


@pytest.mark.slow
@pytest.mark.parametrize("applied", [False, True], ids=["before", "after it was applied"])
def test_every_single_call_to_s3_fails(tmp_path, s3, applied):  # noqa: F811
    with FaultyS3().installed() as faulty:
        result = Campaign(tmp_path, f"{s3}/root", seed=SEED).failing_operations(
            faulty, forever=False, applied=applied, passes=True
        )
    print(result)
    assert result.violations == []
    assert result.faults >= 20


@pytest.mark.slow
@pytest.mark.parametrize("forever", [False, True], ids=["once", "from then on"])
@pytest.mark.parametrize("applied", [False, True], ids=["before", "after it was applied"])
@pytest.mark.parametrize("error", ["passes", "stays"])
def test_every_single_operation_fails(tmp_path, forever, applied, error):
    result = Campaign(tmp_path, "faulty://root", seed=SEED).failing_operations(
        FaultyFileSystem(), forever=forever, applied=applied, passes=error == "passes"
    )
    print(result)
    assert result.violations == []
    assert result.faults >= 20
