"""The models of a split as they are asked for.

Invariants: each of them is loaded and can be called, or the job fails; and all stand for the same classes.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.graphs.base import ModelGraph, no_rows
from airflow_batch_inference.predictors.split import SplitPredictor

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.predictors.call import Call, StepModel
    from airflow_batch_inference.predictors.graphs.loaded import LoadedChain, LoadedModels, PredictorSetup
    from airflow_batch_inference.predictors.graphs.source import ModelChain
    from airflow_batch_inference.predictors.shares import Split
    from airflow_batch_inference.records import ChainRows, ModelRecord, UsedModel

_BY_CLASS = ("predict_proba", "decision_function")


@dataclass(frozen=True, slots=True, kw_only=True)
class SplitGraph(ModelGraph):
    """Models of which each row meets one; the main chain is the first of them.

    Attributes
    ----------
    others
        The other models, in the order of the split's names.
    split
        Which model scores a row.
    """

    others: tuple[ModelChain, ...]
    split: Split

    @property
    def beside(self) -> tuple[ModelChain, ...]:
        """The other models."""
        return self.others

    @property
    def routing_columns(self) -> tuple[str, ...]:
        """The split's key."""
        return () if self.split.key is None else (self.split.key,)

    def for_transport(self) -> SplitGraph:
        """See :class:`~.base.ModelGraph`."""
        others = tuple(chain.for_transport() for chain in self.others)
        return replace(self, main=self.main.for_transport(), others=others)

    def required_columns(self, there: Sequence[str]) -> tuple[str, ...]:
        """See :class:`~.base.ModelGraph`."""
        return (*self.routing_columns, *self.further_columns(there))

    def compose(self, loaded: LoadedModels, setup: PredictorSetup) -> SplitPredictor:
        """See :class:`~.base.ModelGraph`."""
        main = loaded.main.main_predictor(setup, None)  # the split coerces the rows once for all of them
        for chain in loaded.beside:
            _require_same_classes(loaded.last, chain, setup.call, self.split.models[0])
        return SplitPredictor(
            split=self.split,
            predictors=(main, *(chain.predictor_beside(setup, setup.call) for chain in loaded.beside)),
            validation=setup.validation,
            kinds=setup.inferred.kinds if setup.inferred else None,
        )

    def fingerprint(
        self, loaded: LoadedModels, of_model: Callable[[ModelRecord, LoadedModel], dict[str, Any]]
    ) -> dict[str, Any]:
        """See :class:`~.base.ModelGraph`."""
        chains = (loaded.main, *loaded.beside)
        return {
            "chains": {chain.name: chain.fingerprint(of_model) for chain in chains},
            "split": asdict(self.split),
        }

    def used_models(self, counts: Mapping[str, ChainRows], whole: ChainRows) -> tuple[UsedModel, ...]:
        """See :class:`~.base.ModelGraph`."""
        own = counts.get(self.main.name) or whole
        others = [(chain, counts.get(chain.name) or no_rows(chain)) for chain in self.others]
        return tuple(
            model
            for chain, rows in ((self.main, own), *others)
            for model in chain.used_models("variant", rows, chain.name)
        )


def _require_same_classes(first: StepModel, chain: LoadedChain, call: Call, name: str) -> None:
    """Refuse models of a split whose columns stand for other classes.

    Raises
    ------
    ConfigurationError
        Names both models and their classes.
    """
    other = chain.steps[-1]
    ours, theirs = (step.record.class_names or step.model.classes for step in (first, other))
    if ours is None or theirs is None or not {*_BY_CLASS} & {*call.methods} or tuple(ours) == tuple(theirs):
        return
    message = (
        f"The models of the split have other classes, or in another order: {name} {', '.join(map(str, ours))}, "
        f"{chain.name} {', '.join(map(str, theirs))}. One column would hold what belongs to two."
    )
    raise ConfigurationError(message)
