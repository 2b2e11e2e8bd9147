"""Runs of a small job under faults, each followed by a retry, and what must hold after each of them."""

from __future__ import annotations

import contextlib
import errno
import faulthandler
import json
import os
import shutil
import signal
import threading
import time
import traceback
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.parquet as pq
from campaign_runs import BAD, DEADLY, ROWS, Result, Runs, file_name
from faulty_stores import FaultyFileSystem

from airflow_batch_inference.exceptions import BatchInferenceError, DataError
from airflow_batch_inference.ledger.commit import latest_commit
from airflow_batch_inference.ledger.under_way import note_uri
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.verify import verify

if TYPE_CHECKING:
    from pathlib import Path

    from faulty_stores import Faults

    from airflow_batch_inference.records import PredictionSetRecord

_STILL_THREADS = 0.8
"""Share of the killed tries by threads after which the next one scores by threads again."""

_MOST_JOBS = 60
"""So many are disturbed at most until a try finds the parts of a killed one."""


class Campaign(Runs):
    """Disturbs runs of one job; see :class:`~campaign_runs.Runs`."""

    def kills(self, *, at_least: int) -> Result:
        """Kill tries with SIGKILL at random moments, until each job is done, and one found parts of a killed try."""
        started = time.monotonic()
        self._killed_try(f"{self.root}/warm", 1, longest=0)  # a forked run is slower than one in this process
        longest = (time.monotonic() - started) * 1.5
        job = 0
        while self.result.kills < at_least or (job < _MOST_JOBS and not self.result.resumed_parts):
            job += 1
            root = f"{self.root}/{job}"
            for attempt in range(1, 100):
                before = self.receipts(root)
                if self.means == "threads" and self.random.random() < _STILL_THREADS:
                    self._forget_death(root)
                done = self._killed_try(root, attempt, longest)
                self.check(root, f"job {job}, try {attempt}", must_exist=done)
                if done:
                    self.result.resumed_parts += before
                    self._check_nothing_left(root, job)
                    break
        return self.result

    def _forget_death(self, root: str) -> None:
        """Let the next try score by threads again: after a death it would by worker processes."""
        with contextlib.suppress(FileNotFoundError, BatchInferenceError):
            self.storage.remove(note_uri(self.folder(root)))

    def crashes(self, times: int) -> Result:
        """Let some rows crash the model's native code: the retry sets them aside, with the bytes of an isolated run."""
        for number in range(times):
            root, source = f"{self.root}/crash-{number}", self.source.parent / f"crash-{number}"
            shutil.copytree(self.source, source)
            deadly = sorted(self.random.sample(sorted(set(range(1, 100)) - set(BAD)), self.random.choice((1, 2))))
            table = pq.read_table(source / "1.parquet")
            a = table["a"].to_numpy().copy()
            a[deadly] = DEADLY
            pq.write_table(table.set_column(0, "a", pa.array(a)), source / "1.parquet", write_page_checksum=True)
            some = {"source": source, "rejects": len(BAD) + len(deadly)}
            expected = self.run(f"{root}-isolated", "1", means="processes", **some)[1]
            codes = [self._crashing_try(root, str(attempt), **some) for attempt in (1, 2)]
            if codes != ([-signal.SIGSEGV, 0] if self.means == "threads" else [0, 0]):
                self.result.violations.append(f"crash {number}: exit codes {codes}")
                continue
            self.result.crashes += 1
            _, uri = latest_commit(self.folder(root), self.storage)
            record = verify(str(uri), self.storage).record
            same = [part.sha256 for part in record.parts] == [part.sha256 for part in expected.parts]
            if not same or record.certificate != expected.certificate or record.rows_rejected != some["rejects"]:
                self.result.violations.append(f"crash {number}: rows {deadly}: {record.certificate}")
        return self.result

    def _crashing_try(self, root: str, attempt: str, **options: Any) -> int:
        """Return how a try in a process of its own ended."""
        self.result.runs += 1
        child = os.fork()
        if child == 0:
            faulthandler.disable()  # it is meant to crash
            code = 1
            try:
                self.run(root, attempt, **options)
                code = 0
            finally:
                os._exit(code)
        return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])

    def _check_nothing_left(self, root: str, job: int) -> None:
        """Every file is a note, a commit, or named by one: what the killed tries left was swept."""
        files = [file.uri for file in self.storage.list_files(self.folder(root))]
        notes = [uri for uri in files if "/_work/" in uri or "/_commits/" in uri]
        told = b"".join(self.storage.read_bytes(uri) for uri in notes).decode()
        left = [uri for uri in files if "/.tmp-" in uri or (uri not in notes and file_name(uri) not in told)]
        self.result.violations += [f"job {job}: {uri} is left" for uri in left]

    def _killed_try(self, root: str, attempt: int, longest: float) -> bool:
        self.result.runs += 1
        child = os.fork()
        if child == 0:
            code = 1
            try:
                self.run(root, str(attempt))
                code = 0
            finally:
                os._exit(code)
        until = time.monotonic() + (self.random.uniform(0, longest) or 60)
        while time.monotonic() < until:
            ended, status = os.waitpid(child, os.WNOHANG)
            if ended:
                if status:
                    self.result.violations.append(f"{root} try {attempt} ended with {status}")
                return status == 0
            time.sleep(0.001)
        os.kill(child, signal.SIGKILL)
        _, status = os.waitpid(child, 0)
        self.result.kills += os.WIFSIGNALED(status)
        return status == 0

    def stops(self, *, at_least: int) -> Result:
        """Send tries a SIGTERM at random moments, as Airflow's ``on_kill`` asks them to end, and retry."""
        started = time.monotonic()
        self._killed_try(f"{self.root}/warm", 1, longest=0)
        longest = time.monotonic() - started
        number = 0
        while self.result.stops < at_least:
            number += 1
            root = f"{self.root}/stop-{number}"
            done = self._stopped_try(root, longest)
            self.check(root, f"stop {number}", must_exist=done)
            before = self.receipts(root)
            self.run(root, "2")
            self.result.resumed_parts += 0 if done else before
            self.check(root, f"stop {number}, retry", must_exist=True)
        return self.result

    def _stopped_try(self, root: str, longest: float) -> bool:
        self.result.runs += 1
        child = os.fork()
        if child == 0:
            code = 1
            asked = threading.Event()
            signal.signal(signal.SIGTERM, lambda *_: asked.set())
            try:
                self.run(root, "1", stopped=asked.is_set)
                code = 0
            except InterruptedError:
                code = 3
            finally:
                os._exit(code)
        time.sleep(self.random.uniform(0.01, longest))
        asked = time.monotonic()
        os.kill(child, signal.SIGTERM)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        if code == 3:
            self.result.stops += 1
            self.result.slowest_stop_s = round(max(self.result.slowest_stop_s, time.monotonic() - asked), 3)
        elif code not in (0, -signal.SIGTERM):  # it was done, or had not come to ask for signals yet
            self.result.violations.append(f"{root}: exit code {code}")
        return code == 0

    def races(self, times: int, *, same_job: bool) -> Result:
        """Let three processes score at once: of one job they agree on one commit; of three each has one, or is told."""
        for number in range(times):
            root = f"{self.root}/race-{number}"
            children = []
            for attempt in (1, 2, 3):
                self.result.runs += 1
                child = os.fork()
                if child == 0:
                    code = 1
                    try:
                        self.run(root, str(attempt), batch_id="b" if same_job else str(attempt))
                        code = 0
                    except BatchInferenceError as error:
                        code = 2 if "later try" in str(error) else 1
                    except Exception:  # noqa: BLE001  # told as exit code 1
                        traceback.print_exc()
                    finally:
                        os._exit(code)
                children.append(child)
            codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
            self._check_race(root, number, codes, same_job=same_job)
        return self.result

    def _check_race(self, root: str, number: int, codes: list[int], *, same_job: bool) -> None:
        allowed = {0} if same_job else {0, 2}
        if not set(codes) <= allowed or 0 not in codes:
            self.result.violations.append(f"race {number}: exit codes {codes}")
        commits = self.storage.list_files(f"{self.folder(root)}/_commits")
        if len(commits) != (1 if same_job else codes.count(0)):
            self.result.violations.append(f"race {number}: {len(commits)} commits, {codes}")
        for commit in commits:
            found = verify(commit.uri, self.storage)
            self.result.violations += [f"race {number}: {problem}" for problem in found.problems]
            keys = {part.uri.split("/")[-2] for part in found.record.parts}
            if len(keys) != 1 or found.record.rows_out != ROWS - len(BAD):
                self.result.violations.append(f"race {number}: a mixture of {keys}")

    def failing_operations(self, fs: Faults, *, forever: bool, applied: bool, passes: bool) -> Result:
        """Let the n-th operation of the artifact store fail, for every n, and retry on a sound store."""
        if isinstance(fs, FaultyFileSystem):
            self.storage = Storage(filesystem_for=lambda _: fs)
        fs.arm(None)
        self.run(f"{self.root}/count", "1")
        for number in range(1, fs.count + 1):
            root = f"{self.root}/{number}-{forever}-{applied}-{passes}"
            fs.arm(number, forever=forever, applied=applied, passes=passes)
            self.result.runs += 1
            with contextlib.suppress(OSError, BatchInferenceError):
                self.run(root, "1")
            self.result.faults += fs.failed > 0
            fs.arm(None)
            self.check(root, f"operation {number}")
            before = self.receipts(root)
            self.run(root, "2")
            self.result.resumed_parts += before
            self.check(root, f"operation {number}, retry", must_exist=True)
        return self.result

    def damaged_inputs(self, times: int) -> Result:
        """Change or cut bytes of an input file: an error, or (where the bytes mean nothing) the same rows as before.

        A Parquet footer has no checksum: of some hundred changes one may name a column differently, and be silent.
        """
        path = self.source / "2.parquet"
        sound = path.read_bytes()
        for number in range(times):
            data = bytearray(sound)
            if self.random.random() < 0.2:
                data = data[: self.random.randrange(len(data))]
            else:
                for _ in range(self.random.choice([1, 1, 4, 30])):
                    data[self.random.randrange(len(data))] ^= 1 << self.random.randrange(8)
            path.write_bytes(data)
            root = f"{self.root}/damaged-{number}"
            self.result.runs += 1
            try:
                _, record = self.run(root, "1")
            except (DataError, BatchInferenceError):
                self.result.faults += 1
                if latest_commit(self.folder(root), self.storage)[1] is not None:
                    self.result.violations.append(f"damage {number}: an error and a commit")
                continue
            # The footers differ: they name the job, which another version of the file is.
            self.result.silent += _rows(record) != _rows(self.expected)
        path.write_bytes(sound)
        return self.result


def _rows(record: PredictionSetRecord) -> list[dict[str, Any]]:
    return [row for part in record.parts for row in pq.read_table(part.uri.removeprefix("file://")).to_pylist()]


def on_full_disk(folder: Path, small: Path, *, seed: int, times: int) -> Result:
    """Let the artifact store's disk be full at some point, then make room and retry."""
    campaign = Campaign(folder, f"file://{small}/root", seed=seed)
    for number in range(times):
        root = f"file://{small}/{number}"
        ballast = small / "ballast"
        campaign.result.runs += 1
        free = os.statvfs(small).f_bavail * os.statvfs(small).f_frsize
        ballast.write_bytes(bytes(max(0, free - campaign.random.randrange(4_096, 90_000))))
        try:
            campaign.run(root, "1")
        except OSError as error:
            campaign.result.faults += error.errno == errno.ENOSPC
        campaign.check(root, f"full {number}")
        ballast.unlink()
        campaign.result.resumed_parts += campaign.receipts(root)
        campaign.run(root, "2")
        campaign.check(root, f"full {number}, retry", must_exist=True)
        shutil.rmtree(small / str(number))
    return campaign.result


def describe(result: Any) -> str:
    """Return a result as one line of JSON."""
    return json.dumps(result.__dict__)
