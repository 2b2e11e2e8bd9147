"""Models, challengers that end their process, and counts of what came of them."""

from __future__ import annotations

from dataclasses import replace

ROWS = 2_000

PART = 250

CRASHES = """
import os, signal, time
import numpy as np

class Crashes:
    '''Predicts a; one value of it kills the process, and another hangs it.'''

    feature_names_in_ = np.array(["a", "b"], dtype=object)
    n_features_in_ = 2

    def __init__(self, everywhere=False):
        self.everywhere = everywhere

    def __setstate__(self, state):
        self.__dict__ |= state
        if os.environ.get("CRASH_WHILE_LOADING"):
            os.kill(os.getpid(), signal.SIGSEGV)

    def predict(self, frame):
        a = np.asarray(frame)[:, 0]
        if self.everywhere or (a == -1).any():
            os.kill(os.getpid(), signal.SIGSEGV)
        if (a == -2).any():
            time.sleep(3600)
        return a
"""

KINDS = ["steps", "challengers", "split"]


def digests(record):
    return [part.sha256 for part in record.parts]


def counts(record):
    return [(each.role, each.name, each.step, each.rows, each.rows_failed, each.error) for each in record.models]


def results(bench, record):
    """What came of each challenger, without its times."""
    found = bench.storage.read_record(record.challengers_uri)
    return {each.name: replace(each, seconds=0.0) for each in found.challengers}
