"""What a job of very many parts costs beside its rows: seconds, CPU seconds and memory of each step, and their growth.

    python benchmarks/scale.py                                # 1e4 and 1e5 parts on disk
    python benchmarks/scale.py --parts 1000000
    python benchmarks/scale.py --store s3                     # on a loopback S3 (needs moto)
    python benchmarks/scale.py --files 10000 100000           # footers of real, tiny Parquet files

Files, footers and parts are made up: one file of 20 columns and 1,000 rows is a part, and the receipts say that it was
scored. All else is the package's own: the plan, the job's description, receipts listed, read and added up, the commit.
What is only made ready (the parts themselves, and nine tenths of the receipts) is written without fsync, or laid into
the S3 server without a request.
Each number of parts is a process of its own; "growth" is the ratio to the number before, and 10 is linear.
"""

from __future__ import annotations

import argparse
import json
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import lightgbm
import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import scale_store

from airflow_batch_inference.drift.baseline import make_baseline
from airflow_batch_inference.drift.profile import Profiler
from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.engines.processes.queue import PartQueue
from airflow_batch_inference.formats.units import FileInfo, Unit
from airflow_batch_inference.jobs.details import encode_details
from airflow_batch_inference.jobs.leftovers import sweep_job
from airflow_batch_inference.jobs.plan import plan_parts, versions_digest
from airflow_batch_inference.jobs.request import Destination, ScoringOptions, ScoringRequest
from airflow_batch_inference.jobs.resume import finished_parts
from airflow_batch_inference.jobs.spec import put_spec, read_spec
from airflow_batch_inference.jobs.totals import add_up, put_sum, sum_uri
from airflow_batch_inference.ledger.accounting import as_text, row_hash
from airflow_batch_inference.ledger.bundles import PARTS, Bundler
from airflow_batch_inference.ledger.receipts import put_receipt, receipt_uri, work_folder
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.records import DataFile, Part, PartDetails, Receipt, TaskKey
from airflow_batch_inference.sources.files import FileSource
from airflow_batch_inference.sources.listing import ListedFile
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.digests import sha256_of, sha256_of_bytes
from airflow_batch_inference.storage.store import Storage
from airflow_batch_inference.workflows.commit_job import commit_receipts
from airflow_batch_inference.workflows.plan_job import OpenedRequest
from airflow_batch_inference.workflows.register_model import register_model

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_batch_inference.jobs.spec import JobSpec

COLUMNS, ROWS = 20, 1_000
PUT = 10_000
"""At most so many receipts, a tenth of all, are put as a worker puts them, with fsync or a request each."""
MOST_PROFILES = 100_000
THREADS = 16
Fill: TypeAlias = "Callable[[Iterable[tuple[str, bytes]]], None]"


@dataclass
class Clock:
    """Times steps, one after the other."""

    steps: dict[str, tuple[float, float, float]] = field(default_factory=dict)

    def __call__(self, name: str, work: Callable[[], Any]) -> Any:  # noqa: ANN401  # whatever the step gives
        """Run a step, and note its seconds, its CPU seconds and the most memory (MB) during it."""
        Path("/proc/self/clear_refs").write_text("5")
        wall, cpu = time.monotonic(), _cpu()
        result = work()
        self.steps[name] = (time.monotonic() - wall, _cpu() - cpu, _peak())
        print(f"  {name}: {self.steps[name][0]:.1f} s", file=sys.stderr, flush=True)
        return result


def _cpu() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def _peak() -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("VmHWM"))


def small_job(folder: Path, root: str) -> JobSpec:
    """Plan a job of one small file and a small model, as any job is."""
    values = np.random.default_rng(0).random((ROWS, COLUMNS))
    names = [f"f{place:02}" for place in range(COLUMNS)]
    pq.write_table(pa.table(dict(zip(names, values.T, strict=True))), folder / "in.parquet")
    data = lightgbm.Dataset(values, values[:, 0], feature_name=names)
    lightgbm.train({"verbose": -1}, data, 2).save_model(folder / "model.txt")
    model, storage = folder / "model.txt", Storage()
    asked = ModelRequest(model_uri=str(model), trust=TrustRequest(sha256=sha256_of(model)))
    _, record = register_model(asked, root=root, storage=storage, model_storage=storage)
    request = ScoringRequest(
        models=single_model(record, storage=storage),
        dataset=str(folder / "in.parquet"),
        options=ScoringOptions(),
        destination=Destination(
            root=root, task=TaskKey(dag_id="scale", run_id="r", task_id="t"), attempt="1", try_id="1", batch_id="b"
        ),
    )
    opened = OpenedRequest.of(request, storage, None, lambda: False, Resources())
    with opened.session() as session:
        return opened.plan(session).spec


def many(spec: JobSpec, files: tuple[ListedFile, ...], infos: tuple[FileInfo, ...]) -> JobSpec:
    """Plan a job of so many files."""
    dataset = replace(spec.job.dataset, source=FileSource(files, infos, Storage()))
    plans = plan_parts(dataset.units)
    return replace(spec, job=replace(spec.job, dataset=dataset), plans=plans)


def made_up(number: int, schema: pa.Schema) -> tuple[tuple[ListedFile, ...], tuple[FileInfo, ...]]:
    """Return files that are nowhere, and their footers."""
    units = (Unit(0, 1, ROWS, 100 << 20, divisible=True),)  # too large to share a part
    uris = [f"s3://lake/customers/day=2026-11-30/{at // 1000:05}/{at:09}.parquet" for at in range(number)]
    files = [DataFile(uri=uri, size_bytes=20 << 20, version=f'"{at:032x}"') for at, uri in enumerate(uris)]
    return tuple(ListedFile(file=file) for file in files), tuple(FileInfo(schema, units) for _ in files)


def receipts_of(spec: JobSpec, details: Part | None) -> Iterator[Receipt]:
    """Yield the receipts that scoring would give."""
    folder, key = spec.request.destination.folder, spec.job.key
    for plan in spec.plans:
        uri = f"{folder}/data/{key[:16]}/part-{plan.index:05}-1-abcdef01.parquet"
        yield Receipt(
            job_key=key,
            index=plan.index,
            rows_in=ROWS,
            rows_out=ROWS,
            part=Part(uri=uri, rows=ROWS, size_bytes=1, sha256=f"{plan.index:064x}"),
            quarantine=None,
            rejections=(),
            row_hash_out=as_text(row_hash(spec.opened.label_of(plan.ranges[0].split), 0, ROWS)),
            row_hash_rejected=as_text(0),
            seconds={"read": 0.123, "predict": 1.234, "write": 0.321, "profile": 0.012},
            versions_digest=versions_digest(spec.job.dataset, plan),
            rows_digest=f"{plan.index:064x}",
            details=details,
        )


def fill_disk(objects: Iterable[tuple[str, bytes]]) -> None:
    """Let files lie on the disk, without waiting for it."""
    for uri, data in objects:
        path = Path(uri.removeprefix("file://"))
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


def make_ready(spec: JobSpec, receipts: list[Receipt], clock: Clock, fill: Fill) -> None:
    """Let the parts and their receipts lie there, and put bundles as a job does."""
    storage, folder = Storage(), spec.request.destination.folder
    first, others = receipts[: min(PUT, len(receipts) // 10)], receipts[min(PUT, len(receipts) // 10) :]
    fill((each.part.uri, b"x") for each in receipts)
    with ThreadPoolExecutor(THREADS) as pool:
        clock(
            f"receipts put (of {len(first):,})",
            lambda: list(pool.map(lambda r: put_receipt(r, folder, storage), first)),
        )
    fill((receipt_uri(folder, each.job_key, each.index), each.to_json()) for each in others)
    come: dict[int, Receipt] = {}
    bundler = Bundler(folder, spec.job.key, len(receipts), come, storage)

    def bundle() -> None:
        for receipt in receipts:
            come[receipt.index] = receipt
            bundler.add(receipt.index)

    clock("bundles put", bundle)


def profiled(spec: JobSpec) -> tuple[Part, Any]:
    """Put one profile of 20 columns where those of parts lie, and return it with its baseline's columns."""
    table = pa.table({f"f{at:02}": np.random.default_rng(at).normal(size=20_000) for at in range(COLUMNS)})
    baseline = make_baseline(lambda: [table], schema=table.schema)
    profiler = Profiler(baseline.columns)
    profiler.add(table)
    data = encode_details(PartDetails(profile=profiler.profile()))
    uri = f"{work_folder(spec.request.destination.folder, spec.job.key)}/part-00000-1.details"
    Storage().put(uri, data)
    return Part(uri=uri, rows=ROWS, size_bytes=len(data), sha256=sha256_of_bytes(data)), baseline.columns


def require(found: int, wanted: int) -> None:
    """End where a step has not done what it was timed for."""
    if found != wanted:
        sys.exit(f"{found:,} instead of {wanted:,}")


def measure_parts(number: int, root: str, folder: Path, fill: Fill) -> Clock:
    """Time each step of a job of so many parts."""
    clock, storage = Clock(), Storage()
    small = small_job(folder, root)
    files, infos = made_up(number, small.job.dataset.schema)
    spec = clock("plan", lambda: many(small, files, infos))
    require(len(spec.plans), number)
    uri = clock("description put", lambda: put_spec(spec))
    clock("description read", lambda: read_spec(uri, storage))
    receipts = list(receipts_of(spec, None))
    make_ready(spec, receipts, clock, fill)
    del receipts
    print(f"  description: {len(storage.read_bytes(uri)) / 1e6:.1f} MB", file=sys.stderr)
    queue = PartQueue(spec.plans)
    clock("parts taken", lambda: [queue.take(at % 64) for at in range(number)])
    found = clock("receipts listed and read", lambda: finished_parts(spec))
    require(len(found), number)
    if number <= MOST_PROFILES:
        details, columns = profiled(spec)
        with_details = [replace(found[at], details=details) for at in range(number)]
        chunks = [with_details[start : start + PARTS] for start in range(0, number, PARTS)]
        clock(f"the sum of a chunk put ({len(chunks[0])} parts)", lambda: put_sum(chunks[0], storage, columns))
        data = storage.read_bytes(sum_uri(chunks[0]))
        for chunk in chunks[1:]:
            storage.put(sum_uri(chunk), data)
        totals = clock("sums of chunks added up", lambda: add_up(with_details, storage, columns))
        require(totals.profile.rows // 20_000 // len(chunks[0]), len(chunks))
        del with_details, chunks, totals
    none: dict[str, Any] = {"seconds": {}, "fence": lambda: None, "report": lambda record, _: record}
    committed, record = clock("commit", lambda: commit_receipts(spec, found, **none))
    require(record.rows_out, number * ROWS)
    print(f"  commit: {storage.stat(committed).size_bytes:,} bytes", file=sys.stderr)
    del record
    clock("commit read", lambda: storage.read_record(committed))
    clock("sweep", lambda: sweep_job(spec.request.destination.folder, spec.job.key, storage))
    return clock


def measure_files(number: int, folder: Path) -> Clock:
    """Time looking at so many real files of 20 columns and ten rows."""
    pq.write_table(pa.table({f"f{at:02}": np.arange(10.0) for at in range(COLUMNS)}), folder / "one.parquet")
    data = (folder / "one.parquet").read_bytes()
    for at in range(number):
        place = folder / "in" / f"{at // 1000:05}"
        if at % 1000 == 0:
            place.mkdir(parents=True)
        (place / f"{at:09}.parquet").write_bytes(data)
    clock = Clock()
    opened = clock("files listed, footers read", lambda: open_dataset(str(folder / "in"), Storage()))
    clock("plan", lambda: plan_parts(opened.units))
    clock("files looked at again", opened.require_unchanged)
    return clock


def child(arguments: argparse.Namespace) -> None:
    """Measure one number, and print the steps as JSON."""
    folder = Path(tempfile.mkdtemp(prefix="scale-"))
    try:
        if arguments.files:
            clock = measure_files(arguments.files[0], folder)
        elif arguments.store == "s3":
            with scale_store.started() as store:
                clock = measure_parts(arguments.parts[0], f"{store.root}/store", folder, store.fill)
        else:
            clock = measure_parts(arguments.parts[0], f"file://{folder}/store", folder, fill_disk)
        print(json.dumps(clock.steps))
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run(kind: str, number: int, store: str) -> dict[str, tuple[float, float, float]]:
    """Measure one number in a process of its own."""
    print(f"{number:,} {kind}", file=sys.stderr, flush=True)
    command = [sys.executable, __file__, f"--{kind}", str(number), "--store", store, "--child"]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def report(kind: str, found: dict[int, dict[str, tuple[float, float, float]]]) -> None:
    """Print a table: a row a step, and of each number its seconds, CPU seconds, peak memory and growth."""
    numbers = sorted(found)
    heads = [f"{number:.0e} {kind}: s | CPU s | peak MB" for number in numbers]
    growth = [f"growth to {number:.0e}" for number in numbers[1:]]
    print("\n| step | " + " | ".join([*heads, *growth]) + " |")
    print("|---" * (1 + 3 * len(heads) + len(growth)) + "|")
    for step in dict.fromkeys(step for steps in found.values() for step in steps):
        cells = []
        for number in numbers:
            seen = found[number].get(step)
            cells += ["-"] * 3 if seen is None else [f"{seen[0]:.2f}", f"{seen[1]:.2f}", f"{seen[2]:.0f}"]
        for before, after in pairwise(numbers):
            pair = found[before].get(step), found[after].get(step)
            cells.append("-" if None in pair else f"{pair[1][1] / max(pair[0][1], 1e-3):.1f}")
        print(f"| {step} | " + " | ".join(cells) + " |")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--parts", type=int, nargs="*", default=[10_000, 100_000])
    parser.add_argument("--files", type=int, nargs="*", default=[])
    parser.add_argument("--store", choices=["disk", "s3"], default="disk")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.child:
        child(arguments)
        return
    kind, numbers = ("files", arguments.files) if arguments.files else ("parts", arguments.parts)
    report(kind, {number: run(kind, number, arguments.store) for number in numbers})


if __name__ == "__main__":
    main()
