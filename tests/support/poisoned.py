"""A model file of a class that crashes, hangs or raises on some rows, and jobs that score with it, in any process."""

from __future__ import annotations

import hashlib
import importlib
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import joblib
from bench import Bench

from airflow_batch_inference.engines.local import Resources
from airflow_batch_inference.jobs import plan
from airflow_batch_inference.models.describe import ModelRequest
from airflow_batch_inference.models.trust import TrustRequest
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.workflows.register_model import register_model
from airflow_batch_inference.workflows.score import score_dataset

if TYPE_CHECKING:
    from pathlib import Path

MODULE = "poisoned_by_rows"
SOURCE = """
import os, signal, threading, time
import numpy as np

class Poisoned:
    '''Adds two columns; some values of a crash the process, hang it, or raise.'''

    feature_names_in_ = np.array(["a", "b"], dtype=object)
    n_features_in_ = 2
    pause_s = 0.0

    def __setstate__(self, state):
        self.__dict__.update(state)
        if "POISONED_KILLS" in os.environ:
            os.kill(os.getpid(), signal.SIGSEGV)

    def predict(self, frame):
        a = np.asarray(frame)[:, 0]
        if (a == -1).any():
            os.kill(os.getpid(), signal.SIGSEGV)
        if (a == -2).any():
            time.sleep(3600)  # without Python's lock, as native code that never returns
        if (a == -3).any():
            raise ValueError("no such leaf")
        time.sleep(self.pause_s)
        return a + 2 * np.asarray(frame)[:, 1]
"""


def make_model(folder: Path, *, pause_s: float = 0.0) -> Path:
    """Write the class and a pickle of it; whoever loads that needs ``folder`` on its path."""
    (folder / f"{MODULE}.py").write_text(SOURCE)
    sys.path.insert(0, str(folder))
    sys.modules.pop(MODULE, None)
    model = importlib.import_module(MODULE).Poisoned()
    model.pause_s = pause_s
    joblib.dump(model, folder / "m.joblib")
    return folder / "m.joblib"


def score_by(folder: Path, model: Path, source: object, *, part_rows: int = 500, stopped=lambda: False, **options):
    """Score with a pinned model into ``folder``, and return the record; ``options`` are of Resources and requests."""
    plan._PART_ROWS = part_rows
    bench = Bench(folder)
    trust = TrustRequest(sha256=hashlib.sha256(model.read_bytes()).hexdigest())
    _, record = register_model(
        ModelRequest(model_uri=str(model), trust=trust),
        root=str(bench.root), sample_set=None, storage=bench.storage, model_storage=bench.storage,
    )  # fmt: skip
    known = {name: options.pop(name) for name in ("means", "max_workers", "isolate", "timeout_s") if name in options}
    request = replace(bench.request(source, models=single_model(record, storage=bench.storage)), **options)
    return score_dataset(request, storage=bench.storage, stopped=stopped, resources=Resources(**known))[1]
