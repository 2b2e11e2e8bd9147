"""Records of several models in the words of now; those in earlier words are refused, with what to do."""

from __future__ import annotations

import json

import pytest

from airflow_batch_inference.exceptions import ArtifactIntegrityError
from airflow_batch_inference.records import (
    ChallengerResult,
    ChallengersRecord,
    OutputDisagreements,
    TaskKey,
    UsedModel,
)

MODEL = UsedModel(
    role="variant", name="a", step=1, model_uri="file:///a", model_sha256="0" * 64, model_flavor="lightgbm",
    model_record_uri=None, rows=3, rows_failed=0, error=None,
)  # fmt: skip
OUTPUT = OutputDisagreements(
    output="y", challenger_output="y", kind="labels", rows=3, disagreements=1, disagreement_fraction=0.333,
    labels=("no", "yes"), matrix=((2, 1), (0, 0)), numbers=None, examples=(),
)  # fmt: skip
RECORD = ChallengersRecord(
    task=TaskKey(dag_id="d", run_id="r", task_id="t"), batch_id="b", dataset_uris=("file:///in",), rows=3,
    champion=(MODEL,), threshold=None, tolerance=0.05,
    challengers=(
        ChallengerResult(
            name="b", models=(MODEL,), rows=3, rows_failed=0, error=None, not_compared=None, seconds=0.1,
            outputs=(OUTPUT,),
        ),
    ),
)  # fmt: skip


def test_a_record_of_challengers_comes_back_as_it_was():
    assert ChallengersRecord.from_json(RECORD.to_json(), where="the test") == RECORD


def test_a_record_in_earlier_words_is_refused_with_what_to_do():
    document = json.loads(RECORD.to_json())
    (output,) = document["challengers"][0]["outputs"]
    output["flips"] = output.pop("disagreements")
    with pytest.raises(ArtifactIntegrityError, match="another version of the package; run the task that wrote it"):
        ChallengersRecord.from_json(json.dumps(document), where="the test")


def test_a_role_in_earlier_words_is_refused_with_its_place():
    document = json.loads(RECORD.to_json())
    document["champion"][0]["role"] = "arm"
    with pytest.raises(ArtifactIntegrityError, match=r"champion\.0\.role.*'variant'"):
        ChallengersRecord.from_json(json.dumps(document), where="the test")
