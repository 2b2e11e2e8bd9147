"""The campaign: every hostile model file is refused, runs nothing, reads nothing, and costs little.

Each is written here and then loaded, as a task would, by one fresh process: so what its trial children use, and
whether the loading process survives, can be told apart from all else that the suite does.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
from pathlib import Path

import hostile_boosters
import hostile_folders
import hostile_networks
import hostile_pickles
import hostile_skops
import pytest
from hostile import SECRET, VARIABLE, Trap

HOSTILE = [
    each
    for module in (hostile_pickles, hostile_skops, hostile_networks, hostile_folders, hostile_boosters)
    for each in module.HOSTILE
]
pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # one process loads them all, before the first test

MOST_SECONDS = 10.0
"""Of processor time, of the process that loads and its trials: what else the machine does is not the file's doing."""
LONGEST_WAIT_S = 120.0
MOST_MIB = 1024
REMEDY = re.compile(r"\b(save|give|export|load|pin|pass|write|copy|choose|leave|fit|name|pip install) ", re.IGNORECASE)

CAMPAIGN = """
import json, os, resource, sys, time
from airflow_batch_inference.exceptions import BatchInferenceError
from airflow_batch_inference.models.loading import load_model
from airflow_batch_inference.storage.store import Storage
for name, path, options in json.load(sys.stdin):
    start, spent = time.monotonic(), sum(os.times()[:4])
    try:
        load_model(path, storage=Storage(), options=options)
        said = [None, "it was loaded"]
    except BatchInferenceError as error:
        said = [type(error).__name__, str(error)]
    except BaseException as error:
        said = [None, repr(error)]
    seconds = [sum(os.times()[:4]) - spent, time.monotonic() - start]
    # A process starts with the peak of the one that it was forked from, but not with its memory.
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    peaks = [int(status["VmHWM"].split()[0]) >> 10, resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss >> 10]
    print(json.dumps([name, *said, *seconds, *peaks, os.environ.get("HOSTILE_CODE_RAN")]), flush=True)
"""


@pytest.fixture(scope="module")
def traps(tmp_path_factory):
    folder = tmp_path_factory.mktemp("hostile")
    made = {}
    for number, each in enumerate(HOSTILE):
        place = folder / str(number)
        (place / "model").mkdir(parents=True)
        trap = Trap(place / "trace", place / "secret.bin")
        trap.secret.write_text(SECRET * 64)
        made[each.name] = trap, each.make(place / "model", trap)
    return made


@pytest.fixture(scope="module")
def campaign(traps):
    """Load all of them; what was said of each, with seconds and MiB."""
    asked = [[each.name, str(traps[each.name][1]), each.options] for each in HOSTILE]
    environment = {"PYTHONPATH": ":".join(entry or str(Path.cwd()) for entry in sys.path), "SECRET": SECRET}
    command = [sys.executable, "-c", CAMPAIGN]
    done = subprocess.run(
        command, input=json.dumps(asked), capture_output=True, text=True, check=False, env=environment, timeout=840
    )
    lines = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("[")]
    slowest = max(lines, key=lambda line: line[3])
    print(
        f"{len(lines)} hostile model files: at most {slowest[3]:.1f} s ({slowest[0]}), {lines[-1][5]} MiB in the "
        f"process that loads, {lines[-1][6]} MiB in a trial"
    )
    assert done.returncode == 0, f"exit {done.returncode} after {lines[-1:]}: {done.stderr[-2000:]}"
    assert SECRET not in done.stdout + done.stderr
    return {line[0]: line[1:] for line in lines}


def test_the_campaign_has_enough_of_them():
    assert len({each.name for each in HOSTILE}) == len(HOSTILE) >= 40


@pytest.mark.parametrize("each", HOSTILE, ids=lambda each: each.name)
def test_a_hostile_file_is_refused_and_neither_runs_nor_reads_nor_exhausts_anything(traps, campaign, each):
    trap, path = traps[each.name]
    error, message, seconds, waited, *peaks, variable = campaign[each.name]
    assert error is not None, message
    assert re.search(each.said, message, re.DOTALL), message
    assert path.name in message
    assert REMEDY.search(message), f"it does not say what to do: {message}"
    assert SECRET not in message
    assert (trap.trace.exists(), variable) == (False, None), f"{VARIABLE} or a folder tells that code ran"
    assert seconds <= MOST_SECONDS
    assert waited <= LONGEST_WAIT_S
    assert max(peaks) <= MOST_MIB


@pytest.mark.parametrize(
    "each", [hostile_pickles.HOSTILE[2], *hostile_pickles.HOSTILE[6:8]], ids=lambda each: each.name
)
def test_the_trap_is_sprung_where_a_pickle_is_loaded(tmp_path, monkeypatch, each):
    import joblib

    trap = Trap(tmp_path / "trace", tmp_path / "secret.bin")
    monkeypatch.setenv(VARIABLE, "no")
    joblib.load(each.make(tmp_path, trap))
    assert trap.trace.exists(), "a trap that is never sprung proves nothing"
