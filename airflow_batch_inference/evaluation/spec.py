"""What is asked of a model: which labels, which metrics, which limits; and with which methods it answers.

Invariants: all that can be known to be wrong is refused before the first row is scored.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from airflow_batch_inference.evaluation.labelled_predictions import Classes
from airflow_batch_inference.evaluation.names import names_of, require_known
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.schema.names import plain_name

if TYPE_CHECKING:
    from airflow_batch_inference.evaluation.labels import ClassLabel
    from airflow_batch_inference.evaluation.limits import Limit
    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.records import EvaluationRecord, ModelRecord, Problem

_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class EvaluationSpec:
    """An evaluation as it is asked for.

    Attributes
    ----------
    label_columns
        The columns of true labels, one for each of the model's outputs, in their order.
    problem
        What the model solves; None: told by its outputs and the labels.
    classes
        What the labels call the model's classes, in the order of its probabilities; None: as the model does.
    decision_threshold
        The positive class is predicted for probabilities at or over it. None: the model's own classes count, and 0.5
        where it gives probabilities only.
    metrics
        The names of those to measure; None: all that fit.
    limits
        What they must reach.
    baseline
        URI and record of an earlier evaluation.
    """

    label_columns: tuple[str, ...]
    problem: Problem | None = None
    classes: tuple[ClassLabel, ...] | None = None
    decision_threshold: float | None = None
    metrics: tuple[str, ...] | None = None
    limits: tuple[Limit, ...] = ()
    baseline: tuple[str, EvaluationRecord] | None = None

    def known_classes(self, record: ModelRecord) -> Classes:
        """Return what is known of the classes of a model with one output.

        Raises
        ------
        ConfigurationError
            ``classes`` are not as many as the model's.
        """
        own = record.classes
        if own is not None and self.classes is not None and len(own) != len(self.classes):
            message = (
                f"classes has {len(self.classes)} values, but the model {record.name} has {len(own)} classes: "
                f"{', '.join(map(str, own[:20]))}. Give one for each, in this order."
            )
            raise ConfigurationError(message)
        named = self.classes or record.class_names
        return Classes(own=own or self.classes, named=named, decision=self.decision_threshold)

    def known_problem(self, model: LoadedModel, classes: tuple[ClassLabel, ...] | None) -> Problem | None:
        """Return what the model solves, where that is known without its predictions."""
        if self.problem is not None:
            return self.problem
        return "classification" if classes is not None or "predict_proba" in model.methods else None

    def methods(self, model: LoadedModel, classes: tuple[ClassLabel, ...] | None) -> tuple[str, ...]:
        """Return the model's methods that tell most: its classes, and how sure it is of them."""
        if self.known_problem(model, classes) != "classification" or len(self.label_columns) > 1:
            return ("predict",)
        if "predict_proba" in model.methods:
            # Where nobody knows the classes, those that predict gives tell nothing of the probabilities' order.
            return ("predict_proba",) if classes is None else ("predict", "predict_proba")
        if "decision_function" in model.methods and classes is not None and len(classes) == _TWO:
            return ("predict", "decision_function")
        return ("predict",)

    def wanted(self, problem: Problem, classes: int | None) -> tuple[str, ...]:
        """Return the names of the metrics to measure: the chosen ones and those with a limit.

        Raises
        ------
        ConfigurationError
            One of them is no metric of the problem.
        """
        limited = [limit.metric for limit in self.limits]
        require_known(self.metrics or (), "metrics", problem, classes)
        require_known(limited, "thresholds", problem, classes)
        return tuple(dict.fromkeys([*(self.metrics or names_of(problem, classes)), *limited]))

    def require_possible(self, model: LoadedModel, record: ModelRecord) -> None:
        """Refuse what can never work.

        Raises
        ------
        ConfigurationError
            No label column, the same one twice, or one that the model takes as an input; an unknown metric; a limit
            that needs an earlier evaluation which is not given, or which did not measure it.
        """
        if not self.label_columns:
            message = "label_columns is empty; name the dataset's column of true labels."
            raise ConfigurationError(message)
        self._require_labels(record)
        classes = self.known_classes(record).own
        problem = self.known_problem(model, classes)
        of = len(classes) if classes is not None and len(self.label_columns) == 1 else None
        require_known(self.metrics or (), "metrics", problem, of)
        require_known([limit.metric for limit in self.limits], "thresholds", problem, of)
        self._require_baseline()

    def _require_labels(self, record: ModelRecord) -> None:
        inputs = {plain_name(spec.name) for spec in record.inputs or ()}
        for place, name in enumerate(self.label_columns):
            if name in self.label_columns[:place]:
                message = f"label_columns names {name!r} twice; give one column for each of the model's outputs."
                raise ConfigurationError(message)
            if plain_name(name) in inputs:
                message = (
                    f"label_columns names {name!r}, which the model {record.name} takes as an input: it would see the "
                    "answer. Train it without that column, or name the true labels' column."
                )
                raise ConfigurationError(message)

    def _require_baseline(self) -> None:
        compared = [limit.metric for limit in self.limits if limit.max_regression is not None]
        if compared and self.baseline is None:
            message = (
                "max_regression is given, but there is no evaluation to compare with. Give the URI of an earlier one "
                "as baseline_evaluation."
            )
            raise ConfigurationError(message)
        for name in compared:
            if self.baseline is not None and self.baseline[1].metrics.get(name) is None:
                message = (
                    f"max_regression names {name!r}, which {self.baseline[0]} has no value for. Evaluate the earlier "
                    "model with it (metrics=[…]), or leave it out."
                )
                raise ConfigurationError(message)
