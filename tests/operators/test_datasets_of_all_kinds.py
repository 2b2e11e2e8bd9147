"""Each kind of dataset, through a whole task: the same bytes with one process and two, after a kill, and once more."""

from __future__ import annotations

import functools
import json
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest

from airflow_batch_inference.formats.csv import reader
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.jobs.part import PartScorer
from airflow_batch_inference.operators import LoadModelOperator, PredictOperator, Processes
from airflow_batch_inference.storage.store import Storage

SEMICOLONS = {"separator": ";", "decimal": ",", "encoding": "cp1252", "header": False, "names": ["a", "b", "key"]}


class KilledError(Exception):
    """The end of a try."""


@pytest.fixture
def model(runner, model_file, digest):
    return runner(LoadModelOperator(task_id="model", model_uri=str(model_file), sha256=digest))


@pytest.fixture
def frame(rng_frame):
    return rng_frame.assign(key=[f"0{i}é" for i in range(len(rng_frame))])


@pytest.fixture
def site(tmp_path):
    """A web server for a folder."""
    (tmp_path / "www").mkdir()

    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(tmp_path / "www")))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()


@pytest.fixture
def made(runner, model, frame, tmp_path, request):
    """Makes a dataset of some kind; returns it and the arguments that it needs."""

    def csv(path):
        frame.to_csv(path, sep=";", decimal=",", encoding="cp1252", header=False, index=False)

    def json_list(path, mark=b""):
        path.write_bytes(mark + frame.to_json(orient="records", force_ascii=False).encode())

    def stream(path):
        table = pa.Table.from_pandas(frame, preserve_index=False)
        with pa.ipc.new_stream(path, table.schema) as writer:
            writer.write_table(table, max_chunksize=70)
        return str(path)

    def prediction_set():
        frame.to_parquet(tmp_path / "first.parquet")
        source = str(tmp_path / "first.parquet")
        return runner(PredictOperator(task_id="first", model=model, dataset=source, label_columns="first"))

    def web(name):
        return f"{request.getfixturevalue('site')}/{name}"

    def make(kind):
        name, _, server = kind.partition(" of a ")
        place = f"{request.getfixturevalue('site')}/" if server else f"{tmp_path}/"
        folder = tmp_path / "www" if server else tmp_path
        if name == "csv":
            csv(folder / "day.csv")
            return f"{place}day.csv", {"csv_options": SEMICOLONS}
        if name == "json list":
            json_list(folder / "day.json", b"\xef\xbb\xbf")
            return f"{place}day.json", {}
        if name == "arrow stream":
            return stream(tmp_path / "day.arrows"), {}
        return prediction_set(), {"csv_options": {"separator": ";"}}

    return make


KINDS = (
    "csv",
    "csv of a server",
    "json list",
    "json list of a server",
    "arrow stream",
    "prediction set",
)


def rows_of(uri):
    record = Storage().read_record(uri)
    return pd.concat([pd.read_parquet(part.uri) for part in record.parts], ignore_index=True)


@pytest.mark.parametrize("kind", KINDS)
def test_the_bytes_are_the_same_after_a_kill_with_other_processes_and_once_more(
    runner, model, frame, made, monkeypatch, tmp_path, kind
):
    monkeypatch.setattr(plan, "_PART_ROWS", 100)
    monkeypatch.setattr(reader, "_TEXT_UNIT_ROWS", 70)
    dataset, more = made(kind)
    predict = functools.partial(PredictOperator, task_id="predict", model=model, dataset=dataset, **more)

    whole = runner(predict(artifact_root=str(tmp_path / "whole"), engine=Processes(max_workers=1)))
    expected = Storage().read_record(whole)
    pd.testing.assert_frame_equal(rows_of(whole)[["a", "b", "key"]], frame, rtol=1e-15)

    score, scored = PartScorer.score, []

    def killed(self, part, **others):
        if len(scored) == min(1, len(expected.parts) - 1):  # a list is one part
            raise KilledError
        scored.append(part)
        return score(self, part, **others)

    monkeypatch.setattr(PartScorer, "score", killed)
    with pytest.raises(KilledError):
        runner(predict(engine=Processes(max_workers=1)))
    monkeypatch.setattr(PartScorer, "score", score)
    resumed = runner(predict(engine=Processes(max_workers=2)), try_number=2)
    found = Storage().read_record(resumed)
    assert [part.sha256 for part in found.parts] == [part.sha256 for part in expected.parts]
    assert found.job_key == expected.job_key
    assert len(list(runner.root.glob("**/task_id=predict/**/*.parquet"))) == len(expected.parts)
    assert runner(predict(engine=Processes(max_workers=1)), try_number=3) == resumed


@pytest.mark.parametrize(
    ("first", "second"), [({}, {"null_words": ["-"]}), ({"encoding": "cp1252"}, {"encoding": "latin-1"})]
)
def test_other_options_of_a_task_make_another_prediction_set(runner, model, tmp_path, first, second):
    (tmp_path / "day.csv").write_text("a,b,key\n1,2,x\n3,4,-\n")
    predict = functools.partial(PredictOperator, task_id="predict", model=model, dataset=str(tmp_path / "day.csv"))
    uris = [runner(predict(csv_options=options)) for options in (first, second, second)]
    assert uris[0] != uris[1] == uris[2]


def test_nothing_of_json_is_lost_in_an_output(runner, model, tmp_path):
    rows = [{"a": 1.5, "b": 2.5, "key": "NaN"}, {"a": float("nan"), "b": 1.0, "key": "x"}]
    (tmp_path / "day.json").write_text(json.dumps(rows))
    uri = runner(PredictOperator(task_id="predict", model=model, dataset=str(tmp_path / "day.json")))
    assert rows_of(uri)["key"].tolist() == ["NaN", "x"]
    assert np.isnan(rows_of(uri)["a"][1])
