"""Files behind http: read once, told apart by what the server or their bytes say, and never anything but files."""

from __future__ import annotations

import gc
import hashlib
import io
import logging
import pickle
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx
import pandas as pd
import pytest

from airflow_batch_inference.exceptions import (
    ArtifactNotFoundError,
    ConfigurationError,
    DataError,
)
from airflow_batch_inference.models.local_copy import private_copy
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.storage.uris import normalize_uri
from airflow_batch_inference.storage.web import WebFiles
from airflow_batch_inference.wording.uris import redact

CSV = b"id,x\na,1.5\nb,2.5\n"


@dataclass
class Answer:
    """What the server says under one path."""

    body: bytes = b""
    status: int = 200
    headers: dict = field(default_factory=dict)
    told_length: int | None = None
    times: int = 10**9
    """How often, before it is a good answer."""


class Site:
    """A web server on this machine, with what it was asked."""

    def __init__(self):
        self.answers = {}
        self.asked = []
        site = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                site.asked.append((self.path, dict(self.headers)))
                answer = site.answers.get(self.path, Answer(b"gone", 404))
                if answer.times <= 0:
                    answer = Answer(CSV)
                else:
                    answer.times -= 1
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                length = len(answer.body) if answer.told_length is None else answer.told_length
                self.send_header("Content-Length", str(length))
                if answer.told_length is not None:
                    self.send_header("Connection", "close")
                self.end_headers()
                self.wfile.write(answer.body)
                self.close_connection = answer.told_length is not None

            def log_message(self, *_):
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        threading.Thread(target=self.server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def paths(self):
        return [path for path, _ in self.asked]


@pytest.fixture
def site(monkeypatch):
    monkeypatch.setattr("airflow_batch_inference.storage.web._PAUSES_S", (0.0, 0.0))
    found = Site()
    yield found
    found.server.shutdown()
    found.server.server_close()


def parquet():
    sink = io.BytesIO()
    pd.DataFrame({"id": ["a", "b"], "x": [1.5, 2.5]}).to_parquet(sink)
    return sink.getvalue()


@pytest.mark.parametrize("headers", [{}, {"ETag": '"v1"'}, {"Last-Modified": "Wed, 01 May 2024 00:00:00 GMT"}])
@pytest.mark.parametrize("name", ["a.csv", "a.parquet"])
def test_a_dataset_is_asked_for_once_and_read_from_its_copy(site, headers, name):
    site.answers[f"/data/{name}"] = Answer(CSV if name == "a.csv" else parquet(), headers=headers)
    dataset = open_dataset(f"{site.url}/data/{name}", Storage())
    site.answers[f"/data/{name}"] = Answer(b"something else")
    assert dataset.whole().to_pydict() == {"id": ["a", "b"], "x": [1.5, 2.5]}
    assert dataset.source.storage.stat(dataset.source.files[0].file.uri) == dataset.source.files[0].file
    assert site.paths() == [f"/data/{name}"]


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("day.json", b'[{"id": "a", "x": 1.5}, {"id": "b", "x": 2.5}]'),
        ("day.json", b'{"id": "a", "x": 1.5}\n{"id": "b", "x": 2.5}\n'),
        ("day.jsonl", b'{"id": "a", "x": 1.5}\n{"id": "b", "x": 2.5}\n'),
    ],
)
def test_json_of_a_server_is_a_dataset(site, name, body):
    site.answers[f"/{name}"] = Answer(body)
    found = open_dataset(f"{site.url}/{name}", Storage()).whole()
    assert found.to_pylist() == [{"id": "a", "x": 1.5}, {"id": "b", "x": 2.5}]
    assert site.paths() == [f"/{name}"]


def test_another_process_reads_the_same_copy(site):
    site.answers["/a.csv"] = Answer(CSV)
    dataset = open_dataset(f"{site.url}/a.csv", Storage())
    again = pickle.loads(pickle.dumps(dataset))
    assert again.whole().num_rows == 2
    assert len(site.asked) == 1


def test_the_copy_goes_with_the_dataset_and_not_with_what_another_process_has_of_it(site):
    site.answers["/a.csv"] = Answer(CSV)
    dataset = open_dataset(f"{site.url}/a.csv", Storage())
    folder = dataset.source.storage.web._held.path
    again = pickle.loads(pickle.dumps(dataset))
    del again
    gc.collect()
    assert len(list(folder.iterdir())) == 1
    del dataset
    gc.collect()
    assert not folder.exists()


@pytest.mark.parametrize(
    "headers",
    [
        {"ETag": '"v1"'},
        {"ETag": 'W/"v1"', "Last-Modified": "Wed, 01 May 2024 00:00:00 GMT"},
        {"Last-Modified": "Wed, 01 May 2024 00:00:00 GMT"},
        {},
    ],
)
def test_a_file_is_pinned_by_its_bytes_whatever_the_server_says(site, headers):
    site.answers["/a.csv"] = Answer(CSV, headers=headers)
    asked = Storage().versioned(f"{site.url}/a.csv")
    (listed,) = open_dataset(f"{site.url}/a.csv", Storage()).source.files
    assert asked == listed.file
    assert (asked.size_bytes, asked.version) == (len(CSV), f"sha256:{hashlib.sha256(CSV).hexdigest()}")
    site.answers["/a.csv"] = Answer(CSV.replace(b"1.5", b"9.5"), headers=headers)
    assert Storage().versioned(f"{site.url}/a.csv") != asked


def test_a_model_is_copied_and_its_digest_is_of_the_bytes(site):
    site.answers["/models/churn.txt"] = Answer(b"tree\n")
    with private_copy(f"{site.url}/models/churn.txt", Storage()) as copy:
        assert (copy.path.name, copy.path.read_bytes()) == ("churn.txt", b"tree\n")
        assert copy.sha256 == hashlib.sha256(b"tree\n").hexdigest()


@pytest.mark.parametrize("status", [404, 410])
def test_what_the_server_does_not_have_is_not_found(site, status):
    site.answers["/a.csv"] = Answer(b"gone", status)
    with pytest.raises(ArtifactNotFoundError, match=r"a\.csv"):
        open_dataset(f"{site.url}/a.csv", Storage())
    with pytest.raises(ArtifactNotFoundError, match=r"a\.csv"), private_copy(f"{site.url}/a.csv", Storage()):
        pass
    assert not Storage().exists(f"{site.url}/a.csv")


@pytest.mark.parametrize("status", [500, 502, 503, 429, 408])
def test_a_server_that_cannot_answer_now_may_be_asked_again(site, status):
    site.answers["/a.csv"] = Answer(b"busy", status)
    with pytest.raises(OSError, match=f"the server answers {status}"):
        open_dataset(f"{site.url}/a.csv", Storage())
    assert len(site.asked) == 3
    site.answers["/a.csv"] = Answer(b"busy", status, times=1)
    assert open_dataset(f"{site.url}/a.csv", Storage()).whole().num_rows == 2


def test_a_server_that_is_not_there_may_come_back(site):
    with pytest.raises(OSError, match="could not be read: ConnectError"):
        open_dataset("http://127.0.0.1:9/a.csv", Storage())


@pytest.mark.parametrize("status", [401, 403])
def test_what_is_not_given_to_anybody_asks_for_a_connection(site, status):
    site.answers["/a.csv"] = Answer(b"no", status)
    with pytest.raises(ConfigurationError, match=r"conn_id an Airflow connection of type HTTP"):
        open_dataset(f"{site.url}/a.csv", Storage())


def test_a_connection_that_breaks_in_the_middle_gives_no_half_file(site):
    site.answers["/a.csv"] = Answer(CSV[:12], told_length=len(CSV), headers={"ETag": '"v1"'})
    with pytest.raises(OSError, match="could not be read"):
        open_dataset(f"{site.url}/a.csv", Storage())
    site.answers["/a.csv"] = Answer(CSV[:12], told_length=len(CSV), times=2)
    assert open_dataset(f"{site.url}/a.csv", Storage()).whole().num_rows == 2


def test_a_page_is_no_data(site):
    site.answers["/a.csv"] = Answer(b"<html>Sign in</html>", headers={"Content-Type": "text/html; charset=utf-8"})
    with pytest.raises(ConfigurationError, match="is a web page"):
        open_dataset(f"{site.url}/a.csv", Storage())


def test_a_redirect_is_followed_and_its_signature_is_told_to_nobody(site, caplog):
    site.answers["/a.csv"] = Answer(status=302, headers={"Location": f"{site.url}/signed/x?token=secret"})
    site.answers["/signed/x?token=secret"] = Answer(CSV)
    with caplog.at_level(logging.INFO):
        dataset = open_dataset(f"{site.url}/a.csv", Storage())
    assert dataset.whole().num_rows == 2
    assert "secret" not in f"{caplog.text} {dataset.identity}"
    site.answers["/signed/x?token=secret"] = Answer(b"no", 403)
    with pytest.raises(ConfigurationError) as refused:
        open_dataset(f"{site.url}/a.csv", Storage())
    assert "secret" not in str(refused.value)


def test_a_redirect_that_goes_round_is_given_up(site):
    site.answers["/a.csv"] = Answer(status=302, headers={"Location": "/a.csv"})
    with pytest.raises(ConfigurationError, match="redirected more than 10 times"):
        open_dataset(f"{site.url}/a.csv", Storage())


def test_a_redirect_from_https_to_http_is_not_followed():
    with pytest.raises(
        ConfigurationError, match=r"https://a\.org/x\.csv is redirected to http://a\.org, .*stays on https"
    ):
        WebFiles()._require_allowed("https://a.org/x.csv", httpx.URL("http://a.org/x.csv?token=secret"))
    WebFiles()._require_allowed("http://a.org/x.csv", httpx.URL("https://a.org/x.csv"))


def test_allowed_roots_hold_for_addresses_and_for_where_they_lead(site):
    site.answers["/in/a.csv"] = Answer(CSV)
    site.answers["/in/b.csv"] = Answer(status=302, headers={"Location": f"{site.url}/out/a.csv?sig=secret"})
    site.answers["/out/a.csv?sig=secret"] = Answer(CSV)
    walled = Storage(roots=(f"{site.url}/in",))
    assert open_dataset(f"{site.url}/in/a.csv", walled).whole().num_rows == 2
    with pytest.raises(ConfigurationError, match="lies outside of the folders"):
        open_dataset(f"{site.url}/out/a.csv", walled)
    with pytest.raises(ConfigurationError, match=r"redirected to .* outside of allowed_roots"):
        open_dataset(f"{site.url}/in/b.csv", walled)
    assert "/out/a.csv?sig=secret" not in site.paths()


def test_what_lets_one_in_is_sent_where_it_belongs_and_to_no_other_process(site):
    own = site.url.removeprefix("http://")
    web = WebFiles(lambda host: {"Authorization": "secret"} if host == own else {})
    site.answers["/a.csv"] = Answer(CSV)
    dataset = open_dataset(f"{site.url}/a.csv", Storage(web=web))
    assert site.asked[-1][1]["Authorization"] == "secret"
    assert b"secret" not in pickle.dumps(dataset.source.storage)
    site.answers["/b.csv"] = Answer(
        status=302, headers={"Location": site.url.replace("127.0.0.1", "localhost") + "/a.csv"}
    )
    open_dataset(f"{site.url}/b.csv", Storage(web=web))
    assert "Authorization" not in site.asked[-1][1]


def test_an_address_without_a_format_says_what_to_do(site):
    site.answers["/export"] = Answer(CSV, headers={"Content-Type": "text/csv"})
    with pytest.raises(DataError, match=r"The format of .*/export is unknown"):
        open_dataset(f"{site.url}/export", Storage())


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        ("/a.csv?X-Amz-Signature=secret", "query"),
        ("/a.csv?secret", "query"),
        ("/a.csv#secret", "query"),
        ("/*.csv", "no globs"),
        ("/day=[12]/a.csv", "no globs"),
    ],
)
def test_what_is_more_than_one_file_s_address_is_refused(rest, reason):
    with pytest.raises(ConfigurationError, match=reason) as refused:
        normalize_uri(f"https://example.com{rest}")
    assert "secret" not in str(refused.value)
    assert "secret" not in redact(f"https://user:secret@example.com{rest}")


def test_nothing_is_listed_or_written(site):
    storage = Storage()
    with pytest.raises(ConfigurationError, match="no folders"):
        storage.list_files(f"{site.url}/data")
    for write in (storage.put, storage.put_new):
        with pytest.raises(ConfigurationError, match="only read from"):
            write(f"{site.url}/data/a.csv", b"x")


def test_several_addresses_are_one_dataset_in_their_order(site):
    site.answers["/1.csv"], site.answers["/2.csv"] = Answer(CSV), Answer(CSV.replace(b"a", b"c"))
    dataset = open_dataset([f"{site.url}/2.csv", f"{site.url}/1.csv"], Storage())
    assert dataset.whole().column("id").to_pylist() == ["c", "b", "a", "b"]
