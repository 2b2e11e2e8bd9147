"""What a task's ``model`` and ``compare`` mean: one model, or the models of one pass, found and read.

A model is a URI or an alias; a list of them is steps behind one another; a dict of names is the models of a split.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference import records
from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.models.aliases import parse_alias
from airflow_batch_inference.operators.arguments import is_known, structure
from airflow_batch_inference.operators.groups.compare import Challengers, Split
from airflow_batch_inference.operators.inputs import resolve_model
from airflow_batch_inference.operators.stores import storage_for
from airflow_batch_inference.operators.task_context import model_of
from airflow_batch_inference.wording.errors import told_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow_batch_inference.predictors.graphs.base import ModelGraph
    from airflow_batch_inference.predictors.graphs.source import ModelChain, ModelSource
    from airflow_batch_inference.records import ChallengersRecord, PredictionSetRecord
    from airflow_batch_inference.storage.store import Storage

log = logging.getLogger(__name__)

_NAME = re.compile(r"[A-Za-z0-9_-]+")
_STEP_KEYS = {"model", "predict_method"}
_TWO = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class _Step:
    """A model as it is asked for, and how it is called where another step follows."""

    model: str
    method: str = "predict"


@dataclass(frozen=True, slots=True, kw_only=True)
class Models:
    """The arguments that name models, as they are when the task runs.

    Attributes
    ----------
    model, compare, as_of
        As :class:`~airflow_batch_inference.operators.predict.PredictOperator` takes them.
    conn_id
        The Airflow connection that reaches plain model files.
    root, storage
        The artifact store, and what reaches it.
    """

    model: Any
    compare: Challengers | Split | None
    as_of: Any
    conn_id: str | None
    root: str
    storage: Storage

    def read(self) -> ModelGraph:
        """Return the models that the arguments name.

        Raises
        ------
        ConfigurationError
            The arguments do not go together.
        ArtifactError, ModelError
            A model cannot be found or may not be loaded; a challenger's failure is noted instead.
        """
        from airflow_batch_inference.predictors.challengers.rule import parse_disagreements
        from airflow_batch_inference.predictors.graphs.chain import ChainGraph
        from airflow_batch_inference.predictors.graphs.shadow import ShadowGraph
        from airflow_batch_inference.predictors.graphs.split import SplitGraph
        from airflow_batch_inference.predictors.shares import parse_split

        given, compare = structure(self.model), self.compare
        require_comparable(given, compare)
        chains = _chains("model", given) if isinstance(given, Mapping) else {"": _steps("model", given)}
        beside = compare.parse_all() if isinstance(compare, Challengers) else {"challengers": {}, "disagreements": {}}
        rule = parse_disagreements(beside["disagreements"])
        asked = _chains("challengers", beside["challengers"])
        self._require_alias([*chains.values(), *asked.values()])
        main, *others = (self._chain(name, steps) for name, steps in chains.items())
        if isinstance(compare, Split):
            return SplitGraph(main=main, others=tuple(others), split=parse_split(compare.asked(), [*chains]))
        if asked:
            challengers = tuple(self._challenger(name, steps) for name, steps in asked.items())
            return ShadowGraph(main=main, challengers=challengers, rule=rule)
        return ChainGraph(main=main)

    def _require_alias(self, chains: Sequence[Sequence[_Step]]) -> None:
        """Refuse a time where no model is an alias: no other has meant several versions."""
        models = [step.model for steps in chains for step in steps]
        if not any(map(parse_alias, models)):
            resolve_model(models[0], self.as_of, root=self.root, storage=self.storage)

    def _source(self, step: _Step) -> ModelSource:
        from airflow_batch_inference.predictors.graphs.source import ModelSource

        as_of = self.as_of if parse_alias(step.model) else None
        uri = resolve_model(step.model, as_of, root=self.root, storage=self.storage)
        model, record, record_uri = model_of(uri, self.conn_id, self.root, self.storage)
        return ModelSource(
            record=record,
            record_uri=record_uri,
            storage=storage_for(record.conn_id),
            model=model,
            method=step.method,
        )

    def _chain(self, name: str, steps: Sequence[_Step]) -> ModelChain:
        from airflow_batch_inference.predictors.graphs.source import ModelChain

        return ModelChain(name=name, sources=tuple(map(self._source, steps)))

    def _challenger(self, name: str, steps: Sequence[_Step]) -> ModelChain:
        """Return a challenger; one that cannot be found or read says why, and fails nobody."""
        from airflow_batch_inference.predictors.graphs.source import ModelChain

        try:
            return self._chain(name, steps)
        except Exception as error:  # noqa: BLE001  # a store or a framework may fail in any way
            log.warning("The challenger %s takes no part: %s", name, error)
            return ModelChain(name=name, sources=(), error=told_by(error))


def scalars(record: PredictionSetRecord, storage: Storage) -> dict[str, Any]:
    """Return what a task pushes of its challengers by XCom: the record's URI, the largest share of disagreements."""
    if record.challengers_uri is None:
        return {}
    found = storage.read_record(record.challengers_uri)
    results = found.challengers if isinstance(found, records.ChallengersRecord) else ()
    shares = [
        output.disagreement_fraction
        for each in results
        for output in each.outputs
        if output.disagreement_fraction is not None
    ]
    return {"challengers_uri": record.challengers_uri, "disagreement_fraction": max(shares, default=None)}


def report_of_challengers(storage: Storage) -> Any:  # noqa: ANN401  # a function, named where it is taken
    """Return what renders and stores the page of a challengers' record, and names it there."""
    from airflow_batch_inference.reports.challengers_html import render_challengers

    def report(record: ChallengersRecord, folder: str) -> ChallengersRecord:
        page = render_challengers(record).encode()
        return replace(record, report_uri=storage.put_content(folder, "challengers_report", ".html", page))

    return report


def _chains(argument: str, given: Mapping[str, Any]) -> dict[str, list[_Step]]:
    for name in given:
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            message = (
                f"{argument} names a model {name!r}; a name is made of letters, digits, _ and -, for it begins the "
                "names of columns."
            )
            raise ConfigurationError(message)
    return {name: _steps(f"{argument} {name!r}", models) for name, models in given.items()}


def _steps(argument: str, given: object) -> list[_Step]:
    """Return one step, or several of a list.

    Raises
    ------
    ConfigurationError
        It is no URI, nor a list of them.
    """
    items = given if isinstance(given, (list, tuple)) else [given]
    found = []
    for item in items:
        step: Any = {"model": item} if isinstance(item, str) else item
        is_one = isinstance(step, Mapping) and "model" in step and set(step) <= _STEP_KEYS
        if not is_one or not all(isinstance(value, str) and value for value in step.values()):
            message = (
                f"{argument} is {given!r}; it must be a model's URI or alias, or a list of steps, each a URI or "
                '{"model": …, "predict_method": …}.'
            )
            raise ConfigurationError(message)
        found.append(_Step(model=step["model"], method=step.get("predict_method", "predict")))
    if not found:
        message = f"{argument} is an empty list; give at least one model."
        raise ConfigurationError(message)
    return found


def require_comparable(model: object, compare: Challengers | Split | None) -> None:
    """Refuse a model and what is compared with it where they do not go together, as far as the model is known.

    Raises
    ------
    ConfigurationError
        Says what to do.
    """
    given = structure(model) if is_known(model) else model
    names = [*given] if isinstance(given, Mapping) else []
    if isinstance(given, Mapping) and not isinstance(compare, Split):
        message = (
            f"model names several models ({', '.join(map(str, names)) or 'none'}), but there is no Split to say which "
            "of them scores a row. Give compare=Split(weights={…}); or a list, for steps behind one another; or "
            "compare=Challengers({…})."
        )
        raise ConfigurationError(message)
    is_one = isinstance(given, (list, tuple)) or (isinstance(given, str) and is_known(given))
    if isinstance(compare, Split) and (is_one or (isinstance(given, Mapping) and len(names) < _TWO)):
        message = 'Split needs several models by name: model={"a": uri, "b": uri}.'
        raise ConfigurationError(message)
