"""A champion and its challengers as they are asked for.

Invariants: a challenger that cannot be read, loaded or called says so and stops nobody.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.predictors.challengers.challenger import Challenger
from airflow_batch_inference.predictors.challengers.disagreement_counts import judged
from airflow_batch_inference.predictors.challengers.rule import DisagreementRule
from airflow_batch_inference.predictors.graphs.base import ModelGraph, named_inputs, no_rows
from airflow_batch_inference.predictors.graphs.loaded import LoadedChain
from airflow_batch_inference.predictors.graphs.source import ModelChain
from airflow_batch_inference.predictors.shadow import ShadowPredictor
from airflow_batch_inference.records import ChallengerResult, ChallengersRecord
from airflow_batch_inference.wording.errors import told_by

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from airflow_batch_inference.flavors.base import LoadedModel
    from airflow_batch_inference.predictors.base import ChallengerOutputs
    from airflow_batch_inference.predictors.graphs.loaded import LoadedModels, PredictorSetup
    from airflow_batch_inference.records import ChainRows, ModelRecord, UsedModel
    from airflow_batch_inference.storage.store import Storage
    from airflow_batch_inference.trees.fast_model import Accelerate

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class ShadowGraph(ModelGraph):
    """A champion, the main chain, and challengers that score all rows beside it.

    Attributes
    ----------
    challengers
        The challengers.
    rule
        What a disagreement with the champion is.
    """

    challengers: tuple[ModelChain, ...]
    rule: DisagreementRule = field(default_factory=DisagreementRule)

    @property
    def challenger_names(self) -> tuple[str, ...]:
        """See :class:`~.base.ModelGraph`."""
        return tuple(chain.name for chain in self.challengers)

    @property
    def beside(self) -> tuple[ModelChain, ...]:
        """The challengers."""
        return self.challengers

    def for_transport(self) -> ShadowGraph:
        """See :class:`~.base.ModelGraph`."""
        challengers = tuple(chain.for_transport() for chain in self.challengers)
        return replace(self, main=self.main.for_transport(), challengers=challengers)

    def exclude(self, name: str, reason: str) -> ShadowGraph:
        """See :class:`~.base.ModelGraph`."""
        gone = ModelChain(name=name, sources=(), error=reason)
        return replace(self, challengers=tuple(gone if each.name == name else each for each in self.challengers))

    def feature_columns(self, there: Sequence[str]) -> tuple[str, ...]:
        """See :class:`~.base.ModelGraph`."""
        return named_inputs(self.main.sources[1:], there)

    def _load_beside(
        self, storage: Storage, accelerate: Accelerate, on_progress: Callable[[str], None]
    ) -> tuple[LoadedChain, ...]:
        loaded = []
        for chain in self.challengers:
            on_progress(chain.name)
            loaded.append(_load(chain, storage, accelerate))
        on_progress("")
        return tuple(loaded)

    def compose(self, loaded: LoadedModels, setup: PredictorSetup) -> ShadowPredictor:
        """See :class:`~.base.ModelGraph`."""
        champion = loaded.main.main_predictor(setup, setup.validation)
        outputs = setup.inferred.challengers if setup.inferred else (None,) * len(loaded.beside)
        return ShadowPredictor(
            champion=champion,
            record=loaded.last.record,
            challengers=tuple(
                _challenger(chain, setup, known) for chain, known in zip(loaded.beside, outputs, strict=True)
            ),
            methods=setup.call.methods,
            rule=self.rule,
            column=setup.challenger_column,
            on_progress=loaded.on_progress,
        )

    def fingerprint(
        self, loaded: LoadedModels, of_model: Callable[[ModelRecord, LoadedModel], dict[str, Any]]
    ) -> dict[str, Any]:
        """See :class:`~.base.ModelGraph`."""
        return {
            "main": loaded.main.fingerprint(of_model),
            "challengers": {chain.name: chain.fingerprint(of_model) for chain in loaded.beside},
            "disagreements": asdict(self.rule),
        }

    def used_models(self, counts: Mapping[str, ChainRows], whole: ChainRows) -> tuple[UsedModel, ...]:
        """See :class:`~.base.ModelGraph`."""
        return (
            *self.main.used_models("champion", whole),
            *(
                model
                for chain in self.challengers
                for model in chain.used_models("challenger", counts.get(chain.name) or no_rows(chain), chain.name)
            ),
        )

    def compare(
        self,
        counts: Mapping[str, ChainRows],
        models: Sequence[UsedModel],
        **about: Any,  # noqa: ANN401  # as the record takes them
    ) -> ChallengersRecord:
        """See :class:`~.base.ModelGraph`."""
        return ChallengersRecord(
            champion=tuple(model for model in models if model.role == "champion"),
            threshold=self.rule.threshold,
            tolerance=self.rule.tolerance,
            challengers=tuple(
                self._result(chain, counts.get(chain.name) or no_rows(chain), models) for chain in self.challengers
            ),
            **about,
        )

    def _result(self, chain: ModelChain, counts: ChainRows, models: Sequence[UsedModel]) -> ChallengerResult:
        outputs = tuple(judged(each, self.rule) for each in counts.outputs)
        without = counts.not_compared or counts.error or "there are no rows that both have scored"
        result = ChallengerResult(
            name=chain.name,
            models=tuple(model for model in models if model.role == "challenger" and model.name == chain.name),
            rows=counts.rows,
            rows_failed=counts.rows_failed,
            error=counts.error,
            not_compared=None if outputs else without,
            seconds=counts.seconds,
            outputs=outputs,
        )
        _log(result)
        return result


def _load(chain: ModelChain, storage: Storage, accelerate: Accelerate) -> LoadedChain:
    try:
        return chain.load(storage, accelerate)
    except (Exception, SystemExit) as error:  # noqa: BLE001  # a model's loading may fail in any way, and this one may
        return LoadedChain(name=chain.name, steps=(), error=f"It could not be loaded: {told_by(error)}")


def _challenger(chain: LoadedChain, setup: PredictorSetup, outputs: ChallengerOutputs | None) -> Challenger:
    error, predictor = chain.error, None
    if error is None:
        try:
            predictor = chain.predictor_beside(setup, replace(setup.call, explain=None))
        except ConfigurationError as refused:
            error = str(refused)
    return Challenger(
        name=chain.name,
        predictor=predictor,
        record=chain.steps[-1].record if chain.steps else None,
        outputs=outputs,
        error=error,
        labels=setup.labels,
        is_alone=len(setup.call.methods) == 1,
        is_secret=setup.is_secret,
    )


def _log(result: ChallengerResult) -> None:
    if result.error is not None or result.rows_failed:
        log.warning(
            "The challenger %s scored %s rows and failed on %s: %s",
            *(result.name, f"{result.rows:,}", f"{result.rows_failed:,}", result.error or "its predictions are NaN"),
        )
    for output in result.outputs:
        if output.disagreement_fraction is not None:
            log.info(
                "The challenger %s differs from the champion in %s of %s rows (%.3f %%), %s against %s",
                *(result.name, f"{output.disagreements:,}", f"{output.rows:,}", 100 * output.disagreement_fraction),
                *(output.challenger_output, output.output),
            )
