"""The operator that only tries a scoring job out: reported, pushed, and failed where it would fail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_batch_inference.exceptions import ConfigurationError, PreflightFailedError
from airflow_batch_inference.operators.arguments import choice, csv_options, structure
from airflow_batch_inference.operators.base import push
from airflow_batch_inference.operators.groups.publication import targets_behind
from airflow_batch_inference.operators.predict import PredictOperator
from airflow_batch_inference.operators.score_rows import ON_EMPTY
from airflow_batch_inference.wording.logs import Lines

if TYPE_CHECKING:
    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.records import CsvOptions


class PreflightOperator(PredictOperator):
    """Try a scoring job out: load the model, check the dataset, score 100 rows, estimate time, memory and size.

    Nothing is written. Where a :class:`LogArtifactsOperator` takes the output of the operator behind this one, its
    target is checked too. The report goes to the log, its numbers (``rows``, ``parts``, ``workers``, ``low_s``,
    ``high_s``, ``memory_bytes``, ``output_bytes``, …) to XCom; the task returns nothing, and fails where it finds a
    problem. It takes the arguments of the :class:`PredictOperator` in front of which it stands:
    ``PreflightOperator(task_id="preflight", **arguments) >> PredictOperator(task_id="predict", **arguments)``.
    """

    operator_extra_links = ()

    def perform(self, context: Context) -> None:
        """Try the job out, log the report, and push its numbers.

        Raises
        ------
        PreflightFailedError
            It has found problems: all of them are named.
        """
        from airflow_batch_inference.workflows.preflight import preflight

        allowed = "fail" if choice("on_empty", self.on_empty, ON_EMPTY) == "fail" else "succeed"
        found = preflight(
            lambda: self.request(context, allowed),
            dataset=structure(self.dataset),
            storage=self.storage,
            data_storage=self.data_storage(self.conn_id),
            resources=self.engine.resources(),
            csv=self._csv(),
            targets=tuple(target for task in self._tried() for target in targets_behind(task, context)),
        )
        self.log.info("Preflight:\n%s", Lines(found.text()))
        push(context, found.numbers())
        if not found.is_ready:
            listed = " ".join(f"({place}) {problem}" for place, problem in enumerate(found.problems, start=1))
            message = f"The preflight has found {len(found.problems)} problem(s), and nothing was written. {listed}"
            raise PreflightFailedError(message)

    def _tried(self) -> list[PredictOperator]:
        """Return the tasks that this one tries out: those in front of which it stands."""
        behind = () if self.get_dag() is None else self.get_direct_relatives(upstream=False)
        return [task for task in behind if isinstance(task, PredictOperator)]

    def _csv(self) -> CsvOptions | None:
        """Return what CSV files look like; what is wrong with it is found with the other arguments."""
        try:
            return csv_options(self.csv_options)
        except ConfigurationError:
            return None
