"""Scoring in one call, for those who hold no :class:`~airflow_batch_inference.inference.pipeline.Pipeline`."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.inference.arguments import require_known
from airflow_batch_inference.inference.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from os import PathLike

_OF_A_MODEL = (
    "checks",
    "predict_method",
    "predict_kwargs",
    "sha256",
    "trusted",
    "flavor",
    "load_options",
    "storage",
    "accelerate",
)


def infer(model: object, data: Any, *asked: Any, **options: Any) -> Any:  # noqa: ANN401  # one of the forms, as its answer
    """Score a request; see :meth:`Pipeline.infer`.

    Parameters
    ----------
    model
        A pipeline, or what one is made of.
    data
        The request.
    asked, options
        Those of :meth:`Pipeline.infer`, and by name those of :class:`Pipeline`.
    """
    pipeline, others = _pipeline(model, options, Pipeline.infer)
    return pipeline.infer(data, *asked, **others)


def infer_from_file(model: object, path: str | PathLike[str], *asked: Any, **options: Any) -> Any:  # noqa: ANN401  # as infer
    """Score a file; see :meth:`Pipeline.infer_from_file`."""
    pipeline, others = _pipeline(model, options, Pipeline.infer_from_file)
    return pipeline.infer_from_file(path, *asked, **others)


def parallel_infer(model: object, tensor_list: Any, *asked: Any, **options: Any) -> Any:  # noqa: ANN401  # as infer
    """Score many requests, or one frame in pieces; see :meth:`Pipeline.parallel_infer`."""
    pipeline, others = _pipeline(model, options, Pipeline.parallel_infer)
    return pipeline.parallel_infer(tensor_list, *asked, **others)


def infer_stream(model: object, tensor_list: Iterable[Any], *asked: Any, **options: Any) -> Iterator[Any]:  # noqa: ANN401  # as infer
    """Score many requests and yield their answers; see :meth:`Pipeline.infer_stream`."""
    pipeline, others = _pipeline(model, options, Pipeline.infer_stream)
    return pipeline.infer_stream(tensor_list, *asked, **others)


def _pipeline(model: object, options: dict[str, Any], call: Callable[..., Any]) -> tuple[Pipeline, dict[str, Any]]:
    """Return a pipeline, and the options that are not its own.

    Raises
    ------
    TypeError
        Neither the pipeline nor the call has such an option.
    ConfigurationError
        Options of a pipeline beside one that is made already.
    """
    known = [name for name in inspect.signature(call).parameters if name != "self"]
    require_known(call.__name__, options, ["model", *known, *_OF_A_MODEL])
    own = {name: options[name] for name in options if name in _OF_A_MODEL}
    asked = {name: value for name, value in options.items() if name not in own}
    if not isinstance(model, Pipeline):
        return Pipeline(model, **own), asked
    if own:
        message = f"{', '.join(own)} belong to a Pipeline when it is made, and one was given. Pass them to Pipeline()."
        raise ConfigurationError(message)
    return model, asked
