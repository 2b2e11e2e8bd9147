"""The fault campaign, long form: 1,000 kills on a local folder, 300 on S3, races, stops, full disks, damaged inputs.

Usage::

    python benchmarks/faults.py                 # about three quarters of an hour
    python benchmarks/faults.py --scale 0.1     # a tenth of it
    python benchmarks/faults.py --seed 7        # the same again
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

import fsspec

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "flavors"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests" / "scoring"))
import mutated_boosters
from campaign import Campaign, FaultyFileSystem, FaultyS3, Result, describe, on_full_disk

from airflow_batch_inference.scoring import retries


def local(folder: Path, seed: int, scale: float) -> dict[str, Result]:
    """Run what needs a local folder only."""

    def campaign(name: str) -> Campaign:
        (folder / name).mkdir()
        return Campaign(folder / name, f"file://{folder / name}/root", seed=seed)

    results = {
        "kills, local": campaign("kills").kills(at_least=int(1000 * scale)),
        "three writers, one job": campaign("same").races(int(500 * scale), same_job=True),
        "three writers, three jobs": campaign("other").races(int(500 * scale), same_job=False),
        "SIGTERM, local": campaign("stops").stops(at_least=int(200 * scale)),
        "damaged inputs": campaign("damaged").damaged_inputs(int(20_000 * scale)),
    }
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


def on_s3(folder: Path, seed: int, scale: float) -> dict[str, Result]:
    """Disturb runs whose artifact store is an S3-compatible server on loopback."""
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

        def campaign(name: str) -> Campaign:
            return Campaign(folder, f"s3://campaign/{name}", seed=seed)

        results = {
            "kills, S3": campaign("kills").kills(at_least=int(300 * scale)),
            "three writers, one job, S3": campaign("same").races(int(60 * scale), same_job=True),
            "three writers, three jobs, S3": campaign("other").races(int(60 * scale), same_job=False),
            "SIGTERM, S3": campaign("stops").stops(at_least=int(30 * scale)),
        }
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
    arguments = parser.parse_args()
    retries.FIRST_DELAY_S = 0.0005
    logging.disable(logging.WARNING)  # what the product says of each fault
    with tempfile.TemporaryDirectory(prefix="faults-") as name:
        folder = Path(name)
        results = local(folder, arguments.seed, arguments.scale)
        for more in ("s3", "disk"):
            (folder / more).mkdir()
        results |= on_s3(folder / "s3", arguments.seed, arguments.scale)
        results["mutated boosters"] = damaged_boosters(arguments.seed, arguments.scale)
        disk = full_disk(folder / "disk", arguments.seed, arguments.scale)
        if disk is None:
            print("full disk: skipped, no right to mount a small disk here")
        else:
            results["full disk"] = disk
    for what, result in results.items():
        print(f"{what}: {describe(result)}")
    print(json.dumps({"violations": sum(len(result.violations) for result in results.values())}))
    sys.exit(any(result.violations for result in results.values()))


if __name__ == "__main__":
    main()
