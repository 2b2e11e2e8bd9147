"""What a drift analysis reads: the data to judge, the reference, and what the model does with the columns.

Invariants: rows that were counted while they were scored are not read again, where they were counted on the very
reference; and data that have changed since are refused, never judged in their place.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from airflow_batch_inference.drift.analysis import Roles
from airflow_batch_inference.drift.monitor import Current
from airflow_batch_inference.exceptions import ArtifactIntegrityError, ConfigurationError, did_you_mean
from airflow_batch_inference.jobs.input_types import baseline_reading, model_reading
from airflow_batch_inference.jobs.output_layout import CHECKS
from airflow_batch_inference.operators.baselines import given_baseline
from airflow_batch_inference.operators.inputs import read
from airflow_batch_inference.predictors.nesting import written_fields
from airflow_batch_inference.records import (
    BaselineRecord,
    ColumnSpec,
    CsvOptions,
    ModelRecord,
    PredictionSetRecord,
    ProfileRecord,
)
from airflow_batch_inference.sources.registry import open_dataset
from airflow_batch_inference.storage.uris import is_record_uri
from airflow_batch_inference.workflows.build_baseline import input_names, matching, open_sample_set, plain_baseline

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.records import DriftResult, Profile
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class DriftData:
    """A drift analysis's arguments, with the records that they name.

    Attributes
    ----------
    dataset
        As it was given: a prediction set's URI, or a dataset.
    predictions, model
        The prediction set, and the model whose baseline is the reference, where there are any.
    among
        Prediction sets, where the dataset is a list of several.
    sample_set
        Wins over the model's baseline.
    given
        A baseline in the place of the model's, and its URI where it has one.
    storage, data_storage
        Reach the artifact store, and datasets.
    csv
        What CSV files look like.
    """

    dataset: object
    predictions: PredictionSetRecord | None
    model: ModelRecord | None
    sample_set: object
    storage: Storage
    data_storage: Storage
    csv: CsvOptions = field(default_factory=CsvOptions)
    among: tuple[PredictionSetRecord, ...] = ()
    given: tuple[str | None, BaselineRecord] | None = None

    @classmethod
    def of(
        cls,
        dataset: object,
        *,
        model_uri: str | None,
        sample_set: object,
        storage: Storage,
        data_storage: Storage,
        csv: CsvOptions | None = None,
    ) -> DriftData:
        """Read the records that the arguments name.

        Raises
        ------
        ConfigurationError
            One of them is of another kind.
        """
        given = [dataset] if isinstance(dataset, str) else dataset if isinstance(dataset, (list, tuple)) else []
        uris = [uri for uri in given if isinstance(uri, str) and is_record_uri(uri)]
        sets = tuple(read(PredictionSetRecord, "dataset", uri, storage) for uri in uris)
        predictions = sets[0] if len(given) == len(sets) == 1 else None
        dataset = given[0] if predictions is not None else dataset
        judges = {_judged_by(each) for each in sets} if len(sets) == len(given) else set()
        uri = model_uri or (judges.pop() if len(judges) == 1 else None)
        return cls(
            dataset=dataset,
            predictions=predictions,
            model=None if uri is None else read(ModelRecord, "model", uri, storage),
            sample_set=sample_set,
            storage=storage,
            data_storage=data_storage,
            csv=csv or CsvOptions(),
            among=() if predictions is not None else sets,
        )

    def against(self, baseline: object) -> DriftData:
        """Return the same data, to be compared with a baseline that is given by itself, if it is.

        Raises
        ------
        ConfigurationError
            It is none, or a sample set is given too.
        """
        given = given_baseline(baseline, storage=self.storage, data_storage=self.data_storage)
        if given is not None and self.sample_set is not None:
            message = "baseline and sample_set are both given, and each is what the data are compared with. Give one."
            raise ConfigurationError(message)
        return replace(self, given=given)

    def reference(self) -> tuple[BaselineRecord | None, str | None]:
        """Return what to compare with, and its URI where it is stored: the sample set, the baseline, or nothing."""
        if self.sample_set is not None:
            reading = model_reading(self.model, self.csv)
            if self.predictions is not None:
                reading = replace(reading, types=(*_written(self.predictions), *reading.types))
            names = input_names(self.model)
            sample = open_sample_set(self.sample_set, self.data_storage, names=names, reading=reading)
            made = self._made()
            if not made:
                return plain_baseline(sample, record=self.model), None
            plain = {written: name for each in made for written, name in each.input_names.items()}
            labels = [name for each in made for name in _plain_names(each, each.label_columns)]
            sample = sample.select(_data_columns_of(made))
            return plain_baseline(sample, record=self.model, names=plain, predictions=labels), None
        if self.given is not None:
            return self.given[1], self.given[0]
        uri = self.predictions.baseline_uri if self.predictions else None
        if self.model is not None:
            uri = self.model.baseline_uri
        return (None, None) if uri is None else (read(BaselineRecord, "The baseline", uri, self.storage), uri)

    def _made(self) -> tuple[PredictionSetRecord, ...]:
        """Return the prediction sets that the sample set is; none where anything else is among it.

        Raises
        ------
        ConfigurationError
            Their columns have different names.
        """
        given = [self.sample_set] if isinstance(self.sample_set, str) else self.sample_set
        if not isinstance(given, (list, tuple)):
            return ()
        uris = [uri for uri in given if isinstance(uri, str) and is_record_uri(uri)]
        sets = tuple(read(PredictionSetRecord, "sample_set", uri, self.storage) for uri in uris)
        _require_alike("sample_set", sets, len(given))
        return sets if len(sets) == len(given) else ()

    def current(
        self, baseline: BaselineRecord | None, baseline_uri: str | None, *, is_demanded: bool = True
    ) -> Current:
        """Return the data to judge; where nobody wants a verdict, also if nothing is left of them.

        Raises
        ------
        ConfigurationError
            Nothing is left of them.
        ArtifactIntegrityError
            They have changed since they were scored.
        """
        profile = self._profile(baseline_uri)
        if profile is not None and self.predictions is not None:
            written = _data_columns(self.predictions) if self.predictions.kept else []
            counted = [column.name for column in profile.columns]
            plain = _plain_names(self.predictions, [*written, *self.predictions.feature_columns])
            names = [*plain, *counted, *profile.changed, *profile.skipped]
            return Current(
                dataset=None,
                profile=profile,
                column_names=tuple(dict.fromkeys(names)),
                source=self.predictions.dataset,
                roles=self._roles(baseline),
            )
        try:
            dataset = self._opened(baseline)
        except (ConfigurationError, ArtifactIntegrityError):
            if is_demanded:
                raise
            return Current(dataset=None, column_names=())
        sets = self.among if self.predictions is None else (self.predictions,)
        called = {written: name for each in sets for written, name in each.input_names.items()}
        return Current(
            dataset=dataset,
            column_names=tuple(called.get(name, name) for name in dataset.schema.names),
            source=dataset.identity,
            roles=self._roles(baseline),
            names=called,
        )

    def _profile(self, baseline_uri: str | None) -> Profile | None:
        if self.predictions is None or self.predictions.profile_uri is None or baseline_uri is None:
            return None
        record = read(ProfileRecord, "The profile", self.predictions.profile_uri, self.storage)
        return record.profile if record.baseline_uri == baseline_uri else None

    def _roles(self, baseline: BaselineRecord | None) -> Roles:
        """Return what the model does with the columns, as far as anybody knows."""
        if self.predictions is not None:
            features = tuple(_plain_names(self.predictions, self.predictions.feature_columns))
            labels = tuple(_plain_names(self.predictions, self.predictions.label_columns))
            apart = None if baseline is None else _scored_otherwise(self.predictions, baseline)
            return Roles(inputs=features, predictions=labels, unread=(*features, *labels), apart=apart)
        if baseline is None:
            return Roles()
        names = [column.profile.name for column in baseline.columns]
        inputs = baseline.inputs if self.model is None else matching(input_names(self.model), names) or baseline.inputs
        # A plain dataset has no predictions yet; of several prediction sets one made otherwise is enough.
        apart = next(filter(None, (_scored_otherwise(each, baseline) for each in self.among)), None)
        return Roles(inputs=inputs, predictions=baseline.predictions, unread=baseline.predictions, apart=apart)

    def _opened(self, baseline: BaselineRecord | None) -> Dataset:
        """Open the rows to judge: a prediction set's, its inputs where the rows were not kept, or any dataset."""
        predictions = self.predictions
        if predictions is None:
            own = None if baseline is None else [column.profile.name for column in baseline.columns]
            names = input_names(self.model) or own
            reading = baseline_reading(baseline, self.model, self.csv)
            dataset = open_dataset(self.dataset, self.data_storage, model_names=names, reading=reading)
            number = len(self.dataset) if isinstance(self.dataset, (list, tuple)) else 1
            renamed = _require_alike("dataset", self.among, number)
            return dataset.select(_data_columns_of(self.among)) if renamed and dataset.schema.names else dataset
        if not predictions.kept:
            return self._inputs(predictions)
        dataset = open_dataset(self.dataset, self.storage)
        return dataset.select(_data_columns(predictions)) if dataset.schema.names else dataset

    def _inputs(self, predictions: PredictionSetRecord) -> Dataset:
        """Open what a prediction set was made from, if it is still there as it was."""
        if not predictions.dataset_uris:
            message = (
                f"The rows of {self.dataset} were not kept (log_result_set=False) and came from inline records: "
                "nothing is left to analyse. Set log_result_set=True, or profile=True with a baseline."
            )
            raise ConfigurationError(message)
        if predictions.rows_rejected:
            message = (
                f"The rows of {self.dataset} were not kept (log_result_set=False), and {predictions.rows_rejected} of "
                "its input were rejected: the others cannot be told apart in it. Set log_result_set=True, or "
                "profile=True with a baseline."
            )
            raise ConfigurationError(message)
        uris, names = list(predictions.dataset_uris), input_names(self.model)
        dataset = open_dataset(uris, self.data_storage, model_names=names, reading=predictions.reading, tolerant=True)
        if dataset.identity != predictions.dataset:
            message = (
                f"The input of {self.dataset} ({', '.join(predictions.dataset_uris)}) has changed since it was scored. "
                "Score it again, or keep the rows (log_result_set=True)."
            )
            raise ArtifactIntegrityError(message)
        return dataset

    def _model_name(self) -> str | None:
        """Return the name of the model that made the predictions, where it is known."""
        steps = [model.name for model in self.predictions.models if model.role == "step"] if self.predictions else []
        return steps[-1] if steps else self.model.name if self.model else None

    def with_provenance(self, result: DriftResult, baseline_uri: str | None) -> DriftResult:
        """Return a result that names what was compared."""
        return replace(
            result,
            baseline_uri=baseline_uri,
            dataset_uri=self.dataset if isinstance(self.dataset, str) else None,
            batch_id=self.predictions.batch_id if self.predictions else None,
            model_name=self._model_name(),
            model_sha256=self.predictions.model_sha256 if self.predictions else None,
        )


def with_targets(baseline: BaselineRecord | None, targets: Sequence[str]) -> BaselineRecord | None:
    """Return a reference that knows which of its columns are true labels: later data rightly lack them.

    Raises
    ------
    ConfigurationError
        It has no such column.
    """
    if baseline is None or not targets:
        return baseline
    there = [*(column.profile.name for column in baseline.columns), *baseline.skipped]
    for name in targets:
        if name not in there:
            message = (
                f"target_column names {name!r}, which the reference does not have{did_you_mean(name, there)}. Its "
                f"columns: {', '.join(there)}."
            )
            raise ConfigurationError(message)
    return replace(baseline, targets=tuple(dict.fromkeys([*baseline.targets, *targets])))


def _written(predictions: PredictionSetRecord) -> list[ColumnSpec]:
    """Return the columns of a prediction set, under the names that they have in the input."""
    named = predictions.input_names
    return [ColumnSpec(name=named.get(column.name, column.name), type=column.type) for column in predictions.columns]


def _data_columns(predictions: PredictionSetRecord) -> list[str]:
    """Return the written columns that are inputs or predictions, not time, checks or metadata."""
    named = predictions.input_names
    own = CHECKS if predictions.checks else None
    return [name for name in written_fields(predictions) if (name in named if named else name != own)]


def _data_columns_of(sets: Sequence[PredictionSetRecord]) -> list[str]:
    return list(dict.fromkeys(name for each in sets for name in _data_columns(each)))


def _require_alike(argument: str, sets: Sequence[PredictionSetRecord], given: int) -> bool:
    """Refuse columns that have other names in one of several places: each would be nulls in the rows of the others.

    Returns
    -------
    bool
        Whether the columns are called otherwise than in the input.

    Raises
    ------
    ConfigurationError
        Some are a prediction set's of an output schema, and others are not, or of another one.
    """
    renamed = [each.input_names for each in sets if each.input_names]
    written = dict(pair for names in renamed for pair in names.items())
    if renamed and (len(renamed) < given or len(set(written.values())) < len(written)):
        called, name = next(iter(written.items()))
        message = (
            f"{argument} names a prediction set with a layout of its own, whose columns have names of their own "
            f"({called} is {name}), beside data that call them otherwise. Give data of one kind."
        )
        raise ConfigurationError(message)
    return bool(renamed)


def _plain_names(predictions: PredictionSetRecord, written: Sequence[str]) -> list[str]:
    """Return what the input and the model's own data call columns of the output."""
    return [predictions.input_names.get(name, name) for name in written]


def _judged_by(predictions: PredictionSetRecord) -> str | None:
    """Return the record of the model whose inputs the data are: of several behind one another, the first."""
    own = [model for model in predictions.models if model.role != "challenger"]
    return own[0].model_record_uri if own else predictions.model_record_uri


def _scored_otherwise(predictions: PredictionSetRecord, baseline: BaselineRecord) -> str | None:
    """Say how predictions were made in another way than the reference's; None where they were not."""
    if baseline.predict_method is None:
        return None
    several = [model.name for model in predictions.models if model.role != "challenger"]
    if len(several) > 1:
        return f"several models made them ({', '.join(several)}), and the reference's are of one"
    if predictions.decision_threshold is not None:
        return f"decision_threshold {predictions.decision_threshold:g} made classes of them, and the reference has none"
    if predictions.predict_methods != (baseline.predict_method,):
        return f"predict_method is {', '.join(predictions.predict_methods)}, the reference's {baseline.predict_method}"
    return None
