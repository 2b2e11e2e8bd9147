"""Scoring files without a script: the model's ``predict`` once a file, as batch endpoints do for models.

Invariants: the model is loaded with every check that a model record asks for; a file that cannot be read fails the job
with its path; and ``row`` counts within its file.
"""

from __future__ import annotations

import contextlib
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from airflow_batch_inference.exceptions import ConfigurationError, DataError
from airflow_batch_inference.records import CsvOptions
from airflow_batch_inference.scripts.advice import Place
from airflow_batch_inference.scripts.source import Opened

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import pandas as pd

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.scripts.settings import ScriptSettings
    from airflow_batch_inference.sources.dataset import Dataset
    from airflow_batch_inference.storage.store import Storage

SUFFIXES = (".csv", ".parquet", ".pqt")


@dataclass(slots=True)
class FilewiseRunner:
    """Reads a file as a table, predicts it as a whole, and returns the columns ``row``, ``prediction``, ``file_name``.

    Attributes
    ----------
    record
        The model's.
    storage, model_storage
        Reach the artifact store, and the model.
    csv
        What CSV files look like.
    """

    record: ModelRecord
    storage: Storage
    model_storage: Storage
    csv: CsvOptions = field(default_factory=CsvOptions)
    folder: str = field(default_factory=lambda: str(Path(__file__).parent))
    fatal: ClassVar[tuple[type[BaseException], ...]] = (DataError, ConfigurationError)
    one_each: bool = False
    place: Place = field(default_factory=Place)
    _model: LoadedModel | None = field(default=None, init=False, repr=False)

    @property
    def storages(self) -> tuple[Storage, ...]:
        """What reaches its model."""
        return self.storage, self.model_storage

    def init(self, settings: ScriptSettings) -> None:  # noqa: ARG002  # it has no script
        """Load the model, and score its golden set where it has one.

        Raises
        ------
        ModelError, ArtifactError
            As :func:`~airflow_batch_inference.predictors.golden.load_checked` says.
        """
        from airflow_batch_inference.predictors.golden import load_checked

        self._model = load_checked(self.record, model_storage=self.model_storage, storage=self.storage)

    def run(self, paths: Sequence[str], names: Sequence[str]) -> pd.DataFrame:
        """Score files, one after the other.

        Raises
        ------
        DataError
            A file of another format, or one that cannot be read or does not fit the model; it is named.
        """
        import pandas as pd

        return pd.concat([self._scored(path, name) for path, name in zip(paths, names, strict=True)], ignore_index=True)

    def shutdown(self) -> None:
        """Have nothing to clean up."""

    def _scored(self, path: str, name: str) -> pd.DataFrame:
        import numpy as np
        import pandas as pd

        from airflow_batch_inference.jobs.input_types import model_reading
        from airflow_batch_inference.sources.registry import open_dataset
        from airflow_batch_inference.storage.store import Storage

        if not path.lower().endswith(SUFFIXES):
            message = (
                f"{name} ({path}) is no file that a model can be given without a scoring script: its name ends with "
                f"none of {', '.join(SUFFIXES)}. Leave it out with a glob, or give a scoring_script."
            )
            raise DataError(message)
        names = None if self.record.inputs is None else [spec.name for spec in self.record.inputs]
        dataset = open_dataset(path, Storage(), model_names=names, reading=model_reading(self.record, self.csv))
        predicted = self._predictions(dataset)
        rows = np.arange(len(predicted), dtype=np.int64)
        return pd.DataFrame(
            {"row": rows, "prediction": predicted, "file_name": pd.Series([name] * len(rows), dtype="str")}
        )

    def _predictions(self, dataset: Dataset) -> pd.Series:
        """Return one prediction a row; several values of a row are a list."""
        import pandas as pd

        from airflow_batch_inference.predictors.single import SinglePredictor
        from airflow_batch_inference.schema.inputs import plan_inputs

        rows = dataset.count_rows()
        if self._model is None or not rows:
            return pd.Series([], dtype="float64")
        plan = plan_inputs(
            dataset.schema,
            inputs=self.record.inputs,
            n_features=self.record.n_features,
            where=dataset.name,
            takes_lists=self._model.takes_lists,
            tensor=self._model.tensor,
        )
        predictor = SinglePredictor(
            model=self._model,
            inputs=plan,
            methods=("predict",),
            kwargs={},
            class_names=self.record.class_names,
        )
        (batch,) = dataset.select(plan.columns).mini_batches(rows)
        columns = [values.to_pandas() for values in predictor.predict(batch)]
        return columns[0] if len(columns) == 1 else pd.Series(list(zip(*columns, strict=True))).map(list)


@dataclass(frozen=True, slots=True, kw_only=True)
class FilewiseModel:
    """A model that scores files by itself.

    Attributes
    ----------
    record, record_uri
        The model's, and where it lies; None for a model that was given by its own URI.
    storage, model_storage
        Reach the artifact store, and the model.
    csv
        What CSV files look like.
    """

    record: ModelRecord
    record_uri: str | None
    storage: Storage
    model_storage: Storage
    csv: CsvOptions = field(default_factory=CsvOptions)

    @contextlib.contextmanager
    def opened(self, scratch: Path) -> Iterator[Opened]:  # noqa: ARG002  # it needs no folder
        """Give what scores in the worker processes."""
        record = self.record
        storages = (
            self.storage.resolved(*filter(None, [record.golden_uri])),
            self.model_storage.resolved(record.model_uri),
        )
        yield Opened(
            runner=FilewiseRunner(record, *storages, self.csv),
            key={"filewise": _key(record), "csv": asdict(self.csv)},
            model_uri=record.model_uri,
            model_sha256=record.sha256,
            model_flavor=record.flavor,
            model_record_uri=self.record_uri,
        )


def _key(record: ModelRecord) -> dict[str, Any]:
    names = ("sha256", "flavor", "format", "load_options", "trusted_types", "class_names", "versions")
    return {name: getattr(record, name) for name in names} | {
        "inputs": None if record.inputs is None else [asdict(spec) for spec in record.inputs]
    }
