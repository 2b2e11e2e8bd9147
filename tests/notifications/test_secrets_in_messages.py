"""What a message to people holds of the texts that runs made: no secret of a URI, in any of its forms."""

from __future__ import annotations

import json

import pytest
from secret_forms import FORMS, leaks
from test_notifier import DRIFT, TaskInstance

from airflow_batch_inference.exceptions import ArtifactNotFoundError, ConfigurationError
from airflow_batch_inference.notifications.subject import message_of
from airflow_batch_inference.reports import message_formats as formats
from airflow_batch_inference.storage.uris import normalize_uri

WAYS = [name for name in vars(formats) if name.startswith("as_") or name == "subject"]


def told(context):
    message, _ = message_of(context)
    return "\n".join(json.dumps(getattr(formats, name)(message), default=str) for name in WAYS)


def test_every_way_to_write_a_message_is_tried():
    assert {"subject", "as_text", "as_markdown", "as_html", "as_slack_blocks", "as_slack_text"} <= {*WAYS}


@pytest.mark.parametrize("form", FORMS)
def test_a_message_holds_no_secret_of_what_a_run_made(form):
    with pytest.raises(ConfigurationError):
        normalize_uri(form)  # as the task that was given it did
    found = {**DRIFT, "summary": f"Read {form} again.", "report_uri": form, "batch_id": form}
    assert not leaks(told({"ti": TaskInstance(), "drift": found}))
    own = ArtifactNotFoundError(f"Nothing lies at {form}.")
    for error in (own, OSError(f"Cannot reach {form}")):
        assert not leaks(told({"ti": TaskInstance(), "exception": error}))
