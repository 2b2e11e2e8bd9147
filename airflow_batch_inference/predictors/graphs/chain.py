"""One model, or several behind one another, as they are asked for."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.predictors.graphs.base import ModelGraph
from airflow_batch_inference.predictors.graphs.source import ModelChain, ModelSource

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.predictors.base import Predictor
    from airflow_batch_inference.predictors.graphs.loaded import LoadedModels, PredictorSetup
    from airflow_batch_inference.predictors.pickled_function import PickledFunction
    from airflow_batch_inference.records import ChainRows, ModelRecord, UsedModel
    from airflow_batch_inference.storage.store import Storage


@dataclass(frozen=True, slots=True, kw_only=True)
class ChainGraph(ModelGraph):
    """One model, or several behind one another."""

    def for_transport(self) -> ChainGraph:
        """See :class:`~.base.ModelGraph`."""
        return replace(self, main=self.main.for_transport())

    def compose(self, loaded: LoadedModels, setup: PredictorSetup) -> Predictor:
        """See :class:`~.base.ModelGraph`."""
        return loaded.main.main_predictor(setup, setup.validation)

    def fingerprint(
        self, loaded: LoadedModels, of_model: Callable[[ModelRecord, LoadedModel], dict[str, Any]]
    ) -> dict[str, Any]:
        """See :class:`~.base.ModelGraph`."""
        return {"main": loaded.main.fingerprint(of_model)}

    def used_models(self, counts: Mapping[str, ChainRows], whole: ChainRows) -> tuple[UsedModel, ...]:  # noqa: ARG002
        """See :class:`~.base.ModelGraph`."""
        return self.main.used_models("step", whole) if len(self.main.sources) > 1 else ()


def single_model(
    record: ModelRecord,
    *,
    model: LoadedModel | None = None,
    storage: Storage | None = None,
    record_uri: str | None = None,
    function: PickledFunction | None = None,
) -> ChainGraph:
    """Return the graph of one model; see :class:`~.source.ModelSource`."""
    source = ModelSource(record=record, record_uri=record_uri, storage=storage, model=model, function=function)
    return ChainGraph(main=ModelChain(sources=(source,)))
