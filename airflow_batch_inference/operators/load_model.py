"""The operator that turns a model file into a model record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.models.aliases import parse_alias, set_alias
from airflow_batch_inference.operators.arguments import (
    csv_options,
    given_data,
    mapping,
    names,
    optional_text,
    require_csv_options,
    structure,
    words,
)
from airflow_batch_inference.operators.base import BatchInferenceOperator, push, run_date
from airflow_batch_inference.operators.baselines import given_baseline
from airflow_batch_inference.operators.groups.base import require_group
from airflow_batch_inference.operators.groups.models import GoldenSet, MlflowModel, SampleScoring, Trust
from airflow_batch_inference.operators.inputs import read_model, resolve_model
from airflow_batch_inference.operators.stores import require_mlflow_allowed, storage_for, trusted_digests
from airflow_batch_inference.storage.uris import is_record_uri

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.models.describe import ModelRequest
    from airflow_batch_inference.models.signing import SignatureCheck
    from airflow_batch_inference.records import ModelRecord
    from airflow_batch_inference.workflows.register_model import GoldenRequest


class LoadModelOperator(BatchInferenceOperator):
    """Verify a model file, load it once to prove that it loads, and store its record.

    Returns the record's URI; pushes ``model_sha256`` and ``flavor`` by XCom.

    :param model_uri: the model's file or folder: a path, ``file://`` or any fsspec scheme; a model of MLflow's
        (``models:/churn@champion``, ``models:/churn/3``, ``runs:/<id>/model``; :class:`MlflowModel` names its server);
        or a model that was loaded before: its record (``load.output``, to give it an alias once it has passed) or an
        alias (``models/churn@champion``). (templated)
    :param as_of: with such an alias, the version that was live at this time, for backfills:
        ``"{{ logical_date | default(dag_run.run_after, true) }}"``; None: the newest. (templated)
    :param alias: from the run's logical date on (its start, where it has none) this alias of the model means this
        version; so an old run that is cleared does not bring its version back. (templated)
    :param flavor: its framework (``sklearn``, ``lightgbm``, ``xgboost``, ``onnx``, ``keras``, ``tensorflow``,
        ``torch``, ``mlflow``); None: told by the file. (templated)
    :param conn_id: Airflow connection that reaches the model and the sample set. (templated)
    :param csv_options: what the sample set's and the golden set's CSV files look like: a dict of ``separator``,
        ``decimal``, ``thousands``, ``quote``, ``escape``, ``encoding``, ``header``, ``names`` and ``null_words``; see
        docs/types.md. (templated)
    :param sha256: digest that the file must have. Formats that can run code when they are loaded (joblib, pickle)
        are refused without it. (templated)
    :param trust: :class:`Trust`: further types of a skops file, or a signature in the place of ``sha256``. (templated)
    :param load_options: what the flavor is given beside the file, such as the class of a PyTorch state dict; see
        docs/flavors.md. (templated)
    :param class_names: what the output calls a classifier's classes, in the model's order. (templated)
    :param sample_set: the data that the model was trained on (URIs, a prediction set's among them, or small inline
        records or frames), from which the baseline for drift is computed and stored. The model scores it too, so that
        later predictions have something to be compared with; where it has columns of the predictions' names, those are
        taken instead: the model's predictions, not labels of 0 and 1 for a model that predicts probabilities.
        (templated)
    :param baseline: URI of a baseline that ``airflow batch-inference baseline`` has made, instead of a sample set; or
        MLRun's statistics of one (``feature_stats``, ``sample_set_statistics``): a dict, or the URI of a JSON or YAML
        file that holds them. (templated)
    :param golden_set: a few hundred rows (URIs, or inline records or frames) whose predictions are stored with the
        model at its first load, and compared at each later one, in every task and worker: an upgraded library that
        predicts something else is caught before it scores a row. :class:`GoldenSet` says how far they may move.
        (templated)
    :param scoring: :class:`SampleScoring`: how the sample set is scored, and its column of true labels. (templated)
    :param label_columns: names of the prediction columns. (templated)
    :param signature: input to the name of its Arrow type (``int64``, ``string``, ``timestamp[us, tz=UTC]``, …), where
        the model does not know it or is to be corrected; for a model without names, all its inputs in its order.
        (templated)
    :param name: the model's name; None: the file's. (templated)
    :param tag: free text to find the model by. (templated)
    """

    template_fields: Sequence[str] = (
        *BatchInferenceOperator.template_fields,
        "model_uri",
        "as_of",
        "alias",
        "flavor",
        "conn_id",
        "csv_options",
        "sha256",
        "trust",
        "load_options",
        "class_names",
        "sample_set",
        "baseline",
        "golden_set",
        "scoring",
        "label_columns",
        "signature",
        "name",
        "tag",
    )

    def __init__(
        self,
        *,
        model_uri: str | MlflowModel,
        as_of: str | datetime | None = None,
        alias: str | None = None,
        flavor: str | None = None,
        conn_id: str | None = None,
        csv_options: Mapping[str, Any] | None = None,
        sha256: str | None = None,
        trust: Trust | None = None,
        load_options: Mapping[str, Any] | None = None,
        class_names: Sequence[str] | None = None,
        sample_set: object = None,
        baseline: str | Mapping[str, Any] | None = None,
        golden_set: object = None,
        scoring: SampleScoring | None = None,
        label_columns: str | Sequence[str] | None = None,
        signature: Mapping[str, str] | None = None,
        name: str | None = None,
        tag: str | None = None,
        **kwargs: Any,  # noqa: ANN401  # BaseOperator's own
    ) -> None:
        super().__init__(**kwargs)
        self.model_uri = model_uri
        self.as_of = as_of
        self.alias = alias
        self.flavor = flavor
        self.conn_id = conn_id
        self.csv_options = csv_options
        self.sha256 = sha256
        self.trust = trust
        require_group("trust", trust, Trust)
        self.load_options = load_options
        self.class_names = class_names
        self.sample_set = given_data("sample_set", sample_set)
        self.baseline = baseline
        # One form, so that all that reads it asks for rows and a tolerance.
        self.golden_set = golden_set if isinstance(golden_set, GoldenSet | None) else GoldenSet(golden_set)
        self.scoring = scoring
        require_group("scoring", scoring, SampleScoring)
        self.label_columns = label_columns
        self.signature = signature
        self.name = name
        self.tag = tag
        self.require_absolute("model_uri", "sample_set", "golden_set")
        self.require_known(
            csv_options=require_csv_options,
            class_names=names,
            label_columns=names,
            signature=words,
            load_options=mapping,
        )

    def perform(self, context: Context) -> str:
        """Verify, load, describe, store; or verify the version that an alias means."""
        by = f"{context['ti'].dag_id}, task {context['ti'].task_id}"
        alias = self._alias()
        if parse_alias(self.uri) is not None or is_record_uri(self.uri):
            uri, record = self._verified_version()
        else:
            uri, record = self._registered(by)
        self.recorded = uri, record
        self.log.info("Model %s: %s, sha256 %s, %s", record.name, record.flavor, record.sha256, uri)
        if alias is not None:
            entry = set_alias(
                record.name, alias, uri, root=self.root, storage=self.storage, set_by=by, since=run_date(context)
            )
            self.log.info("models/%s@%s is this model since %s", record.name, alias, entry.since)
        push(context, {"model_sha256": record.sha256, "flavor": record.flavor})
        return uri

    @property
    def uri(self) -> str:
        """The model's URI as it was given."""
        return self.model_uri.uri if isinstance(self.model_uri, MlflowModel) else self.model_uri

    def _alias(self) -> str | None:
        """Return the alias to set, if it can be one."""
        alias = optional_text(self.alias)
        if alias is not None and parse_alias(f"models/name@{alias}") is None:
            message = f"alias is {alias!r}; it must not be empty or hold '@' or '/'."
            raise ConfigurationError(message)
        return alias

    def _verified_version(self) -> tuple[str, ModelRecord]:
        """Load the model of a record, or the one that an alias means, as every task will; return the record."""
        from airflow_batch_inference.predictors.golden import load_checked

        fixed = ("flavor", "sha256", "trust", "load_options", "class_names", "sample_set", "baseline", "scoring",
                 "label_columns", "name", "signature", "csv_options")  # fmt: skip
        given = [name for name in fixed if structure(getattr(self, name)) not in (None, "", [], {}, ())]
        given += ["golden_set"] if self._golden() is not None else []
        if given:
            message = (
                f"{self.uri} is a version that was loaded before, and its record says all of it. Leave out "
                f"{', '.join(given)} here, or give model_uri the model's file."
            )
            raise ConfigurationError(message)
        uri = resolve_model(self.uri, self.as_of, root=self.root, storage=self.storage)
        record = read_model("model_uri", uri, root=self.root, storage=self.storage)
        load_checked(record, model_storage=storage_for(record.conn_id), storage=self.storage)
        return uri, record

    def _registered(self, by: str) -> tuple[str, ModelRecord]:
        """Load a model's file or folder and store its record."""
        from airflow_batch_inference.workflows.build_baseline import ReferenceOptions
        from airflow_batch_inference.workflows.register_model import register_model

        request, scoring = self._request(by), self._scoring()
        return register_model(
            request,
            root=self.root,
            sample_set=structure(self.sample_set),
            options=ReferenceOptions(
                **scoring,
                csv=csv_options(self.csv_options),
            ),
            baseline=given_baseline(
                structure(self.baseline), storage=self.storage, data_storage=self.data_storage(request.conn_id)
            ),
            golden=self._golden(),
            storage=self.storage,
            model_storage=self.data_storage(request.conn_id),
        )

    def _request(self, by: str) -> ModelRequest:
        from airflow_batch_inference.models.describe import ModelRequest
        from airflow_batch_inference.models.trust import TrustRequest

        uri, name = self._model_uri()
        return ModelRequest(
            model_uri=uri,
            conn_id=optional_text(self.conn_id),
            flavor=optional_text(self.flavor),
            trust=TrustRequest(
                sha256=optional_text(self.sha256),
                trusted=(self.trust or Trust()).parse("trusted"),
                signature=self._signature_check(),
                config_sha256=trusted_digests(),
                asked_by=by,
            ),
            load_options=mapping("load_options", self.load_options),
            class_names=names("class_names", self.class_names),
            label_columns=names("label_columns", self.label_columns),
            name=optional_text(self.name) or name,
            tag=optional_text(self.tag),
            signature=words("signature", self.signature),
            predict_kwargs=self._scoring()["predict_kwargs"],
        )

    def _model_uri(self) -> tuple[str, str | None]:
        """Return the URI of the model's files, and the name that a registry gives it."""
        from airflow_batch_inference.models.mlflow_registry import import_from_mlflow, is_mlflow_uri

        resolve_model(self.uri, self.as_of, root=self.root, storage=self.storage)  # refuses as_of without an alias
        server = self.model_uri.parse("tracking_uri") if isinstance(self.model_uri, MlflowModel) else None
        if not is_mlflow_uri(self.uri):
            if server is not None:
                message = (
                    f"model_uri is MlflowModel({self.uri!r}, …), which is no model of MLflow's. Give the URI alone."
                )
                raise ConfigurationError(message)
            return self.uri, None
        require_mlflow_allowed(self.uri)
        return import_from_mlflow(self.uri, root=self.root, storage=self.storage, tracking_uri=server)

    def _golden(self) -> GoldenRequest | None:
        from airflow_batch_inference.workflows.register_model import GoldenRequest

        asked = None if self.golden_set is None else self.golden_set.parse_all()
        if asked is None or asked["rows"] is None:
            return None
        return GoldenRequest(dataset=asked["rows"], tolerance=asked["tolerance"])

    def _scoring(self) -> dict[str, Any]:
        """Return how the sample set is scored."""
        return (self.scoring or SampleScoring()).parse_all()

    def _signature_check(self) -> SignatureCheck | None:
        from airflow_batch_inference.models.signing import SignatureCheck

        given = (self.trust or Trust()).parse("verify_signature")
        if not given:
            return None
        return SignatureCheck(signature_uri=str(given["signature"]), public_key_uri=str(given["public_key"]))
