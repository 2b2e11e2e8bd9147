"""Publications under faults: killed between any two steps, on stores that fail, and several writers at once."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import signal
import time
import traceback
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from campaign import Campaign
from publishing import publish
from publishing_deaths import TearingFileSystem, die_before_call, die_before_step

from airflow_batch_inference.exceptions import ArtifactConflictError, BatchInferenceError
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.records import TaskKey
from airflow_batch_inference.sinks import remote
from airflow_batch_inference.sinks.manifest import Publisher, parsed
from airflow_batch_inference.storage.store import Storage

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_batch_inference.records import PredictionSetRecord

KINDS = ("two runs", "a run and its zombie", "two DAGs")
SHAPES = ("folder", "file")


@dataclass
class Outcome:
    """What a campaign did, and what it found."""

    seed: int
    runs: int = 0
    kills: int = 0
    faults: int = 0
    races: int = 0
    refused: int = 0
    violations: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Writer:
    """A prediction set, and the try of a task that publishes it."""

    record: PredictionSetRecord
    publisher: Publisher

    def again(self, try_number: int) -> Writer:
        """Return a later try of the same task."""
        return Writer(self.record, replace(self.publisher, try_id=f"{try_number:06d}"))

    def cleared(self, when: int) -> Writer:
        """Return the task of a run that was cleared, and so began anew."""
        return Writer(self.record, replace(self.publisher, try_id=f"{when:06d}", began=f"{when:06d}"))


class PublishingCampaign:
    """Disturbs publications.

    Parameters
    ----------
    folder
        For inputs and the artifact store.
    base
        Below it is published; a URI.
    seed
        Of all that is random.
    output_format
        Of what is published.
    """

    def __init__(self, folder: Path, base: str, *, seed: int, output_format: str = "parquet") -> None:
        self.base, self.output_format = base, output_format
        self.random = random.Random(seed)
        self.outcome = Outcome(seed)
        self.storage = Storage()
        self.targets = Storage()
        campaign = Campaign(folder, f"file://{folder}/artifacts", seed=seed)
        plan._PART_ROWS = 50  # five parts

        def scored(dag: str, run: str, attempt: int, batch: str) -> Writer:
            task = TaskKey(dag_id=dag, run_id=run, task_id="predict")
            _, record = campaign.run(f"file://{folder}/artifacts", str(attempt), batch_id=batch, task=task)
            by = TaskKey(dag_id=dag, run_id=run, task_id="log")
            return Writer(record, Publisher(by, f"{attempt:06d}", f"{int(run):06d}"))

        self.first = scored("nightly", "0", 1, "first")
        self.older = scored("nightly", "1", 2, "older")
        self.newer = scored("nightly", "2", 3, "newer")
        self.zombie = scored("nightly", "3", 4, "zombie")
        self.successor = scored("nightly", "3", 5, "successor")
        self.stranger = scored("stranger", "1", 6, "stranger")
        self.last = scored("nightly", "9", 7, "last")
        self.number = 0

    def target(self, shape: str) -> str:
        """Return a place that nothing was ever published to."""
        self.number += 1
        place = f"{self.base}/{shape}-{self.number}"
        return f"{place}/scores.{self.output_format}" if shape == "file" else f"{place}/day=1"

    def put(self, writer: Writer, target: str, *, storage: Storage | None = None) -> None:
        self.outcome.runs += 1
        publish(
            writer.record,
            target,
            storage=self.storage,
            target_storage=storage or self.targets,
            publisher=writer.publisher,
            output_format=self.output_format,
        )

    # -- what must hold ---------------------------------------------------------------------------------------

    def check(self, target: str, what: str, *, one_of: tuple[Writer, ...] = (), storage: Storage | None = None) -> None:
        """The manifest is complete and one of these sets', and all that it names lies there, and nothing else."""
        found = self._looked_at(target, storage or self.targets)
        problems = found.problems
        if found.document.get("state") != "complete":
            problems.append(f"state {found.document.get('state')}")
        keys = [writer.record.job_key for writer in one_of]
        if found.document.get("job_key") not in keys:
            problems.append(f"it is {found.document.get('batch_id')}")
        elif found.document.get("rows") != one_of[0].record.rows_out:
            problems.append(f"{found.document.get('rows')} rows")
        if set(found.there) != set(found.document.get("files", ())) or not found.there:
            problems.append(f"there is {sorted(found.there)}, it names {found.document.get('files')}")
        problems += [f"{name} is left" for name in found.others]
        self.outcome.violations += [f"{target}: {what}: {problem}" for problem in problems]

    def check_unfinished(self, target: str, what: str) -> None:
        """After a death: what the manifest calls complete is; what it calls the old set is whole, or being replaced."""
        found = self._looked_at(target, self.targets)
        if found.document:
            self.outcome.violations += [f"{target}: {what}: {problem}" for problem in found.problems]
        elif found.there and target.endswith(f".{self.output_format}"):
            self.outcome.violations.append(f"{target}: {what}: a file without a manifest")

    def _looked_at(self, target: str, storage: Storage) -> Looked:
        is_file = target.endswith(f".{self.output_format}")
        around = target.rpartition("/")[0]
        name = target.rpartition("/")[2]
        manifest = f"{around}/_{name}_published.json" if is_file else f"{target}/_published.json"
        listed = [file.uri for file in storage.list_files(around)] if storage.exists(around) else []
        inside = around if is_file else target
        there = {uri.removeprefix(f"{inside}/"): uri for uri in listed if uri.startswith(f"{inside}/")}
        document = parsed(storage.read_bytes(manifest)) if manifest in listed else {}
        there = {each: uri for each, uri in there.items() if uri != manifest}
        hidden = {each: uri for each, uri in there.items() if each.startswith(("_", "."))}
        others = [uri for uri in listed if not uri.startswith(f"{inside}/")] + list(hidden.values())
        found = Looked(document, {each: uri for each, uri in there.items() if each not in hidden}, others)
        coming = (document.get("next") or {}).get("contents", {})
        for each in document.get("files", ()):
            allowed = [known[each]["sha256"] for known in (document["contents"], coming) if each in known]
            if each not in there:
                found.problems.append(f"{each} is missing")
            elif hashlib.sha256(storage.read_bytes(there[each])).hexdigest() not in allowed:
                found.problems.append(f"{each} is not what the manifest says ({document.get('state')})")
        return found

    # -- deaths -----------------------------------------------------------------------------------------------

    def killed_at_every_step(self, shape: str, *, is_new: bool, s3: bool = False, first: int = 1) -> Outcome:
        """Kill a publication before its n-th step, for every n; then its retry, or another run, publishes."""
        number = first - 1
        while True:
            number += 1
            target = self.target(shape)
            if not is_new:
                self.put(self.first, target)
            died = self._killed(self.older, target, number, s3=s3)
            what = f"killed before step {number} ({'new' if is_new else 'replaced'})"
            self.check_unfinished(target, what)
            if died is None:
                self.outcome.violations.append(f"{target}: {what}: it failed by itself")
            successor = self.older.again(50) if number % 3 else self.newer
            try:
                self.put(successor, target)
                self.check(target, what, one_of=(successor,))
                self.put(successor.again(51), target)
                self.check(target, f"{what}, once more", one_of=(successor,))
            except Exception as error:  # noqa: BLE001  # counted
                self.outcome.violations.append(f"{target}: {what}: {type(error).__name__}: {error}")
            if died is False:
                return self.outcome

    def _killed(self, writer: Writer, target: str, number: int, *, s3: bool) -> bool | None:
        """Publish in a child that dies before its n-th step; False where it had fewer, None where it failed."""
        child = os.fork()
        if child == 0:
            code = 1
            try:
                (die_before_call if s3 else die_before_step)(number, target)
                self.put(writer, target)
                code = 0
            except BaseException:  # noqa: BLE001  # told as exit code 1
                traceback.print_exc()
            finally:
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        self.outcome.kills += code == -signal.SIGKILL
        return {0: False, -signal.SIGKILL: True}.get(code)

    def killed_at_random(self, shape: str, *, times: int, longest: float = 0.15) -> Outcome:
        """Kill publications at random moments, one after the other, into one target."""
        target = self.target(shape)
        done, number = self.outcome.kills + times, 0
        while self.outcome.kills < done:
            number += 1
            writer = self.random.choice([self.older, self.newer]).cleared(100 + number)
            child = os.fork()
            if child == 0:
                with contextlib.suppress(BaseException):
                    self.put(writer, target)
                os._exit(0)
            time.sleep(self.random.uniform(0, longest))
            os.kill(child, signal.SIGKILL)
            self.outcome.kills += os.WIFSIGNALED(os.waitpid(child, 0)[1])
            self.check_unfinished(target, "killed at random")
            if self.random.random() < 0.3:
                self.put(writer, target)
                self.check(target, "killed at random, retried", one_of=(writer,))
        last = self.last.cleared(10**5)
        self.put(last, target)
        self.check(target, "killed at random, at last", one_of=(last,))
        return self.outcome

    def failing_operations(self, shape: str, *, how: str, forever: bool, is_new: bool) -> Outcome:
        """Let the n-th operation of a store in memory fail (``before``, ``after``, ``torn``), for every n."""
        number = 0
        while True:
            number += 1
            fs = TearingFileSystem(skip_instance_cache=True)
            storage = Storage(filesystem_for=lambda _, fs=fs: fs)
            target = self.target(shape)
            fs.arm(None)
            if not is_new:
                self.put(self.first, target, storage=storage)
            fs.tears = how == "torn"
            fs.arm(number, forever=forever, applied=how == "after")
            with contextlib.suppress(OSError, BatchInferenceError):
                self.put(self.older, target, storage=storage)
            was_reached = fs.count >= number
            self.outcome.faults += fs.failed > 0
            fs.tears = False
            fs.arm(None)
            what = f"operation {number} fails {how}, {'new' if is_new else 'replaced'}, forever={forever}"
            for successor in (self.older.again(50), self.last) if number % 2 else (self.newer,):
                try:
                    self.put(successor, target, storage=storage)
                except Exception as error:  # noqa: BLE001  # counted
                    self.outcome.violations.append(f"{target}: {what}: {type(error).__name__}: {error}")
                else:
                    self.check(target, what, one_of=(successor,), storage=storage)
            if not was_reached:
                return self.outcome

    # -- races ------------------------------------------------------------------------------------------------

    def races(self, kind: str, shape: str, *, times: int, pauses: bool = False) -> Outcome:
        """Let two writers publish to one target at once; with pauses, one of them is stopped now and then."""
        first, second = {
            "two runs": (self.older, self.newer),
            "a run and its zombie": (self.zombie, self.successor),
            "two DAGs": (self.newer, self.stranger),
        }[kind]
        for number in range(times):
            target = self.target(shape)
            what = f"race {number}, {kind}"
            is_new = self.random.random() < 0.5
            if not is_new:
                self.put(self.first, target)
            self.outcome.races += 1
            starts = [self.random.uniform(0, 0.03) for _ in range(2)]
            ends = self._race([first, second], target, starts, pauses=pauses)
            told = [end.code for end in ends]
            self.outcome.refused += told.count(2)
            if kind == "two DAGs":
                winner = first if not is_new or told[0] == 0 else second
                if sorted(told) != [0, 2] or (not is_new and told != [0, 2]):
                    self.outcome.violations.append(f"{target}: {what}: {told}")
                self.check(target, what, one_of=(winner,))
                self._again(winner, target, what)
                continue
            if kind == "two runs" and told != [0, 0]:
                self.outcome.violations.append(f"{target}: {what}: {told}")
            if kind == "a run and its zombie" and (told[1] != 0 or told[0] not in (0, 2)):
                self.outcome.violations.append(f"{target}: {what}: {told}")
            self.check(target, what, one_of=(second,))
            self._again(self.last, target, what)
        return self.outcome

    def _again(self, writer: Writer, target: str, what: str) -> None:
        try:
            self.put(writer, target)
        except ArtifactConflictError as error:
            self.outcome.violations.append(f"{target}: {what}: refused for good: {error}")
        else:
            self.check(target, f"{what}, published again", one_of=(writer,))

    def _race(self, writers: list[Writer], target: str, starts: list[float], *, pauses: bool) -> list[End]:
        children = []
        for writer, start in zip(writers, starts, strict=True):
            read, write = os.pipe()
            child = os.fork()
            if child == 0:
                os._exit(self._racer(writer, target, start, write))
            os.close(write)
            children.append((child, read))
        if pauses:
            time.sleep(self.random.uniform(0.01, 0.12))
            with contextlib.suppress(ProcessLookupError):
                os.kill(children[0][0], signal.SIGSTOP)
                time.sleep(self.random.uniform(0.05, 0.25))
                os.kill(children[0][0], signal.SIGCONT)
        ends = []
        for child, read in children:
            with os.fdopen(read) as pipe:
                told = pipe.read()
            os.waitpid(child, 0)
            ends.append(End(*json.loads(told or "[1, 0, 0]")))
        return ends

    def _racer(self, writer: Writer, target: str, start: float, pipe: int) -> int:
        remote._OWN_PATIENCE_S = 0.1
        code, began, ended = 1, 0.0, 0.0
        try:
            time.sleep(start)
            for attempt in range(20):
                began = time.monotonic()
                try:
                    self.put(writer, target)
                    code = 0
                except ArtifactConflictError as error:
                    code = 2
                    if error.retryable:
                        time.sleep(0.02 * (attempt + 1))
                        continue
                break
            ended = time.monotonic()
        except BaseException:  # noqa: BLE001  # told as exit code 1
            traceback.print_exc()
        os.write(pipe, json.dumps([code, began, ended]).encode())
        return code


@dataclass
class Looked:
    """What lies at a target."""

    document: dict[str, Any]
    there: dict[str, str]
    others: list[str]
    problems: list[str] = field(default_factory=list)


@dataclass
class End:
    """How a racer ended: 0 published, 1 an error, 2 refused; and when it was at it."""

    code: int
    began: float
    ended: float


def all_races(folder: Path, base: str, *, seed: int, times: int) -> Outcome:
    """Run races of all kinds on one store."""
    campaign = PublishingCampaign(folder, base, seed=seed)
    for kind in KINDS:
        for shape in SHAPES:
            campaign.races(kind, shape, times=times, pauses=kind == "a run and its zombie")
    return campaign.outcome
