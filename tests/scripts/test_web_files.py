"""A scoring script over files of a web server: asked for once, by the process that is let in."""

from __future__ import annotations

import functools
import threading
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pandas as pd
import pytest

from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.web import WebFiles

LENGTHS = """
from pathlib import Path

def run(mini_batch):
    return [[Path(path).name, Path(path).read_text()] for path in mini_batch]
"""


@pytest.fixture
def closed_site(tmp_path):
    """A web server that lets in who knows the word; its address, and what was asked for."""
    asked = []

    class Handler(SimpleHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.path)
            if self.headers.get("Authorization") != "word":
                self.send_error(401)
                return
            super().do_GET()

        def log_message(self, *_):
            pass

    folder = tmp_path / "www"
    folder.mkdir()
    for place in range(3):
        (folder / f"{place}.txt").write_text(f"text {place}")
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Handler, directory=str(folder)))
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}", asked
    server.shutdown()


def test_files_that_not_everybody_is_given_reach_the_script(bench, closed_site):
    address, asked = closed_site
    storage = Storage(web=WebFiles(lambda _: {"Authorization": "word"}))
    dataset = [f"{address}/{place}.txt" for place in range(3)]
    script = bench.script(LENGTHS)
    _, record = bench.run(script, storage=storage, dataset=dataset, mini_batch_size=2, max_concurrency_per_instance=2)
    found = pd.read_csv(Path(record.table[0].uri.removeprefix("file://")), header=0)
    assert found.to_numpy().tolist() == [[f"{place}.txt", f"text {place}"] for place in range(3)]
    assert sorted(asked) == [f"/{place}.txt" for place in range(3)]
