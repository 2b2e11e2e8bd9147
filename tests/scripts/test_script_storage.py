"""Scripts whose input, model, code and artifacts lie in a bucket (moto)."""

from __future__ import annotations

import fsspec
import pytest
from publishing import publish
from s3_server import reach, s3_server

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.scripts.job import run_script
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

pytestmark = pytest.mark.slow

SCRIPT = """
import helper

def run(mini_batch):
    note("run", mini_batch)
    weight = int(Path(os.environ["AZUREML_MODEL_DIR"], "model", "weight").read_text())
    out = Path(os.environ["AZUREML_BI_OUTPUT_PATH"])
    for path in mini_batch:
        (out / Path(path).parent.name).mkdir(exist_ok=True)
        (out / Path(path).parent.name / Path(path).name).write_text("seen")
    return [helper.SCALE * weight * int(Path(path).read_text()) for path in mini_batch]
"""


@pytest.fixture
def bucket(monkeypatch):
    with s3_server() as endpoint:
        reach(endpoint, monkeypatch)
        fs = fsspec.filesystem("s3")
        fs.mkdir("scripts")
        yield fs
        fs.clear_instance_cache()


def test_files_of_a_bucket_are_copied_with_their_paths_and_all_of_it_may_lie_there(bench, bucket):
    for place in ("a/1", "a/2", "b/1"):
        bucket.pipe_file(f"scripts/in/{place}", place[-1].encode())
    bucket.pipe_file("scripts/models/model/weight", b"5")
    bucket.pipe_file("scripts/code/helper.py", b"SCALE = 2\n")
    bucket.pipe_file("scripts/code/score.py", (bench.prelude + SCRIPT).encode())
    bench.root = "s3://scripts/artifacts"
    arguments = {"dataset": "s3://scripts/in", "model": "s3://scripts/models/model", "code": "s3://scripts/code"}
    uri, record = bench.run("score.py", mini_batch_size=1, recursive=True, **arguments)
    table, *written = record.parts
    assert bench.storage.read_bytes(table.uri) == b"predicted_label\n10\n20\n10\n"
    assert [part.name for part in written] == ["a/1", "a/2", "b/1"]
    assert bench.run("score.py", mini_batch_size=1, recursive=True, attempt="2", **arguments)[0] == uri
    assert len(bench.calls()) == 3
    assert verify(uri, Storage(), inputs=Storage()).problems == []
    publish(record, "s3://scripts/public/day", storage=Storage(), target_storage=Storage())
    assert sorted(bucket.find("scripts/public/day")) == [
        f"scripts/public/day/{name}" for name in ("_published.json", "a/1", "a/2", "b/1", "predictions.csv")
    ]


def test_a_file_system_that_lives_in_this_process_alone_is_refused(bench):
    fs = fsspec.filesystem("memory")
    fs.pipe_file("/in/a.txt", b"1")

    class Local(type(fs)):
        """Cannot be pickled, as it is defined here; and tells versions, so that files are not copied first."""

        cachable = False

        def info(self, path, **kwargs):
            return {**super().info(path, **kwargs), "ETag": "e1"}

    storage = Storage(filesystem_for=lambda protocol: Local() if protocol == "memory" else fsspec.filesystem(protocol))
    request = bench.request(bench.script("def run(b):\n    return b"), dataset="memory://in/a.txt")
    with pytest.raises(ConfigurationError, match="cannot be handed to worker processes"):
        run_script(request, storage=bench.storage, data_storage=storage)
    _, record = run_script(request, storage=bench.storage, data_storage=Storage())  # one that tells none
    assert record.items.files_succeeded == 1
    fs.rm("/in", recursive=True)
