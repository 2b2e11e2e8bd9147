"""What is scored for an evaluation: the inputs go to the model, the labels go round it.

Invariants: no label ever reaches the model, also not one that takes its columns by position.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import SignatureMismatchError, did_you_mean
from airflow_batch_inference.jobs.prepare import open_input
from airflow_batch_inference.jobs.request import ScoringOptions, ScoringRequest
from airflow_batch_inference.predictors.graphs.chain import single_model
from airflow_batch_inference.records import ColumnSpec, CsvOptions

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_batch_inference.evaluation.spec import EvaluationSpec
    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.jobs.request import Destination, RowPolicy
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.storage.store import Storage

NAME = "evaluation_predictions"
_ALIGNMENT_CHECK_ROWS = 4
_LABEL_TYPES: dict[type, str] = {str: "string", bool: "bool", int: "int64", float: "double"}


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelledData:
    """A labelled dataset, and how the model is to be called on it.

    Attributes
    ----------
    dataset, drop_columns, feature_columns, predict_kwargs
        As :class:`~airflow_batch_inference.jobs.request.ScoringOptions` and the request take them.
    csv
        What CSV files look like.
    kept_columns
        Further columns that are kept beside labels and predictions.
    """

    dataset: object
    drop_columns: tuple[str | int, ...] = ()
    feature_columns: tuple[str, ...] | None = None
    kept_columns: tuple[str, ...] = ()
    predict_kwargs: Mapping[str, Any]
    csv: CsvOptions = field(default_factory=CsvOptions)


def scoring_request(
    spec: EvaluationSpec,
    data: LabelledData,
    *,
    model: LoadedModel,
    record: ModelRecord,
    record_uri: str | None,
    destination: Destination,
    policy: RowPolicy,
    model_storage: Storage,
) -> ScoringRequest:
    """Return the scoring job whose prediction set holds the labels and the predictions.

    Parameters
    ----------
    spec, data
        What is asked, on which data.
    model, record, record_uri
        The loaded model, its record, and where that lies.
    destination, policy, model_storage
        As the request takes them.
    """
    methods = spec.methods(model, spec.known_classes(record).own)
    return ScoringRequest(
        models=single_model(
            # The predictions get names of their own, which labels can't have, and classes as the model says them. The
            # loaded model was checked against its golden set, which has the names.
            replace(record, label_columns=None, output_names=None, class_names=None, golden_uri=None),
            model=model,
            storage=model_storage,
            record_uri=record_uri,
        ),
        dataset=data.dataset,
        options=ScoringOptions(
            name=NAME,
            drop_columns=(*data.drop_columns, *spec.label_columns),
            feature_columns=data.feature_columns,
            passthrough_columns=tuple(dict.fromkeys([*spec.label_columns, *data.kept_columns])),
            predict_method=methods[0] if len(methods) == 1 else methods,
            predict_kwargs=data.predict_kwargs,
            csv=data.csv,
        ),
        destination=destination,
        policy=policy,
        alignment_check_rows=_ALIGNMENT_CHECK_ROWS,
        types=_label_types(spec, record),
    )


def _label_types(spec: EvaluationSpec, record: ModelRecord) -> tuple[ColumnSpec, ...]:
    """Return the type of the labels in text files: that of the model's classes, where it has one output."""
    classes = spec.classes or record.classes or ()
    kinds = {_LABEL_TYPES[type(label)] for label in classes}
    if len(spec.label_columns) != 1 or len(kinds) != 1:
        return ()
    return (ColumnSpec(name=spec.label_columns[0], type=kinds.pop()),)


def require_labels(spec: EvaluationSpec, request: ScoringRequest, storage: Storage) -> None:
    """Refuse a dataset without the labels' columns, before anything is scored.

    Raises
    ------
    SignatureMismatchError
        Names the column, and one that is like it.
    DataError, ConfigurationError, ArtifactNotFoundError
        The dataset cannot be opened.
    """
    opened = open_input(request, storage)
    there = opened.schema.names
    missing = [name for name in spec.label_columns if name not in there]
    if missing and there:
        message = (
            f"label_columns names {missing[0]!r}{did_you_mean(missing[0], there)}, which {opened.name} does not have. "
            f"Its columns: {', '.join(there[:30])}. An evaluation needs the true labels beside the inputs."
        )
        raise SignatureMismatchError(message)
