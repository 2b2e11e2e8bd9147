"""Scripts of the shapes that users have run unmodified; and the same output where a worker is killed in the middle."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import struct
import threading
import zlib
from pathlib import Path

import pandas as pd
import psutil
import pytest

GLOBALS = """
import json
import os

def init():
    global weights
    path = os.path.join(os.environ["AZUREML_MODEL_DIR"], "weights.json")
    with open(path) as file:
        weights = json.load(file)

def run(mini_batch):
    results = []
    for path in mini_batch:
        with open(path) as file:
            values = [float(value) for value in file.read().split()]
        results.append(sum(w * v for w, v in zip(weights, values)))
    return results
"""

MODEL_FOLDER = """
import glob
import os
import pickle
import numpy as np
import pandas as pd

def init():
    global model
    path = os.path.join(os.environ["AZUREML_MODEL_DIR"], "model")
    # the model may be a folder or lie beside it
    files = glob.glob(path + "/*.pkl") or glob.glob(os.environ["AZUREML_MODEL_DIR"] + "/*.pkl")
    with open(files[0], "rb") as file:
        model = pickle.load(file)

def run(mini_batch):
    data = pd.concat(pd.read_csv(path) for path in mini_batch)
    return np.asarray(data[["a", "b"]]) @ model["coefficients"] + model["intercept"]
"""

IMAGES = '''
import os
import struct
import zlib
import numpy as np
import pandas as pd

def init():
    """Nothing to load: the brightness is the prediction."""

def read_png(path):
    with open(path, "rb") as file:
        data = file.read()
    assert data[:8] == b"\\x89PNG\\r\\n\\x1a\\n", "no PNG"
    width, height = struct.unpack(">II", data[16:24])
    start = data.index(b"IDAT") + 4
    length = struct.unpack(">I", data[start - 8:start - 4])[0]
    rows = zlib.decompress(data[start:start + length])
    return np.frombuffer(rows, np.uint8).reshape(height, width + 1)[:, 1:]

def run(mini_batch):
    result = []
    for image in mini_batch:
        pixels = read_png(image)
        result.append([os.path.basename(image), pixels.mean() / 255, "light" if pixels.mean() > 127 else "dark"])
    return pd.DataFrame(result, columns=["file", "probability", "class"])
'''

CONCAT = """
import logging
import os
from pathlib import Path
from typing import List

import pandas as pd
import helper

def init():
    global scale
    scale = helper.SCALE
    logging.getLogger("score").info("ready")

def run(mini_batch: List[str]) -> pd.DataFrame:
    print(f"run method start: {__file__}, run({len(mini_batch)} files)")
    frames = []
    for file in mini_batch:
        frame = pd.read_csv(file)
        frame["file"] = Path(file).name
        frame["prediction"] = frame["a"] * scale + frame["b"]
        frames.append(frame)
    return pd.concat(frames)
"""

PARQUET = """
import os
import pandas as pd

def init():
    global output_path
    output_path = os.environ["AZUREML_BI_OUTPUT_PATH"]

def run(mini_batch):
    for file_path in mini_batch:
        data = pd.read_csv(file_path)
        data["prediction"] = data["a"] + 2 * data["b"]
        output_file_name = os.path.basename(file_path).replace(".csv", "")
        data.to_parquet(os.path.join(output_path, output_file_name + ".parquet"))
    return mini_batch
"""


def png(brightness, size=32):
    """Return a grey picture."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", size, size, 8, 0, 0, 0, 0)
    rows = b"".join(b"\0" + bytes([brightness] * size) for _ in range(size))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


@pytest.fixture
def case(bench, request):
    """Return the arguments of a run, by the shape's name."""
    bench.input.mkdir()
    model = bench.folder / "v1"
    model.mkdir()
    name = request.param
    if name == "globals":
        for i in range(24):
            (bench.input / f"{i:02d}.txt").write_text(f"{i} {i + 1} {i * i}")
        (model / "weights.json").write_text(json.dumps([0.5, -1.25, 2.0]))
        return {"script": bench.script(GLOBALS, with_notes=False), "model": str(model / "weights.json")}
    if name == "images":
        for i in range(24):
            (bench.input / f"{i:02d}.png").write_bytes(png(i * 10))
        return {"script": bench.script(IMAGES, with_notes=False)}
    for i in range(24):
        pd.DataFrame({"a": [i, i / 7], "b": [1.5, i]}).to_csv(bench.input / f"{i:02d}.csv", index=False)
    if name == "concat":
        bench.script("SCALE = 3\n", name="helper.py", with_notes=False)
        return {"script": bench.script(CONCAT, with_notes=False), "code": str(bench.folder / "code")}
    if name == "parquet":
        return {"script": bench.script(PARQUET, with_notes=False), "output_action": "summary_only"}
    import pickle

    folder = model / "model" if name == "a folder named model" else model
    folder.mkdir(exist_ok=True)
    (folder / "model.pkl").write_bytes(pickle.dumps({"coefficients": [2.0, -1.0], "intercept": 0.5}))
    given = {"a folder named model": folder, "a folder of a version": model, "a file": model / "model.pkl"}[name]
    return {"script": bench.script(MODEL_FOLDER, with_notes=False), "model": str(given)}


def outputs(record):
    return {part.name: Path(part.uri.removeprefix("file://")).read_bytes() for part in record.parts}


@contextlib.contextmanager
def killing_a_worker(bench):
    """Kill one worker process as soon as a mini-batch is done; yields the list of those that were killed."""
    killed, done = [], threading.Event()

    def kill():
        while not done.wait(0.001):
            if not killed and bench.receipts():
                for child in psutil.Process().children():
                    with contextlib.suppress(psutil.Error):
                        if "airflow_batch_inference.scripts.processes.worker" in child.cmdline():
                            os.kill(child.pid, signal.SIGKILL)
                            killed.append(child.pid)
                            break

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        yield killed
    finally:
        done.set()
        killer.join()


SHAPES = ["globals", "a folder named model", "a folder of a version", "a file", "images", "concat", "parquet"]


@pytest.mark.parametrize("case", SHAPES, indirect=True)
def test_9_a_script_runs_unmodified_and_a_killed_worker_changes_nothing(bench, case):
    arguments = {**case, "mini_batch_size": 1, "max_concurrency_per_instance": 2}
    script = arguments.pop("script")
    _, quiet = bench.run(script, **arguments)
    expected = outputs(quiet)
    bench.forget()
    with killing_a_worker(bench) as killed:
        _, disturbed = bench.run(script, **arguments)
    assert killed
    assert outputs(disturbed) == expected
    assert disturbed.items == quiet.items
    assert quiet.items.files_failed == 0


@pytest.mark.parametrize("case", ["globals"], indirect=True)
def test_globals_of_init_are_there_in_run(bench, case):
    _, record = bench.run(case.pop("script"), **case)
    values = outputs(record)["predictions.csv"].decode().split()[1:]
    assert [float(value) for value in values] == [0.5 * i - 1.25 * (i + 1) + 2.0 * i * i for i in range(24)]


@pytest.mark.parametrize("case", ["images"], indirect=True)
def test_pictures_are_given_by_their_path(bench, case):
    _, record = bench.run(case.pop("script"), **case)
    lines = outputs(record)["predictions.csv"].decode().splitlines()
    assert lines[0] == "file,probability,class"
    assert lines[1] == "00.png,0.0,dark"
    assert lines[24].startswith("23.png,0.90196")


@pytest.mark.parametrize("case", ["concat"], indirect=True)
def test_what_a_script_prints_and_logs_goes_to_the_output_of_the_task(bench, case, capfd):
    script = case.pop("script")
    bench.run(script, **case)
    out = capfd.readouterr().out
    assert f"run method start: {script}, run(10 files)" in out
    assert "INFO score: ready" in out
    bench.forget()
    bench.run(script, logging_level="warning", **case)
    assert "ready" not in capfd.readouterr().out


@pytest.mark.parametrize("case", ["parquet"], indirect=True)
def test_parquet_files_in_the_output_path_are_the_prediction_set(bench, case):
    _, record = bench.run(case.pop("script"), **case)
    assert [part.name for part in record.parts] == [f"{i:02d}.parquet" for i in range(24)]
    frame = pd.read_parquet(record.parts[3].uri)
    assert frame["prediction"].tolist() == [3 + 3.0, 3 / 7 + 6]
