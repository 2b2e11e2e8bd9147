"""The operator that scores the rows of a dataset with a model and commits the prediction set."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_batch_inference import records
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.operators.arguments import mapping, names, optional_boolean, optional_number, optional_text
from airflow_batch_inference.operators.groups.base import require_group
from airflow_batch_inference.operators.groups.compare import Challengers, Split
from airflow_batch_inference.operators.inputs import read
from airflow_batch_inference.operators.model_argument import Models, require_comparable
from airflow_batch_inference.operators.score_rows import RowScoringOperator

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from airflow.sdk.definitions.context import Context

    from airflow_batch_inference.jobs.request import ScoringOptions, ScoringRequest
    from airflow_batch_inference.predictors.graphs.base import ModelGraph
    from airflow_batch_inference.records import BaselineRecord, ModelRecord


class PredictOperator(RowScoringOperator):
    """Score a dataset in mini-batches and commit the prediction set: inputs and predictions, in input order.

    Returns the commit's URI; pushes ``rows``, ``rows_rejected``, ``batch_id`` and ``model_sha256`` by XCom, with
    challengers ``challengers_uri`` and ``disagreement_fraction`` too, and with checks ``check_failures``, the number of
    rows that each of them marks. Nothing is visible before the whole set is; the same job run again returns the commit
    that is there, and a retry scores only the parts that are missing.

    :param model: URI of a model record (``load.output``), an alias (``models/churn@champion``), or the URI of a model
        file whose format cannot run code. A list of them is steps, each of which takes what the one before it returns;
        a dict of names and such is the models of a :class:`Split`. (templated)
    :param as_of: with an alias, the version that was live at this time, for backfills:
        ``"{{ logical_date | default(dag_run.run_after, true) }}"``; None: the newest. (templated)
    :param predict_method: ``predict``, ``predict_proba``, ``decision_function``, or for tree ensembles ``raw_score``,
        ``leaf_index`` or ``contributions``; a list calls several in one pass, whose columns are then named
        ``predicted_label``, ``predicted_probability_0``, … (templated)
    :param predict_kwargs: passed to it. (templated)
    :param decision_threshold: the positive class of two is predicted for probabilities at or over it; None: as the
        model decides. (templated)
    :param explain: ``{"top_k": 3, "when": "predicted_label >= 0.8"}`` adds the column ``explanation``: for the rows of
        that condition (all without it) the inputs that moved the prediction most, each with its contribution to the
        raw score. For tree ensembles. (templated)
    :param profile: count the rows on the model's baseline while they are scored, so that drift needs no second reading;
        None: where the model has a baseline. (templated)
    :param compare: :class:`Challengers`: models that score the same rows beside this one; or :class:`Split`: which of
        several models scores a row. (templated)
    """

    template_fields: Sequence[str] = (
        *RowScoringOperator.template_fields,
        "model",
        "as_of",
        "predict_method",
        "predict_kwargs",
        "decision_threshold",
        "explain",
        "profile",
        "compare",
    )

    def __init__(
        self,
        *,
        model: str | Sequence[str | Mapping[str, str]] | Mapping[str, Any],
        as_of: str | datetime | None = None,
        predict_method: str | Sequence[str] = "predict",
        predict_kwargs: Mapping[str, Any] | None = None,
        decision_threshold: float | str | None = None,
        explain: Mapping[str, Any] | None = None,
        profile: bool | str | None = None,
        compare: Challengers | Split | None = None,
        **kwargs: Any,  # noqa: ANN401  # RowScoringOperator's
    ) -> None:
        super().__init__(**kwargs)
        self.model = model
        self.as_of = as_of
        self.predict_method = predict_method
        self.predict_kwargs = predict_kwargs
        self.decision_threshold = decision_threshold
        self.explain = explain
        self.profile = profile
        self.compare = compare
        require_group("compare", compare, Challengers, Split)
        self.require_absolute("model")
        self.require_known(
            predict_method=names,
            predict_kwargs=mapping,
            decision_threshold=partial(optional_number, low=0, high=1),
            profile=optional_boolean,
        )
        require_comparable(model, compare)

    def models(self, context: Context) -> ModelGraph:  # noqa: ARG002  # functions want it
        """Return the models that the arguments name."""
        return Models(
            model=self.model,
            compare=self.compare,
            as_of=self.as_of,
            conn_id=optional_text(self.conn_id),
            root=self.root,
            storage=self.storage,
        ).read()

    def request(self, context: Context, on_empty: str) -> ScoringRequest:
        """Return the scoring job that the arguments ask for, whose rows are counted on the model's baseline."""
        asked = super().request(context, on_empty)
        return replace(asked, baseline=self._baseline(asked.record))

    def options(self, context: Context) -> ScoringOptions:
        """Return what determines the prediction set besides the model and the input."""
        from airflow_batch_inference.predictors.explanations import parse_explain

        return replace(
            super().options(context),
            predict_method=names("predict_method", self.predict_method) or "predict",
            predict_kwargs=mapping("predict_kwargs", self.predict_kwargs),
            decision_threshold=optional_number("decision_threshold", self.decision_threshold, low=0, high=1),
            explain=parse_explain(mapping("explain", self.explain)),
        )

    def _baseline(self, record: ModelRecord) -> BaselineRecord | None:
        """Return the baseline that the rows are counted on, if any."""
        wanted = optional_boolean("profile", self.profile)
        if wanted is False or record.baseline_uri is None:
            if wanted:
                message = (
                    f"profile is True, but the model {record.name} has no baseline to count the rows on. Give the "
                    "LoadModelOperator a sample_set or a baseline, or leave profile out."
                )
                raise ConfigurationError(message)
            return None
        return read(records.BaselineRecord, "The model's baseline", record.baseline_uri, self.storage)
