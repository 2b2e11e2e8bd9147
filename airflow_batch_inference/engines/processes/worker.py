"""A worker process: loads the model once, then scores the parts that it is sent, until its parent closes the pipe.

Invariants: it dies with its parent, and it never commits. A request, a dataset and a job come as texts
(:mod:`~airflow_batch_inference.jobs.encoding`) with what is handed over beside them. Messages to it: ``("prepare",
dataset, objects, passed_over)``, ``("job", job, objects)``, ``("part", plan, allowed, failing, excluded)``. Messages
from it: ``("ready",)``, ``("prepared", job, objects)``, ``("rows", start, stop)`` (while it prepares: samples),
``("challenger", name)``, ``("done", receipt)``, ``("error", exception)``.
"""

from __future__ import annotations

import gc
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.jobs.encoding import Decoder, Encoder, Handover
from airflow_batch_inference.processes.child import for_transport, pipe_to_parent, received_first
from airflow_batch_inference.processes.surroundings import connect, lent

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.jobs.part import PartScorer
    from airflow_batch_inference.jobs.prepare import PreparedJob
    from airflow_batch_inference.jobs.request import ScoringRequest
    from airflow_batch_inference.storage.store import Storage


def main(arguments: Sequence[str]) -> int:
    """Run a worker; ``arguments`` are the pipe's file descriptor and the parent's process id."""
    pipe = pipe_to_parent(arguments)
    if pipe is None:
        return 1
    try:
        borrowed, (text, objects, environment) = received_first(pipe)
        handed = Handover()
        handed.take(objects)
        with lent(borrowed):
            request, storage, read = Decoder(handed.objects).decode(text, where="the pipe")
            connect(storage, read, *request.models.storages())
        _serve(pipe, replace(request, environment=environment), storage, handed)
    except (EOFError, BrokenPipeError, ConnectionResetError):
        pass  # the parent is done, or gone
    except BaseException as error:  # noqa: BLE001  # told to the parent, which raises it
        pipe.send(("error", for_transport(error)))
    return 0


def _serve(pipe: Any, request: ScoringRequest, storage: Storage, handed: Handover) -> None:  # noqa: ANN401  # a Connection
    from airflow_batch_inference.jobs.part import PartScorer
    from airflow_batch_inference.jobs.prepare import prepare
    from airflow_batch_inference.processes.threads import limited_blas

    gc.disable()  # what is imported and loaded stays
    models = request.models.load(storage, request.accelerate, lambda name: pipe.send(("challenger", name)))
    gc.freeze()
    gc.enable()
    pipe.send(("ready",))
    scorers: list[PartScorer] = []

    def on_progress(start: int, stop: int) -> None:
        pipe.send(("rows", start, stop))

    def on_sample(number: int) -> None:
        on_progress(number, number + 1)

    def take(job: PreparedJob) -> None:
        scorers.append(PartScorer(job=job, request=request, models=models, storage=storage, on_progress=on_progress))

    with limited_blas():
        while True:
            command, *values = pipe.recv()
            if command in ("prepare", "job"):
                handed.take(values[1])
                given = Decoder(handed.objects).decode(values[0], where="the pipe")
                if command == "job":
                    take(given)
                else:
                    job = prepare(request, given, models, passed_over=values[2], on_sample=on_sample)
                    take(job)
                    known = {*handed.objects}
                    told = Encoder(handed, hands_over="all").encode(job)
                    made = {token: each for token, each in handed.objects.items() if token not in known}
                    pipe.send(("prepared", told, made))
            else:
                plan, allowed, failing, excluded = values
                receipt = scorers[-1].score(plan, allowed=allowed, failing=failing, excluded=excluded)
                pipe.send(("done", receipt))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
