"""Models by alias: loaded, promoted, and found again as of a day."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from airflow.sdk.exceptions import AirflowException

from airflow_batch_inference.cli import main
from airflow_batch_inference.exceptions import ArtifactNotFoundError
from airflow_batch_inference.operators import LoadModelOperator, PredictOperator
from airflow_batch_inference.storage.store import Storage

STORE = Storage()
ROWS = {"a": [1.0], "b": [2.0]}


@pytest.fixture
def champion(runner, model_file, digest):
    """Return the record of a model that is the champion now."""
    return runner(
        LoadModelOperator(
            task_id="train", model_uri=str(model_file), sha256=digest, name="churn", alias="champion", golden_set=ROWS
        )
    )


def test_an_alias_is_resolved_to_the_record_of_its_version(runner, champion):
    assert runner(LoadModelOperator(task_id="load", model_uri="models/churn@champion")) == champion
    assert runner.xcoms["load"]["model_sha256"] == STORE.read_record(champion).sha256


def test_predictions_by_alias_say_which_version_made_them(runner, champion):
    record = STORE.read_record(runner(PredictOperator(task_id="p", model="models/churn@champion", dataset=ROWS)))
    assert record.model_record_uri == champion
    assert record.model_sha256 == STORE.read_record(champion).sha256


def test_a_challenger_becomes_champion_by_its_alias(runner, champion):
    runner(LoadModelOperator(task_id="t", model_uri="models/churn@champion", alias="previous"))
    assert runner(LoadModelOperator(task_id="load", model_uri="models/churn@previous")) == champion


def test_a_time_before_the_first_version_is_an_error_that_names_it(runner, champion):
    early = (datetime.now(UTC) - timedelta(days=1)).isoformat()
    with pytest.raises(ArtifactNotFoundError, match="meant nothing yet"):
        runner(PredictOperator(task_id="p", model="models/churn@champion", as_of=early, dataset=ROWS))


def test_as_of_is_taken_from_a_template(runner, champion):
    runner.logical_date = datetime.now(UTC) + timedelta(minutes=1)
    operator = PredictOperator(
        task_id="p", model="models/churn@champion", as_of="{{ logical_date.isoformat() }}", dataset=ROWS
    )
    assert STORE.read_record(runner(operator)).model_record_uri == champion


def test_as_of_without_an_alias_is_refused(runner, champion):
    with pytest.raises(AirflowException, match=r"as_of is 2026-01-01.* is no alias"):
        runner(PredictOperator(task_id="p", model=champion, as_of="2026-01-01", dataset=ROWS))


def test_as_of_must_be_a_time(runner, champion):
    with pytest.raises(AirflowException, match="as_of is 'yesterday'; it must be a time"):
        runner(PredictOperator(task_id="p", model="models/churn@champion", as_of="yesterday", dataset=ROWS))


def test_what_belongs_to_a_file_is_refused_with_an_alias(runner, champion):
    with pytest.raises(AirflowException, match="Leave out sha256, sample_set"):
        runner(LoadModelOperator(task_id="load", model_uri="models/churn@champion", sha256="0" * 64, sample_set=ROWS))


def test_a_version_whose_file_was_replaced_is_refused(runner, champion, model_file):
    model_file.write_text(model_file.read_text() + "\n")
    with pytest.raises(AirflowException, match="was replaced since load_model ran"):
        runner(LoadModelOperator(task_id="load", model_uri="models/churn@champion"))


def test_a_record_is_given_an_alias_once_it_has_passed(runner, model_file, digest):
    candidate = runner(LoadModelOperator(task_id="load", model_uri=str(model_file), sha256=digest, name="churn"))
    promoted = runner(LoadModelOperator(task_id="promote", model_uri=candidate, alias="champion"))
    assert promoted == candidate
    assert runner(LoadModelOperator(task_id="again", model_uri="models/churn@champion")) == candidate


def test_an_old_run_that_is_cleared_does_not_bring_its_version_back(runner, model_file, digest):
    load = {"model_uri": str(model_file), "sha256": digest, "name": "churn", "alias": "champion"}
    runner.logical_date = datetime(2026, 1, 1, tzinfo=UTC)
    old = runner(LoadModelOperator(task_id="load", tag="old", **load))
    runner.logical_date = datetime(2026, 2, 1, tzinfo=UTC)
    new = runner(LoadModelOperator(task_id="load", tag="new", **load))
    runner.logical_date = datetime(2026, 1, 1, tzinfo=UTC)
    assert runner(LoadModelOperator(task_id="load", tag="old", **load)) == old
    runner.logical_date = None
    assert runner(LoadModelOperator(task_id="which", model_uri="models/churn@champion")) == new
    early = "2026-01-15"
    assert runner(LoadModelOperator(task_id="which", model_uri="models/churn@champion", as_of=early)) == old


def test_an_alias_that_cannot_be_is_refused_before_the_model_is_loaded(runner):
    with pytest.raises(AirflowException, match="alias is 'a/b'"):
        runner(LoadModelOperator(task_id="load", model_uri="/nowhere", alias="a/b"))


def test_a_record_that_was_exchanged_under_an_alias_is_noticed(runner, champion):
    (entry,) = (runner.root / "models" / "churn" / "aliases" / "champion").iterdir()
    entry.write_text(entry.read_text().replace(STORE.read_record(champion).sha256, "0" * 64))
    with pytest.raises(AirflowException, match="is not the model record that it was set to"):
        runner(PredictOperator(task_id="p", model="models/churn@champion", dataset=ROWS))


# -- the command line -----------------------------------------------------------------------------------------


def test_the_command_line_shows_and_sets_what_an_alias_means(runner, champion, capsys):
    root = ["--artifact-root", str(runner.root)]
    main(["alias", "models/churn@champion", *root])
    assert champion in capsys.readouterr().out
    main(["alias", "models/churn@live", "--set", champion, "--since", "2026-01-01", *root])
    assert capsys.readouterr().out.startswith("2026-01-01T00:00:00+00:00  ")
    operator = PredictOperator(task_id="p", model="models/churn@live", as_of="2026-06-01", dataset=ROWS)
    assert STORE.read_record(runner(operator)).model_record_uri == champion


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["models/churn@nobody"], "has no alias 'nobody'"),
        (["churn"], "is no alias; write models/"),
        (["models/churn@live", "--set", "{0}", "--since", "soon"], "--since is 'soon'"),
    ],
)
def test_the_command_line_says_what_is_wrong(runner, champion, arguments, text):
    with pytest.raises(SystemExit, match=text):
        main(["alias", *(word.format(champion) for word in arguments), "--artifact-root", str(runner.root)])
