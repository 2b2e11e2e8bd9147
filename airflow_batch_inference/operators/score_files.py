"""What operators that score files have in common: the files, their mini-batches and limits, one workflow to call.

Invariants: an argument that means nothing for files is none of the constructor's; and one that can never work is
refused when the DAG is parsed, where no template is yet to make it.
"""

from __future__ import annotations

from abc import abstractmethod
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSkipException

from airflow_batch_inference.exceptions import EmptyDatasetError
from airflow_batch_inference.links import PredictionsLink
from airflow_batch_inference.operators.arguments import boolean, choice, given_data, names, optional_text, structure
from airflow_batch_inference.operators.base import StoppableOperator, fence_of, push
from airflow_batch_inference.operators.groups.base import require_group
from airflow_batch_inference.operators.groups.scripts import ErrorLimits, ScriptSettings
from airflow_batch_inference.operators.score_rows import ON_EMPTY
from airflow_batch_inference.operators.task_context import destination_of
from airflow_batch_inference.scripts.settings import UNLIMITED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.records import PredictionSetRecord
    from airflow_batch_inference.scripts import settings as core
    from airflow_batch_inference.scripts.request import Scorer


class FileScoringOperator(StoppableOperator):
    """Score files of any kind, some of them at a time, in worker processes; subclasses say with what.

    :param dataset: a file, folder, glob or list of URIs of any files; or the URI of a prediction set. (templated)
    :param label_columns: names of the columns of what has none: lists and arrays. (templated)
    :param result_set_name: the prediction set's name in the catalogue. (templated)
    :param on_empty: what no file at all means: ``fail``, ``skip``, or ``succeed`` with an empty prediction set.
        (templated)
    :param batch_id: id of the batch; None: made from the run, the same for each try. (templated)
    :param conn_id: Airflow connection that reaches the dataset. (templated)
    :param recursive: whether the files of sub-folders belong to a folder. (templated)
    :param settings: :class:`ScriptSettings`: the mini-batches and the output. (templated)
    :param limits: :class:`ErrorLimits`: attempts, timeouts, and how many may fail. (templated)
    """

    template_fields: Sequence[str] = (
        *StoppableOperator.template_fields,
        "dataset",
        "label_columns",
        "result_set_name",
        "on_empty",
        "batch_id",
        "conn_id",
        "recursive",
        "settings",
        "limits",
    )
    operator_extra_links = (PredictionsLink(),)
    files_may_fail = True
    """Whether any number of files may fail where ``error_threshold`` is not given, as in Azure ML."""

    def __init__(
        self,
        *,
        dataset: object,
        label_columns: str | Sequence[str] | None = None,
        result_set_name: str = "prediction",
        on_empty: str = "fail",
        batch_id: str | None = None,
        conn_id: str | None = None,
        recursive: bool | str = False,
        settings: ScriptSettings | None = None,
        limits: ErrorLimits | None = None,
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.dataset = given_data("dataset", dataset)
        self.label_columns = label_columns
        self.result_set_name = result_set_name
        self.on_empty = on_empty
        self.batch_id = batch_id
        self.conn_id = conn_id
        self.recursive = recursive
        self.settings = settings
        require_group("settings", settings, ScriptSettings)
        self.limits = limits
        require_group("limits", limits, ErrorLimits)
        self.require_absolute("dataset")
        self.require_known(on_empty=partial(choice, allowed=ON_EMPTY), recursive=boolean, label_columns=names)

    def perform(self, context: Context) -> str:
        """Run the job, commit, and say so; pushes ``rows``, ``items``, ``items_failed`` and the like by XCom."""
        from airflow_batch_inference.scripts.job import run_script
        from airflow_batch_inference.scripts.request import ScriptRequest

        on_empty = choice("on_empty", self.on_empty, ON_EMPTY)
        request = ScriptRequest(
            scorer=self.scorer(context),
            dataset=structure(self.dataset),
            destination=destination_of(context, self.root, optional_text(self.batch_id)),
            settings=self.script_settings(),
            name=self.result_set_name,
            recursive=boolean("recursive", self.recursive),
            on_empty="succeed" if on_empty == "succeed" else "fail",
        )
        try:
            uri, record = run_script(
                request,
                storage=self.storage,
                data_storage=self.data_storage(self.conn_id),
                stopped=self.is_stopped,
                fence=fence_of(context),
            )
        except EmptyDatasetError as error:
            if on_empty == "skip":
                raise AirflowSkipException(str(error)) from error
            raise
        self.recorded = uri, record
        self._announce(record, uri)
        push(context, _scalars(record))
        return uri

    @abstractmethod
    def scorer(self, context: Context) -> Scorer:
        """Return what scores the files."""

    def program_words(self) -> tuple[str, ...]:
        """Return what a script finds in ``sys.argv[1:]``."""
        return ()

    def script_settings(self) -> core.ScriptSettings:
        """Return how the script is run.

        Raises
        ------
        ConfigurationError
            One of the settings can never work.
        """
        from airflow_batch_inference.scripts import settings as core

        asked = (self.settings or ScriptSettings()).parse_all() | (self.limits or ErrorLimits()).parse_all()
        files, most_bytes = asked.pop("mini_batch_size")
        if asked["error_threshold"] is None:
            asked["error_threshold"] = UNLIMITED if self.files_may_fail else 0
        return core.ScriptSettings(
            **asked,
            mini_batch_size=files,
            mini_batch_bytes=most_bytes,
            label_columns=names("label_columns", self.label_columns),
            program_arguments=self.program_words(),
        )

    def _announce(self, record: PredictionSetRecord, uri: str) -> None:
        items = record.items
        if items is None:
            return
        self.log.info(
            "Prediction set %s: %d files, %d elements returned, %d file(s) written, %s",
            *(record.name, items.files_in, items.returned, len(record.parts), uri),
        )
        if items.files_failed or items.mini_batches_failed:
            self.log.warning(
                "%d of %d files and %d of %d mini-batches failed: %s",
                *(items.files_failed, items.files_in, items.mini_batches_failed, items.mini_batches),
                record.mini_batches_uri,
            )


def _scalars(record: PredictionSetRecord) -> dict[str, Any]:
    items = record.items
    return {
        "rows": record.rows_out,
        "items": 0 if items is None else items.files_in,
        "items_failed": 0 if items is None else items.files_failed,
        "batch_id": record.batch_id,
        "model_sha256": record.model_sha256,
    }
