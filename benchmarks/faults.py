"""The fault campaign, long form: 1,000 kills on a local folder, 300 on S3, races, stops, full disks, damaged inputs.

Publications too: killed at every step, to stores that fail, by several writers at once.
And 600 runs over inputs that are rewritten: on a local folder, on S3, and in two stores without versions.

Usage::

    python benchmarks/faults.py                 # about three quarters of an hour
    python benchmarks/faults.py --scale 0.1     # a tenth of it
    python benchmarks/faults.py --seed 7        # the same again
    python benchmarks/faults.py --only publishing
"""

from __future__ import annotations

import argparse
import json
import logging
import os
import random
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import TypeAlias

import fsspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "support"))
import mutated_boosters
from campaign import Campaign, describe, on_full_disk
from campaign_runs import Result
from faulty_stores import FaultyFileSystem, FaultyS3
from publishing_campaign import SHAPES, Outcome, PublishingCampaign, all_races
from rewrites import Result as RewriteResult
from rewrites import Rewrites

from airflow_batch_inference.ledger import retries

Found: TypeAlias = Result | Outcome | RewriteResult


def local(folder: Path, seed: int, scale: float) -> dict[str, Found]:
    """Run what needs a local folder only."""

    def campaign(name: str) -> Campaign:
        (folder / name).mkdir()
        return Campaign(folder / name, f"file://{folder / name}/root", seed=seed)

    several: dict[str, Found] = {}
    for means in ("threads", "processes"):
        for what in ("kills", "SIGTERM", "crashes"):
            (folder / f"{what}-{means}").mkdir()
            one = Campaign(folder / f"{what}-{means}", f"file://{folder}/{what}-{means}/root", seed=seed, means=means)
            number = max(1, int({"threads": 200, "processes": 40}[means] * scale))
            run = {"kills": one.kills, "SIGTERM": one.stops}.get(what)
            several[f"{what}, by {means}"] = run(at_least=number) if run else one.crashes(max(1, number // 5))
    results: dict[str, Found] = several | {
        "kills, local": campaign("kills").kills(at_least=int(1000 * scale)),
        "three writers, one job": campaign("same").races(int(500 * scale), same_job=True),
        "three writers, three jobs": campaign("other").races(int(500 * scale), same_job=False),
        "SIGTERM, local": campaign("stops").stops(at_least=int(200 * scale)),
        "damaged inputs": campaign("damaged").damaged_inputs(int(20_000 * scale)),
    }
    for place in (f"{folder}/rewritten", "memory://rewritten", "untold://rewritten"):
        name = f"rewritten inputs, {'local' if place.startswith('/') else place.partition(':')[0]}"
        results[name] = Rewrites(place, folder / name, seed=seed).campaign(runs=int(150 * scale))
    for forever in (False, True):
        for applied in (False, True):
            for passes in (False, True):
                name = (
                    f"operation fails {'for good' if forever else 'once'}, {'after' if applied else 'before'}, {passes}"
                )
                (folder / name).mkdir()
                faulty = Campaign(folder / name, "faulty://root", seed=seed)
                results[name] = faulty.failing_operations(
                    FaultyFileSystem(), forever=forever, applied=applied, passes=passes
                )
    return results


def publishing(folder: Path, seed: int, scale: float) -> dict[str, Outcome]:
    """Disturb publications to local folders and files, and to a store in memory."""

    def campaign(name: str, base: str | None = None) -> PublishingCampaign:
        (folder / name).mkdir()
        return PublishingCampaign(folder / name, base or f"file://{folder / name}/public", seed=seed)

    dies, random_kills, fails = campaign("dies"), campaign("kills"), campaign("fails", "faulty://public")
    for shape in SHAPES:
        random_kills.killed_at_random(shape, times=int(100 * scale) or 1)
        for is_new in (True, False):
            dies.killed_at_every_step(shape, is_new=is_new)
            for forever in (True, False):
                for how in ("before", "after", "torn"):
                    fails.failing_operations(shape, how=how, forever=forever, is_new=is_new)
    (folder / "races").mkdir()
    races = all_races(folder / "races", f"file://{folder}/races/public", seed=seed, times=int(50 * scale) or 1)
    return {
        "publishing, killed at every step": dies.outcome,
        "publishing, killed at random": random_kills.outcome,
        "publishing, operations fail": fails.outcome,
        "publishing, races": races,
    }


def publishing_on_s3(folder: Path, base: str, seed: int, scale: float) -> dict[str, Outcome]:
    """Disturb publications to a store."""
    for name in ("dies", "races"):
        (folder / name).mkdir(parents=True)
    dies = PublishingCampaign(folder / "dies", f"{base}/dies", seed=seed)
    for shape in SHAPES:
        for is_new in (True, False):
            dies.killed_at_every_step(shape, is_new=is_new, s3=True, first=38)
    races = all_races(folder / "races", f"{base}/races", seed=seed, times=int(20 * scale) or 1)
    return {"publishing, killed at every call, S3": dies.outcome, "publishing, races, S3": races}


def on_s3(folder: Path, seed: int, scale: float, *, only_publishing: bool) -> dict[str, Found]:
    """Disturb runs, and publications, on an S3-compatible server on loopback."""
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {
        "AWS_ENDPOINT_URL": f"http://{host}:{port}",
        "AWS_ACCESS_KEY_ID": "test",
        "AWS_SECRET_ACCESS_KEY": "test",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    try:
        fsspec.filesystem("s3").mkdir("campaign")
        published = publishing_on_s3(folder / "publishing", "s3://campaign/publishing", seed, scale)
        if only_publishing:
            return dict(published)

        def campaign(name: str) -> Campaign:
            return Campaign(folder, f"s3://campaign/{name}", seed=seed)

        results: dict[str, Found] = {
            **published,
            "kills, S3": campaign("kills").kills(at_least=int(300 * scale)),
            "three writers, one job, S3": campaign("same").races(int(60 * scale), same_job=True),
            "three writers, three jobs, S3": campaign("other").races(int(60 * scale), same_job=False),
            "SIGTERM, S3": campaign("stops").stops(at_least=int(30 * scale)),
        }
        results["rewritten inputs, S3"] = Rewrites("s3://campaign/rewritten", folder / "rewritten", seed=seed).campaign(
            runs=int(150 * scale)
        )
        with FaultyS3().installed() as faulty:
            for applied in (False, True):
                name = f"operation fails once, {'after' if applied else 'before'}, S3"
                results[name] = campaign(f"faults-{applied}").failing_operations(
                    faulty, forever=False, applied=applied, passes=True
                )
        return results
    finally:
        server.stop()


def full_disk(folder: Path, seed: int, scale: float) -> Result | None:
    """Fill a small disk; None where none can be mounted."""
    small = folder / "small"
    small.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=400k", "tmpfs", small], check=False).returncode:
        return None
    try:
        return on_full_disk(folder, small, seed=seed, times=int(60 * scale) or 1)
    finally:
        subprocess.run(["umount", small], check=True)


def damaged_boosters(seed: int, scale: float) -> Result:
    """Load mutated boosters that the checks let through, over two fillings of freed memory."""
    one, other = mutated_boosters.twice(seed, int(500 * scale) or 1)
    deadly = [f"{name} of seed {seed} killed its process" for name, answer in one.items() if answer is None]
    foreign = [f"{name} of seed {seed} answered from other memory" for name in one if one[name] != other.get(name)]
    return Result(seed=seed, runs=len(one), violations=deadly + foreign)


def main() -> None:
    """Run all campaigns and print a line of JSON for each; exit with 1 where one found a violation."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(10**6))
    parser.add_argument("--scale", type=float, default=1.0)
    parser.add_argument("--only", choices=["publishing"], help="one part of it")
    arguments = parser.parse_args()
    retries.FIRST_DELAY_S = 0.0005
    logging.disable(logging.WARNING)  # what the product says of each fault
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        only_publishing = arguments.only == "publishing"
        for more in ("s3", "disk", "publishing"):
            (folder / more).mkdir()
        results: dict[str, Found] = dict(publishing(folder / "publishing", arguments.seed, arguments.scale))
        results |= on_s3(folder / "s3", arguments.seed, arguments.scale, only_publishing=only_publishing)
        disk = None
        if not only_publishing:
            results |= local(folder, arguments.seed, arguments.scale)
            results["mutated boosters"] = damaged_boosters(arguments.seed, arguments.scale)
            disk = full_disk(folder / "disk", arguments.seed, arguments.scale)
        if disk is None and not only_publishing:
            print("full disk: skipped, no right to mount a small disk here")
        elif disk is not None:
            results["full disk"] = disk
    for what, result in results.items():
        print(f"{what}: {describe(result)}")
    print(json.dumps({"violations": sum(len(result.violations) for result in results.values())}))
    sys.exit(any(result.violations for result in results.values()))


if __name__ == "__main__":
    main()
