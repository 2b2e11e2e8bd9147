"""An engine of somebody else's: a pool of the standard library's processes."""

from __future__ import annotations

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, as_completed

from airflow_batch_inference.engines.base import EngineCapabilities
from airflow_batch_inference.jobs.open_job import score_part


class PoolEngine:
    capabilities = EngineCapabilities(isolates_crashes=True)
    futures = ()

    def run(self, job_uri, indices, limits):
        with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as pool:
            self.futures = [pool.submit(score_part, job_uri, index, allowed=limits.allowed()) for index in indices]
            for future in as_completed(self.futures):
                limits.raise_if_stopped()
                yield future.result()

    def stop(self):
        for future in self.futures:
            future.cancel()
