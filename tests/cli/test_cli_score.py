"""``score``: by hand, what a DAG does."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pandas as pd
import pytest

from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify


@pytest.fixture
def score(run, pinned, tmp_path):
    """``score(dataset, …)``: scores into ``scores.parquet`` unless another output is given."""

    def score(*dataset, **options):
        options = {"output": "scores.parquet", "artifact-root": tmp_path / "store", **options}
        flags = [
            part
            for name, value in options.items()
            for part in ([f"--{name}"] if value is True else [f"--{name}", value])
        ]
        return run("score", pinned[0], *dataset, *pinned[1:], *flags)

    return score


def test_it_scores_publishes_and_prints_counts_seconds_and_places(score, batch, tmp_path):
    ended = score(batch)
    assert ended.status == 0, ended
    lines = dict(line.split("  ", 1) for line in ended.out.splitlines())
    assert {name: value.strip() for name, value in lines.items() if name in ("rows", "rejected", "output")} == {
        "rows": "400",
        "rejected": "0 of 400",
        "output": str(tmp_path / "scores.parquet"),
    }
    frame = pd.read_parquet("scores.parquet")
    assert list(frame.columns) == ["key", "a", "b", "predicted_label"]
    assert list(frame["key"]) == [f"k{i}" for i in range(400)]


def test_its_prediction_set_can_be_verified(score, batch):
    found = json.loads(score(batch, json=True).out)
    assert verify(found["prediction_set"], Storage(), inputs=Storage()).problems == []
    assert found["rows"] == 400


def test_a_misspelt_choice_of_the_kernel_is_refused_at_once(score, batch):
    ended = score(batch, accelerate="requrie")
    assert ended.status == 2
    assert "requrie" in str(ended)


def test_the_files_that_a_shell_makes_of_a_glob_are_one_dataset(score, batch):
    assert json.loads(score(*sorted(batch.glob("*.parquet")), json=True).out)["rows"] == 400


def test_the_outputs_name_says_the_format_and_a_folder_is_a_folder(score, batch):
    assert score(batch, output="scores.csv").status == 0
    assert Path("scores.csv").read_text().splitlines()[0] == '"key","a","b","predicted_label"'
    assert score(batch, output="scores", **{"output-format": "jsonl"}).status == 0
    assert sorted(path.suffix for path in Path("scores").iterdir()) == [".json", ".jsonl"]


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"output": "scores.csv", "output-format": "parquet"}, "end it with .parquet"),
        ({"output": "scores.pq"}, "end it with .parquet"),
        ({"output-format": "xml"}, "output_format is 'xml'"),
        ({"error-threshold": "some"}, "--error-threshold is 'some'"),
        ({"max-rejected-fraction": "2"}, "--max-rejected-fraction is '2'"),
        ({"decision-threshold": "2"}, "--decision-threshold is '2'"),
        ({"on-mismatch": "a=ignore"}, "on_mismatch is 'ignore'"),
        ({"max-workers": "0"}, "--max-workers is '0'"),
        ({"max-memory": "lots"}, "--max-memory is 'lots'"),
        ({"drop-columns": "c"}, "drop_columns names 'c'"),
        ({"flavor": "sklearn"}, "FlavorNotFoundError: .*'sklearn'"),
    ],
)
def test_what_can_never_work_is_named_and_nothing_is_published(score, batch, tmp_path, options, text):
    ended = score(batch, **options)
    assert re.search(text, str(ended.status)), ended
    assert [path.name for path in tmp_path.iterdir() if "scores" in path.name] == []


def test_the_options_reach_the_engine(score, batch):
    options = {
        "label-columns": "risk",
        "passthrough-columns": "key",
        "on-mismatch": "a=null,*=cast",
        "error-threshold": "-1",
        "mini-batch-rows": "7",
        "allow-nan": True,
    }
    assert score(batch, **options).status == 0
    assert list(pd.read_parquet("scores.parquet").columns) == ["key", "risk"]
    assert (
        score(batch, **{"drop-columns": "key", "passthrough-columns": "none", "predict-method": "predict_proba"}).status
        == 0
    )
    assert list(pd.read_parquet("scores.parquet").columns) == ["predicted_label_0", "predicted_label_1"]


def test_rejected_rows_are_counted_and_lie_in_the_quarantine_that_is_named(score, tmp_path, frame):
    frame.astype({"a": object}).assign(a=["x", *map(str, frame["a"][1:])]).to_csv(tmp_path / "bad.csv", index=False)
    assert "SignatureMismatchError" in str(score(tmp_path / "bad.csv").status)
    ended = score(tmp_path / "bad.csv", **{"error-threshold": "1"})
    lines = ended.out.splitlines()
    assert lines[1].endswith("1 of 400")
    quarantine = next(line.split()[1] for line in lines if line.startswith("quarantine"))
    assert pd.read_parquet(quarantine)["_row"].tolist() == [0]


def test_a_second_run_replaces_its_own_output(score, batch, frame):
    score(batch)
    frame.head(10).to_parquet(batch / "1.parquet")
    (batch / "2.parquet").unlink()
    assert score(batch).status == 0
    assert len(pd.read_parquet("scores.parquet")) == 10


def test_what_others_wrote_is_not_replaced_and_nothing_is_scored_for_it(score, batch, tmp_path):
    Path("scores.parquet").write_text("somebody's")
    ended = score(batch)
    assert "ArtifactConflictError" in str(ended.status)
    assert Path("scores.parquet").read_text() == "somebody's"
    assert list(tmp_path.rglob("_commits/*.json")) == []
    assert score(batch, output="mine.parquet").status == 0


def test_another_place_or_format_costs_no_second_scoring(score, batch):
    assert score(batch, output="mine.parquet").status == 0
    for more in ({"output": "yours.csv"}, {"output": "folder", "output-format": "jsonl"}):
        again = score(batch, **more)
        assert again.status == 0
        assert "This very job is committed already" in again.err
    assert len(pd.read_csv("yours.csv")) == len(pd.read_parquet("mine.parquet")) == 400


def test_what_a_dag_published_is_not_replaced(score, batch):
    score(batch)
    manifest = Path("_scores.parquet_published.json")
    manifest.write_text(manifest.read_text().replace('"command line"', '"nightly"'))
    ended = score(batch)
    assert "ArtifactConflictError" in str(ended.status)
    assert "DAG 'nightly' published it" in str(ended.status)


def test_the_digest_of_a_record_is_not_asked_again(run, tmp_path):
    record = tmp_path / f"model-{'0' * 64}.json"
    ended = run(
        "score", record, "x.parquet", "--output", "y.parquet", "--sha256", "0" * 64, "--artifact-root", tmp_path
    )
    assert "--sha256 belongs to a model's file" in str(ended.status)


def test_csv_files_are_read_as_they_are_said_to_be(run, score, tmp_path, frame):
    frame.to_csv(tmp_path / "german.csv", sep=";", decimal=",", index=False)
    frame.to_csv(tmp_path / "usual.csv", index=False)
    options = {"csv-options": '{"separator": ";", "decimal": ","}'}
    assert score(tmp_path / "german.csv", **options).status == 0
    found = pd.read_parquet("scores.parquet")
    assert score(tmp_path / "usual.csv", output="usual.parquet").status == 0
    assert found.equals(pd.read_parquet("usual.parquet"))
    assert "did you mean 'separator'" in str(score(tmp_path / "german.csv", **{"csv-options": '{"sep": ";"}'}).status)
    ended = run(
        "baseline", tmp_path / "german.csv", "--output", tmp_path / "b", "--csv-options", options["csv-options"]
    )
    assert ended.status == 0
    drift = run("drift", ended.out.strip(), tmp_path / "german.csv", "--csv-options", options["csv-options"])
    assert "NO_DRIFT" in drift.out
