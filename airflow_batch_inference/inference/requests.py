"""Scoring in one call, for those who hold no :class:`~airflow_batch_inference.inference.pipeline.Pipeline`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_batch_inference.exceptions import ConfigurationError
from airflow_batch_inference.inference.pipeline import Pipeline

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
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


def infer(model: object, data: Any, **options: Any) -> Any:  # noqa: ANN401  # one of four forms, as its answer
    """Score a request; see :meth:`Pipeline.infer`.

    Parameters
    ----------
    model
        A pipeline, or what one is made of.
    data
        The request.
    options
        Those of :class:`Pipeline` and of :meth:`Pipeline.infer`.
    """
    pipeline, asked = _pipeline(model, options)
    return pipeline.infer(data, **asked)


def infer_from_file(model: object, path: str | PathLike[str], data_format: str | None = None, **options: Any) -> Any:  # noqa: ANN401  # as infer
    """Score a file; see :meth:`Pipeline.infer_from_file`."""
    pipeline, asked = _pipeline(model, options)
    return pipeline.infer_from_file(path, data_format, **asked)


def parallel_infer(model: object, items: Iterable[Any], **options: Any) -> list[Any]:  # noqa: ANN401  # as infer
    """Score many requests; see :meth:`Pipeline.parallel_infer`."""
    pipeline, asked = _pipeline(model, options)
    return pipeline.parallel_infer(items, **asked)


def infer_stream(model: object, items: Iterable[Any], **options: Any) -> Iterator[Any]:  # noqa: ANN401  # as infer
    """Score many requests and yield their answers; see :meth:`Pipeline.infer_stream`."""
    pipeline, asked = _pipeline(model, options)
    return pipeline.infer_stream(items, **asked)


def _pipeline(model: object, options: dict[str, Any]) -> tuple[Pipeline, dict[str, Any]]:
    """Return a pipeline, and the options that are not its own.

    Raises
    ------
    ConfigurationError
        Options of a pipeline beside one that is made already.
    """
    own = {name: options[name] for name in options if name in _OF_A_MODEL}
    asked = {name: value for name, value in options.items() if name not in own}
    if not isinstance(model, Pipeline):
        return Pipeline(model, **own), asked
    if own:
        message = f"{', '.join(own)} belong to a Pipeline when it is made, and one was given. Pass them to Pipeline()."
        raise ConfigurationError(message)
    return model, asked
